//! `cargo xtask bench`: figures of this build. Nothing here passes or fails; compare runs of one
//! machine only.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::binary;
use crate::lab::scratch;
use crate::tools::{Context as _, Done, Fault, cargo, fault, output, program, read_text, root};

/// Lines of the tests that measure begin so.
const MEASURED: &str = "measured: ";

const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Prints the figures; with `sip` also those beside Kamailio.
pub fn run(sip: bool, program_file: Option<&Path>) -> Done {
    let size = binary::build()?;
    println!("binary: {size} bytes");
    println!("idle gateway: {} KiB resident", idle_memory()?);
    simulated()?;
    if sip {
        let usual = root().join("../shared/bench/sip/sip_bench.py");
        beside_kamailio(program_file.unwrap_or(&usual))?;
    }
    Ok(())
}

/// Settings of a gateway that is measured.
fn settings(port: &str) -> Vec<String> {
    vec![
        format!("SIP UDP Port: {port}"),
        format!("SIP TCP Port: {port}"),
        "SIP Domain 1 Name: bench.example".into(),
        "Administration HTTPS Mode: Off".into(),
    ]
}

/// A gateway of the release that answers; ended when dropped.
struct Gateway(Child);

impl Gateway {
    fn start(folder: &Path) -> Done<Self> {
        let port = free_port()?;
        let mut command = Command::new(binary::path());
        command.arg("run").arg("--data").arg(folder);
        for setting in settings(&port.to_string()) {
            command.args(["--set", &setting]);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let gateway = Self(command.spawn().context("causeway run")?);
        wait_for_answer(port)?;
        Ok(gateway)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // One that ended by itself is no fault here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> Done<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Asks with OPTIONS (RFC 3261 section 11) until an answer comes.
fn wait_for_answer(port: u16) -> Done {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let own = socket.local_addr()?;
    let started = Instant::now();
    for number in 0.. {
        let request = format!(
            "OPTIONS sip:bench.example SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bench@bench.example>;tag=1\r\n\
             To: <sip:bench.example>\r\nCall-ID: {number}@bench\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        // Before the gateway listens the kernel refuses, which is no answer yet.
        let _ = socket.send(request.as_bytes());
        let waited = Instant::now();
        if socket.recv(&mut [0; 2048]).is_ok() {
            return Ok(());
        }
        if started.elapsed() > ANSWER_TIME {
            break;
        }
        std::thread::sleep(Duration::from_millis(200).saturating_sub(waited.elapsed()));
    }
    fault(format!(
        "the gateway does not answer within {ANSWER_TIME:?}"
    ))
}

/// Resident memory of a gateway that has nothing to do, in KiB.
fn idle_memory() -> Done<u64> {
    let folder = scratch("bench-idle")?;
    let gateway = Gateway::start(&folder)?;
    let status = read_text(&PathBuf::from(format!("/proc/{}/status", gateway.0.id())))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| Fault("no VmRSS in /proc".into()))
}

/// What the simulator's measuring tests print.
fn simulated() -> Done {
    if !root().join("tests/sim/main.rs").exists() {
        println!("simulator: not in this tree");
        return Ok(());
    }
    let mut tests = cargo();
    tests.args(["test", "--locked", "--release", "--test", "sim", "--"]);
    let said = output(tests.args(["--nocapture", "--test-threads", "1"]))?;
    for line in said.lines() {
        if let Some(at) = line.find(MEASURED) {
            println!("{}", &line[at + MEASURED.len()..]);
        }
    }
    Ok(())
}

/// Registrations a second of Kamailio and of this build, in turns, by an outside program.
fn beside_kamailio(bench: &Path) -> Done {
    if !bench.exists() {
        return fault(format!(
            "{} is missing: name it with --bench",
            bench.display()
        ));
    }
    let mut target = format!(
        "causeway={} run --data {{dir}}/causeway",
        binary::path().display()
    );
    for setting in settings("{port}") {
        target.push_str(&format!(" --set '{setting}'"));
    }
    let raw = scratch("bench-sip")?.join("raw.jsonl");
    let mut command = program("python3");
    command
        .arg(bench)
        .args(["--target", "kamailio", "--target", &target]);
    command.args(["--only", "reg_udp", "--json"]).arg(&raw);
    let table = output(&mut command)?;
    print!("{table}");
    let rate = |name: &str| {
        let line = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = line.into_iter().find(|words| words.get(1) == Some(&name));
        let number = row.and_then(|words| words.get(2)?.parse::<f64>().ok());
        number.ok_or_else(|| Fault(format!("no figure of {name} in the table")))
    };
    let (ours, theirs) = (rate("causeway")?, rate("kamailio")?);
    println!("registrations: {:.2} times Kamailio's", ours / theirs);
    Ok(())
}
