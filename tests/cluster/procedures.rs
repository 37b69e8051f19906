//! The guide's procedures by hand, each while calls go on between two peers that it does not
//! concern: none of them fails (SPEC CL3, CL6, LC1).

use std::time::Duration;

use crate::lab::{Family, Lab, wait_for};
use crate::six::Six;

/// The two hosts between which calls go on all the time.
const CALLERS: [usize; 2] = [2, 3];

/// More calls than any run makes.
const CALLS_MAX: usize = 10_000;

#[test]
fn every_procedure_of_the_guide_leaves_calls_alone() {
    let mut six = Six::new(Lab::new("g", 6, Family::V4, 31));
    form(&mut six);
    for host in CALLERS {
        six.phones(host, Duration::from_secs(40));
    }
    let calls = six.start_calls(CALLERS[0], CALLERS[1], CALLS_MAX);
    change_primary(&mut six);
    change_primary_whose_machine_is_dead(&mut six);
    remove_a_living_peer(&mut six);
    remove_a_dead_peer(&mut six);
    add_them_again(&mut six);
    change_an_address(&mut six);
    six.end_calls(calls).none_failed(100);
    disband(&mut six);
}

/// A cluster of one first, then one peer after the other.
fn form(six: &mut Six) {
    six.add(0);
    six.wait_until_one(&[0]);
    six.lab.hosts[0].done("xConfiguration SIP Domain 1 Name: \"example.net\"");
    for host in 1..6 {
        // What a joining peer had of its own is replaced by the primary's.
        six.lab.hosts[host].done("xConfiguration SIP Domain 5 Name: \"other.example\"");
        six.add(host);
        let members = six.members.clone();
        six.wait_until_one(&members);
        let shown = six.lab.hosts[host].ask("xConfiguration SIP Domain");
        assert!(shown.contains("\"example.net\""), "{shown}");
        assert!(!shown.contains("other.example"), "{shown}");
    }
    let refused = six.lab.hosts[4].refused("xConfiguration SIP Domain 5 Name: \"no.example\"");
    assert!(refused.contains(&six.lab.hosts[0].gateway), "{refused}");
    six.change_arrives("formed.example", &[0, 1, 2, 3, 4, 5]);
}

/// "Change the Primary Peer", the old primary alive: on every peer, whatever the order.
fn change_primary(six: &mut Six) {
    for (primary, order) in [(2, [0, 1, 2, 3, 4, 5]), (1, [5, 3, 1, 4, 2, 0])] {
        six.primary = primary;
        for host in order {
            let line = format!("xConfiguration Alternates ConfigurationPrimary: {primary}");
            six.lab.hosts[host].done(&line);
        }
        six.wait_until_one(&order);
        six.change_arrives(&format!("primary{primary}.example"), &order);
    }
}

/// The same with the old primary dead; it returns, is told, does no harm, and follows.
fn change_primary_whose_machine_is_dead(six: &mut Six) {
    six.lab.hosts[0].kill();
    six.primary = 2;
    let living = [1, 2, 3, 4, 5];
    let line = "xConfiguration Alternates ConfigurationPrimary: 2";
    for host in living {
        six.lab.hosts[host].done(line);
    }
    wait_for("new primary that takes changes", || {
        let line = "xConfiguration SIP Domain 5 Name: \"without.example\"";
        six.lab.hosts[1].cli(line).status.success()
    });
    six.change_arrives("while-away.example", &living);
    six.lab.hosts[0].start();
    wait_for("alarm at the old primary", || {
        let alarms = six.lab.hosts[0].ask("xStatus Alarm").to_lowercase();
        alarms.contains("primary")
    });
    let line_there = "xConfiguration SIP Domain 5 Name: \"harm.example\"";
    six.lab.hosts[0].refused(line_there);
    six.lab.hosts[0].done(line);
    six.wait_until_one(&[0, 1, 2, 3, 4, 5]);
    six.change_arrives("returned.example", &[0, 1, 2, 3, 4, 5]);
}

/// "Remove a Live Peer": the peer leaves first, then the others forget it.
fn remove_a_living_peer(six: &mut Six) {
    let leaver = six.members.pop().expect("there are six");
    let clear: String = (1..=6)
        .map(|place| format!(" Alternates Peer {place} Address: \"\""))
        .collect();
    let line = format!("xConfiguration Alternates Cluster Name: \"\"{clear}");
    six.lab.hosts[leaver].done(&line);
    let order = six.primary_first();
    six.type_in(&order);
    six.wait_until_one(&order);
    six.change_arrives("left.example", &order);
    let status = six.lab.hosts[leaver].ask("xStatus Cluster");
    assert!(!status.contains("Peer 1:"), "{status}");
}

/// "Remove a Dead Peer": the others forget a peer that is not there any more.
fn remove_a_dead_peer(six: &mut Six) {
    let dead = six.members.pop().expect("there are five");
    six.lab.hosts[dead].kill();
    let order = six.primary_first();
    six.type_in(&order);
    six.wait_until_one(&order);
    six.change_arrives("forgotten.example", &order);
    // It comes back and still believes to be a member: the others do not let it in.
    six.lab.hosts[dead].start();
    wait_for("peer that is told that it is none", || {
        let status = six.lab.hosts[dead].ask("xStatus Cluster");
        status.contains("Status: \"Failed\"") && !status.contains("Status: \"Active\"")
    });
    six.wait_until_one(&order);
}

/// Peers that left join again, one with all it had, one as it is when new.
fn add_them_again(six: &mut Six) {
    six.lab.hosts[4].kill();
    six.lab.hosts[4].lose_data();
    six.lab.hosts[4].start();
    for host in [4, 5] {
        six.add(host);
        let members = six.members.clone();
        six.wait_until_one(&members);
    }
    six.change_arrives("again.example", &[0, 1, 2, 3, 4, 5]);
}

/// "Change the Address of a Peer": on the peer itself and on all others.
fn change_an_address(six: &mut Six) {
    let host = *six.members.last().expect("there are six");
    let address = "10.77.0.66".to_string();
    six.lab.hosts[host].add_address(&address);
    six.lab.hosts[host].gateway.clone_from(&address);
    let list = six.list().replacen("xConfiguration", "", 1);
    let line = format!("xConfiguration Ethernet 1 IP V4 Address: \"{address}\"{list}");
    six.lab.hosts[host].done(&line);
    let others: Vec<_> = six.primary_first();
    let others: Vec<_> = others.into_iter().filter(|other| *other != host).collect();
    six.type_in(&others);
    let members = six.members.clone();
    six.wait_until_one(&members);
    six.change_arrives("moved.example", &members);
}

/// Every peer on its own again, with the configuration that all had.
fn disband(six: &mut Six) {
    let clear: String = (1..=6)
        .map(|place| format!(" Alternates Peer {place} Address: \"\""))
        .collect();
    for host in &six.lab.hosts {
        host.done(&format!(
            "xConfiguration Alternates Cluster Name: \"\"{clear}"
        ));
    }
    for host in &six.lab.hosts {
        let shown = host.ask("xConfiguration SIP Domain 5 Name");
        assert!(shown.contains("\"moved.example\""), "{shown}");
        host.done("xConfiguration SIP Domain 5 Name: \"alone.example\"");
    }
}

#[test]
fn three_peers_speak_ipv6() {
    let mut six = Six::new(Lab::new("v", 3, Family::V6, 33));
    for host in 0..3 {
        let line = "xConfiguration Alternates Cluster IPVersion: IPv6";
        six.lab.hosts[host].done(line);
        six.add(host);
        let members = six.members.clone();
        six.wait_until_one(&members);
    }
    six.lab.hosts[0].done("xConfiguration SIP Domain 1 Name: \"example.net\"");
    six.change_arrives("six.example", &[0, 1, 2]);
}
