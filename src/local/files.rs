//! `causeway backup` and `causeway restore`: a backup file by the command line's socket (SPEC UP4).

use std::fs;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::process::ExitCode;

use super::client::{self, CLI_SOCKET, Connection};
use super::protocol::{Request, Response};
use crate::arguments::BackupOptions;
use crate::backup::FILE_CHARS_MAX;
use crate::files;

/// Bytes of a line with a password that are looked at.
const PASSWORD_LINE_BYTES: u64 = 4_096;

/// Writes a backup file, or brings one back.
pub(crate) fn run(options: &BackupOptions) -> ExitCode {
    match done(options) {
        Ok(response) => client::print(&response),
        Err(reason) => {
            eprintln!("causeway: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn done(options: &BackupOptions) -> Result<Response, String> {
    let fault = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let password = password(options.password_file.as_deref())?;
    let request = if options.restore {
        let file = files::read(&options.file, FILE_CHARS_MAX as u64)
            .map_err(|error| fault(&options.file, error))?
            .ok_or_else(|| format!("{}: there is no such file", options.file.display()))?;
        Request::Restore {
            file: String::from_utf8_lossy(&file).into_owned(),
            password,
            shared: !options.peer_only,
            preview: options.preview,
        }
    } else {
        Request::Backup { password }
    };
    let mut connection = Connection::open(&options.data, CLI_SOCKET)
        .map_err(|error| format!("no gateway runs on {}: {error}", options.data.display()))?;
    let response = connection
        .ask(&request)
        .map_err(|error| format!("the gateway does not answer: {error}"))?;
    match response {
        Response::Text(text) if !options.restore => {
            files::write(&options.file, files::PRIVATE, text.as_bytes())
                .map_err(|error| fault(&options.file, error))?;
            Ok(Response::Done)
        }
        response => Ok(response),
    }
}

/// The first line of the file, or of standard input.
fn password(file: Option<&Path>) -> Result<String, String> {
    let mut line = String::new();
    let read = match file {
        Some(path) => {
            let place = |error| format!("{}: {error}", path.display());
            let file = fs::File::open(path).map_err(place)?;
            io::BufReader::new(file.take(PASSWORD_LINE_BYTES)).read_line(&mut line)
        }
        None => io::BufReader::new(io::stdin().take(PASSWORD_LINE_BYTES)).read_line(&mut line),
    };
    read.map_err(|error| format!("the password cannot be read: {error}"))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("the password is empty: give it as a line, or with --password-file".into());
    }
    Ok(password.into())
}
