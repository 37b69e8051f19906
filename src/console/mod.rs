//! Command line for people: `causeway cli`, and the serial console (SPEC AP6, UI2).
//!
//! Nothing is decided here: lines, completion and passwords go to the gateway over its local
//! sockets. What is typed and shown needs a VT100 and no more.

mod attach;
mod batch;
mod reader;
mod terminal;
mod wizard;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::accounts::ADMINISTRATOR;
use crate::arguments::CommandLineOptions;
use crate::local::client::{CLI_SOCKET, CONSOLE_SOCKET, Connection, print};
use crate::local::protocol::{Identity, Request, Response};
use reader::{Line, Reader};
use wizard::{Outcome, Wizard};

/// How often a gateway that does not answer is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What ends a command line, besides Ctrl-D.
const FAREWELLS: [&str; 4] = ["exit", "quit", "bye", "logout"];

/// `causeway cli`: one command, a conversation on a terminal, or lines from a file or pipe.
pub(crate) fn run_cli(options: &CommandLineOptions) -> ExitCode {
    let connection = Connection::open(&options.data, CLI_SOCKET);
    let result = connection.and_then(|mut connection| {
        if !options.command.is_empty() {
            let line = match attach::request(options.command.join(" ")) {
                Ok(line) => line,
                Err(error) => {
                    eprintln!("causeway: {error}");
                    return Ok(ExitCode::FAILURE);
                }
            };
            return connection.ask(&line).map(|response| print(&response));
        }
        if !io::stdin().is_terminal() {
            return batch::run(&mut connection, &mut io::stdin().lock());
        }
        let Identity { name, .. } = hello(&mut connection)?;
        let mut reader = Reader::new(connection)?;
        converse(&mut reader, &name, false)?;
        Ok(ExitCode::SUCCESS)
    });
    result.unwrap_or_else(|error| {
        eprintln!(
            "causeway: no gateway answers on {}: {error}",
            options.data.display()
        );
        ExitCode::FAILURE
    })
}

/// `causeway console`: banner, set-up wizard or login, command line; again and again until the
/// terminal is gone. init starts the next one.
pub(crate) fn run_console(tty: &Path, data: &Path) -> ExitCode {
    if let Err(error) = terminal::take(tty) {
        eprintln!(
            "causeway: the terminal {} cannot be used: {error}",
            tty.display()
        );
        return ExitCode::FAILURE;
    }
    let mut told = false;
    loop {
        let session = Connection::open(data, CONSOLE_SOCKET).and_then(|connection| {
            told = false;
            session(connection)
        });
        match session {
            Ok(End::LoggedOut) => {}
            Ok(End::TerminalGone) => return ExitCode::SUCCESS,
            Err(_) => {
                // Said once: a restart of the gateway takes a moment, and lines cost paper.
                if !told && say("\nWaiting for the gateway…\n").is_err() {
                    return ExitCode::FAILURE;
                }
                told = true;
                thread::sleep(RETRY);
            }
        }
    }
}

/// How a session on the console ended.
enum End {
    /// By the person, or by inactivity.
    LoggedOut,
    /// Nobody can type any more.
    TerminalGone,
}

fn session(mut connection: Connection) -> io::Result<End> {
    let identity = hello(&mut connection)?;
    say(&banner(&identity))?;
    let mut reader = Reader::new(connection)?;
    if identity.set_up {
        return set_up(&mut reader);
    }
    match log_in(&mut reader)? {
        Some(()) => {}
        None => return Ok(End::TerminalGone),
    }
    converse(&mut reader, &identity.name, true)?;
    Ok(End::LoggedOut)
}

/// Asks the gateway who it is.
fn hello(connection: &mut Connection) -> io::Result<Identity> {
    match connection.ask(&Request::Hello)? {
        Response::Hello(identity) => Ok(identity),
        Response::Refused(reasons) => Err(io::Error::other(reasons.join(" "))),
        _ => Err(io::Error::other("the gateway does not say who it is")),
    }
}

/// What stands above the login: enough to find the pages, nothing that helps a stranger.
fn banner(identity: &Identity) -> String {
    let mut text = format!("\n\nCauseway {}", identity.version);
    if !identity.name.is_empty() {
        text.push_str("  ");
        text.push_str(&identity.name);
    }
    text.push_str(&format!("\nSerial number  {}\n", identity.serial));
    for address in &identity.addresses {
        text.push_str(&format!("Address        {address}\n"));
    }
    for url in &identity.pages {
        text.push_str(&format!("Web pages      {url}\n"));
    }
    text + "\n"
}

/// Asks for name and password until they are right; `None` when the terminal is gone.
fn log_in(reader: &mut Reader) -> io::Result<Option<()>> {
    let mut gone = 0;
    loop {
        let name = match reader.plain("login: ")? {
            Line::Text(name) if name.trim().is_empty() => continue,
            Line::Text(name) => name.trim().to_owned(),
            Line::Interrupted => continue,
            // A line that hangs up says so again and again, a person does not.
            Line::End if gone < 10 => {
                gone += 1;
                continue;
            }
            Line::End => return Ok(None),
        };
        let Line::Text(password) = reader.hidden("Password: ")? else {
            continue;
        };
        let login = Request::Login {
            user: name,
            password,
        };
        match reader.ask(&login)? {
            Response::Done => {
                say(&format!("Logged in as {ADMINISTRATOR}. Type ? for help.\n"))?;
                return Ok(Some(()));
            }
            Response::Refused(reasons) => say(&format!("{}\n", reasons.join(" ")))?,
            _ => say("The gateway does not take logins now.\n")?,
        }
    }
}

/// Reads and does lines until the person leaves, or has to log in again.
fn converse(reader: &mut Reader, name: &str, console: bool) -> io::Result<()> {
    let prompt = match name.trim() {
        "" => "Causeway> ".to_owned(),
        name => format!("{name}> "),
    };
    loop {
        let line = match reader.command(&prompt)? {
            Line::Text(line) => line.trim().to_owned(),
            Line::Interrupted => continue,
            Line::End => break,
        };
        if line.is_empty() {
            continue;
        }
        if FAREWELLS.iter().any(|word| line.eq_ignore_ascii_case(word)) {
            break;
        }
        match reader.ask(&Request::Line(line))? {
            Response::Text(text) => say(&text)?,
            Response::Completions(words) => say(&(words.join("\n") + "\n"))?,
            Response::Refused(reasons) => say(&(reasons.join("\n") + "\n"))?,
            Response::Done | Response::Hello(_) => say("OK\n")?,
            Response::LoginRequired => {
                say("The session has ended.\n")?;
                return Ok(());
            }
        }
    }
    if console {
        reader.ask(&Request::Logout)?;
    }
    Ok(())
}

/// Runs the set-up wizard until what it asked is saved.
fn set_up(reader: &mut Reader) -> io::Result<End> {
    let mut wizard = Wizard::default();
    let mut gone = 0;
    say(wizard::WELCOME)?;
    loop {
        let question = wizard.question();
        say(&question.before)?;
        let line = match question.hidden {
            true => reader.hidden(&question.prompt)?,
            false => reader.plain(&question.prompt)?,
        };
        let answer = match line {
            Line::Text(answer) => {
                gone = 0;
                answer
            }
            Line::Interrupted | Line::End if gone < 10 => {
                gone += 1;
                say(&wizard.restart())?;
                continue;
            }
            Line::Interrupted | Line::End => return Ok(End::TerminalGone),
        };
        match wizard.answer(&answer) {
            Outcome::Next => {}
            Outcome::Say(text) => say(&text)?,
            Outcome::Save(changes) => match reader.ask(&Request::Set(changes))? {
                Response::Text(_) | Response::Done => {
                    say("Saved. This system is set up: log in as admin.\n")?;
                    return Ok(End::LoggedOut);
                }
                Response::Refused(reasons) => {
                    say(&format!("Not saved.\n{}\n\n", reasons.join("\n")))?;
                    say(&wizard.restart())?;
                }
                // Somebody was faster, on the web.
                Response::LoginRequired => return Ok(End::LoggedOut),
                Response::Completions(_) | Response::Hello(_) => {
                    return Err(io::Error::other("an answer to another question"));
                }
            },
        }
    }
}

/// Shows a text. Our own signs are put in letters that every terminal has.
fn say(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(terminal::plain(text).as_bytes())?;
    output.flush()
}
