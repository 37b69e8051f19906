//! The revisions of one scope as a hash chain on a base.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::revision::{
    GENESIS, Revision, RevisionId, StoredChange, StoredRevision, open_changes, scope_byte,
    store_changes,
};
use super::schema::Scope;
use super::tree::Tree;
use crate::base::limits;
use crate::base::store::{Table, Write};

/// Version of what is written here to disk and wire.
const VERSION: u8 = 1;

/// Second byte of a key in [`Table::Revision`]: the base of a chain.
pub(super) const BASE: u8 = 0;

/// Second byte of a key: a revision, its number after it.
pub(super) const REVISION: u8 = 1;

/// Second byte of a key: a branch, its number after it.
pub(super) const BRANCH: u8 = 2;

/// Second byte of a key: a record that could not be used, its former key after it.
pub(super) const ASIDE: u8 = 255;

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
    base: Option<Revision>,
    base_tree: Tree,
    revisions: VecDeque<Revision>,
    tree: Tree,
}

impl Chain {
    /// A chain without revisions.
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            base: None,
            base_tree: Tree::default(),
            revisions: VecDeque::new(),
            tree: Tree::default(),
        }
    }

    /// A chain that begins at a base, if its values are those that its revision promises.
    pub fn on(scope: Scope, base: Base) -> Option<Self> {
        let mut tree = Tree::default();
        let values = open_changes(base.values);
        values.iter().for_each(|change| tree.apply(change));
        let content = base.head.as_ref().map(|head| head.content);
        if content.unwrap_or(Tree::default().hash()) != tree.hash() {
            return None;
        }
        Some(Self {
            scope,
            base: base.head.map(|head| head.open(scope)),
            base_tree: tree.clone(),
            revisions: VecDeque::new(),
            tree,
        })
    }

    /// Appends a revision.
    ///
    /// # Errors
    ///
    /// Why it does not fit; the chain is unchanged.
    pub fn push(&mut self, revision: Revision) -> Result<(), ChainFault> {
        if revision.parent != self.hash() || Some(revision.id.number) != self.next_number() {
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
            let Some(oldest) = self.fold_one() else { break };
            writes.push(Write::Delete {
                table: Table::Revision,
                key: key(self.scope, REVISION, oldest),
            });
        }
        if !writes.is_empty() {
            writes.push(self.write_base());
        }
        writes
    }

    /// The chain without its history.
    pub fn folded(mut self) -> Self {
        while self.fold_one().is_some() {}
        self
    }

    /// All values.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The newest revision; `None` before the first.
    pub fn head(&self) -> Option<Revision> {
        self.newest().cloned()
    }

    /// The revision that the kept ones follow; `None` when all were kept.
    pub fn base(&self) -> Option<&Revision> {
        self.base.as_ref()
    }

    /// The values at the base.
    pub(super) fn base_tree(&self) -> &Tree {
        &self.base_tree
    }

    /// Place of the newest revision, zero before the first.
    pub fn id(&self) -> RevisionId {
        let none = RevisionId {
            epoch: 0,
            number: 0,
        };
        self.newest().map_or(none, |head| head.id)
    }

    /// Number of the next revision.
    pub fn next_number(&self) -> Option<u64> {
        self.id().number.checked_add(1)
    }

    /// Hash of the newest revision.
    pub fn hash(&self) -> [u8; 32] {
        self.newest().map_or(GENESIS, |head| head.hash)
    }

    /// Kept revisions, oldest first.
    pub fn revisions(&self) -> impl DoubleEndedIterator<Item = &Revision> {
        self.revisions.iter()
    }

    /// The values as they were after a kept revision (or at the base).
    pub fn at(&self, number: u64) -> Option<Tree> {
        if number < self.base_number() || number > self.id().number {
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

    /// The chain up to a kept revision as a base; up to the present base where it is older.
    pub fn base_at(&self, number: u64) -> Base {
        let revision = self.revisions.iter().find(|r| r.id.number == number);
        let head = revision.or(self.base.as_ref());
        let tree = self.at(number).unwrap_or_else(|| self.base_tree.clone());
        Base {
            head: head.map(Revision::stored),
            values: store_changes(&Tree::default().changes_to(&tree)),
        }
    }

    /// Whether the revision with this number and hash is one of ours.
    pub fn holds(&self, number: u64, hash: &[u8; 32]) -> bool {
        if number == self.base_number() {
            return self.base.as_ref().map_or(GENESIS, |base| base.hash) == *hash;
        }
        let mut kept = self.revisions.iter();
        kept.any(|revision| (revision.id.number, revision.hash) == (number, *hash))
    }

    /// The revisions after the one with this number and hash; `None` if that is not one of ours.
    pub fn after(&self, number: u64, hash: &[u8; 32]) -> Option<Vec<Revision>> {
        let later = |revision: &&Revision| revision.id.number > number;
        self.holds(number, hash)
            .then(|| self.revisions.iter().filter(later).cloned().collect())
    }

    /// The writes that put this whole chain in the place of `old` on the disk.
    pub fn writes_over(&self, old: &Self) -> Vec<Write> {
        let table = Table::Revision;
        let gone = old.revisions.iter().map(|revision| Write::Delete {
            table,
            key: key(self.scope, REVISION, revision.id.number),
        });
        gone.chain(core::iter::once(self.write_base()))
            .chain(self.revisions.iter().map(write_revision))
            .collect()
    }

    /// Whether a record of this key is part of the chain as it stands on the disk.
    pub(super) fn owns(&self, record_key: &[u8]) -> bool {
        let base = self.base.iter().map(|_| key(self.scope, BASE, 0));
        let kept = self.revisions.iter();
        let kept = kept.map(|revision| key(self.scope, REVISION, revision.id.number));
        base.chain(kept).any(|key| key == record_key)
    }

    fn newest(&self) -> Option<&Revision> {
        self.revisions.back().or(self.base.as_ref())
    }

    fn base_number(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.id.number)
    }

    fn fold_one(&mut self) -> Option<u64> {
        let oldest = self.revisions.pop_front()?;
        let changes = oldest.changes.iter();
        changes.for_each(|change| self.base_tree.apply(change));
        let number = oldest.id.number;
        self.base = Some(oldest);
        Some(number)
    }

    fn write_base(&self) -> Write {
        Write::Put {
            table: Table::Revision,
            key: key(self.scope, BASE, 0),
            value: encode(&self.base_at(self.base_number())),
        }
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
    /// It holds a value that its item cannot have.
    Value,
    /// It is not in a form that this version reads.
    Unreadable,
}

impl core::error::Error for ChainFault {}

impl core::fmt::Display for ChainFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Parent => "it does not follow our newest revision",
            Self::Epoch => "it comes from an older term",
            Self::Content => "its changes do not add up to the values it promises",
            Self::Scope => "it holds items of a single peer",
            Self::Value => "it holds a value that its item cannot have",
            Self::Unreadable => "it is not in a form that this version reads",
        })
    }
}

/// The write of one revision.
pub fn write_revision(revision: &Revision) -> Write {
    Write::Put {
        table: Table::Revision,
        key: key(revision.scope, REVISION, revision.id.number),
        value: encode(&revision.stored()),
    }
}

pub(super) fn write_branch(number: u64, base: &Base) -> Write {
    Write::Put {
        table: Table::Revision,
        key: key(Scope::Cluster, BRANCH, number),
        value: encode(base),
    }
}

pub(super) fn delete_branch(number: u64) -> Write {
    Write::Delete {
        table: Table::Revision,
        key: key(Scope::Cluster, BRANCH, number),
    }
}

/// The key of a record: scope, what it is, number.
pub(super) fn key(scope: Scope, kind: u8, number: u64) -> Vec<u8> {
    let mut key = alloc::vec![scope_byte(scope), kind];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// A version byte, then postcard.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, alloc::vec![VERSION]).expect("plain data always encodes")
}

/// What [`encode`] wrote, whole and nothing after it.
pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let (version, rest) = bytes.split_first()?;
    if *version != VERSION || bytes.len() > limits::CONFIGURATION_BYTES {
        return None;
    }
    match postcard::take_from_bytes(rest) {
        Ok((value, [])) => Some(value),
        Ok(_) | Err(_) => None,
    }
}
