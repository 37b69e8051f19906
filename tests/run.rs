//! The program as a user starts it: arguments, the ready line, the command line, saves that
//! survive `kill -9`, a full disk, two starts on one directory.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Longest time that one expected thing may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

const CAUSEWAY: &str = env!("CARGO_BIN_EXE_causeway");

/// A data directory of one test, removed at its end.
struct Data(PathBuf);

impl Data {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("causeway-run-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running gateway; killed when dropped.
struct Gateway {
    child: Child,
    /// Lines of standard output up to the ready line, which is the last.
    said: Vec<String>,
}

impl Gateway {
    /// Starts on `data` with ports that are free now.
    fn start(data: &Data, more: &[&str]) -> Self {
        let mut command = Command::new(CAUSEWAY);
        command.arg("run").arg("--data").arg(data.path());
        command.args(ports()).args(more).stderr(Stdio::null());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut said = Vec::new();
        loop {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                let _ = child.kill().and_then(|()| child.wait());
                panic!("not ready, but said: {said:?}");
            };
            said.push(line);
            if said.last().is_some_and(|line| line.starts_with("ready")) {
                return Self { child, said };
            }
        }
    }

    fn ready(&self) -> &str {
        self.said.last().expect("a ready line")
    }

    /// Where the ready line says that a service is.
    fn address(&self, service: &str) -> &str {
        let mut words = self.ready().split(' ');
        words.find(|word| *word == service).expect("the service");
        words.next().expect("its address")
    }

    /// Stops in good order and returns the exit status.
    fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.expect("kill runs").success());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("does not stop");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Settings that put every socket on a port of its own.
fn ports() -> Vec<String> {
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (tcp, web) = (
        TcpListener::bind("127.0.0.1:0").expect("a socket"),
        TcpListener::bind("127.0.0.1:0").expect("a socket"),
    );
    let port = |address: std::io::Result<std::net::SocketAddr>| address.expect("bound").port();
    [
        ("SIP UDP Port", port(udp.local_addr())),
        ("SIP TCP Port", port(tcp.local_addr())),
        ("Management Interface Port", port(web.local_addr())),
    ]
    .into_iter()
    .flat_map(|(path, port)| ["--set".into(), format!("{path}: \"{port}\"")])
    .collect()
}

fn cli(data: &Data, line: &str) -> Output {
    Command::new(CAUSEWAY)
        .arg("cli")
        .arg("--data")
        .arg(data.path())
        .arg(line)
        .output()
        .expect("the program starts")
}

/// What a command prints; it must be done.
fn done(data: &Data, line: &str) -> String {
    let output = cli(data, line);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{line}: {out}{err}");
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The value of `SystemUnit Name` as a number.
fn number(data: &Data) -> u64 {
    let shown = done(data, "xConfiguration SystemUnit Name");
    shown
        .split('"')
        .nth(1)
        .and_then(|value| value.strip_prefix('n'))
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no number in {shown}"))
}

fn save(data: &Data, number: u64) -> bool {
    cli(
        data,
        &format!("xConfiguration SystemUnit Name: \"n{number}\""),
    )
    .status
    .success()
}

#[test]
fn arguments_that_make_no_sense_are_named() {
    for (arguments, expected) in [
        (&[][..], "role"),
        (&["fly"], "no role fly"),
        (&["run"], "--data DIR is missing"),
        (&["run", "--data"], "--data needs a value"),
        (&["run", "--data", "/tmp/x", "--fly"], "no option --fly"),
        (
            &["run", "--data", "/tmp/x", "--config", "/nowhere"],
            "/nowhere",
        ),
        (
            &["run", "--data", "/tmp/x", "--set", "no colon"],
            "no colon",
        ),
        (&["console"], "--tty TTY is missing"),
    ] {
        let output = Command::new(CAUSEWAY)
            .args(arguments)
            .output()
            .expect("starts");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    for (argument, expected) in [("--help", "causeway run"), ("--version", "causeway 0.")] {
        let output = Command::new(CAUSEWAY)
            .arg(argument)
            .output()
            .expect("starts");
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains(expected));
    }
}

#[test]
fn a_command_line_without_gateway_says_so() {
    let data = Data::new();
    let output = cli(&data, "xStatus");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no gateway answers"));
}

#[test]
fn the_first_start_gives_a_password_and_lists_its_sockets() {
    let data = Data::new();
    let gateway = Gateway::start(&data, &[]);
    for word in [
        " sip-udp 127.0.0.1:",
        " sip-tcp 127.0.0.1:",
        " web https://127.0.0.1:",
    ] {
        assert!(gateway.ready().contains(word), "{}", gateway.ready());
    }
    let password = gateway
        .said
        .iter()
        .find(|line| line.starts_with("password of admin: "));
    assert!(password.is_some(), "{:?}", gateway.said);
    assert!(done(&data, "xStatus").contains("xStatus") || !done(&data, "xStatus").is_empty());
    assert_eq!(cli(&data, "xNonsense").status.code(), Some(1));
    assert_eq!(gateway.stop(), Some(0));
    assert!(!data.path().join("cli.sock").exists());

    let again = Gateway::start(&data, &[]);
    assert!(again.said.len() == 1, "{:?}", again.said);
}

#[test]
fn two_gateways_never_share_a_directory() {
    let data = Data::new();
    let first = Gateway::start(&data, &[]);
    let mut second = Command::new(CAUSEWAY);
    second
        .arg("run")
        .arg("--data")
        .arg(data.path())
        .args(ports());
    let output = second.output().expect("starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("another gateway runs on"));
    assert!(!done(&data, "xStatus").is_empty());
    drop(first);
}

#[test]
fn a_port_in_use_is_named_and_the_rest_is_served() {
    let (data, taken) = (
        Data::new(),
        UdpSocket::bind("127.0.0.1:0").expect("a socket"),
    );
    let port = taken.local_addr().expect("bound").port();
    let log = data.path().join("log");
    let mut command = Command::new(CAUSEWAY);
    command
        .arg("run")
        .arg("--data")
        .arg(data.path())
        .args(ports());
    command.args(["--set", &format!("SIP UDP Port: {port}")]);
    command.stderr(fs::File::create(&log).expect("a file"));
    let gateway = Gateway::spawn(command);
    assert!(!gateway.ready().contains("sip-udp"), "{}", gateway.ready());
    assert!(gateway.ready().contains("sip-tcp"), "{}", gateway.ready());
    let log = fs::read_to_string(&log).expect("the log");
    let expected = format!("cannot listen: sip-udp 127.0.0.1:{port}");
    assert!(log.contains(&expected), "{log}");
}

#[test]
fn settings_of_a_file_are_saved_at_start() {
    let data = Data::new();
    let file = data.path().join("settings");
    let lines = "# a comment\n\n*c xConfiguration SystemUnit Name: \"n41\"\nSystemUnit Name: n42\n";
    fs::write(&file, lines).expect("written");
    let gateway = Gateway::start(&data, &["--config", file.to_str().expect("UTF-8")]);
    assert_eq!(number(&data), 42);
    assert_eq!(gateway.stop(), Some(0));
    let _again = Gateway::start(&data, &[]);
    assert_eq!(number(&data), 42);
}

#[test]
fn every_acknowledged_save_survives_kill_9() {
    let data = Data::new();
    let (mut attempted, mut acknowledged) = (0, 0);
    for round in 0..50_u64 {
        let mut gateway = Gateway::start(&data, &[]);
        if round > 0 {
            let found = number(&data);
            assert!(
                (acknowledged..=attempted).contains(&found),
                "round {round}: {found} is not within {acknowledged} and {attempted}"
            );
        }
        let delay = Duration::from_millis(10 + round * 37 % 91);
        let killer = thread::spawn(move || {
            thread::sleep(delay);
            gateway.child.kill().expect("killed");
            gateway.child.wait().expect("waited for");
        });
        while !killer.is_finished() {
            attempted += 1;
            if save(&data, attempted) {
                acknowledged = attempted;
            }
        }
        killer.join().expect("the killer");
        // The first round must leave something to be found.
        if acknowledged == 0 {
            let _gateway = Gateway::start(&data, &[]);
            attempted += 1;
            assert!(save(&data, attempted));
            acknowledged = attempted;
        }
    }
    assert!(acknowledged > 20, "only {acknowledged} saves were tried");
}

#[test]
fn a_full_disk_refuses_the_save_and_loses_nothing() {
    let data = Data::new();
    assert_eq!(Gateway::start(&data, &[]).stop(), Some(0));
    let length = fs::metadata(data.path().join("store.redb"))
        .expect("the store")
        .len();
    // The limit of the process on one file stands for the end of the disk.
    let mut limited = Command::new("sh");
    let script = format!("ulimit -f {}; exec \"$@\"", length / 512 + 256);
    limited.args(["-c", &script, "sh", CAUSEWAY, "run", "--data"]);
    limited.arg(data.path()).args(ports()).stderr(Stdio::null());
    let gateway = Gateway::spawn(limited);
    let long = "x".repeat(40);
    let (mut acknowledged, mut refusal) = (0, None);
    for attempt in 1..2_000 {
        let line = format!("xConfiguration SystemUnit Name: \"n{attempt}\"");
        let more = format!("xConfiguration IP DNS Domain Name: \"{long}{attempt}.example\"");
        let output = cli(&data, if attempt % 2 == 0 { &more } else { &line });
        if !output.status.success() {
            refusal = Some(text(&output.stderr));
            break;
        }
        if attempt % 2 == 1 {
            acknowledged = attempt;
        }
    }
    let refusal = refusal.expect("the disk gets full");
    assert!(
        refusal.contains("limit") || refusal.contains("full"),
        "{refusal}"
    );
    assert_eq!(number(&data), acknowledged);
    assert_eq!(gateway.stop(), Some(0));

    let _gateway = Gateway::start(&data, &[]);
    assert_eq!(number(&data), acknowledged);
    assert!(save(&data, 5_000));
    assert_eq!(number(&data), 5_000);
}

/// Two peers on two loopback addresses, and how to start either again.
struct Pair {
    data: [Data; 2],
    ports: Vec<String>,
}

impl Pair {
    fn new() -> Self {
        let mut ports = ports();
        for (path, port) in ["Configuration", "State"].into_iter().zip(free_ports()) {
            let setting = format!("Alternates {path} Port: \"{port}\"");
            ports.extend(["--set".into(), setting]);
        }
        Self {
            data: [Data::new(), Data::new()],
            ports,
        }
    }

    fn start(&self, index: usize) -> Gateway {
        self.start_with(index, &[])
    }

    fn start_with(&self, index: usize, more: &[&str]) -> Gateway {
        let mut command = Command::new(CAUSEWAY);
        command
            .arg("run")
            .arg("--data")
            .arg(self.data[index].path());
        command.args(&self.ports);
        let address = format!("Ethernet 1 IP V4 Address: 127.0.0.{}", index + 1);
        for setting in [
            address.as_str(),
            "Alternates Cluster Name: pair.example",
            "Alternates Peer 1 Address: 127.0.0.1",
            "Alternates Peer 2 Address: 127.0.0.2",
            "Alternates ConfigurationPrimary: 1",
            "SIP Domain 1 Name: pair.example",
        ] {
            command.args(["--set", setting]);
        }
        command.args(more).stderr(Stdio::null());
        Gateway::spawn(command)
    }

    /// Waits until the peer `index` says this in `xStatus Cluster`.
    fn wait(&self, index: usize, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut shown = String::new();
        while Instant::now() < deadline {
            shown = done(&self.data[index], "xStatus Cluster");
            if shown.contains(expected) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("peer {} never says {expected}: {shown}", index + 1);
    }
}

fn free_ports() -> [u16; 2] {
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a socket"));
    sockets.map(|socket| socket.local_addr().expect("bound").port())
}

#[test]
fn two_peers_find_each_other_share_and_survive() {
    let pair = Pair::new();
    let (mut first, second) = (pair.start(0), pair.start(1));
    for index in 0..2 {
        pair.wait(index, "Database: Active");
    }
    let saved = done(
        &pair.data[0],
        "xConfiguration SIP Advanced SipMaxSize: \"20000\"",
    );
    assert!(saved.contains("2 of 2"), "{saved}");
    let read = || done(&pair.data[1], "xConfiguration SIP Advanced SipMaxSize");
    assert!(read().contains("\"20000\""), "{}", read());
    let refused = cli(
        &pair.data[1],
        "xConfiguration SIP Advanced SipMaxSize: \"30000\"",
    );
    assert!(text(&refused.stderr).contains("primary"), "{refused:?}");

    // A phone at the second peer is known at the first.
    let address = second.address("sip-udp");
    let phone = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    phone.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let contact = phone.local_addr().expect("bound");
    let request = format!(
        "REGISTER sip:pair.example SIP/2.0\r\nVia: SIP/2.0/UDP {contact};branch=z9hG4bK1\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@pair.example>;tag=1\r\nTo: <sip:a@pair.example>\r\n\
         Call-ID: 1\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@{contact}>\r\n\
         Content-Length: 0\r\n\r\n"
    );
    phone.send_to(request.as_bytes(), address).expect("sent");
    let mut answer = [0; 2_048];
    let length = phone.recv(&mut answer).expect("an answer");
    let answer = text(&answer[..length]);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    pair.wait(0, "SharedItems: 1");

    first.child.kill().expect("killed");
    first.child.wait().expect("waited for");
    pair.wait(1, "Status: \"Failed\"");
    let _first = pair.start(0);
    for index in 0..2 {
        pair.wait(index, "Database: Active");
    }
    pair.wait(0, "SharedItems: 1");
}

/// One file of settings and one of the password serve every peer: a subordinate takes from them
/// what is its own, and says what it leaves to its primary.
#[test]
fn the_same_settings_and_password_do_for_every_peer() {
    let pair = Pair::new();
    let file = |name: &str, text: &str| {
        let path = pair.data[0].path().join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let password = file("password", "correct horse battery\n");
    let settings = file(
        "settings",
        "xConfiguration SIP Advanced SipMaxSize: \"20000\"\n\
         xConfiguration TimeZone Name: \"Europe/Oslo\"\n",
    );
    let more = ["--admin-password-file", &password, "--config", &settings];
    let (_first, second) = (pair.start_with(0, &more), pair.start_with(1, &more));
    for index in 0..2 {
        pair.wait(index, "Database: Active");
    }
    done(
        &pair.data[0],
        "xConfiguration SIP Advanced SipMaxSize: \"30000\"",
    );
    assert_eq!(second.stop(), Some(0));

    file(
        "settings",
        "xConfiguration SIP Advanced SipMaxSize: \"20000\"\n\
         xConfiguration TimeZone Name: \"Europe/Rome\"\n",
    );
    let _second = pair.start_with(1, &more);
    pair.wait(1, "Database: Active");
    let read = |path: &str| done(&pair.data[1], &format!("xConfiguration {path}"));
    assert!(read("TimeZone Name").contains("Europe/Rome"));
    assert!(read("SIP Advanced SipMaxSize").contains("\"30000\""));
    let alarms = done(&pair.data[1], "xStatus Alarm");
    assert!(
        alarms.contains("change it on the primary (127.0.0.1): SIP Advanced SipMaxSize"),
        "{alarms}"
    );
}

/// On the appliance `init` asks whether the loop is alive: `Ping(7)` is answered by `Pong(7)`; and
/// when the `system` role says `Started`, here without interfaces, it is asked for something.
#[test]
fn the_gateway_role_answers_init_and_asks_the_machine() {
    use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType};
    use nix::sys::socket::{recv, send, setsockopt, socketpair, sockopt};
    use nix::sys::time::{TimeVal, TimeValLike};
    use std::os::fd::AsRawFd;

    let pair = || {
        let kind = SockType::SeqPacket;
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, kind, None, SockFlag::empty()).expect("two sockets");
        let patience = TimeVal::seconds(PATIENCE.as_secs() as i64);
        setsockopt(&ours, sockopt::ReceiveTimeout, &patience).expect("a time-out");
        (ours, theirs)
    };
    let ((init, init_end), (machine, machine_end)) = (pair(), pair());
    let data = Data::new();
    let mut command = Command::new(CAUSEWAY);
    command
        .arg("gateway")
        .arg("--data")
        .arg(data.path())
        .args(ports());
    for (option, end) in [("--init-fd", &init_end), ("--machine-fd", &machine_end)] {
        command.arg(option).arg(end.as_raw_fd().to_string());
    }
    command.args(["--set", "Ethernet 1 IP V4 Address: 127.0.0.1"]);
    command.stderr(Stdio::null()).stdout(Stdio::null());
    let child = command.spawn().expect("the program starts");
    let said = Vec::new();
    let gateway = Gateway { child, said };
    drop((init_end, machine_end));

    send(init.as_raw_fd(), &[0, 7], MsgFlags::empty()).expect("sent");
    let mut answer = [0; 65_536];
    let length = recv(init.as_raw_fd(), &mut answer, MsgFlags::empty()).expect("an answer");
    assert_eq!(answer[..length], [1, 7]);
    let started = [1, 0, 0, 0];
    send(machine.as_raw_fd(), &started, MsgFlags::empty()).expect("sent");
    let length = recv(machine.as_raw_fd(), &mut answer, MsgFlags::empty()).expect("a request");
    assert!(length > 0);
    drop(gateway);
}

#[test]
fn an_idle_gateway_needs_little_memory() {
    let data = Data::new();
    let gateway = Gateway::start(&data, &[]);
    // The first start hashes a password, which needs 19 MiB for a moment, and only the release's
    // allocator gives them back; this one does not.
    assert_eq!(gateway.stop(), Some(0));
    let gateway = Gateway::start(&data, &[]);
    let mut status = String::new();
    fs::File::open(format!("/proc/{}/status", gateway.child.id()))
        .and_then(|mut file| file.read_to_string(&mut status))
        .expect("the status of a process");
    let resident: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|line| line.trim().strip_suffix("kB"))
        .and_then(|value| value.trim().parse().ok())
        .expect("resident memory");
    assert!(resident < 20 * 1024, "{resident} KiB");
}
