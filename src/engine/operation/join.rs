//! Trust before membership: how a system that nobody knows becomes a peer (SPEC CL3, CL5).
//!
//! The primary makes a code; the administrator types it in on the new system, which dials the
//! primary. Both prove that they know the code, bound to this channel and to both identities, so
//! nobody in the middle can pass the proof on. A code holds 80 bits, lives half an hour, and bears
//! few wrong guesses; what is stored is only a key derived from it. From then on the channel
//! carries the facts of the new system, the report of the pre-flight, and orders.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::digest::{equal, hmac_sha256, sha256};
use crate::base::ids::{PeerId, RequestId, StreamId, StreamIds};
use crate::base::limits;
use crate::base::socket::{Ends, PeerProof};
use crate::base::store::{Record, Table, Write};
use crate::base::time::{Instant, Wall};
use crate::config::settings::{ClusterSettings, lan_addresses};
use crate::wire::peer::{Message, Reader, encode};

use super::plan::{self, Plan, Values};
use super::survey::{facts_of, values_of};
use super::{Action, Operations, View};

/// How long a code is good.
const CODE_LIFE: Duration = Duration::from_secs(30 * 60);

/// Wrong proofs after which a code is void.
const ATTEMPTS: u8 = 5;

/// How long a stream may stay without a proof.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long other peers have to answer a joiner that looks whether it reaches them.
const PROBE_TIME: Duration = Duration::from_secs(3);

/// How long after a loss the joiner dials again.
const AGAIN: Duration = Duration::from_secs(2);

/// Round trips from dialling to a proved identity: TCP, TLS 1.3, the proof.
const TRIPS_TO_OPEN: u128 = 3;

const INVITE: &[u8] = b"invite";
const JOINING: &[u8] = b"joining";

/// Symbols of a code: no two look alike.
const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What the two ends say to each other. On the wire: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Said {
    /// The new system: it knows the code.
    Knock { proof: [u8; 32] },
    /// The primary: it knows it too; these are the addresses of the peers.
    Welcome { proof: [u8; 32], peers: Vec<String> },
    /// The new system: its address and its facts; whether it only wants the report.
    Facts {
        address: String,
        facts: Values,
        only_check: bool,
        overrides: Vec<String>,
    },
    /// The primary: what the pre-flight found, and whether the join has begun.
    Report { accepted: bool, lines: Vec<String> },
}

/// A code that was given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Invite {
    key: [u8; 32],
    until: Wall,
    attempts: u8,
    /// Who has proved it: nobody else may any more.
    taken: Option<PeerId>,
}

/// What a joiner keeps, so that it goes on after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Joining {
    primary: String,
    key: [u8; 32],
    until: Wall,
    only_check: bool,
    overrides: Vec<String>,
}

/// A stream of somebody who wants to join.
#[derive(Debug)]
struct Guest {
    proof: PeerProof,
    ends: Ends,
    reader: Reader,
    /// Everything that came, until it is clear that this is no ordinary link of a peer.
    raw: Option<Vec<u8>>,
    since: Instant,
    proven: bool,
}

/// Who wants to become a peer, as the primary knows it.
#[derive(Clone, Debug)]
pub(super) struct Joiner {
    pub(super) id: PeerId,
    pub(super) address: String,
    pub(super) facts: super::preflight::Facts,
    pub(super) only_check: bool,
    pub(super) overrides: Vec<String>,
}

/// The joiner's own attempt in this life.
#[derive(Debug, Default)]
struct Attempt {
    request: Option<RequestId>,
    stream: Option<StreamId>,
    proof: Option<PeerProof>,
    reader: Reader,
    /// When it is dialled again.
    due: Instant,
    knocked: Instant,
    welcomed: bool,
    /// Streams that only look whether a peer can be reached: where to, since when.
    probes: BTreeMap<StreamId, (String, Instant)>,
    probed_by: Option<Instant>,
    reaches: Vec<String>,
    trips: Vec<String>,
}

/// Both sides of joining.
#[derive(Debug)]
pub(super) struct Join {
    guard: [u8; 32],
    streams: StreamIds,
    invite: Option<Invite>,
    guests: BTreeMap<StreamId, Guest>,
    joining: Option<Joining>,
    attempt: Attempt,
}

impl Join {
    pub(super) fn new(guard: [u8; 32], streams: StreamIds, records: &[Record]) -> Self {
        Self {
            guard,
            streams,
            invite: plan::load(records, INVITE),
            guests: BTreeMap::new(),
            joining: plan::load(records, JOINING),
            attempt: Attempt::default(),
        }
    }

    /// Seconds for which a code is still good.
    pub(super) fn invitation(&self, wall: Wall) -> Option<u64> {
        let invite = self
            .invite
            .as_ref()
            .filter(|invite| invite.taken.is_none())?;
        let left = invite.until.as_millis().checked_sub(wall.as_millis())?;
        Some(left / 1_000)
    }

    pub(super) fn is_busy(&self) -> bool {
        self.joining.is_some() || !self.guests.is_empty()
    }

    /// The stream of a proven guest.
    fn stream_of(&self, id: PeerId) -> Option<StreamId> {
        let proven = |guest: &Guest| guest.proven && guest.proof.id == id;
        let mut guests = self.guests.iter();
        let guest = guests.find(|(_, guest)| proven(guest));
        let own = || {
            let attempt = &self.attempt;
            let primary = attempt.proof.as_ref().filter(|_| attempt.welcomed)?;
            attempt.stream.filter(|_| primary.id == id)
        };
        guest.map(|(stream, _)| *stream).or_else(own)
    }
}

impl Operations {
    /// Makes a code with which one system may join.
    pub(super) fn invite(
        &mut self,
        wall: Wall,
        request: RequestId,
        view: &View<'_>,
    ) -> Result<(), Vec<String>> {
        let Some(primary) = view.seen.primary() else {
            let reason = "there is no cluster to join: xCommand ClusterCreate forms one";
            return Err(vec![reason.into()]);
        };
        if primary.id != Some(self.own) {
            return Err(vec![format!(
                "make it on the primary ({})",
                primary.address
            )]);
        }
        if view.seen.members.len() >= limits::PEERS {
            return Err(vec!["the cluster has six peers already".into()]);
        }
        let fresh: [u8; 16] = self.random.bytes();
        let time = wall.as_millis().to_be_bytes();
        let bytes = hmac_sha256(&self.join.guard, &[b"join code", &fresh, &time]);
        let symbols = bytes[..16]
            .iter()
            .map(|byte| SYMBOLS[usize::from(byte % 32)]);
        let code: String = symbols.map(char::from).collect();
        let invite = Invite {
            key: key_of(&code),
            until: wall + CODE_LIFE,
            attempts: ATTEMPTS,
            taken: None,
        };
        self.persist_quietly(plan::put(INVITE, &invite));
        self.join.invite = Some(invite);
        let groups: Vec<&str> = [0, 4, 8, 12].map(|at| &code[at..at + 4]).to_vec();
        let text = format!(
            "Code: {}\nOn the new system, within 30 minutes:\nxCommand ClusterJoin Primary: {} \
             Code: {}\n",
            groups.join("-"),
            primary.address,
            groups.join("-")
        );
        self.answer(request, Ok(text));
        Ok(())
    }

    /// Begins to join the cluster of a primary.
    pub(super) fn join(
        &mut self,
        now: Instant,
        wall: Wall,
        request: RequestId,
        asked: (&str, &str, bool, Vec<String>),
        view: &View<'_>,
    ) -> Result<(), Vec<String>> {
        let (primary, code, only_check, overrides) = asked;
        if !view.seen.members.is_empty() {
            let reason = "this system is in a cluster: it has to leave that first";
            return Err(vec![reason.into()]);
        }
        if self.join.joining.is_some() {
            return Err(vec!["this system is joining already".into()]);
        }
        let Ok(to) = primary.parse::<IpAddr>() else {
            return Err(vec![format!("Primary: {primary} is not an IP address")]);
        };
        if own_address(view, &to).is_none() {
            return Err(vec![
                "Ethernet 1: joining needs this system's own address of the same IP version".into(),
            ]);
        }
        if normal(code).len() != 16 {
            return Err(vec!["Code: a code has 16 letters and digits".into()]);
        }
        let joining = Joining {
            primary: primary.into(),
            key: key_of(code),
            until: wall + CODE_LIFE,
            only_check,
            overrides,
        };
        if !only_check {
            self.persist_quietly(plan::put(JOINING, &joining));
        }
        self.join.joining = Some(joining);
        self.join.attempt = Attempt {
            request: Some(request),
            due: now,
            ..Attempt::default()
        };
        Ok(())
    }

    /// Whether a stream that has just opened is for joining, not of a known peer.
    pub fn takes(&self, stream: StreamId, id: PeerId, dialled: bool, listed: bool) -> bool {
        let invite = self.join.invite.as_ref();
        // Somebody whose join goes on may come back with the code, or already as a peer.
        let asks = invite.is_some_and(|invite| !listed || invite.taken == Some(id));
        self.is_own(stream) || (!dialled && asks)
    }

    /// Whether a stream is for joining.
    pub fn owns(&self, stream: StreamId) -> bool {
        self.is_own(stream) || self.join.guests.contains_key(&stream)
    }

    /// A stream for joining is open.
    pub fn opened(&mut self, now: Instant, stream: StreamId, ends: Ends, proof: PeerProof) {
        if let Some((address, since)) = self.join.attempt.probes.remove(&stream) {
            let time = now.since(since).as_millis() / TRIPS_TO_OPEN;
            self.join.attempt.trips.push(format!("{address} {time}"));
            self.join.attempt.reaches.push(address);
            self.actions.push_back(Action::Close { stream });
        } else if self.join.attempt.stream == Some(stream) {
            let Some(joining) = &self.join.joining else {
                return;
            };
            let said = Said::Knock {
                proof: proof_of(
                    &joining.key,
                    &proof.binding,
                    b"joiner",
                    [self.own, proof.id],
                ),
            };
            self.join.attempt.proof = Some(proof);
            self.join.attempt.knocked = now;
            self.say(stream, &said);
        } else if self.join.guests.len() >= limits::GUESTS {
            self.actions.push_back(Action::Close { stream });
        } else {
            let guest = Guest {
                proof,
                ends,
                reader: Reader::default(),
                raw: Some(Vec::new()),
                since: now,
                proven: false,
            };
            self.join.guests.insert(stream, guest);
        }
        self.due = Some(now);
    }

    /// Bytes arrived on a stream for joining.
    pub fn received(
        &mut self,
        now: Instant,
        wall: Wall,
        stream: StreamId,
        bytes: &[u8],
        view: &View<'_>,
    ) {
        if let Some(raw) = self.raw(stream) {
            raw.extend_from_slice(bytes);
        }
        if let Some(reader) = self.reader(stream) {
            reader.push(bytes);
        }
        while let Some(reader) = self.reader(stream) {
            let fits = match reader.poll() {
                Ok(None) => break,
                Ok(Some(Message::Hello(_))) if self.raw(stream).is_some() => {
                    return self.hand_over(stream);
                }
                Ok(Some(Message::Join(bytes))) => match plan::decode(&bytes) {
                    Some(said) => self.hear(now, wall, stream, said, view),
                    None => false,
                },
                Ok(Some(message @ (Message::Order(_) | Message::Done(_)))) => {
                    match self.partner(stream) {
                        Some(from) => {
                            self.heard(now, from, &message, view);
                            true
                        }
                        None => false,
                    }
                }
                Ok(Some(Message::Refused(reason))) => {
                    self.join_failed(vec![format!("the primary refuses: {reason}")]);
                    true
                }
                Ok(Some(_)) | Err(_) => false,
            };
            if !fits {
                if self.join.guests.contains_key(&stream) {
                    let reason = Message::Refused("the code is wrong, void or used".into());
                    let bytes = encode(&reason);
                    self.actions.push_back(Action::Write { stream, bytes });
                }
                self.hang_up(now, stream);
                self.actions.push_back(Action::Close { stream });
                break;
            }
        }
        self.drive(now, view);
    }

    /// A stream for joining is gone.
    pub fn closed(&mut self, now: Instant, stream: StreamId, reason: &str) {
        if self.join.attempt.probes.remove(&stream).is_none() {
            let lost = self.join.attempt.stream == Some(stream);
            let dialled = self.join.attempt.proof.is_none();
            let early = lost && !self.join.attempt.welcomed;
            self.hang_up(now, stream);
            if early
                && self.join.attempt.request.is_some()
                && let Some(joining) = &self.join.joining
            {
                let primary = joining.primary.clone();
                self.join_failed(vec![match dialled {
                    true => format!("{primary} cannot be reached: {reason}"),
                    false => format!(
                        "{primary} does not let this system in: make a code there, on the \
                         primary, with xCommand ClusterInvite"
                    ),
                }]);
            }
        }
        self.due = Some(now);
    }

    /// Dials, gives up, looks at what is over.
    pub(super) fn drive_join(&mut self, now: Instant, view: &View<'_>) {
        let late = |guest: &Guest| !guest.proven && now.since(guest.since) >= PATIENCE;
        let guests = &self.join.guests;
        let late: Vec<StreamId> = guests
            .iter()
            .filter(|(_, g)| late(g))
            .map(|(s, _)| *s)
            .collect();
        for stream in late {
            self.join.guests.remove(&stream);
            self.actions.push_back(Action::Close { stream });
        }
        let Some(joining) = &self.join.joining else {
            return;
        };
        if view.seen.primary().is_some_and(|primary| primary.active) {
            // The ordinary links carry the rest.
            return self.joined(Ok(String::new()));
        }
        if let Some(until) = self.join.attempt.probed_by
            && (until <= now || self.join.attempt.probes.is_empty())
        {
            self.join.attempt.probed_by = None;
            self.tell_own_facts(view);
            return;
        }
        let attempt = &self.join.attempt;
        if attempt.stream.is_some() || attempt.due > now {
            return;
        }
        let Ok(to) = joining.primary.parse::<IpAddr>() else {
            return;
        };
        if let Some(from) = own_address(view, &to) {
            let stream = self.connect(from, to, view);
            self.join.attempt.stream = Some(stream);
        }
    }

    /// The operation is over: nobody is let in by its code any more.
    pub(super) fn join_ended(&mut self, plan: &Plan) {
        if plan.kind == super::status::Kind::Join {
            self.join.invite = None;
            self.persist_quietly(delete(INVITE));
            let streams: Vec<StreamId> = self.join.guests.keys().copied().collect();
            for stream in streams {
                self.join.guests.remove(&stream);
                self.actions.push_back(Action::Close { stream });
            }
        }
    }

    /// Says to the joiner what the pre-flight found.
    pub(super) fn report(&mut self, id: PeerId, accepted: bool, lines: Vec<String>) {
        if let Some(stream) = self.join.stream_of(id) {
            self.say(stream, &Said::Report { accepted, lines });
        }
        if !accepted && let Some(invite) = &mut self.join.invite {
            // The code stays good: the administrator mends and tries again.
            invite.taken = None;
            let write = plan::put(INVITE, &*invite);
            self.persist_quietly(write);
        }
    }

    /// Sends a message over the channel of a guest or of the primary; `false` without one.
    pub(super) fn tell_guest(&mut self, to: PeerId, message: &Message) -> bool {
        let Some(stream) = self.join.stream_of(to) else {
            return false;
        };
        let bytes = encode(message);
        self.actions.push_back(Action::Write { stream, bytes });
        true
    }

    /// The order to become a peer, or the end of the operation, has reached the joiner.
    pub(super) fn joined(&mut self, result: Result<String, Vec<String>>) {
        if self.join.joining.take().is_some() {
            self.persist_quietly(delete(JOINING));
        }
        let attempt = core::mem::take(&mut self.join.attempt);
        if let Some(request) = attempt.request {
            self.answer(request, result);
        }
        let streams = attempt.stream.into_iter().chain(attempt.probes.into_keys());
        for stream in streams {
            self.actions.push_back(Action::Close { stream });
        }
    }

    fn hear(
        &mut self,
        now: Instant,
        wall: Wall,
        stream: StreamId,
        said: Said,
        view: &View<'_>,
    ) -> bool {
        match said {
            Said::Knock { proof } => self.knocked(wall, stream, &proof, view),
            Said::Welcome { proof, peers } => self.welcomed(now, stream, &proof, &peers, view),
            Said::Facts {
                address,
                facts,
                only_check,
                overrides,
            } => {
                let Some(guest) = self.join.guests.get(&stream).filter(|guest| guest.proven) else {
                    return false;
                };
                let mut facts = facts_of(&facts);
                let seen = guest.ends.remote.ip().to_string();
                let translated = if seen == address { vec![] } else { vec![seen] };
                facts.insert("translated".into(), translated);
                let joiner = Joiner {
                    id: guest.proof.id,
                    address,
                    facts,
                    only_check,
                    overrides,
                };
                self.survey_joiner(now, wall, joiner, view);
                true
            }
            Said::Report { accepted, lines } => {
                if self.join.attempt.stream != Some(stream) || !self.join.attempt.welcomed {
                    return false;
                }
                let text = lines.join("\n") + "\n";
                let only_check = self.join.joining.as_ref().is_some_and(|own| own.only_check);
                match (accepted, self.join.attempt.request.take()) {
                    (true, Some(request)) => self.answer(request, Ok(text)),
                    (true, None) => {}
                    (false, request) => {
                        self.join.attempt.request = request;
                        let result = if only_check { Ok(text) } else { Err(lines) };
                        self.joined(result);
                    }
                }
                true
            }
        }
    }

    /// Primary: somebody says that it knows the code.
    fn knocked(&mut self, wall: Wall, stream: StreamId, proof: &[u8; 32], view: &View<'_>) -> bool {
        let own = self.own;
        let (Some(guest), Some(invite)) =
            (self.join.guests.get_mut(&stream), self.join.invite.as_mut())
        else {
            return false;
        };
        let id = guest.proof.id;
        let ids = [id, own];
        let expected = proof_of(&invite.key, &guest.proof.binding, b"joiner", ids);
        let free = invite.taken.is_none_or(|taken| taken == id);
        if invite.until < wall && invite.taken != Some(id) {
            self.join.invite = None;
            self.persist_quietly(delete(INVITE));
            return false;
        }
        if !free || !equal(&expected, proof) {
            let remote = guest.ends.remote.ip();
            invite.attempts -= 1;
            let left = invite.attempts;
            let write = plan::put(INVITE, &*invite);
            if left == 0 {
                self.join.invite = None;
                self.persist_quietly(delete(INVITE));
            } else {
                self.persist_quietly(write);
            }
            self.log(format!(
                "a wrong join code from {remote}; {left} attempts are left"
            ));
            return false;
        }
        guest.proven = true;
        guest.raw = None;
        invite.taken = Some(id);
        let binding = guest.proof.binding;
        let welcome = Said::Welcome {
            proof: proof_of(&invite.key, &binding, b"primary", ids),
            peers: view
                .seen
                .members
                .iter()
                .map(|member| member.address.clone())
                .collect(),
        };
        let write = plan::put(INVITE, &*invite);
        self.persist_quietly(write);
        self.say(stream, &welcome);
        true
    }

    /// Joiner: the primary says that it knows the code too.
    fn welcomed(
        &mut self,
        now: Instant,
        stream: StreamId,
        proof: &[u8; 32],
        peers: &[String],
        view: &View<'_>,
    ) -> bool {
        let attempt = &self.join.attempt;
        let (Some(joining), Some(primary)) = (&self.join.joining, &attempt.proof) else {
            return false;
        };
        let ids = [self.own, primary.id];
        let expected = proof_of(&joining.key, &primary.binding, b"primary", ids);
        if attempt.stream != Some(stream) || peers.len() > limits::PEERS {
            return false;
        }
        if !equal(&expected, proof) {
            self.join_failed(vec!["the other end does not know the code".into()]);
            return true;
        }
        let trip = format!(
            "{} {}",
            joining.primary,
            now.since(attempt.knocked).as_millis()
        );
        let primary = joining.primary.clone();
        self.join.attempt.welcomed = true;
        self.join.attempt.trips = vec![trip];
        self.join.attempt.reaches = vec![primary.clone()];
        for address in peers.iter().filter(|address| **address != primary) {
            let to = address.parse::<IpAddr>().ok();
            if let Some((to, from)) = to.and_then(|to| Some((to, own_address(view, &to)?))) {
                let stream = self.connect(from, to, view);
                self.join
                    .attempt
                    .probes
                    .insert(stream, (address.clone(), now));
            }
        }
        self.join.attempt.probed_by = Some(now + PROBE_TIME);
        true
    }

    fn tell_own_facts(&mut self, view: &View<'_>) {
        let (Some(joining), Some(stream)) = (&self.join.joining, self.join.attempt.stream) else {
            return;
        };
        let own = joining
            .primary
            .parse()
            .ok()
            .and_then(|to| own_address(view, &to));
        let attempt = &mut self.join.attempt;
        let mut facts = view.facts.clone();
        facts.insert("reaches".into(), core::mem::take(&mut attempt.reaches));
        facts.insert("round-trips".into(), core::mem::take(&mut attempt.trips));
        let probes: Vec<StreamId> = attempt.probes.keys().copied().collect();
        attempt.probes.clear();
        let said = Said::Facts {
            address: own.map_or_else(String::new, |own| own.to_string()),
            facts: values_of(&facts),
            only_check: joining.only_check,
            overrides: joining.overrides.clone(),
        };
        for stream in probes {
            self.actions.push_back(Action::Close { stream });
        }
        self.say(stream, &said);
    }

    fn is_own(&self, stream: StreamId) -> bool {
        let attempt = &self.join.attempt;
        attempt.stream == Some(stream) || attempt.probes.contains_key(&stream)
    }

    /// Gives a stream that is the ordinary link of a peer to those who handle these.
    fn hand_over(&mut self, stream: StreamId) {
        if let Some(guest) = self.join.guests.remove(&stream) {
            self.actions.push_back(Action::HandOver {
                stream,
                ends: guest.ends,
                proof: guest.proof,
                bytes: guest.raw.unwrap_or_default(),
            });
        }
    }

    /// The joiner stops trying.
    fn join_failed(&mut self, reasons: Vec<String>) {
        self.joined(Err(reasons));
    }

    fn connect(&mut self, from: IpAddr, to: IpAddr, view: &View<'_>) -> StreamId {
        let stream = self.join.streams.take();
        let port = ClusterSettings::from(view.configuration.tree()).configuration_port;
        let to = SocketAddr::new(to, port);
        self.actions.push_back(Action::Connect { stream, from, to });
        stream
    }

    fn hang_up(&mut self, now: Instant, stream: StreamId) {
        self.join.guests.remove(&stream);
        if self.join.attempt.stream == Some(stream) {
            let request = self.join.attempt.request.take();
            self.join.attempt = Attempt {
                request,
                due: now + AGAIN,
                ..Attempt::default()
            };
        }
    }

    fn reader(&mut self, stream: StreamId) -> Option<&mut Reader> {
        let own = self.join.attempt.stream == Some(stream);
        let guest = self
            .join
            .guests
            .get_mut(&stream)
            .map(|guest| &mut guest.reader);
        guest.or(own.then_some(&mut self.join.attempt.reader))
    }

    fn raw(&mut self, stream: StreamId) -> Option<&mut Vec<u8>> {
        self.join.guests.get_mut(&stream)?.raw.as_mut()
    }

    /// Who is at the other end of a stream, once proved.
    fn partner(&self, stream: StreamId) -> Option<PeerId> {
        let guest = self.join.guests.get(&stream).filter(|guest| guest.proven);
        let attempt = &self.join.attempt;
        let primary = attempt.proof.as_ref();
        let primary = primary.filter(|_| attempt.stream == Some(stream) && attempt.welcomed);
        guest
            .map(|guest| guest.proof.id)
            .or(primary.map(|proof| proof.id))
    }

    fn say(&mut self, stream: StreamId, said: &Said) {
        let bytes = encode(&Message::Join(plan::encode(said)));
        self.actions.push_back(Action::Write { stream, bytes });
    }

    /// A write that nobody waits for.
    pub(super) fn persist_quietly(&mut self, write: Write) {
        let writes = vec![write];
        self.actions.push_back(Action::Persist { token: 0, writes });
    }
}

/// Own address of the family of another one.
fn own_address(view: &View<'_>, other: &IpAddr) -> Option<IpAddr> {
    let own = lan_addresses(view.configuration.tree());
    own.into_iter().find(|own| own.is_ipv4() == other.is_ipv4())
}

/// A code as typed: without what only groups it, and with letters that look alike made one.
fn normal(code: &str) -> Vec<u8> {
    let letters = code.bytes().filter(u8::is_ascii_alphanumeric);
    let plain = letters.map(|byte| match byte.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    });
    plain.collect()
}

fn key_of(code: &str) -> [u8; 32] {
    sha256(&[b"causeway join ", &normal(code)])
}

/// What proves the key over a channel between two identities, different for its two ends.
fn proof_of(key: &[u8; 32], binding: &[u8; 32], role: &[u8], ids: [PeerId; 2]) -> [u8; 32] {
    hmac_sha256(key, &[binding, role, &ids[0].0, &ids[1].0])
}

fn delete(name: &[u8]) -> Write {
    Write::Delete {
        table: Table::Fact,
        key: name.to_vec(),
    }
}
