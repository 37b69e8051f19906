//! Network interfaces and firewall as wanted, seen, and the steps between (SPEC NW, FW).
//!
//! [`Net`] compares what is wanted with what the kernel holds and asks the `system` role for the
//! steps between. It never trusts that a step worked: it looks again. The firewall goes before the
//! links, so no link is ever up without it. Start at `Net::advance`.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::alarm::{Condition, catalogue};
use crate::base::limits::ROUTE_MESSAGES;
use crate::base::time::Instant;
use crate::wire::netlink::answer::{Fault, answers};
use crate::wire::netlink::route::Request;

use machine::{MachineReport, MachineRequest};
use seen::Seen;
use status::LanStatus;

pub mod firewall;
pub mod guard;
pub mod machine;
pub mod seen;
pub mod status;
mod steps;
pub mod wanted;

pub use steps::{Plan, plan};
pub use wanted::{Lan, Openings, Wanted};

/// How long the `system` role may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Pause before a step that failed is tried again.
const RETRY_TIME: Duration = Duration::from_secs(5);

/// Rounds of steps without a pause; more than this means that something undoes them.
const ROUNDS: u32 = 3;

/// Interfaces, routes and firewall of this machine.
#[derive(Debug, Default)]
pub struct Net {
    wanted: Option<Wanted>,
    machine: Machine,
    /// What the firewall lets in now; `None` while only the drop-all set is known to hold.
    firewall: Option<Openings>,
    /// What the kernel held when it was last looked at.
    seen: Option<Seen>,
    /// Whether something was done since, so that the next step needs another look.
    stale: bool,
    host_name: String,
    waiting: Option<Waiting>,
    retry: Option<Instant>,
    /// Rounds of steps since the kernel last held all that is wanted.
    rounds: u32,
    faults: Faults,
    sequence: u32,
    requests: VecDeque<MachineRequest>,
}

/// Whose machine this is.
#[derive(Debug, Default)]
enum Machine {
    /// The `system` role has not spoken yet.
    #[default]
    Unknown,
    /// Not ours: nothing to do.
    Absent,
    /// Ours; kernel names of LAN1 and LAN2.
    Ours { lan: [Option<String>; 2] },
}

/// The one request that is under way.
#[derive(Debug)]
struct Waiting {
    sequence: u32,
    since: Instant,
    what: Asked,
}

#[derive(Debug)]
enum Asked {
    Look,
    Firewall(Openings),
    Route(Vec<Request>),
}

/// What does not stand as wanted, by kind.
#[derive(Debug, Default)]
struct Faults {
    machine: Option<String>,
    firewall: Option<String>,
    /// Each with the number of the interface that it concerns, when it does one alone.
    steps: Vec<(Option<u32>, String)>,
    obstacles: Vec<String>,
}

impl Net {
    /// Nothing is wanted and nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is wanted from now on.
    pub fn configure(&mut self, now: Instant, wanted: Wanted) {
        if self.wanted.as_ref() != Some(&wanted) {
            self.wanted = Some(wanted);
            self.rounds = 0;
            self.retry = None;
            self.advance(now);
        }
    }

    /// Takes in what the `system` role reported. An answer to a question that nobody asked, or
    /// asks no longer, changes nothing.
    pub fn handle(&mut self, now: Instant, report: MachineReport) {
        match report {
            MachineReport::Absent => self.machine = Machine::Absent,
            MachineReport::Started { lan, closed } => {
                self.machine = Machine::Ours { lan };
                self.faults.machine = closed.err();
                self.firewall = None;
                self.seen = None;
                self.waiting = None;
                self.retry = None;
                self.rounds = 0;
                self.host_name = String::new();
                self.requests.clear();
            }
            MachineReport::Seen { dumps } => self.saw(now, &dumps),
            MachineReport::Route {
                sequence,
                answers: datagrams,
            } => self.routed(now, sequence, &datagrams),
            MachineReport::Firewall {
                sequence,
                answers: datagrams,
            } => self.firewalled(now, sequence, &datagrams),
            MachineReport::Refused { sequence, reason } => self.refused(now, sequence, reason),
        }
        self.advance(now);
    }

    /// A wake-up that [`Self::poll_timeout`] asked for may be due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late = self
            .waiting
            .as_ref()
            .is_some_and(|waiting| now.since(waiting.since) >= ANSWER_TIME);
        if late {
            self.waiting = None;
            self.faults.machine = Some("the system role does not answer".to_string());
            self.retry = Some(now + RETRY_TIME);
        }
        if self.retry.is_some_and(|retry| now >= retry) {
            self.retry = None;
            self.rounds = 0;
            self.stale = true;
        }
        self.advance(now);
    }

    /// The next thing to ask of the `system` role.
    pub fn poll_action(&mut self) -> Option<MachineRequest> {
        self.requests.pop_front()
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let answer = self
            .waiting
            .as_ref()
            .map(|waiting| waiting.since + ANSWER_TIME);
        answer.or(self.retry)
    }

    /// Whether the kernel held all that is wanted when it was last looked at.
    pub fn is_settled(&self) -> bool {
        match self.machine {
            Machine::Unknown => false,
            Machine::Absent => true,
            Machine::Ours { .. } => {
                self.wanted.is_some() && self.waiting.is_none() && self.conditions().is_empty()
            }
        }
    }

    /// LAN1 and LAN2 as the kernel holds them; empty when the machine is not ours.
    pub fn status(&self) -> Vec<LanStatus> {
        let Machine::Ours { lan } = &self.machine else {
            return Vec::new();
        };
        let one = |(number, name): (u8, &Option<String>)| {
            let seen = self.seen.as_ref();
            let link = seen
                .zip(name.as_deref())
                .and_then(|(seen, name)| seen.link(name));
            let addresses = seen.zip(link).map(|(seen, link)| {
                let own = seen
                    .addresses
                    .iter()
                    .filter(|held| held.index == link.index);
                own.map(|held| (held.address, held.prefix)).collect()
            });
            LanStatus {
                number,
                interface: name.clone(),
                mac: link.and_then(|link| link.mac),
                link: link.is_some_and(|link| link.up && link.running),
                addresses: addresses.unwrap_or_default(),
                fault: self.fault_of(link.map(|link| link.index)),
            }
        };
        (1..).zip(lan).map(one).collect()
    }

    /// What does not stand as it is wanted.
    pub fn conditions(&self) -> Vec<Condition> {
        let mut conditions = Vec::new();
        if let Some(fault) = &self.faults.machine {
            conditions.push(catalogue::MACHINE_LOST.about("", fault.clone()));
        }
        if let Some(fault) = &self.faults.firewall {
            conditions.push(catalogue::FIREWALL_REFUSED.about("", fault.clone()));
        }
        let steps = self.faults.steps.iter().map(|(_, fault)| fault);
        for fault in steps.chain(&self.faults.obstacles) {
            conditions.push(catalogue::NETWORK_REFUSED.about(fault.clone(), fault.clone()));
        }
        for address in self.duplicates() {
            conditions.push(catalogue::ADDRESS_IN_USE.about(address.clone(), address));
        }
        conditions
    }

    /// Asks for the next thing between seen and wanted, one at a time: host name, firewall, then
    /// what the kernel holds and the steps that follow from it.
    fn advance(&mut self, now: Instant) {
        let Machine::Ours { lan } = &self.machine else {
            return;
        };
        if self.waiting.is_some() || self.retry.is_some() {
            return;
        }
        let Some(wanted) = &self.wanted else {
            return;
        };
        if !wanted.host_name.is_empty() && self.host_name != wanted.host_name {
            self.host_name.clone_from(&wanted.host_name);
            let request = MachineRequest::HostName(wanted.host_name.clone());
            self.requests.push_back(request);
        }
        if self.firewall.as_ref() != Some(&wanted.openings) {
            let openings = wanted.openings.clone();
            self.ask_firewall(now, openings);
            return;
        }
        let Some(seen) = self.seen.as_ref().filter(|_| !self.stale) else {
            self.ask(now, Asked::Look, |_| MachineRequest::Look);
            return;
        };
        let plan = plan(wanted, lan, seen);
        self.faults.obstacles = plan.obstacles;
        if plan.steps.is_empty() {
            self.rounds = 0;
            self.faults.steps.clear();
        } else if self.rounds < ROUNDS {
            self.rounds += 1;
            self.ask_route(now, plan.steps);
        } else {
            if self.faults.steps.is_empty() {
                let text = format!("{} steps do not last", plan.steps.len());
                self.faults.steps.push((None, text));
            }
            self.retry = Some(now + RETRY_TIME);
        }
    }

    fn ask_firewall(&mut self, now: Instant, openings: Openings) {
        match firewall::base(&openings).replacement(1) {
            Ok(batch) => self.ask(now, Asked::Firewall(openings), |sequence| {
                MachineRequest::Firewall { sequence, batch }
            }),
            // Only a set of thousands of ports could be too long for an attribute.
            Err(fault) => {
                self.faults.firewall = Some(format!("the rules cannot be written: {fault}"));
                self.retry = Some(now + RETRY_TIME);
            }
        }
    }

    fn ask_route(&mut self, now: Instant, mut steps: Vec<Request>) {
        // The rest follows in the next round.
        steps.truncate(ROUTE_MESSAGES);
        let encode = |(number, step): (u32, &Request)| step.encode(number).ok();
        let messages: Vec<_> = (1..).zip(&steps).filter_map(encode).collect();
        self.ask(now, Asked::Route(steps), |sequence| MachineRequest::Route {
            sequence,
            messages,
        });
    }

    fn ask(&mut self, now: Instant, what: Asked, request: impl FnOnce(u32) -> MachineRequest) {
        self.sequence = self.sequence.wrapping_add(1);
        self.requests.push_back(request(self.sequence));
        self.waiting = Some(Waiting {
            sequence: self.sequence,
            since: now,
            what,
        });
    }

    fn saw(&mut self, now: Instant, dumps: &[Vec<u8>]) {
        let asked = matches!(
            &self.waiting,
            Some(Waiting {
                what: Asked::Look,
                ..
            })
        );
        if asked {
            self.waiting = None;
        }
        match Seen::read(dumps) {
            Ok(seen) => {
                self.seen = Some(seen);
                self.stale = false;
                if self.waiting.is_none() && self.firewall.is_some() {
                    self.faults.machine = None;
                }
            }
            Err(fault) => {
                self.faults.machine =
                    Some(format!("the kernel's answer is not understood: {fault}"));
                self.retry = Some(now + RETRY_TIME);
            }
        }
    }

    fn routed(&mut self, now: Instant, sequence: u32, datagrams: &[Vec<u8>]) {
        let Some(Asked::Route(steps)) =
            self.take_waiting(sequence, |what| matches!(what, Asked::Route(_)))
        else {
            return;
        };
        self.faults.steps.clear();
        for datagram in datagrams {
            for answer in answers(datagram).unwrap_or_default() {
                let step = (answer.sequence as usize)
                    .checked_sub(1)
                    .and_then(|index| steps.get(index));
                if let (Some(step), Err(fault)) = (step, answer.result)
                    && !harmless(step, &fault)
                {
                    let text = format!("{}: {fault}", describe(step));
                    self.faults.steps.push((interface(step), text));
                }
            }
        }
        // Whatever was answered, what counts is what the kernel holds now.
        self.stale = true;
        if !self.faults.steps.is_empty() {
            self.retry = Some(now + RETRY_TIME);
        }
    }

    fn firewalled(&mut self, now: Instant, sequence: u32, datagrams: &[Vec<u8>]) {
        let Some(Asked::Firewall(openings)) =
            self.take_waiting(sequence, |what| matches!(what, Asked::Firewall(_)))
        else {
            return;
        };
        let mut done = 0;
        let mut faults = BTreeSet::new();
        for datagram in datagrams {
            match answers(datagram) {
                Ok(answers) => {
                    for answer in answers {
                        match answer.result {
                            Ok(()) => done += 1,
                            Err(fault) => {
                                faults.insert(fault.to_string());
                            }
                        }
                    }
                }
                Err(fault) => {
                    faults.insert(fault.to_string());
                }
            }
        }
        // The batch is atomic: one refusal and nothing of it is in force.
        if faults.is_empty() && done > 0 {
            self.firewall = Some(openings);
            self.faults.firewall = None;
        } else {
            let faults: Vec<String> = faults.into_iter().collect();
            self.faults.firewall = Some(format!(
                "the kernel refused the rules: {}",
                faults.join("; ")
            ));
            self.retry = Some(now + RETRY_TIME);
        }
    }

    fn refused(&mut self, now: Instant, sequence: Option<u32>, reason: String) {
        let waited =
            sequence.is_none() || self.waiting.as_ref().map(|waiting| waiting.sequence) == sequence;
        if waited {
            self.waiting = None;
            self.faults.machine = Some(reason);
            self.retry = Some(now + RETRY_TIME);
        }
    }

    /// What was asked with this number, when that is the question under way and of this kind.
    fn take_waiting(&mut self, sequence: u32, kind: impl Fn(&Asked) -> bool) -> Option<Asked> {
        let waiting = self
            .waiting
            .take_if(|waiting| waiting.sequence == sequence && kind(&waiting.what))?;
        Some(waiting.what)
    }

    /// What the kernel refused for this interface, or found wrong with its addresses.
    fn fault_of(&self, index: Option<u32>) -> Option<String> {
        let index = index?;
        let mut steps = self.faults.steps.iter();
        let refused = steps.find(|(concerned, _)| concerned.is_none_or(|own| own == index));
        let mut addresses = self.seen.iter().flat_map(|seen| &seen.addresses);
        let duplicate = addresses.find(|held| held.index == index && held.duplicate);
        refused.map(|(_, fault)| fault.clone()).or_else(|| {
            duplicate.map(|held| format!("{} is used by another machine", held.address))
        })
    }

    fn duplicates(&self) -> Vec<String> {
        let addresses = self.seen.iter().flat_map(|seen| &seen.addresses);
        let duplicates = addresses.filter(|held| held.duplicate);
        duplicates.map(|held| held.address.to_string()).collect()
    }
}

/// A refusal that says that the outcome is there already. Taking away an address takes its routes
/// along, so a later step may find nothing left to take.
fn harmless(step: &Request, fault: &Fault) -> bool {
    match step {
        Request::DeleteRoute(_) => fault.number == Fault::NO_ROUTE,
        Request::DeleteAddress { .. } => fault.number == Fault::NO_ADDRESS,
        Request::AddAddress { .. } | Request::AddRoute(_) => fault.number == Fault::EXISTS,
        Request::SetLink { .. }
        | Request::DumpLinks
        | Request::DumpAddresses
        | Request::DumpRoutes4
        | Request::DumpRoutes6 => false,
    }
}

/// The number of the interface that a step is about.
fn interface(step: &Request) -> Option<u32> {
    match step {
        Request::SetLink { index, .. }
        | Request::AddAddress { index, .. }
        | Request::DeleteAddress { index, .. } => Some(*index),
        Request::AddRoute(route) | Request::DeleteRoute(route) => route.index,
        Request::DumpLinks
        | Request::DumpAddresses
        | Request::DumpRoutes4
        | Request::DumpRoutes6 => None,
    }
}

/// A step in the administrator's words.
fn describe(step: &Request) -> String {
    match step {
        Request::SetLink { up: true, mtu, .. } => match mtu {
            Some(mtu) => format!("switching the LAN on with MTU {mtu}"),
            None => "switching the LAN on".to_string(),
        },
        Request::SetLink { up: false, .. } => "switching the LAN off".to_string(),
        Request::AddAddress {
            address, prefix, ..
        } => format!("address {address}/{prefix}"),
        Request::DeleteAddress {
            address, prefix, ..
        } => format!("removing address {address}/{prefix}"),
        Request::AddRoute(route) => match route.gateway {
            Some(gateway) => format!("gateway {gateway}"),
            None => format!("route to {}/{}", route.to.0, route.to.1),
        },
        Request::DeleteRoute(route) => {
            format!("removing the route to {}/{}", route.to.0, route.to.1)
        }
        Request::DumpLinks
        | Request::DumpAddresses
        | Request::DumpRoutes4
        | Request::DumpRoutes6 => "looking".to_string(),
    }
}

#[cfg(test)]
mod tests;
