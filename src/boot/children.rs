//! Unsafe code: what a child does between fork and exec (privileges, terminal, descriptors).
//!
//! Starts the other roles, each as this same program with a role's name, and with no more rights
//! than the role needs (SPEC AP2).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Pid, Uid, setgroups, setresgid, setresuid, setsid};

use super::link::Link;

/// User and group of the gateway and the consoles.
pub(super) const GATEWAY_ID: u32 = 100;

/// `CAP_NET_BIND_SERVICE`: ports below 1024.
const BIND_LOW_PORTS: u32 = 10;

/// Highest capability number that a kernel could know (`CAP_LAST_CAP` is read at run time only by
/// refusing higher ones).
const CAPABILITIES: u32 = 64;

/// Descriptors that the gateway may have open: its streams and some (limit `STREAMS`).
const GATEWAY_FILES: u64 = 32 * 1024;

/// What a role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// All that root may.
    Root,
    /// The gateway's user; may use low ports, and can never get more.
    Gateway,
    /// The gateway's user and nothing else.
    User,
}

/// How to start a role.
pub(super) struct Start<'a> {
    /// Its name and arguments.
    pub(super) arguments: Vec<OsString>,
    /// Descriptors that it inherits under the same numbers.
    pub(super) links: Vec<&'a Link>,
    /// What it may do.
    pub(super) rights: Rights,
    /// Its terminal, which becomes its input and output too.
    pub(super) terminal: Option<File>,
    /// The kernel's wish to end it when memory runs out, −1000 (never) to 1000.
    pub(super) oom_score: i32,
}

/// Starts a role; its process number.
pub(super) fn start(start: Start<'_>) -> io::Result<Pid> {
    let mut command = Command::new("/proc/self/exe");
    command.args(&start.arguments).env_clear().current_dir("/");
    let own_terminal = start.terminal.is_some();
    match start.terminal {
        Some(terminal) => {
            if start.rights != Rights::Root {
                let id = Some(GATEWAY_ID);
                std::os::unix::fs::fchown(&terminal, id, id)?;
            }
            command
                .stdin(terminal.try_clone()?)
                .stdout(terminal.try_clone()?)
                .stderr(terminal);
            command.env("TERM", "vt100");
        }
        None => {
            command
                .stdin(Stdio::null())
                .stdout(output())
                .stderr(output());
        }
    }
    let links: Vec<RawFd> = start
        .links
        .iter()
        .map(|link| link.as_fd().as_raw_fd())
        .collect();
    let rights = start.rights;
    // SAFETY: init has one thread, so no lock can be held by another at the fork; the closure
    // makes system calls only and allocates nothing.
    unsafe {
        command.pre_exec(move || prepare(&links, rights, own_terminal));
    }
    let child = command.spawn()?;
    let id = child.id();
    // A wish; without it the role works the same.
    let _ = fs::write(
        format!("/proc/{id}/oom_score_adj"),
        start.oom_score.to_string(),
    );
    i32::try_from(id)
        .map(Pid::from_raw)
        .map_err(io::Error::other)
}

/// The console for a role that has no terminal: it never waits for somebody to read.
fn output() -> Stdio {
    super::kernel::console().map_or_else(|_| Stdio::null(), Stdio::from)
}

/// In the child, before it becomes the role.
fn prepare(links: &[RawFd], rights: Rights, own_terminal: bool) -> io::Result<()> {
    // Process 1 blocks the signals that it reads like a socket; a child would inherit that.
    SigSet::empty().thread_set_mask()?;
    setsid()?;
    if own_terminal {
        // SAFETY: a call with plain numbers; the terminal is our standard input.
        Errno::result(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) })?;
    }
    for link in links {
        // SAFETY: the parent keeps it open for as long as this runs.
        let link = unsafe { std::os::fd::BorrowedFd::borrow_raw(*link) };
        fcntl(link, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    match rights {
        Rights::Root => Ok(()),
        Rights::Gateway => {
            // A wish: with the former limit it serves fewer streams.
            let _ = setrlimit(Resource::RLIMIT_NOFILE, GATEWAY_FILES, GATEWAY_FILES);
            become_user(Some(BIND_LOW_PORTS))
        }
        Rights::User => become_user(None),
    }
}

/// Gives up root and every capability but `kept`, for ever.
fn become_user(kept: Option<u32>) -> io::Result<()> {
    for number in (0..CAPABILITIES).filter(|number| Some(*number) != kept) {
        match control(libc::PR_CAPBSET_DROP, [u64::from(number), 0]) {
            Ok(()) => {}
            // The kernel knows no capability of that number, and none above.
            Err(fault) if fault.raw_os_error() == Some(libc::EINVAL) => break,
            Err(fault) => return Err(fault),
        }
    }
    nix::sys::prctl::set_keepcaps(kept.is_some())?;
    let (user, group) = (Uid::from_raw(GATEWAY_ID), Gid::from_raw(GATEWAY_ID));
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    set_capabilities(kept.map_or(0, |number| 1 << number))?;
    if let Some(number) = kept {
        // Ambient: the only kind that a program without file capabilities keeps over exec.
        let raise = libc::PR_CAP_AMBIENT_RAISE as u64;
        control(libc::PR_CAP_AMBIENT, [raise, u64::from(number)])?;
    }
    Ok(nix::sys::prctl::set_no_new_privs()?)
}

fn control(option: libc::c_int, [two, three]: [u64; 2]) -> io::Result<()> {
    // SAFETY: the options used here take plain numbers.
    let result = unsafe { libc::prctl(option, two, three, 0_u64, 0_u64) };
    Ok(Errno::result(result).map(drop)?)
}

/// `struct __user_cap_header_struct` and two of `struct __user_cap_data_struct` (version 3).
fn set_capabilities(low: u32) -> io::Result<()> {
    const VERSION: u32 = 0x2008_0522;
    let header = [VERSION, 0];
    let data = [[low; 3], [0; 3]];
    // SAFETY: both are laid out as the kernel's structures of this version and live on.
    let result = unsafe {
        libc::syscall(
            libc::SYS_capset,
            header.as_ptr(),
            data.as_ptr().cast::<u32>(),
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a child with these rights finds of itself in `/proc`.
    fn status(rights: Rights) -> Vec<(String, String)> {
        if !nix::unistd::geteuid().is_root() {
            panic!("not run: 1 (root is needed to give up its rights)");
        }
        let mut command = Command::new("cat");
        command.arg("/proc/self/status");
        // SAFETY: as in `start`, but for other threads of the test, whose locks are not taken.
        unsafe {
            command.pre_exec(move || prepare(&[], rights, false));
        }
        let output = command.output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once(":\t"));
        pairs
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
            .collect()
    }

    #[test]
    fn the_gateway_keeps_low_ports_and_nothing_else() {
        for (rights, kept) in [
            (Rights::Gateway, "0000000000000400"),
            (Rights::User, "0000000000000000"),
        ] {
            let status = status(rights);
            let value = |key: &str| {
                let found = status.iter().find(|(name, _)| name == key);
                found.map(|(_, value)| value.as_str()).unwrap_or_default()
            };
            assert_eq!(value("Uid"), "100\t100\t100\t100");
            assert_eq!(value("Gid"), "100\t100\t100\t100");
            assert_eq!(value("Groups"), "");
            assert_eq!(value("NoNewPrivs"), "1");
            assert_eq!(value("SigBlk"), "0000000000000000");
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                assert_eq!(value(set), kept, "{set}");
            }
        }
    }
}
