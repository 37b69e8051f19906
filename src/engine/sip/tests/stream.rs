//! TCP (RFC 3261 section 18, RFC 5626 sections 3.5.1 and 5.3).

use super::*;

const ALICE: u8 = 1;
const BOB: u8 = 2;

/// Where a phone's connection comes from.
fn ephemeral(n: u8) -> SocketAddr {
    SocketAddr::new(phone(n).ip(), 50_000)
}

fn tcp_register(world: &mut World, contact: &str) -> StreamId {
    let stream = world.connect(0, ephemeral(BOB));
    let text = register("bob", phone(BOB), contact, 1);
    world.tcp(0, stream, &over_tcp(&text));
    world.expect(ephemeral(BOB), "SIP/2.0 200 ");
    stream
}

#[test]
fn section_24_2_a_call_over_tcp() {
    let mut world = World::new(1);
    let bob = tcp_register(&mut world, "<sip:bob@192.0.2.2:5060;transport=tcp>");
    let alice = world.connect(0, ephemeral(ALICE));
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i");
    world.tcp(0, alice, &over_tcp(&invite));
    let got = world.expect(
        ephemeral(BOB),
        "INVITE sip:bob@192.0.2.2:5060;transport=tcp ",
    );
    assert!(headers(&got, "Via")[0].starts_with("SIP/2.0/TCP 10.0.0.1:5060;"));
    world.tcp(0, bob, &answer(&got, "180 Ringing", phone(BOB)));
    world.expect(ephemeral(ALICE), "SIP/2.0 180 ");
    world.tcp(0, bob, &answer(&got, "200 OK", phone(BOB)));
    let ok = world.expect(ephemeral(ALICE), "SIP/2.0 200 ");
    world.tcp(0, alice, &over_tcp(&in_dialog(&ok, "ACK", 1, phone(ALICE))));
    world.expect(ephemeral(BOB), "ACK ");
    world.tcp(0, alice, &over_tcp(&in_dialog(&ok, "BYE", 2, phone(ALICE))));
    let bye = world.expect(ephemeral(BOB), "BYE ");
    world.tcp(0, bob, &answer(&bye, "200 OK", phone(BOB)));
    world.expect(ephemeral(ALICE), "SIP/2.0 200 ");
    world.pass(Duration::from_secs(40));
    world.quiet(ephemeral(ALICE));
    world.quiet(ephemeral(BOB));
    assert_eq!(
        world.status(0).transactions,
        0,
        "no timers of unreliable transports are left"
    );
}

#[test]
fn section_17_nothing_is_repeated_on_streams() {
    let mut world = World::new(1);
    let bob = tcp_register(&mut world, "<sip:bob@192.0.2.2:5060;transport=tcp>");
    let alice = world.connect(0, ephemeral(ALICE));
    let invite = over_tcp(&request("INVITE", "sip:bob@example.com", phone(ALICE), "i"));
    world.tcp(0, alice, &invite);
    let got = world.expect(ephemeral(BOB), "INVITE ");
    world.pass(Duration::from_secs(10));
    world.quiet(ephemeral(BOB));
    world.tcp(0, bob, &answer(&got, "486 Busy Here", phone(BOB)));
    world.expect(ephemeral(BOB), "ACK ");
    world.expect(ephemeral(ALICE), "SIP/2.0 100 ");
    let busy = world.expect(ephemeral(ALICE), "SIP/2.0 486 ");
    world.pass(Duration::from_secs(10));
    world.quiet(ephemeral(ALICE));
    world.tcp(0, alice, &over_tcp(&ack(&invite, &busy)));
    assert_eq!(world.status(0).transactions, 0);
}

#[test]
fn section_18_3_messages_come_in_pieces_and_together() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let stream = world.connect(0, ephemeral(ALICE));
    let one = over_tcp(&request(
        "MESSAGE",
        "sip:bob@example.com",
        phone(ALICE),
        "m1",
    ));
    let two = over_tcp(&request(
        "MESSAGE",
        "sip:bob@example.com",
        phone(ALICE),
        "m2",
    ));
    let both = format!("{one}\r\n{two}");
    for piece in both.as_bytes().chunks(7) {
        world.tcp(0, stream, core::str::from_utf8(piece).unwrap());
    }
    world.expect(phone(BOB), "MESSAGE ");
    world.expect(phone(BOB), "MESSAGE ");
}

#[test]
fn rfc_5626_section_3_5_1_a_ping_gets_a_pong() {
    let mut world = World::new(1);
    let stream = world.connect(0, ephemeral(ALICE));
    world.tcp(0, stream, "\r\n\r\n");
    assert_eq!(world.take(ephemeral(ALICE)), "\r\n");
}

#[test]
fn section_18_2_2_a_reply_finds_a_new_connection() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    world.listening.push(phone(ALICE));
    let stream = world.connect(0, ephemeral(ALICE));
    let text = request("MESSAGE", "sip:bob@example.com", phone(ALICE), "m");
    world.tcp(0, stream, &over_tcp(&text));
    let got = world.expect(phone(BOB), "MESSAGE ");
    world.disconnect(0, stream);
    world.udp(0, phone(BOB), &answer(&got, "200 OK", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 200 ");
}

#[test]
fn a_contact_that_listens_is_connected_to_once() {
    let mut world = World::new(1);
    world.listening.push(phone(BOB));
    let contact = format!("<sip:bob@{};transport=tcp>", phone(BOB));
    world.udp(0, phone(BOB), &register("bob", phone(BOB), &contact, 1));
    world.expect(phone(BOB), "SIP/2.0 200 ");
    for branch in ["m1", "m2"] {
        world.udp(
            0,
            phone(ALICE),
            &request("MESSAGE", "sip:bob@example.com", phone(ALICE), branch),
        );
        let got = world.expect(phone(BOB), "MESSAGE ");
        let stream = world.stream_to(0, phone(BOB));
        world.tcp(0, stream, &answer(&got, "200 OK", phone(BOB)));
        world.expect(phone(ALICE), "SIP/2.0 200 ");
    }
    let open = world.streams.iter().filter(|(_, end)| end.0 == phone(BOB));
    assert_eq!(open.count(), 1);
}

#[test]
fn section_16_9_a_refused_connection_fails_at_once() {
    let mut world = World::new(1);
    let contact = format!("<sip:bob@{};transport=tcp>", phone(BOB));
    world.udp(0, phone(BOB), &register("bob", phone(BOB), &contact, 1));
    world.expect(phone(BOB), "SIP/2.0 200 ");
    world.udp(
        0,
        phone(ALICE),
        &request("INVITE", "sip:bob@example.com", phone(ALICE), "i"),
    );
    world.expect(phone(ALICE), "SIP/2.0 480 ");
}

#[test]
fn a_connection_that_never_opens_is_given_up() {
    let mut world = World::new(1);
    world.deaf.push(phone(BOB));
    let contact = format!("<sip:bob@{};transport=tcp>", phone(BOB));
    world.udp(0, phone(3), &register("bob", phone(3), &contact, 1));
    world.expect(phone(3), "SIP/2.0 200 ");
    world.udp(
        0,
        phone(ALICE),
        &request("MESSAGE", "sip:bob@example.com", phone(ALICE), "m"),
    );
    world.quiet(phone(ALICE));
    world.pass(Duration::from_secs(5));
    world.expect(phone(ALICE), "SIP/2.0 480 ");
}

#[test]
fn rfc_5626_section_6_a_lost_flow_ends_its_registration() {
    let mut world = World::new(1);
    let device = ";+sip.instance=\"<urn:uuid:1>\";reg-id=1";
    let stream = tcp_register(
        &mut world,
        &format!("<sip:bob@192.168.1.9;transport=tcp>{device}"),
    );
    assert_eq!(world.status(0).registrations, 1);
    world.disconnect(0, stream);
    assert_eq!(world.status(0).registrations, 0);
}

#[test]
fn a_lost_flow_fails_fast_when_the_contact_leads_nowhere() {
    let mut world = World::new(1);
    let stream = tcp_register(&mut world, "<sip:bob@192.168.1.9;transport=tcp>");
    let text = register("bob", phone(BOB), "<sip:bob@192.168.1.9;transport=tcp>", 2);
    let behind_nat = over_tcp(&text).replace("192.0.2.2:5060;rport", "192.168.1.9;rport");
    world.tcp(0, stream, &behind_nat);
    world.expect(ephemeral(BOB), "SIP/2.0 200 ");
    world.disconnect(0, stream);
    world.udp(
        0,
        phone(ALICE),
        &request("INVITE", "sip:bob@example.com", phone(ALICE), "i"),
    );
    world.expect(phone(ALICE), "SIP/2.0 480 ");
}

#[test]
fn rfc_5626_section_5_3_another_flow_of_the_device_is_tried() {
    let mut world = World::new(1);
    let device = |flow| format!(";+sip.instance=\"<urn:uuid:1>\";reg-id={flow}");
    let inside = "<sip:bob@192.168.1.9;transport=tcp>";
    let stream = tcp_register(&mut world, &format!("{inside}{}", device(2)));
    let udp = format!("<sip:bob@{}>{}", phone(3), device(1));
    world.udp(0, phone(3), &register("bob", phone(3), &udp, 2));
    world.expect(phone(3), "SIP/2.0 200 ");
    world.udp(
        0,
        phone(ALICE),
        &request("INVITE", "sip:bob@example.com", phone(ALICE), "i"),
    );
    let rung = |world: &World, at| world.inbox.get(&at).map_or(0, VecDeque::len);
    assert_eq!(
        rung(&world, ephemeral(BOB)) + rung(&world, phone(3)),
        1,
        "one flow at a time"
    );
    if rung(&world, ephemeral(BOB)) == 1 {
        world.disconnect(0, stream);
    }
    world.expect(phone(3), "INVITE ");
}

#[test]
fn section_18_3_a_stream_that_lost_its_place_is_closed() {
    let mut world = World::new(1);
    let stream = world.connect(0, ephemeral(ALICE));
    world.tcp(
        0,
        stream,
        "OPTIONS sip:example.com SIP/2.0\r\nTo: x\r\n\r\n",
    );
    assert!(
        !world.streams.contains_key(&(0, stream)),
        "no Content-Length"
    );
    assert_eq!(world.status(0).malformed, 1);
}
