//! Records of the durable store, as the engine and the shell speak of them.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// One table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Table {
    /// Single facts: promises, epoch, incarnation, pinned peers. Key: name.
    Fact,
    /// Configuration revisions. Key: scope byte, epoch and number, big-endian.
    Revision,
    /// Secrets that revisions name; the shell encrypts these at rest (SPEC RP7). Key: secret id.
    Secret,
    /// What happened. Key: of what kind (`alarm `), then a number, big-endian.
    History,
}

/// One change to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each variant's sentence tells what its fields are"
)]
pub enum Write {
    /// Set a record.
    Put {
        table: Table,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    /// Remove a record; removing what is not there is no fault.
    Delete { table: Table, key: Vec<u8> },
}

/// A record as the store held it at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its table.
    pub table: Table,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value; `None` for a secret that could not be decrypted.
    pub value: Option<Vec<u8>>,
}
