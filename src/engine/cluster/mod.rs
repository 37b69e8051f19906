//! One cluster of up to six peers: epochs, configuration replication, shared state, beats.

pub mod status;
