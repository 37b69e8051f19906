//! Peers that were taken off the list, and are told so when they come back (SPEC LC4).
//!
//! A member remembers the identities that it no longer lists. To one of them that dials it says
//! that it was removed, and nothing else. A system that hears this and sees none of its configured
//! peers takes no changes for a cluster that goes on without it, and asks for its reset.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::alarm::Condition;
use crate::alarm::catalogue::REMOVED;
use crate::base::ids::{PeerId, StreamId};
use crate::base::limits;
use crate::base::socket::{Ends, PeerProof, Service};
use crate::base::store::{Record, Table, Write};
use crate::base::time::Instant;
use crate::wire::peer::{Message, Reader};

use super::{Action, Cluster};

/// How long a peer that should dial us stays away before we ask it why.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// Begin of the names of removed identities in the store.
const REMOVED_FACT: &[u8] = b"removed ";

/// Both sides of the fence.
#[derive(Debug, Default)]
pub(super) struct Fence {
    /// Identities that were taken off our list, with their addresses; durable.
    removed: BTreeMap<PeerId, String>,
    /// Streams that only ask a silent peer whether it still knows us.
    probes: BTreeMap<StreamId, (String, Reader)>,
    /// When the next are opened.
    due: Option<Instant>,
    /// Whose shared items are to be forgotten.
    gone: Vec<PeerId>,
}

impl Fence {
    /// What the store holds.
    pub(super) fn load(records: &[Record]) -> Self {
        let of = |record: &Record| {
            let id = record.key.strip_prefix(REMOVED_FACT)?.try_into().ok()?;
            let address = String::from_utf8(record.value.clone()?).ok()?;
            (record.table == Table::Fact).then_some((PeerId(id), address))
        };
        Self {
            removed: records.iter().filter_map(of).collect(),
            ..Self::default()
        }
    }
}

impl Cluster {
    /// A peer whose shared items are to be forgotten: it belongs to the cluster no more.
    pub fn poll_gone(&mut self) -> Option<PeerId> {
        self.fence.gone.pop()
    }

    /// Whether the other peers have taken this system off their lists.
    pub(super) fn is_fenced(&self) -> Option<&str> {
        let stands = |peer: &super::Peer| peer.stands(Service::PeerConfiguration);
        let told = self.peers.iter().find_map(|peer| peer.removed.as_deref());
        told.filter(|_| !self.peers.iter().any(stands))
    }

    pub(super) fn fence_condition(&self) -> Option<Condition> {
        self.is_fenced().map(|told| {
            REMOVED.about(
                "",
                format!("{told}; this system acts for the cluster no more"),
            )
        })
    }

    /// Notes that an identity is no peer any more.
    pub(super) fn remove(&mut self, id: PeerId, address: &str) -> Vec<Write> {
        let mut writes = alloc::vec![Write::Put {
            table: Table::Fact,
            key: key(id),
            value: address.as_bytes().to_vec(),
        }];
        self.fence.removed.insert(id, address.into());
        self.fence.gone.push(id);
        let oldest = self
            .fence
            .removed
            .keys()
            .find(|other| **other != id)
            .copied();
        if self.fence.removed.len() > limits::REMOVED_PEERS
            && let Some(other) = oldest
        {
            writes.extend(self.readmit(other));
        }
        writes
    }

    /// Notes that an identity is a peer again.
    pub(super) fn readmit(&mut self, id: PeerId) -> Option<Write> {
        self.fence.removed.remove(&id).map(|_| Write::Delete {
            table: Table::Fact,
            key: key(id),
        })
    }

    /// Tells somebody who is no peer why, if it was one.
    pub(super) fn turn_away(&mut self, stream: StreamId, ends: Ends, proof: &PeerProof) {
        let own = self
            .settings
            .as_ref()
            .and_then(|settings| settings.own_address());
        let listed = self.lists(&ends.remote.ip());
        if let (Some(_), Some(own)) = (self.fence.removed.get(&proof.id), own) {
            let text = format!("{own} has taken this system off the list of peers");
            self.write(stream, &Message::Removed(text));
        }
        if !listed {
            let text = format!("a stream from {} is closed: it is no peer", ends.remote);
            self.actions.push_back(Action::Log {
                level: log::Level::Info,
                text,
            });
        }
        self.actions.push_back(Action::Close { stream });
    }

    /// A peer says that it does not know this system any more.
    pub(super) fn told_removed(&mut self, address: &str, text: &str) {
        let text = &text[..text.floor_char_boundary(limits::REVISION_TEXT_BYTES)];
        let before = self.is_fenced().is_some();
        for peer in self.peers.iter_mut().filter(|peer| peer.address == address) {
            peer.removed = Some(text.into());
            peer.refusal = Some(text.into());
        }
        if !before && self.is_fenced().is_some() {
            self.fence
                .gone
                .extend(self.peers.iter().filter_map(|peer| peer.id));
        }
    }

    /// Asks peers that should dial us, and do not, whether they still know us.
    pub(super) fn probe(&mut self, now: Instant) {
        let Some(settings) = self.settings.clone() else {
            return;
        };
        let due = *self.fence.due.get_or_insert(now + PROBE_INTERVAL);
        let Some(from) = settings.own_address().filter(|_| due <= now) else {
            return;
        };
        self.fence.due = Some(now + PROBE_INTERVAL);
        let former: Vec<StreamId> = self.fence.probes.keys().copied().collect();
        for stream in former {
            self.fence.probes.remove(&stream);
            self.actions.push_back(Action::Close { stream });
        }
        let silent = |peer: &&super::Peer| {
            !self.dials(&settings, peer) && !peer.is_heard(now, PROBE_INTERVAL)
        };
        let silent = self.peers.iter().filter(silent);
        let silent = silent.filter_map(|peer| Some((peer.address.clone(), peer.ip?)));
        let silent: Vec<_> = silent.collect();
        for (address, ip) in silent {
            let stream = self.streams.take();
            let to = SocketAddr::new(ip, settings.configuration_port);
            let service = Service::PeerConfiguration;
            self.fence
                .probes
                .insert(stream, (address, Reader::default()));
            self.actions.push_back(Action::Connect {
                stream,
                service,
                from,
                to,
            });
        }
    }

    /// Whether a stream only asks.
    pub(super) fn is_probe(&self, stream: StreamId) -> bool {
        self.fence.probes.contains_key(&stream)
    }

    /// Takes in what a silent peer answers.
    pub(super) fn probed(&mut self, stream: StreamId, bytes: &[u8]) {
        let Some((address, reader)) = self.fence.probes.get_mut(&stream) else {
            return;
        };
        reader.push(bytes);
        let (address, said) = (address.clone(), reader.poll());
        if matches!(said, Ok(None)) {
            return;
        }
        self.fence.probes.remove(&stream);
        self.actions.push_back(Action::Close { stream });
        if let Ok(Some(Message::Removed(text))) = said {
            self.told_removed(&address, &text);
        }
    }

    /// A stream that only asked is gone.
    pub(super) fn probe_closed(&mut self, stream: StreamId) -> bool {
        self.fence.probes.remove(&stream).is_some()
    }
}

fn key(id: PeerId) -> Vec<u8> {
    [REMOVED_FACT, &id.0].concat()
}
