//! Certificates and revocation lists as far as people and names need them (RFC 5280): who, for
//! which names, by whom, from when until when. Whether they may be trusted is decided elsewhere.

#[cfg(test)]
mod tests;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::base::time::Wall;

/// Names in one certificate that are looked at.
const NAMES: usize = 256;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const UTC_TIME: u8 = 0x17;
const GENERAL_TIME: u8 = 0x18;

/// Object identifiers, as encoded.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ALT_NAMES: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];

/// Short names of the parts of a subject (RFC 4514 section 3).
const PARTS: [(&[u8], &str); 7] = [
    (COMMON_NAME, "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 5], "serialNumber"),
];

/// What a certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is, as `CN=…, O=…`.
    pub subject: String,
    /// Common name of the subject; empty without one.
    pub common_name: String,
    /// Who made it.
    pub issuer: String,
    /// The subject and the issuer as encoded, to be compared.
    pub encoded: (Vec<u8>, Vec<u8>),
    /// DNS names among the subject's alternative names, in lower case.
    pub names: Vec<String>,
    /// Addresses among them.
    pub addresses: Vec<IpAddr>,
    /// From when it holds.
    pub not_before: Wall,
    /// Until when.
    pub not_after: Wall,
    /// Whether it may issue others.
    pub is_authority: bool,
}

/// What a revocation list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevocationList {
    /// Who made it.
    pub issuer: String,
    /// The issuer as encoded, to be compared.
    pub encoded_issuer: Vec<u8>,
    /// When it was made.
    pub made: Wall,
    /// When there will be a newer one, if it says so.
    pub next: Option<Wall>,
}

/// Why something is no certificate or list: it cannot be read from this byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerFault {
    /// Bytes from the start.
    pub position: usize,
}

impl core::fmt::Display for DerFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "unreadable from byte {} on", self.position)
    }
}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn parse(der: &[u8]) -> Result<Self, DerFault> {
        let mut body = Der::new(der).enter(SEQUENCE)?.enter(SEQUENCE)?;
        if body.is_next(0xa0) {
            body.take(0xa0)?;
        }
        body.take(INTEGER)?;
        body.take(SEQUENCE)?;
        let encoded_issuer = body.take(SEQUENCE)?;
        let mut dates = body.enter(SEQUENCE)?;
        let (not_before, not_after) = (dates.time()?, dates.time()?);
        let encoded_subject = body.take(SEQUENCE)?;
        body.take(SEQUENCE)?;
        let (issuer, _) = name(encoded_issuer)?;
        let (subject, common_name) = name(encoded_subject)?;
        let mut certificate = Self {
            subject,
            common_name,
            issuer,
            encoded: (
                encoded_subject.rest().to_vec(),
                encoded_issuer.rest().to_vec(),
            ),
            not_before,
            not_after,
            ..Self::default()
        };
        while !body.is_empty() {
            if !body.is_next(0xa3) {
                body.any()?;
                continue;
            }
            let mut extensions = body.enter(0xa3)?.enter(SEQUENCE)?;
            while !extensions.is_empty() {
                certificate.extension(extensions.enter(SEQUENCE)?)?;
            }
        }
        Ok(certificate)
    }

    /// Whether it is for a name: one of the alternative names or, where there are none, the
    /// common name. No wildcards: a peer is one system.
    pub fn is_for(&self, name: &str) -> bool {
        self.all_names().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// The names that it is for: the common name and the alternative names (SPEC CL5).
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        let common = (!self.common_name.is_empty()).then_some(self.common_name.as_str());
        let names = self.names.iter().map(String::as_str);
        common.into_iter().chain(names)
    }

    fn extension(&mut self, mut extension: Der<'_>) -> Result<(), DerFault> {
        let id = extension.take(OID)?.rest();
        if extension.is_next(BOOLEAN) {
            extension.take(BOOLEAN)?;
        }
        let value = extension.enter(OCTETS)?;
        if id == ALT_NAMES {
            self.alternative_names(value)?;
        } else if id == BASIC_CONSTRAINTS {
            let mut value = value;
            let mut constraints = value.enter(SEQUENCE)?;
            if constraints.is_next(BOOLEAN) {
                self.is_authority = constraints.take(BOOLEAN)?.rest() != [0];
            }
        }
        Ok(())
    }

    fn alternative_names(&mut self, mut value: Der<'_>) -> Result<(), DerFault> {
        let mut names = value.enter(SEQUENCE)?;
        for _ in 0..NAMES {
            if names.is_empty() {
                break;
            }
            let (tag, name) = names.any()?;
            match tag {
                0x82 => self.names.push(text(name.rest()).to_ascii_lowercase()),
                0x87 => match <[u8; 4]>::try_from(name.rest()) {
                    Ok(ip) => self.addresses.push(ip.into()),
                    Err(_) => self
                        .addresses
                        .extend(<[u8; 16]>::try_from(name.rest()).map(IpAddr::from).ok()),
                },
                _ => {}
            }
        }
        Ok(())
    }
}

impl RevocationList {
    /// Reads a list.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn parse(der: &[u8]) -> Result<Self, DerFault> {
        let mut body = Der::new(der).enter(SEQUENCE)?.enter(SEQUENCE)?;
        if body.is_next(INTEGER) {
            body.take(INTEGER)?;
        }
        body.take(SEQUENCE)?;
        let encoded = body.take(SEQUENCE)?;
        let made = body.time()?;
        let dated = body.is_next(UTC_TIME) || body.is_next(GENERAL_TIME);
        Ok(Self {
            issuer: name(encoded)?.0,
            encoded_issuer: encoded.rest().to_vec(),
            made,
            next: dated.then(|| body.time()).transpose()?,
        })
    }
}

/// A name as text, and its common name.
fn name(mut der: Der<'_>) -> Result<(String, String), DerFault> {
    let (mut shown, mut common) = (String::new(), String::new());
    while !der.is_empty() {
        let mut set = der.enter(SET)?;
        while !set.is_empty() {
            let mut part = set.enter(SEQUENCE)?;
            let id = part.take(OID)?.rest();
            let value = text(part.any()?.1.rest());
            let known = PARTS.iter().find(|(known, _)| *known == id);
            if !shown.is_empty() {
                shown.push_str(", ");
            }
            shown.push_str(known.map_or("other", |(_, name)| name));
            shown.push('=');
            shown.push_str(&value);
            if id == COMMON_NAME {
                common = value;
            }
        }
    }
    Ok((shown, common))
}

/// Text that may hold anything, fit for a line on a page.
fn text(bytes: &[u8]) -> String {
    let clean = |c: char| if c.is_control() || c == '"' { '?' } else { c };
    String::from_utf8_lossy(bytes)
        .chars()
        .map(clean)
        .collect::<String>()
        .to_string()
}

/// A run of DER elements (X.690).
#[derive(Clone, Copy)]
struct Der<'a> {
    bytes: &'a [u8],
    /// Where they stand in the whole.
    position: usize,
}

impl<'a> Der<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn is_next(&self, tag: u8) -> bool {
        self.bytes.first() == Some(&tag)
    }

    const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next element, whatever it is.
    fn any(&mut self) -> Result<(u8, Self), DerFault> {
        let fault = DerFault {
            position: self.position,
        };
        let [tag, first, ..] = *self.bytes else {
            return Err(fault);
        };
        let (head, length) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x83 => {
                let count = usize::from(first & 0x7f);
                let bytes = self.bytes.get(2..2 + count).ok_or(fault)?;
                let join = |sum, byte: &u8| (sum << 8) | usize::from(*byte);
                (2 + count, bytes.iter().fold(0, join))
            }
            _ => return Err(fault),
        };
        let bytes = self.bytes.get(head..head + length).ok_or(fault)?;
        let inner = Self {
            bytes,
            position: self.position + head,
        };
        self.bytes = &self.bytes[head + length..];
        self.position += head + length;
        Ok((tag, inner))
    }

    fn take(&mut self, tag: u8) -> Result<Self, DerFault> {
        let position = self.position;
        match self.any()? {
            (found, inner) if found == tag => Ok(inner),
            _ => Err(DerFault { position }),
        }
    }

    fn enter(&mut self, tag: u8) -> Result<Self, DerFault> {
        self.take(tag)
    }

    /// A date (RFC 5280 section 4.1.2.5).
    fn time(&mut self) -> Result<Wall, DerFault> {
        let fault = DerFault {
            position: self.position,
        };
        let (tag, inner) = self.any()?;
        let digits = inner.rest();
        let (year, rest) = match tag {
            UTC_TIME => {
                let year = number(digits.get(..2)).ok_or(fault)?;
                let century = if year < 50 { 2_000 } else { 1_900 };
                (century + year, digits.get(2..))
            }
            GENERAL_TIME => (number(digits.get(..4)).ok_or(fault)?, digits.get(4..)),
            _ => return Err(fault),
        };
        let rest = rest.ok_or(fault)?;
        let part = |at: usize| number(rest.get(at..at + 2)).ok_or(fault);
        let (month, day) = (part(0)?, part(2)?);
        let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1_970 {
            return Err(fault);
        }
        let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Ok(Wall::from_millis(seconds * 1_000))
    }
}

fn number(digits: Option<&[u8]>) -> Option<u64> {
    core::str::from_utf8(digits?).ok()?.parse().ok()
}

/// Days since 1970-01-01 of a date in the Gregorian calendar.
const fn days(year: u64, month: u64, day: u64) -> u64 {
    // Years that begin in March, so that the leap day is the last of a year.
    let year = if month < 3 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}
