//! What became of alarms, kept across restarts (SPEC AL2).

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Condition, Severity};
use crate::base::limits;
use crate::base::store::{Record, Table, Write};
use crate::base::time::Wall;

/// Begin of the keys of these records in [`Table::History`]; the number follows, big-endian.
const KEY: &[u8] = b"alarm ";

/// First byte of a record: its format.
const VERSION: u8 = 1;

/// What became of an alarm. Stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It was raised.
    Raised,
    /// Its condition is gone.
    Lowered,
    /// Somebody has seen it.
    Acknowledged,
}

/// One line of the history. Stored: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// Counts up from 1 for the life of this peer.
    pub number: u64,
    /// When, by this peer's clock.
    pub time: Wall,
    /// What became of it.
    pub fate: Fate,
    /// The alarm's identifier.
    pub id: u32,
    /// How much it mattered.
    pub severity: Severity,
    /// Its title.
    pub title: String,
    /// What exactly it was about.
    pub detail: String,
    /// Who acknowledged it; empty otherwise.
    pub by: String,
}

/// The newest lines, oldest first, at most [`limits::ALARM_HISTORY`].
#[derive(Debug, Default)]
pub struct History {
    lines: VecDeque<Noted>,
    /// Number of the newest line.
    newest: u64,
    /// Lines up to this one are on the disk.
    saved: u64,
    /// Records on the disk that are to go.
    stale: Vec<Vec<u8>>,
    /// A write under way: the newest line in it, and the records that it deletes.
    under_way: Option<(u64, Vec<Vec<u8>>)>,
}

impl History {
    /// What the store holds, and what was wrong with it.
    pub fn load(records: &[Record]) -> (Self, Option<String>) {
        let mut lines: Vec<Noted> = Vec::new();
        let mut stale = Vec::new();
        let ours = |record: &&Record| record.table == Table::History && record.key.starts_with(KEY);
        for record in records.iter().filter(ours) {
            match record.value.as_deref().and_then(decode) {
                Some(line) if key(line.number) == record.key => lines.push(line),
                Some(_) | None => stale.push(record.key.clone()),
            }
        }
        let fault = (!stale.is_empty())
            .then(|| format!("{} lines of the alarm history cannot be read", stale.len()));
        lines.sort_by_key(|line| line.number);
        let surplus = lines.len().saturating_sub(limits::ALARM_HISTORY);
        stale.extend(lines.drain(..surplus).map(|line| key(line.number)));
        let newest = lines.last().map_or(0, |line| line.number);
        let history = Self {
            lines: lines.into(),
            newest,
            saved: newest,
            stale,
            under_way: None,
        };
        (history, fault)
    }

    /// Adds a line.
    pub fn note(&mut self, time: Wall, fate: Fate, condition: &Condition, by: &str) {
        self.newest = self.newest.saturating_add(1);
        let kind = condition.kind;
        self.lines.push_back(Noted {
            number: self.newest,
            time,
            fate,
            id: kind.id,
            severity: kind.severity,
            title: kind.title.to_string(),
            detail: condition.detail.clone(),
            by: by.to_string(),
        });
        if self.lines.len() > limits::ALARM_HISTORY
            && let Some(oldest) = self.lines.pop_front()
        {
            let written = self.under_way.as_ref().map_or(0, |(newest, _)| *newest);
            if oldest.number <= self.saved.max(written) {
                self.stale.push(key(oldest.number));
            }
        }
    }

    /// Writes of what is not on the disk yet, to be answered by [`History::end`]; nothing while
    /// others are under way.
    pub fn begin(&mut self) -> Vec<Write> {
        if self.under_way.is_some() || (self.newest == self.saved && self.stale.is_empty()) {
            return Vec::new();
        }
        let stale = core::mem::take(&mut self.stale);
        let unsaved = self.lines.iter().filter(|line| line.number > self.saved);
        let put = |line: &Noted| Write::Put {
            table: Table::History,
            key: key(line.number),
            value: encode(line),
        };
        let delete = |key: &Vec<u8>| Write::Delete {
            table: Table::History,
            key: key.clone(),
        };
        let writes = unsaved.map(put).chain(stale.iter().map(delete)).collect();
        self.under_way = Some((self.newest, stale));
        writes
    }

    /// The writes under way are on the disk, or are not.
    pub fn end(&mut self, written: bool) {
        match self.under_way.take() {
            Some((newest, _)) if written => self.saved = newest,
            Some((_, stale)) => self.stale.extend(stale),
            None => {}
        }
    }

    /// Lines, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Noted> {
        self.lines.iter()
    }
}

fn key(number: u64) -> Vec<u8> {
    [KEY, &number.to_be_bytes()].concat()
}

fn encode(line: &Noted) -> Vec<u8> {
    postcard::to_extend(line, alloc::vec![VERSION]).expect("plain data always encodes")
}

fn decode(bytes: &[u8]) -> Option<Noted> {
    let body = bytes.strip_prefix(&[VERSION])?;
    match postcard::take_from_bytes(body) {
        Ok((line, [])) => Some(line),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::*;
    use alloc::collections::BTreeMap;

    type Disk = BTreeMap<Vec<u8>, Vec<u8>>;

    fn write(disk: &mut Disk, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Put { key, value, .. } => drop(disk.insert(key, value)),
                Write::Delete { key, .. } => drop(disk.remove(&key)),
            }
        }
    }

    fn records(disk: &Disk) -> Vec<Record> {
        let record = |(key, value): (&Vec<u8>, &Vec<u8>)| Record {
            table: Table::History,
            key: key.clone(),
            value: Some(value.clone()),
        };
        disk.iter().map(record).collect()
    }

    fn note(history: &mut History, text: &str) {
        let condition = catalogue::PEER_LOST.about("a", text);
        history.note(Wall::from_millis(1), Fate::Raised, &condition, "");
    }

    #[test]
    fn lines_survive_a_restart_and_the_disk_keeps_no_more_than_memory() {
        let (mut history, mut disk) = (History::default(), Disk::new());
        for number in 0..limits::ALARM_HISTORY + 40 {
            note(&mut history, "text");
            if number % 7 == 0 {
                let writes = history.begin();
                note(&mut history, "while a write is under way");
                assert!(history.begin().is_empty());
                let written = number % 3 > 0;
                if written {
                    write(&mut disk, writes);
                }
                history.end(written);
            }
        }
        write(&mut disk, history.begin());
        history.end(true);
        assert_eq!(disk.len(), limits::ALARM_HISTORY);
        let (mut again, fault) = History::load(&records(&disk));
        assert_eq!(fault, None);
        assert!(again.lines().eq(history.lines()));
        assert!(again.begin().is_empty());
    }

    #[test]
    fn a_damaged_line_is_told_and_cleared() {
        let (mut history, mut disk) = (History::default(), Disk::new());
        (0..3).for_each(|_| note(&mut history, "text"));
        write(&mut disk, history.begin());
        disk.insert(key(2), Vec::from(*b"nonsense"));
        let (mut history, fault) = History::load(&records(&disk));
        assert!(fault.is_some_and(|fault| fault.starts_with("1 lines")));
        assert_eq!(history.lines().count(), 2);
        write(&mut disk, history.begin());
        assert_eq!(disk.len(), 2);
    }
}
