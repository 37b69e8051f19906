//! Operations of the cluster: each procedure, a crash of any peer at any moment, undo (SPEC CL8).

use causeway_engine::admin::{Answer, Command, Refusal};
use causeway_engine::cluster::status::PeerState;
use causeway_engine::config::schema::Scope;
use causeway_engine::operation::status::{Led, PlanState};

use crate::cluster::Cluster;

impl Cluster {
    /// Types a line in on a peer and waits for the answer.
    pub(crate) fn line(&mut self, peer: usize, line: &str) -> Result<String, Vec<String>> {
        let request = self.world.ask(peer, Command::Line(line.into()));
        for _ in 0..100 {
            self.run(100);
            match self.told.remove(&request) {
                None => {}
                Some(Ok(Answer::Text(text))) => return Ok(text),
                Some(Ok(answer)) => return Ok(format!("{answer:?}")),
                Some(Err(Refusal { reasons })) => return Err(reasons),
            }
        }
        panic!("peer {peer} does not answer {line}");
    }

    /// The operation that a peer leads or has led last.
    pub(crate) fn led(&self, peer: usize) -> Option<Led> {
        let (now, wall) = self.world.clocks(peer);
        let node = self.world.machines[peer].node.as_ref()?;
        node.status(now, wall).operation.led
    }

    /// Waits until the operation of a peer is over.
    pub(crate) fn finish(&mut self, peer: usize) -> Led {
        for _ in 0..600 {
            if let Some(led) = self.led(peer)
                && !matches!(led.state, PlanState::Running | PlanState::Undoing)
            {
                return led;
            }
            self.run(200);
        }
        panic!("the operation does not end: {:#?}", self.led(peer));
    }

    fn typed_primary(&self, peer: usize) -> u32 {
        let node = self.world.machines[peer].node.as_ref().expect("it is on");
        let tree = node.configuration().tree();
        tree.number("Alternates ConfigurationPrimary")
    }

    fn all_follow(&self, count: usize, primary: u8) {
        for peer in 0..count {
            let followed = self.primary_of(peer).map(|position| position.number());
            assert_eq!(followed, Some(primary), "peer {peer} follows");
            assert_eq!(self.typed_primary(peer), u32::from(primary), "peer {peer}");
        }
    }
}

fn formed(seed: u64, count: usize) -> Cluster {
    let mut cluster = Cluster::new(seed, count, 1);
    let order: Vec<usize> = (0..count).collect();
    cluster.form(&order);
    cluster
}

#[test]
fn the_primary_is_changed_in_one_step() {
    for leader in 0..3 {
        let mut cluster = formed(20, 3);
        let begun = cluster.line(leader, "xCommand ClusterChangePrimary Peer: 2");
        assert!(begun.is_ok(), "{begun:?}");
        let led = cluster.finish(leader);
        assert_eq!(led.state, PlanState::Done, "{led:#?}");
        cluster.all_follow(3, 2);
        cluster.set(1, "SIP Domain 2 Name", "second.example");
        cluster.heal();
        let saved = cluster.line(leader, "xCommand ConfigurationHistory Scope: Peer");
        assert!(saved.is_ok_and(|text| text.contains("operation by operation")));
    }
}

#[test]
fn a_crash_of_any_peer_at_any_moment_does_not_end_an_operation() {
    for victim in 0..3 {
        for moment in (100..3_000).step_by(350) {
            let mut cluster = formed(21, 3);
            let line = "xCommand ClusterChangePrimary Peer: 2";
            cluster.world.ask(0, Command::Line(line.into()));
            cluster.run(moment);
            cluster.world.crash(victim);
            cluster.run(4_000);
            cluster.world.start(victim);
            cluster.run(5_000);
            if cluster.led(0).is_none() {
                // The peer that leads crashed before anything was begun: nothing has changed.
                assert_eq!(victim, 0);
                cluster.all_follow(3, 1);
                continue;
            }
            let led = cluster.finish(0);
            assert_eq!(led.state, PlanState::Done, "{victim} {moment}: {led:#?}");
            cluster.all_follow(3, 2);
            cluster.heal();
        }
    }
}

#[test]
fn an_operation_is_undone_up_to_its_last_step() {
    for moment in (300..2_500).step_by(150) {
        let mut cluster = formed(22, 4);
        let begun = cluster.line(0, "xCommand ClusterChangePrimary Peer: 3");
        assert!(begun.is_ok(), "{begun:?}");
        cluster.run(moment);
        let undone = cluster.line(0, "xCommand OperationUndo");
        let led = cluster.finish(0);
        match undone {
            Ok(_) => {
                assert_eq!(led.state, PlanState::Undone, "{moment}: {led:#?}");
                cluster.run(5_000);
                cluster.all_follow(4, 1);
            }
            Err(_) => cluster.all_follow(4, 3),
        }
        cluster.heal();
    }
}

#[test]
fn a_dead_primary_is_replaced_only_with_an_explicit_word() {
    let mut cluster = formed(23, 2);
    cluster.set(0, "SIP Domain 2 Name", "seen.example");
    cluster.run(3_000);
    cluster.cut(&[0], &[1], true);
    cluster.run(8_000);
    // What the old primary saves now is seen by nobody.
    cluster
        .line(0, "xConfiguration SIP Domain 3 Name: unseen.example")
        .expect("saved");
    let refused = cluster.line(1, "xCommand ClusterChangePrimary Peer: 2");
    let reasons = refused.expect_err("without the word").join(" ");
    assert!(reasons.contains("10.0.0.1"), "{reasons}");
    let begun = cluster.line(1, "xCommand ClusterChangePrimary Peer: 2 Force: Yes");
    assert!(begun.is_ok(), "{begun:?}");
    assert_eq!(cluster.finish(1).state, PlanState::Done);
    cluster.set(1, "SIP Domain 4 Name", "new.example");
    cluster.run(3_000);
    cluster.cut(&[0], &[1], false);
    cluster.heal();
    assert_eq!(cluster.primary_of(0).map(|place| place.number()), Some(2));
    let branches = cluster
        .line(0, "xCommand ConfigurationBranches")
        .expect("listed");
    assert!(branches.contains("Branch 1"), "kept for review: {branches}");
    let node = cluster.world.machines[0].node.as_ref().expect("it is on");
    let branch = node.configuration().branches().next().expect("a branch");
    assert_eq!(
        branch.chain.tree().text("SIP Domain 3 Name"),
        "unseen.example"
    );
    assert_eq!(node.configuration().tree().text("SIP Domain 3 Name"), "");
}

#[test]
fn any_order_of_the_steps_by_hand_ends_with_one_primary() {
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for pause in [0, 40, 3_000] {
        for order in orders {
            let mut cluster = formed(24, 3);
            for peer in order {
                cluster.choose_primary(peer, 3);
                cluster.run(pause);
            }
            cluster.heal();
            cluster.all_follow(3, 3);
        }
    }
}

#[test]
fn peers_restart_one_after_the_other_and_the_primary_first() {
    let mut cluster = formed(25, 3);
    let begun = cluster.line(0, "xCommand ClusterRollingRestart");
    assert!(begun.is_ok(), "{begun:?}");
    let led = cluster.finish(0);
    assert_eq!(led.state, PlanState::Done, "{led:#?}");
    let restarts: Vec<&str> = cluster
        .world
        .log()
        .iter()
        .filter(|line| line.contains("restarts as it was told"))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(restarts, ["0", "1", "2"]);
    cluster.heal();
}

#[test]
fn a_preflight_never_passes_what_it_cannot_know() {
    let mut cluster = formed(26, 2);
    let report = cluster
        .line(1, "xCommand ClusterPreflight")
        .expect("a report");
    for line in [
        "passed       Version",
        "passed       Reachability",
        "passed       Replication",
        "passed       RoundTrip",
        "passed       Addresses",
        "passed       SystemName",
        "FAILED       HostName",
        "not checked  NTP",
        "not checked  OptionKeys",
    ] {
        assert!(report.contains(line), "{line} is missing in\n{report}");
    }
    assert_eq!(cluster.state_of(0, 1), PeerState::Active);
    let unknown = cluster.line(0, "xCommand ClusterPreflight Override: Weather");
    assert!(unknown.is_err_and(|reasons| reasons[0].contains("no check Weather")));
}

#[test]
fn what_is_known_of_a_purged_peer_comes_from_it_alone() {
    let mut cluster = formed(27, 3);
    cluster.run(5_000);
    let refused = cluster.line(0, "xCommand ClusterPurge Peer: 2");
    assert!(refused.is_err_and(|reasons| reasons[0].contains("Confirm: Yes")));
    let begun = cluster.line(0, "xCommand ClusterPurge Peer: 2 Confirm: Yes");
    assert!(begun.is_ok(), "{begun:?}");
    assert_eq!(cluster.finish(0).state, PlanState::Done);
    cluster.heal();
    let hash = |peer: usize| {
        let node = cluster.world.machines[peer]
            .node
            .as_ref()
            .expect("it is on");
        node.configuration().chain(Scope::Cluster).hash()
    };
    assert_eq!(hash(0), hash(2));
}

/// Checks whose subsystems this version does not have, and facts that these machines have not.
const UNKNOWN: &str = "Override: Platform,NAT,SystemName,HostName,Domain,Certificates,PrivateKey,\
    OptionKeys,H323,NTP,DNS,Neighbours,Type,EthernetSpeed,Gateway,Alarms,OtherCluster";

/// Machines that are on, the first of them a cluster of one.
fn first_of(seed: u64, count: usize) -> Cluster {
    let mut cluster = Cluster::new(seed, count, 1);
    for peer in 0..count {
        cluster.world.start(peer);
    }
    cluster.run(2_000);
    let line = format!("xCommand ClusterCreate Name: cluster.example.net {UNKNOWN}");
    cluster.line(0, &line).expect("begun");
    assert_eq!(cluster.finish(0).state, PlanState::Done);
    cluster.set(0, "SIP Domain 1 Name", "example.net");
    cluster.run(1_000);
    cluster
}

fn code(cluster: &mut Cluster) -> String {
    let text = cluster.line(0, "xCommand ClusterInvite").expect("a code");
    let line = text.lines().next().expect("a line");
    line.trim_start_matches("Code: ").to_string()
}

fn join(cluster: &mut Cluster, peer: usize) -> Result<String, Vec<String>> {
    let code = code(cluster);
    let line = format!("xCommand ClusterJoin Primary: 10.0.0.1 Code: {code} {UNKNOWN}");
    cluster.line(peer, &line)
}

#[test]
fn six_systems_become_a_cluster_one_by_one() {
    let mut cluster = first_of(30, 6);
    cluster.set(4, "SIP Domain 9 Name", "own.example");
    cluster.run(1_000);
    cluster.saved.clear();
    for peer in 1..6 {
        join(&mut cluster, peer).expect("accepted");
        let led = cluster.finish(0);
        assert_eq!(led.state, PlanState::Done, "{led:#?}");
        assert!(led.outside.iter().any(|system| system.contains("DNS")));
    }
    cluster.heal();
    cluster.all_follow(6, 1);
    let node = cluster.world.machines[4].node.as_ref().expect("it is on");
    let tree = node.configuration().tree();
    assert_eq!(tree.text("SIP Domain 1 Name"), "example.net");
    assert_eq!(
        tree.text("SIP Domain 9 Name"),
        "",
        "replaced by the primary's"
    );
    assert_eq!(node.configuration().branches().count(), 1, "and kept");
}

#[test]
fn nobody_joins_without_the_code() {
    let mut cluster = first_of(31, 3);
    let wrong = "xCommand ClusterJoin Primary: 10.0.0.1 Code: 0000-0000-0000-0000";
    assert!(cluster.line(1, wrong).is_err(), "nobody is invited");
    let real = code(&mut cluster);
    for _ in 0..5 {
        let refused = cluster.world.ask(1, Command::Line(wrong.into()));
        cluster.run(1_500);
        cluster.told.remove(&refused);
        cluster.world.crash(1);
        cluster.world.lose_disk(1);
        cluster.world.start(1);
        cluster.run(500);
    }
    let line = format!("xCommand ClusterJoin Primary: 10.0.0.1 Code: {real} {UNKNOWN}");
    let request = cluster.world.ask(2, Command::Line(line));
    cluster.run(20_000);
    assert!(
        !matches!(cluster.told.get(&request), Some(Ok(_))),
        "the code is void"
    );
    assert_eq!(cluster.status(0).peers.len(), 1);
    assert!(cluster.status(2).peers.is_empty());
}

#[test]
fn a_blocked_join_says_why_and_changes_nothing() {
    let mut cluster = first_of(32, 2);
    let real = code(&mut cluster);
    let line = format!("xCommand ClusterJoin Primary: 10.0.0.1 Code: {real}");
    let reasons = cluster.line(1, &line).expect_err("blocked").join("\n");
    assert!(
        reasons.contains("NTP") && reasons.contains("Override:"),
        "{reasons}"
    );
    assert_eq!(cluster.status(0).peers.len(), 1);
    let line = format!("xCommand ClusterPreflight Primary: 10.0.0.1 Code: {real}");
    let report = cluster.line(1, &line).expect("a report");
    for passed in ["Reachability", "RoundTrip", "NAT", "NoPeers", "Version"] {
        assert!(
            report.contains(&format!("passed       {passed}")),
            "{report}"
        );
    }
    assert_eq!(cluster.status(0).peers.len(), 1);
    let line = format!("xCommand ClusterJoin Primary: 10.0.0.1 Code: {real} {UNKNOWN}");
    cluster.line(1, &line).expect("the code is still good");
    assert_eq!(cluster.finish(0).state, PlanState::Done);
}

#[test]
fn a_crash_of_any_peer_at_any_moment_does_not_end_a_join() {
    for victim in 0..3 {
        for moment in (50..2_500).step_by(200) {
            let mut cluster = first_of(33, 3);
            join(&mut cluster, 1).expect("accepted");
            assert_eq!(cluster.finish(0).state, PlanState::Done);
            let real = code(&mut cluster);
            let line = format!("xCommand ClusterJoin Primary: 10.0.0.1 Code: {real} {UNKNOWN}");
            cluster.world.ask(2, Command::Line(line));
            cluster.run(moment);
            cluster.world.crash(victim);
            cluster.run(6_000);
            cluster.world.start(victim);
            cluster.run(20_000);
            let led = cluster.finish(0);
            let joined = led.title.contains("10.0.0.3");
            assert_eq!(led.state, PlanState::Done, "{victim} {moment}: {led:#?}");
            if joined {
                cluster.heal();
                assert_eq!(cluster.status(2).peers.len(), 3, "{victim} {moment}");
            } else {
                // A crash before anything was begun: nobody has changed.
                assert_eq!(cluster.status(0).peers.len(), 2, "{victim} {moment}");
                assert!(cluster.status(2).peers.is_empty());
            }
        }
    }
}

#[test]
fn a_join_is_undone_up_to_its_last_step() {
    for moment in (0..2_000).step_by(130) {
        let mut cluster = first_of(34, 3);
        join(&mut cluster, 1).expect("accepted");
        assert_eq!(cluster.finish(0).state, PlanState::Done);
        join(&mut cluster, 2).expect("accepted");
        cluster.run(moment);
        let undone = cluster.line(0, "xCommand OperationUndo");
        let led = cluster.finish(0);
        cluster.run(5_000);
        match undone {
            Ok(_) => {
                assert_eq!(led.state, PlanState::Undone, "{moment}: {led:#?}");
                assert_eq!(cluster.status(0).peers.len(), 2);
                assert_eq!(cluster.status(1).peers.len(), 2);
                assert!(cluster.status(2).peers.is_empty(), "{moment}");
            }
            Err(_) => cluster.heal(),
        }
    }
}

/// A cluster of as many peers as there are machines, formed by operations.
fn joined(seed: u64, count: usize) -> Cluster {
    let mut cluster = first_of(seed, count);
    for peer in 1..count {
        join(&mut cluster, peer).expect("accepted");
        assert_eq!(cluster.finish(0).state, PlanState::Done);
    }
    cluster
}

fn addresses(cluster: &Cluster, peer: usize) -> Vec<String> {
    let rows = cluster.status(peer).peers;
    rows.into_iter().map(|row| row.address).collect()
}

/// A machine is as it was delivered, but for its LAN and its password.
fn is_reset(cluster: &Cluster, peer: usize) {
    let node = cluster.world.machines[peer]
        .node
        .as_ref()
        .expect("it is on");
    let set: Vec<String> = node
        .configuration()
        .tree()
        .iter()
        .map(|(path, _)| path.to_string())
        .collect();
    // The name is given at every start.
    assert_eq!(
        set,
        ["Ethernet 1 IP V4 Address", "SystemUnit Name"],
        "peer {peer}"
    );
    assert_eq!(node.epoch().1, None, "it follows nobody");
}

#[test]
fn a_live_peer_is_removed_reset_and_can_join_again() {
    let mut cluster = joined(40, 4);
    let refused = cluster.line(0, "xCommand ClusterRemove Peer: 1");
    assert!(refused.is_err_and(|reasons| reasons[0].contains("another peer primary")));
    cluster
        .line(0, "xCommand ClusterRemove Peer: 2")
        .expect("begun");
    let led = cluster.finish(0);
    assert_eq!(led.state, PlanState::Done, "{led:#?}");
    cluster.run(5_000);
    is_reset(&cluster, 1);
    for peer in [0, 2, 3] {
        assert_eq!(
            addresses(&cluster, peer),
            ["10.0.0.1", "10.0.0.3", "10.0.0.4"]
        );
    }
    let history = cluster
        .line(1, "xCommand ConfigurationHistory Scope: Peer")
        .expect("shown");
    assert!(
        history.contains("Factory reset after leaving cluster.example.net"),
        "{history}"
    );
    join(&mut cluster, 1).expect("accepted");
    assert_eq!(cluster.finish(0).state, PlanState::Done);
    assert_eq!(addresses(&cluster, 1)[3], "10.0.0.2");
    cluster.heal();
}

#[test]
fn a_crash_of_any_peer_at_any_moment_does_not_end_a_removal() {
    for victim in 0..3 {
        for moment in (100..4_000).step_by(300) {
            let mut cluster = joined(41, 3);
            cluster
                .line(0, "xCommand ClusterRemove Peer: 2")
                .expect("begun");
            cluster.run(moment);
            cluster.world.crash(victim);
            cluster.run(6_000);
            cluster.world.start(victim);
            cluster.run(20_000);
            let led = cluster.finish(0);
            assert_eq!(led.state, PlanState::Done, "{victim} {moment}: {led:#?}");
            cluster.run(10_000);
            for peer in [0, 2] {
                assert_eq!(addresses(&cluster, peer), ["10.0.0.1", "10.0.0.3"]);
            }
            let node = cluster.world.machines[1].node.as_ref().expect("it is on");
            let (now, wall) = cluster.world.clocks(1);
            let due = node.status(now, wall).operation.reset;
            assert!(
                addresses(&cluster, 1).is_empty(),
                "{victim} {moment} {due:?}"
            );
        }
    }
}

#[test]
fn a_dead_peer_is_removed_and_told_so_when_it_returns() {
    // The one that returns has the higher address, then the lower.
    for (primary, dead, left) in [(0, 2, [0, 1]), (2, 0, [1, 2])] {
        let mut cluster = joined(42, 3);
        if primary == 2 {
            cluster
                .line(2, "xCommand ClusterChangePrimary Peer: 3")
                .expect("begun");
            assert_eq!(cluster.finish(2).state, PlanState::Done);
        }
        cluster.world.crash(dead);
        cluster.run(6_000);
        let line = format!("xCommand ClusterRemove Peer: {}", dead + 1);
        assert!(
            cluster.line(primary, &line).is_err(),
            "not without the word"
        );
        cluster
            .line(primary, &format!("{line} Dead: Yes"))
            .expect("begun");
        let led = cluster.finish(primary);
        assert_eq!(led.state, PlanState::Done, "{led:#?}");
        cluster.world.start(dead);
        cluster.run(40_000);
        let alarms = cluster.line(dead, "xStatus Alarm").expect("shown");
        assert!(
            alarms.contains("Removed from the cluster"),
            "{dead}: {alarms}"
        );
        let change = cluster.line(dead, "xConfiguration SIP Domain 5 Name: old.example");
        assert!(change.is_err(), "it acts for the cluster no more");
        for peer in left {
            assert_eq!(addresses(&cluster, peer).len(), 2);
            let healthy = cluster.line(peer, "xStatus Cluster").expect("shown");
            assert!(!healthy.contains("Failed"), "{healthy}");
        }
        let clear: Vec<String> = (1..=6)
            .map(|number| format!("Alternates Peer {number} Address: \"\""))
            .collect();
        let line = format!("xConfiguration {}", clear.join(" "));
        cluster.line(dead, &line).expect("saved");
        cluster.line(dead, "xCommand Restart").expect("begun");
        cluster.run(5_000);
        is_reset(&cluster, dead);
    }
}

#[test]
fn a_cluster_is_disbanded_to_one() {
    let mut cluster = joined(43, 3);
    cluster.line(0, "xCommand ClusterDisband").expect("begun");
    let led = cluster.finish(0);
    assert_eq!(led.state, PlanState::Done, "{led:#?}");
    cluster.run(5_000);
    assert_eq!(addresses(&cluster, 0), ["10.0.0.1"]);
    is_reset(&cluster, 1);
    is_reset(&cluster, 2);
    let node = cluster.world.machines[0].node.as_ref().expect("it is on");
    assert_eq!(
        node.configuration().tree().text("SIP Domain 1 Name"),
        "example.net"
    );
}

#[test]
fn clearing_the_list_arms_a_reset_and_the_same_list_disarms_it() {
    let mut cluster = joined(44, 2);
    cluster
        .line(1, "xConfiguration DNS Server 1 Address: \"10.9.9.9\"")
        .expect("saved");
    let clear = "xConfiguration Alternates Peer 1 Address: \"\" Alternates Peer 2 Address: \"\"";
    let back = |one: u8, two: u8| {
        format!(
            "xConfiguration Alternates Peer 1 Address: 10.0.0.{one} \
             Alternates Peer 2 Address: 10.0.0.{two}"
        )
    };
    cluster.line(1, clear).expect("saved");
    cluster.run(1_000);
    let banner = cluster.line(1, "xStatus Operation").expect("shown");
    assert!(
        banner.contains("FactoryReset") && banner.contains("10.0.0.1, 10.0.0.2"),
        "{banner}"
    );
    let alarms = cluster.line(1, "xStatus Alarm").expect("shown");
    assert!(
        alarms.contains("Factory reset at the next restart"),
        "{alarms}"
    );
    let other = cluster
        .line(1, &back(2, 1))
        .expect_err("another order")
        .join("");
    assert!(other.contains("10.0.0.1, 10.0.0.2"), "{other}");
    cluster.line(1, &back(1, 2)).expect("saved");
    cluster.line(1, "xCommand Restart").expect("begun");
    cluster.run(5_000);
    let node = cluster.world.machines[1].node.as_ref().expect("it is on");
    let tree = node.configuration().tree();
    assert_eq!(tree.text("DNS Server 1 Address"), "10.9.9.9");
    cluster.heal();
    cluster.line(1, clear).expect("saved");
    // A power cut is a restart too; one in the middle of the reset is another.
    cluster.world.crash(1);
    cluster.world.start(1);
    cluster.run(1);
    cluster.world.crash(1);
    cluster.world.start(1);
    cluster.run(5_000);
    is_reset(&cluster, 1);
    let again = cluster.line(1, "xStatus Operation").expect("shown");
    assert!(!again.contains("FactoryReset"), "{again}");
    let undo = cluster
        .line(1, "xCommand ConfigurationHistory Scope: Peer")
        .expect("shown");
    assert!(
        undo.contains("- DNS Server 1 Address: \"10.9.9.9\""),
        "restorable: {undo}"
    );
}
