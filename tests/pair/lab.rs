//! Two hosts on this machine, each a network namespace with a gateway and its phones.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::relay::Relay;

/// Longest time that one expected thing may take; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// One host.
#[derive(Debug)]
pub(crate) struct Host {
    /// Its network namespace.
    pub(crate) namespace: String,
    /// Address of its gateway.
    pub(crate) gateway: String,
    /// Address of its phones.
    pub(crate) phones: String,
    /// The interface of this test's namespace that leads to it.
    outer: String,
    folder: PathBuf,
    children: Vec<Child>,
}

/// Two hosts and the relay between them.
#[derive(Debug)]
pub(crate) struct Lab {
    /// Alpha and Beta.
    pub(crate) hosts: [Host; 2],
    /// What joins them.
    pub(crate) relay: Relay,
}

impl Lab {
    /// Makes both hosts and starts a gateway on each. Fails with `not run` where it cannot.
    pub(crate) fn new(seed: u64) -> Self {
        for tool in ["ip", "ethtool", "sipp", "tshark", "tcpdump"] {
            let mut probe = Command::new(tool);
            let found = probe
                .arg("-h")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            assert!(
                found.is_ok(),
                "not run: 1 ({tool} is not installed: cargo xtask setup)"
            );
        }
        let hosts = [Host::new('a', 1), Host::new('b', 2)];
        let relay = Relay::join(&hosts[0].outer, &hosts[1].outer, seed);
        let relay = relay.unwrap_or_else(|error| panic!("not run: 1 (packet sockets: {error})"));
        let mut lab = Self { hosts, relay };
        for host in &mut lab.hosts {
            host.start_gateway();
        }
        lab
    }
}

impl Host {
    fn new(letter: char, number: u8) -> Self {
        let id = std::process::id();
        let namespace = format!("causeway{id}{letter}");
        let outer = format!("cw{id}{letter}");
        let folder = std::env::temp_dir().join(format!("causeway-pair-{id}-{letter}"));
        fs::create_dir_all(&folder).expect("a folder");
        let host = Self {
            gateway: format!("10.77.0.{number}"),
            phones: format!("10.77.0.{}", 10 + number),
            namespace,
            outer,
            folder,
            children: Vec::new(),
        };
        let Host {
            namespace, outer, ..
        } = &host;
        ip(&format!("netns add {namespace}"));
        ip(&format!(
            "link add {outer} type veth peer name lan netns {namespace}"
        ));
        ip(&format!("link set {outer} up"));
        ip(&format!("-n {namespace} link set lo up"));
        ip(&format!("-n {namespace} link set lan up"));
        for address in [&host.gateway, &host.phones] {
            ip(&format!("-n {namespace} address add {address}/24 dev lan"));
        }
        // Frames must be whole when the relay sees them: nothing left for hardware to do.
        let offload = ["-K", "lan", "tx", "off", "tso", "off", "gso", "off"];
        let output = host.run("ethtool", &offload);
        assert!(output.status.success(), "ethtool: {output:?}");
        host
    }

    fn start_gateway(&mut self) {
        let mut command = self.inside(&gateway());
        command
            .args(["run", "--data"])
            .arg(self.folder.join("data"));
        command
            .arg("--set")
            .arg(format!("Ethernet 1 IP V4 Address: {}", self.gateway));
        let log = fs::File::create(self.folder.join("gateway.log")).expect("a file");
        let errors = log.try_clone().expect("a file");
        let child = command
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("the gateway starts");
        self.children.push(child);
        wait_for("a ready line", || {
            self.log().lines().any(|line| line.starts_with("ready"))
        });
    }

    /// What the gateway printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("gateway.log")).unwrap_or_default()
    }

    /// A file of this host.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a line of the gateway's command line.
    pub(crate) fn cli(&self, line: &str) -> Output {
        let mut command = Command::new(gateway());
        command
            .args(["cli", "--data"])
            .arg(self.folder.join("data"))
            .arg(line);
        command.output().expect("the command line runs")
    }

    /// What a line of the command line prints.
    pub(crate) fn ask(&self, line: &str) -> String {
        String::from_utf8_lossy(&self.cli(line).stdout).into_owned()
    }

    /// Runs a program on this host to its end.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.inside(program)
            .args(arguments)
            .output()
            .expect("ip runs")
    }

    /// A program on this host, not yet started.
    pub(crate) fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// Starts a program that lasts until the end of the test.
    pub(crate) fn keep(&mut self, mut command: Command) {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        self.children
            .push(command.spawn().expect("the program starts"));
    }

    /// Ends the program that was started last, as Ctrl-C would.
    pub(crate) fn end_last(&mut self) {
        if let Some(mut child) = self.children.pop() {
            let id = child.id().to_string();
            let _ = Command::new("kill").args(["-INT", &id]).status();
            let _ = child.wait();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{} said:\n{}", self.namespace, self.log());
        }
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        for what in [
            format!("link del {}", self.outer),
            format!("netns del {}", self.namespace),
        ] {
            let _ = Command::new("ip").args(what.split(' ')).status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The program under test: the release one where the gate made it.
fn gateway() -> String {
    std::env::var("CAUSEWAY_RELEASE").unwrap_or_else(|_| env!("CARGO_BIN_EXE_causeway").into())
}

fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("ip runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "not run: 1 (ip {arguments}: {errors})"
    );
}

/// Waits until something holds.
pub(crate) fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(50));
    }
}
