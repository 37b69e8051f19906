//! The factory reset of a system that has left its cluster (SPEC LC2, LC3).
//!
//! Clearing all peer addresses notes, in the same write, what they were. While that note is there
//! every face says what the next restart will remove; the same addresses in the same order take the
//! note back. A start that finds the note saves one revision that sets all but a few items to their
//! defaults, and forgets the note and everything the cluster made in the same write. The
//! configuration of before stays in the history, from which it can be had back.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::base::ids::PeerId;
use crate::base::store::{Record, Table, Write};
use crate::cluster::promise::Promise;
use crate::config::Prepared;
use crate::config::schema::Scope;
use crate::config::settings::ClusterSettings;
use crate::config::tree::Tree;

/// Name of the note in the store.
const FACT: &[u8] = b"former cluster";

/// Version of the note.
const VERSION: u8 = 1;

/// Facts that only a member of a cluster has, by the begin of their names.
const OF_CLUSTER: [&[u8]; 8] = [
    FACT,
    b"pin ",
    b"removed ",
    b"operation",
    b"order",
    b"invite",
    b"joining",
    b"licences ",
];

/// The cluster that this system was in until its peer addresses were cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Former {
    /// Its name.
    pub(super) cluster: String,
    /// The peer addresses, in order.
    pub(super) peers: Vec<String>,
}

impl Former {
    /// The note that the store holds.
    pub(super) fn load(records: &[Record]) -> Option<Self> {
        let named = |record: &&Record| record.table == Table::Fact && record.key == FACT;
        let value = records.iter().find(named)?.value.as_deref()?;
        let (_, body) = value
            .split_first()
            .filter(|(version, _)| **version == VERSION)?;
        postcard::from_bytes(body).ok()
    }

    /// What every face says while the note is there.
    pub(super) fn banner(&self) -> String {
        format!(
            "This system has left its cluster and will be reset to factory settings at the next \
             restart: everything but the addresses of LAN 1, the administrator's password and the \
             certificates will be removed, also what is changed until then. To keep it, enter the \
             same peer addresses in the same order again: {}.",
            self.peers.join(", ")
        )
    }

    fn write(&self) -> Write {
        let value = postcard::to_extend(self, alloc::vec![VERSION]);
        Write::Put {
            table: Table::Fact,
            key: FACT.to_vec(),
            value: value.expect("plain data always encodes"),
        }
    }
}

/// What a change does to the note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    None,
    /// The system leaves its cluster.
    Armed(Former),
    /// It is back.
    Disarmed,
}

impl Turn {
    /// What a change of the peer list means.
    ///
    /// # Errors
    ///
    /// While a reset is due only the former list can be entered.
    pub(super) fn of(
        now: &Tree,
        prepared: &Prepared,
        former: Option<&Former>,
    ) -> Result<Self, String> {
        let Some(revision) = prepared.revision(Scope::Peer) else {
            return Ok(Self::None);
        };
        let mut after = now.clone();
        revision
            .changes
            .iter()
            .for_each(|change| after.apply(change));
        let (before, after) = (ClusterSettings::from(now), ClusterSettings::from(&after));
        match former {
            None if !before.peers.is_empty() && after.peers.is_empty() => Ok(Self::Armed(Former {
                cluster: before.name,
                peers: before.peers,
            })),
            Some(former) if after.peers == former.peers => Ok(Self::Disarmed),
            Some(former) if !after.peers.is_empty() => Err(format!(
                "Alternates Peer: this system will be reset at the next restart; until then only \
                 its former list of peers can be entered again: {}",
                former.peers.join(", ")
            )),
            _ => Ok(Self::None),
        }
    }

    /// What goes to the disk together with the change.
    pub(super) fn writes(&self) -> Vec<Write> {
        match self {
            Self::None => Vec::new(),
            Self::Armed(former) => alloc::vec![former.write()],
            Self::Disarmed => alloc::vec![forget(FACT.to_vec())],
        }
    }
}

/// If a reset is due: takes what the cluster made out of the records, and gives the writes that
/// remove it.
pub(super) fn take(own: PeerId, records: &mut Vec<Record>) -> Option<(Former, Vec<Write>)> {
    let former = Former::load(records)?;
    let cleared = |record: &mut Record| {
        let named = |name: &&[u8]| record.key.starts_with(name);
        record.table == Table::Fact && OF_CLUSTER.iter().any(named)
    };
    let removed = records.extract_if(.., cleared);
    let mut writes: Vec<Write> = removed.map(|record| forget(record.key)).collect();
    // The primary is forgotten. What is saved from here on is of an epoch of this system's own, so
    // that it never stands for another revision of the cluster.
    let promise = Promise {
        epoch: Promise::load(records).next_epoch(own),
        ..Promise::default()
    };
    for write in promise.write() {
        if let Write::Put { table, key, value } = &write {
            records.retain(|record| (&record.table, &record.key) != (table, key));
            records.push(Record {
                table: *table,
                key: key.clone(),
                value: Some(value.clone()),
            });
        }
        writes.push(write);
    }
    Some((former, writes))
}

fn forget(key: Vec<u8>) -> Write {
    let table = Table::Fact;
    Write::Delete { table, key }
}
