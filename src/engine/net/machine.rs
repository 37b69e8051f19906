//! The conversation between the engine and the machine's privileged `system` role (SPEC AP2).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// What only the privileged `system` role may do (SPEC AP2); it checks each request again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MachineRequest {
    /// Send rtnetlink messages in order; answered by [`MachineReport::Route`].
    Route {
        sequence: u32,
        messages: Vec<Vec<u8>>,
    },
    /// Send one nf_tables batch, atomic; answered by [`MachineReport::Firewall`].
    Firewall { sequence: u32, batch: Vec<u8> },
    /// Set the host name of the machine.
    HostName(String),
    /// Restart the gateway, reboot or power off in good order (SPEC AP7).
    Stop(Stop),
}

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// Restart the gateway role only.
    Restart,
    /// Reboot the machine.
    Reboot,
    /// Switch the machine off.
    PowerOff,
}

/// What the `system` role saw or answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MachineReport {
    /// Not a machine of ours: `causeway run` on an ordinary host owns no NIC and no firewall.
    Absent,
    /// What the kernel holds: answers to link, address and route dumps, as received, and which
    /// kernel interface the hardware profile calls LAN1 and LAN2.
    Seen {
        lan: [Option<String>; 2],
        links: Vec<Vec<u8>>,
    },
    /// The kernel's answers to [`MachineRequest::Route`], as received.
    Route {
        sequence: u32,
        answers: Vec<Vec<u8>>,
    },
    /// The kernel's answers to [`MachineRequest::Firewall`], as received.
    Firewall {
        sequence: u32,
        answers: Vec<Vec<u8>>,
    },
}
