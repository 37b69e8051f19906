//! Asking every peer for its facts, judging them, and beginning what was asked for (SPEC CL4).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::base::ids::{PeerId, RequestId};
use crate::base::limits;
use crate::base::time::{Instant, Wall};
use crate::config::revision::Author;
use crate::wire::peer::Message;

use super::build;
use super::join::Joiner;
use super::plan::{self, Deed, Done, Order, Plan, PlanId, Step, Values};
use super::preflight::{self, Facts, Finding, Subject};
use super::status::{Ask, Kind, Request};
use super::{Operations, View, Writing};

/// How long after a first answer peers are asked for what settles by itself.
const AGAIN: core::time::Duration = core::time::Duration::from_millis(500);

/// A pre-flight on its way.
#[derive(Debug)]
pub(super) struct Survey {
    id: PlanId,
    /// Who waits for the answer: an administrator, or a system that wants to join.
    asker: Asker,
    author: Author,
    wall: Wall,
    ask: Ask,
    told: BTreeMap<PeerId, Facts>,
    until: Instant,
    /// When the peers are asked once more.
    again: Option<Instant>,
}

/// Who waits for the outcome of a pre-flight.
#[derive(Debug)]
enum Asker {
    Person(RequestId),
    Joiner(Joiner),
}

impl Operations {
    /// Judges a system that wants to join, with the peers as they are now.
    pub(super) fn survey_joiner(
        &mut self,
        now: Instant,
        wall: Wall,
        joiner: Joiner,
        view: &View<'_>,
    ) {
        let going_on = self.plan.as_ref().is_some_and(|plan| {
            plan.is_open() && plan.kind == Kind::Join && plan.members.contains(&joiner.id)
        });
        if going_on {
            return self.report(joiner.id, true, vec!["The join goes on.".into()]);
        }
        let id = joiner.id;
        let author = Author {
            name: "operation".into(),
            address: joiner.address.clone(),
            face: "join".into(),
        };
        let ask = Ask {
            request: Request::Preflight,
            overrides: joiner.overrides.clone(),
        };
        let asker = Asker::Joiner(joiner);
        if let Err(reasons) = self.survey_for(now, wall, asker, author, ask, view) {
            self.report(id, false, reasons);
        }
    }

    /// Asks every active peer for its facts; what was asked for begins when they are there.
    pub(super) fn begin_survey(
        &mut self,
        now: Instant,
        wall: Wall,
        request: RequestId,
        author: Author,
        ask: Ask,
        view: &View<'_>,
    ) -> Result<(), Vec<String>> {
        self.survey_for(now, wall, Asker::Person(request), author, ask, view)
    }

    fn survey_for(
        &mut self,
        now: Instant,
        wall: Wall,
        asker: Asker,
        author: Author,
        ask: Ask,
        view: &View<'_>,
    ) -> Result<(), Vec<String>> {
        if self.survey.is_some() {
            return Err(vec!["another pre-flight is under way; try again".into()]);
        }
        let only_check = match &asker {
            Asker::Person(_) => ask.request == Request::Preflight,
            Asker::Joiner(joiner) => joiner.only_check,
        };
        if let Some(plan) = self
            .plan
            .as_ref()
            .filter(|plan| plan.is_open() && !only_check)
        {
            return Err(vec![format!("an operation is under way: {}", plan.title)]);
        }
        let id = self.random.bytes();
        self.ask_facts(id, view);
        self.survey = Some(Survey {
            id,
            asker,
            author,
            wall,
            ask,
            told: BTreeMap::new(),
            until: now + limits::PREFLIGHT_TIME,
            again: None,
        });
        Ok(())
    }

    fn ask_facts(&mut self, id: PlanId, view: &View<'_>) {
        for member in &view.seen.members {
            if let Some(to) = member.id.filter(|to| *to != self.own && member.active) {
                let order = Order {
                    plan: id,
                    title: String::new(),
                    number: 0,
                    deed: Deed::Tell,
                };
                self.tell(to, Message::Order(plan::encode(&order)));
            }
        }
    }

    /// Takes in the facts of a peer; `false` if it answers something else.
    pub(super) fn surveyed(&mut self, from: PeerId, done: &Done) -> bool {
        let Some(survey) = self.survey.as_mut().filter(|survey| survey.id == done.plan) else {
            return false;
        };
        if let Ok(values) = &done.result {
            survey.told.insert(from, facts_of(values));
        }
        true
    }

    /// Ends the survey when everybody has answered, or when the time is up.
    pub(super) fn survey(&mut self, now: Instant, view: &View<'_>) {
        let Some(survey) = &mut self.survey else {
            return;
        };
        if let Some(at) = survey.again {
            if at <= now {
                (survey.again, survey.told) = (None, BTreeMap::new());
                let id = survey.id;
                self.ask_facts(id, view);
            }
            return;
        }
        let waited_for = view.seen.members.iter().filter(|member| member.active);
        let own = self.own;
        let mut others = waited_for.filter_map(|member| member.id.filter(|id| *id != own));
        let complete = others.all(|id| survey.told.contains_key(&id));
        // A plan is written only when nothing else is.
        if (!complete && survey.until > now) || self.writing.is_some() {
            return;
        }
        let Some(mut survey) = self.survey.take() else {
            return;
        };
        let joiner = match &survey.asker {
            Asker::Person(_) => None,
            Asker::Joiner(joiner) => Some(joiner),
        };
        let findings = self.findings(&survey.ask, &survey.told, joiner, view);
        if survey.until > now && findings.iter().any(settles) {
            survey.again = Some(now + AGAIN);
            self.survey = Some(survey);
            return;
        }
        self.conclude(survey, findings, view);
    }

    fn conclude(&mut self, survey: Survey, findings: Vec<Finding>, view: &View<'_>) {
        let joiner = match &survey.asker {
            Asker::Person(_) => None,
            Asker::Joiner(joiner) => Some(joiner),
        };
        let only_check = match joiner {
            Some(joiner) => joiner.only_check,
            None => survey.ask.request == Request::Preflight,
        };
        if only_check {
            let lines: Vec<String> = findings.iter().map(Finding::line).collect();
            return self.outcome(survey.asker, lines, true);
        }
        if let Some(reasons) = blocking(&findings) {
            return self.outcome(survey.asker, reasons, false);
        }
        let plan = match joiner {
            Some(joiner) => build::join(joiner, view),
            None => build::plan(&survey.ask.request, view),
        };
        match plan {
            Err(reasons) => self.outcome(survey.asker, reasons, false),
            Ok(mut plan) => {
                plan.id = survey.id;
                plan.author = survey.author;
                plan.began = survey.wall;
                plan.findings = findings;
                let request = match survey.asker {
                    Asker::Person(request) => Some(request),
                    Asker::Joiner(_) => None,
                };
                let write = plan.write();
                self.persist(write, Writing::Plan(plan.into(), request));
            }
        }
    }

    /// A plan that was just asked for is on the disk.
    pub(super) fn plan_begins(&mut self, plan: &Plan) {
        if plan.kind == Kind::Join
            && let Some(joiner) = plan.steps.iter().rev().find_map(admitted)
        {
            let line = format!(
                "{} has begun: xStatus Operation on the primary.",
                plan.title
            );
            self.report(joiner, true, vec![line]);
        }
    }

    fn outcome(&mut self, asker: Asker, lines: Vec<String>, well: bool) {
        match asker {
            Asker::Joiner(joiner) => self.report(joiner.id, false, lines),
            Asker::Person(request) if well => {
                self.answer(request, Ok(lines.join("\n") + "\n"));
            }
            Asker::Person(request) => self.answer(request, Err(lines)),
        }
    }

    fn findings(
        &self,
        ask: &Ask,
        told: &BTreeMap<PeerId, Facts>,
        joiner: Option<&Joiner>,
        view: &View<'_>,
    ) -> Vec<Finding> {
        let mut peers = Vec::new();
        for member in &view.seen.members {
            let facts = match member.id {
                Some(id) if id == self.own => Some(view.facts.clone()),
                Some(id) => told.get(&id).cloned(),
                None => None,
            };
            let number = member.position.number();
            let left_out = match &ask.request {
                Request::Remove { peer, dead: true } => *peer == number,
                Request::ChangePrimary { force: true, .. } => !member.active,
                _ => false,
            };
            if !left_out {
                peers.push((member.address.clone(), facts));
            }
        }
        // A system that is in no cluster yet is judged as one that comes into one.
        let alone = (String::from("this system"), view.facts.clone());
        let joiner = joiner.map(|joiner| (joiner.address.clone(), joiner.facts.clone()));
        let joiner = joiner.or(peers.is_empty().then_some(alone));
        let forming = matches!(ask.request, Request::Preflight | Request::Create { .. });
        let subject = Subject {
            peers: &peers,
            joiner: joiner.as_ref(),
        };
        preflight::examine(&subject, forming, &ask.overrides)
    }
}

/// Whether a moment may mend it: a link that has just come up is measured soon.
fn settles(finding: &Finding) -> bool {
    finding.blocks() && ["Reachability", "Replication", "RoundTrip"].contains(&&*finding.check)
}

/// Why nothing is begun, with what would let it pass.
fn blocking(findings: &[Finding]) -> Option<Vec<String>> {
    let blocking: Vec<&Finding> = findings.iter().filter(|finding| finding.blocks()).collect();
    if blocking.is_empty() {
        return None;
    }
    let names: Vec<&str> = blocking
        .iter()
        .map(|finding| finding.check.as_str())
        .collect();
    let cure = format!(
        "Nothing was changed. Mend these, or let them pass by name: Override: {}",
        names.join(",")
    );
    let lines = blocking.iter().map(|finding| finding.line());
    Some(lines.chain([cure]).collect())
}

/// Who is admitted by a step as a new peer.
fn admitted(step: &Step) -> Option<PeerId> {
    matches!(step.deed, Deed::Admit { secret: true, .. }).then_some(step.target)
}

/// Facts as they travel: a name without a value stands for an empty fact.
pub(super) fn values_of(facts: &Facts) -> Values {
    let mut values = Vec::new();
    for (name, told) in facts {
        if told.is_empty() {
            values.push((name.clone(), String::new()));
        }
        values.extend(told.iter().map(|value| (name.clone(), value.clone())));
    }
    values
}

/// The other way round.
pub(super) fn facts_of(values: &Values) -> Facts {
    let mut facts = Facts::new();
    for (name, value) in values {
        let told = facts.entry(name.clone()).or_default();
        if !value.is_empty() {
            told.push(value.clone());
        }
    }
    facts
}
