//! Any records of the store: the configuration loads or says what is wrong, and never panics.
#![no_main]

use causeway_engine::base::store::{Record, Table};
use causeway_engine::config::revision::StoredRevision;
use causeway_engine::config::schema::Scope;
use causeway_engine::config::{Bundle, Configuration, Snapshot};
use libfuzzer_sys::fuzz_target;

/// Scope, kind and number: the length of a key.
const KEY: usize = 10;

fuzz_target!(|bytes: &[u8]| {
    let (key, value) = bytes.split_at(bytes.len().min(KEY));
    // A version byte stands before the rest.
    let inside = value.get(1..).unwrap_or_default();
    if let Ok(stored) = postcard::from_bytes::<StoredRevision>(inside) {
        let hash = stored.hash(Scope::Cluster);
        let revision = stored.clone().open(Scope::Cluster);
        assert_eq!(revision.hash, hash);
        if revision.changes.len() == stored.changes.len() {
            assert_eq!(revision.stored(), stored);
        }
    }
    let record = |table, key: &[u8], value: &[u8]| Record {
        table,
        key: key.to_vec(),
        value: Some(value.to_vec()),
    };
    let (first, second) = value.split_at(value.len() / 2);
    let records = [
        record(Table::Revision, key, value),
        record(Table::Revision, first, second),
        record(Table::Fact, first, second),
        record(Table::Secret, key, value),
    ];
    let (configuration, _faults) = Configuration::load(&records);
    let _ = (configuration.tree(), configuration.generation());
    // The same, as another peer would send it.
    let _ = Bundle::decode(bytes).map(|bundle| configuration.check(bundle).is_ok());
    let _ = Snapshot::decode(bytes).map(|snapshot| configuration.check_snapshot(snapshot).is_ok());
});
