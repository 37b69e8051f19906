//! Messages and keep-alives out of a byte stream (RFC 3261 section 18.3, RFC 5626 section 3.5.1).

use alloc::vec::Vec;
use core::mem;

use memchr::memchr;

use super::header::Header;
use super::lines::{self, Line};
use super::text::{is_token_byte, number};
use crate::base::limits;

/// What a stream brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One message, whole.
    Message(Vec<u8>),
    /// Two CRLFs between messages: the other end asks whether we live. Answer one CRLF.
    Ping,
}

/// Why a stream cannot go on: nobody knows where the next message begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// The message is longer than allowed.
    TooLong,
    /// Content-Length is missing, doubled with another value, or no number.
    ContentLength,
    /// It begins as no SIP message can: another protocol, or TLS without a handshake before it.
    NotSip,
}

/// Cuts a stream into frames.
#[derive(Clone, Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were handed out.
    start: usize,
    /// Bytes after `start` in which no end of header was found.
    searched: usize,
    /// Length of the message at `start`, once its header is whole.
    length: Option<usize>,
    bytes_max: usize,
    fault: Option<FrameFault>,
}

impl Framer {
    /// A framer for messages of at most `bytes_max` bytes, and never more than
    /// [`limits::SIP_MESSAGE_BYTES`].
    pub const fn new(bytes_max: usize) -> Self {
        let bytes_max = if bytes_max < limits::SIP_MESSAGE_BYTES {
            bytes_max
        } else {
            limits::SIP_MESSAGE_BYTES
        };
        Self {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            length: None,
            bytes_max,
            fault: None,
        }
    }

    /// Takes in bytes in order. Poll until there is no more before the next.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if it is whole.
    ///
    /// # Errors
    ///
    /// The stream must be closed; whatever else it brings is the same error.
    pub fn poll(&mut self) -> Result<Option<Frame>, FrameFault> {
        let next = match (self.fault, self.length) {
            (Some(fault), _) => Err(fault),
            (None, Some(length)) => Ok(self.take(length)),
            (None, None) if self.skip_line_ends() => return Ok(Some(Frame::Ping)),
            (None, None) => self.measure().map(|length| {
                self.length = length;
                self.take(length?)
            }),
        };
        if let Err(fault) = next {
            self.fault = Some(fault);
            self.buffer = Vec::new();
            self.start = 0;
        }
        next
    }

    /// Skips line ends before a message and says whether they were a ping. A single one is noise
    /// (section 7.5); one that may become a ping waits.
    fn skip_line_ends(&mut self) -> bool {
        loop {
            let (used, is_ping) = match &self.buffer[self.start..] {
                [b'\r', b'\n', b'\r', b'\n', ..] => (4, true),
                [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return false,
                [b'\r', b'\n', ..] => (2, false),
                [b'\n', ..] => (1, false),
                _ => return false,
            };
            self.start += used;
            self.searched = 0;
            if is_ping {
                return true;
            }
        }
    }

    /// The length of the message at `start`, once its header is whole.
    fn measure(&mut self) -> Result<Option<usize>, FrameFault> {
        let rest = &self.buffer[self.start..];
        if !may_begin(rest) {
            return Err(FrameFault::NotSip);
        }
        let (end, searched) = header_end(rest, self.searched);
        self.searched = searched;
        if end.unwrap_or(rest.len()) > self.bytes_max {
            return Err(FrameFault::TooLong);
        }
        let Some(end) = end else { return Ok(None) };
        let length = content_length(&rest[..end]).ok_or(FrameFault::ContentLength)?;
        let whole = end.saturating_add(length);
        if whole > self.bytes_max {
            return Err(FrameFault::TooLong);
        }
        Ok(Some(whole))
    }

    /// The first `length` bytes, once they are there; without a copy when nothing else is.
    fn take(&mut self, length: usize) -> Option<Frame> {
        let end = self.start + length;
        if self.buffer.len() < end {
            return None;
        }
        self.length = None;
        self.searched = 0;
        if self.start == 0 && self.buffer.len() == end {
            return Some(Frame::Message(mem::take(&mut self.buffer)));
        }
        let message = self.buffer[self.start..end].to_vec();
        self.start = end;
        if self.start == self.buffer.len() {
            // An idle stream keeps no memory.
            self.buffer = Vec::new();
            self.start = 0;
        }
        Some(Frame::Message(message))
    }
}

/// Whether these bytes may be the begin of a message, or of line ends before one.
fn may_begin(bytes: &[u8]) -> bool {
    match bytes {
        [] | [b'\r'] | [b'\r', b'\n', ..] => true,
        [first, ..] => is_token_byte(*first),
    }
}

/// Where the header ends, after its empty line, and from where to search on when more came.
fn header_end(bytes: &[u8], from: usize) -> (Option<usize>, usize) {
    let mut at = from;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr(b'\n', rest)) {
        let feed = at + found;
        match &bytes[feed + 1..] {
            [b'\n', ..] => return (Some(feed + 2), feed),
            [b'\r', b'\n', ..] => return (Some(feed + 3), feed),
            // Too little to tell.
            [] | [b'\r'] => return (None, feed),
            _ => at = feed + 1,
        }
    }
    (None, bytes.len())
}

/// Content-Length of a header; on a stream it is mandatory (section 20.14).
fn content_length(header: &[u8]) -> Option<usize> {
    let mut found = None;
    let mut at = lines::span(header, 0).end;
    loop {
        match lines::line(header, at) {
            Line::Field(field) => {
                at = field.end;
                let name = &header[field.start..field.name_end];
                if Header::of(name) != Header::ContentLength {
                    continue;
                }
                let length = number(&header[field.value..field.value_end])? as usize;
                if found.is_some_and(|found| found != length) {
                    return None;
                }
                found = Some(length);
            }
            Line::Malformed { end, .. } => at = end,
            Line::Empty { .. } | Line::Cut => return found,
        }
    }
}
