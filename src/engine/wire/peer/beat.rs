//! Beats: small authenticated datagrams that say "I live, and I hear you" (DESIGN 3).

use serde::{Deserialize, Serialize};

use crate::base::digest::{equal, hmac_sha256};
use crate::base::ids::PeerId;

/// Version of the datagram.
const VERSION: u8 = 1;

/// Bytes of the authenticator: HMAC-SHA-256 cut to half its length (RFC 2104 section 5).
const TAG: usize = 16;

/// Bytes that name the sender.
const SENDER: usize = 8;

/// Bytes of a beat at most.
const BYTES_MAX: usize = 128;

/// One beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Counts up with every beat to this peer; what is not greater than the last is a replay.
    pub number: u64,
    /// The newest beat heard from the receiver, 0 for none.
    pub heard: u64,
    /// Milliseconds since that one was heard.
    pub held_ms: u32,
}

/// The key of beats on a channel with this binding.
pub fn key(binding: &[u8; 32]) -> [u8; 32] {
    hmac_sha256(binding, &[b"causeway beat"])
}

/// The datagram of a beat.
pub fn encode(key: &[u8; 32], sender: PeerId, beat: &Beat) -> alloc::vec::Vec<u8> {
    let mut bytes = alloc::vec![VERSION];
    bytes.extend_from_slice(&sender.0[..SENDER]);
    let mut bytes = postcard::to_extend(beat, bytes).expect("plain data always encodes");
    let tag = hmac_sha256(key, &[&sender.0, &bytes]);
    bytes.extend_from_slice(&tag[..TAG]);
    bytes
}

/// Whether a datagram claims to come from this sender.
pub fn claims(bytes: &[u8], sender: PeerId) -> bool {
    bytes.get(1..=SENDER) == Some(&sender.0[..SENDER])
}

/// The beat in a datagram of this sender; `None` when it is not one or was not made with the key.
pub fn decode(key: &[u8; 32], sender: PeerId, bytes: &[u8]) -> Option<Beat> {
    if bytes.len() > BYTES_MAX || bytes.first() != Some(&VERSION) || !claims(bytes, sender) {
        return None;
    }
    let (body, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG)?)?;
    if !equal(&hmac_sha256(key, &[&sender.0, body])[..TAG], tag) {
        return None;
    }
    match postcard::take_from_bytes(body.get(1 + SENDER..)?) {
        Ok((beat, [])) => Some(beat),
        Ok(_) | Err(_) => None,
    }
}
