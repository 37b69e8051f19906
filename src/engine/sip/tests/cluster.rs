//! Two peers that share their registrations (SPEC SI3, DESIGN 3).

use super::*;

const ALICE: u8 = 1;
const BOB: u8 = 2;

/// Alice is registered at the first peer, Bob at the second.
fn pair() -> World {
    let mut world = World::new(2);
    world.register(0, "alice", phone(ALICE));
    world.register(1, "bob", phone(BOB));
    world
}

/// A whole call; `a` and `b` are the numbers of caller and called, `n` the caller's peer.
fn call(world: &mut World, n: usize, a: u8, b: u8, user: &str) {
    let invite = request("INVITE", &format!("sip:{user}@example.com"), phone(a), "i");
    world.udp(n, phone(a), &invite);
    let got = world.expect(
        phone(b),
        &format!("INVITE sip:{user}@{} SIP/2.0\r\n", phone(b)),
    );
    assert_eq!(headers(&got, "Via").len(), 3, "{got}");
    assert_eq!(headers(&got, "Record-Route").len(), 2, "{got}");
    assert!(headers(&got, "Route").is_empty(), "{got}");
    assert_eq!(header(&got, "Max-Forwards"), "68");
    let m = 1 - n;
    world.udp(m, phone(b), &answer(&got, "180 Ringing", phone(b)));
    world.expect(phone(a), "SIP/2.0 180 ");
    world.udp(m, phone(b), &answer(&got, "200 OK", phone(b)));
    let ok = world.expect(phone(a), "SIP/2.0 200 ");
    world.udp(n, phone(a), &in_dialog(&ok, "ACK", 1, phone(a)));
    let ack = world.expect(phone(b), "ACK ");
    assert!(headers(&ack, "Route").is_empty(), "{ack}");
    world.udp(m, phone(b), &back(&got, "INFO", 1, phone(b)));
    let info = world.expect(phone(a), &format!("INFO sip:alice@{} ", phone(a)));
    world.udp(n, phone(a), &answer(&info, "200 OK", phone(a)));
    world.expect(phone(b), "SIP/2.0 200 ");
    assert_eq!((world.status(0).calls, world.status(1).calls), (1, 1));
    world.udp(n, phone(a), &in_dialog(&ok, "BYE", 2, phone(a)));
    let bye = world.expect(phone(b), "BYE ");
    world.udp(m, phone(b), &answer(&bye, "200 OK", phone(b)));
    world.expect(phone(a), "SIP/2.0 200 ");
    world.pass(Duration::from_secs(40));
    world.quiet(phone(a));
    world.quiet(phone(b));
    for n in 0..2 {
        assert_eq!(
            (world.status(n).calls, world.status(n).transactions),
            (0, 0)
        );
    }
}

#[test]
fn si3_a_call_from_one_peer_to_the_other_and_back() {
    let mut world = pair();
    call(&mut world, 0, ALICE, BOB, "bob");
    call(&mut world, 1, BOB, ALICE, "alice");
}

#[test]
fn si3_a_large_invite_goes_between_peers_by_tcp() {
    let mut world = pair();
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i");
    let padding = format!("Subject: {}\r\nContent-Length", "x".repeat(1_200));
    world.udp(0, phone(ALICE), &invite.replace("Content-Length", &padding));
    let got = world.expect(phone(BOB), "INVITE ");
    let vias = headers(&got, "Via");
    assert!(
        vias[0].starts_with("SIP/2.0/UDP 10.0.0.2"),
        "the phone has no TCP: {got}"
    );
    assert!(
        vias[1].starts_with("SIP/2.0/TCP 10.0.0.1"),
        "section 18.1.1: {got}"
    );
    world.udp(1, phone(BOB), &answer(&got, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 ");
    world.udp(0, phone(ALICE), &in_dialog(&ok, "ACK", 1, phone(ALICE)));
    world.expect(phone(BOB), "ACK ");
    world.udp(1, phone(BOB), &back(&got, "BYE", 1, phone(BOB)));
    world.expect(phone(ALICE), "BYE ");
}

#[test]
fn si3_a_phone_behind_nat_is_reached_by_its_owner() {
    let mut world = World::new(2);
    let outside: SocketAddr = "198.51.100.7:31000".parse().unwrap();
    let inside: SocketAddr = "192.168.1.5:5060".parse().unwrap();
    world.udp(
        1,
        outside,
        &register("bob", inside, "<sip:bob@192.168.1.5>", 1),
    );
    world.expect(outside, "SIP/2.0 200 ");
    world.share();
    world.udp(
        0,
        phone(ALICE),
        &request("INVITE", "sip:bob@example.com", phone(ALICE), "i"),
    );
    let got = world.expect(outside, "INVITE sip:bob@192.168.1.5 SIP/2.0\r\n");
    world.udp(1, outside, &answer(&got, "200 OK", inside));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 ");
    world.udp(0, phone(ALICE), &in_dialog(&ok, "BYE", 2, phone(ALICE)));
    world.expect(outside, "BYE ");
}

#[test]
fn si3_a_flow_lost_at_its_owner_fails_fast() {
    let mut world = World::new(2);
    let from: SocketAddr = "198.51.100.7:31000".parse().unwrap();
    let inside: SocketAddr = "192.168.1.5:5060".parse().unwrap();
    let stream = world.connect(1, from);
    let contact = "<sip:bob@192.168.1.5;transport=tcp>";
    world.tcp(1, stream, &over_tcp(&register("bob", inside, contact, 1)));
    world.expect(from, "SIP/2.0 200 ");
    world.share();
    world.disconnect(1, stream);
    world.udp(
        0,
        phone(ALICE),
        &request("INVITE", "sip:bob@example.com", phone(ALICE), "i"),
    );
    world.expect(phone(ALICE), "SIP/2.0 480 ");
}

#[test]
fn si3_cancel_passes_both_peers() {
    let mut world = pair();
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i");
    world.udp(0, phone(ALICE), &invite);
    let got = world.expect(phone(BOB), "INVITE ");
    world.udp(1, phone(BOB), &answer(&got, "180 Ringing", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.udp(0, phone(ALICE), &cancel(&invite));
    world.expect(phone(ALICE), "SIP/2.0 200 ");
    let at = world.expect(phone(BOB), "CANCEL ");
    world.udp(1, phone(BOB), &answer(&at, "200 OK", phone(BOB)));
    world.udp(
        1,
        phone(BOB),
        &answer(&got, "487 Request Terminated", phone(BOB)),
    );
    world.expect(phone(BOB), "ACK ");
    let ended = world.expect(phone(ALICE), "SIP/2.0 487 ");
    world.udp(0, phone(ALICE), &ack(&invite, &ended));
    world.pass(Duration::from_secs(40));
    assert_eq!(
        (world.status(0).transactions, world.status(1).transactions),
        (0, 0)
    );
}

#[test]
fn a_registration_moves_to_the_peer_it_was_renewed_at() {
    let mut world = pair();
    world.pass(Duration::from_secs(1));
    let contact = format!("<sip:bob@{}>", phone(BOB));
    world.udp(0, phone(BOB), &register("bob", phone(BOB), &contact, 2));
    let ok = world.expect(phone(BOB), "SIP/2.0 200 ");
    assert_eq!(headers(&ok, "Contact").len(), 1, "{ok}");
    world.share();
    world.udp(
        1,
        phone(ALICE),
        &request("MESSAGE", "sip:bob@example.com", phone(ALICE), "m"),
    );
    let got = world.expect(phone(BOB), "MESSAGE ");
    assert!(headers(&got, "Via")[0].contains("10.0.0.1"), "{got}");
    assert_eq!(world.status(1).registrations, 0, "the former owner let go");
}

#[test]
fn a_registration_is_removed_at_another_peer() {
    let mut world = pair();
    world.pass(Duration::from_secs(1));
    let contact = format!("<sip:bob@{}>;expires=0", phone(BOB));
    world.udp(0, phone(BOB), &register("bob", phone(BOB), &contact, 2));
    let ok = world.expect(phone(BOB), "SIP/2.0 200 ");
    assert!(headers(&ok, "Contact").is_empty(), "{ok}");
    world.share();
    world.pass(Duration::from_secs(3));
    world.share();
    for n in 0..2 {
        world.udp(
            n,
            phone(ALICE),
            &request("MESSAGE", "sip:bob@example.com", phone(ALICE), "m"),
        );
        world.expect(phone(ALICE), "SIP/2.0 480 ");
    }
}

#[test]
fn a_hostile_flow_token_gets_403() {
    let mut world = pair();
    let text = request("MESSAGE", "sip:victim@192.0.2.99", phone(66), "m");
    let forged = "Route: <sip:MQAAAAAAAAAAAAAAAAAAAAAA@10.0.0.2:5060;lr>\r\nTo:";
    world.udp(1, phone(66), &text.replace("To:", forged));
    world.expect(phone(66), "SIP/2.0 403 ");
}

#[test]
fn a_flow_token_holds_for_its_own_contact_only() {
    let mut world = pair();
    let found = world.nodes[0]
        .directory
        .bindings("bob@example.com", world.now);
    let hops: Vec<_> = found.map(|found| found.binding.path[0].clone()).collect();
    let hop = String::from_utf8(hops[0].clone()).unwrap();
    let text = request("MESSAGE", "sip:victim@192.0.2.99", phone(66), "m");
    world.udp(
        1,
        phone(66),
        &text.replace("To:", &format!("Route: <{hop}>\r\nTo:")),
    );
    world.expect(phone(66), "SIP/2.0 403 ");
    world.quiet(phone(99));
}
