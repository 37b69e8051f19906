//! The roles that make a machine of one binary (SPEC AP1, AP2): `init` and `system`.
//!
//! Read [`init`] first: process 1 as a list of phases. Nothing here parses bytes from a network;
//! what a gateway asks of [`system`] is taken as hostile and checked again.

mod children;
mod disk;
mod gpt;
pub(crate) mod init;
mod kernel;
pub(crate) mod link;
mod modules;
mod netlink;
mod profile;
mod roles;
mod supervise;
pub(crate) mod system;
mod terminal;
