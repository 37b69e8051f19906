//! What every command needs: faults for a person, other programs, folders, hashes.

use std::ffi::OsStr;
use std::fmt::{self, Display};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// Why a command was not done, for a person.
#[derive(Debug)]
pub struct Fault(pub String);

/// What a step gives, or why it was not done.
pub type Done<T = ()> = Result<T, Fault>;

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A fault with this text.
pub fn fault<T>(text: impl Display) -> Done<T> {
    Err(Fault(text.to_string()))
}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// Puts `what` in front of the fault.
    fn context(self, what: impl Display) -> Done<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn context(self, what: impl Display) -> Done<T> {
        self.map_err(|error| Fault(format!("{what}: {error}")))
    }
}

/// The project's own folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The folder for what is made: cargo's own.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Cargo as it was called, or from the path.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// A program by name. System folders are searched too: an ordinary user's path lacks them.
pub fn program(name: &str) -> Command {
    let mut command = Command::new(find(name).unwrap_or_else(|| name.into()));
    command.env("LC_ALL", "C").env("TZ", "UTC");
    command
}

/// Where a program is.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Runs to the end; its output goes to ours.
pub fn run(command: &mut Command) -> Done {
    let status = command.status().context(shown(command))?;
    if status.success() {
        Ok(())
    } else {
        fault(format!("{} failed ({status})", shown(command)))
    }
}

/// Runs to the end and gives what it wrote; what it complained of is in the fault.
pub fn output(command: &mut Command) -> Done<String> {
    let output = command.output().context(shown(command))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return fault(format!("{} failed: {}", shown(command), why.trim()));
    }
    String::from_utf8(output.stdout).context(shown(command))
}

/// A command as one would type it.
pub fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name();
    let words = name.into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// SHA-256 of bytes, as hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file's bytes; the fault names the file.
pub fn read(path: &Path) -> Done<Vec<u8>> {
    fs::read(path).context(path.display())
}

/// A file's text; the fault names the file.
pub fn read_text(path: &Path) -> Done<String> {
    fs::read_to_string(path).context(path.display())
}

/// Writes a file whole or not at all: under another name first.
pub fn write(path: &Path, bytes: &[u8]) -> Done {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    fs::write(&beside, bytes).context(beside.display())?;
    fs::rename(&beside, path).context(path.display())
}

/// Makes a folder and those above it.
pub fn folder(path: &Path) -> Done {
    fs::create_dir_all(path).context(path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        // FIPS 180-4, message "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
    }

    #[test]
    fn a_failed_program_is_named_with_its_complaint() {
        let fault = output(program("ls").arg("/nowhere-at-all")).unwrap_err();
        assert!(
            fault.0.starts_with("ls /nowhere-at-all failed: "),
            "{fault}"
        );
    }
}
