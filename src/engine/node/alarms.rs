//! Alarms in step with what holds, their log lines, and their history on the disk (SPEC AL1, AL2).

use alloc::format;
use core::time::Duration;

use crate::alarm::Event;
use crate::base::time::{Instant, Wall};
use crate::io::Action;

use super::{Node, Promise};

/// How long after a write that failed the history is written again. It serves as the trial that
/// shows that a disk takes writes again.
const RETRY: Duration = Duration::from_secs(30);

impl Node {
    /// Compares the alarms with the conditions that hold.
    pub(super) fn update_alarms(&mut self, now: Instant, wall: Wall) {
        let conditions = self.conditions(now, wall);
        for event in self.alarms.update(now, wall, conditions) {
            let (word, condition) = match event {
                Event::Raised(condition) => ("raised", condition),
                Event::Lowered(condition) => ("lowered", condition),
            };
            let (kind, detail) = (condition.kind, condition.detail);
            let text = format!("alarm {word}: {} {}: {detail}", kind.id, kind.title);
            let level = log::Level::Warn;
            self.actions.push_back(Action::Log { level, text });
        }
        self.save_history(now);
    }

    /// Writes what the disk does not hold of the history.
    pub(super) fn save_history(&mut self, now: Instant) {
        if now < self.history_due {
            return;
        }
        let writes = self.alarms.history_mut().begin();
        if !writes.is_empty() {
            let action = self.journal.write(writes, Promise::History);
            self.actions.push_back(action);
        }
    }

    /// The history has reached the disk, or has not.
    pub(super) fn history_written(&mut self, now: Instant, written: bool) {
        self.alarms.history_mut().end(written);
        if !written {
            self.history_due = now + RETRY;
        }
    }
}
