//! Six peers as the administrator has them: formed by hand, looked at through `xStatus`.

use std::fs;
use std::process::Child;
use std::time::Duration;

use crate::lab::phones::{Outcome, Phones, scenario};
use crate::lab::{Host, Lab, wait_for};

/// Milliseconds of delay each way, and lost frames in a thousand, between any two peers.
pub(crate) const FAR: (u64, u64) = (40, 10);

/// Calls a second while procedures and faults go on.
const RATE: usize = 5;

/// Users of each host.
const USERS: usize = 10;

/// Hosts, and who is in the cluster in which place.
pub(crate) struct Six {
    /// Hosts and relay.
    pub(crate) lab: Lab,
    /// Hosts in the order of the peer list.
    pub(crate) members: Vec<usize>,
    /// The place in the list of the primary, from 1.
    pub(crate) primary: usize,
}

impl Six {
    /// Starts gateways that know nothing of each other, far apart.
    pub(crate) fn new(mut lab: Lab) -> Self {
        lab.relay.worsen(FAR.0, FAR.1);
        lab.start_all();
        Self {
            lab,
            members: Vec::new(),
            primary: 1,
        }
    }

    /// The line that sets name, primary and peer list.
    pub(crate) fn list(&self) -> String {
        let mut line = format!(
            "xConfiguration Alternates Cluster Name: \"six.example.net\" \
             Alternates ConfigurationPrimary: {}",
            self.primary
        );
        for place in 0..6 {
            let host = self.members.get(place);
            let address = host.map_or("", |host| self.lab.hosts[*host].gateway.as_str());
            line.push_str(&format!(
                " Alternates Peer {} Address: \"{address}\"",
                place + 1
            ));
        }
        line
    }

    /// Types the list in on these hosts, in this order.
    pub(crate) fn type_in(&self, hosts: &[usize]) {
        let line = self.list();
        for host in hosts {
            self.lab.hosts[*host].done(&line);
        }
    }

    /// Adds a host to the end of the list as the guide does: primary first, then the other
    /// members, then the new peer.
    pub(crate) fn add(&mut self, host: usize) {
        let mut order = self.primary_first();
        self.members.push(host);
        order.push(host);
        self.type_in(&order);
    }

    /// Members, the primary first.
    pub(crate) fn primary_first(&self) -> Vec<usize> {
        let mut order = self.members.clone();
        if !order.is_empty() {
            let primary = order.remove(self.primary - 1);
            order.insert(0, primary);
        }
        order
    }

    /// The host that is primary.
    pub(crate) fn primary_host(&self) -> &Host {
        &self.lab.hosts[self.members[self.primary - 1]]
    }

    /// Waits until every one of these members sees all of them active, follows the primary, and
    /// holds the same revision.
    pub(crate) fn wait_until_one(&self, living: &[usize]) {
        wait_for("cluster that is one", || {
            self.disagreement(living).is_none()
        });
    }

    /// Whether every one of these members sees all others active.
    pub(crate) fn are_active(&self, living: &[usize]) -> bool {
        living.iter().all(|host| {
            let status = self.lab.hosts[*host].ask("xStatus Cluster");
            status.matches("Status: \"Active\"").count() == living.len() - 1
        })
    }

    /// What is not yet as it must be.
    fn disagreement(&self, living: &[usize]) -> Option<String> {
        let mut revision = None;
        for host in living {
            let status = self.lab.hosts[*host].ask("xStatus Cluster");
            let active = status.matches("Status: \"Active\"").count();
            if active != living.len() - 1 {
                return Some(format!("host {host}: {active} active:\n{status}"));
            }
            let primary = format!("ConfigurationPrimary: {}\n", self.primary);
            if !status.contains(&primary) {
                return Some(format!("host {host} follows another:\n{status}"));
            }
            let own = status
                .lines()
                .find(|line| line.starts_with("    Revision:"));
            if *revision.get_or_insert(own.map(String::from)) != own.map(String::from) {
                return Some(format!("host {host} holds another revision:\n{status}"));
            }
        }
        None
    }

    /// Saves a change on the primary and waits until these hosts have it.
    pub(crate) fn change_arrives(&self, value: &str, living: &[usize]) {
        let path = "SIP Domain 5 Name";
        self.primary_host()
            .done(&format!("xConfiguration {path}: \"{value}\""));
        let wanted = format!("\"{value}\"");
        wait_for("change everywhere", || {
            living.iter().all(|host| {
                let shown = self.lab.hosts[*host].ask(&format!("xConfiguration {path}"));
                shown.contains(&wanted)
            })
        });
    }

    /// Registers phones on a host and lets them answer.
    pub(crate) fn phones(&mut self, host: usize, patience: Duration) {
        let host = &mut self.lab.hosts[host];
        let letter = host.namespace.chars().last().unwrap_or('x');
        let users: String = (0..USERS)
            .map(|number| format!("u{letter}{number};\n"))
            .collect();
        fs::write(host.file("users.csv"), format!("SEQUENTIAL\n{users}")).expect("a file");
        let phones = Phones {
            scenario: "register.xml",
            port: 6_100,
            calls: USERS,
            rate: 50,
            patience,
        };
        phones.run(host, host).all_passed(USERS);
        let mut command = host.inside("sipp");
        command.arg("-sf").arg(scenario("called.xml"));
        command.args(["-i", &host.phones, "-p", "6000", "-nostdin", "-t", "u1"]);
        host.keep(command);
    }

    /// Starts calls from the phones of one host to those of another.
    pub(crate) fn start_calls(&self, from: usize, to: usize, calls: usize) -> Calls {
        let phones = Phones {
            scenario: "caller.xml",
            port: 6_200,
            calls,
            rate: RATE,
            patience: Duration::from_secs(40),
        };
        let (from_host, to_host) = (&self.lab.hosts[from], &self.lab.hosts[to]);
        Calls {
            sipp: phones.start(from_host, to_host),
            phones,
            from,
        }
    }

    /// Waits until all calls are made and says what became of them.
    pub(crate) fn finish_calls(&self, calls: Calls) -> Outcome {
        calls.phones.end(&self.lab.hosts[calls.from], calls.sipp)
    }

    /// Stops making new calls and says what became of those made.
    pub(crate) fn end_calls(&self, calls: Calls) -> Outcome {
        // sipp then finishes the calls that stand.
        let id = calls.sipp.id().to_string();
        let _ = std::process::Command::new("kill")
            .args(["-USR1", &id])
            .status();
        self.finish_calls(calls)
    }
}

/// Calls that go on.
pub(crate) struct Calls {
    sipp: Child,
    phones: Phones<'static>,
    from: usize,
}

impl Outcome {
    /// Fails unless at least so many calls were made and none failed.
    pub(crate) fn none_failed(&self, at_least: usize) {
        assert!(
            self.failed == 0 && self.passed >= at_least,
            "{self:#?}\n{}",
            self.errors
        );
    }
}
