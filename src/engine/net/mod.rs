//! Network interfaces and firewall as wanted, seen, and the steps between (SPEC NW, FW).
//!
//! [`Net`] compares what is wanted with what the kernel holds and asks the `system` role for the
//! steps between. It never trusts that a step worked: it looks again.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::alarm::Condition;
use crate::base::time::Instant;

use machine::{MachineReport, MachineRequest};
use status::LanStatus;

pub mod machine;
pub mod status;
pub mod wanted;

pub use wanted::{Lan, Openings, Wanted};

/// Interfaces, routes and firewall of this machine.
#[derive(Debug, Default)]
pub struct Net {
    wanted: Option<Wanted>,
    requests: VecDeque<MachineRequest>,
}

impl Net {
    /// Nothing is wanted and nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is wanted from now on.
    pub fn configure(&mut self, _now: Instant, wanted: Wanted) {
        self.wanted = Some(wanted);
    }

    /// Takes in what the `system` role reported.
    pub fn handle(&mut self, _now: Instant, _report: MachineReport) {}

    /// A wake-up that [`Self::poll_timeout`] asked for may be due.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// The next thing to ask of the `system` role.
    pub fn poll_action(&mut self) -> Option<MachineRequest> {
        self.requests.pop_front()
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// LAN1 and LAN2 as the kernel holds them.
    pub fn status(&self) -> Vec<LanStatus> {
        Vec::new()
    }

    /// What does not stand as it is wanted.
    pub fn conditions(&self) -> Vec<Condition> {
        Vec::new()
    }
}
