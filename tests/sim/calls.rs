//! Calls, registrations and maintenance mode, seen and managed from any peer (SPEC MM1 to MM3).

use causeway_engine::admin::Command;

use crate::cluster::Cluster;

/// Three peers with one phone each; the first calls the others, and the calls stand.
fn with_calls() -> Cluster {
    let mut cluster = Cluster::new(31, 3, 2);
    cluster.form(&[0, 1, 2]);
    cluster.phones[0].holds = true;
    for callee in [2, 4] {
        cluster.call(0, callee);
        cluster.run(1_000);
    }
    assert_eq!(
        cluster.phones[0].completed, 2,
        "{:?}",
        cluster.phones[0].failed
    );
    cluster
}

/// How many calls each peer shows.
fn shown(cluster: &Cluster) -> Vec<usize> {
    (0..3).map(|peer| cluster.shown(peer).calls.len()).collect()
}

#[test]
fn calls_are_seen_and_ended_from_any_peer() {
    let mut cluster = with_calls();
    assert_eq!(shown(&cluster), [2, 2, 2]);
    let calls = cluster.shown(1).calls;
    let peers: Vec<Vec<u8>> = calls
        .iter()
        .map(|call| call.peers.iter().map(|peer| peer.number()).collect())
        .collect();
    assert_eq!(peers, [[1, 2], [1, 3]]);
    // The second peer has no part in the second call.
    cluster
        .ask(1, Command::Disconnect(Some(calls[1].id)))
        .expect("asked");
    cluster.run(2_000);
    assert_eq!(shown(&cluster), [1, 1, 1]);
    assert_eq!(
        (cluster.phones[0].hung_up, cluster.phones[4].hung_up),
        (1, 1)
    );
    cluster.ask(2, Command::Disconnect(None)).expect("asked");
    cluster.run(2_000);
    assert_eq!(shown(&cluster), [0, 0, 0]);
    assert_eq!(cluster.phones[2].hung_up, 1);
    let none = cluster.ask(2, Command::Disconnect(None));
    assert!(none.is_err_and(|refusal| refusal.reasons[0].contains("no call")));
    cluster.heal();
}

#[test]
fn calls_of_a_peer_that_died_are_gone_when_it_is_back() {
    let mut cluster = with_calls();
    cluster.world.crash(2);
    cluster.run(5_000);
    assert_eq!(
        shown_by(&cluster, 1),
        2,
        "the first peer still knows the call"
    );
    cluster.world.start(2);
    cluster.run(10_000);
    let calls = cluster.shown(1).calls;
    assert_eq!(
        calls[1].peers.len(),
        1,
        "the peer that is back has no part in it"
    );
    cluster.heal();
}

fn shown_by(cluster: &Cluster, peer: usize) -> usize {
    cluster.shown(peer).calls.len()
}

#[test]
fn a_registration_is_ended_from_any_peer() {
    let mut cluster = Cluster::new(32, 3, 1);
    cluster.form(&[0, 1, 2]);
    cluster.run(3_000);
    let aor = format!(
        "sip:{}@{}",
        cluster.phones[2].user, cluster.phones[2].domain
    );
    let there = |cluster: &Cluster| {
        let rows = cluster.shown(0).registrations;
        rows.iter().any(|row| aor.ends_with(&row.aor))
    };
    assert!(there(&cluster));
    cluster
        .ask(0, Command::Unregister(aor.clone()))
        .expect("asked");
    cluster.run(500);
    assert!(!there(&cluster));
    let none = cluster.ask(0, Command::Unregister(aor.clone()));
    assert!(none.is_err_and(|refusal| refusal.reasons[0].contains("not registered")));
}

#[test]
fn a_peer_in_maintenance_drains_and_the_others_pass_it_by() {
    let mut cluster = with_calls();
    cluster.set(2, "SystemUnit Maintenance Mode", "On");
    cluster.run(2_000);
    let drain = |cluster: &Cluster, peer: usize, of: u8| {
        let drains = cluster.shown(peer).drains;
        let row = drains
            .into_iter()
            .find(|row| row.peer.is_some_and(|peer| peer.number() == of));
        let row = row.expect("every peer tells");
        (row.load.maintenance, row.load.calls, row.is_drained())
    };
    assert_eq!(drain(&cluster, 0, 3), (true, 1, false));
    assert_eq!(drain(&cluster, 0, 2), (false, 1, false));
    // A new call to a phone there is not tried; the call that stands goes on until it ends.
    cluster.call(1, 5);
    cluster.run(3_000);
    assert_eq!(cluster.phones[1].failed, ["INVITE answered 480"]);
    let hung_up = cluster.phones[4].hung_up;
    cluster
        .ask(2, Command::Disconnect(None))
        .expect("ended here");
    cluster.run(2_000);
    assert_eq!(cluster.phones[4].hung_up, hung_up + 1);
    assert_eq!(drain(&cluster, 0, 3), (true, 0, true));
    // No registration is renewed there.
    cluster.run(70_000);
    let left = cluster.shown(0).registrations.len();
    assert_eq!(left, 4, "those of the other two peers");
    cluster.set(2, "SystemUnit Maintenance Mode", "Off");
    cluster.run(70_000);
    assert_eq!(cluster.shown(0).registrations.len(), 6);
    assert_eq!(drain(&cluster, 0, 3), (false, 0, false));
}
