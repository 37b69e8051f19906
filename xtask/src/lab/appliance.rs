//! An appliance at its serial console, used as its administrator uses it: wizard, login, commands.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::lab::guest::{Guest, PATIENCE};
use crate::tools::{Done, fault};

/// Administrator's password of every appliance in the lab.
pub const PASSWORD: &str = "correct horse battery";

/// How often a state that is waited for is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// A machine that runs the appliance.
pub struct Appliance {
    /// The machine.
    pub guest: Guest,
}

impl Appliance {
    /// Answers the wizard's questions of the first boot: password, address, names, and for the rest
    /// what it proposes.
    pub fn set_up(&mut self, address: Ipv4Addr, host: &str, domain: &str) -> Done {
        let address = address.to_string();
        let answers = [
            ("New password of admin: ", PASSWORD),
            ("The same again: ", PASSWORD),
            ("LAN1 IPv4 address [", &address),
            ("LAN1 subnet mask [", ""),
            ("Default gateway [", ""),
            ("Host name [", host),
            ("Domain name [", domain),
            ("DNS server [", ""),
            ("NTP server [", ""),
            ("Time zone [", ""),
            ("Save these settings?", ""),
        ];
        for (question, answer) in answers {
            self.guest.console.expect(question, PATIENCE)?;
            self.guest.console.line(answer)?;
        }
        self.guest
            .console
            .expect("This system is set up", PATIENCE)?;
        Ok(())
    }

    /// Logs in.
    pub fn log_in(&mut self) -> Done {
        self.guest.console.expect("login: ", PATIENCE)?;
        self.guest.console.line("admin")?;
        self.guest.console.expect("Password: ", PATIENCE)?;
        self.guest.console.line(PASSWORD)?;
        self.guest.console.expect("Logged in as admin", PATIENCE)?;
        Ok(())
    }

    /// Sets items, all in one change; a fault shows what was said if it is refused.
    pub fn set(&mut self, settings: &[(&str, &str)]) -> Done {
        let settings = settings.iter();
        let settings = settings.map(|(path, value)| format!(" {path}: \"{value}\""));
        let line = format!("xConfiguration{}", settings.collect::<String>());
        self.guest.console.line(&line)?;
        self.guest.console.expect("Saved", PATIENCE)?;
        Ok(())
    }

    /// A part of the status, as `xStatus` prints it.
    pub fn status(&mut self, what: &str) -> Done<String> {
        self.guest.console.line(&format!("xStatus {what}"))?;
        let console = &mut self.guest.console;
        console.expect(&format!("*s {what}:"), PATIENCE)?;
        console.expect("*s/end", PATIENCE)
    }

    /// The setting of one item, as `xConfiguration` prints it.
    pub fn setting(&mut self, path: &str) -> Done<String> {
        self.guest.console.line(&format!("xConfiguration {path}"))?;
        let console = &mut self.guest.console;
        console.expect(&format!("*c xConfiguration {path}: \""), PATIENCE)?;
        let value = console.expect("\"\n", PATIENCE)?;
        Ok(value.trim_end_matches("\"\n").to_owned())
    }

    /// Looks until a state is reached.
    pub fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Done<Option<T>>,
    ) -> Done<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            if Instant::now() > deadline {
                return fault(format!("in vain: {what}"));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Presses the power button and waits until the machine has switched itself off in good order.
    pub fn power_off(&mut self) -> Done {
        self.guest.emulator("system_powerdown")?;
        self.guest
            .console
            .expect("data is written and taken off", PATIENCE)?;
        if self.guest.off(PATIENCE)?.success() {
            Ok(())
        } else {
            fault(self.guest.complaints())
        }
    }
}
