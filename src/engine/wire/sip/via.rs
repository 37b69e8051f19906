//! One Via value (RFC 3261 section 20.42, RFC 3581).

use core::net::IpAddr;

use super::params::Params;
use super::text::{self, is_token, number, split_host, trim, trim_end, trim_start};
use super::uri;

/// Begin of every branch of RFC 3261 elements (section 8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// The parts of a Via value.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    version: &'a [u8],
    transport: &'a [u8],
    host: &'a [u8],
    port: Option<u16>,
    params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one Via value: `SIP/2.0/UDP host:port;branch=…`, with white space where section 25.1
    /// allows it. Any version of SIP is read, so that a newer one can be told that it is.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(b';', bytes).unwrap_or(bytes.len());
        let (head, params) = bytes.split_at(end);
        let params = Params::new(params);
        let (name, rest) = text::split(head, b'/');
        let (version, rest) = text::split(rest?, b'/');
        let version = trim(version);
        if !trim(name).eq_ignore_ascii_case(b"SIP") || !is_token(version) {
            return None;
        }
        let rest = trim_start(rest?);
        let space = rest.iter().position(|byte| text::is_space(*byte))?;
        let (transport, sent_by) = rest.split_at(space);
        let (host, port) = split_host(trim(sent_by))?;
        (is_token(transport) && params.is_well_formed()).then_some(Self {
            version,
            transport,
            host,
            port,
            params,
        })
    }

    /// Whether it is of SIP 2.0.
    pub fn is_version_2(&self) -> bool {
        self.version == b"2.0"
    }

    /// `UDP`, `TCP`, … as received.
    pub const fn transport(&self) -> &'a [u8] {
        self.transport
    }

    /// The host of sent-by, as received.
    pub const fn host(&self) -> &'a [u8] {
        self.host
    }

    /// The host of sent-by when it is an address.
    pub fn address(&self) -> Option<IpAddr> {
        uri::address(self.host)
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

    /// The branch of an RFC 3261 element, which names a transaction by itself. The cookie alone
    /// names nothing (RFC 4475 section 3.2.1): such a branch is treated as RFC 2543's.
    pub fn cookie_branch(&self) -> Option<&'a [u8]> {
        let is_unique = |branch: &&[u8]| {
            branch.len() > MAGIC_COOKIE.len()
                && branch[..MAGIC_COOKIE.len()].eq_ignore_ascii_case(MAGIC_COOKIE)
        };
        self.branch().filter(is_unique)
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

    /// `maddr` (section 18.2.2).
    pub fn maddr(&self) -> Option<&'a [u8]> {
        self.params.value(b"maddr").map(trim_end)
    }
}
