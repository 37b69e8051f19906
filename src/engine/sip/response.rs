//! Responses on their way back (RFC 3261 sections 16.7 and 17.1, RFC 6026).

use alloc::vec::Vec;

use super::exchange::{Best, BranchRef, BranchState, Cancel, Clock, ExchangeId, ServerState};
use super::timers::{T1, T1_64, T4, TIMER_C};
use super::{At, Sip, answer, cancel, names};
use crate::wire::sip::{Header, Message, Method};

impl Sip {
    /// Takes in a response. One that belongs to nothing of ours is dropped (RFC 6026 section 8.9).
    pub(super) fn on_response(&mut self, at: &mut At<'_>, message: &Message, status: u16) {
        let Some(name) = self.branch_of(message) else {
            self.status.stray += 1;
            return;
        };
        if message.method() == Method::Cancel {
            self.on_cancel_answered(name, status);
            return;
        }
        if status < 200 {
            self.on_provisional(at, message, name, status);
        } else {
            self.on_final(at, message, name, status);
        }
    }

    /// The branch whose parameter a response carries, when the response came back to us.
    fn branch_of(&self, message: &Message) -> Option<BranchRef> {
        let via = message.top_via()?;
        if !self.is_own_socket(names::literal(via.host()), via.port()) {
            return None;
        }
        let (name, nonce) = names::open_branch(via.branch()?)?;
        let branch = self
            .table
            .get(name.exchange)?
            .branches
            .get(usize::from(name.branch))?;
        (branch.nonce == nonce).then_some(name)
    }

    fn on_cancel_answered(&mut self, name: BranchRef, status: u16) {
        if let Some(exchange) = self.table.get_mut(name.exchange)
            && let Some(branch) = exchange.branches.get_mut(usize::from(name.branch))
            && matches!(branch.cancel, Cancel::Sent { .. })
            && status >= 200
        {
            branch.cancel = Cancel::Answered;
        }
    }

    fn on_provisional(&mut self, at: &mut At<'_>, message: &Message, name: BranchRef, status: u16) {
        let id = name.exchange;
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        let is_invite = exchange.is_invite;
        let is_open = exchange.server == ServerState::Proceeding;
        let Some(branch) = exchange.branches.get_mut(usize::from(name.branch)) else {
            return;
        };
        if !branch.is_pending() {
            return;
        }
        let is_first = branch.state == BranchState::Calling;
        branch.state = BranchState::Proceeding;
        if is_invite {
            branch.retransmit_at = None;
            // Timer C starts with the first response and anew with each but 100 (16.7 item 2). A
            // branch that is being cancelled keeps its shorter time.
            let is_cancelled = matches!(branch.cancel, Cancel::Sent { .. } | Cancel::Answered);
            if (is_first || status > 100) && !is_cancelled {
                let clock = (id, Clock::End(name.branch));
                branch.end_at = Some(self.timers.start(at.now, TIMER_C, clock));
            }
        }
        if branch.cancel == Cancel::Wanted {
            self.cancel_branch(at, name);
        }
        if status > 100 && is_open {
            let bytes = answer::without_top_via(message);
            self.send_provisional(at, id, bytes);
        }
    }

    fn send_provisional(&mut self, at: &mut At<'_>, id: ExchangeId, bytes: Vec<u8>) {
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        exchange.trying_at = None;
        exchange.last.clone_from(&bytes);
        let reply = exchange.reply;
        self.reply(at, reply, bytes);
    }

    fn on_final(&mut self, at: &mut At<'_>, message: &Message, name: BranchRef, status: u16) {
        let Some(exchange) = self.table.get_mut(name.exchange) else {
            return;
        };
        let is_invite = exchange.is_invite;
        let Some(branch) = exchange.branches.get_mut(usize::from(name.branch)) else {
            return;
        };
        match branch.state {
            BranchState::Calling | BranchState::Proceeding => {}
            BranchState::Completed if is_invite => {
                // The ACK was lost (timer D runs).
                self.transport.send(branch.hop, branch.request.clone());
                return;
            }
            BranchState::Accepted if status < 300 => {
                let bytes = answer::without_top_via(message);
                let reply = exchange.reply;
                self.reply(at, reply, bytes);
                return;
            }
            BranchState::Completed | BranchState::Accepted | BranchState::Terminated => return,
        }
        self.transport.unwatch(branch.hop, name);
        if is_invite && status < 300 {
            self.on_accepted(at, message, name);
            return;
        }
        if is_invite {
            let ack = cancel::derive(&branch.request, b"ACK", message.header(Header::To));
            branch.request = ack.unwrap_or_default();
            if !branch.request.is_empty() {
                self.transport.send(branch.hop, branch.request.clone());
            }
        } else {
            branch.request = Vec::new();
        }
        let wait = if is_invite { T1_64 } else { T4 };
        branch.retransmit_at = None;
        branch.cancel = Cancel::No;
        branch.end_at = None;
        branch.state = BranchState::Terminated;
        if !branch.hop.is_reliable() {
            // Timers D and K.
            branch.state = BranchState::Completed;
            let clock = (name.exchange, Clock::End(name.branch));
            branch.end_at = Some(self.timers.start(at.now, wait, clock));
        } else {
            branch.request = Vec::new();
        }
        let is_flow_gone = status == 430 && !branch.others.is_empty();
        if is_flow_gone {
            self.try_other_flow(at, name);
            return;
        }
        self.note(name.exchange, status, Some(message));
        if status >= 600 {
            self.cancel_all(at, name.exchange);
        }
        if status < 300 {
            self.conclude(at, name.exchange);
        } else {
            self.advance(at, name.exchange);
        }
    }

    /// The first 2xx of an INVITE on one branch: it goes up at once, the others are cancelled.
    fn on_accepted(&mut self, at: &mut At<'_>, message: &Message, name: BranchRef) {
        let id = name.exchange;
        let bytes = answer::without_top_via(message);
        self.call_answered(at, id, message);
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        if let Some(branch) = exchange.branches.get_mut(usize::from(name.branch)) {
            branch.state = BranchState::Accepted;
            branch.retransmit_at = None;
            branch.cancel = Cancel::No;
            branch.request = Vec::new();
            let clock = (id, Clock::End(name.branch));
            branch.end_at = Some(self.timers.start(at.now, T1_64, clock));
        }
        exchange.targets = Vec::new();
        exchange.best = None;
        if exchange.server == ServerState::Proceeding {
            self.send_final(at, id, 200, bytes);
        } else if exchange.server == ServerState::Accepted {
            let reply = exchange.reply;
            self.reply(at, reply, bytes);
        }
        self.cancel_all(at, id);
        self.settle(id);
    }

    /// A 2xx of an INVITE: a call begins, or something was heard of it again.
    fn call_answered(&mut self, at: &mut At<'_>, id: ExchangeId, message: &Message) {
        let call = self.call_hash(message);
        if self.calls.heard(at.now, call) {
            return;
        }
        let request = self
            .table
            .get_mut(id)
            .and_then(|exchange| exchange.request.take());
        if let Some(invite) = &request {
            self.begin_call(at, call, invite, message);
        }
        if let Some(exchange) = self.table.get_mut(id) {
            exchange.request = request;
        }
    }

    /// A branch came to nothing without a response: its flow is gone (430), no answer came (408),
    /// it could not be sent (503).
    pub(super) fn fail_branch(&mut self, at: &mut At<'_>, name: BranchRef, status: u16) {
        let Some(exchange) = self.table.get_mut(name.exchange) else {
            return;
        };
        let Some(branch) = exchange.branches.get_mut(usize::from(name.branch)) else {
            return;
        };
        if !branch.is_pending() {
            return;
        }
        branch.state = BranchState::Terminated;
        branch.retransmit_at = None;
        branch.end_at = None;
        branch.cancel = Cancel::No;
        branch.request = Vec::new();
        let has_others = !branch.others.is_empty() || branch.again.is_some();
        self.transport.unwatch(branch.hop, name);
        if has_others {
            self.try_other_flow(at, name);
            return;
        }
        self.note(name.exchange, status, None);
        self.advance(at, name.exchange);
    }

    /// Keeps a final response if it is better than what there is (section 16.7 items 4 to 7).
    pub(super) fn note(&mut self, id: ExchangeId, status: u16, message: Option<&Message>) {
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        if exchange.server != ServerState::Proceeding {
            return;
        }
        if let Some(message) = message.filter(|_| status == 401 || status == 407) {
            answer::collect_challenges(message, &mut exchange.challenges);
        }
        let rank = (rank(status), message.is_none());
        let best = exchange.best.as_ref();
        if best.is_none_or(|best| rank < (self::rank(best.status), best.bytes.is_empty())) {
            let bytes = message.map(answer::without_top_via).unwrap_or_default();
            exchange.best = Some(Best { status, bytes });
        }
    }

    /// Sends the best final response upstream.
    pub(super) fn conclude(&mut self, at: &mut At<'_>, id: ExchangeId) {
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        if exchange.server != ServerState::Proceeding {
            self.settle(id);
            return;
        }
        let best = exchange.best.take().unwrap_or(Best {
            status: if exchange.cancelled { 487 } else { 480 },
            bytes: Vec::new(),
        });
        // Only whoever asks for one device hears of its flow; the caller hears that nobody is
        // there (RFC 5626 section 5.3), and nobody hears of another server's overload as of ours
        // (section 16.7 item 6).
        let status = match best.status {
            430 if !exchange.plan.is_for_device => 480,
            503 => 500,
            status => status,
        };
        let bytes = if best.bytes.is_empty() || status != best.status {
            let tag = self
                .keys
                .hasher()
                .part(&exchange.key.to_be_bytes())
                .finish();
            let request = exchange.request.as_ref();
            let local = |request| answer::plain(request, &exchange.stamp, status, tag as u64);
            request.map(local).unwrap_or_default()
        } else if matches!(status, 401 | 407) && exchange.challenges.len() > 1 {
            answer::with_challenges(best.bytes, &exchange.challenges)
        } else {
            best.bytes
        };
        self.send_final(at, id, status, bytes);
        self.settle(id);
    }

    /// Sends a final response and moves the server transaction on.
    fn send_final(&mut self, at: &mut At<'_>, id: ExchangeId, status: u16, bytes: Vec<u8>) {
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        let is_reliable = exchange.reply.is_reliable();
        exchange.trying_at = None;
        exchange.best = None;
        exchange.challenges = Vec::new();
        let end = (id, Clock::ServerEnd);
        if exchange.is_invite && status < 300 {
            // The called repeats it, not we (RFC 6026 section 7.1): timer L.
            exchange.server = ServerState::Accepted;
            exchange.last = Vec::new();
            exchange.end_at = Some(self.timers.start(at.now, T1_64, end));
        } else if exchange.is_invite {
            exchange.server = ServerState::Completed;
            exchange.last.clone_from(&bytes);
            if !is_reliable {
                exchange.interval = T1;
                let clock = (id, Clock::ServerRetransmit);
                exchange.retransmit_at = Some(self.timers.start(at.now, T1, clock));
            }
            exchange.end_at = Some(self.timers.start(at.now, T1_64, end));
        } else if is_reliable {
            exchange.server = ServerState::Terminated;
            exchange.last = Vec::new();
        } else {
            exchange.server = ServerState::Completed;
            exchange.last.clone_from(&bytes);
            exchange.end_at = Some(self.timers.start(at.now, T1_64, end));
        }
        exchange.request = None;
        let reply = exchange.reply;
        self.reply(at, reply, bytes);
    }
}

/// The order in which final responses are preferred: 6xx, then the lowest class, within class 4
/// those that the caller can do something about; a lost flow last.
fn rank(status: u16) -> u8 {
    match status {
        600.. => 0,
        ..300 => 1,
        300..400 => 2,
        401 | 407 | 415 | 420 | 484 => 3,
        430 => 6,
        400..500 => 4,
        500..600 => 5,
    }
}
