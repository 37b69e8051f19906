//! Identities: a newtype for each thing that can be confused with another.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Who a peer is, for ever: the Ed25519 public key made when it was installed (DESIGN 3).
///
/// Addresses, names and positions are attributes of a peer; this is the peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerId(pub [u8; 32]);

/// The first eight bytes in hexadecimal: enough for a person to compare.
impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

/// One life of a peer's shared state: random, durable before the first item is shared.
///
/// A peer that lost its disk gets a new one and can never collide with its former numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

/// A place in the peer list, 1 to 6, as the administrator counts (SPEC CL1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(u8);

impl Position {
    /// The place numbered `number`, when that is 1 to 6.
    pub fn new(number: u8) -> Option<Self> {
        (1..=super::limits::PEERS as u8)
            .contains(&number)
            .then_some(Self(number))
    }

    /// The number an administrator sees, 1 to 6.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// All places in order.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (1..=super::limits::PEERS as u8).map(Self)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A listening socket, named by the engine when it asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u32);

/// A byte stream. Those the engine opens are even, those that the shell accepts are odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// Hands out names of streams: one engine's share of the even numbers, so that engines which do
/// not know each other never choose the same.
#[derive(Clone, Debug)]
pub struct StreamIds {
    next: u64,
    step: u64,
}

impl StreamIds {
    /// Names `first`, `first + step`, `first + 2 × step`…
    ///
    /// # Panics
    ///
    /// If either is zero or odd: odd names belong to the shell.
    pub const fn new(first: u64, step: u64) -> Self {
        assert!(first > 0 && first.is_multiple_of(2));
        assert!(step > 0 && step.is_multiple_of(2));
        Self { next: first, step }
    }

    /// A name never handed out before.
    pub const fn take(&mut self) -> StreamId {
        let id = StreamId(self.next);
        self.next += self.step;
        id
    }
}

/// A batch of writes under way to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// A question from a person or program that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);
