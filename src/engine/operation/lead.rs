//! The leading side: one step of the plan after the other, each verified (SPEC CL8).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::base::ids::{PeerId, RequestId};
use crate::base::limits;
use crate::base::time::Instant;
use crate::cluster::seen::Seen;
use crate::wire::peer::Message;

use super::plan::{self, Deed, Done, Expect, Order, Plan, PlanState, StepState, Values};
use super::{Operations, View, Writing, called};

/// Silence of a peer that was told to leave after which it counts as gone.
const GONE: Duration = Duration::from_secs(15);

/// What the leader knows of the step that it is at, in this life alone.
#[derive(Debug, Default)]
pub(super) struct Lead {
    /// When the order was sent last.
    sent: Option<Instant>,
    /// The answer to it.
    answered: Option<(u16, Result<Values, String>)>,
    /// Since when the plan stands at this step.
    begun: Instant,
    /// Since when the peer that is to leave is silent.
    silent: Option<Instant>,
    /// What is waited for.
    pub(super) progress: String,
}

impl Lead {
    /// The plan has gone on.
    pub(super) fn next(&mut self, now: Instant) {
        *self = Self {
            begun: now,
            ..Self::default()
        };
    }

    /// How long the plan has stood where it is.
    pub(super) fn since(&self, now: Instant) -> Duration {
        now.since(self.begun)
    }
}

impl Operations {
    /// Goes on with the plan as far as that can be done now.
    pub(super) fn go_on(&mut self, now: Instant, view: &View<'_>) {
        let Some(plan) = self.plan.clone().filter(Plan::is_open) else {
            return;
        };
        let Some(index) = plan.current() else {
            return self.finish(plan);
        };
        match (plan.state, plan.steps[index].state) {
            (PlanState::Undoing, _) => self.take_back(now, view, plan, index),
            (_, StepState::Waiting) => {
                let mut next = plan;
                next.steps[index].state = StepState::Running;
                self.put(next, None);
            }
            (_, StepState::Running) => self.advance(now, view, plan, index),
            // A step that cannot be undone was refused: an administrator decides.
            (_, StepState::Failed | StepState::Done | StepState::Undone) => {}
        }
    }

    /// A peer answers.
    pub(super) fn done(&mut self, now: Instant, from: PeerId, done: Done, view: &View<'_>) {
        if !self.surveyed(from, &done) {
            self.lead_answered(from, done);
        }
        self.drive(now, view);
    }

    /// Notes the answer to the order of the step that the plan is at.
    pub(super) fn lead_answered(&mut self, from: PeerId, done: Done) {
        let Some(plan) = self.plan.as_ref().filter(|plan| plan.id == done.plan) else {
            return;
        };
        let target = plan.current().map(|index| plan.steps[index].target);
        if target == Some(from) {
            self.lead.answered = Some((done.number, done.result));
        }
    }

    /// Undoes the plan.
    pub(super) fn undo(&mut self, request: RequestId) -> Result<(), Vec<String>> {
        let plan = self.open_plan()?;
        if plan.state == PlanState::Undoing {
            return Err(vec!["it is being undone already".into()]);
        }
        if !plan.can_be_undone() {
            return Err(vec!["what was begun cannot be undone any more".into()]);
        }
        let fault = "undone on request".into();
        self.put(
            Plan {
                state: PlanState::Undoing,
                fault,
                ..plan
            },
            Some(request),
        );
        Ok(())
    }

    /// Tries a step that was refused once more.
    pub(super) fn retry(&mut self, request: RequestId) -> Result<(), Vec<String>> {
        let mut plan = self.open_plan()?;
        let failed = |step: &&mut plan::Step| step.state == StepState::Failed;
        let Some(step) = plan.steps.iter_mut().find(failed) else {
            return Err(vec!["no step has failed: it is tried all the time".into()]);
        };
        step.state = StepState::Running;
        step.text.clear();
        plan.fault.clear();
        self.put(plan, Some(request));
        Ok(())
    }

    /// Gives the plan up where it is.
    pub(super) fn abandon(&mut self, request: RequestId) -> Result<(), Vec<String>> {
        let plan = self.open_plan()?;
        let begun = plan
            .steps
            .iter()
            .filter(|step| matches!(step.state, StepState::Done | StepState::Running));
        let begun: Vec<&str> = begun.map(|step| step.title.as_str()).collect();
        let fault = match begun[..] {
            [] => "given up before anything was done".into(),
            _ => format!(
                "given up on request; done and not undone: {}",
                begun.join("; ")
            ),
        };
        self.tell_end(&plan);
        let state = PlanState::Failed;
        self.put(
            Plan {
                state,
                fault,
                ..plan
            },
            Some(request),
        );
        Ok(())
    }

    fn open_plan(&self) -> Result<Plan, Vec<String>> {
        if self.writing.is_some() {
            return Err(vec!["a step is just being saved; try again".into()]);
        }
        let open = self.plan.clone().filter(Plan::is_open);
        open.ok_or_else(|| vec!["no operation is under way here".into()])
    }

    /// Orders the step, waits for what it must bring about, and goes to the next.
    fn advance(&mut self, now: Instant, view: &View<'_>, mut plan: Plan, index: usize) {
        let number = number_of(index, false);
        let step = &plan.steps[index];
        if step.deed != Deed::Nothing {
            match self.lead.answered.take() {
                Some((answered, Err(reason))) if answered == number => {
                    return self.refused(plan, index, &reason);
                }
                Some((answered, Ok(values))) if answered == number => {
                    self.lead.answered = Some((number, Ok(values)));
                }
                _ if self.has_left(now, view, step) => {
                    self.lead.answered = Some((number, Ok(Vec::new())));
                }
                _ => {
                    let (target, deed) = (step.target, step.deed.clone());
                    return self.order(now, view, &plan, target, number, deed);
                }
            }
        }
        match met(&step.expect, &view.seen) {
            Ok(()) => {
                let previous = self.lead.answered.take();
                let step = &mut plan.steps[index];
                if let Some((_, Ok(previous))) = previous {
                    step.previous = previous;
                }
                step.state = StepState::Done;
                self.put(plan, None);
            }
            Err(missing) => self.lead.progress = missing,
        }
    }

    /// Undoes a step that was done, or that may have been.
    fn take_back(&mut self, now: Instant, view: &View<'_>, mut plan: Plan, index: usize) {
        let number = number_of(index, true);
        let step = &mut plan.steps[index];
        let deed = match (&step.deed, step.state) {
            (Deed::Set(_) | Deed::Admit { .. }, StepState::Done) => {
                Deed::Set(step.previous.clone())
            }
            (Deed::Set(_) | Deed::Admit { .. }, _) => Deed::Revert {
                number: number_of(index, false),
            },
            _ => Deed::Nothing,
        };
        match self.lead.answered.take() {
            Some((answered, result)) if answered == number && deed != Deed::Nothing => {
                match result {
                    Ok(_) => step.state = StepState::Undone,
                    Err(reason) => {
                        step.state = StepState::Failed;
                        step.text = format!("cannot be undone: {reason}");
                        let titles = format!("{}: {}", step.title, step.text);
                        plan.fault = format!("{}; {titles}", plan.fault);
                    }
                }
                self.put(plan, None);
            }
            _ if deed == Deed::Nothing => {
                step.state = StepState::Undone;
                self.put(plan, None);
            }
            _ => {
                let target = step.target;
                self.order(now, view, &plan, target, number, deed);
            }
        }
    }

    /// A peer refuses a step: what was done before it is undone, if that is still possible.
    fn refused(&mut self, mut plan: Plan, index: usize, reason: &str) {
        let step = &mut plan.steps[index];
        step.state = StepState::Failed;
        step.text = format!("refused: {reason}");
        plan.fault = format!("{}: {reason}", step.title);
        // A step that was refused has changed nothing, so even the first that could not be undone
        // leaves everything before it as it can be.
        if index <= plan.irrevocable {
            plan.state = PlanState::Undoing;
        }
        self.put(plan, None);
    }

    fn finish(&mut self, plan: Plan) {
        self.tell_end(&plan);
        let failed = |step: &plan::Step| step.text.starts_with("cannot be undone");
        let state = match plan.state {
            PlanState::Undoing if plan.steps.iter().any(failed) => PlanState::Failed,
            PlanState::Undoing => PlanState::Undone,
            _ => PlanState::Done,
        };
        self.log(format!("{}: {state:?}", plan.title));
        self.put(Plan { state, ..plan }, None);
    }

    fn tell_end(&mut self, plan: &Plan) {
        let order = Order {
            plan: plan.id,
            title: plan.title.clone(),
            number: u16::MAX,
            deed: Deed::End,
        };
        for to in plan.members.clone() {
            self.tell(to, Message::Order(plan::encode(&order)));
        }
    }

    /// Whether a peer that was told to leave is gone: its answer may have gone with it.
    fn has_left(&mut self, now: Instant, view: &View<'_>, step: &plan::Step) -> bool {
        let active = view
            .seen
            .member(step.target)
            .is_some_and(|member| member.active);
        if step.deed != Deed::Leave || active {
            self.lead.silent = None;
            return false;
        }
        let since = *self.lead.silent.get_or_insert(now);
        now.since(since) >= GONE
    }

    /// Sends an order, again and again until it is answered.
    fn order(
        &mut self,
        now: Instant,
        view: &View<'_>,
        plan: &Plan,
        target: PeerId,
        number: u16,
        deed: Deed,
    ) {
        let again = |at: Instant| now.since(at) < limits::ORDER_AGAIN;
        self.lead.progress = format!("waits for {}", called(&view.seen, target));
        if self.lead.sent.is_some_and(again) {
            return;
        }
        self.lead.sent = Some(now);
        let deed = match deed {
            Deed::Admit {
                mut values,
                pins,
                secret: true,
            } => {
                let name = "Alternates Cluster Secret".to_string();
                let text = view.configuration.secret(&name).unwrap_or("").to_string();
                values.push((name, text));
                Deed::Admit {
                    values,
                    pins,
                    secret: true,
                }
            }
            deed => deed,
        };
        let order = Order {
            plan: plan.id,
            title: plan.title.clone(),
            number,
            deed,
        };
        if target == self.own {
            self.obey(now, target, order, view);
        } else {
            self.tell(target, Message::Order(plan::encode(&order)));
        }
    }

    /// Makes the plan go on once it is on the disk.
    fn put(&mut self, plan: Plan, request: Option<RequestId>) {
        let write = plan.write();
        self.persist(write, Writing::Plan(plan.into(), request));
    }
}

/// The number of a step's order, and of the one that undoes it.
fn number_of(index: usize, undo: bool) -> u16 {
    // A plan has a few dozen steps at most.
    (index as u16).saturating_mul(2) + u16::from(undo)
}

/// Whether what a step must bring about is there, or what is missing.
fn met(expect: &Expect, seen: &Seen) -> Result<(), String> {
    match expect {
        Expect::Nothing => Ok(()),
        Expect::Follow { primary, peers } => {
            let follows = |id: &PeerId| {
                let member = seen.member(*id);
                let state = member.filter(|member| member.active).and_then(|m| m.state);
                state.is_some_and(|state| state.primary == Some(*primary))
            };
            match peers.iter().find(|id| !follows(id)) {
                None => Ok(()),
                Some(id) => {
                    let (who, whom) = (called(seen, *id), called(seen, *primary));
                    Err(format!("waits until {who} follows {whom}"))
                }
            }
        }
        Expect::InStep { peers } => {
            let primary = seen.primary().and_then(|member| member.state);
            let Some(newest) = primary.map(|state| state.head) else {
                return Err("waits for the primary".into());
            };
            let holds = |id: &PeerId| {
                let member = seen.member(*id).filter(|member| member.active);
                let state = member.and_then(|member| member.state);
                state.is_some_and(|state| state.head == newest)
            };
            match peers.iter().find(|id| !holds(id)) {
                None => Ok(()),
                Some(id) => Err(format!(
                    "waits until {} is active and holds the primary's configuration",
                    called(seen, *id)
                )),
            }
        }
    }
}
