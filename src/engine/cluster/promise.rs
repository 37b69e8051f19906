//! Whom this peer follows: the one agreement that a cluster needs (SPEC CL6).
//!
//! An epoch is a term and a mark of the peer that began it, so two peers never begin the same one.
//! The peer that begins an epoch names its primary once and durably, before anybody hears of it;
//! so an epoch has one primary for ever, without a vote. Every peer follows the highest epoch it
//! has heard of, keeps that on its disk, and never goes back. Typing a primary in on any peer
//! begins a new epoch; in whatever order it is done on however many peers, all end at the highest.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::base::ids::PeerId;
use crate::base::store::{Record, Table, Write};

/// Bits of an epoch that mark the peer that began it.
const MARK_BITS: u32 = 16;

/// Name of the fact in the store.
const FACT: &[u8] = b"promise";

/// Version of the record.
const VERSION: u8 = 1;

/// Whom a peer follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// The highest epoch heard of; 0 before the first.
    pub epoch: u64,
    /// Its primary.
    pub primary: Option<PeerId>,
    /// The administrator's choice that was last acted on: address and place in the list. A choice
    /// that differs from it is new and begins an epoch.
    pub chosen: Option<(u8, alloc::string::String)>,
}

impl Promise {
    /// The promise that the store holds.
    pub fn load(records: &[Record]) -> Self {
        let fact = records
            .iter()
            .find(|r| r.table == Table::Fact && r.key == FACT);
        let value = fact.and_then(|record| record.value.as_deref());
        let body = value
            .and_then(|value| value.split_first())
            .filter(|(v, _)| **v == VERSION);
        body.and_then(|(_, body)| postcard::from_bytes(body).ok())
            .unwrap_or_default()
    }

    /// The write that makes it durable.
    pub fn write(&self) -> Vec<Write> {
        let value = postcard::to_extend(self, alloc::vec![VERSION]);
        let value = value.expect("plain data always encodes");
        alloc::vec![Write::Put {
            table: Table::Fact,
            key: FACT.to_vec(),
            value
        }]
    }

    /// The epoch after all that were heard of, begun by `own`.
    pub fn next_epoch(&self, own: PeerId) -> u64 {
        let mark = u64::from(u16::from_be_bytes([own.0[0], own.0[1]]));
        ((self.epoch >> MARK_BITS) + 1) << MARK_BITS | mark
    }
}

/// The term of an epoch, as people count.
pub const fn term(epoch: u64) -> u64 {
    epoch >> MARK_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_of_two_peers_never_meet_and_always_grow() {
        let (one, two) = (PeerId([1; 32]), PeerId([2; 32]));
        let promise = Promise {
            epoch: 5 << 16 | 9,
            primary: Some(one),
            chosen: None,
        };
        let (a, b) = (promise.next_epoch(one), promise.next_epoch(two));
        assert!(a != b && a > promise.epoch && b > promise.epoch);
        assert_eq!((term(a), term(b)), (6, 6));
    }

    #[test]
    fn a_promise_survives_the_store() {
        let promise = Promise {
            epoch: 7,
            primary: Some(PeerId([3; 32])),
            chosen: Some((1, "x".into())),
        };
        let Some(Write::Put { table, key, value }) = promise.write().pop() else {
            panic!("a put")
        };
        let record = Record {
            table,
            key,
            value: Some(value),
        };
        assert_eq!(Promise::load(&[record]), promise);
        assert_eq!(Promise::load(&[]), Promise::default());
    }
}
