//! Bytes to messages and back. No state, no configuration, never a panic.

pub mod dns;
pub mod netlink;
pub mod peer;
pub mod pem;
pub mod sip;
pub mod x509;
