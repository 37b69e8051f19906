//! The state of everything in one value: `xStatus` prints it, pages show it.
//!
//! `node` fills it from the engines on request; it holds no secret and no key.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::alarm::Alarm;
use crate::base::ids::{PeerId, Position};
use crate::base::socket::Service;
use crate::base::time::Wall;
use crate::certificate::status::CertificateStatus;
use crate::cluster::status::ClusterStatus;
use crate::directory::shared::{CallId, Load};
use crate::net::status::LanStatus;
use crate::operation::status::OperationStatus;
use crate::sip::status::SipStatus;

/// Everything there is to see.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The box itself.
    pub system: SystemStatus,
    /// LAN1 and LAN2; empty where the machine is not ours.
    pub lans: Vec<LanStatus>,
    /// Sockets that are open, or why not.
    pub listeners: Vec<ListenerStatus>,
    /// The cluster and its peers.
    pub cluster: ClusterStatus,
    /// Certificates of this peer.
    pub certificates: CertificateStatus,
    /// SIP counters.
    pub sip: SipStatus,
    /// Registrations known here, own and others'.
    pub registrations: Vec<RegistrationStatus>,
    /// Calls of the whole cluster.
    pub calls: Vec<CallStatus>,
    /// What each peer has left to do, this one first.
    pub drains: Vec<DrainStatus>,
    /// Licences and their use.
    pub licences: LicenceStatus,
    /// Alarms that are raised.
    pub alarms: Vec<Alarm>,
    /// The operation of the cluster that was begun last.
    pub operation: OperationStatus,
}

/// The box itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemStatus {
    /// `SystemUnit Name`.
    pub name: String,
    /// Version of the software.
    pub version: String,
    /// Identity of this peer.
    pub id: PeerId,
    /// Time since the gateway started.
    pub uptime: Duration,
    /// Civil time now.
    pub time: Wall,
    /// Whether the first-boot wizard is still to be run (SPEC AP6).
    pub set_up: bool,
}

/// One socket.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerStatus {
    /// What it is for.
    pub service: Service,
    /// Where it is, or would be.
    pub address: SocketAddr,
    /// Why it is not open.
    pub fault: Option<String>,
}

/// One registered device.
#[derive(Clone, Debug, PartialEq)]
pub struct RegistrationStatus {
    /// Address of record.
    pub aor: String,
    /// Contact as registered.
    pub contact: String,
    /// Where it registered.
    pub peer: Option<Position>,
    /// Time until it ends.
    pub expires_in: Duration,
    /// What it says it is.
    pub user_agent: String,
}

/// One call that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStatus {
    /// Its name, the same at every peer.
    pub id: CallId,
    /// The caller's address.
    pub from: String,
    /// The called address.
    pub to: String,
    /// When it was answered.
    pub since: Wall,
    /// Peers that it passes; none outside a cluster.
    pub peers: Vec<Position>,
    /// Whether a peer can tell its ends that it is over.
    pub controlled: bool,
}

/// The pool of licences (SPEC LI2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LicenceStatus {
    /// Calls at one time that are covered; `None` for any number.
    pub calls: Option<u64>,
    /// Calls of the whole cluster.
    pub in_use: u64,
    /// What each peer brings.
    pub shares: Vec<Share>,
}

/// What one peer brings to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The peer.
    pub peer: Position,
    /// Calls at one time; `None` for any number.
    pub calls: Option<u32>,
    /// Until when they stay, of a peer that is lost.
    pub until: Option<Wall>,
}

/// What one peer has to do, and whether it takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainStatus {
    /// Its place; `None` outside a cluster.
    pub peer: Option<Position>,
    /// What it said.
    pub load: Load,
}

impl DrainStatus {
    /// Whether the peer is in maintenance mode and nothing is left to wait for (SPEC MM1).
    pub fn is_drained(&self) -> bool {
        self.load.maintenance && self.load.calls == 0
    }
}
