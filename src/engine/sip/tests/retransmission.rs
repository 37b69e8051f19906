//! Messages lost at each step of a call over UDP (RFC 3261 section 17, RFC 6026).

use super::call::ringing;
use super::*;

const ALICE: u8 = 1;
const BOB: u8 = 2;

#[test]
fn timer_a_repeats_the_invite_until_something_comes_back() {
    let mut world = World::new(1);
    let (_, at_bob) = ringing(&mut world);
    let mut gaps = Vec::new();
    let mut last = world.now;
    for _ in 0..70 {
        world.pass(Duration::from_millis(500));
        while world
            .inbox
            .get(&phone(BOB))
            .is_some_and(|inbox| !inbox.is_empty())
        {
            assert_eq!(world.take(phone(BOB)), at_bob, "byte for byte");
            gaps.push(world.now.since(last).as_millis());
            last = world.now;
        }
    }
    assert_eq!(gaps, [500, 1_000, 2_000, 4_000, 8_000, 16_000], "17.1.1.2");
}

#[test]
fn timer_a_stops_at_a_provisional_response() {
    let mut world = World::new(1);
    let (_, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "100 Trying", phone(BOB)));
    world.pass(Duration::from_secs(100));
    world.quiet(phone(BOB));
}

#[test]
fn section_17_2_1_a_repeated_invite_is_answered_from_store() {
    let mut world = World::new(1);
    let (invite, at_bob) = ringing(&mut world);
    world.udp(0, phone(ALICE), &invite);
    world.expect(phone(ALICE), "SIP/2.0 100 Trying\r\n");
    world.udp(0, phone(BOB), &answer(&at_bob, "180 Ringing", phone(BOB)));
    let ring = world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.udp(0, phone(ALICE), &invite);
    assert_eq!(world.take(phone(ALICE)), ring);
    world.quiet(phone(BOB));
}

#[test]
fn timer_g_repeats_a_final_response_until_the_ack() {
    let mut world = World::new(1);
    let (invite, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "486 Busy Here", phone(BOB)));
    let busy = world.expect(phone(ALICE), "SIP/2.0 486 ");
    world.pass(Duration::from_millis(500));
    assert_eq!(world.take(phone(ALICE)), busy);
    world.pass(Duration::from_millis(1_000));
    assert_eq!(world.take(phone(ALICE)), busy);
    world.udp(0, phone(ALICE), &invite);
    assert_eq!(world.take(phone(ALICE)), busy);
    world.udp(0, phone(ALICE), &ack(&invite, &busy));
    world.pass(Duration::from_secs(100));
    world.quiet(phone(ALICE));
}

#[test]
fn timer_h_gives_up_waiting_for_the_ack() {
    let mut world = World::new(1);
    let (_, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "486 Busy Here", phone(BOB)));
    world.pass(Duration::from_secs(33));
    assert_eq!(world.status(0).transactions, 0);
}

#[test]
fn timer_d_answers_repeated_final_responses_with_the_same_ack() {
    let mut world = World::new(1);
    let (_, at_bob) = ringing(&mut world);
    let busy = answer(&at_bob, "486 Busy Here", phone(BOB));
    world.udp(0, phone(BOB), &busy);
    let ours = world.expect(phone(BOB), "ACK ");
    world.expect(phone(ALICE), "SIP/2.0 486 ");
    world.udp(0, phone(BOB), &busy);
    assert_eq!(world.take(phone(BOB)), ours);
    world.quiet(phone(ALICE));
}

#[test]
fn rfc_6026_a_lost_200_comes_again_from_the_phone() {
    let mut world = World::new(1);
    let (invite, at_bob) = ringing(&mut world);
    let ok = answer(&at_bob, "200 OK", phone(BOB));
    world.udp(0, phone(BOB), &ok);
    let first = world.expect(phone(ALICE), "SIP/2.0 200 ");
    world.udp(0, phone(BOB), &ok);
    assert_eq!(
        world.take(phone(ALICE)),
        first,
        "passed on again in Accepted"
    );
    world.udp(0, phone(ALICE), &invite);
    world.quiet(phone(ALICE));
    world.quiet(phone(BOB));
    world.pass(Duration::from_secs(33));
    world.udp(0, phone(BOB), &ok);
    world.quiet(phone(ALICE));
    assert_eq!(world.status(0).transactions, 0);
}

#[test]
fn section_13_2_2_4_a_lost_ack_is_passed_again() {
    let mut world = World::new(1);
    let (_, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 ");
    let text = in_dialog(&ok, "ACK", 1, phone(ALICE));
    for _ in 0..2 {
        world.udp(0, phone(ALICE), &text);
        world.expect(phone(BOB), "ACK ");
    }
}

#[test]
fn timers_e_and_j_carry_a_bye_over_losses() {
    let mut world = World::new(1);
    let (_, at_bob) = ringing(&mut world);
    world.udp(0, phone(BOB), &answer(&at_bob, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 ");
    let text = in_dialog(&ok, "BYE", 2, phone(ALICE));
    world.udp(0, phone(ALICE), &text);
    let bye = world.expect(phone(BOB), "BYE ");
    world.udp(0, phone(ALICE), &text);
    world.quiet(phone(ALICE));
    world.quiet(phone(BOB));
    world.pass(Duration::from_millis(500));
    assert_eq!(world.take(phone(BOB)), bye, "timer E");
    world.udp(0, phone(BOB), &answer(&bye, "200 OK", phone(BOB)));
    let done = world.expect(phone(ALICE), "SIP/2.0 200 ");
    world.udp(0, phone(ALICE), &text);
    assert_eq!(world.take(phone(ALICE)), done, "timer J");
    world.udp(0, phone(BOB), &answer(&bye, "200 OK", phone(BOB)));
    world.quiet(phone(ALICE));
    world.pass(Duration::from_secs(33));
    assert_eq!(world.status(0).transactions, 0);
}

#[test]
fn timer_f_gives_a_silent_phone_408() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    world.udp(
        0,
        phone(ALICE),
        &request("MESSAGE", "sip:bob@example.com", phone(ALICE), "m"),
    );
    let mut count = 0;
    for _ in 0..64 {
        world.pass(Duration::from_millis(500));
        while world
            .inbox
            .get(&phone(BOB))
            .is_some_and(|inbox| !inbox.is_empty())
        {
            world.expect(phone(BOB), "MESSAGE ");
            count += 1;
        }
    }
    assert_eq!(
        count, 11,
        "at 0, .5, 1.5, 3.5, 7.5 and every 4 s to 31.5 (17.1.2.2)"
    );
    world.expect(phone(ALICE), "SIP/2.0 408 ");
}

#[test]
fn section_10_3_a_repeated_register_is_answered_alike() {
    let mut world = World::new(1);
    let text = register("bob", phone(BOB), "<sip:bob@192.0.2.2>", 1);
    world.udp(0, phone(BOB), &text);
    let first = world.expect(phone(BOB), "SIP/2.0 200 ");
    world.udp(0, phone(BOB), &text);
    assert_eq!(world.take(phone(BOB)), first);
    assert_eq!(world.status(0).transactions, 0);
}

#[test]
fn rfc_2543_branches_are_matched_by_the_whole_request() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "x")
        .replace(";rport;branch=z9hG4bKx", "");
    world.udp(0, phone(ALICE), &invite);
    let at_bob = world.expect(phone(BOB), "INVITE ");
    world.udp(0, phone(ALICE), &invite);
    world.expect(phone(ALICE), "SIP/2.0 100 ");
    world.quiet(phone(BOB));
    world.udp(0, phone(BOB), &answer(&at_bob, "180 Ringing", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 180 ");
    world.udp(0, phone(ALICE), &cancel(&invite));
    world.expect(phone(ALICE), "SIP/2.0 200 ");
    world.expect(phone(BOB), "CANCEL ");
    world.udp(
        0,
        phone(BOB),
        &answer(&at_bob, "487 Request Terminated", phone(BOB)),
    );
    let ended = world.expect(phone(ALICE), "SIP/2.0 487 ");
    world.udp(0, phone(ALICE), &ack(&invite, &ended));
    world.pass(Duration::from_secs(6));
    world.quiet(phone(ALICE));
}
