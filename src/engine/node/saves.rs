//! Changes of the configuration on their way from an administrator to the disk and to the peers.
//!
//! One change is under way at a time; the next is judged against what the first has made. So a
//! change is never validated against a configuration that is about to go.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::admin::{Actor, Refusal};
use crate::base::ids::RequestId;
use crate::base::limits;
use crate::base::store::Write;
use crate::config::Prepared;
use crate::config::revision::RevisionId;

use super::reset::Turn;

/// Stands for an operation of the cluster where somebody waits for an answer: it saves one change
/// at a time. The shell never counts that far.
pub(super) const OPERATION: RequestId = RequestId(u64::MAX);

/// A change that an administrator asked for.
#[derive(Debug)]
pub(super) struct Ask {
    /// Who waits for the answer; nobody for the settings given at start.
    pub(super) request: Option<RequestId>,
    /// Who asks.
    pub(super) actor: Actor,
    /// Items and values, as text.
    pub(super) changes: Vec<(String, String)>,
    /// What the change is for, beside its items (`roll back to …`).
    pub(super) note: String,
    /// What goes to the disk together with it.
    pub(super) writes: Vec<Write>,
    /// Whether certificates are enforced although peers would be refused (SPEC AM3).
    pub(super) force: bool,
}

/// A change on its way to the disk.
#[derive(Debug)]
pub(super) struct Save {
    /// Who waits for the answer.
    pub(super) request: Option<RequestId>,
    /// What takes effect.
    pub(super) prepared: Prepared,
    /// What it does to the factory reset that may be due.
    pub(super) turn: Turn,
}

/// Changes that wait: for their turn, and for the peers.
#[derive(Debug, Default)]
pub(super) struct Saves {
    under_way: bool,
    queue: VecDeque<Ask>,
    replicating: BTreeMap<RevisionId, RequestId>,
    /// What became of the change of an operation.
    pub(super) operation: Option<Result<(), Refusal>>,
}

impl Saves {
    /// Queues a change.
    pub(super) fn push(&mut self, ask: Ask) -> Result<(), Refusal> {
        if self.queue.len() >= limits::REQUESTS {
            let reason = "too many changes are waiting to be saved; try again in a moment";
            return Err(Refusal::because(reason));
        }
        self.queue.push_back(ask);
        Ok(())
    }

    /// The next change, if none is under way.
    pub(super) fn next(&mut self) -> Option<Ask> {
        if self.under_way {
            None
        } else {
            self.queue.pop_front()
        }
    }

    /// A change is on its way to the disk.
    pub(super) fn begin(&mut self) {
        self.under_way = true;
    }

    /// The change under way has arrived or failed.
    pub(super) fn end(&mut self) {
        self.under_way = false;
    }

    /// Waits for the peers to hold a revision before its asker is answered.
    pub(super) fn replicate(&mut self, revision: RevisionId, request: RequestId) {
        self.replicating.insert(revision, request);
    }

    /// Who waits for this revision.
    pub(super) fn replicated(&mut self, revision: RevisionId) -> Option<RequestId> {
        self.replicating.remove(&revision)
    }
}
