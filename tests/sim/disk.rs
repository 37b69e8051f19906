//! A disk that keeps its word only for what it has confirmed.

use std::collections::{BTreeMap, VecDeque};

use causeway_engine::base::ids::BatchId;
use causeway_engine::base::random::Random;
use causeway_engine::base::store::{Record, Table, Write};

/// The records of one peer, and the batches on their way to them.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    records: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    under_way: VecDeque<(BatchId, Vec<Write>)>,
    /// Whether the key that opens secrets is another than the one that sealed them.
    pub(crate) secrets_lost: bool,
    /// Whether the next batches are refused for lack of space.
    pub(crate) full: bool,
}

impl Disk {
    /// Takes a batch; [`Disk::confirm`] makes it durable later.
    pub(crate) fn persist(&mut self, batch: BatchId, writes: Vec<Write>) {
        self.under_way.push_back((batch, writes));
    }

    /// Makes the oldest batch durable and says which one it was, or why it is not.
    pub(crate) fn confirm(&mut self) -> Option<(BatchId, Result<(), String>)> {
        let (batch, writes) = self.under_way.pop_front()?;
        if self.full {
            return Some((batch, Err("no space left on the disk".into())));
        }
        self.apply(writes);
        Some((batch, Ok(())))
    }

    /// The power fails: some first batches of those under way made it, the rest are gone.
    pub(crate) fn crash(&mut self, random: &mut Random) {
        let kept = random.below(self.under_way.len() as u64 + 1) as usize;
        let batches: Vec<_> = self.under_way.drain(..).collect();
        if !self.full {
            batches
                .into_iter()
                .take(kept)
                .for_each(|(_, writes)| self.apply(writes));
        }
    }

    /// The disk is replaced by an empty one.
    pub(crate) fn lose(&mut self) {
        *self = Self::default();
    }

    /// What a start finds.
    pub(crate) fn records(&self) -> Vec<Record> {
        let record = |((table, key), value): (&(Table, Vec<u8>), &Vec<u8>)| Record {
            table: *table,
            key: key.clone(),
            value: (!self.secrets_lost || *table != Table::Secret).then(|| value.clone()),
        };
        self.records.iter().map(record).collect()
    }

    fn apply(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Put { table, key, value } => {
                    self.records.insert((table, key), value);
                }
                Write::Delete { table, key } => {
                    self.records.remove(&(table, key));
                }
            }
        }
    }
}
