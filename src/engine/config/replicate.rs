//! The replicated chain as it travels between peers, and what is believed of it (SPEC CL3, RP6).
//!
//! A primary sends what follows a peer's newest revision, or everything when it does not know
//! that revision. The receiver judges it here and takes it into effect only once it is on its
//! disk. A configuration that a primary's replaces stays as a [`Branch`].

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Configuration;
use super::chain::{self, Base, Chain, ChainFault};
use super::revision::{
    Change, Revision, RevisionId, StoredChange, StoredRevision, open_changes, store_changes,
};
use super::schema::Scope;
use super::tree::Tree;
use super::value::{SECRET_BYTES, SecretId, Value};
use crate::base::limits;
use crate::base::store::{Table, Write};

/// Revisions and the secrets that they name, as sent to a peer inside TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Revisions, oldest first.
    pub revisions: Vec<StoredRevision>,
    /// Secrets that they name.
    pub secrets: Vec<(SecretId, String)>,
}

/// The whole replicated configuration, as sent to a peer inside TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The revision that the values stand for; `None` before the first.
    pub head: Option<StoredRevision>,
    /// All values after it.
    pub values: Vec<StoredChange>,
    /// The revisions that follow it up to the newest, oldest first: history, as much as fits.
    pub revisions: Vec<StoredRevision>,
    /// Secrets that all of them name.
    pub secrets: Vec<(SecretId, String)>,
}

/// A primary's configuration, judged, that waits for the disk.
#[derive(Clone, Debug)]
pub struct Adoption {
    chain: Chain,
    branch: Option<Branch>,
    writes: Vec<Write>,
    secrets: Vec<(SecretId, String)>,
}

/// A replicated configuration that a primary's has replaced (SPEC RP6).
#[derive(Clone, Debug)]
pub struct Branch {
    /// Counts up from 1.
    pub number: u64,
    /// Its newest revision and its values; its history is folded away.
    pub chain: Chain,
}

impl Bundle {
    /// Its bytes on the wire: a version byte, then postcard.
    pub fn encode(&self) -> Vec<u8> {
        chain::encode(self)
    }

    /// Reads what [`Bundle::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`ChainFault::Unreadable`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ChainFault> {
        chain::decode(bytes).ok_or(ChainFault::Unreadable)
    }
}

impl Snapshot {
    /// Its bytes on the wire: a version byte, then postcard.
    pub fn encode(&self) -> Vec<u8> {
        chain::encode(self)
    }

    /// Reads what [`Snapshot::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`ChainFault::Unreadable`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ChainFault> {
        chain::decode(bytes).ok_or(ChainFault::Unreadable)
    }
}

impl Adoption {
    /// What must be on the disk before [`Configuration::adopt`].
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Place of the newest revision that it brings.
    pub fn revision(&self) -> RevisionId {
        self.chain.id()
    }
}

impl Branch {
    pub(super) fn key(&self) -> Vec<u8> {
        chain::key(Scope::Cluster, chain::BRANCH, self.number)
    }

    pub(super) fn write(&self) -> Write {
        let head = self.chain.head();
        let base = Base {
            head: head.map(|head| head.stored()),
            values: store_changes(&Tree::default().changes_to(self.chain.tree())),
        };
        chain::write_branch(self.number, &base)
    }
}

impl Configuration {
    /// Takes a primary's configuration into effect; its writes are on the disk. Gives what else
    /// to write, without haste.
    pub fn adopt(&mut self, adoption: Adoption) -> Vec<Write> {
        self.cluster = adoption.chain;
        self.secrets.extend(adoption.secrets);
        if let Some(branch) = adoption.branch {
            let oldest = self.oldest_branch();
            self.branches.retain(|kept| Some(kept.number) != oldest);
            self.branches.push(branch);
        }
        let mut writes = self.cluster.fold();
        writes.extend(self.tidy());
        self.merge();
        writes
    }

    /// Judges revisions that a primary sent.
    ///
    /// # Errors
    ///
    /// Why they do not follow what is here; then a snapshot is needed.
    pub fn check(&self, bundle: Bundle) -> Result<Adoption, ChainFault> {
        let mut chain = self.cluster.clone();
        let mut changes = Vec::new();
        let mut revisions = Vec::new();
        for stored in bundle.revisions {
            revisions.push(append(&mut chain, stored, &mut changes)?);
        }
        let secrets = self.new_secrets(bundle.secrets, &changes)?;
        let mut writes = write_secrets(&secrets);
        writes.extend(revisions);
        Ok(Adoption {
            chain,
            branch: None,
            writes,
            secrets,
        })
    }

    /// Judges a whole configuration that a primary sent. What was here before stays in the store
    /// as a branch that [`Configuration::branches`] lists.
    ///
    /// # Errors
    ///
    /// Why it is not whole.
    pub fn check_snapshot(&self, snapshot: Snapshot) -> Result<Adoption, ChainFault> {
        if snapshot.revisions.len() > limits::REVISIONS {
            return Err(ChainFault::Unreadable);
        }
        let mut changes = open_changes(snapshot.values.clone());
        shared(&changes)?;
        let base = Base {
            head: snapshot.head,
            values: snapshot.values,
        };
        let mut chain = Chain::on(Scope::Cluster, base).ok_or(ChainFault::Content)?;
        for stored in snapshot.revisions {
            append(&mut chain, stored, &mut changes)?;
        }
        let secrets = self.new_secrets(snapshot.secrets, &changes)?;
        let mut writes = write_secrets(&secrets);
        let branch = self.branch_before(&chain);
        if let Some(branch) = &branch {
            let oldest = self.oldest_branch();
            writes.extend(oldest.map(chain::delete_branch));
            writes.push(branch.write());
        }
        writes.extend(chain.writes_over(&self.cluster));
        Ok(Adoption {
            chain,
            branch,
            writes,
            secrets,
        })
    }

    /// Revisions with the secrets that they name.
    pub fn bundle(&self, revisions: &[Revision]) -> Bundle {
        let changes = revisions.iter().flat_map(|revision| &revision.changes);
        Bundle {
            revisions: revisions.iter().map(Revision::stored).collect(),
            secrets: self.named(changes.filter_map(|change| change.value.as_ref())),
        }
    }

    /// The whole replicated configuration, with as much of its history as fits.
    pub fn snapshot(&self) -> Snapshot {
        let chain = &self.cluster;
        let mut bytes = 0;
        let recent = chain.revisions().rev().take_while(|revision| {
            bytes += chain::encode(&revision.stored()).len();
            bytes <= limits::CONFIGURATION_HISTORY_BYTES
        });
        let kept = recent.count() as u64;
        let base = chain.base_at(chain.id().number - kept);
        let revisions: Vec<&Revision> = chain.revisions().rev().take(kept as usize).collect();
        let changes = revisions.iter().flat_map(|revision| &revision.changes);
        let before = base.values.iter().filter_map(|(_, value)| value.as_ref());
        let named = before.chain(changes.filter_map(|change| change.value.as_ref()));
        let secrets = self.named(named);
        Snapshot {
            head: base.head,
            values: base.values,
            revisions: revisions.iter().rev().map(|r| r.stored()).collect(),
            secrets,
        }
    }

    /// Replicated configurations that a primary's has replaced, oldest first (SPEC RP6).
    pub fn branches(&self) -> impl DoubleEndedIterator<Item = &Branch> {
        self.branches.iter()
    }

    /// The branch that makes room for the next one.
    fn oldest_branch(&self) -> Option<u64> {
        let full = self.branches.len() >= limits::BRANCHES;
        self.branches
            .first()
            .filter(|_| full)
            .map(|branch| branch.number)
    }

    /// What is here, as a branch, unless the new chain holds it already.
    fn branch_before(&self, new: &Chain) -> Option<Branch> {
        let here = &self.cluster;
        let empty = here.id().number == 0;
        if empty || here.tree() == new.tree() || new.holds(here.id().number, &here.hash()) {
            return None;
        }
        let last = self.branches.last().map_or(0, |branch| branch.number);
        Some(Branch {
            number: last + 1,
            chain: here.clone().folded(),
        })
    }

    /// The sent secrets that something in the changes names. A secret once named never changes,
    /// so nobody can put another under the name of one of ours.
    fn new_secrets(
        &self,
        sent: Vec<(SecretId, String)>,
        changes: &[Change],
    ) -> Result<Vec<(SecretId, String)>, ChainFault> {
        let values = changes.iter().filter_map(|change| change.value.as_ref());
        let named: BTreeSet<SecretId> = values.filter_map(Value::secret).collect();
        let wanted = |(id, text): &(SecretId, String)| {
            named.contains(id) && self.secrets.get(id).is_none_or(|held| held == text)
        };
        let new: Vec<(SecretId, String)> = sent.into_iter().filter(wanted).collect();
        match new.iter().any(|(_, text)| text.len() > SECRET_BYTES) {
            true => Err(ChainFault::Value),
            false => Ok(new),
        }
    }

    fn named<'a>(&self, values: impl Iterator<Item = &'a Value>) -> Vec<(SecretId, String)> {
        let ids: BTreeSet<SecretId> = values.filter_map(Value::secret).collect();
        let secret = |id: SecretId| Some((id, self.secrets.get(&id)?.clone()));
        ids.into_iter().filter_map(secret).collect()
    }
}

pub(super) fn write_secrets(secrets: &[(SecretId, String)]) -> Vec<Write> {
    let write = |(id, text): &(SecretId, String)| Write::Put {
        table: Table::Secret,
        key: id.0.to_vec(),
        value: text.clone().into_bytes(),
    };
    secrets.iter().map(write).collect()
}

/// Appends a revision that was sent; its changes are added to `changes`. Gives its write.
fn append(
    chain: &mut Chain,
    stored: StoredRevision,
    changes: &mut Vec<Change>,
) -> Result<Write, ChainFault> {
    let revision = stored.open(Scope::Cluster);
    shared(&revision.changes)?;
    changes.extend(revision.changes.iter().cloned());
    let write = chain::write_revision(&revision);
    chain.push(revision)?;
    Ok(write)
}

/// Whether all changes are of replicated items, with values that fit them.
fn shared(changes: &[Change]) -> Result<(), ChainFault> {
    if changes
        .iter()
        .any(|change| change.path.item().scope == Scope::Peer)
    {
        return Err(ChainFault::Scope);
    }
    let fits = |change: &Change| {
        let value = change.value.as_ref();
        value.is_none_or(|value| value.fits(change.path.item().kind))
    };
    if changes.iter().all(fits) {
        Ok(())
    } else {
        Err(ChainFault::Value)
    }
}
