//! The configuration: one typed schema, and revisions of what administrators set.
//!
//! [`schema`] names every item. A change is judged by [`Configuration::prepare`], written to the
//! disk by the caller, and takes effect by [`Configuration::commit`] only once it is there; the
//! same holds for what a primary sends ([`Configuration::check`], [`Configuration::adopt`]). So
//! memory equals the disk at any moment. This module knows neither faces nor peers.

pub mod chain;
mod check;
pub mod path;
pub mod revision;
pub mod schema;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod value;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::base::random::Random;
use crate::base::store::{Record, Table, Write};
use crate::base::time::Wall;

use chain::{Base, Chain, ChainFault};
use path::Path;
use revision::{
    Author, Change, Revision, RevisionId, StoredChange, StoredRevision, open_changes, store_changes,
};
use schema::Scope;
use tree::Tree;
use value::{HIDDEN, SecretId, Value};

/// All values, how they came about, and the secrets among them.
#[derive(Clone, Debug)]
pub struct Configuration {
    cluster: Chain,
    peer: Chain,
    tree: Tree,
    secrets: BTreeMap<SecretId, String>,
    generation: u64,
}

/// A judged change that waits for the disk.
#[derive(Clone, Debug)]
pub struct Prepared {
    revisions: Vec<Revision>,
    secrets: Vec<(SecretId, String)>,
}

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
    /// The revision that it stands for; `None` where nothing was ever set.
    pub head: Option<StoredRevision>,
    /// All values.
    pub values: Vec<StoredChange>,
    /// Secrets that they name.
    pub secrets: Vec<(SecretId, String)>,
}

/// A primary's configuration, judged, that waits for the disk.
#[derive(Clone, Debug)]
pub struct Adoption {
    chain: Chain,
    writes: Vec<Write>,
    secrets: Vec<(SecretId, String)>,
    revision: RevisionId,
}

impl Configuration {
    /// What the store holds, and what was wrong with it.
    pub fn load(records: &[Record]) -> (Self, Vec<String>) {
        let mut faults = Vec::new();
        let cluster = Chain::load(Scope::Cluster, records, &mut faults);
        let peer = Chain::load(Scope::Peer, records, &mut faults);
        let readable = |record: &Record| {
            let id = SecretId(record.key.get(..)?.try_into().ok()?);
            Some((id, String::from_utf8(record.value.clone()?).ok()?))
        };
        let held = records
            .iter()
            .filter(|record| record.table == Table::Secret);
        let secrets = held.filter_map(readable).collect();
        let tree = Tree::default();
        let mut configuration = Self {
            cluster,
            peer,
            tree,
            secrets,
            generation: 0,
        };
        configuration.merge();
        let lost = configuration.lost_secrets();
        faults
            .extend(lost.map(|path| format!("the secret of {path} cannot be read: set it again")));
        (configuration, faults)
    }

    /// Takes a change into effect; its writes are on the disk. Gives what else to write, without
    /// haste (old history that was folded away).
    pub fn commit(&mut self, prepared: Prepared) -> Vec<Write> {
        let mut writes = Vec::new();
        self.secrets.extend(prepared.secrets);
        for revision in prepared.revisions {
            let chain = match revision.scope {
                Scope::Cluster => &mut self.cluster,
                Scope::Peer => &mut self.peer,
            };
            // One change is under way at a time, so it still fits the chain it was prepared for;
            // if it does not, the next start would report it and this start does not use it.
            if chain.push(revision).is_ok() {
                writes.extend(chain.fold());
            }
        }
        self.merge();
        writes
    }

    /// Takes a primary's configuration into effect; its writes are on the disk.
    pub fn adopt(&mut self, adoption: Adoption) -> Vec<Write> {
        self.cluster = adoption.chain;
        self.secrets.extend(adoption.secrets);
        let writes = self.cluster.fold();
        self.merge();
        writes
    }

    /// Judges a change: items and values as text.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, one sentence each; the configuration stays as it is.
    pub fn prepare(
        &self,
        changes: &[(String, String)],
        author: &Author,
        note: &str,
        time: Wall,
        epoch: u64,
        random: &mut Random,
    ) -> Result<Prepared, Vec<String>> {
        let mut faults = Vec::new();
        let mut secrets = Vec::new();
        let mut tree = self.tree.clone();
        for (path, text) in changes {
            match self.judge(path, text, random, &mut secrets) {
                Ok(Some(change)) => tree.apply(&change),
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() {
            faults = check::faults(&tree);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let revision = |chain: &Chain, scope, epoch| {
            let after = tree.scoped(scope);
            let changes = chain.tree().changes_to(&after);
            let stored = StoredRevision {
                id: RevisionId {
                    epoch,
                    number: chain.id().number + 1,
                },
                parent: chain.hash(),
                content: after.hash(),
                author: author.clone(),
                time,
                note: note.into(),
                changes: store_changes(&changes),
            };
            (!changes.is_empty()).then(|| stored.open(scope))
        };
        let cluster = revision(
            &self.cluster,
            Scope::Cluster,
            epoch.max(self.cluster.id().epoch),
        );
        let peer = revision(&self.peer, Scope::Peer, 0);
        Ok(Prepared {
            revisions: cluster.into_iter().chain(peer).collect(),
            secrets,
        })
    }

    /// Judges revisions that a primary sent.
    ///
    /// # Errors
    ///
    /// Why they do not follow what is here; then a snapshot is needed.
    pub fn check(&self, bundle: Bundle) -> Result<Adoption, ChainFault> {
        let mut chain = self.cluster.clone();
        let mut writes = write_secrets(&bundle.secrets);
        for stored in bundle.revisions {
            let revision = stored.open(Scope::Cluster);
            shared_only(&revision.changes)?;
            writes.push(chain::write_revision(&revision));
            chain.push(revision)?;
        }
        let revision = chain.id();
        Ok(Adoption {
            chain,
            writes,
            secrets: bundle.secrets,
            revision,
        })
    }

    /// Judges a whole configuration that a primary sent. What was here before stays in the store
    /// as a branch that [`Configuration::branches`] lists.
    ///
    /// # Errors
    ///
    /// Why it is not whole.
    pub fn check_snapshot(&self, snapshot: Snapshot) -> Result<Adoption, ChainFault> {
        let content = snapshot
            .head
            .as_ref()
            .map_or(Tree::default().hash(), |head| head.content);
        shared_only(&open_changes(snapshot.values.clone()))?;
        let base = Base {
            head: snapshot.head,
            values: snapshot.values,
        };
        let chain = Chain::on(Scope::Cluster, base);
        if chain.tree().hash() != content {
            return Err(ChainFault::Content);
        }
        let mut writes = write_secrets(&snapshot.secrets);
        writes.extend(chain.writes_over(&self.cluster));
        let revision = chain.id();
        Ok(Adoption {
            chain,
            writes,
            secrets: snapshot.secrets,
            revision,
        })
    }

    /// All values.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The secret of an item, when it has one that can be read.
    pub fn secret(&self, name: &str) -> Option<&str> {
        match self.tree.get(&Path::parse(name).ok()?)? {
            Value::Secret(id) => self.secrets.get(id).map(String::as_str),
            Value::Text(_) => None,
        }
    }

    /// Counts up with every change that took effect.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The chain of one scope: its newest revision, its history, what follows a revision.
    pub fn chain(&self, scope: Scope) -> &Chain {
        match scope {
            Scope::Cluster => &self.cluster,
            Scope::Peer => &self.peer,
        }
    }

    /// Revisions with the secrets that they name.
    pub fn bundle(&self, revisions: &[Revision]) -> Bundle {
        let changes = revisions.iter().flat_map(|revision| &revision.changes);
        let secrets = self.named(changes.filter_map(|change| change.value.as_ref()));
        Bundle {
            revisions: revisions.iter().map(Revision::stored).collect(),
            secrets,
        }
    }

    /// The whole replicated configuration.
    pub fn snapshot(&self) -> Snapshot {
        let tree = self.cluster.tree();
        Snapshot {
            head: self.cluster.head().map(|head| head.stored()),
            values: store_changes(&Tree::default().changes_to(tree)),
            secrets: self.named(tree.iter().map(|(_, value)| value)),
        }
    }

    /// What to save to be back at a revision: items and values as text. Secrets are left as they
    /// are now, for an old secret may have been changed for good reason.
    pub fn back_to(&self, scope: Scope, number: u64) -> Option<Vec<(String, String)>> {
        let chain = self.chain(scope);
        let then = chain.at(number)?;
        let changes = chain.tree().changes_to(&then);
        let text = |change: &Change| match &change.value {
            Some(value) => format!("{value}"),
            None => change.path.item().default.into(),
        };
        let open = |change: &&Change| !change.path.item().kind.is_secret();
        Some(
            changes
                .iter()
                .filter(open)
                .map(|c| (format!("{}", c.path), text(c)))
                .collect(),
        )
    }

    fn merge(&mut self) {
        let mut tree = self.cluster.tree().clone();
        for (path, value) in self.peer.tree().iter() {
            tree.apply(&Change {
                path: *path,
                value: Some(value.clone()),
            });
        }
        self.tree = tree;
        self.generation += 1;
    }

    fn lost_secrets(&self) -> impl Iterator<Item = Path> {
        self.tree.iter().filter_map(|(path, value)| match value {
            Value::Secret(id) if !self.secrets.contains_key(id) => Some(*path),
            Value::Secret(_) | Value::Text(_) => None,
        })
    }

    fn named<'a>(&self, values: impl Iterator<Item = &'a Value>) -> Vec<(SecretId, String)> {
        let ids: BTreeSet<SecretId> = values
            .filter_map(|value| match value {
                Value::Secret(id) => Some(*id),
                Value::Text(_) => None,
            })
            .collect();
        let secret = |id: SecretId| Some((id, self.secrets.get(&id)?.clone()));
        ids.into_iter().filter_map(secret).collect()
    }

    /// One item of a change: what it becomes, or `None` where it stays as it is.
    fn judge(
        &self,
        path: &str,
        text: &str,
        random: &mut Random,
        secrets: &mut Vec<(SecretId, String)>,
    ) -> Result<Option<Change>, String> {
        let path = Path::parse(path).map_err(|fault| format!("{fault}"))?;
        let item = path.item();
        if item.kind.is_secret() && text == HIDDEN {
            return Ok(None);
        }
        let text = if text.is_empty() { item.default } else { text };
        let accepted = match text == item.default {
            true => None,
            false => Some(
                item.kind
                    .accept(text)
                    .map_err(|fault| format!("{path}: {fault}"))?,
            ),
        };
        let value = accepted.filter(|text| text != item.default).map(|text| {
            if !item.kind.is_secret() {
                return Value::Text(text);
            }
            let id = SecretId(random.bytes());
            secrets.push((id, text));
            Value::Secret(id)
        });
        Ok(Some(Change { path, value }))
    }
}

impl Prepared {
    /// What must be on the disk before [`Configuration::commit`].
    pub fn writes(&self) -> Vec<Write> {
        let revisions = self.revisions.iter().map(chain::write_revision);
        write_secrets(&self.secrets)
            .into_iter()
            .chain(revisions)
            .collect()
    }

    /// Its revision of a scope, when it changes something there.
    pub fn revision(&self, scope: Scope) -> Option<&Revision> {
        self.revisions
            .iter()
            .find(|revision| revision.scope == scope)
    }
}

impl Adoption {
    /// What must be on the disk before [`Configuration::adopt`].
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Place of the newest revision that it brings.
    pub fn revision(&self) -> RevisionId {
        self.revision
    }
}

fn write_secrets(secrets: &[(SecretId, String)]) -> Vec<Write> {
    let write = |(id, text): &(SecretId, String)| Write::Put {
        table: Table::Secret,
        key: id.0.to_vec(),
        value: text.clone().into_bytes(),
    };
    secrets.iter().map(write).collect()
}

fn shared_only(changes: &[Change]) -> Result<(), ChainFault> {
    let own = |change: &Change| change.path.item().scope == Scope::Peer;
    if changes.iter().any(own) {
        Err(ChainFault::Scope)
    } else {
        Ok(())
    }
}
