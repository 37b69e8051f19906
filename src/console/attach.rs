//! `File: PATH` in a command given to `causeway cli`: the file is read where the command line runs,
//! and its text sent along; `-` is standard input.

use std::fs::File;
use std::io::{self, Read};

use causeway_engine::wire::pem::TEXT_BYTES;

use crate::local::protocol::Request;

/// The request for a line; with the text of the file that the line names, if it names one.
///
/// # Errors
///
/// The file cannot be read, is too long, or holds no text.
pub(super) fn request(line: String) -> io::Result<Request> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_command = words
        .first()
        .is_some_and(|word| word.to_ascii_lowercase().starts_with("xcom"));
    let named = words
        .iter()
        .position(|word| word.eq_ignore_ascii_case("File:"));
    let Some(path) = named
        .and_then(|place| words.get(place + 1))
        .filter(|_| is_command)
    else {
        return Ok(Request::Line(line));
    };
    let path = path.trim_matches('"');
    let text = match path {
        "-" => read(io::stdin().lock()),
        path => File::open(path).and_then(read),
    };
    let text = text.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
    Ok(Request::Attached { line, text })
}

fn read(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source
        .take(TEXT_BYTES as u64 + 1)
        .read_to_string(&mut text)?;
    if text.len() > TEXT_BYTES {
        return Err(io::Error::other(format!("longer than {TEXT_BYTES} bytes")));
    }
    Ok(text)
}
