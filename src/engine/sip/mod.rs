//! SIP registrar and stateful proxy (RFC 3261 sections 10, 16, 17 and 18).
//!
//! Bytes in, bytes out: this module never opens a socket, reads a clock or resolves a name, and it
//! keeps no copy of what the [`Directory`] knows. Start at [`Sip::handle`].

mod settings;
pub mod status;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::base::ids::{ListenerId, StreamId, StreamIds};
use crate::base::socket::{Ends, Service};
use crate::base::time::{Instant, Wall};
use crate::directory::Directory;

pub use settings::SipSettings;
use status::SipStatus;

/// Something happened that concerns SIP. Fields are as in [`crate::io::Input`].
#[allow(missing_docs)]
#[derive(Debug)]
pub enum Input {
    /// A socket of [`Service::SipUdp`] or [`Service::SipTcp`] is open at `address`.
    Listening {
        listener: ListenerId,
        service: Service,
        address: SocketAddr,
    },
    /// A socket is closed or about to be.
    Unlistened { listener: ListenerId },
    /// A UDP datagram arrived on a socket that is open at `local`.
    Datagram {
        listener: ListenerId,
        local: SocketAddr,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    /// A stream is ready: accepted, or opened by [`Action::Connect`] (`outbound`).
    Opened {
        stream: StreamId,
        ends: Ends,
        outbound: bool,
    },
    /// Bytes arrived on a stream, in order.
    Received { stream: StreamId, bytes: Vec<u8> },
    /// A stream ended, or could not be opened.
    Closed { stream: StreamId },
}

/// Something to do. Fields are as in [`crate::io::Action`].
#[allow(missing_docs)]
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Send one datagram.
    Send {
        listener: ListenerId,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// Send bytes on an open stream.
    Write { stream: StreamId, bytes: Vec<u8> },
    /// Open a stream; answered by [`Input::Opened`] or [`Input::Closed`].
    Connect {
        stream: StreamId,
        to: SocketAddr,
        from: Option<IpAddr>,
    },
    /// Close a stream after what was written; answered by [`Input::Closed`].
    Close { stream: StreamId },
}

/// The SIP service of one peer.
#[derive(Debug)]
pub struct Sip {
    settings: SipSettings,
    streams: StreamIds,
    actions: VecDeque<Action>,
    status: SipStatus,
}

impl Sip {
    /// A service without sockets. `seed` is secret and used for nothing else: the key of tokens
    /// and the spread of tags and branches both derive from it. Streams are named by `streams`.
    pub fn new(_now: Instant, settings: SipSettings, _seed: [u8; 32], streams: StreamIds) -> Self {
        Self {
            settings,
            streams,
            actions: VecDeque::new(),
            status: SipStatus::default(),
        }
    }

    /// Takes over new settings. Calls and registrations that stand are left alone.
    pub fn configure(&mut self, _now: Instant, settings: SipSettings) {
        self.settings = settings;
    }

    /// Takes in what happened. Actions that follow are waiting afterwards.
    pub fn handle(
        &mut self,
        _now: Instant,
        _wall: Wall,
        _directory: &mut Directory,
        _input: Input,
    ) {
    }

    /// Fires the timers that are due.
    pub fn handle_timeout(&mut self, _now: Instant, _wall: Wall, _directory: &mut Directory) {}

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Sip::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Counters since the start, and what is alive.
    pub fn status(&self) -> SipStatus {
        self.status.clone()
    }
}
