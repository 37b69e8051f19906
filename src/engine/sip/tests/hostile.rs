//! Nonsense and floods (RFC 4475, SPEC SI5).

use proptest::prelude::*;

use super::*;

const ALICE: u8 = 1;
const BOB: u8 = 2;

#[test]
fn rfc_4475_what_can_be_answered_gets_400() {
    let mut world = World::new(1);
    let text = request("OPTIONS", "sip:example.com", phone(ALICE), "o");
    for (from, to) in [
        ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
        ("CSeq: 1 OPTIONS", "CSeq: x OPTIONS"),
        ("Max-Forwards: 70", "Max-Forwards: many"),
    ] {
        world.udp(0, phone(ALICE), &text.replace(from, to));
        world.expect(phone(ALICE), "SIP/2.0 400 ");
    }
    world.udp(0, phone(ALICE), &text.replace("com SIP/2.0", "com SIP/7.0"));
    world.expect(phone(ALICE), "SIP/2.0 505 ");
    assert_eq!(world.status(0).malformed, 4);
}

#[test]
fn what_cannot_be_answered_is_dropped_and_counted() {
    let mut world = World::new(1);
    for text in [
        "hello world, this is no SIP",
        "GET / HTTP/1.1\r\n\r\n",
        "SIP/2.0 999 ?\r\n\r\n",
    ] {
        world.udp(0, phone(ALICE), text);
    }
    world.quiet(phone(ALICE));
    assert_eq!(world.status(0).malformed, 3);
    for keep_alive in ["", "\r\n\r\n", "\0\0\0\0"] {
        world.udp(0, phone(ALICE), keep_alive);
    }
    assert_eq!(world.status(0).malformed, 3);
    world.quiet(phone(ALICE));
}

#[test]
fn stray_responses_are_dropped() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i");
    world.udp(0, phone(ALICE), &invite);
    let got = world.expect(phone(BOB), "INVITE ");
    let ok = answer(&got, "200 OK", phone(BOB));
    let branch = headers(&ok, "Via")[0]
        .split("branch=")
        .nth(1)
        .unwrap_or_default();
    // Magic cookie (7), slot, generation (8 each), number (2), nonce (8).
    for place in [10, 20, 24, 30] {
        let mut wrong = branch.to_string();
        wrong.replace_range(place..=place, "f");
        world.udp(0, phone(66), &ok.replace(branch, &wrong));
        world.quiet(phone(ALICE));
    }
    assert_eq!(world.status(0).stray, 4);
}

#[test]
fn si5_beyond_the_limit_503_without_state() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "first");
    world.udp(0, phone(ALICE), &invite);
    let got = world.expect(phone(BOB), "INVITE ");
    let held = world.nodes[0].sip.transactions;
    world.nodes[0].sip.transactions = crate::base::limits::SIP_TRANSACTIONS / 10 * 9;
    let flood = request("MESSAGE", "sip:bob@example.com", phone(ALICE), "flood");
    world.udp(0, phone(ALICE), &flood);
    let shed = world.expect(phone(ALICE), "SIP/2.0 503 ");
    header(&shed, "Retry-After");
    assert_eq!(world.status(0).shed, 1);
    world.quiet(phone(BOB));
    // Calls that stand and registrations are still served.
    world.udp(0, phone(BOB), &answer(&got, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 ");
    world.udp(0, phone(ALICE), &in_dialog(&ok, "BYE", 2, phone(ALICE)));
    world.expect(phone(BOB), "BYE ");
    world.register(0, "bob", phone(BOB));
    world.nodes[0].sip.transactions = held + 2;
    world.pass(Duration::from_secs(100));
    assert_eq!(world.status(0).transactions, 0);
}

/// A world in the middle of things: a call that rings, another that stands, a stream.
fn busy() -> (World, Vec<String>) {
    let mut world = World::new(2);
    world.register(0, "bob", phone(BOB));
    let stream = world.connect(0, phone(7));
    world.tcp(0, stream, "\r\n");
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i");
    world.udp(0, phone(ALICE), &invite);
    let at_bob = world.expect(phone(BOB), "INVITE ");
    let ok = answer(&at_bob, "200 OK", phone(BOB));
    let seeds = vec![
        invite.clone(),
        cancel(&invite),
        answer(&at_bob, "180 Ringing", phone(BOB)),
        answer(&at_bob, "486 Busy Here", phone(BOB)),
        in_dialog(&ok, "ACK", 1, phone(ALICE)),
        in_dialog(&ok, "BYE", 2, phone(ALICE)),
        back(&at_bob, "BYE", 2, phone(BOB)),
        ok,
        register(
            "bob",
            phone(BOB),
            "<sip:bob@192.0.2.3>;q=0.5;expires=60, <sip:b@[::1]>",
            7,
        ),
    ];
    (world, seeds)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        cut in 0_usize..600,
    ) {
        let (mut world, _) = busy();
        let input = Input::Datagram {
            listener: UDP,
            local: node(0),
            from: phone(ALICE),
            bytes: bytes.clone(),
        };
        world.input(0, input);
        let stream = world.connect(0, phone(8));
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        for bytes in [head, tail] {
            world.input(0, Input::Received { stream, bytes: bytes.to_vec() });
        }
        world.pass(Duration::from_secs(400));
        prop_assert_eq!(world.status(0).transactions, 0);
    }

    #[test]
    fn mutated_messages_never_panic_and_leave_nothing(
        edits in prop::collection::vec(
            (0_usize..9, any::<prop::sample::Index>(), 0_usize..12, ".{0,12}", any::<bool>()),
            1..12,
        ),
    ) {
        let (mut world, seeds) = busy();
        for (seed, place, length, text, over_stream) in edits {
            let mut bytes = seeds[seed].clone().into_bytes();
            let start = place.index(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, text.into_bytes());
            if over_stream {
                let stream = world.connect(0, phone(9));
                world.input(0, Input::Received { stream, bytes });
            } else {
                let from = phone(if seed % 2 == 0 { ALICE } else { BOB });
                let listener = UDP;
                world.input(0, Input::Datagram { listener, local: node(0), from, bytes });
            }
        }
        world.pass(Duration::from_secs(400));
        prop_assert_eq!(world.status(0).transactions, 0);
        prop_assert_eq!(world.status(1).transactions, 0);
    }
}
