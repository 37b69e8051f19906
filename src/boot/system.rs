//! The privileged role (SPEC AP2): does for the gateway what only root may do, and nothing else.
//!
//! It loads the drop-all firewall before anything else, then serves one request at a time. What
//! the gateway asks is judged by [`guard`] before a byte of it reaches the kernel.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, RawFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use causeway_engine::net::firewall::closed;
use causeway_engine::net::guard;
use causeway_engine::net::machine::{MachineReport, MachineRequest};
use causeway_engine::net::seen::Seen;
use causeway_engine::wire::netlink::answer::answers;
use causeway_engine::wire::netlink::route::Request;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::link::{InitMessage, Link};
use super::netlink::Netlink;

/// Changes to links often come in bursts; one look serves them all.
const SETTLE_TIME: Duration = Duration::from_millis(200);

/// Serves the gateway until its end is closed.
///
/// Arguments: `--fd N` (conversation with the gateway), `--init-fd N` (with `init`, optional),
/// `--lan1 NAME` and `--lan2 NAME` (kernel interfaces, by the hardware profile).
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    match start(arguments).and_then(|mut system| system.serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            print(&format!("{fault}"));
            ExitCode::FAILURE
        }
    }
}

struct System {
    gateway: Link,
    init: Option<Link>,
    lan: [Option<String>; 2],
    route: Netlink,
    changes: Netlink,
    /// Whether the drop-all rules were loaded; without them no link goes up.
    closed: Result<(), String>,
    /// When to look by ourselves, because something changed.
    look: Option<Instant>,
    /// Requests refused so far.
    refusals: u32,
}

/// Refusals that are printed on the console; a gateway gone wrong must not flood it.
const REFUSALS_PRINTED: u32 = 20;

fn start(arguments: &[OsString]) -> io::Result<System> {
    let (mut gateway, mut init, mut lan) = (None, None, [None, None]);
    let mut rest = arguments.iter().map(|word| word.to_str());
    while let Some(option) = rest.next() {
        let value = rest.next().flatten().map(str::to_owned);
        let value = value.ok_or_else(|| wrong("an option without a value"))?;
        match option {
            Some("--fd") => gateway = Some(Link::inherited(descriptor(&value)?)?),
            Some("--init-fd") => init = Some(Link::inherited(descriptor(&value)?)?),
            Some("--lan1") => lan[0] = Some(value),
            Some("--lan2") => lan[1] = Some(value),
            Some(_) | None => return Err(wrong("an option that is not known")),
        }
    }
    Ok(System {
        gateway: gateway.ok_or_else(|| wrong("--fd is missing"))?,
        init,
        lan,
        closed: close(),
        route: Netlink::route()?,
        changes: Netlink::changes()?,
        look: None,
        refusals: 0,
    })
}

/// Loads the drop-all rules.
fn close() -> Result<(), String> {
    let text = |fault: io::Error| fault.to_string();
    let batch = closed().replacement(1).map_err(|fault| fault.to_string())?;
    let datagrams = Netlink::firewall()
        .and_then(|socket| socket.perform(&batch))
        .map_err(text)?;
    let mut done = 0;
    for datagram in datagrams {
        for answer in answers(&datagram).map_err(|fault| fault.to_string())? {
            match answer.result {
                Ok(()) => done += 1,
                Err(fault) => return Err(fault.to_string()),
            }
        }
    }
    if done > 0 {
        Ok(())
    } else {
        Err("the kernel did not answer".into())
    }
}

impl System {
    fn serve(&mut self) -> io::Result<()> {
        match &self.closed {
            Ok(()) => print("the firewall is closed until the gateway opens it"),
            Err(fault) => print(&format!("no firewall, so no link goes up: {fault}")),
        }
        self.gateway.send(&MachineReport::Started {
            lan: self.lan.clone(),
            closed: self.closed.clone(),
        })?;
        loop {
            let (asked, changed) = self.wait()?;
            if asked {
                let request = match self.gateway.receive() {
                    Ok(Some(request)) => request,
                    Ok(None) => return self.end(),
                    Err(fault) if fault.kind() == io::ErrorKind::InvalidData => {
                        self.refuse(None, "not a request")?;
                        continue;
                    }
                    Err(fault) => return Err(fault),
                };
                self.perform(request)?;
            }
            if changed && self.changes.drain()? {
                self.look.get_or_insert(Instant::now() + SETTLE_TIME);
            }
            if self.look.is_some_and(|look| Instant::now() >= look) {
                self.look = None;
                self.report_seen()?;
            }
        }
    }

    /// The gateway is gone: nobody answers behind the ports that it had opened.
    fn end(&self) -> io::Result<()> {
        close().map_err(io::Error::other)
    }

    /// Waits for a request or a change; tells which.
    fn wait(&self) -> io::Result<(bool, bool)> {
        let timeout = match self.look {
            Some(look) => {
                let left = look.saturating_duration_since(Instant::now());
                // Rounded up, or the last millisecond would be spent in a busy loop.
                let millis = left.as_millis().saturating_add(1);
                PollTimeout::try_from(millis).unwrap_or(PollTimeout::ZERO)
            }
            None => PollTimeout::NONE,
        };
        let mut fds = [
            PollFd::new(self.gateway.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.changes.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => return Ok((false, false)),
            Err(fault) => return Err(fault.into()),
        }
        let [gateway, changes] = &fds;
        Ok((gateway.any() == Some(true), changes.any() == Some(true)))
    }

    fn perform(&mut self, request: MachineRequest) -> io::Result<()> {
        match request {
            MachineRequest::Look => self.report_seen(),
            MachineRequest::Route { sequence, messages } => self.change_routes(sequence, &messages),
            MachineRequest::Firewall { sequence, batch } => self.change_rules(sequence, &batch),
            MachineRequest::HostName(name) => {
                if !guard::host_name(&name) {
                    return self.refuse(None, "not a host name");
                }
                match nix::unistd::sethostname(&name) {
                    Ok(()) => Ok(()),
                    Err(fault) => self.refuse(None, &format!("host name: {fault}")),
                }
            }
            MachineRequest::Stop(stop) => match &self.init {
                Some(init) => init.send(&InitMessage::Stop(stop)),
                None => self.refuse(None, "this machine is not ours to stop"),
            },
        }
    }

    fn change_routes(&mut self, sequence: u32, messages: &[Vec<u8>]) -> io::Result<()> {
        let judged = self
            .lan_numbers()
            .and_then(|lan| guard::route(lan, messages));
        if let Err(reason) = judged {
            return self.refuse(Some(sequence), &reason);
        }
        if let Err(fault) = &self.closed
            && guard::switches_on(messages)
        {
            let reason = format!("no link without a firewall: {fault}");
            return self.refuse(Some(sequence), &reason);
        }
        let mut all = Vec::new();
        for message in messages {
            match self.route.perform(message) {
                Ok(answers) => all.extend(answers),
                Err(fault) => return self.refuse(Some(sequence), &fault.to_string()),
            }
        }
        self.gateway.send(&MachineReport::Route {
            sequence,
            answers: all,
        })
    }

    fn change_rules(&mut self, sequence: u32, batch: &[u8]) -> io::Result<()> {
        if let Err(reason) = guard::firewall(batch) {
            return self.refuse(Some(sequence), &reason);
        }
        match Netlink::firewall().and_then(|socket| socket.perform(batch)) {
            Ok(answers) => self
                .gateway
                .send(&MachineReport::Firewall { sequence, answers }),
            Err(fault) => self.refuse(Some(sequence), &fault.to_string()),
        }
    }

    fn report_seen(&mut self) -> io::Result<()> {
        match self.dumps() {
            Ok(dumps) => self.gateway.send(&MachineReport::Seen { dumps }),
            Err(fault) => self.refuse(None, &format!("looking at the network: {fault}")),
        }
    }

    fn dumps(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        for request in [
            Request::DumpLinks,
            Request::DumpAddresses,
            Request::DumpRoutes4,
            Request::DumpRoutes6,
        ] {
            let bytes = request.encode(1).map_err(io::Error::other)?;
            all.extend(self.route.dump(&bytes)?);
        }
        Ok(all)
    }

    /// The kernel's numbers of the LANs now; a name can come back under another number.
    fn lan_numbers(&self) -> Result<[Option<u32>; 2], String> {
        let seen = self.dumps().map_err(|fault| fault.to_string())?;
        let seen = Seen::read(&seen).map_err(|fault| fault.to_string())?;
        Ok(self.lan.each_ref().map(|name| {
            let link = seen.link(name.as_deref()?)?;
            Some(link.index)
        }))
    }

    fn refuse(&mut self, sequence: Option<u32>, reason: &str) -> io::Result<()> {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals <= REFUSALS_PRINTED {
            print(&format!("refused: {reason}"));
        }
        self.gateway.send(&MachineReport::Refused {
            sequence,
            reason: reason.to_owned(),
        })
    }
}

/// A line on the console. It does not wait for a terminal, so a write may fail.
fn print(text: &str) {
    let _ = writeln!(io::stderr(), "system: {text}");
}

fn descriptor(text: &str) -> io::Result<RawFd> {
    text.parse().map_err(|_| wrong("a descriptor is a number"))
}

fn wrong(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
