//! The pre-flight: every prerequisite of clustering as a check against the live peers (SPEC CL4).
//!
//! Each peer tells its facts as names with values, so that newer versions can tell more. A check
//! whose fact nobody tells says *not checked*: it never passes for want of knowledge. To add a
//! check, add a row to `CHECKS` and, where it needs one, a fact to those that a node tells.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::base::limits;

/// Facts of one peer: a name, and values in any order.
pub type Facts = BTreeMap<String, Vec<String>>;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Name of the check, by which it can be overridden.
    pub check: String,
    /// What it examines.
    pub title: String,
    /// What came out.
    pub outcome: Outcome,
    /// Whether the administrator let it pass.
    pub overridden: bool,
}

/// What came out of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All is well.
    Passed,
    /// This is wrong.
    Failed(String),
    /// It could not be examined, for this reason.
    NotChecked(String),
}

/// When a check applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Before a system becomes part of a cluster.
    Forming,
    /// Before any change of a cluster.
    Always,
}

/// One check.
struct Check {
    name: &'static str,
    when: When,
    title: &'static str,
    judge: fn(&Subject<'_>) -> Outcome,
}

/// What is examined.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Peers of the cluster by address, with their facts; `None` for one that did not answer.
    pub peers: &'a [(String, Option<Facts>)],
    /// The system that is to become a peer, by address.
    pub joiner: Option<&'a (String, Facts)>,
}

const fn check(
    name: &'static str,
    when: When,
    title: &'static str,
    judge: fn(&Subject<'_>) -> Outcome,
) -> Check {
    Check {
        name,
        when,
        title,
        judge,
    }
}

/// Every check, in the order of the report.
const CHECKS: &[Check] = &[
    check("Answers", When::Always, "every peer answers", answers),
    check(
        "Version",
        When::Always,
        "all run the same software",
        |subject| same(subject, &["software", "schema"]),
    ),
    check(
        "Reachability",
        When::Always,
        "every peer reaches every other directly",
        reachability,
    ),
    check(
        "Replication",
        When::Always,
        "all peers hold the same configuration",
        replication,
    ),
    check(
        "RoundTrip",
        When::Forming,
        "the round trip is at most 80 ms",
        round_trip,
    ),
    check(
        "Platform",
        When::Forming,
        "platforms are equivalent",
        |subject| same(subject, &["platform"]),
    ),
    check(
        "Addresses",
        When::Forming,
        "addresses are unique",
        |subject| unique(subject, "address"),
    ),
    check(
        "NAT",
        When::Forming,
        "no address is translated on the way",
        |subject| none(subject, "translated", "is seen from another address"),
    ),
    check(
        "SystemName",
        When::Forming,
        "system names are unique",
        |subject| unique(subject, "name"),
    ),
    check(
        "HostName",
        When::Forming,
        "host names are unique",
        |subject| unique(subject, "host"),
    ),
    check(
        "Domain",
        When::Forming,
        "all are in the same domain",
        |subject| same(subject, &["domain"]),
    ),
    check(
        "Certificates",
        When::Forming,
        "certificates fit",
        |subject| {
            none(
                subject,
                "certificate-faults",
                "has a certificate that does not fit",
            )
        },
    ),
    check(
        "PrivateKey",
        When::Forming,
        "no two share a private key",
        |subject| unique(subject, "public-key"),
    ),
    check(
        "OptionKeys",
        When::Forming,
        "feature option keys are the same",
        |subject| same(subject, &["option-keys"]),
    ),
    check("H323", When::Forming, "H.323 mode is on", |subject| {
        is(subject, "h323-mode", "On")
    }),
    check("NTP", When::Forming, "time is synchronised", |subject| {
        is(subject, "time", "Synchronized")
    }),
    check(
        "DNS",
        When::Forming,
        "names resolve forward and reverse",
        |subject| none(subject, "dns-faults", "cannot resolve"),
    ),
    check(
        "Neighbours",
        When::Forming,
        "no zone points at a peer",
        |subject| none(subject, "zone-faults", "has a zone towards a peer"),
    ),
    check(
        "Type",
        When::Forming,
        "all are of the same type",
        |subject| same(subject, &["type"]),
    ),
    check(
        "EthernetSpeed",
        When::Forming,
        "the Ethernet speed is valid",
        |subject| none(subject, "ethernet-faults", "has an Ethernet fault"),
    ),
    check(
        "Gateway",
        When::Forming,
        "an IP gateway is set",
        |subject| {
            each(subject, "gateway", |values| {
                values.is_empty().then(|| "has no IP gateway".to_string())
            })
        },
    ),
    check(
        "NoPeers",
        When::Forming,
        "the new system has no peers",
        |subject| of_joiner(subject, "peers", "still has peers configured"),
    ),
    check(
        "OtherCluster",
        When::Forming,
        "the new system is in no cluster",
        |subject| {
            of_joiner(
                subject,
                "former-cluster",
                "was in a cluster and has not been reset",
            )
        },
    ),
    check(
        "Restart",
        When::Forming,
        "no restart is pending",
        |subject| none(subject, "restart", "must be restarted"),
    ),
    check(
        "Alarms",
        When::Forming,
        "no alarm is unacknowledged",
        |subject| none(subject, "alarms", "has unacknowledged alarms"),
    ),
];

/// Names of all checks, for help and for those who override.
pub fn names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|check| check.name)
}

/// Makes every check that applies; those named in `overrides` do not block.
pub fn examine(subject: &Subject<'_>, forming: bool, overrides: &[String]) -> Vec<Finding> {
    let applies = |check: &&Check| forming || check.when == When::Always;
    let find = |check: &Check| Finding {
        check: check.name.into(),
        title: check.title.into(),
        outcome: (check.judge)(subject),
        overridden: overrides
            .iter()
            .any(|name| name.eq_ignore_ascii_case(check.name)),
    };
    CHECKS.iter().filter(applies).map(find).collect()
}

/// The names in `overrides` that no check has.
pub fn unknown(overrides: &[String]) -> Vec<&str> {
    let known = |name: &&String| names().any(|check| check.eq_ignore_ascii_case(name));
    let unknown = overrides.iter().filter(|name| !known(name));
    unknown.map(String::as_str).collect()
}

impl Finding {
    /// Whether it stands in the way.
    pub fn blocks(&self) -> bool {
        !self.overridden && self.outcome != Outcome::Passed
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let Self { check, title, .. } = self;
        let after = if self.overridden { " (overridden)" } else { "" };
        match &self.outcome {
            Outcome::Passed => format!("passed       {check}: {title}"),
            Outcome::Failed(reason) => format!("FAILED       {check}: {title}: {reason}{after}"),
            Outcome::NotChecked(reason) => {
                format!("not checked  {check}: {title}: {reason}{after}")
            }
        }
    }
}

impl Subject<'_> {
    /// Everybody who answered, by address.
    fn told(&self) -> impl Iterator<Item = (&str, &Facts)> {
        let peers = self.peers.iter();
        let peers = peers.filter_map(|(address, facts)| Some((address.as_str(), facts.as_ref()?)));
        peers.chain(
            self.joiner
                .map(|(address, facts)| (address.as_str(), facts)),
        )
    }

    /// A fact of everybody who answered.
    fn fact(&self, name: &str) -> Result<Vec<(&str, &[String])>, Outcome> {
        let value = |(address, facts): (_, &'_ Facts)| match facts.get(name) {
            Some(_) => Ok(address),
            None => Err(Outcome::NotChecked(format!(
                "{address} does not tell: this version has nothing that would know"
            ))),
        };
        for told in self.told() {
            value(told)?;
        }
        let facts = self.told();
        Ok(facts
            .filter_map(|(address, facts)| Some((address, facts.get(name)?.as_slice())))
            .collect())
    }
}

fn answers(subject: &Subject<'_>) -> Outcome {
    let silent = subject.peers.iter().filter(|(_, facts)| facts.is_none());
    let silent: Vec<&str> = silent.map(|(address, _)| address.as_str()).collect();
    faults(match silent[..] {
        [] => Vec::new(),
        _ => alloc::vec![format!("no answer from {}", silent.join(", "))],
    })
}

/// Everybody tells the same of each of these facts, and something.
fn same(subject: &Subject<'_>, names: &[&str]) -> Outcome {
    for name in names {
        let values = match subject.fact(name) {
            Ok(values) => values,
            Err(outcome) => return outcome,
        };
        let Some((first, expected)) = values.first() else {
            return Outcome::NotChecked("nobody answered".into());
        };
        let text = |values: &[String]| match values {
            [] => "none".to_string(),
            _ => values.join(", "),
        };
        let other = values.iter().find(|(_, value)| value != expected);
        if let Some((other, value)) = other {
            return Outcome::Failed(format!(
                "{name}: {first} has {}, {other} has {}",
                text(expected),
                text(value)
            ));
        }
        if *name != "option-keys" && expected.iter().all(String::is_empty) {
            return Outcome::Failed(format!("{name}: nobody has one"));
        }
    }
    Outcome::Passed
}

/// Everybody tells something that nobody else tells.
fn unique(subject: &Subject<'_>, name: &str) -> Outcome {
    let values = match subject.fact(name) {
        Ok(values) => values,
        Err(outcome) => return outcome,
    };
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (address, values) in values {
        if values.iter().all(String::is_empty) {
            wrong.push(format!("{address} has none"));
        }
        for value in values.iter().filter(|value| !value.is_empty()) {
            if let Some(other) = seen.insert(value, address) {
                wrong.push(format!("{other} and {address} both have {value}"));
            }
        }
    }
    faults(wrong)
}

/// Nobody tells anything of this fact.
fn none(subject: &Subject<'_>, name: &str, fault: &str) -> Outcome {
    each(subject, name, |values| {
        (!values.is_empty()).then(|| format!("{fault}: {}", values.join(", ")))
    })
}

/// Everybody tells this.
fn is(subject: &Subject<'_>, name: &str, wanted: &str) -> Outcome {
    each(subject, name, |values| {
        let fits = values.iter().any(|value| value == wanted);
        (!fits).then(|| format!("has {}", values.join(", ")))
    })
}

fn each(subject: &Subject<'_>, name: &str, fault: impl Fn(&[String]) -> Option<String>) -> Outcome {
    let values = match subject.fact(name) {
        Ok(values) => values,
        Err(outcome) => return outcome,
    };
    let fault = |(address, values): &(&str, &[String])| {
        fault(values).map(|fault| format!("{address} {fault}"))
    };
    faults(values.iter().filter_map(fault).collect())
}

fn of_joiner(subject: &Subject<'_>, name: &str, fault: &str) -> Outcome {
    let Some((address, facts)) = subject.joiner else {
        return Outcome::Passed;
    };
    match facts.get(name) {
        None => Outcome::NotChecked(format!("{address} does not tell")),
        Some(values) if values.is_empty() => Outcome::Passed,
        Some(values) => Outcome::Failed(format!("{address} {fault}: {}", values.join(", "))),
    }
}

/// The full matrix: every peer sees every other as active, and the joiner reaches all.
fn reachability(subject: &Subject<'_>) -> Outcome {
    let all: BTreeSet<&str> = subject.peers.iter().map(|(a, _)| a.as_str()).collect();
    let mut wrong = Vec::new();
    for (address, facts) in subject.told() {
        let Some(reached) = facts.get("reaches") else {
            return Outcome::NotChecked(format!("{address} does not tell"));
        };
        let missed = all.iter().filter(|other| {
            **other != address && !reached.iter().any(|reached| reached == **other)
        });
        wrong.extend(missed.map(|other| format!("{address} does not reach {other}")));
    }
    faults(wrong)
}

fn replication(subject: &Subject<'_>) -> Outcome {
    let peers = Subject {
        peers: subject.peers,
        joiner: None,
    };
    if peers.peers.is_empty() {
        return Outcome::Passed;
    }
    same(&peers, &["revision"])
}

/// `address milliseconds` for every peer that a peer measures. A round trip is the same from both
/// ends, so one of them is enough.
fn round_trip(subject: &Subject<'_>) -> Outcome {
    let most = limits::ROUND_TRIP_MAX.as_millis();
    let measured = |from: &Facts, to: &str| {
        let times = from.get("round-trips")?;
        let of = |line: &String| {
            let (other, time) = line.split_once(' ')?;
            (other == to).then(|| time.parse::<u128>().ok()).flatten()
        };
        times.iter().find_map(of)
    };
    let all: Vec<(&str, &Facts)> = subject.told().collect();
    let mut missing = Vec::new();
    let mut wrong = Vec::new();
    for (place, (one, facts)) in all.iter().enumerate() {
        for (two, others) in &all[place + 1..] {
            match measured(facts, two).max(measured(others, one)) {
                None => missing.push(format!("{one} to {two}")),
                Some(time) if time > most => wrong.push(format!("{one} to {two}: {time} ms")),
                Some(_) => {}
            }
        }
    }
    let told = all
        .iter()
        .all(|(_, facts)| facts.contains_key("round-trips"));
    if !told {
        return Outcome::NotChecked("not measured".into());
    }
    match (wrong.is_empty(), missing.is_empty()) {
        (true, true) => Outcome::Passed,
        (false, _) => faults(wrong),
        (true, false) => Outcome::NotChecked(format!("not measured: {}", missing.join(", "))),
    }
}

fn faults(faults: Vec<String>) -> Outcome {
    if faults.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(faults.join("; "))
    }
}
