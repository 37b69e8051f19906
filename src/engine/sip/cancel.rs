//! CANCEL, and ACK for what is not a success (RFC 3261 sections 9, 16.10 and 17.1.1.3).

use alloc::vec::Vec;

use super::answer::{Digits, Refusal};
use super::exchange::{BranchRef, BranchState, Cancel, Clock, ExchangeId, ServerState};
use super::origin::Origin;
use super::timers::{T1, T1_64, T4};
use super::{At, Sip};
use crate::wire::sip::{Header, Message};

impl Sip {
    /// A CANCEL from upstream; `key` is that of the INVITE it names.
    pub(super) fn on_cancel(
        &mut self,
        at: &mut At<'_>,
        message: &Message,
        origin: &Origin,
        key: u128,
    ) {
        let Some(id) = self.table.find(key) else {
            self.refuse(at, message, origin, &Refusal::new(481));
            return;
        };
        self.refuse(at, message, origin, &Refusal::new(200));
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        // CANCEL of anything but INVITE has no effect (section 9.1).
        if !exchange.is_invite || exchange.server != ServerState::Proceeding {
            return;
        }
        exchange.cancelled = true;
        exchange.targets = Vec::new();
        self.cancel_all(at, id);
        self.advance(at, id);
    }

    /// An ACK that belongs to a server transaction. Says whether it ends here.
    pub(super) fn is_ack_for_us(&mut self, at: &At<'_>, key: u128) -> bool {
        let Some(id) = self.table.find(key) else {
            return false;
        };
        let Some(exchange) = self.table.get_mut(id) else {
            return false;
        };
        match exchange.server {
            ServerState::Completed => {
                exchange.retransmit_at = None;
                exchange.last = Vec::new();
                if exchange.reply.is_reliable() {
                    exchange.server = ServerState::Terminated;
                    exchange.end_at = None;
                } else {
                    // Timer I.
                    exchange.server = ServerState::Confirmed;
                    let clock = (id, Clock::ServerEnd);
                    exchange.end_at = Some(self.timers.start(at.now, T4, clock));
                }
                self.settle(id);
                true
            }
            ServerState::Proceeding | ServerState::Confirmed | ServerState::Terminated => true,
            // From a caller that gives the ACK of a 2xx the branch of its INVITE (RFC 2543).
            ServerState::Accepted => false,
        }
    }

    /// Cancels every branch that has not answered.
    pub(super) fn cancel_all(&mut self, at: &At<'_>, id: ExchangeId) {
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        exchange.targets = Vec::new();
        if !exchange.is_invite {
            return;
        }
        for index in 0..exchange.branches.len() as u8 {
            self.cancel_branch(
                at,
                BranchRef {
                    exchange: id,
                    branch: index,
                },
            );
        }
    }

    /// Cancels one branch now, or when a provisional response allows it (section 9.1).
    pub(super) fn cancel_branch(&mut self, at: &At<'_>, name: BranchRef) {
        let Some(exchange) = self.table.get_mut(name.exchange) else {
            return;
        };
        let Some(branch) = exchange.branches.get_mut(usize::from(name.branch)) else {
            return;
        };
        branch.others = Vec::new();
        branch.again = None;
        match (branch.state, &branch.cancel) {
            (BranchState::Calling, Cancel::No) => branch.cancel = Cancel::Wanted,
            (BranchState::Proceeding, Cancel::No | Cancel::Wanted) => {
                let cancel = derive(&branch.request, b"CANCEL", None);
                let Some(bytes) = cancel else {
                    return;
                };
                self.transport.send(branch.hop, bytes.clone());
                let clock = (name.exchange, Clock::CancelRetransmit(name.branch));
                let retransmit_at =
                    (!branch.hop.is_reliable()).then(|| self.timers.start(at.now, T1, clock));
                branch.cancel = Cancel::Sent {
                    bytes,
                    retransmit_at,
                    interval: T1,
                };
                let clock = (name.exchange, Clock::End(name.branch));
                branch.end_at = Some(self.timers.start(at.now, T1_64, clock));
            }
            (BranchState::Calling | BranchState::Proceeding, _)
            | (BranchState::Completed | BranchState::Accepted | BranchState::Terminated, _) => {}
        }
    }
}

/// The ACK or CANCEL that goes with a request we sent: the same Request-URI, our Via alone, the
/// same Route, From and Call-ID, and `to` or the same To (sections 9.1 and 17.1.1.3).
pub(super) fn derive(request: &[u8], method: &[u8], to: Option<&[u8]>) -> Option<Vec<u8>> {
    let message = Message::parse(request.to_vec()).ok()?;
    let (number, _) = message.cseq()?;
    let mut out = Vec::with_capacity(request.len().min(1_024));
    let mut push = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    push(&[method, b" ", message.request_uri(), b" SIP/2.0\r\nVia: "]);
    push(&[message.header(Header::Via)?, b"\r\n"]);
    for route in message.headers(Header::Route) {
        push(&[b"Route: ", route, b"\r\n"]);
    }
    push(&[b"Max-Forwards: 70\r\nFrom: ", message.header(Header::From)?]);
    push(&[b"\r\nTo: ", to.or_else(|| message.header(Header::To))?]);
    push(&[b"\r\nCall-ID: ", message.call_id()]);
    push(&[b"\r\nCSeq: ", Digits::of(number).bytes(), b" ", method]);
    push(&[b"\r\nContent-Length: 0\r\n\r\n"]);
    Some(out)
}
