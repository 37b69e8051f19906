//! Calls that pass through us: from the 2xx of an INVITE to the BYE.
//!
//! A proxy needs no dialog state. This is kept for people: to show and count calls, to see a peer
//! drain (SPEC MM1, MM2), and to end a call when an administrator says so. It is bounded in number
//! and bytes and, for calls whose end we never see, in time.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::timers::Timers;
use crate::base::limits;
use crate::base::time::Instant;
use crate::directory::shared::CallId;

/// A call that nothing was heard of for so long is no call any more.
const SILENCE: Duration = Duration::from_secs(12 * 3600);

/// Calls by a hash of their Call-ID.
#[derive(Debug)]
pub(super) struct Calls {
    alive: BTreeMap<u128, Alive>,
    timers: Timers<u128>,
}

/// A call.
#[derive(Debug)]
struct Alive {
    /// When it ends for silence.
    at: Instant,
    id: CallId,
    /// What it takes to end it; `None` where its messages did not tell.
    dialog: Option<Box<Dialog>>,
}

/// What requests within a call are made of (RFC 3261 section 12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dialog {
    /// Call-ID.
    pub(super) call_id: Vec<u8>,
    /// Tag of the caller, by which its requests are known.
    pub(super) caller_tag: Vec<u8>,
    /// Who called.
    pub(super) caller: Party,
    /// Who was called.
    pub(super) called: Party,
}

/// One end of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Party {
    /// Its name with its tag, as From or To.
    pub(super) name: Vec<u8>,
    /// Where it takes requests: the URI of its Contact.
    pub(super) contact: Vec<u8>,
    /// Route values towards it, from our own entry on.
    pub(super) routes: Vec<u8>,
    /// Number of its newest request.
    pub(super) cseq: u32,
}

impl Dialog {
    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let party = |party: &Party| party.name.len() + party.contact.len() + party.routes.len();
        let names = self.call_id.len() + self.caller_tag.len();
        names + party(&self.caller) + party(&self.called)
    }
}

impl Calls {
    /// No calls.
    pub(super) fn new() -> Self {
        Self {
            alive: BTreeMap::new(),
            timers: Timers::new(),
        }
    }

    /// Something was heard of a call again; says whether it is known.
    pub(super) fn heard(&mut self, now: Instant, call: u128) -> bool {
        let Some(alive) = self.alive.get_mut(&call) else {
            return false;
        };
        alive.at = self.timers.start(now, SILENCE, call);
        self.sweep();
        true
    }

    /// A call was answered; `false` when there are too many to keep it.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        call: u128,
        id: CallId,
        dialog: Option<Dialog>,
    ) -> bool {
        if self.alive.len() >= limits::SIP_CALLS {
            return false;
        }
        let at = self.timers.start(now, SILENCE, call);
        let dialog = dialog.map(Box::new);
        self.alive.insert(call, Alive { at, id, dialog });
        self.sweep();
        true
    }

    /// One end has sent a request within a call.
    pub(super) fn spoke(&mut self, call: u128, tag: &[u8], cseq: u32) {
        let alive = self.alive.get_mut(&call);
        let Some(dialog) = alive.and_then(|alive| alive.dialog.as_mut()) else {
            return;
        };
        let party = if dialog.caller_tag == tag {
            &mut dialog.caller
        } else {
            &mut dialog.called
        };
        party.cseq = party.cseq.max(cseq);
    }

    /// A call ended; its name, if it was known.
    pub(super) fn ended(&mut self, call: u128) -> Option<CallId> {
        self.alive.remove(&call).map(|alive| alive.id)
    }

    /// Takes out the calls of this name, or all; each with what it takes to end it.
    pub(super) fn take(&mut self, id: Option<CallId>) -> Vec<(CallId, Option<Box<Dialog>>)> {
        let wanted = |alive: &Alive| id.is_none_or(|id| id == alive.id);
        let calls = self.alive.iter().filter(|(_, alive)| wanted(alive));
        let calls: Vec<u128> = calls.map(|(call, _)| *call).collect();
        let taken = calls.iter().filter_map(|call| self.alive.remove(call));
        taken.map(|alive| (alive.id, alive.dialog)).collect()
    }

    /// Forgets the silent; their names.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<CallId> {
        let mut ended = Vec::new();
        while let Some((at, call)) = self.timers.due(now) {
            if self.alive.get(&call).is_some_and(|alive| alive.at == at) {
                ended.extend(self.ended(call));
            }
        }
        ended
    }

    /// When [`Calls::handle_timeout`] is wanted.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Calls alive.
    pub(super) fn len(&self) -> usize {
        self.alive.len()
    }

    fn sweep(&mut self) {
        let alive = &self.alive;
        self.timers
            .sweep(|at, call| alive.get(&call).is_some_and(|alive| alive.at == at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(calls: &mut Calls, now: Instant, call: u64) -> bool {
        calls.begin(now, u128::from(call), CallId(call.to_be_bytes()), None)
    }

    #[test]
    fn a_call_ends_by_bye_or_by_silence() {
        let mut calls = Calls::new();
        let start = Instant::START;
        begin(&mut calls, start, 1);
        begin(&mut calls, start, 2);
        assert!(calls.heard(start + SILENCE / 2, 2));
        assert!(!calls.heard(start, 3));
        assert_eq!(calls.len(), 2);
        let silent = calls.handle_timeout(start + SILENCE);
        assert_eq!(silent, [CallId(1_u64.to_be_bytes())]);
        assert_eq!(calls.len(), 1);
        assert_eq!(calls.ended(2), Some(CallId(2_u64.to_be_bytes())));
        assert_eq!(calls.ended(2), None);
        calls.handle_timeout(start + 2 * SILENCE);
        assert_eq!(calls.poll_timeout(), None);
    }

    #[test]
    fn calls_beyond_the_limit_are_not_kept() {
        let mut calls = Calls::new();
        let kept =
            (0..=limits::SIP_CALLS as u64).filter(|call| begin(&mut calls, Instant::START, *call));
        assert_eq!(kept.count(), limits::SIP_CALLS);
        assert_eq!(calls.take(Some(CallId([0; 8]))).len(), 1);
        assert_eq!(calls.take(None).len(), limits::SIP_CALLS - 1);
    }
}
