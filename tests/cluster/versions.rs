//! Peers of an older version keep calls and shared state, take no configuration, and follow again
//! once they run this one (SPEC RP5, UP3).

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::lab::{Family, Lab, wait_for};
use crate::six::Six;

/// Source of the older version: what peers say to each other has grown since, and so has the
/// schema. It is kept here, so that it is there wherever the test is.
const FROZEN: &str = "tests/cluster/frozen/wire-1.tar.gz";

/// Calls in each direction between the versions.
const CALLS: usize = 50;

#[test]
fn an_older_peer_serves_and_follows_once_it_is_brought_up_to_date() {
    let mut lab = Lab::new("w", 3, Family::V4, 35);
    let frozen = build_frozen();
    for host in &mut lab.hosts {
        host.use_program(&frozen);
    }
    let mut six = Six::new(lab);
    let all = [0, 1, 2];
    six.members = all.to_vec();
    six.type_in(&all);
    six.wait_until_one(&all);
    six.lab.hosts[0].done("xConfiguration SIP Domain 1 Name: \"example.net\"");
    six.change_arrives("old.example", &all);

    // The primary first, as the guide has it; the last peer stays behind for now.
    for host in [0, 1] {
        update(&mut six, host);
        wait_for("peers that are active", || six.are_active(&all));
    }
    for host in [0, 2] {
        six.phones(host, Duration::from_secs(40));
    }
    for (from, to) in [(0, 2), (2, 0)] {
        let calls = six.start_calls(from, to, CALLS);
        six.finish_calls(calls).none_failed(CALLS);
    }
    six.change_arrives("new.example", &[0, 1]);
    for host in all {
        wait_for("alarm that names the reason", || is_told(&six, host));
    }
    let shown = six.lab.hosts[2].ask("xConfiguration SIP Domain 5 Name");
    assert!(shown.contains("old.example"), "{shown}");
    // What is new between peers is not said to one that does not know it.
    let found = six.lab.hosts[0].cli("xCommand ClusterPreflight");
    assert!(
        !String::from_utf8_lossy(&found.stdout).is_empty(),
        "{found:?}"
    );
    assert!(six.are_active(&all));

    // Brought up to date it reads what the older one stored, and follows by itself.
    update(&mut six, 2);
    six.wait_until_one(&all);
    six.change_arrives("all.example", &all);
    for host in all {
        wait_for("alarm that is gone", || !is_told(&six, host));
    }
}

fn update(six: &mut Six, host: usize) {
    let host = &mut six.lab.hosts[host];
    host.kill();
    host.use_own_program();
    host.start();
}

fn is_told(six: &Six, host: usize) -> bool {
    let alarms = six.lab.hosts[host].ask("xStatus Alarm");
    alarms.contains("configuration is not shared with it")
}

/// Builds the older version, once.
fn build_frozen() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/frozen");
    let binary = folder.join("target/debug/causeway");
    fs::create_dir_all(&folder).expect("a folder");
    let run = |command: &mut Command| {
        let output = command.output().expect("it starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "not run: 1 (the older version cannot be built: {errors})"
        );
    };
    let mut tar = Command::new("tar");
    run(tar.current_dir(&folder).arg("xzf").arg(root.join(FROZEN)));
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target"));
    // It is built once and runs for a minute.
    for quick in ["opt-level=0", "package.\"*\".opt-level=0"] {
        cargo.args(["--config", &format!("profile.dev.{quick}")]);
    }
    run(cargo.args(["build", "--locked", "--bin", "causeway"]));
    binary
}
