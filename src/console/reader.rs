//! Lines from a person: editing, completion by the gateway, history in memory, hidden passwords.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;

use rustyline::completion::Completer;
use rustyline::config::{CompletionType, Config, Configurer};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, Helper};

use crate::local::client::Connection;
use crate::local::protocol::{Request, Response};

/// Lines kept for the arrow keys.
const HISTORY_LINES: usize = 200;

/// Words of items whose lines are not kept.
const UNKEPT: [&str; 2] = ["password", "secret"];

/// What a person did at a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Typed this, then Enter.
    Text(String),
    /// Ctrl-C: never mind.
    Interrupted,
    /// Ctrl-D, or the terminal is gone.
    End,
}

/// A terminal and the gateway behind it.
pub(super) struct Reader(Editor<Assistant, MemHistory>);

impl Reader {
    /// A reader whose lines go over `connection`.
    pub(super) fn new(connection: Connection) -> io::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .bracketed_paste(false)
            .max_history_size(HISTORY_LINES)
            .map_err(io::Error::other)?
            .build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history).map_err(io::Error::other)?;
        // A sequence that a VT100 does not know, sent with each key on a slow line.
        editor.enable_synchronized_output(false);
        editor.set_helper(Some(Assistant {
            connection: RefCell::new(connection),
            mode: Mode::Plain,
        }));
        Ok(Self(editor))
    }

    /// Asks for a command: with completion, kept in the history.
    pub(super) fn command(&mut self, prompt: &str) -> io::Result<Line> {
        let line = self.read(prompt, Mode::Command)?;
        if let Line::Text(text) = &line {
            let lower = text.to_lowercase();
            let kept = !text.trim().is_empty() && !UNKEPT.iter().any(|word| lower.contains(word));
            if kept {
                // A history that takes no more is no reason to stop.
                let _ = self.0.add_history_entry(text.as_str());
            }
        }
        Ok(line)
    }

    /// Asks for a plain line.
    pub(super) fn plain(&mut self, prompt: &str) -> io::Result<Line> {
        self.read(prompt, Mode::Plain)
    }

    /// Asks for a line that shows as stars.
    pub(super) fn hidden(&mut self, prompt: &str) -> io::Result<Line> {
        self.read(prompt, Mode::Hidden)
    }

    /// Asks the gateway.
    pub(super) fn ask(&mut self, request: &Request) -> io::Result<Response> {
        match self.0.helper_mut() {
            Some(assistant) => assistant.connection.get_mut().ask(request),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn read(&mut self, prompt: &str, mode: Mode) -> io::Result<Line> {
        if let Some(assistant) = self.0.helper_mut() {
            assistant.mode = mode;
        }
        match self.0.readline(prompt) {
            Ok(text) => Ok(Line::Text(text)),
            Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(ReadlineError::Io(error)) => Err(error),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// How a line is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Command,
    Plain,
    Hidden,
}

/// What rustyline asks while a line is typed.
struct Assistant {
    connection: RefCell<Connection>,
    mode: Mode,
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..position).unwrap_or("");
        let start = typed
            .rfind(char::is_whitespace)
            .map_or(0, |place| place + 1);
        if self.mode != Mode::Command {
            return Ok((start, Vec::new()));
        }
        let request = Request::Complete(typed.to_owned());
        // While the gateway restarts there is nothing to offer; the line itself will tell.
        let words = match self.connection.borrow_mut().ask(&request) {
            Ok(Response::Completions(words)) => words,
            Ok(_) | Err(_) => Vec::new(),
        };
        Ok((start, with_space(words)))
    }
}

/// A word that is the only one is followed by a space, so that the next can be typed at once.
fn with_space(mut words: Vec<String>) -> Vec<String> {
    if let [word] = words.as_mut_slice() {
        word.push(' ');
    }
    words
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _position: usize) -> Cow<'l, str> {
        match self.mode {
            Mode::Hidden => Cow::Owned("*".repeat(line.chars().count())),
            Mode::Command | Mode::Plain => Cow::Borrowed(line),
        }
    }

    fn highlight_char(&self, _line: &str, _position: usize, _kind: CmdKind) -> bool {
        self.mode == Mode::Hidden
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Validator for Assistant {}

impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_word_is_finished() {
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| word.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(with_space(words(&["xStatus"])), ["xStatus "]);
        assert_eq!(with_space(words(&["TCP", "UDP"])), ["TCP", "UDP"]);
        assert!(with_space(Vec::new()).is_empty());
    }
}
