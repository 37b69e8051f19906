//! Where the lines of a message are: one pass, a few bytes of state, nothing copied.

use super::text::{is_space, is_token_byte};

/// What stands at some place of a message's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A header field with all its continuation lines.
    Field(FieldLine),
    /// A line that is no header field.
    Malformed {
        /// Where in the line the fault is.
        position: usize,
        /// After its line end.
        end: usize,
    },
    /// The empty line that ends the head.
    Empty {
        /// After its line end: where the body begins.
        end: usize,
    },
    /// The bytes ended before the empty line.
    Cut,
}

/// Where a header field is, in bytes from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldLine {
    /// First byte of the name.
    pub(super) start: usize,
    /// After the name.
    pub(super) name_end: usize,
    /// First byte of the value.
    pub(super) value: usize,
    /// After the last byte of the value.
    pub(super) value_end: usize,
    /// After the line end.
    pub(super) end: usize,
}

/// One physical line: where its content ends and where the next line begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) content_end: usize,
    pub(super) end: usize,
    /// A carriage return that no line feed follows.
    pub(super) bare_return: Option<usize>,
    /// Whether the line has its line end.
    pub(super) is_whole: bool,
}

/// The line that begins at `start`. A line feed alone is taken for a line end too (RFC 3261
/// section 7.3.1 is stricter, senders are not); a carriage return alone is not.
pub(super) fn span(bytes: &[u8], start: usize) -> Span {
    let mut at = start;
    let mut bare_return = None;
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| memchr::memchr2(b'\r', b'\n', rest))
    {
        at += found;
        let width = match (bytes[at], bytes.get(at + 1)) {
            (b'\n', _) => 1,
            (_, Some(b'\n')) => 2,
            _ => {
                bare_return = bare_return.or(Some(at));
                at += 1;
                continue;
            }
        };
        return Span {
            content_end: at,
            end: at + width,
            bare_return,
            is_whole: true,
        };
    }
    Span {
        content_end: bytes.len(),
        end: bytes.len(),
        bare_return,
        is_whole: false,
    }
}

/// What stands at `start`, which is the beginning of a line after the start line.
pub(super) fn line(bytes: &[u8], start: usize) -> Line {
    if start >= bytes.len() {
        return Line::Cut;
    }
    let mut span = span(bytes, start);
    if span.content_end == start && span.is_whole {
        return Line::Empty { end: span.end };
    }
    let mut bare_return = span.bare_return;
    while span.is_whole && matches!(bytes.get(span.end), Some(b' ' | b'\t')) {
        span = self::span(bytes, span.end);
        bare_return = bare_return.or(span.bare_return);
    }
    if !span.is_whole {
        return Line::Cut;
    }
    let end = span.end;
    if let Some(position) = bare_return {
        return Line::Malformed { position, end };
    }
    field(bytes, start, span).unwrap_or_else(|position| Line::Malformed { position, end })
}

/// The header field in a line that may be folded, or where its name goes wrong.
fn field(bytes: &[u8], start: usize, span: Span) -> Result<Line, usize> {
    let content = &bytes[start..span.content_end];
    let name = content
        .iter()
        .position(|byte| !is_token_byte(*byte))
        .unwrap_or(content.len());
    let space = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let after = content[name..]
        .iter()
        .position(space)
        .map_or(content.len(), |space| name + space);
    if name == 0 || content.get(after) != Some(&b':') {
        return Err(start + after);
    }
    let raw = &content[after + 1..];
    let first = raw
        .iter()
        .position(|byte| !is_space(*byte))
        .unwrap_or(raw.len());
    let last = raw
        .iter()
        .rposition(|byte| !is_space(*byte))
        .map_or(first, |last| last + 1);
    let base = start + after + 1;
    Ok(Line::Field(FieldLine {
        start,
        name_end: start + name,
        value: base + first,
        value_end: base + last,
        end: span.end,
    }))
}
