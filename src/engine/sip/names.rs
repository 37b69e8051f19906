//! Whose a name is: domains, own addresses, addresses of record.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::str;

use super::Sip;
use super::answer::push_hexadecimal;
use super::exchange::{BranchRef, ExchangeId};
use crate::base::limits;
use crate::wire::sip::{NameAddr, Uri};

/// The address that a host stands for when it is a literal (RFC 3261 section 25.1).
pub(super) fn literal(host: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(host).ok()?;
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None if text.starts_with(|first: char| first.is_ascii_digit()) => {
            text.parse().ok().map(IpAddr::V4)
        }
        None => None,
    }
}

/// The URI in a value of Route, Contact and their kind; the whole value when there is none.
pub(super) fn uri_of(value: &[u8]) -> &[u8] {
    NameAddr::parse(value).map_or(value, |address| address.uri)
}

/// The user part of a hop's URI, where our tokens stand.
pub(super) fn token_of(hop: &[u8]) -> Option<&[u8]> {
    Uri::parse(hop).ok()?.user()
}

/// Whether a route's URI is that of a loose router (section 16.6 item 6).
pub(super) fn is_loose(route: &[u8]) -> bool {
    Uri::parse(route).is_ok_and(|uri| uri.is_loose())
}

/// Writes the branch parameter of a branch of ours: magic cookie, name, nonce, loop hash. Without
/// a name it is one that no response will be looked up by.
pub(super) fn push_branch(out: &mut Vec<u8>, name: Option<BranchRef>, nonce: u32, loop_hash: u64) {
    let name = name.unwrap_or(BranchRef::LAST);
    out.extend_from_slice(MAGIC);
    push_hexadecimal(out, u64::from(name.exchange.slot), 8);
    push_hexadecimal(out, u64::from(name.exchange.generation), 8);
    push_hexadecimal(out, u64::from(name.branch), 2);
    push_hexadecimal(out, u64::from(nonce), 8);
    out.push(b'.');
    push_hexadecimal(out, loop_hash, 16);
}

/// The name and the nonce in a branch parameter of ours.
pub(super) fn open_branch(branch: &[u8]) -> Option<(BranchRef, u32)> {
    let digits = branch.get(MAGIC.len()..)?;
    let slot = read_hexadecimal(digits.get(..8)?)? as u32;
    let generation = read_hexadecimal(digits.get(8..16)?)? as u32;
    let number = read_hexadecimal(digits.get(16..18)?)? as u8;
    let nonce = read_hexadecimal(digits.get(18..26)?)? as u32;
    let exchange = ExchangeId { slot, generation };
    let name = BranchRef {
        exchange,
        branch: number,
    };
    (digits.get(26) == Some(&b'.')).then_some((name, nonce))
}

/// The loop hash in a branch parameter of ours.
pub(super) fn loop_hash_of(branch: &[u8]) -> Option<u64> {
    let hash = branch.get(MAGIC.len() + 27..)?;
    (hash.len() == 16).then(|| read_hexadecimal(hash))?
}

const MAGIC: &[u8] = b"z9hG4bK";

fn read_hexadecimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |sum, digit| {
        hexadecimal(*digit).map(|digit| sum << 4 | u64::from(digit))
    })
}

impl Sip {
    /// Whether we are responsible for a host name (section 10.3 item 1, section 16.4).
    pub(super) fn is_own_domain(&self, host: &[u8]) -> bool {
        self.settings
            .domains
            .iter()
            .any(|domain| domain.as_bytes().eq_ignore_ascii_case(host))
    }

    /// Whether an address names one of our sockets, as our Via and Record-Route do.
    pub(super) fn is_own_socket(&self, ip: Option<IpAddr>, port: Option<u16>) -> bool {
        ip.is_some_and(|ip| self.is_own_address(ip, port))
    }

    /// Whether a URI lies in our domain: a configured one, or one of our addresses.
    pub(super) fn is_own_uri(&self, uri: &Uri<'_>) -> bool {
        self.is_own_domain(uri.host()) || self.is_own_socket(literal(uri.host()), uri.port())
    }

    /// Whether a URI may be registered here: in a configured domain, or at one of our addresses
    /// when none is configured.
    pub(super) fn is_registrable(&self, uri: &Uri<'_>) -> bool {
        if self.settings.domains.is_empty() {
            self.is_own_socket(literal(uri.host()), uri.port())
        } else {
            self.is_own_domain(uri.host())
        }
    }

    /// The address by which peers reach us: the first that is configured and served.
    pub(super) fn primary_address(&self) -> Option<SocketAddr> {
        let served = |ip: &IpAddr| {
            self.transport
                .own_address(*ip)
                .filter(|own| own.ip() == *ip)
        };
        let configured = self.settings.addresses.iter().find_map(served);
        configured.or_else(|| self.transport.own_address(IpAddr::from([0, 0, 0, 0])))
    }

    fn is_own_address(&self, ip: IpAddr, port: Option<u16>) -> bool {
        let port = port.unwrap_or(super::transport::DEFAULT_PORT);
        self.transport.is_own(SocketAddr::new(ip, port))
            || self.settings.addresses.contains(&ip)
                && (self.settings.udp == Some(port) || self.settings.tcp == Some(port))
    }
}

/// Writes the canonical address of record of a URI (section 10.3 item 5): `user@domain` without
/// parameters, unescaped, the domain in lower case. All our own addresses are one domain, the
/// first configured one, or none at all, so that a cluster's peers agree. Says whether there is
/// a user part of reasonable length.
pub(super) fn write_aor(sip: &Sip, uri: &Uri<'_>, aor: &mut String) -> bool {
    aor.clear();
    let Some(user) = uri.user().filter(|user| !user.is_empty()) else {
        return false;
    };
    if user.len() + uri.host().len() > limits::AOR_BYTES {
        return false;
    }
    push_unescaped(aor, user);
    let domain = if literal(uri.host()).is_some() {
        sip.settings.domains.first().map_or("", String::as_str)
    } else {
        str::from_utf8(uri.host()).unwrap_or_default()
    };
    if !domain.is_empty() {
        aor.push('@');
        aor.extend(domain.chars().map(|letter| letter.to_ascii_lowercase()));
    }
    true
}

/// Unescapes what stands for printable ASCII; anything else stays as it was written, so that
/// every user part has exactly one such form and all forms are text.
fn push_unescaped(aor: &mut String, user: &[u8]) {
    let mut rest = user;
    while let Some((first, after)) = rest.split_first() {
        let (byte, next) = match (first, after) {
            (b'%', [high, low, tail @ ..]) => match (hexadecimal(*high), hexadecimal(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, tail),
                _ => (b'%', after),
            },
            _ => (*first, after),
        };
        if byte.is_ascii_graphic() && (byte != b'%' || next.len() == after.len()) {
            aor.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            aor.push('%');
            aor.push(char::from(DIGITS[usize::from(byte >> 4)]));
            aor.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        rest = next;
    }
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}
