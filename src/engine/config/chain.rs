//! The revisions of one scope as a hash chain on a base.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::revision::{
    GENESIS, Revision, RevisionId, StoredChange, StoredRevision, open_changes, scope_byte,
    store_changes,
};
use super::schema::Scope;
use super::tree::Tree;
use crate::base::limits;
use crate::base::store::{Record, Table, Write};

/// Version of the records written here.
const VERSION: u8 = 1;

/// Where the kept revisions begin: all values at that point, and the revision that made them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The revision that the base stands for; `None` before the first.
    pub head: Option<StoredRevision>,
    /// All values of the scope.
    pub values: Vec<StoredChange>,
}

/// Revisions of one scope, oldest first, and the values that they add up to.
#[derive(Clone, Debug)]
pub struct Chain {
    scope: Scope,
    base: Base,
    base_hash: [u8; 32],
    base_tree: Tree,
    revisions: VecDeque<Revision>,
    tree: Tree,
}

impl Chain {
    /// A chain without revisions.
    pub fn new(scope: Scope) -> Self {
        Self::on(
            scope,
            Base {
                head: None,
                values: Vec::new(),
            },
        )
    }

    /// A chain that begins at a base.
    pub fn on(scope: Scope, base: Base) -> Self {
        let mut tree = Tree::default();
        open_changes(base.values.clone())
            .iter()
            .for_each(|change| tree.apply(change));
        let base_hash = base.head.as_ref().map_or(GENESIS, |head| head.hash(scope));
        let base_tree = tree.clone();
        Self {
            scope,
            base,
            base_hash,
            base_tree,
            revisions: VecDeque::new(),
            tree,
        }
    }

    /// The chain that the store holds. What cannot be read or does not fit is left out together
    /// with all that follows, and reported.
    pub fn load(scope: Scope, records: &[Record], faults: &mut Vec<String>) -> Self {
        let mut base = None;
        let mut stored: Vec<StoredRevision> = Vec::new();
        for record in records
            .iter()
            .filter(|record| record.table == Table::Revision)
        {
            let (Some([byte, kind, ..]), Some(value)) = (record.key.get(..), &record.value) else {
                continue;
            };
            match (*byte == scope_byte(scope), kind) {
                (true, 0) => base = decode(value).or_else(|| note(faults, scope, "the base")),
                (true, 1) => {
                    stored.extend(decode(value).or_else(|| note(faults, scope, "a record")))
                }
                (true | false, _) => {}
            }
        }
        stored.sort_by_key(|revision| revision.id.number);
        let mut chain = base.map_or_else(|| Self::new(scope), |base| Self::on(scope, base));
        for revision in stored {
            let old = revision.id.number <= chain.number();
            if !old && chain.push(revision.clone().open(scope)).is_err() {
                faults.push(format!(
                    "the stored configuration does not fit together at revision {}: the \
                     configuration before it is used",
                    revision.id.number
                ));
                break;
            }
        }
        chain
    }

    /// Appends a revision.
    ///
    /// # Errors
    ///
    /// Why it does not fit; the chain is unchanged.
    pub fn push(&mut self, revision: Revision) -> Result<(), ChainFault> {
        if revision.parent != self.hash() || revision.id.number != self.number() + 1 {
            return Err(ChainFault::Parent);
        }
        if revision.id.epoch < self.id().epoch {
            return Err(ChainFault::Epoch);
        }
        let mut tree = self.tree.clone();
        revision
            .changes
            .iter()
            .for_each(|change| tree.apply(change));
        if tree.hash() != revision.content {
            return Err(ChainFault::Content);
        }
        self.tree = tree;
        self.revisions.push_back(revision);
        Ok(())
    }

    /// Folds the oldest revisions into the base while there are too many.
    pub fn fold(&mut self) -> Vec<Write> {
        let mut writes = Vec::new();
        while self.revisions.len() > limits::REVISIONS {
            let Some(oldest) = self.revisions.pop_front() else {
                break;
            };
            oldest
                .changes
                .iter()
                .for_each(|change| self.base_tree.apply(change));
            self.base_hash = oldest.hash;
            self.base = Base {
                head: Some(oldest.stored()),
                values: store_changes(&Tree::default().changes_to(&self.base_tree)),
            };
            writes.push(Write::Delete {
                table: Table::Revision,
                key: key(self.scope, 1, oldest.id.number),
            });
            writes.push(write_base(self.scope, &self.base));
        }
        writes
    }

    /// All values.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The newest revision; `None` before the first and when only the base is left.
    pub fn head(&self) -> Option<Revision> {
        let base = || self.base.head.clone().map(|head| head.open(self.scope));
        self.revisions.back().cloned().or_else(base)
    }

    /// Place of the newest revision, zero before the first.
    pub fn id(&self) -> RevisionId {
        let base = self.base.head.as_ref().map(|head| head.id);
        let newest = self.revisions.back().map(|revision| revision.id).or(base);
        newest.unwrap_or(RevisionId {
            epoch: 0,
            number: 0,
        })
    }

    /// Hash of the newest revision.
    pub fn hash(&self) -> [u8; 32] {
        self.revisions
            .back()
            .map_or(self.base_hash, |revision| revision.hash)
    }

    /// Kept revisions, oldest first.
    pub fn revisions(&self) -> impl DoubleEndedIterator<Item = &Revision> {
        self.revisions.iter()
    }

    /// The values as they were after a kept revision (or at the base).
    pub fn at(&self, number: u64) -> Option<Tree> {
        let base = self.base.head.as_ref().map_or(0, |head| head.id.number);
        if number < base || number > self.number() {
            return None;
        }
        let mut tree = self.base_tree.clone();
        let until = self
            .revisions
            .iter()
            .take_while(|revision| revision.id.number <= number);
        until.for_each(|revision| {
            revision
                .changes
                .iter()
                .for_each(|change| tree.apply(change))
        });
        Some(tree)
    }

    /// The revisions after the one with this number and hash; `None` if that is not one of ours.
    pub fn after(&self, number: u64, hash: &[u8; 32]) -> Option<Vec<Revision>> {
        let base = self.base.head.as_ref().map_or(0, |head| head.id.number);
        let known = if number == base {
            self.base_hash == *hash
        } else {
            self.revisions
                .iter()
                .any(|revision| (revision.id.number, revision.hash) == (number, *hash))
        };
        let later = self
            .revisions
            .iter()
            .filter(|revision| revision.id.number > number);
        known.then(|| later.cloned().collect())
    }

    /// The writes that put this whole chain in the place of `old` on the disk.
    pub fn writes_over(&self, old: &Self) -> Vec<Write> {
        let table = Table::Revision;
        let gone = old.revisions.iter().map(|revision| Write::Delete {
            table,
            key: key(self.scope, 1, revision.id.number),
        });
        let base = core::iter::once(write_base(self.scope, &self.base));
        gone.chain(base)
            .chain(self.revisions.iter().map(write_revision))
            .collect()
    }

    fn number(&self) -> u64 {
        self.id().number
    }
}

/// Why a revision does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// It follows another revision than ours.
    Parent,
    /// It comes from an older term.
    Epoch,
    /// Its changes do not add up to the values it promises.
    Content,
    /// It holds items that are not the cluster's to share.
    Scope,
}

impl core::fmt::Display for ChainFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Parent => "it does not follow our newest revision",
            Self::Epoch => "it comes from an older term",
            Self::Content => "its changes do not add up to the values it promises",
            Self::Scope => "it holds items of a single peer",
        })
    }
}

/// The write of one revision.
pub fn write_revision(revision: &Revision) -> Write {
    Write::Put {
        table: Table::Revision,
        key: key(revision.scope, 1, revision.id.number),
        value: encode(&revision.stored()),
    }
}

fn write_base(scope: Scope, base: &Base) -> Write {
    Write::Put {
        table: Table::Revision,
        key: key(scope, 0, 0),
        value: encode(base),
    }
}

fn key(scope: Scope, kind: u8, number: u64) -> Vec<u8> {
    let mut key = alloc::vec![scope_byte(scope), kind];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, alloc::vec![VERSION]).expect("plain data always encodes")
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let (version, rest) = bytes.split_first()?;
    (*version == VERSION).then(|| postcard::from_bytes(rest).ok())?
}

fn note<T>(faults: &mut Vec<String>, scope: Scope, what: &str) -> Option<T> {
    faults.push(format!(
        "{what} of the stored {scope:?} configuration cannot be read"
    ));
    None
}
