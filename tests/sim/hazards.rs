//! What a guide must warn of, and what befell others in the field, as scenarios: each is harmless
//! here, or told.

use causeway_engine::admin::Command;
use causeway_engine::cluster::status::PeerState;

use crate::cluster::Cluster;
use crate::link::Link;

/// The domain item that scenarios change.
const ITEM: &str = "SIP Domain 5 Name";

fn formed(seed: u64, count: usize, phones: usize) -> Cluster {
    let mut cluster = Cluster::new(seed, count, phones);
    let order: Vec<usize> = (0..count).collect();
    cluster.form(&order);
    cluster
}

fn held(cluster: &Cluster, peer: usize, path: &str) -> String {
    let node = cluster.world.machines[peer].node.as_ref();
    let node = node.expect("it is on");
    node.configuration().tree().text(path).to_string()
}

/// Every order of these.
fn orders(of: &[usize]) -> Vec<Vec<usize>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in of {
        let rest: Vec<_> = of.iter().copied().filter(|other| other != first).collect();
        for mut order in orders(&rest) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}

/// "The primary must start first": it need not. All 720 orders of six peers end alike.
#[test]
fn six_peers_boot_in_every_order() {
    let mut cluster = formed(71, 6, 0);
    let all = orders(&[0, 1, 2, 3, 4, 5]);
    assert_eq!(all.len(), 720);
    for (number, order) in all.iter().enumerate() {
        (0..6).for_each(|peer| cluster.world.crash(peer));
        for peer in order {
            cluster.world.start(*peer);
            cluster.run(200);
        }
        cluster.run(4_000);
        cluster.invariants.converged(&cluster.world);
        if number % 24 == 0 {
            let value = format!("order{number}.example");
            cluster.set(0, ITEM, &value);
            cluster.run(1_000);
            for peer in 0..6 {
                assert_eq!(held(&cluster, peer, ITEM), value, "order {order:?}");
            }
        }
    }
}

/// "Return of the old primary": it steps down, and what only it had saved is kept for review.
#[test]
fn what_an_old_primary_saved_alone_is_kept_aside() {
    let mut cluster = formed(72, 3, 0);
    cluster.cut(&[0], &[1, 2], true);
    cluster.run(5_000);
    cluster.set(0, ITEM, "alone.example");
    cluster.run(5_000);
    for peer in [1, 2] {
        cluster.choose_primary(peer, 2);
        cluster.run(1_000);
    }
    cluster.set(1, ITEM, "together.example");
    cluster.run(3_000);
    // What was saved on one peer alone is not what the cluster has agreed on.
    cluster.saved.retain(|save| save.value != "alone.example");
    cluster.cut(&[0], &[1, 2], false);
    cluster.run(20_000);
    for peer in 0..3 {
        assert_eq!(held(&cluster, peer, ITEM), "together.example");
    }
    let branches = cluster.line(0, "xCommand ConfigurationBranches");
    let branches = branches.expect("a list");
    assert!(branches.contains('1'), "{branches}");
    cluster.choose_primary(0, 2);
    cluster.heal();
}

/// "Do not change configuration while a peer is away": do; it catches up.
#[test]
fn a_peer_that_was_away_for_many_changes_catches_up() {
    let mut cluster = formed(73, 3, 0);
    cluster.world.crash(2);
    for number in 0..300 {
        cluster.set(0, ITEM, &format!("change{number}.example"));
        cluster.run(100);
    }
    cluster.world.start(2);
    cluster.run(2_000);
    assert_eq!(held(&cluster, 2, ITEM), "change299.example");
    cluster.heal();
}

/// "Isolate it and factory reset it": a removed peer that comes back changes nothing for members.
#[test]
fn a_removed_peer_never_influences_members() {
    let mut cluster = formed(74, 4, 1);
    cluster.cut(&[3], &[0, 1, 2], true);
    cluster.run(5_000);
    for peer in [0, 1, 2] {
        cluster.type_in_cluster(peer, 3, 1);
        cluster.run(500);
    }
    // On its own it takes a primary's part.
    cluster.choose_primary(3, 4);
    cluster.run(2_000);
    cluster.set(3, ITEM, "intruder.example");
    cluster.run(2_000);
    cluster
        .saved
        .retain(|save| save.value != "intruder.example");
    let before = cluster.configurations(&[0, 1, 2]);
    cluster.cut(&[3], &[0, 1, 2], false);
    cluster.run(30_000);
    assert_eq!(cluster.configurations(&[0, 1, 2]), before);
    for peer in 0..3 {
        assert_eq!(
            cluster.primary_of(peer).map(|place| place.number()),
            Some(1)
        );
        assert_ne!(cluster.state_of(3, peer), PeerState::Active);
    }
    cluster.set(0, ITEM, "members.example");
    cluster.run(2_000);
    for peer in 0..3 {
        assert_eq!(held(&cluster, peer, ITEM), "members.example");
    }
}

/// Clocks that step forwards and back cost no registration and no change.
#[test]
fn civil_time_may_step() {
    let mut cluster = formed(75, 3, 2);
    cluster.run(10_000);
    for (peer, skew_ms) in [
        (0, 3_600_000),
        (1, -86_400_000),
        (0, -3_600_000),
        (2, 40_000),
    ] {
        cluster.world.machines[peer].skew_ms = skew_ms;
        cluster.set(0, ITEM, &format!("step{peer}{}.example", skew_ms > 0));
        cluster.run(45_000);
        for caller in 0..6 {
            cluster.call(caller, (caller + 3) % 6);
            cluster.run(1_000);
        }
    }
    cluster.heal();
    for phone in &cluster.phones {
        assert!(
            phone.failed.is_empty(),
            "{}: {:?}",
            phone.user,
            phone.failed
        );
    }
}

/// A donor that dies while it sends everything it has leaves nothing half taken (as happened to a
/// registrar's replication in the field), and the next attempt brings all.
#[test]
fn a_donor_may_die_in_the_middle() {
    for after_ms in [1, 20, 60, 120, 300] {
        let mut cluster = formed(76, 2, 40);
        cluster.world.link_all(Link {
            delay_ms: 40,
            ..Link::GOOD
        });
        cluster.world.crash(1);
        cluster.world.start(1);
        cluster.run(after_ms);
        cluster.world.crash(0);
        cluster.run(2_000);
        cluster.world.start(0);
        cluster.heal();
    }
}

/// Everything restarts at once: no registration is doubled, and none stays away.
#[test]
fn a_restart_of_the_whole_cluster_doubles_nothing() {
    let mut cluster = formed(77, 3, 4);
    cluster.run(5_000);
    for _ in 0..3 {
        (0..3).for_each(|peer| cluster.world.crash(peer));
        cluster.run(1_000);
        (0..3).for_each(|peer| cluster.world.start(peer));
        cluster.run(65_000);
    }
    cluster.heal();
    let (now, _) = cluster.world.clocks(0);
    let node = cluster.world.machines[0].node.as_ref().expect("it is on");
    let mut names: Vec<_> = node.directory().summary(now);
    assert_eq!(names.len(), cluster.phones.len());
    names.dedup_by(|one, two| one.1 == two.1);
    assert_eq!(names.len(), cluster.phones.len());
}

/// A machine that stood still (a paused guest, a snapshot) does not accuse the others.
#[test]
fn a_peer_that_stood_still_accuses_nobody() {
    let mut cluster = formed(78, 3, 0);
    for _ in 0..10 {
        cluster.world.pause(1, 8_000);
        cluster.run(8_000);
        cluster.run(300);
        let lost = cluster.alarms(1);
        let lost = lost.iter().filter(|(id, _)| *id == 20_004);
        assert_eq!(lost.count(), 0, "at {} ms", cluster.world.now_ms);
        cluster.run(10_000);
    }
    cluster.heal();
}

/// A primary takes changes from the moment in which it was told that it is one, however slow its
/// disk: they wait for the promise.
#[test]
fn a_new_primary_takes_a_change_at_once() {
    let mut cluster = Cluster::new(81, 2, 0);
    cluster.world.slow_disks = true;
    cluster.world.start(0);
    cluster.run(5_000);
    for round in 0..10 {
        let name = format!("c{round}.example.net");
        let forming = vec![
            ("Alternates Cluster Name".to_string(), name),
            (
                "Alternates ConfigurationPrimary".to_string(),
                "1".to_string(),
            ),
            (
                "Alternates Peer 1 Address".to_string(),
                "10.0.0.1".to_string(),
            ),
            (
                "Alternates Peer 2 Address".to_string(),
                "10.0.0.2".to_string(),
            ),
        ];
        let change = vec![(ITEM.to_string(), format!("at-once{round}.example"))];
        for settings in [forming, change] {
            let request = cluster.world.ask(0, Command::Set(settings));
            let answer = (0..10_000).find_map(|_| {
                cluster.run(1);
                cluster.told.remove(&request)
            });
            let answer = answer.expect("an answer");
            assert!(answer.is_ok(), "round {round}: {answer:?}");
        }
        cluster.world.crash(0);
        cluster.world.lose_disk(0);
        cluster.world.start(0);
        cluster.run(5_000);
    }
}

/// One unreadable byte ends one link, which is made anew; the others never notice.
#[test]
fn an_unreadable_frame_ends_one_link() {
    let mut cluster = formed(79, 3, 1);
    cluster.run(5_000);
    for round in 0..20 {
        let links = cluster.world.links_between(0, 1);
        assert_eq!(links.len(), 2, "round {round}");
        let others = [
            cluster.world.links_between(0, 2),
            cluster.world.links_between(1, 2),
        ];
        cluster.world.spoil(links[round % 2]);
        cluster.run(15_000);
        assert_eq!(
            cluster.world.links_between(0, 2),
            others[0],
            "round {round}"
        );
        assert_eq!(
            cluster.world.links_between(1, 2),
            others[1],
            "round {round}"
        );
        assert_eq!(cluster.state_of(0, 1), PeerState::Active, "round {round}");
    }
    cluster.heal();
}

/// An hour on a bad line between two sites: nobody is called lost who is not.
#[test]
fn a_bad_line_raises_no_false_alarm() {
    let mut cluster = formed(80, 2, 1);
    cluster.world.link_all(Link {
        delay_ms: 40,
        jitter_ms: 10,
        loss: 50,
        double: 5,
        cut: false,
    });
    for _ in 0..720 {
        cluster.run(5_000);
        for peer in 0..2 {
            let lost = cluster.alarms(peer);
            let lost = lost.iter().filter(|(id, _)| *id == 20_004);
            assert_eq!(lost.count(), 0, "at {} ms", cluster.world.now_ms);
        }
    }
}
