//! Messages and keep-alives out of a byte stream (RFC 3261 section 18.3, RFC 5626 section 3.5.1).

use alloc::vec::Vec;

use memchr::memmem;

use super::header::Header;
use super::{number, trim};

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
}

/// Cuts a stream into frames.
#[derive(Clone, Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes of the buffer in which no end of header was found.
    searched: usize,
    bytes_max: usize,
}

impl Framer {
    /// A framer for messages of at most `bytes_max` bytes.
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            buffer: Vec::new(),
            searched: 0,
            bytes_max,
        }
    }

    /// Takes in bytes in order.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if it is whole.
    ///
    /// # Errors
    ///
    /// The stream must be closed.
    pub fn poll(&mut self) -> Result<Option<Frame>, FrameFault> {
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.drop_front(4);
            return Ok(Some(Frame::Ping));
        }
        // A single CRLF before a message is noise (section 7.5); one that may become a ping waits.
        while self.buffer.len() > 2 && self.buffer.starts_with(b"\r\n") && self.buffer[2] != b'\r' {
            self.drop_front(2);
        }
        let from = self.searched.saturating_sub(3);
        let Some(end) = memmem::find(&self.buffer[from..], b"\r\n\r\n") else {
            self.searched = self.buffer.len();
            let long = self.buffer.len() > self.bytes_max;
            return if long {
                Err(FrameFault::TooLong)
            } else {
                Ok(None)
            };
        };
        let header = from + end + 4;
        let length = content_length(&self.buffer[..header]).ok_or(FrameFault::ContentLength)?;
        let whole = header.saturating_add(length);
        if whole > self.bytes_max {
            return Err(FrameFault::TooLong);
        }
        if self.buffer.len() < whole {
            self.searched = from + end;
            return Ok(None);
        }
        let rest = self.buffer.split_off(whole);
        self.searched = 0;
        Ok(Some(Frame::Message(core::mem::replace(
            &mut self.buffer,
            rest,
        ))))
    }

    fn drop_front(&mut self, count: usize) {
        self.buffer.drain(..count);
        self.searched = 0;
    }
}

/// Content-Length of a header; on a stream it is mandatory (section 20.14).
fn content_length(header: &[u8]) -> Option<usize> {
    let mut found = None;
    for line in header.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        if Header::of(trim(&line[..colon])) != Header::ContentLength {
            continue;
        }
        let length = number(trim(&line[colon + 1..]))? as usize;
        if found.is_some_and(|found| found != length) {
            return None;
        }
        found = Some(length);
    }
    found
}
