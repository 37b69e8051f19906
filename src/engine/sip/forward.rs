//! Sending requests on (RFC 3261 section 16.6).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::answer::Digits;
use super::exchange::{
    Branch, BranchRef, BranchState, Cancel, Clock, Exchange, ExchangeId, ServerState,
};
use super::origin::{Origin, Stamp};
use super::target::{Target, UDP_REQUEST_BYTES_MAX, Way};
use super::timers::{T1, T1_64};
use super::token::{DialogToken, Flow};
use super::transport::Hop;
use super::{At, Sip, names};
use crate::base::ids::ListenerId;
use crate::base::limits;
use crate::wire::sip::{Header, Message, Method, Patch};

/// How long 100 Trying may wait for something better (section 17.2.1).
const TRYING: core::time::Duration = core::time::Duration::from_millis(200);

/// What every copy of a request gets.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// The Request-URI after repair of strict routing; empty to leave it.
    pub(super) uri: Vec<u8>,
    /// Route values at the front that are ours and left off.
    pub(super) routes_left_off: usize,
    /// Whether the last Route value became the Request-URI (section 16.4).
    pub(super) is_last_route_left_off: bool,
    /// Whether routes are left after that.
    pub(super) has_routes: bool,
    /// Whether, and with what, our route is recorded.
    pub(super) record: Option<Record>,
    /// Whether a token of ours allows the request to go where it says.
    pub(super) is_known: bool,
    /// Whether it came for one device of ours, from a peer.
    pub(super) is_for_device: bool,
    /// Hash over what decides the way (RFC 5393 section 4.2).
    pub(super) loop_hash: u64,
}

/// What Record-Route says of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Hash of the caller's tag.
    pub(super) caller: u32,
    /// How the caller is reached.
    pub(super) upstream: Flow,
    /// The socket that the caller knows us by.
    pub(super) arrival: Option<ListenerId>,
}

impl Sip {
    /// Opens a server transaction and forks it.
    pub(super) fn open(
        &mut self,
        at: &mut At<'_>,
        message: Message,
        origin: &Origin,
        key: u128,
        plan: Plan,
        targets: Vec<Target>,
    ) {
        // What belongs to a call that stands is served from room that new calls cannot take.
        let room = if plan.is_known {
            limits::SIP_TRANSACTIONS
        } else {
            limits::SIP_TRANSACTIONS / 10 * 9
        };
        if self.transactions + 1 + targets.len() > room {
            let refusal = self.busy();
            self.refuse(at, &message, origin, &refusal);
            return;
        }
        let is_invite = message.method() == Method::Invite;
        self.follow_call(at, &message);
        let exchange = Exchange {
            key,
            is_invite,
            server: ServerState::Proceeding,
            reply: origin.reply(),
            stamp: origin.stamp.clone(),
            request: Some(message),
            last: Vec::new(),
            trying_at: None,
            retransmit_at: None,
            interval: T1,
            end_at: None,
            branches: Vec::with_capacity(targets.len()),
            targets,
            best: None,
            challenges: Vec::new(),
            cancelled: false,
            plan,
        };
        let id = self.table.insert(exchange);
        self.transactions += 1;
        if is_invite {
            let trying_at = self.timers.start(at.now, TRYING, (id, Clock::Trying));
            if let Some(exchange) = self.table.get_mut(id) {
                exchange.trying_at = Some(trying_at);
            }
        }
        self.advance(at, id);
    }

    /// What a request tells of the call that it belongs to.
    fn follow_call(&mut self, at: &mut At<'_>, message: &Message) {
        if message.method() == Method::Bye {
            if let Some(id) = self.calls.ended(self.call_hash(message)) {
                at.directory.remove_call(id);
            }
        } else if let (Some(_), Some(tag), Some((number, _))) = (
            message.tag(Header::To),
            message.tag(Header::From),
            message.cseq(),
        ) {
            self.calls.spoke(self.call_hash(message), tag, number);
        }
    }

    /// Forks to the next group of equal preference when nobody is left to wait for; sends the best
    /// answer when there is none.
    pub(super) fn advance(&mut self, at: &mut At<'_>, id: ExchangeId) {
        loop {
            let Some(exchange) = self.table.get_mut(id) else {
                return;
            };
            if exchange.server != ServerState::Proceeding {
                self.settle(id);
                return;
            }
            if exchange.branches.iter().any(Branch::is_pending) {
                return;
            }
            let is_enough = exchange
                .best
                .as_ref()
                .is_some_and(|best| best.status >= 600);
            let Some(q) = exchange
                .targets
                .last()
                .map(|target| target.q)
                .filter(|_| !is_enough)
            else {
                self.conclude(at, id);
                return;
            };
            let first = exchange.targets.partition_point(|target| target.q < q);
            let group = exchange.targets.split_off(first);
            for devices in by_device(group) {
                self.start_one(at, id, devices);
            }
        }
    }

    /// Tries the other flows of the device that `name` was to reach, then gives up on it.
    pub(super) fn try_other_flow(&mut self, at: &mut At<'_>, name: BranchRef) {
        let Some(exchange) = self.table.get_mut(name.exchange) else {
            return;
        };
        let Some(branch) = exchange.branches.get_mut(usize::from(name.branch)) else {
            return;
        };
        let mut others = core::mem::take(&mut branch.others);
        if let Some(again) = branch.again.take() {
            others.push(*again);
        }
        self.start_one(at, name.exchange, others);
        self.advance(at, name.exchange);
    }

    /// Starts a branch to the first of these flows that can be used.
    fn start_one(&mut self, at: &mut At<'_>, id: ExchangeId, mut flows: Vec<Target>) {
        let mut status = 480;
        while let Some(target) = flows.pop() {
            match self.start(at, id, target, &mut flows) {
                Ok(()) => return,
                Err(refused) => status = refused,
            }
        }
        self.note(id, status, None);
    }

    fn start(
        &mut self,
        at: &mut At<'_>,
        id: ExchangeId,
        target: Target,
        others: &mut Vec<Target>,
    ) -> Result<(), u16> {
        // The request is taken out for the time that it is read.
        let Some(exchange) = self.table.get_mut(id) else {
            return Err(500);
        };
        let request = exchange.request.take();
        let stamp = core::mem::take(&mut exchange.stamp);
        let plan = core::mem::take(&mut exchange.plan);
        let number = exchange.branches.len();
        let name = BranchRef {
            exchange: id,
            branch: number as u8,
        };
        let outcome = match &request {
            Some(message) if number < limits::SIP_BRANCHES => {
                self.compose(at, message, &stamp, &plan, &target, Some(name))
            }
            Some(_) | None => Err(500),
        };
        let Some(exchange) = self.table.get_mut(id) else {
            return Err(500);
        };
        exchange.request = request;
        exchange.stamp = stamp;
        exchange.plan = plan;
        let Composed {
            hop,
            nonce,
            bytes,
            again,
        } = outcome?;
        if !self.transport.send(hop, bytes.clone()) {
            return Err(503);
        }
        self.transport.watch(hop, name);
        let retransmit = (id, Clock::Retransmit(name.branch));
        let end = (id, Clock::End(name.branch));
        let branch = Branch {
            nonce,
            state: BranchState::Calling,
            hop,
            request: bytes,
            retransmit_at: (!hop.is_reliable()).then(|| self.timers.start(at.now, T1, retransmit)),
            interval: T1,
            end_at: Some(self.timers.start(at.now, T1_64, end)),
            cancel: Cancel::No,
            others: core::mem::take(others),
            again: again.map(Box::new),
        };
        if let Some(exchange) = self.table.get_mut(id) {
            exchange.branches.push(branch);
            self.transactions += 1;
        }
        Ok(())
    }

    /// Writes the copy of a request for one target, and finds its hop. `name` is `None` for an ACK,
    /// which goes on without state.
    pub(super) fn compose(
        &mut self,
        at: &At<'_>,
        message: &Message,
        stamp: &Stamp,
        plan: &Plan,
        target: &Target,
        name: Option<BranchRef>,
    ) -> Result<Composed, u16> {
        let mut uri = match (target.uri.as_slice(), plan.uri.as_slice()) {
            ([], []) => message.request_uri(),
            ([], repaired) => repaired,
            (chosen, _) => chosen,
        };
        let mut routes = Routes::new(message, plan, target);
        let next = routes.first().unwrap_or(uri);
        let size = message.bytes().len() + OVERHEAD_BYTES;
        let (hop, again) = self.hop(at, target, next, size)?;
        if let Some(strict) = routes.first().filter(|route| !names::is_loose(route)) {
            // Section 16.6 item 6: the next hop expects itself in the Request-URI.
            routes.rotate(core::mem::replace(&mut uri, strict));
        }
        let nonce = match name {
            Some(_) => self.random.bits() as u32,
            None => self.stateless_nonce(message),
        };
        let (shown, is_tcp) = self.transport.shown(hop).ok_or(503_u16)?;
        let mut via = Vec::with_capacity(112);
        via.extend_from_slice(if is_tcp {
            b"SIP/2.0/TCP "
        } else {
            b"SIP/2.0/UDP "
        });
        via.extend_from_slice(shown);
        via.extend_from_slice(b";branch=");
        names::push_branch(&mut via, name, nonce, plan.loop_hash);

        let mut patch = Patch::new(message);
        if uri != message.request_uri() {
            patch.request_uri(uri);
        }
        let left = message
            .max_forwards()
            .map_or(70, |hops| hops.saturating_sub(1));
        patch.set(Header::MaxForwards, Digits::of(u32::from(left)).bytes());
        stamp.apply(&mut patch);
        routes.apply(&mut patch);
        self.record_route(&mut patch, message, plan, target, hop);
        patch.prepend(Header::Via, &via);
        let bytes = patch.finish();
        Ok(Composed {
            hop,
            nonce,
            bytes,
            again,
        })
    }

    fn hop(
        &mut self,
        at: &At<'_>,
        target: &Target,
        next: &[u8],
        size: usize,
    ) -> Result<(Hop, Option<Target>), u16> {
        let by_uri = |sip: &mut Self| sip.uri_hop(at, next, size).map(|hop| (hop, None));
        match target.way {
            Way::Next | Way::Flow(Flow::Direct) => by_uri(self).ok_or(503),
            Way::Flow(Flow::Udp { listener, to }) => {
                let hop = self.transport.udp_hop(to, Some(listener));
                hop.map(|hop| (hop, None)).ok_or(430)
            }
            Way::Flow(Flow::Stream { stream } | Flow::StreamOrDirect { stream })
                if self.transport.is_open(stream) =>
            {
                Ok((Hop::Stream(stream), None))
            }
            Way::Flow(Flow::Stream { .. }) => Err(430),
            Way::Flow(Flow::StreamOrDirect { .. }) => by_uri(self).ok_or(430),
            Way::Peer {
                address,
                by_datagram,
            } => {
                let large = size > UDP_REQUEST_BYTES_MAX && !by_datagram;
                if large && let Some(hop) = self.transport.stream_hop(at.now, address) {
                    let way = Way::Peer {
                        address,
                        by_datagram: true,
                    };
                    let again = Target {
                        way,
                        ..target.clone()
                    };
                    return Ok((hop, Some(again)));
                }
                let hop = self.address_hop(at, address, 0);
                hop.map(|hop| (hop, None)).ok_or(503)
            }
        }
    }

    /// Our Record-Route: one entry, or one for each side when we are known by different addresses
    /// there (RFC 5658).
    fn record_route(
        &self,
        patch: &mut Patch<'_>,
        message: &Message,
        plan: &Plan,
        target: &Target,
        hop: Hop,
    ) {
        let Some(record) = plan.record else {
            return;
        };
        let downstream = match target.way {
            Way::Flow(flow) if target.is_neighbour => flow,
            Way::Flow(_) | Way::Next | Way::Peer { .. } => Flow::Direct,
        };
        let token = DialogToken {
            caller: record.caller,
            upstream: record.upstream,
            downstream,
        };
        let token = self.tokens.dialog(token, message.call_id());
        let departure = self.transport.listener_of(hop);
        // The last to be put in front is the one that the called sees first: our side of it.
        let arrival = record.arrival.filter(|arrival| Some(*arrival) != departure);
        for listener in [arrival, departure].into_iter().flatten() {
            let Some((shown, is_tcp)) = self.transport.shown_by(listener) else {
                continue;
            };
            let mut entry = Vec::with_capacity(token.len() + shown.len() + 32);
            entry.extend_from_slice(b"<sip:");
            entry.extend_from_slice(&token);
            entry.push(b'@');
            entry.extend_from_slice(shown);
            entry.extend_from_slice(if is_tcp {
                b";transport=tcp;lr>"
            } else {
                b";lr>"
            });
            patch.prepend(Header::RecordRoute, &entry);
        }
    }

    /// The nonce of an ACK follows from the branch it came with: a repeated ACK stays the same.
    fn stateless_nonce(&self, message: &Message) -> u32 {
        let via = message.header(Header::Via).unwrap_or_default();
        self.keys.hasher().part(via).finish() as u32
    }
}

/// What a copy may grow by: our Via, Record-Route and Route.
const OVERHEAD_BYTES: usize = 320;

/// A copy of a request, and where it goes.
#[derive(Debug)]
pub(super) struct Composed {
    /// Where it goes.
    pub(super) hop: Hop,
    /// Random part of its branch parameter.
    pub(super) nonce: u32,
    /// The copy.
    pub(super) bytes: Vec<u8>,
    /// What to try when the stream that was chosen for the size cannot be opened.
    pub(super) again: Option<Target>,
}

/// Sorts flows by device: the flows of one instance together, everything else alone.
fn by_device(group: Vec<Target>) -> Vec<Vec<Target>> {
    let mut devices: Vec<Vec<Target>> = Vec::with_capacity(group.len());
    for target in group {
        let same = devices.iter_mut().find(|flows| {
            target.instance.is_some()
                && flows
                    .first()
                    .is_some_and(|flow| flow.instance == target.instance)
        });
        match same {
            Some(flows) => flows.push(target),
            None => devices.push(alloc::vec![target]),
        }
    }
    devices
}

/// The Route values of one copy: what to put in front, and what to take off, so that entries
/// which merely pass are not touched.
struct Routes<'a> {
    target: &'a [Vec<u8>],
    kept: Vec<&'a [u8]>,
    left_off: usize,
    /// Whether more changed than the front: all are written anew.
    is_rewritten: bool,
    /// After a strict router was served: the first is gone, and this is the last.
    rotated: Option<&'a [u8]>,
}

impl<'a> Routes<'a> {
    fn new(message: &'a Message, plan: &Plan, target: &'a Target) -> Self {
        let values = message.values(Header::Route).skip(plan.routes_left_off);
        let mut kept: Vec<_> = values.map(names::uri_of).collect();
        if plan.is_last_route_left_off {
            kept.pop();
        }
        Self {
            target: &target.routes,
            kept,
            left_off: plan.routes_left_off,
            is_rewritten: plan.is_last_route_left_off,
            rotated: None,
        }
    }

    fn first(&self) -> Option<&'a [u8]> {
        let first = self.target.first().map(Vec::as_slice);
        first.or_else(|| self.kept.first().copied())
    }

    /// Takes the first off and puts `last` behind the others.
    fn rotate(&mut self, last: &'a [u8]) {
        self.is_rewritten = true;
        self.rotated = Some(last);
    }

    fn apply(&self, patch: &mut Patch<'_>) {
        let front = self.target.iter().map(Vec::as_slice);
        let skipped = usize::from(self.rotated.is_some());
        let mut written: Vec<&[u8]> = front.collect();
        if self.is_rewritten {
            patch.remove(Header::Route);
            written.extend(&self.kept);
        } else {
            patch.pop(Header::Route, self.left_off);
        }
        written.extend(self.rotated);
        for uri in written.into_iter().skip(skipped).rev() {
            patch.prepend(Header::Route, &[b"<", uri, b">"].concat());
        }
    }
}
