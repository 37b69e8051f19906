//! What the administrator wants of interfaces, routes and firewall, in the kernel's terms.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::settings::{ClusterSettings, Names, NetSettings, SipSettings, WebSettings};
use crate::config::tree::Tree;

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

impl Wanted {
    /// What the configuration means for interfaces, routes and firewall; `names` are the addresses
    /// that DNS gives for peers' names.
    pub fn new(tree: &Tree, names: &Names) -> Self {
        let net = NetSettings::from(tree);
        let (mut gateway4, mut gateway6) = (None, None);
        for gateway in net
            .gateways
            .iter()
            .filter(|gateway| !gateway.is_unspecified())
        {
            match gateway {
                IpAddr::V4(gateway) => gateway4 = gateway4.or(Some(*gateway)),
                IpAddr::V6(gateway) => gateway6 = gateway6.or(Some(*gateway)),
            }
        }
        Self {
            lans: net.lans.map(|lan| Lan {
                addresses: lan.addresses,
                mtu: u16::try_from(lan.mtu).ok(),
            }),
            gateway4,
            gateway6,
            host_name: net.host_name,
            openings: Openings::new(tree, names),
        }
    }
}

impl Openings {
    /// The openings of a configuration, peers by name as DNS gives them.
    fn new(tree: &Tree, names: &Names) -> Self {
        // Ports do not depend on where they are listened on.
        let anywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let sip = SipSettings::new(tree, anywhere);
        let web = WebSettings::new(tree, anywhere);
        let cluster = ClusterSettings::new(tree, names);
        Self {
            tcp: web.port.into_iter().chain(sip.tcp).collect(),
            udp: sip.udp.into_iter().collect(),
            peer_tcp: Vec::from([cluster.configuration_port, cluster.state_port]),
            peer_udp: Vec::from([cluster.state_port]),
            // A peer given by name is let in when its name has been resolved to an address.
            peers: cluster
                .addresses
                .iter()
                .flatten()
                .copied()
                .filter(|peer| !cluster.own.contains(peer))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::path::Path;
    use crate::config::revision::Change;
    use crate::config::value::Value;
    use std::vec;

    #[test]
    fn the_configuration_says_what_is_wanted() {
        let mut tree = Tree::default();
        for (path, value) in [
            ("Ethernet 1 IP V4 Address", "192.0.2.1"),
            ("Ethernet 1 IP V4 SubnetMask", "255.255.255.128"),
            ("IP Gateway", "192.0.2.126"),
            ("Alternates Peer 1 Address", "192.0.2.1"),
            ("Alternates Peer 2 Address", "192.0.2.2"),
            ("Alternates Peer 3 Address", "peer3.example"),
        ] {
            tree.apply(&Change {
                path: Path::parse(path).unwrap(),
                value: Some(Value::Text(value.into())),
            });
        }
        let names = Names::new();
        let wanted = Wanted::new(&tree, &names);
        assert_eq!(
            wanted.lans[0].addresses,
            [("192.0.2.1".parse().unwrap(), 25)]
        );
        assert_eq!(wanted.lans[0].mtu, Some(1500));
        assert!(wanted.lans[1].addresses.is_empty());
        assert_eq!(wanted.gateway4, "192.0.2.126".parse().ok());
        assert_eq!(wanted.gateway6, None);
        let expected = Openings {
            tcp: vec![443, 5060],
            udp: vec![5060],
            peer_tcp: vec![4371, 4372],
            peer_udp: vec![4372],
            peers: vec!["192.0.2.2".parse().unwrap()],
        };
        assert_eq!(wanted.openings, expected);
    }
}
