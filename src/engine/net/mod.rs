//! Network interfaces and firewall as wanted, seen, and the steps between (SPEC NW, FW).

pub mod machine;
pub mod status;
