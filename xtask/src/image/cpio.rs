//! The archive that the kernel unpacks as its first file system: cpio, format "newc" (kernel
//! documentation, `driver-api/early-userspace/buffer-format`). All times and owners are zero, so
//! the same content gives the same bytes.

use std::fmt::Write as _;

/// An archive being written.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

impl Archive {
    /// Adds a folder; those above it come first.
    pub fn folder(&mut self, name: &str) {
        self.entry(name, FOLDER | 0o755, (0, 0), &[]);
    }

    /// Adds a file that root may read, and run if asked.
    pub fn file(&mut self, name: &str, executable: bool, content: &[u8]) {
        let permissions = if executable { 0o555 } else { 0o444 };
        self.entry(name, FILE | permissions, (0, 0), content);
    }

    /// Adds the node of a character device.
    pub fn character_device(&mut self, name: &str, major: u32, minor: u32) {
        self.entry(name, CHARACTER_DEVICE | 0o600, (major, minor), &[]);
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let links = if mode & FOLDER == FOLDER { 2 } else { 1 };
        let size = u32::try_from(content.len()).expect("files of the image are below 4 GiB");
        let name_size = u32::try_from(name.len() + 1).expect("names are short");
        let fields = [
            self.entries,
            mode,
            0,
            0,
            links,
            0,
            size,
            0,
            0,
            device.0,
            device.1,
            name_size,
            0,
        ];
        let mut header = String::from("070701");
        for field in fields {
            // Writing to a string does not fail.
            let _ = write!(header, "{field:08x}");
        }
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_gives_the_bytes_of_the_format() {
        let mut archive = Archive::default();
        archive.file("init", true, b"abc");
        let expected = [
            "070701", "00000001", "0000816d", "00000000", "00000000", "00000001", "00000000",
            "00000003", "00000000", "00000000", "00000000", "00000000", "00000005", "00000000",
            "init\0\0", "abc\0",
        ];
        let bytes = archive.finish();
        let expected = expected.concat();
        assert_eq!(String::from_utf8_lossy(&bytes[..expected.len()]), expected);
        let trailer = &bytes[expected.len()..];
        assert!(trailer.ends_with(b"TRAILER!!!\0\0\0\0"), "{trailer:?}");
        assert_eq!(bytes.len() % 4, 0);
    }
}
