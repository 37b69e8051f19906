//! Calls and registrations as people manage them: lists of the whole cluster, ending one or many
//! wherever they are, draining (SPEC MM1, MM2, MM3).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::admin::status::{CallStatus, DrainStatus};
use crate::admin::{Answer, Refusal};
use crate::base::ids::PeerId;
use crate::base::time::{Instant, Wall};
use crate::cluster::status::ClusterStatus;
use crate::directory::shared::{Call, CallId, Load, Wish};
use crate::io::Action;

use super::Node;

impl Node {
    /// Tells the other peers how much there is to do here.
    pub(super) fn share_load(&mut self) {
        let status = self.sip.status(&self.directory);
        let tree = self.configuration.tree();
        self.directory.put_load(&Load {
            maintenance: tree.is_on("SystemUnit Maintenance Mode"),
            calls: status.calls,
            registrations: status.registrations,
        });
    }

    /// Does what other peers ask for.
    pub(super) fn carry_asked(&mut self, now: Instant, wall: Wall) {
        while let Some((from, bytes)) = self.cluster.poll_asked() {
            // A wish that this version does not know is none of its own things' end.
            let Some(wish) = Wish::decode(&bytes) else {
                continue;
            };
            let ended = match &wish {
                Wish::Registrations(aor) => self.end_registrations(now, aor),
                Wish::Call(id) => self.end_calls(now, wall, Some(*id)).0,
                Wish::Calls => self.end_calls(now, wall, None).0,
            };
            let text = format!("peer {from} asked to end {wish:?}: {ended} ended");
            let level = log::Level::Info;
            self.actions.push_back(Action::Log { level, text });
        }
    }

    /// Ends the registrations of an alias, wherever they are.
    pub(super) fn unregister(&mut self, now: Instant, aor: &str) -> Result<Answer, Refusal> {
        let key = aor.trim_start_matches("sip:");
        let own = self.directory.own();
        let found = self.directory.bindings(key, now);
        let mut owners: BTreeMap<PeerId, usize> = BTreeMap::new();
        for found in found.filter(|found| found.owner != own) {
            *owners.entry(found.owner).or_default() += 1;
        }
        let here = self.end_registrations(now, key);
        let mut told = Told::default();
        for (owner, count) in owners {
            told.ask(self, owner, count, &Wish::Registrations(key.into()));
        }
        told.answer(here, 0, "registration", || {
            format!("{aor} is not registered")
        })
    }

    /// Ends a call, or all with `None`, wherever they are.
    pub(super) fn disconnect(
        &mut self,
        now: Instant,
        wall: Wall,
        id: Option<CallId>,
    ) -> Result<Answer, Refusal> {
        let own = self.directory.own();
        let wanted = |(_, other, _): &(PeerId, CallId, Call)| id.is_none_or(|id| id == *other);
        let known: Vec<_> = self.directory.calls().filter(wanted).collect();
        let ours: BTreeSet<CallId> = known
            .iter()
            .filter(|(owner, _, call)| *owner == own && call.controlled)
            .map(|(_, id, _)| *id)
            .collect();
        let (here, forgotten) = self.end_calls(now, wall, id);
        // A call through several peers ends at all of them when one tells its ends.
        let mut owners: BTreeMap<PeerId, BTreeSet<CallId>> = BTreeMap::new();
        let mut asked = BTreeSet::new();
        let mut elsewhere: Vec<_> = known
            .into_iter()
            .filter(|(owner, id, _)| *owner != own && !ours.contains(id))
            .collect();
        elsewhere.sort_by_key(|(_, _, call)| !call.controlled);
        for (owner, id, call) in elsewhere {
            if asked.insert(id) || !call.controlled {
                owners.entry(owner).or_default().insert(id);
            }
        }
        let mut told = Told::default();
        for (owner, calls) in owners {
            match id {
                Some(id) => told.ask(self, owner, 1, &Wish::Call(id)),
                None => told.ask(self, owner, calls.len(), &Wish::Calls),
            }
        }
        told.answer(here, forgotten, "call", || match id {
            Some(id) => format!("there is no call {id}: xStatus Calls lists them"),
            None => "there is no call".into(),
        })
    }

    /// Calls of the whole cluster, oldest first; a call through several peers once.
    pub(super) fn calls(&self, cluster: &ClusterStatus) -> Vec<CallStatus> {
        let position = |owner| {
            let peer = cluster.peers.iter().find(|peer| peer.id == Some(owner));
            peer.map(|peer| peer.position)
        };
        let own = self.directory.own();
        let mut calls: BTreeMap<CallId, CallStatus> = BTreeMap::new();
        for (owner, id, call) in self.directory.calls() {
            let position = position(owner);
            // Of a peer that was removed nothing is shown.
            if position.is_none() && owner != own {
                continue;
            }
            let row = calls.entry(id).or_insert_with(|| CallStatus {
                id,
                from: call.from,
                to: call.to,
                since: call.since,
                peers: Vec::new(),
                controlled: false,
            });
            row.since = row.since.min(call.since);
            row.controlled |= call.controlled;
            row.peers.extend(position);
        }
        let mut rows: Vec<CallStatus> = calls.into_values().collect();
        rows.iter_mut().for_each(|row| row.peers.sort_unstable());
        rows.sort_by_key(|row| (row.since, row.id));
        rows
    }

    /// What each peer has left to do, this one first.
    pub(super) fn drains(&self, cluster: &ClusterStatus) -> Vec<DrainStatus> {
        let own = self.directory.own();
        let row = |peer, owner| {
            let load = self.directory.load(owner)?;
            Some(DrainStatus { peer, load })
        };
        let others = cluster.peers.iter().filter(|peer| peer.id != Some(own));
        let others = others.filter_map(|peer| row(Some(peer.position), peer.id?));
        row(cluster.own, own).into_iter().chain(others).collect()
    }

    fn end_registrations(&mut self, now: Instant, aor: &str) -> usize {
        let own = self.directory.own();
        let found = self.directory.bindings(aor, now);
        let ours = found.filter(|found| found.owner == own);
        let ids: Vec<Vec<u8>> = ours.map(|found| found.id.to_vec()).collect();
        for id in &ids {
            self.directory.remove(now, aor, id);
        }
        ids.len()
    }

    /// How many calls have ended here, and how many of them without a word to their ends.
    fn end_calls(&mut self, now: Instant, wall: Wall, id: Option<CallId>) -> (usize, usize) {
        let done = self.sip.disconnect(now, wall, &mut self.directory, id);
        (done.told + done.forgotten, done.forgotten)
    }
}

/// What was asked of other peers.
#[derive(Debug, Default)]
struct Told {
    /// Things whose owners were asked to end them.
    asked: usize,
    /// Peers that could not be asked.
    silent: Vec<String>,
}

impl Told {
    fn ask(&mut self, node: &mut Node, owner: PeerId, count: usize, wish: &Wish) {
        if node.cluster.ask_peer(owner, wish.encode()) {
            self.asked += count;
        } else {
            let address = node.cluster.address_of(owner);
            self.silent
                .push(address.map_or_else(|| owner.to_string(), ToString::to_string));
        }
    }

    /// What the administrator is told; a refusal when nothing could be done.
    fn answer(
        self,
        here: usize,
        forgotten: usize,
        noun: &str,
        none: impl FnOnce() -> String,
    ) -> Result<Answer, Refusal> {
        let silent = self.silent.join(", ");
        if here + self.asked == 0 {
            return Err(Refusal::because(if silent.is_empty() {
                none()
            } else {
                format!("{silent} has it and cannot be reached")
            }));
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let mut text = String::new();
        if here > 0 {
            text = format!("{here} {noun}{} ended here.\n", plural(here));
        }
        if forgotten > 0 {
            text +=
                &format!("{forgotten} of them only left the list: their ends could not be told.\n");
        }
        if self.asked > 0 {
            let (asked, s) = (self.asked, plural(self.asked));
            text += &format!("{asked} {noun}{s} at other peers: they were asked to end.\n");
        }
        if !silent.is_empty() {
            text += &format!("{silent} cannot be reached.\n");
        }
        Ok(Answer::Text(text))
    }
}
