//! The pool of licences: shared, lent for fourteen days by a lost peer, across restarts (SPEC LI2).

use crate::cluster::Cluster;

const DAY_MS: i64 = 24 * 3_600 * 1_000;

fn pool(cluster: &Cluster, peer: usize) -> Option<u64> {
    cluster.shown(peer).licences.calls
}

fn raised(cluster: &Cluster, peer: usize, id: u32) -> bool {
    cluster.alarms(peer).iter().any(|(other, _)| *other == id)
}

/// Three peers that bring one licence each.
fn licensed() -> Cluster {
    let mut cluster = Cluster::new(41, 3, 2);
    cluster.form(&[0, 1, 2]);
    for peer in 0..3 {
        assert_eq!(
            pool(&cluster, peer),
            None,
            "any number, until somebody says otherwise"
        );
        cluster.set(peer, "Licences Calls Installed", "1");
    }
    cluster.run(3_000);
    cluster
}

#[test]
fn licences_are_shared_and_calls_beyond_them_refused() {
    let mut cluster = licensed();
    for peer in 0..3 {
        assert_eq!(pool(&cluster, peer), Some(3));
    }
    cluster.phones[0].holds = true;
    for callee in [1, 2, 4] {
        cluster.call(0, callee);
        cluster.run(2_000);
    }
    assert_eq!(
        cluster.phones[0].completed, 3,
        "one peer may use all of them"
    );
    assert_eq!(cluster.shown(2).licences.in_use, 3);
    cluster.call(3, 5);
    cluster.run(2_000);
    assert_eq!(cluster.phones[3].failed, ["INVITE answered 503"]);
}

#[test]
fn the_licences_of_a_lost_peer_stay_for_fourteen_days_across_restarts() {
    let mut cluster = licensed();
    cluster.world.crash(2);
    cluster.run(20_000);
    assert_eq!(pool(&cluster, 0), Some(3));
    assert!(raised(&cluster, 0, 30_014), "{:?}", cluster.alarms(0));
    for (days, left) in [(13, 3), (15, 2)] {
        for peer in [0, 1] {
            cluster.world.crash(peer);
            cluster.world.machines[peer].skew_ms = days * DAY_MS;
            cluster.world.start(peer);
        }
        cluster.run(20_000);
        for peer in [0, 1] {
            assert_eq!(
                pool(&cluster, peer),
                Some(left),
                "after {days} days at peer {peer}"
            );
        }
    }
    assert!(raised(&cluster, 0, 30_016), "{:?}", cluster.alarms(0));
    cluster.world.machines[2].skew_ms = 15 * DAY_MS;
    cluster.world.start(2);
    cluster.run(20_000);
    assert_eq!(pool(&cluster, 0), Some(3), "it is back");
    assert!(!raised(&cluster, 0, 30_016), "{:?}", cluster.alarms(0));
}
