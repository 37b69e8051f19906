//! What the administrator wants of interfaces, routes and firewall, in the kernel's terms.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All that [`super::Net`] brings about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// LAN1 and LAN2.
    pub lans: [Lan; 2],
    /// Default gateway of IPv4.
    pub gateway4: Option<Ipv4Addr>,
    /// Default gateway of IPv6. A link-local one is taken to be on LAN1.
    pub gateway6: Option<Ipv6Addr>,
    /// Host name; empty leaves the one the machine has.
    pub host_name: String,
    /// What the firewall lets in.
    pub openings: Openings,
}

/// One LAN interface. Without an address it stays down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lan {
    /// Addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Largest packet in bytes, without the Ethernet header.
    pub mtu: Option<u16>,
}

/// What the firewall lets in besides answers, loopback and ICMP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openings {
    /// TCP ports open to everyone (administration, SIP).
    pub tcp: Vec<u16>,
    /// UDP ports open to everyone (SIP).
    pub udp: Vec<u16>,
    /// TCP ports open to [`Self::peers`] only (clustering).
    pub peer_tcp: Vec<u16>,
    /// UDP ports open to [`Self::peers`] only (clustering beats).
    pub peer_udp: Vec<u16>,
    /// Addresses of the other peers of the cluster.
    pub peers: Vec<IpAddr>,
}
