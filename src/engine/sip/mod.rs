//! SIP registrar and stateful proxy (RFC 3261 sections 10, 16, 17 and 18).
//!
//! Bytes in, bytes out: this module never opens a socket, reads a clock or resolves a name, and it
//! keeps no copy of what the [`Directory`] knows. Start at [`Sip::handle`].

mod answer;
mod calls;
mod cancel;
mod clock;
pub mod disconnect;
mod exchange;
mod forward;
mod hash;
mod names;
mod origin;
mod registrar;
mod response;
mod route;
pub mod status;
mod target;
#[cfg(test)]
mod tests;
mod timers;
mod token;
mod transport;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::base::ids::{ListenerId, StreamId, StreamIds};
use crate::base::socket::{Ends, Service};
use crate::base::time::{Instant, Wall};
use crate::directory::Directory;

use crate::base::digest::sha256;
use crate::base::random::Random;
pub use crate::config::settings::SipSettings;
use crate::wire::sip::{Frame, Header, Message, Method};
use answer::{Extra, Refusal};
use calls::Calls;
use exchange::{Clock, ExchangeId, Reply, Table};
use forward::Plan;
use hash::HashKey;
use origin::Origin;
use route::Verdict;
use status::SipStatus;
use target::Target;
use timers::Timers;
use token::Tokens;
use transport::{DEFAULT_PORT, Hop, Transport};

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
    random: Random,
    keys: HashKey,
    tokens: Tokens,
    transport: Transport,
    table: Table,
    timers: Timers<(ExchangeId, Clock)>,
    /// Server and client transactions alive.
    transactions: usize,
    calls: Calls,
    /// Registrations that end with the stream that made them (RFC 5626 section 6).
    flows: BTreeMap<StreamId, Vec<(String, Vec<u8>)>>,
    status: SipStatus,
    /// Whether the licences of the cluster are all in use.
    is_full: bool,
    /// Kept between registrations so that naming one allocates nothing.
    aor: String,
}

/// The moment and the surroundings of one input.
#[derive(Debug)]
struct At<'a> {
    now: Instant,
    wall: Wall,
    directory: &'a mut Directory,
}

impl Sip {
    /// A service without sockets. `seed` is secret and used for nothing else: the key of tokens
    /// and the spread of tags and branches both derive from it. Streams are named by `streams`.
    pub fn new(_now: Instant, settings: SipSettings, seed: [u8; 32], streams: StreamIds) -> Self {
        let derive = |purpose: &[u8]| sha256(&[b"causeway sip ", purpose, &seed]);
        let mut key = [0; 16];
        key.copy_from_slice(&derive(b"hash")[..16]);
        Self {
            transport: Transport::new(streams, settings.message_bytes_max),
            settings,
            random: Random::new(derive(b"random")),
            keys: HashKey::new(key),
            tokens: Tokens::new(derive(b"token")),
            table: Table::default(),
            timers: Timers::new(),
            transactions: 0,
            calls: Calls::new(),
            flows: BTreeMap::new(),
            status: SipStatus::default(),
            is_full: false,
            aor: String::new(),
        }
    }

    /// Takes over new settings. Calls and registrations that stand are left alone.
    pub fn configure(&mut self, _now: Instant, settings: SipSettings) {
        self.transport
            .set_message_bytes_max(settings.message_bytes_max);
        self.settings = settings;
    }

    /// Whether a new call more would exceed the licences of the cluster.
    pub fn set_full(&mut self, full: bool) {
        self.is_full = full;
    }

    /// Takes in what happened. Actions that follow are waiting afterwards.
    pub fn handle(&mut self, now: Instant, wall: Wall, directory: &mut Directory, input: Input) {
        let at = &mut At {
            now,
            wall,
            directory,
        };
        match input {
            Input::Listening {
                listener,
                service,
                address,
            } => {
                let shown = self.shown_address(address);
                self.transport.listening(listener, service, address, shown);
            }
            Input::Unlistened { listener } => self.transport.unlistened(listener),
            Input::Datagram {
                listener,
                local,
                from,
                bytes,
            } => {
                if !self.transport.knows(listener) {
                    let shown = self.shown_address(local);
                    self.transport
                        .listening(listener, Service::SipUdp, local, shown);
                }
                let hop = Hop::Udp { listener, to: from };
                self.on_datagram(at, hop, from, bytes);
            }
            Input::Opened { stream, ends, .. } => self.transport.opened(stream, ends),
            Input::Received { stream, bytes } => self.on_bytes(at, stream, &bytes),
            Input::Closed { stream } => self.lose_stream(at, stream),
        }
        let table = &self.table;
        self.timers
            .sweep(|due, (id, clock)| clock::armed(table, due, id, clock));
    }

    /// Fires the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant, wall: Wall, directory: &mut Directory) {
        self.fire(&mut At {
            now,
            wall,
            directory,
        });
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.transport.poll_action()
    }

    /// When [`Sip::handle_timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [
            self.timers.next(),
            self.transport.poll_timeout(),
            self.calls.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Counters since the start, and what is alive.
    pub fn status(&self, directory: &Directory) -> SipStatus {
        SipStatus {
            registrations: directory.count(directory.own()) as u64,
            calls: self.calls.len() as u64,
            transactions: self.transactions as u64,
            ..self.status.clone()
        }
    }

    fn on_datagram(&mut self, at: &mut At<'_>, hop: Hop, from: SocketAddr, bytes: Vec<u8>) {
        // Keep-alives (RFC 5626 section 4.4) and what keeps a NAT open hold no letter.
        if bytes.len() < 12 && !bytes.iter().any(u8::is_ascii_alphanumeric) {
            return;
        }
        self.on_message(at, hop, from, bytes);
    }

    fn on_bytes(&mut self, at: &mut At<'_>, stream: StreamId, bytes: &[u8]) {
        if let Some((framer, _)) = self.transport.framer(stream) {
            framer.push(bytes);
        }
        // The framer is looked up each time: a message may have closed its own stream.
        while let Some((framer, remote)) = self.transport.framer(stream) {
            let hop = Hop::Stream(stream);
            match framer.poll() {
                Ok(None) => return,
                Ok(Some(Frame::Ping)) => {
                    self.transport.send(hop, b"\r\n".to_vec());
                }
                Ok(Some(Frame::Message(message))) => self.on_message(at, hop, remote, message),
                Err(_) => {
                    self.status.malformed += 1;
                    self.transport.close(stream);
                }
            }
        }
    }

    fn on_message(&mut self, at: &mut At<'_>, hop: Hop, remote: SocketAddr, bytes: Vec<u8>) {
        let Ok(message) = Message::parse(bytes) else {
            self.status.malformed += 1;
            return;
        };
        let fault = message.fault();
        self.status.malformed += u64::from(fault.is_some());
        if !message.is_request() {
            if fault.is_none() {
                self.on_response(at, &message, message.status());
            }
            return;
        }
        // Without a Via there is nobody to answer.
        let Some(origin) = Origin::new(&message, hop, remote) else {
            return;
        };
        match fault {
            None => self.on_request(at, message, &origin),
            Some(_) if message.method() == Method::Ack => {}
            Some(fault) => {
                let tag = self.stateless_tag(&message);
                let bytes = answer::faulty(&message, &origin.stamp, fault, tag);
                self.reply(at, origin.reply(), bytes);
            }
        }
    }

    fn on_request(&mut self, at: &mut At<'_>, message: Message, origin: &Origin) {
        self.status.requests += 1;
        let method = message.method();
        if method == Method::Register {
            return self.on_register(at, &message, origin);
        }
        let key = self.server_key(&message);
        match method {
            Method::Cancel => return self.on_cancel(at, &message, origin, key),
            Method::Ack if self.is_ack_for_us(at, key) => return,
            Method::Ack => {}
            _ => {
                if let Some(id) = self.table.find(key) {
                    return self.on_repeated(at, id);
                }
            }
        }
        match self.decide(at, &message, origin) {
            Ok(Verdict::Options) => self.on_options(at, &message, origin),
            Ok(Verdict::Forward { plan, targets }) if method == Method::Ack => {
                self.pass_ack(at, &message, origin, &plan, &targets);
            }
            Ok(Verdict::Forward { plan, targets }) => {
                self.open(at, message, origin, key, plan, targets);
            }
            Err(_) if method == Method::Ack => {}
            Err(refusal) => self.refuse(at, &message, origin, &refusal),
        }
    }

    /// A repeated request gets the last response again (sections 17.2.1 and 17.2.2).
    fn on_repeated(&mut self, at: &mut At<'_>, id: ExchangeId) {
        let Some(exchange) = self.table.get(id) else {
            return;
        };
        if !exchange.last.is_empty() {
            let (reply, bytes) = (exchange.reply, exchange.last.clone());
            self.reply(at, reply, bytes);
        } else if exchange.is_invite && exchange.trying_at.is_some() {
            self.send_trying(at, id);
        }
    }

    /// The hash by which a request is matched to its server transaction (section 17.2.3). ACK and
    /// CANCEL match the INVITE that they belong to.
    fn server_key(&self, message: &Message) -> u128 {
        let method = match message.method() {
            Method::Ack | Method::Cancel => b"INVITE",
            _ => message.method_name(),
        };
        let hasher = self.keys.hasher().part(method);
        if let Some(via) = message.top_via()
            && let Some(branch) = via.cookie_branch()
        {
            return hasher
                .part_lowercase(branch)
                .part_lowercase(via.host())
                .part(&via.port().unwrap_or(DEFAULT_PORT).to_be_bytes())
                .finish();
        }
        // RFC 2543: what stays the same between INVITE, ACK and CANCEL.
        let number = message.cseq().map_or(0, |(number, _)| number);
        hasher
            .part(message.request_uri())
            .part(message.tag(Header::From).unwrap_or_default())
            .part(message.call_id())
            .part(&number.to_be_bytes())
            .part(message.values(Header::Via).next().unwrap_or_default())
            .finish()
    }

    /// Answers without state: the same request gets the same answer.
    fn refuse(&mut self, at: &At<'_>, message: &Message, origin: &Origin, why: &Refusal) {
        let mut response = answer::begin(
            message,
            &origin.stamp,
            why.status,
            self.stateless_tag(message),
        );
        why.write_extra(&mut response);
        self.reply(at, origin.reply(), response.finish());
    }

    fn on_options(&mut self, at: &At<'_>, message: &Message, origin: &Origin) {
        let mut response = answer::begin(message, &origin.stamp, 200, self.stateless_tag(message));
        answer::add_capabilities(&mut response);
        self.reply(at, origin.reply(), response.finish());
    }

    /// A tag that follows from the request (section 8.2.7).
    fn stateless_tag(&self, message: &Message) -> u64 {
        let via = message.header(Header::Via).unwrap_or_default();
        self.keys
            .hasher()
            .part(message.call_id())
            .part(via)
            .finish() as u64
    }

    /// What a call is counted by.
    fn call_hash(&self, message: &Message) -> u128 {
        self.keys.hasher().part(message.call_id()).finish()
    }

    /// Sends a response on its way back.
    fn reply(&mut self, at: &At<'_>, reply: Reply, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match reply {
            Reply::Udp(hop) => {
                self.transport.send(hop, bytes);
            }
            Reply::Nobody => {}
            Reply::Stream { stream, fallback } => {
                let hop = if self.transport.is_open(stream) {
                    Some(Hop::Stream(stream))
                } else {
                    self.transport.stream_hop(at.now, fallback)
                };
                if let Some(hop) = hop {
                    self.transport.send(hop, bytes);
                }
            }
        }
    }

    /// An ACK for a 2xx goes on without state (section 16.7 and 17.1.1.3), if we know the dialog.
    fn pass_ack(
        &mut self,
        at: &At<'_>,
        message: &Message,
        origin: &Origin,
        plan: &Plan,
        targets: &[Target],
    ) {
        for target in targets.iter().filter(|_| plan.is_known) {
            if let Ok(copy) = self.compose(at, message, &origin.stamp, plan, target, None) {
                self.transport.send(copy.hop, copy.bytes);
            }
        }
    }

    /// A stream ended: what waited for an answer over it fails at once, registrations that live
    /// by it end.
    fn lose_stream(&mut self, at: &mut At<'_>, stream: StreamId) {
        let lost = self.transport.closed(stream);
        for (aor, id) in self.flows.remove(&stream).unwrap_or_default() {
            at.directory.remove(at.now, &aor, &id);
        }
        for name in lost {
            self.fail_branch(at, name, 430);
        }
    }

    /// Removes an exchange that is over.
    fn settle(&mut self, id: ExchangeId) {
        if let Some(exchange) = self.table.get(id)
            && exchange.is_over()
        {
            self.transactions -= 1 + exchange.branches.len();
            self.table.remove(id);
        }
    }

    /// The refusal of one who should come again later, or go elsewhere.
    fn busy(&mut self) -> Refusal {
        self.status.shed += 1;
        Refusal::with(503, Extra::RetryAfter(RETRY_AFTER))
    }

    /// The address that others reach a socket by.
    fn shown_address(&self, address: SocketAddr) -> SocketAddr {
        let own = self.settings.addresses.iter().copied();
        let mut same = own.filter(|ip| ip.is_ipv4() == address.is_ipv4() && !ip.is_unspecified());
        match same.next().filter(|_| address.ip().is_unspecified()) {
            Some(ip) => SocketAddr::new(ip, address.port()),
            None => address,
        }
    }
}

/// Seconds after which those who were turned away may come again.
const RETRY_AFTER: u32 = 10;
