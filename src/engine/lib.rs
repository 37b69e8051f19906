//! Everything in Causeway that decides, and nothing that touches the world.
//!
//! This crate is `no_std`: it has no clock, socket, file, thread or random source of its own.
//! Time, randomness and bytes come in as arguments, actions go out as values, so the whole
//! product runs under the simulator in `tests/sim` exactly as it runs on the appliance.
//!
//! Start reading at [`io`] (the whole conversation with the world) and [`node`] (the only module
//! that knows all the others). Who may use whom, checked by `tests/tidy.rs`:
//!
//! | layer | module | may use |
//! |---|---|---|
//! | 0 | `base` | nothing of ours |
//! | 1 | `wire` | `base` |
//! | 2 | `config`, `directory`, `alarm` | `base` |
//! | 3 | `certificate` | `base`, `wire::pem`, `wire::x509`, `config`, `alarm` |
//! | 3 | `cluster` | `base`, `wire::peer`, `config`, `directory`, `alarm` |
//! | 3 | `names` | `base`, `config` |
//! | 3 | `net` | `base`, `wire::netlink`, `config`, `alarm` |
//! | 4 | `sip` | `base`, `wire::sip`, `config`, `directory`, `alarm` |
//! | 4 | `operation` | `base`, `wire::peer`, `config`, `alarm`, `cluster` |
//! | 5 | `admin` | `base`, `config`, `alarm`, `directory` and the status types of 3 and 4 |
//! | 6 | `io`, `node` | all of the engine |
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod admin;
pub mod alarm;
pub mod base;
pub mod certificate;
pub mod cluster;
pub mod config;
pub mod directory;
pub mod io;
pub mod names;
pub mod net;
pub mod node;
pub mod operation;
pub mod sip;
pub mod wire;
