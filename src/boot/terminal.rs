//! Terminals: which there are, and what a login finds set on them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::termios::{
    BaudRate, ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, cfsetspeed, tcgetattr,
    tcsetattr,
};

/// One terminal to log in on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terminal {
    /// Its device.
    pub(super) device: PathBuf,
    /// Speed of a serial port.
    speed: Option<u32>,
}

/// The serial port of the hardware profile, and the consoles of the kernel; each once.
pub(super) fn find(serial: Option<&(String, u32)>) -> Vec<Terminal> {
    let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    let mut all = list(serial, &active);
    all.retain(|terminal| terminal.open().is_ok());
    all
}

fn list(serial: Option<&(String, u32)>, active: &str) -> Vec<Terminal> {
    let mut all: Vec<Terminal> = Vec::new();
    let profile = serial.map(|(port, speed)| (port.as_str(), Some(*speed)));
    // tty0 is whichever screen is shown; the login is on the first.
    let kernel = active.split_whitespace().map(|name| match name {
        "tty0" => ("tty1", None),
        name => (name, None),
    });
    for (name, speed) in profile.into_iter().chain(kernel) {
        let device = Path::new("/dev").join(name);
        if !all.iter().any(|terminal| terminal.device == device) {
            all.push(Terminal { device, speed });
        }
    }
    all
}

impl Terminal {
    /// Opens it ready for a login: lines, echo, signals; at its speed, without waiting for a modem.
    pub(super) fn open(&self) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(&self.device)?;
        // A port that has a node but no hardware fails here.
        let mut settings = tcgetattr(&file)?;
        settings.input_flags = InputFlags::ICRNL | InputFlags::IXON | InputFlags::BRKINT;
        settings.output_flags = OutputFlags::OPOST | OutputFlags::ONLCR;
        settings.control_flags.insert(
            ControlFlags::CS8 | ControlFlags::CREAD | ControlFlags::CLOCAL | ControlFlags::HUPCL,
        );
        settings.local_flags = LocalFlags::ICANON
            | LocalFlags::ISIG
            | LocalFlags::IEXTEN
            | LocalFlags::ECHO
            | LocalFlags::ECHOE
            | LocalFlags::ECHOK
            | LocalFlags::ECHOCTL
            | LocalFlags::ECHOKE;
        if let Some(rate) = self.speed.and_then(rate) {
            cfsetspeed(&mut settings, rate)?;
        }
        tcsetattr(&file, SetArg::TCSANOW, &settings)?;
        let flags = OFlag::from_bits_truncate(fcntl(&file, FcntlArg::F_GETFL)?);
        fcntl(
            &file,
            FcntlArg::F_SETFL(flags.difference(OFlag::O_NONBLOCK)),
        )?;
        Ok(file)
    }
}

fn rate(speed: u32) -> Option<BaudRate> {
    Some(match speed {
        9_600 => BaudRate::B9600,
        19_200 => BaudRate::B19200,
        38_400 => BaudRate::B38400,
        57_600 => BaudRate::B57600,
        115_200 => BaudRate::B115200,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_listed_once() {
        let serial = ("ttyS0".to_owned(), 115_200);
        let all = list(Some(&serial), "tty0 ttyS0\n");
        let names: Vec<_> = all
            .iter()
            .map(|one| (one.device.to_str(), one.speed))
            .collect();
        assert_eq!(
            names,
            [
                (Some("/dev/ttyS0"), Some(115_200)),
                (Some("/dev/tty1"), None)
            ]
        );
        assert_eq!(list(None, ""), []);
    }
}
