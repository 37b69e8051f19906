//! What must hold between items, whoever changes them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::settings::ClusterSettings;
use super::tree::Tree;

/// Everything that does not fit together, one sentence each, beginning with the item to change.
pub(super) fn faults(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    addresses(tree, &mut faults);
    gateways(tree, &mut faults);
    let peers: Vec<(usize, String)> = (1..=6)
        .map(|number| {
            let address = tree.text(&format!("Alternates Peer {number} Address"));
            (number, address.to_string())
        })
        .filter(|(_, address)| !address.is_empty())
        .collect();
    if !peers.is_empty() {
        peer_list(tree, &peers, &mut faults);
        cluster(tree, peers.len(), &mut faults);
    }
    mappings(tree, &mut faults);
    registrations(tree, &mut faults);
    ports(tree, &mut faults);
    faults
}

/// LAN addresses that a system can have, in subnets that do not overlap.
fn addresses(tree: &Tree, faults: &mut Vec<String>) {
    let name = |lan: u8| format!("Ethernet {lan} IP V4 Address");
    let subnets = [1, 2].map(|lan| subnet_of(tree, lan));
    for (lan, subnet) in (1..).zip(subnets) {
        let Some((address, mask)) = subnet else {
            continue;
        };
        let host = u32::from(address) & !mask;
        let reserved = mask.count_ones() < 31 && (host == 0 || host == !mask);
        if reserved {
            faults.push(format!(
                "{}: {address} is the first or last address of its subnet, which no system can \
                 have",
                name(lan)
            ));
        }
        if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
            faults.push(format!("{}: {address} is no system's address", name(lan)));
        }
    }
    if let [Some((one, mask_one)), Some((two, mask_two))] = subnets {
        let mask = mask_one & mask_two;
        if u32::from(one) & mask == u32::from(two) & mask {
            faults.push(format!("{}: {two} is in the subnet of LAN1", name(2)));
        }
    }
    for lan in 1..=2 {
        let item = format!("Ethernet {lan} IP V6 Address");
        if let Ok(address) = tree.text(&item).parse::<Ipv6Addr>()
            && (address.is_unspecified() || address.is_multicast())
        {
            faults.push(format!("{item}: {address} is no system's address"));
        }
    }
}

/// Each gateway lies in the subnet of an interface; an IPv6 one may be link-local.
fn gateways(tree: &Tree, faults: &mut Vec<String>) {
    if let Ok(gateway) = tree.text("IP Gateway").parse::<Ipv4Addr>() {
        let reached = [1, 2].into_iter().any(|lan| {
            subnet_of(tree, lan).is_some_and(|(address, mask)| {
                u32::from(address) & mask == u32::from(gateway) & mask && address != gateway
            })
        });
        if !reached {
            faults.push(format!(
                "IP Gateway: {gateway} is not another system in the subnet of LAN1 or LAN2"
            ));
        }
    }
    if let Ok(gateway) = tree.text("IP V6 Gateway").parse::<Ipv6Addr>() {
        let reached = [1, 2].into_iter().any(|lan| {
            let address = tree.text(&format!("Ethernet {lan} IP V6 Address"));
            let prefix = tree.number(&format!("Ethernet {lan} IP V6 PrefixLength"));
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(prefix))
                .unwrap_or(0);
            address.parse::<Ipv6Addr>().is_ok_and(|address| {
                u128::from(address) & mask == u128::from(gateway) & mask && address != gateway
            })
        });
        if !reached && !gateway.is_unicast_link_local() {
            faults.push(format!(
                "IP V6 Gateway: {gateway} is not another system in the subnet of LAN1 or LAN2"
            ));
        }
    }
}

/// The peer list: filled without gaps, each address once, this system in it (SPEC CL2).
fn peer_list(tree: &Tree, peers: &[(usize, String)], faults: &mut Vec<String>) {
    let last = peers.last().map_or(0, |(number, _)| *number);
    let holds = |number: &usize| peers.iter().any(|(filled, _)| filled == number);
    if let Some(gap) = (1..last).find(|number| !holds(number)) {
        faults.push(format!(
            "Alternates Peer {gap} Address: fill the list from 1 on without gaps; peer {last} has \
             an address"
        ));
    }
    let version = tree.text("Alternates Cluster IPVersion");
    for (place, (number, address)) in peers.iter().enumerate() {
        let item = format!("Alternates Peer {number} Address");
        if let Some((first, _)) = peers[..place].iter().find(|(_, other)| other == address) {
            faults.push(format!("{item}: {address} is already peer {first}"));
        }
        match address.parse::<IpAddr>() {
            Ok(ip) if ip.is_ipv4() == (version == "IPv4") => {}
            Ok(_) => faults.push(format!(
                "{item}: {address} is not of the version that Alternates Cluster IPVersion says, \
                 {version}"
            )),
            Err(_) if address.contains('.') => {}
            Err(_) => faults.push(format!(
                "{item}: {address} is no full name; write it with its domain"
            )),
        }
    }
    let settings = ClusterSettings::from(tree);
    for (place, address) in settings.addresses.iter().enumerate() {
        let known = &settings.addresses[..place];
        let same = known
            .iter()
            .position(|other| other.is_some() && other == address);
        if let Some(same) = same.filter(|same| settings.peers[*same] != settings.peers[place]) {
            let (one, two) = (&settings.peers[same], &settings.peers[place]);
            faults.push(format!(
                "Alternates Peer: {one} and {two} are the same address"
            ));
        }
    }
    if settings.own.is_empty() {
        faults.push("Ethernet 1: a cluster needs this system's own address".into());
    } else if settings.position().is_none() && !settings.is_undecided() {
        let own: Vec<String> = settings.own.iter().map(ToString::to_string).collect();
        faults.push(format!(
            "Alternates Peer: the local address {} does not appear in the list of peers",
            own.join(", ")
        ));
    }
}

/// What a cluster needs beside its peers.
fn cluster(tree: &Tree, peers: usize, faults: &mut Vec<String>) {
    if tree.text("Alternates Cluster Name").is_empty() {
        faults.push("Alternates Cluster Name: a cluster needs a name, a full domain name".into());
    }
    let primary = tree.number("Alternates ConfigurationPrimary");
    if primary as usize > peers {
        faults.push(format!(
            "Alternates ConfigurationPrimary: there is no peer {primary}, the list has {peers}"
        ));
    }
}

/// Each mapping is whole, and no name or address stands in two (SPEC AM1).
fn mappings(tree: &Tree, faults: &mut Vec<String>) {
    let item = |number, what| format!("Alternates Cluster AddressMapping Pair {number} {what}");
    let mut names: Vec<(u8, &str)> = Vec::new();
    let mut addresses: Vec<(u8, &str)> = Vec::new();
    for number in 1..=6 {
        let (name, address) = (item(number, "Fqdn"), item(number, "IpAddress"));
        let (of_name, of_address) = (tree.text(&name), tree.text(&address));
        if of_name.is_empty() != of_address.is_empty() {
            let missing = if of_name.is_empty() { &name } else { &address };
            faults.push(format!("{missing}: a mapping is a name and an address"));
        }
        if of_name.is_empty() || of_address.is_empty() {
            continue;
        }
        if !of_name.contains('.') {
            faults.push(format!(
                "{name}: {of_name} is no full name; write it with its domain"
            ));
        }
        if of_address.parse::<IpAddr>().is_err() {
            faults.push(format!("{address}: {of_address} is no IP address"));
        }
        if let Some((other, _)) = names.iter().find(|(_, known)| *known == of_name) {
            faults.push(format!("{name}: {of_name} is already mapping {other}"));
        }
        if let Some((other, _)) = addresses.iter().find(|(_, known)| *known == of_address) {
            faults.push(format!(
                "{address}: {of_address} is already mapping {other}"
            ));
        }
        names.push((number, of_name));
        addresses.push((number, of_address));
    }
}

fn registrations(tree: &Tree, faults: &mut Vec<String>) {
    let refresh = |bound: &str| tree.number(&format!("SIP Registration Standard Refresh {bound}"));
    let (minimum, maximum) = (refresh("Minimum"), refresh("Maximum"));
    if minimum > maximum {
        faults.push(format!(
            "SIP Registration Standard Refresh Minimum: {minimum} is greater than the Maximum, \
             {maximum}"
        ));
    }
}

/// No two services share a port of one transport.
fn ports(tree: &Tree, faults: &mut Vec<String>) {
    let sip =
        |transport: &str| tree.is_on("SIP Mode") && tree.is_on(&format!("SIP {transport} Mode"));
    let clustered = !tree.text("Alternates Peer 1 Address").is_empty();
    let tcp = [
        ("Alternates Configuration Port", clustered),
        ("Alternates State Port", clustered),
        (
            "Management Interface Port",
            tree.is_on("Administration HTTPS Mode"),
        ),
        ("SIP TCP Port", sip("TCP")),
    ];
    let udp = [
        ("Alternates State Port", clustered),
        ("SIP UDP Port", sip("UDP")),
    ];
    for services in [&tcp[..], &udp[..]] {
        let mut open: Vec<(&str, u32)> = Vec::new();
        for (item, _) in services.iter().filter(|(_, on)| *on) {
            let port = tree.number(item);
            if let Some((other, _)) = open.iter().find(|(_, taken)| *taken == port) {
                faults.push(format!("{item}: {port} is the {other} already"));
            }
            open.push((item, port));
        }
    }
}

/// IPv4 address and mask of a LAN, if it has one.
fn subnet_of(tree: &Tree, lan: u8) -> Option<(Ipv4Addr, u32)> {
    let item = |name: &str| format!("Ethernet {lan} IP V4 {name}");
    let address = tree.text(&item("Address")).parse().ok()?;
    let mask = tree.text(&item("SubnetMask")).parse::<Ipv4Addr>().ok()?;
    Some((address, mask.into()))
}
