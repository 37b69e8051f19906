//! The product: one musl-static binary (SPEC AP1).

use std::path::PathBuf;

use crate::tools::{Done, cargo, fault, read, run, target};

/// The binary's upper bound when the product is complete, in bytes (DESIGN section 4).
pub const BYTES_MAX: usize = 10 << 20;

/// The target that the product is built for.
pub const TRIPLE: &str = "x86_64-unknown-linux-musl";

/// Where the release is.
pub fn path() -> PathBuf {
    target().join(TRIPLE).join("release/causeway")
}

/// Builds the release and checks that it is static and not too big. Gives its size in bytes.
pub fn build() -> Done<usize> {
    let arguments = ["build", "--release", "--locked", "--package", "causeway"];
    run(cargo().args(arguments).args(["--target", TRIPLE]))?;
    let bytes = read(&path())?;
    if let Some(interpreter) = interpreter(&bytes)? {
        return fault(format!("the binary is not static: it wants {interpreter}"));
    }
    if bytes.len() > BYTES_MAX {
        return fault(format!(
            "the binary has {} bytes, the limit is {BYTES_MAX}",
            bytes.len()
        ));
    }
    Ok(bytes.len())
}

/// The dynamic loader that an ELF file names; none if it is static.
fn interpreter(elf: &[u8]) -> Done<Option<String>> {
    const INTERPRETER: u32 = 3;
    let header = crate::image::elf::Elf::read(elf)?;
    for segment in header.segments() {
        if segment.kind == INTERPRETER {
            let path = elf.get(segment.range).unwrap_or_default();
            return Ok(Some(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(None)
}
