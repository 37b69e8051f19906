//! Calls ended on an administrator's word (SPEC MM2).

use super::*;
use crate::directory::shared::CallId;
use crate::sip::disconnect::Disconnected;

const ALICE: u8 = 1;
const BOB: u8 = 2;

const TOLD: Disconnected = Disconnected {
    told: 1,
    forgotten: 0,
};

fn disconnect(world: &mut World, n: usize, id: Option<CallId>) -> Disconnected {
    let now = world.now;
    let node = &mut world.nodes[n];
    let done = node
        .sip
        .disconnect(now, Wall::default(), &mut node.directory, id);
    world.settle();
    done
}

/// A call of Alice, at the first peer, to Bob, at the last; its 200 and the INVITE at Bob.
fn call(world: &mut World) -> (String, String) {
    let last = world.nodes.len() - 1;
    world.register(0, "alice", phone(ALICE));
    world.register(last, "bob", phone(BOB));
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i1");
    world.udp(0, phone(ALICE), &invite);
    let got = world.expect(phone(BOB), "INVITE ");
    world.udp(last, phone(BOB), &answer(&got, "200 OK", phone(BOB)));
    let ok = world.expect(phone(ALICE), "SIP/2.0 200 ");
    world.udp(0, phone(ALICE), &in_dialog(&ok, "ACK", 1, phone(ALICE)));
    world.expect(phone(BOB), "ACK ");
    (ok, got)
}

/// Both ends get the BYE that the other end would send, and answer it.
fn both_are_told(world: &mut World, ok: &str, numbers: [u32; 2]) {
    let last = world.nodes.len() - 1;
    let bye = world.expect(phone(BOB), &format!("BYE sip:bob@{} ", phone(BOB)));
    assert_eq!(header(&bye, "From"), header(ok, "From"));
    assert_eq!(header(&bye, "To"), header(ok, "To"));
    assert_eq!(header(&bye, "CSeq"), format!("{} BYE", numbers[0]));
    assert!(headers(&bye, "Route").is_empty(), "{bye}");
    assert!(header(&bye, "Reason").starts_with("Q.850;cause=31"));
    world.udp(last, phone(BOB), &answer(&bye, "200 OK", phone(BOB)));
    let bye = world.expect(phone(ALICE), &format!("BYE sip:alice@{} ", phone(ALICE)));
    assert_eq!(header(&bye, "From"), header(ok, "To"));
    assert_eq!(header(&bye, "To"), header(ok, "From"));
    assert_eq!(header(&bye, "Call-ID"), header(ok, "Call-ID"));
    assert_eq!(header(&bye, "CSeq"), format!("{} BYE", numbers[1]));
    assert!(headers(&bye, "Route").is_empty(), "{bye}");
    world.udp(0, phone(ALICE), &answer(&bye, "200 OK", phone(ALICE)));
    world.pass(Duration::from_secs(40));
    world.quiet(phone(ALICE));
    world.quiet(phone(BOB));
    for n in 0..world.nodes.len() {
        let status = world.status(n);
        assert_eq!((status.calls, status.transactions), (0, 0), "peer {n}");
        assert_eq!(world.nodes[n].directory.calls().count(), 0, "peer {n}");
    }
}

#[test]
fn mm2_both_ends_of_a_call_get_a_bye() {
    let mut world = World::new(1);
    let (ok, got) = call(&mut world);
    let (owner, id, shown) = world.nodes[0].directory.calls().next().expect("shared");
    assert_eq!(owner, world.nodes[0].directory.own());
    assert_eq!(id, CallId::of(header(&ok, "Call-ID").as_bytes()));
    assert!(shown.to.contains("bob") && shown.from.contains("alice") && shown.controlled);
    // The called has spoken once, the caller thrice.
    world.udp(0, phone(BOB), &back(&got, "INFO", 7, phone(BOB)));
    let info = world.expect(phone(ALICE), "INFO ");
    world.udp(0, phone(ALICE), &answer(&info, "200 OK", phone(ALICE)));
    world.expect(phone(BOB), "SIP/2.0 200 ");
    world.udp(0, phone(ALICE), &in_dialog(&ok, "INFO", 3, phone(ALICE)));
    let info = world.expect(phone(BOB), "INFO ");
    world.udp(0, phone(BOB), &answer(&info, "200 OK", phone(BOB)));
    world.expect(phone(ALICE), "SIP/2.0 200 ");
    assert_eq!(disconnect(&mut world, 0, Some(id)), TOLD);
    both_are_told(&mut world, &ok, [4, 8]);
    let none = Disconnected::default();
    assert_eq!(disconnect(&mut world, 0, Some(id)), none);
}

#[test]
fn mm2_a_call_between_peers_is_ended_at_either() {
    for n in 0..2 {
        let mut world = World::new(2);
        let (ok, _) = call(&mut world);
        assert_eq!(disconnect(&mut world, n, None), TOLD, "peer {n}");
        both_are_told(&mut world, &ok, [2, 1]);
    }
}

#[test]
fn mm2_a_call_whose_ends_cannot_be_told_is_forgotten() {
    let mut world = World::new(1);
    world.register(0, "bob", phone(BOB));
    let invite = request("INVITE", "sip:bob@example.com", phone(ALICE), "i1");
    world.udp(0, phone(ALICE), &invite);
    let got = world.expect(phone(BOB), "INVITE ");
    let ok = answer(&got, "200 OK", phone(BOB));
    let lines: Vec<&str> = ok
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("Record-Route"))
        .collect();
    world.udp(0, phone(BOB), &lines.concat());
    world.expect(phone(ALICE), "SIP/2.0 200 ");
    let (_, id, shown) = world.nodes[0].directory.calls().next().expect("shared");
    assert!(!shown.controlled);
    let done = disconnect(&mut world, 0, Some(id));
    assert_eq!((done.told, done.forgotten), (0, 1));
    world.quiet(phone(BOB));
    assert_eq!(world.status(0).calls, 0);
}
