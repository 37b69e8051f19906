//! Validation, Route and Record-Route (RFC 3261 sections 16.3, 16.4, 16.12, RFC 5658).

use super::call::ringing;
use super::*;

const ALICE: u8 = 1;
const BOB: u8 = 2;

/// Sends a MESSAGE for Bob, changed by `change`, and gives the answer.
#[track_caller]
fn refused(change: impl Fn(String) -> String) -> String {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let text = request("MESSAGE", "sip:bob@example.com", phone(ALICE), "m");
    world.udp(0, phone(ALICE), &change(text));
    world.quiet(phone(BOB));
    assert_eq!(world.status(0).transactions, 0);
    world.take(phone(ALICE))
}

#[test]
fn section_16_3_item_2_unknown_schemes() {
    for uri in [
        "tel:+15551234",
        "http://example.com",
        "nobodyKnowsThisScheme:x",
    ] {
        let answer = refused(|text| text.replacen("sip:bob@example.com", uri, 1));
        assert!(answer.starts_with("SIP/2.0 416 "), "{uri}: {answer}");
    }
}

#[test]
fn section_16_3_item_3_max_forwards() {
    let answer = refused(|text| text.replace("Max-Forwards: 70", "Max-Forwards: 0"));
    assert!(
        answer.starts_with("SIP/2.0 483 Too Many Hops\r\n"),
        "{answer}"
    );
}

#[test]
fn section_16_6_item_3_max_forwards_is_added_when_missing() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let text = request("MESSAGE", "sip:bob@example.com", phone(ALICE), "m");
    world.udp(0, phone(ALICE), &text.replace("Max-Forwards: 70\r\n", ""));
    assert_eq!(header(&world.take(phone(BOB)), "Max-Forwards"), "70");
}

#[test]
fn section_16_3_item_4_a_loop_is_found() {
    let mut world = World::new(1);
    // Two addresses of record that point at each other.
    for (user, other) in [("bob", "carol"), ("carol", "bob")] {
        let contact = format!("<sip:{other}@example.com>");
        world.udp(0, phone(BOB), &register(user, phone(BOB), &contact, 1));
        world.expect(phone(BOB), "SIP/2.0 200 ");
    }
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i");
    world.udp(0, phone(ALICE), &invite);
    let looped = world.expect(phone(ALICE), "SIP/2.0 482 Loop Detected\r\n");
    world.udp(0, phone(ALICE), &ack(&invite, &looped));
    world.pass(Duration::from_secs(40));
    assert_eq!(world.status(0).transactions, 0);
    assert!(world.status(0).requests < 20, "RFC 5393");
}

#[test]
fn section_16_3_item_5_proxy_require() {
    let answer = refused(|text| text.replace("\r\nTo:", "\r\nProxy-Require: foo, bar\r\nTo:"));
    assert!(answer.starts_with("SIP/2.0 420 "), "{answer}");
    assert_eq!(header(&answer, "Unsupported"), "foo, bar");
}

#[test]
fn nobody_relays_through_us() {
    for uri in ["sip:bob@example.net", "sip:bob@192.0.2.2"] {
        let answer = refused(|text| text.replacen("sip:bob@example.com", uri, 1));
        assert!(answer.starts_with("SIP/2.0 403 "), "{uri}: {answer}");
    }
    for route in [
        "<sip:192.0.2.2;lr>",
        "<sip:10.0.0.1;lr>, <sip:192.0.2.2;lr>",
        "<sip:MQAAAAAAAAAAAAAAAAAA@10.0.0.1;lr>",
        "<sip:x@10.0.0.1:5060;lr>, <sip:192.0.2.2;lr>",
    ] {
        let answer = refused(|text| text.replace("\r\nTo:", &format!("\r\nRoute: {route}\r\nTo:")));
        assert!(answer.starts_with("SIP/2.0 403 "), "{route}: {answer}");
    }
}

#[test]
fn a_token_holds_for_its_own_call_only() {
    let mut world = World::new(1);
    let (_, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 ");
    let bye = in_dialog(&ok, "BYE", 2, phone(ALICE));
    world.udp(
        0,
        phone(9),
        &bye.replace("Call-ID: call-1", "Call-ID: call-2"),
    );
    world.quiet(phone(BOB));
    world.expect(phone(9), "SIP/2.0 403 ");
}

#[test]
fn section_16_4_our_own_route_is_taken_off() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    for route in [
        "<sip:10.0.0.1;lr>",
        "<sip:10.0.0.1:5060;lr>",
        "<sip:example.com;lr>",
    ] {
        let text = request("MESSAGE", "sip:bob@example.com", phone(ALICE), route);
        let text = text.replace(route, &format!("{}", route.len()));
        let text = text.replace("\r\nTo:", &format!("\r\nRoute: {route}\r\nTo:"));
        world.udp(0, phone(ALICE), &text);
        let got = world.expect(phone(BOB), "MESSAGE sip:bob@192.0.2.2:5060 ");
        assert!(headers(&got, "Route").is_empty(), "{got}");
    }
}

#[test]
fn section_16_4_a_strict_router_is_repaired() {
    let mut world = World::new(1);
    let (_, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 ");
    // As a strict router sends it: our entry in the Request-URI, the target as last Route.
    let bye = in_dialog(&ok, "BYE", 2, phone(ALICE));
    let ours = uri(header(&ok, "Record-Route"));
    let target = uri(header(&ok, "Contact"));
    let bye = bye
        .replacen(&format!("BYE {target} "), &format!("BYE {ours} "), 1)
        .replace(&format!("Route: <{ours}>"), &format!("Route: <{target}>"));
    world.udp(0, phone(ALICE), &bye);
    let got = world.expect(phone(BOB), &format!("BYE {target} SIP/2.0\r\n"));
    assert!(headers(&got, "Route").is_empty(), "{got}");
}

#[test]
fn section_16_6_item_6_a_strict_next_hop_is_served() {
    let mut world = World::new(1);
    let path = "Supported: path\r\nPath: <sip:192.0.2.9>\r\nContact: ";
    let text = register("bob", phone(BOB), "<sip:bob@192.168.7.7>", 1);
    world.udp(0, phone(BOB), &text.replace("Contact: ", path));
    world.expect(phone(BOB), "SIP/2.0 200 ");
    world.udp(
        0,
        phone(ALICE),
        &request("MESSAGE", "sip:bob@example.com", phone(ALICE), "m"),
    );
    let got = world.expect(phone(9), "MESSAGE sip:192.0.2.9 SIP/2.0\r\n");
    assert_eq!(headers(&got, "Route"), ["<sip:bob@192.168.7.7>"]);
}

#[test]
fn rfc_5658_two_transports_two_entries() {
    let mut world = World::new(1);
    world.listening.push(phone(BOB));
    let contact = format!("<sip:bob@{};transport=tcp>", phone(BOB));
    world.udp(0, phone(BOB), &register("bob", phone(BOB), &contact, 1));
    world.expect(phone(BOB), "SIP/2.0 200 ");
    world.udp(
        0,
        phone(ALICE),
        &request("INVITE", "sip:bob@example.com", phone(ALICE), "i"),
    );
    let invite = world.expect(phone(BOB), "INVITE ");
    let routes = headers(&invite, "Record-Route");
    assert_eq!(routes.len(), 2, "{invite}");
    assert!(routes[0].contains(";transport=tcp") && !routes[1].contains("transport"));
    let stream = world.stream_to(0, phone(BOB));
    world.tcp(0, stream, &answer(&invite, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 ");
    world.udp(0, phone(ALICE), &in_dialog(&ok, "ACK", 1, phone(ALICE)));
    let got = world.expect(phone(BOB), "ACK ");
    assert!(headers(&got, "Route").is_empty(), "{got}");
    world.tcp(0, stream, &over_tcp(&back(&invite, "BYE", 1, phone(BOB))));
    world.expect(phone(ALICE), "BYE sip:alice@192.0.2.1:5060 ");
}

#[test]
fn section_16_6_a_peer_of_another_kind_keeps_its_route() {
    // A request from Bob passes a proxy in front of him first: our Record-Route follows its own.
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let text = request("INVITE", "sip:bob@example.com", phone(9), "p").replace(
        "Max-Forwards",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n\
         Record-Route: <sip:192.0.2.9;lr>\r\nMax-Forwards",
    );
    world.udp(0, phone(9), &text);
    let invite = world.expect(phone(BOB), "INVITE ");
    assert_eq!(headers(&invite, "Record-Route").len(), 2);
    world.udp(0, phone(BOB), &answer(&invite, "200 OK", phone(BOB)));
    world.expect(phone(9), "SIP/2.0 200 ");
    world.udp(0, phone(BOB), &back(&invite, "BYE", 1, phone(BOB)));
    let bye = world.expect(phone(9), "BYE sip:alice@192.0.2.9:5060 ");
    assert_eq!(headers(&bye, "Route"), ["<sip:192.0.2.9;lr>"]);
}
