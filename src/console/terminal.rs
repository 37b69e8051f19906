//! The terminal of a serial console, and what can be shown on any.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use nix::sys::termios::{self, InputFlags, LocalFlags, OutputFlags, SetArg};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};

/// Makes `tty` this process's own terminal, input and output.
///
/// Between two prompts nothing is echoed, so that a password typed ahead stays hidden, and no key
/// stops the process.
pub(super) fn take(tty: &Path) -> io::Result<()> {
    // init has done so already; started by hand we may lead a group, and keep the old session.
    let _ = setsid();
    // The first terminal that the leader of a session opens becomes the session's own.
    let terminal = OpenOptions::new().read(true).write(true).open(tty)?;
    let mut mode = termios::tcgetattr(&terminal)?;
    mode.input_flags |= InputFlags::ICRNL;
    mode.input_flags &= !(InputFlags::IGNCR | InputFlags::INLCR);
    mode.output_flags |= OutputFlags::OPOST | OutputFlags::ONLCR;
    mode.local_flags |= LocalFlags::ICANON;
    mode.local_flags &= !(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ISIG);
    termios::tcsetattr(&terminal, SetArg::TCSANOW, &mode)?;
    dup2_stdin(&terminal)?;
    dup2_stdout(&terminal)?;
    dup2_stderr(&terminal)?;
    Ok(())
}

/// The text with our own typographic signs in ASCII, and without anything that could drive the
/// terminal; other letters are somebody's name and stay.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let kept = |character: char| !is_control(character) && replacement(character).is_none();
    if text.chars().all(kept) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match replacement(character) {
            Some(letters) => plain.push_str(letters),
            None if is_control(character) => plain.push('?'),
            None => plain.push(character),
        }
    }
    Cow::Owned(plain)
}

/// Bytes that a device or a stranger put into a name must not move the cursor.
fn is_control(character: char) -> bool {
    character.is_control() && character != '\n' && character != '\t'
}

const fn replacement(character: char) -> Option<&'static str> {
    match character {
        '†' => Some("+"),
        '–' | '—' | '−' => Some("-"),
        '…' => Some("..."),
        '“' | '”' => Some("\""),
        '‘' | '’' => Some("'"),
        '×' => Some("x"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_become_letters_and_nothing_drives_the_terminal() {
        for (text, shown) in [
            ("plain\n", "plain\n"),
            ("† is “ours”…\n", "+ is \"ours\"...\n"),
            ("Zürich", "Zürich"),
            ("\u{1b}[2Jgone\r\u{9b}1m", "?[2Jgone??1m"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }
}
