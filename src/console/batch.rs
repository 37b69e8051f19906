//! Lines from a file or pipe: each is done in turn, and all must be done for exit status 0.

use std::io::{self, BufRead};
use std::process::ExitCode;

use crate::local::client::{Connection, print};
use crate::local::protocol::Request;

/// Does every line of `input`; empty ones and comments are passed over. A line that is refused
/// does not stop those after it.
pub(super) fn run(connection: &mut Connection, input: &mut impl BufRead) -> io::Result<ExitCode> {
    let mut status = ExitCode::SUCCESS;
    let mut line = String::new();
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(status);
        }
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let response = connection.ask(&Request::Line(text.to_owned()))?;
        if print(&response) != ExitCode::SUCCESS {
            status = ExitCode::FAILURE;
        }
    }
}
