//! The whole conversation between the engine and the world, on one screen.
//!
//! The shell (or the simulator) turns what happened into an [`Input`] and does every [`Action`].
//! Neither side keeps a promise that is not written here.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::admin::{Actor, Answer, Command, Refusal};
use crate::base::ids::{BatchId, ListenerId, RequestId, StreamId};
use crate::base::socket::{Ends, PeerProof, Presented, Service};
use crate::base::store::Write;
use crate::certificate::{Done, Held, Task};
use crate::net::machine::{MachineReport, MachineRequest};

/// Something happened.
#[derive(Debug)]
#[allow(
    missing_docs,
    reason = "each variant's sentence tells what its fields are"
)]
pub enum Input {
    /// A wake-up that [`crate::node::Node::poll_timeout`] asked for may be due.
    Timeout,
    /// The socket that [`Action::Listen`] asked for is open at this address, or why it is not.
    Listening {
        listener: ListenerId,
        result: Result<SocketAddr, String>,
    },
    /// A UDP datagram arrived.
    Datagram {
        listener: ListenerId,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    /// A stream is ready: accepted on `listener`, or connected by [`Action::Connect`] (`None`).
    Opened {
        stream: StreamId,
        listener: Option<ListenerId>,
        ends: Ends,
        peer: Option<PeerProof>,
    },
    /// Bytes arrived on a stream, in order.
    Received { stream: StreamId, bytes: Vec<u8> },
    /// A stream ended, or could not be opened; the identifier is never used again.
    Closed { stream: StreamId, reason: String },
    /// A batch is on the disk for good, or why it is not (then none of it is).
    Written {
        batch: BatchId,
        result: Result<(), String>,
    },
    /// A person or program asks for something; answered by exactly one [`Action::Answer`].
    Command {
        request: RequestId,
        actor: Actor,
        command: Command,
    },
    /// What the machine's `system` role answered to [`Action::Machine`], or reports by itself.
    Machine(MachineReport),
    /// What became of [`Action::Certify`].
    Certified { result: Result<Done, String> },
    /// How the certificate that is presented from now on is judged by those who trust the same
    /// authorities; follows [`Action::Present`].
    Presenting(Presented),
    /// The addresses of a name and for how long they hold, or why there are none.
    Resolved {
        number: u64,
        result: Result<(Vec<IpAddr>, Duration), String>,
    },
}

/// Something to do.
#[derive(Debug)]
#[allow(
    missing_docs,
    reason = "each variant's sentence tells what its fields are"
)]
pub enum Action {
    /// Open a listening socket; answered by [`Input::Listening`].
    Listen {
        listener: ListenerId,
        service: Service,
        address: SocketAddr,
    },
    /// Close a listening socket. Streams accepted on it stay.
    Unlisten { listener: ListenerId },
    /// Send one UDP datagram from a listening socket.
    Send {
        listener: ListenerId,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// Open a stream from `from` (or any address); answered by `Opened` or `Closed`.
    Connect {
        stream: StreamId,
        service: Service,
        from: Option<IpAddr>,
        to: SocketAddr,
    },
    /// Send bytes on an open stream.
    Write { stream: StreamId, bytes: Vec<u8> },
    /// Close a stream after what was written; answered by `Closed`.
    Close { stream: StreamId },
    /// Make these writes durable, all or none, in the order of batches; answered by `Written`.
    Persist { batch: BatchId, writes: Vec<Write> },
    /// The answer to a command.
    Answer {
        request: RequestId,
        answer: Result<Answer, Refusal>,
    },
    /// Ask the machine's `system` role for something only it may do.
    Machine(MachineRequest),
    /// Judge certificates, or make a key; answered by exactly one [`Input::Certified`].
    Certify(Task),
    /// Present these certificates, trust these authorities, and speak no older TLS to peers, from
    /// now on; answered by [`Input::Presenting`].
    Present { held: Held, only_tls13: bool },
    /// Ask these name servers, in order, for the addresses of a name; without any, as the host
    /// that we run on resolves names. Answered by exactly one [`Input::Resolved`].
    Resolve {
        number: u64,
        name: String,
        servers: Vec<IpAddr>,
    },
    /// A line for the log, already rate-limited.
    Log { level: log::Level, text: String },
}
