//! The boot loader: GRUB for BIOS and for UEFI, both reading the same `grub.cfg`.

use std::fs;
use std::path::Path;

use crate::tools::{Done, Fault, fault, output, program, read};

/// Modules inside both programs: nothing is loaded from the disk later.
const MODULES: &[&str] = &[
    "boot",
    "configfile",
    "echo",
    "fat",
    "linux",
    "loadenv",
    "normal",
    "part_gpt",
    "reboot",
    "regexp",
    "serial",
    "sleep",
    "terminal",
    "test",
];

const FOLDER: &str = "/usr/lib/grub";

/// Size of the state file, fixed by GRUB.
pub const ENVIRONMENT_BYTES: usize = 1024;

/// The UEFI program `BOOTX64.EFI`. It looks for `grub.cfg` on the partition it was loaded from.
pub fn efi(work: &Path) -> Done<Vec<u8>> {
    mkimage(work, "x86_64-efi", "/", &["efi_gop", "efi_uga"])
}

/// The BIOS program `core.img`. Its partition 2 is that of the disk it was loaded from.
pub fn core(work: &Path) -> Done<Vec<u8>> {
    mkimage(work, "i386-pc", "(,gpt2)/", &["biosdisk"])
}

fn mkimage(work: &Path, format: &str, prefix: &str, modules: &[&str]) -> Done<Vec<u8>> {
    let folder = Path::new(FOLDER).join(format);
    if !folder.is_dir() {
        return fault(format!(
            "{} is missing: cargo xtask setup",
            folder.display()
        ));
    }
    let file = work.join(format!("grub-{format}"));
    let mut command = program("grub-mkimage");
    command.args(["--format", format, "--prefix", prefix, "--output"]);
    command.arg(&file).arg("--directory").arg(&folder);
    output(command.args(MODULES).args(modules))?;
    let bytes = read(&file)?;
    fs::remove_file(&file)?;
    Ok(bytes)
}

/// What `grub-bios-setup` does, without needing a disk or root: writes the boot sector at LBA 0
/// and `core.img` at sector `start`, each told where the next part lies.
pub fn install(disk: &mut [u8], mut core: Vec<u8>, start: u64, sectors_max: usize) -> Done {
    /// Address of the sector to load, in the boot sector.
    const KERNEL_SECTOR: usize = 0x5c;
    /// A jump that matters for floppies only; two NOPs let it pass.
    const DRIVE_CHECK: usize = 0x66;
    /// The one block list entry at the end of the first sector of `core.img`.
    const LIST_SECTOR: usize = 500;
    const LIST_LENGTH: usize = 508;
    const LIST_SEGMENT: usize = 510;

    let boot = read(&Path::new(FOLDER).join("i386-pc/boot.img"))?;
    core.resize(core.len().next_multiple_of(512), 0);
    let sectors = core.len() / 512;
    if boot.len() != 512 || sectors < 2 || sectors > sectors_max {
        return fault("boot.img or core.img has an unusable size");
    }
    let rest = u16::try_from(sectors - 1).map_err(|_| Fault("core.img is too big".into()))?;
    core[LIST_SECTOR..LIST_SECTOR + 8].copy_from_slice(&(start + 1).to_le_bytes());
    core[LIST_LENGTH..LIST_LENGTH + 2].copy_from_slice(&rest.to_le_bytes());
    core[LIST_SEGMENT..LIST_SEGMENT + 2].copy_from_slice(&0x820_u16.to_le_bytes());

    disk[..440].copy_from_slice(&boot[..440]);
    disk[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&start.to_le_bytes());
    disk[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]);
    let at = usize::try_from(start * 512).map_err(|_| Fault("core.img lies too far".into()))?;
    disk[at..at + core.len()].copy_from_slice(&core);
    Ok(())
}

/// The state file with these settings (GRUB manual, "environment block").
pub fn environment(settings: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::from("# GRUB Environment Block\n");
    for (name, value) in settings {
        text.push_str(&format!("{name}={value}\n"));
    }
    let mut bytes = text.into_bytes();
    bytes.resize(ENVIRONMENT_BYTES, b'#');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_file_has_its_fixed_size() {
        let bytes = environment(&[("ORDER", "A B"), ("A_left", "ok")]);
        assert_eq!(bytes.len(), ENVIRONMENT_BYTES);
        assert!(bytes.starts_with(b"# GRUB Environment Block\nORDER=A B\nA_left=ok\n####"));
    }
}
