//! The configuration as each engine reads it: typed, with defaults filled in.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use super::tree::Tree;
use crate::base::ids::Position;

/// Addresses that DNS gives for names, in the order of its answer.
pub type Names = BTreeMap<String, Vec<IpAddr>>;

/// What the cluster engine reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Cluster name, empty while there is none.
    pub name: String,
    /// Place of the primary as configured.
    pub primary: Option<Position>,
    /// Own LAN addresses.
    pub own: Vec<IpAddr>,
    /// Peer addresses in order, without the empty ones.
    pub peers: Vec<String>,
    /// The IP address of each of them; `None` for a name that nothing resolves (yet).
    pub addresses: Vec<Option<IpAddr>>,
    /// Whether peers' certificates are enforced.
    pub enforce: bool,
    /// TCP port of the configuration plane.
    pub configuration_port: u16,
    /// TCP port of the dynamic plane and UDP port of beats.
    pub state_port: u16,
}

impl ClusterSettings {
    /// The settings, with the names in the peer list resolved: by the address mappings when they
    /// are on, by this system's own full name, then by `names` (SPEC AM1).
    pub fn new(tree: &Tree, names: &Names) -> Self {
        let peer = |number| {
            tree.text(&format!("Alternates Peer {number} Address"))
                .to_string()
        };
        let own = lan_addresses(tree);
        let peers: Vec<String> = (1..=6)
            .map(peer)
            .filter(|address| !address.is_empty())
            .collect();
        let addresses = peers.iter().map(|peer| resolve(tree, &own, names, peer));
        Self {
            name: tree.text("Alternates Cluster Name").into(),
            primary: Position::new(tree.number("Alternates ConfigurationPrimary") as u8),
            addresses: addresses.collect(),
            enforce: tree.text("Alternates Cluster TLSVerification") == "Enforce",
            own,
            peers,
            configuration_port: port(tree, "Alternates Configuration Port"),
            state_port: port(tree, "Alternates State Port"),
        }
    }

    /// Our own place in the peer list.
    pub fn position(&self) -> Option<Position> {
        let own = |address: &Option<IpAddr>| address.is_some_and(|ip| self.own.contains(&ip));
        let index = self.addresses.iter().position(own)?;
        Position::new(u8::try_from(index + 1).ok()?)
    }

    /// Our own address towards the peers.
    pub fn own_address(&self) -> Option<IpAddr> {
        let place = usize::from(self.position()?.number());
        self.addresses[place - 1]
    }

    /// Whether a name in the peer list has no address: it may be this system's own.
    pub fn is_undecided(&self) -> bool {
        self.addresses.contains(&None)
    }
}

impl From<&Tree> for ClusterSettings {
    fn from(tree: &Tree) -> Self {
        Self::new(tree, &Names::new())
    }
}

/// Full name of this system: host name and domain; empty while it has no host name.
pub fn full_name(tree: &Tree) -> String {
    let (host, domain) = (
        tree.text("IP DNS Hostname"),
        tree.text("IP DNS Domain Name"),
    );
    match (host, domain) {
        ("", _) => String::new(),
        (host, "") => host.into(),
        (host, domain) => format!("{host}.{domain}"),
    }
}

/// The address mappings that are filled in, whether they are on or not.
pub fn mappings(tree: &Tree) -> Vec<(String, IpAddr)> {
    let item = |number, what| {
        tree.text(&format!(
            "Alternates Cluster AddressMapping Pair {number} {what}"
        ))
        .to_string()
    };
    let pair = |number| {
        let name = item(number, "Fqdn");
        let address = item(number, "IpAddress").parse().ok()?;
        (!name.is_empty()).then_some((name, address))
    };
    (1..=6).filter_map(pair).collect()
}

/// Whether the address mapping decides a name, so that DNS is not asked.
pub fn is_mapped(tree: &Tree, name: &str) -> bool {
    tree.is_on("Alternates Cluster AddressMapping Mode")
        && mappings(tree).iter().any(|(mapped, _)| mapped == name)
}

fn resolve(tree: &Tree, own: &[IpAddr], names: &Names, peer: &str) -> Option<IpAddr> {
    if let Ok(address) = peer.parse() {
        return Some(address);
    }
    if is_mapped(tree, peer) {
        let mapped = mappings(tree).into_iter().find(|(name, _)| name == peer);
        return mapped.map(|(_, address)| address);
    }
    let ipv4 = tree.text("Alternates Cluster IPVersion") == "IPv4";
    let fits = |address: &&IpAddr| address.is_ipv4() == ipv4;
    if full_name(tree) == peer {
        return own.iter().find(fits).copied();
    }
    let found = names.get(peer)?;
    let ours = found.iter().filter(fits).find(|ip| own.contains(ip));
    ours.or_else(|| found.iter().find(fits)).copied()
}

/// What the SIP engine reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipSettings {
    /// UDP port to listen on, when SIP over UDP is on.
    pub udp: Option<u16>,
    /// TCP port to listen on, when SIP over TCP is on.
    pub tcp: Option<u16>,
    /// Own addresses to listen on.
    pub addresses: Vec<IpAddr>,
    /// Domains that we are responsible for.
    pub domains: Vec<String>,
    /// Shortest registration, in seconds.
    pub refresh_minimum: u32,
    /// Longest registration, in seconds.
    pub refresh_maximum: u32,
    /// Longest message over a stream, in bytes.
    pub message_bytes_max: usize,
    /// Whether new calls and registrations are refused (SPEC MM1).
    pub maintenance: bool,
}

impl SipSettings {
    /// The settings, with `otherwise` to listen on where no LAN address is set.
    pub fn new(tree: &Tree, otherwise: IpAddr) -> Self {
        let on = |transport: &str| {
            let served = tree.is_on("SIP Mode") && tree.is_on(&format!("SIP {transport} Mode"));
            served.then(|| port(tree, &format!("SIP {transport} Port")))
        };
        let domain = |number| tree.text(&format!("SIP Domain {number} Name")).to_string();
        Self {
            udp: on("UDP"),
            tcp: on("TCP"),
            addresses: listen_addresses(tree, otherwise),
            domains: (1..=200)
                .map(domain)
                .filter(|name| !name.is_empty())
                .collect(),
            refresh_minimum: tree.number("SIP Registration Standard Refresh Minimum"),
            refresh_maximum: tree.number("SIP Registration Standard Refresh Maximum"),
            message_bytes_max: tree.number("SIP Advanced SipMaxSize") as usize,
            maintenance: tree.is_on("SystemUnit Maintenance Mode"),
        }
    }
}

/// What the web face reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// Port of the pages, when they are served.
    pub port: Option<u16>,
    /// Own addresses to listen on.
    pub addresses: Vec<IpAddr>,
}

impl WebSettings {
    /// The settings, with `otherwise` to listen on where no LAN address is set.
    pub fn new(tree: &Tree, otherwise: IpAddr) -> Self {
        let served = tree.is_on("Administration HTTPS Mode");
        Self {
            port: served.then(|| port(tree, "Management Interface Port")),
            addresses: listen_addresses(tree, otherwise),
        }
    }
}

/// One LAN as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LanSettings {
    /// Addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Largest packet, in bytes.
    pub mtu: u32,
}

/// What the network engine reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetSettings {
    /// LAN1 and LAN2.
    pub lans: [LanSettings; 2],
    /// Default gateways, IPv4 and IPv6.
    pub gateways: Vec<IpAddr>,
    /// Host name of this system.
    pub host_name: String,
}

impl From<&Tree> for NetSettings {
    fn from(tree: &Tree) -> Self {
        let gateways = ["IP Gateway", "IP V6 Gateway"];
        Self {
            lans: [1, 2].map(|number| lan(tree, number)),
            gateways: gateways
                .iter()
                .filter_map(|name| tree.text(name).parse().ok())
                .collect(),
            host_name: tree.text("IP DNS Hostname").into(),
        }
    }
}

/// Own LAN addresses, LAN1 first.
pub fn lan_addresses(tree: &Tree) -> Vec<IpAddr> {
    let lans = [1, 2].map(|number| lan(tree, number));
    lans.into_iter()
        .flat_map(|lan| lan.addresses)
        .map(|(address, _)| address)
        .collect()
}

fn listen_addresses(tree: &Tree, otherwise: IpAddr) -> Vec<IpAddr> {
    let own = lan_addresses(tree);
    if own.is_empty() {
        alloc::vec![otherwise]
    } else {
        own
    }
}

fn lan(tree: &Tree, number: u8) -> LanSettings {
    let item = |name: &str| format!("Ethernet {number} {name}");
    let protocol = tree.text("IPProtocol");
    let mut addresses = Vec::new();
    if let Ok(address) = tree.text(&item("IP V4 Address")).parse()
        && protocol != "IPv6"
    {
        let mask: Option<Ipv4Addr> = tree.text(&item("IP V4 SubnetMask")).parse().ok();
        let prefix = mask.map_or(24, |mask| u32::from(mask).count_ones());
        addresses.push((address, prefix as u8));
    }
    if let Ok(address) = tree.text(&item("IP V6 Address")).parse()
        && protocol != "IPv4"
    {
        addresses.push((address, tree.number(&item("IP V6 PrefixLength")) as u8));
    }
    LanSettings {
        addresses,
        mtu: tree.number(&item("MTU")),
    }
}

fn port(tree: &Tree, name: &str) -> u16 {
    tree.number(name) as u16
}
