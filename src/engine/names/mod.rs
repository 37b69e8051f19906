//! Addresses of the names that the product needs, kept fresh through DNS (SPEC NW5 as far as peers
//! by name need it).
//!
//! Whoever needs names says which ([`Resolver::want`]); each is asked for again when its answer is
//! old, at most a minute, so that a peer that has moved is found. An answer that is old is used
//! until there is a better one: a name server that is away takes no cluster apart.

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::base::time::Instant;
use crate::config::settings::Names;

/// Shortest and longest time for which an answer is taken for fresh.
const FRESH: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How soon a name without answer is asked for again.
const AGAIN: Duration = Duration::from_secs(5);

/// Time after which a question counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// A question for the addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Its number, given back with the answer.
    pub number: u64,
    /// The name.
    pub name: String,
}

/// What is known of names.
#[derive(Debug, Default)]
pub struct Resolver {
    last: u64,
    names: BTreeMap<String, Entry>,
    queries: VecDeque<Query>,
}

#[derive(Debug, Default)]
struct Entry {
    addresses: Vec<IpAddr>,
    fault: Option<String>,
    asked: Option<u64>,
    due: Instant,
}

impl Resolver {
    /// These names are needed from now on, and no others.
    pub fn want(&mut self, now: Instant, names: &BTreeSet<String>) {
        self.names.retain(|name, _| names.contains(name));
        for name in names {
            self.names.entry(name.clone()).or_insert_with(|| Entry {
                due: now,
                ..Entry::default()
            });
        }
        self.handle_timeout(now);
    }

    /// Asks for every name that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for (name, entry) in &mut self.names {
            if entry.due <= now {
                self.last += 1;
                entry.asked = Some(self.last);
                entry.due = now + PATIENCE;
                self.queries.push_back(Query {
                    number: self.last,
                    name: name.clone(),
                });
            }
        }
    }

    /// An answer: addresses with the time for which they hold, or why there are none. Says whether
    /// the addresses of the name are now others.
    pub fn answered(
        &mut self,
        now: Instant,
        number: u64,
        result: Result<(Vec<IpAddr>, Duration), String>,
    ) -> bool {
        let of = |entry: &&mut Entry| entry.asked == Some(number);
        let Some(entry) = self.names.values_mut().find(of) else {
            return false;
        };
        entry.asked = None;
        let found = match result {
            Ok((addresses, _)) if addresses.is_empty() => Err("it has no address".into()),
            found => found,
        };
        match found {
            Ok((addresses, holds)) => {
                entry.fault = None;
                entry.due = now + holds.clamp(FRESH.0, FRESH.1);
                let others = entry.addresses != addresses;
                entry.addresses = addresses;
                others
            }
            Err(fault) => {
                entry.fault = Some(fault);
                entry.due = now + AGAIN;
                false
            }
        }
    }

    /// The next question.
    pub fn poll_query(&mut self) -> Option<Query> {
        self.queries.pop_front()
    }

    /// When [`Resolver::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.names.values().map(|entry| entry.due).min()
    }

    /// Every name that has addresses.
    pub fn names(&self) -> Names {
        let known = self.names.iter();
        let known = known.filter(|(_, entry)| !entry.addresses.is_empty());
        known
            .map(|(name, entry)| (name.clone(), entry.addresses.clone()))
            .collect()
    }

    /// Why a name was not resolved the last time.
    pub fn fault(&self, name: &str) -> Option<&str> {
        self.names.get(name)?.fault.as_deref()
    }
}
