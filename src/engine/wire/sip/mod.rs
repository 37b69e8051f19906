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

mod address;
mod check;
mod edit;
mod framer;
mod header;
mod lines;
mod message;
mod params;
mod response;
#[cfg(test)]
mod tests;
mod text;
mod uri;
mod via;

pub use address::{Contact, Contacts, NameAddr};
pub use edit::Patch;
pub use framer::{Frame, FrameFault, Framer};
pub use header::{Header, Method};
pub use message::{Fault, Message};
pub use params::{Params, split_list};
pub use response::Response;
pub use text::{is_token, is_token_byte, number, trim};
pub use uri::{Uri, UriFault};
pub use via::{MAGIC_COOKIE, Via};
