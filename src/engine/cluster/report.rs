//! What people see of the cluster: the status page and the alarms (SPEC CL1, AL1).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::alarm::{Condition, Kind, catalogue};
use crate::base::ids::Position;
use crate::base::limits;
use crate::base::socket::Service;
use crate::base::time::{Instant, Wall};
use crate::config::Configuration;
use crate::config::schema::Scope;
use crate::config::settings::ClusterSettings;
use crate::directory::Directory;

use super::Cluster;
use super::peer::Peer;
use super::promise::term;
use super::status::{ClusterStatus, PeerState, PeerStatus};

impl Cluster {
    /// The cluster as a person sees it.
    pub fn status(
        &self,
        now: Instant,
        wall: Wall,
        configuration: &Configuration,
        directory: &Directory,
    ) -> ClusterStatus {
        let id = configuration.chain(Scope::Cluster).id();
        let revision = (term(id.epoch), id.number);
        let Some(settings) = &self.settings else {
            return ClusterStatus {
                revision,
                ..ClusterStatus::default()
            };
        };
        let own = settings.position();
        let mut peers: Vec<PeerStatus> = self
            .peers
            .iter()
            .map(|peer| self.row(now, directory, peer, revision))
            .collect();
        if let (Some(position), Some(address)) = (own, settings.own_address()) {
            peers.push(PeerStatus {
                position,
                address: own_name(settings, position, address),
                state: PeerState::ThisSystem,
                reason: None,
                id: Some(self.own),
                certificate: self.own_certificate_word(),
                version: Some(self.software.clone()),
                round_trip: None,
                last_contact: Some(wall),
                revision: Some(revision),
                lag: None,
                items: directory.count(self.own),
            });
        }
        peers.sort_by_key(|peer| peer.position);
        ClusterStatus {
            name: settings.name.clone(),
            primary: self.followed(settings),
            epoch: term(self.promise.epoch),
            own,
            database_active: self
                .peers
                .iter()
                .all(|p| p.state_word(now) == PeerState::Active),
            peers,
            revision,
        }
    }

    /// The term and mark of the epoch that is followed, for those who compare peers.
    pub fn epoch(&self) -> (u64, Option<crate::base::ids::PeerId>) {
        (self.promise.epoch, self.promise.primary)
    }

    /// What is wrong with the cluster now.
    pub fn conditions(&self, now: Instant, configuration: &Configuration) -> Vec<Condition> {
        let Some(settings) = &self.settings else {
            return Vec::new();
        };
        let mut conditions: Vec<Condition> = self
            .peers
            .iter()
            .flat_map(|peer| peer_conditions(now, peer))
            .collect();
        conditions.extend(self.fence_condition());
        conditions.extend(self.primary_conditions(now, settings));
        conditions.extend(self.replication_conditions(settings));
        conditions.extend(self.conflict(now, configuration));
        if self.repairs > 0 {
            let detail = format!("{} repairs since the start", self.repairs);
            conditions.push(catalogue::REPAIRED.about("", detail));
        }
        conditions.extend(self.certificate_conditions(now));
        if !self.peers.is_empty() && !settings.enforce {
            let detail = "peers' certificates are not verified";
            conditions.push(catalogue::TLS_PERMISSIVE.about("", detail));
        }
        conditions
    }

    fn followed(&self, settings: &ClusterSettings) -> Option<Position> {
        let primary = self.promise.primary?;
        if primary == self.own {
            return settings.position();
        }
        self.peers
            .iter()
            .find(|peer| peer.id == Some(primary))
            .map(|peer| peer.position)
    }

    fn primary_conditions(&self, now: Instant, settings: &ClusterSettings) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let followed = self.followed(settings);
        let typed = settings.primary;
        if let (Some(followed), Some(typed)) = (followed, typed)
            && followed != typed
        {
            let detail = format!(
                "primary mismatch: peer {typed} is configured as primary here, the cluster \
                 follows peer {followed} since term {}",
                term(self.promise.epoch)
            );
            conditions.push(catalogue::PRIMARY_MISMATCH.about("", detail));
        }
        let of = |position| {
            self.peers
                .iter()
                .find(|peer| Some(peer.position) == position)
        };
        if let Some(primary) = of(followed)
            && primary.is_expected(now)
            && primary.state_word(now) != PeerState::Active
        {
            let detail = format!("cannot find primary {}", primary.address);
            conditions.push(catalogue::PRIMARY_LOST.about("", detail));
        }
        if let Some(primary) = of(typed)
            && followed.is_none()
        {
            let detail = format!("cannot find primary {}: it was never met", primary.address);
            conditions.push(catalogue::PRIMARY_UNKNOWN.about("", detail));
        } else if followed.is_none()
            && let Some(typed) = typed
            && settings.position() != Some(typed)
        {
            let detail = format!("peer {typed} is to be primary and is not in the list of peers");
            conditions.push(catalogue::PRIMARY_UNKNOWN.about("", detail));
        }
        conditions
    }

    /// What this subordinate holds is not what the primary holds, while nothing keeps it from
    /// taking that over.
    fn conflict(&self, now: Instant, configuration: &Configuration) -> Option<Condition> {
        let is_followed = |peer: &&Peer| peer.id.is_some() && peer.id == self.promise.primary;
        let primary = self.peers.iter().find(is_followed)?;
        let chain = configuration.chain(Scope::Cluster);
        let differs = primary.follows.is_some_and(|state| {
            state.epoch == self.promise.epoch && state.head.hash != chain.hash()
        });
        let able = primary.same_schema && self.replication.fault.is_none();
        if !differs || !able || primary.state_word(now) != PeerState::Active {
            return None;
        }
        let detail = "this peer's configuration conflicts with the primary's";
        Some(catalogue::CONFLICT.about("", detail))
    }

    fn replication_conditions(&self, settings: &ClusterSettings) -> Vec<Condition> {
        let mut conditions = Vec::new();
        if let Some(detail) = self.replication.fault.clone() {
            conditions.push(catalogue::SYNCHRONISATION.about("", detail));
        }
        if settings.name.is_empty() && !self.peers.is_empty() {
            let detail = "there are peers and the cluster has no name";
            conditions.push(catalogue::NO_CLUSTER_NAME.about("", detail));
        }
        let unproved = |peer: &&Peer| self.secret.is_none() && peer.stands(Service::PeerState);
        for peer in self.peers.iter().filter(unproved) {
            if let Some(id) = peer.id {
                let detail = format!("{}: serial number {id}", peer.address);
                conditions.push(catalogue::PINNED_AT_FIRST_USE.about(&*peer.address, detail));
            }
        }
        conditions
    }

    fn row(
        &self,
        now: Instant,
        directory: &Directory,
        peer: &Peer,
        ours: (u64, u64),
    ) -> PeerStatus {
        let head = peer.follows.map(|state| state.head);
        let revision = head.map(|head| (term(head.epoch), head.number));
        let primary = self.promise.primary;
        let newest = self
            .peers
            .iter()
            .find(|other| other.id == primary)
            .and_then(|other| other.follows)
            .map_or(ours.1, |state| state.head.number);
        PeerStatus {
            position: peer.position,
            address: peer.address.clone(),
            state: peer.state_word(now),
            reason: reason(now, peer),
            id: peer.id,
            certificate: super::verify::word(peer),
            version: peer.software.clone(),
            round_trip: peer.beats.round_trip,
            last_contact: peer.last_contact,
            revision,
            lag: revision.map(|(_, number)| newest.saturating_sub(number)),
            items: peer.id.map_or(0, |id| directory.count(id)),
        }
    }
}

/// This system as its own list of peers has it.
fn own_name(settings: &ClusterSettings, position: Position, address: IpAddr) -> String {
    let place = usize::from(position.number()) - 1;
    let name = settings.peers.get(place);
    name.map_or_else(|| address.to_string(), String::clone)
}

/// Why a peer is not what it should be.
fn reason(now: Instant, peer: &Peer) -> Option<String> {
    if peer.ip.is_none() {
        return Some("its name has no address".into());
    }
    if let Some(refusal) = &peer.refusal {
        return Some(refusal.clone());
    }
    let stands = peer.stands(Service::PeerState);
    if !stands || !peer.stands(Service::PeerConfiguration) {
        return Some("no TLS connection".into());
    }
    if !peer.is_heard(now, limits::BEAT_FAILED) {
        return Some("no beats arrive from it over UDP".into());
    }
    if !peer.is_heard(now, limits::BEAT_SUSPECT) {
        return Some("beats are late".into());
    }
    let hears = peer
        .beats
        .hears_us_at
        .is_some_and(|at| now.since(at) < limits::BEAT_FAILED);
    (!hears).then(|| "it does not hear our beats: loss in one direction".into())
}

fn peer_conditions(now: Instant, peer: &Peer) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let address = &peer.address;
    let mut say = |kind: &'static Kind, detail: String| {
        conditions.push(kind.about(address.as_str(), detail));
    };
    let lost = peer.is_expected(now) && peer.state_word(now) != PeerState::Active;
    let only_state = peer.stands(Service::PeerConfiguration) && !peer.stands(Service::PeerState);
    if let Some(refusal) = &peer.refusal {
        say(&catalogue::SETTINGS_DIFFER, format!("{address}: {refusal}"));
    } else if lost && only_state {
        say(
            &catalogue::STATE_LINK,
            format!("{address}: no TLS connection for shared state"),
        );
    } else if lost && peer.ip.is_some() {
        let reason = reason(now, peer).unwrap_or_default();
        say(&catalogue::PEER_LOST, format!("{address}: {reason}"));
    }
    if peer.met && !peer.same_schema && peer.software.is_some() {
        let version = peer.software.as_deref().unwrap_or("another version");
        let detail = format!("{address} runs {version}: configuration is not shared with it");
        say(&catalogue::VERSIONS_DIFFER, detail);
    }
    if let Some(trip) = peer
        .beats
        .round_trip
        .filter(|trip| *trip > limits::ROUND_TRIP_MAX)
    {
        let detail = format!("{address}: {} ms; at most 80 ms are good", trip.as_millis());
        say(&catalogue::ROUND_TRIP, detail);
    }
    conditions
}
