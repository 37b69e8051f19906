//! The disk: GPT with the partitions of `image/layout`, always the same GUIDs.

use std::io::Cursor;

use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition_types::{self, Type};

use crate::tools::{Context, Done, Fault, fault};

const SECTOR: u64 = 512;
/// Partitions begin at whole MiB, as all partitioning tools do now.
const ALIGNMENT: u64 = (1 << 20) / SECTOR;
const DISK_GUID: &str = "0ca05e0a-0000-4c57-8a11-6d1c5e9b0000";

/// One line of `image/layout`, placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Name in the partition table.
    pub name: String,
    /// First sector.
    pub first: u64,
    /// Number of sectors.
    pub sectors: u64,
    kind: Kind,
    guid: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bios,
    Esp,
    Linux,
}

impl Partition {
    /// Where it lies in the image, in bytes.
    pub fn range(&self) -> std::ops::Range<usize> {
        let byte = |sector: u64| usize::try_from(sector * SECTOR).unwrap_or(usize::MAX);
        byte(self.first)..byte(self.first + self.sectors)
    }

    /// Its own GUID.
    pub fn guid(&self) -> &str {
        &self.guid
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.range().len()
    }
}

/// Reads `image/layout`.
pub fn layout(text: &str) -> Done<Vec<Partition>> {
    let mut partitions: Vec<Partition> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || Fault(format!("image/layout:{}: {line}", number + 1));
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, size, kind, guid] = words[..] else {
            return Err(wrong());
        };
        let kind = match kind {
            "bios" => Kind::Bios,
            "esp" => Kind::Esp,
            "linux" => Kind::Linux,
            _ => return Err(wrong()),
        };
        let size: u64 = size.parse().map_err(|_| wrong())?;
        let first = partitions
            .last()
            .map_or(ALIGNMENT, |last| last.first + last.sectors);
        partitions.push(Partition {
            name: name.to_owned(),
            first,
            sectors: size * ALIGNMENT,
            kind,
            guid: guid.to_owned(),
        });
    }
    Ok(partitions)
}

/// The partition with this name.
pub fn named<'a>(partitions: &'a [Partition], name: &str) -> Done<&'a Partition> {
    let found = partitions.iter().find(|partition| partition.name == name);
    found.map_or_else(|| fault(format!("image/layout lacks {name}")), Ok)
}

/// An empty disk with this partition table and its copy at the end.
pub fn blank(partitions: &[Partition]) -> Done<Vec<u8>> {
    let last = partitions
        .last()
        .map_or(ALIGNMENT, |last| last.first + last.sectors);
    let size = (last + ALIGNMENT) * SECTOR;
    let mut bytes = vec![0; usize::try_from(size).context("size of the disk")?];
    let mut cursor = Cursor::new(bytes.as_mut_slice());
    let sectors = u32::try_from(last + ALIGNMENT - 1).unwrap_or(u32::MAX);
    let mbr = ProtectiveMBR::with_lb_size(sectors);
    mbr.overwrite_lba0(&mut cursor).context("protective MBR")?;
    let mut disk = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(cursor, Some(DISK_GUID.parse().context("disk GUID")?))
        .context("partition table")?;
    for (index, partition) in (1..).zip(partitions) {
        let Partition {
            name,
            first,
            sectors,
            ..
        } = partition;
        disk.add_partition_at(name, index, *first, *sectors, kind(partition.kind), 0)
            .context(name)?;
    }
    let mut table = disk.partitions().clone();
    for (entry, partition) in table.values_mut().zip(partitions) {
        entry.part_guid = partition.guid.parse().context(&partition.name)?;
    }
    disk.update_partitions(table).context("partition table")?;
    disk.write().context("partition table")?;
    Ok(bytes)
}

fn kind(kind: Kind) -> Type {
    match kind {
        Kind::Bios => partition_types::BIOS,
        Kind::Esp => partition_types::EFI,
        Kind::Linux => partition_types::LINUX_FS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: &str = "# comment\n\
        bios 1 bios 0ca05e0a-0001-4c57-8a11-6d1c5e9b0001\n\
        data 2 linux 0ca05e0a-0005-4c57-8a11-6d1c5e9b0005\n";

    #[test]
    fn the_table_reads_back_and_is_the_same_each_time() {
        let partitions = layout(LAYOUT).unwrap();
        let bytes = blank(&partitions).unwrap();
        assert!(bytes == blank(&partitions).unwrap());
        assert_eq!(bytes.len(), 5 << 20);
        let disk = gpt::GptConfig::new()
            .only_valid_headers(true)
            .open_from_device(Cursor::new(bytes))
            .unwrap();
        let found: Vec<_> = disk
            .partitions()
            .values()
            .map(|entry| (entry.name.as_str(), entry.first_lba, entry.last_lba))
            .collect();
        assert_eq!(found, [("bios", 2048, 4095), ("data", 4096, 8191)]);
        assert_eq!(partitions[1].range(), 2 << 20..4 << 20);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let fault = layout("bios one bios x\n").unwrap_err();
        assert_eq!(fault.0, "image/layout:1: bios one bios x");
        assert!(named(&layout(LAYOUT).unwrap(), "esp").is_err());
    }
}
