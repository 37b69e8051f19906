//! Unsafe code: the watchdog's device-control call.
//!
//! Small things that process 1 asks of the kernel: file systems, settings, command line, the
//! watchdog, the power button.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

/// The file systems of every start: type, place, options; nothing on them is a program or device
/// but what the kernel itself puts into `/dev`.
const MOUNTS: [(&str, &str, &str, bool); 6] = [
    ("proc", "/proc", "hidepid=2", false),
    ("sysfs", "/sys", "", false),
    ("devtmpfs", "/dev", "mode=0755", true),
    ("devpts", "/dev/pts", "mode=0600,ptmxmode=0666", true),
    ("tmpfs", "/run", "mode=0755,size=16m", false),
    ("tmpfs", "/tmp", "mode=1777,size=16m", false),
];

/// Settings of the kernel, below `/proc/sys`, each with its reason.
const SETTINGS: [(&str, &str); 17] = [
    // Two LANs, and never a way from one to the other but through us.
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv6/conf/all/forwarding", "0"),
    // Sockets may name an address before its link is up; the firewall decides what comes in.
    ("net/ipv4/ip_nonlocal_bind", "1"),
    ("net/ipv6/ip_nonlocal_bind", "1"),
    // Addresses and routes come from the administrator, not from whoever is on the LAN.
    ("net/ipv6/conf/all/accept_ra", "0"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    ("net/ipv4/conf/all/accept_redirects", "0"),
    ("net/ipv4/conf/default/accept_redirects", "0"),
    ("net/ipv6/conf/all/accept_redirects", "0"),
    ("net/ipv6/conf/default/accept_redirects", "0"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/all/accept_source_route", "0"),
    // An address is answered for on its own LAN only (both LANs may be one switch).
    ("net/ipv4/conf/all/arp_ignore", "1"),
    ("net/ipv4/conf/all/arp_announce", "2"),
    // Nobody reads the kernel's addresses or another process's memory.
    ("kernel/kptr_restrict", "2"),
    ("kernel/dmesg_restrict", "1"),
    // A break on the serial line is no command to the kernel.
    ("kernel/sysrq", "0"),
];

/// Mounts all of [`MOUNTS`].
pub(super) fn mount_all(say: &mut dyn FnMut(&str)) {
    for (kind, place, options, devices) in MOUNTS {
        let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        if !devices {
            flags |= MsFlags::MS_NODEV;
        }
        let made = fs::create_dir_all(place);
        let mounted = mount(Some(kind), place, Some(kind), flags, Some(options));
        match (made, mounted) {
            // The kernel may have mounted /dev itself.
            (_, Ok(()) | Err(Errno::EBUSY)) => {}
            (Err(fault), Err(_)) => say(&format!("file systems: {place}: {fault}")),
            (Ok(()), Err(fault)) => say(&format!("file systems: {place}: {fault}")),
        }
    }
}

/// Writes all of [`SETTINGS`].
pub(super) fn set_all(say: &mut dyn FnMut(&str)) {
    for (name, value) in SETTINGS {
        if let Err(fault) = fs::write(Path::new("/proc/sys").join(name), value) {
            say(&format!("kernel settings: {name}: {fault}"));
        }
    }
}

/// The value of `key=value` on the kernel's command line.
pub(super) fn argument(command_line: &str, key: &str) -> Option<String> {
    let mut words = command_line.split_whitespace();
    let value = words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.to_owned())
}

/// The machine's own console, which never makes us wait.
pub(super) fn console() -> io::Result<File> {
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    OpenOptions::new()
        .write(true)
        .custom_flags(flags)
        .open("/dev/console")
}

/// A hardware watchdog: resets the machine when it is not fed.
#[derive(Debug)]
pub(super) struct Watchdog(File);

/// Seconds without food after which the machine is reset.
const WATCHDOG_SECONDS: libc::c_int = 60;

/// `WDIOC_SETTIMEOUT` (`linux/watchdog.h`).
const SET_TIMEOUT: libc::Ioctl = 0xc004_5706_u32 as libc::Ioctl;

impl Watchdog {
    /// Opens and thereby starts it.
    pub(super) fn open() -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open("/dev/watchdog")?;
        let mut seconds = WATCHDOG_SECONDS;
        // SAFETY: the kernel reads and writes one integer that lives through the call. Hardware
        // with one fixed time refuses, which is no fault.
        let _ = unsafe { libc::ioctl(file.as_raw_fd(), SET_TIMEOUT, &raw mut seconds) };
        Ok(Self(file))
    }

    /// Keeps the machine from being reset.
    pub(super) fn feed(&mut self) -> io::Result<()> {
        self.0.write_all(&[0])
    }

    /// Switches it off, where the hardware lets us: for a machine that is to stay off.
    pub(super) fn stop(mut self) {
        let _ = self.0.write_all(b"V");
    }
}

/// The power button, as an input device.
#[derive(Debug)]
pub(super) struct PowerButton(File);

/// `struct input_event`: 16 bytes of time, then type, code, value.
const EVENT_BYTES: usize = 24;
const KEY: u16 = 1;
const KEY_POWER: u16 = 116;

impl PowerButton {
    /// All of them: there may be one of ACPI and one of the housing.
    pub(super) fn find() -> Vec<Self> {
        let entries = fs::read_dir("/sys/class/input")
            .into_iter()
            .flatten()
            .flatten();
        let buttons = entries.filter_map(|entry| {
            let name = fs::read_to_string(entry.path().join("device/name")).ok()?;
            let device = Path::new("/dev/input").join(entry.file_name());
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(libc::O_NONBLOCK);
            (name.trim() == "Power Button").then(|| options.open(device).ok().map(Self))?
        });
        buttons.collect()
    }

    /// Whether it was pressed since the last question.
    pub(super) fn pressed(&mut self) -> bool {
        let mut events = [0; 16 * EVENT_BYTES];
        let length = self.0.read(&mut events).unwrap_or(0);
        events[..length].chunks_exact(EVENT_BYTES).any(is_press)
    }
}

impl AsFd for PowerButton {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn is_press(event: &[u8]) -> bool {
    let half = |at: usize| u16::from_ne_bytes([event[at], event[at + 1]]);
    (half(16), half(18), half(20)) == (KEY, KEY_POWER, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_the_kernel_are_found_by_their_whole_name() {
        let line = "console=ttyS0,115200 causeway.profile=ce1100 xcauseway.data=no quiet\n";
        assert_eq!(
            argument(line, "causeway.profile").as_deref(),
            Some("ce1100")
        );
        assert_eq!(argument(line, "causeway.data"), None);
        assert_eq!(argument(line, "quiet"), None);
    }

    #[test]
    fn only_pressing_the_power_key_counts() {
        let event = |kind: u16, code: u16, value: u16| {
            let mut event = [0; EVENT_BYTES];
            event[16..18].copy_from_slice(&kind.to_ne_bytes());
            event[18..20].copy_from_slice(&code.to_ne_bytes());
            event[20..22].copy_from_slice(&value.to_ne_bytes());
            event
        };
        assert!(is_press(&event(KEY, KEY_POWER, 1)));
        assert!(!is_press(&event(KEY, KEY_POWER, 0)));
        assert!(!is_press(&event(KEY, 30, 1)));
        assert!(!is_press(&event(0, 0, 0)));
    }
}
