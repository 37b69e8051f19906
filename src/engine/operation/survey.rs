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
use super::plan::{self, Deed, Done, Order, Plan, PlanId, Values};
use super::preflight::{self, Facts, Finding, Subject};
use super::status::{Ask, Request};
use super::{Operations, View, Writing};

/// A pre-flight on its way.
#[derive(Debug)]
pub(super) struct Survey {
    id: PlanId,
    request: RequestId,
    author: Author,
    wall: Wall,
    ask: Ask,
    told: BTreeMap<PeerId, Facts>,
    until: Instant,
}

impl Operations {
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
        if self.survey.is_some() {
            return Err(vec!["another pre-flight is under way; try again".into()]);
        }
        let only_check = ask.request == Request::Preflight;
        if let Some(plan) = self
            .plan
            .as_ref()
            .filter(|plan| plan.is_open() && !only_check)
        {
            return Err(vec![format!("an operation is under way: {}", plan.title)]);
        }
        let id = self.random.bytes();
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
        self.survey = Some(Survey {
            id,
            request,
            author,
            wall,
            ask,
            told: BTreeMap::new(),
            until: now + limits::PREFLIGHT_TIME,
        });
        Ok(())
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
        let Some(survey) = &self.survey else { return };
        let waited_for = view.seen.members.iter().filter(|member| member.active);
        let own = self.own;
        let mut others = waited_for.filter_map(|member| member.id.filter(|id| *id != own));
        let complete = others.all(|id| survey.told.contains_key(&id));
        // A plan is written only when nothing else is.
        if (!complete && survey.until > now) || self.writing.is_some() {
            return;
        }
        if let Some(survey) = self.survey.take() {
            let request = survey.request;
            if let Err(reasons) = self.conclude(survey, view) {
                self.answer(request, Err(reasons));
            }
        }
    }

    fn conclude(&mut self, survey: Survey, view: &View<'_>) -> Result<(), Vec<String>> {
        let Survey {
            id,
            request,
            author,
            wall,
            ask,
            told,
            ..
        } = survey;
        let findings = self.findings(&ask, &told, view);
        let lines = |wanted: fn(&Finding) -> bool| -> Vec<String> {
            findings
                .iter()
                .filter(|f| wanted(f))
                .map(Finding::line)
                .collect()
        };
        if ask.request == Request::Preflight {
            let mut text = lines(|_| true).join("\n");
            text.push('\n');
            self.answer(request, Ok(text));
            return Ok(());
        }
        let blocking = lines(Finding::blocks);
        if !blocking.is_empty() {
            let names: Vec<&str> = findings
                .iter()
                .filter(|finding| finding.blocks())
                .map(|finding| finding.check.as_str())
                .collect();
            let cure = format!(
                "Nothing was changed. Mend these, or let them pass by name: Override: {}",
                names.join(",")
            );
            return Err(blocking.into_iter().chain([cure]).collect());
        }
        let mut plan: Plan = build::plan(&ask.request, view)?;
        plan.id = id;
        plan.author = author;
        plan.began = wall;
        plan.findings = findings;
        let write = plan.write();
        self.persist(write, Writing::Plan(plan.into(), Some(request)));
        Ok(())
    }

    fn findings(&self, ask: &Ask, told: &BTreeMap<PeerId, Facts>, view: &View<'_>) -> Vec<Finding> {
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
        if peers.is_empty() {
            peers.push((String::from("this system"), Some(view.facts.clone())));
        }
        let forming = matches!(ask.request, Request::Preflight | Request::Create { .. });
        let subject = Subject {
            peers: &peers,
            joiner: None,
        };
        preflight::examine(&subject, forming, &ask.overrides)
    }
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
