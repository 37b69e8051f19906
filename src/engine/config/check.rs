//! What must hold between items, whoever changes them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::settings::ClusterSettings;
use super::tree::Tree;

/// Everything that does not fit together, one sentence each.
pub(super) fn faults(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    peers(tree, &mut faults);
    gateway(tree, &mut faults);
    limits(tree, &mut faults);
    faults
}

/// The peer list: filled without gaps, each address once, this system in it (SPEC CL2).
fn peers(tree: &Tree, faults: &mut Vec<String>) {
    let list: Vec<String> = (1..=6)
        .map(|n| {
            tree.text(&format!("Alternates Peer {n} Address"))
                .to_string()
        })
        .collect();
    let filled = list.iter().filter(|address| !address.is_empty()).count();
    if filled == 0 {
        return;
    }
    if list[..filled].iter().any(String::is_empty) {
        faults.push("Alternates Peer: fill the peer addresses from 1 on, without gaps".into());
    }
    for (place, address) in list
        .iter()
        .enumerate()
        .filter(|(_, address)| !address.is_empty())
    {
        if let Some(first) = list[..place].iter().position(|other| other == address) {
            faults.push(format!(
                "Alternates Peer {} Address: {address} is already peer {}",
                place + 1,
                first + 1
            ));
        }
    }
    let settings = ClusterSettings::from(tree);
    if settings.name.is_empty() {
        faults.push("Alternates Cluster Name: a cluster needs a name, a full domain name".into());
    }
    if settings
        .primary
        .is_none_or(|primary| usize::from(primary.number()) > filled)
    {
        faults.push(format!(
            "Alternates ConfigurationPrimary: there is no peer {}",
            tree.text("Alternates ConfigurationPrimary")
        ));
    }
    if settings.own.is_empty() {
        faults.push("Ethernet 1 IP V4 Address: a cluster needs this system's own address".into());
    } else if settings.position().is_none() {
        let own: Vec<String> = settings.own.iter().map(ToString::to_string).collect();
        faults.push(format!(
            "Alternates Peer: the local address {} does not appear in the list of peers",
            own.join(", ")
        ));
    }
    if tree.text("Alternates Cluster TLSVerification") == "Enforce" {
        faults.push(
            "Alternates Cluster TLSVerification: Enforce needs certificates that every peer \
             trusts; this version has only Permissive"
                .into(),
        );
    }
}

/// The gateway lies in the subnet of an interface.
fn gateway(tree: &Tree, faults: &mut Vec<String>) {
    let Ok(gateway) = tree.text("IP Gateway").parse::<Ipv4Addr>() else {
        return;
    };
    let reachable = (1..=2).any(|lan| {
        let address = tree
            .text(&format!("Ethernet {lan} IP V4 Address"))
            .parse::<Ipv4Addr>();
        let mask = tree
            .text(&format!("Ethernet {lan} IP V4 SubnetMask"))
            .parse::<Ipv4Addr>();
        let (Ok(address), Ok(mask)) = (address, mask) else {
            return false;
        };
        let subnet = |ip: Ipv4Addr| u32::from(ip) & u32::from(mask);
        subnet(address) == subnet(gateway) && address != gateway
    });
    if !reachable {
        faults.push(format!(
            "IP Gateway: {gateway} is in the subnet of neither LAN1 nor LAN2"
        ));
    }
}

fn limits(tree: &Tree, faults: &mut Vec<String>) {
    let refresh = |bound: &str| tree.number(&format!("SIP Registration Standard Refresh {bound}"));
    if refresh("Minimum") > refresh("Maximum") {
        faults.push(
            "SIP Registration Standard Refresh Minimum: it is greater than the Maximum".into(),
        );
    }
    let port = |name: &str| tree.number(name);
    if port("SIP TCP Port") == port("Management Interface Port") && tree.is_on("SIP TCP Mode") {
        faults.push("SIP TCP Port: the pages use the same port".into());
    }
    if port("Alternates Configuration Port") == port("Alternates State Port") {
        faults.push("Alternates State Port: configuration replication uses the same port".into());
    }
}
