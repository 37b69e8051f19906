//! The asking end of the command line's sockets.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use super::protocol::{self, FRAME_BYTES_MAX, Request, Response};

/// The socket in the data directory that trusts whoever may open it.
pub(crate) const CLI_SOCKET: &str = "cli.sock";

/// The socket in the data directory that asks for a login.
pub(crate) const CONSOLE_SOCKET: &str = "console.sock";

/// A connection to a running gateway; blocking, one request at a time.
#[derive(Debug)]
pub(crate) struct Connection(UnixStream);

impl Connection {
    /// Connects to the socket `name` ([`CLI_SOCKET`] or [`CONSOLE_SOCKET`]) in `data`.
    pub(crate) fn open(data: &Path, name: &str) -> io::Result<Self> {
        UnixStream::connect(data.join(name)).map(Self)
    }

    /// Asks and waits for the answer.
    pub(crate) fn ask(&mut self, request: &Request) -> io::Result<Response> {
        self.0.write_all(&protocol::encode(request)?)?;
        let mut head = [0; 4];
        self.0.read_exact(&mut head)?;
        let mut body = vec![0; protocol::body_length(head, FRAME_BYTES_MAX)?];
        self.0.read_exact(&mut body)?;
        Ok(protocol::decode(&body)?)
    }
}

/// Prints an answer: what was asked for to standard output, refusals to standard error.
pub(crate) fn print(response: &Response) -> ExitCode {
    let text = match response {
        Response::Text(text) => text.clone(),
        Response::Done | Response::Hello(_) => String::new(),
        Response::Completions(words) => words.iter().map(|word| format!("{word}\n")).collect(),
        Response::Refused(reasons) => {
            reasons.iter().for_each(|reason| eprintln!("{reason}"));
            return ExitCode::FAILURE;
        }
        Response::LoginRequired => {
            eprintln!("Log in first.");
            return ExitCode::FAILURE;
        }
    };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
