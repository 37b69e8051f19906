//! rtnetlink and nf_tables messages: one small encoder and decoder for both.
//!
//! Layouts are those of Linux `include/uapi/linux/{netlink,rtnetlink,nfnetlink}.h` and
//! `netfilter/nf_tables.h`; a comment names the structure. Headers are in the byte order of the
//! machine, nf_tables attributes in network order. Nothing here is asynchronous or knows a socket.
//!
//! [`Writer`] encodes, [`messages`] and [`attributes`] decode. [`route`] and [`firewall`] hold the
//! two families, [`answer`] what the kernel said to a request.

use alloc::vec::Vec;
use core::fmt;

pub mod answer;
pub mod firewall;
pub mod route;

/// `NLM_F_REQUEST`: this is a request.
pub const REQUEST: u16 = 0x001;
/// `NLM_F_ACK`: answer even when it worked.
pub const ACKNOWLEDGE: u16 = 0x004;
/// `NLM_F_DUMP`: all entries, not one.
pub const DUMP: u16 = 0x300;
/// `NLM_F_REPLACE`: change what is there already.
pub const REPLACE: u16 = 0x100;
/// `NLM_F_EXCL`: refuse when it is there already.
pub const EXCLUSIVE: u16 = 0x200;
/// `NLM_F_CREATE`: make it when it is not there.
pub const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`: put it after those there are.
pub const APPEND: u16 = 0x800;

/// `NLA_F_NESTED`: the attribute holds attributes.
const NESTED: u16 = 0x8000;
/// `NLA_F_NET_BYTEORDER`.
const NETWORK_ORDER: u16 = 0x4000;

/// Bytes of `struct nlmsghdr`.
pub const HEADER_BYTES: usize = 16;

/// Why bytes are not netlink, or a message cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Offset of the fault in the bytes given to the decoder, or written so far.
    pub position: usize,
    /// What should have been there.
    pub expected: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: expected {}", self.position, self.expected)
    }
}

impl core::error::Error for Error {}

/// One message, borrowed from the datagram it came in (`struct nlmsghdr` and what follows).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Type: `RTM_…`, `NLMSG_…` or subsystem and number.
    pub kind: u16,
    /// `NLM_F_…`.
    pub flags: u16,
    /// Sequence number of the request.
    pub sequence: u32,
    /// All after the header.
    pub body: &'a [u8],
    /// Where the body stands in the datagram.
    pub position: usize,
}

/// One attribute (`struct nlattr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Type without the flags for nesting and byte order.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
    /// Where the value stands in the bytes given to [`attributes`], plus the base given there.
    pub position: usize,
}

impl<'a> Attribute<'a> {
    /// The value as a number in the machine's byte order.
    pub fn number(&self) -> Result<u32, Error> {
        read(self.value, 0, self.position, "four bytes").map(u32::from_ne_bytes)
    }

    /// The value as a text that ends with a zero byte.
    pub fn text(&self) -> Result<&'a str, Error> {
        let fault = Error {
            position: self.position,
            expected: "UTF-8 text and a zero byte",
        };
        let [text @ .., 0] = self.value else {
            return Err(fault);
        };
        core::str::from_utf8(text).map_err(|_| fault)
    }

    /// The attributes inside this one.
    pub fn inside(&self) -> Attributes<'a> {
        attributes(self.value, self.position)
    }
}

/// The messages of one datagram, in order. After an error there are no more.
pub fn messages(bytes: &[u8]) -> Messages<'_> {
    Messages { bytes, position: 0 }
}

/// Iterator over the messages of a datagram, made by [`messages`].
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.bytes.len() {
            return None;
        }
        let result = self.message();
        if result.is_err() {
            self.position = self.bytes.len();
        }
        Some(result)
    }
}

impl<'a> Messages<'a> {
    fn message(&mut self) -> Result<Message<'a>, Error> {
        let start = self.position;
        let expected = "a netlink header";
        let length = u32::from_ne_bytes(read(self.bytes, start, 0, expected)?) as usize;
        let kind = u16::from_ne_bytes(read(self.bytes, start + 4, 0, expected)?);
        let flags = u16::from_ne_bytes(read(self.bytes, start + 6, 0, expected)?);
        let sequence = u32::from_ne_bytes(read(self.bytes, start + 8, 0, expected)?);
        let body = (length >= HEADER_BYTES)
            .then(|| self.bytes.get(start + HEADER_BYTES..start + length))
            .flatten()
            .ok_or(Error {
                position: start,
                expected: "a message length that fits",
            })?;
        self.position = start + aligned(length);
        Ok(Message {
            kind,
            flags,
            sequence,
            body,
            position: start + HEADER_BYTES,
        })
    }
}

/// The attributes in `bytes`, in order; `base` is added to the positions that are reported.
/// After an error there are no more.
pub fn attributes(bytes: &[u8], base: usize) -> Attributes<'_> {
    Attributes {
        bytes,
        base,
        position: 0,
    }
}

/// Iterator over attributes, made by [`attributes`].
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    base: usize,
    position: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.bytes.len() {
            return None;
        }
        let result = self.attribute();
        if result.is_err() {
            self.position = self.bytes.len();
        }
        Some(result)
    }
}

impl<'a> Attributes<'a> {
    fn attribute(&mut self) -> Result<Attribute<'a>, Error> {
        let start = self.position;
        let expected = "an attribute header";
        let length = u16::from_ne_bytes(read(self.bytes, start, self.base, expected)?) as usize;
        let kind = u16::from_ne_bytes(read(self.bytes, start + 2, self.base, expected)?);
        let value = (length >= 4)
            .then(|| self.bytes.get(start + 4..start + length))
            .flatten()
            .ok_or(Error {
                position: self.base + start,
                expected: "an attribute length that fits",
            })?;
        self.position = start + aligned(length);
        Ok(Attribute {
            kind: kind & !(NESTED | NETWORK_ORDER),
            value,
            position: self.base + start + 4,
        })
    }
}

/// Encodes messages one after the other.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    fault: Option<Error>,
}

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One message; `body` writes what follows the header.
    pub fn message(
        &mut self,
        kind: u16,
        flags: u16,
        sequence: u32,
        body: impl FnOnce(&mut Self),
    ) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        body(self);
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        self.pad();
        self
    }

    /// A fixed header inside a message.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        self
    }

    /// An attribute with these bytes.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.within(kind, |writer| writer.bytes.extend_from_slice(value))
    }

    /// An attribute with a number in network byte order, as nf_tables wants.
    pub fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// An attribute with a text and the zero byte that ends it.
    pub fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.within(kind, |writer| {
            writer.bytes.extend_from_slice(value.as_bytes());
            writer.bytes.push(0);
        })
    }

    /// An attribute that holds attributes.
    pub fn nest(&mut self, kind: u16, body: impl FnOnce(&mut Self)) -> &mut Self {
        self.within(kind | NESTED, body)
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is written yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes, or the first attribute that did not fit its 16-bit length.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(self.bytes),
        }
    }

    fn within(&mut self, kind: u16, body: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        body(self);
        match u16::try_from(self.bytes.len() - start) {
            Ok(length) => {
                self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
            }
            Err(_) => {
                self.fault.get_or_insert(Error {
                    position: start,
                    expected: "an attribute of at most 65535 bytes",
                });
            }
        }
        self.pad();
        self
    }

    /// Messages and attributes begin at multiples of four (`NLMSG_ALIGNTO`, `NLA_ALIGNTO`).
    fn pad(&mut self) {
        let length = aligned(self.bytes.len());
        self.bytes.resize(length, 0);
    }
}

/// The `N` bytes at `at`, or what was expected there.
pub(crate) fn read<const N: usize>(
    bytes: &[u8],
    at: usize,
    base: usize,
    expected: &'static str,
) -> Result<[u8; N], Error> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .ok_or(Error {
            position: base + at,
            expected,
        })
}

const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

#[cfg(test)]
mod tests;
