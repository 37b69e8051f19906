//! What the configuration says about SIP, as this engine reads it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// Settings of the SIP service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipSettings {
    /// Whether SIP is served at all.
    pub enabled: bool,
    /// UDP port to listen on, when UDP is on.
    pub udp: Option<u16>,
    /// TCP port to listen on, when TCP is on.
    pub tcp: Option<u16>,
    /// Our own addresses.
    pub addresses: Vec<IpAddr>,
    /// Domains that we are responsible for.
    pub domains: Vec<String>,
    /// Shortest registration, seconds.
    pub refresh_minimum: u32,
    /// Longest registration, seconds.
    pub refresh_maximum: u32,
    /// Longest message over a stream, bytes.
    pub message_bytes_max: usize,
    /// Whether new calls and registrations are refused (SPEC MM1).
    pub maintenance: bool,
}
