//! Command line and serial console on a terminal that the test plays.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use nix::pty::openpty;
use nix::unistd::ttyname;

use crate::gateway::{CAUSEWAY, Gateway, PASSWORD, PATIENCE};

/// Ctrl-C and Ctrl-D.
const INTERRUPT: &str = "\u{3}";
const END: &str = "\u{4}";

/// A program on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    screen: Receiver<Vec<u8>>,
    /// All that was shown.
    shown: String,
    /// How much of it was waited for already.
    read: usize,
    /// Our end of the terminal, so that it lives when the program ends.
    _line: OwnedFd,
}

impl Terminal {
    /// `causeway cli` as a person starts it.
    fn command_line(gateway: &Gateway) -> Self {
        Self::start(|command, _| {
            command.args(["cli", "--data"]).arg(gateway.data());
        })
    }

    /// `causeway console` as init starts it.
    fn console(gateway: &Gateway) -> Self {
        Self::start(|command, line| {
            command.args(["console", "--tty"]).arg(line);
            command.arg("--data").arg(gateway.data());
        })
    }

    fn start(arguments: impl FnOnce(&mut Command, PathBuf)) -> Self {
        let pair = openpty(None, None).expect("a terminal");
        let mut command = Command::new(CAUSEWAY);
        arguments(&mut command, ttyname(&pair.slave).expect("its name"));
        let line = || Stdio::from(pair.slave.try_clone().expect("the line"));
        command
            .stdin(line())
            .stdout(line())
            .stderr(line())
            .env("TERM", "vt100");
        let child = command.spawn().expect("the program starts");
        let keys = File::from(pair.master);
        let mut output = keys.try_clone().expect("the terminal");
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                if sender.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            keys,
            screen,
            shown: String::new(),
            read: 0,
            _line: pair.slave,
        }
    }

    /// Waits until `text` is shown after what was waited for before.
    fn expect(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(place) = self.shown[self.read..].find(text) {
                self.read += place + text.len();
                return self;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("no {text} in {}", self.shown),
            }
        }
    }

    fn press(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).expect("typed");
        self
    }

    fn enter(&mut self, line: &str) -> &mut Self {
        self.press(line).press("\r")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn the_command_line_completes_helps_and_ends() {
    let gateway = Gateway::start();
    let mut terminal = Terminal::command_line(&gateway);
    terminal
        .expect("gateway-1> ")
        .press("xConf\t")
        .expect("xConfiguration ");
    terminal
        .press("SIP U\t")
        .expect("UDP ")
        .press("\t\t")
        .expect("Mode")
        .expect("Port");
    terminal
        .enter("Mode")
        .expect("*c xConfiguration SIP UDP Mode: \"On\"");
    terminal
        .expect("gateway-1> ")
        .enter("xConfiguration SIP UDP ?")
        .expect("<1..65535>");
    terminal
        .expect("gateway-1> ")
        .enter("nonsense")
        .expect("a line begins with");
    // The arrow brings back what was typed, Ctrl-C forgets it.
    terminal
        .expect("gateway-1> ")
        .press("\u{1b}[A")
        .expect("nonsense")
        .press(INTERRUPT);
    terminal.expect("gateway-1> ").press(END);
    assert!(terminal.child.wait().expect("ended").success());
}

#[test]
fn lines_from_a_pipe_are_done_and_the_status_tells() {
    let gateway = Gateway::start();
    let run = |lines: &str| {
        let mut command = Command::new(CAUSEWAY);
        command.args(["cli", "--data"]).arg(gateway.data());
        let pipes = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = pipes.spawn().expect("the program starts");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(lines.as_bytes()).expect("written");
        drop(input);
        child.wait_with_output().expect("ended")
    };
    let good =
        run("# a comment\n\nxConfiguration SystemUnit Name: \"piped\"\nxConfiguration SIP Mode");
    assert!(good.status.success(), "{good:?}");
    assert!(String::from_utf8_lossy(&good.stdout).contains("*c xConfiguration SIP Mode: \"On\""));
    let bad = run("nonsense\nxConfiguration SystemUnit Name\n");
    assert_eq!(bad.status.code(), Some(1));
    let output = String::from_utf8_lossy(&bad.stdout);
    assert!(
        output.contains("piped"),
        "the lines after it are done: {output}"
    );
}

#[test]
fn the_console_wants_a_login_and_shows_no_password() {
    let gateway = Gateway::start();
    let mut terminal = Terminal::console(&gateway);
    terminal
        .expect("Causeway ")
        .expect("Serial number")
        .expect(&gateway.url);
    terminal
        .expect("login: ")
        .enter("admin")
        .expect("Password: ")
        .enter("not this one");
    terminal.expect("Wrong user name or password.");
    terminal
        .expect("login: ")
        .enter("admin")
        .expect("Password: ")
        .enter(PASSWORD);
    terminal.expect("Logged in as admin.").expect("gateway-1> ");
    terminal.enter("xConfiguration Administration Account Password");
    terminal
        .expect("\"***\"")
        .expect("gateway-1> ")
        .enter("exit");
    terminal.expect("Serial number").expect("login: ");
    for secret in ["not this one", PASSWORD, "$argon2id$"] {
        assert!(!terminal.shown.contains(secret), "{}", terminal.shown);
    }
}

#[test]
fn the_wizard_sets_the_system_up_and_lets_the_administrator_in() {
    let gateway = Gateway::unset();
    let mut terminal = Terminal::console(&gateway);
    terminal
        .expect("has not been set up")
        .expect("New password of admin: ")
        .enter("short");
    terminal
        .expect("at least 8")
        .expect("New password of admin: ")
        .enter(PASSWORD);
    terminal.expect("The same again: ").press(END);
    terminal
        .expect("From the beginning.")
        .expect("New password of admin: ")
        .enter(PASSWORD);
    terminal.expect("The same again: ").enter(PASSWORD);
    terminal
        .expect("LAN1 IPv4 address [192.168.0.100]: ")
        .enter("127.0.0.300");
    terminal
        .expect("Not accepted")
        .expect("LAN1 IPv4 address")
        .enter("127.0.0.1");
    terminal
        .expect("LAN1 subnet mask [255.255.255.0]: ")
        .enter("");
    terminal.expect("Default gateway [none]: ").enter("");
    terminal.expect("Host name [none]: ").enter("box");
    terminal.expect("Domain name [none]: ").enter("example.com");
    terminal.expect("DNS server [none]: ").enter("192.0.2.53");
    terminal.expect("NTP server [none]: ").enter("192.0.2.123");
    terminal.expect("Time zone [UTC]: ").enter("");
    terminal
        .expect("192.0.2.123")
        .expect("Save these settings? [yes]: ")
        .enter("");
    terminal
        .expect("This system is set up")
        .expect("login: ")
        .enter("admin");
    terminal
        .expect("Password: ")
        .enter(PASSWORD)
        .expect("Logged in");
    let saved = gateway.command_line("xConfiguration NTP Server 1 Address");
    assert!(saved.contains("192.0.2.123"), "{saved}");
    assert!(!terminal.shown.contains(PASSWORD));
}
