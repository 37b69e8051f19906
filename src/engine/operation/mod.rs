//! Operations: changes of a whole cluster as stored, verified, resumable plans (SPEC CL4, CL8).
//!
//! * What is to be done is data: [`plan`]. `build` makes it from what is asked and what is seen.
//! * The peer that was asked leads: it keeps the plan on its disk, orders one step at a time,
//!   verifies it, and goes on. A step that is refused makes it undo what was done.
//! * The others obey: `obey`. An order is numbered and done once, however often it is heard, and
//!   what it brought about is an ordinary change with the author `operation`.
//! * Before anything, the prerequisites are examined on the live peers: [`preflight`].
//!
//! This module moves no bytes and changes no configuration: it asks its caller to.

mod build;
mod join;
mod lead;
mod obey;
pub mod plan;
pub mod preflight;
pub mod status;
mod survey;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::alarm::Condition;
use crate::alarm::catalogue::OPERATION_WAITS;
use crate::base::ids::{PeerId, RequestId, StreamId, StreamIds};
use crate::base::limits;
use crate::base::random::Random;
use crate::base::socket::{Ends, PeerProof};
use crate::base::store::{Record, Write};
use crate::base::time::{Instant, Wall};
use crate::cluster::seen::Seen;
use crate::config::Configuration;
use crate::config::revision::Author;
use crate::wire::peer::Message;

use join::Join;
use lead::Lead;
use obey::{Obeyed, Obeying};
use plan::{Plan, PlanState, StepState, Values};
use preflight::Facts;
use status::{Ask, Led, OperationStatus, Request};
use survey::Survey;

/// How often an operation looks at what it waits for.
const INTERVAL: core::time::Duration = core::time::Duration::from_millis(200);

/// Something to do.
#[derive(Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each variant's sentence tells what its fields are"
)]
pub enum Action {
    /// Make writes durable; answered by [`Operations::written`].
    Persist { token: u64, writes: Vec<Write> },
    /// Send a message to a peer. It may get lost; who needs an answer asks again.
    Tell { to: PeerId, message: Message },
    /// Save items as author `operation`; answered by [`Operations::saved`].
    Save { changes: Values, note: String },
    /// Take this identity, and no other, for the peer at this address.
    Pin { address: String, id: PeerId },
    /// Open a stream to the configuration port of another system.
    Connect {
        stream: StreamId,
        from: IpAddr,
        to: SocketAddr,
    },
    /// Send bytes on a stream for joining.
    Write { stream: StreamId, bytes: Vec<u8> },
    /// Close a stream for joining.
    Close { stream: StreamId },
    /// This stream is the ordinary link of a peer; these bytes came first.
    HandOver {
        stream: StreamId,
        ends: Ends,
        proof: PeerProof,
        bytes: Vec<u8>,
    },
    /// Restart the gateway.
    Restart,
    /// Forget the shared dynamic state that a peer owns.
    Purge(PeerId),
    /// The answer to [`Operations::ask`].
    Answer {
        request: RequestId,
        answer: Result<String, Vec<String>>,
    },
    /// A line for the log.
    Log { level: log::Level, text: String },
}

/// What an operation looks at.
#[derive(Debug)]
pub struct View<'a> {
    /// The cluster as this peer sees it.
    pub seen: Seen,
    /// The configuration in effect.
    pub configuration: &'a Configuration,
    /// What this peer tells of itself.
    pub facts: Facts,
}

/// The operations of one peer: what it leads, and what it obeys.
#[derive(Debug)]
pub struct Operations {
    own: PeerId,
    /// This life of the peer: a restart that was ordered in another one has happened.
    life: u64,
    random: Random,
    plan: Option<Plan>,
    lead: Lead,
    obeyed: Option<Obeyed>,
    obeying: Option<Obeying>,
    survey: Option<Survey>,
    join: Join,
    /// What waits for the disk.
    writing: Option<(u64, Writing)>,
    tokens: u64,
    /// Until when nothing is tried after the disk refused a write.
    hold: Instant,
    due: Option<Instant>,
    /// When this peer restarts, as it was told.
    restart: Option<Instant>,
    actions: VecDeque<Action>,
}

/// What becomes true once it is on the disk.
#[derive(Debug)]
enum Writing {
    /// The plan has gone on; somebody may wait for the first of it.
    Plan(alloc::boxed::Box<Plan>, Option<RequestId>),
    /// An order may be obeyed.
    Obey(Obeyed),
}

impl Operations {
    /// The operations that the store knows of.
    ///
    /// `guard` is secret randomness, from which codes are made that let a system join; `streams`
    /// names the streams that are opened for joining.
    pub fn new(
        own: PeerId,
        mut random: Random,
        guard: [u8; 32],
        streams: StreamIds,
        records: &[Record],
    ) -> Self {
        Self {
            own,
            life: random.bits(),
            random,
            plan: Plan::load(records),
            lead: Lead::default(),
            obeyed: Obeyed::load(records),
            obeying: None,
            survey: None,
            join: Join::new(guard, streams, records),
            writing: None,
            tokens: 0,
            hold: Instant::START,
            due: Some(Instant::START),
            restart: None,
            actions: VecDeque::new(),
        }
    }

    /// Takes in what an administrator asks; answered by [`Action::Answer`].
    pub fn ask(
        &mut self,
        now: Instant,
        wall: Wall,
        request: RequestId,
        author: Author,
        ask: Ask,
        view: &View<'_>,
    ) {
        let unknown = preflight::unknown(&ask.overrides);
        let result = if !unknown.is_empty() {
            let names: Vec<&str> = preflight::names().collect();
            Err(vec![format!(
                "Override: there is no check {}; there are {}",
                unknown.join(", "),
                names.join(", ")
            )])
        } else {
            match ask.request {
                Request::Invite => self.invite(wall, request, view),
                Request::Join {
                    ref primary,
                    ref code,
                    only_check,
                } => self.join(
                    now,
                    wall,
                    request,
                    (primary, code, only_check, ask.overrides),
                    view,
                ),
                Request::Undo => self.undo(request),
                Request::Retry => self.retry(request),
                Request::Abandon => self.abandon(request),
                _ => self.begin_survey(now, wall, request, author, ask, view),
            }
        };
        if let Err(reasons) = result {
            self.answer(request, Err(reasons));
        }
        self.drive(now, view);
    }

    /// Takes in a message of an operation from a peer whose identity is known.
    pub fn heard(&mut self, now: Instant, from: PeerId, message: &Message, view: &View<'_>) {
        match message {
            Message::Order(bytes) => match plan::decode(bytes) {
                Some(order) => self.obey(now, from, order, view),
                None => self.log(format!("an order of {from} cannot be read")),
            },
            Message::Done(bytes) => {
                if let Some(done) = plan::decode(bytes) {
                    self.done(now, from, done, view);
                }
            }
            _ => {}
        }
        self.drive(now, view);
    }

    /// Writes asked for by [`Action::Persist`] are on the disk, or why not.
    pub fn written(&mut self, now: Instant, token: u64, result: Result<(), String>) {
        let Some((_, writing)) = self.writing.take_if(|(waiting, _)| *waiting == token) else {
            return;
        };
        self.due = Some(now);
        match (writing, result) {
            (Writing::Plan(plan, request), Ok(())) => {
                if let Some(request) = request {
                    let what = match plan.state {
                        PlanState::Undoing => "is being undone",
                        PlanState::Failed => "is given up",
                        PlanState::Running | PlanState::Done | PlanState::Undone => "has begun",
                    };
                    let text = format!("{} {what}: xStatus Operation shows it.\n", plan.title);
                    self.answer(request, Ok(text));
                }
                if self.plan.as_ref().is_none_or(|old| old.id != plan.id) {
                    self.plan_begins(&plan);
                }
                if !plan.is_open() {
                    self.join_ended(&plan);
                }
                self.plan = Some(*plan);
                self.lead.next(now);
            }
            (Writing::Obey(obeyed), Ok(())) => {
                self.obeyed = Some(obeyed);
                self.execute(now);
            }
            (Writing::Plan(_, request), Err(reason)) => {
                self.hold = now + limits::ORDER_AGAIN;
                self.log(format!("an operation waits: not saved: {reason}"));
                if let Some(request) = request {
                    self.answer(request, Err(vec![format!("not saved: {reason}")]));
                }
            }
            (Writing::Obey(_), Err(reason)) => self.obeyed_with(Err(reason)),
        }
    }

    /// A save asked for by [`Action::Save`] has taken effect, or why not.
    pub fn saved(&mut self, now: Instant, result: Result<(), String>) {
        self.due = Some(now);
        self.obeyed_save(now, result);
    }

    /// Goes on with whatever can go on.
    pub fn drive(&mut self, now: Instant, view: &View<'_>) {
        if self.restart.is_some_and(|at| at <= now) {
            self.restart = None;
            self.actions.push_back(Action::Restart);
        }
        self.drive_join(now, view);
        self.survey(now, view);
        if self.writing.is_none() && self.hold <= now {
            self.go_on(now, view);
        }
        let waits = self.survey.is_some() || self.join.is_busy();
        let busy = waits || self.plan.as_ref().is_some_and(Plan::is_open);
        self.due = busy.then_some(now + INTERVAL);
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Operations::drive`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due.into_iter().chain(self.restart).min()
    }

    /// What people see.
    pub fn status(&self, wall: Wall) -> OperationStatus {
        OperationStatus {
            led: self.plan.as_ref().map(|plan| self.led(plan)),
            follows: self.obeyed.as_ref().and_then(Obeyed::under_way),
            invitation: self.join.invitation(wall),
            reset: None,
        }
    }

    /// What is wrong with an operation now.
    pub fn conditions(&self, now: Instant) -> Vec<Condition> {
        let Some(plan) = &self.plan else {
            return Vec::new();
        };
        let failed = plan.state == PlanState::Failed
            || plan
                .steps
                .iter()
                .any(|step| step.state == StepState::Failed)
                && plan.is_open();
        let stuck = plan.is_open() && self.lead.since(now) >= limits::OPERATION_PATIENCE;
        if !failed && !stuck {
            return Vec::new();
        }
        let detail = match failed {
            true => format!("{}: {}", plan.title, plan.fault),
            false => format!("{}: {}", plan.title, self.lead.progress),
        };
        vec![OPERATION_WAITS.about("", detail)]
    }

    fn led(&self, plan: &Plan) -> Led {
        let current = plan.current();
        let step = |(index, step): (usize, &plan::Step)| {
            let waits = current == Some(index) && step.text.is_empty();
            let text = if waits {
                self.lead.progress.clone()
            } else {
                step.text.clone()
            };
            (step.title.clone(), step.state, text)
        };
        Led {
            title: plan.title.clone(),
            state: plan.state,
            fault: plan.fault.clone(),
            can_be_undone: plan.can_be_undone(),
            steps: plan.steps.iter().enumerate().map(step).collect(),
            findings: plan.findings.clone(),
            outside: plan.outside.clone(),
        }
    }

    fn persist(&mut self, write: Write, writing: Writing) {
        self.tokens += 1;
        let token = self.tokens;
        self.writing = Some((token, writing));
        let writes = vec![write];
        self.actions.push_back(Action::Persist { token, writes });
    }

    fn tell(&mut self, to: PeerId, message: Message) {
        if self.tell_guest(to, &message) {
            return;
        }
        self.actions.push_back(Action::Tell { to, message });
    }

    fn answer(&mut self, request: RequestId, answer: Result<String, Vec<String>>) {
        self.actions.push_back(Action::Answer { request, answer });
    }

    fn log(&mut self, text: String) {
        let level = log::Level::Info;
        self.actions.push_back(Action::Log { level, text });
    }
}

/// How a peer is called in texts: its place and address.
fn called(seen: &Seen, id: PeerId) -> String {
    seen.member(id).map_or_else(
        || id.to_string(),
        |member| format!("peer {} ({})", member.position, member.address),
    )
}
