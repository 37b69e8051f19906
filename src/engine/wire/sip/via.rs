//! One Via value (RFC 3261 section 20.42, RFC 3581).

use super::params::{Params, find};
use super::uri::split_host;
use super::{is_token, number, trim};

/// Begin of every branch of RFC 3261 elements (section 8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// The parts of a Via value.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    transport: &'a [u8],
    host: &'a [u8],
    port: Option<u16>,
    params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one Via value: `SIP/2.0/UDP host:port;branch=…`.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let semicolon = find(bytes, b';', 0).unwrap_or(bytes.len());
        let (head, params) = bytes.split_at(semicolon);
        let mut parts = head.splitn(3, |byte| *byte == b'/');
        let (name, version, rest) = (parts.next()?, parts.next()?, trim(parts.next()?));
        if !trim(name).eq_ignore_ascii_case(b"SIP") || trim(version) != b"2.0" {
            return None;
        }
        let space = rest.iter().position(u8::is_ascii_whitespace)?;
        let (transport, sent_by) = (&rest[..space], trim(&rest[space..]));
        let (host, port) = split_sent_by(sent_by)?;
        is_token(transport).then_some(Self {
            transport,
            host,
            port,
            params: Params::new(params),
        })
    }

    /// `UDP`, `TCP`, … as received.
    pub const fn transport(&self) -> &'a [u8] {
        self.transport
    }

    /// The host of sent-by, as received.
    pub const fn host(&self) -> &'a [u8] {
        self.host
    }

    /// The port of sent-by, when one is written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// All parameters.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The branch, when there is one.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.value(b"branch")
    }

    /// The branch of an RFC 3261 element, which names a transaction by itself.
    pub fn cookie_branch(&self) -> Option<&'a [u8]> {
        let cookie = |branch: &&[u8]| {
            branch
                .get(..MAGIC_COOKIE.len())
                .is_some_and(|b| b.eq_ignore_ascii_case(MAGIC_COOKIE))
        };
        self.branch().filter(cookie)
    }

    /// `rport`: present without value, or with one (RFC 3581).
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params.get(b"rport")?;
        Some(
            value
                .and_then(number)
                .and_then(|port| u16::try_from(port).ok()),
        )
    }

    /// `received` (section 18.2.1).
    pub fn received(&self) -> Option<&'a [u8]> {
        self.params.value(b"received")
    }
}

/// `host : port` with white space round the colon, as section 25.1 allows it there.
fn split_sent_by(bytes: &[u8]) -> Option<(&[u8], Option<u16>)> {
    if !bytes.iter().any(u8::is_ascii_whitespace) {
        return split_host(bytes);
    }
    let colon = bytes.iter().rposition(|byte| *byte == b':')?;
    let (host, _) = split_host(trim(&bytes[..colon]))?;
    Some((
        host,
        Some(u16::try_from(number(trim(&bytes[colon + 1..]))?).ok()?),
    ))
}
