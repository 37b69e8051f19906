//! The durable store: one redb file, one writer thread, atomic batches.
//!
//! The node sees `Persist` and `Written`; this module keeps the promise between them: a batch that
//! was answered with `Ok` is on the disk for good, one that was answered with `Err` is not there
//! at all. Several batches that wait share one commit. Secrets are sealed on the way in and opened
//! on the way out (SPEC RP7). Start at [`Store::open`].

mod disk;
mod writer;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use causeway_engine::base::store::Record;
use causeway_engine::base::time::Wall;

use crate::files;
use crate::keys::Seal;
use disk::{Disk, OpenFault};
pub(crate) use writer::Writer;

/// Name of the store's file in the data directory.
const FILE: &str = "store.redb";

/// A store that was opened and read.
#[derive(Debug)]
pub(crate) struct Store {
    /// Everything it held.
    pub(crate) records: Vec<Record>,
    disk: Disk,
}

impl Store {
    /// Opens the store in `data` and reads all of it.
    ///
    /// A file that cannot be read is set aside and kept, a new one is begun, and `faults` says so
    /// (SPEC AP8). An error means that the disk itself refuses.
    pub(crate) fn open(
        data: &Path,
        seal: Seal,
        now: Wall,
        faults: &mut Vec<String>,
    ) -> io::Result<Self> {
        let path = data.join(FILE);
        let seal = Arc::new(seal);
        let opened = match Disk::open(&path, &seal) {
            Err(OpenFault::Unreadable(reason)) => {
                let aside = files::set_aside(&path, now)?;
                faults.push(format!(
                    "The store could not be read ({reason}). It was kept as {} and a new one was \
                     begun.",
                    aside.display()
                ));
                Disk::open(&path, &seal)
            }
            opened => opened,
        };
        let (disk, records) =
            opened.map_err(|fault| io::Error::other(format!("{}: {fault}", path.display())))?;
        Ok(Self { records, disk })
    }

    /// Starts the writer thread; `done` is called there with each answer, in order.
    pub(crate) fn start(
        self,
        done: impl FnMut(writer::Done) + Send + 'static,
    ) -> io::Result<Writer> {
        Writer::start(self.disk, done)
    }
}

/// A data directory that no other process uses while this exists.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "holding it is its use")] File);

impl Lock {
    /// Takes the directory; `None` when another process has it.
    pub(crate) fn take(data: &Path) -> io::Result<Option<Self>> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(data.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
