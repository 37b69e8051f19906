//! Real faults while changes and calls go on: what was acknowledged stays, what heals comes back
//! (SPEC RP3, RP9, CL7).

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::lab::{Family, Lab, wait_for};
use crate::six::Six;

/// The two hosts between which calls go on all the time.
const CALLERS: [usize; 2] = [1, 2];

/// More calls than any run makes.
const CALLS_MAX: usize = 10_000;

#[test]
fn faults_cost_no_call_between_others_and_no_acknowledged_change() {
    let mut lab = Lab::new("f", 4, Family::V4, 34);
    lab.hosts[3].give_small_disk();
    let mut six = Six::new(lab);
    six.members = (0..4).collect();
    let all = six.members.clone();
    six.type_in(&all);
    six.wait_until_one(&all);
    let domain = "xConfiguration SIP Domain 1 Name: \"example.net\"";
    six.lab.hosts[0].done(domain);
    six.change_arrives("begin.example", &all);
    for host in CALLERS {
        six.phones(host, Duration::from_secs(40));
    }
    let calls = six.start_calls(CALLERS[0], CALLERS[1], CALLS_MAX);
    a_peer_is_killed_again_and_again(&mut six, &all);
    a_peer_stands_still(&six, &all);
    one_way_is_cut(&six, &all);
    a_disk_is_full(&six, &all);
    a_disk_is_lost(&mut six, &all);
    six.end_calls(calls).none_failed(100);
}

/// `kill -9` while the primary saves: what it acknowledges is there.
fn a_peer_is_killed_again_and_again(six: &mut Six, all: &[usize]) {
    for round in 0..5 {
        six.lab.hosts[3].kill();
        six.change_arrives(&format!("killed{round}.example"), &[0, 1, 2]);
        six.lab.hosts[3].start();
    }
    six.wait_until_one(all);
    six.change_arrives("killed.example", all);
    // The primary itself: what it has acknowledged is there when it is back.
    for round in 0..3 {
        six.change_arrives(&format!("primary{round}.example"), all);
        six.lab.hosts[0].kill();
        six.lab.hosts[0].start();
        let shown = six.lab.hosts[0].ask("xConfiguration SIP Domain 5 Name");
        assert!(shown.contains(&format!("primary{round}")), "{shown}");
        six.wait_until_one(all);
    }
}

/// A process that stands still for thirty seconds is failed, and is forgiven.
fn a_peer_stands_still(six: &Six, all: &[usize]) {
    six.lab.hosts[3].signal("-STOP");
    wait_for("peer that is missed", || {
        let status = six.lab.hosts[0].ask("xStatus Cluster");
        status.contains("Status: \"Failed\"")
    });
    six.change_arrives("still.example", &[0, 1, 2]);
    thread::sleep(Duration::from_secs(30));
    six.lab.hosts[3].signal("-CONT");
    six.wait_until_one(all);
    six.change_arrives("moves.example", all);
}

/// Frames pass one way only: both ends say so, and it heals.
fn one_way_is_cut(six: &Six, all: &[usize]) {
    six.lab.relay.cut(&[(3, 0)], true);
    let failed = |host: usize| {
        let status = six.lab.hosts[host].ask("xStatus Cluster");
        status.contains("Status: \"Failed\"")
    };
    wait_for("one-way cut that both ends see", || failed(0) && failed(3));
    six.lab.relay.cut(&[(3, 0)], false);
    six.wait_until_one(all);
    six.change_arrives("mended.example", all);
}

/// A subordinate whose disk is full says so, keeps what it has, and catches up.
fn a_disk_is_full(six: &Six, all: &[usize]) {
    let filler = six.lab.hosts[3].data().join("filler");
    fill(&filler);
    let mut number = 0;
    wait_for("full disk that is told of", || {
        number += 1;
        let value = format!("{}{number}.example", "x".repeat(50));
        let line = format!("xConfiguration SIP Domain 5 Name: \"{value}\"");
        six.lab.hosts[0].done(&line);
        let alarms = six.lab.hosts[3].ask("xStatus Alarm");
        alarms.contains("cannot be saved")
    });
    fs::remove_file(&filler).expect("it was there");
    six.wait_until_one(all);
    six.change_arrives("room.example", all);
    wait_for("disk that is well", || {
        !six.lab.hosts[3]
            .ask("xStatus Alarm")
            .contains("cannot be saved")
    });
}

/// Writes until nothing fits any more.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file");
    for block in [1 << 20, 1 << 12, 1] {
        while file.write_all(&vec![0; block]).is_ok() {}
    }
}

/// A machine that lost its disk is another machine: it is let in only when it is added again.
fn a_disk_is_lost(six: &mut Six, all: &[usize]) {
    six.lab.hosts[3].kill();
    six.lab.hosts[3].lose_data();
    six.lab.hosts[3].start();
    six.type_in(&[3]);
    wait_for("stranger that is refused", || {
        let status = six.lab.hosts[0].ask("xStatus Cluster");
        status.contains("identity is not the one met before")
    });
    six.members.pop();
    let rest = six.primary_first();
    six.type_in(&rest);
    six.wait_until_one(&rest);
    six.add(3);
    six.wait_until_one(all);
    six.change_arrives("lost.example", all);
}
