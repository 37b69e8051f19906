//! Process 1 (SPEC AP1): prepares the machine, then starts and supervises the other roles.
//!
//! Read [`PHASES`] first, then [`Init::turn`]. Nothing here may end or panic, for the kernel would
//! stop with it; what fails is said on the console and the boot goes on as far as it makes sense.
//! It never reads a byte that came from a network.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use causeway_engine::net::machine::Stop;
use causeway_engine::net::seen::Seen;
use causeway_engine::wire::netlink::route::Request;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::kernel::{self, PowerButton, Watchdog};
use super::link::InitMessage;
use super::netlink::Netlink;
use super::profile::{Machine, Profile, cards};
use super::roles::Roles;
use super::supervise::{PING_INTERVAL, Pulse};
use super::{disk, modules, terminal};

/// Name of the machine until the gateway knows a better one.
const HOST_NAME: &str = "causeway";

/// Where process 1 keeps what only it may read.
const OWN_FOLDER: &str = "/data/machine";

/// Where the gateway keeps everything.
pub(super) const GATEWAY_FOLDER: &str = "/data/gateway";

/// How long the roles may take to end.
const END_TIME: Duration = Duration::from_secs(5);

/// Disks behind slow adapters show up late.
const DISK_APPEARS: Duration = Duration::from_secs(20);

/// How long to wait before the data partition is tried again.
const DATA_RETRY: Duration = Duration::from_secs(30);

/// One phase of the boot: its name on the console, and what it does.
type Phase = (&'static str, fn(&mut Init));

/// The boot, in order. Each phase says on the console what it did.
const PHASES: [Phase; 11] = [
    ("file systems", Init::mount),
    ("signals", Init::catch_signals),
    ("kernel settings", Init::settings),
    ("modules", Init::load_modules),
    ("hardware", Init::choose_profile),
    ("host name", Init::name_host),
    ("loopback", Init::loopback),
    ("data", Init::data),
    ("random", Init::random),
    ("watchdog", Init::start_watchdog),
    ("roles", Init::start_roles),
];

/// Runs as process 1; never returns and never panics.
pub(crate) fn run() -> ! {
    let mut init = Init::new();
    for (name, phase) in PHASES {
        init.phase = name;
        phase(&mut init);
    }
    init.phase = "init";
    let stop = loop {
        if let Some(stop) = init.turn() {
            break stop;
        }
    };
    init.stop(stop)
}

struct Init {
    start: Instant,
    phase: &'static str,
    console: Option<File>,
    signals: Option<SignalFd>,
    command_line: String,
    profile: Profile,
    lan: [Option<String>; 2],
    data: Result<(), Instant>,
    watchdog: Option<Watchdog>,
    buttons: Vec<PowerButton>,
    roles: Roles,
    pulse: Pulse,
    ping: Instant,
}

impl Init {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            phase: "init",
            console: kernel::console().ok(),
            signals: None,
            command_line: String::new(),
            profile: Profile::default(),
            lan: [None, None],
            data: Err(now),
            watchdog: None,
            buttons: Vec::new(),
            roles: Roles::default(),
            pulse: Pulse::new(now),
            ping: now,
        }
    }

    fn mount(&mut self) {
        let mut lines = Vec::new();
        kernel::mount_all(&mut |line| lines.push(line.to_owned()));
        // The console's node may be the one of the new /dev only.
        if self.console.is_none() {
            self.console = kernel::console().ok();
        }
        self.say(&format!("causeway {} starts", crate::VERSION));
        self.say_all(lines, "mounted");
        self.command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
        // The others may be ended when memory runs out, process 1 never.
        let _ = fs::write("/proc/self/oom_score_adj", "-1000");
    }

    fn catch_signals(&mut self) {
        let mut set = SigSet::empty();
        for signal in [
            Signal::SIGCHLD,
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGPWR,
        ] {
            set.add(signal);
        }
        let caught = set.thread_block().and_then(|()| {
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        });
        match caught {
            Ok(signals) => self.signals = Some(signals),
            Err(fault) => self.say(&format!("not caught: {fault}")),
        }
        // Ctrl-Alt-Del becomes a SIGINT to us instead of a reset.
        match set_cad_enabled(false) {
            Ok(()) => self.say("caught; Ctrl-Alt-Del asks for a reboot in good order"),
            Err(fault) => self.say(&format!("Ctrl-Alt-Del: {fault}")),
        }
    }

    fn settings(&mut self) {
        let mut lines = Vec::new();
        kernel::set_all(&mut |line| lines.push(line.to_owned()));
        self.say_all(lines, "set");
    }

    fn load_modules(&mut self) {
        let mut lines = Vec::new();
        modules::load(&mut |line| lines.push(line.to_owned()));
        self.say_all(lines, "loaded");
        // Some of the settings belong to devices and protocols that have just come.
        kernel::set_all(&mut |_| ());
        self.buttons = PowerButton::find();
    }

    fn choose_profile(&mut self) {
        let asked = kernel::argument(&self.command_line, "causeway.profile");
        let machine = Machine::look();
        let (profile, fault) = Profile::choose(&machine, asked.as_deref());
        if let Some(fault) = fault {
            self.say(&fault);
        }
        for (key, value) in machine.dmi.iter().filter(|(_, value)| !value.is_empty()) {
            self.say(&format!("{key}: {value}"));
        }
        let verified = if profile.verified { "yes" } else { "no" };
        self.say(&format!(
            "profile {}, verified on hardware: {verified}",
            profile.name
        ));
        // Drivers of cards may still be at work.
        for _ in 0..30 {
            self.lan = profile.interfaces(&cards());
            if self.lan[0].is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let names = self
            .lan
            .each_ref()
            .map(|name| name.as_deref().unwrap_or("none"));
        self.say(&format!("LAN1 is {}, LAN2 is {}", names[0], names[1]));
        self.profile = profile;
    }

    fn name_host(&mut self) {
        match nix::unistd::sethostname(HOST_NAME) {
            Ok(()) => self.say(HOST_NAME),
            Err(fault) => self.say(&format!("{fault}")),
        }
    }

    fn loopback(&mut self) {
        match raise_loopback() {
            Ok(()) => self.say("up"),
            Err(fault) => self.say(&format!("{fault}")),
        }
    }

    fn data(&mut self) {
        self.mount_data(DISK_APPEARS);
    }

    fn mount_data(&mut self, patience: Duration) {
        let memory = kernel::argument(&self.command_line, "causeway.data");
        let mut lines = Vec::new();
        let mounted = match memory.as_deref() {
            Some("memory") => disk::mount_memory().map(|()| {
                lines.push("in memory only: everything is lost at the end".to_owned());
            }),
            Some(_) | None => disk::mount_data(patience, &mut |line| lines.push(line.to_owned())),
        };
        self.say_all(lines, "looked for");
        let prepared = mounted.and_then(|()| {
            folder(OWN_FOLDER, 0)?;
            folder(GATEWAY_FOLDER, super::children::GATEWAY_ID)
        });
        self.data = match prepared {
            Ok(()) => Ok(()),
            Err(fault) => {
                self.say(&format!("{fault}; the gateway does not start without it"));
                Err(Instant::now() + DATA_RETRY)
            }
        };
    }

    fn random(&mut self) {
        if self.data.is_ok() {
            match disk::restore_seed(&Path::new(OWN_FOLDER).join("seed")) {
                Ok(()) => self.say("seeded"),
                Err(fault) => self.say(&format!("not seeded: {fault}")),
            }
        }
    }

    /// Only with data: a machine that waits for its disk is not to be reset for ever.
    fn start_watchdog(&mut self) {
        if self.data.is_err() || self.watchdog.is_some() {
            return;
        }
        self.pulse = Pulse::new(Instant::now());
        match Watchdog::open() {
            Ok(watchdog) => {
                self.watchdog = Some(watchdog);
                self.say("started");
            }
            Err(fault) => self.say(&format!("none ({fault})")),
        }
    }

    fn start_roles(&mut self) {
        let terminals = terminal::find(self.profile.serial.as_ref());
        for one in &terminals {
            self.say(&format!("login on {}", one.device.display()));
        }
        if let Err(fault) = self.roles.prepare(self.lan.clone(), terminals) {
            self.say(&format!("{fault}"));
        }
        self.start_due();
    }

    /// One round: waits for something to happen, and does what follows. What ends it is a reason
    /// to stop the machine.
    fn turn(&mut self) -> Option<Stop> {
        self.wait();
        let now = Instant::now();
        self.reap(now);
        if let Some(stop) = self.listen(now) {
            return Some(stop);
        }
        if now >= self.ping {
            self.ping = now + PING_INTERVAL;
            self.roles.ping(self.pulse.ping());
        }
        if self.roles.gateway_runs() && self.pulse.hangs(now) {
            self.say("the gateway hangs and is ended");
            self.roles.end_gateway(Signal::SIGKILL);
            self.pulse.started(now);
        }
        if let Some(watchdog) = &mut self.watchdog
            && self.pulse.feeds(now)
            && let Err(fault) = watchdog.feed()
        {
            self.say(&format!("the watchdog cannot be fed: {fault}"));
        }
        if self.data.is_err_and(|retry| now >= retry) {
            self.mount_data(Duration::ZERO);
            self.random();
            self.start_watchdog();
        }
        self.start_due();
        None
    }

    /// At most a second, so that every timer here is served in time.
    fn wait(&self) {
        let mut fds = Vec::new();
        let sockets = self.roles.links().map(AsFd::as_fd);
        let buttons = self.buttons.iter().map(AsFd::as_fd);
        let signals = self.signals.iter().map(AsFd::as_fd);
        for fd in sockets.chain(buttons).chain(signals) {
            fds.push(PollFd::new(fd, PollFlags::POLLIN));
        }
        let soon = self
            .roles
            .next_start(self.data.is_ok())
            .map_or(Duration::from_secs(1), |at| {
                at.saturating_duration_since(Instant::now())
                    .min(Duration::from_secs(1))
            });
        let millis = soon.as_millis().saturating_add(1);
        if poll(
            &mut fds,
            PollTimeout::try_from(millis).unwrap_or(PollTimeout::ZERO),
        )
        .is_err()
        {
            // Whatever the reason, turning on without rest would be worse.
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Collects every child that ended, also those that others left behind.
    fn reap(&mut self, now: Instant) {
        loop {
            let (pid, how) = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, format!("exit status {code}")),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, format!("signal {signal}")),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
                Err(Errno::EINTR) | Ok(_) => continue,
                Err(fault) => {
                    self.say(&format!("children: {fault}"));
                    return;
                }
            };
            match self.roles.ended(pid, now) {
                Ok(Some((name, pause))) => {
                    let pause = pause.as_secs();
                    self.say(&format!("{name} ended ({how}), starts again in {pause} s"));
                }
                Ok(None) => {}
                Err(fault) => self.say(&format!("{fault}")),
            }
        }
    }

    /// What signals, buttons and roles say.
    fn listen(&mut self, now: Instant) -> Option<Stop> {
        let mut stop = None;
        while let Some(signal) = self.signal() {
            match signal {
                Signal::SIGINT => stop = Some(Stop::Reboot),
                Signal::SIGTERM | Signal::SIGPWR => stop = Some(Stop::PowerOff),
                _ => {}
            }
        }
        if self.buttons.iter_mut().any(PowerButton::pressed) {
            self.say("the power button was pressed");
            stop = Some(Stop::PowerOff);
        }
        for message in self.roles.messages() {
            match message {
                InitMessage::Pong(_) => self.pulse.pong(now),
                InitMessage::Stop(Stop::Restart) => {
                    self.say("the gateway is to restart");
                    self.roles.end_gateway(Signal::SIGTERM);
                }
                InitMessage::Stop(wish) => stop = Some(wish),
                InitMessage::Ping(_) => {}
            }
        }
        stop
    }

    fn signal(&self) -> Option<Signal> {
        let information = self.signals.as_ref()?.read_signal().ok()??;
        Signal::try_from(i32::try_from(information.ssi_signo).ok()?).ok()
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        for (name, result) in self.roles.start_due(now, self.data.is_ok()) {
            match result {
                Ok(pid) => {
                    if name == "gateway" {
                        self.pulse.started(now);
                    }
                    self.say(&format!("{name} runs as process {pid}"));
                }
                Err(fault) => self.say(&format!("{name} does not start: {fault}")),
            }
        }
    }

    /// Ends everything in good order. The watchdog stays on for a reboot that hangs.
    fn stop(mut self, stop: Stop) -> ! {
        let mode = match stop {
            Stop::PowerOff => RebootMode::RB_POWER_OFF,
            Stop::Reboot | Stop::Restart => RebootMode::RB_AUTOBOOT,
        };
        self.phase = "stop";
        self.say("the roles are asked to end");
        // As process 1, everybody but us.
        let _ = kill(Pid::from_raw(-1), Signal::SIGTERM);
        if !self.all_end(END_TIME) {
            self.say("some are ended by force");
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            self.all_end(END_TIME);
        }
        if self.data.is_ok() {
            if let Err(fault) = disk::save_seed(&Path::new(OWN_FOLDER).join("seed")) {
                self.say(&format!("the random seed is not kept: {fault}"));
            }
            match disk::unmount_data() {
                Ok(()) => self.say("data is written and taken off"),
                Err(fault) => self.say(&format!("data: {fault}")),
            }
        }
        nix::unistd::sync();
        self.say(if stop == Stop::PowerOff {
            "power off"
        } else {
            "reboot"
        });
        if stop == Stop::PowerOff
            && let Some(watchdog) = self.watchdog.take()
        {
            watchdog.stop();
        }
        loop {
            // Whoever comes back from this call was refused.
            let Err(fault) = reboot(mode);
            self.say(&format!("not done: {fault}"));
            std::thread::sleep(Duration::from_secs(10));
        }
    }

    /// Waits until there are no children, at most for `time`.
    fn all_end(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::ECHILD) => return true,
                Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(20)),
                Ok(status) => {
                    let name = status.pid().and_then(|pid| self.roles.name(pid));
                    if let Some(name) = name {
                        self.say(&format!("{name} ended"));
                    }
                }
                Err(_) => {}
            }
            if Instant::now() >= end {
                return false;
            }
        }
    }

    fn say_all(&mut self, lines: Vec<String>, otherwise: &str) {
        if lines.is_empty() {
            self.say(otherwise);
        }
        for line in lines {
            // Phases name themselves in their lines; the prefix is ours.
            let prefix = format!("{}: ", self.phase);
            self.say(line.strip_prefix(&prefix).unwrap_or(&line));
        }
    }

    /// A line on the console. What does not fit in its buffer is lost: waiting for a terminal
    /// that nobody reads would stop the machine.
    fn say(&mut self, text: &str) {
        let millis = self.start.elapsed().as_millis();
        let (seconds, millis) = (millis / 1000, millis % 1000);
        let line = format!("[{seconds:4}.{millis:03}] {}: {text}\r\n", self.phase);
        if let Some(console) = &mut self.console {
            let _ = console.write_all(line.as_bytes());
        }
    }
}

/// Switches `lo` on; the kernel gives it its addresses.
fn raise_loopback() -> io::Result<()> {
    let netlink = Netlink::route()?;
    let encode = |request: Request| request.encode(1).map_err(io::Error::other);
    let dump = netlink.dump(&encode(Request::DumpLinks)?)?;
    let seen = Seen::read(&dump).map_err(io::Error::other)?;
    let lo = seen.link("lo").ok_or(io::ErrorKind::NotFound)?;
    netlink.perform(&encode(Request::SetLink {
        index: lo.index,
        up: true,
        mtu: None,
    })?)?;
    Ok(())
}

/// Makes a folder that only this user can look into.
fn folder(path: &str, user: u32) -> Result<(), String> {
    use std::os::unix::fs::{PermissionsExt, chown};

    fs::create_dir_all(path)
        .and_then(|()| chown(path, Some(user), Some(user)))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
        .map_err(|fault| format!("{path}: {fault}"))
}

/// The words after the program's name.
pub(super) fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.map(OsString::from).into()
}
