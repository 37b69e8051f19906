//! One request on its way through the proxy, and the table of all of them.
//!
//! An exchange is a server transaction together with the client transactions that it forked
//! into (RFC 3261 sections 16.2 and 17, RFC 6026). This module holds state and names; the rules
//! are in `forward`, `response`, `cancel` and `clock`.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::answer::Challenges;
use super::forward::Plan;
use super::origin::Stamp;
use super::target::Target;
use super::transport::Hop;
use crate::base::ids::StreamId;
use crate::base::time::Instant;
use crate::wire::sip::Message;

/// Names one exchange; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ExchangeId {
    /// Place in the table.
    pub(super) slot: u32,
    /// How often the place was given out before.
    pub(super) generation: u32,
}

/// Names one branch of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BranchRef {
    /// The exchange.
    pub(super) exchange: ExchangeId,
    /// Which of its branches.
    pub(super) branch: u8,
}

impl BranchRef {
    /// Comes before all others.
    pub(super) const FIRST: Self = Self {
        exchange: ExchangeId {
            slot: 0,
            generation: 0,
        },
        branch: 0,
    };
    /// Comes after all others.
    pub(super) const LAST: Self = Self {
        exchange: ExchangeId {
            slot: u32::MAX,
            generation: u32::MAX,
        },
        branch: u8::MAX,
    };
}

/// What fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// 100 Trying is owed (section 17.2.1: within 200 ms).
    Trying,
    /// Timer G.
    ServerRetransmit,
    /// Timers H, I, J and L.
    ServerEnd,
    /// Timers A and E.
    Retransmit(u8),
    /// Timers B, C, D, F, K and M: the one that the state of the branch means.
    End(u8),
    /// Timer E of a CANCEL.
    CancelRetransmit(u8),
}

/// State of the server transaction (sections 17.2.1 and 17.2.2, RFC 6026 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerState {
    /// No final response was sent. Trying and Proceeding of section 17.2.2 differ in `last` only.
    Proceeding,
    /// A final response was sent; for INVITE one that wants an ACK.
    Completed,
    /// The ACK came.
    Confirmed,
    /// A 2xx to INVITE was sent; more may follow from the called.
    Accepted,
    /// Nothing more is to be absorbed.
    Terminated,
}

/// State of one client transaction (sections 17.1.1 and 17.1.2, RFC 6026 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BranchState {
    /// Nothing came back (Calling, Trying).
    Calling,
    /// A provisional response came.
    Proceeding,
    /// A final response came; for INVITE one that wants an ACK.
    Completed,
    /// A 2xx to INVITE came.
    Accepted,
    /// Nothing more is to be absorbed.
    Terminated,
}

/// Whether and how far a branch is being cancelled (section 9.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cancel {
    /// It is not.
    No,
    /// As soon as a provisional response allows it.
    Wanted,
    /// CANCEL was sent and is repeated until answered.
    Sent {
        /// The CANCEL itself.
        bytes: Vec<u8>,
        /// When to send it again.
        retransmit_at: Option<Instant>,
        /// The interval after that.
        interval: Duration,
    },
    /// CANCEL was answered.
    Answered,
}

/// One client transaction.
#[derive(Debug)]
pub(super) struct Branch {
    /// Random part of the branch parameter.
    pub(super) nonce: u32,
    /// State of the transaction.
    pub(super) state: BranchState,
    /// Where it was sent.
    pub(super) hop: Hop,
    /// The request as sent; the ACK once a final response other than 2xx came.
    pub(super) request: Vec<u8>,
    /// Timers A and E.
    pub(super) retransmit_at: Option<Instant>,
    /// What that timer doubles.
    pub(super) interval: Duration,
    /// Timers B, C, D, F, K and M.
    pub(super) end_at: Option<Instant>,
    /// The CANCEL of this branch.
    pub(super) cancel: Cancel,
    /// Other flows of the same device, tried when this one is found dead (RFC 5626 section 5.3).
    pub(super) others: Vec<Target>,
    /// How to send the request by datagram when the stream chosen for its size cannot be opened
    /// (section 18.1.1).
    pub(super) again: Option<Box<Target>>,
}

impl Branch {
    /// Whether no final response has come yet.
    pub(super) fn is_pending(&self) -> bool {
        match self.state {
            BranchState::Calling | BranchState::Proceeding => true,
            BranchState::Completed | BranchState::Accepted | BranchState::Terminated => false,
        }
    }
}

/// The best final response so far (section 16.7 step 6).
#[derive(Debug)]
pub(super) struct Best {
    /// Its status code.
    pub(super) status: u16,
    /// The response with our Via removed; empty for one of our own making.
    pub(super) bytes: Vec<u8>,
}

/// The way back to whoever sent a request (section 18.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// By datagram.
    Udp(Hop),
    /// Over the stream that brought it, or a new one to `fallback` when that is gone.
    Stream {
        /// The stream that brought the request.
        stream: StreamId,
        /// Address of the sender and port of its Via.
        fallback: SocketAddr,
    },
    /// We made the request ourselves: nobody waits.
    Nobody,
}

impl Reply {
    /// Whether the transport retransmits by itself.
    pub(super) const fn is_reliable(self) -> bool {
        match self {
            Self::Udp(_) => false,
            Self::Stream { .. } | Self::Nobody => true,
        }
    }
}

/// A server transaction and the branches that it forked into.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Hash by which retransmissions are matched (section 17.2.3).
    pub(super) key: u128,
    /// INVITE has transactions of its own kind.
    pub(super) is_invite: bool,
    /// State of the server transaction.
    pub(super) server: ServerState,
    /// The way back.
    pub(super) reply: Reply,
    /// The request as received, until a final response was sent.
    pub(super) request: Option<Message>,
    /// Where it came from, for its Via.
    pub(super) stamp: Stamp,
    /// The last response sent, for retransmissions.
    pub(super) last: Vec<u8>,
    /// When 100 Trying is owed.
    pub(super) trying_at: Option<Instant>,
    /// Timer G.
    pub(super) retransmit_at: Option<Instant>,
    /// What that timer doubles.
    pub(super) interval: Duration,
    /// Timers H, I, J and L.
    pub(super) end_at: Option<Instant>,
    /// All branches, in the order of forking.
    pub(super) branches: Vec<Branch>,
    /// Targets not yet tried; the next group of equal preference at the end.
    pub(super) targets: Vec<Target>,
    /// The best final response so far.
    pub(super) best: Option<Best>,
    /// Challenges of all 401 and 407 responses (section 16.7 item 7).
    pub(super) challenges: Challenges,
    /// Upstream sent CANCEL.
    pub(super) cancelled: bool,
    /// What every copy of the request gets.
    pub(super) plan: Plan,
}

impl Exchange {
    /// Whether nobody waits for anything any more.
    pub(super) fn is_over(&self) -> bool {
        self.server == ServerState::Terminated
            && self
                .branches
                .iter()
                .all(|branch| branch.state == BranchState::Terminated)
    }
}

/// All exchanges.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    keys: BTreeMap<u128, ExchangeId>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    exchange: Option<Box<Exchange>>,
}

impl Table {
    /// Adds an exchange under its key.
    pub(super) fn insert(&mut self, exchange: Exchange) -> ExchangeId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let place = &mut self.slots[slot as usize];
        let id = ExchangeId {
            slot,
            generation: place.generation,
        };
        self.keys.insert(exchange.key, id);
        place.exchange = Some(Box::new(exchange));
        id
    }

    /// Removes an exchange.
    pub(super) fn remove(&mut self, id: ExchangeId) {
        if let Some(place) = self.slots.get_mut(id.slot as usize)
            && place.generation == id.generation
            && let Some(exchange) = place.exchange.take()
        {
            place.generation = place.generation.wrapping_add(1);
            self.free.push(id.slot);
            if self.keys.get(&exchange.key) == Some(&id) {
                self.keys.remove(&exchange.key);
            }
        }
    }

    /// An exchange by name.
    pub(super) fn get_mut(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        self.slots
            .get_mut(id.slot as usize)
            .filter(|place| place.generation == id.generation)?
            .exchange
            .as_deref_mut()
    }

    /// An exchange by name.
    pub(super) fn get(&self, id: ExchangeId) -> Option<&Exchange> {
        self.slots
            .get(id.slot as usize)
            .filter(|place| place.generation == id.generation)?
            .exchange
            .as_deref()
    }

    /// The exchange that a request belongs to, by its key.
    pub(super) fn find(&self, key: u128) -> Option<ExchangeId> {
        self.keys.get(&key).copied()
    }
}
