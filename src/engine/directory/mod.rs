//! What the cluster knows together: registrations now, calls and counters later (SPEC RP9).
//!
//! Every item has one owner, the peer that made it. Only the owner changes, removes or expires it
//! early; everyone else keeps a copy. The protocol engines write their own items here and read
//! everyone's; the cluster engine carries the changes. This module knows neither SIP nor sockets.

pub mod board;
mod plane;
pub mod shared;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::ids::{Incarnation, PeerId};
use crate::base::time::{Instant, Wall};

use board::Board;
use plane::Plane;
pub use plane::{Entry, Held, Item};

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
    /// Newest stamp given or seen; stamps never go back (hybrid logical clock).
    stamp: u64,
    by_aor: BTreeMap<Arc<str>, Vec<Kept>>,
    expiries: BTreeSet<(Instant, PeerId, Name)>,
    planes: BTreeMap<PeerId, Plane>,
    /// What is shared beside registrations.
    board: Board,
}

/// An item as kept here.
#[derive(Debug)]
struct Kept {
    owner: PeerId,
    id: Arc<[u8]>,
    /// The owner's sequence number of its newest change.
    sequence: u64,
    /// Orders copies of one device at two owners.
    stamp: u64,
    expires: Instant,
    binding: Binding,
}

/// What an item is called among its owner's items.
type Name = (Arc<str>, Arc<[u8]>);

impl Directory {
    /// An empty directory of this peer in this life.
    pub fn new(own: PeerId, incarnation: Incarnation) -> Self {
        let planes = BTreeMap::from([(own, Plane::new(incarnation))]);
        let (by_aor, expiries) = (BTreeMap::new(), BTreeSet::new());
        Self {
            own,
            incarnation,
            stamp: 0,
            by_aor,
            expiries,
            planes,
            board: Board::new(own, incarnation),
        }
    }

    /// Tells the civil time, from which the stamps of new items follow.
    pub fn observe(&mut self, wall: Wall) {
        self.stamp = self.stamp.max(wall.as_millis() << 16);
    }

    /// Adds or replaces one of our own bindings.
    pub fn put(
        &mut self,
        now: Instant,
        aor: &str,
        id: &[u8],
        binding: Binding,
        lifetime: Duration,
    ) {
        self.stamp += 1;
        let (name, item) = (
            self.name(aor, id),
            Item {
                binding,
                stamp: self.stamp,
            },
        );
        let sequence = self.own_plane().record(name.clone());
        self.keep(self.own, name, sequence, item, now + lifetime);
    }

    /// Removes one of our own bindings; says whether it was there.
    pub fn remove(&mut self, _now: Instant, aor: &str, id: &[u8]) -> bool {
        let name = self.name(aor, id);
        let there = self.drop_item(self.own, &name);
        if there {
            self.own_plane().record(name);
        }
        there
    }

    /// Expires what is due. Called from the node's time-out.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, owner, name)) = self.expiries.first().cloned() {
            if at > now {
                break;
            }
            self.drop_item(owner, &name);
            if owner == self.own {
                self.own_plane().record(name);
            }
        }
    }

    /// What is shared beside registrations.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// What is shared beside registrations, for those who share.
    pub fn board_mut(&mut self) -> &mut Board {
        &mut self.board
    }

    /// This peer.
    pub fn own(&self) -> PeerId {
        self.own
    }

    /// This life.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// All living bindings of an address of record, own and others'; of copies of one device
    /// (same instance and reg-id, or same contact) at two owners only the newer one.
    pub fn bindings<'a>(&'a self, aor: &str, now: Instant) -> impl Iterator<Item = Found<'a>> {
        let kept: &[Kept] = self.by_aor.get(aor).map_or(&[], Vec::as_slice);
        let newest = move |item: &&Kept| {
            item.expires > now && !kept.iter().any(|other| other.supersedes(item))
        };
        kept.iter().filter(newest).map(Kept::found)
    }

    /// Every item with its address of record, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, Found<'_>)> {
        self.by_aor
            .iter()
            .flat_map(|(aor, kept)| kept.iter().map(move |item| (&**aor, item.found())))
    }

    /// Items of one owner.
    pub fn count(&self, owner: PeerId) -> usize {
        self.planes.get(&owner).map_or(0, |plane| plane.living)
    }

    /// When the next item expires.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.expiries.first().map(|(at, ..)| *at)
    }

    fn own_plane(&mut self) -> &mut Plane {
        self.planes
            .entry(self.own)
            .or_insert_with(|| Plane::new(self.incarnation))
    }

    fn name(&self, aor: &str, id: &[u8]) -> Name {
        let known = self.by_aor.get_key_value(aor);
        let held = known.and_then(|(_, kept)| kept.iter().find(|item| *item.id == *id));
        let aor = known.map_or_else(|| Arc::from(aor), |(aor, _)| aor.clone());
        (
            aor,
            held.map_or_else(|| Arc::from(id), |item| item.id.clone()),
        )
    }

    fn keep(&mut self, owner: PeerId, name: Name, sequence: u64, item: Item, expires: Instant) {
        let Item { binding, stamp } = item;
        self.stamp = self.stamp.max(stamp);
        let (aor, id) = name.clone();
        let row = self.by_aor.entry(aor).or_default();
        let new = Kept {
            owner,
            id,
            sequence,
            stamp,
            expires,
            binding,
        };
        let held = row
            .iter()
            .position(|item| item.owner == owner && *item.id == *new.id);
        let before = held.map(|place| row.swap_remove(place));
        row.push(new);
        if let Some(before) = &before {
            self.expiries.remove(&(before.expires, owner, name.clone()));
        }
        if let Some(plane) = self.planes.get_mut(&owner) {
            plane.replaced(&name, before.map(|before| before.sequence), Some(sequence));
        }
        self.expiries.insert((expires, owner, name));
    }

    fn drop_item(&mut self, owner: PeerId, name: &Name) -> bool {
        let Some(row) = self.by_aor.get_mut(&name.0) else {
            return false;
        };
        let place = row
            .iter()
            .position(|item| item.owner == owner && item.id == name.1);
        let Some(place) = place else { return false };
        let item = row.remove(place);
        if row.is_empty() {
            self.by_aor.remove(&name.0);
        }
        self.expiries.remove(&(item.expires, owner, name.clone()));
        if let Some(plane) = self.planes.get_mut(&owner) {
            plane.replaced(name, Some(item.sequence), None);
        }
        true
    }
}

impl Kept {
    fn found(&self) -> Found<'_> {
        Found {
            owner: self.owner,
            id: &self.id,
            binding: &self.binding,
            expires: self.expires,
        }
    }

    /// Whether this is a newer copy of the same device at another owner.
    fn supersedes(&self, other: &Self) -> bool {
        self.owner != other.owner
            && (self.stamp, self.owner) > (other.stamp, other.owner)
            && match (&self.binding.instance, &other.binding.instance) {
                (Some(ours), Some(theirs)) => ours == theirs,
                (None, None) => self.binding.contact == other.binding.contact,
                (Some(_), None) | (None, Some(_)) => false,
            }
    }
}
