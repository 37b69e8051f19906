//! Whole appliances in emulated machines, wired together in this process.
//!
//! [`guest`] starts one from the image and talks to it over its serial port, [`appliance`] as its
//! administrator does. [`switch`] is the
//! cable and the switch between several: it sees every frame, so a test may cut a line.
//! [`host`] is a small host on such a switch, and [`phone`] a SIP phone on that host.
//! Nothing here needs root, and only loopback and files of the user's own are touched.

pub mod appliance;
pub mod console;
pub mod disk;
pub mod guest;
pub mod host;
pub mod phone;
pub mod switch;

use std::fs;
use std::path::{Path, PathBuf};

use crate::tools::{Context as _, Done, folder, target};

/// An empty folder for sockets, disks and transcripts of one run.
///
/// The path of a socket has 107 bytes at most, so sockets lie elsewhere: see [`Sockets`].
pub fn scratch(name: &str) -> Done<PathBuf> {
    let path = target().join("lab").join(name);
    if path.exists() {
        fs::remove_dir_all(&path).context(path.display())?;
    }
    folder(&path)?;
    Ok(path)
}

/// A folder of this process alone with a short path; removed when it is dropped.
#[derive(Debug)]
pub struct Sockets(PathBuf);

impl Sockets {
    /// Makes the folder.
    pub fn new() -> Done<Self> {
        use std::os::unix::fs::DirBuilderExt as _;

        for number in 0..1000 {
            let name = format!("causeway-lab-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context(path.display()),
            }
        }
        crate::tools::fault("too many folders for sockets in the temporary folder")
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // What stays behind are a few empty sockets.
        let _ = fs::remove_dir_all(&self.0);
    }
}
