//! SIP URIs (RFC 3261 section 19.1).

use alloc::vec::Vec;

use super::params::Params;
use super::{is_token, number};

/// The parts of a URI, borrowed from where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
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
    /// is read; the rest stands as host.
    ///
    /// # Errors
    ///
    /// Where it stops being a URI.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, UriFault> {
        let fault = |position, expected| Err(UriFault { position, expected });
        let Some(colon) = bytes.iter().position(|byte| *byte == b':') else {
            return fault(bytes.len(), "a colon after the scheme");
        };
        let (scheme, rest) = (&bytes[..colon], &bytes[colon + 1..]);
        if !is_token(scheme) || !scheme[0].is_ascii_alphabetic() {
            return fault(0, "a scheme");
        }
        let other = Self {
            scheme,
            user: None,
            password: None,
            host: rest,
            port: None,
            params: Params::default(),
            headers: b"",
        };
        if !other.is_sip() {
            return Ok(other);
        }
        if let Some(space) = rest
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || *byte == b'<')
        {
            return fault(colon + 1 + space, "no white space");
        }
        let (user_info, at) = match rest.iter().position(|byte| *byte == b'@') {
            Some(at) => (Some(&rest[..at]), at + 1),
            None => (None, 0),
        };
        let host_port_end = rest[at..]
            .iter()
            .position(|byte| matches!(byte, b';' | b'?'))
            .map_or(rest.len(), |n| at + n);
        let (host, port) = split_host(&rest[at..host_port_end]).ok_or(UriFault {
            position: colon + 1 + at,
            expected: "a host and perhaps a port",
        })?;
        let tail = &rest[host_port_end..];
        let question = tail
            .iter()
            .position(|byte| *byte == b'?')
            .unwrap_or(tail.len());
        let (user, password) =
            match user_info.map(|info| (info, info.iter().position(|b| *b == b':'))) {
                Some((info, Some(colon))) => (Some(&info[..colon]), Some(&info[colon + 1..])),
                Some((info, None)) => (Some(info), None),
                None => (None, None),
            };
        if user.is_some_and(<[u8]>::is_empty) {
            return fault(colon + 1, "a user before the @");
        }
        let params = Params::new(&tail[..question]);
        let headers = tail.get(question + 1..).unwrap_or(b"");
        Ok(Self {
            user,
            password,
            host,
            port,
            params,
            headers,
            ..other
        })
    }

    /// `sip` or `sips`, without regard to case.
    pub fn is_sip(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"sip") || self.is_secure()
    }

    /// `sips`.
    pub fn is_secure(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"sips")
    }

    /// The scheme as received.
    pub const fn scheme(&self) -> &'a [u8] {
        self.scheme
    }

    /// The user as received, with its escapes.
    pub const fn user(&self) -> Option<&'a [u8]> {
        self.user
    }

    /// The host as received; IPv6 references come with their brackets.
    pub const fn host(&self) -> &'a [u8] {
        self.host
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

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<&'a [u8]> {
        self.params.value(b"transport")
    }

    /// Whether it is a loose router (`lr`, section 19.1.1).
    pub fn is_loose(&self) -> bool {
        self.params.get(b"lr").is_some()
    }

    /// The key under which a registrar keeps it (section 10.3 item 5): user unescaped, host in
    /// lower case, without password, port, parameters and header fields.
    pub fn aor(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.user.map_or(0, <[u8]>::len) + self.host.len() + 1);
        if let Some(user) = self.user {
            key.extend(unescaped(user));
            key.push(b'@');
        }
        key.extend(self.host.iter().map(u8::to_ascii_lowercase));
        key
    }

    /// Whether two URIs are equivalent (section 19.1.4).
    pub fn matches(&self, other: &Uri<'_>) -> bool {
        if !self.is_sip() || !other.is_sip() {
            return self.scheme.eq_ignore_ascii_case(other.scheme) && self.host == other.host;
        }
        self.is_secure() == other.is_secure()
            && same_escaped(self.user, other.user, false)
            && same_escaped(self.password, other.password, false)
            && self.host.eq_ignore_ascii_case(other.host)
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
            .all(|(name, value)| match other.params.get(name) {
                Some(theirs) => same_escaped(value, theirs, true),
                None => !BOTH.iter().any(|both| name.eq_ignore_ascii_case(both)),
            })
    }
}

/// Host and port of `host:port`, with IPv6 in brackets (section 25.1 hostport).
pub(super) fn split_host(bytes: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let end = match bytes {
        [b'[', ..] => bytes.iter().position(|byte| *byte == b']')? + 1,
        _ => bytes
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(bytes.len()),
    };
    let (host, rest) = bytes.split_at(end);
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%:[]".contains(byte);
    if host.is_empty() || host == b"[]" || !host.iter().all(inside) {
        return None;
    }
    match rest {
        [] => Some((host, None)),
        [b':', port @ ..] => Some((host, Some(u16::try_from(number(port)?).ok()?))),
        _ => None,
    }
}

/// Bytes with `%41` read as `A`; a broken escape stands for itself.
fn unescaped(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let mut position = 0;
    core::iter::from_fn(move || {
        let byte = *bytes.get(position)?;
        let hex = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
        if byte == b'%'
            && let (Some(high), Some(low)) = (hex(position + 1), hex(position + 2))
        {
            position += 3;
            return Some((high * 16 + low) as u8);
        }
        position += 1;
        Some(byte)
    })
}

fn same_escaped(one: Option<&[u8]>, two: Option<&[u8]>, fold: bool) -> bool {
    let (Some(one), Some(two)) = (one, two) else {
        return one.is_none() && two.is_none();
    };
    let fold = |byte: u8| {
        if fold {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    };
    unescaped(one).map(fold).eq(unescaped(two).map(fold))
}

/// Header fields of URIs are compared as a set (section 19.1.4).
fn same_headers(one: &[u8], two: &[u8]) -> bool {
    header_parts(one).all(|this| has_part(two, this))
        && header_parts(two).all(|this| has_part(one, this))
}

fn header_parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| *byte == b'&')
        .filter(|part| !part.is_empty())
}

fn has_part(bytes: &[u8], wanted: &[u8]) -> bool {
    header_parts(bytes).any(|part| same_escaped(Some(part), Some(wanted), true))
}
