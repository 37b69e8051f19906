//! The alarm history as text (SPEC AL2).

use alloc::string::String;
use core::fmt::Write;

use crate::alarm::Severity;
use crate::alarm::history::{Fate, Noted};

/// The word for how much an alarm matters.
pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "Notice",
        Severity::Warning => "Warning",
        Severity::Error => "Error",
        Severity::Critical => "Critical",
    }
}

/// The word for what became of an alarm.
pub const fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Raised => "raised",
        Fate::Lowered => "lowered",
        Fate::Acknowledged => "acknowledged",
    }
}

/// Lines of the history in the order given.
pub fn alarm_history(lines: &[Noted]) -> String {
    let mut text = String::from("*r AlarmHistory:\n");
    for line in lines {
        let (time, fate, severity) = (line.time, fate(line.fate), severity(line.severity));
        // Writing to a string cannot fail.
        let _ = write!(text, "    {time} {fate} {} {severity} ", line.id);
        let _ = write!(text, "{}: {}", line.title, line.detail);
        if !line.by.is_empty() {
            let _ = write!(text, " (by {})", line.by);
        }
        text.push('\n');
    }
    text + "*r/end\n"
}
