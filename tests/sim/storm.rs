//! Faults by chance: while they last nothing may break, and once they end all must be well; or,
//! while some of them last for ever, what is healthy must come together.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use causeway_engine::cluster::status::PeerState;

use crate::cluster::{Cluster, QUIET_MS};

/// How long fresh seeds are tried in the gate.
const FRESH: Duration = Duration::from_secs(30);

/// Faults and actions of one storm.
const EVENTS: usize = 60;

/// Milliseconds between two of them at most.
const PAUSE_MS: u64 = 3_000;

/// Every so many seeds one leaves its faults as they are.
const LASTING: u64 = 4;

/// Goes through faults from one seed.
fn storm(seed: u64) -> Cluster {
    let count = 1 + (seed % 6) as usize;
    let mut cluster = Cluster::new(seed, count, 2);
    let order: Vec<usize> = (0..count).collect();
    cluster.form(&order);
    for _ in 0..EVENTS {
        cluster.mischief();
        let pause = cluster.world.random.below(PAUSE_MS);
        cluster.run(pause);
    }
    cluster
}

/// A storm that ends: everything must come together.
fn passing(seed: u64) -> Cluster {
    let mut cluster = storm(seed);
    cluster.heal();
    cluster
}

/// A storm whose faults last, but for a core that is healthy: the core must come together, whatever
/// the others do.
fn lasting(seed: u64) -> Cluster {
    let mut cluster = storm(seed);
    let count = cluster.world.machines.len();
    let size = 1 + cluster.world.random.below(count as u64) as usize;
    let first = cluster.world.random.below(count as u64) as usize;
    let core: Vec<usize> = (0..size).map(|number| (first + number) % count).collect();
    cluster.heal_core(&core);
    cluster.run(QUIET_MS);
    let primary = cluster.primary_of(core[0]);
    for peer in &core {
        for other in core.iter().filter(|other| *other != peer) {
            let state = cluster.state_of(*peer, *other);
            assert_eq!(state, PeerState::Active, "{peer} sees {other}");
        }
        assert_eq!(
            cluster.primary_of(*peer),
            primary,
            "whom peer {peer} follows"
        );
    }
    // With the primary among them they hold the same, and take changes.
    let place = primary.map(|position| usize::from(position.number()) - 1);
    if let Some(place) = place.filter(|place| core.contains(place)) {
        let hashes = cluster.configurations(&core);
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]));
        let saved = cluster.saved.len();
        cluster.set_something(place);
        cluster.run(5_000);
        assert!(cluster.saved.len() > saved, "the core takes a change");
    }
    cluster
}

fn run(seed: u64) -> Cluster {
    if seed.is_multiple_of(LASTING) {
        lasting(seed)
    } else {
        passing(seed)
    }
}

#[test]
fn seeds_that_once_failed_pass() {
    for line in include_str!("seeds.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let seed = line.split(' ').next().and_then(|seed| seed.parse().ok());
        println!("seed {line}");
        run(seed.expect("a line begins with its seed"));
    }
}

#[test]
fn fresh_seeds_pass() {
    let count: Option<u64> = env::var("CAUSEWAY_SIMULATION_SEEDS")
        .ok()
        .and_then(|count| count.parse().ok());
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = since.expect("after 1970").as_secs();
    let (began, first) = (Instant::now(), time * 1_000);
    let (mut seed, mut simulated_ms) = (first, 0);
    let more = |seed| match count {
        Some(count) => seed < first + count,
        None => began.elapsed() < FRESH,
    };
    while more(seed) {
        println!("seed {seed}: add it to tests/sim/seeds.txt if this is the last line");
        let cluster = run(seed);
        simulated_ms += cluster.world.now_ms;
        seed += 1;
    }
    assert!(seed > first, "a slow machine tries one seed at least");
    let hours = simulated_ms as f64 / 3_600_000.0;
    println!(
        "measured: {} fresh seeds, {hours:.1} cluster-hours simulated",
        seed - first
    );
    if count.is_some() {
        enter(time, first, seed - 1, hours);
    }
}

/// Adds a line to the ledger of what was tried.
fn enter(time: u64, first: u64, last: u64, hours: f64) {
    let root = env!("CARGO_MANIFEST_DIR");
    let commit = Command::new("git")
        .args(["-C", root, "rev-parse", "--short=12", "HEAD"])
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string())
        .unwrap_or_default();
    let ledger = OpenOptions::new()
        .append(true)
        .open(format!("{root}/tests/sim/ledger.txt"));
    let line = format!("{time} {commit} {first}..={last} {hours:.1} passed");
    writeln!(ledger.expect("the ledger"), "{line}").expect("written");
}

#[test]
fn one_seed_gives_one_log() {
    for seed in [5, 11] {
        let (one, two) = (run(seed), run(seed));
        assert!(one.world.log().len() > 100, "something happened");
        assert!(
            one.world.log() == two.world.log(),
            "seed {seed} ran differently"
        );
    }
}
