//! SIP URIs (RFC 3261 section 19.1).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use super::params::Params;
use super::text::{self, offset, split, split_host};

/// The parts of a URI, borrowed from where it stands. Parts are as received: escapes are not
/// resolved, case is not changed.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    bytes: &'a [u8],
    scheme: &'a [u8],
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    host: &'a [u8],
    port: Option<u16>,
    params: Params<'a>,
    headers: &'a [u8],
}

/// Why bytes are no URI: where, and what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriFault {
    /// Byte from the start of the URI.
    pub position: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl<'a> Uri<'a> {
    /// Reads a URI without angle brackets. Of schemes other than `sip` and `sips`, only the scheme
    /// is read; [`Uri::opaque`] has the rest.
    ///
    /// # Errors
    ///
    /// Where it stops being a URI.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, UriFault> {
        let fault = |position, expected| UriFault { position, expected };
        let colon = memchr::memchr(b':', bytes);
        let colon = colon.ok_or(fault(bytes.len(), "a colon after the scheme"))?;
        let (scheme, rest) = (&bytes[..colon], &bytes[colon + 1..]);
        if !is_scheme(scheme) {
            return Err(fault(0, "a scheme"));
        }
        check_bytes(bytes)?;
        if rest.is_empty() {
            return Err(fault(bytes.len(), "something after the scheme"));
        }
        let mut uri = Self {
            bytes,
            scheme,
            user: None,
            password: None,
            host: b"",
            port: None,
            params: Params::default(),
            headers: b"",
        };
        if uri.is_sip() {
            uri.read_sip(rest)?;
        }
        Ok(uri)
    }

    fn read_sip(&mut self, rest: &'a [u8]) -> Result<(), UriFault> {
        let bytes = self.bytes;
        let fault = |part: &[u8], expected| UriFault {
            position: offset(bytes, part),
            expected,
        };
        let rest = match memchr::memchr(b'@', rest) {
            Some(at) => {
                let (user, password) = split(&rest[..at], b':');
                if user.is_empty() {
                    return Err(fault(rest, "a user before the @"));
                }
                self.user = Some(user);
                self.password = password;
                &rest[at + 1..]
            }
            None => rest,
        };
        let (rest, headers) = split(rest, b'?');
        self.headers = headers.unwrap_or_default();
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let (place, params) = rest.split_at(end);
        self.params = Params::new(params);
        // White space is not in a URI any more, so there is none around the colon.
        let (host, port) = split_host(place).ok_or(fault(place, "a host and perhaps a port"))?;
        self.host = host;
        self.port = port;
        if params.ends_with(b";") || memchr::memmem::find(params, b";;").is_some() {
            return Err(fault(params, "parameters with a name"));
        }
        Ok(())
    }

    /// All of it.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// `sip` or `sips`, without regard to case.
    pub fn is_sip(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"sip") || self.is_secure()
    }

    /// `sips`.
    pub fn is_secure(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"sips")
    }

    /// `tel` (RFC 3966).
    pub fn is_tel(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"tel")
    }

    /// The scheme as received.
    pub const fn scheme(&self) -> &'a [u8] {
        self.scheme
    }

    /// What follows the scheme and its colon.
    pub fn opaque(&self) -> &'a [u8] {
        &self.bytes[self.scheme.len() + 1..]
    }

    /// The user as received, with its escapes; never empty.
    pub const fn user(&self) -> Option<&'a [u8]> {
        self.user
    }

    /// The password as received, with its escapes.
    pub const fn password(&self) -> Option<&'a [u8]> {
        self.password
    }

    /// The host as received; IPv6 references come with their brackets. Empty unless it is a SIP
    /// URI.
    pub const fn host(&self) -> &'a [u8] {
        self.host
    }

    /// The host when it is an address.
    pub fn address(&self) -> Option<IpAddr> {
        address(self.host)
    }

    /// The port, when one is written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The header fields after the question mark.
    pub const fn headers(&self) -> &'a [u8] {
        self.headers
    }

    /// The parameter of this name, whose letters may be escaped: `Some(None)` without a value.
    pub fn param(&self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        let mut params = self.params.into_iter();
        params
            .find(|(found, _)| same(found, name, true))
            .map(|(_, value)| value)
    }

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<&'a [u8]> {
        self.param(b"transport").flatten()
    }

    /// Whether it is a loose router (`lr`, section 19.1.1).
    pub fn is_loose(&self) -> bool {
        self.param(b"lr").is_some()
    }

    /// The key under which a registrar keeps it (section 10.3 item 5): user unescaped, host in
    /// lower case, without password, port, parameters and header fields.
    pub fn aor(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.user.map_or(0, <[u8]>::len) + self.host.len() + 1);
        if let Some(user) = self.user {
            key.extend(units(user).map(|(byte, _)| byte));
            key.push(b'@');
        }
        key.extend(self.host.iter().map(u8::to_ascii_lowercase));
        key
    }

    /// Whether two URIs are equivalent (section 19.1.4); those of other schemes when all after
    /// the scheme is equal, for `tel` without regard to visual separators (RFC 3966 section 4).
    pub fn matches(&self, other: &Uri<'_>) -> bool {
        if !self.scheme.eq_ignore_ascii_case(other.scheme) {
            return false;
        }
        if self.is_tel() {
            return digits(self.opaque()).eq(digits(other.opaque()));
        }
        if !self.is_sip() {
            return self.opaque() == other.opaque();
        }
        same_option(self.user, other.user, false)
            && same_option(self.password, other.password, false)
            && same_host(self.host, other.host)
            && self.port == other.port
            && self.params_match(other)
            && other.params_match(self)
            && same_headers(self.headers, other.headers)
    }

    /// Whether every parameter of ours fits the other's: one that both have must be equal, and
    /// `user`, `ttl`, `method`, `maddr` and `transport` must not stand in one URI alone.
    fn params_match(&self, other: &Uri<'_>) -> bool {
        const BOTH: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];
        self.params
            .into_iter()
            .all(|(name, value)| match other.param(name) {
                Some(theirs) => same_option(value, theirs, true),
                None => !BOTH.iter().any(|both| same(name, both, true)),
            })
    }
}

/// The address that a host is, when it is no name.
pub(super) fn address(host: &[u8]) -> Option<IpAddr> {
    let text = core::str::from_utf8(host).ok()?;
    match text.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')?
            .parse::<Ipv6Addr>()
            .ok()
            .map(IpAddr::V6),
        None if text.starts_with(|first: char| first.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

fn is_scheme(scheme: &[u8]) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.iter().all(inner)
}

/// Refuses bytes that no URI holds, and escapes that are none.
fn check_bytes(bytes: &[u8]) -> Result<(), UriFault> {
    for (position, byte) in bytes.iter().enumerate() {
        let fault = |expected| Err(UriFault { position, expected });
        if !text::is_uri_byte(*byte) {
            return fault("no white space, brackets or quotation marks");
        }
        let digits = || bytes.get(position + 1..position + 3);
        if *byte == b'%' && !digits().is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) {
            return fault("two hexadecimal digits after %");
        }
    }
    Ok(())
}

/// Bytes with `%41` read as `A`, each with whether it was escaped in a way that matters: `%3B` is
/// not the same as `;` (section 19.1.4). A broken escape stands for itself.
fn units(bytes: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        rest = after;
        let hex = |digit: u8| char::from(digit).to_digit(16);
        if let (b'%', [high, low, tail @ ..]) = (first, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = tail;
            let byte = (high * 16 + low) as u8;
            return Some((byte, is_reserved(byte)));
        }
        Some((*first, false))
    })
}

/// `reserved` of section 25.1.
const fn is_reserved(byte: u8) -> bool {
    matches!(
        byte,
        b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b','
    )
}

fn same(one: &[u8], two: &[u8], fold: bool) -> bool {
    let fold = |(byte, mark): (u8, bool)| {
        let byte = if fold {
            byte.to_ascii_lowercase()
        } else {
            byte
        };
        (byte, mark)
    };
    one == two || units(one).map(fold).eq(units(two).map(fold))
}

fn same_option(one: Option<&[u8]>, two: Option<&[u8]>, fold: bool) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => same(one, two, fold),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Names without regard to case, IPv6 references by the address that they write.
fn same_host(one: &[u8], two: &[u8]) -> bool {
    let is_reference = |host: &[u8]| host.first() == Some(&b'[');
    one.eq_ignore_ascii_case(two)
        || is_reference(one) && is_reference(two) && address(one) == address(two)
}

/// Header fields of URIs are compared as a set (section 19.1.4).
fn same_headers(one: &[u8], two: &[u8]) -> bool {
    header_parts(one).count() == header_parts(two).count()
        && header_parts(one).all(|this| has_part(two, this))
        && header_parts(two).all(|this| has_part(one, this))
}

fn header_parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| *byte == b'&')
        .filter(|part| !part.is_empty())
}

fn has_part(bytes: &[u8], wanted: &[u8]) -> bool {
    header_parts(bytes).any(|part| same(part, wanted, true))
}

/// A telephone number and its parameters without visual separators (RFC 3966 section 5.1.1).
fn digits(number: &[u8]) -> impl Iterator<Item = u8> {
    let is_separator = |byte: &u8| matches!(byte, b'-' | b'.' | b'(' | b')');
    let kept = number.iter().filter(move |byte| !is_separator(byte));
    kept.map(u8::to_ascii_lowercase)
}
