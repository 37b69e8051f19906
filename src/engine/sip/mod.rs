//! SIP registrar and stateful proxy (RFC 3261).

pub mod status;
