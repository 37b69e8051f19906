//! The disk of a guest: a copy of the image, and looking into it while the guest is off.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use fatfs::{FileSystem, FsOptions};
use fscommon::{BufStream, StreamSlice};

use crate::image::{self, disk, write_sparse};
use crate::tools::{Context as _, Done, fault, read};

/// A disk of its own for a guest: a copy of the image, sparse like it.
pub fn copy(folder: &Path, name: &str) -> Done<PathBuf> {
    let image = image::files().image;
    if !image.exists() {
        return fault(format!("{} is missing: cargo xtask image", image.display()));
    }
    let path = folder.join(format!("{name}.img"));
    write_sparse(&path, &read(&image)?)?;
    Ok(path)
}

/// Replaces a file on a FAT partition of a disk.
pub fn put(path: &Path, partition: &str, name: &str, content: &[u8]) -> Done {
    let volume = volume(path, partition)?;
    let mut file = volume.root_dir().create_file(name).context(name)?;
    file.truncate().context(name)?;
    file.write_all(content).context(name)
}

/// Reads a file of a FAT partition of a disk.
pub fn get(path: &Path, partition: &str, name: &str) -> Done<Vec<u8>> {
    let volume = volume(path, partition)?;
    let mut bytes = Vec::new();
    let mut file = volume.root_dir().open_file(name).context(name)?;
    file.read_to_end(&mut bytes).context(name)?;
    Ok(bytes)
}

fn volume(path: &Path, partition: &str) -> Done<FileSystem<BufStream<StreamSlice<File>>>> {
    let layout = disk::layout(&image::recipe("layout")?)?;
    let place = disk::named(&layout, partition)?.range();
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.context(path.display())?;
    let byte = |at| u64::try_from(at).context("place on the disk");
    let slice = StreamSlice::new(file, byte(place.start)?, byte(place.end)?);
    let slice = slice.context(path.display())?;
    FileSystem::new(BufStream::new(slice), FsOptions::new()).context(partition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Parts, assemble};

    #[test]
    fn a_file_of_a_slot_can_be_replaced_and_read() {
        let folder = crate::lab::scratch("disk-put").unwrap();
        let parts = Parts {
            vmlinuz: vec![1; 100],
            initrd: vec![2; 100],
        };
        let path = folder.join("disk.img");
        write_sparse(&path, &assemble(&parts, &folder).unwrap()).unwrap();
        put(&path, "slot-b", "initrd", b"damaged").unwrap();
        assert_eq!(get(&path, "slot-b", "initrd").unwrap(), b"damaged");
        assert_eq!(get(&path, "slot-a", "initrd").unwrap(), parts.initrd);
        let state = get(&path, "esp", "grubenv").unwrap();
        assert_eq!(state.len(), image::grub::ENVIRONMENT_BYTES);
    }
}
