//! What the cluster knows together: registrations now, calls and counters later (SPEC RP9).
//!
//! Every item has one owner, the peer that made it. Only the owner changes, removes or expires it
//! early; everyone else keeps a copy. The protocol engines write their own items here and read
//! everyone's; the cluster engine carries the changes. This module knows neither SIP nor sockets.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::ids::{Incarnation, PeerId};
use crate::base::time::{Instant, Wall};

/// Where one registered device can be reached, in words that every protocol shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// What the device registered as its address, as received (a SIP URI without brackets).
    pub contact: Vec<u8>,
    /// Route set towards it (RFC 3327), first hop first, each a SIP URI without brackets.
    pub path: Vec<Vec<u8>>,
    /// `+sip.instance` and `reg-id` (RFC 5626), when given.
    pub instance: Option<(Vec<u8>, u32)>,
    /// Preference in thousandths, 0 to 1000 (RFC 3261 section 20.10).
    pub q: u16,
    /// Call-ID and CSeq of the registration, for ordering (RFC 3261 section 10.3).
    pub call_id: Vec<u8>,
    /// See [`Binding::call_id`].
    pub cseq: u32,
    /// Address that the registration came from, as its owner saw it.
    pub source: SocketAddr,
    /// Where other peers send requests for this device: the owner's own signalling address.
    pub owner_address: SocketAddr,
    /// What the device says it is.
    pub user_agent: String,
    /// When it registered first, by its owner's clock.
    pub since: Wall,
}

/// A binding with whose it is and until when.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The peer that owns it; equal to [`Directory::own`] for our own.
    pub owner: PeerId,
    /// Its name among the bindings of the address of record.
    pub id: &'a [u8],
    /// What it says.
    pub binding: &'a Binding,
    /// When it ends.
    pub expires: Instant,
}

/// Everyone's items.
#[derive(Debug)]
pub struct Directory {
    own: PeerId,
    incarnation: Incarnation,
}

impl Directory {
    /// An empty directory of this peer in this life.
    pub fn new(own: PeerId, incarnation: Incarnation) -> Self {
        Self { own, incarnation }
    }

    /// This peer.
    pub fn own(&self) -> PeerId {
        self.own
    }

    /// This life.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// All living bindings of an address of record, own and others'; newest copy of each device
    /// (same contact or same instance and reg-id at two owners: the newer one by registration).
    pub fn bindings<'a>(&'a self, _aor: &str, _now: Instant) -> impl Iterator<Item = Found<'a>> {
        core::iter::empty()
    }

    /// Adds or replaces one of our own bindings.
    pub fn put(
        &mut self,
        _now: Instant,
        _aor: &str,
        _id: &[u8],
        _binding: Binding,
        _lifetime: Duration,
    ) {
    }

    /// Removes one of our own bindings; says whether it was there.
    pub fn remove(&mut self, _now: Instant, _aor: &str, _id: &[u8]) -> bool {
        false
    }

    /// Expires what is due. Called from the node's time-out.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// When the next item expires.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
