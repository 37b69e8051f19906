//! A running gateway with ports of its own and a known password.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Longest time that one expected thing may take; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program.
pub(crate) const CAUSEWAY: &str = env!("CARGO_BIN_EXE_causeway");

/// The administrator's password in these tests.
pub(crate) const PASSWORD: &str = "correct horse";

/// A gateway; killed, and its folder removed, when dropped.
pub(crate) struct Gateway {
    child: Child,
    folder: PathBuf,
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
}

impl Gateway {
    /// One that is set up.
    pub(crate) fn start() -> Self {
        let folder = folder();
        let file = folder.join("password");
        fs::write(&file, PASSWORD).expect("a file");
        let file = file.to_str().expect("a plain path").to_owned();
        Self::spawn(folder, "run", &["--admin-password-file", &file])
    }

    /// One as on an appliance that nobody has set up yet.
    pub(crate) fn unset() -> Self {
        Self::spawn(folder(), "gateway", &[])
    }

    fn spawn(folder: PathBuf, role: &str, more: &[&str]) -> Self {
        let (web, sip) = (free_port(), free_port());
        let items = [
            ("Management Interface Port", web),
            ("SIP UDP Port", sip),
            ("SIP TCP Port", sip),
        ];
        let mut command = Command::new(CAUSEWAY);
        command.arg(role).arg("--data").arg(&folder).args(more);
        for (path, port) in items {
            command.args(["--set", &format!("{path}: {port}")]);
        }
        for setting in [
            "SystemUnit Name: gateway-1",
            "Ethernet 1 IP V4 Address: 127.0.0.1",
        ] {
            command.args(["--set", setting]);
        }
        let output = (Stdio::piped(), Stdio::null());
        let child = command.stdout(output.0).stderr(output.1).spawn();
        let mut gateway = Self {
            child: child.expect("the program starts"),
            folder,
            url: format!("https://127.0.0.1:{web}"),
        };
        gateway.wait_until_ready();
        gateway
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.folder
    }

    /// Does a line on its command line; what it prints.
    pub(crate) fn command_line(&self, line: &str) -> String {
        let mut command = Command::new(CAUSEWAY);
        command.args(["cli", "--data"]).arg(&self.folder).arg(line);
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn wait_until_ready(&mut self) {
        let output = BufReader::new(self.child.stdout.take().expect("a pipe"));
        let (sender, ready) = mpsc::channel();
        thread::spawn(move || {
            let mut lines = output.lines().map_while(Result::ok);
            if lines.any(|line| line.starts_with("ready")) {
                let _ = sender.send(());
            }
            lines.for_each(drop);
        });
        ready.recv_timeout(PATIENCE).expect("a ready line");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits until `happened`, or panics with `what`.
pub(crate) fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A new folder for one test.
pub(crate) fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("causeway-web-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::create_dir_all(&path).expect("a folder");
    path
}

/// A port that nobody uses now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
