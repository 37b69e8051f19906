//! Alarms: what raises them, and that they go by themselves (SPEC AL1, CL7).

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
