//! Operations as administrators ask for them and see them.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use super::plan::{PlanState, StepState};
pub use super::preflight::{Finding, Outcome};

/// Kinds of operations. Stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Another peer becomes primary.
    ChangePrimary,
    /// A cluster of one is formed.
    Create,
    /// A system joins the cluster.
    Join,
    /// A peer leaves and is reset.
    RemoveLive,
    /// A peer that cannot be reached is taken off the list.
    RemoveDead,
    /// All peers but the primary leave.
    Disband,
    /// Every peer restarts, the primary first.
    RollingRestart,
    /// What the peers hold of one peer's shared state is forgotten.
    Purge,
    /// Peer addresses are replaced by others.
    ChangeAddress,
}

/// What an administrator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Only the pre-flight: of the cluster as it is, or of this system before it joins one.
    Preflight,
    /// Make a peer the primary.
    ChangePrimary {
        /// Its number in the list.
        peer: u8,
        /// Whether it is done although the old primary, or most peers, cannot be reached.
        force: bool,
    },
    /// Form a cluster of this system alone (SPEC CL3).
    Create {
        /// Cluster name.
        name: String,
        /// Own address; empty for the only one there is.
        address: String,
    },
    /// Make a code with which one system may join.
    Invite,
    /// Join the cluster of a primary.
    Join {
        /// Address of the primary.
        primary: String,
        /// The code that it gave.
        code: String,
        /// Whether only the pre-flight is wanted.
        only_check: bool,
    },
    /// Take a peer out of the cluster.
    Remove {
        /// Its number in the list.
        peer: u8,
        /// Whether it cannot be reached and is only taken off the list.
        dead: bool,
    },
    /// Take all peers but the primary out.
    Disband,
    /// Restart all peers one after the other.
    RollingRestart,
    /// Forget the shared state of a peer everywhere (SPEC LC5).
    Purge {
        /// Its number in the list.
        peer: u8,
    },
    /// Undo the operation that is under way.
    Undo,
    /// Try the step that failed once more.
    Retry,
    /// Give the operation up where it is.
    Abandon,
}

/// A request with what goes with each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What is wanted.
    pub request: Request,
    /// Checks of the pre-flight that shall not block, by name.
    pub overrides: Vec<String>,
}

/// The operation that was begun last, as a person sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationStatus {
    /// The operation that this peer leads or has led last.
    pub led: Option<Led>,
    /// The operation of another peer in which this one takes part: what it is and who leads it.
    pub follows: Option<String>,
    /// Seconds for which a join code is still good; `None` if there is none.
    pub invitation: Option<u64>,
    /// What the next restart removes, when this system has left its cluster (SPEC LC2).
    pub reset: Option<String>,
}

/// An operation and its steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Led {
    /// What it does.
    pub title: String,
    /// How far it is.
    pub state: PlanState,
    /// Why it failed or is undone; empty otherwise.
    pub fault: String,
    /// Whether it can be undone now.
    pub can_be_undone: bool,
    /// Its steps: what, how far, what is waited for.
    pub steps: Vec<(String, StepState, String)>,
    /// What the pre-flight found.
    pub findings: Vec<Finding>,
    /// Systems outside the cluster that are to be brought up to date.
    pub outside: Vec<String>,
}
