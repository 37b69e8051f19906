//! Alarms: raised and cleared by condition, never by hand (SPEC AL1).
//!
//! Engines say which conditions hold, each of a [`Kind`] from the [`catalogue`]; this module
//! remembers since when, how often, and who has acknowledged them. A condition must hold for the
//! patience of its kind before it is an alarm, and be gone as long before the alarm goes, so that
//! what merely passes raises none (SPEC CL7).

pub mod catalogue;
pub mod history;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::store::Record;
use crate::base::time::{Instant, Wall};

use history::{Fate, History};

/// How much it matters, in syslog's words. Stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// For information; nothing needs doing.
    Notice,
    /// Service goes on, something needs doing.
    Warning,
    /// Something does not work.
    Error,
    /// Service is at risk.
    Critical,
}

/// What can be wrong: a row of the [`catalogue`].
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Five digits, the incumbent's where it has one.
    pub id: u32,
    /// What it is about, in the guide's words.
    pub title: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// How long it must hold to be raised, and be gone to be lowered.
    pub patience: Duration,
    /// What to do.
    pub remedy: &'static str,
}

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What is wrong.
    pub kind: &'static Kind,
    /// What it concerns (a peer, an item), so that the same thing is the same alarm however its
    /// detail changes.
    pub subject: String,
    /// What exactly: names the peer, the item, the reason.
    pub detail: String,
}

/// A raised alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The condition.
    pub condition: Condition,
    /// When it was raised first since the start.
    pub first: Wall,
    /// When it was raised last.
    pub last: Wall,
    /// How often it was raised since the start.
    pub count: u32,
    /// Whether somebody has seen it.
    pub acknowledged: bool,
}

/// Raised alarms, kept in step with the conditions that hold, and what became of them.
#[derive(Debug, Default)]
pub struct Alarms {
    known: BTreeMap<(u32, String), Known>,
    history: History,
}

/// A condition that holds, or held since the start.
#[derive(Debug)]
struct Known {
    alarm: Alarm,
    holds: bool,
    /// Since when it holds or does not.
    since: Instant,
    raised: bool,
}

/// What an update did, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An alarm was raised.
    Raised(Condition),
    /// An alarm was lowered: its condition is gone.
    Lowered(Condition),
}

impl Kind {
    /// A condition of this kind: what it concerns, and what exactly is wrong.
    pub fn about(
        &'static self,
        subject: impl Into<String>,
        detail: impl Into<String>,
    ) -> Condition {
        Condition {
            kind: self,
            subject: subject.into(),
            detail: detail.into(),
        }
    }
}

impl Alarms {
    /// No alarms, with the history that the store holds; and what was wrong with that.
    pub fn load(records: &[Record]) -> (Self, Option<String>) {
        let (history, fault) = History::load(records);
        let known = BTreeMap::new();
        (Self { known, history }, fault)
    }

    /// Raises what has held for long enough, lowers what is gone for long enough.
    pub fn update(&mut self, now: Instant, wall: Wall, conditions: Vec<Condition>) -> Vec<Event> {
        let holding = self.observe(now, wall, conditions);
        let mut events = Vec::new();
        for (key, known) in &mut self.known {
            if known.holds && !holding.contains(key) {
                known.holds = false;
                known.since = now;
            }
            let due = now.since(known.since) >= known.alarm.condition.kind.patience;
            if known.holds == known.raised || !due {
                continue;
            }
            let condition = known.alarm.condition.clone();
            let (fate, event) = if known.holds {
                known.alarm.raise(wall);
                (Fate::Raised, Event::Raised(condition))
            } else {
                (Fate::Lowered, Event::Lowered(condition))
            };
            known.raised = known.holds;
            self.history.note(wall, fate, &known.alarm.condition, "");
            events.push(event);
        }
        self.forget();
        events
    }

    /// Notes that somebody has seen all raised alarms of an id; says whether there was one.
    pub fn acknowledge(&mut self, wall: Wall, id: u32, by: &str) -> bool {
        let mut found = false;
        let raised = self.known.values_mut().filter(|known| known.raised);
        for known in raised.filter(|known| known.alarm.condition.kind.id == id) {
            if !known.alarm.acknowledged {
                known.alarm.acknowledged = true;
                let condition = &known.alarm.condition;
                self.history.note(wall, Fate::Acknowledged, condition, by);
            }
            found = true;
        }
        found
    }

    /// Raised alarms, by id.
    pub fn raised(&self) -> impl Iterator<Item = &Alarm> {
        let raised = |known: &Known| known.raised;
        self.known
            .values()
            .filter(move |known| raised(known))
            .map(|known| &known.alarm)
    }

    /// What became of alarms.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What became of alarms, to be written.
    pub fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    /// Takes in the conditions that hold; gives their names.
    fn observe(
        &mut self,
        now: Instant,
        wall: Wall,
        conditions: Vec<Condition>,
    ) -> Vec<(u32, String)> {
        let mut holding = Vec::new();
        for condition in conditions.into_iter().take(limits::ALARMS) {
            let key = (condition.kind.id, condition.subject.clone());
            let known = self.known.entry(key.clone()).or_insert_with(|| Known {
                alarm: Alarm::new(condition.clone(), wall),
                holds: true,
                since: now,
                raised: false,
            });
            if !known.holds {
                known.holds = true;
                known.since = now;
            }
            known.alarm.condition.detail = condition.detail;
            holding.push(key);
        }
        holding
    }

    /// Forgets what never became an alarm, and the oldest of the lowered.
    fn forget(&mut self) {
        self.known
            .retain(|_, known| known.holds || known.raised || known.alarm.count > 0);
        while self.known.len() > 2 * limits::ALARMS {
            let lowered = self
                .known
                .iter()
                .filter(|(_, known)| !known.raised && !known.holds);
            let oldest = lowered.min_by_key(|(_, known)| known.alarm.last);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.known.remove(&key);
        }
    }
}

impl Alarm {
    /// Not raised yet.
    fn new(condition: Condition, wall: Wall) -> Self {
        Self {
            condition,
            first: wall,
            last: wall,
            count: 0,
            acknowledged: false,
        }
    }

    fn raise(&mut self, wall: Wall) {
        if self.count == 0 {
            self.first = wall;
        }
        self.last = wall;
        self.count = self.count.saturating_add(1);
        self.acknowledged = false;
    }
}

#[cfg(test)]
mod tests {
    use super::catalogue::{MAINTENANCE_MODE, PEER_LOST};
    use super::*;
    use std::vec;

    const SECOND: Duration = Duration::from_secs(1);

    fn wall(millis: u64) -> Wall {
        Wall::from_millis(millis)
    }

    #[test]
    fn alarms_follow_their_conditions() {
        let on = MAINTENANCE_MODE.about("", "text");
        let mut alarms = Alarms::default();
        let now = Instant::START;
        let raised = alarms.update(now, wall(1), vec![on.clone()]);
        assert_eq!(raised, [Event::Raised(on.clone())]);
        assert!(alarms.acknowledge(wall(2), 15_015, "admin"));
        assert!(!alarms.acknowledge(wall(2), 1, "admin"));
        assert_eq!(alarms.update(now, wall(2), vec![on.clone()]), []);
        let held = alarms.raised().next().unwrap();
        assert_eq!((held.first, held.acknowledged), (wall(1), true));
        let lowered = alarms.update(now, wall(2), vec![]);
        assert_eq!(lowered, [Event::Lowered(on.clone())]);
        assert_eq!(alarms.raised().count(), 0);
        alarms.update(now, wall(3), vec![on]);
        let again = alarms.raised().next().unwrap();
        let seen = (again.first, again.last, again.count, again.acknowledged);
        assert_eq!(seen, (wall(1), wall(3), 2, false));
        let fates: Vec<Fate> = alarms.history().lines().map(|line| line.fate).collect();
        let expected = [
            Fate::Raised,
            Fate::Acknowledged,
            Fate::Lowered,
            Fate::Raised,
        ];
        assert_eq!(fates, expected);
    }

    #[test]
    fn what_passes_is_no_alarm_and_what_returns_at_once_stays_one() {
        let lost = |why: &str| PEER_LOST.about("192.0.2.1", why);
        let patience = PEER_LOST.patience;
        let mut alarms = Alarms::default();
        let mut now = Instant::START;
        for _ in 0..5 {
            assert_eq!(alarms.update(now, wall(0), vec![lost("late")]), []);
            now = now + SECOND;
            assert_eq!(alarms.update(now, wall(0), vec![]), []);
        }
        alarms.update(now, wall(0), vec![lost("late")]);
        now = now + patience;
        let raised = alarms.update(now, wall(0), vec![lost("silent")]);
        assert_eq!(raised, [Event::Raised(lost("silent"))]);
        assert_eq!(alarms.update(now, wall(0), vec![lost("gone")]), []);
        assert_eq!(alarms.raised().next().unwrap().condition.detail, "gone");
        assert_eq!(alarms.update(now, wall(0), vec![]), []);
        now = now + SECOND;
        assert_eq!(alarms.update(now, wall(0), vec![lost("gone")]), []);
        now = now + patience;
        assert_eq!(alarms.update(now, wall(0), vec![]), []);
        assert_eq!(alarms.update(now + patience, wall(0), vec![]).len(), 1);
    }

    #[test]
    fn lowered_alarms_are_forgotten_when_there_are_many() {
        let mut alarms = Alarms::default();
        for number in 0..3 * limits::ALARMS {
            let condition = MAINTENANCE_MODE.about(std::format!("{number}"), "");
            let wall = wall(number as u64);
            alarms.update(Instant::START, wall, vec![condition]);
        }
        assert!(alarms.known.len() <= 2 * limits::ALARMS);
        assert_eq!(alarms.raised().count(), 1);
    }
}
