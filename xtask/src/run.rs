//! `cargo xtask run`: appliances on this host, at the terminal.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Read as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::lab::guest::{Forward, Guest, Machine, Plug, Start};
use crate::lab::switch::Switch;
use crate::lab::{Sockets, disk};
use crate::tools::{Context as _, Done, Fault, fault, folder, target};
use crate::{binary, demonstration, image};

/// Peers of one cluster (SPEC CL2).
pub const PEERS_MAX: u8 = 6;

/// Ctrl-]: what follows is for us, not for the guest.
const ESCAPE: u8 = 0x1d;

/// How long to wait for a guest that was asked to switch itself off.
const OFF_TIME: Duration = Duration::from_secs(60);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many appliances; without a number one at a terminal, two where there is none.
    pub peers: Option<u8>,
    /// How they start.
    pub start: Start,
    /// Whether to use KVM, which must be known to work on this host.
    pub kvm: bool,
    /// Whether to go on with the disks of the last run.
    pub keep: bool,
}

impl Options {
    /// Reads the words after `run`.
    pub fn read(words: &[&str]) -> Done<Self> {
        let mut options = Self {
            peers: None,
            start: Start::Direct,
            kvm: false,
            keep: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--bios" => options.start = Start::Bios,
                "--uefi" => options.start = Start::Uefi,
                "--kvm" => options.kvm = true,
                "--keep" => options.keep = true,
                "--peers" => {
                    let number = words.next().and_then(|word| word.parse().ok());
                    let number = number.filter(|number| (1..=PEERS_MAX).contains(number));
                    let wrong = || Fault(format!("--peers needs a number from 1 to {PEERS_MAX}"));
                    options.peers = Some(number.ok_or_else(wrong)?);
                }
                word => return fault(format!("run has no option {word}")),
            }
        }
        Ok(options)
    }
}

/// Builds what is needed and runs it: at a terminal for its user, else as a demonstration.
pub fn run(options: &Options) -> Done {
    binary::build()?;
    image::make(&binary::path())?;
    if std::io::stdin().is_terminal() {
        at_the_terminal(options)
    } else {
        demonstration::run(options)
    }
}

/// LAN1 address that we propose for a peer, counted from 1.
pub fn address(peer: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 2, 10 + peer)
}

fn at_the_terminal(options: &Options) -> Done {
    let place = target().join("run");
    folder(&place)?;
    let sockets = Sockets::new()?;
    let lan = Switch::new(sockets.path(), "lan");
    let peers = options.peers.unwrap_or(1);
    let mut text = String::new();
    let mut forwards = Vec::new();
    for peer in 1..=peers {
        let own = forwards_of(peer)?;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "peer {peer}: web https://127.0.0.1:{}, SIP 127.0.0.1:{} (UDP and TCP); LAN1 {}",
            own[0].port,
            own[1].port,
            address(peer)
        );
        forwards.extend(own);
    }
    print!("{text}");
    println!("In the wizard: the LAN1 address above, mask 255.255.255.0, gateway 10.0.2.2.");
    println!("Ctrl-] and then: 1 to {peers} goes to that peer, p presses all power buttons,");
    println!("q cuts the power.");
    let mut guests = Vec::new();
    for peer in 1..=peers {
        let (_, socket) = lan.port()?;
        // One way out for the whole LAN is enough.
        let plug = match std::mem::take(&mut forwards) {
            none if none.is_empty() => Plug::Switch(socket),
            all => Plug::Gateway(socket, all),
        };
        let machine = machine(options, &place, sockets.path(), peer, plug)?;
        let mut guest = machine.start()?;
        if !guest.is_on() {
            return fault(guest.complaints());
        }
        guests.push(guest);
    }
    let _raw = Raw::begin()?;
    converse(&mut guests)
}

/// The machine of a peer, counted from 1.
pub fn machine(
    options: &Options,
    place: &Path,
    sockets: &Path,
    peer: u8,
    plug: Plug,
) -> Done<Machine> {
    let name = format!("peer{peer}");
    let old = place.join(format!("{name}.img"));
    let disk = if options.keep && old.exists() {
        old
    } else {
        disk::copy(place, &name)?
    };
    Ok(Machine {
        name,
        start: options.start,
        disk,
        number: peer,
        plugs: vec![plug, Plug::Open],
        folder: place.to_owned(),
        sockets: sockets.to_owned(),
        arguments: String::new(),
        kvm: options.kvm,
        shown: peer == 1,
    })
}

/// Free ports of the loopback address that lead to a peer's web pages and SIP.
fn forwards_of(peer: u8) -> Done<Vec<Forward>> {
    let step = 10 * u16::from(peer - 1);
    let to = |port| SocketAddrV4::new(address(peer), port);
    let web = free(8443 + step)?;
    let sip = free(5060 + step)?;
    let forward = |transport, port, to| Forward {
        transport,
        port,
        to,
    };
    Ok(vec![
        forward("tcp", web, to(443)),
        forward("udp", sip, to(5060)),
        forward("tcp", sip, to(5060)),
    ])
}

/// The first port from `first` on that nobody has.
fn free(first: u16) -> Done<u16> {
    let is_free = |port: &u16| {
        TcpListener::bind(("127.0.0.1", *port)).is_ok()
            && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
    };
    let found = (first..=u16::MAX).step_by(100).find(is_free);
    found.ok_or_else(|| Fault(format!("no free port from {first} on")))
}

/// Passes keys to the chosen guest until all are off.
fn converse(guests: &mut [Guest]) -> Done {
    let mut chosen = 0;
    let mut escaped = false;
    let stdin = std::io::stdin();
    let mut keys = [0; 256];
    while guests.iter_mut().any(Guest::is_on) {
        let mut waiting = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut waiting, PollTimeout::from(200_u16)).unwrap_or(0);
        if ready == 0 {
            continue;
        }
        let length = stdin.lock().read(&mut keys)?;
        if length == 0 {
            return Ok(());
        }
        for key in &keys[..length] {
            if std::mem::take(&mut escaped) {
                match key {
                    b'q' => return Ok(()),
                    b'p' => press_power_buttons(guests)?,
                    b'1'..=b'9' if usize::from(key - b'1') < guests.len() => {
                        guests[chosen].console.show(false);
                        chosen = usize::from(key - b'1');
                        print!("\r\n[peer {}]\r\n", chosen + 1);
                        guests[chosen].console.show(true);
                    }
                    _ => {}
                }
            } else if *key == ESCAPE {
                escaped = true;
            } else {
                // One that is off takes no keys.
                let _ = guests[chosen].console.keys(&[*key]);
            }
        }
    }
    Ok(())
}

fn press_power_buttons(guests: &mut [Guest]) -> Done {
    for guest in &mut *guests {
        if guest.is_on() {
            guest.emulator("system_powerdown")?;
        }
    }
    for guest in guests {
        guest.off(OFF_TIME)?;
    }
    Ok(())
}

/// Our terminal passes every key on as it is; put back when dropped.
struct Raw(Termios);

impl Raw {
    fn begin() -> Done<Self> {
        let before = tcgetattr(std::io::stdin()).context("terminal")?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(std::io::stdin(), SetArg::TCSANOW, &raw).context("terminal")?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing can be done for a terminal that has gone away.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_wrong_ones_named() {
        let options = Options::read(&["--peers", "3", "--uefi", "--keep"]).unwrap();
        assert_eq!(options.peers, Some(3));
        assert_eq!((options.start, options.keep), (Start::Uefi, true));
        for (words, expected) in [
            (&["--peers"][..], "--peers needs a number from 1 to 6"),
            (&["--peers", "7"], "--peers needs a number from 1 to 6"),
            (&["--fast"], "run has no option --fast"),
        ] {
            assert_eq!(Options::read(words).unwrap_err().0, expected);
        }
    }

    #[test]
    fn ports_of_peers_differ() {
        let (one, two) = (forwards_of(1).unwrap(), forwards_of(2).unwrap());
        assert_ne!(one[0].port, two[0].port);
        assert_eq!(two[0].to, "10.0.2.12:443".parse().unwrap());
    }
}
