//! What people see of the cluster: the status page and the alarms (SPEC CL1, AL1).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::alarm::{Condition, Severity};
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
                address: address.to_string(),
                state: PeerState::ThisSystem,
                reason: None,
                id: Some(self.own),
                certificate: "Valid".into(),
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
    pub fn conditions(&self, now: Instant) -> Vec<Condition> {
        let Some(settings) = &self.settings else {
            return Vec::new();
        };
        let mut conditions: Vec<Condition> = self
            .peers
            .iter()
            .flat_map(|peer| peer_conditions(now, peer))
            .collect();
        conditions.extend(self.primary_conditions(now, settings));
        if let Some(detail) = self.replication.fault.clone() {
            let remedy = "Mend what the text names; replication is tried again by itself.";
            conditions.push(warning(20_009, "Cluster replication error", detail, remedy));
        }
        if self.repairs > 0 {
            let detail = format!("{} repairs since the start", self.repairs);
            let remedy = "Shared items differed from their owner's and were fetched again. Report \
                          this: it is a fault of the software.";
            conditions.push(warning(20_902, "Shared state repaired", detail, remedy));
        }
        if !self.peers.is_empty() {
            conditions.push(Condition {
                id: 40_049,
                title: "Cluster TLS permissive",
                detail: "peers' certificates are not verified".into(),
                severity: Severity::Notice,
                remedy: "Peers are told by the identity met first and, when set, by the cluster \
                         secret. Enforce verifies certificates too.",
            });
        }
        conditions
    }

    fn followed(&self, settings: &ClusterSettings) -> Option<crate::base::ids::Position> {
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
        let title = "Cluster replication error";
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
            let remedy = "Set Alternates ConfigurationPrimary to the same number on every peer.";
            conditions.push(warning(20_017, title, detail, remedy));
        }
        let primary = self
            .peers
            .iter()
            .find(|peer| Some(peer.position) == followed);
        if let Some(primary) = primary
            && primary.met
            && primary.state_word(now) != PeerState::Active
        {
            let detail = format!("cannot find primary {}", primary.address);
            let remedy = "Bring the primary back, or make another peer primary.";
            conditions.push(warning(20_016, title, detail, remedy));
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
            certificate: certificate(peer),
            version: peer.software.clone(),
            round_trip: peer.beats.round_trip,
            last_contact: peer.last_contact,
            revision,
            lag: revision.map(|(_, number)| newest.saturating_sub(number)),
            items: peer.id.map_or(0, |id| directory.count(id)),
        }
    }
}

/// Why a peer is not what it should be.
fn reason(now: Instant, peer: &Peer) -> Option<String> {
    if peer.ip.is_none() {
        return Some("peers are configured by IP address in this version".into());
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

fn certificate(peer: &Peer) -> String {
    match (&peer.id, &peer.refusal) {
        (Some(_), None) => "Valid (identity pinned)".into(),
        (_, Some(refusal)) => format!("Invalid: {refusal}"),
        (None, None) => "Unknown".into(),
    }
}

fn peer_conditions(now: Instant, peer: &Peer) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let address = &peer.address;
    if let Some(refusal) = &peer.refusal {
        let detail = format!("{address}: {refusal}");
        let remedy = "Make the clustering settings the same on both peers.";
        conditions.push(warning(20_012, "Cluster replication error", detail, remedy));
    } else if peer.ip.is_none() {
        let detail = format!("{address} is not an IP address");
        let remedy = "Configure the peer by its IP address.";
        conditions.push(warning(20_005, "Invalid peer address", detail, remedy));
    } else if peer.met && peer.state_word(now) != PeerState::Active {
        let reason = reason(now, peer).unwrap_or_default();
        let detail = format!("{address}: {reason}");
        let remedy = "Check that the peer runs and that TCP 4371, TCP 4372 and UDP 4372 pass.";
        conditions.push(warning(
            20_004,
            "Cluster communication failure",
            detail,
            remedy,
        ));
    }
    if peer.met && !peer.same_schema && peer.software.is_some() {
        let version = peer.software.as_deref().unwrap_or("another version");
        let detail = format!("{address} runs {version}: configuration is not shared with it");
        let remedy = "Bring all peers to the same version; replication goes on by itself.";
        conditions.push(warning(20_008, "Cluster replication error", detail, remedy));
    }
    if peer
        .beats
        .round_trip
        .is_some_and(|trip| trip > limits::ROUND_TRIP_MAX)
    {
        // Without the figure: an alarm whose text changes would be a new one every second.
        let detail = format!("{address}: the round trip is above 80 ms");
        let remedy = "Bring the peers closer together on the network.";
        conditions.push(warning(20_901, "Round trip too long", detail, remedy));
    }
    conditions
}

fn warning(id: u32, title: &'static str, detail: String, remedy: &'static str) -> Condition {
    Condition {
        id,
        title,
        detail,
        severity: Severity::Warning,
        remedy,
    }
}
