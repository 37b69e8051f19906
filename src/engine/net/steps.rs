//! From what is seen to what is wanted: the steps between, as a pure function.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::netlink::route::{Link, Request, Route, STATIC};

use super::seen::Seen;
use super::{Lan, Wanted};

/// Metric of our IPv6 default route; the kernel turns 0 into this one (`IP6_RT_PRIO_USER`).
const METRIC6: u32 = 1024;

/// What stands between seen and wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to ask of the kernel, in order. Empty when all is as wanted.
    pub steps: Vec<Request>,
    /// What no step can bring about, in words.
    pub obstacles: Vec<String>,
}

/// The plan for `wanted`; `lan` names the kernel interfaces of LAN1 and LAN2.
///
/// Only LAN interfaces and routes that we made (`RTPROT_STATIC`) are touched. What is no longer
/// wanted goes first, so that an address can move from one LAN to the other. A route to the same
/// destination is changed in place, never removed first.
pub fn plan(wanted: &Wanted, lan: &[Option<String>; 2], seen: &Seen) -> Plan {
    let mut plan = Plan::default();
    let mut lans = Vec::new();
    for (number, (lan, name)) in wanted.lans.iter().zip(lan).enumerate() {
        match name.as_deref().and_then(|name| seen.link(name)) {
            Some(link) => lans.push((lan, link)),
            None if lan.addresses.is_empty() => {}
            None => plan.obstacles.push(alloc::format!(
                "LAN{}: this machine has no such interface",
                number + 1
            )),
        }
    }
    let routes = wanted_routes(wanted, &lans, &mut plan.obstacles);
    remove(&routes, &lans, seen, &mut plan.steps);
    for (lan, link) in &lans {
        set_up(lan, link, seen, &mut plan.steps);
    }
    for route in routes {
        if !seen.routes.contains(&route) {
            plan.steps.push(Request::AddRoute(route));
        }
    }
    plan
}

/// Routes and addresses that are no longer wanted.
fn remove(routes: &[Route], lans: &[(&Lan, &Link)], seen: &Seen, steps: &mut Vec<Request>) {
    let ours = |route: &&Route| {
        route.origin == STATIC && lans.iter().any(|(_, link)| route.index == Some(link.index))
    };
    let place = |route: &Route| (route.to, route.metric);
    for route in seen.routes.iter().filter(ours) {
        if !routes.iter().any(|wanted| place(wanted) == place(route)) {
            steps.push(Request::DeleteRoute(*route));
        }
    }
    for (lan, link) in lans {
        for held in seen
            .addresses
            .iter()
            .filter(|held| held.index == link.index)
        {
            let wanted = lan.addresses.contains(&(held.address, held.prefix));
            if !wanted && !made_by_kernel(held.address) {
                steps.push(Request::DeleteAddress {
                    index: held.index,
                    address: held.address,
                    prefix: held.prefix,
                });
            }
        }
    }
}

/// Link on or off, MTU, and addresses that are missing.
fn set_up(lan: &Lan, link: &Link, seen: &Seen, steps: &mut Vec<Request>) {
    let up = !lan.addresses.is_empty();
    let mtu = lan.mtu.map(u32::from).filter(|mtu| *mtu != link.mtu);
    if up != link.up || (up && mtu.is_some()) {
        steps.push(Request::SetLink {
            index: link.index,
            up,
            mtu: mtu.filter(|_| up),
        });
    }
    for (address, prefix) in &lan.addresses {
        let held = |held: &crate::wire::netlink::route::Address| {
            (held.index, held.address, held.prefix) == (link.index, *address, *prefix)
        };
        if !seen.addresses.iter().any(held) {
            steps.push(Request::AddAddress {
                index: link.index,
                address: *address,
                prefix: *prefix,
            });
        }
    }
}

/// The default routes, each by the LAN whose network the gateway is in.
fn wanted_routes(
    wanted: &Wanted,
    lans: &[(&Lan, &Link)],
    obstacles: &mut Vec<String>,
) -> Vec<Route> {
    let four = wanted
        .gateway4
        .map(|gateway| (IpAddr::V4(gateway), IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
    let six = wanted.gateway6.map(|gateway| {
        let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        (IpAddr::V6(gateway), any, METRIC6)
    });
    let mut routes = Vec::new();
    for (gateway, any, metric) in four.into_iter().chain(six) {
        let near = lans.iter().find(|(lan, _)| {
            let up = !lan.addresses.is_empty();
            up && (made_by_kernel(gateway)
                || lan.addresses.iter().any(|held| contains(*held, gateway)))
        });
        match near {
            Some((_, link)) => routes.push(Route {
                to: (any, 0),
                gateway: Some(gateway),
                index: Some(link.index),
                metric,
                origin: STATIC,
            }),
            None => obstacles.push(alloc::format!(
                "gateway {gateway}: not in the network of LAN1 or LAN2"
            )),
        }
    }
    routes
}

/// Link-local addresses of IPv6 come with the link and stay with it (RFC 4291 2.5.6).
fn made_by_kernel(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Whether `address` is in the network of `held`.
fn contains(held: (IpAddr, u8), address: IpAddr) -> bool {
    match (held, address) {
        ((IpAddr::V4(own), prefix), IpAddr::V4(other)) => {
            let differing = (own.to_bits() ^ other.to_bits()).leading_zeros();
            differing >= u32::from(prefix)
        }
        ((IpAddr::V6(own), prefix), IpAddr::V6(other)) => {
            let differing = (own.to_bits() ^ other.to_bits()).leading_zeros();
            differing >= u32::from(prefix)
        }
        ((IpAddr::V4(_), _), IpAddr::V6(_)) | ((IpAddr::V6(_), _), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::netlink::route::Address;
    use std::string::ToString;
    use std::vec;

    fn link(index: u32, name: &str) -> Link {
        Link {
            index,
            name: name.to_string(),
            mac: None,
            mtu: 1500,
            up: false,
            running: false,
        }
    }

    fn lans() -> [Option<String>; 2] {
        [Some("eth0".to_string()), Some("eth1".to_string())]
    }

    fn wanted(first: &[&str], gateway: &str) -> Wanted {
        let parse = |text: &&str| {
            let (address, prefix) = text.split_once('/').unwrap();
            (address.parse().unwrap(), prefix.parse().unwrap())
        };
        Wanted {
            lans: [
                Lan {
                    addresses: first.iter().map(parse).collect(),
                    mtu: None,
                },
                Lan::default(),
            ],
            gateway4: gateway.parse().ok(),
            gateway6: gateway.parse().ok(),
            ..Wanted::default()
        }
    }

    /// The kernel, as far as this function goes: does the steps and shows the outcome.
    fn perform(seen: &mut Seen, steps: &[Request]) {
        for step in steps {
            match *step {
                Request::SetLink { index, up, mtu } => {
                    let link = seen
                        .links
                        .iter_mut()
                        .find(|link| link.index == index)
                        .unwrap();
                    link.up = up;
                    link.mtu = mtu.unwrap_or(link.mtu);
                }
                Request::AddAddress {
                    index,
                    address,
                    prefix,
                } => seen.addresses.push(Address {
                    index,
                    address,
                    prefix,
                    duplicate: false,
                    tentative: false,
                }),
                Request::DeleteAddress {
                    index,
                    address,
                    prefix,
                } => seen.addresses.retain(|held| {
                    (held.index, held.address, held.prefix) != (index, address, prefix)
                }),
                Request::AddRoute(route) => {
                    seen.routes
                        .retain(|held| (held.to, held.metric) != (route.to, route.metric));
                    seen.routes.push(route);
                }
                Request::DeleteRoute(route) => seen.routes.retain(|held| *held != route),
                Request::DumpLinks
                | Request::DumpAddresses
                | Request::DumpRoutes4
                | Request::DumpRoutes6 => {}
            }
        }
    }

    #[test]
    fn steps_lead_to_what_is_wanted_and_then_end() {
        let mut seen = Seen {
            links: vec![link(1, "lo"), link(2, "eth0"), link(3, "eth1")],
            ..Seen::default()
        };
        for want in [
            wanted(&["192.0.2.10/24", "2001:db8::10/64"], "192.0.2.1"),
            wanted(&["192.0.2.11/25"], "192.0.2.2"),
            wanted(&["2001:db8::10/64"], "2001:db8::1"),
            wanted(&["2001:db8::10/64"], "fe80::1"),
            wanted(&[], ""),
        ] {
            let first = plan(&want, &lans(), &seen);
            assert!(!first.steps.is_empty());
            assert_eq!(first.obstacles, Vec::<String>::new());
            perform(&mut seen, &first.steps);
            assert_eq!(plan(&want, &lans(), &seen), Plan::default());
        }
        assert!(seen.addresses.is_empty() && seen.routes.is_empty());
        assert!(seen.links.iter().all(|link| !link.up));
    }

    #[test]
    fn strangers_routes_and_interfaces_are_left_alone() {
        let loopback = Address {
            index: 1,
            address: "127.0.0.1".parse().unwrap(),
            prefix: 8,
            duplicate: false,
            tentative: false,
        };
        let link_local = Address {
            index: 2,
            address: "fe80::2".parse().unwrap(),
            prefix: 64,
            ..loopback
        };
        let connected = Route {
            to: ("192.0.2.0".parse().unwrap(), 24),
            gateway: None,
            index: Some(2),
            metric: 0,
            origin: 2,
        };
        let seen = Seen {
            links: vec![link(1, "lo"), link(2, "eth0")],
            addresses: vec![loopback, link_local],
            routes: vec![connected],
        };
        assert_eq!(plan(&wanted(&[], ""), &lans(), &seen), Plan::default());
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let seen = Seen {
            links: vec![link(2, "eth0")],
            ..Seen::default()
        };
        let mut want = wanted(&["192.0.2.10/24"], "198.51.100.1");
        want.lans[1] = want.lans[0].clone();
        let plan = plan(&want, &lans(), &seen);
        assert_eq!(
            plan.obstacles,
            [
                "LAN2: this machine has no such interface",
                "gateway 198.51.100.1: not in the network of LAN1 or LAN2"
            ]
        );
    }
}
