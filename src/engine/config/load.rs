//! The configuration out of the records of the store (SPEC AP8).
//!
//! Every revision is verified by its hash. The newest whole one is used; what cannot be used is
//! reported and set aside under another key, so that nothing is lost and nothing new is mixed
//! with it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::chain::{self, ASIDE, BASE, BRANCH, Base, Chain, REVISION};
use super::replicate::Branch;
use super::revision::{StoredRevision, scope_byte};
use super::schema::Scope;
use super::value::SecretId;
use crate::base::store::{Record, Table};

/// A record that could not be used: key and value.
pub(super) type Aside = (Vec<u8>, Vec<u8>);

/// What the store holds of one scope.
pub(super) struct Loaded {
    pub(super) chain: Chain,
    pub(super) branches: Vec<Branch>,
    pub(super) aside: Vec<Aside>,
}

/// The chain and the branches of one scope.
pub(super) fn scope(scope: Scope, records: &[Record], faults: &mut Vec<String>) -> Loaded {
    let mut aside: Vec<Aside> = Vec::new();
    let mut base = None;
    let mut revisions: BTreeMap<u64, &[u8]> = BTreeMap::new();
    let mut branches = Vec::new();
    for record in records {
        let (Some([byte, kind, number @ ..]), Some(value)) = (record.key.get(..), &record.value)
        else {
            continue;
        };
        let own = record.table == Table::Revision && *byte == scope_byte(scope);
        if !own || *kind == ASIDE {
            continue;
        }
        let number = number.try_into().map(u64::from_be_bytes);
        match (*kind, number) {
            (BASE, Ok(0)) => base = Some(value.as_slice()),
            (REVISION, Ok(number)) => {
                revisions.insert(number, value);
            }
            (BRANCH, Ok(number)) if branch(scope, number, value, &mut branches) => {}
            (_, _) => {
                faults.push(format!("a stored {scope:?} record cannot be read"));
                aside.push((record.key.clone(), value.clone()));
            }
        }
    }
    let mut chain = based(scope, base, faults, &mut aside);
    let begin = chain.id().number;
    let mut broken = false;
    for (number, bytes) in revisions {
        if number <= begin && begin > 0 {
            continue;
        }
        let stored: Option<StoredRevision> = chain::decode(bytes);
        let opened = stored.filter(|stored| !broken && stored.id.number == number);
        if opened.is_some_and(|stored| chain.push(stored.open(scope)).is_ok()) {
            continue;
        }
        if !broken {
            faults.push(format!(
                "revision {number} of the stored {scope:?} configuration cannot be used: the \
                 configuration before it is in force, all that follows is set aside"
            ));
        }
        broken = true;
        aside.push((chain::key(scope, REVISION, number), bytes.to_vec()));
    }
    Loaded {
        chain,
        branches,
        aside,
    }
}

/// The secrets that can be read.
pub(super) fn secrets(records: &[Record]) -> BTreeMap<SecretId, String> {
    let readable = |record: &Record| {
        let id = SecretId(record.key.as_slice().try_into().ok()?);
        Some((id, String::from_utf8(record.value.clone()?).ok()?))
    };
    let held = records
        .iter()
        .filter(|record| record.table == Table::Secret);
    held.filter_map(readable).collect()
}

fn based(
    scope: Scope,
    base: Option<&[u8]>,
    faults: &mut Vec<String>,
    aside: &mut Vec<Aside>,
) -> Chain {
    let Some(bytes) = base else {
        return Chain::new(scope);
    };
    let whole = chain::decode::<Base>(bytes).and_then(|base| Chain::on(scope, base));
    whole.unwrap_or_else(|| {
        faults.push(format!(
            "the base of the stored {scope:?} configuration cannot be used: it is set aside"
        ));
        aside.push((chain::key(scope, BASE, 0), bytes.to_vec()));
        Chain::new(scope)
    })
}

fn branch(scope: Scope, number: u64, bytes: &[u8], branches: &mut Vec<Branch>) -> bool {
    let base = chain::decode::<Base>(bytes).filter(|_| scope == Scope::Cluster);
    let chain = base.and_then(|base| Chain::on(scope, base));
    branches.extend(chain.map(|chain| Branch { number, chain }));
    branches.sort_by_key(|branch| branch.number);
    branches.iter().any(|branch| branch.number == number)
}
