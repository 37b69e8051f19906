//! How often passwords may be guessed, by source and by account (SPEC UI3, FW6).
//!
//! Every attempt counts as wrong from its beginning, so that many at once are not free. An address
//! that has logged in before is not held up by what others do to the account: strangers can slow
//! down each other, never lock out the administrator.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Wrong passwords from one source that cost nothing: people mistype.
const SOURCE_FREE: u32 = 3;

/// Wrong passwords for one account, from anywhere, that cost nothing.
const ACCOUNT_FREE: u32 = 10;

/// Longest wait for one source.
const SOURCE_WAIT_MAX: Duration = Duration::from_secs(300);

/// Longest wait for one account.
const ACCOUNT_WAIT_MAX: Duration = Duration::from_secs(10);

/// Silence after which a source or an account begins anew.
const FORGET: Duration = Duration::from_secs(3_600);

/// Sources remembered; beyond these the one that was silent longest is forgotten.
const SOURCES: usize = 4_096;

/// Account names remembered: there is one account, the rest is guesses.
const ACCOUNTS: usize = 256;

/// Where an attempt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The serial line.
    Console,
    /// An address; of IPv6 the network, since a host has as many addresses there as it likes.
    Address(IpAddr),
}

impl Source {
    /// The source that `address` counts to.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.into()),
            IpAddr::V6(address) => {
                let network = u128::from(address) & (u128::MAX << 64);
                Self::Address(Ipv6Addr::from(network).into())
            }
        }
    }
}

/// Who has guessed how often.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    sources: BTreeMap<Source, Wrong>,
    accounts: BTreeMap<String, Wrong>,
    /// Sources that have logged in, and when last.
    known: BTreeMap<Source, Instant>,
}

/// Wrong attempts of one source or on one account.
#[derive(Clone, Copy, Debug)]
struct Wrong {
    count: u32,
    last: Instant,
    until: Instant,
}

impl Attempts {
    /// Begins an attempt, or says how long to wait before the next is looked at.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        source: Source,
        account: &str,
    ) -> Result<(), Duration> {
        let by_source = self.sources.get(&source).map_or(Duration::ZERO, |wrong| {
            wrong.until.saturating_duration_since(now)
        });
        let by_account = match self.accounts.get(account) {
            Some(wrong) if !self.known.contains_key(&source) => {
                wrong.until.saturating_duration_since(now)
            }
            Some(_) | None => Duration::ZERO,
        };
        let wait = by_source.max(by_account);
        if !wait.is_zero() {
            return Err(wait);
        }
        count(
            &mut self.sources,
            SOURCES,
            now,
            source,
            SOURCE_FREE,
            SOURCE_WAIT_MAX,
        );
        count(
            &mut self.accounts,
            ACCOUNTS,
            now,
            account.to_owned(),
            ACCOUNT_FREE,
            ACCOUNT_WAIT_MAX,
        );
        Ok(())
    }

    /// The attempt that began was right.
    pub(crate) fn succeeded(&mut self, now: Instant, source: Source, account: &str) {
        self.sources.remove(&source);
        self.accounts.remove(account);
        make_room(&mut self.known, SOURCES, &source, |used| *used);
        self.known.insert(source, now);
    }

    /// The attempt that began was never looked at.
    pub(crate) fn withdrawn(&mut self, source: Source, account: &str) {
        let back = |wrong: &mut Wrong| {
            wrong.count = wrong.count.saturating_sub(1);
            wrong.until = wrong.last;
        };
        self.sources.get_mut(&source).map(back);
        self.accounts.get_mut(account).map(back);
    }
}

fn count<K: Ord + Clone>(
    table: &mut BTreeMap<K, Wrong>,
    room: usize,
    now: Instant,
    key: K,
    free: u32,
    wait_max: Duration,
) {
    make_room(table, room, &key, |wrong| wrong.last);
    let wrong = table.entry(key).or_insert(Wrong {
        count: 0,
        last: now,
        until: now,
    });
    if now.saturating_duration_since(wrong.last) > FORGET {
        wrong.count = 0;
    }
    wrong.count = wrong.count.saturating_add(1);
    wrong.last = now;
    // One second after the last free one, then twice as long each time.
    wrong.until = match wrong.count.checked_sub(free) {
        None | Some(0) => now,
        Some(over) => now + Duration::from_secs(1 << (over - 1).min(16)).min(wait_max),
    };
}

/// Forgets the entry that was silent longest when `key` would be one too many.
fn make_room<K: Ord + Clone, V>(
    table: &mut BTreeMap<K, V>,
    room: usize,
    key: &K,
    last: impl Fn(&V) -> Instant,
) {
    if table.len() < room || table.contains_key(key) {
        return;
    }
    let oldest = table.iter().min_by_key(|(_, value)| last(value));
    if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
        table.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "admin";

    fn source(last: u8) -> Source {
        Source::of(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_source_waits_longer_each_time_up_to_a_bound() {
        let mut attempts = Attempts::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..16 {
            while let Err(wait) = attempts.begin(now, source(1), NAME) {
                waits.push(wait.as_secs());
                now += wait;
            }
        }
        assert_eq!(waits[..4], [1, 2, 4, 8]);
        assert_eq!(waits.last(), Some(&SOURCE_WAIT_MAX.as_secs()));
    }

    #[test]
    fn strangers_do_not_lock_out_an_address_that_has_logged_in() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        attempts.begin(now, source(1), NAME).expect("the first");
        attempts.succeeded(now, source(1), NAME);
        for stranger in 2..=12 {
            attempts.begin(now, source(stranger), NAME).expect("free");
        }
        assert!(attempts.begin(now, source(99), NAME).is_err());
        assert_eq!(attempts.begin(now, source(1), NAME), Ok(()));
    }

    #[test]
    fn success_and_time_forgive() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        for _ in 0..=SOURCE_FREE {
            attempts.begin(now, source(1), NAME).expect("free");
        }
        assert!(attempts.begin(now, source(1), NAME).is_err());
        let later = now + FORGET + Duration::from_secs(1);
        attempts.begin(later, source(1), NAME).expect("forgotten");
        attempts.succeeded(later, source(1), NAME);
        for _ in 0..=SOURCE_FREE {
            attempts.begin(later, source(1), NAME).expect("free again");
        }
    }

    #[test]
    fn an_attempt_that_was_not_looked_at_is_given_back() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        for _ in 0..100 {
            attempts.begin(now, source(1), NAME).expect("never held up");
            attempts.withdrawn(source(1), NAME);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        for number in 0..10_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            let name = format!("guess {number}");
            attempts
                .begin(now, Source::of(address), &name)
                .expect("free");
        }
        assert_eq!(attempts.sources.len(), SOURCES);
        assert_eq!(attempts.accounts.len(), ACCOUNTS);
    }

    #[test]
    fn one_network_is_one_source() {
        let address = |text: &str| Source::of(text.parse().expect("an address"));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    }
}
