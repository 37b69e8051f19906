//! A SIP phone, just enough of one: registers, calls, answers, hangs up (RFC 3261, UDP).

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use crate::lab::host::{Datagram, Host};
use crate::tools::{Done, Fault, fault};

const PORT: u16 = 5060;
/// T1 and T2 of RFC 3261 17.1.1.1.
const RESEND_FIRST: Duration = Duration::from_millis(500);
const RESEND_MAX: Duration = Duration::from_secs(4);

/// A phone on a host of its own.
#[derive(Debug)]
pub struct Phone {
    host: Host,
    /// Where it registers and sends its requests.
    proxy: SocketAddrV4,
    user: String,
    domain: String,
    number: u32,
    patience: Duration,
}

/// A SIP message: start line, headers in order, body.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    start: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// An established call, from the side of one phone.
#[derive(Clone, Debug)]
pub struct Call {
    id: String,
    local: String,
    remote: String,
    target: String,
    route: Vec<String>,
}

impl Phone {
    /// A phone of `user@domain`; nothing it waits for may take longer than `patience`.
    pub fn new(
        host: Host,
        proxy: SocketAddrV4,
        user: &str,
        domain: &str,
        patience: Duration,
    ) -> Self {
        Self {
            host,
            proxy,
            user: user.to_owned(),
            domain: domain.to_owned(),
            number: 0,
            patience,
        }
    }

    /// Registers with its proxy.
    pub fn register(&mut self) -> Done {
        let identity = self.identity();
        let request = self.request(
            &format!("REGISTER sip:{}", self.domain),
            &[
                ("From", format!("<{identity}>;tag={}", self.tag())),
                ("To", format!("<{identity}>")),
                ("Call-ID", self.call_id()),
                ("CSeq", format!("{} REGISTER", self.number + 1)),
                ("Contact", format!("<{}>", self.contact())),
                ("Expires", "600".into()),
            ],
            "",
        );
        self.transact(&request).map(|_| ())
    }

    /// Calls somebody of the same domain and waits until he answers.
    pub fn call(&mut self, user: &str) -> Done<Call> {
        let target = format!("sip:{user}@{}", self.domain);
        let local = format!("<{}>;tag={}", self.identity(), self.tag());
        let id = self.call_id();
        let request = self.request(
            &format!("INVITE {target}"),
            &[
                ("From", local.clone()),
                ("To", format!("<{target}>")),
                ("Call-ID", id.clone()),
                ("CSeq", "1 INVITE".into()),
                ("Contact", format!("<{}>", self.contact())),
                ("Content-Type", "application/sdp".into()),
            ],
            &self.description(),
        );
        let answer = self.transact(&request)?;
        // Towards the callee the route is the recorded one, reversed (RFC 3261 12.1.2).
        let route = answer.all("Record-Route").into_iter().rev().collect();
        let call = Call {
            id,
            local,
            remote: answer.one("To")?.to_owned(),
            target: uri(answer.one("Contact")?).to_owned(),
            route,
        };
        let ack = self.within(&call, "ACK", 1);
        self.send(&ack)?;
        Ok(call)
    }

    /// Waits for a call and answers it; done when the caller has confirmed.
    pub fn answer(&mut self) -> Done<Call> {
        let invite = self.wait("an INVITE", |message| message.method() == Some("INVITE"))?;
        let local = format!("{};tag={}", invite.one("To")?, self.tag());
        self.send(&self.response(&invite, "180 Ringing", &local, ""))?;
        let accepted = self.response(&invite, "200 OK", &local, &self.description());
        let id = invite.one("Call-ID")?.to_owned();
        let mut wait = RESEND_FIRST;
        let deadline = Instant::now() + self.patience;
        // Sent again until it is confirmed (RFC 3261 13.3.1.4).
        while Instant::now() < deadline {
            self.send(&accepted)?;
            let confirmed = |message: &Message| {
                message.method() == Some("ACK") && message.one("Call-ID").ok() == Some(id.as_str())
            };
            if self.find(wait, confirmed).is_some() {
                return Ok(Call {
                    id,
                    local,
                    remote: invite.one("From")?.to_owned(),
                    target: uri(invite.one("Contact")?).to_owned(),
                    route: invite.all("Record-Route"),
                });
            }
            wait = (wait * 2).min(RESEND_MAX);
        }
        fault(format!("{}: the call was not confirmed", self.user))
    }

    /// Ends a call.
    pub fn hang_up(&mut self, call: &Call) -> Done {
        let request = self.within(call, "BYE", 2);
        self.transact(&request).map(|_| ())
    }

    /// Waits until the other side ends the call, and agrees.
    pub fn hung_up(&mut self, call: &Call) -> Done {
        let bye = self.wait("a BYE", |message| {
            message.method() == Some("BYE") && message.one("Call-ID").ok() == Some(&call.id)
        })?;
        let to = bye.one("To")?.to_owned();
        self.send(&self.response(&bye, "200 OK", &to, ""))
    }

    /// Sends a request until a final answer comes; anything but 2xx is a fault.
    fn transact(&mut self, request: &Message) -> Done<Message> {
        let branch = request.one("Via")?.to_owned();
        let deadline = Instant::now() + self.patience;
        let mut wait = RESEND_FIRST;
        let mut provisional = false;
        let is_ours = |message: &Message| {
            let via = message.all("Via");
            message.status().is_some() && via.first().map(|via| same(via)) == Some(same(&branch))
        };
        while Instant::now() < deadline {
            if !provisional {
                self.send(request)?;
            }
            if let Some(answer) = self.find(wait, is_ours) {
                match answer.status() {
                    Some(200..=299) => return Ok(answer),
                    Some(100..=199) => provisional = true,
                    _ => return fault(format!("{}: {}", request.start, answer.start)),
                }
            }
            wait = (wait * 2).min(RESEND_MAX);
        }
        fault(format!("{}: no answer", request.start))
    }

    fn wait(&mut self, what: &str, fits: impl Fn(&Message) -> bool) -> Done<Message> {
        let found = self.find(self.patience, fits);
        found.ok_or_else(|| Fault(format!("{} waited in vain for {what}", self.user)))
    }

    /// The next message that fits; others are dropped, their senders send them again.
    fn find(&mut self, within: Duration, fits: impl Fn(&Message) -> bool) -> Option<Message> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Datagram { payload, .. } = self.host.receive(left)?;
            if let Some(message) = Message::read(&payload).filter(&fits) {
                return Some(message);
            }
        }
    }

    fn send(&mut self, message: &Message) -> Done {
        let bytes = message.text().into_bytes();
        self.host.send(PORT, self.proxy, &bytes, self.patience)
    }

    fn request(&mut self, start: &str, headers: &[(&str, String)], body: &str) -> Message {
        self.number += 1;
        let via = format!(
            "SIP/2.0/UDP {}:{PORT};branch=z9hG4bK{}{};rport",
            self.host.address(),
            self.user,
            self.number
        );
        let mut all = vec![
            ("Via".to_owned(), via),
            ("Max-Forwards".into(), "70".into()),
        ];
        all.extend(
            headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        Message {
            start: format!("{start} SIP/2.0"),
            headers: all,
            body: body.to_owned(),
        }
    }

    /// A request inside a call (RFC 3261 12.2.1.1).
    fn within(&mut self, call: &Call, method: &str, sequence: u32) -> Message {
        let mut headers: Vec<_> = call
            .route
            .iter()
            .map(|hop| ("Route", hop.clone()))
            .collect();
        headers.extend([
            ("From", call.local.clone()),
            ("To", call.remote.clone()),
            ("Call-ID", call.id.clone()),
            ("CSeq", format!("{sequence} {method}")),
        ]);
        self.request(&format!("{method} {}", call.target), &headers, "")
    }

    fn response(&self, request: &Message, status: &str, to: &str, body: &str) -> Message {
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            let copied = ["Via", "From", "Call-ID", "CSeq", "Record-Route"];
            if copied.iter().any(|other| name.eq_ignore_ascii_case(other)) {
                headers.push((name.clone(), value.clone()));
            }
        }
        headers.push(("To".into(), to.to_owned()));
        headers.push(("Contact".into(), format!("<{}>", self.contact())));
        if !body.is_empty() {
            headers.push(("Content-Type".into(), "application/sdp".into()));
        }
        Message {
            start: format!("SIP/2.0 {status}"),
            headers,
            body: body.to_owned(),
        }
    }

    fn identity(&self) -> String {
        format!("sip:{}@{}", self.user, self.domain)
    }

    fn contact(&self) -> String {
        format!("sip:{}@{}:{PORT}", self.user, self.host.address())
    }

    fn tag(&self) -> String {
        format!("{}-{}", self.user, self.number)
    }

    fn call_id(&self) -> String {
        format!("{}-{}@{}", self.user, self.number, self.host.address())
    }

    /// One audio stream, G.711 (RFC 4566).
    fn description(&self) -> String {
        let address = self.host.address();
        format!(
            "v=0\r\no={} 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
             m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
            self.user
        )
    }
}

impl Message {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            let name = match name.trim() {
                "v" => "Via",
                "f" => "From",
                "t" => "To",
                "i" => "Call-ID",
                "m" => "Contact",
                name => name,
            };
            Some((name.to_owned(), value.trim().to_owned()))
        };
        Some(Self {
            start,
            headers: lines.map(header).collect::<Option<_>>()?,
            body: body.to_owned(),
        })
    }

    fn text(&self) -> String {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!(
            "Content-Length: {}\r\n\r\n{}",
            self.body.len(),
            self.body
        ));
        text
    }

    fn method(&self) -> Option<&str> {
        self.start.strip_suffix(" SIP/2.0")?.split(' ').next()
    }

    fn status(&self) -> Option<u16> {
        let rest = self.start.strip_prefix("SIP/2.0 ")?;
        rest.get(..3)?.parse().ok()
    }

    /// All values of a header, those that share a line one by one.
    fn all(&self, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        for (other, line) in &self.headers {
            if other.eq_ignore_ascii_case(name) {
                values.extend(line.split(',').map(|value| value.trim().to_owned()));
            }
        }
        values
    }

    fn one(&self, name: &str) -> Done<&str> {
        let mut lines = self.headers.iter();
        let found = lines.find(|(other, _)| other.eq_ignore_ascii_case(name));
        let missing = || Fault(format!("{}: no {name}", self.start));
        found.map(|(_, value)| value.as_str()).ok_or_else(missing)
    }
}

/// The part of a Via that the other side gives back unchanged.
fn same(via: &str) -> Option<&str> {
    via.split(';')
        .find_map(|part| part.trim().strip_prefix("branch="))
}

/// The URI inside `<…>`, or all before the first parameter.
fn uri(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(rest),
        None => value.split(';').next().unwrap_or(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Sockets, switch::Switch};
    use std::net::Ipv4Addr;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn two_phones_talk_without_anything_between_them() {
        let sockets = Sockets::new().unwrap();
        let switch = Switch::new(sockets.path(), "lan");
        let phone = |last, other, user| {
            let address = Ipv4Addr::new(10, 0, 2, last);
            let host = Host::new(switch.inner_port().unwrap(), address);
            let proxy = SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, other), PORT);
            Phone::new(host, proxy, user, "example", PATIENCE)
        };
        let (mut alice, mut bob) = (phone(1, 2, "alice"), phone(2, 1, "bob"));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let call = bob.answer().unwrap();
                bob.hung_up(&call).unwrap();
            });
            let call = alice.call("bob").unwrap();
            assert_eq!(call.target, "sip:bob@10.0.2.2:5060");
            alice.hang_up(&call).unwrap();
        });
    }

    #[test]
    fn headers_on_one_line_are_told_apart() {
        let text = "SIP/2.0 200 OK\r\nRecord-Route: <sip:a;lr>, <sip:b;lr>\r\nrecord-route: \
                    <sip:c;lr>\r\nm: <sip:x@y;transport=udp>;q=1\r\n\r\n";
        let message = Message::read(text.as_bytes()).unwrap();
        assert_eq!(
            message.all("Record-Route"),
            ["<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>"]
        );
        assert_eq!(
            uri(message.one("Contact").unwrap()),
            "sip:x@y;transport=udp"
        );
        assert_eq!(message.status(), Some(200));
        assert_eq!(message.method(), None);
    }
}
