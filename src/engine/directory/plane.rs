//! The items of one owner as they are shared: numbered changes, deltas, snapshots, digests.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Binding, Directory, Name};
use crate::base::ids::{Incarnation, PeerId};
use crate::base::limits;
use crate::base::time::Instant;

/// An item as its owner shares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it says.
    pub binding: Binding,
    /// Orders copies of one device at two owners.
    pub stamp: u64,
}

/// One change of an owner's items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The owner's number of the change.
    pub sequence: u64,
    /// Address of record.
    pub aor: String,
    /// Name among the bindings of the address of record.
    pub id: Vec<u8>,
    /// The item and the milliseconds that it still lasts, or `None`: it is gone.
    pub item: Option<(Item, u64)>,
}

/// What is held of an owner: its life and its newest change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The owner's life.
    pub incarnation: Incarnation,
    /// Its newest change that is held.
    pub sequence: u64,
}

/// One owner's changes.
#[derive(Debug)]
pub(super) struct Plane {
    incarnation: Incarnation,
    /// Newest change.
    sequence: u64,
    /// Changes up to this one may have been forgotten.
    floor: u64,
    /// The newest change of each item, by its number; of items that are gone too, for a while.
    log: BTreeMap<u64, Name>,
    numbers: BTreeMap<Name, u64>,
    /// Items that live.
    pub(super) living: usize,
    /// Sum over living items of a hash of name and number: equal where the items are.
    digest: u64,
    /// A snapshot on its way in.
    staged: Option<(Incarnation, Vec<Entry>)>,
}

impl Plane {
    pub(super) fn new(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            sequence: 0,
            floor: 0,
            log: BTreeMap::new(),
            numbers: BTreeMap::new(),
            living: 0,
            digest: 0,
            staged: None,
        }
    }

    /// Numbers a change of our own.
    pub(super) fn record(&mut self, name: Name) -> u64 {
        self.sequence += 1;
        if let Some(before) = self.numbers.insert(name.clone(), self.sequence) {
            self.log.remove(&before);
        }
        self.log.insert(self.sequence, name);
        self.sequence
    }

    /// Counts an item whose number was `before` (`None`: it is new) and is `after` (`None`: gone).
    pub(super) fn replaced(&mut self, name: &Name, before: Option<u64>, after: Option<u64>) {
        self.living += usize::from(after.is_some());
        self.living -= usize::from(before.is_some());
        for number in before.into_iter().chain(after) {
            self.digest ^= item_hash(name, number);
        }
    }

    /// Forgets the oldest changes of items that are gone.
    fn forget(&mut self, gone: impl Fn(&Name) -> bool) {
        while self.log.len() > self.living + limits::TOMBSTONES {
            let Some((number, name)) = self.log.iter().find(|(_, name)| gone(name)) else {
                return;
            };
            let (number, name) = (*number, name.clone());
            self.floor = self.floor.max(number);
            self.log.remove(&number);
            self.numbers.remove(&name);
        }
    }
}

impl Directory {
    /// Our own newest change.
    pub fn own_held(&self) -> Held {
        let sequence = self.planes.get(&self.own).map_or(0, |plane| plane.sequence);
        Held {
            incarnation: self.incarnation,
            sequence,
        }
    }

    /// What is held of another owner; `None` for nothing.
    pub fn held(&self, owner: PeerId) -> Option<Held> {
        let plane = self.planes.get(&owner)?;
        Some(Held {
            incarnation: plane.incarnation,
            sequence: plane.sequence,
        })
    }

    /// Our changes after a number, oldest first and at most `limit`; `None` when some of them
    /// were forgotten and only a snapshot helps.
    pub fn changes_after(
        &mut self,
        now: Instant,
        sequence: u64,
        limit: usize,
    ) -> Option<Vec<Entry>> {
        let own = self.own;
        let by_aor = &self.by_aor;
        let plane = self.planes.get_mut(&own)?;
        plane.forget(|(aor, id)| {
            !by_aor
                .get(aor)
                .is_some_and(|row| row.iter().any(|k| k.owner == own && k.id == *id))
        });
        if sequence < plane.floor || sequence > plane.sequence {
            return None;
        }
        let names: Vec<(u64, Name)> = plane
            .log
            .range(sequence + 1..)
            .take(limit)
            .map(|(number, name)| (*number, name.clone()))
            .collect();
        Some(
            names
                .into_iter()
                .map(|(number, name)| self.entry(now, number, &name))
                .collect(),
        )
    }

    /// All our living items, oldest change first, from the change after `sequence` on.
    pub fn snapshot_after(&self, now: Instant, sequence: u64, limit: usize) -> Vec<Entry> {
        let Some(plane) = self.planes.get(&self.own) else {
            return Vec::new();
        };
        let entries = plane
            .log
            .range(sequence + 1..)
            .map(|(n, name)| self.entry(now, *n, name));
        entries
            .filter(|entry| entry.item.is_some())
            .take(limit)
            .collect()
    }

    /// Takes in changes of another owner in this life of it; those that do not follow what is held
    /// are refused (`false`), and a snapshot is needed.
    pub fn apply(
        &mut self,
        now: Instant,
        owner: PeerId,
        life: Incarnation,
        entries: &[Entry],
    ) -> bool {
        if owner == self.own || self.held(owner).is_none_or(|held| held.incarnation != life) {
            return false;
        }
        for entry in entries {
            self.apply_entry(now, owner, entry);
        }
        self.yield_to(owner, entries);
        true
    }

    /// Begins to take in all items of another owner.
    pub fn begin_snapshot(&mut self, owner: PeerId, life: Incarnation) {
        if owner != self.own {
            let plane = self.planes.entry(owner).or_insert_with(|| Plane::new(life));
            plane.staged = Some((life, Vec::new()));
        }
    }

    /// Takes in a part of a snapshot; nothing of it shows yet. `false` when none was begun or it
    /// grows beyond the limit.
    pub fn stage(&mut self, owner: PeerId, entries: Vec<Entry>) -> bool {
        let staged = self
            .planes
            .get_mut(&owner)
            .and_then(|plane| plane.staged.as_mut());
        match staged {
            Some((_, held)) if held.len() + entries.len() <= limits::REGISTRATIONS => {
                held.extend(entries);
                true
            }
            Some(_) | None => false,
        }
    }

    /// The snapshot is whole: it takes the place of what was held, at once.
    pub fn end_snapshot(&mut self, now: Instant, owner: PeerId, sequence: u64) -> bool {
        let staged = self
            .planes
            .get_mut(&owner)
            .and_then(|plane| plane.staged.take());
        let Some((life, entries)) = staged else {
            return false;
        };
        self.forget(owner);
        self.planes.insert(owner, Plane::new(life));
        entries
            .iter()
            .for_each(|entry| self.apply_entry(now, owner, entry));
        if let Some(plane) = self.planes.get_mut(&owner) {
            plane.sequence = plane.sequence.max(sequence);
        }
        self.yield_to(owner, &entries);
        true
    }

    /// Forgets everything of another owner (a peer that was removed, or purged).
    pub fn forget(&mut self, owner: PeerId) {
        if owner == self.own {
            return;
        }
        let of = |(aor, found): (&str, super::Found<'_>)| {
            (found.owner == owner).then(|| (Arc::from(aor), Arc::from(found.id)))
        };
        let names: Vec<Name> = self.all().filter_map(of).collect();
        names.iter().for_each(|name| {
            self.drop_item(owner, name);
        });
        self.planes.remove(&owner);
        self.board.forget(owner);
    }

    /// A hash over names and numbers of an owner's living items: equal at the owner and at a
    /// holder of the same change, unless one of them is wrong. It guards against faults of our
    /// own, not against an enemy, who would need the identity key to get here.
    pub fn digest(&self, owner: PeerId) -> u64 {
        self.planes.get(&owner).map_or(0, |plane| plane.digest)
    }

    /// Whether an item ends before a moment.
    pub fn expires_before(&self, at: Instant) -> bool {
        self.poll_timeout().is_some_and(|first| first < at)
    }

    /// Every living item as owner, name and contact: what all peers must agree on.
    pub fn summary(&self, now: Instant) -> Vec<(PeerId, String, Vec<u8>, Vec<u8>)> {
        let living = self.all().filter(|(_, found)| found.expires > now);
        let row = |(aor, found): (&str, super::Found<'_>)| {
            (
                found.owner,
                aor.to_string(),
                found.id.to_vec(),
                found.binding.contact.clone(),
            )
        };
        let mut rows: Vec<_> = living.map(row).collect();
        rows.sort();
        rows
    }

    fn entry(&self, now: Instant, sequence: u64, name: &Name) -> Entry {
        let row = self.by_aor.get(&name.0);
        let kept = row.and_then(|row| row.iter().find(|k| k.owner == self.own && k.id == name.1));
        let item = kept.map(|kept| {
            let item = Item {
                binding: kept.binding.clone(),
                stamp: kept.stamp,
            };
            (item, kept.expires.since(now).as_millis() as u64)
        });
        Entry {
            sequence,
            aor: name.0.to_string(),
            id: name.1.to_vec(),
            item,
        }
    }

    fn apply_entry(&mut self, now: Instant, owner: PeerId, entry: &Entry) {
        let Some(plane) = self.planes.get_mut(&owner) else {
            return;
        };
        let full = plane.living >= limits::REGISTRATIONS;
        plane.sequence = plane.sequence.max(entry.sequence);
        let name = self.name(&entry.aor, &entry.id);
        match &entry.item {
            Some((item, lasts)) if !full => {
                let expires = now + Duration::from_millis(*lasts);
                self.keep(owner, name, entry.sequence, item.clone(), expires);
            }
            Some(_) => {}
            None => {
                self.drop_item(owner, &name);
            }
        }
    }

    /// Removes our own copies of devices that have registered with another peer since.
    fn yield_to(&mut self, owner: PeerId, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| entry.item.is_some()) {
            let Some(row) = self.by_aor.get(entry.aor.as_str()) else {
                continue;
            };
            let newer = |ours: &&super::Kept| {
                let theirs = row.iter().filter(|item| item.owner == owner);
                ours.owner == self.own && theirs.into_iter().any(|item| item.supersedes(ours))
            };
            let lost: Vec<Name> = row
                .iter()
                .filter(newer)
                .map(|item| (Arc::from(entry.aor.as_str()), item.id.clone()))
                .collect();
            for name in lost {
                self.drop_item(self.own, &name);
                self.own_plane().record(name);
            }
        }
    }
}

/// FNV-1a over name and number.
fn item_hash((aor, id): &Name, number: u64) -> u64 {
    let bytes = aor
        .as_bytes()
        .iter()
        .chain(id.iter())
        .copied()
        .chain(number.to_be_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
