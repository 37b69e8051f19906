//! `xStatus`: the state of everything as an indented outline.
//!
//! ```text
//! *s Cluster:
//!     Name: "cluster.example.net"
//!     Peer 1:
//!         Address: "192.0.2.1"
//! *s/end
//! ```

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use super::status::{
    CallStatus, DrainStatus, LicenceStatus, ListenerStatus, RegistrationStatus, Status,
};
use super::words::choose;
use super::{Refusal, operations};
use crate::alarm::Alarm;
use crate::base::socket::Service;
use crate::base::time::Wall;
use crate::cluster::status::{ClusterStatus, PeerState, PeerStatus};
use crate::net::status::LanStatus;
use crate::sip::status::SipStatus;

/// One line of an outline and what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    name: &'static str,
    index: Option<u64>,
    value: Option<String>,
    below: Vec<Node>,
}

/// The whole status.
pub(super) fn status(status: &Status) -> String {
    print(&nodes(status))
}

/// What is below some words of the status, with the lines above it.
pub(super) fn of(status: &Status, words: &[String]) -> Result<String, Refusal> {
    let mut nodes = nodes(status);
    narrow(&mut nodes, words)?;
    Ok(print(&nodes))
}

/// What can follow some words of the status.
pub(super) fn help(status: &Status, words: &[String]) -> Result<String, Refusal> {
    let path: String = words.iter().map(|word| format!(" {word}")).collect();
    let next = next(status, words)?;
    Ok(next
        .iter()
        .map(|word| format!("*h xStatus{path} {word}\n"))
        .collect())
}

/// The words that can follow some words of the status.
pub(super) fn next(status: &Status, words: &[String]) -> Result<Vec<String>, Refusal> {
    let mut level = nodes(status);
    let mut rest = words;
    while !rest.is_empty() {
        let used = choose_among(&mut level, rest)?;
        rest = &rest[used..];
        let numbers_left = used == 1 && level.iter().any(|node| node.index.is_some());
        if rest.is_empty() && numbers_left {
            let numbers = level.iter().filter_map(|node| node.index);
            return Ok(numbers.map(|number| number.to_string()).collect());
        }
        level = level.into_iter().flat_map(|node| node.below).collect();
    }
    let mut names: Vec<String> = level.iter().map(|node| node.name.to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The registrations of an alias (an address of record or a contact, or the user part of one).
pub(super) fn registrations(status: &Status, alias: &str) -> String {
    let alias = plain(alias);
    let is = |registration: &&RegistrationStatus| {
        [&registration.aor, &registration.contact]
            .into_iter()
            .any(|address| {
                let address = plain(address);
                address.eq_ignore_ascii_case(alias)
                    || address.split('@').next().is_some_and(|user| user == alias)
            })
    };
    let found = status.registrations.iter().filter(is);
    print(&[registrations_node(found)])
}

/// An address without its scheme.
fn plain(address: &str) -> &str {
    let scheme = ["sip:", "sips:"].into_iter().find(|scheme| {
        address
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    &address[scheme.map_or(0, str::len)..]
}

fn print(nodes: &[Node]) -> String {
    let mut text = String::new();
    for node in nodes {
        text.push_str("*s ");
        node.print(0, &mut text);
        text.push_str("*s/end\n");
    }
    text
}

/// Leaves only what is below the words.
fn narrow(nodes: &mut Vec<Node>, words: &[String]) -> Result<(), Refusal> {
    if words.is_empty() {
        return Ok(());
    }
    let used = choose_among(nodes, words)?;
    let rest = &words[used..];
    let mut fault = None;
    nodes.retain_mut(|node| match narrow(&mut node.below, rest) {
        Ok(()) => true,
        Err(refusal) => {
            fault = Some(refusal);
            false
        }
    });
    match fault {
        Some(fault) if nodes.is_empty() => Err(fault),
        Some(_) | None => Ok(()),
    }
}

/// Leaves only the nodes that the first words name; gives how many words it took.
fn choose_among(nodes: &mut Vec<Node>, words: &[String]) -> Result<usize, Refusal> {
    let typed = words[0].as_str();
    let name = choose(nodes.iter().map(|node| node.name), typed).map_err(|several| {
        Refusal::because(if several.is_empty() {
            format!("{typed}: there is no such status")
        } else {
            format!("{typed}: this may be {}", several.join(", "))
        })
    })?;
    nodes.retain(|node| node.name == name);
    let Some(second) = words.get(1) else {
        return Ok(1);
    };
    let Ok(index) = second.parse::<u64>() else {
        return Ok(1);
    };
    nodes.retain(|node| node.index == Some(index));
    if nodes.is_empty() {
        return Err(Refusal::because(format!(
            "{name} {index}: there is no such status"
        )));
    }
    Ok(2)
}

impl Node {
    pub(super) fn branch(name: &'static str, below: Vec<Self>) -> Self {
        Self {
            name,
            index: None,
            value: None,
            below,
        }
    }

    pub(super) fn item(name: &'static str, index: usize, below: Vec<Self>) -> Self {
        Self {
            index: Some(index as u64),
            ..Self::branch(name, below)
        }
    }

    /// A text, in quotation marks.
    pub(super) fn text(name: &'static str, value: impl ToString) -> Self {
        // What a phone calls itself may hold anything; it stays one line and one string.
        let clean = |c: char| if c == '"' || c.is_control() { '\'' } else { c };
        let value: String = value.to_string().chars().map(clean).collect();
        Self {
            value: Some(format!("\"{value}\"")),
            ..Self::branch(name, Vec::new())
        }
    }

    /// A number or a word.
    pub(super) fn word(name: &'static str, value: impl ToString) -> Self {
        Self {
            value: Some(value.to_string()),
            ..Self::branch(name, Vec::new())
        }
    }

    fn print(&self, depth: usize, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:width$}{}", "", self.name, width = depth * 4);
        if let Some(index) = self.index {
            let _ = write!(text, " {index}");
        }
        match &self.value {
            Some(value) => {
                let _ = writeln!(text, ": {value}");
            }
            None => text.push_str(":\n"),
        }
        for node in &self.below {
            node.print(depth + 1, text);
        }
    }
}

fn nodes(status: &Status) -> Vec<Node> {
    let system = &status.system;
    let mut nodes = vec![
        Node::branch("Alarm", numbered("Alarm", status.alarms.iter().map(alarm))),
        Node::branch(
            "Calls",
            numbered(
                "Call",
                status.calls.iter().map(|row| call(row, system.time)),
            ),
        ),
        Node::branch("Cluster", cluster(&status.cluster)),
        Node::branch("Licences", licences(&status.licences)),
        Node::branch("Maintenance", maintenance(&status.drains)),
    ];
    if !status.lans.is_empty() {
        let lan = |lan: &LanStatus| Node::item("LAN", usize::from(lan.number), self::lan(lan));
        nodes.push(Node::branch(
            "NetworkInterface",
            status.lans.iter().map(lan).collect(),
        ));
    }
    nodes.extend([
        Node::branch("Operation", operations::nodes(&status.operation)),
        Node::branch(
            "PortUsage",
            numbered("Port", status.listeners.iter().map(listener)),
        ),
        registrations_node(status.registrations.iter()),
        Node::branch("SIP", sip(&status.sip)),
        Node::branch(
            "SystemUnit",
            vec![
                Node::text("Name", &system.name),
                Node::text("Product", "Causeway"),
                Node::text("SerialNumber", system.id),
                Node::word("SetUp", if system.set_up { "Required" } else { "Done" }),
                Node::branch("Software", vec![Node::text("Version", &system.version)]),
                Node::word("Uptime", system.uptime.as_secs()),
            ],
        ),
        Node::branch("Time", vec![Node::text("SystemTime", system.time)]),
    ]);
    nodes
}

fn numbered(name: &'static str, rows: impl Iterator<Item = Vec<Node>>) -> Vec<Node> {
    let rows = rows.enumerate();
    rows.map(|(place, below)| Node::item(name, place + 1, below))
        .collect()
}

fn alarm(alarm: &Alarm) -> Vec<Node> {
    let severity = super::severity(alarm.condition.kind.severity);
    vec![
        Node::word("ID", alarm.condition.kind.id),
        Node::text("Title", alarm.condition.kind.title),
        Node::text("Detail", &alarm.condition.detail),
        Node::word("Severity", severity),
        Node::word(
            "State",
            if alarm.acknowledged {
                "Acknowledged"
            } else {
                "Unacknowledged"
            },
        ),
        Node::text("FirstRaised", alarm.first),
        Node::text("LastRaised", alarm.last),
        Node::word("Count", alarm.count),
        Node::text("Remedy", alarm.condition.kind.remedy),
    ]
}

fn cluster(cluster: &ClusterStatus) -> Vec<Node> {
    let (epoch, number) = cluster.revision;
    let database = match (cluster.peers.is_empty(), cluster.database_active) {
        (true, _) => "Inactive",
        (false, true) => "Active",
        (false, false) => "Failed",
    };
    let mut nodes = vec![
        Node::text("Name", &cluster.name),
        Node::word("ConfigurationPrimary", place(cluster.primary)),
        Node::word("LocalPeer", place(cluster.own)),
        Node::word("Epoch", cluster.epoch),
        Node::text("Revision", format!("{epoch}.{number}")),
        Node::word("Database", database),
    ];
    let peer = |peer: &PeerStatus| {
        Node::item(
            "Peer",
            usize::from(peer.position.number()),
            self::peer(peer),
        )
    };
    nodes.extend(cluster.peers.iter().map(peer));
    nodes
}

fn place(position: Option<crate::base::ids::Position>) -> String {
    position.map_or_else(|| "None".into(), |position| position.to_string())
}

fn peer(peer: &PeerStatus) -> Vec<Node> {
    let state = match peer.state {
        PeerState::ThisSystem => "This system",
        PeerState::Active => "Active",
        PeerState::Failed => "Failed",
        PeerState::Unknown => "Unknown",
    };
    let mut nodes = vec![
        Node::text("Address", &peer.address),
        Node::text("Status", state),
    ];
    nodes.extend(
        peer.reason
            .as_ref()
            .map(|reason| Node::text("Reason", reason)),
    );
    nodes.extend(peer.id.map(|id| Node::text("SerialNumber", id)));
    nodes.push(Node::text("Certificate", &peer.certificate));
    let version = peer.version.as_ref();
    nodes.extend(version.map(|version| Node::text("Version", version)));
    nodes.extend(
        peer.round_trip
            .map(|time| Node::text("RoundTrip", milliseconds(time))),
    );
    nodes.extend(
        peer.last_contact
            .map(|wall: Wall| Node::text("LastContact", wall)),
    );
    let revision = peer.revision;
    nodes.extend(revision.map(|(epoch, n)| Node::text("Revision", format!("{epoch}.{n}"))));
    nodes.extend(peer.lag.map(|lag| Node::word("Lag", lag)));
    nodes.push(Node::word("SharedItems", peer.items));
    nodes
}

fn milliseconds(time: Duration) -> String {
    let micros = time.as_micros();
    format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
}

fn lan(lan: &LanStatus) -> Vec<Node> {
    let mut nodes = Vec::new();
    let interface = lan.interface.as_ref();
    nodes.extend(interface.map(|interface| Node::text("Interface", interface)));
    nodes.extend(lan.mac.map(|mac| {
        let bytes = mac.map(|byte| format!("{byte:02x}"));
        Node::text("MacAddress", bytes.join(":"))
    }));
    nodes.push(Node::word("Link", if lan.link { "Up" } else { "Down" }));
    let address = |(place, (address, prefix)): (usize, &(core::net::IpAddr, u8))| {
        let value = Node::text("Address", format!("{address}/{prefix}"));
        Node::item("IP", place + 1, vec![value])
    };
    nodes.extend(lan.addresses.iter().enumerate().map(address));
    nodes.extend(lan.fault.as_ref().map(|fault| Node::text("Fault", fault)));
    nodes
}

fn listener(listener: &ListenerStatus) -> Vec<Node> {
    let service = match listener.service {
        Service::SipUdp => "SIP UDP",
        Service::SipTcp => "SIP TCP",
        Service::PeerConfiguration => "Cluster configuration TLS",
        Service::PeerState => "Cluster state TLS",
        Service::PeerBeat => "Cluster beat UDP",
        Service::Web => "HTTPS",
    };
    let mut nodes = vec![
        Node::text("Service", service),
        Node::text("Address", listener.address),
        Node::word(
            "State",
            if listener.fault.is_none() {
                "Open"
            } else {
                "Failed"
            },
        ),
    ];
    nodes.extend(
        listener
            .fault
            .as_ref()
            .map(|fault| Node::text("Fault", fault)),
    );
    nodes
}

fn registrations_node<'a>(rows: impl Iterator<Item = &'a RegistrationStatus>) -> Node {
    Node::branch(
        "Registrations",
        numbered("Registration", rows.map(registration)),
    )
}

fn registration(registration: &RegistrationStatus) -> Vec<Node> {
    vec![
        Node::text("Alias", &registration.aor),
        Node::text("Contact", &registration.contact),
        Node::word("Peer", place(registration.peer)),
        Node::word("ExpiresIn", registration.expires_in.as_secs()),
        Node::text("UserAgent", &registration.user_agent),
    ]
}

fn call(call: &CallStatus, now: Wall) -> Vec<Node> {
    let lasted = now.as_millis().saturating_sub(call.since.as_millis()) / 1_000;
    let peers: Vec<String> = call.peers.iter().map(ToString::to_string).collect();
    let mut nodes = vec![
        Node::text("CallId", call.id),
        Node::word("State", "Connected"),
        Node::text("From", &call.from),
        Node::text("To", &call.to),
        Node::text("StartTime", call.since),
        Node::word("Duration", lasted),
    ];
    if !peers.is_empty() {
        nodes.push(Node::text("Peers", peers.join(", ")));
    }
    let control = if call.controlled { "Full" } else { "None" };
    nodes.push(Node::word("Control", control));
    nodes
}

fn licences(licences: &LicenceStatus) -> Vec<Node> {
    let number = |calls: Option<u64>| match calls {
        Some(calls) => calls.to_string(),
        None => "Unlimited".into(),
    };
    let mut calls = vec![
        Node::word("Pool", number(licences.calls)),
        Node::word("InUse", licences.in_use),
    ];
    for share in &licences.shares {
        let mut nodes = vec![Node::word("Installed", number(share.calls.map(u64::from)))];
        let state = if share.until.is_some() {
            "Lost"
        } else {
            "Active"
        };
        nodes.push(Node::word("State", state));
        nodes.extend(share.until.map(|until| Node::text("Until", until)));
        calls.push(Node::item("Peer", usize::from(share.peer.number()), nodes));
    }
    vec![Node::branch("Calls", calls)]
}

/// What is left to do here, then at each other peer.
fn maintenance(drains: &[DrainStatus]) -> Vec<Node> {
    let facts = |drain: &DrainStatus| {
        let load = &drain.load;
        let mode = if load.maintenance { "On" } else { "Off" };
        vec![
            Node::word("Mode", mode),
            Node::word("Calls", load.calls),
            Node::word("Registrations", load.registrations),
            Node::word("Drained", if drain.is_drained() { "True" } else { "False" }),
        ]
    };
    let Some((own, others)) = drains.split_first() else {
        return Vec::new();
    };
    let mut nodes = facts(own);
    for drain in others {
        if let Some(peer) = drain.peer {
            nodes.push(Node::item("Peer", usize::from(peer.number()), facts(drain)));
        }
    }
    nodes
}

fn sip(sip: &SipStatus) -> Vec<Node> {
    vec![
        Node::word("Calls", sip.calls),
        Node::word("Transactions", sip.transactions),
        Node::word("Registrations", sip.registrations),
        Node::word("Requests", sip.requests),
        Node::word("Malformed", sip.malformed),
        Node::word("Shed", sip.shed),
    ]
}
