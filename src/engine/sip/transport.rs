//! Sockets and streams as SIP sees them (RFC 3261 section 18).
//!
//! This module knows where bytes can go, not what they mean. A [`Hop`] is one way to a neighbour;
//! it stays valid as a value after its stream is gone, sending over it then does nothing and the
//! loss was reported by [`Transport::closed`].

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::Action;
use super::exchange::BranchRef;
use crate::base::ids::{ListenerId, StreamId, StreamIds};
use crate::base::limits;
use crate::base::socket::{Ends, Service};
use crate::base::time::Instant;
use crate::wire::sip::Framer;

/// How long a stream may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The SIP port of URIs and Vias without one (RFC 3261 section 19.1.2).
pub(super) const DEFAULT_PORT: u16 = 5060;

/// One way to a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hop {
    /// By datagram.
    Udp {
        listener: ListenerId,
        to: SocketAddr,
    },
    /// Over a stream.
    Stream(StreamId),
}

impl Hop {
    /// Whether the transport retransmits by itself.
    pub(super) const fn is_reliable(self) -> bool {
        match self {
            Self::Udp { .. } => false,
            Self::Stream(_) => true,
        }
    }
}

#[derive(Debug)]
struct Listener {
    service: Service,
    address: SocketAddr,
    /// `address` as it stands in Via and Record-Route.
    text: Vec<u8>,
}

#[derive(Debug)]
struct Stream {
    remote: SocketAddr,
    /// The listener whose address we show on this stream.
    listener: Option<ListenerId>,
    state: StreamState,
}

#[derive(Debug)]
enum StreamState {
    /// Asked for; messages wait in order.
    Opening { queue: Vec<Vec<u8>>, bytes: usize },
    /// Ready in both directions.
    Open(Framer),
    /// We closed it; nothing is read or written any more.
    Closing,
}

/// All sockets and streams.
#[derive(Debug)]
pub(super) struct Transport {
    listeners: BTreeMap<ListenerId, Listener>,
    streams: BTreeMap<StreamId, Stream>,
    by_remote: BTreeMap<SocketAddr, StreamId>,
    /// Branches that wait for an answer over a stream, to be told when it is lost.
    waiting: BTreeSet<(StreamId, BranchRef)>,
    opening: VecDeque<(Instant, StreamId)>,
    ids: StreamIds,
    actions: VecDeque<Action>,
    message_bytes_max: usize,
}

impl Transport {
    /// No sockets yet.
    pub(super) fn new(ids: StreamIds, message_bytes_max: usize) -> Self {
        Self {
            listeners: BTreeMap::new(),
            streams: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            waiting: BTreeSet::new(),
            opening: VecDeque::new(),
            ids,
            actions: VecDeque::new(),
            message_bytes_max,
        }
    }

    /// Longest message on streams that open from now on, bytes.
    pub(super) fn set_message_bytes_max(&mut self, bytes: usize) {
        self.message_bytes_max = bytes;
    }

    /// A socket opened. `shown` is the address that others can reach it by.
    pub(super) fn listening(
        &mut self,
        listener: ListenerId,
        service: Service,
        address: SocketAddr,
        shown: SocketAddr,
    ) {
        let text = text(shown);
        let entry = Listener {
            service,
            address: SocketAddr::new(shown.ip(), address.port()),
            text,
        };
        self.listeners.insert(listener, entry);
    }

    /// A socket closed.
    pub(super) fn unlistened(&mut self, listener: ListenerId) {
        self.listeners.remove(&listener);
    }

    /// Whether a socket is known.
    pub(super) fn knows(&self, listener: ListenerId) -> bool {
        self.listeners.contains_key(&listener)
    }

    /// A stream is ready; what waited for it is sent. Says whether we still want it.
    pub(super) fn opened(&mut self, stream: StreamId, ends: Ends) {
        let framer = StreamState::Open(Framer::new(self.message_bytes_max));
        let listener = self.nearest(Service::SipTcp, ends.local.ip());
        let entry = self.streams.entry(stream).or_insert(Stream {
            remote: ends.remote,
            listener,
            state: StreamState::Closing,
        });
        entry.listener = listener;
        let before = core::mem::replace(&mut entry.state, framer);
        self.by_remote.insert(ends.remote, stream);
        match before {
            StreamState::Opening { queue, .. } => {
                let write = |bytes| Action::Write { stream, bytes };
                self.actions.extend(queue.into_iter().map(write));
            }
            StreamState::Open(_) | StreamState::Closing => {}
        }
    }

    /// A stream ended. Gives the branches that waited for an answer over it.
    pub(super) fn closed(&mut self, stream: StreamId) -> Vec<BranchRef> {
        self.forget_remote(stream);
        self.streams.remove(&stream);
        let range = (stream, BranchRef::FIRST)..=(stream, BranchRef::LAST);
        let lost: Vec<_> = self
            .waiting
            .range(range)
            .map(|(_, branch)| *branch)
            .collect();
        lost.iter().for_each(|branch| {
            self.waiting.remove(&(stream, *branch));
        });
        lost
    }

    /// Closes a stream from our side. Its end is still to be reported.
    pub(super) fn close(&mut self, stream: StreamId) {
        self.forget_remote(stream);
        if let Some(entry) = self.streams.get_mut(&stream)
            && !matches!(entry.state, StreamState::Closing)
        {
            entry.state = StreamState::Closing;
            self.actions.push_back(Action::Close { stream });
        }
    }

    /// The framer and the far end of an open stream.
    pub(super) fn framer(&mut self, stream: StreamId) -> Option<(&mut Framer, SocketAddr)> {
        let entry = self.streams.get_mut(&stream)?;
        match &mut entry.state {
            StreamState::Open(framer) => Some((framer, entry.remote)),
            StreamState::Opening { .. } | StreamState::Closing => None,
        }
    }

    /// Sends one message. Says whether it is on its way; a stream that is gone or whose queue is
    /// full takes nothing.
    pub(super) fn send(&mut self, hop: Hop, bytes: Vec<u8>) -> bool {
        match hop {
            Hop::Udp { listener, to } => {
                self.actions.push_back(Action::Send {
                    listener,
                    to,
                    bytes,
                });
                true
            }
            Hop::Stream(stream) => match self.streams.get_mut(&stream).map(|s| &mut s.state) {
                Some(StreamState::Open(_)) => {
                    self.actions.push_back(Action::Write { stream, bytes });
                    true
                }
                Some(StreamState::Opening { queue, bytes: held })
                    if *held + bytes.len() <= limits::SIP_OPENING_BYTES =>
                {
                    *held += bytes.len();
                    queue.push(bytes);
                    true
                }
                Some(StreamState::Opening { .. } | StreamState::Closing) | None => false,
            },
        }
    }

    /// The stream to `to` that is there, or a new one. `None` without a TCP socket of that family
    /// or with too many streams.
    pub(super) fn stream_hop(&mut self, now: Instant, to: SocketAddr) -> Option<Hop> {
        if let Some(stream) = self.by_remote.get(&to) {
            return Some(Hop::Stream(*stream));
        }
        let listener = self.nearest(Service::SipTcp, to.ip())?;
        if self.streams.len() >= limits::STREAMS || to.port() == 0 || to.ip().is_unspecified() {
            return None;
        }
        let from = self
            .listeners
            .get(&listener)
            .map(|entry| entry.address.ip());
        let from = from.filter(|ip| !ip.is_unspecified());
        let stream = self.ids.take();
        let state = StreamState::Opening {
            queue: Vec::new(),
            bytes: 0,
        };
        let listener = Some(listener);
        let entry = Stream {
            remote: to,
            listener,
            state,
        };
        self.streams.insert(stream, entry);
        self.by_remote.insert(to, stream);
        self.opening.push_back((now + CONNECT_TIMEOUT, stream));
        self.actions.push_back(Action::Connect { stream, to, from });
        Some(Hop::Stream(stream))
    }

    /// Notes that `branch` wants to know if `hop` is lost.
    pub(super) fn watch(&mut self, hop: Hop, branch: BranchRef) {
        if let Hop::Stream(stream) = hop {
            self.waiting.insert((stream, branch));
        }
    }

    /// Undoes [`Transport::watch`].
    pub(super) fn unwatch(&mut self, hop: Hop, branch: BranchRef) {
        if let Hop::Stream(stream) = hop {
            self.waiting.remove(&(stream, branch));
        }
    }

    /// A stream that took too long to open; it is being closed.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<StreamId> {
        while let Some((_, stream)) = self.opening.pop_front_if(|(at, _)| *at <= now) {
            if self.is_opening(stream) {
                self.close(stream);
                return Some(stream);
            }
        }
        None
    }

    /// The next thing to do.
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Transport::overdue`] is wanted.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.opening.front().map(|(at, _)| *at)
    }

    /// The way by datagram to `to`, through `preferred` when that socket suits.
    pub(super) fn udp_hop(&self, to: SocketAddr, preferred: Option<ListenerId>) -> Option<Hop> {
        let suits = |id: &ListenerId| {
            self.listeners.get(id).is_some_and(|entry| {
                entry.service == Service::SipUdp && entry.address.is_ipv4() == to.is_ipv4()
            })
        };
        let listener = preferred
            .filter(suits)
            .or_else(|| self.nearest(Service::SipUdp, to.ip()))?;
        (to.port() != 0 && !to.ip().is_unspecified()).then_some(Hop::Udp { listener, to })
    }

    /// Whether messages over this stream arrive, as far as anybody knows.
    pub(super) fn is_open(&self, stream: StreamId) -> bool {
        matches!(
            self.streams.get(&stream).map(|entry| &entry.state),
            Some(StreamState::Open(_))
        )
    }

    /// The open stream from or to an address.
    pub(super) fn open_stream_to(&self, to: SocketAddr) -> Option<StreamId> {
        self.by_remote
            .get(&to)
            .copied()
            .filter(|stream| self.is_open(*stream))
    }

    /// How we name ourselves on the way `hop`: `host:port`, and whether that is TCP.
    pub(super) fn shown(&self, hop: Hop) -> Option<(&[u8], bool)> {
        self.shown_by(self.listener_of(hop)?)
    }

    /// How one socket is named: `host:port`, and whether that is TCP.
    pub(super) fn shown_by(&self, listener: ListenerId) -> Option<(&[u8], bool)> {
        let entry = self.listeners.get(&listener)?;
        Some((&entry.text, entry.service == Service::SipTcp))
    }

    /// The socket that [`Transport::shown`] names.
    pub(super) fn listener_of(&self, hop: Hop) -> Option<ListenerId> {
        match hop {
            Hop::Udp { listener, .. } => Some(listener),
            Hop::Stream(stream) => self.streams.get(&stream)?.listener,
        }
    }

    /// Our own signalling address nearest to a device's, by datagram when possible.
    pub(super) fn own_address(&self, towards: IpAddr) -> Option<SocketAddr> {
        self.nearest(Service::SipUdp, towards)
            .or_else(|| self.nearest(Service::SipTcp, towards))
            .and_then(|listener| self.listeners.get(&listener))
            .map(|entry| entry.address)
    }

    /// Whether one of our sockets is open at an address.
    pub(super) fn is_own(&self, address: SocketAddr) -> bool {
        self.listeners
            .values()
            .any(|entry| entry.address == address)
    }

    /// The socket of a service whose address has the longest prefix in common with `ip`.
    fn nearest(&self, service: Service, ip: IpAddr) -> Option<ListenerId> {
        self.listeners
            .iter()
            .filter(|(_, entry)| {
                entry.service == service && entry.address.is_ipv4() == ip.is_ipv4()
            })
            .max_by_key(|(id, entry)| {
                (
                    common_prefix(entry.address.ip(), ip),
                    core::cmp::Reverse(**id),
                )
            })
            .map(|(id, _)| *id)
    }

    fn is_opening(&self, stream: StreamId) -> bool {
        matches!(
            self.streams.get(&stream).map(|entry| &entry.state),
            Some(StreamState::Opening { .. })
        )
    }

    fn forget_remote(&mut self, stream: StreamId) {
        if let Some(entry) = self.streams.get(&stream)
            && self.by_remote.get(&entry.remote) == Some(&stream)
        {
            self.by_remote.remove(&entry.remote);
        }
    }
}

/// Leading bits that two addresses of one family have in common.
fn common_prefix(one: IpAddr, two: IpAddr) -> u32 {
    match (one, two) {
        (IpAddr::V4(one), IpAddr::V4(two)) => (one.to_bits() ^ two.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(two)) => (one.to_bits() ^ two.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    }
}

/// `host:port` as RFC 3261 section 25.1 writes it, with brackets round IPv6.
pub(super) fn text(address: SocketAddr) -> Vec<u8> {
    let mut text = alloc::string::String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "{address}");
    text.into_bytes()
}
