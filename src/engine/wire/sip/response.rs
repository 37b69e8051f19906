//! Responses to a request (RFC 3261 section 8.2.6).

use alloc::vec::Vec;

use super::edit::stamped;
use super::header::Header;
use super::message::Message;
use super::params::find;

/// A response under construction; it copies from the request what section 8.2.6.2 names.
#[derive(Debug)]
pub struct Response {
    bytes: Vec<u8>,
}

impl Response {
    /// Begins a response. `to_tag` is added to To where it has no tag; `received` and `rport` go
    /// into the topmost Via.
    pub fn new(
        request: &Message,
        status: u16,
        reason: &[u8],
        to_tag: &[u8],
        received: Option<&[u8]>,
        rport: Option<&[u8]>,
    ) -> Self {
        let mut bytes = Vec::with_capacity(request.bytes().len() + 128);
        bytes.extend_from_slice(b"SIP/2.0 ");
        bytes.extend([100, 10, 1].map(|place| b'0' + (status / place % 10) as u8));
        bytes.push(b' ');
        bytes.extend_from_slice(reason);
        bytes.extend_from_slice(b"\r\n");
        let mut response = Self { bytes };
        response.copy_via(request, received, rport);
        for header in [Header::From, Header::To, Header::CallId, Header::CSeq] {
            let Some(value) = request.header(header) else {
                continue;
            };
            let tag = header == Header::To && !to_tag.is_empty() && status > 100;
            match tag && request.tag(Header::To).is_none() {
                true => response.line(header, &[value, b";tag=", to_tag]),
                false => response.line(header, &[value]),
            };
        }
        response
    }

    /// Copies all header fields of a name from the request (Record-Route, Timestamp's kind).
    pub fn copy(&mut self, request: &Message, header: Header) -> &mut Self {
        request.headers(header).for_each(|value| {
            self.line(header, &[value]);
        });
        self
    }

    /// Adds a header field.
    pub fn header(&mut self, header: Header, value: &[u8]) -> &mut Self {
        self.line(header, &[value])
    }

    /// Adds a header field whose value comes in parts.
    pub fn line(&mut self, header: Header, parts: &[&[u8]]) -> &mut Self {
        self.bytes.extend_from_slice(header.name().as_bytes());
        self.bytes.extend_from_slice(b": ");
        parts
            .iter()
            .for_each(|part| self.bytes.extend_from_slice(part));
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// The whole response, without body.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        self.bytes
    }

    fn copy_via(&mut self, request: &Message, received: Option<&[u8]>, rport: Option<&[u8]>) {
        let mut top = true;
        for value in request.headers(Header::Via) {
            if !top || (received.is_none() && rport.is_none()) {
                self.line(Header::Via, &[value]);
            } else {
                let end = find(value, b',', 0).unwrap_or(value.len());
                let first = stamped(super::text::trim(&value[..end]), received, rport);
                self.line(Header::Via, &[&first, &value[end..]]);
            }
            top = false;
        }
    }
}
