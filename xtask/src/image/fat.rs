//! FAT volumes in memory, with fixed serial numbers and times.

use std::io::{Cursor, Write as _};

use fatfs::{Date, DateTime, FileSystem, FormatVolumeOptions, FsOptions, Time};

use crate::tools::{Context, Done};

/// A file of a volume: path with `/` between folders, content.
pub type Entry<'a> = (&'a str, &'a [u8]);

/// What a volume is apart from its files.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Size in bytes.
    pub bytes: usize,
    /// Bytes in one cluster. Their number makes it FAT16 or, from 65,525 on, FAT32.
    pub cluster: u32,
    /// Volume label.
    pub label: &'a str,
    /// Volume serial number.
    pub serial: u32,
}

/// Makes a volume that holds these files.
pub fn volume(shape: Shape<'_>, files: &[Entry<'_>]) -> Done<Vec<u8>> {
    let Shape { label, .. } = shape;
    let mut name = [b' '; 11];
    for (place, byte) in name.iter_mut().zip(label.bytes()) {
        *place = byte.to_ascii_uppercase();
    }
    let mut bytes = vec![0; shape.bytes];
    let options = FormatVolumeOptions::new()
        .bytes_per_cluster(shape.cluster)
        .volume_id(shape.serial)
        .volume_label(name);
    fatfs::format_volume(Cursor::new(bytes.as_mut_slice()), options).context(label)?;
    let options = FsOptions::new()
        .time_provider(&FixedTime)
        .update_accessed_date(false);
    let volume = FileSystem::new(Cursor::new(bytes.as_mut_slice()), options).context(label)?;
    for (path, content) in files {
        put(&volume, path, content).context(format!("{label}: {path}"))?;
    }
    volume.unmount().context(label)?;
    Ok(bytes)
}

fn put(volume: &FileSystem<Cursor<&mut [u8]>>, path: &str, content: &[u8]) -> std::io::Result<()> {
    let mut folder = volume.root_dir();
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        if names.peek().is_some() {
            folder = folder.create_dir(name)?;
        } else {
            folder.create_file(name)?.write_all(content)?;
        }
    }
    Ok(())
}

/// The first moment that FAT can name.
#[derive(Debug)]
struct FixedTime;

impl fatfs::TimeProvider for FixedTime {
    fn get_current_date(&self) -> Date {
        Date {
            year: 1980,
            month: 1,
            day: 1,
        }
    }

    fn get_current_date_time(&self) -> DateTime {
        let time = Time {
            hour: 0,
            min: 0,
            sec: 0,
            millis: 0,
        };
        DateTime {
            date: self.get_current_date(),
            time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn files_come_back_and_two_volumes_are_equal() {
        let files: [Entry<'_>; 2] = [("EFI/BOOT/BOOTX64.EFI", b"program"), ("grub.cfg", b"text")];
        let shape = Shape {
            bytes: 34 << 20,
            cluster: 512,
            label: "esp",
            serial: 7,
        };
        let make = || volume(shape, &files).unwrap();
        let mut bytes = make();
        assert!(bytes == make());
        let volume = FileSystem::new(Cursor::new(bytes.as_mut_slice()), FsOptions::new()).unwrap();
        assert_eq!(volume.fat_type(), fatfs::FatType::Fat32);
        let mut text = String::new();
        let mut file = volume.root_dir().open_file("EFI/BOOT/BOOTX64.EFI").unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "program");
    }

    #[test]
    fn a_file_that_does_not_fit_is_a_fault() {
        let big = vec![1; 3 << 20];
        let shape = Shape {
            bytes: 2 << 20,
            cluster: 512,
            label: "slot-a",
            serial: 1,
        };
        let fault = volume(shape, &[("vmlinuz", &big)]).unwrap_err();
        assert!(fault.0.starts_with("slot-a: vmlinuz"), "{fault}");
    }
}
