//! Scripted phones round one or two instances, on a virtual clock.

mod call;
mod cancel;
mod cluster;
mod disconnect;
mod fork;
mod hostile;
mod registrar;
mod retransmission;
mod routing;
mod stream;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use std::{format, vec};

use super::*;
use crate::base::ids::{Incarnation, PeerId};

/// Where instance `n` listens, UDP and TCP alike.
pub(super) fn node(n: usize) -> SocketAddr {
    SocketAddr::new([10, 0, 0, 1 + n as u8].into(), 5060)
}

pub(super) fn settings(n: usize) -> SipSettings {
    SipSettings {
        udp: Some(5060),
        tcp: Some(5060),
        addresses: vec![node(n).ip()],
        domains: vec!["example.com".into()],
        refresh_minimum: 45,
        refresh_maximum: 3600,
        message_bytes_max: 32_768,
        maintenance: false,
    }
}

const UDP: ListenerId = ListenerId(1);
const TCP: ListenerId = ListenerId(2);

/// One end of a stream at an instance.
type End = (usize, StreamId);

pub(super) struct Instance {
    pub(super) sip: Sip,
    pub(super) directory: Directory,
}

/// The world: instances, wires, and what lies in front of each phone.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Instance>,
    /// Messages that reached an address or a phone's stream, oldest first.
    inbox: BTreeMap<SocketAddr, VecDeque<String>>,
    /// Streams of each instance: the far end, and the twin when that is an instance.
    streams: BTreeMap<End, (SocketAddr, Option<End>)>,
    /// Phones that accept TCP connections.
    pub(super) listening: Vec<SocketAddr>,
    /// Addresses that no datagram reaches.
    pub(super) deaf: Vec<SocketAddr>,
    accepted: u64,
}

impl World {
    pub(super) fn new(nodes: usize) -> Self {
        let settings: Vec<_> = (0..nodes).map(settings).collect();
        Self::with(settings)
    }

    pub(super) fn with(settings: Vec<SipSettings>) -> Self {
        let mut world = Self {
            now: Instant::from_millis(1_000),
            nodes: Vec::new(),
            inbox: BTreeMap::new(),
            streams: BTreeMap::new(),
            listening: Vec::new(),
            deaf: Vec::new(),
            accepted: 1,
        };
        for (n, settings) in settings.into_iter().enumerate() {
            let seed = [n as u8 + 1; 32];
            world.nodes.push(Instance {
                sip: Sip::new(world.now, settings, seed, StreamIds::new(2, 2)),
                directory: Directory::new(PeerId(seed), Incarnation(n as u64)),
            });
            for (listener, service) in [(UDP, Service::SipUdp), (TCP, Service::SipTcp)] {
                let address = node(n);
                world.input(
                    n,
                    Input::Listening {
                        listener,
                        service,
                        address,
                    },
                );
            }
        }
        world
    }

    pub(super) fn input(&mut self, n: usize, input: Input) {
        let wall = Wall::from_millis(1_800_000_000_000 + self.now.as_millis());
        let node = &mut self.nodes[n];
        node.directory.observe(wall);
        node.sip.handle(self.now, wall, &mut node.directory, input);
        self.settle();
    }

    /// A datagram from `from` to instance `n`.
    pub(super) fn udp(&mut self, n: usize, from: SocketAddr, text: &str) {
        let input = Input::Datagram {
            listener: UDP,
            local: node(n),
            from,
            bytes: text.as_bytes().to_vec(),
        };
        self.input(n, input);
    }

    /// A stream from `from` to instance `n`.
    pub(super) fn connect(&mut self, n: usize, from: SocketAddr) -> StreamId {
        let stream = self.accept(n, from, None);
        self.settle();
        stream
    }

    /// Bytes on a stream.
    pub(super) fn tcp(&mut self, n: usize, stream: StreamId, text: &str) {
        let bytes = text.as_bytes().to_vec();
        self.input(n, Input::Received { stream, bytes });
    }

    pub(super) fn disconnect(&mut self, n: usize, stream: StreamId) {
        self.streams.remove(&(n, stream));
        self.input(n, Input::Closed { stream });
    }

    /// The phone's end of the stream that instance `n` opened to `to`.
    pub(super) fn stream_to(&self, n: usize, to: SocketAddr) -> StreamId {
        let found = self
            .streams
            .iter()
            .find(|((m, _), end)| *m == n && end.0 == to);
        found.expect("a stream").0.1
    }

    fn accept(
        &mut self,
        n: usize,
        remote: SocketAddr,
        twin: Option<(usize, StreamId)>,
    ) -> StreamId {
        self.accepted += 2;
        let stream = StreamId(self.accepted);
        self.streams.insert((n, stream), (remote, twin));
        let ends = Ends {
            local: node(n),
            remote,
        };
        let input = Input::Opened {
            stream,
            ends,
            outbound: false,
        };
        let wall = Wall::from_millis(0);
        let node = &mut self.nodes[n];
        node.sip.handle(self.now, wall, &mut node.directory, input);
        stream
    }

    /// Carries out actions until there are none.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            let next = (0..self.nodes.len())
                .find_map(|n| self.nodes[n].sip.poll_action().map(|action| (n, action)));
            let Some((n, action)) = next else { return };
            self.perform(n, action);
        }
        panic!("the instances never come to rest");
    }

    fn perform(&mut self, n: usize, action: Action) {
        let wall = Wall::from_millis(0);
        match action {
            Action::Send { to, bytes, .. } if self.deaf.contains(&to) => drop(bytes),
            Action::Send { to, bytes, .. } => {
                match (0..self.nodes.len()).find(|m| node(*m) == to) {
                    Some(m) => {
                        let input = Input::Datagram {
                            listener: UDP,
                            local: to,
                            from: node(n),
                            bytes,
                        };
                        let node = &mut self.nodes[m];
                        node.sip.handle(self.now, wall, &mut node.directory, input);
                    }
                    None => self.drop_into(to, bytes),
                }
            }
            Action::Write { stream, bytes } => match self.streams.get(&(n, stream)) {
                Some((_, Some((m, twin)))) => {
                    let (m, stream) = (*m, *twin);
                    let node = &mut self.nodes[m];
                    let input = Input::Received { stream, bytes };
                    node.sip.handle(self.now, wall, &mut node.directory, input);
                }
                Some((remote, None)) => self.drop_into(*remote, bytes),
                None => {}
            },
            Action::Connect { stream, to, .. } => self.connected(n, stream, to),
            Action::Close { stream } => {
                self.streams.remove(&(n, stream));
                let node = &mut self.nodes[n];
                node.sip.handle(
                    self.now,
                    wall,
                    &mut node.directory,
                    Input::Closed { stream },
                );
            }
        }
    }

    fn connected(&mut self, n: usize, stream: StreamId, to: SocketAddr) {
        let wall = Wall::from_millis(0);
        let local = SocketAddr::new(node(n).ip(), 40_000 + stream.0 as u16);
        let input = if let Some(m) = (0..self.nodes.len()).find(|m| node(*m) == to) {
            let twin = self.accept(m, local, Some((n, stream)));
            self.streams.insert((n, stream), (to, Some((m, twin))));
            Some(true)
        } else if self.listening.contains(&to) {
            self.streams.insert((n, stream), (to, None));
            Some(true)
        } else if self.deaf.contains(&to) {
            None
        } else {
            Some(false)
        };
        let ends = Ends { local, remote: to };
        let input = match input {
            Some(true) => Input::Opened {
                stream,
                ends,
                outbound: true,
            },
            Some(false) => Input::Closed { stream },
            None => return,
        };
        let node = &mut self.nodes[n];
        node.sip.handle(self.now, wall, &mut node.directory, input);
    }

    fn drop_into(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.inbox.entry(to).or_default().push_back(text);
    }

    /// Lets time pass, firing timers on the way.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..100_000 {
            let due = self
                .nodes
                .iter()
                .flat_map(|node| [node.sip.poll_timeout(), node.directory.poll_timeout()])
                .flatten()
                .min();
            let Some(due) = due.filter(|due| *due <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(due);
            let wall = Wall::from_millis(self.now.as_millis());
            for node in &mut self.nodes {
                node.directory.handle_timeout(self.now);
                node.sip.handle_timeout(self.now, wall, &mut node.directory);
            }
            self.settle();
        }
        panic!("timers never come to rest");
    }

    /// The oldest message in front of a phone.
    #[track_caller]
    pub(super) fn take(&mut self, at: SocketAddr) -> String {
        self.inbox
            .get_mut(&at)
            .and_then(VecDeque::pop_front)
            .unwrap_or_else(|| panic!("nothing arrived at {at}"))
    }

    /// The oldest message in front of a phone, which must start so.
    #[track_caller]
    pub(super) fn expect(&mut self, at: SocketAddr, start: &str) -> String {
        let text = self.take(at);
        assert!(text.starts_with(start), "wanted {start}, got\n{text}");
        text
    }

    /// That nothing more lies in front of a phone.
    #[track_caller]
    pub(super) fn quiet(&mut self, at: SocketAddr) {
        if let Some(text) = self.inbox.get_mut(&at).and_then(VecDeque::pop_front) {
            panic!("unwanted at {at}:\n{text}");
        }
    }

    /// Carries every instance's registrations to every other.
    pub(super) fn share(&mut self) {
        for from in 0..self.nodes.len() {
            let directory = &self.nodes[from].directory;
            let (owner, held) = (directory.own(), directory.own_held());
            let items = directory.snapshot_after(self.now, 0, usize::MAX);
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                let directory = &mut self.nodes[to].directory;
                directory.begin_snapshot(owner, held.incarnation);
                assert!(directory.stage(owner, items.clone()));
                assert!(directory.end_snapshot(self.now, owner, held.sequence));
            }
        }
    }

    /// Registers `user` at instance `n` from `phone` by UDP and takes the 200.
    #[track_caller]
    pub(super) fn register(&mut self, n: usize, user: &str, phone: SocketAddr) {
        let contact = format!("<sip:{user}@{phone}>");
        self.udp(n, phone, &register(user, phone, &contact, 1));
        self.expect(phone, "SIP/2.0 200 ");
        self.share();
    }

    pub(super) fn status(&self, n: usize) -> SipStatus {
        let node = &self.nodes[n];
        node.sip.status(&node.directory)
    }
}

pub(super) fn phone(n: u8) -> SocketAddr {
    SocketAddr::new([192, 0, 2, n].into(), 5060)
}

/// A message from its lines; `body` gets its Content-Length.
pub(super) fn message(lines: &[&str], body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    let mut text = lines.join("\r\n");
    text.push_str("\r\n");
    text.push_str(&length);
    text.push_str("\r\n\r\n");
    text.push_str(body);
    text
}

pub(super) fn register(user: &str, phone: SocketAddr, contact: &str, cseq: u32) -> String {
    message(
        &[
            "REGISTER sip:example.com SIP/2.0",
            &format!("Via: SIP/2.0/UDP {phone};rport;branch=z9hG4bKreg{user}{cseq}"),
            "Max-Forwards: 70",
            &format!("From: <sip:{user}@example.com>;tag=r{user}"),
            &format!("To: <sip:{user}@example.com>"),
            &format!("Call-ID: register-{user}"),
            &format!("CSeq: {cseq} REGISTER"),
            &format!("Contact: {contact}"),
        ],
        "",
    )
}

pub(super) const SDP: &str = "v=0\r\no=b 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";

/// An out-of-dialog request from `phone`.
pub(super) fn request(method: &str, uri: &str, phone: SocketAddr, branch: &str) -> String {
    message(
        &[
            &format!("{method} {uri} SIP/2.0"),
            &format!("Via: SIP/2.0/UDP {phone};rport;branch=z9hG4bK{branch}"),
            "Max-Forwards: 70",
            "From: \"Alice\" <sip:alice@example.com>;tag=a1",
            &format!("To: <{uri}>"),
            "Call-ID: call-1@192.0.2.1",
            &format!("CSeq: 1 {method}"),
            &format!("Contact: <sip:alice@{phone}>"),
        ],
        if method == "INVITE" { SDP } else { "" },
    )
}

pub(super) fn over_tcp(text: &str) -> String {
    text.replacen("SIP/2.0/UDP", "SIP/2.0/TCP", 1)
}

/// All values of a header field, in order.
pub(super) fn headers<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    head.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

#[track_caller]
pub(super) fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let found = headers(text, name);
    found
        .first()
        .unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

/// The answer of a phone at `phone` to `request`.
pub(super) fn answer(request: &str, status: &str, phone: SocketAddr) -> String {
    answer_tagged(request, status, phone, "b1")
}

pub(super) fn answer_tagged(request: &str, status: &str, phone: SocketAddr, tag: &str) -> String {
    let mut lines: Vec<String> = vec![format!("SIP/2.0 {status}")];
    for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
        for value in headers(request, name) {
            let tag = if name == "To" && !value.contains("tag=") && !status.starts_with("100") {
                format!(";tag={tag}")
            } else {
                String::new()
            };
            lines.push(format!("{name}: {value}{tag}"));
        }
    }
    lines.push(format!("Contact: <sip:bob@{phone}>"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    message(&lines, "")
}

/// The URI between the brackets of a name-addr, else the whole.
pub(super) fn uri(value: &str) -> &str {
    value
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or(value, |(uri, _)| uri)
}

/// A request of the caller inside the dialog that `ok` (the 200 as the caller got it) set up.
pub(super) fn in_dialog(ok: &str, method: &str, cseq: u32, phone: SocketAddr) -> String {
    let mut lines = vec![
        format!("{method} {} SIP/2.0", uri(header(ok, "Contact"))),
        format!("Via: SIP/2.0/UDP {phone};rport;branch=z9hG4bK{method}{cseq}"),
        "Max-Forwards: 70".to_string(),
    ];
    let routes = headers(ok, "Record-Route");
    lines.extend(routes.iter().rev().map(|route| format!("Route: {route}")));
    lines.push(format!("From: {}", header(ok, "From")));
    lines.push(format!("To: {}", header(ok, "To")));
    lines.push(format!("Call-ID: {}", header(ok, "Call-ID")));
    lines.push(format!("CSeq: {cseq} {method}"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    message(&lines, "")
}

/// A request of the called inside the dialog that `invite` (as the called got it) set up.
pub(super) fn back(invite: &str, method: &str, cseq: u32, phone: SocketAddr) -> String {
    let mut lines = vec![
        format!("{method} {} SIP/2.0", uri(header(invite, "Contact"))),
        format!("Via: SIP/2.0/UDP {phone};rport;branch=z9hG4bKback{method}{cseq}"),
        "Max-Forwards: 70".to_string(),
    ];
    let routes = headers(invite, "Record-Route");
    lines.extend(routes.iter().map(|route| format!("Route: {route}")));
    lines.push(format!("From: {};tag=b1", header(invite, "To")));
    lines.push(format!("To: {}", header(invite, "From")));
    lines.push(format!("Call-ID: {}", header(invite, "Call-ID")));
    lines.push(format!("CSeq: {cseq} {method}"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    message(&lines, "")
}

/// The ACK of the caller for a final response other than 2xx (section 17.1.1.3).
pub(super) fn ack(invite: &str, response: &str) -> String {
    let uri = invite.split(' ').nth(1).unwrap_or_default();
    let lines = [
        format!("ACK {uri} SIP/2.0"),
        format!("Via: {}", header(invite, "Via")),
        "Max-Forwards: 70".to_string(),
        format!("From: {}", header(invite, "From")),
        format!("To: {}", header(response, "To")),
        format!("Call-ID: {}", header(invite, "Call-ID")),
        "CSeq: 1 ACK".to_string(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    message(&lines, "")
}

/// The CANCEL of the caller (section 9.1).
pub(super) fn cancel(invite: &str) -> String {
    let uri = invite.split(' ').nth(1).unwrap_or_default();
    let lines = [
        format!("CANCEL {uri} SIP/2.0"),
        format!("Via: {}", header(invite, "Via")),
        "Max-Forwards: 70".to_string(),
        format!("From: {}", header(invite, "From")),
        format!("To: {}", header(invite, "To")),
        format!("Call-ID: {}", header(invite, "Call-ID")),
        "CSeq: 1 CANCEL".to_string(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    message(&lines, "")
}
