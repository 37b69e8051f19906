//! `xConfiguration`: reading, setting and explaining items.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use super::Refusal;
use super::words::Word;
use crate::config::path::Path;
use crate::config::schema::{Item, Scope};
use crate::config::select::Selection;
use crate::config::tree::Tree;

/// Families of at most this many are printed whole; of larger ones only what was set.
const SMALL_FAMILY: u16 = 6;

/// What stands behind an item that belongs to one peer alone (SPEC RP2).
const PEER_MARK: &str = " †";

/// The items that some words begin.
pub(super) fn select(words: &[Word<'_>]) -> Result<Selection, Refusal> {
    let typed: Vec<&str> = words.iter().map(|word| word.text).collect();
    Selection::new(&typed).map_err(|fault| Refusal::because(fault.to_string()))
}

/// Items and values out of `PATH: VALUE PATH: VALUE …`; whole names of items come out.
pub(super) fn assignments(words: &[Word<'_>]) -> Result<Vec<(String, String)>, Refusal> {
    let mut changes = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some((last, rest)) = word.text.split_once(':').filter(|_| !word.quoted) else {
            if word.quoted {
                return Err(Refusal::because(format!(
                    "\"{}\": a value follows a path and a colon",
                    word.text
                )));
            }
            path.push(word.text);
            continue;
        };
        if !last.is_empty() {
            path.push(last);
        }
        let name = named(&path, changes.is_empty())?;
        let value = match rest {
            "" => words.next().map(|word| word.text).ok_or_else(|| {
                Refusal::because(format!(
                    "{name}: the value is missing; \"\" sets the default"
                ))
            })?,
            rest => rest,
        };
        changes.push((name, value.to_owned()));
        path.clear();
    }
    if path.is_empty() {
        return Ok(changes);
    }
    Err(Refusal::because(format!(
        "{}: a value that holds spaces stands in quotation marks",
        path.join(" ")
    )))
}

fn named(path: &[&str], first: bool) -> Result<String, Refusal> {
    let selection = Selection::new(path).map_err(|fault| {
        let hint = "; a value that holds spaces stands in quotation marks";
        Refusal::because(format!("{fault}{}", if first { "" } else { hint }))
    })?;
    let whole = selection.single().ok_or_else(|| {
        Refusal::because(format!(
            "{}: this is only the beginning of a path, {} can follow",
            path.join(" "),
            selection.next().join(", ")
        ))
    })?;
    Ok(whole.to_string())
}

/// The lines of the selected items as they are now; each line can be typed in again.
pub(super) fn print(selection: &Selection, tree: &Tree) -> String {
    let mut text = String::new();
    for path in selection.paths() {
        let small = path.item().index_max() <= SMALL_FAMILY;
        if small || selection.has_index() || tree.get(&path).is_some() {
            text.push_str(&line(&path, &tree.shown(&path)));
        }
    }
    text
}

/// One item as printed.
pub(super) fn line(path: &Path, value: &str) -> String {
    format!("*c xConfiguration {path}: \"{value}\"\n")
}

/// What the selected items are and take; with `full`, also what they are for.
pub(super) fn help(selection: &Selection, full: bool) -> String {
    let mut text = String::new();
    for item in selection.items() {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "*h xConfiguration {}: {}{}",
            item.pattern,
            item.kind.space(),
            mark(item)
        );
        if full {
            let _ = writeln!(text, "    {}\n    {}", item.help, facts(item));
        }
    }
    if selection
        .items()
        .iter()
        .any(|item| item.scope == Scope::Peer)
    {
        text.push_str("*h † belongs to this peer alone and is not replicated\n");
    }
    text
}

/// The mark of an item of one peer.
pub(super) fn mark(item: &Item) -> &'static str {
    match item.scope {
        Scope::Cluster => "",
        Scope::Peer => PEER_MARK,
    }
}

fn facts(item: &Item) -> String {
    let owner = match item.scope {
        Scope::Cluster => "Replicated: change it on the primary.",
        Scope::Peer => "Of this peer alone.",
    };
    let effect = if item.restart {
        "Takes effect after a restart."
    } else {
        "Takes effect at once."
    };
    let secret = if item.kind.is_secret() {
        " Never shown; *** leaves it as it is."
    } else {
        ""
    };
    format!("Default: \"{}\". {owner} {effect}{secret}", item.default)
}
