//! Two directories that share items, with losses and restarts between them.

use std::string::String;
use std::vec;
use std::vec::Vec;

use super::*;

const A: PeerId = PeerId([1; 32]);
const B: PeerId = PeerId([2; 32]);

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn binding(contact: &str) -> Binding {
    Binding {
        contact: contact.as_bytes().to_vec(),
        path: vec![],
        instance: None,
        q: 1000,
        call_id: b"c".to_vec(),
        cseq: 1,
        source: "192.0.2.1:5060".parse().unwrap(),
        owner_address: "192.0.2.2:5060".parse().unwrap(),
        user_agent: String::new(),
        since: Wall::default(),
    }
}

fn pair() -> (Directory, Directory) {
    (
        Directory::new(A, Incarnation(1)),
        Directory::new(B, Incarnation(2)),
    )
}

/// Carries what `to` lacks of `from`, as a delta where possible.
fn carry(now: Instant, from: &mut Directory, to: &mut Directory) {
    let own = from.own();
    let held = to
        .held(own)
        .filter(|held| held.incarnation == from.incarnation());
    let delta = held.and_then(|held| from.changes_after(now, held.sequence, 1_000));
    match delta {
        Some(entries) => assert!(to.apply(now, own, from.incarnation(), &entries)),
        None => {
            to.begin_snapshot(own, from.incarnation());
            assert!(to.stage(own, from.snapshot_after(now, 0, 1_000)));
            assert!(to.end_snapshot(now, own, from.own_held().sequence));
        }
    }
    assert_eq!(from.digest(own), to.digest(own));
}

fn contacts(directory: &Directory, aor: &str, now: Instant) -> Vec<Vec<u8>> {
    directory
        .bindings(aor, now)
        .map(|found| found.binding.contact.clone())
        .collect()
}

#[test]
fn items_travel_change_and_end() {
    let (mut a, mut b) = pair();
    a.put(
        at(0),
        "x@e",
        b"1",
        binding("sip:1"),
        Duration::from_secs(60),
    );
    a.put(
        at(0),
        "x@e",
        b"2",
        binding("sip:2"),
        Duration::from_secs(10),
    );
    carry(at(0), &mut a, &mut b);
    assert_eq!(contacts(&b, "x@e", at(1)).len(), 2);
    assert!(a.remove(at(2), "x@e", b"1"));
    assert!(!a.remove(at(2), "x@e", b"1"));
    a.put(
        at(2),
        "y@e",
        b"1",
        binding("sip:3"),
        Duration::from_secs(60),
    );
    carry(at(2), &mut a, &mut b);
    assert_eq!(contacts(&b, "x@e", at(3)), [b"sip:2"]);
    assert_eq!(b.count(A), 2);
    // A copy never ends before its own expiry, and ends without the owner's word.
    assert_eq!(contacts(&b, "x@e", at(9_999)).len(), 1);
    b.handle_timeout(at(10_002));
    assert_eq!((contacts(&b, "x@e", at(10_002)).len(), b.count(A)), (0, 1));
    a.handle_timeout(at(10_002));
    carry(at(10_002), &mut a, &mut b);
    assert_eq!(a.summary(at(10_002)), b.summary(at(10_002)));
}

#[test]
fn a_device_that_moves_is_found_once_where_it_is() {
    let (mut a, mut b) = pair();
    a.put(
        at(0),
        "x@e",
        b"1",
        binding("sip:1"),
        Duration::from_secs(60),
    );
    carry(at(0), &mut a, &mut b);
    b.put(
        at(5),
        "x@e",
        b"1",
        binding("sip:1"),
        Duration::from_secs(60),
    );
    let owners: Vec<PeerId> = b.bindings("x@e", at(6)).map(|found| found.owner).collect();
    assert_eq!(owners, [B], "the newer registration wins");
    carry(at(6), &mut b, &mut a);
    assert_eq!(a.count(A), 0, "the former owner removes its copy");
    carry(at(7), &mut a, &mut b);
    assert_eq!(a.summary(at(8)), b.summary(at(8)));
    assert_eq!(b.summary(at(8)).len(), 1);
}

#[test]
fn a_new_life_replaces_the_old_one_whole() {
    let (mut a, mut b) = pair();
    for number in 0..50_u8 {
        a.put(
            at(0),
            "x@e",
            &[number],
            binding("sip:1"),
            Duration::from_secs(60),
        );
    }
    carry(at(0), &mut a, &mut b);
    let mut again = Directory::new(A, Incarnation(9));
    again.put(
        at(0),
        "z@e",
        b"1",
        binding("sip:9"),
        Duration::from_secs(60),
    );
    assert!(
        !b.apply(at(1), A, Incarnation(9), &[]),
        "another life needs a snapshot"
    );
    b.begin_snapshot(A, Incarnation(9));
    assert!(b.stage(A, again.snapshot_after(at(1), 0, 10)));
    assert_eq!(b.count(A), 50, "nothing shows before the end marker");
    assert!(b.end_snapshot(at(1), A, again.own_held().sequence));
    assert_eq!((b.count(A), contacts(&b, "z@e", at(2)).len()), (1, 1));
}

#[test]
fn forgotten_changes_need_a_snapshot() {
    let (mut a, mut b) = pair();
    a.put(
        at(0),
        "x@e",
        b"1",
        binding("sip:1"),
        Duration::from_secs(600),
    );
    carry(at(0), &mut a, &mut b);
    for number in 0..limits_tombstones() + 10 {
        let aor = std::format!("u{number}@e");
        a.put(at(1), &aor, b"1", binding("sip:1"), Duration::from_secs(60));
        a.remove(at(1), &aor, b"1");
    }
    let held = b.held(A).unwrap();
    assert_eq!(a.changes_after(at(2), held.sequence, 10), None);
    carry(at(2), &mut a, &mut b);
    assert_eq!(a.summary(at(2)), b.summary(at(2)));
}

fn limits_tombstones() -> usize {
    crate::base::limits::TOMBSTONES
}

#[test]
fn nobody_changes_what_is_ours() {
    let (mut a, _) = pair();
    a.put(
        at(0),
        "x@e",
        b"1",
        binding("sip:1"),
        Duration::from_secs(60),
    );
    a.forget(A);
    a.begin_snapshot(A, Incarnation(7));
    assert!(!a.stage(A, vec![]) && !a.apply(at(0), A, Incarnation(1), &[]));
    assert_eq!(a.count(A), 1);
}
