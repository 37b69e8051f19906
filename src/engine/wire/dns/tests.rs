//! Answers as servers give them, and as nobody should.

use super::*;
use std::vec;

const NAME: &str = "Peer1.Example.net";

/// An answer to the question for A records of `NAME` with these records.
fn answered(records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = question(7, NAME, RecordKind::A).expect("a name");
    bytes[2] = 0x81;
    bytes[3] = 0x80;
    bytes[7] = records.len() as u8;
    bytes.extend(records.concat());
    bytes
}

/// An A record of the name that stands at byte 12.
const A: &[u8] = &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1];

#[test]
fn addresses_come_with_the_shortest_time() {
    let found = answer(7, NAME, RecordKind::A, &answered(&[A])).expect("an answer");
    assert_eq!(found.addresses, ["10.0.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(found.seconds, 60);

    // An alias `x` for 30 seconds, and its address.
    let alias: &[u8] = &[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 30, 0, 3, 1, b'x', 0];
    let of_alias: &[u8] = &[1, b'x', 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 2];
    let found = answer(7, NAME, RecordKind::A, &answered(&[alias, of_alias])).expect("an answer");
    assert_eq!(found.addresses, ["10.0.0.2".parse::<IpAddr>().unwrap()]);
    assert_eq!(found.seconds, 30);

    // What nobody asked for is left aside.
    let found = answer(7, NAME, RecordKind::A, &answered(&[of_alias])).expect("an answer");
    assert!(found.addresses.is_empty());
}

#[test]
fn only_the_answer_to_the_question_is_believed() {
    let good = answered(&[A]);
    for (number, name, kind) in [
        (8, NAME, RecordKind::A),
        (7, "peer2.example.net", RecordKind::A),
        (7, NAME, RecordKind::Aaaa),
    ] {
        assert_eq!(answer(number, name, kind, &good), Err(AnswerFault::Stray));
    }
    let mut question = good.clone();
    question[2] = 1;
    let stray = answer(7, NAME, RecordKind::A, &question);
    assert_eq!(stray, Err(AnswerFault::Stray));
    let mut none = answered(&[]);
    none[3] = 0x83;
    let none = answer(7, NAME, RecordKind::A, &none);
    assert_eq!(none, Err(AnswerFault::NoSuchName));
}

#[test]
fn whatever_is_cut_or_loops_is_refused_with_its_place() {
    let good = answered(&[A]);
    for length in 0..good.len() {
        let cut = answer(7, NAME, RecordKind::A, &good[..length]);
        assert!(
            matches!(cut, Err(AnswerFault::Malformed { .. })),
            "{length}"
        );
    }
    let mut looping = good.clone();
    looping[12] = 0xc0;
    looping[13] = 12;
    let looping = answer(7, NAME, RecordKind::A, &looping);
    assert!(matches!(looping, Err(AnswerFault::Malformed { .. })));
    assert_eq!(question(1, "a..b", RecordKind::A), None);
    assert_eq!(question(1, &vec!["abc"; 80].join("."), RecordKind::A), None);
}
