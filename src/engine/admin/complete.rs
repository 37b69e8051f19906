//! Completion: everything that can follow a text.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::commands::{self, VERBS};
use super::line::GROUPS;
use super::outline;
use super::status::Status;
use super::words::{Word, begins, choose, split};
use crate::config::schema::Kind;
use crate::config::select::Selection;

/// The words that can stand in the place of the last word of `text` (of an empty one after a
/// space), sorted.
pub fn complete(text: &str, status: impl FnOnce() -> Status) -> Vec<String> {
    let Ok(words) = split(text) else {
        return Vec::new();
    };
    let (last, before) = match words.split_last() {
        Some((last, before)) if !text.ends_with(char::is_whitespace) => (last.text, before),
        Some(_) | None => ("", &words[..]),
    };
    let Some((first, rest)) = before.split_first() else {
        return of(GROUPS.map(ToOwned::to_owned).to_vec(), last);
    };
    let following = match choose(GROUPS.into_iter(), first.text) {
        Ok("xConfiguration") => after_items(rest),
        Ok("xCommand") => after_verb(rest),
        Ok("xStatus") => {
            let typed: Vec<String> = rest.iter().map(|word| word.text.to_string()).collect();
            outline::next(&status(), &typed).unwrap_or_default()
        }
        Ok(_) if rest.is_empty() => GROUPS.map(ToOwned::to_owned).to_vec(),
        Ok(_) | Err(_) => Vec::new(),
    };
    of(following, last)
}

fn of(words: Vec<String>, typed: &str) -> Vec<String> {
    words
        .into_iter()
        .filter(|word| begins(word, typed))
        .collect()
}

/// What can follow `PATH: VALUE PATH …`: a word of a path, or a value.
fn after_items(words: &[Word<'_>]) -> Vec<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut value_due = false;
    for word in words {
        if value_due {
            (value_due, path) = (false, Vec::new());
            continue;
        }
        let colon = word.text.split_once(':').filter(|_| !word.quoted);
        let (name, rest) = colon.unwrap_or((word.text, "."));
        path.extend(Some(name).filter(|name| !name.is_empty()));
        value_due = rest.is_empty();
        if colon.is_some() && !value_due {
            path.clear();
        }
    }
    let Ok(selection) = Selection::new(&path) else {
        return Vec::new();
    };
    if !value_due {
        return selection.next();
    }
    let kind = selection.single().map(|path| path.item().kind);
    kind.map_or_else(Vec::new, choices)
}

/// What can follow `NAME PARAMETER: VALUE …`.
fn after_verb(words: &[Word<'_>]) -> Vec<String> {
    if words.is_empty() {
        return VERBS.iter().map(|verb| verb.name.to_owned()).collect();
    }
    let Ok((verb, given)) = commands::find(words) else {
        return Vec::new();
    };
    let name_of = |word: &Word<'_>| {
        let (name, _) = word.text.split_once(':').filter(|_| !word.quoted)?;
        choose(verb.parameters.iter().map(|p| p.name), name).ok()
    };
    if let Some(last) = given.last().filter(|word| word.text.ends_with(':')) {
        let name = name_of(last);
        let parameter = verb.parameters.iter().find(|p| Some(p.name) == name);
        return parameter.map_or_else(Vec::new, |parameter| choices(parameter.kind));
    }
    let named: Vec<&str> = given.iter().filter_map(name_of).collect();
    let free = verb.parameters.iter().filter(|p| !named.contains(&p.name));
    let mut free: Vec<String> = free
        .map(|parameter| format!("{}:", parameter.name))
        .collect();
    free.sort_unstable();
    free
}

fn choices(kind: Kind) -> Vec<String> {
    let mut words: Vec<String> = match kind {
        Kind::Choice(words) => words.iter().map(|word| word.to_string()).collect(),
        Kind::Number { .. }
        | Kind::Text { .. }
        | Kind::Ipv4
        | Kind::Ipv6
        | Kind::Mask
        | Kind::Host
        | Kind::Name { .. }
        | Kind::Secret { .. }
        | Kind::Password => Vec::new(),
    };
    words.sort_unstable();
    words
}
