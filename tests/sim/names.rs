//! Peers by name: by address mapping, by DNS, and changed from addresses one peer at a time.

use causeway_engine::admin::Command;
use causeway_engine::cluster::status::PeerState;

use crate::cluster::Cluster;

fn name(peer: usize) -> String {
    format!("peer{}.example.net", peer + 1)
}

fn all_active(cluster: &Cluster) {
    let count = cluster.world.machines.len();
    for (one, two) in (0..count).flat_map(|one| (0..count).map(move |two| (one, two))) {
        let expected = if one == two {
            PeerState::ThisSystem
        } else {
            PeerState::Active
        };
        assert_eq!(cluster.state_of(one, two), expected, "{one} sees {two}");
    }
}

/// Types names in the place of addresses on one peer, as the guide does it.
fn type_in_names(cluster: &mut Cluster, peer: usize) {
    let count = cluster.world.machines.len();
    let list = (0..count).map(|number| {
        let item = format!("Alternates Peer {} Address", number + 1);
        (item, name(number))
    });
    cluster.world.ask(peer, Command::Set(list.collect()));
}

#[test]
fn addresses_become_names_one_peer_at_a_time_with_mappings() {
    let mut cluster = Cluster::new(31, 3, 1);
    cluster.form(&[0, 1, 2]);
    all_active(&cluster);
    let mut mapping = vec![("Alternates Cluster AddressMapping Mode".into(), "On".into())];
    for peer in 0..3 {
        let item = |what| format!("Alternates Cluster AddressMapping Pair {} {what}", peer + 1);
        let address = cluster.world.machines[peer].address.to_string();
        mapping.push((item("Fqdn"), name(peer)));
        mapping.push((item("IpAddress"), address));
    }
    cluster.world.ask(0, Command::Set(mapping));
    cluster.run(2_000);
    for peer in 0..3 {
        let known: Vec<_> = cluster.status(peer).peers.iter().map(|p| p.id).collect();
        type_in_names(&mut cluster, peer);
        cluster.run(5_000);
        all_active(&cluster);
        let row = &cluster.status(peer).peers[2];
        assert_eq!(row.address, name(2));
        let kept: Vec<_> = cluster.status(peer).peers.iter().map(|p| p.id).collect();
        assert_eq!(kept, known, "identities stay pinned");
    }
    let log = cluster.world.log();
    assert!(!log.iter().any(|line| line.contains("no such name")));
    cluster.set(0, "SIP Domain 2 Name", "named.example.org");
    cluster.heal();
}

#[test]
fn names_are_resolved_by_dns_and_followed_when_they_move() {
    let mut cluster = Cluster::new(32, 2, 1);
    for peer in 0..2 {
        let address = cluster.world.machines[peer].address;
        cluster.world.names.insert(name(peer), address);
    }
    let wrong = "10.9.9.9".parse().expect("an address");
    let right = cluster.world.names.insert(name(1), wrong).expect("known");
    cluster.form(&[0, 1]);
    type_in_names(&mut cluster, 0);
    cluster.run(5_000);
    assert_ne!(cluster.state_of(0, 1), PeerState::Active);
    cluster.world.names.insert(name(1), right);
    cluster.run(20_000);
    all_active(&cluster);

    // A name server that is away takes no cluster apart.
    cluster.world.names.clear();
    cluster.run(120_000);
    all_active(&cluster);
    // A peer that starts without one says what is missing, and goes on when it is back.
    cluster.world.crash(0);
    cluster.world.start(0);
    cluster.run(30_000);
    assert!(cluster.alarms(0).iter().any(|(id, _)| *id == 20_015));
    let named = |(id, text): &(u32, String)| *id == 20_005 && text.contains("no such name");
    assert!(
        cluster.alarms(0).iter().any(named),
        "{:?}",
        cluster.alarms(0)
    );
    for peer in 0..2 {
        let address = cluster.world.machines[peer].address;
        cluster.world.names.insert(name(peer), address);
    }
    cluster.run(20_000);
    all_active(&cluster);
    cluster.heal();
}
