//! Changes to a message on its way through: collected first, then one copy (section 16.6).

use alloc::vec::Vec;
use core::ops::Range;

use super::header::Header;
use super::message::Message;
use super::params::find;

/// Changes to one message.
#[derive(Debug)]
pub struct Patch<'a> {
    message: &'a Message,
    edits: Vec<Edit>,
    text: Vec<u8>,
}

/// Replaces a range of the message by a range of the patch's own text.
#[derive(Debug)]
struct Edit {
    at: Range<usize>,
    text: Range<usize>,
}

impl<'a> Patch<'a> {
    /// No changes yet.
    pub fn new(message: &'a Message) -> Self {
        Self {
            message,
            edits: Vec::with_capacity(8),
            text: Vec::with_capacity(512),
        }
    }

    /// Replaces the Request-URI of a request; a response has none and stays.
    pub fn request_uri(&mut self, uri: &[u8]) -> &mut Self {
        if self.message.is_request() {
            self.replace(self.message.request_uri_range(), &[uri]);
        }
        self
    }

    /// Puts a header field before all others: later calls stand above earlier ones.
    pub fn prepend(&mut self, header: Header, value: &[u8]) -> &mut Self {
        let start = self.message.header_range().start;
        let text = self.write(&[header.name().as_bytes(), b": ", value, b"\r\n"]);
        self.edits.insert(
            0,
            Edit {
                at: start..start,
                text,
            },
        );
        self
    }

    /// Puts a header field after all others.
    pub fn append(&mut self, header: Header, value: &[u8]) -> &mut Self {
        let end = self.message.header_range().end;
        self.replace(end..end, &[header.name().as_bytes(), b": ", value, b"\r\n"])
    }

    /// Replaces the first value of a header field, or appends it where there is none.
    pub fn set(&mut self, header: Header, value: &[u8]) -> &mut Self {
        let first = self.message.fields_of(header).next();
        match first.map(|field| field.value as usize..field.end as usize) {
            Some(range) => self.replace(range, &[value]),
            None => self.append(header, value),
        }
    }

    /// Removes every header field of a name.
    pub fn remove(&mut self, header: Header) -> &mut Self {
        for field in self.message.fields_of(header) {
            self.replace(field.start as usize..field.next as usize, &[]);
        }
        self
    }

    /// Removes the first `count` values of a header field, lists taken apart.
    pub fn pop(&mut self, header: Header, mut count: usize) -> &mut Self {
        for field in self.message.fields_of(header) {
            let (start, end) = (field.value as usize, field.end as usize);
            let value = &self.message.bytes()[start..end];
            let mut cut = 0;
            while count > 0 && cut < value.len() {
                let comma = find(value, b',', cut);
                let empty = super::text::trim(&value[cut..comma.unwrap_or(value.len())]).is_empty();
                count -= usize::from(!empty);
                cut = comma.map_or(value.len(), |comma| comma + 1);
            }
            let rest = super::text::trim(&value[cut..]).is_empty();
            match cut {
                0 => {}
                _ if rest => {
                    self.replace(field.start as usize..field.next as usize, &[]);
                }
                _ => {
                    self.replace(start..start + cut, &[]);
                }
            }
            if count == 0 {
                break;
            }
        }
        self
    }

    /// Writes `received` and `rport` into the topmost Via value (section 18.2.1, RFC 3581): the
    /// parameters given, in the place of those that the sender wrote.
    pub fn stamp_via(&mut self, received: Option<&[u8]>, rport: Option<&[u8]>) -> &mut Self {
        let Some(field) = self.message.fields_of(Header::Via).next() else {
            return self;
        };
        let (start, end) = (field.value as usize, field.end as usize);
        let value = &self.message.bytes()[start..end];
        let end = find(value, b',', 0).unwrap_or(value.len());
        let kept = stamped(super::text::trim(&value[..end]), received, rport);
        self.replace(start..start + end, &[&kept])
    }

    /// Replaces any range of the message.
    fn replace(&mut self, at: Range<usize>, parts: &[&[u8]]) -> &mut Self {
        let text = self.write(parts);
        self.edits.push(Edit { at, text });
        self
    }

    /// The message with all changes, in one copy. Content-Length is added where it is missing
    /// (section 20.14): what came as a datagram may leave over a stream.
    pub fn finish(mut self) -> Vec<u8> {
        if !self.message.has(Header::ContentLength) {
            let mut digits = Vec::with_capacity(8);
            push_number(&mut digits, self.message.body().len());
            self.append(Header::ContentLength, &digits);
        }
        // Stable: edits at one place keep the order in which they were made.
        self.edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
        let bytes = self.message.bytes();
        let mut result = Vec::with_capacity(bytes.len() + self.text.len());
        let mut position = 0;
        for Edit { at, text } in self.edits {
            // An edit inside a range that was removed before it is gone with it.
            if at.start < position && at.end <= position {
                continue;
            }
            result.extend_from_slice(bytes.get(position..at.start).unwrap_or_default());
            result.extend_from_slice(&self.text[text]);
            position = position.max(at.end);
        }
        let head_end = self.message.header_range().end;
        result.extend_from_slice(bytes.get(position..head_end).unwrap_or_default());
        result.extend_from_slice(b"\r\n");
        result.extend_from_slice(self.message.body());
        result
    }

    fn write(&mut self, parts: &[&[u8]]) -> Range<usize> {
        let start = self.text.len();
        parts
            .iter()
            .for_each(|part| self.text.extend_from_slice(part));
        start..self.text.len()
    }
}

/// Writes a number in decimal.
pub(super) fn push_number(out: &mut Vec<u8>, number: usize) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(b'0' + (number % 10) as u8);
}

/// A Via value with `received` and `rport` set as given and otherwise as it was.
pub(super) fn stamped(via: &[u8], received: Option<&[u8]>, rport: Option<&[u8]>) -> Vec<u8> {
    let mut result = Vec::with_capacity(via.len() + 48);
    let head = find(via, b';', 0).unwrap_or(via.len());
    result.extend_from_slice(&via[..head]);
    for (name, value) in super::Params::new(&via[head..]) {
        if name.eq_ignore_ascii_case(b"received") && received.is_some()
            || name.eq_ignore_ascii_case(b"rport") && rport.is_some()
        {
            continue;
        }
        result.push(b';');
        result.extend_from_slice(name);
        if let Some(value) = value {
            result.push(b'=');
            result.extend_from_slice(value);
        }
    }
    for (name, value) in [(&b";received="[..], received), (&b";rport="[..], rport)] {
        if let Some(value) = value {
            result.extend_from_slice(name);
            result.extend_from_slice(value);
        }
    }
    result
}
