//! Debian's kernel package: found through `linux-image-amd64`, fetched once, unpacked into the
//! target folder, never installed.

use std::fs;
use std::path::{Path, PathBuf};

use xz2::stream::{Action, Status, Stream};

use crate::image::elf::Elf;
use crate::tools::{
    Context, Done, Fault, fault, folder, output, program, read, run, sha256, write,
};

/// A kernel package, unpacked.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Name of the package, with the ABI number.
    pub package: String,
    /// Version of the package.
    pub version: String,
    /// SHA-256 of the package file.
    pub sha256: String,
    /// Where it is unpacked.
    pub folder: PathBuf,
}

/// Makes the package ready below `work`; does nothing that was done before.
pub fn obtain(work: &Path) -> Done<Kernel> {
    let wanted = resolve()?;
    let place = work.join(format!("{}_{}", wanted.package, wanted.version));
    let kernel = Kernel {
        folder: place.join("unpacked"),
        ..wanted
    };
    if place.join("complete").exists() {
        return Ok(kernel);
    }
    if place.exists() {
        fs::remove_dir_all(&place).context(place.display())?;
    }
    folder(&kernel.folder)?;
    println!("fetching {} {}", kernel.package, kernel.version);
    let mut fetch = program("apt-get");
    fetch.current_dir(&place).args(["download", "--quiet"]);
    output(fetch.arg(format!("{}={}", kernel.package, kernel.version)))?;
    let file = downloaded(&place)?;
    let hash = sha256(&read(&file)?);
    if hash != kernel.sha256 {
        return fault(format!(
            "{}: SHA-256 is {hash}, not as listed",
            file.display()
        ));
    }
    let mut unpack = program("dpkg-deb");
    run(unpack.arg("--extract").arg(&file).arg(&kernel.folder))?;
    fs::remove_file(&file)?;
    write(&place.join("complete"), hash.as_bytes())?;
    Ok(kernel)
}

/// What `linux-image-amd64` depends on today.
fn resolve() -> Done<Kernel> {
    let depends = output(program("apt-cache").args(["depends", "linux-image-amd64"]))?;
    let package = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: linux-image-"))
        .ok_or_else(|| Fault("apt does not know linux-image-amd64: apt-get update".into()))?;
    let package = format!("linux-image-{package}");
    let shown = output(program("apt-cache").args(["show", "--no-all-versions", &package]))?;
    let field = |name: &str| {
        let value = shown.lines().find_map(|line| line.strip_prefix(name));
        value.map_or_else(
            || fault(format!("{package}: apt does not tell {name}")),
            |value| Ok(value.trim().to_owned()),
        )
    };
    Ok(Kernel {
        version: field("Version:")?,
        sha256: field("SHA256:")?,
        folder: PathBuf::new(),
        package,
    })
}

fn downloaded(place: &Path) -> Done<PathBuf> {
    let mut files = fs::read_dir(place)?.flatten().map(|entry| entry.path());
    let package = files.find(|path| path.extension().is_some_and(|ending| ending == "deb"));
    package.ok_or_else(|| Fault(format!("no package in {}", place.display())))
}

impl Kernel {
    /// The compressed kernel, as boot loaders load it.
    pub fn vmlinuz(&self) -> Done<Vec<u8>> {
        read(&self.only("boot", "vmlinuz-")?)
    }

    /// The folder of its modules.
    pub fn modules(&self) -> Done<PathBuf> {
        // Debian 12 packages use /lib, later ones /usr/lib.
        let found = self.only("lib/modules", "");
        found.or_else(|_| self.only("usr/lib/modules", ""))
    }

    /// The kernel itself, out of its compressed form: an emulated machine starts it in half the
    /// time (PVH entry). Kept beside the package.
    pub fn vmlinux(&self) -> Done<PathBuf> {
        let path = self.folder.with_file_name("vmlinux");
        if !path.exists() {
            write(&path, &extract(&self.vmlinuz()?)?)?;
        }
        Ok(path)
    }

    fn only(&self, inside: &str, prefix: &str) -> Done<PathBuf> {
        let place = self.folder.join(inside);
        let entries = fs::read_dir(&place).context(place.display())?;
        let mut fitting = entries.flatten().filter(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with(prefix)
        });
        let first = fitting.next().map(|entry| entry.path());
        first.ok_or_else(|| Fault(format!("{} lacks {prefix}…", place.display())))
    }
}

/// Finds and unpacks the XZ stream inside a `vmlinuz` (what `scripts/extract-vmlinux` does).
fn extract(vmlinuz: &[u8]) -> Done<Vec<u8>> {
    const MAGIC: &[u8] = b"\xfd7zXZ\0";
    for at in 0..vmlinuz.len().saturating_sub(MAGIC.len()) {
        if vmlinuz[at..].starts_with(MAGIC) {
            let kernel = unpack(&vmlinuz[at..]).filter(|bytes| Elf::read(bytes).is_ok());
            if let Some(kernel) = kernel {
                return Ok(kernel);
            }
        }
    }
    fault("no XZ-compressed kernel in vmlinuz")
}

/// Unpacks the stream at the start of `packed`, whatever follows it; none if it is damaged.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    const STEP: usize = 16 << 20;
    let mut stream = Stream::new_stream_decoder(u64::MAX, 0).ok()?;
    let mut bytes = Vec::new();
    loop {
        bytes.reserve(STEP);
        let taken = usize::try_from(stream.total_in()).ok()?;
        let given = bytes.len();
        let status = stream.process_vec(packed.get(taken..)?, &mut bytes, Action::Run);
        if status.ok()? == Status::StreamEnd {
            return Some(bytes);
        }
        let stuck = bytes.len() == given && stream.total_in() == u64::try_from(taken).ok()?;
        if stuck {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn the_kernel_is_found_behind_a_false_start() {
        let kernel = b"\x7fELF\x02\x01 and more".to_vec();
        let mut stream = xz2::write::XzEncoder::new(Vec::new(), 1);
        stream.write_all(&kernel).unwrap();
        let mut file = b"boot code \xfd7zXZ\0 no stream".to_vec();
        file.extend(stream.finish().unwrap());
        file.extend(b"what follows");
        assert_eq!(extract(&file).unwrap(), kernel);
        assert!(extract(b"nothing here").is_err());
    }
}
