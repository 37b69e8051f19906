//! Alarms: raised and cleared by condition, never by hand (SPEC AL1).
//!
//! Engines say which conditions hold; this module remembers since when, how often, and who has
//! acknowledged them.

use alloc::string::String;

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
