//! Frames between peers, on both planes (SPEC CL5, RP9), and beats.
//!
//! A frame is its length (four bytes, little-endian, without itself), a version byte, and one
//! postcard [`Message`]. Variants are only ever added at the end. What a message carries of the
//! configuration and the directory is opaque here.

pub mod beat;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::base::ids::{Incarnation, PeerId};
use crate::base::limits;

/// Version of these frames. A peer that speaks another one is refused with that reason.
pub const VERSION: u8 = 1;

/// Bytes before the message of a frame.
const HEAD: usize = 5;

/// One message between peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// First on every stream, from both ends.
    Hello(Hello),
    /// Why the stream will be closed.
    Refused(String),
    /// Configuration plane: whom the sender follows, and the newest revision it holds.
    State(State),
    /// Configuration plane, to the primary: what the sender holds; `whole` asks for a snapshot.
    Holds {
        /// Newest revision.
        head: Head,
        /// Whether revisions would not do.
        whole: bool,
    },
    /// Configuration plane, from the primary: revisions that follow what the receiver holds.
    Revisions(Vec<u8>),
    /// Configuration plane, from the primary: a part of the whole configuration.
    SnapshotPart {
        /// Its bytes, in order.
        bytes: Vec<u8>,
        /// Whether it is the last part.
        last: bool,
    },
    /// Dynamic plane: what the sender holds of the receiver's items; `None` for nothing.
    Wants(Option<Counted>),
    /// Dynamic plane: changes of the sender's items in this life of it.
    Items {
        /// The sender's life.
        life: Incarnation,
        /// Entries, opaque here.
        entries: Vec<u8>,
    },
    /// Dynamic plane: all items of the sender follow.
    ItemsBegin {
        /// The sender's life.
        life: Incarnation,
    },
    /// Dynamic plane: some of all items.
    ItemsPart(Vec<u8>),
    /// Dynamic plane: these were all; what was held of the sender before is replaced.
    ItemsEnd {
        /// Number of the sender's newest change.
        sequence: u64,
    },
    /// Dynamic plane: what the sender's items add up to at its newest change.
    Digest {
        /// Life and newest change.
        counted: Counted,
        /// The sum.
        digest: u64,
    },
    /// Configuration plane: what the receiver is to do in an operation; opaque here.
    Order(Vec<u8>),
    /// Configuration plane: what became of an order; opaque here.
    Done(Vec<u8>),
    /// Configuration port, in the place of a hello: a system that wants to join, and the primary
    /// that lets it; opaque here.
    Join(Vec<u8>),
    /// Dynamic plane: of what is shared beside registrations, only to peers that understand it;
    /// opaque here.
    Board(Vec<u8>),
    /// In the place of a hello, to a former peer: it was taken off the list; says by whom.
    Removed(String),
    /// Configuration plane: what the sender would say of every peer's certificate; opaque here.
    Judged(Vec<u8>),
}

/// Who speaks, and what must agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the software, for people.
    pub software: String,
    /// Hash of the configuration schema; peers whose schemas differ share no configuration.
    pub schema: [u8; 32],
    /// `Alternates Cluster Name`.
    pub cluster: String,
    /// Peer addresses in order.
    pub peers: Vec<String>,
    /// Proof of the cluster secret over this channel, when one is set.
    pub proof: Option<[u8; 32]>,
}

/// Whom a peer follows and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Term that the peer has promised.
    pub epoch: u64,
    /// Primary of that term; `None` before the first.
    pub primary: Option<PeerId>,
    /// Newest revision.
    pub head: Head,
}

/// A revision by place and hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Term in which it was made.
    pub epoch: u64,
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// A life and the number of a change in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The owner's life.
    pub life: Incarnation,
    /// Number of the change.
    pub sequence: u64,
}

/// Why a stream of frames cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// The frame at this byte of the stream is longer than the limit, or too short to be one.
    Length {
        /// Bytes from the start of the stream.
        position: u64,
    },
    /// The other end speaks another version.
    Version {
        /// The version it speaks.
        theirs: u8,
    },
    /// The frame at this byte of the stream holds no message.
    Message {
        /// Bytes from the start of the stream.
        position: u64,
    },
}

impl core::fmt::Display for FrameFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length { position } => write!(f, "a frame of impossible length at {position}"),
            Self::Version { theirs } => {
                write!(f, "wire version {theirs}, this system speaks {VERSION}")
            }
            Self::Message { position } => write!(f, "an unreadable frame at {position}"),
        }
    }
}

/// The frame of a message.
pub fn encode(message: &Message) -> Vec<u8> {
    let mut frame = alloc::vec![0, 0, 0, 0, VERSION];
    frame = postcard::to_extend(message, frame).expect("plain data always encodes");
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame
}

/// Cuts a stream into messages.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    position: u64,
}

impl Reader {
    /// Takes in bytes in order.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, if it is whole.
    ///
    /// # Errors
    ///
    /// The stream must be closed.
    pub fn poll(&mut self) -> Result<Option<Message>, FrameFault> {
        let position = self.position;
        let Some(length) = self
            .buffer
            .first_chunk::<4>()
            .map(|bytes| u32::from_le_bytes(*bytes))
        else {
            return Ok(None);
        };
        let length = length as usize;
        if !(2..=limits::PEER_FRAME_BYTES).contains(&length) {
            return Err(FrameFault::Length { position });
        }
        if let Some(theirs) = self.buffer.get(4).filter(|theirs| **theirs != VERSION) {
            return Err(FrameFault::Version { theirs: *theirs });
        }
        let Some(body) = self.buffer.get(HEAD..4 + length) else {
            return Ok(None);
        };
        let message = match postcard::take_from_bytes(body) {
            Ok((message, [])) => message,
            Ok(_) | Err(_) => return Err(FrameFault::Message { position }),
        };
        self.buffer.drain(..4 + length);
        self.position += 4 + length as u64;
        Ok(Some(message))
    }
}
