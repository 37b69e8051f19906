//! How a terminal shows what a command gave: text, then `OK` or `ERROR` on a line of its own, so
//! that a program at the other end knows where an answer ends and how it went.

use alloc::format;
use alloc::string::String;

use super::{Answer, Refusal};

/// The text for a terminal.
pub fn shown(result: &Result<Answer, Refusal>) -> String {
    let body = match result {
        Ok(Answer::Text(text)) => text.clone(),
        Ok(Answer::Value(value)) => format!("{value}\n"),
        Ok(Answer::Completions(words)) => words.iter().map(|word| format!("{word}\n")).collect(),
        Ok(Answer::Saved { on, of }) if *of > 1 => format!("Saved on {on} of {of} peers.\n"),
        Ok(Answer::Saved { .. }) => "Saved.\n".into(),
        Ok(Answer::Status(status)) => super::outline::status(status),
        // Its secrets are for a file alone.
        Ok(Answer::Backup(contents)) => format!("{contents:?}\n"),
        Ok(Answer::AlarmHistory(lines)) => super::alarm_history(lines),
        Err(Refusal { reasons }) => reasons.iter().map(|reason| format!("{reason}\n")).collect(),
    };
    match result {
        Ok(_) => format!("{body}OK\n"),
        Err(_) => format!("{body}ERROR\n"),
    }
}
