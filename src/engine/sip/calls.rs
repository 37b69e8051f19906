//! Calls that pass through us: from the 2xx of an INVITE to the BYE.
//!
//! A proxy keeps no dialog state and needs none; this is a count for people and for draining
//! (SPEC MM1, MM2), bounded in number and, for calls whose end we never see, in time.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::timers::Timers;
use crate::base::limits;
use crate::base::time::Instant;

/// A call that nothing was heard of for so long is no call any more.
const SILENCE: Duration = Duration::from_secs(12 * 3600);

/// Calls by a hash of their Call-ID.
#[derive(Debug)]
pub(super) struct Calls {
    alive: BTreeMap<u128, Instant>,
    timers: Timers<u128>,
}

impl Calls {
    /// No calls.
    pub(super) fn new() -> Self {
        Self {
            alive: BTreeMap::new(),
            timers: Timers::new(),
        }
    }

    /// A call was answered, or something was heard of it again.
    pub(super) fn heard(&mut self, now: Instant, call: u128) {
        if self.alive.len() >= limits::SIP_CALLS && !self.alive.contains_key(&call) {
            return;
        }
        let at = self.timers.start(now, SILENCE, call);
        self.alive.insert(call, at);
        let alive = &self.alive;
        self.timers.sweep(|at, call| alive.get(&call) == Some(&at));
    }

    /// A call ended.
    pub(super) fn ended(&mut self, call: u128) {
        self.alive.remove(&call);
    }

    /// Forgets the silent.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, call)) = self.timers.due(now) {
            if self.alive.get(&call) == Some(&at) {
                self.alive.remove(&call);
            }
        }
    }

    /// When [`Calls::handle_timeout`] is wanted.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Calls alive.
    pub(super) fn len(&self) -> usize {
        self.alive.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_by_bye_or_by_silence() {
        let mut calls = Calls::new();
        let start = Instant::START;
        calls.heard(start, 1);
        calls.heard(start, 2);
        calls.heard(start + SILENCE / 2, 2);
        assert_eq!(calls.len(), 2);
        calls.handle_timeout(start + SILENCE);
        assert_eq!(calls.len(), 1);
        calls.ended(2);
        assert_eq!(calls.len(), 0);
        calls.handle_timeout(start + 2 * SILENCE);
        assert_eq!(calls.poll_timeout(), None);
    }

    #[test]
    fn calls_beyond_the_limit_are_not_counted() {
        let mut calls = Calls::new();
        (0..=limits::SIP_CALLS as u128).for_each(|call| calls.heard(Instant::START, call));
        assert_eq!(calls.len(), limits::SIP_CALLS);
    }
}
