//! A plan: what an operation does, step by step, and how far it is (SPEC CL8).
//!
//! A plan is data. It lies on the disk of the peer that leads it before anything is done, and again
//! after each step, so a crash of any peer leaves something that can be gone on with or undone.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::base::ids::PeerId;
use crate::base::store::{Record, Table, Write};
use crate::base::time::Wall;
use crate::config::revision::Author;

use super::preflight::Finding;
use super::status::Kind;

/// Version of what is written here to disk and wire.
const VERSION: u8 = 1;

/// Name of the plan in the store.
const FACT: &[u8] = b"operation";

/// Names a plan among all plans of all peers; random.
pub type PlanId = [u8; 16];

/// Items with their values, as text.
pub type Values = Vec<(String, String)>;

/// An operation on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub id: PlanId,
    /// What kind of operation it is.
    pub kind: Kind,
    /// What it does, for people.
    pub title: String,
    /// Who asked for it.
    pub author: Author,
    /// When.
    pub began: Wall,
    /// How far it is.
    pub state: PlanState,
    /// Why it failed or is undone; empty otherwise.
    pub fault: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// The first step that cannot be undone; the number of steps if all can.
    pub irrevocable: usize,
    /// Peers that take part, the leader included.
    pub members: Vec<PeerId>,
    /// What the pre-flight found.
    pub findings: Vec<Finding>,
    /// Systems outside the cluster that are to be brought up to date when it is done.
    pub outside: Vec<String>,
}

/// How far a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanState {
    /// Steps are being done.
    Running,
    /// Steps are being undone, the last one first.
    Undoing,
    /// Everything is done and verified.
    Done,
    /// Everything is as it was.
    Undone,
    /// It was given up, or cannot go on; some steps are done.
    Failed,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it does, for people.
    pub title: String,
    /// Who does it.
    pub target: PeerId,
    /// What is to be done.
    pub deed: Deed,
    /// What must hold afterwards.
    pub expect: Expect,
    /// How far it is.
    pub state: StepState,
    /// What is waited for, or what went wrong.
    pub text: String,
    /// Values of before, which undo it.
    pub previous: Values,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepState {
    /// Not begun.
    Waiting,
    /// Begun: the order may have been obeyed.
    Running,
    /// Obeyed and verified.
    Done,
    /// Undone again.
    Undone,
    /// Refused.
    Failed,
}

/// What one peer is told to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Nothing: the step only verifies.
    Nothing,
    /// Tell the facts that a pre-flight judges.
    Tell,
    /// Set items of the peer alone.
    Set(Values),
    /// As `Set`, where peers come that were proved by other means than by being met.
    Admit {
        /// Items and values.
        values: Values,
        /// Addresses with the identities that are there.
        pins: Vec<(String, PeerId)>,
        /// Whether the cluster secret of the leader goes with it; it is added when the order is
        /// sent, so that no plan on a disk holds it.
        secret: bool,
    },
    /// Bring back what a step of this plan has changed, if that step was obeyed.
    Revert {
        /// Number of the order to bring back.
        number: u16,
    },
    /// Restart the gateway.
    Restart,
    /// Leave the cluster: clear the peer list and restart, which resets this peer to the state in
    /// which it was delivered (SPEC LC2).
    Leave,
    /// Forget the shared dynamic state of a peer (SPEC LC5).
    Purge(PeerId),
    /// The operation is over; nothing is answered.
    End,
}

/// What must hold before a step counts as done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// That the target says so.
    Nothing,
    /// These peers follow this primary.
    Follow {
        /// The primary.
        primary: PeerId,
        /// Those who follow it.
        peers: Vec<PeerId>,
    },
    /// These peers are active, and hold the primary's configuration.
    InStep {
        /// The peers.
        peers: Vec<PeerId>,
    },
}

/// An order to a peer; the same number always stands for the same deed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The plan that it belongs to.
    pub plan: PlanId,
    /// What the operation is, for people.
    pub title: String,
    /// Its number in the plan.
    pub number: u16,
    /// What is to be done.
    pub deed: Deed,
}

/// The answer to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The plan of the order.
    pub plan: PlanId,
    /// Its number.
    pub number: u16,
    /// What became of it: values of before, or why it was refused.
    pub result: Result<Values, String>,
}

impl Plan {
    /// The plan that the store holds.
    pub fn load(records: &[Record]) -> Option<Self> {
        load(records, FACT)
    }

    /// The write that makes it durable.
    pub fn write(&self) -> Write {
        put(FACT, self)
    }

    /// Whether it still has something to do.
    pub fn is_open(&self) -> bool {
        matches!(self.state, PlanState::Running | PlanState::Undoing)
    }

    /// The step that is to be done, or to be undone, next.
    pub fn current(&self) -> Option<usize> {
        match self.state {
            PlanState::Running => {
                let open = |step: &Step| step.state != StepState::Done;
                self.steps.iter().position(open)
            }
            PlanState::Undoing => {
                let begun =
                    |step: &Step| matches!(step.state, StepState::Done | StepState::Running);
                self.steps.iter().rposition(begun)
            }
            PlanState::Done | PlanState::Undone | PlanState::Failed => None,
        }
    }

    /// Whether what has been begun can still be undone.
    pub fn can_be_undone(&self) -> bool {
        let begun = |step: &Step| step.state != StepState::Waiting;
        let last = self.steps.iter().rposition(begun);
        self.state == PlanState::Running && last.is_none_or(|last| last < self.irrevocable)
    }
}

impl Step {
    /// A step that has not begun.
    pub fn new(title: String, target: PeerId, deed: Deed, expect: Expect) -> Self {
        Self {
            title,
            target,
            deed,
            expect,
            state: StepState::Waiting,
            text: String::new(),
            previous: Vec::new(),
        }
    }
}

/// The record that keeps a value under a name.
pub(super) fn put<T: Serialize>(name: &[u8], value: &T) -> Write {
    Write::Put {
        table: Table::Fact,
        key: name.to_vec(),
        value: encode(value),
    }
}

/// What [`put`] kept; `None` if it is not there or cannot be read.
pub(super) fn load<T: for<'a> Deserialize<'a>>(records: &[Record], name: &[u8]) -> Option<T> {
    let named = |record: &&Record| record.table == Table::Fact && record.key == name;
    decode(records.iter().find(named)?.value.as_deref()?)
}

/// Bytes of a value for disk and wire: a version byte, then postcard.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, alloc::vec![VERSION]).expect("plain data always encodes")
}

/// Reads what [`encode`] wrote; nothing may follow it.
pub(super) fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    let (version, body) = bytes.split_first()?;
    let (value, rest) = postcard::take_from_bytes(body).ok()?;
    (*version == VERSION && rest.is_empty()).then_some(value)
}
