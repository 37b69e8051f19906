//! What peers share beside registrations: opaque values by key, each with one owner (SPEC RP9).
//!
//! The rules are those of registrations: only the owner changes its values, every change has a
//! number, and a peer that was away gets the changes that it lacks or a snapshot with an end mark;
//! digests are the safety net. Values do not expire by time: their owner removes them, or is
//! forgotten. What they say is known to those who write and read them.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Held;
use crate::base::ids::{Incarnation, PeerId};
use crate::base::limits;

/// What peers say to each other of their boards. On the wire: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// What the sender holds of the receiver's values; `None` for nothing.
    Wants(Option<Held>),
    /// Changes of the sender's values in this life of it.
    Changes {
        /// The sender's life.
        life: Incarnation,
        /// The changes, oldest first.
        notes: Vec<Note>,
    },
    /// All values of the sender follow.
    Begin {
        /// The sender's life.
        life: Incarnation,
    },
    /// Some of all values.
    Part(Vec<Note>),
    /// These were all; what was held of the sender before is replaced.
    End {
        /// Number of the sender's newest change.
        sequence: u64,
    },
    /// What the sender's values add up to at its newest change.
    Digest {
        /// Life and newest change.
        held: Held,
        /// The sum.
        digest: u64,
    },
    /// The receiver is asked to end something of its own; opaque here.
    Ask(Vec<u8>),
}

/// One change of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The owner's number of the change.
    pub sequence: u64,
    /// Its key.
    pub key: Vec<u8>,
    /// The value, or `None`: it is gone.
    pub value: Option<Vec<u8>>,
}

type Key = Arc<[u8]>;

/// Everyone's values.
#[derive(Debug)]
pub struct Board {
    own: PeerId,
    owners: BTreeMap<PeerId, Owner>,
}

/// One owner's values.
#[derive(Debug)]
struct Owner {
    life: Incarnation,
    /// Newest change.
    sequence: u64,
    /// Changes up to this one may have been forgotten.
    floor: u64,
    values: BTreeMap<Key, (u64, Vec<u8>)>,
    /// Keys of living values by the number of their newest change.
    living: BTreeMap<u64, Key>,
    /// Keys of values that are gone, by the number of their removal; kept for a while.
    gone: BTreeMap<u64, Key>,
    /// Sum over living values of a hash of key and number.
    digest: u64,
    /// A snapshot on its way in.
    staged: Option<(Incarnation, Vec<Note>)>,
}

impl Board {
    /// An empty board of this peer in this life.
    pub fn new(own: PeerId, life: Incarnation) -> Self {
        let owners = BTreeMap::from([(own, Owner::new(life))]);
        Self { own, owners }
    }

    /// Adds or replaces one of our own values; the same value again is no change, and one beyond
    /// [`limits::BOARD_VALUES`] or [`limits::BOARD_VALUE_BYTES`] is not shared (`false`).
    pub fn put(&mut self, key: &[u8], value: Vec<u8>) -> bool {
        let Some(owner) = self.owners.get_mut(&self.own) else {
            return false;
        };
        let held = owner.values.get(key);
        if held.is_some_and(|(_, held)| *held == value) {
            return true;
        }
        let full = held.is_none() && owner.values.len() >= limits::BOARD_VALUES;
        if full || !fits(key, &value) {
            return false;
        }
        let sequence = owner.sequence + 1;
        owner.set(sequence, Arc::from(key), value);
        true
    }

    /// Removes one of our own values.
    pub fn remove(&mut self, key: &[u8]) {
        if let Some(owner) = self.owners.get_mut(&self.own)
            && owner.values.contains_key(key)
        {
            let sequence = owner.sequence + 1;
            owner.unset(sequence, key);
        }
    }

    /// Forgets everything of another owner.
    pub fn forget(&mut self, owner: PeerId) {
        if owner != self.own {
            self.owners.remove(&owner);
        }
    }

    /// Takes in what an owner says of its own values; what to answer, or `None` when it makes no
    /// sense. Not for [`Word::Wants`] and [`Word::Ask`], which concern ours.
    pub fn hear(&mut self, from: PeerId, word: Word) -> Option<Option<Word>> {
        if from == self.own {
            return None;
        }
        let lacking = Some(Some(Word::Wants(None)));
        match word {
            Word::Changes { life, notes } => {
                let owner = self
                    .owners
                    .get_mut(&from)
                    .filter(|owner| owner.life == life);
                let Some(owner) = owner else {
                    return lacking;
                };
                notes.into_iter().for_each(|note| owner.take(note));
            }
            Word::Begin { life } => {
                let owner = self.owners.entry(from).or_insert_with(|| Owner::new(life));
                owner.staged = Some((life, Vec::new()));
            }
            Word::Part(notes) => {
                let (_, staged) = self.owners.get_mut(&from)?.staged.as_mut()?;
                if staged.len() + notes.len() > limits::BOARD_VALUES {
                    return None;
                }
                staged.extend(notes);
            }
            Word::End { sequence } => {
                let (life, notes) = self.owners.get_mut(&from)?.staged.take()?;
                let mut owner = Owner::new(life);
                notes.into_iter().for_each(|note| owner.take(note));
                owner.sequence = owner.sequence.max(sequence);
                owner.floor = owner.sequence;
                self.owners.insert(from, owner);
            }
            Word::Digest { held, digest } => {
                let Some(owner) = self.owners.get(&from) else {
                    return lacking;
                };
                let same = (owner.life, owner.sequence) == (held.incarnation, held.sequence);
                if same && owner.digest != digest {
                    return lacking;
                }
            }
            Word::Wants(_) | Word::Ask(_) => return None,
        }
        Some(None)
    }

    /// What is held of an owner; `None` for nothing.
    pub fn held(&self, owner: PeerId) -> Option<Held> {
        self.owners.get(&owner).map(|owner| Held {
            incarnation: owner.life,
            sequence: owner.sequence,
        })
    }

    /// What our own values add up to.
    pub fn own_digest(&self) -> u64 {
        self.owners.get(&self.own).map_or(0, |owner| owner.digest)
    }

    /// Our changes after a number, oldest first and at most `limit`; `None` when some of them were
    /// forgotten and only a snapshot helps.
    pub fn changes_after(&self, sequence: u64, limit: usize) -> Option<Vec<Note>> {
        let owner = self.owners.get(&self.own)?;
        if sequence < owner.floor || sequence > owner.sequence {
            return None;
        }
        let living = owner.living.range(sequence + 1..).take(limit);
        let gone = owner.gone.range(sequence + 1..).take(limit);
        let mut notes: Vec<Note> = living
            .chain(gone)
            .map(|(number, key)| owner.note(*number, key))
            .collect();
        notes.sort_by_key(|note| note.sequence);
        notes.truncate(limit);
        Some(notes)
    }

    /// All our values, oldest change first, from the change after `sequence` on.
    pub fn snapshot_after(&self, sequence: u64, limit: usize) -> Vec<Note> {
        let Some(owner) = self.owners.get(&self.own) else {
            return Vec::new();
        };
        let living = owner.living.range(sequence + 1..).take(limit);
        living
            .map(|(number, key)| owner.note(*number, key))
            .collect()
    }

    /// One value of one owner.
    pub fn get(&self, owner: PeerId, key: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.owners.get(&owner)?.values.get(key)?;
        Some(value)
    }

    /// All values whose keys begin so, with their owners and keys, in order.
    pub fn with_prefix<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = (PeerId, &'a [u8], &'a [u8])> {
        self.owners.iter().flat_map(move |(id, owner)| {
            let range = owner.values.range::<[u8], _>((
                core::ops::Bound::Included(prefix),
                core::ops::Bound::Unbounded,
            ));
            range
                .take_while(move |(key, _)| key.starts_with(prefix))
                .map(|(key, (_, value))| (*id, &**key, value.as_slice()))
        })
    }

    /// Everything, for comparison with another peer's.
    pub fn summary(&self) -> Vec<(PeerId, Vec<u8>, Vec<u8>)> {
        let all = self.with_prefix(b"");
        all.map(|(owner, key, value)| (owner, key.to_vec(), value.to_vec()))
            .collect()
    }
}

impl Owner {
    fn new(life: Incarnation) -> Self {
        Self {
            life,
            sequence: 0,
            floor: 0,
            values: BTreeMap::new(),
            living: BTreeMap::new(),
            gone: BTreeMap::new(),
            digest: 0,
            staged: None,
        }
    }

    /// Takes in a change as its owner numbered it.
    fn take(&mut self, note: Note) {
        let key = &*note.key;
        match note.value {
            Some(value) => {
                let full = self.values.len() >= limits::BOARD_VALUES;
                if fits(key, &value) && (!full || self.values.contains_key(key)) {
                    self.set(note.sequence, Arc::from(key), value);
                }
            }
            None => self.unset(note.sequence, key),
        }
        self.sequence = self.sequence.max(note.sequence);
    }

    fn set(&mut self, sequence: u64, key: Key, value: Vec<u8>) {
        self.clear(&key);
        self.sequence = self.sequence.max(sequence);
        self.digest ^= hash(&key, sequence);
        self.living.insert(sequence, key.clone());
        self.values.insert(key, (sequence, value));
    }

    fn unset(&mut self, sequence: u64, key: &[u8]) {
        self.clear(key);
        self.sequence = self.sequence.max(sequence);
        self.gone.insert(sequence, Arc::from(key));
        while self.gone.len() > limits::TOMBSTONES {
            if let Some((number, _)) = self.gone.pop_first() {
                self.floor = self.floor.max(number);
            }
        }
    }

    fn clear(&mut self, key: &[u8]) {
        if let Some((number, _)) = self.values.remove(key) {
            self.living.remove(&number);
            self.digest ^= hash(key, number);
        }
    }

    fn note(&self, sequence: u64, key: &Key) -> Note {
        let value = self.values.get(key);
        Note {
            sequence,
            key: key.to_vec(),
            value: value
                .filter(|(number, _)| *number == sequence)
                .map(|(_, value)| value.clone()),
        }
    }
}

fn fits(key: &[u8], value: &[u8]) -> bool {
    key.len() + value.len() <= limits::BOARD_VALUE_BYTES
}

/// FNV-1a over key and number.
fn hash(key: &[u8], number: u64) -> u64 {
    let bytes = key.iter().copied().chain(number.to_be_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    const ONE: PeerId = PeerId([1; 32]);
    const TWO: PeerId = PeerId([2; 32]);

    fn boards() -> (Board, Board) {
        let (one, two) = (Incarnation(1), Incarnation(2));
        (Board::new(ONE, one), Board::new(TWO, two))
    }

    /// Brings `two` up to what `one` holds, as the links do.
    fn carry(one: &Board, two: &mut Board) {
        let life = Incarnation(1);
        let held = two.held(ONE).map_or(0, |held| held.sequence);
        let known = two.held(ONE).is_some();
        match one.changes_after(held, 1_000_000).filter(|_| known) {
            Some(notes) => assert!(two.hear(ONE, Word::Changes { life, notes }).is_some()),
            None => {
                two.hear(ONE, Word::Begin { life }).unwrap();
                let notes = one.snapshot_after(0, 1_000_000);
                two.hear(ONE, Word::Part(notes)).unwrap();
                let sequence = one.held(ONE).unwrap().sequence;
                two.hear(ONE, Word::End { sequence }).unwrap();
            }
        }
        let held = one.held(ONE).unwrap();
        let digest = one.own_digest();
        assert_eq!(two.hear(ONE, Word::Digest { held, digest }), Some(None));
        assert_eq!(one.summary(), two.summary());
    }

    #[test]
    fn changes_and_snapshots_carry_everything() {
        let (mut one, mut two) = boards();
        one.put(b"call a", b"1".to_vec());
        carry(&one, &mut two);
        one.put(b"call a", b"2".to_vec());
        one.put(b"call b", b"3".to_vec());
        carry(&one, &mut two);
        one.remove(b"call a");
        one.remove(b"call never");
        carry(&one, &mut two);
        assert_eq!(two.get(ONE, b"call b"), Some(&b"3"[..]));
        assert_eq!(two.with_prefix(b"call ").count(), 1);
        assert_eq!(two.with_prefix(b"other").count(), 0);
        for number in 0..limits::TOMBSTONES + 10 {
            let key = format!("call {number}");
            one.put(key.as_bytes(), Vec::new());
            one.remove(key.as_bytes());
        }
        assert_eq!(one.changes_after(1, 10), None, "forgotten by now");
        carry(&one, &mut two);
        two.forget(ONE);
        assert_eq!(two.summary(), []);
    }

    #[test]
    fn what_does_not_follow_is_asked_for_anew() {
        let (mut one, mut two) = boards();
        one.put(b"a", Vec::new());
        carry(&one, &mut two);
        let (life, notes) = (Incarnation(9), Vec::new());
        let asked = two.hear(ONE, Word::Changes { life, notes });
        assert_eq!(asked, Some(Some(Word::Wants(None))));
        let (held, digest) = (one.held(ONE).unwrap(), 77);
        let asked = two.hear(ONE, Word::Digest { held, digest });
        assert_eq!(asked, Some(Some(Word::Wants(None))));
        assert_eq!(two.hear(ONE, Word::End { sequence: 1 }), None, "none begun");
        assert_eq!(two.hear(TWO, Word::Begin { life }), None, "our own values");
        assert_eq!(one.held(ONE).unwrap().sequence, 1, "the same is no change");
        assert!(one.put(b"a", Vec::new()));
        assert!(!one.put(b"b", std::vec![0; limits::BOARD_VALUE_BYTES]));
    }
}
