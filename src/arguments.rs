//! What the command line of the program means. Parsed by hand: six roles and eight options are
//! less than any crate that would parse them.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
causeway: an open video-communications gateway

  causeway run --data DIR [OPTION]…      run the gateway on this host, without owning the machine
      --config FILE                      settings to save at start, one 'PATH: \"VALUE\"' per line
      --set 'PATH: VALUE'                one setting to save at start; may be repeated
      --admin-password-file FILE         set the administrator's password to the file's first line
  causeway cli --data DIR [COMMAND…]     command line of the gateway that runs on DIR
  causeway backup --data DIR [--password-file FILE] FILE
                                         write everything that is set into an encrypted file
  causeway restore --data DIR [--password-file FILE] [--preview] [--peer-only] FILE
                                         bring such a file back as one change, or show the change
  causeway console --tty TTY [--data DIR]
                                         login and command line on a terminal
  causeway gateway --data DIR [--machine-fd N] [--init-fd N] [OPTION of run]…
  causeway system [ARGUMENT…]            roles that init starts on the appliance
  causeway --help, --version

Started as process 1 without arguments it is init.
Exit status: 0 done, 1 not done, 2 wrong arguments.
";

/// Why the arguments make no sense, for a person.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) String);

/// What this process is to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
    /// Process 1 of the appliance (SPEC AP1).
    Init,
    /// The privileged helper of the appliance (SPEC AP2); the arguments are its own affair.
    System(Vec<OsString>),
    /// The gateway: `run` on an ordinary host (SPEC AP3), `gateway` on the appliance.
    Run(RunOptions),
    /// Command line of a running gateway.
    CommandLine(CommandLineOptions),
    /// Write or bring back a backup file (SPEC UP4).
    Backup(BackupOptions),
    /// Login and command line on a terminal (SPEC AP6).
    Console {
        /// The terminal's device.
        tty: PathBuf,
        /// Data directory of the gateway.
        data: PathBuf,
    },
}

/// How to run the gateway.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RunOptions {
    /// Directory that holds everything this peer keeps.
    pub(crate) data: PathBuf,
    /// Files of settings, in order.
    pub(crate) config: Vec<PathBuf>,
    /// Single settings, in order, applied after the files.
    pub(crate) set: Vec<String>,
    /// File whose first line becomes the administrator's password.
    pub(crate) admin_password_file: Option<PathBuf>,
    /// Whether this is the appliance's gateway role.
    pub(crate) appliance: bool,
    /// Socket to the `system` role.
    pub(crate) machine: Option<RawFd>,
    /// Socket to `init`, which asks whether we are alive.
    pub(crate) init: Option<RawFd>,
}

/// How to reach a running gateway.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandLineOptions {
    /// Data directory of the gateway.
    pub(crate) data: PathBuf,
    /// One command to do, as words; empty for a conversation.
    pub(crate) command: Vec<String>,
}

/// What to do with a backup file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BackupOptions {
    /// Data directory of the gateway.
    pub(crate) data: PathBuf,
    /// The backup file.
    pub(crate) file: PathBuf,
    /// File whose first line is the password; without it, standard input.
    pub(crate) password_file: Option<PathBuf>,
    /// Whether it is brought back, not written.
    pub(crate) restore: bool,
    /// Whether only to show what restoring would change.
    pub(crate) preview: bool,
    /// Whether items that the cluster shares stay as they are.
    pub(crate) peer_only: bool,
}

/// Where the appliance keeps its data.
pub(crate) const APPLIANCE_DATA: &str = "/data";

/// Reads the arguments after the program's name.
pub(crate) fn parse(
    arguments: impl Iterator<Item = OsString>,
    process_one: bool,
) -> Result<Role, Fault> {
    let mut rest = Rest(arguments.collect::<Vec<_>>().into_iter());
    let Some(role) = rest.0.next() else {
        return if process_one {
            Ok(Role::Init)
        } else {
            Err(Fault("say which role to take".into()))
        };
    };
    // The kernel hands words of its command line that it does not know to process 1.
    if process_one {
        return Ok(Role::Init);
    }
    match role.to_str() {
        Some("--help" | "-h" | "help") => Ok(Role::Help),
        Some("--version" | "-V") => Ok(Role::Version),
        Some("run") => rest.run(false),
        Some("gateway") => rest.run(true),
        Some("system") => Ok(Role::System(rest.0.collect())),
        Some("cli") => rest.command_line(),
        Some("backup") => rest.backup(false),
        Some("restore") => rest.backup(true),
        Some("console") => rest.console(),
        Some(_) | None => Err(Fault(format!("there is no role {}", role.display()))),
    }
}

/// The arguments that are still to be read.
struct Rest(std::vec::IntoIter<OsString>);

impl Rest {
    fn run(mut self, appliance: bool) -> Result<Role, Fault> {
        let mut options = RunOptions {
            appliance,
            ..RunOptions::default()
        };
        let mut data = None;
        while let Some(option) = self.0.next() {
            match option.to_str() {
                Some("--help" | "-h") => return Ok(Role::Help),
                Some("--data") => data = Some(self.path("--data")?),
                Some("--config") => options.config.push(self.path("--config")?),
                Some("--set") => options.set.push(self.text("--set")?),
                Some("--admin-password-file") => {
                    options.admin_password_file = Some(self.path("--admin-password-file")?);
                }
                Some("--machine-fd") if appliance => {
                    options.machine = Some(self.descriptor("--machine-fd")?);
                }
                Some("--init-fd") if appliance => {
                    options.init = Some(self.descriptor("--init-fd")?);
                }
                Some(_) | None => return Err(unknown(&option)),
            }
        }
        options.data = data.ok_or_else(|| Fault("--data DIR is missing".into()))?;
        Ok(Role::Run(options))
    }

    fn command_line(mut self) -> Result<Role, Fault> {
        let mut options = CommandLineOptions::default();
        let mut data = None;
        while let Some(option) = self.0.next() {
            match option.to_str() {
                Some("--help" | "-h") => return Ok(Role::Help),
                Some("--data") => data = Some(self.path("--data")?),
                Some(text) if text.starts_with('-') && text.len() > 1 => {
                    return Err(unknown(&option));
                }
                // The command begins: what follows is its own, options too.
                Some(_) | None => {
                    options.command.push(utf8(option)?);
                    for word in self.0.by_ref() {
                        options.command.push(utf8(word)?);
                    }
                }
            }
        }
        options.data = data.ok_or_else(|| Fault("--data DIR is missing".into()))?;
        Ok(Role::CommandLine(options))
    }

    fn backup(mut self, restore: bool) -> Result<Role, Fault> {
        let mut options = BackupOptions {
            restore,
            ..BackupOptions::default()
        };
        let (mut data, mut file) = (None, None);
        while let Some(option) = self.0.next() {
            match option.to_str() {
                Some("--help" | "-h") => return Ok(Role::Help),
                Some("--data") => data = Some(self.path("--data")?),
                Some("--password-file") => {
                    options.password_file = Some(self.path("--password-file")?);
                }
                Some("--preview") if restore => options.preview = true,
                Some("--peer-only") if restore => options.peer_only = true,
                Some(text) if text.starts_with('-') => return Err(unknown(&option)),
                Some(_) | None if file.is_none() => file = Some(PathBuf::from(option)),
                Some(_) | None => return Err(Fault("one backup file at a time".into())),
            }
        }
        options.data = data.ok_or_else(|| Fault("--data DIR is missing".into()))?;
        options.file = file.ok_or_else(|| Fault("the backup file is missing".into()))?;
        Ok(Role::Backup(options))
    }

    fn console(mut self) -> Result<Role, Fault> {
        let (mut tty, mut data) = (None, PathBuf::from(APPLIANCE_DATA));
        while let Some(option) = self.0.next() {
            match option.to_str() {
                Some("--help" | "-h") => return Ok(Role::Help),
                Some("--tty") => tty = Some(self.path("--tty")?),
                Some("--data") => data = self.path("--data")?,
                Some(_) | None => return Err(unknown(&option)),
            }
        }
        let tty = tty.ok_or_else(|| Fault("--tty TTY is missing".into()))?;
        Ok(Role::Console { tty, data })
    }

    fn value(&mut self, option: &str) -> Result<OsString, Fault> {
        self.0
            .next()
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Fault(format!("{option} needs a value")))
    }

    fn path(&mut self, option: &str) -> Result<PathBuf, Fault> {
        self.value(option).map(PathBuf::from)
    }

    fn text(&mut self, option: &str) -> Result<String, Fault> {
        self.value(option).and_then(utf8)
    }

    /// A descriptor that the parent process left open; the standard three are not for that.
    fn descriptor(&mut self, option: &str) -> Result<RawFd, Fault> {
        let text = self.text(option)?;
        text.parse::<RawFd>()
            .ok()
            .filter(|number| *number > 2)
            .ok_or_else(|| Fault(format!("{option} needs a number above 2, not {text}")))
    }
}

fn utf8(text: OsString) -> Result<String, Fault> {
    text.into_string()
        .map_err(|text| Fault(format!("{} is not UTF-8", text.display())))
}

fn unknown(option: &OsString) -> Fault {
    Fault(format!("there is no option {}", option.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> impl Iterator<Item = OsString> {
        text.split_whitespace()
            .map(OsString::from)
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn fault(text: &str) -> String {
        parse(words(text), false).expect_err("a fault").0
    }

    #[test]
    fn run_takes_its_options_in_any_order() {
        let Ok(Role::Run(options)) = parse(words("run --set a:1 --data /d --set b:2"), false)
        else {
            panic!("not the role run");
        };
        assert_eq!(options.data, PathBuf::from("/d"));
        assert_eq!(options.set, ["a:1", "b:2"]);
        assert!(!options.appliance);
    }

    #[test]
    fn a_command_keeps_its_own_options() {
        let Ok(Role::CommandLine(options)) = parse(words("cli --data /d xStatus --x"), false)
        else {
            panic!("not the role cli");
        };
        assert_eq!(options.command, ["xStatus", "--x"]);
    }

    #[test]
    fn faults_name_the_argument() {
        assert_eq!(fault("run"), "--data DIR is missing");
        assert_eq!(fault("run --data"), "--data needs a value");
        assert_eq!(
            fault("run --machine-fd 3"),
            "there is no option --machine-fd"
        );
        assert_eq!(fault("fly"), "there is no role fly");
        assert_eq!(fault("backup --data d"), "the backup file is missing");
        assert_eq!(
            fault("backup --data d --preview f"),
            "there is no option --preview"
        );
        assert_eq!(
            fault("gateway --data d --init-fd 1"),
            "--init-fd needs a number above 2, not 1"
        );
    }

    #[test]
    fn process_one_is_init_whatever_the_kernel_adds() {
        assert_eq!(parse(words(""), true), Ok(Role::Init));
        assert_eq!(parse(words("run quiet"), true), Ok(Role::Init));
        assert_eq!(
            parse(words(""), false),
            Err(Fault("say which role to take".into()))
        );
    }
}
