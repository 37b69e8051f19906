//! [`Net`] against a `system` role made of a few lines.

use super::*;
use crate::wire::netlink::route::{NEW_ADDRESS, NEW_LINK};
use crate::wire::netlink::{Writer, messages};
use core::net::IpAddr;
use std::vec;

const T0: Instant = Instant::START;

fn started() -> MachineReport {
    MachineReport::Started {
        lan: [Some("eth0".to_string()), None],
        closed: Ok(()),
    }
}

fn wanted() -> Wanted {
    let mut wanted = Wanted::default();
    wanted.lans[0].addresses = vec![("192.0.2.10".parse().unwrap(), 24)];
    wanted.host_name = "peer1".to_string();
    wanted.openings.tcp = vec![443, 5060];
    wanted
}

/// An answer to message `sequence`: error `number`, 0 for an acknowledgement.
fn answer(sequence: u32, number: i32) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.message(2, 0, sequence, |writer| {
        writer.raw(&(-number).to_ne_bytes());
        writer.raw(&[0; 16]);
    });
    writer.finish().unwrap()
}

/// A dump that shows eth0, and its address when it has one.
fn dumps(up: bool, address: Option<[u8; 4]>) -> MachineReport {
    let mut writer = Writer::new();
    writer.message(NEW_LINK, 0, 0, |writer| {
        let flags = if up { 0x41_u32 } else { 0 };
        writer.raw(&[0, 0, 1, 0, 2, 0, 0, 0]);
        writer.raw(&flags.to_ne_bytes());
        writer.raw(&[0; 4]);
        writer.attribute(1, &[2, 0, 0, 0, 0, 9]);
        writer.text(3, "eth0");
        writer.attribute(4, &1500_u32.to_ne_bytes());
    });
    if let Some(address) = address {
        writer.message(NEW_ADDRESS, 0, 0, |writer| {
            writer.raw(&[2, 24, 0, 0, 2, 0, 0, 0]);
            writer.attribute(2, &address);
        });
    }
    MachineReport::Seen {
        dumps: vec![writer.finish().unwrap()],
    }
}

/// Answers the firewall and the first look; returns the request for the steps.
fn until_steps(net: &mut Net) -> MachineRequest {
    net.handle(T0, started());
    assert_eq!(
        net.poll_action(),
        Some(MachineRequest::HostName("peer1".to_string()))
    );
    let Some(MachineRequest::Firewall { sequence, .. }) = net.poll_action() else {
        panic!("the firewall goes first");
    };
    assert_eq!(net.poll_action(), None, "one thing at a time");
    net.handle(
        T0,
        MachineReport::Firewall {
            sequence,
            answers: vec![answer(1, 0)],
        },
    );
    assert_eq!(net.poll_action(), Some(MachineRequest::Look));
    net.handle(T0, dumps(false, None));
    net.poll_action().expect("steps")
}

#[test]
fn firewall_then_link_then_address_then_another_look() {
    let mut net = Net::new();
    net.configure(T0, wanted());
    let MachineRequest::Route { sequence, messages } = until_steps(&mut net) else {
        panic!("steps are route messages");
    };
    let kinds: Vec<u16> = messages
        .iter()
        .map(|bytes| super::tests::messages(bytes).next().unwrap().unwrap().kind)
        .collect();
    assert_eq!(kinds, [NEW_LINK, NEW_ADDRESS]);
    assert!(!net.is_settled());
    let answers = vec![answer(1, 0), answer(2, 0)];
    net.handle(T0, MachineReport::Route { sequence, answers });
    assert_eq!(net.poll_action(), Some(MachineRequest::Look));
    net.handle(T0, dumps(true, Some([192, 0, 2, 10])));
    assert_eq!(net.poll_action(), None);
    assert_eq!(net.poll_timeout(), None);
    assert!(net.is_settled());
    let status = net.status();
    assert_eq!(
        status[0].addresses,
        [("192.0.2.10".parse::<IpAddr>().unwrap(), 24)]
    );
    assert_eq!(status[0].mac, Some([2, 0, 0, 0, 0, 9]));
    assert!(status[0].link && status[0].fault.is_none());
    assert_eq!(status[1].interface, None);
}

#[test]
fn a_refused_step_is_an_alarm_and_tried_again() {
    let mut net = Net::new();
    net.configure(T0, wanted());
    let MachineRequest::Route { sequence, .. } = until_steps(&mut net) else {
        panic!("steps are route messages");
    };
    let answers = vec![answer(1, 0), answer(2, 22)];
    net.handle(T0, MachineReport::Route { sequence, answers });
    assert_eq!(net.poll_action(), None);
    let conditions = net.conditions();
    assert_eq!(conditions[0].detail, "address 192.0.2.10/24: invalid");
    let fault = net.status()[0].fault.clone();
    assert_eq!(fault.as_deref(), Some("address 192.0.2.10/24: invalid"));
    let retry = net.poll_timeout().expect("a retry");
    net.handle_timeout(retry);
    assert_eq!(net.poll_action(), Some(MachineRequest::Look));
    net.handle(retry, dumps(true, Some([192, 0, 2, 10])));
    assert!(net.is_settled());
}

#[test]
fn what_does_not_last_is_not_repeated_without_end() {
    let mut net = Net::new();
    net.configure(T0, wanted());
    let mut request = Some(until_steps(&mut net));
    let mut rounds = 0;
    while let Some(MachineRequest::Route { sequence, .. }) = request {
        rounds += 1;
        assert!(rounds <= ROUNDS);
        let answers = vec![answer(1, 0)];
        net.handle(T0, MachineReport::Route { sequence, answers });
        assert_eq!(net.poll_action(), Some(MachineRequest::Look));
        net.handle(T0, dumps(false, None));
        request = net.poll_action();
    }
    assert_eq!(net.conditions()[0].detail, "2 steps do not last");
    assert!(net.poll_timeout().is_some());
}

#[test]
fn a_refused_firewall_keeps_the_links_down() {
    let mut net = Net::new();
    net.configure(T0, wanted());
    net.handle(T0, started());
    net.poll_action();
    let Some(MachineRequest::Firewall { sequence, .. }) = net.poll_action() else {
        panic!("the firewall goes first");
    };
    let answers = vec![answer(9, 95)];
    net.handle(T0, MachineReport::Firewall { sequence, answers });
    assert_eq!(net.poll_action(), None);
    assert_eq!(net.conditions()[0].kind.id, 25_102);
    net.handle_timeout(net.poll_timeout().expect("a retry"));
    assert!(matches!(
        net.poll_action(),
        Some(MachineRequest::Firewall { .. })
    ));
}

#[test]
fn a_role_that_started_anew_is_told_everything_again() {
    let mut net = Net::new();
    net.configure(T0, wanted());
    let request = until_steps(&mut net);
    assert_eq!(until_steps(&mut net).clone(), renumbered(request));
}

/// The same steps under the number of the second time.
fn renumbered(request: MachineRequest) -> MachineRequest {
    let MachineRequest::Route { sequence, messages } = request else {
        panic!("steps are route messages");
    };
    // Each time: firewall, look, steps.
    let sequence = sequence + 3;
    MachineRequest::Route { sequence, messages }
}

#[test]
fn silence_is_an_alarm_and_old_answers_change_nothing() {
    let mut net = Net::new();
    net.configure(T0, wanted());
    let MachineRequest::Route { sequence, .. } = until_steps(&mut net) else {
        panic!("steps are route messages");
    };
    let late = net.poll_timeout().expect("an answer is awaited");
    net.handle_timeout(late);
    assert_eq!(net.conditions()[0].kind.id, 25_101);
    let answers = vec![answer(1, 0)];
    net.handle(late, MachineReport::Route { sequence, answers });
    assert_eq!(net.poll_action(), None);
    assert!(net.poll_timeout().is_some_and(|retry| retry > late));
}

#[test]
fn a_machine_that_is_not_ours_is_left_alone() {
    let mut net = Net::new();
    net.configure(T0, wanted());
    net.handle(T0, MachineReport::Absent);
    assert_eq!(net.poll_action(), None);
    assert!(net.is_settled() && net.status().is_empty() && net.conditions().is_empty());
}

#[test]
fn an_unasked_look_starts_repair() {
    let mut net = Net::new();
    net.configure(T0, wanted());
    let MachineRequest::Route { sequence, .. } = until_steps(&mut net) else {
        panic!("steps are route messages");
    };
    let answers = vec![answer(1, 0), answer(2, 0)];
    net.handle(T0, MachineReport::Route { sequence, answers });
    net.poll_action();
    net.handle(T0, dumps(true, Some([192, 0, 2, 10])));
    assert!(net.is_settled());
    net.handle(T0, dumps(true, None));
    assert!(matches!(
        net.poll_action(),
        Some(MachineRequest::Route { .. })
    ));
}

#[test]
fn rubbish_from_the_kernel_is_said_and_survived() {
    let mut net = Net::new();
    net.configure(T0, wanted());
    until_steps(&mut net);
    net.handle(
        T0,
        MachineReport::Seen {
            dumps: vec![vec![1, 2, 3]],
        },
    );
    assert_eq!(net.conditions()[0].kind.id, 25_101);
}
