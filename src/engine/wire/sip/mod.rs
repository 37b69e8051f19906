//! SIP messages as bytes (RFC 3261 sections 7 and 25). No state, no configuration, never a panic.
//!
//! | you have | you use |
//! |---|---|
//! | a datagram | [`Message::parse`], then [`Message::fault`] for what a 400 must say |
//! | a stream | [`Framer`] cuts it into messages and keep-alives |
//! | a message | [`Message::header`], [`Message::values`] and the typed readers beside them |
//! | a URI | [`Uri`]: parts, comparison (19.1.4), address-of-record key (10.3) |
//! | a request to answer | [`Response`] |
//! | a message to send on | [`Patch`]: edits, then one copy |
//!
//! The received bytes are kept and header lines are indexed; values are read only when somebody
//! asks, so what nobody asks for costs nothing and passes unchanged, whatever bytes it holds.

mod edit;
mod framer;
mod header;
mod message;
mod params;
mod response;
#[cfg(test)]
mod tests;
mod uri;
mod via;

pub use edit::Patch;
pub use framer::{Frame, FrameFault, Framer};
pub use header::{Header, Method};
pub use message::{Contact, Contacts, Fault, Message, NameAddr};
pub use params::{Params, split_list};
pub use response::Response;
pub use uri::Uri;
pub use via::Via;

/// Without leading and trailing white space; folds count as white space (section 7.3.1).
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = bytes {
        bytes = rest;
    }
    bytes
}

/// A decimal number of at most ten digits (section 25.1: 1*DIGIT), within 32 bits.
pub fn number(bytes: &[u8]) -> Option<u32> {
    let short = (1..=10).contains(&bytes.len());
    if !short || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum = bytes
        .iter()
        .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    u32::try_from(sum).ok()
}

/// Whether a byte may stand in a token (section 25.1).
pub const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
        | b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether bytes are a token.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}
