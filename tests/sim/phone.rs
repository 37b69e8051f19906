//! A reference SIP phone over UDP: registers, calls, answers, hangs up (RFC 3261).
//!
//! It is written from the standard, not from the product, and retransmits as the standard says.

use std::net::SocketAddr;

/// Milliseconds between retransmissions of a request at first (RFC 3261 timer T1).
const T1_MS: u64 = 500;

/// Milliseconds after which a request has failed (RFC 3261 timers B and F).
const PATIENCE_MS: u64 = 32_000;

/// Seconds that a phone asks its registration to last.
const REGISTRATION_S: u64 = 60;

/// One phone.
#[derive(Debug)]
pub(crate) struct Phone {
    /// User part of its address of record.
    pub(crate) user: String,
    /// Domain of its address of record.
    pub(crate) domain: String,
    /// Where it sends and receives.
    pub(crate) address: SocketAddr,
    /// The peer that it registers with and calls through.
    pub(crate) server: SocketAddr,
    /// Milliseconds until which its registration holds.
    pub(crate) registered_until_ms: u64,
    /// Calls that it made and that ended well.
    pub(crate) completed: u64,
    /// Calls that it made and that failed, with the reason.
    pub(crate) failed: Vec<String>,
    /// Whether it lets the calls that it makes stand.
    pub(crate) holds: bool,
    /// Calls that somebody else ended.
    pub(crate) hung_up: u64,
    sequence: u32,
    pending: Option<Pending>,
    /// The answer to a call that is not acknowledged yet.
    answered: Option<Answered>,
    refresh_ms: u64,
}

/// A 200 that is repeated until the ACK comes (RFC 3261 section 13.3.1.4).
#[derive(Debug)]
struct Answered {
    to: SocketAddr,
    bytes: Vec<u8>,
    next_ms: u64,
    interval_ms: u64,
    until_ms: u64,
}

/// A request of ours that waits for its final response.
#[derive(Debug)]
struct Pending {
    kind: Kind,
    bytes: Vec<u8>,
    branch: String,
    callee: String,
    call_id: String,
    first_ms: u64,
    next_ms: u64,
    interval_ms: u64,
    provisional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Register,
    Invite,
    Bye,
}

/// A datagram to send.
pub(crate) type Outgoing = (SocketAddr, Vec<u8>);

impl Phone {
    /// A phone that will register at the first chance.
    pub(crate) fn new(user: &str, domain: &str, address: SocketAddr, server: SocketAddr) -> Self {
        Self {
            user: user.into(),
            domain: domain.into(),
            address,
            server,
            registered_until_ms: 0,
            completed: 0,
            failed: Vec::new(),
            holds: false,
            hung_up: 0,
            sequence: 0,
            pending: None,
            answered: None,
            refresh_ms: 0,
        }
    }

    /// Whether it can begin something.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Registers now; a phone that a peer has left calls this with another `server`.
    pub(crate) fn register(&mut self, now_ms: u64) -> Vec<Outgoing> {
        self.refresh_ms = now_ms + REGISTRATION_S * 500;
        let target = format!("sip:{}", self.domain);
        let own = format!("<sip:{}@{}>", self.user, self.domain);
        let extra = format!(
            "Contact: <sip:{}@{}>\r\nExpires: {REGISTRATION_S}\r\n",
            self.user, self.address
        );
        self.request(now_ms, Kind::Register, "REGISTER", &target, &own, &extra)
    }

    /// Calls another user of the domain.
    pub(crate) fn call(&mut self, now_ms: u64, callee: &str) -> Vec<Outgoing> {
        let target = format!("sip:{callee}@{}", self.domain);
        let to = format!("<{target}>");
        let extra = format!("Contact: <sip:{}@{}>\r\n", self.user, self.address);
        self.request(now_ms, Kind::Invite, "INVITE", &target, &to, &extra)
    }

    /// Retransmits and refreshes what is due.
    pub(crate) fn tick(&mut self, now_ms: u64) -> Vec<Outgoing> {
        let mut outgoing: Vec<Outgoing> = self.answer_again(now_ms).into_iter().collect();
        outgoing.extend(self.ask_again(now_ms));
        outgoing
    }

    fn answer_again(&mut self, now_ms: u64) -> Option<Outgoing> {
        self.answered
            .take_if(|answered| answered.until_ms <= now_ms);
        let answered = self
            .answered
            .as_mut()
            .filter(|answered| answered.next_ms <= now_ms)?;
        answered.interval_ms = (answered.interval_ms * 2).min(4_000);
        answered.next_ms = now_ms + answered.interval_ms;
        Some((answered.to, answered.bytes.clone()))
    }

    fn ask_again(&mut self, now_ms: u64) -> Vec<Outgoing> {
        let Some(pending) = &mut self.pending else {
            return if self.refresh_ms <= now_ms {
                self.register(now_ms)
            } else {
                Vec::new()
            };
        };
        if now_ms >= pending.first_ms + PATIENCE_MS {
            let pending = self.pending.take().expect("just seen");
            if pending.kind == Kind::Register {
                self.refresh_ms = now_ms + 2_000;
            } else {
                self.failed
                    .push(format!("{:?} without answer", pending.kind));
            }
            return Vec::new();
        }
        if pending.provisional && pending.kind == Kind::Invite || now_ms < pending.next_ms {
            return Vec::new();
        }
        pending.interval_ms = (pending.interval_ms * 2).min(4_000);
        pending.next_ms = now_ms + pending.interval_ms;
        vec![(self.server, pending.bytes.clone())]
    }

    /// Takes in a datagram.
    pub(crate) fn receive(&mut self, now_ms: u64, from: SocketAddr, bytes: &[u8]) -> Vec<Outgoing> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match text.strip_prefix("SIP/2.0 ") {
            Some(rest) => {
                let status = rest
                    .get(..3)
                    .and_then(|code| code.parse().ok())
                    .unwrap_or(0);
                self.response(now_ms, status, &text)
            }
            None => self.asked(now_ms, from, &text),
        }
    }

    fn request(
        &mut self,
        now_ms: u64,
        kind: Kind,
        method: &str,
        target: &str,
        to: &str,
        extra: &str,
    ) -> Vec<Outgoing> {
        self.sequence += 1;
        let branch = format!("z9hG4bK{}-{}", self.user, self.sequence);
        let call_id = format!("{}-{}@{}", self.user, self.sequence, self.address);
        let bytes = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{}@{}>;tag={}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {} {method}\r\n{extra}Content-Length: 0\r\n\r\n",
            self.address, self.user, self.domain, self.sequence, self.sequence
        )
        .into_bytes();
        self.pending = Some(Pending {
            kind,
            bytes: bytes.clone(),
            branch,
            callee: target.into(),
            call_id,
            first_ms: now_ms,
            next_ms: now_ms + T1_MS,
            interval_ms: T1_MS,
            provisional: false,
        });
        vec![(self.server, bytes)]
    }

    fn response(&mut self, now_ms: u64, status: u16, text: &str) -> Vec<Outgoing> {
        let own = |pending: &Pending| header(text, "Via").contains(&pending.branch);
        let Some(pending) = self.pending.take_if(|pending| own(pending)) else {
            return Vec::new();
        };
        if status < 200 {
            self.pending = Some(Pending {
                provisional: true,
                ..pending
            });
            return Vec::new();
        }
        match (pending.kind, status) {
            (Kind::Register, 200..=299) => {
                self.registered_until_ms = now_ms + REGISTRATION_S * 1_000;
                Vec::new()
            }
            (Kind::Register, _) => {
                self.refresh_ms = now_ms + 2_000;
                Vec::new()
            }
            (Kind::Invite, 200..=299) => self.connected(now_ms, &pending, text),
            (Kind::Invite, _) => {
                self.failed.push(format!("INVITE answered {status}"));
                let ack = self.acknowledge_failure(&pending, text);
                vec![(self.server, ack)]
            }
            (Kind::Bye, 200..=299) => {
                self.completed += 1;
                Vec::new()
            }
            (Kind::Bye, _) => {
                self.failed.push(format!("BYE answered {status}"));
                Vec::new()
            }
        }
    }

    /// Acknowledges the answer and hangs up at once, along the route that the answer names.
    fn connected(&mut self, now_ms: u64, invite: &Pending, text: &str) -> Vec<Outgoing> {
        let mut routes: Vec<&str> = headers(text, "Record-Route")
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        routes.reverse();
        let route: String = routes
            .iter()
            .map(|route| format!("Route: {route}\r\n"))
            .collect();
        let contact = header(text, "Contact");
        let target = contact
            .trim_start_matches('<')
            .split('>')
            .next()
            .unwrap_or("")
            .to_string();
        let to = header(text, "To").to_string();
        let first = routes.first().copied().unwrap_or(&target);
        let next = address_of(first).unwrap_or(self.server);
        let number = self.sequence;
        let ack = format!(
            "ACK {target} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKack{}-{number}\r\n{route}\
             Max-Forwards: 70\r\nFrom: <sip:{}@{}>;tag={number}\r\nTo: {to}\r\nCall-ID: {}\r\n\
             CSeq: {number} ACK\r\nContent-Length: 0\r\n\r\n",
            self.address, self.user, self.user, self.domain, invite.call_id
        );
        if self.holds {
            self.completed += 1;
            return vec![(next, ack.into_bytes())];
        }
        self.sequence += 1;
        let branch = format!("z9hG4bK{}-{}", self.user, self.sequence);
        let bye = format!(
            "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={branch}\r\n{route}\
             Max-Forwards: 70\r\nFrom: <sip:{}@{}>;tag={number}\r\nTo: {to}\r\nCall-ID: {}\r\n\
             CSeq: {} BYE\r\nContent-Length: 0\r\n\r\n",
            self.address, self.user, self.domain, invite.call_id, self.sequence
        )
        .into_bytes();
        self.pending = Some(Pending {
            kind: Kind::Bye,
            bytes: bye.clone(),
            branch,
            callee: target,
            call_id: invite.call_id.clone(),
            first_ms: now_ms,
            next_ms: now_ms + T1_MS,
            interval_ms: T1_MS,
            provisional: false,
        });
        vec![(next, ack.into_bytes()), (next, bye)]
    }

    fn acknowledge_failure(&self, invite: &Pending, text: &str) -> Vec<u8> {
        format!(
            "ACK {} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={}\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} ACK\r\nContent-Length: 0\r\n\r\n",
            invite.callee,
            self.address,
            invite.branch,
            header(text, "From"),
            header(text, "To"),
            invite.call_id,
            self.sequence
        )
        .into_bytes()
    }

    /// Answers what others ask: every call is taken at once.
    fn asked(&mut self, now_ms: u64, from: SocketAddr, text: &str) -> Vec<Outgoing> {
        let method = text.split(' ').next().unwrap_or("");
        if method == "ACK" || method == "BYE" {
            self.answered = None;
        }
        if method == "ACK" {
            return Vec::new();
        }
        self.hung_up += u64::from(method == "BYE");
        let copied: String = ["Via", "Record-Route"]
            .iter()
            .flat_map(|name| headers(text, name).map(move |value| format!("{name}: {value}\r\n")))
            .collect();
        let to = header(text, "To");
        let tag = if to.contains(";tag=") {
            String::new()
        } else {
            format!(";tag={}", self.user)
        };
        let response = format!(
            "SIP/2.0 200 OK\r\n{copied}From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:{}@{}>\r\nContent-Length: 0\r\n\r\n",
            header(text, "From"),
            header(text, "Call-ID"),
            header(text, "CSeq"),
            self.user,
            self.address
        );
        let bytes = response.into_bytes();
        if method == "INVITE" {
            self.answered = Some(Answered {
                to: from,
                bytes: bytes.clone(),
                next_ms: now_ms + T1_MS,
                interval_ms: T1_MS,
                until_ms: now_ms + PATIENCE_MS,
            });
        }
        vec![(from, bytes)]
    }
}

/// Values of all header fields of a name, in order.
fn headers<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let header = text.split("\r\n\r\n").next().unwrap_or(text);
    header.split("\r\n").filter_map(move |line| {
        let (field, value) = line.split_once(':')?;
        field
            .trim()
            .eq_ignore_ascii_case(name)
            .then_some(value.trim())
    })
}

fn header<'a>(text: &'a str, name: &'a str) -> &'a str {
    headers(text, name).next().unwrap_or("")
}

/// The socket that a URI in angle brackets names by its literal address.
fn address_of(route: &str) -> Option<SocketAddr> {
    let uri = route.trim_start_matches('<').split(['>', ';']).next()?;
    let host = uri.strip_prefix("sip:")?.rsplit('@').next()?;
    host.parse()
        .ok()
        .or_else(|| format!("{host}:5060").parse().ok())
}
