//! DNS messages as far as addresses of peers need them: one question for A or AAAA records, and
//! its answer (RFC 1035 section 4, RFC 3596).
//!
//! An answer is believed only if it carries the number, the name and the kind of the question.

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a name at most, its lengths included (RFC 1035 section 3.1).
const NAME_BYTES: usize = 255;

/// Parts of a compressed name at most; more is a loop.
const NAME_PARTS: usize = 128;

/// Records of one answer that are looked at.
const RECORDS: u16 = 64;

/// The class of the Internet.
const IN: u16 = 1;

/// Another name of the same host (RFC 1035 section 3.3.1).
const CNAME: u16 = 5;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses (RFC 3596).
    Aaaa,
}

impl RecordKind {
    const fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
        }
    }
}

/// Addresses of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// In the order of the answer; empty when the name has none of the kind.
    pub addresses: Vec<IpAddr>,
    /// Seconds for which they hold; the shortest of all records used.
    pub seconds: u32,
}

/// Why an answer is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// It does not answer the question; a right one may still come.
    Stray,
    /// It cannot be read from this byte on.
    Malformed {
        /// Bytes from its start.
        position: usize,
    },
    /// The server says that there is no such name.
    NoSuchName,
    /// The server failed or refused, with this code (RFC 1035 section 4.1.1).
    Refused {
        /// The response code.
        code: u8,
    },
}

impl core::fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Stray => f.write_str("an answer to another question"),
            Self::Malformed { position } => write!(f, "an unreadable answer at byte {position}"),
            Self::NoSuchName => f.write_str("there is no such name"),
            Self::Refused { code } => write!(f, "the server refuses with code {code}"),
        }
    }
}

/// The question for records of a name; `None` if it is no name of a host.
pub fn question(number: u16, name: &str, kind: RecordKind) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(18 + name.len());
    bytes.extend(number.to_be_bytes());
    // Recursion desired; one question.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok();
        bytes.push(length.filter(|length| (1..=63).contains(length))?);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    if bytes.len() > 12 + NAME_BYTES {
        return None;
    }
    bytes.extend(kind.code().to_be_bytes());
    bytes.extend(IN.to_be_bytes());
    Some(bytes)
}

/// The addresses in the answer to [`question`].
///
/// # Errors
///
/// Why it is of no use.
pub fn answer(
    number: u16,
    name: &str,
    kind: RecordKind,
    bytes: &[u8],
) -> Result<Addresses, AnswerFault> {
    let mut reader = Reader { bytes, at: 0 };
    let head: [u8; 12] = reader.take()?;
    let (flags, code) = (head[2], head[3] & 0x0f);
    let pair = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    if pair(0) != number || flags & 0x80 == 0 || pair(4) != 1 {
        return Err(AnswerFault::Stray);
    }
    let asked = reader.name()?;
    let about = (reader.number()?, reader.number()?);
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if asked != name || about != (kind.code(), IN) {
        return Err(AnswerFault::Stray);
    }
    match code {
        0 => {}
        3 => return Err(AnswerFault::NoSuchName),
        code => return Err(AnswerFault::Refused { code }),
    }
    let mut found = Addresses {
        addresses: Vec::new(),
        seconds: u32::MAX,
    };
    let mut names = alloc::vec![name];
    for _ in 0..pair(6).min(RECORDS) {
        let owner = reader.name()?;
        let (of, class) = (reader.number()?, reader.number()?);
        let seconds = u32::from_be_bytes(reader.take()?);
        let length = usize::from(reader.number()?);
        let end = reader.at + length;
        let data = bytes.get(reader.at..end).ok_or(reader.fault())?;
        let ours = class == IN && names.contains(&owner);
        if ours && of == CNAME {
            names.push(reader.name()?);
            found.seconds = found.seconds.min(seconds);
        } else if ours && of == kind.code() {
            found.addresses.push(address(data).ok_or(reader.fault())?);
            found.seconds = found.seconds.min(seconds);
        }
        reader.at = end;
    }
    Ok(found)
}

fn address(data: &[u8]) -> Option<IpAddr> {
    match data.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into()),
        _ => None,
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    const fn fault(&self) -> AnswerFault {
        AnswerFault::Malformed { position: self.at }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], AnswerFault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = *rest.first_chunk::<N>().ok_or(self.fault())?;
        self.at += N;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u16, AnswerFault> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    /// A name in lower case, its compression undone (RFC 1035 section 4.1.4).
    fn name(&mut self) -> Result<String, AnswerFault> {
        let mut name = String::new();
        let mut after = None;
        for _ in 0..NAME_PARTS {
            let [length] = self.take()?;
            match length {
                0 => {
                    self.at = after.unwrap_or(self.at);
                    return Ok(name);
                }
                1..=63 => {
                    let end = self.at + usize::from(length);
                    let label = self.bytes.get(self.at..end).ok_or(self.fault())?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    // Bytes that no host name has become something that no name equals.
                    let plain = |byte: &u8| match byte.is_ascii_graphic() && *byte != b'.' {
                        true => char::from(byte.to_ascii_lowercase()),
                        false => '?',
                    };
                    name.extend(label.iter().map(plain));
                    if name.len() > NAME_BYTES {
                        return Err(self.fault());
                    }
                    self.at = end;
                }
                192.. => {
                    let [low] = self.take()?;
                    after = after.or(Some(self.at));
                    self.at = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                }
                _ => return Err(self.fault()),
            }
        }
        Err(self.fault())
    }
}
