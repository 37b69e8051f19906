//! What makes a message one that is refused before anybody looks at what it asks for.

use super::address::NameAddr;
use super::header::{Header, Method};
use super::message::{Fault, Message};
use super::params::{has_gap, split_list};
use super::text;
use super::uri::Uri;
use super::via::Via;

/// Header fields without which a message belongs nowhere (section 8.1.1; Max-Forwards may be
/// missing, as RFC 2543 had it).
const MANDATORY: [(Header, &str); 5] = [
    (Header::Via, "Missing Via"),
    (Header::From, "Missing From"),
    (Header::To, "Missing To"),
    (Header::CallId, "Missing Call-ID"),
    (Header::CSeq, "Missing CSeq"),
];

/// Header fields that a message has at most once and whose doubt is not ours to settle.
const SINGLE: [(Header, &str); 5] = [
    (Header::From, "From Twice"),
    (Header::To, "To Twice"),
    (Header::CallId, "Call-ID Twice"),
    (Header::CSeq, "CSeq Twice"),
    (Header::MaxForwards, "Max-Forwards Twice"),
];

impl Message {
    /// The first fault beyond the lines themselves.
    pub(super) fn find_fault(&self) -> Option<Fault> {
        self.missing()
            .or_else(|| self.unreadable())
            .or_else(|| match self.is_request() {
                true => self.unusable(),
                false => None,
            })
    }

    fn missing(&self) -> Option<Fault> {
        if let Some((header, reason)) = MANDATORY.iter().find(|(header, _)| !self.has(*header)) {
            return Some(Fault::bad(self.position(*header), reason));
        }
        SINGLE.iter().find_map(|(header, reason)| {
            let second = self.fields_of(*header).nth(1)?;
            Some(Fault::bad(second.start as usize, reason))
        })
    }

    fn unreadable(&self) -> Option<Fault> {
        for vias in self.headers(Header::Via) {
            let is_wrong = |via: &&[u8]| Via::parse(via).is_none_or(|via| !via.is_version_2());
            let wrong = match has_gap(vias) {
                true => Some(vias),
                false => split_list(vias).find(is_wrong),
            };
            if let Some(via) = wrong {
                return self.bad(Header::Via, via, "Malformed Via");
            }
        }
        for (header, reason) in [
            (Header::From, "Malformed From"),
            (Header::To, "Malformed To"),
        ] {
            if self.address(header).is_none() {
                return self.bad(header, b"", reason);
            }
        }
        if self.call_id().is_empty() {
            return self.bad(Header::CallId, b"", "Malformed Call-ID");
        }
        if self.cseq().is_none() {
            return self.bad(Header::CSeq, b"", "Malformed CSeq");
        }
        let hops = self.header(Header::MaxForwards);
        let out_of_range = |hops| text::number(hops).is_none_or(|hops| hops > 255);
        if hops.is_some_and(out_of_range) {
            return self.bad(Header::MaxForwards, b"", "Malformed Max-Forwards");
        }
        None
    }

    /// What only a request has to be.
    fn unusable(&self) -> Option<Fault> {
        let matches = |(_, method)| method == self.method_name();
        if !self.cseq().is_some_and(matches) {
            let fault = self.bad(Header::CSeq, b"", "CSeq Method Does Not Match")?;
            // RFC 4475 section 3.1.2.18: that nobody knows the method explains more.
            let status = match self.method() {
                Method::Other => 501,
                _ => fault.status,
            };
            return Some(Fault { status, ..fault });
        }
        let position = self.request_uri_range().start;
        let Ok(uri) = Uri::parse(self.request_uri()) else {
            return Some(Fault::bad(position, "Malformed Request-URI"));
        };
        if !uri.is_sip() && !uri.is_tel() {
            return Some(Fault {
                position,
                status: 416,
                reason: "Unsupported URI Scheme",
            });
        }
        // Section 19.1.1, table 1: header fields are not allowed there.
        if !uri.headers().is_empty() {
            return Some(Fault::bad(position, "Header Fields In Request-URI"));
        }
        let lists: &[(Header, &str)] = match self.method() {
            Method::Register => &[
                (Header::Route, "Malformed Route"),
                (Header::Contact, "Malformed Contact"),
                (Header::Path, "Malformed Path"),
            ],
            _ => &[(Header::Route, "Malformed Route")],
        };
        lists.iter().find_map(|(header, reason)| {
            let is_wrong = |value: &&[u8]| {
                let is_star = *header == Header::Contact && *value == b"*";
                !is_star && NameAddr::parse(value).is_none()
            };
            let value = self.values(*header).find(is_wrong)?;
            self.bad(*header, value, reason)
        })
    }

    /// A fault in `value`, or somewhere in the field when that is empty.
    fn bad(&self, header: Header, value: &[u8], reason: &'static str) -> Option<Fault> {
        let position = match value {
            [] => self.position(header),
            _ => text::offset(self.bytes(), value),
        };
        Some(Fault::bad(position, reason))
    }
}
