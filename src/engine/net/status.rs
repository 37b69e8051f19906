//! Network interfaces as a person sees them.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// One LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanStatus {
    /// 1 or 2.
    pub number: u8,
    /// The kernel's name of the interface, when the hardware has it.
    pub interface: Option<String>,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Whether there is a link.
    pub link: bool,
    /// Addresses with their prefix lengths, as the kernel holds them.
    pub addresses: Vec<(IpAddr, u8)>,
    /// What the kernel refused, with the reason.
    pub fault: Option<String>,
}
