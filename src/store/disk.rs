//! The file: tables, commits, and what a failed commit leaves behind.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use causeway_engine::base::limits;
use causeway_engine::base::store::{Record, Table, Write};
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, TableError,
};

use crate::keys::Seal;

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

const FACT: Bytes = TableDefinition::new("fact");
const REVISION: Bytes = TableDefinition::new("revision");
const SECRET: Bytes = TableDefinition::new("secret");
const HISTORY: Bytes = TableDefinition::new("history");

/// Every table that the engine knows.
const TABLES: [Table; 4] = [Table::Fact, Table::Revision, Table::Secret, Table::History];

/// What the store notes for itself. Key: name.
const NOTE: TableDefinition<'static, &'static str, u64> = TableDefinition::new("note");

/// Note: how many commits there were. Tells whether a commit that failed is there after all.
const COMMITS: &str = "commits";

/// Memory in which pages are kept; the engine holds what matters in its own memory.
const CACHE_BYTES: usize = 2 * 1024 * 1024;

/// Why a store cannot be opened.
#[derive(Debug)]
pub(super) enum OpenFault {
    /// The file holds no store that can be read: set it aside.
    Unreadable(String),
    /// The disk or the system refuses; another file would fare no better.
    Refused(String),
}

impl fmt::Display for OpenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) | Self::Refused(reason) => f.write_str(reason),
        }
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    /// Closed after a failed commit, until it has been opened again.
    database: Option<Database>,
    /// Commits so far, this file's whole life long.
    commits: u64,
    seal: Arc<Seal>,
}

impl Disk {
    /// Opens or makes the file and reads all of it.
    pub(super) fn open(path: &Path, seal: &Arc<Seal>) -> Result<(Self, Vec<Record>), OpenFault> {
        let database = open_file(path)?;
        let (records, commits) = read_all(&database, seal)?;
        let disk = Self {
            path: path.to_owned(),
            database: Some(database),
            commits,
            seal: Arc::clone(seal),
        };
        Ok((disk, records))
    }

    /// Makes all writes durable, or none. The error says why, for a person.
    pub(super) fn commit<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a [Write]>,
    ) -> Result<(), String> {
        if self.database.is_none() {
            self.reopen()?;
        }
        let Some(database) = &self.database else {
            return Err("the store is closed".into());
        };
        let Err(error) = write_all(database, &self.seal, self.commits + 1, batches) else {
            self.commits += 1;
            return Ok(());
        };
        let expected = self.commits + 1;
        // After a fault of the disk the database serves no more, and whether the last step of the
        // commit came through is known only from the file itself.
        self.database = None;
        match self.reopen() {
            Ok(()) if self.commits == expected => Ok(()),
            Ok(()) | Err(_) => Err(told(&error)),
        }
    }

    fn reopen(&mut self) -> Result<(), String> {
        let database = open_file(&self.path).map_err(|fault| fault.to_string())?;
        self.commits = commits(&database).map_err(|error| error.to_string())?;
        self.database = Some(database);
        Ok(())
    }
}

/// What went wrong, in the words of an administrator where there are some.
fn told(error: &redb::Error) -> String {
    match error {
        redb::Error::Io(error) => match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".into(),
            io::ErrorKind::FileTooLarge => "the disk's limit for one file is reached".into(),
            _ => format!("the disk refuses: {error}"),
        },
        error => format!("the store refuses: {error}"),
    }
}

fn definition(table: Table) -> Bytes {
    match table {
        Table::Fact => FACT,
        Table::Revision => REVISION,
        Table::Secret => SECRET,
        Table::History => HISTORY,
    }
}

/// Opens or makes the file; every page's checksum is verified, so that what was altered outside
/// is found now and not when a call needs it.
fn open_file(path: &Path) -> Result<Database, OpenFault> {
    Builder::new()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .create(path)
        .map_err(|error| match error {
            DatabaseError::Storage(StorageError::Corrupted(_))
            | DatabaseError::UpgradeRequired(_)
            | DatabaseError::RepairAborted => OpenFault::Unreadable(error.to_string()),
            DatabaseError::Storage(StorageError::Io(ref io))
                if matches!(
                    io.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                OpenFault::Unreadable(error.to_string())
            }
            error => OpenFault::Refused(error.to_string()),
        })
}

fn commits(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_read()?;
    match transaction.open_table(NOTE) {
        Ok(notes) => Ok(notes.get(COMMITS)?.map_or(0, |commits| commits.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn read_all(database: &Database, seal: &Seal) -> Result<(Vec<Record>, u64), OpenFault> {
    let read = || -> Result<_, redb::Error> {
        let mut records = Vec::new();
        let transaction = database.begin_read()?;
        for table in TABLES {
            let rows = match transaction.open_table(definition(table)) {
                Ok(rows) => rows,
                Err(TableError::TableDoesNotExist(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            for row in rows.iter()? {
                let (key, value) = row?;
                let value = match table {
                    Table::Secret => seal.unseal(key.value(), value.value()),
                    Table::Fact | Table::Revision | Table::History => Some(value.value().to_vec()),
                };
                records.push(Record {
                    table,
                    key: key.value().to_vec(),
                    value,
                });
            }
        }
        Ok((records, commits(database)?))
    };
    read().map_err(|error| OpenFault::Unreadable(error.to_string()))
}

fn write_all<'a>(
    database: &Database,
    seal: &Seal,
    number: u64,
    batches: impl Iterator<Item = &'a [Write]>,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // The commit slot becomes valid only after everything it names is on the disk.
    transaction.set_two_phase_commit(true);
    for write in batches.flatten() {
        match write {
            Write::Put { table, key, value } => {
                let mut rows = transaction.open_table(definition(*table))?;
                match table {
                    Table::Secret => {
                        let sealed = seal.seal(key, value).ok_or_else(|| {
                            redb::Error::Io(io::Error::other("a secret cannot be sealed"))
                        })?;
                        rows.insert(key.as_slice(), sealed.as_slice())?;
                    }
                    Table::Fact | Table::Revision | Table::History => {
                        rows.insert(key.as_slice(), value.as_slice())?;
                    }
                }
            }
            Write::Delete { table, key } => {
                transaction
                    .open_table(definition(*table))?
                    .remove(key.as_slice())?;
            }
        }
    }
    transaction.open_table(NOTE)?.insert(COMMITS, number)?;
    transaction.commit()?;
    Ok(())
}

/// Whether a batch can be written at all; the reason if not.
pub(super) fn check(writes: &[Write]) -> Result<(), String> {
    let too_long = writes.iter().any(|write| match write {
        Write::Put { key, value, .. } => key.len() + value.len() > limits::STORE_RECORD_BYTES,
        Write::Delete { key, .. } => key.len() > limits::STORE_RECORD_BYTES,
    });
    if too_long {
        return Err("a record is too long for the store".into());
    }
    Ok(())
}
