//! The conversation between the engine and the machine's privileged `system` role (SPEC AP2).
//!
//! Requests and reports travel as one postcard value per datagram of a socketpair. The `system`
//! role performs one request at a time, in order, and treats each as hostile.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// What only the privileged `system` role may do (SPEC AP2); it checks each request again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MachineRequest {
    /// Tell what the kernel holds; answered by [`MachineReport::Seen`].
    Look,
    /// Send rtnetlink messages in order, one kernel transaction each; answered by
    /// [`MachineReport::Route`]. Only LAN interfaces may be named.
    Route {
        /// Returned with the answers.
        sequence: u32,
        /// Whole netlink messages, at most [`crate::base::limits::ROUTE_MESSAGES`].
        messages: Vec<Vec<u8>>,
    },
    /// Send one nf_tables batch, atomic; answered by [`MachineReport::Firewall`].
    Firewall {
        /// Returned with the answers.
        sequence: u32,
        /// At most [`crate::base::limits::FIREWALL_BATCH_BYTES`].
        batch: Vec<u8>,
    },
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
    /// The role has just started. Nothing asked for before this is in force or will be answered.
    Started {
        /// Kernel interface that the hardware profile calls LAN1 and LAN2.
        lan: [Option<String>; 2],
        /// Whether the drop-all firewall is in force; without it no link is brought up.
        closed: Result<(), String>,
    },
    /// What the kernel holds: the answers to link, address (IPv4, IPv6) and route (IPv4, IPv6)
    /// dumps, as received. Also sent unasked when a link, address or route changed.
    Seen {
        /// Netlink datagrams, each a row of messages.
        dumps: Vec<Vec<u8>>,
    },
    /// The kernel's answers to [`MachineRequest::Route`], as received.
    Route {
        /// That of the request.
        sequence: u32,
        /// Netlink datagrams, one for each message that was sent.
        answers: Vec<Vec<u8>>,
    },
    /// The kernel's answers to [`MachineRequest::Firewall`], as received.
    Firewall {
        /// That of the request.
        sequence: u32,
        /// Netlink datagrams, each a row of messages.
        answers: Vec<Vec<u8>>,
    },
    /// A request was not sent to the kernel, or did not reach it.
    Refused {
        /// That of the request; `None` when it has none.
        sequence: Option<u32>,
        /// Why.
        reason: String,
    },
}
