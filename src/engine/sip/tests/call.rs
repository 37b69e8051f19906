//! A call from end to end (RFC 3261 sections 16.6, 16.7 and 24.2).

use super::*;

const ALICE: u8 = 1;
const BOB: u8 = 2;

/// A world in which Alice's INVITE has reached Bob; gives both copies.
pub(super) fn ringing(world: &mut World) -> (String, String) {
    world.register(0, "bob", phone(BOB));
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i1");
    world.udp(0, phone(ALICE), &invite);
    let at_bob = world.expect(phone(BOB), "INVITE sip:bob@192.0.2.2:5060 SIP/2.0\r\n");
    (invite, at_bob)
}

#[test]
fn section_24_2_a_call_over_udp() {
    let mut world = World::new(1);
    let (_, invite) = ringing(&mut world);
    let vias = headers(&invite, "Via");
    assert_eq!(vias.len(), 2, "{invite}");
    assert!(vias[0].starts_with("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK"));
    assert!(vias[1].contains("received=192.0.2.1") || !vias[1].contains("received"));
    assert!(
        vias[1].contains("rport=5060"),
        "RFC 3581 section 4: {}",
        vias[1]
    );
    assert_eq!(header(&invite, "Max-Forwards"), "69");
    assert!(header(&invite, "Record-Route").contains("@10.0.0.1:5060;lr>"));
    assert!(invite.ends_with(SDP), "the body is untouched");

    let ring = answer(&invite, "180 Ringing", phone(BOB));
    world.udp(0, phone(BOB), &ring);
    let ring = world.expect(phone(ALICE), "SIP/2.0 180 Ringing\r\n");
    assert_eq!(headers(&ring, "Via").len(), 1, "our Via is gone");
    world.udp(0, phone(BOB), &answer(&invite, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    assert_eq!(world.status(0).calls, 1);

    world.udp(0, phone(ALICE), &in_dialog(&ok, "ACK", 1, phone(ALICE)));
    let ack = world.expect(phone(BOB), "ACK sip:bob@192.0.2.2:5060 SIP/2.0\r\n");
    assert!(headers(&ack, "Route").is_empty(), "{ack}");
    assert_eq!(headers(&ack, "Via").len(), 2);

    world.udp(0, phone(ALICE), &in_dialog(&ok, "BYE", 2, phone(ALICE)));
    let bye = world.expect(phone(BOB), "BYE sip:bob@192.0.2.2:5060 SIP/2.0\r\n");
    world.udp(0, phone(BOB), &answer(&bye, "200 OK", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    assert_eq!(world.status(0).calls, 0);

    world.pass(Duration::from_secs(40));
    world.quiet(phone(ALICE));
    world.quiet(phone(BOB));
    assert_eq!(world.status(0).transactions, 0, "nothing is left");
}

#[test]
fn section_12_2_the_called_can_speak_first() {
    let mut world = World::new(1);
    let (_, invite) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&invite, "200 OK", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    world.udp(0, phone(BOB), &back(&invite, "BYE", 1, phone(BOB)));
    let bye = world.expect(phone(ALICE), "BYE sip:alice@192.0.2.1:5060 SIP/2.0\r\n");
    world.udp(0, phone(ALICE), &answer(&bye, "200 OK", phone(ALICE)));
    world.expect(phone(BOB), "SIP/2.0 200 OK\r\n");
    assert_eq!(world.status(0).calls, 0);
}

#[test]
fn section_17_2_1_trying_follows_within_200_ms() {
    let mut world = World::new(1);
    ringing(&mut world);
    world.pass(Duration::from_millis(199));
    world.quiet(phone(ALICE));
    world.pass(Duration::from_millis(1));
    let trying = world.expect(phone(ALICE), "SIP/2.0 100 Trying\r\n");
    assert!(!header(&trying, "To").contains("tag="), "section 8.2.6.2");
}

#[test]
fn section_16_6_other_methods_pass_alike() {
    for method in [
        "MESSAGE",
        "INFO",
        "REFER",
        "SUBSCRIBE",
        "NOTIFY",
        "UPDATE",
        "PUBLISH",
        "OPTIONS",
    ] {
        let mut world = World::new(1);
        world.register(0, "bob", phone(BOB));
        let text = request(method, "sip:bob@example.com", phone(ALICE), "m1");
        world.udp(0, phone(ALICE), &text);
        let got = world.expect(phone(BOB), &format!("{method} sip:bob@192.0.2.2:5060 "));
        world.udp(0, phone(BOB), &answer(&got, "202 Accepted", phone(BOB)));
        world.expect(phone(ALICE), "SIP/2.0 202 Accepted\r\n");
        world.udp(0, phone(ALICE), &text);
        world.expect(phone(ALICE), "SIP/2.0 202 Accepted\r\n");
        world.quiet(phone(BOB));
        world.pass(Duration::from_secs(40));
        assert_eq!(world.status(0).transactions, 0, "{method}");
    }
}

#[test]
fn section_16_5_nobody_is_there() {
    let mut world = World::new(1);
    let invite = request("INVITE", "sip:carol@example.com", phone(ALICE), "i1");
    world.udp(0, phone(ALICE), &invite);
    let refused = world.expect(phone(ALICE), "SIP/2.0 480 Temporarily Unavailable\r\n");
    assert!(header(&refused, "To").contains("tag="), "section 8.2.6.2");
    world.udp(0, phone(ALICE), &ack(&invite, &refused));
    world.quiet(phone(ALICE));
    assert_eq!(world.status(0).transactions, 0, "SPEC SI5: no state");
}

#[test]
fn section_17_1_1_a_busy_phone_gets_its_ack_from_us() {
    let mut world = World::new(1);
    let (invite, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "486 Busy Here", phone(BOB)));
    let ours = world.expect(phone(BOB), "ACK sip:bob@192.0.2.2:5060 SIP/2.0\r\n");
    assert_eq!(
        headers(&ours, "Via"),
        [headers(&at_bob, "Via")[0]],
        "17.1.1.3"
    );
    assert_eq!(header(&ours, "CSeq"), "1 ACK");
    assert!(header(&ours, "To").contains("tag=b1"));
    let busy = world.expect(phone(ALICE), "SIP/2.0 486 Busy Here\r\n");
    world.udp(0, phone(ALICE), &ack(&invite, &busy));
    world.pass(Duration::from_secs(40));
    world.quiet(phone(ALICE));
    world.quiet(phone(BOB));
    assert_eq!(world.status(0).transactions, 0);
}

#[test]
fn rfc_3581_a_phone_behind_nat_is_called_where_it_is() {
    let mut world = World::new(1);
    let outside: SocketAddr = "198.51.100.7:31000".parse().unwrap();
    let inside: SocketAddr = "192.168.1.5:5060".parse().unwrap();
    world.udp(
        0,
        outside,
        &register("bob", inside, "<sip:bob@192.168.1.5:5060>", 1),
    );
    let ok = world.expect(outside, "SIP/2.0 200 OK\r\n");
    assert!(header(&ok, "Via").contains("received=198.51.100.7"));
    assert!(header(&ok, "Via").contains("rport=31000"));
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i1");
    world.udp(0, phone(ALICE), &invite);
    let got = world.expect(outside, "INVITE sip:bob@192.168.1.5:5060 SIP/2.0\r\n");
    world.udp(0, outside, &answer(&got, "200 OK", inside));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    world.udp(0, phone(ALICE), &in_dialog(&ok, "ACK", 1, phone(ALICE)));
    world.expect(outside, "ACK sip:bob@192.168.1.5:5060 SIP/2.0\r\n");
    world.udp(0, outside, &back(&got, "BYE", 1, inside));
    world.expect(phone(ALICE), "BYE ");
}

#[test]
fn rfc_3581_a_caller_behind_nat_hears_the_bye() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let outside: SocketAddr = "198.51.100.7:31000".parse().unwrap();
    let inside: SocketAddr = "192.168.1.5:5060".parse().unwrap();
    let invite = request("INVITE", "sip:bob@example.com", inside, "i1");
    world.udp(0, outside, &invite);
    let got = world.expect(phone(BOB), "INVITE ");
    world.udp(0, phone(BOB), &answer(&got, "200 OK", phone(BOB)));
    world.expect(outside, "SIP/2.0 200 OK\r\n");
    world.udp(0, phone(BOB), &back(&got, "BYE", 1, phone(BOB)));
    world.expect(outside, "BYE sip:alice@192.168.1.5:5060 SIP/2.0\r\n");
}

#[test]
fn section_18_2_2_without_rport_the_via_decides_the_port() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let from: SocketAddr = "192.0.2.1:7777".parse().unwrap();
    let text = request("OPTIONS", "sip:bob@example.com", phone(ALICE), "o1").replace(";rport", "");
    world.udp(0, from, &text);
    let got = world.expect(phone(BOB), "OPTIONS ");
    world.udp(0, phone(BOB), &answer(&got, "200 OK", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    world.quiet(from);
}

#[test]
fn section_11_2_options_for_ourselves() {
    let mut world = World::new(1);
    for uri in ["sip:example.com", "sip:10.0.0.1", "sip:10.0.0.1:5060"] {
        world.udp(
            0,
            phone(ALICE),
            &request("OPTIONS", uri, phone(ALICE), "o1"),
        );
        let ok = world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
        for name in ["Allow", "Accept", "Supported"] {
            header(&ok, name);
        }
    }
}
