//! CANCEL in every order (RFC 3261 sections 9 and 16.10).

use super::call::ringing;
use super::*;

const ALICE: u8 = 1;
const BOB: u8 = 2;

#[test]
fn section_9_1_a_ringing_call_is_cancelled() {
    let mut world = World::new(1);
    let (invite, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "180 Ringing", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.udp(0, phone(ALICE), &cancel(&invite));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    assert_eq!(header(&ok, "CSeq"), "1 CANCEL");
    let at = world.expect(phone(BOB), "CANCEL sip:bob@192.0.2.2:5060 SIP/2.0\r\n");
    assert_eq!(
        headers(&at, "Via"),
        [headers(&at_bob, "Via")[0]],
        "one Via, the same branch"
    );
    assert_eq!(header(&at, "CSeq"), "1 CANCEL");
    world.udp(0, phone(BOB), &answer(&at, "200 OK", phone(BOB)));
    world.udp(
        0,
        phone(BOB),
        &answer(&at_bob, "487 Request Terminated", phone(BOB)),
    );
    world.expect(phone(BOB), "ACK ");
    let ended = world.expect(phone(ALICE), "SIP/2.0 487 Request Terminated\r\n");
    world.udp(0, phone(ALICE), &ack(&invite, &ended));
    world.pass(Duration::from_secs(40));
    world.quiet(phone(ALICE));
    world.quiet(phone(BOB));
    assert_eq!(world.status(0).transactions, 0);
}

#[test]
fn section_9_1_cancel_waits_for_a_provisional_response() {
    let mut world = World::new(1);
    let (invite, at_bob) = ringing(&mut world);
    world.udp(0, phone(ALICE), &cancel(&invite));
    world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    world.quiet(phone(BOB));
    world.udp(0, phone(BOB), &answer(&at_bob, "100 Trying", phone(BOB)));
    world.expect(phone(BOB), "CANCEL ");
}

#[test]
fn section_9_2_the_answer_may_cross_the_cancel() {
    let mut world = World::new(1);
    let (invite, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "180 Ringing", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.udp(0, phone(ALICE), &cancel(&invite));
    world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    let at = world.expect(phone(BOB), "CANCEL ");
    world.udp(0, phone(BOB), &answer(&at_bob, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    assert_eq!(header(&ok, "CSeq"), "1 INVITE");
    world.udp(
        0,
        phone(BOB),
        &answer(&at, "481 Call/Transaction Does Not Exist", phone(BOB)),
    );
    world.udp(0, phone(ALICE), &in_dialog(&ok, "ACK", 1, phone(ALICE)));
    world.expect(phone(BOB), "ACK ");
}

#[test]
fn section_9_2_cancel_after_the_answer_changes_nothing() {
    let mut world = World::new(1);
    let (invite, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "200 OK", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    world.udp(0, phone(ALICE), &cancel(&invite));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    assert_eq!(header(&ok, "CSeq"), "1 CANCEL");
    world.quiet(phone(BOB));
}

#[test]
fn section_9_2_cancel_of_nothing() {
    let mut world = World::new(1);
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i1");
    world.udp(0, phone(ALICE), &cancel(&invite));
    world.expect(phone(ALICE), "SIP/2.0 481 ");
}

#[test]
fn section_9_1_a_phone_that_ignores_cancel_ends_after_64_t1() {
    let mut world = World::new(1);
    let (invite, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "180 Ringing", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.udp(0, phone(ALICE), &cancel(&invite));
    world.expect(phone(ALICE), "SIP/2.0 200 OK\r\n");
    world.pass(Duration::from_secs(33));
    world.expect(phone(ALICE), "SIP/2.0 487 ");
}
