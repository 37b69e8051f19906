//! The base rule set (SPEC FW3): what the appliance itself needs, everything else dropped.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::netlink::firewall::Expression::{
    Bytes, Counter, InSet, InterfaceIn, InterfaceOut, Ipv4, Ipv6, Limit, Protocol, State,
};
use crate::wire::netlink::firewall::{
    Chain, Elements, Expression, Field, Hook, Rule, Ruleset, Set, Verdict, state,
};

use super::Openings;

/// Name of our table. The `system` role lets nothing touch another one.
pub const TABLE: &str = "causeway";

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;

/// Echo requests answered each second, all senders together.
const ECHO_PER_SECOND: u64 = 50;

/// Nothing in, nothing out, but loopback: in force before a link goes up, and again whenever the
/// gateway that knows better is gone.
pub fn closed() -> Ruleset {
    let lo = "lo".to_string();
    Ruleset {
        table: TABLE.to_string(),
        sets: Vec::new(),
        chains: vec![
            chain(
                "input",
                Hook::Input,
                Verdict::Drop,
                vec![accept(vec![InterfaceIn(lo.clone())])],
            ),
            chain("forward", Hook::Forward, Verdict::Drop, Vec::new()),
            chain(
                "output",
                Hook::Output,
                Verdict::Drop,
                vec![accept(vec![InterfaceOut(lo)])],
            ),
        ],
    }
}

/// What `openings` says and what every host must let in; everything else is counted and dropped.
pub fn base(openings: &Openings) -> Ruleset {
    let mut build = Build::default();
    build.basics();
    build.icmp();
    build.clustering(openings);
    build.services(openings);
    build
        .rules
        .push(Rule(vec![Counter, Expression::Verdict(Verdict::Drop)]));
    Ruleset {
        table: TABLE.to_string(),
        sets: build.sets,
        chains: vec![
            chain("input", Hook::Input, Verdict::Drop, build.rules),
            chain("forward", Hook::Forward, Verdict::Drop, Vec::new()),
            chain("output", Hook::Output, Verdict::Accept, Vec::new()),
        ],
    }
}

#[derive(Default)]
struct Build {
    sets: Vec<Set>,
    rules: Vec<Rule>,
}

impl Build {
    fn basics(&mut self) {
        let answers = state::ESTABLISHED | state::RELATED;
        self.rules.push(accept(vec![InterfaceIn("lo".to_string())]));
        self.rules.push(accept(vec![State(answers)]));
        self.rules.push(drop_counted(vec![State(state::INVALID)]));
    }

    /// Errors belong to connections (RELATED) or concern path MTU; echo is limited. ICMPv6 also
    /// carries neighbour discovery and multicast listener discovery, without which there is no
    /// IPv6 at all (RFC 4890 section 4.4).
    fn icmp(&mut self) {
        // Destination unreachable, time exceeded, parameter problem.
        for kind in [3, 11, 12] {
            self.rules.push(accept(icmp(ICMP, kind)));
        }
        // Unreachable, packet too big, time exceeded, parameter problem; listener query, report,
        // done and report 2; router and neighbour solicitation and advertisement.
        for kind in [1, 2, 3, 4, 130, 131, 132, 143, 133, 134, 135, 136] {
            self.rules.push(accept(icmp(ICMP6, kind)));
        }
        for (protocol, echo) in [(ICMP, 8), (ICMP6, 128)] {
            let mut tests = icmp(protocol, echo);
            tests.push(Limit {
                rate: ECHO_PER_SECOND,
                burst: 20,
            });
            self.rules.push(accept(tests));
        }
    }

    /// One allow for every other peer's address, one drop for all else (SPEC FW3).
    fn clustering(&mut self, openings: &Openings) {
        let (four, six) = families(&openings.peers);
        let peers4 = (!four.is_empty()).then(|| self.named("peers4", Elements::Ipv4(four)));
        let peers6 = (!six.is_empty()).then(|| self.named("peers6", Elements::Ipv6(six)));
        for (protocol, ports) in [(TCP, &openings.peer_tcp), (UDP, &openings.peer_udp)] {
            let Some(ports) = sorted(ports) else {
                continue;
            };
            for (family, field, peers) in [
                (Ipv4, Field::SOURCE4, peers4),
                (Ipv6, Field::SOURCE6, peers6),
            ] {
                if let Some(set) = peers {
                    let mut tests = vec![family, InSet { field, set }, Protocol(protocol)];
                    tests.push(self.port_in(&ports));
                    tests.push(Counter);
                    self.rules.push(accept(tests));
                }
            }
            let tests = vec![Protocol(protocol), self.port_in(&ports)];
            self.rules.push(drop_counted(tests));
        }
    }

    fn services(&mut self, openings: &Openings) {
        for (protocol, ports) in [(TCP, &openings.tcp), (UDP, &openings.udp)] {
            if let Some(ports) = sorted(ports) {
                let tests = vec![Protocol(protocol), self.port_in(&ports), Counter];
                self.rules.push(accept(tests));
            }
        }
    }

    fn named(&mut self, name: &str, elements: Elements) -> usize {
        self.sets.push(Set {
            name: Some(name.to_string()),
            elements,
        });
        self.sets.len() - 1
    }

    /// Destination port is one of these.
    fn port_in(&mut self, ports: &[u16]) -> Expression {
        if let [port] = ports {
            return Bytes {
                field: Field::PORT,
                mask: None,
                value: port.to_be_bytes().to_vec(),
            };
        }
        self.sets.push(Set {
            name: None,
            elements: Elements::Ports(ports.to_vec()),
        });
        InSet {
            field: Field::PORT,
            set: self.sets.len() - 1,
        }
    }
}

fn chain(name: &str, hook: Hook, policy: Verdict, rules: Vec<Rule>) -> Chain {
    Chain {
        name: name.to_string(),
        hook,
        priority: 0,
        policy,
        rules,
    }
}

fn accept(mut tests: Vec<Expression>) -> Rule {
    tests.push(Expression::Verdict(Verdict::Accept));
    Rule(tests)
}

fn drop_counted(mut tests: Vec<Expression>) -> Rule {
    tests.extend([Counter, Expression::Verdict(Verdict::Drop)]);
    Rule(tests)
}

fn icmp(protocol: u8, kind: u8) -> Vec<Expression> {
    let family = if protocol == ICMP { Ipv4 } else { Ipv6 };
    let field = Field::ICMP_TYPE;
    let test = Bytes {
        field,
        mask: None,
        value: vec![kind],
    };
    vec![family, Protocol(protocol), test]
}

/// In order and each once: the kernel refuses a set that names an element twice.
fn sorted(ports: &[u16]) -> Option<Vec<u16>> {
    let mut ports: Vec<u16> = ports.iter().copied().filter(|port| *port > 0).collect();
    ports.sort_unstable();
    ports.dedup();
    (!ports.is_empty()).then_some(ports)
}

fn families(addresses: &[IpAddr]) -> (Vec<Ipv4Addr>, Vec<Ipv6Addr>) {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for address in addresses {
        match address {
            IpAddr::V4(address) => four.push(*address),
            IpAddr::V6(address) => six.push(*address),
        }
    }
    four.sort_unstable();
    four.dedup();
    six.sort_unstable();
    six.dedup();
    (four, six)
}
