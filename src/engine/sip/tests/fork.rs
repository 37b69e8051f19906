//! Several contacts (RFC 3261 sections 16.5 to 16.7).

use super::*;

const ALICE: u8 = 1;

fn contacts(world: &mut World, contacts: &str) {
    world.udp(0, phone(2), &register("bob", phone(2), contacts, 1));
    world.expect(phone(2), "SIP/2.0 200 ");
}

fn invite(world: &mut World) -> String {
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i1");
    world.udp(0, phone(ALICE), &invite);
    invite
}

#[test]
fn section_16_7_equal_preference_rings_together() {
    let mut world = World::new(1);
    contacts(&mut world, "<sip:bob@192.0.2.2>, <sip:bob@192.0.2.3>");
    let first = invite(&mut world);
    let (two, three) = (
        world.expect(phone(2), "INVITE "),
        world.expect(phone(3), "INVITE "),
    );
    assert_ne!(headers(&two, "Via")[0], headers(&three, "Via")[0]);
    world.udp(0, phone(3), &answer(&three, "180 Ringing", phone(3)));
    world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.udp(0, phone(2), &answer(&two, "200 OK", phone(2)));
    world.expect(phone(ALICE), "SIP/2.0 200 ");
    let cancel = world.expect(phone(3), "CANCEL ");
    assert_eq!(headers(&cancel, "Via")[0], headers(&three, "Via")[0]);
    world.udp(0, phone(3), &answer(&cancel, "200 OK", phone(3)));
    world.udp(
        0,
        phone(3),
        &answer(&three, "487 Request Terminated", phone(3)),
    );
    world.expect(phone(3), "ACK ");
    world.quiet(phone(ALICE));
    drop(first);
    world.pass(Duration::from_secs(40));
    assert_eq!(world.status(0).transactions, 0);
}

#[test]
fn section_16_7_both_answers_reach_the_caller() {
    let mut world = World::new(1);
    contacts(&mut world, "<sip:bob@192.0.2.2>, <sip:bob@192.0.2.3>");
    invite(&mut world);
    let (two, three) = (
        world.expect(phone(2), "INVITE "),
        world.expect(phone(3), "INVITE "),
    );
    world.udp(0, phone(2), &answer_tagged(&two, "200 OK", phone(2), "b2"));
    world.udp(
        0,
        phone(3),
        &answer_tagged(&three, "200 OK", phone(3), "b3"),
    );
    let one = world.expect(phone(ALICE), "SIP/2.0 200 ");
    let other = world.expect(phone(ALICE), "SIP/2.0 200 ");
    assert!(header(&one, "To").ends_with("tag=b2") && header(&other, "To").ends_with("tag=b3"));
}

#[test]
fn section_16_6_higher_preference_rings_first() {
    let mut world = World::new(1);
    contacts(
        &mut world,
        "<sip:bob@192.0.2.2>;q=0.3, <sip:bob@192.0.2.3>;q=0.8",
    );
    invite(&mut world);
    let three = world.expect(phone(3), "INVITE ");
    world.quiet(phone(2));
    world.udp(0, phone(3), &answer(&three, "486 Busy Here", phone(3)));
    world.expect(phone(3), "ACK ");
    let two = world.expect(phone(2), "INVITE ");
    world.quiet(phone(ALICE));
    world.udp(0, phone(2), &answer(&two, "404 Not Found", phone(2)));
    // Both are of class 4: the first is kept.
    world.expect(phone(ALICE), "SIP/2.0 486 ");
}

#[test]
fn section_16_7_6xx_ends_the_search() {
    let mut world = World::new(1);
    contacts(
        &mut world,
        "<sip:bob@192.0.2.2>, <sip:bob@192.0.2.3>, <sip:bob@192.0.2.4>;q=0.1",
    );
    invite(&mut world);
    let (two, three) = (
        world.expect(phone(2), "INVITE "),
        world.expect(phone(3), "INVITE "),
    );
    world.udp(0, phone(3), &answer(&three, "180 Ringing", phone(3)));
    world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.udp(0, phone(2), &answer(&two, "603 Decline", phone(2)));
    world.expect(phone(3), "CANCEL ");
    world.quiet(phone(ALICE));
    world.udp(
        0,
        phone(3),
        &answer(&three, "487 Request Terminated", phone(3)),
    );
    world.expect(phone(ALICE), "SIP/2.0 603 Decline\r\n");
    world.quiet(phone(4));
}

#[test]
fn section_16_7_all_challenges_are_shown() {
    let mut world = World::new(1);
    contacts(&mut world, "<sip:bob@192.0.2.2>, <sip:bob@192.0.2.3>");
    invite(&mut world);
    let (two, three) = (
        world.expect(phone(2), "INVITE "),
        world.expect(phone(3), "INVITE "),
    );
    let challenge = |text: String, realm: &str| {
        let line = format!("\r\nWWW-Authenticate: Digest realm=\"{realm}\"\r\nContent-Length");
        text.replace("\r\nContent-Length", &line)
    };
    let answers = (
        challenge(answer(&two, "401 Unauthorized", phone(2)), "two"),
        challenge(answer(&three, "401 Unauthorized", phone(3)), "three"),
    );
    world.udp(0, phone(2), &answers.0);
    world.udp(0, phone(3), &answers.1);
    let best = world.expect(phone(ALICE), "SIP/2.0 401 ");
    let mut challenges = headers(&best, "WWW-Authenticate");
    challenges.sort_unstable();
    assert_eq!(
        challenges,
        ["Digest realm=\"three\"", "Digest realm=\"two\""]
    );
}

#[test]
fn section_16_7_a_503_goes_up_as_500() {
    let mut world = World::new(1);
    contacts(&mut world, "<sip:bob@192.0.2.2>");
    invite(&mut world);
    let two = world.expect(phone(2), "INVITE ");
    world.udp(
        0,
        phone(2),
        &answer(&two, "503 Service Unavailable", phone(2)),
    );
    world.expect(phone(ALICE), "SIP/2.0 500 ");
}

#[test]
fn section_16_7_silence_is_408() {
    let mut world = World::new(1);
    contacts(&mut world, "<sip:bob@192.0.2.2>");
    invite(&mut world);
    world.pass(Duration::from_secs(33));
    world.expect(phone(ALICE), "SIP/2.0 100 ");
    world.expect(phone(ALICE), "SIP/2.0 408 Request Timeout\r\n");
}

#[test]
fn section_16_8_timer_c_ends_endless_ringing() {
    let mut world = World::new(1);
    contacts(&mut world, "<sip:bob@192.0.2.2>");
    invite(&mut world);
    let two = world.expect(phone(2), "INVITE ");
    world.udp(0, phone(2), &answer(&two, "180 Ringing", phone(2)));
    world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.pass(Duration::from_secs(150));
    world.udp(0, phone(2), &answer(&two, "180 Ringing", phone(2)));
    world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.pass(Duration::from_secs(150));
    world.quiet(phone(2));
    world.pass(Duration::from_secs(40));
    world.expect(phone(2), "CANCEL ");
    world.udp(
        0,
        phone(2),
        &answer(&two, "487 Request Terminated", phone(2)),
    );
    world.expect(phone(ALICE), "SIP/2.0 487 ");
}

#[test]
fn rfc_5626_section_5_3_one_flow_of_a_device_rings() {
    let mut world = World::new(1);
    contacts(
        &mut world,
        "<sip:bob@192.0.2.2>;+sip.instance=\"<urn:uuid:1>\";reg-id=1, \
         <sip:bob@192.0.2.3>;+sip.instance=\"<urn:uuid:1>\";reg-id=2",
    );
    invite(&mut world);
    let rung = [phone(2), phone(3)].map(|at| world.inbox.get(&at).is_some_and(|b| !b.is_empty()));
    assert_eq!(rung.iter().filter(|rung| **rung).count(), 1);
}
