//! Everything around the product, as a library: the commands of `cargo xtask` and the harness
//! with which `tests/machine.rs` drives whole appliances.
//!
//! Start reading at [`image`] (how the disk image is made).

pub mod bench;
pub mod binary;
mod buildroot;
pub mod demonstration;
pub mod gate;
pub mod image;
pub mod lab;
pub mod licences;
pub mod run;
pub mod setup;
pub mod tools;
