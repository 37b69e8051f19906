//! Unsafe code: three device-control calls (partition size, file-system size, entropy).
//!
//! The data partition: found by name, made as large as its disk, mounted; and the random seed on
//! it. Nothing here formats or repairs: a partition that does not mount is left for a person.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::gpt;

/// Where the data partition is mounted.
pub(super) const DATA: &str = "/data";

/// Name of the partition in the partition table.
const NAME: &str = "data";

/// `BLKPG` and `BLKPG_RESIZE_PARTITION` (`linux/blkpg.h`).
const BLKPG: libc::Ioctl = 0x1269;
const BLKPG_RESIZE_PARTITION: libc::c_int = 3;

/// `EXT4_IOC_RESIZE_FS`, and `RNDADDENTROPY` for a buffer behind its header.
const EXT4_RESIZE: libc::Ioctl = 0x4008_6610;
const RNDADDENTROPY: libc::Ioctl = 0x4008_5203;

/// Growing the file system by less than this is not worth it: a last group of blocks that is too
/// short to be used would be refused again at every start.
const WORTH_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes of the random seed: more than the kernel's pool takes in.
const SEED_BYTES: usize = 256;

/// A partition of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partition {
    /// Its device.
    device: PathBuf,
    /// Its folder below `/sys/class/block`.
    folder: PathBuf,
    /// Its number in the table.
    number: i32,
}

/// Finds, enlarges and mounts the data partition; waits `patience` for its disk to show up.
pub(super) fn mount_data(patience: Duration, say: &mut dyn FnMut(&str)) -> Result<(), String> {
    let partition = wait_for_partition(patience, say)?;
    let device = partition.device.display();
    match enlarge(&partition) {
        Ok(Some(mebibytes)) => say(&format!("data: {device} now has {mebibytes} MiB")),
        Ok(None) => {}
        // Less space than there could be is no reason to stand still.
        Err(fault) => say(&format!("data: {device} is not enlarged: {fault}")),
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    fs::create_dir_all(DATA).map_err(|fault| format!("{DATA}: {fault}"))?;
    mount(
        Some(&partition.device),
        DATA,
        Some("ext4"),
        flags | MsFlags::MS_NOATIME,
        // A damaged file system must not be written to any further.
        Some("errors=remount-ro"),
    )
    .map_err(|fault| format!("{device} does not mount: {fault}"))?;
    match fill(&partition) {
        Ok(true) => say("data: the file system now fills its partition"),
        Ok(false) => {}
        Err(fault) => say(&format!("data: the file system is not enlarged: {fault}")),
    }
    say(&format!("data: {device} on {DATA}"));
    Ok(())
}

/// A memory disk in place of the data partition, for a trial: everything is lost at the end.
pub(super) fn mount_memory() -> Result<(), String> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    fs::create_dir_all(DATA).map_err(|fault| format!("{DATA}: {fault}"))?;
    mount(Some("data"), DATA, Some("tmpfs"), flags, Some("mode=0755"))
        .map_err(|fault| format!("a memory disk does not mount: {fault}"))
}

/// Writes everything out and takes the data partition off, or at least makes it read-only.
pub(super) fn unmount_data() -> Result<(), Errno> {
    nix::unistd::sync();
    umount2(DATA, MntFlags::empty()).or_else(|_| {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, DATA, None::<&str>, flags, None::<&str>)
    })
}

/// Gives the kernel the randomness that was kept at the end of the last run, and keeps new. The
/// seed counts as random only once its successor is on the disk: it must never be used twice.
pub(super) fn restore_seed(path: &Path) -> io::Result<()> {
    let mut seed = [0; SEED_BYTES];
    let old = File::open(path).and_then(|mut file| file.read_exact(&mut seed));
    if old.is_ok() {
        // Mixed in without counting it, so that what is kept now differs from it.
        OpenOptions::new()
            .write(true)
            .open("/dev/urandom")?
            .write_all(&seed)?;
    }
    save_seed(path)?;
    match old {
        Ok(()) => credit(&seed),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Keeps randomness for the next start.
pub(super) fn save_seed(path: &Path) -> io::Result<()> {
    let mut seed = [0; SEED_BYTES];
    // From urandom, which never waits; a weak first seed is mixed with everything that follows.
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(&seed)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn wait_for_partition(patience: Duration, say: &mut dyn FnMut(&str)) -> Result<Partition, String> {
    let start = Instant::now();
    loop {
        let mut found = partitions(Path::new("/sys/class/block"), NAME);
        if let Some(first) = found.first().cloned() {
            for other in found.drain(1..) {
                say(&format!(
                    "data: {} has that name, too",
                    other.device.display()
                ));
            }
            return Ok(first);
        }
        if start.elapsed() > patience {
            return Err(format!("there is no partition named {NAME}"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// All partitions with this name, in the order of their devices' names.
fn partitions(class: &Path, name: &str) -> Vec<Partition> {
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    let mut found: Vec<Partition> = entries
        .filter_map(|entry| {
            let folder = entry.path();
            let text = fs::read_to_string(folder.join("uevent")).ok()?;
            let value = |key: &str| {
                let mut lines = text.lines();
                lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            };
            (value("PARTNAME") == Some(name)).then_some(())?;
            Some(Partition {
                device: Path::new("/dev").join(value("DEVNAME")?),
                folder: fs::canonicalize(&folder).ok()?,
                number: value("PARTN")?.parse().ok()?,
            })
        })
        .collect();
    found.sort_by(|one, other| one.device.cmp(&other.device));
    found
}

/// Makes the partition reach to the end of its disk, in the table and in the kernel; the new size
/// in MiB when it grew.
fn enlarge(partition: &Partition) -> Result<Option<u64>, String> {
    let text = |fault: io::Error| fault.to_string();
    let disk = partition.folder.parent().ok_or("it has no disk")?;
    if number(&disk.join("queue/logical_block_size")).map_err(text)? != gpt::BLOCK {
        return Err("the disk has blocks of unusual size".to_owned());
    }
    let blocks = number(&disk.join("size")).map_err(text)?;
    let name = disk.file_name().ok_or("its disk has no name")?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(Path::new("/dev").join(name))
        .map_err(text)?;
    let grown =
        gpt::grow(&mut Synced(&mut file), blocks, NAME).map_err(|fault| fault.to_string())?;
    let Some(grown) = grown else {
        return Ok(None);
    };
    resize_partition(&file, partition.number, grown).map_err(text)?;
    Ok(Some(grown.blocks / 2048))
}

/// A disk whose `flush` reaches the platters.
struct Synced<'a>(&'a mut File);

impl Read for Synced<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for Synced<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

impl Seek for Synced<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// `struct blkpg_partition`: all in bytes.
#[repr(C)]
struct BlkpgPartition {
    start: libc::c_longlong,
    length: libc::c_longlong,
    number: libc::c_int,
    device_name: [u8; 64],
    volume_name: [u8; 64],
}

/// `struct blkpg_ioctl_arg`.
#[repr(C)]
struct BlkpgArgument {
    operation: libc::c_int,
    flags: libc::c_int,
    length: libc::c_int,
    data: *mut BlkpgPartition,
}

/// Tells the kernel the new size, without it reading the table anew.
fn resize_partition(disk: &File, number: i32, grown: gpt::Grown) -> io::Result<()> {
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(gpt::BLOCK)).unwrap_or(i64::MAX);
    let mut partition = BlkpgPartition {
        start: bytes(grown.first),
        length: bytes(grown.blocks),
        number,
        device_name: [0; 64],
        volume_name: [0; 64],
    };
    let argument = BlkpgArgument {
        operation: BLKPG_RESIZE_PARTITION,
        flags: 0,
        length: size_of::<BlkpgPartition>() as libc::c_int,
        data: &raw mut partition,
    };
    // SAFETY: the argument is laid out as the kernel's and lives through the call.
    let result = unsafe { libc::ioctl(disk.as_raw_fd(), BLKPG, &raw const argument) };
    Ok(Errno::result(result).map(drop)?)
}

/// Makes the mounted file system as large as its partition; whether it grew.
fn fill(partition: &Partition) -> io::Result<bool> {
    let mut superblock = [0; 1024];
    let mut device = File::open(&partition.device)?;
    device.seek(SeekFrom::Start(1024))?;
    device.read_exact(&mut superblock)?;
    let Some((block_bytes, blocks)) = file_system_size(&superblock) else {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    };
    let wanted = number(&partition.folder.join("size"))?.saturating_mul(gpt::BLOCK) / block_bytes;
    if wanted.saturating_sub(blocks).saturating_mul(block_bytes) < WORTH_BYTES {
        return Ok(false);
    }
    let folder = File::open(DATA)?;
    // SAFETY: the kernel reads eight bytes at this address, which live through the call.
    let result = unsafe { libc::ioctl(folder.as_raw_fd(), EXT4_RESIZE, &raw const wanted) };
    Ok(Errno::result(result).map(|_| true)?)
}

/// Bytes of a block and blocks of a file system (`struct ext4_super_block`).
fn file_system_size(superblock: &[u8]) -> Option<(u64, u64)> {
    let word = |at: usize| {
        let field = superblock.get(at..)?.first_chunk().copied();
        Some(u64::from(u32::from_le_bytes(field?)))
    };
    let magic = superblock.get(56..58)?;
    let shift = word(24)?;
    (magic == [0x53, 0xef] && shift <= 6)
        .then(|| Some((1024 << shift, word(4)? | word(0x150)? << 32)))?
}

/// `struct rand_pool_info` with its buffer.
#[repr(C)]
struct Entropy {
    bits: libc::c_int,
    length: libc::c_int,
    bytes: [u8; SEED_BYTES],
}

fn credit(seed: &[u8; SEED_BYTES]) -> io::Result<()> {
    let entropy = Entropy {
        // All that the kernel's pool can hold (`POOL_BITS`).
        bits: 256,
        length: SEED_BYTES as libc::c_int,
        bytes: *seed,
    };
    let device = OpenOptions::new().write(true).open("/dev/urandom")?;
    // SAFETY: the structure is laid out as the kernel's, with as many bytes as it says.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), RNDADDENTROPY, &raw const entropy) };
    Ok(Errno::result(result).map(drop)?)
}

fn number(path: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    let wrong = |_| io::Error::from(io::ErrorKind::InvalidData);
    text.trim().parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_read_from_the_superblock() {
        let mut superblock = [0; 1024];
        assert_eq!(file_system_size(&superblock), None);
        superblock[56..58].copy_from_slice(&[0x53, 0xef]);
        superblock[24] = 2;
        superblock[4..8].copy_from_slice(&16_384_u32.to_le_bytes());
        assert_eq!(file_system_size(&superblock), Some((4096, 16_384)));
        superblock[0x150] = 1;
        assert_eq!(
            file_system_size(&superblock),
            Some((4096, (1 << 32) + 16_384))
        );
        superblock[24] = 60;
        assert_eq!(file_system_size(&superblock), None);
        assert_eq!(file_system_size(&superblock[..100]), None);
    }
}
