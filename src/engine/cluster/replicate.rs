//! The configuration plane: promises, revisions from the primary, snapshots (SPEC RP3 to RP6).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::base::ids::{PeerId, StreamId};
use crate::base::limits;
use crate::base::socket::Service;
use crate::base::time::Instant;
use crate::config::path::Path;
use crate::config::revision::{Revision, RevisionId};
use crate::config::schema::Scope;
use crate::config::{Adoption, Bundle, Configuration, Snapshot};
use crate::wire::peer::{Head, Message, State};

use super::promise::Promise;
use super::{Action, Cluster};

/// How long "saved" waits for one reachable peer to hold the change too.
const SAVE_PATIENCE: Duration = Duration::from_secs(1);

/// How long after a failed write the primary is asked again.
const RETRY: Duration = Duration::from_secs(5);

/// Both sides of replication.
#[derive(Debug, Default)]
pub(super) struct Replication {
    /// Subordinate: what is on its way to the disk.
    adopting: Option<(u64, Adoption)>,
    /// Subordinate: why replication cannot go on.
    pub(super) fault: Option<String>,
    retry: Option<Instant>,
    /// Primary: saves that wait for a peer, and until when.
    waiting: BTreeMap<RevisionId, Instant>,
    saved: VecDeque<Replicated>,
    /// Whether a local save is on its way to the disk.
    saving: bool,
    /// Subordinate: the link on which secrets that cannot be read here were asked for.
    secrets_asked: Option<StreamId>,
}

/// On how many peers a save stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicated {
    /// The saved revision.
    pub revision: RevisionId,
    /// Peers that hold it, this one included.
    pub on: usize,
    /// Peers in the cluster.
    pub of: usize,
}

impl Replication {
    /// The peer list has changed: nobody will answer for what waits.
    pub(super) fn reset(&mut self) {
        self.waiting
            .values_mut()
            .for_each(|until| *until = Instant::START);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.values().copied().chain(self.retry).min()
    }
}

impl Cluster {
    /// The epoch in which a change of the replicated configuration may be saved here.
    ///
    /// # Errors
    ///
    /// Where to save it instead (SPEC RP4).
    pub fn may_change(&self) -> Result<u64, String> {
        let Some(settings) = &self.settings else {
            return Ok(self.promise.epoch);
        };
        if let Some(told) = self.is_fenced() {
            return Err(format!(
                "{told}: clear all peer addresses and restart, which resets this system"
            ));
        }
        if self.replication.adopting.is_some() {
            return Err("a former primary's configuration is being stored; try again".into());
        }
        match self.promise.primary {
            Some(primary) if primary == self.own => Ok(self.promise.epoch),
            Some(primary) => {
                let address = self
                    .address_of(primary)
                    .unwrap_or("that is no longer a peer");
                Err(format!(
                    "this is a subordinate peer: change it on the primary ({address})"
                ))
            }
            None => {
                let place = settings
                    .primary
                    .map_or(0, |primary| usize::from(primary.number()));
                let address = settings.peers.get(place.wrapping_sub(1));
                let address = address.map_or("none", String::as_str);
                Err(format!(
                    "this is to be a subordinate peer: change it on the primary ({address}), \
                     which has not been met yet"
                ))
            }
        }
    }

    /// Whether a promise is on its way to the disk: until it is there nobody knows who may change
    /// the replicated configuration.
    pub fn is_promising(&self) -> bool {
        self.promising.is_some()
    }

    /// A local save begins or ends: revisions from elsewhere wait for its end.
    pub fn saving(&mut self, configuration: &Configuration, saving: bool) {
        self.replication.saving = saving;
        if !saving {
            self.ask_primary(configuration, false);
        }
    }

    /// A change of the replicated configuration was committed here: push it.
    pub fn saved(&mut self, now: Instant, configuration: &Configuration, revision: &Revision) {
        self.replication
            .waiting
            .insert(revision.id, now + SAVE_PATIENCE);
        for place in 0..self.peers.len() {
            self.send_state(configuration, place);
            self.feed(configuration, place);
        }
        self.settle_saves(now);
    }

    /// A save that has been replicated as far as is waited for.
    pub fn poll_saved(&mut self) -> Option<Replicated> {
        self.replication.saved.pop_front()
    }

    /// Takes the primary's whole configuration in the place of what is here (SPEC RP6).
    ///
    /// # Errors
    ///
    /// Why there is nobody to take it from.
    pub fn force_update(&mut self, configuration: &Configuration) -> Result<(), String> {
        if self.settings.is_none() {
            return Err("this system is not in a cluster".into());
        }
        if self.promise.primary == Some(self.own) {
            return Err("this is the primary: run it on a subordinate peer".into());
        }
        if !self.ask_primary(configuration, true) {
            return Err("the primary cannot be reached".into());
        }
        Ok(())
    }

    /// Acts on the administrator's choice of a primary, if it is a new one and its peer is known.
    pub(super) fn choose(&mut self, configuration: &Configuration) {
        let Some(settings) = &self.settings else {
            if self.promise.chosen.is_some() && self.promising.is_none() {
                self.promise(Promise {
                    chosen: None,
                    ..self.promise.clone()
                });
            }
            return;
        };
        let Some(position) = settings.primary else {
            return;
        };
        let address = settings.peers.get(usize::from(position.number()) - 1);
        let Some(address) = address.cloned() else {
            return;
        };
        let choice = Some((position.number(), address));
        if self.promising.is_some() || self.promise.chosen == choice {
            return;
        }
        let id = if settings.position() == Some(position) {
            Some(self.own)
        } else {
            // Only once its own promise is known: most often it is the one that we would make.
            let met = self.peers.iter().find(|peer| peer.position == position);
            met.filter(|peer| peer.follows.is_some())
                .and_then(|peer| peer.id)
        };
        match id {
            None => {}
            Some(id) if self.promise.primary == Some(id) => {
                self.promise(Promise {
                    chosen: choice,
                    ..self.promise.clone()
                });
            }
            Some(id) => {
                let epoch = self.promise.next_epoch(self.own);
                self.promise(Promise {
                    epoch,
                    primary: Some(id),
                    chosen: choice,
                });
            }
        }
        let _ = configuration;
    }

    /// What the configuration plane of a peer says; `false` if it has no business here.
    pub(super) fn configuration_message(
        &mut self,
        now: Instant,
        configuration: &mut Configuration,
        place: usize,
        message: Message,
    ) -> bool {
        match message {
            Message::State(state) => self.heard_state(configuration, place, state),
            Message::Holds { head, whole } => {
                let peer = &mut self.peers[place];
                peer.feeding = false;
                peer.holds = Some(head);
                if whole {
                    self.send_snapshot(configuration, place);
                } else {
                    self.feed(configuration, place);
                }
                self.settle_saves(now);
            }
            Message::Revisions(bytes) => {
                if self.takes_from(place) {
                    match Bundle::decode(&bytes).and_then(|bundle| configuration.check(bundle)) {
                        Ok(adoption) => self.adopt(adoption),
                        Err(_) => {
                            self.ask_primary(configuration, true);
                        }
                    }
                }
            }
            Message::SnapshotPart { bytes, last } => {
                let parts = &mut self.peers[place].parts;
                if parts.len() + bytes.len() > limits::SNAPSHOT_BYTES {
                    return false;
                }
                parts.extend_from_slice(&bytes);
                if last {
                    let bytes = core::mem::take(parts);
                    if self.takes_from(place) {
                        let snapshot = Snapshot::decode(&bytes);
                        match snapshot.and_then(|whole| configuration.check_snapshot(whole)) {
                            Ok(adoption) => self.adopt(adoption),
                            Err(fault) => {
                                let reason = format!("what the primary sends is refused: {fault}");
                                self.replication_fault(now, reason);
                            }
                        }
                    }
                }
            }
            message @ (Message::Order(_) | Message::Done(_)) => self.take_order(place, message),
            Message::Judged(bytes) => return self.heard_judgement(place, &bytes),
            Message::Hello(_)
            | Message::Refused(_)
            | Message::Join(_)
            | Message::Removed(_)
            | Message::Wants(_)
            | Message::Items { .. }
            | Message::ItemsBegin { .. }
            | Message::ItemsPart(_)
            | Message::ItemsEnd { .. }
            | Message::Digest { .. }
            | Message::Board(_) => return false,
        }
        true
    }

    /// Tells a peer whom we follow and what we hold.
    pub(super) fn send_state(&mut self, configuration: &Configuration, place: usize) {
        if self.peers[place].stands(Service::PeerConfiguration) {
            let state = State {
                epoch: self.promise.epoch,
                primary: self.promise.primary,
                head: head(configuration),
            };
            self.send(place, Service::PeerConfiguration, &Message::State(state));
        }
    }

    /// A write has ended: a promise holds, a primary's configuration takes effect.
    pub(super) fn written(
        &mut self,
        now: Instant,
        configuration: &mut Configuration,
        token: u64,
        result: Result<(), String>,
    ) {
        if let Some((_, promise)) = self.promising.take_if(|(waiting, _)| *waiting == token) {
            match result {
                Ok(()) => self.promised(configuration, promise),
                Err(reason) => self.disk_fault(now, &reason),
            }
        } else if let Some((_, adoption)) = self
            .replication
            .adopting
            .take_if(|(waiting, _)| *waiting == token)
        {
            match result {
                Ok(()) => {
                    self.replication.fault = None;
                    let writes = configuration.adopt(adoption);
                    self.persist_quietly(writes);
                    for place in 0..self.peers.len() {
                        self.send_state(configuration, place);
                    }
                    self.ask_primary(configuration, false);
                }
                Err(reason) => self.disk_fault(now, &reason),
            }
        }
    }

    pub(super) fn replication_timeout(&mut self, now: Instant, configuration: &Configuration) {
        if self.replication.retry.is_some_and(|at| at <= now) {
            self.replication.retry = None;
            self.ask_primary(configuration, false);
            self.choose(configuration);
            for place in 0..self.peers.len() {
                self.follow(place);
            }
        }
        self.settle_saves(now);
    }

    /// Address of a peer by its identity.
    pub fn address_of(&self, id: PeerId) -> Option<&str> {
        let peer = self.peers.iter().find(|peer| peer.id == Some(id));
        let own = || {
            let settings = self.settings.as_ref()?;
            let place = usize::from(settings.position()?.number()) - 1;
            (id == self.own).then(|| settings.peers[place].as_str())
        };
        peer.map(|peer| peer.address.as_str()).or_else(own)
    }

    fn heard_state(&mut self, configuration: &Configuration, place: usize, state: State) {
        self.peers[place].follows = Some(state);
        self.follow(place);
        self.choose(configuration);
        let behind = state.head != head(configuration) || lost_secrets(configuration);
        if self.takes_from(place) && behind {
            self.ask_primary(configuration, false);
        }
    }

    /// Follows a peer into a higher epoch.
    fn follow(&mut self, place: usize) {
        let Some(state) = self.peers[place].follows else {
            return;
        };
        let highest = self
            .promising
            .as_ref()
            .map_or(self.promise.epoch, |(_, next)| next.epoch);
        if state.epoch > highest && state.primary.is_some() {
            let chosen = self.promise.chosen.clone();
            self.promise(Promise {
                epoch: state.epoch,
                primary: state.primary,
                chosen,
            });
        }
    }

    /// Puts a promise on the disk; it holds once it is there.
    fn promise(&mut self, promise: Promise) {
        let token = self.token();
        let writes = promise.write();
        self.promising = Some((token, promise));
        self.actions.push_back(Action::Persist { token, writes });
    }

    fn promised(&mut self, configuration: &Configuration, promise: Promise) {
        if promise.primary != self.promise.primary || promise.epoch != self.promise.epoch {
            let primary = promise
                .primary
                .and_then(|id| self.address_of(id))
                .unwrap_or("unknown");
            let term = super::promise::term(promise.epoch);
            let text = format!("term {term}: the primary is {primary}");
            self.actions.push_back(Action::Log {
                level: log::Level::Info,
                text,
            });
        }
        self.promise = promise;
        // What was heard while this one was on its way may lead further.
        for place in 0..self.peers.len() {
            self.follow(place);
        }
        for place in 0..self.peers.len() {
            self.send_state(configuration, place);
            self.feed(configuration, place);
        }
        self.choose(configuration);
        self.ask_primary(configuration, false);
    }

    /// Whether a peer's configuration is to be taken over: it is the primary that we follow, and
    /// it knows that it is.
    fn takes_from(&self, place: usize) -> bool {
        let peer = &self.peers[place];
        peer.id.is_some()
            && peer.id == self.promise.primary
            && peer.same_schema
            && peer
                .follows
                .is_some_and(|state| state.epoch == self.promise.epoch)
    }

    /// Tells the primary what we hold, so that it sends the rest; says whether it can be reached.
    fn ask_primary(&mut self, configuration: &Configuration, whole: bool) -> bool {
        if self.replication.adopting.is_some() || self.replication.saving {
            return false;
        }
        let Some(place) = (0..self.peers.len()).find(|place| self.takes_from(*place)) else {
            return false;
        };
        let message = Message::Holds {
            head: head(configuration),
            whole: whole || self.lacks_secrets(configuration, place),
        };
        self.send(place, Service::PeerConfiguration, &message);
        self.peers[place].stands(Service::PeerConfiguration)
    }

    /// Whether replicated secrets cannot be read here, so that only everything will do (SPEC RP7).
    /// Once for each link: the primary may have lost them too.
    fn lacks_secrets(&mut self, configuration: &Configuration, place: usize) -> bool {
        let link = self.peers[place].configuration.as_ref();
        let link = link.map(|link| link.stream);
        if self.replication.secrets_asked == link {
            return false;
        }
        self.replication.secrets_asked = link;
        lost_secrets(configuration)
    }

    fn adopt(&mut self, adoption: Adoption) {
        if self.replication.adopting.is_some() || self.replication.saving {
            return;
        }
        let token = self.token();
        let writes = adoption.writes().to_vec();
        self.replication.adopting = Some((token, adoption));
        self.actions.push_back(Action::Persist { token, writes });
    }

    /// Primary: sends a peer what follows the revision that it holds, a piece at a time.
    fn feed(&mut self, configuration: &Configuration, place: usize) {
        let peer = &self.peers[place];
        let leads = self.promise.primary == Some(self.own) && self.settings.is_some();
        let Some(holds) = peer
            .holds
            .filter(|_| leads && peer.same_schema && !peer.feeding)
        else {
            return;
        };
        if holds == head(configuration) || !peer.stands(Service::PeerConfiguration) {
            return;
        }
        let chain = configuration.chain(Scope::Cluster);
        let Some(mut revisions) = chain.after(holds.number, &holds.hash) else {
            return self.send_snapshot(configuration, place);
        };
        revisions.truncate(limits::REVISIONS_PER_FRAME);
        while !revisions.is_empty() {
            let bundle = configuration.bundle(&revisions);
            let bytes = bundle.encode();
            if bytes.len() < limits::PEER_FRAME_BYTES - 64 {
                self.peers[place].feeding = true;
                self.send(
                    place,
                    Service::PeerConfiguration,
                    &Message::Revisions(bytes),
                );
                return;
            }
            revisions.truncate(revisions.len() / 2);
        }
        self.send_snapshot(configuration, place);
    }

    fn send_snapshot(&mut self, configuration: &Configuration, place: usize) {
        let leads = self.promise.primary == Some(self.own) && self.settings.is_some();
        if !leads || self.peers[place].feeding || !self.peers[place].same_schema {
            return;
        }
        let bytes = configuration.snapshot().encode();
        self.peers[place].feeding = true;
        let mut parts = bytes.chunks(limits::SNAPSHOT_PART_BYTES).peekable();
        while let Some(part) = parts.next() {
            let message = Message::SnapshotPart {
                bytes: part.to_vec(),
                last: parts.peek().is_none(),
            };
            self.send(place, Service::PeerConfiguration, &message);
        }
    }

    /// Answers the saves that stand on another peer, or have waited long enough, or need not wait.
    fn settle_saves(&mut self, now: Instant) {
        let waiting = core::mem::take(&mut self.replication.waiting);
        for (revision, until) in waiting {
            let holds = |holds: &Head| holds.number >= revision.number;
            let on = self
                .peers
                .iter()
                .filter(|peer| peer.holds.as_ref().is_some_and(holds))
                .count();
            let reachable = self.peers.iter().any(|peer| peer.holds.is_some());
            if on > 0 || until <= now || !reachable {
                let of = self.peers.len() + 1;
                self.replication.saved.push_back(Replicated {
                    revision,
                    on: on + 1,
                    of,
                });
            } else {
                self.replication.waiting.insert(revision, until);
            }
        }
    }

    fn disk_fault(&mut self, now: Instant, reason: &str) {
        self.replication_fault(now, format!("the disk refuses the write: {reason}"));
    }

    /// Replication cannot go on as it is; the primary is asked again later, not at once.
    fn replication_fault(&mut self, now: Instant, reason: String) {
        if self.replication.fault.as_ref() != Some(&reason) {
            let text = format!("configuration replication: {reason}");
            self.actions.push_back(Action::Log {
                level: log::Level::Error,
                text,
            });
        }
        self.replication.fault = Some(reason);
        self.replication.retry = Some(now + RETRY);
    }
}

/// Whether secrets that the primary shares cannot be read here.
fn lost_secrets(configuration: &Configuration) -> bool {
    let shared = |path: Path| path.item().scope == Scope::Cluster;
    configuration.lost_secrets().any(shared)
}

/// The newest revision of the replicated configuration here.
pub(super) fn head(configuration: &Configuration) -> Head {
    let chain = configuration.chain(Scope::Cluster);
    let RevisionId { epoch, number } = chain.id();
    Head {
        epoch,
        number,
        hash: chain.hash(),
    }
}
