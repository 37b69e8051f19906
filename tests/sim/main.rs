//! The simulator: up to six real nodes under a virtual clock, with faults (SPEC RP10).
//!
//! Every run follows from one seed. A seed that once failed stands in `seeds.txt` with a line that
//! says what it caught, and is replayed for ever. `CAUSEWAY_SIMULATION_SEEDS=N` runs N fresh ones
//! and adds a line to `ledger.txt`.

mod alarms;
mod calls;
mod check;
mod cluster;
mod disk;
mod figures;
mod hazards;
mod licences;
mod link;
mod names;
mod operation;
mod phone;
mod storm;
mod world;

use causeway_engine::cluster::status::PeerState;

use cluster::Cluster;
use link::Link;

#[test]
fn a_cluster_forms_in_every_order() {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut cluster = Cluster::new(7, 3, 1);
        cluster.form(&order);
        cluster.heal();
        assert!(
            !cluster.saved.is_empty(),
            "the primary takes a change, order {order:?}"
        );
    }
}

#[test]
fn a_peer_that_lost_its_disk_is_refused_until_it_is_added_again() {
    let mut cluster = Cluster::new(8, 3, 1);
    cluster.form(&[0, 1, 2]);
    cluster.world.crash(2);
    cluster.world.lose_disk(2);
    cluster.world.start(2);
    cluster.run(2_000);
    cluster.type_in_cluster(2, 3, 1);
    cluster.run(30_000);
    assert_eq!(
        cluster.state_of(0, 2),
        PeerState::Failed,
        "an unknown identity is no peer"
    );
    for peer in [0, 1] {
        cluster.type_in_cluster(peer, 2, 1);
        cluster.run(2_000);
        cluster.type_in_cluster(peer, 3, 1);
    }
    cluster.heal();
    assert_eq!(cluster.state_of(0, 2), PeerState::Active);
}

#[test]
fn a_new_primary_is_followed_and_the_old_one_returns_harmlessly() {
    let mut cluster = Cluster::new(9, 3, 1);
    cluster.form(&[0, 1, 2]);
    cluster.world.crash(0);
    cluster.run(5_000);
    for peer in [2, 1] {
        cluster.choose_primary(peer, 2);
        cluster.run(3_000);
    }
    cluster.set(1, "SIP Domain 2 Name", "second.example");
    cluster.run(3_000);
    let saved = cluster.saved.len();
    assert_eq!(
        saved, 2,
        "the new primary takes a change while the old one is away"
    );
    cluster.world.start(0);
    cluster.run(10_000);
    cluster.set(0, "SIP Domain 3 Name", "third.example");
    cluster.run(3_000);
    assert_eq!(
        cluster.saved.len(),
        saved,
        "the old primary refuses a change"
    );
    cluster.choose_primary(0, 2);
    cluster.heal();
}

#[test]
fn two_primaries_chosen_apart_become_one() {
    let mut cluster = Cluster::new(10, 4, 1);
    cluster.form(&[0, 1, 2, 3]);
    cluster.cut(&[0, 1], &[2, 3], true);
    cluster.choose_primary(1, 2);
    cluster.choose_primary(3, 4);
    cluster.run(20_000);
    cluster.cut(&[0, 1], &[2, 3], false);
    cluster.heal();
    let primaries: Vec<_> = (0..4).map(|peer| cluster.primary_of(peer)).collect();
    assert!(
        primaries.windows(2).all(|pair| pair[0] == pair[1]),
        "{primaries:?}"
    );
}

#[test]
fn every_phone_reaches_every_other() {
    let mut cluster = Cluster::new(3, 3, 2);
    cluster.form(&[0, 1, 2]);
    cluster.run(5_000);
    for caller in 0..cluster.phones.len() {
        for callee in (0..cluster.phones.len()).filter(|callee| *callee != caller) {
            cluster.call(caller, callee);
            cluster.run(1_000);
        }
    }
    for phone in &cluster.phones {
        assert_eq!(
            (phone.completed, phone.failed.len()),
            (5, 0),
            "{}: {:?}",
            phone.user,
            phone.failed
        );
    }
}

#[test]
fn calls_cross_a_bad_link() {
    let mut cluster = Cluster::new(4, 2, 1);
    cluster.form(&[0, 1]);
    let bad = Link {
        delay_ms: 40,
        jitter_ms: 10,
        loss: 10,
        double: 5,
        cut: false,
    };
    cluster.world.link_all(bad);
    for _ in 0..50 {
        cluster.call(0, 1);
        cluster.run(6_000);
        // Several losses in a row are made good within 32 s (RFC 3261 section 17.1.1.2).
        for _ in 0..32 {
            if !cluster.phones[0].is_idle() {
                cluster.run(1_000);
            }
        }
    }
    let caller = &cluster.phones[0];
    assert_eq!(caller.completed, 50, "{:?}", caller.failed);
}

#[test]
fn an_hour_of_six_peers_passes() {
    let mut cluster = Cluster::new(6, 6, 4);
    cluster.form(&[0, 1, 2, 3, 4, 5]);
    for minute in 0..60 {
        cluster.set_something(0);
        let (caller, callee) = (minute % 24, (minute * 7 + 5) % 24);
        if caller != callee {
            cluster.call(caller, callee);
        }
        cluster.run(60_000);
    }
    cluster.heal();
    let failed: Vec<_> = cluster
        .phones
        .iter()
        .flat_map(|phone| &phone.failed)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}
