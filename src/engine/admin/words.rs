//! A typed line as words: what stands between spaces, and what stands in quotation marks.

use alloc::format;
use alloc::vec::Vec;

use super::Refusal;
use crate::base::limits::COMMAND_LINE_CHARS;

/// One word of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// Its text, without quotation marks.
    pub(super) text: &'a str,
    /// Whether it stood in quotation marks, and so is a value whatever it looks like.
    pub(super) quoted: bool,
}

/// The words of a line. A value cannot hold a quotation mark, so there is no way to write one.
pub(super) fn split(line: &str) -> Result<Vec<Word<'_>>, Refusal> {
    if line.len() > COMMAND_LINE_CHARS && line.chars().count() > COMMAND_LINE_CHARS {
        return Err(Refusal::because(format!(
            "the line is longer than {COMMAND_LINE_CHARS} characters"
        )));
    }
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let quoted = rest.starts_with('"');
        let (text, after) = if quoted {
            rest[1..].split_once('"').ok_or_else(|| {
                Refusal::because("a quotation mark is open: a value ends with another one")
            })?
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || c == '"');
            rest.split_at(end.unwrap_or(rest.len()))
        };
        if text.chars().any(char::is_control) {
            return Err(Refusal::because("the line holds a control character"));
        }
        words.push(Word { text, quoted });
        rest = after.trim_start();
    }
    Ok(words)
}

/// Whether `typed` is the beginning of `word`, without regard to case.
pub(super) fn begins(word: &str, typed: &str) -> bool {
    word.get(..typed.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(typed))
}

/// The one of `choices` that `typed` names: whole, or by a beginning that no other has. Else all
/// that begin so.
pub(super) fn choose<'a>(
    choices: impl Iterator<Item = &'a str>,
    typed: &str,
) -> Result<&'a str, Vec<&'a str>> {
    let mut found: Vec<&str> = choices.filter(|word| begins(word, typed)).collect();
    found.sort_unstable();
    found.dedup();
    if let Some(whole) = found.iter().find(|word| word.len() == typed.len()) {
        return Ok(whole);
    }
    match found[..] {
        [only] => Ok(only),
        _ => Err(found),
    }
}
