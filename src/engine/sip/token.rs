//! Tokens in the user part of our own Route entries.
//!
//! A token says over which flow a device is reached, and proves that we wrote it: without one,
//! nobody can make us send anything anywhere (no open relay). There are two kinds. A *device*
//! token stands in the inner Path hop of a binding and holds for requests to that contact. A
//! *dialog* token stands in Record-Route and holds for requests with that Call-ID.
//!
//! A token is base64url (RFC 4648 section 5, unpadded) of kind, flows and 96 bits of
//! HMAC-SHA-256 (RFC 2104 section 5 on truncation). Keys live as long as the process: flows do
//! not survive it either.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use heapless::Vec as Fixed;
use sha2::{Digest, Sha256};

use crate::base::digest;
use crate::base::ids::{ListenerId, StreamId};

/// How a device is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// By its URI (RFC 3261 section 16.6 item 7).
    Direct,
    /// By the address that it sent from, through the socket that heard it.
    Udp {
        listener: ListenerId,
        to: SocketAddr,
    },
    /// Over the stream that it opened and nothing else: its own address leads nowhere.
    Stream { stream: StreamId },
    /// Over the stream that it opened, or by its URI when that is gone.
    StreamOrDirect { stream: StreamId },
}

/// What a dialog token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DialogToken {
    /// Tells requests of the caller from those of the called by a hash of the caller's tag.
    pub(super) caller: u32,
    /// How the caller is reached, when it is our neighbour.
    pub(super) upstream: Flow,
    /// How the called is reached, when it is our neighbour.
    pub(super) downstream: Flow,
}

/// Longest token before encoding: kind, tag hash, two flows by IPv6, MAC.
const RAW_MAX: usize = 1 + 4 + 2 * FLOW_MAX + MAC_BYTES;
const FLOW_MAX: usize = 1 + 4 + 16 + 2;
const MAC_BYTES: usize = 12;
const TEXT_MAX: usize = RAW_MAX.div_ceil(3) * 4;

const KIND_DEVICE: u8 = 0x31;
const KIND_DIALOG: u8 = 0x35;

/// A token as text, ready for a user part.
pub(super) type TokenText = Fixed<u8, TEXT_MAX>;
type Raw = Fixed<u8, RAW_MAX>;

/// Makes and checks tokens.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    // The two halves of HMAC with the key already taken in: half the work for short messages.
    inner: Sha256,
    outer: Sha256,
}

impl Tokens {
    /// Tokens under a secret key.
    pub(super) fn new(key: [u8; 32]) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&key);
        let (mut inner, mut outer) = (Sha256::new(), Sha256::new());
        inner.update(block.map(|byte| byte ^ 0x36));
        outer.update(block.map(|byte| byte ^ 0x5c));
        Self { inner, outer }
    }

    /// The token of a device that registered `contact` over `flow`.
    pub(super) fn device(&self, flow: Flow, contact: &[u8]) -> TokenText {
        let mut raw = Raw::new();
        put(&mut raw, &[KIND_DEVICE]);
        put_flow(&mut raw, flow);
        self.seal(raw, contact)
    }

    /// The token of a dialog.
    pub(super) fn dialog(&self, token: DialogToken, call_id: &[u8]) -> TokenText {
        let mut raw = Raw::new();
        put(&mut raw, &[KIND_DIALOG]);
        put(&mut raw, &token.caller.to_be_bytes());
        put_flow(&mut raw, token.upstream);
        put_flow(&mut raw, token.downstream);
        self.seal(raw, call_id)
    }

    /// The flow that `text` names for `contact`, if we made it.
    pub(super) fn open_device(&self, text: &[u8], contact: &[u8]) -> Option<Flow> {
        let raw = self.unseal(text, contact)?;
        let mut body = raw.strip_prefix(&[KIND_DEVICE])?;
        let flow = take_flow(&mut body)?;
        body.is_empty().then_some(flow)
    }

    /// What `text` says for the dialog of `call_id`, if we made it.
    pub(super) fn open_dialog(&self, text: &[u8], call_id: &[u8]) -> Option<DialogToken> {
        let raw = self.unseal(text, call_id)?;
        let mut body = raw.strip_prefix(&[KIND_DIALOG])?;
        let token = DialogToken {
            caller: u32::from_be_bytes(take(&mut body)?),
            upstream: take_flow(&mut body)?,
            downstream: take_flow(&mut body)?,
        };
        body.is_empty().then_some(token)
    }

    fn seal(&self, mut raw: Raw, context: &[u8]) -> TokenText {
        let mac = self.mac(&raw, context);
        put(&mut raw, &mac);
        encode(&raw)
    }

    fn unseal(&self, text: &[u8], context: &[u8]) -> Option<Raw> {
        let mut raw = decode(text)?;
        let body = raw.len().checked_sub(MAC_BYTES)?;
        let mac = self.mac(&raw[..body], context);
        if !digest::equal(&raw[body..], &mac) {
            return None;
        }
        raw.truncate(body);
        Some(raw)
    }

    fn mac(&self, raw: &[u8], context: &[u8]) -> [u8; MAC_BYTES] {
        let mut inner = self.inner.clone();
        inner.update([raw.len() as u8]);
        inner.update(raw);
        inner.update(context);
        let mut outer = self.outer.clone();
        outer.update(inner.finalize());
        let whole: [u8; 32] = outer.finalize().into();
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&whole[..MAC_BYTES]);
        mac
    }
}

fn put(raw: &mut Raw, bytes: &[u8]) {
    raw.extend_from_slice(bytes)
        .expect("RAW_MAX holds the longest token");
}

fn put_flow(raw: &mut Raw, flow: Flow) {
    match flow {
        Flow::Direct => put(raw, &[0]),
        Flow::Udp { listener, to } => {
            put(raw, &[if to.is_ipv4() { 1 } else { 2 }]);
            put(raw, &listener.0.to_be_bytes());
            match to.ip() {
                IpAddr::V4(ip) => put(raw, &ip.octets()),
                IpAddr::V6(ip) => put(raw, &ip.octets()),
            }
            put(raw, &to.port().to_be_bytes());
        }
        Flow::Stream { stream } => {
            put(raw, &[3]);
            put(raw, &stream.0.to_be_bytes());
        }
        Flow::StreamOrDirect { stream } => {
            put(raw, &[4]);
            put(raw, &stream.0.to_be_bytes());
        }
    }
}

fn take<const N: usize>(body: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = body.split_first_chunk::<N>()?;
    *body = rest;
    Some(*head)
}

fn take_flow(body: &mut &[u8]) -> Option<Flow> {
    let stream = |body: &mut &[u8]| take(body).map(|id| StreamId(u64::from_be_bytes(id)));
    let [kind] = take(body)?;
    match kind {
        0 => Some(Flow::Direct),
        1 | 2 => {
            let listener = ListenerId(u32::from_be_bytes(take(body)?));
            let ip: IpAddr = if kind == 1 {
                Ipv4Addr::from(take::<4>(body)?).into()
            } else {
                Ipv6Addr::from(take::<16>(body)?).into()
            };
            let port = u16::from_be_bytes(take(body)?);
            let to = SocketAddr::new(ip, port);
            Some(Flow::Udp { listener, to })
        }
        3 => stream(body).map(|stream| Flow::Stream { stream }),
        4 => stream(body).map(|stream| Flow::StreamOrDirect { stream }),
        _ => None,
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn encode(raw: &[u8]) -> TokenText {
    let mut text = TokenText::new();
    for chunk in raw.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (i, byte)| {
            bits | u32::from(*byte) << (16 - 8 * i)
        });
        for i in 0..=chunk.len() {
            let letter = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(letter).expect("TEXT_MAX holds the longest token");
        }
    }
    text
}

fn decode(text: &[u8]) -> Option<Raw> {
    let mut raw = Raw::new();
    for chunk in text.chunks(4) {
        let mut bits = 0_u32;
        for (i, letter) in chunk.iter().enumerate() {
            bits |= u32::from(value(*letter)?) << (18 - 6 * i);
        }
        // One letter alone, or bits beyond the last byte, are no encoding of anything.
        let bytes = chunk.len() - 1;
        if bytes == 0 || bits & ((1 << (24 - 8 * bytes)) - 1) != 0 {
            return None;
        }
        raw.extend_from_slice(&bits.to_be_bytes()[1..=bytes]).ok()?;
    }
    Some(raw)
}

fn value(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flows() -> [Flow; 5] {
        let listener = ListenerId(7);
        [
            Flow::Direct,
            Flow::Udp {
                listener,
                to: "192.0.2.9:5062".parse().unwrap(),
            },
            Flow::Udp {
                listener,
                to: "[2001:db8::9]:5062".parse().unwrap(),
            },
            Flow::Stream {
                stream: StreamId(u64::MAX),
            },
            Flow::StreamOrDirect {
                stream: StreamId(3),
            },
        ]
    }

    #[test]
    fn tokens_say_what_was_put_in() {
        let tokens = Tokens::new([1; 32]);
        for upstream in flows() {
            let text = tokens.device(upstream, b"sip:a@b");
            assert_eq!(tokens.open_device(&text, b"sip:a@b"), Some(upstream));
            assert_eq!(tokens.open_device(&text, b"sip:a@c"), None);
            assert_eq!(tokens.open_dialog(&text, b"sip:a@b"), None);
            for downstream in flows() {
                let token = DialogToken {
                    caller: 77,
                    upstream,
                    downstream,
                };
                let text = tokens.dialog(token, b"call");
                assert_eq!(tokens.open_dialog(&text, b"call"), Some(token));
                assert_eq!(tokens.open_device(&text, b"call"), None);
            }
        }
    }

    #[test]
    fn a_token_that_is_not_ours_opens_nothing() {
        let tokens = Tokens::new([1; 32]);
        let text = tokens.device(flows()[1], b"x");
        assert_eq!(Tokens::new([2; 32]).open_device(&text, b"x"), None);
        for i in 0..text.len() {
            let mut changed = text.clone();
            changed[i] = if changed[i] == b'A' { b'B' } else { b'A' };
            assert_eq!(tokens.open_device(&changed, b"x"), None, "at {i}");
            assert_eq!(tokens.open_device(&text[..i], b"x"), None, "cut at {i}");
        }
        assert_eq!(tokens.open_device(&[b'A'; 500], b"x"), None);
    }
}
