//! Timers of RFC 3261 section 17 in constant time.
//!
//! Timers come in a handful of durations (T1 doubled, T2, T4, 64·T1, timer C). Time never runs
//! backwards, so one queue per duration is always in order and neither starting nor stopping a
//! timer needs a search. Stopping means forgetting: what fires is checked against its owner.

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use crate::base::time::Instant;

/// Round-trip time estimate (RFC 3261 section 17.1.1.1).
pub(super) const T1: Duration = Duration::from_millis(500);
/// Longest retransmission interval of non-INVITE requests and of INVITE responses.
pub(super) const T2: Duration = Duration::from_secs(4);
/// Longest time that a message stays in the network.
pub(super) const T4: Duration = Duration::from_secs(5);
/// Timers B, D, F, H, J, L and M (RFC 6026 for the last two).
pub(super) const T1_64: Duration = Duration::from_secs(32);
/// Timer C: more than three minutes for an INVITE to be answered (section 16.6 item 11).
pub(super) const TIMER_C: Duration = Duration::from_secs(185);

/// Stale entries below this are never worth a sweep.
const SWEEP_MIN: usize = 4_096;

/// Timers under way, each with what it belongs to.
#[derive(Debug)]
pub(super) struct Timers<T> {
    queues: BTreeMap<Duration, VecDeque<(Instant, T)>>,
    entries: usize,
    sweep_at: usize,
}

impl<T: Copy> Timers<T> {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            queues: BTreeMap::new(),
            entries: 0,
            sweep_at: SWEEP_MIN,
        }
    }

    /// Starts a timer and says when it will fire, which its owner has to remember.
    pub(super) fn start(&mut self, now: Instant, duration: Duration, owner: T) -> Instant {
        let at = now + duration;
        let queue = self.queues.entry(duration).or_default();
        // A caller whose clock stepped back must not break the order of the queue.
        let at = queue.back().map_or(at, |(last, _)| at.max(*last));
        queue.push_back((at, owner));
        self.entries += 1;
        at
    }

    /// The next timer that is due; it may have been stopped meanwhile.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Instant, T)> {
        let (_, queue) = self
            .queues
            .iter_mut()
            .filter(|(_, queue)| queue.front().is_some_and(|(at, _)| *at <= now))
            .min_by_key(|(_, queue)| queue.front().map(|(at, _)| *at))?;
        self.entries -= 1;
        queue.pop_front()
    }

    /// Forgets stopped timers when they outnumber the living, so that the queues stay bounded by
    /// what is alive. Called after starts; costs constant time on average.
    pub(super) fn sweep(&mut self, alive: impl Fn(Instant, T) -> bool) {
        if self.entries < self.sweep_at {
            return;
        }
        for queue in self.queues.values_mut() {
            queue.retain(|(at, owner)| alive(*at, *owner));
            queue.shrink_to(2 * queue.len());
        }
        self.entries = self.queues.values().map(VecDeque::len).sum();
        self.sweep_at = SWEEP_MIN.max(2 * self.entries);
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queues
            .values()
            .filter_map(|queue| queue.front().map(|(at, _)| *at))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn timers_fire_in_order_over_all_durations() {
        let mut timers = Timers::new();
        timers.start(at(0), T4, 'c');
        timers.start(at(0), T1, 'a');
        timers.start(at(4_000), T1, 'b');
        assert_eq!(timers.next(), Some(at(500)));
        assert_eq!(timers.due(at(499)), None);
        let fired: std::vec::Vec<_> =
            core::iter::from_fn(|| timers.due(at(5_000)).map(|(_, owner)| owner)).collect();
        assert_eq!(fired, ['a', 'b', 'c']);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn stopped_timers_do_not_pile_up() {
        let mut timers = Timers::new();
        for owner in 0..100_000_u32 {
            timers.start(at(0), TIMER_C, owner);
            timers.sweep(|_, owner| owner.is_multiple_of(1_000));
        }
        assert!(timers.entries <= 2 * SWEEP_MIN, "{}", timers.entries);
    }
}
