//! Hosts on this machine, each a network namespace with a gateway and its phones, joined by a
//! relay that can be as bad as a network is. Shared by the tests that need it.

pub(crate) mod phones;
pub(crate) mod relay;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use relay::Relay;

/// Longest time that one expected thing may take; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Which addresses hosts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// 10.77.0.0/24.
    V4,
    /// fd77::/64.
    V6,
}

/// One host.
#[derive(Debug)]
pub(crate) struct Host {
    /// Its network namespace.
    pub(crate) namespace: String,
    /// Address of its gateway.
    pub(crate) gateway: String,
    /// Address of its phones.
    pub(crate) phones: String,
    /// What it runs.
    program: String,
    family: Family,
    /// The interface of this test's namespace that leads to it.
    outer: String,
    folder: PathBuf,
    process: Option<Child>,
    has_small_disk: bool,
    /// Programs that last until the end of the test.
    children: Vec<Child>,
}

/// Hosts and the relay between them.
#[derive(Debug)]
pub(crate) struct Lab {
    /// In the order of their addresses.
    pub(crate) hosts: Vec<Host>,
    /// What joins them.
    pub(crate) relay: Relay,
}

impl Lab {
    /// Makes so many hosts, no gateway started yet. Fails with `not run` where it cannot.
    pub(crate) fn new(name: &str, count: u8, family: Family, seed: u64) -> Self {
        for tool in ["ip", "ethtool", "sipp", "tshark", "tcpdump"] {
            let mut probe = Command::new(tool);
            let probe = probe.arg("-h").stdout(Stdio::null()).stderr(Stdio::null());
            let missing = format!("not run: 1 ({tool} is not installed: cargo xtask setup)");
            assert!(probe.status().is_ok(), "{missing}");
        }
        let hosts: Vec<_> = (1..=count)
            .map(|number| Host::new(name, number, family))
            .collect();
        let outer: Vec<_> = hosts.iter().map(|host| host.outer.as_str()).collect();
        let relay = Relay::join(&outer, seed);
        let relay = relay.unwrap_or_else(|error| panic!("not run: 1 (packet sockets: {error})"));
        Self { hosts, relay }
    }

    /// Starts every gateway.
    pub(crate) fn start_all(&mut self) {
        self.hosts.iter_mut().for_each(Host::begin);
        self.hosts.iter().for_each(Host::wait_until_ready);
    }
}

impl Host {
    fn new(name: &str, number: u8, family: Family) -> Self {
        let id = std::process::id();
        let namespace = format!("causeway{id}{name}{number}");
        let outer = format!("cw{id}{name}{number}");
        let folder = std::env::temp_dir().join(format!("causeway-{name}-{id}-{number}"));
        fs::create_dir_all(&folder).expect("a folder");
        let (net, prefix) = match family {
            Family::V4 => ("10.77.0.", "24"),
            Family::V6 => ("fd77::", "64 nodad"),
        };
        let host = Self {
            gateway: format!("{net}{number}"),
            phones: format!("{net}{}", 10 + number),
            namespace,
            program: program(),
            family,
            outer,
            folder,
            process: None,
            has_small_disk: false,
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
            let address = format!("{address}/{prefix}");
            ip(&format!("-n {namespace} address add {address} dev lan"));
        }
        // Frames must be whole when the relay sees them: nothing left for hardware to do.
        let offload = ["-K", "lan", "tx", "off", "tso", "off", "gso", "off"];
        let output = host.run("ethtool", &offload);
        assert!(output.status.success(), "ethtool: {output:?}");
        host
    }

    /// Adds an address to the LAN interface, for a gateway that moves there.
    pub(crate) fn add_address(&self, address: &str) {
        let namespace = &self.namespace;
        ip(&format!("-n {namespace} address add {address}/24 dev lan"));
    }

    /// Lets it run another version from the next start on.
    pub(crate) fn use_program(&mut self, program: &Path) {
        self.program = program.display().to_string();
    }

    /// Lets it run the version under test from the next start on.
    pub(crate) fn use_own_program(&mut self) {
        self.program = program();
    }

    /// Lets the gateway store on a disk of its own with 16 MiB.
    pub(crate) fn give_small_disk(&mut self) {
        let data = self.data();
        fs::create_dir_all(&data).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]);
        let status = mount.arg(&data).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "not run: 1 (mount)"
        );
        self.has_small_disk = true;
    }

    /// Starts the gateway and waits until it is ready.
    pub(crate) fn start(&mut self) {
        self.begin();
        self.wait_until_ready();
    }

    /// Starts the gateway.
    pub(crate) fn begin(&mut self) {
        assert!(self.process.is_none(), "{} is on", self.namespace);
        let item = match self.family {
            Family::V4 => "V4",
            Family::V6 => "V6",
        };
        let mut command = self.inside(&self.program);
        command.args(["run", "--data"]).arg(self.data());
        if !self.data().join("lock").exists() {
            let address = format!("Ethernet 1 IP {item} Address: {}", self.gateway);
            command.arg("--set").arg(address);
        }
        let log = fs::File::options();
        let log = log.clone().create(true).append(true).open(self.log_file());
        let log = log.expect("a file");
        let errors = log.try_clone().expect("a file");
        let child = command.stdout(log).stderr(errors).spawn();
        self.process = Some(child.expect("the gateway starts"));
    }

    /// Waits until the gateway answers on its command line.
    pub(crate) fn wait_until_ready(&self) {
        wait_for("a gateway that answers", || {
            self.cli("xStatus SystemUnit").status.success()
        });
    }

    /// Ends the gateway as a power cut does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal to the gateway, such as `-STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        if let Some(child) = &self.process {
            let id = child.id().to_string();
            let _ = Command::new("kill").args([signal, &id]).status();
        }
    }

    /// Loses everything that the gateway ever stored.
    pub(crate) fn lose_data(&self) {
        assert!(self.process.is_none(), "{} is on", self.namespace);
        for entry in fs::read_dir(self.data()).expect("its data were there") {
            let path = entry.expect("an entry").path();
            let removed = match path.is_dir() {
                true => fs::remove_dir_all(path),
                false => fs::remove_file(path),
            };
            removed.expect("removed");
        }
    }

    /// The folder that the gateway stores in.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }

    /// What the gateway printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// A file of this host.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a line of the gateway's command line.
    pub(crate) fn cli(&self, line: &str) -> Output {
        let mut command = Command::new(&self.program);
        command.args(["cli", "--data"]).arg(self.data()).arg(line);
        command.output().expect("the command line runs")
    }

    /// What a line of the command line prints.
    pub(crate) fn ask(&self, line: &str) -> String {
        String::from_utf8_lossy(&self.cli(line).stdout).into_owned()
    }

    /// What a line of the command line prints, which must not be refused.
    pub(crate) fn done(&self, line: &str) -> String {
        let output = self.cli(line);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Why a line of the command line is refused.
    pub(crate) fn refused(&self, line: &str) -> String {
        let output = self.cli(line);
        assert!(!output.status.success(), "{line}: {output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Runs a program on this host to its end.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self.inside(program);
        command.args(arguments).output().expect("ip runs")
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
        self.kill();
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
        if self.has_small_disk {
            let _ = Command::new("umount").arg("-l").arg(self.data()).status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The program under test: the release one where the gate made it.
fn program() -> String {
    std::env::var("CAUSEWAY_RELEASE").unwrap_or_else(|_| env!("CARGO_BIN_EXE_causeway").into())
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("ip runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "not run: 1 (ip {arguments}: {errors})"
    );
}

/// Waits until something holds.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(50));
    }
}
