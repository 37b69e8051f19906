//! The store from outside: what was answered is there after a new start, and only that.

use std::fs;
use std::sync::mpsc;

use causeway_engine::base::ids::BatchId;
use causeway_engine::base::limits;
use causeway_engine::base::store::{Record, Table, Write};
use causeway_engine::base::time::Wall;

use super::*;
use crate::scratch::Scratch;

const NOW: Wall = Wall::from_millis(0);

fn put(table: Table, key: &str, value: &str) -> Write {
    Write::Put {
        table,
        key: key.into(),
        value: value.into(),
    }
}

fn record(table: Table, key: &str, value: Option<&str>) -> Record {
    Record {
        table,
        key: key.into(),
        value: value.map(Into::into),
    }
}

/// Opens the store, writes the batches, and closes it; what was there before, and the faults.
fn session(folder: &Scratch, batches: Vec<Vec<Write>>) -> (Vec<Record>, Vec<String>) {
    let mut faults = Vec::new();
    let seal = Seal::open(folder.path(), NOW, &mut faults).expect("a key");
    let mut store = Store::open(folder.path(), seal, NOW, &mut faults).expect("a store");
    let records = std::mem::take(&mut store.records);
    let (sender, answers) = mpsc::channel();
    let writer = store
        .start(move |done| sender.send(done).expect("the test listens"))
        .expect("a thread");
    let count = batches.len();
    for (number, writes) in batches.into_iter().enumerate() {
        let batch = BatchId(number as u64);
        writer.persist(batch, writes).expect("taken");
    }
    writer.finish();
    let answers: Vec<_> = answers.iter().collect();
    let expected: Vec<_> = (0..count).map(|n| (BatchId(n as u64), Ok(()))).collect();
    assert_eq!(answers, expected);
    (records, faults)
}

#[test]
fn batches_are_there_after_a_new_start_in_their_order() {
    let folder = Scratch::new();
    let first = vec![
        vec![put(Table::Fact, "a", "1"), put(Table::Revision, "r", "x")],
        vec![
            put(Table::Fact, "a", "2"),
            Write::Delete {
                table: Table::Revision,
                key: "r".into(),
            },
            put(Table::History, "h", "y"),
        ],
    ];
    assert_eq!(session(&folder, first).0, []);
    let (records, faults) = session(&folder, Vec::new());
    let expected = [
        record(Table::Fact, "a", Some("2")),
        record(Table::History, "h", Some("y")),
    ];
    assert_eq!(records, expected);
    assert!(faults.is_empty());
}

#[test]
fn secrets_are_sealed_on_disk_and_lost_with_the_key_alone() {
    let folder = Scratch::new();
    session(
        &folder,
        vec![vec![
            put(Table::Secret, "id", "very secret text"),
            put(Table::Fact, "a", "plain visible text"),
        ]],
    );
    let file = fs::read(folder.path().join(FILE)).expect("the file");
    let holds = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
    assert!(!holds(b"very secret text"));
    assert!(holds(b"plain visible text"));

    let sealed = record(Table::Secret, "id", Some("very secret text"));
    assert!(session(&folder, Vec::new()).0.contains(&sealed));
    fs::remove_file(folder.path().join("store.key")).expect("removed");
    let (records, _) = session(&folder, Vec::new());
    assert!(records.contains(&record(Table::Secret, "id", None)));
    assert!(records.contains(&record(Table::Fact, "a", Some("plain visible text"))));
}

#[test]
fn a_store_that_cannot_be_read_is_kept_and_a_new_one_begun() {
    for damage in ["nonsense", "altered"] {
        let folder = Scratch::new();
        let text = "t".repeat(3_000);
        let writes = (0..200).map(|n| put(Table::Fact, &n.to_string(), &text));
        session(&folder, vec![writes.collect()]);
        let path = folder.path().join(FILE);
        let mut bytes = fs::read(&path).expect("the file");
        match damage {
            "nonsense" => bytes = b"this is no store".to_vec(),
            _ => bytes
                .iter_mut()
                .skip(4096)
                .filter(|byte| **byte == b't')
                .for_each(|byte| *byte = b'u'),
        }
        fs::write(&path, bytes).expect("written");
        let (records, faults) = session(&folder, vec![vec![put(Table::Fact, "a", "1")]]);
        assert_eq!(records, [], "{damage}");
        assert_eq!(faults.len(), 1, "{damage}: {faults:?}");
        let kept = fs::read_dir(folder.path())
            .expect("a folder")
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().contains("unreadable"))
            .count();
        assert_eq!(kept, 1, "{damage}");
        assert_eq!(session(&folder, Vec::new()).0.len(), 1, "{damage}");
    }
}

#[test]
fn a_record_that_is_too_long_is_refused_alone() {
    let folder = Scratch::new();
    let mut faults = Vec::new();
    let seal = Seal::open(folder.path(), NOW, &mut faults).expect("a key");
    let store = Store::open(folder.path(), seal, NOW, &mut faults).expect("a store");
    let writer = store.start(|_| {}).expect("a thread");
    let long = "x".repeat(limits::STORE_RECORD_BYTES + 1);
    assert!(
        writer
            .persist(BatchId(1), vec![put(Table::Fact, "a", &long)])
            .is_err()
    );
    assert!(
        writer
            .persist(BatchId(2), vec![put(Table::Fact, "b", "1")])
            .is_ok()
    );
    writer.finish();
    let (records, _) = session(&folder, Vec::new());
    assert_eq!(records, [record(Table::Fact, "b", Some("1"))]);
}

#[test]
fn two_users_of_one_directory_are_told_apart() {
    let folder = Scratch::new();
    let first = Lock::take(folder.path()).expect("no fault");
    assert!(first.is_some());
    assert!(Lock::take(folder.path()).expect("no fault").is_none());
    drop(first);
    assert!(Lock::take(folder.path()).expect("no fault").is_some());
}
