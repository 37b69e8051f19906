//! The configuration: one typed schema, and revisions of what administrators set.
//!
//! [`schema`] names every item. A change is judged by [`Configuration::prepare`], written to the
//! disk by the caller, and takes effect by [`Configuration::commit`] only once it is there; the
//! same holds for what a primary sends ([`Configuration::check`], [`Configuration::adopt`]). So
//! memory equals the disk at any moment. This module knows neither faces nor peers.

pub mod backup;
pub mod chain;
mod check;
mod load;
pub mod path;
mod replicate;
pub mod reset;
pub mod revision;
pub mod schema;
pub mod select;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod value;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::base::limits;
use crate::base::random::Random;
use crate::base::store::{Record, Table, Write};
use crate::base::time::Wall;

use chain::Chain;
use load::Aside;
use path::Path;
use replicate::write_secrets;
use revision::{Author, Change, Revision, RevisionId, StoredRevision, store_changes};
use schema::Scope;
use tree::Tree;
use value::{HIDDEN, SecretId, Value};

pub use replicate::{Adoption, Branch, Bundle, Snapshot};

/// All values, how they came about, and the secrets among them.
#[derive(Clone, Debug)]
pub struct Configuration {
    cluster: Chain,
    peer: Chain,
    tree: Tree,
    branches: Vec<Branch>,
    secrets: BTreeMap<SecretId, String>,
    aside: Vec<Aside>,
    generation: u64,
}

/// A judged change that waits for the disk.
#[derive(Clone, Debug)]
pub struct Prepared {
    revisions: Vec<Revision>,
    secrets: Vec<(SecretId, String)>,
}

impl Configuration {
    /// What the store holds, and what was wrong with it.
    pub fn load(records: &[Record]) -> (Self, Vec<String>) {
        let mut faults = Vec::new();
        let cluster = load::scope(Scope::Cluster, records, &mut faults);
        let peer = load::scope(Scope::Peer, records, &mut faults);
        let mut configuration = Self {
            cluster: cluster.chain,
            peer: peer.chain,
            branches: cluster.branches,
            tree: Tree::default(),
            secrets: load::secrets(records),
            aside: cluster.aside.into_iter().chain(peer.aside).collect(),
            generation: 0,
        };
        configuration.merge();
        (configuration, faults)
    }

    /// Takes a change into effect; its writes are on the disk. Gives what else to write, without
    /// haste: old history that was folded away, and what [`Configuration::load`] could not use,
    /// under other keys.
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
        writes.extend(self.tidy());
        self.merge();
        writes
    }

    /// Judges a change: items and values as text; an empty text sets the default, and `***`
    /// leaves a secret as it is. What does not fit together is a fault only where this change
    /// brings it about, so that a configuration can be repaired step by step.
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
        if changes.len() > limits::CONFIGURATION_CHANGES {
            let most = limits::CONFIGURATION_CHANGES;
            return Err(vec![format!("one change has at most {most} items")]);
        }
        let mut faults = Vec::new();
        let mut secrets = Vec::new();
        let (mut cluster, mut peer) = (self.cluster.tree().clone(), self.peer.tree().clone());
        for (path, text) in changes {
            match self.judge(path, text, random, &mut secrets) {
                Ok(Some(change)) => match change.path.item().scope {
                    Scope::Cluster => cluster.apply(&change),
                    Scope::Peer => peer.apply(&change),
                },
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() {
            let before = check::faults(&self.tree);
            faults = check::faults(&merged(&cluster, &peer));
            faults.retain(|fault| !before.contains(fault));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let saved = Saved { author, note, time };
        let epoch = epoch.max(self.cluster.id().epoch);
        let cluster = saved.revision(&self.cluster, Scope::Cluster, epoch, &cluster);
        let peer = saved.revision(&self.peer, Scope::Peer, 0, &peer);
        let revisions: Vec<Revision> = cluster.into_iter().chain(peer).collect();
        let changes = revisions.iter().flat_map(|revision| &revision.changes);
        let used: BTreeSet<SecretId> = changes
            .filter_map(|change| change.value.as_ref()?.secret())
            .collect();
        secrets.retain(|(id, _)| used.contains(id));
        Ok(Prepared { revisions, secrets })
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

    /// What to save to be back at a revision: items and values as text. Secrets are left as they
    /// are now, for an old secret may have been changed for good reason.
    pub fn back_to(&self, scope: Scope, number: u64) -> Option<Vec<(String, String)>> {
        let chain = self.chain(scope);
        Some(way_back(chain.tree(), &chain.at(number)?))
    }

    /// What to save to be back at a replaced configuration; secrets are left as they are.
    pub fn back_to_branch(&self, number: u64) -> Option<Vec<(String, String)>> {
        let branch = self
            .branches
            .iter()
            .find(|branch| branch.number == number)?;
        Some(way_back(self.cluster.tree(), branch.chain.tree()))
    }

    /// Items whose secrets cannot be read here; each is to be set again.
    pub fn lost_secrets(&self) -> impl Iterator<Item = Path> {
        self.tree.iter().filter_map(|(path, value)| {
            let lost = value
                .secret()
                .is_some_and(|id| !self.secrets.contains_key(&id));
            lost.then_some(*path)
        })
    }

    fn merge(&mut self) {
        self.tree = merged(self.cluster.tree(), self.peer.tree());
        self.generation += 1;
    }

    /// Writes that clear what nothing uses any more: secrets that no kept revision names, and
    /// records that could not be used, which move to other keys.
    fn tidy(&mut self) -> Vec<Write> {
        let mut named = BTreeSet::new();
        for chain in [&self.cluster, &self.peer] {
            let changes = chain.revisions().flat_map(|revision| &revision.changes);
            named.extend(changes.filter_map(|change| change.value.as_ref()?.secret()));
            let base = chain.base_tree();
            named.extend(base.iter().filter_map(|(_, value)| value.secret()));
        }
        let unused = |id: &&SecretId| !named.contains(*id);
        let unused: Vec<SecretId> = self.secrets.keys().filter(unused).copied().collect();
        let mut writes = Vec::new();
        for id in unused {
            self.secrets.remove(&id);
            writes.push(Write::Delete {
                table: Table::Secret,
                key: id.0.to_vec(),
            });
        }
        for (key, value) in core::mem::take(&mut self.aside) {
            let table = Table::Revision;
            let branch = self.branches.iter().any(|branch| branch.key() == key);
            if !branch && !self.cluster.owns(&key) && !self.peer.owns(&key) {
                writes.push(Write::Delete {
                    table,
                    key: key.clone(),
                });
            }
            let start = [key.first().copied().unwrap_or(0), chain::ASIDE];
            let key = start.into_iter().chain(key).collect();
            writes.push(Write::Put { table, key, value });
        }
        writes
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
            // The same secret again is no change: settings given at every start stay one revision.
            let held = self.tree.get(&path).and_then(Value::secret);
            if let Some(id) = held.filter(|id| self.secrets.get(id) == Some(&text)) {
                return Value::Secret(id);
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

/// What a revision tells beside its changes.
struct Saved<'a> {
    author: &'a Author,
    note: &'a str,
    time: Wall,
}

impl Saved<'_> {
    /// The revision that makes `after` out of the chain's values; `None` where nothing changes.
    fn revision(&self, chain: &Chain, scope: Scope, epoch: u64, after: &Tree) -> Option<Revision> {
        let changes = chain.tree().changes_to(after);
        let stored = StoredRevision {
            id: RevisionId {
                epoch,
                number: chain.next_number()?,
            },
            parent: chain.hash(),
            content: after.hash(),
            author: Author {
                name: clipped(&self.author.name),
                address: clipped(&self.author.address),
                face: clipped(&self.author.face),
            },
            time: self.time,
            note: clipped(self.note),
            changes: store_changes(&changes),
        };
        (!changes.is_empty()).then(|| stored.open(scope))
    }
}

/// At most [`limits::REVISION_TEXT_BYTES`] of a text.
fn clipped(text: &str) -> String {
    text[..text.floor_char_boundary(limits::REVISION_TEXT_BYTES)].into()
}

fn merged(cluster: &Tree, peer: &Tree) -> Tree {
    let mut tree = cluster.clone();
    for (path, value) in peer.iter() {
        tree.apply(&Change {
            path: *path,
            value: Some(value.clone()),
        });
    }
    tree
}

/// The changes that make `then` out of `now`, as text, without the secrets.
fn way_back(now: &Tree, then: &Tree) -> Vec<(String, String)> {
    let changes = now.changes_to(then);
    let open = changes
        .iter()
        .filter(|change| !change.path.item().kind.is_secret());
    let text = |change: &Change| match &change.value {
        Some(value) => format!("{value}"),
        None => change.path.item().default.into(),
    };
    open.map(|change| (format!("{}", change.path), text(change)))
        .collect()
}
