//! Machines, links, disks and time in one thread: the world that the nodes run in.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use causeway_engine::admin::{Actor, Answer, Command, Refusal};
use causeway_engine::base::ids::{ListenerId, PeerId, RequestId, StreamId};
use causeway_engine::base::random::Random;
use causeway_engine::base::socket::{Ends, PeerProof, Presented, Service};
use causeway_engine::base::time::{Instant, Wall};
use causeway_engine::io::{Action, Input};
use causeway_engine::net::machine::{MachineReport, MachineRequest, Stop};
use causeway_engine::node::{Boot, Node};

use crate::disk::Disk;
use crate::link::{End, Link, RETRANSMISSION_MS, STREAM_PATIENCE_MS, Streams};

/// Civil time at the start of every run: 2026-01-01T00:00:00Z.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// Milliseconds that an ordered restart takes.
const RESTART_MS: u64 = 300;

/// Actions that one input may cause before the run is called a loop without progress.
const ACTIONS_MAX: usize = 100_000;

/// What waits to happen.
#[derive(Debug)]
enum Event {
    /// Something for a node, in this life of it.
    Node {
        peer: usize,
        life: u32,
        input: Input,
    },
    /// The oldest batch of a disk is ready.
    Disk { peer: usize, life: u32 },
    /// One direction of a stream may have something to deliver.
    Stream { key: u64, side: usize },
    /// A dialled stream reaches the machine at the other end.
    Dial {
        from: End,
        service: Service,
        addresses: Ends,
    },
    /// A node ends in good order and starts again.
    Restart { peer: usize, life: u32 },
    /// A datagram for a phone.
    Phone {
        to: SocketAddr,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
}

/// One machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Its address on every service.
    pub(crate) address: IpAddr,
    /// The running node; `None` while it is off.
    pub(crate) node: Option<Node>,
    /// Its disk.
    pub(crate) disk: Disk,
    /// How often it was started.
    pub(crate) life: u32,
    /// Milliseconds that its civil clock is ahead.
    pub(crate) skew_ms: i64,
    /// Its identity.
    pub(crate) id: PeerId,
    /// The certificate that it presents, as the others judge it.
    pub(crate) certificate: Presented,
    started_ms: u64,
    paused_until_ms: u64,
    accepted: u64,
    wake_ms: Option<u64>,
    listeners: BTreeMap<ListenerId, (Service, SocketAddr)>,
    settings: Vec<(String, String)>,
}

impl Machine {
    /// What it is started with for an item.
    pub(crate) fn setting(&self, path: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(item, _)| item == path);
        found.map(|(_, value)| value.as_str())
    }
}

/// The answer to a command, with where and when it was given.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The question.
    pub(crate) request: RequestId,
    /// What it answered.
    pub(crate) answer: Result<Answer, Refusal>,
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    /// Virtual milliseconds since the run began.
    pub(crate) now_ms: u64,
    /// The one source of chance.
    pub(crate) random: Random,
    /// All machines.
    pub(crate) machines: Vec<Machine>,
    /// Answers to commands, oldest first, for whoever asked.
    pub(crate) answers: VecDeque<Answered>,
    /// Datagrams for phones: to, from, bytes.
    pub(crate) phones: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Whether disks take long at times.
    pub(crate) slow_disks: bool,
    /// What every machine's name server knows.
    pub(crate) names: BTreeMap<String, IpAddr>,
    events: BTreeMap<(u64, u64), Event>,
    events_last: u64,
    links: BTreeMap<(usize, usize), Link>,
    streams: Streams,
    requests_last: u64,
    log: Vec<String>,
}

impl World {
    /// A world of `count` machines that are switched off.
    pub(crate) fn new(seed: u64, count: usize) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut world = Self {
            now_ms: 0,
            random: Random::new(bytes),
            machines: Vec::new(),
            answers: VecDeque::new(),
            phones: VecDeque::new(),
            slow_disks: false,
            names: BTreeMap::new(),
            events: BTreeMap::new(),
            events_last: 0,
            links: BTreeMap::new(),
            streams: Streams::default(),
            requests_last: 0,
            log: Vec::new(),
        };
        for number in 0..count {
            let id = PeerId(world.random.bytes());
            world.machines.push(Machine {
                address: IpAddr::from([10, 0, 0, number as u8 + 1]),
                node: None,
                disk: Disk::default(),
                life: 0,
                skew_ms: 0,
                id,
                certificate: Presented::default(),
                started_ms: 0,
                paused_until_ms: 0,
                accepted: 0,
                wake_ms: None,
                listeners: BTreeMap::new(),
                settings: Vec::new(),
            });
        }
        world
    }

    /// Settings that a machine is started with from now on.
    pub(crate) fn settings(&mut self, peer: usize, settings: &[(&str, &str)]) {
        self.machines[peer].settings = settings
            .iter()
            .map(|(path, value)| (path.to_string(), value.to_string()))
            .collect();
    }

    /// Whether what a machine holds of an owner is of the life that the owner is in.
    pub(crate) fn knows_life(&self, peer: usize, owner: PeerId) -> bool {
        let node = |machine: &Machine| {
            machine
                .node
                .as_ref()
                .map(|node| node.directory().held(owner))
        };
        let there = self.machines.iter().find(|machine| machine.id == owner);
        let there = there.and_then(|machine| Some(machine.node.as_ref()?.directory().own_held()));
        let here = node(&self.machines[peer]).flatten();
        here.zip(there)
            .is_some_and(|(here, there)| here.incarnation == there.incarnation)
    }

    /// Switches a machine on.
    pub(crate) fn start(&mut self, peer: usize) {
        let seed = self.random.bytes();
        let (now_ms, life) = (self.now_ms, self.machines[peer].life + 1);
        let machine = &mut self.machines[peer];
        assert!(machine.node.is_none(), "a machine is started once");
        machine.life = life;
        machine.started_ms = now_ms;
        machine.listeners.clear();
        let boot = Boot {
            id: machine.id,
            seed,
            records: machine.disk.records(),
            faults: Vec::new(),
            settings: machine.settings.clone(),
            machine: false,
            version: "0.1.0",
        };
        let (now, wall) = self.clocks(peer);
        self.machines[peer].node = Some(Node::new(now, wall, boot));
        self.note(peer, "start");
        self.drain(peer);
    }

    /// A machine loses power (or its process is killed); what its disk has confirmed stays.
    pub(crate) fn crash(&mut self, peer: usize) {
        if self.machines[peer].node.take().is_none() {
            return;
        }
        self.machines[peer].disk.crash(&mut self.random);
        self.note(peer, "crash");
        for key in self.streams.of(peer) {
            self.break_stream(key, "reset by the other end");
        }
    }

    /// A machine that is off gets an empty disk, and with it a new identity.
    pub(crate) fn lose_disk(&mut self, peer: usize) {
        assert!(
            self.machines[peer].node.is_none(),
            "disks are replaced while the power is off"
        );
        self.machines[peer].disk.lose();
        self.machines[peer].id = PeerId(self.random.bytes());
        self.note(peer, "disk lost");
    }

    /// A machine does nothing for a while (a paused VM); what arrives waits.
    pub(crate) fn pause(&mut self, peer: usize, millis: u64) {
        self.machines[peer].paused_until_ms = self.now_ms + millis;
        self.note(peer, "pause");
    }

    /// Sets one direction between two machines; the number of machines stands for the phones.
    pub(crate) fn link(&mut self, from: usize, to: usize, link: Link) {
        self.links.insert((from, to), link);
    }

    /// Sets every direction between machines.
    pub(crate) fn link_all(&mut self, link: Link) {
        let count = self.machines.len();
        for from in 0..count {
            (0..count)
                .filter(|to| *to != from)
                .for_each(|to| self.link(from, to, link));
        }
    }

    /// Asks a machine something; the answer appears in [`World::answers`].
    pub(crate) fn ask(&mut self, peer: usize, command: Command) -> RequestId {
        self.requests_last += 1;
        let request = RequestId(self.requests_last);
        let actor = Actor {
            name: "admin".into(),
            address: None,
            face: "cli",
        };
        self.note(peer, &format!("ask {request:?} {command:?}"));
        self.deliver(
            peer,
            Input::Command {
                request,
                actor,
                command,
            },
        );
        request
    }

    /// Keys of the streams between two machines.
    pub(crate) fn links_between(&mut self, one: usize, two: usize) -> Vec<u64> {
        let keys = self.streams.of(one);
        let joins = |key: &u64| {
            let stream = self.streams.get(*key);
            stream.is_some_and(|stream| stream.ends.iter().any(|end| end.peer == two))
        };
        keys.into_iter().filter(joins).collect()
    }

    /// Bytes that make no sense arrive on a stream, as from its dialler.
    pub(crate) fn spoil(&mut self, key: u64) {
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        let bytes = vec![0xff; 64];
        stream.under_way[0].push_back((self.now_ms, bytes));
        self.schedule(0, Event::Stream { key, side: 0 });
    }

    /// Sends a datagram from a phone to whoever listens at `to`.
    pub(crate) fn phone_sends(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let Some(peer) = self.owner(to.ip()) else {
            return;
        };
        let link = self.link_between(self.machines.len(), peer);
        for passage in link.passages(&mut self.random) {
            let listener = self.machines[peer].listener(Service::SipUdp, to);
            let Some(listener) = listener else { continue };
            let input = Input::Datagram {
                listener,
                from,
                bytes: bytes.clone(),
            };
            let life = self.machines[peer].life;
            self.schedule(passage, Event::Node { peer, life, input });
        }
    }

    /// Runs until nothing is due before `until_ms`; stops early when something for a phone or an
    /// asker has arrived. Says whether there is more to run.
    pub(crate) fn run(&mut self, until_ms: u64) -> bool {
        loop {
            if !self.answers.is_empty() || !self.phones.is_empty() {
                return true;
            }
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let wake = self.next_wake();
            let at = event.into_iter().chain(wake.map(|(at, _)| at)).min();
            let Some(at) = at.filter(|at| *at <= until_ms) else {
                self.now_ms = until_ms;
                return false;
            };
            self.now_ms = self.now_ms.max(at);
            if event == Some(at) {
                let (_, event) = self.events.pop_first().expect("just seen");
                self.happen(event);
            } else if let Some((_, peer)) = wake {
                self.machines[peer].wake_ms = None;
                self.deliver(peer, Input::Timeout);
            }
        }
    }

    /// Everything that happened, for comparison with another run of the same seed.
    pub(crate) fn log(&self) -> &[String] {
        &self.log
    }

    /// A machine's clocks.
    pub(crate) fn clocks(&self, peer: usize) -> (Instant, Wall) {
        let machine = &self.machines[peer];
        let wall = (EPOCH_MS + self.now_ms).saturating_add_signed(machine.skew_ms);
        (
            Instant::from_millis(self.now_ms - machine.started_ms),
            Wall::from_millis(wall),
        )
    }

    /// Adds a line to the log.
    pub(crate) fn note(&mut self, peer: usize, text: &str) {
        self.log.push(format!("{:>9} {peer} {text}", self.now_ms));
    }

    fn next_wake(&self) -> Option<(u64, usize)> {
        let wake = |(peer, machine): (usize, &Machine)| {
            let at = machine.wake_ms?.max(machine.paused_until_ms);
            machine.node.is_some().then_some((at, peer))
        };
        self.machines.iter().enumerate().filter_map(wake).min()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Node { peer, life, input } if self.machines[peer].life == life => {
                self.deliver(peer, input);
            }
            Event::Disk { peer, life } if self.machines[peer].life == life => {
                if let Some((batch, result)) = self.machines[peer].disk.confirm() {
                    self.deliver(peer, Input::Written { batch, result });
                }
            }
            Event::Node { .. } | Event::Disk { .. } => {}
            Event::Stream { key, side } => self.pump(key, side),
            Event::Dial {
                from,
                service,
                addresses,
            } => self.accept(from, service, addresses),
            Event::Restart { peer, life } => {
                if self.machines[peer].life == life && self.machines[peer].node.is_some() {
                    self.crash(peer);
                    self.start(peer);
                }
            }
            Event::Phone { to, from, bytes } => self.phones.push_back((to, from, bytes)),
        }
    }

    fn deliver(&mut self, peer: usize, input: Input) {
        let paused = self.machines[peer].paused_until_ms;
        if paused > self.now_ms {
            let life = self.machines[peer].life;
            self.schedule(paused - self.now_ms, Event::Node { peer, life, input });
            return;
        }
        let (now, wall) = self.clocks(peer);
        if let Some(node) = &mut self.machines[peer].node {
            node.handle(now, wall, input);
            self.drain(peer);
        }
    }

    fn drain(&mut self, peer: usize) {
        for _ in 0..ACTIONS_MAX {
            let Some(action) = self.machines[peer]
                .node
                .as_mut()
                .and_then(|node| node.poll_action())
            else {
                let machine = &mut self.machines[peer];
                let timeout = machine.node.as_ref().and_then(|node| node.poll_timeout());
                machine.wake_ms =
                    timeout.map(|at| (machine.started_ms + at.as_millis()).max(self.now_ms + 1));
                return;
            };
            self.act(peer, action);
        }
        panic!("peer {peer} acts without end at {} ms", self.now_ms);
    }

    fn act(&mut self, peer: usize, action: Action) {
        let life = self.machines[peer].life;
        match action {
            Action::Listen {
                listener,
                service,
                address,
            } => {
                let own =
                    address.ip().is_unspecified() || address.ip() == self.machines[peer].address;
                let result = own
                    .then_some(address)
                    .ok_or_else(|| "not our address".to_string());
                if own {
                    self.machines[peer]
                        .listeners
                        .insert(listener, (service, address));
                }
                let input = Input::Listening { listener, result };
                self.schedule(0, Event::Node { peer, life, input });
            }
            Action::Unlisten { listener } => {
                self.machines[peer].listeners.remove(&listener);
            }
            Action::Send {
                listener,
                to,
                bytes,
            } => self.send(peer, listener, to, bytes),
            Action::Connect {
                stream,
                service,
                from,
                to,
            } => {
                self.dial(peer, stream, service, from, to);
            }
            Action::Write { stream, bytes } => self.write(End { peer, life, stream }, bytes),
            Action::Close { stream } => self.close(End { peer, life, stream }),
            Action::Persist { batch, writes } => {
                self.machines[peer].disk.persist(batch, writes);
                let slow = self.slow_disks && self.random.below(20) == 0;
                let millis = if slow { 300 } else { 1 + self.random.below(4) };
                self.schedule(millis, Event::Disk { peer, life });
            }
            Action::Answer { request, answer } => {
                self.note(peer, &format!("answer {request:?} {answer:?}"));
                self.answers.push_back(Answered { request, answer });
            }
            Action::Machine(MachineRequest::Stop(Stop::Restart)) => {
                self.note(peer, "restarts as it was told");
                self.schedule(RESTART_MS, Event::Restart { peer, life });
            }
            Action::Machine(_) => {
                let input = Input::Machine(MachineReport::Absent);
                self.schedule(0, Event::Node { peer, life, input });
            }
            Action::Certify(_) => {
                let result = Err("no cryptography is simulated".to_string());
                let input = Input::Certified { result };
                self.schedule(1, Event::Node { peer, life, input });
            }
            Action::Present { .. } => {
                let input = Input::Presenting(self.machines[peer].certificate.clone());
                self.schedule(1, Event::Node { peer, life, input });
            }
            Action::Resolve { number, name, .. } => self.resolve(peer, number, &name),
            Action::Log { level, text } => self.note(peer, &format!("{level} {text}")),
        }
    }

    /// Every machine's name server answers after a moment.
    fn resolve(&mut self, peer: usize, number: u64, name: &str) {
        let found = self.names.get(name).copied();
        let found = found.ok_or_else(|| "there is no such name".to_string());
        let result = found.map(|ip| (vec![ip], std::time::Duration::from_secs(10)));
        let (life, input) = (self.machines[peer].life, Input::Resolved { number, result });
        self.schedule(20, Event::Node { peer, life, input });
    }

    fn send(&mut self, peer: usize, listener: ListenerId, to: SocketAddr, bytes: Vec<u8>) {
        let Some(&(service, address)) = self.machines[peer].listeners.get(&listener) else {
            return;
        };
        let from = SocketAddr::new(self.machines[peer].address, address.port());
        let target = self.owner(to.ip());
        let link = self.link_between(peer, target.unwrap_or(self.machines.len()));
        for passage in link.passages(&mut self.random) {
            let bytes = bytes.clone();
            let event = match target {
                None => Event::Phone { to, from, bytes },
                Some(other) => {
                    let machine = &self.machines[other];
                    let Some(listener) = machine.listener(service, to) else {
                        continue;
                    };
                    let input = Input::Datagram {
                        listener,
                        from,
                        bytes,
                    };
                    Event::Node {
                        peer: other,
                        life: machine.life,
                        input,
                    }
                }
            };
            self.schedule(passage, event);
        }
    }

    fn dial(
        &mut self,
        peer: usize,
        stream: StreamId,
        service: Service,
        from: Option<IpAddr>,
        to: SocketAddr,
    ) {
        let life = self.machines[peer].life;
        let own = from.unwrap_or(self.machines[peer].address);
        let port = 32_768 + self.random.below(28_000) as u16;
        let addresses = Ends {
            local: SocketAddr::new(own, port),
            remote: to,
        };
        let end = End { peer, life, stream };
        let target = self.owner(to.ip());
        let passable = target.is_some_and(|other| {
            !self.link_between(peer, other).cut && !self.link_between(other, peer).cut
        });
        if passable {
            let link = self.link_between(peer, target.unwrap_or(peer));
            let passage = 3 * link.stream_passage(&mut self.random);
            self.schedule(
                passage,
                Event::Dial {
                    from: end,
                    service,
                    addresses,
                },
            );
        } else {
            self.closed(end, "no answer", 5_000);
        }
    }

    fn accept(&mut self, from: End, service: Service, addresses: Ends) {
        let target = self.owner(addresses.remote.ip()).filter(|other| {
            let machine = &self.machines[*other];
            machine.node.is_some() && machine.listener(service, addresses.remote).is_some()
        });
        let Some(other) = target else {
            return self.closed(from, "refused", 1);
        };
        if self.machines[from.peer].life != from.life || self.machines[from.peer].node.is_none() {
            return;
        }
        let machine = &mut self.machines[other];
        machine.accepted += 1;
        let stream = StreamId(machine.accepted * 2 + 1);
        let listener = machine.listener(service, addresses.remote);
        let end = End {
            peer: other,
            life: machine.life,
            stream,
        };
        self.streams.open([from, end]);
        let binding = self.random.bytes();
        let ids = [self.machines[other].id, self.machines[from.peer].id];
        let shown = [other, from.peer].map(|peer| self.machines[peer].certificate.clone());
        let proof = |id, certificate: &Presented| {
            let peer_service = matches!(service, Service::PeerConfiguration | Service::PeerState);
            peer_service.then(|| PeerProof {
                id,
                binding,
                certificate: certificate.clone(),
            })
        };
        let back = Ends {
            local: addresses.remote,
            remote: addresses.local,
        };
        let opened = |end: End, listener, ends, peer| Event::Node {
            peer: end.peer,
            life: end.life,
            input: Input::Opened {
                stream: end.stream,
                listener,
                ends,
                peer,
            },
        };
        self.schedule(0, opened(from, None, addresses, proof(ids[0], &shown[0])));
        self.schedule(0, opened(end, listener, back, proof(ids[1], &shown[1])));
    }

    fn write(&mut self, end: End, bytes: Vec<u8>) {
        let Some((key, side)) = self.streams.find(end) else {
            return;
        };
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        let other = stream.ends[1 - side].peer;
        let passage = self
            .link_between(end.peer, other)
            .stream_passage(&mut self.random);
        let at = self.now_ms + passage;
        let cut = 1 + self.random.below(bytes.len().max(1) as u64) as usize;
        if let Some(stream) = self.streams.get(key) {
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            for part in [head, tail].into_iter().filter(|part| !part.is_empty()) {
                stream.under_way[side].push_back((at, part.to_vec()));
            }
        }
        self.schedule(passage, Event::Stream { key, side });
    }

    /// Delivers what is due in one direction, in order; a cut link stalls it, for a while.
    fn pump(&mut self, key: u64, side: usize) {
        loop {
            let now_ms = self.now_ms;
            let Some(stream) = self.streams.get(key) else {
                return;
            };
            let (from, to) = (stream.ends[side], stream.ends[1 - side]);
            let due = stream.under_way[side]
                .front()
                .is_some_and(|(at, _)| *at <= now_ms);
            let empty = stream.under_way[side].is_empty();
            if !due && (!empty || !stream.closing[side]) {
                return;
            }
            if self.link_between(from.peer, to.peer).cut
                || self.link_between(to.peer, from.peer).cut
            {
                let Some(stream) = self.streams.get(key) else {
                    return;
                };
                let since = *stream.stalled[side].get_or_insert(now_ms);
                if now_ms - since > STREAM_PATIENCE_MS {
                    return self.break_stream(key, "timed out");
                }
                return self.schedule(RETRANSMISSION_MS, Event::Stream { key, side });
            }
            let Some(stream) = self.streams.get(key) else {
                return;
            };
            stream.stalled[side] = None;
            let Some((_, bytes)) = stream.under_way[side].pop_front() else {
                self.streams.remove(key);
                return self.closed(to, "closed by the other end", 0);
            };
            if self.machines[to.peer].life == to.life {
                self.deliver(
                    to.peer,
                    Input::Received {
                        stream: to.stream,
                        bytes,
                    },
                );
            }
        }
    }

    fn close(&mut self, end: End) {
        let Some((key, side)) = self.streams.find(end) else {
            return self.closed(end, "closed", 0);
        };
        if let Some(stream) = self.streams.get(key) {
            stream.closing[side] = true;
        }
        self.closed(end, "closed", 0);
        self.schedule(1, Event::Stream { key, side });
    }

    fn break_stream(&mut self, key: u64, reason: &str) {
        if let Some(stream) = self.streams.remove(key) {
            stream
                .ends
                .into_iter()
                .for_each(|end| self.closed(end, reason, 1));
        }
    }

    fn closed(&mut self, end: End, reason: &str, after_ms: u64) {
        let input = Input::Closed {
            stream: end.stream,
            reason: reason.into(),
        };
        self.schedule(
            after_ms,
            Event::Node {
                peer: end.peer,
                life: end.life,
                input,
            },
        );
    }

    fn schedule(&mut self, after_ms: u64, event: Event) {
        self.events_last += 1;
        self.events
            .insert((self.now_ms + after_ms, self.events_last), event);
    }

    fn owner(&self, address: IpAddr) -> Option<usize> {
        self.machines
            .iter()
            .position(|machine| machine.address == address)
    }

    fn link_between(&self, from: usize, to: usize) -> Link {
        self.links.get(&(from, to)).copied().unwrap_or(Link::GOOD)
    }
}

impl Machine {
    fn listener(&self, service: Service, to: SocketAddr) -> Option<ListenerId> {
        let fits = |(held, address): &(Service, SocketAddr)| {
            *held == service
                && address.port() == to.port()
                && (address.ip().is_unspecified() || address.ip() == to.ip())
        };
        self.listeners
            .iter()
            .find(|(_, socket)| fits(socket))
            .map(|(listener, _)| *listener)
    }
}
