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
        "FAILED       SystemName",
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
