//! `cargo xtask image`: the disk image (SPEC AP4), from our binary and Debian's kernel.
//!
//! Everything is put together in memory or in plain files, so it needs neither root nor loop
//! mounts, and the same input gives the same bytes. The recipe is data in `image/`. Read
//! [`assemble`] first.

pub mod cpio;
pub mod disk;
pub mod elf;
pub mod fat;
pub mod grub;
pub mod kernel;
pub mod modules;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use self::kernel::Kernel;
use crate::tools::{
    Context, Done, folder, output, program, read, read_text, root, sha256, target, write,
};

/// The moment that files of the image bear, in seconds since 1970: 1 January 2026.
const EPOCH: &str = "1767225600";
const DATA_UUID: &str = "0ca05e0a-0005-4c57-8a11-6d1c5e9bda7a";
/// Blocks of 4 KiB to which the data partition can grow while mounted: 16 GiB.
const DATA_BLOCKS_MAX: &str = "4194304";

/// What an image is made from.
#[derive(Debug)]
pub struct Parts {
    /// The kernel as the boot loader loads it.
    pub vmlinuz: Vec<u8>,
    /// The first and only root file system, compressed.
    pub initrd: Vec<u8>,
}

/// Where a finished image and what belongs to it lie.
#[derive(Clone, Debug)]
pub struct Files {
    /// The disk image.
    pub image: PathBuf,
    /// What it was made from, with hashes.
    pub manifest: PathBuf,
    /// The kernel, uncompressed, for a quick start of an emulated machine.
    pub vmlinux: PathBuf,
    /// The initial file system of the image's slots.
    pub initrd: PathBuf,
}

/// The places of the image of this working copy, made or not.
pub fn files() -> Files {
    let folder = target().join("image");
    Files {
        image: folder.join("causeway.img"),
        manifest: folder.join("causeway.manifest"),
        vmlinux: folder.join("vmlinux"),
        initrd: folder.join("initrd"),
    }
}

/// Makes the image with this program as process 1.
pub fn make(binary: &Path) -> Done<Files> {
    let files = files();
    let work = target().join("image");
    folder(&work)?;
    let kernel = kernel::obtain(&target().join("kernel"))?;
    let binary = read(binary)?;
    let parts = parts(&kernel, &binary, &work)?;
    let image = assemble(&parts, &work)?;
    write_sparse(&files.image, &image)?;
    write(&files.initrd, &parts.initrd)?;
    write(&files.vmlinux, &read(&kernel.vmlinux()?)?)?;
    let manifest = manifest(&kernel, &binary, &parts, &image);
    write(&files.manifest, manifest.as_bytes())?;
    Ok(files)
}

/// The contents of a slot.
pub fn parts(kernel: &Kernel, binary: &[u8], work: &Path) -> Done<Parts> {
    let modules = modules::choose(&recipe("modules")?, &kernel.modules()?)?;
    let archive = archive(binary, &modules);
    let plain = work.join("initrd.cpio");
    fs::write(&plain, archive)?;
    let packed = work.join("initrd.zst");
    let mut zstd = program("zstd");
    zstd.args(["-19", "--single-thread", "--quiet", "--force"]);
    output(zstd.arg(&plain).arg("-o").arg(&packed))?;
    let initrd = read(&packed)?;
    fs::remove_file(&plain)?;
    fs::remove_file(&packed)?;
    Ok(Parts {
        vmlinuz: kernel.vmlinuz()?,
        initrd,
    })
}

/// The whole disk. Both slots hold the same system, so a damaged one does not stop a new box.
pub fn assemble(parts: &Parts, work: &Path) -> Done<Vec<u8>> {
    let partitions = disk::layout(&recipe("layout")?)?;
    let place = |name| disk::named(&partitions, name);
    let mut image = disk::blank(&partitions)?;

    let boot = place("bios")?;
    let sectors_max = usize::try_from(boot.sectors).unwrap_or(usize::MAX);
    grub::install(&mut image, grub::core(work)?, boot.first, sectors_max)?;

    let program = grub::efi(work)?;
    let choice = recipe("grub.cfg")?.replace("@ARGUMENTS@", &kernel_arguments()?);
    let state = grub::environment(&[("ORDER", "A B"), ("A_left", "ok"), ("B_left", "ok")]);
    let esp = place("esp")?;
    let content: &[fat::Entry<'_>] = &[
        ("EFI/BOOT/BOOTX64.EFI", &program),
        ("grub.cfg", choice.as_bytes()),
        ("grubenv", &state),
    ];
    // Small clusters: firmware wants FAT32 there.
    let shape = fat::Shape {
        bytes: esp.bytes(),
        cluster: 512,
        label: "esp",
        serial: 0xCA05_0002,
    };
    image[esp.range()].copy_from_slice(&fat::volume(shape, content)?);

    let content: &[fat::Entry<'_>] = &[("vmlinuz", &parts.vmlinuz), ("initrd", &parts.initrd)];
    for (label, serial) in [("slot-a", 0xCA05_0003), ("slot-b", 0xCA05_0004)] {
        let slot = place(label)?;
        let shape = fat::Shape {
            bytes: slot.bytes(),
            cluster: 4096,
            label,
            serial,
        };
        image[slot.range()].copy_from_slice(&fat::volume(shape, content)?);
    }

    let data = place("data")?;
    image[data.range()].copy_from_slice(&empty_data(data.bytes(), work)?);
    Ok(image)
}

/// The arguments of `image/kernel-arguments` in one line.
pub fn kernel_arguments() -> Done<String> {
    let text = recipe("kernel-arguments")?;
    let lines = text.lines().map(str::trim);
    let words: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    Ok(words.join(" "))
}

/// A file of the recipe.
pub fn recipe(name: &str) -> Done<String> {
    read_text(&root().join("image").join(name))
}

/// The file system that the kernel starts from: one program, its modules, two device nodes that
/// must be there before it can make others.
fn archive(binary: &[u8], modules: &modules::Chosen) -> Vec<u8> {
    let mut archive = cpio::Archive::default();
    for name in ["data", "dev", "modules", "proc", "run", "sys", "tmp"] {
        archive.folder(name);
    }
    archive.character_device("dev/console", 5, 1);
    archive.character_device("dev/null", 1, 3);
    archive.file("init", true, binary);
    archive.file("modules/order", false, modules.order.as_bytes());
    for (name, content) in &modules.files {
        archive.file(&format!("modules/{name}"), false, content);
    }
    archive.finish()
}

/// An empty ext4 volume with fixed identity and times.
fn empty_data(size: usize, work: &Path) -> Done<Vec<u8>> {
    let path = work.join("data.ext4");
    let file = File::create(&path).context(path.display())?;
    file.set_len(u64::try_from(size).context("size of data")?)?;
    drop(file);
    let extended = format!(
        "resize={DATA_BLOCKS_MAX},hash_seed={DATA_UUID},lazy_itable_init=0,lazy_journal_init=0,\
         root_owner=0:0,nodiscard"
    );
    let mut mke2fs = program("mke2fs");
    mke2fs
        .env("MKE2FS_CONFIG", root().join("image/mke2fs.conf"))
        .env("SOURCE_DATE_EPOCH", EPOCH)
        .env("E2FSPROGS_FAKE_TIME", EPOCH)
        .args(["-q", "-t", "ext4", "-b", "4096", "-m", "0", "-L", "data"])
        .args(["-U", DATA_UUID, "-E", &extended])
        .arg(&path);
    output(&mut mke2fs)?;
    let bytes = read(&path)?;
    fs::remove_file(&path)?;
    Ok(bytes)
}

/// Writes a file without its runs of zeros, which then take no room.
pub fn write_sparse(path: &Path, bytes: &[u8]) -> Done {
    const BLOCK: usize = 64 << 10;
    // A new file: a program that still has the old one open keeps it.
    if path.exists() {
        fs::remove_file(path).context(path.display())?;
    }
    let file = File::create(path).context(path.display())?;
    file.set_len(u64::try_from(bytes.len()).context(path.display())?)?;
    for (block, place) in bytes.chunks(BLOCK).zip((0_u64..).step_by(BLOCK)) {
        if block.iter().any(|byte| *byte != 0) {
            file.write_all_at(block, place).context(path.display())?;
        }
    }
    Ok(())
}

fn manifest(kernel: &Kernel, binary: &[u8], parts: &Parts, image: &[u8]) -> String {
    let mut text = format!(
        "causeway {}\nkernel {} {}\nkernel-package sha256 {}\n",
        env!("CARGO_PKG_VERSION"),
        kernel.package,
        kernel.version,
        kernel.sha256
    );
    for (name, bytes) in [
        ("binary", binary),
        ("vmlinuz", &parts.vmlinuz),
        ("initrd", &parts.initrd),
        ("image", image),
    ] {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{name} {} bytes sha256 {}",
            bytes.len(),
            sha256(bytes)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of the test's own below the target folder.
    fn scratch(name: &str) -> PathBuf {
        let path = target().join("scratch").join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn assembled_twice_it_is_the_same_disk() {
        let parts = Parts {
            vmlinuz: vec![1; 9 << 20],
            initrd: vec![2; 6 << 20],
        };
        let first = assemble(&parts, &scratch("image-1")).unwrap();
        let second = assemble(&parts, &scratch("image-2")).unwrap();
        assert_eq!(sha256(&first), sha256(&second));
        let disk = gpt::GptConfig::new()
            .only_valid_headers(true)
            .open_from_device(std::io::Cursor::new(first))
            .unwrap();
        let names: Vec<_> = disk
            .partitions()
            .values()
            .map(|entry| &entry.name)
            .collect();
        assert_eq!(names, ["bios", "esp", "slot-a", "slot-b", "data"]);
    }

    #[test]
    fn a_sparse_file_reads_as_what_was_written() {
        let mut bytes = vec![0; 300_000];
        bytes[100_000] = 7;
        bytes[299_999] = 9;
        let path = scratch("sparse").join("file");
        write_sparse(&path, &bytes).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn the_kernel_is_told_where_the_console_is() {
        let arguments = kernel_arguments().unwrap();
        assert!(arguments.contains("console=tty0 console=ttyS0,115200"));
        assert!(!arguments.contains('#'));
    }
}
