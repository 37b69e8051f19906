//! Revisions of the configuration as text, and the way back to one (SPEC RP8, RP6).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::{Command, Refusal};
use crate::config::Configuration;
use crate::config::path::Path;
use crate::config::revision::{Change, Revision};
use crate::config::schema::Scope;
use crate::config::tree::Tree;
use crate::config::value::{HIDDEN, Value};

/// The newest revisions, newest first, with what each changed.
pub(super) fn history(configuration: &Configuration, scope: Scope, count: usize) -> String {
    let chain = configuration.chain(scope);
    let mut text = format!("*r ConfigurationHistory {scope:?}:\n");
    let kept: Vec<&Revision> = chain.revisions().rev().take(count).collect();
    let all = kept.len() < count;
    let mut after = chain.tree().clone();
    for revision in kept {
        let before = chain.at(revision.id.number.saturating_sub(1));
        text.push_str(&title(revision));
        let before = before.unwrap_or_default();
        text.push_str(&differences(&before, &after, &revision.changes));
        after = before;
    }
    if let Some(base) = chain.base().filter(|_| all) {
        text.push_str(&title(base));
        text.push_str("        (what it changed is no longer kept)\n");
    }
    text + "*r/end\n"
}

/// Replaced configurations, newest first.
pub(super) fn branches(configuration: &Configuration) -> String {
    let mut text = String::from("*r ConfigurationBranches:\n");
    for branch in configuration.branches().rev() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    Branch {}:", branch.number);
        if let Some(head) = branch.chain.head() {
            text.push_str(&title(&head));
        }
    }
    text + "*r/end\n"
}

/// What differs between the values after two revisions; the second is the newest if not given.
pub(super) fn diff(
    configuration: &Configuration,
    scope: Scope,
    from: u64,
    to: Option<u64>,
) -> Result<String, Refusal> {
    let chain = configuration.chain(scope);
    let at = |number| chain.at(number).ok_or_else(|| unknown(scope, number));
    let (before, after) = (at(from)?, at(to.unwrap_or(chain.id().number))?);
    let differences = differences(&before, &after, &before.changes_to(&after));
    Ok(format!(
        "*r ConfigurationDiff {scope:?}:\n{differences}*r/end\n"
    ))
}

/// The command that goes back to a revision.
pub(super) fn back_to(
    configuration: &Configuration,
    scope: Scope,
    number: u64,
) -> Result<Command, Refusal> {
    let changes = configuration.back_to(scope, number);
    let changes = changes.ok_or_else(|| unknown(scope, number))?;
    let note = format!("Rolled back to revision {number}");
    restore(changes, note)
}

/// The command that goes back to a replaced configuration.
pub(super) fn back_to_branch(
    configuration: &Configuration,
    number: u64,
) -> Result<Command, Refusal> {
    let changes = configuration.back_to_branch(number).ok_or_else(|| {
        Refusal::because(format!(
            "there is no branch {number}: xCommand ConfigurationBranches lists them"
        ))
    })?;
    restore(changes, format!("Restored from branch {number}"))
}

fn restore(changes: Vec<(String, String)>, note: String) -> Result<Command, Refusal> {
    if changes.is_empty() {
        return Err(Refusal::because(
            "nothing to do: the values are the same, but perhaps for secrets, which stay",
        ));
    }
    Ok(Command::Restore { changes, note })
}

fn unknown(scope: Scope, number: u64) -> Refusal {
    Refusal::because(format!(
        "{scope:?} revision {number} is not kept: xCommand ConfigurationHistory lists those that \
         are"
    ))
}

/// `Revision 12 (epoch 3) 2026-11-22T08:30:00Z admin from 192.0.2.7 by web: note`.
fn title(revision: &Revision) -> String {
    let mut text = format!("    Revision {}", revision.id.number);
    if revision.id.epoch > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, " (epoch {})", revision.id.epoch);
    }
    let author = &revision.author;
    let _ = write!(text, " {} {}", revision.time, author.name);
    if !author.address.is_empty() {
        let _ = write!(text, " from {}", author.address);
    }
    let _ = write!(text, " by {}", author.face);
    if !revision.note.is_empty() {
        let _ = write!(text, ": {}", revision.note);
    }
    // Another peer may have written these texts; they stay on their line.
    let line = text.replace(char::is_control, " ");
    line + "\n"
}

fn differences(before: &Tree, after: &Tree, changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes {
        let path = &change.path;
        for (sign, value) in [("-", value(before, path)), ("+", value(after, path))] {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "      {sign} {path}: \"{value}\"");
        }
    }
    text
}

/// A value as shown; of a secret only that there is one.
fn value(tree: &Tree, path: &Path) -> String {
    match tree.get(path) {
        Some(Value::Secret(_)) => HIDDEN.into(),
        Some(Value::Text(_)) | None => tree.shown(path),
    }
}
