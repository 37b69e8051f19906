//! The thread that writes, so that the loop never waits for a disk.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use causeway_engine::base::ids::BatchId;
use causeway_engine::base::limits;
use causeway_engine::base::store::Write;

use super::disk::{self, Disk};

/// Batches that share one commit at most.
const GROUP: usize = 128;

/// Stack of the thread; a commit needs little.
const STACK_BYTES: usize = 512 * 1024;

/// The answer to a batch.
pub(crate) type Done = (BatchId, Result<(), String>);

/// The way to the writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    batches: Option<SyncSender<(BatchId, Vec<Write>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(disk: Disk, done: impl FnMut(Done) + Send + 'static) -> io::Result<Self> {
        let (batches, waiting) = mpsc::sync_channel(limits::STORE_BATCHES);
        let thread = thread::Builder::new()
            .name("store".into())
            .stack_size(STACK_BYTES)
            .spawn(move || run(disk, &waiting, done))?;
        Ok(Self {
            batches: Some(batches),
            thread: Some(thread),
        })
    }

    /// Hands a batch over; never waits. The error is the answer, when it cannot be taken.
    pub(crate) fn persist(&self, batch: BatchId, writes: Vec<Write>) -> Result<(), String> {
        disk::check(&writes)?;
        let Some(batches) = &self.batches else {
            return Err("the store is closed".into());
        };
        batches
            .try_send((batch, writes))
            .map_err(|error| match error {
                TrySendError::Full(_) => "the disk is too slow".into(),
                TrySendError::Disconnected(_) => "the store has stopped".into(),
            })
    }

    /// Writes what was handed over and ends the thread.
    pub(crate) fn finish(mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the store's thread ended by a fault");
        }
    }
}

fn run(mut disk: Disk, waiting: &Receiver<(BatchId, Vec<Write>)>, mut done: impl FnMut(Done)) {
    let mut group = Vec::new();
    while let Ok(first) = waiting.recv() {
        group.push(first);
        group.extend(waiting.try_iter().take(GROUP - 1));
        let result = disk.commit(group.iter().map(|(_, writes)| writes.as_slice()));
        if let Err(reason) = &result {
            log::error!("{} batches were not saved: {reason}", group.len());
        }
        for (batch, _) in group.drain(..) {
            done((batch, result.clone()));
        }
    }
}
