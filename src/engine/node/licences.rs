//! The pool of licences (SPEC LI2): what is installed anywhere in the cluster is available to all,
//! and what a lost peer brought stays for fourteen days after the last contact.
//!
//! When a peer was heard last is kept in the store, so that its absence is measured across
//! restarts of this one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::admin::status::{LicenceStatus, Share};
use crate::alarm::Condition;
use crate::alarm::catalogue::{LICENCES_LENT, LICENCES_LOST};
use crate::base::ids::PeerId;
use crate::base::store::{Record, Table, Write};
use crate::base::time::{Instant, Wall};
use crate::cluster::seen::Member;
use crate::cluster::status::ClusterStatus;
use crate::directory::shared::{CallId, Installed};

use super::{Node, Promise};

/// How long a lost peer's licences stay.
const LENT: Duration = Duration::from_secs(14 * 24 * 3600);

/// How often the last contact with a living peer is written.
const WRITE_INTERVAL: Duration = Duration::from_secs(3600);

/// Begin of the names of these facts in the store; the peer's identity follows.
const KEY: &[u8] = b"licences ";

/// First byte of a fact: its format.
const VERSION: u8 = 1;

/// What is known of another peer's licences. Stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fact {
    calls: Option<u32>,
    /// When it was heard last, by this peer's clock.
    contact: Wall,
}

/// Licences of the other peers.
#[derive(Debug, Default)]
pub(super) struct Licences {
    facts: BTreeMap<PeerId, Fact>,
    /// The facts as they are on the disk.
    written: BTreeMap<PeerId, Fact>,
    active: BTreeSet<PeerId>,
}

impl Licences {
    /// What the store holds.
    pub(super) fn load(records: &[Record]) -> Self {
        let fact = |record: &Record| {
            let id = record.key.strip_prefix(KEY)?.try_into().ok()?;
            let body = record.value.as_deref()?.strip_prefix(&[VERSION])?;
            match postcard::take_from_bytes(body) {
                Ok((fact, [])) => Some((PeerId(id), fact)),
                Ok(_) | Err(_) => None,
            }
        };
        let table = records.iter().filter(|record| record.table == Table::Fact);
        let facts: BTreeMap<PeerId, Fact> = table.filter_map(fact).collect();
        Self {
            written: facts.clone(),
            facts,
            active: BTreeSet::new(),
        }
    }

    /// Takes in who is there and what each has; gives what to write.
    fn observe(
        &mut self,
        wall: Wall,
        members: &[Member],
        own: PeerId,
        installed: impl Fn(PeerId) -> Option<Installed>,
    ) -> Vec<Write> {
        let others = members.iter().filter(|member| member.id != Some(own));
        let listed: BTreeSet<PeerId> = others.clone().filter_map(|member| member.id).collect();
        let active = others.filter(|member| member.active);
        let active: BTreeSet<PeerId> = active.filter_map(|member| member.id).collect();
        for id in &active {
            if let Some(Installed { calls }) = installed(*id) {
                let contact = wall;
                self.facts.insert(*id, Fact { calls, contact });
            } else if let Some(fact) = self.facts.get_mut(id) {
                fact.contact = wall;
            }
        }
        let lost: BTreeSet<PeerId> = self.active.difference(&active).copied().collect();
        self.active = active;
        // A peer whose identity is not known yet may still be one of these.
        if members.iter().all(|member| member.id.is_some()) {
            self.facts.retain(|id, _| listed.contains(id));
        }
        self.changes(&lost)
    }

    fn changes(&mut self, lost: &BTreeSet<PeerId>) -> Vec<Write> {
        let mut writes = Vec::new();
        for (id, fact) in &self.facts {
            let due = self.written.get(id).is_none_or(|written| {
                let age = fact
                    .contact
                    .as_millis()
                    .abs_diff(written.contact.as_millis());
                written.calls != fact.calls
                    || age >= WRITE_INTERVAL.as_millis() as u64
                    || (lost.contains(id) && written != fact)
            });
            if due {
                writes.push(Write::Put {
                    table: Table::Fact,
                    key: key(*id),
                    value: encode(fact),
                });
                self.written.insert(*id, *fact);
            }
        }
        let facts = &self.facts;
        self.written.retain(|id, _| {
            let kept = facts.contains_key(id);
            if !kept {
                let (table, key) = (Table::Fact, key(*id));
                writes.push(Write::Delete { table, key });
            }
            kept
        });
        writes
    }
}

impl Node {
    /// Follows who is there; tells the others what is installed here, and whether a call more is
    /// covered.
    pub(super) fn follow_licences(&mut self, now: Instant, wall: Wall) {
        let installed = self.installed();
        self.directory.put_installed(&installed);
        let seen = self.cluster.seen(now, &self.configuration);
        let (directory, own) = (&self.directory, self.id);
        let installed = |id| directory.installed(id);
        let writes = self.licences.observe(wall, &seen.members, own, installed);
        if !writes.is_empty() {
            let action = self.journal.write(writes, Promise::Nothing);
            self.actions.push_back(action);
        }
        let pool = self.pool(wall);
        // Counting calls is not for nothing: with licences for any number nobody asks.
        let full = pool.is_some_and(|pool| self.calls_in_use() as u64 >= pool);
        self.sip.set_full(full);
    }

    /// The pool and its shares; `cluster` names the peers.
    pub(super) fn licence_status(&self, wall: Wall, cluster: &ClusterStatus) -> LicenceStatus {
        let mut shares = Vec::new();
        for peer in &cluster.peers {
            let Some(id) = peer.id else { continue };
            if id == self.id {
                shares.push(Share {
                    peer: peer.position,
                    calls: self.installed().calls,
                    until: None,
                });
            } else if let Some(fact) = self.licences.facts.get(&id) {
                let active = self.licences.active.contains(&id);
                shares.push(Share {
                    peer: peer.position,
                    calls: fact.calls,
                    until: (!active).then(|| fact.contact + LENT),
                });
            }
        }
        LicenceStatus {
            calls: self.pool(wall),
            in_use: self.calls_in_use() as u64,
            shares,
        }
    }

    /// What is to be said of lost peers that brought licences.
    pub(super) fn licence_conditions(&self, wall: Wall) -> Vec<Condition> {
        let lost = self.licences.facts.iter();
        let lost = lost.filter(|(id, fact)| {
            fact.calls.is_some_and(|calls| calls > 0) && !self.licences.active.contains(id)
        });
        let condition = |(id, fact): (&PeerId, &Fact)| {
            let until = fact.contact + LENT;
            let address = self.cluster.address_of(*id).unwrap_or("a peer");
            let calls = fact.calls.unwrap_or(0);
            if wall < until {
                let detail = alloc::format!(
                    "{address} is lost; its {calls} licences stay in the pool until {until}"
                );
                LICENCES_LENT.about(address, detail)
            } else {
                let detail = alloc::format!(
                    "{address} is lost; its {calls} licences left the pool on {until}"
                );
                LICENCES_LOST.about(address, detail)
            }
        };
        lost.map(condition).collect()
    }

    fn installed(&self) -> Installed {
        let calls = self.configuration.tree().number("Licences Calls Installed");
        Installed {
            calls: (calls > 0).then_some(calls),
        }
    }

    /// Licences that are available; `None` for any number.
    fn pool(&self, wall: Wall) -> Option<u64> {
        let mut pool = u64::from(self.installed().calls?);
        for (id, fact) in &self.licences.facts {
            let lent = wall < fact.contact + LENT;
            if lent || self.licences.active.contains(id) {
                pool += u64::from(fact.calls?);
            }
        }
        Some(pool)
    }

    /// Calls of the whole cluster; one through several peers is one.
    fn calls_in_use(&self) -> usize {
        let calls: BTreeSet<CallId> = self.directory.calls().map(|(_, id, _)| id).collect();
        calls.len()
    }
}

fn key(id: PeerId) -> Vec<u8> {
    [KEY, &id.0[..]].concat()
}

fn encode(fact: &Fact) -> Vec<u8> {
    postcard::to_extend(fact, alloc::vec![VERSION]).expect("plain data always encodes")
}
