//! When a child that ended is started again (SPEC AP1). Pure: time comes in.

use std::time::{Duration, Instant};

/// Longest pause between two starts.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A child that ran as long as this counts as having worked.
const WORKED: Duration = Duration::from_secs(60);

/// Remembers how often a child ended too soon.
#[derive(Clone, Debug, Default)]
pub(super) struct BackOff {
    /// Ends since it last worked.
    ends: u32,
}

impl BackOff {
    /// The child ended after running for `ran`: how long to wait before it is started again. At
    /// once the first time, then 1, 2, 4 … 30 seconds.
    pub(super) fn ended(&mut self, ran: Duration) -> Duration {
        if ran >= WORKED {
            self.ends = 0;
        }
        let pause = match self.ends {
            0 => Duration::ZERO,
            ends => Duration::from_secs(1 << (ends - 1).min(5)).min(PAUSE_MAX),
        };
        self.ends = self.ends.saturating_add(1);
        pause
    }

    /// The end was wanted.
    pub(super) fn forget(&mut self) {
        self.ends = 0;
    }
}

/// Whether the gateway's main loop is alive, by its answers.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    started: Instant,
    answered: Instant,
    next: u32,
}

/// How often the gateway is asked.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(2);

/// A gateway that has been up for this long must answer.
const START_TIME: Duration = Duration::from_secs(60);

/// Silence after which the gateway is taken to hang and is ended.
const HANGS: Duration = Duration::from_secs(30);

/// Silence after which the watchdog is fed no longer. Starts and restarts fit into it.
const WATCHDOG_SILENCE: Duration = Duration::from_secs(180);

impl Pulse {
    /// Nothing asked yet; the wait for the first answer begins.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            answered: now,
            next: 0,
        }
    }

    /// The gateway was started.
    pub(super) fn started(&mut self, now: Instant) {
        self.started = now;
    }

    /// The number of the next question.
    pub(super) fn ping(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// An answer came. One to an older question counts too: the loop turns, if slowly.
    pub(super) fn pong(&mut self, now: Instant) {
        self.answered = now;
    }

    /// Whether the gateway that is running should be ended because it hangs.
    pub(super) fn hangs(&self, now: Instant) -> bool {
        now.duration_since(self.started) >= START_TIME && now.duration_since(self.answered) >= HANGS
    }

    /// Whether the watchdog may be fed: a gateway that never comes to life again, however often
    /// it is started, ends in a restart of the whole machine.
    pub(super) fn feeds(&self, now: Instant) -> bool {
        now.duration_since(self.answered) < WATCHDOG_SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(10);

    #[test]
    fn pauses_grow_to_thirty_seconds_and_shrink_after_work() {
        let mut back_off = BackOff::default();
        let pauses: Vec<u64> = (0..9).map(|_| back_off.ended(SOON).as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(back_off.ended(WORKED), Duration::ZERO);
        assert_eq!(back_off.ended(SOON).as_secs(), 1);
        back_off.forget();
        assert_eq!(back_off.ended(SOON), Duration::ZERO);
    }

    #[test]
    fn a_silent_gateway_is_ended_and_then_the_machine_restarts() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        assert!(!pulse.hangs(start + HANGS), "it may take a minute to start");
        assert!(pulse.hangs(start + START_TIME));
        pulse.pong(start + START_TIME);
        let late = start + START_TIME + HANGS;
        assert!(!pulse.hangs(late - SOON) && pulse.hangs(late));
        pulse.started(late);
        assert!(!pulse.hangs(late + HANGS));
        let end = start + START_TIME + WATCHDOG_SILENCE;
        assert!(pulse.feeds(end - SOON) && !pulse.feeds(end));
    }
}
