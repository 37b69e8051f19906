//! The last partition of a GPT disk, made as large as the disk (UEFI specification, section 5.3).
//!
//! An image is smaller than the disk it is written to. Its backup table then stands in the middle
//! and the space behind the data partition belongs to nobody. Both are put right here. The new
//! backup goes to the end first, then the primary table: whenever power fails, one whole table
//! describes the disk.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes of a block; disks with larger ones are left as they are.
pub(super) const BLOCK: u64 = 512;

/// Bytes of a header that its checksum covers.
const HEADER_BYTES: usize = 92;

/// Entries and bytes of an entry as every tool writes them; others are left alone.
const ENTRIES: usize = 128;
const ENTRY_BYTES: usize = 128;

/// Blocks that all entries take.
const ENTRY_BLOCKS: u64 = (ENTRIES * ENTRY_BYTES) as u64 / BLOCK;

/// Blocks behind the last usable one: the backup's entries and its header.
const TAIL: u64 = ENTRY_BLOCKS + 1;

/// Growing by less than this (1 MiB) is not worth a write to the table.
const WORTH: u64 = 2048;

/// Where the partition lies now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grown {
    /// First block.
    pub(super) first: u64,
    /// Blocks.
    pub(super) blocks: u64,
}

/// Why the table was not changed.
#[derive(Debug)]
pub(super) enum Fault {
    /// Reading or writing failed.
    Disk(io::Error),
    /// The table is not one that we know how to change; nothing was written.
    Table(&'static str),
}

impl From<io::Error> for Fault {
    fn from(fault: io::Error) -> Self {
        Self::Disk(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(fault) => write!(f, "{fault}"),
            Self::Table(reason) => f.write_str(reason),
        }
    }
}

/// Makes the partition called `name` reach to the end of a disk of `disk_blocks`; `None` when it
/// does already. It must be the last on the disk.
pub(super) fn grow(
    disk: &mut (impl Read + Write + Seek),
    disk_blocks: u64,
    name: &str,
) -> Result<Option<Grown>, Fault> {
    let mut header = [0; BLOCK as usize];
    read_at(disk, 1, &mut header)?;
    check_header(&header)?;
    let mut entries = vec![0; ENTRIES * ENTRY_BYTES];
    read_at(disk, number(&header, 72), &mut entries)?;
    if crc32(&entries) != word(&header, 88) {
        return Err(Fault::Table("the partition entries are damaged"));
    }
    let index = find(&entries, name)?;
    let (first, last) = extent(&entries[index..]);
    let usable = disk_blocks
        .checked_sub(TAIL + 1)
        .ok_or(Fault::Table("the disk is too small"))?;
    if last < first || first > usable {
        return Err(Fault::Table("the partition lies outside the disk"));
    }
    if usable.saturating_sub(last) < WORTH {
        return Ok(None);
    }
    put(&mut entries[index..], 40, usable);
    let checksum = crc32(&entries);
    let backup_header = disk_blocks - 1;
    let backup_entries = disk_blocks - TAIL;

    let mut backup = header;
    seal(
        &mut backup,
        [backup_header, 1],
        usable,
        backup_entries,
        checksum,
    );
    write_at(disk, backup_entries, &entries)?;
    write_at(disk, backup_header, &backup)?;
    // The disk may keep writes and reorder them until it is told to flush.
    disk.flush()?;

    let own_entries = number(&header, 72);
    seal(
        &mut header,
        [1, backup_header],
        usable,
        own_entries,
        checksum,
    );
    write_at(disk, own_entries, &entries)?;
    write_at(disk, 1, &header)?;
    disk.flush()?;
    Ok(Some(Grown {
        first,
        blocks: usable - first + 1,
    }))
}

fn check_header(header: &[u8]) -> Result<(), Fault> {
    if !header.starts_with(b"EFI PART") || word(header, 12) as usize != HEADER_BYTES {
        return Err(Fault::Table("no partition table of the known kind"));
    }
    let mut bare = header[..HEADER_BYTES].to_vec();
    bare[16..20].fill(0);
    if crc32(&bare) != word(header, 16) || number(header, 24) != 1 {
        return Err(Fault::Table("the partition table is damaged"));
    }
    if (word(header, 80) as usize, word(header, 84) as usize) != (ENTRIES, ENTRY_BYTES) {
        return Err(Fault::Table("a partition table of unusual size"));
    }
    Ok(())
}

/// Offset of the entry with this name, when no other partition lies behind it.
fn find(entries: &[u8], name: &str) -> Result<usize, Fault> {
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let named = |entry: &[u8]| {
        let text = &entry[56..ENTRY_BYTES];
        text.starts_with(&units) && text[units.len()..].iter().all(|byte| *byte == 0)
    };
    // A type of zeros marks an entry that is not used.
    let used = |entry: &[u8]| entry[..16] != [0; 16];
    let mut all = entries
        .chunks_exact(ENTRY_BYTES)
        .enumerate()
        .filter(|(_, entry)| used(entry));
    let (index, found) = all
        .clone()
        .find(|(_, entry)| named(entry))
        .ok_or(Fault::Table("no such partition in the table"))?;
    let (first, _) = extent(found);
    if all.any(|(_, entry)| extent(entry).0 > first) {
        return Err(Fault::Table("another partition lies behind it"));
    }
    Ok(index * ENTRY_BYTES)
}

/// Writes what differs between the two headers, and the checksum over it.
fn seal(header: &mut [u8], [own, other]: [u64; 2], usable: u64, entries: u64, checksum: u32) {
    put(header, 24, own);
    put(header, 32, other);
    put(header, 48, usable);
    put(header, 72, entries);
    header[88..92].copy_from_slice(&checksum.to_le_bytes());
    header[16..20].fill(0);
    let own_checksum = crc32(&header[..HEADER_BYTES]);
    header[16..20].copy_from_slice(&own_checksum.to_le_bytes());
}

fn extent(entry: &[u8]) -> (u64, u64) {
    (number(entry, 32), number(entry, 40))
}

fn read_at(disk: &mut (impl Read + Seek), block: u64, bytes: &mut [u8]) -> io::Result<()> {
    disk.seek(SeekFrom::Start(block.saturating_mul(BLOCK)))?;
    disk.read_exact(bytes)
}

fn write_at(disk: &mut (impl Write + Seek), block: u64, bytes: &[u8]) -> io::Result<()> {
    disk.seek(SeekFrom::Start(block.saturating_mul(BLOCK)))?;
    disk.write_all(bytes)
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let field = bytes[at..].first_chunk().copied();
    u32::from_le_bytes(field.unwrap_or([0; 4]))
}

/// CRC-32 of ISO 3309, as the UEFI specification asks for. Tables are small; bit by bit will do.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc >>= 1;
            if low == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// A disk of `blocks` with the table of a smaller image on it: five partitions as ours.
    fn disk(image_blocks: u64, blocks: u64) -> Vec<u8> {
        let mut bytes = vec![0; (blocks * BLOCK) as usize];
        let mut entries = vec![0; ENTRIES * ENTRY_BYTES];
        let last = image_blocks - TAIL - 1;
        let parts = [
            ("bios", 2048, 4095),
            ("esp", 4096, 8191),
            ("slot-a", 8192, 9000),
        ];
        let parts = parts
            .into_iter()
            .chain([("slot-b", 9001, 9999), ("data", 10_240, last)]);
        for (entry, (name, first, last)) in entries.chunks_mut(ENTRY_BYTES).zip(parts) {
            entry[..16].fill(0xaf);
            put(entry, 32, first);
            put(entry, 40, last);
            for (to, unit) in entry[56..].chunks_mut(2).zip(name.encode_utf16()) {
                to.copy_from_slice(&unit.to_le_bytes());
            }
        }
        let mut header = [0; BLOCK as usize];
        header[..8].copy_from_slice(b"EFI PART");
        header[8..16].copy_from_slice(&[0, 0, 1, 0, 92, 0, 0, 0]);
        put(&mut header, 40, 34);
        header[80..88].copy_from_slice(&[128, 0, 0, 0, 128, 0, 0, 0]);
        seal(&mut header, [1, image_blocks - 1], last, 2, crc32(&entries));
        bytes[512..1024].copy_from_slice(&header);
        bytes[1024..1024 + entries.len()].copy_from_slice(&entries);
        bytes
    }

    fn grown(bytes: &mut Vec<u8>) -> Result<Option<Grown>, Fault> {
        let blocks = bytes.len() as u64 / BLOCK;
        grow(&mut Cursor::new(bytes), blocks, "data")
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_last_partition_grows_once() {
        let mut bytes = disk(20_480, 40_960);
        let expected = Grown {
            first: 10_240,
            blocks: 40_960 - 34 - 10_240 + 1,
        };
        // 33 blocks of backup at the end, so block 40,926 is the last of the partition.
        assert_eq!(expected.first + expected.blocks - 1, 40_926);
        assert_eq!(grown(&mut bytes).unwrap(), Some(expected));
        let after = bytes.clone();
        assert_eq!(grown(&mut bytes).unwrap(), None);
        assert_eq!(bytes, after);
        // The backup at the end is whole, too: header in the last block, entries before it.
        let mut backup = bytes[bytes.len() - 512..].to_vec();
        assert!(backup.starts_with(b"EFI PART"));
        assert_eq!((number(&backup, 24), number(&backup, 32)), (40_959, 1));
        let entries = (number(&backup, 72) * BLOCK) as usize;
        let checksum = crc32(&bytes[entries..entries + ENTRIES * ENTRY_BYTES]);
        assert_eq!(checksum, word(&backup, 88));
        let own = word(&backup, 16);
        backup[16..20].fill(0);
        assert_eq!(crc32(&backup[..HEADER_BYTES]), own);
    }

    #[test]
    fn other_partitions_and_the_rest_of_the_disk_are_untouched() {
        let before = disk(20_480, 40_960);
        let mut after = before.clone();
        grown(&mut after).unwrap();
        let table = 512..1024 + ENTRIES * ENTRY_BYTES;
        let end = before.len() - TAIL as usize * 512;
        assert_eq!(before[..table.start], after[..table.start]);
        assert_eq!(before[table.end..end], after[table.end..end]);
        assert_eq!(
            before[1024..1024 + 4 * ENTRY_BYTES],
            after[1024..1024 + 4 * ENTRY_BYTES]
        );
    }

    #[test]
    fn a_disk_as_large_as_the_image_is_left_alone() {
        let mut bytes = disk(20_480, 20_480);
        assert_eq!(grown(&mut bytes).unwrap(), None);
    }

    #[test]
    fn damage_and_strange_tables_are_refused_unchanged() {
        let good = disk(20_480, 40_960);
        for at in [
            512,
            512 + 24,
            512 + 84,
            512 + 88,
            1024 + 4 * ENTRY_BYTES + 33,
            1024 + 70,
        ] {
            let mut bytes = good.clone();
            bytes[at] ^= 0x40;
            let before = bytes.clone();
            assert!(
                matches!(grown(&mut bytes), Err(Fault::Table(_))),
                "byte {at}"
            );
            assert_eq!(bytes, before);
        }
        let name = grow(&mut Cursor::new(good.clone()), 40_960, "dat").unwrap_err();
        assert_eq!(name.to_string(), "no such partition in the table");
        let behind = grow(&mut Cursor::new(good.clone()), 40_960, "slot-b").unwrap_err();
        assert_eq!(behind.to_string(), "another partition lies behind it");
        assert!(grow(&mut Cursor::new(good), 5_000, "data").is_err());
    }
}
