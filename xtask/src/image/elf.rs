//! Just enough of ELF64, little endian, to look at kernel modules, the kernel and our binary.

use std::ops::Range;

use crate::tools::{Done, Fault, fault};

/// An ELF64 file whose tables lie inside it.
#[derive(Clone, Copy, Debug)]
pub struct Elf<'a> {
    bytes: &'a [u8],
}

/// One entry of the program header table.
#[derive(Clone, Debug)]
pub struct Segment {
    /// `p_type`.
    pub kind: u32,
    /// Where its bytes lie in the file; may reach beyond the end of a damaged file.
    pub range: Range<usize>,
}

impl<'a> Elf<'a> {
    /// Takes bytes that begin as such a file does.
    pub fn read(bytes: &'a [u8]) -> Done<Self> {
        if bytes.get(..6) == Some(b"\x7fELF\x02\x01") {
            Ok(Self { bytes })
        } else {
            fault("not a 64-bit little-endian ELF file")
        }
    }

    /// The program header table.
    pub fn segments(&self) -> Vec<Segment> {
        self.table(32, 54, |at| {
            let start = self.word(at, 8)?;
            Some(Segment {
                kind: self.half(at, 0)?,
                range: start..start.checked_add(self.word(at, 32)?)?,
            })
        })
    }

    /// The bytes of the section with this name.
    pub fn section(&self, name: &str) -> Done<&'a [u8]> {
        let sections = self.table(40, 58, |at| {
            let start = self.word(at, 24)?;
            let range = start..start.checked_add(self.word(at, 32)?)?;
            Some((self.half(at, 0)?, range))
        });
        let missing = || Fault(format!("no section {name}"));
        let names = usize::from(self.short(62).ok_or_else(missing)?);
        let names = sections.get(names).ok_or_else(missing)?.1.clone();
        let names = self.bytes.get(names).ok_or_else(missing)?;
        let named = |offset: u32| {
            let rest = names.get(offset as usize..)?;
            rest.split(|byte| *byte == 0).next()
        };
        let found = sections
            .iter()
            .find(|(offset, _)| named(*offset) == Some(name.as_bytes()));
        let (_, range) = found.ok_or_else(missing)?;
        self.bytes.get(range.clone()).ok_or_else(missing)
    }

    /// Reads a table whose offset stands at `offset`, entry size and count at `shape`.
    fn table<T>(&self, offset: usize, shape: usize, entry: impl Fn(usize) -> Option<T>) -> Vec<T> {
        let read = || {
            let start = self.word(offset, 0)?;
            let size = usize::from(self.short(shape)?);
            Some((start, size, usize::from(self.short(shape + 2)?)))
        };
        let Some((start, size, count)) = read() else {
            return Vec::new();
        };
        let at = |index| start.checked_add(size * index);
        (0..count).map_while(|index| entry(at(index)?)).collect()
    }

    fn array<const N: usize>(&self, at: usize, offset: usize) -> Option<[u8; N]> {
        let at = at.checked_add(offset)?;
        self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn short(&self, at: usize) -> Option<u16> {
        self.array(at, 0).map(u16::from_le_bytes)
    }

    fn half(&self, at: usize, offset: usize) -> Option<u32> {
        self.array(at, offset).map(u32::from_le_bytes)
    }

    fn word(&self, at: usize, offset: usize) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.array(at, offset)?)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_test_program_has_an_interpreter_and_code() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::read(&bytes).unwrap();
        assert!(elf.segments().iter().any(|segment| segment.kind == 3));
        assert!(!elf.section(".text").unwrap().is_empty());
        assert!(elf.section(".nothing").is_err());
    }

    #[test]
    fn a_file_cut_anywhere_is_a_fault_not_a_panic() {
        let mut bytes = [0xff; 80];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        for length in 0..bytes.len() {
            if let Ok(elf) = Elf::read(&bytes[..length]) {
                assert!(elf.segments().is_empty());
                assert!(elf.section(".modinfo").is_err());
            }
        }
    }
}
