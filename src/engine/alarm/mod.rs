//! Alarms: raised and cleared by condition, never by hand (SPEC AL1).
//!
//! Engines say which conditions hold; this module remembers since when, how often, and who has
//! acknowledged them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::base::limits;
use crate::base::time::Wall;

/// How much it matters, in syslog's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// A condition that holds now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// Five digits, the incumbent's where it has one.
    pub id: u32,
    /// What it is about, in the guide's words.
    pub title: &'static str,
    /// What exactly: names the peer, the item, the reason.
    pub detail: String,
    /// How much it matters.
    pub severity: Severity,
    /// What to do.
    pub remedy: &'static str,
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
    /// How often it was raised.
    pub count: u32,
    /// Whether somebody has seen it.
    pub acknowledged: bool,
}

/// Raised alarms, kept in step with the conditions that hold.
#[derive(Debug, Default)]
pub struct Alarms {
    raised: BTreeMap<(u32, String), Alarm>,
}

/// What an update did, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An alarm was raised.
    Raised(Condition),
    /// An alarm was lowered: its condition is gone.
    Lowered(Condition),
}

impl Alarms {
    /// Raises what holds and is not raised, lowers what holds no longer.
    pub fn update(&mut self, wall: Wall, conditions: Vec<Condition>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut before = core::mem::take(&mut self.raised);
        for condition in conditions.into_iter().take(limits::ALARMS) {
            let key = (condition.id, condition.detail.clone());
            let alarm = before.remove(&key).unwrap_or_else(|| {
                events.push(Event::Raised(condition.clone()));
                Alarm {
                    condition,
                    first: wall,
                    last: wall,
                    count: 1,
                    acknowledged: false,
                }
            });
            self.raised.insert(key, alarm);
        }
        events.extend(
            before
                .into_values()
                .map(|alarm| Event::Lowered(alarm.condition)),
        );
        events
    }

    /// Notes that somebody has seen all raised alarms of an id; says whether there was one.
    pub fn acknowledge(&mut self, id: u32) -> bool {
        let mut found = false;
        for alarm in self
            .raised
            .values_mut()
            .filter(|alarm| alarm.condition.id == id)
        {
            alarm.acknowledged = true;
            found = true;
        }
        found
    }

    /// Raised alarms, by id.
    pub fn raised(&self) -> impl Iterator<Item = &Alarm> {
        self.raised.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec;

    #[test]
    fn alarms_follow_their_conditions() {
        let condition = Condition {
            id: 20_004,
            title: "Cluster communication failure",
            detail: "peer 2".to_string(),
            severity: Severity::Warning,
            remedy: "Check the network.",
        };
        let (one, two) = (Wall::from_millis(1), Wall::from_millis(2));
        let mut alarms = Alarms::default();
        assert_eq!(
            alarms.update(one, vec![condition.clone()]),
            [Event::Raised(condition.clone())]
        );
        assert!(alarms.acknowledge(20_004) && !alarms.acknowledge(1));
        assert_eq!(alarms.update(two, vec![condition.clone()]), []);
        let held = alarms.raised().next().unwrap();
        assert_eq!((held.first, held.acknowledged), (one, true));
        assert_eq!(alarms.update(two, vec![]), [Event::Lowered(condition)]);
        assert_eq!(alarms.raised().count(), 0);
    }
}
