//! A cluster of two on two hosts, as its users have it: formed by hand, with phones and calls.
//!
//! The hosts are network namespaces, joined by a seeded relay; the phones are sipp, the judge of
//! what is sent is tshark. Needs root. What cannot run fails and says `not run`.

mod lab;
mod relay;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use lab::{Host, Lab, wait_for};

/// Users registered at each peer.
const USERS: usize = 100;

/// Calls in each direction while all is well.
const CALLS: usize = 250;

#[test]
fn two_peers_share_phones_calls_and_failures() {
    let mut lab = Lab::new(20_261_122);
    form(&lab);
    let [alpha, beta] = &mut lab.hosts;
    capture(alpha);
    for (host, letter) in [(&mut *alpha, 'a'), (&mut *beta, 'b')] {
        users(host, letter);
        register(host);
        answer(host);
    }
    registered_everywhere(&lab);
    calls_cross_both_ways(&lab);
    lab.relay.worsen(40, 10);
    calls_cross_both_ways(&lab);
    lab.relay.worsen(0, 0);
    calls_while_the_link_is_cut(&lab);
    wait_for("peers active again", || lab.hosts.iter().all(both_active));
    calls_cross_both_ways(&lab);
    lab.hosts[0].end_last();
    lab.hosts[0].end_last();
    nothing_malformed(&lab.hosts[0]);
}

/// Forms the cluster as the guide does, on each peer by hand.
fn form(lab: &Lab) {
    let [alpha, beta] = &lab.hosts;
    for host in &lab.hosts {
        let line = format!(
            "xConfiguration Alternates Cluster Name: \"pair.example.net\" \
             Alternates ConfigurationPrimary: 1 \
             Alternates Peer 1 Address: {} Alternates Peer 2 Address: {}",
            alpha.gateway, beta.gateway
        );
        assert!(host.cli(&line).status.success(), "{}", host.log());
    }
    wait_for("active peers", || lab.hosts.iter().all(both_active));
    let saved = alpha.ask("xConfiguration SIP Domain 1 Name: example.net");
    assert!(saved.contains("2 of 2 peers"), "{saved}");
    let shown = || beta.ask("xConfiguration SIP Domain 1 Name");
    wait_for("the domain at the subordinate", || {
        shown().contains("\"example.net\"")
    });
    let refused = beta.cli("xConfiguration SIP Domain 2 Name: example.org");
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && reason.contains(&alpha.gateway),
        "{refused:?}"
    );
}

fn both_active(host: &Host) -> bool {
    let status = host.ask("xStatus Cluster");
    status.contains("Status: \"This system\"") && status.contains("Status: \"Active\"")
}

/// Writes the users of a host, one a line, as sipp reads them.
fn users(host: &Host, letter: char) {
    let lines: String = (0..USERS)
        .map(|number| format!("{letter}{number};\n"))
        .collect();
    fs::write(host.file("users.csv"), format!("SEQUENTIAL\n{lines}")).expect("a file");
}

fn register(host: &Host) {
    let statistics = sipp(
        host,
        "register.xml",
        6_100,
        USERS,
        50,
        host.file("users.csv"),
    );
    assert_eq!(count(&statistics, "FailedCall(C)"), 0, "{statistics:?}");
    assert_eq!(count(&statistics, "SuccessfulCall(C)"), USERS);
}

/// Starts the phones of a host, which take every call.
fn answer(host: &mut Host) {
    let mut command = host.inside("sipp");
    command.args([
        "-sf",
        &scenario("called.xml"),
        "-i",
        &host.phones,
        "-p",
        "6000",
    ]);
    command.args(["-nostdin", "-t", "u1"]);
    host.keep(command);
}

fn registered_everywhere(lab: &Lab) {
    for host in &lab.hosts {
        let all = || {
            host.ask("xStatus Registrations")
                .matches("example.net\"")
                .count()
        };
        wait_for("all registrations at both peers", || all() >= 2 * USERS);
    }
}

fn calls_cross_both_ways(lab: &Lab) {
    let [alpha, beta] = &lab.hosts;
    thread::scope(|scope| {
        for (from, to) in [(alpha, beta), (beta, alpha)] {
            scope.spawn(move || {
                let statistics = sipp(from, "caller.xml", 6_200, CALLS, 25, to.file("users.csv"));
                assert_eq!(count(&statistics, "FailedCall(C)"), 0, "{statistics:?}");
                assert_eq!(count(&statistics, "SuccessfulCall(C)"), CALLS);
            });
        }
    });
}

/// Calls go on while the link is cut for five seconds; each that fails has a cause that sipp names.
fn calls_while_the_link_is_cut(lab: &Lab) {
    let [alpha, beta] = &lab.hosts;
    let mut child = start_sipp(alpha, "caller.xml", 6_300, 300, 20, beta.file("users.csv"));
    thread::sleep(Duration::from_secs(4));
    lab.relay.cut(true);
    wait_for("a noticed failure", || !both_active(alpha));
    thread::sleep(Duration::from_secs(2));
    lab.relay.cut(false);
    let _ = child.wait();
    let statistics = statistics(alpha, 6_300);
    let (failed, passed) = (
        count(&statistics, "FailedCall(C)"),
        count(&statistics, "SuccessfulCall(C)"),
    );
    let causes = [
        "FailedMaxUDPRetrans(C)",
        "FailedUnexpectedMessage(C)",
        "FailedTimeoutOnRecv(C)",
        "FailedCallRejected(C)",
    ];
    let known: usize = causes.iter().map(|cause| count(&statistics, cause)).sum();
    println!("cut for 5 s under 20 calls a second: {passed} passed, {failed} failed");
    for cause in causes {
        println!("  {cause}: {}", count(&statistics, cause));
    }
    assert_eq!(failed, known, "failures of unknown cause: {statistics:?}");
    assert_eq!(failed + passed, 300);
    assert!(
        passed >= 150,
        "calls before and after the cut pass: {passed}"
    );
}

/// Records what goes over SIP ports on a host.
fn capture(host: &mut Host) {
    let mut command = host.inside("tcpdump");
    command.args([
        "-i", "any", "-w", "sip.pcap", "-U", "-Z", "root", "port", "5060",
    ]);
    host.keep(command);
}

fn nothing_malformed(host: &Host) {
    let packets = |filter: &str| {
        let output = host.run("tshark", &["-r", "sip.pcap", "-Y", filter]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let sent = packets(&format!("sip && ip.src == {}", host.gateway)).len();
    assert!(sent > 5_000, "tshark saw only {sent} SIP packets of ours");
    let bad = packets(&format!("ip.src == {} && _ws.malformed", host.gateway));
    assert!(
        bad.is_empty(),
        "{} of {sent} are malformed: {:?}",
        bad.len(),
        bad.first()
    );
    println!("tshark: {sent} packets sent, none malformed");
}

fn scenario(name: &str) -> String {
    format!("{}/tests/pair/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Starts sipp towards the host's own gateway.
fn start_sipp(
    host: &Host,
    xml: &str,
    port: u16,
    calls: usize,
    rate: usize,
    users: PathBuf,
) -> Child {
    let mut command = host.inside("sipp");
    command.arg(format!("{}:5060", host.gateway));
    command.args([
        "-sf",
        &scenario(xml),
        "-i",
        &host.phones,
        "-p",
        &port.to_string(),
    ]);
    command.arg("-inf").arg(users);
    command.args([
        "-m",
        &calls.to_string(),
        "-r",
        &rate.to_string(),
        "-t",
        "u1",
        "-nostdin",
    ]);
    command
        .args(["-trace_stat", "-fd", "1", "-stf"])
        .arg(host.file(&format!("{port}.csv")));
    command
        .args(["-trace_err", "-error_file"])
        .arg(host.file(&format!("{port}.errors")));
    command.args([
        "-timeout",
        "100",
        "-timeout_error",
        "-recv_timeout",
        "40000",
    ]);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sipp starts")
}

/// Runs sipp to its end and gives its last statistics.
fn sipp(
    host: &Host,
    xml: &str,
    port: u16,
    calls: usize,
    rate: usize,
    users: PathBuf,
) -> BTreeMap<String, String> {
    let _ = start_sipp(host, xml, port, calls, rate, users).wait();
    let errors = fs::read_to_string(host.file(&format!("{port}.errors"))).unwrap_or_default();
    errors
        .lines()
        .take(20)
        .for_each(|line| println!("sipp on {}: {line}", host.namespace));
    statistics(host, port)
}

fn statistics(host: &Host, port: u16) -> BTreeMap<String, String> {
    let file = host.file(&format!("{port}.csv"));
    let rows = read_rows(&file);
    let (first, last) = (rows.first().expect("a header"), rows.last().expect("a row"));
    fs::remove_file(&file).expect("the statistics are there");
    first.iter().cloned().zip(last.iter().cloned()).collect()
}

fn read_rows(file: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(file).expect("sipp wrote statistics");
    text.lines()
        .map(|line| line.split(';').map(String::from).collect())
        .collect()
}

fn count(statistics: &BTreeMap<String, String>, name: &str) -> usize {
    statistics
        .get(name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
