//! Causeway: one static binary, many roles. This file only chooses the role.

mod accounts;
mod arguments;
mod ask;
mod backup;
mod boot;
mod console;
mod event;
mod files;
mod keys;
mod local;
mod logging;
mod machine;
mod memory;
mod password;
mod run;
#[cfg(test)]
mod scratch;
mod setup;
mod signals;
mod sock;
mod start;
mod store;
mod web;

use std::process::ExitCode;

use arguments::{Fault, Role};

/// Version of the software, as every face shows it.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Exit status when a command was understood and did not succeed.
const FAILED: u8 = 1;
/// Exit status when the arguments make no sense.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    match arguments::parse(std::env::args_os().skip(1), std::process::id() == 1) {
        Ok(Role::Help) => print(arguments::HELP),
        Ok(Role::Version) => print(&format!("causeway {VERSION}\n")),
        Ok(Role::Run(options)) => run::run(options),
        Ok(Role::CommandLine(options)) => console::run_cli(&options),
        Ok(Role::Backup(options)) => local::files::run(&options),
        Ok(Role::Init) => boot::init::run(),
        Ok(Role::System(arguments)) => boot::system::run(&arguments),
        Ok(Role::Console { tty, data }) => console::run_console(&tty, &data),
        Err(Fault(reason)) => {
            eprintln!("causeway: {reason}\nTry 'causeway --help'.");
            ExitCode::from(WRONG_USE)
        }
    }
}

/// Writes to standard output; a reader that has gone away is no fault of ours.
fn print(text: &str) -> ExitCode {
    use std::io::Write;

    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}
