//! The dynamic plane: every peer ships its own items to every other (SPEC RP9).

use alloc::vec::Vec;
use core::time::Duration;

use crate::base::limits;
use crate::base::socket::Service;
use crate::base::time::Instant;
use crate::directory::{Directory, Entry};
use crate::wire::peer::{Counted, Message};

use super::Cluster;

/// How long changes are gathered before they are shipped: far below the 200 ms within which a
/// registration must be callable everywhere, and enough to make one frame of many.
const GATHER: Duration = Duration::from_millis(20);

/// Frames to one peer at one time, so that a snapshot never fills the stream's queue.
const FRAMES_AT_ONCE: usize = 4;

impl Cluster {
    /// Tells a peer what we hold of it, so that it ships the rest.
    pub(super) fn want_items(&mut self, directory: &Directory, place: usize) {
        let held = self.peers[place].id.and_then(|id| directory.held(id));
        let held = held.map(|held| Counted {
            life: held.incarnation,
            sequence: held.sequence,
        });
        self.send(place, Service::PeerState, &Message::Wants(held));
    }

    /// What the dynamic plane of a peer says; `false` if it has no business here.
    pub(super) fn state_message(
        &mut self,
        now: Instant,
        directory: &mut Directory,
        place: usize,
        message: Message,
    ) -> bool {
        let Some(id) = self.peers[place].id else {
            return false;
        };
        match message {
            Message::Wants(held) => self.wanted(now, directory, place, held),
            Message::Items { life, entries } => {
                let Some(entries) = decode(&entries) else {
                    return false;
                };
                if !directory.apply(now, id, life, &entries) {
                    self.send(place, Service::PeerState, &Message::Wants(None));
                }
            }
            Message::ItemsBegin { life } => directory.begin_snapshot(id, life),
            Message::ItemsPart(entries) => {
                let Some(entries) = decode(&entries) else {
                    return false;
                };
                return directory.stage(id, entries);
            }
            Message::ItemsEnd { sequence } => return directory.end_snapshot(now, id, sequence),
            Message::Board(bytes) => return self.heard_word(directory, place, &bytes),
            Message::Digest { counted, digest } => {
                if self.heard_features(directory, place, counted) {
                    return true;
                }
                let held = directory.held(id);
                let same = held.is_some_and(|held| {
                    (held.incarnation, held.sequence) == (counted.life, counted.sequence)
                });
                // At the same change the sums are the same, but for what expired here or there a
                // moment earlier; so a difference is only believed while nothing expires.
                if same && directory.digest(id) != digest && !directory.expires_before(now + GATHER)
                {
                    self.repairs += 1;
                    self.send(place, Service::PeerState, &Message::Wants(None));
                }
            }
            Message::Hello(_)
            | Message::Refused(_)
            | Message::State(_)
            | Message::Holds { .. }
            | Message::Revisions(_)
            | Message::SnapshotPart { .. }
            | Message::Order(_)
            | Message::Done(_)
            | Message::Join(_)
            | Message::Removed(_)
            | Message::Judged(_) => return false,
        }
        true
    }

    /// Wakes up soon if a peer lacks some of our items: for whenever they may have changed.
    pub fn share_soon(&mut self, now: Instant, directory: &Directory) {
        let newest = directory.own_held().sequence;
        let lacks = |peer: &super::Peer| {
            peer.items_whole.is_some() || peer.items_sent.is_some_and(|sent| sent < newest)
        };
        let lacking = self.peers.iter().any(lacks) || self.board_lacks(directory);
        if self.timers.share.is_none() && lacking {
            self.timers.share = Some(now + GATHER);
        }
    }

    /// Ships to every peer what it lacks of our items.
    pub(super) fn share(&mut self, now: Instant, directory: &mut Directory) {
        self.share_board(directory);
        for place in 0..self.peers.len() {
            for _ in 0..FRAMES_AT_ONCE {
                let sent = match (self.peers[place].items_whole, self.peers[place].items_sent) {
                    (Some((at, end)), _) => self.ship_whole(now, directory, place, at, end),
                    (None, Some(sent)) => self.ship_changes(now, directory, place, sent),
                    (None, None) => false,
                };
                if !sent {
                    break;
                }
            }
        }
    }

    pub(super) fn send_digests(&mut self, directory: &Directory) {
        let own = directory.own_held();
        let counted = Counted {
            life: own.incarnation,
            sequence: own.sequence,
        };
        let message = Message::Digest {
            counted,
            digest: directory.digest(self.own),
        };
        for place in 0..self.peers.len() {
            if self.peers[place].items_sent == Some(own.sequence) {
                self.send(place, Service::PeerState, &message);
            }
        }
    }

    fn wanted(
        &mut self,
        now: Instant,
        directory: &mut Directory,
        place: usize,
        held: Option<Counted>,
    ) {
        let own = directory.own_held();
        let follows = held
            .filter(|held| held.life == own.incarnation)
            .filter(|held| directory.changes_after(now, held.sequence, 1).is_some());
        match follows {
            Some(held) => {
                self.peers[place].items_whole = None;
                self.peers[place].items_sent = Some(held.sequence);
            }
            None => self.begin_whole(directory, place),
        }
    }

    fn begin_whole(&mut self, directory: &Directory, place: usize) {
        let own = directory.own_held();
        self.peers[place].items_sent = None;
        self.peers[place].items_whole = Some((0, own.sequence));
        let begin = Message::ItemsBegin {
            life: own.incarnation,
        };
        self.send(place, Service::PeerState, &begin);
    }

    /// Ships a part of all items; what changes meanwhile follows as changes after the end.
    fn ship_whole(
        &mut self,
        now: Instant,
        directory: &Directory,
        place: usize,
        at: u64,
        end: u64,
    ) -> bool {
        let mut entries = directory.snapshot_after(now, at, limits::ITEMS_PER_FRAME);
        entries.retain(|entry| entry.sequence <= end);
        match entries.last().map(|entry| entry.sequence) {
            Some(last) => {
                let part = Message::ItemsPart(encode(&entries));
                self.send(place, Service::PeerState, &part);
                self.peers[place].items_whole = Some((last, end));
            }
            None => {
                self.send(
                    place,
                    Service::PeerState,
                    &Message::ItemsEnd { sequence: end },
                );
                self.peers[place].items_whole = None;
                self.peers[place].items_sent = Some(end);
            }
        }
        true
    }

    fn ship_changes(
        &mut self,
        now: Instant,
        directory: &mut Directory,
        place: usize,
        sent: u64,
    ) -> bool {
        let Some(entries) = directory.changes_after(now, sent, limits::ITEMS_PER_FRAME) else {
            self.begin_whole(directory, place);
            return true;
        };
        let Some(last) = entries.last().map(|entry| entry.sequence) else {
            return false;
        };
        let life = directory.incarnation();
        let message = Message::Items {
            life,
            entries: encode(&entries),
        };
        self.send(place, Service::PeerState, &message);
        self.peers[place].items_sent = Some(last);
        true
    }
}

fn encode(entries: &[Entry]) -> Vec<u8> {
    postcard::to_allocvec(entries).expect("plain data always encodes")
}

fn decode(bytes: &[u8]) -> Option<Vec<Entry>> {
    match postcard::take_from_bytes(bytes) {
        Ok((entries, [])) => Some(entries),
        Ok(_) | Err(_) => None,
    }
}
