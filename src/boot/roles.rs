//! The other roles, from the first start to the last (SPEC AP1, AP2).
//!
//! The conversation between gateway and `system` belongs to process 1, which keeps both ends, so
//! `system` can be started again without the gateway noticing more than a report. A gateway that
//! ended gets a new conversation and a new `system` with it, which closes the firewall first.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::children::{Rights, Start, start};
use super::init::{GATEWAY_FOLDER, words};
use super::link::{InitMessage, Link};
use super::supervise::BackOff;
use super::terminal::Terminal;

/// Messages taken from one role in one round; the rest waits for the next.
const MESSAGES: usize = 64;

/// All roles and the conversations between them.
#[derive(Debug, Default)]
pub(super) struct Roles {
    lan: [Option<String>; 2],
    links: Option<Links>,
    children: Vec<Child>,
}

#[derive(Debug)]
struct Links {
    /// Gateway and `system`: the gateway's end, the other end.
    machine: (Link, Link),
    /// Process 1 and the gateway: our end, the other end.
    gateway: (Link, Link),
    /// Process 1 and `system`.
    system: (Link, Link),
}

#[derive(Debug)]
struct Child {
    what: What,
    state: State,
    back_off: BackOff,
    /// Its end is wanted and no sign of trouble.
    wanted_end: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    System,
    Gateway,
    Console(Terminal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runs { pid: Pid, since: Instant },
    Waits { until: Instant },
}

impl Roles {
    /// Makes the conversations and the list of roles; none is started yet.
    pub(super) fn prepare(
        &mut self,
        lan: [Option<String>; 2],
        terminals: Vec<Terminal>,
    ) -> io::Result<()> {
        self.lan = lan;
        let consoles = terminals.into_iter().map(What::Console);
        let now = Instant::now();
        self.children = [What::System, What::Gateway]
            .into_iter()
            .chain(consoles)
            .map(|what| Child {
                what,
                state: State::Waits { until: now },
                back_off: BackOff::default(),
                wanted_end: false,
            })
            .collect();
        self.links = Some(Links::new()?);
        Ok(())
    }

    /// Starts what is due; the gateway and the consoles only with `data`. Names and outcomes.
    pub(super) fn start_due(&mut self, now: Instant, data: bool) -> Vec<(String, io::Result<Pid>)> {
        let Some(links) = &self.links else {
            return Vec::new();
        };
        let mut outcomes = Vec::new();
        for child in &mut self.children {
            let due = matches!(child.state, State::Waits { until } if now >= until);
            if !due || (!data && child.what != What::System) {
                continue;
            }
            let result = links.start(&child.what, &self.lan);
            child.state = match result {
                Ok(pid) => State::Runs { pid, since: now },
                Err(_) => State::Waits {
                    until: now
                        + child
                            .back_off
                            .ended(Duration::ZERO)
                            .max(Duration::from_secs(1)),
                },
            };
            outcomes.push((child.what.name(), result));
        }
        outcomes
    }

    /// A process ended: the role that it was, if any, and how long until it is started again.
    pub(super) fn ended(
        &mut self,
        pid: Pid,
        now: Instant,
    ) -> io::Result<Option<(String, Duration)>> {
        let runs =
            |child: &&mut Child| matches!(child.state, State::Runs { pid: own, .. } if own == pid);
        let Some(child) = self.children.iter_mut().find(runs) else {
            return Ok(None);
        };
        let State::Runs { since, .. } = child.state else {
            return Ok(None);
        };
        if std::mem::take(&mut child.wanted_end) {
            child.back_off.forget();
        }
        let pause = child.back_off.ended(now.duration_since(since));
        child.state = State::Waits { until: now + pause };
        let told = (child.what.name(), pause);
        if child.what == What::Gateway {
            self.end(&What::System, Signal::SIGKILL);
            if let Some(links) = &mut self.links {
                links.renew()?;
            }
        }
        Ok(Some(told))
    }

    /// Asks the gateway, which answers from its main loop. One that does not read is not asked.
    pub(super) fn ping(&self, number: u32) {
        if self.gateway_runs()
            && let Some(links) = &self.links
        {
            let _ = links.gateway.0.send(&InitMessage::Ping(number));
        }
    }

    /// Ends the gateway; it is started again at once.
    pub(super) fn end_gateway(&mut self, signal: Signal) {
        self.end(&What::Gateway, signal);
    }

    /// What the roles told us: answers of the gateway, wishes of `system`. Nobody may say what is
    /// for the other to say.
    pub(super) fn messages(&self) -> Vec<InitMessage> {
        let Some(links) = &self.links else {
            return Vec::new();
        };
        let mut all = received(&links.gateway.0);
        all.retain(|message| matches!(message, InitMessage::Pong(_)));
        let wishes = received(&links.system.0);
        all.extend(
            wishes
                .into_iter()
                .filter(|message| matches!(message, InitMessage::Stop(_))),
        );
        all
    }

    /// Conversations to wait on.
    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        self.links
            .iter()
            .flat_map(|links| [&links.gateway.0, &links.system.0])
    }

    /// When the next role is to be started; the gateway and the consoles wait for `data`.
    pub(super) fn next_start(&self, data: bool) -> Option<Instant> {
        let waits = |child: &Child| match child.state {
            State::Waits { until } if data || child.what == What::System => Some(until),
            State::Waits { .. } | State::Runs { .. } => None,
        };
        self.children.iter().filter_map(waits).min()
    }

    /// The role that runs as this process.
    pub(super) fn name(&self, pid: Pid) -> Option<String> {
        let runs =
            |child: &&Child| matches!(child.state, State::Runs { pid: own, .. } if own == pid);
        self.children
            .iter()
            .find(runs)
            .map(|child| child.what.name())
    }

    /// Whether the gateway is running.
    pub(super) fn gateway_runs(&self) -> bool {
        let runs = |child: &Child| matches!(child.state, State::Runs { .. });
        self.children
            .iter()
            .any(|child| child.what == What::Gateway && runs(child))
    }

    fn end(&mut self, what: &What, signal: Signal) {
        for child in self.children.iter_mut().filter(|child| child.what == *what) {
            if let State::Runs { pid, .. } = child.state {
                child.wanted_end = true;
                // It may have ended by itself just now.
                let _ = kill(pid, signal);
            }
        }
    }
}

impl Links {
    fn new() -> io::Result<Self> {
        let links = Self {
            machine: Link::pair()?,
            gateway: Link::pair()?,
            system: Link::pair()?,
        };
        never_wait(&links.gateway.0)?;
        never_wait(&links.system.0)?;
        Ok(links)
    }

    /// New conversations for a new gateway: nothing that the old one said or was told is left.
    fn renew(&mut self) -> io::Result<()> {
        *self = Self::new()?;
        Ok(())
    }

    fn start(&self, what: &What, lan: &[Option<String>; 2]) -> io::Result<Pid> {
        match what {
            What::System => {
                let (machine, init) = (&self.machine.1, &self.system.1);
                let mut arguments = words([
                    "system",
                    "--fd",
                    &machine.number(),
                    "--init-fd",
                    &init.number(),
                ]);
                for (option, name) in ["--lan1", "--lan2"].into_iter().zip(lan) {
                    if let Some(name) = name {
                        arguments.extend(words([option, name]));
                    }
                }
                start(Start {
                    arguments,
                    links: vec![machine, init],
                    rights: Rights::Root,
                    terminal: None,
                    oom_score: -900,
                })
            }
            What::Gateway => {
                let (machine, init) = (&self.machine.0, &self.gateway.1);
                let numbers = [machine.number(), init.number()];
                start(Start {
                    arguments: words([
                        "gateway",
                        "--data",
                        GATEWAY_FOLDER,
                        "--machine-fd",
                        &numbers[0],
                        "--init-fd",
                        &numbers[1],
                    ]),
                    links: vec![machine, init],
                    rights: Rights::Gateway,
                    terminal: None,
                    oom_score: -500,
                })
            }
            What::Console(terminal) => {
                let device = terminal.device.to_string_lossy();
                start(Start {
                    arguments: words(["console", "--tty", &device, "--data", GATEWAY_FOLDER]),
                    links: Vec::new(),
                    rights: Rights::User,
                    terminal: Some(terminal.open()?),
                    oom_score: 0,
                })
            }
        }
    }
}

impl What {
    fn name(&self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::Gateway => "gateway".to_owned(),
            Self::Console(terminal) => format!("console on {}", terminal.device.display()),
        }
    }
}

fn received(link: &Link) -> Vec<InitMessage> {
    let mut all = Vec::new();
    for _ in 0..MESSAGES {
        match link.receive() {
            Ok(Some(message)) => all.push(message),
            // Not such a message; the next may be.
            Err(fault) if fault.kind() == io::ErrorKind::InvalidData => {}
            Ok(None) | Err(_) => break,
        }
    }
    all
}

/// Process 1 waits in one place only.
fn never_wait(link: &Link) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(link.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(link.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
