//! The second part of the dynamic plane: boards, and what peers ask of each other (SPEC RP9, MM2).
//!
//! Its words are known to peers that say so. They say it by the digest of a life that nobody has,
//! which a version without boards passes over; to such a peer no word is ever sent.

use alloc::vec::Vec;

use crate::base::ids::{Incarnation, PeerId};
use crate::base::limits;
use crate::base::socket::Service;
use crate::base::time::Instant;
use crate::directory::Directory;
use crate::directory::board::Word;
use crate::wire::peer::{Counted, Message};

use super::Cluster;

/// The life that no peer has: its digest announces what the sender understands.
const FEATURES: Incarnation = Incarnation(u64::from_be_bytes(*b"features"));

/// Bit of the announcement: the sender understands boards.
const BOARDS: u64 = 1;

/// Frames to one peer at one time.
const FRAMES_AT_ONCE: usize = 4;

/// How our board stands with one peer that understands boards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shared {
    /// Newest of our changes that was sent; `None` until the peer said what it holds.
    sent: Option<u64>,
    /// A snapshot on its way to it: where it stands and where it ends.
    whole: Option<(u64, u64)>,
}

impl Cluster {
    /// Tells a peer what we understand.
    pub(super) fn announce_features(&mut self, place: usize) {
        let (life, sequence) = (FEATURES, BOARDS);
        let counted = Counted { life, sequence };
        let message = Message::Digest { counted, digest: 0 };
        self.send(place, Service::PeerState, &message);
    }

    /// Takes in an announcement; `false` if it is none but the digest of a life.
    pub(super) fn heard_features(
        &mut self,
        directory: &Directory,
        place: usize,
        counted: Counted,
    ) -> bool {
        if counted.life != FEATURES {
            return false;
        }
        if counted.sequence & BOARDS > 0 && self.peers[place].board.is_none() {
            self.peers[place].board = Some(Shared::default());
            let held = self.peers[place].id;
            let held = held.and_then(|id| directory.board().held(id));
            self.say(place, &Word::Wants(held));
        }
        true
    }

    /// What a peer says of boards; `false` if it makes no sense.
    pub(super) fn heard_word(
        &mut self,
        directory: &mut Directory,
        place: usize,
        bytes: &[u8],
    ) -> bool {
        let (Some(id), Some(word)) = (self.peers[place].id, decode(bytes)) else {
            return false;
        };
        match word {
            Word::Wants(held) => {
                let own = directory.board().held(self.own);
                let life = own.map(|own| own.incarnation);
                let follows = held.filter(|held| Some(held.incarnation) == life);
                let follows = follows
                    .filter(|held| directory.board().changes_after(held.sequence, 1).is_some());
                match follows {
                    Some(held) => {
                        self.peers[place].board = Some(Shared {
                            sent: Some(held.sequence),
                            whole: None,
                        });
                    }
                    None => self.begin_board(directory, place),
                }
                true
            }
            Word::Ask(bytes) => {
                if self.asked.len() < limits::ORDERS {
                    self.asked.push_back((id, bytes));
                }
                true
            }
            word => match directory.board_mut().hear(id, word) {
                Some(answer) => {
                    if let Some(answer) = answer {
                        self.say(place, &answer);
                    }
                    true
                }
                None => false,
            },
        }
    }

    /// Asks a peer to end something of its own; `false` if it cannot be reached or does not
    /// understand.
    pub fn ask_peer(&mut self, to: PeerId, bytes: Vec<u8>) -> bool {
        let knows = |peer: &super::Peer| {
            peer.id == Some(to) && peer.board.is_some() && peer.stands(Service::PeerState)
        };
        let Some(place) = self.peers.iter().position(knows) else {
            return false;
        };
        self.say(place, &Word::Ask(bytes));
        true
    }

    /// The next thing that a peer asks us to end.
    pub fn poll_asked(&mut self) -> Option<(PeerId, Vec<u8>)> {
        self.asked.pop_front()
    }

    /// Whether a peer lacks some of our board.
    pub(super) fn board_lacks(&self, directory: &Directory) -> bool {
        let newest = directory.board().held(self.own);
        let newest = newest.map_or(0, |held| held.sequence);
        self.peers
            .iter()
            .filter_map(|peer| peer.board)
            .any(|board| board.whole.is_some() || board.sent.is_some_and(|sent| sent < newest))
    }

    /// Ships to every peer what it lacks of our board.
    pub(super) fn share_board(&mut self, directory: &Directory) {
        for place in 0..self.peers.len() {
            for _ in 0..FRAMES_AT_ONCE {
                let Some(board) = self.peers[place].board else {
                    break;
                };
                let shipped = match (board.whole, board.sent) {
                    (Some((at, end)), _) => self.ship_board(directory, place, at, end),
                    (None, Some(sent)) => self.ship_notes(directory, place, sent),
                    (None, None) => false,
                };
                if !shipped {
                    break;
                }
            }
        }
    }

    /// Sends what our board adds up to, to those who hold all of it.
    pub(super) fn send_board_digests(&mut self, _now: Instant, directory: &Directory) {
        let Some(held) = directory.board().held(self.own) else {
            return;
        };
        let digest = directory.board().own_digest();
        for place in 0..self.peers.len() {
            let board = self.peers[place].board;
            if board.is_some_and(|board| board.sent == Some(held.sequence)) {
                self.say(place, &Word::Digest { held, digest });
            }
        }
    }

    fn begin_board(&mut self, directory: &Directory, place: usize) {
        let Some(own) = directory.board().held(self.own) else {
            return;
        };
        self.peers[place].board = Some(Shared {
            sent: None,
            whole: Some((0, own.sequence)),
        });
        let life = own.incarnation;
        self.say(place, &Word::Begin { life });
    }

    /// Ships a part of all values; what changes meanwhile follows as changes after the end.
    fn ship_board(&mut self, directory: &Directory, place: usize, at: u64, end: u64) -> bool {
        let mut notes = directory
            .board()
            .snapshot_after(at, limits::ITEMS_PER_FRAME);
        notes.retain(|note| note.sequence <= end);
        let board = match notes.last().map(|note| note.sequence) {
            Some(last) => {
                self.say(place, &Word::Part(notes));
                Shared {
                    sent: None,
                    whole: Some((last, end)),
                }
            }
            None => {
                self.say(place, &Word::End { sequence: end });
                Shared {
                    sent: Some(end),
                    whole: None,
                }
            }
        };
        self.peers[place].board = Some(board);
        true
    }

    fn ship_notes(&mut self, directory: &Directory, place: usize, sent: u64) -> bool {
        let changes = directory
            .board()
            .changes_after(sent, limits::ITEMS_PER_FRAME);
        let Some(notes) = changes else {
            self.begin_board(directory, place);
            return true;
        };
        let Some(last) = notes.last().map(|note| note.sequence) else {
            return false;
        };
        let life = directory.incarnation();
        self.say(place, &Word::Changes { life, notes });
        self.peers[place].board = Some(Shared {
            sent: Some(last),
            whole: None,
        });
        true
    }

    fn say(&mut self, place: usize, word: &Word) {
        let bytes = postcard::to_allocvec(word).expect("plain data always encodes");
        self.send(place, Service::PeerState, &Message::Board(bytes));
    }
}

fn decode(bytes: &[u8]) -> Option<Word> {
    match postcard::take_from_bytes(bytes) {
        Ok((word, [])) => Some(word),
        Ok(_) | Err(_) => None,
    }
}
