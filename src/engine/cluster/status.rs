//! The cluster as a person sees it (SPEC CL1).

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::base::ids::{PeerId, Position};
use crate::base::time::Wall;

/// The cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterStatus {
    /// `Alternates Cluster Name`.
    pub name: String,
    /// `Alternates ConfigurationPrimary`.
    pub primary: Option<Position>,
    /// Term of the primary.
    pub epoch: u64,
    /// This peer's own place.
    pub own: Option<Position>,
    /// Whether replication works with every configured peer.
    pub database_active: bool,
    /// Configured peers in order.
    pub peers: Vec<PeerStatus>,
    /// Newest revision of the replicated configuration here: epoch and number.
    pub revision: (u64, u64),
}

/// One configured peer.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerStatus {
    /// Its place.
    pub position: Position,
    /// Its address as configured.
    pub address: String,
    /// Its state.
    pub state: PeerState,
    /// Why it is not active, or which way beats are lost.
    pub reason: Option<String>,
    /// Its identity, once known.
    pub id: Option<PeerId>,
    /// `Valid`, or `Invalid` with the reason.
    pub certificate: String,
    /// Its software version, once known.
    pub version: Option<String>,
    /// Round trip of beats.
    pub round_trip: Option<Duration>,
    /// When it was heard last.
    pub last_contact: Option<Wall>,
    /// Its revision of the replicated configuration: epoch and number.
    pub revision: Option<(u64, u64)>,
    /// How many revisions it is behind the primary.
    pub lag: Option<u64>,
    /// Items of the shared state that it owns.
    pub items: usize,
}

/// The status words of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// The peer that shows this.
    ThisSystem,
    /// Heard and replicating.
    Active,
    /// Configured and not heard, or refused.
    Failed,
    /// Just configured, nothing known yet.
    Unknown,
}
