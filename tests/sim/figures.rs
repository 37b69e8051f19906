//! Figures under the virtual clock, printed for `cargo xtask bench`: times are exact and the same
//! on every machine; only what the simulation itself costs is not.

use std::time::Instant;

use crate::cluster::Cluster;
use crate::link::Link;

/// How often each thing is measured.
const SAMPLES: usize = 200;

/// Resolution, in milliseconds.
const STEP_MS: u64 = 5;

/// Longest time that is waited for one sample, in milliseconds.
const PATIENCE_MS: u64 = 10_000;

/// Six peers, 80 ms round trip between any two.
fn six_peers_far_apart(seed: u64) -> Cluster {
    let mut cluster = Cluster::new(seed, 6, 1);
    cluster.form(&[0, 1, 2, 3, 4, 5]);
    cluster.world.link_all(Link {
        delay_ms: 40,
        ..Link::GOOD
    });
    cluster.run(5_000);
    cluster
}

/// Milliseconds until something holds.
fn until(cluster: &mut Cluster, mut holds: impl FnMut(&Cluster) -> bool) -> u64 {
    let start = cluster.world.now_ms;
    while !holds(cluster) {
        cluster.run(STEP_MS);
        let passed = cluster.world.now_ms - start;
        assert!(passed < PATIENCE_MS, "in vain for {passed} ms");
    }
    cluster.world.now_ms - start
}

fn print(what: &str, mut samples: Vec<u64>) {
    samples.sort_unstable();
    let at = |share: usize| samples[samples.len() * share / 100];
    println!(
        "measured: {what}: median {} ms, p99 {} ms (six peers, 80 ms round trip)",
        at(50),
        at(99)
    );
}

#[test]
fn a_change_of_the_configuration_arrives() {
    let mut cluster = six_peers_far_apart(61);
    let path = "SIP Domain 2 Name";
    let samples = (0..SAMPLES).map(|number| {
        let value = format!("d{number}.example.org");
        cluster.set(0, path, &value);
        let passed = until(&mut cluster, |cluster| {
            let mut machines = cluster.world.machines.iter();
            machines.all(|machine| {
                let node = machine.node.as_ref().expect("it is on");
                node.configuration().tree().text(path) == value
            })
        });
        let pause = cluster.world.random.below(700);
        cluster.run(pause);
        passed
    });
    print("a change is on all other peers", samples.collect());
}

#[test]
fn a_registration_is_known_elsewhere() {
    let mut cluster = six_peers_far_apart(62);
    let count = cluster.phones.len();
    let samples = (0..SAMPLES).map(|number| {
        let phone = number % count;
        let user = format!("new{number}");
        cluster.rename(phone, &user);
        let aor = format!("{user}@example.net");
        let passed = until(&mut cluster, |cluster| {
            (0..6).all(|peer| cluster.knows(peer, &aor))
        });
        let pause = cluster.world.random.below(700);
        cluster.run(pause);
        passed
    });
    print(
        "a new registration is known to all peers",
        samples.collect(),
    );
}

#[test]
fn an_hour_of_six_peers_costs() {
    let began = Instant::now();
    let mut cluster = six_peers_far_apart(63);
    cluster.run(3_600_000);
    println!(
        "measured: an hour of six peers simulated in {:.1} s",
        began.elapsed().as_secs_f64()
    );
}
