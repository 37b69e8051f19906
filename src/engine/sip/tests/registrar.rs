//! REGISTER (RFC 3261 section 10.3, RFC 3327, RFC 5626 section 6).

use super::*;

const BOB: u8 = 2;

/// Sends a REGISTER with this Contact value and gives the answer.
#[track_caller]
fn send(world: &mut World, contact: &str, cseq: u32) -> String {
    world.udp(0, phone(BOB), &register("bob", phone(BOB), contact, cseq));
    world.take(phone(BOB))
}

fn contacts(text: &str) -> Vec<String> {
    let mut all: Vec<_> = headers(text, "Contact")
        .iter()
        .map(ToString::to_string)
        .collect();
    all.sort();
    all
}

/// Replaces the Contact line of a REGISTER by other lines.
fn with(contact: &str, lines: &str, cseq: u32) -> String {
    register("bob", phone(BOB), contact, cseq)
        .replace("\r\nContact: ", &format!("\r\n{lines}\r\nContact: "))
}

#[test]
fn item_8_all_bindings_are_listed_with_what_remains() {
    let mut world = World::new(1);
    send(&mut world, "<sip:bob@192.0.2.2>;expires=100;q=0.5", 1);
    world.pass(Duration::from_secs(40));
    let ok = send(&mut world, "<sip:bob@192.0.2.3>;expires=200", 2);
    assert!(ok.starts_with("SIP/2.0 200 OK\r\n"), "{ok}");
    assert_eq!(
        contacts(&ok),
        [
            "<sip:bob@192.0.2.2>;q=0.5;expires=60",
            "<sip:bob@192.0.2.3>;expires=200"
        ]
    );
    assert!(header(&ok, "To").contains("tag="));
}

#[test]
fn a_register_without_contact_asks() {
    let mut world = World::new(1);
    send(&mut world, "<sip:bob@192.0.2.2>;expires=100", 1);
    let ask = register("bob", phone(BOB), "x", 2).replace("Contact: x\r\n", "");
    world.udp(0, phone(BOB), &ask);
    assert_eq!(
        contacts(&world.take(phone(BOB))),
        ["<sip:bob@192.0.2.2>;expires=100"]
    );
}

#[test]
fn item_6_expires_comes_from_parameter_then_header_then_default() {
    let mut world = World::new(1);
    let contact = "<sip:bob@192.0.2.2>;expires=120, <sip:bob@192.0.2.3>";
    world.udp(0, phone(BOB), &with(contact, "Expires: 240", 1));
    assert_eq!(
        contacts(&world.take(phone(BOB))),
        [
            "<sip:bob@192.0.2.2>;expires=120",
            "<sip:bob@192.0.2.3>;expires=240"
        ]
    );
    let ok = send(&mut world, "<sip:bob@192.0.2.4>", 2);
    assert!(contacts(&ok).contains(&"<sip:bob@192.0.2.4>;expires=3600".to_string()));
    let ok = send(&mut world, "<sip:bob@192.0.2.4>;expires=99999", 3);
    assert!(contacts(&ok).contains(&"<sip:bob@192.0.2.4>;expires=3600".to_string()));
}

#[test]
fn item_7_too_brief_is_423_and_nothing_changes() {
    let mut world = World::new(1);
    let contact = "<sip:bob@192.0.2.3>;expires=300, <sip:bob@192.0.2.2>;expires=44";
    let refused = send(&mut world, contact, 1);
    assert!(refused.starts_with("SIP/2.0 423 Interval Too Brief\r\n"));
    assert_eq!(header(&refused, "Min-Expires"), "45");
    assert_eq!(world.status(0).registrations, 0, "atomic");
}

#[test]
fn expires_zero_removes() {
    let mut world = World::new(1);
    send(&mut world, "<sip:bob@192.0.2.2>, <sip:bob@192.0.2.3>", 1);
    let ok = send(&mut world, "<sip:bob@192.0.2.2>;expires=0", 2);
    assert_eq!(contacts(&ok), ["<sip:bob@192.0.2.3>;expires=3600"]);
}

#[test]
fn item_6_the_wildcard_removes_all_and_stands_alone() {
    let mut world = World::new(1);
    send(&mut world, "<sip:bob@192.0.2.2>, <sip:bob@192.0.2.3>", 1);
    for (contact, lines) in [
        ("*", "Supported: path"),
        ("*", "Expires: 10"),
        ("*, <sip:bob@192.0.2.2>", "Expires: 0"),
    ] {
        world.udp(0, phone(BOB), &with(contact, lines, 2));
        world.expect(phone(BOB), "SIP/2.0 400 ");
    }
    assert_eq!(world.status(0).registrations, 2);
    world.udp(0, phone(BOB), &with("*", "Expires: 0", 3));
    let ok = world.expect(phone(BOB), "SIP/2.0 200 ");
    assert!(headers(&ok, "Contact").is_empty());
    assert_eq!(world.status(0).registrations, 0);
}

#[test]
fn item_7_an_old_cseq_of_the_same_call_id_fails() {
    let mut world = World::new(1);
    send(&mut world, "<sip:bob@192.0.2.2>", 5);
    let refused = send(&mut world, "<sip:bob@192.0.2.2>;expires=0", 4);
    assert!(refused.starts_with("SIP/2.0 500 "), "{refused}");
    assert_eq!(world.status(0).registrations, 1);
    let text = register("bob", phone(BOB), "<sip:bob@192.0.2.2>;expires=0", 1)
        .replace("Call-ID: register-bob", "Call-ID: rebooted");
    world.udp(0, phone(BOB), &text);
    world.expect(phone(BOB), "SIP/2.0 200 ");
    assert_eq!(
        world.status(0).registrations,
        0,
        "another Call-ID starts anew"
    );
}

#[test]
fn section_19_1_4_contacts_are_compared_as_uris() {
    let mut world = World::new(1);
    send(&mut world, "<sip:bob@Phone.Example.Org;transport=tcp>", 1);
    let ok = send(
        &mut world,
        "<sip:%62ob@phone.example.org;Transport=TCP>;expires=77",
        2,
    );
    assert_eq!(contacts(&ok).len(), 1, "{ok}");
    assert!(contacts(&ok)[0].ends_with(";expires=77"));
    let ok = send(
        &mut world,
        "<sip:bob@phone.example.org:5060;transport=tcp>",
        3,
    );
    assert_eq!(contacts(&ok).len(), 2, "a port given differs from none");
}

#[test]
fn item_1_other_domains_are_not_found() {
    let mut world = World::new(1);
    for (from, to) in [
        ("REGISTER sip:example.com", "REGISTER sip:example.net"),
        ("To: <sip:bob@example.com>", "To: <sip:bob@example.net>"),
    ] {
        let text = register("bob", phone(BOB), "<sip:bob@192.0.2.2>", 1).replace(from, to);
        world.udp(0, phone(BOB), &text);
        world.expect(phone(BOB), "SIP/2.0 404 Not Found\r\n");
    }
}

#[test]
fn without_a_domain_our_addresses_are_the_domain() {
    let mut own = settings(0);
    own.domains.clear();
    let mut world = World::with(vec![own]);
    let text = register("bob", phone(BOB), "<sip:bob@192.0.2.2>", 1);
    world.udp(0, phone(BOB), &text.replace("example.com", "10.0.0.1"));
    world.expect(phone(BOB), "SIP/2.0 200 ");
    world.udp(0, phone(BOB), &text);
    world.expect(phone(BOB), "SIP/2.0 404 ");
    world.udp(
        0,
        phone(1),
        &request("MESSAGE", "sip:bob@10.0.0.1", phone(1), "m"),
    );
    world.expect(phone(BOB), "MESSAGE ");
}

#[test]
fn item_2_unknown_extensions_are_named() {
    let mut world = World::new(1);
    world.udp(
        0,
        phone(BOB),
        &with("<sip:bob@192.0.2.2>", "Require: path, teleport", 1),
    );
    let refused = world.expect(phone(BOB), "SIP/2.0 420 Bad Extension\r\n");
    assert_eq!(header(&refused, "Unsupported"), "teleport");
}

#[test]
fn rfc_3327_path_is_kept_shown_and_used() {
    let mut world = World::new(1);
    let path = "Supported: path\r\nPath: <sip:edge@192.0.2.9;lr>";
    world.udp(0, phone(BOB), &with("<sip:bob@192.168.7.7>", path, 1));
    let ok = world.expect(phone(BOB), "SIP/2.0 200 ");
    assert_eq!(header(&ok, "Path"), "<sip:edge@192.0.2.9;lr>");
    world.udp(
        0,
        phone(1),
        &request("INVITE", "sip:bob@example.com", phone(1), "i"),
    );
    let invite = world.expect(phone(9), "INVITE sip:bob@192.168.7.7 SIP/2.0\r\n");
    assert_eq!(headers(&invite, "Route"), ["<sip:edge@192.0.2.9;lr>"]);
}

#[test]
fn rfc_5626_section_6_an_instance_has_one_binding_per_reg_id() {
    let mut world = World::new(1);
    let device = ";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\";reg-id=1";
    send(&mut world, &format!("<sip:bob@192.0.2.2>{device}"), 1);
    let ok = send(&mut world, &format!("<sip:bob@192.0.2.3:5099>{device}"), 2);
    assert_eq!(contacts(&ok).len(), 1, "{ok}");
    assert!(contacts(&ok)[0].starts_with("<sip:bob@192.0.2.3:5099>"));
    assert!(contacts(&ok)[0].contains("reg-id=1"));
}

#[test]
fn bindings_expire() {
    let mut world = World::new(1);
    send(&mut world, "<sip:bob@192.0.2.2>;expires=60", 1);
    world.pass(Duration::from_secs(61));
    world.udp(
        0,
        phone(1),
        &request("MESSAGE", "sip:bob@example.com", phone(1), "m"),
    );
    world.expect(phone(1), "SIP/2.0 480 ");
    assert_eq!(world.status(0).registrations, 0);
}

#[test]
fn section_10_3_one_address_has_no_more_contacts_than_the_limit() {
    let mut world = World::new(1);
    for n in 0..crate::base::limits::BINDINGS_PER_AOR {
        let ok = send(
            &mut world,
            &format!("<sip:bob@192.0.2.2:{}>", 6000 + n),
            n as u32 + 1,
        );
        assert!(ok.starts_with("SIP/2.0 200 "));
    }
    let refused = send(&mut world, "<sip:bob@192.0.2.2:7000>", 99);
    assert!(refused.starts_with("SIP/2.0 503 "), "{refused}");
    header(&refused, "Retry-After");
    let ok = send(&mut world, "<sip:bob@192.0.2.2:6000>", 100);
    assert!(ok.starts_with("SIP/2.0 200 "), "a refresh is none more");
}

#[test]
fn mm1_maintenance_takes_no_registrations_and_no_calls() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let mut quiet = settings(0);
    quiet.maintenance = true;
    world.nodes[0].sip.configure(world.now, quiet);
    let refused = send(&mut world, "<sip:bob@192.0.2.2>", 9);
    assert!(refused.starts_with("SIP/2.0 503 "));
    world.udp(
        0,
        phone(1),
        &request("INVITE", "sip:bob@example.com", phone(1), "i"),
    );
    world.expect(phone(1), "SIP/2.0 503 ");
}

#[test]
fn malformed_contacts_are_refused_whole() {
    let mut world = World::new(1);
    for contact in ["<sip:bob@192.0.2.2>, <sip:@>", "<sip:bob@192.0.2.2", "\"x"] {
        let refused = send(&mut world, contact, 1);
        assert!(refused.starts_with("SIP/2.0 400 "), "{contact}: {refused}");
    }
    assert_eq!(world.status(0).registrations, 0);
}
