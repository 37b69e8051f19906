//! One cluster of up to six peers: epochs, configuration replication, shared state, beats.
//!
//! * Who is followed: [`promise`]. Nobody is elected; the administrator chooses, and the choice
//!   is made safe.
//! * Configuration plane: `replicate`. One writer, the primary; revisions are pushed as a hash
//!   chain, a snapshot where they do not fit.
//! * Dynamic plane: `share`. Every item has one owner; outcomes are shipped, never operations.
//! * Links and identities: this file. The peer with the lower address dials, both planes.
//!
//! Not Raft: a cluster of two with one peer dead must stay configurable, and calls must never wait
//! for a quorum. Not gossip: there are six known members. This module knows no call and no SIP.

mod board;
mod fence;
mod peer;
pub mod promise;
mod replicate;
mod report;
pub mod seen;
mod share;
pub mod status;
#[cfg(test)]
mod tests;
pub mod verify;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::base::digest::{equal, hmac_sha256, sha256};
use crate::base::ids::{PeerId, Position, StreamId, StreamIds};
use crate::base::limits;
use crate::base::random::Random;
use crate::base::socket::{Ends, PeerProof, Presented, Service};
use crate::base::store::{Record, Table, Write};
use crate::base::time::{Instant, Wall};
use crate::config::Configuration;
use crate::config::schema::SCHEMA;
use crate::config::settings::{ClusterSettings, Names, full_name};
use crate::directory::Directory;
use crate::wire::peer::{Hello, Message, encode};

use fence::Fence;
use peer::{Link, Peer};
use promise::Promise;
pub use replicate::Replicated;
use replicate::Replication;
use status::PeerState;

/// How long a link may take to exchange hellos.
const HELLO_PATIENCE: Duration = Duration::from_secs(5);

/// Silence of beats after which a link is given up and dialled anew.
const LINK_PATIENCE: Duration = Duration::from_secs(10);

/// How often digests are compared.
const DIGEST_INTERVAL: Duration = Duration::from_secs(5);

/// How late our own timer may be before what we think of others is worth nothing.
const STALL: Duration = Duration::from_secs(1);

/// Something happened that concerns the cluster.
#[derive(Debug)]
#[allow(
    missing_docs,
    reason = "fields are as in the conversation with the world"
)]
pub enum Input {
    /// A stream of a peer service is ready; `dialled` if by us.
    Opened {
        stream: StreamId,
        service: Service,
        ends: Ends,
        peer: PeerProof,
        dialled: bool,
    },
    /// Bytes arrived on a stream.
    Received { stream: StreamId, bytes: Vec<u8> },
    /// A stream ended or could not be opened.
    Closed { stream: StreamId, reason: String },
    /// A datagram arrived at the beat socket.
    Datagram { from: SocketAddr, bytes: Vec<u8> },
    /// Writes asked for by [`Action::Persist`] are on the disk, or why not.
    Written {
        token: u64,
        result: Result<(), String>,
    },
}

/// Something to do.
#[derive(Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "fields are as in the conversation with the world"
)]
pub enum Action {
    /// Open a stream; answered by `Opened` or `Closed`.
    Connect {
        stream: StreamId,
        service: Service,
        from: IpAddr,
        to: SocketAddr,
    },
    /// Send bytes.
    Write { stream: StreamId, bytes: Vec<u8> },
    /// Close a stream.
    Close { stream: StreamId },
    /// Send a datagram from the beat socket.
    Beat { to: SocketAddr, bytes: Vec<u8> },
    /// Make writes durable; answered by `Written`.
    Persist { token: u64, writes: Vec<Write> },
    /// A line for the log.
    Log { level: log::Level, text: String },
}

/// What a cluster engine is made from.
#[derive(Debug)]
pub struct Start<'a> {
    /// This peer.
    pub own: PeerId,
    /// Version of the software.
    pub software: &'a str,
    /// Randomness for the spread of dialling.
    pub random: Random,
    /// Names for the streams that it opens.
    pub streams: StreamIds,
    /// What the store held.
    pub records: &'a [Record],
}

/// This peer as a member of its cluster.
#[derive(Debug)]
pub struct Cluster {
    own: PeerId,
    software: String,
    schema: [u8; 32],
    random: Random,
    streams: StreamIds,
    /// `None` outside a cluster.
    settings: Option<ClusterSettings>,
    /// Full name of this system; empty while it has none.
    host: String,
    /// The certificate that this system presents, as those judge it who trust the same.
    own_certificate: Option<Presented>,
    secret: Option<String>,
    peers: Vec<Peer>,
    /// Identities met first at each address, durable.
    pins: BTreeMap<String, PeerId>,
    promise: Promise,
    /// A promise on its way to the disk.
    promising: Option<(u64, Promise)>,
    replication: Replication,
    tokens: u64,
    timers: Timers,
    /// Digests that differed: faults of our own, mended and counted.
    repairs: u64,
    fence: Fence,
    /// Messages of operations, for whoever leads or obeys them.
    heard: VecDeque<(PeerId, Message)>,
    /// What peers ask us to end.
    asked: VecDeque<(PeerId, Vec<u8>)>,
    actions: VecDeque<Action>,
}

#[derive(Debug, Default)]
struct Timers {
    beat: Instant,
    digest: Instant,
    share: Option<Instant>,
    /// When a wake-up was expected, to notice that we stalled.
    expected: Option<Instant>,
}

impl Cluster {
    /// The engine of a peer that has just started.
    pub fn new(now: Instant, start: Start<'_>, configuration: &Configuration) -> Self {
        let schema: Vec<u8> = SCHEMA
            .iter()
            .flat_map(|item| item.pattern.bytes())
            .collect();
        let mut cluster = Self {
            own: start.own,
            software: start.software.into(),
            schema: sha256(&[&schema]),
            random: start.random,
            streams: start.streams,
            settings: None,
            host: String::new(),
            own_certificate: None,
            secret: None,
            peers: Vec::new(),
            pins: load_pins(start.records),
            promise: Promise::load(start.records),
            promising: None,
            replication: Replication::default(),
            tokens: 0,
            timers: Timers::default(),
            repairs: 0,
            fence: Fence::load(start.records),
            heard: VecDeque::new(),
            asked: VecDeque::new(),
            actions: VecDeque::new(),
        };
        cluster.configured(now, configuration, &Names::new());
        cluster
    }

    /// The configuration has changed, or the addresses that DNS gives for `names`: peers come and
    /// go, a primary may have been chosen.
    pub fn configured(&mut self, now: Instant, configuration: &Configuration, names: &Names) {
        let settings = ClusterSettings::new(configuration.tree(), names);
        let listed = settings.peers.clone();
        self.host = full_name(configuration.tree());
        let settings = settings.position().is_some().then_some(settings);
        let secret = configuration
            .secret("Alternates Cluster Secret")
            .map(str::to_string);
        if let (Some(held), Some(wanted)) = (&mut self.settings, &settings) {
            // Choosing another primary is no reason to part from anybody.
            held.primary = wanted.primary;
        }
        if self.secret == secret && self.differs_in_addresses(settings.as_ref()) {
            self.move_peers(now, settings);
        } else if self.settings != settings || self.secret != secret {
            self.secret = secret;
            self.rebuild_peers(now, settings, &listed);
        }
        self.choose(configuration);
    }

    /// Takes in what happened. Actions that follow are waiting afterwards.
    pub fn handle(
        &mut self,
        now: Instant,
        wall: Wall,
        configuration: &mut Configuration,
        directory: &mut Directory,
        input: Input,
    ) {
        match input {
            Input::Opened {
                stream,
                service,
                ends,
                peer,
                dialled,
            } => {
                self.opened(now, stream, service, ends, peer, dialled);
            }
            Input::Received { stream, bytes } => {
                self.received(now, wall, configuration, directory, stream, &bytes);
            }
            Input::Closed { stream, reason } => self.closed(now, stream, &reason),
            Input::Datagram { from, bytes } => self.datagram(now, wall, from, &bytes),
            Input::Written { token, result } => {
                self.written(now, configuration, token, result);
            }
        }
    }

    /// Dials, beats, compares, gives up: whatever is due.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        configuration: &mut Configuration,
        directory: &mut Directory,
    ) {
        self.forgive_stall(now);
        self.dial(now);
        self.probe(now);
        if self.timers.beat <= now {
            self.timers.beat = now + limits::BEAT_INTERVAL;
            self.beat(now);
            self.drop_dead_links(now);
        }
        if self.timers.digest <= now {
            self.timers.digest = now + DIGEST_INTERVAL;
            self.send_digests(directory);
            self.tell_judgements();
            self.send_board_digests(now, directory);
        }
        if self.timers.share.is_some_and(|at| at <= now) {
            self.timers.share = None;
            self.share(now, directory);
        }
        self.replication_timeout(now, configuration);
        self.timers.expected = self.poll_timeout();
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Cluster::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let settings = self.settings.as_ref()?;
        let services = [Service::PeerConfiguration, Service::PeerState];
        let due = |peer: &Peer| {
            let idle = |(service, dial): (Service, &peer::Dial)| {
                let there = match service {
                    Service::PeerConfiguration => peer.configuration.is_some(),
                    _ => peer.state.is_some(),
                };
                (!there && dial.stream.is_none()).then_some(dial.due)
            };
            let dials = services.into_iter().zip(&peer.dials).filter_map(idle);
            self.dials(settings, peer).then_some(dials.min()).flatten()
        };
        let dials = self.peers.iter().filter_map(due);
        let timers = [self.timers.beat, self.timers.digest]
            .into_iter()
            .chain(self.timers.share);
        dials
            .chain(timers)
            .chain(self.replication.poll_timeout())
            .min()
    }

    fn rebuild_peers(
        &mut self,
        now: Instant,
        settings: Option<ClusterSettings>,
        listed: &[String],
    ) {
        let own = settings.as_ref().and_then(ClusterSettings::position);
        for peer in &self.peers {
            let links = [&peer.configuration, &peer.state];
            for link in links.into_iter().flatten() {
                self.actions.push_back(Action::Close {
                    stream: link.stream,
                });
            }
        }
        let addresses = settings
            .as_ref()
            .map_or(&[][..], |settings| &settings.peers);
        let resolved = settings.iter().flat_map(|settings| &settings.addresses);
        let placed = addresses.iter().zip(resolved).zip(Position::all());
        let others = placed.filter(|(_, position)| Some(*position) != own);
        let mut peers: Vec<Peer> = others
            .map(|((address, ip), position)| Peer::new(now, position, address.clone(), *ip))
            .collect();
        let mut writes = self.keep_pins(&peers);
        for peer in &mut peers {
            peer.id = self.pins.get(&peer.address).copied();
            peer.dials.iter_mut().for_each(|dial| dial.due = now);
            if let Some(old) = self.peers.iter().find(|old| old.is_at(peer)) {
                (peer.met, peer.since) = (old.met, old.since);
                peer.beats.round_trip = old.beats.round_trip;
            }
        }
        self.peers = peers;
        let gone: Vec<String> = self
            .pins
            .keys()
            .filter(|address| !listed.contains(address))
            .cloned()
            .collect();
        let forget = |address: &String| Write::Delete {
            table: Table::Fact,
            key: pin_key(address),
        };
        writes.extend(gone.iter().map(forget));
        for address in &gone {
            let id = self.pins.remove(address);
            let elsewhere = id.is_some_and(|id| self.pins.values().any(|other| *other == id));
            if let Some(id) = id.filter(|_| settings.is_some() && !elsewhere) {
                writes.extend(self.remove(id, address));
            }
        }
        self.persist_quietly(writes);
        self.settings = settings;
        self.replication.reset();
        self.timers.beat = now;
    }

    /// Whether these settings differ from those in effect only in what names resolve to.
    fn differs_in_addresses(&self, settings: Option<&ClusterSettings>) -> bool {
        let (Some(ours), Some(settings)) = (&self.settings, settings) else {
            return false;
        };
        let same = ClusterSettings {
            addresses: settings.addresses.clone(),
            ..ours.clone()
        };
        ours.addresses != settings.addresses
            && same == *settings
            && ours.position() == settings.position()
            && ours.own_address() == settings.own_address()
    }

    /// Names of peers resolve to other addresses; all other peers are left as they are.
    fn move_peers(&mut self, now: Instant, settings: Option<ClusterSettings>) {
        let addresses = settings.iter().flat_map(|settings| &settings.addresses);
        let places: Vec<(Position, Option<IpAddr>)> =
            Position::all().zip(addresses.copied()).collect();
        self.settings = settings;
        for place in 0..self.peers.len() {
            let position = self.peers[place].position;
            let found = places.iter().find(|(other, _)| *other == position);
            let ip = found.and_then(|(_, ip)| *ip);
            if self.peers[place].ip == ip {
                continue;
            }
            for service in [Service::PeerConfiguration, Service::PeerState] {
                self.drop_link(now, place, service);
                self.peers[place].dial(service).reset(now);
            }
            self.peers[place].ip = ip;
        }
    }

    /// A peer that was given another name or address for the place where it is keeps its identity.
    fn keep_pins(&mut self, peers: &[Peer]) -> Vec<Write> {
        let mut writes = Vec::new();
        for peer in peers {
            if self.pins.contains_key(&peer.address) {
                continue;
            }
            let Some(id) = self
                .peers
                .iter()
                .find(|old| old.is_at(peer))
                .and_then(|old| old.id)
            else {
                continue;
            };
            self.pins.insert(peer.address.clone(), id);
            writes.push(Write::Put {
                table: Table::Fact,
                key: pin_key(&peer.address),
                value: id.0.to_vec(),
            });
        }
        writes
    }

    /// The peer with the lower address dials the other.
    fn dials(&self, settings: &ClusterSettings, peer: &Peer) -> bool {
        settings
            .own_address()
            .zip(peer.ip)
            .is_some_and(|(own, theirs)| own < theirs)
    }

    fn dial(&mut self, now: Instant) {
        let Some(settings) = self.settings.clone() else {
            return;
        };
        let Some(from) = settings.own_address() else {
            return;
        };
        for place in 0..self.peers.len() {
            if !self.dials(&settings, &self.peers[place]) {
                continue;
            }
            let ports = [
                (Service::PeerConfiguration, settings.configuration_port),
                (Service::PeerState, settings.state_port),
            ];
            for (service, port) in ports {
                let peer = &mut self.peers[place];
                let there = peer.link(service).is_some();
                let dial = peer.dial(service);
                if there || dial.stream.is_some() || dial.due > now {
                    continue;
                }
                let stream = self.streams.take();
                dial.stream = Some(stream);
                if let Some(ip) = peer.ip {
                    let to = SocketAddr::new(ip, port);
                    self.actions.push_back(Action::Connect {
                        stream,
                        service,
                        from,
                        to,
                    });
                }
            }
        }
    }

    fn opened(
        &mut self,
        now: Instant,
        stream: StreamId,
        service: Service,
        ends: Ends,
        proof: PeerProof,
        dialled: bool,
    ) {
        if self.is_probe(stream) {
            return;
        }
        let found = self
            .peers
            .iter()
            .position(|peer| peer.ip == Some(ends.remote.ip()));
        let expected = |peer: &Peer| {
            let ours = self
                .settings
                .as_ref()
                .is_some_and(|settings| self.dials(settings, peer));
            ours == dialled
        };
        let Some(place) = found.filter(|place| expected(&self.peers[*place])) else {
            self.misplaced(now, ends, &proof.certificate);
            self.turn_away(stream, ends, &proof);
            return;
        };
        let own = self.own;
        let peer = &mut self.peers[place];
        peer.dial(service).stream = None;
        let fault = if proof.id == own {
            Some("it proves this system's own identity: two peers share one key".to_string())
        } else if peer.id.is_some_and(|id| id != proof.id) {
            Some("its identity is not the one met before; remove and add the peer to accept".into())
        } else {
            None
        };
        let fault = fault.or_else(|| self.judge(place, proof.certificate.clone()));
        if let Some(fault) = fault {
            return self.refuse(now, place, service, stream, fault);
        }
        let hello = self.hello(&proof, dialled);
        let peer = &mut self.peers[place];
        let reader = Default::default();
        let link = Link {
            stream,
            proof,
            dialled,
            reader,
            hello: None,
            since: now,
        };
        if let Some(old) = peer.link(service).take() {
            self.actions.push_back(Action::Close { stream: old.stream });
            self.peers[place].lost(service);
        }
        *self.peers[place].link(service) = Some(link);
        self.write(stream, &Message::Hello(hello));
    }

    fn received(
        &mut self,
        now: Instant,
        wall: Wall,
        configuration: &mut Configuration,
        directory: &mut Directory,
        stream: StreamId,
        bytes: &[u8],
    ) {
        let Some((place, service)) = self.find(stream) else {
            return self.probed(stream, bytes);
        };
        if let Some(link) = self.peers[place].link(service) {
            link.reader.push(bytes);
        }
        // A message may end the link; then nothing more is read from it.
        while let Some(link) = self.peers[place]
            .link(service)
            .as_mut()
            .filter(|l| l.stream == stream)
        {
            let greeted = link.hello.is_some();
            match link.reader.poll() {
                Ok(None) => return,
                Err(fault) => return self.refuse(now, place, service, stream, fault.to_string()),
                Ok(Some(Message::Hello(hello))) if !greeted => {
                    self.peers[place].last_contact = Some(wall);
                    self.greeted(now, configuration, directory, place, service, hello);
                }
                Ok(Some(Message::Removed(text))) => {
                    let address = self.peers[place].address.clone();
                    self.drop_link(now, place, service);
                    self.told_removed(&address, &text);
                }
                Ok(Some(Message::Refused(reason))) => {
                    self.peers[place].refusal = Some(format!("it refuses this system: {reason}"));
                    self.drop_link(now, place, service);
                }
                Ok(Some(message)) if greeted => {
                    self.peers[place].last_contact = Some(wall);
                    let fits = match service {
                        Service::PeerConfiguration => {
                            self.configuration_message(now, configuration, place, message)
                        }
                        _ => self.state_message(now, directory, place, message),
                    };
                    if !fits {
                        let fault = "a message that does not belong here".to_string();
                        return self.refuse(now, place, service, stream, fault);
                    }
                }
                Ok(Some(_)) => {
                    let fault = "a message before the hello".to_string();
                    return self.refuse(now, place, service, stream, fault);
                }
            }
        }
    }

    /// Judges the hello of a peer; from here on the link stands.
    fn greeted(
        &mut self,
        now: Instant,
        configuration: &Configuration,
        directory: &Directory,
        place: usize,
        service: Service,
        hello: Hello,
    ) {
        let Some(settings) = &self.settings else {
            return;
        };
        let Some(link) = self.peers[place].link(service) else {
            return;
        };
        let (stream, proof, dialled) = (link.stream, link.proof.clone(), link.dialled);
        let fault = if hello.cluster != settings.name {
            Some(format!(
                "its cluster is {:?}, this one {:?}",
                hello.cluster, settings.name
            ))
        } else if !self.proves_secret(&hello, &proof, !dialled) {
            Some("the cluster secret is not the same".to_string())
        } else {
            None
        };
        if let Some(fault) = fault {
            return self.refuse(now, place, service, stream, fault);
        }
        let schema = self.schema;
        let peer = &mut self.peers[place];
        peer.refusal = None;
        peer.removed = None;
        peer.software = Some(hello.software.clone());
        peer.same_schema = hello.schema == schema;
        peer.dial(service).reset(now);
        if let Some(link) = peer.link(service) {
            link.hello = Some(hello);
        }
        if service == Service::PeerState {
            peer.beats.begin(&proof.binding);
            self.timers.beat = now;
        }
        let readmitted = self.readmit(proof.id);
        self.persist_quietly(readmitted.into_iter().collect());
        self.pin(place, proof.id);
        match service {
            Service::PeerConfiguration => {
                self.send_state(configuration, place);
                self.tell_judgements();
            }
            _ => {
                self.want_items(directory, place);
                self.announce_features(place);
            }
        }
    }

    /// Notes the identity of a peer that was met for the first time.
    fn pin(&mut self, place: usize, id: PeerId) {
        let peer = &mut self.peers[place];
        if peer.id == Some(id) {
            return;
        }
        peer.id = Some(id);
        let address = peer.address.clone();
        let write = Write::Put {
            table: Table::Fact,
            key: pin_key(&address),
            value: id.0.to_vec(),
        };
        self.pins.insert(address, id);
        self.persist_quietly(alloc::vec![write]);
    }

    fn datagram(&mut self, now: Instant, wall: Wall, from: SocketAddr, bytes: &[u8]) {
        let of = |peer: &&mut Peer| peer.ip == Some(from.ip());
        let Some(peer) = self.peers.iter_mut().find(of) else {
            return;
        };
        if let Some(id) = peer.id
            && peer.beats.hear(now, id, bytes)
        {
            peer.last_contact = Some(wall);
            peer.met |= peer.state_word(now) == PeerState::Active;
        }
    }

    fn beat(&mut self, now: Instant) {
        let Some(port) = self.settings.as_ref().map(|settings| settings.state_port) else {
            return;
        };
        for peer in &mut self.peers {
            if let (Some(ip), Some(bytes)) = (peer.ip, peer.beats.next(now, self.own)) {
                self.actions.push_back(Action::Beat {
                    to: SocketAddr::new(ip, port),
                    bytes,
                });
            }
        }
    }

    fn drop_dead_links(&mut self, now: Instant) {
        for place in 0..self.peers.len() {
            let silent = !self.peers[place].is_heard(now, LINK_PATIENCE);
            for service in [Service::PeerConfiguration, Service::PeerState] {
                let Some(link) = self.peers[place].link(service) else {
                    continue;
                };
                let age = now.since(link.since);
                let dead = (link.hello.is_none() && age > HELLO_PATIENCE)
                    || (silent && age > LINK_PATIENCE);
                if dead {
                    self.drop_link(now, place, service);
                }
            }
        }
    }

    /// After a stall of our own, silence of others proves nothing.
    fn forgive_stall(&mut self, now: Instant) {
        let Some(expected) = self.timers.expected else {
            return;
        };
        if now.since(expected) <= STALL {
            return;
        }
        for peer in &mut self.peers {
            let heard = peer.beats.heard_at;
            if heard.is_some_and(|at| expected.since(at) < limits::BEAT_FAILED) {
                peer.beats.heard_at = Some(now);
            }
        }
    }

    fn closed(&mut self, now: Instant, stream: StreamId, reason: &str) {
        if self.probe_closed(stream) {
            return;
        }
        if let Some((place, service)) = self.find(stream) {
            self.peers[place].lost(service);
            let spread = self.random.below(256);
            self.peers[place].dial(service).later(now, spread);
            return;
        }
        for place in 0..self.peers.len() {
            for service in [Service::PeerConfiguration, Service::PeerState] {
                let spread = self.random.below(256);
                let peer = &mut self.peers[place];
                if peer.dial(service).stream == Some(stream) {
                    peer.dial(service).later(now, spread);
                    let text = format!("peer {} cannot be reached: {reason}", peer.address);
                    self.actions.push_back(Action::Log {
                        level: log::Level::Debug,
                        text,
                    });
                }
            }
        }
    }

    /// Tells the peer why, closes, and remembers the reason for the alarm.
    fn refuse(
        &mut self,
        now: Instant,
        place: usize,
        service: Service,
        stream: StreamId,
        fault: String,
    ) {
        self.write(stream, &Message::Refused(fault.clone()));
        if self.peers[place].refusal.as_ref() != Some(&fault) {
            let text = format!("peer {} is refused: {fault}", self.peers[place].address);
            self.actions.push_back(Action::Log {
                level: log::Level::Warn,
                text,
            });
        }
        self.peers[place].refusal = Some(fault);
        if self.peers[place]
            .link(service)
            .as_ref()
            .is_some_and(|link| link.stream == stream)
        {
            self.drop_link(now, place, service);
        } else {
            self.actions.push_back(Action::Close { stream });
            let spread = self.random.below(256);
            self.peers[place].dial(service).later(now, spread);
        }
    }

    fn drop_link(&mut self, now: Instant, place: usize, service: Service) {
        let spread = self.random.below(256);
        let peer = &mut self.peers[place];
        if let Some(link) = peer.link(service).take() {
            self.actions.push_back(Action::Close {
                stream: link.stream,
            });
        }
        peer.lost(service);
        peer.dial(service).later(now, spread);
    }

    fn hello(&self, proof: &PeerProof, dialled: bool) -> Hello {
        let settings = self.settings.as_ref();
        Hello {
            software: self.software.clone(),
            schema: self.schema,
            cluster: settings.map_or_else(String::new, |settings| settings.name.clone()),
            peers: settings.map_or_else(Vec::new, |settings| settings.peers.clone()),
            proof: self.secret_proof(&proof.binding, dialled),
        }
    }

    /// What proves the cluster secret over a channel, different for its two ends.
    fn secret_proof(&self, binding: &[u8; 32], dialler: bool) -> Option<[u8; 32]> {
        let role: &[u8] = if dialler {
            b"causeway dialler"
        } else {
            b"causeway listener"
        };
        self.secret
            .as_ref()
            .map(|secret| hmac_sha256(secret.as_bytes(), &[binding, role]))
    }

    fn proves_secret(&self, hello: &Hello, proof: &PeerProof, dialler: bool) -> bool {
        match (self.secret_proof(&proof.binding, dialler), &hello.proof) {
            (Some(ours), Some(theirs)) => equal(&ours, theirs),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    fn find(&mut self, stream: StreamId) -> Option<(usize, Service)> {
        let services = [Service::PeerConfiguration, Service::PeerState];
        for (place, peer) in self.peers.iter_mut().enumerate() {
            for service in services {
                if peer
                    .link(service)
                    .as_ref()
                    .is_some_and(|link| link.stream == stream)
                {
                    return Some((place, service));
                }
            }
        }
        None
    }

    fn write(&mut self, stream: StreamId, message: &Message) {
        self.actions.push_back(Action::Write {
            stream,
            bytes: encode(message),
        });
    }

    fn send(&mut self, place: usize, service: Service, message: &Message) {
        if let Some(stream) = self.peers[place]
            .link(service)
            .as_ref()
            .map(|link| link.stream)
        {
            self.write(stream, message);
        }
    }

    fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    /// Writes whose arrival nobody waits for.
    fn persist_quietly(&mut self, writes: Vec<Write>) {
        if !writes.is_empty() {
            let token = self.token();
            self.actions.push_back(Action::Persist { token, writes });
        }
    }
}

fn pin_key(address: &str) -> Vec<u8> {
    [PIN, address.as_bytes()].concat()
}

/// Begin of the names of pinned identities in the store.
const PIN: &[u8] = b"pin ";

fn load_pins(records: &[Record]) -> BTreeMap<String, PeerId> {
    let pin = |record: &Record| {
        let address = record.key.strip_prefix(PIN)?;
        let id = record.value.as_deref()?.try_into().ok()?;
        Some((String::from_utf8(address.to_vec()).ok()?, PeerId(id)))
    };
    records
        .iter()
        .filter(|record| record.table == Table::Fact)
        .filter_map(pin)
        .collect()
}
