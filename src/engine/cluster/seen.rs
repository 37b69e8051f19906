//! What those who lead an operation see of the cluster, and how they speak to a peer (SPEC CL8).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::base::ids::{PeerId, Position};
use crate::base::limits;
use crate::base::socket::Service;
use crate::base::store::{Table, Write};
use crate::base::time::Instant;
use crate::config::Configuration;
use crate::config::settings::ClusterSettings;
use crate::wire::peer::{Message, State};

use super::Cluster;
use super::replicate::head;
use super::status::PeerState;

/// The cluster as this peer sees it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// This peer.
    pub own: PeerId,
    /// Whom it follows and what it holds.
    pub state: State,
    /// All configured peers in order, this one included; empty outside a cluster.
    pub members: Vec<Member>,
}

/// One configured peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its place.
    pub position: Position,
    /// Its address as configured.
    pub address: String,
    /// Its identity, once it was met.
    pub id: Option<PeerId>,
    /// Whether it is heard and both planes stand; true of this peer.
    pub active: bool,
    /// Whether its configuration is of the same version.
    pub same_schema: bool,
    /// Round trip of beats, once measured.
    pub round_trip: Option<Duration>,
    /// Whom it follows and what it holds, once it said so.
    pub state: Option<State>,
}

impl Seen {
    /// A member by its identity.
    pub fn member(&self, id: PeerId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == Some(id))
    }

    /// The member that is primary, if it is one.
    pub fn primary(&self) -> Option<&Member> {
        self.member(self.state.primary?)
    }
}

impl Cluster {
    /// The cluster as this peer sees it now.
    pub fn seen(&self, now: Instant, configuration: &Configuration) -> Seen {
        let state = State {
            epoch: self.promise.epoch,
            primary: self.promise.primary,
            head: head(configuration),
        };
        let member = |peer: &super::Peer| Member {
            position: peer.position,
            address: peer.address.clone(),
            id: peer.id,
            active: peer.state_word(now) == PeerState::Active,
            same_schema: peer.same_schema,
            round_trip: peer.beats.round_trip,
            state: peer.follows,
        };
        let mut members: Vec<Member> = self.peers.iter().map(member).collect();
        let settings = self.settings.as_ref();
        let own = settings.and_then(|settings| Some((settings.position()?, settings)));
        members.extend(own.map(|(position, settings)| Member {
            position,
            address: own_name(settings, position),
            id: Some(self.own),
            active: true,
            same_schema: true,
            round_trip: None,
            state: Some(state),
        }));
        members.sort_by_key(|member| member.position);
        Seen {
            own: self.own,
            state,
            members,
        }
    }

    /// Sends a message of an operation to a peer; `false` if no link to it stands.
    pub fn tell(&mut self, to: PeerId, message: &Message) -> bool {
        let service = Service::PeerConfiguration;
        let stands = |peer: &super::Peer| {
            // Another version would close the link over a message that it does not know.
            peer.id == Some(to) && peer.same_schema && peer.stands(service)
        };
        let Some(place) = self.peers.iter().position(stands) else {
            return false;
        };
        self.send(place, service, message);
        true
    }

    /// Takes an identity, and no other, for the peer at an address that is about to be configured.
    pub fn expect(&mut self, address: &str, id: PeerId) {
        if self.pins.get(address) == Some(&id) {
            return;
        }
        self.pins.insert(address.into(), id);
        let write = Write::Put {
            table: Table::Fact,
            key: super::pin_key(address),
            value: id.0.to_vec(),
        };
        self.persist_quietly(alloc::vec![write]);
    }

    /// The next message of an operation that a peer has sent.
    pub fn poll_heard(&mut self) -> Option<(PeerId, Message)> {
        self.heard.pop_front()
    }

    /// Keeps a message of an operation for whoever leads or obeys it.
    pub(super) fn take_order(&mut self, place: usize, message: Message) {
        if let Some(id) = self.peers[place].id
            && self.heard.len() < limits::ORDERS
        {
            self.heard.push_back((id, message));
        }
    }

    /// Whether an address is one of the configured peers'.
    pub fn lists(&self, address: &core::net::IpAddr) -> bool {
        self.peers.iter().any(|peer| peer.ip == Some(*address))
    }
}

fn own_name(settings: &ClusterSettings, position: Position) -> String {
    let place = usize::from(position.number()) - 1;
    settings
        .peers
        .get(place)
        .map_or_else(String::new, ToString::to_string)
}
