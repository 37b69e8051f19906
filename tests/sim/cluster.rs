//! A cluster in the world: forming it as the guide does, phones on it, faults, and what must hold.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use causeway_engine::admin::status::Status;
use causeway_engine::admin::{Answer, Command, Refusal};
use causeway_engine::alarm::Alarm;
use causeway_engine::base::ids::{Position, RequestId};
use causeway_engine::cluster::status::{ClusterStatus, PeerState};
use causeway_engine::config::schema::Scope;

use crate::check::Invariants;
use crate::link::Link;
use crate::phone::Phone;
use crate::world::World;

/// Milliseconds of quiet after which everything must have come together (RP3, RP9: seconds; the
/// back-off of a dialler and the patience of a stalled stream come on top).
pub(crate) const QUIET_MS: u64 = 60_000;

/// The domain of all phones.
const DOMAIN: &str = "example.net";

/// A saved change that was acknowledged and must not be lost.
#[derive(Clone, Debug)]
pub(crate) struct Save {
    /// Item.
    pub(crate) path: String,
    /// Its value.
    pub(crate) value: String,
}

/// The cluster, its phones and its operator.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Machines, links, disks, time.
    pub(crate) world: World,
    /// Phones, in the order of their addresses.
    pub(crate) phones: Vec<Phone>,
    /// What must hold after every step.
    pub(crate) invariants: Invariants,
    /// Acknowledged changes of the replicated configuration, newest last.
    pub(crate) saved: Vec<Save>,
    /// Answers to what else was asked.
    pub(crate) told: BTreeMap<RequestId, Result<Answer, Refusal>>,
    asked: BTreeMap<RequestId, Save>,
    saves_last: u64,
    by_address: BTreeMap<SocketAddr, usize>,
}

impl Cluster {
    /// `count` machines with `phones` phones each; all of them off.
    pub(crate) fn new(seed: u64, count: usize, phones: usize) -> Self {
        let mut world = World::new(seed, count);
        for peer in 0..count {
            let address = world.machines[peer].address.to_string();
            let name = format!("machine-{peer}");
            let address = ("Ethernet 1 IP V4 Address", address.as_str());
            world.settings(peer, &[address, ("SystemUnit Name", &name)]);
        }
        let mut cluster = Self {
            world,
            phones: Vec::new(),
            invariants: Invariants::default(),
            saved: Vec::new(),
            told: BTreeMap::new(),
            asked: BTreeMap::new(),
            saves_last: 0,
            by_address: BTreeMap::new(),
        };
        for peer in 0..count {
            for number in 0..phones {
                cluster.add_phone(peer, number);
            }
        }
        cluster
    }

    /// Switches everything on and forms the cluster by hand as the guide does: name, primary and
    /// peer addresses typed in on every peer, in the order given.
    pub(crate) fn form(&mut self, order: &[usize]) {
        for peer in order {
            self.world.start(*peer);
        }
        self.run(2_000);
        for peer in order {
            self.type_in_cluster(*peer, order.len(), 1);
            self.run(500);
        }
        self.run(10_000);
        self.set(0, "SIP Domain 1 Name", DOMAIN);
        self.run(5_000);
    }

    /// Types the cluster's settings in on one peer.
    pub(crate) fn type_in_cluster(&mut self, peer: usize, count: usize, primary: usize) {
        let mut settings = vec![
            (
                "Alternates Cluster Name".to_string(),
                "cluster.example.net".to_string(),
            ),
            (
                "Alternates ConfigurationPrimary".to_string(),
                primary.to_string(),
            ),
        ];
        for (number, machine) in self.world.machines.iter().enumerate() {
            let address = if number < count {
                machine.address.to_string()
            } else {
                String::new()
            };
            settings.push((format!("Alternates Peer {} Address", number + 1), address));
        }
        self.world.ask(peer, Command::Set(settings));
    }

    /// Types another primary in on one peer.
    pub(crate) fn choose_primary(&mut self, peer: usize, primary: usize) {
        let item = (
            "Alternates ConfigurationPrimary".to_string(),
            primary.to_string(),
        );
        self.world.ask(peer, Command::Set(vec![item]));
    }

    /// Cuts or joins every link between two groups.
    pub(crate) fn cut(&mut self, these: &[usize], those: &[usize], cut: bool) {
        for (one, two) in these
            .iter()
            .flat_map(|one| those.iter().map(move |two| (*one, *two)))
        {
            self.world.link(one, two, Link { cut, ..Link::GOOD });
            self.world.link(two, one, Link { cut, ..Link::GOOD });
        }
    }

    /// How one peer sees another.
    pub(crate) fn state_of(&self, peer: usize, other: usize) -> PeerState {
        self.status(peer).peers[other].state
    }

    /// Whom one peer follows.
    pub(crate) fn primary_of(&self, peer: usize) -> Option<Position> {
        self.status(peer).primary
    }

    /// Everything that one peer shows.
    pub(crate) fn shown(&self, peer: usize) -> Status {
        let (now, wall) = self.world.clocks(peer);
        let node = self.world.machines[peer].node.as_ref();
        node.expect("it is on").status(now, wall)
    }

    /// Does something on one peer; what it answers at once.
    pub(crate) fn ask(&mut self, peer: usize, command: Command) -> Result<Answer, Refusal> {
        let request = self.world.ask(peer, command);
        let answered = self.world.answers.pop_back().expect("an answer at once");
        assert_eq!(answered.request, request);
        answered.answer
    }

    /// Alarms that are raised on one peer, by id and detail.
    pub(crate) fn alarms(&self, peer: usize) -> Vec<(u32, String)> {
        let status = self.shown(peer);
        let alarm = |alarm: Alarm| (alarm.condition.kind.id, alarm.condition.detail);
        status.alarms.into_iter().map(alarm).collect()
    }

    pub(crate) fn status(&self, peer: usize) -> ClusterStatus {
        let (now, wall) = self.world.clocks(peer);
        let node = self.world.machines[peer].node.as_ref();
        node.expect("it is on").cluster_status(now, wall)
    }

    /// Saves one item on one peer; remembered in [`Cluster::saved`] once it is acknowledged.
    pub(crate) fn set(&mut self, peer: usize, path: &str, value: &str) {
        let save = Save {
            path: path.into(),
            value: value.into(),
        };
        let change = vec![(save.path.clone(), save.value.clone())];
        if self.world.machines[peer].node.is_some() {
            let request = self.world.ask(peer, Command::Set(change));
            self.asked.insert(request, save);
        }
    }

    /// Saves a value never saved before in one of a few items.
    pub(crate) fn set_something(&mut self, peer: usize) {
        self.saves_last += 1;
        let item = 2 + self.world.random.below(8);
        let path = format!("SIP Domain {item} Name");
        let value = format!("d{}.example.org", self.saves_last);
        self.set(peer, &path, &value);
    }

    /// Lets `millis` pass: nodes run, phones answer, invariants are checked.
    pub(crate) fn run(&mut self, millis: u64) {
        let end = self.world.now_ms + millis;
        while self.world.now_ms < end {
            let step = (self.world.now_ms + 100).min(end);
            while self.world.run(step) {
                self.hear();
            }
            self.hear();
            self.tick_phones();
            self.invariants.check(&self.world);
        }
    }

    /// Heals every link, starts what is off, waits, and demands that everything has come together.
    pub(crate) fn heal(&mut self) {
        let count = self.world.machines.len();
        for from in 0..=count {
            (0..=count).for_each(|to| self.world.link(from, to, Link::GOOD));
        }
        for peer in 0..count {
            self.world.machines[peer].disk.full = false;
            if self.world.machines[peer].node.is_none() {
                self.world.start(peer);
            }
        }
        self.run(QUIET_MS);
        self.invariants.converged(&self.world);
        self.check_saved();
    }

    /// Heals these machines and the links between them; the rest stays as it is.
    pub(crate) fn heal_core(&mut self, core: &[usize]) {
        let phones = self.world.machines.len();
        for one in core {
            for two in core {
                self.world.link(*one, *two, Link::GOOD);
            }
            self.world.link(*one, phones, Link::GOOD);
            self.world.link(phones, *one, Link::GOOD);
            self.world.machines[*one].disk.full = false;
            if self.world.machines[*one].node.is_none() {
                self.world.start(*one);
            }
        }
    }

    /// Hashes of what these machines hold of the replicated configuration.
    pub(crate) fn configurations(&self, peers: &[usize]) -> Vec<[u8; 32]> {
        let hash = |peer: &usize| {
            let node = self.world.machines[*peer].node.as_ref();
            let node = node.expect("it is on");
            node.configuration().chain(Scope::Cluster).hash()
        };
        peers.iter().map(hash).collect()
    }

    /// One phone calls another; the result shows in its counters.
    pub(crate) fn call(&mut self, caller: usize, callee: usize) {
        let user = self.phones[callee].user.clone();
        let outgoing = self.phones[caller].call(self.world.now_ms, &user);
        self.send(caller, outgoing);
    }

    /// A phone registers under another name.
    pub(crate) fn rename(&mut self, phone: usize, user: &str) {
        self.phones[phone].user = user.into();
        let outgoing = self.phones[phone].register(self.world.now_ms);
        self.send(phone, outgoing);
    }

    /// Whether a peer could reach this address of record.
    pub(crate) fn knows(&self, peer: usize, aor: &str) -> bool {
        let (now, _) = self.world.clocks(peer);
        let node = self.world.machines[peer].node.as_ref();
        let directory = node.expect("it is on").directory();
        directory.bindings(aor, now).next().is_some()
    }

    /// A fault or an action of the operator, chosen by chance.
    pub(crate) fn mischief(&mut self) {
        let count = self.world.machines.len();
        let peer = self.world.random.below(count as u64) as usize;
        let other = self.world.random.below(count as u64) as usize;
        match self.world.random.below(14) {
            0 if self.world.machines[peer].node.is_some() => self.world.crash(peer),
            0 | 1 if self.world.machines[peer].node.is_none() => self.world.start(peer),
            2 => {
                let millis = self.world.random.below(6_000);
                self.world.pause(peer, millis);
            }
            3 => self.world.link(
                peer,
                other,
                Link {
                    cut: true,
                    ..Link::GOOD
                },
            ),
            4 | 5 => self.world.link(peer, other, Link::GOOD),
            6 => {
                let bad = Link {
                    delay_ms: 40,
                    jitter_ms: 30,
                    loss: 50,
                    double: 20,
                    cut: false,
                };
                self.world.link(peer, other, bad);
            }
            7 => self.world.machines[peer].disk.full ^= self.world.random.below(3) == 0,
            8 => self.world.slow_disks ^= true,
            9 => {
                self.world.machines[peer].skew_ms = self.world.random.below(120_000) as i64 - 60_000
            }
            10 | 11 => self.set_something(peer),
            12 => {
                let phones = self.phones.len().max(1) as u64;
                let caller = self.world.random.below(phones) as usize;
                let callee = self.world.random.below(phones) as usize;
                if caller != callee && self.phones.get(caller).is_some_and(Phone::is_idle) {
                    self.call(caller, callee);
                }
            }
            _ => self.set_something(0),
        }
    }

    fn add_phone(&mut self, peer: usize, number: usize) {
        let address = SocketAddr::from(([10, 1, peer as u8, number as u8 + 1], 5060));
        let server = SocketAddr::new(self.world.machines[peer].address, 5060);
        let user = format!("phone{peer}{number}");
        self.by_address.insert(address, self.phones.len());
        self.phones.push(Phone::new(&user, DOMAIN, address, server));
    }

    fn hear(&mut self) {
        while let Some(answered) = self.world.answers.pop_front() {
            let Some(save) = self.asked.remove(&answered.request) else {
                self.told.insert(answered.request, answered.answer);
                continue;
            };
            if matches!(answered.answer, Ok(Answer::Saved { .. })) {
                self.saved.push(save);
            } else if let Err(Refusal { reasons }) = answered.answer {
                assert!(!reasons.is_empty(), "a refusal says why");
            }
        }
        while let Some((to, from, bytes)) = self.world.phones.pop_front() {
            let Some(&phone) = self.by_address.get(&to) else {
                continue;
            };
            let now_ms = self.world.now_ms;
            let outgoing = self.phones[phone].receive(now_ms, from, &bytes);
            self.send(phone, outgoing);
        }
    }

    fn tick_phones(&mut self) {
        for phone in 0..self.phones.len() {
            let outgoing = self.phones[phone].tick(self.world.now_ms);
            self.send(phone, outgoing);
        }
    }

    fn send(&mut self, phone: usize, outgoing: Vec<(SocketAddr, Vec<u8>)>) {
        let from = self.phones[phone].address;
        for (to, bytes) in outgoing {
            match self.by_address.get(&to).copied() {
                Some(other) => {
                    let now_ms = self.world.now_ms;
                    let answers = self.phones[other].receive(now_ms, from, &bytes);
                    self.send(other, answers);
                }
                None => self.world.phone_sends(from, to, bytes),
            }
        }
    }

    /// Every acknowledged change is there, unless a later one replaced it.
    fn check_saved(&self) {
        let mut newest = BTreeMap::new();
        for save in &self.saved {
            newest.insert(&save.path, &save.value);
        }
        for (peer, machine) in self.world.machines.iter().enumerate() {
            let node = machine.node.as_ref().expect("healed");
            for (path, value) in &newest {
                let held = node.configuration().tree().text(path);
                // A later change may be there although its answer was lost in a crash.
                let unanswered = self.asked.values();
                let replaced = |save: &Save| save.path == **path && save.value == held;
                assert!(
                    held == value.as_str() || unanswered.clone().any(replaced),
                    "peer {peer} lost the acknowledged {path}: {held:?} is not {value:?}"
                );
            }
        }
    }
}
