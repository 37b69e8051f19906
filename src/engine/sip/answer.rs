//! Writing responses (RFC 3261 sections 8.2.6 and 18.2.1).

use alloc::vec::Vec;

use super::origin::Stamp;
use crate::base::limits;
use crate::wire::sip::{Fault, Header, Message, Patch, Response};

/// Why a request is not served, and what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The status code.
    pub(super) status: u16,
    /// What is said besides.
    pub(super) extra: Extra,
}

/// A header field that belongs to a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    /// Nothing.
    None,
    /// Seconds to wait.
    RetryAfter(u32),
    /// Option tags that we do not know.
    Unsupported(Vec<u8>),
    /// Shortest registration, seconds.
    MinExpires(u32),
}

impl Refusal {
    /// A refusal that says nothing besides.
    pub(super) const fn new(status: u16) -> Self {
        Self::with(status, Extra::None)
    }

    /// A refusal that says something besides.
    pub(super) const fn with(status: u16, extra: Extra) -> Self {
        Self { status, extra }
    }

    /// Adds the header field.
    pub(super) fn write_extra(&self, response: &mut Response) {
        let number = |number: u32| Digits::of(number);
        match &self.extra {
            Extra::None => {}
            Extra::RetryAfter(seconds) => {
                response.header(Header::RetryAfter, number(*seconds).bytes());
            }
            Extra::MinExpires(seconds) => {
                response.header(Header::MinExpires, number(*seconds).bytes());
            }
            Extra::Unsupported(tags) => {
                response.header(Header::Unsupported, tags);
            }
        }
    }
}

/// Begins a response.
pub(super) fn begin(message: &Message, stamp: &Stamp, status: u16, tag: u64) -> Response {
    let (received, rport) = (stamp.received(), stamp.rport());
    let tag = tag_text(tag);
    Response::new(message, status, reason(status), &tag, received, rport)
}

fn tag_text(tag: u64) -> [u8; 16] {
    core::array::from_fn(|place| HEXADECIMAL[(tag >> (60 - 4 * place)) as usize & 15])
}

/// A whole response without anything special.
pub(super) fn plain(message: &Message, stamp: &Stamp, status: u16, tag: u64) -> Vec<u8> {
    begin(message, stamp, status, tag).finish()
}

/// The response to a request that has a fault.
pub(super) fn faulty(message: &Message, stamp: &Stamp, fault: Fault, tag: u64) -> Vec<u8> {
    let (received, rport) = (stamp.received(), stamp.rport());
    let tag = tag_text(tag);
    let reason = fault.reason.as_bytes();
    Response::new(message, fault.status, reason, &tag, received, rport).finish()
}

/// Says what we understand, for answers about ourselves (section 11.2).
pub(super) fn add_capabilities(response: &mut Response) {
    const METHODS: &[u8] = b"REGISTER, OPTIONS, INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, \
        MESSAGE, REFER, SUBSCRIBE, NOTIFY, PUBLISH";
    response
        .header(Header::Allow, METHODS)
        .header(Header::Accept, b"*/*")
        .header(Header::Supported, b"path");
}

/// A response without its top Via (section 16.7 item 3).
pub(super) fn without_top_via(message: &Message) -> Vec<u8> {
    let mut patch = Patch::new(message);
    patch.pop(Header::Via, 1);
    patch.finish()
}

/// The challenges that responses brought (section 16.7 item 7).
pub(super) type Challenges = Vec<(Header, Vec<u8>)>;

const CHALLENGES: [Header; 2] = [Header::WwwAuthenticate, Header::ProxyAuthenticate];

/// Adds the challenges of one response to those of others.
pub(super) fn collect_challenges(message: &Message, all: &mut Challenges) {
    let mut held: usize = all.iter().map(|(_, value)| value.len()).sum();
    for header in CHALLENGES {
        for value in message.headers(header) {
            held += value.len();
            if held <= limits::SIP_CHALLENGE_BYTES {
                all.push((header, value.to_vec()));
            }
        }
    }
}

/// A response with its challenges replaced by those of all.
pub(super) fn with_challenges(response: Vec<u8>, all: &Challenges) -> Vec<u8> {
    let Ok(message) = Message::parse(response) else {
        return Vec::new();
    };
    let mut patch = Patch::new(&message);
    CHALLENGES.iter().for_each(|header| {
        patch.remove(*header);
    });
    all.iter().for_each(|(header, value)| {
        patch.append(*header, value);
    });
    patch.finish()
}

/// A number as decimal digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    digits: [u8; 10],
    first: u8,
}

impl Digits {
    /// The digits of a number.
    pub(super) fn of(mut number: u32) -> Self {
        let mut digits = [0; 10];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                let first = first as u8;
                return Self { digits, first };
            }
        }
    }

    /// The digits as text.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.digits[usize::from(self.first)..]
    }
}

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// The lowest `digits` digits of a number in hexadecimal.
pub(super) fn push_hexadecimal(out: &mut Vec<u8>, number: u64, digits: u32) {
    for digit in (0..digits).rev() {
        out.push(HEXADECIMAL[(number >> (4 * digit)) as usize & 15]);
    }
}

/// The usual words for a status (section 21).
pub(super) fn reason(status: u16) -> &'static [u8] {
    match status {
        100 => b"Trying",
        200 => b"OK",
        400 => b"Bad Request",
        403 => b"Forbidden",
        404 => b"Not Found",
        408 => b"Request Timeout",
        416 => b"Unsupported URI Scheme",
        420 => b"Bad Extension",
        423 => b"Interval Too Brief",
        430 => b"Flow Failed",
        480 => b"Temporarily Unavailable",
        481 => b"Call/Transaction Does Not Exist",
        482 => b"Loop Detected",
        483 => b"Too Many Hops",
        487 => b"Request Terminated",
        500 => b"Server Internal Error",
        503 => b"Service Unavailable",
        505 => b"Version Not Supported",
        _ => b"Refused",
    }
}
