//! Small files that are either whole or not there: keys and certificates.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use causeway_engine::base::time::Wall;

/// Mode of a file that nobody else may read.
pub(crate) const PRIVATE: u32 = 0o600;

/// Mode of a file that holds nothing secret.
pub(crate) const PUBLIC: u32 = 0o644;

/// Reads a whole file; `None` when it is not there. `bytes_max` bounds what is taken in.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is longer than {bytes_max} bytes", path.display()),
        ));
    }
    fs::read(path).map(Some)
}

/// Makes or replaces a file so that a power cut at any moment leaves the old or the new one.
pub(crate) fn write(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = folder.join(name);
    // One that an earlier start left behind may have another mode.
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

/// Renames a file that cannot be used, so that it is kept and a new one can be made.
pub(crate) fn set_aside(path: &Path, now: Wall) -> io::Result<PathBuf> {
    let stamp: String = now
        .to_string()
        .chars()
        .filter(|character| character.is_ascii_alphanumeric())
        .collect();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".unreadable-{stamp}"));
    let mut aside = path.with_file_name(&name);
    // Two in one second: neither may overwrite the other.
    for number in 2..100 {
        if !aside.try_exists()? {
            break;
        }
        let mut numbered = name.clone();
        numbered.push(format!("-{number}"));
        aside = path.with_file_name(numbered);
    }
    fs::rename(path, &aside)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode() {
        let folder = Scratch::new();
        let path = folder.path().join("key");
        assert_eq!(read(&path, 10).expect("readable"), None);
        fs::write(folder.path().join("key.new"), "left over").expect("written");
        write(&path, PRIVATE, b"one").expect("written");
        write(&path, PRIVATE, b"two").expect("written");
        assert_eq!(
            read(&path, 10).expect("readable").as_deref(),
            Some(&b"two"[..])
        );
        let mode = fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE);
        assert!(read(&path, 2).is_err());
    }

    #[test]
    fn setting_aside_keeps_every_file() {
        let folder = Scratch::new();
        let path = folder.path().join("store");
        for text in ["one", "two", "three"] {
            fs::write(&path, text).expect("written");
            let aside = set_aside(&path, Wall::from_millis(0)).expect("set aside");
            assert_eq!(fs::read_to_string(aside).expect("kept"), text);
        }
        assert!(!path.exists());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3);
    }
}
