//! Frames and beats: there and back, cut anywhere, random, and as bytes that must not change.

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn messages() -> Vec<Message> {
    let head = Head {
        epoch: 3,
        number: 4,
        hash: [5; 32],
    };
    let counted = Counted {
        life: Incarnation(6),
        sequence: 7,
    };
    vec![
        Message::Hello(Hello {
            software: "1".to_string(),
            schema: [1; 32],
            cluster: "c".to_string(),
            peers: vec!["a".to_string(), "b".to_string()],
            proof: Some([2; 32]),
        }),
        Message::Refused("no".to_string()),
        Message::State(State {
            epoch: 1,
            primary: Some(PeerId([9; 32])),
            head,
        }),
        Message::Holds { head, whole: true },
        Message::Revisions(vec![1, 2]),
        Message::SnapshotPart {
            bytes: vec![3],
            last: true,
        },
        Message::Wants(Some(counted)),
        Message::Items {
            life: Incarnation(8),
            entries: vec![1],
        },
        Message::ItemsBegin {
            life: Incarnation(8),
        },
        Message::ItemsPart(vec![4]),
        Message::ItemsEnd { sequence: 300 },
        Message::Digest {
            counted,
            digest: 10,
        },
        Message::Order(vec![5]),
        Message::Done(vec![6]),
        Message::Join(vec![7]),
        Message::Board(vec![8]),
        Message::Removed("r".to_string()),
        Message::Judged(vec![9]),
    ]
}

#[test]
fn messages_come_back_however_the_stream_is_cut() {
    let stream: Vec<u8> = messages().iter().flat_map(encode).collect();
    for step in [1, 3, 1_000] {
        let mut reader = Reader::default();
        let mut found = vec![];
        for bytes in stream.chunks(step) {
            reader.push(bytes);
            while let Some(message) = reader.poll().unwrap() {
                found.push(message);
            }
        }
        assert_eq!(found, messages());
    }
}

#[test]
fn the_bytes_on_the_wire_stay_what_they_are() {
    let begins: Vec<Vec<u8>> = messages()
        .iter()
        .map(|message| encode(message)[4..].iter().take(6).copied().collect())
        .collect();
    let expected: [&[u8]; 18] = [
        &[1, 0, 1, b'1', 1, 1],
        &[1, 1, 2, b'n', b'o'],
        &[1, 2, 1, 1, 9, 9],
        &[1, 3, 3, 4, 5, 5],
        &[1, 4, 2, 1, 2],
        &[1, 5, 1, 3, 1],
        &[1, 6, 1, 6, 7],
        &[1, 7, 8, 1, 1],
        &[1, 8, 8],
        &[1, 9, 1, 4],
        &[1, 10, 172, 2],
        &[1, 11, 6, 7, 10],
        &[1, 12, 1, 5],
        &[1, 13, 1, 6],
        &[1, 14, 1, 7],
        &[1, 15, 1, 8],
        &[1, 16, 1, b'r'],
        &[1, 17, 1, 9],
    ];
    assert_eq!(begins, expected);
}

#[test]
fn bad_frames_close_the_stream_and_say_where() {
    let fault = |bytes: &[u8]| {
        let mut reader = Reader::default();
        reader.push(bytes);
        loop {
            match reader.poll() {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(fault) => return Some(fault),
            }
        }
    };
    assert_eq!(fault(&[255; 8]), Some(FrameFault::Length { position: 0 }));
    assert_eq!(
        fault(&[2, 0, 0, 0, 9, 0]),
        Some(FrameFault::Version { theirs: 9 })
    );
    let mut stream = encode(&Message::Refused("x".to_string()));
    let position = stream.len() as u64;
    stream.extend([3, 0, 0, 0, 1, 99, 0]);
    assert_eq!(fault(&stream), Some(FrameFault::Message { position }));
    for message in messages() {
        let frame = encode(&message);
        (0..frame.len()).for_each(|length| assert_eq!(fault(&frame[..length]), None));
    }
}

#[test]
fn beats_need_the_key_and_every_byte() {
    let (sender, other) = (PeerId([1; 32]), PeerId([2; 32]));
    let (good, bad) = (key(&[3; 32]), key(&[4; 32]));
    let beat = beat::Beat {
        number: 70_000,
        heard: 5,
        held_ms: 250,
    };
    let bytes = beat::encode(&good, sender, &beat);
    assert_eq!(beat::decode(&good, sender, &bytes), Some(beat));
    assert_eq!(beat::decode(&bad, sender, &bytes), None);
    assert_eq!(beat::decode(&good, other, &bytes), None);
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert_eq!(beat::decode(&good, sender, &changed), None, "byte {place}");
        assert_eq!(
            beat::decode(&good, sender, &bytes[..place]),
            None,
            "length {place}"
        );
    }
}

fn key(binding: &[u8; 32]) -> [u8; 32] {
    beat::key(binding)
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut reader = Reader::default();
        reader.push(&bytes);
        while let Ok(Some(_)) = reader.poll() {}
        let mut framed = ((bytes.len() + 1) as u32).to_le_bytes().to_vec();
        framed.push(VERSION);
        framed.extend(&bytes);
        let mut reader = Reader::default();
        reader.push(&framed);
        while let Ok(Some(_)) = reader.poll() {}
        prop_assert_eq!(beat::decode(&[0; 32], PeerId([0; 32]), &bytes), None);
    }
}
