//! Two peers: registrations, calls both ways, a bad link, a cut link, and what tshark says of it.

use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::lab::phones::{Outcome, Phones, scenario};
use crate::lab::{Family, Host, Lab, wait_for};

/// Users registered at each peer.
const USERS: usize = 100;

/// Calls in each direction while all is well.
const CALLS: usize = 250;

/// How long phones wait for an answer while no call may fail: longer than RFC 3261 timer B.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long callers wait while the link is cut.
const CALLER_PATIENCE: Duration = Duration::from_secs(3);

/// Why calls may fail while the link is cut, as sipp counts it: a request is not answered in time,
/// or it is refused.
const CAUSES: [&str; 3] = ["TimeoutOnRecv", "MaxUDPRetrans", "UnexpectedMessage"];

/// With what they may be refused: no answer, not reachable now, service not available.
const REFUSALS: [u16; 5] = [408, 480, 500, 503, 504];

/// The least severity of tshark's that is an error (`PI_ERROR`).
const EXPERT_ERROR: u32 = 0x0080_0000;

#[test]
fn two_peers_share_phones_calls_and_failures() {
    let mut lab = Lab::new("p", 2, Family::V4, 20_261_122);
    lab.start_all();
    form(&lab);
    let [alpha, beta] = &mut lab.hosts[..] else {
        unreachable!("there are two hosts");
    };
    capture(alpha);
    capture(beta);
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
    println!("{} frames were lost, and no call", lab.relay.lost());
    assert!(lab.relay.lost() > 0);
    calls_while_the_link_is_cut(&lab, &[(0, 1), (1, 0)]);
    calls_cross_both_ways(&lab);
    calls_while_the_link_is_cut(&lab, &[(0, 1)]);
    calls_cross_both_ways(&lab);
    for host in &mut lab.hosts {
        host.end_last();
        host.end_last();
    }
    lab.hosts.iter().for_each(nothing_malformed);
}

/// Forms the cluster as the guide does, on each peer by hand.
fn form(lab: &Lab) {
    let (alpha, beta) = (&lab.hosts[0], &lab.hosts[1]);
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
    let phones = Phones {
        scenario: "register.xml",
        port: 6_100,
        calls: USERS,
        rate: 50,
        patience: PATIENCE,
    };
    phones.run(host, host).all_passed(USERS);
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
    command.args([
        "-nostdin",
        "-t",
        "u1",
        "-trace_err",
        "-error_file",
        "uas.errors",
    ]);
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
    let (alpha, beta) = (&lab.hosts[0], &lab.hosts[1]);
    let phones = Phones {
        scenario: "caller.xml",
        port: 6_200,
        calls: CALLS,
        rate: 25,
        patience: PATIENCE,
    };
    thread::scope(|scope| {
        for (from, to) in [(alpha, beta), (beta, alpha)] {
            scope.spawn(move || phones.run(from, to).all_passed(CALLS));
        }
    });
}

/// Calls go on while the link is cut for five seconds and healed again. Callers wait for three, so
/// some of them fail, each for a cause that the cut explains.
fn calls_while_the_link_is_cut(lab: &Lab, directions: &[(usize, usize)]) {
    let (alpha, beta) = (&lab.hosts[0], &lab.hosts[1]);
    let phones = Phones {
        scenario: "caller.xml",
        port: 6_300,
        calls: 300,
        rate: 20,
        patience: CALLER_PATIENCE,
    };
    let sipp = phones.start(alpha, beta);
    thread::sleep(Duration::from_secs(4));
    let (since, cut, before) = (now(), Instant::now(), lab.relay.lost());
    lab.relay.cut(directions, true);
    wait_for("a noticed failure", || !lab.hosts.iter().all(both_active));
    let noticed = cut.elapsed();
    thread::sleep(Duration::from_secs(5).saturating_sub(noticed));
    lab.relay.cut(directions, false);
    let (until, lost, healed) = (now(), lab.relay.lost() - before, Instant::now());
    wait_for("peers active again", || lab.hosts.iter().all(both_active));
    println!(
        "cut of directions {directions:?} for {:.1} s: {lost} frames lost, noticed after {:.1} s, \
         both active {:.1} s after it was healed",
        until - since,
        noticed.as_secs_f64(),
        healed.elapsed().as_secs_f64()
    );
    explained(&phones.end(alpha, sipp), phones, since, until);
}

/// Fails unless calls passed before and after the cut, and each that failed did so because of it.
fn explained(outcome: &Outcome, phones: Phones<'_>, since: f64, until: f64) {
    let (passed, failed) = (outcome.passed, outcome.failed);
    println!(
        "  {passed} calls passed, {failed} failed, {} requests repeated",
        outcome.repeated
    );
    for (cause, count) in &outcome.causes {
        println!("  {cause}: {count}");
    }
    println!("  refused with: {:?}", outcome.refusals);
    assert_eq!(passed + failed, phones.calls, "{outcome:#?}");
    assert!(passed >= phones.calls / 2, "{outcome:#?}");
    assert!(failed > 0, "the cut was not felt: {outcome:#?}");
    let count = |cause: &str| outcome.causes.get(cause).copied().unwrap_or(0);
    let known: usize = CAUSES.iter().map(|cause| count(cause)).sum();
    assert_eq!(failed, known, "failures of unknown cause: {outcome:#?}");
    let refused: usize = REFUSALS
        .iter()
        .filter_map(|code| outcome.refusals.get(code))
        .sum();
    assert_eq!(
        refused,
        count("UnexpectedMessage"),
        "other messages: {outcome:#?}"
    );
    // sipp counts once a second, and the machine may be busy.
    let latest = until + phones.patience.as_secs_f64() + 4.0;
    for at in &outcome.failed_at {
        assert!(
            (since..latest).contains(at),
            "without reason at {at}: {outcome:#?}"
        );
    }
}

/// Unix time in seconds, as sipp writes it.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock that is set").as_secs_f64()
}

/// Records what goes over SIP ports on a host.
fn capture(host: &mut Host) {
    let mut command = host.inside("tcpdump");
    command.args([
        "-i", "any", "-w", "sip.pcap", "-U", "-Z", "root", "port", "5060",
    ]);
    host.keep(command);
}

/// Fails if tshark finds fault with anything that the gateway of a host sent from its SIP port.
fn nothing_malformed(host: &Host) {
    let filter = format!("ip.src == {} && udp.srcport == 5060 && !icmp", host.gateway);
    let mut arguments = vec!["-r", "sip.pcap", "-Y", &filter, "-T", "fields"];
    for field in [
        "frame.protocols",
        "_ws.expert.severity",
        "frame.number",
        "_ws.expert.message",
    ] {
        arguments.extend(["-e", field]);
    }
    let output = host.run("tshark", &arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    let sent = text.lines().count();
    assert!(
        sent > 5_000,
        "tshark saw only {sent} SIP packets of ours: {errors}"
    );
    let bad: Vec<_> = text.lines().filter(|line| is_faulty(line)).collect();
    assert!(
        bad.is_empty(),
        "{} of {sent} are faulty: {:?}",
        bad.len(),
        bad.first()
    );
    println!(
        "tshark: {sent} packets sent by {}, none malformed",
        host.gateway
    );
}

/// Whether a line of tshark's fields is of a packet that is not SIP, malformed, or in error.
fn is_faulty(line: &str) -> bool {
    let mut fields = line.split('\t');
    let protocols = fields.next().unwrap_or_default();
    let severities = fields.next().unwrap_or_default();
    let is_sip = protocols.split(':').any(|protocol| protocol == "sip");
    let is_error = |severity: &str| {
        severity
            .parse()
            .is_ok_and(|level: u32| level >= EXPERT_ERROR)
    };
    !is_sip || protocols.contains("malformed") || severities.split(',').any(is_error)
}
