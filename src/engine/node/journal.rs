//! Writes under way to the disk, and what was promised to happen once they are there.
//!
//! Memory changes, answers to administrators and acknowledgements to peers all wait here for
//! [`Input::Written`](crate::io::Input::Written) (DESIGN 1: a promise follows the write).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::ids::BatchId;
use crate::base::store::Write;
use crate::io::Action;

/// Batches under way, each with the promise `P` that its arrival fulfils.
#[derive(Debug)]
pub(super) struct Journal<P> {
    next: u64,
    waiting: BTreeMap<BatchId, P>,
}

impl<P> Journal<P> {
    /// Nothing under way.
    pub(super) fn new() -> Self {
        Self {
            next: 1,
            waiting: BTreeMap::new(),
        }
    }

    /// The action that writes `writes`; `promise` comes back from [`Journal::written`].
    pub(super) fn write(&mut self, writes: Vec<Write>, promise: P) -> Action {
        let batch = BatchId(self.next);
        self.next += 1;
        self.waiting.insert(batch, promise);
        Action::Persist { batch, writes }
    }

    /// The promise of a batch that has arrived or failed; `None` if it is unknown.
    pub(super) fn written(&mut self, batch: BatchId) -> Option<P> {
        self.waiting.remove(&batch)
    }
}
