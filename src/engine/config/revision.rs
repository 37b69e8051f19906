//! One saved change of the configuration, and its form on disk and on the wire.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::path::Path;
use super::schema::Scope;
use super::value::Value;
use crate::base::digest::sha256;
use crate::base::time::Wall;

/// The hash before the first revision.
pub const GENESIS: [u8; 32] = [0; 32];

/// Who saved a change, from where (SPEC RP8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Account name.
    pub name: String,
    /// Address of the session, empty when it was local.
    pub address: String,
    /// The face: `cli`, `console`, `web`, `start`.
    pub face: String,
}

/// One item set, or unset with `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The item.
    pub path: Path,
    /// Its new value.
    pub value: Option<Value>,
}

/// Place of a revision in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RevisionId {
    /// Term of the primary that made it; 0 outside a cluster and in a peer's own chain.
    pub epoch: u64,
    /// Counts up by one from 1 through the whole chain.
    pub number: u64,
}

/// One saved change: a link of a hash chain (SPEC RP8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Whose chain it is in.
    pub scope: Scope,
    /// Its place.
    pub id: RevisionId,
    /// Hash of the revision before it, [`GENESIS`] for the first.
    pub parent: [u8; 32],
    /// Hash of all values of the scope once it is applied.
    pub content: [u8; 32],
    /// Hash of everything else here.
    pub hash: [u8; 32],
    /// Who saved it.
    pub author: Author,
    /// When, by the clock of the peer that saved it.
    pub time: Wall,
    /// What it is for, beside its items; empty for an ordinary save.
    pub note: String,
    /// What it changes.
    pub changes: Vec<Change>,
}

/// A change as stored and sent: paths as text, so that item numbers may differ between versions.
pub type StoredChange = (String, Option<Value>);

/// A revision as stored and sent. The encoding is the wire's and the disk's: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRevision {
    /// See [`Revision::id`].
    pub id: RevisionId,
    /// See [`Revision::parent`].
    pub parent: [u8; 32],
    /// See [`Revision::content`].
    pub content: [u8; 32],
    /// See [`Revision::author`].
    pub author: Author,
    /// See [`Revision::time`].
    pub time: Wall,
    /// See [`Revision::note`].
    pub note: String,
    /// See [`Revision::changes`].
    pub changes: Vec<StoredChange>,
}

impl StoredRevision {
    /// The hash that names it.
    pub fn hash(&self, scope: Scope) -> [u8; 32] {
        let bytes = postcard::to_allocvec(self).expect("plain data always encodes");
        sha256(&[&[scope_byte(scope)], &bytes])
    }

    /// The revision, without the changes of items that this version does not know.
    pub fn open(self, scope: Scope) -> Revision {
        let hash = self.hash(scope);
        Revision {
            scope,
            id: self.id,
            parent: self.parent,
            content: self.content,
            hash,
            author: self.author,
            time: self.time,
            note: self.note,
            changes: open_changes(self.changes),
        }
    }
}

impl Revision {
    /// Its form on disk and on the wire.
    pub fn stored(&self) -> StoredRevision {
        StoredRevision {
            id: self.id,
            parent: self.parent,
            content: self.content,
            author: self.author.clone(),
            time: self.time,
            note: self.note.clone(),
            changes: store_changes(&self.changes),
        }
    }
}

/// Changes as stored and sent.
pub fn store_changes(changes: &[Change]) -> Vec<StoredChange> {
    changes
        .iter()
        .map(|change| (change.path.to_string(), change.value.clone()))
        .collect()
}

/// Stored changes of items that this version knows.
///
/// A path counts only as it is printed: another spelling, stored again, would change the hash.
pub fn open_changes(changes: Vec<StoredChange>) -> Vec<Change> {
    let open = |(text, value): StoredChange| {
        let path = Path::parse(&text).ok()?;
        (path.to_string() == text).then_some(Change { path, value })
    };
    changes.into_iter().filter_map(open).collect()
}

/// The byte that stands for a scope on disk and in hashes.
pub const fn scope_byte(scope: Scope) -> u8 {
    match scope {
        Scope::Cluster => 0,
        Scope::Peer => 1,
    }
}
