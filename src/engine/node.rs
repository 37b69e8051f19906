//! One peer: the only module that knows every engine.
//!
//! `node` owns the engines, carries events between them, keeps the order of writes and promises,
//! and answers administrators. It decides nothing about a protocol: start at [`Node::handle`].

mod alarms;
mod backup;
mod carry;
mod certificates;
mod desk;
mod journal;
mod licences;
mod listeners;
mod naming;
mod operations;
mod report;
mod reset;
mod saves;
mod service;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use crate::admin::Actor;
use crate::alarm::Alarms;
use crate::base::digest::hmac_sha256;
use crate::base::ids::{BatchId, Incarnation, PeerId, StreamId, StreamIds};
use crate::base::random::Random;
use crate::base::socket::Service;
use crate::base::store::{Record, Write};
use crate::base::time::{Instant, Wall};
use crate::certificate::Certificates;
use crate::cluster::{self, Cluster};
use crate::config::settings::{ClusterSettings, SipSettings, WebSettings};
use crate::config::tree::Tree;
use crate::config::{self, Configuration};
use crate::directory::Directory;
use crate::io::{Action, Input};
use crate::names::Resolver;
use crate::net::{Net, Wanted};
use crate::operation::Operations;
use crate::sip::Sip;

use certificates::Verifying;
use journal::Journal;
use licences::Licences;
use listeners::Listeners;
use reset::Former;
use saves::{Ask, Save, Saves};

/// How often alarms are compared with the conditions that hold.
const ALARM_INTERVAL: Duration = Duration::from_millis(500);

/// What a node is made from.
#[derive(Clone, Debug)]
pub struct Boot {
    /// This peer's identity, made when it was installed.
    pub id: PeerId,
    /// Randomness for tags, branches and jitter; secret.
    pub seed: [u8; 32],
    /// Everything the store held.
    pub records: Vec<Record>,
    /// Faults that the store met while it was read; raised as alarms.
    pub faults: Vec<String>,
    /// Settings given at start (`--config`, `--set`), in order, as path and value.
    pub settings: Vec<(String, String)>,
    /// Whether the machine's interfaces and firewall are ours (SPEC AP3).
    pub machine: bool,
    /// Version of the software.
    pub version: &'static str,
}

/// One peer.
#[derive(Debug)]
pub struct Node {
    id: PeerId,
    version: &'static str,
    /// Where services listen while no LAN has an address.
    otherwise: IpAddr,
    faults: Vec<String>,
    /// Why the newest write did not reach the disk; `None` once one has.
    disk_fault: Option<String>,
    random: Random,
    configuration: Configuration,
    /// Generation of the configuration that the engines were told of last.
    told: Option<u64>,
    directory: Directory,
    cluster: Cluster,
    sip: Sip,
    net: Net,
    resolver: Resolver,
    certificates: Certificates,
    verifying: Verifying,
    /// Whether the machine is ours, so that its name servers are those of the configuration.
    machine: bool,
    operations: Operations,
    /// The cluster that was left: the next restart resets this system.
    former: Option<Former>,
    /// The configuration of the start: some items take effect only then.
    started_with: Tree,
    licences: Licences,
    alarms: Alarms,
    alarms_due: Instant,
    /// When the alarm history may be written again, after a write that failed.
    history_due: Instant,
    listeners: Listeners,
    /// What each living stream carries.
    streams: BTreeMap<StreamId, Service>,
    journal: Journal<Promise>,
    saves: Saves,
    /// Whether the settings of the start are still on their way: sockets wait for them.
    starting: bool,
    actions: VecDeque<Action>,
}

/// What happens once a batch is on the disk.
#[derive(Debug)]
enum Promise {
    /// An administrator's change takes effect and is answered.
    Save(Save),
    /// The cluster engine goes on.
    Cluster(u64),
    /// An operation goes on.
    Operation(u64),
    /// Certificates take effect.
    Certificates,
    /// The alarm history is on the disk.
    History,
    /// Nobody waits.
    Nothing,
}

impl Node {
    /// A node that has just started; its first actions are waiting.
    pub fn new(now: Instant, wall: Wall, mut boot: Boot) -> Self {
        let reset = reset::take(boot.id, &mut boot.records);
        // What the seed spreads can be guessed from what was seen; what it guards cannot.
        let mut random = Random::new(hmac_sha256(&boot.seed, &[b"spread"]));
        let guard = hmac_sha256(&boot.seed, &[b"guard"]);
        let (configuration, faults) = Configuration::load(&boot.records);
        let (alarms, alarm_fault) = Alarms::load(&boot.records);
        let (certificates, certificate_fault) = Certificates::load(&boot.records);
        let more = [alarm_fault, certificate_fault];
        let faults = faults.into_iter().chain(more.into_iter().flatten());
        // Shared items live in memory alone, so every start is a new life of theirs.
        let mut directory = Directory::new(boot.id, Incarnation(random.bits()));
        directory.observe(wall);
        let start = cluster::Start {
            own: boot.id,
            software: boot.version,
            random: Random::new(random.bytes()),
            streams: StreamIds::new(2, 8),
            records: &boot.records,
        };
        let cluster = Cluster::new(now, start, &configuration);
        let otherwise = IpAddr::from(match boot.machine {
            true => Ipv4Addr::UNSPECIFIED,
            false => Ipv4Addr::LOCALHOST,
        });
        let settings = SipSettings::new(configuration.tree(), otherwise);
        let sip = Sip::new(now, settings, random.bytes(), StreamIds::new(4, 4));
        let operations = Operations::new(
            boot.id,
            Random::new(random.bytes()),
            guard,
            StreamIds::new(6, 8),
            &boot.records,
        );
        let started_with = configuration.tree().clone();
        let mut node = Self {
            id: boot.id,
            version: boot.version,
            otherwise,
            faults: boot.faults.into_iter().chain(faults).collect(),
            disk_fault: None,
            random,
            configuration,
            told: None,
            directory,
            cluster,
            sip,
            net: Net::new(),
            resolver: Resolver::default(),
            certificates,
            verifying: Verifying::default(),
            machine: boot.machine,
            operations,
            former: None,
            started_with,
            licences: Licences::load(&boot.records),
            alarms,
            history_due: now,
            alarms_due: now,
            listeners: Listeners::default(),
            streams: BTreeMap::new(),
            journal: Journal::new(),
            saves: Saves::default(),
            starting: false,
            actions: VecDeque::new(),
        };
        node.begin(now, wall, boot.settings, reset);
        node
    }

    /// Takes in what happened. Actions that follow are waiting afterwards.
    pub fn handle(&mut self, now: Instant, wall: Wall, input: Input) {
        self.directory.observe(wall);
        match input {
            Input::Timeout => self.handle_timeout(now, wall),
            Input::Listening { listener, result } => self.listening(now, wall, listener, result),
            Input::Datagram {
                listener,
                from,
                bytes,
            } => {
                self.datagram(now, wall, listener, from, bytes);
            }
            Input::Opened {
                stream,
                listener,
                ends,
                peer,
            } => {
                self.opened(now, wall, stream, listener, ends, peer);
            }
            Input::Received { stream, bytes } => self.received(now, wall, stream, bytes),
            Input::Closed { stream, reason } => self.closed(now, wall, stream, reason),
            Input::Written { batch, result } => self.written(now, wall, batch, result),
            Input::Command {
                request,
                actor,
                command,
            } => {
                self.command(now, wall, request, actor, command);
            }
            Input::Machine(report) => self.net.handle(now, report),
            Input::Certified { result } => self.certified(result),
            Input::Presenting(presented) => self.presenting(presented),
            Input::Resolved { number, result } => self.resolved(now, number, result),
        }
        self.settle(now, wall);
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Input::Timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let engines = [
            self.sip.poll_timeout(),
            self.cluster.poll_timeout(),
            self.net.poll_timeout(),
            self.resolver.poll_timeout(),
            self.verifying.trial.as_ref().map(|(until, _)| *until),
            self.directory.poll_timeout(),
            self.listeners.poll_timeout(),
            self.operations.poll_timeout(),
            Some(self.alarms_due),
        ];
        engines.into_iter().flatten().min()
    }

    /// The configuration as it is in effect.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What the cluster knows together, as this peer holds it.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Whom this peer follows: the epoch as it is compared, and its primary.
    pub fn epoch(&self) -> (u64, Option<PeerId>) {
        self.cluster.epoch()
    }

    /// A factory reset that is due and the settings of the start come first: sockets open only when
    /// they have taken effect.
    fn begin(
        &mut self,
        now: Instant,
        wall: Wall,
        settings: Vec<(String, String)>,
        reset: Option<(Former, Vec<Write>)>,
    ) {
        let actor = Actor {
            name: "system".into(),
            address: None,
            face: "start",
        };
        let mut ask = Ask {
            request: None,
            actor,
            changes: Vec::new(),
            note: String::new(),
            writes: Vec::new(),
            force: true,
        };
        if let Some((former, writes)) = reset {
            ask.note = format!("Factory reset after leaving {}", former.cluster);
            ask.changes = config::reset::changes(self.configuration.tree());
            ask.writes = writes;
            self.former = Some(former);
        }
        ask.changes.extend(settings);
        if !ask.changes.is_empty() || !ask.writes.is_empty() {
            self.starting = self.saves.push(ask).is_ok();
        }
        self.settle(now, wall);
    }

    /// A batch has reached the disk, or has not; whoever waited for it goes on.
    fn written(&mut self, now: Instant, wall: Wall, batch: BatchId, result: Result<(), String>) {
        let fault = result.as_ref().err().cloned();
        if self.disk_fault != fault {
            self.disk_fault = fault;
            self.alarms_due = now;
        }
        match self.journal.written(batch) {
            Some(Promise::Save(save)) => self.save_written(now, save, result),
            Some(Promise::Cluster(token)) => {
                self.cluster_input(now, wall, cluster::Input::Written { token, result });
            }
            Some(Promise::Operation(token)) => self.operations.written(now, token, result),
            Some(Promise::Certificates) => self.certificates_written(now, result),
            Some(Promise::History) => self.history_written(now, result.is_ok()),
            Some(Promise::Nothing) | None => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant, wall: Wall) {
        self.directory.handle_timeout(now);
        if self.sip.poll_timeout().is_some_and(|at| at <= now) {
            self.sip.handle_timeout(now, wall, &mut self.directory);
        }
        if self.cluster.poll_timeout().is_some_and(|at| at <= now) {
            self.cluster
                .handle_timeout(now, &mut self.configuration, &mut self.directory);
        }
        if self.net.poll_timeout().is_some_and(|at| at <= now) {
            self.net.handle_timeout(now);
        }
        self.resolver.handle_timeout(now);
        self.judge_trial(now);
        let actions = self.listeners.handle_timeout(now);
        self.actions.extend(actions);
        if self.alarms_due <= now {
            self.alarms_due = now + ALARM_INTERVAL;
            self.share_load();
            self.follow_licences(now, wall);
            self.update_alarms(now, wall);
        }
    }

    /// Carries on whatever the last input set off, until nothing moves any more.
    fn settle(&mut self, now: Instant, wall: Wall) {
        self.carry_asked(now, wall);
        self.carry_operations(now, wall);
        self.next_save(now, wall);
        // A save that is refused is known at once.
        self.carry_operations(now, wall);
        self.cluster.share_soon(now, &self.directory);
        self.carry_actions();
        if !self.starting && self.told != Some(self.configuration.generation()) {
            self.told = Some(self.configuration.generation());
            self.configure(now);
            self.carry_actions();
        }
        self.carry_queries(now);
        while let Some(replicated) = self.cluster.poll_saved() {
            self.answer_save(replicated);
        }
    }

    /// Tells every engine the configuration that has taken effect.
    fn configure(&mut self, now: Instant) {
        self.present();
        self.want_names(now);
        let names = self.resolver.names();
        self.cluster.configured(now, &self.configuration, &names);
        self.forget_gone();
        let tree = self.configuration.tree();
        let sip = SipSettings::new(tree, self.otherwise);
        let web = WebSettings::new(tree, self.otherwise);
        let cluster = ClusterSettings::new(tree, &names);
        self.net.configure(now, Wanted::new(tree, &names));
        let wanted = wanted_sockets(&sip, &web, &cluster);
        self.sip.configure(now, sip);
        let actions = self.listeners.want(&wanted);
        for action in &actions {
            if let Action::Unlisten { listener } = action {
                self.sip_unlisten(now, *listener);
            }
        }
        self.actions.extend(actions);
        self.alarms_due = now;
    }
}

/// The sockets that a configuration asks for.
fn wanted_sockets(
    sip: &SipSettings,
    web: &WebSettings,
    cluster: &ClusterSettings,
) -> Vec<(Service, SocketAddr)> {
    let mut wanted = vec![];
    for address in &sip.addresses {
        let ports = [(Service::SipUdp, sip.udp), (Service::SipTcp, sip.tcp)];
        for (service, port) in ports {
            wanted.extend(port.map(|port| (service, SocketAddr::new(*address, port))));
        }
    }
    for address in &web.addresses {
        wanted.extend(
            web.port
                .map(|port| (Service::Web, SocketAddr::new(*address, port))),
        );
    }
    if let Some(own) = cluster.own_address() {
        let (configuration, state) = (cluster.configuration_port, cluster.state_port);
        wanted.push((
            Service::PeerConfiguration,
            SocketAddr::new(own, configuration),
        ));
        wanted.push((Service::PeerState, SocketAddr::new(own, state)));
        wanted.push((Service::PeerBeat, SocketAddr::new(own, state)));
    }
    wanted
}
