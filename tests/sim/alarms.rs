//! Alarms: what raises them, and that they go by themselves (SPEC AL1, CL7).

use causeway_engine::admin::{Answer, Command};
use causeway_engine::alarm::history::Fate;

use crate::cluster::Cluster;

/// Whether an alarm is raised on a peer.
fn raised(cluster: &Cluster, peer: usize, id: u32) -> bool {
    cluster.alarms(peer).iter().any(|(other, _)| *other == id)
}

#[test]
fn a_disk_that_refuses_raises_an_alarm_until_it_takes_something() {
    let mut cluster = Cluster::new(21, 1, 0);
    cluster.form(&[0]);
    cluster.world.machines[0].disk.full = true;
    cluster.set(0, "SIP Domain 2 Name", "second.example");
    cluster.run(2_000);
    assert!(raised(&cluster, 0, 15_005), "{:?}", cluster.alarms(0));
    cluster.world.machines[0].disk.full = false;
    cluster.set(0, "SIP Domain 2 Name", "second.example");
    cluster.run(2_000);
    assert!(!raised(&cluster, 0, 15_005), "{:?}", cluster.alarms(0));
}

#[test]
fn a_subordinate_that_lost_its_secrets_fetches_them_from_the_primary() {
    let item = "Administration Account Password";
    let mut cluster = Cluster::new(22, 3, 0);
    cluster.form(&[0, 1, 2]);
    cluster.set(
        0,
        item,
        "$argon2id$v=19$m=16,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
    );
    cluster.run(2_000);
    for peer in [0, 2] {
        cluster.world.crash(peer);
    }
    cluster.world.machines[2].disk.secrets_lost = true;
    cluster.world.start(2);
    cluster.world.machines[2].disk.secrets_lost = false;
    cluster.run(2_000);
    assert!(raised(&cluster, 2, 15_903), "{:?}", cluster.alarms(2));
    cluster.world.start(0);
    cluster.run(5_000);
    assert!(!raised(&cluster, 2, 15_903), "{:?}", cluster.alarms(2));
    let node = cluster.world.machines[2].node.as_ref().expect("it is on");
    assert!(node.configuration().secret(item).is_some());
}

#[test]
fn forming_a_cluster_leaves_notices_alone() {
    let mut cluster = Cluster::new(23, 4, 0);
    cluster.form(&[3, 1, 0, 2]);
    cluster.run(20_000);
    for peer in 0..4 {
        let notices = [40_049, 40_901];
        let alarms = cluster.alarms(peer);
        let left: Vec<_> = alarms
            .iter()
            .filter(|(id, _)| !notices.contains(id))
            .collect();
        assert!(left.is_empty(), "peer {peer}: {left:?}");
        assert_eq!(
            alarms.len(),
            4,
            "permissive, and three identities: {alarms:?}"
        );
    }
}

#[test]
fn a_lost_peer_and_a_lost_primary_are_told_until_they_are_back() {
    let mut cluster = Cluster::new(24, 3, 0);
    cluster.form(&[0, 1, 2]);
    cluster.world.crash(0);
    cluster.run(10_000);
    for id in [20_004, 20_016] {
        assert!(raised(&cluster, 1, id), "{id}: {:?}", cluster.alarms(1));
    }
    cluster.world.start(0);
    cluster.run(10_000);
    for id in [20_004, 20_016] {
        assert!(!raised(&cluster, 1, id), "{id}: {:?}", cluster.alarms(1));
    }
}

#[test]
fn clustering_settings_that_do_not_fit_are_named() {
    let mut cluster = Cluster::new(25, 3, 0);
    cluster.form(&[0, 1, 2]);
    cluster.set(1, "Alternates Cluster Name", "other.example.net");
    cluster.run(20_000);
    for peer in [0, 1] {
        let alarms = cluster.alarms(peer);
        assert!(raised(&cluster, peer, 20_012), "{alarms:?}");
    }
    cluster.set(1, "Alternates Cluster Name", "cluster.example.net");
    cluster.choose_primary(1, 2);
    cluster.run(20_000);
    for peer in [0, 2] {
        let alarms = cluster.alarms(peer);
        assert!(raised(&cluster, peer, 20_017), "{alarms:?}");
        assert!(!raised(&cluster, peer, 20_012), "{alarms:?}");
        cluster.choose_primary(peer, 2);
    }
    cluster.run(20_000);
    for peer in 0..3 {
        let alarms = cluster.alarms(peer);
        assert!(!raised(&cluster, peer, 20_017), "{alarms:?}");
    }
}

#[test]
fn the_history_of_alarms_survives_a_restart() {
    let mut cluster = Cluster::new(26, 1, 0);
    cluster.form(&[0]);
    cluster.set(0, "SystemUnit Maintenance Mode", "On");
    cluster.run(2_000);
    cluster.world.crash(0);
    cluster.world.start(0);
    cluster.run(2_000);
    cluster.set(0, "SystemUnit Maintenance Mode", "Off");
    cluster.run(2_000);
    let Ok(Answer::AlarmHistory(lines)) = cluster.ask(0, Command::AlarmHistory(10)) else {
        panic!("another answer");
    };
    let fates: Vec<_> = lines.iter().map(|line| (line.id, line.fate)).collect();
    let expected = [
        (15_015, Fate::Lowered),
        (15_015, Fate::Raised),
        (15_015, Fate::Raised),
    ];
    assert_eq!(fates, expected);
}
