//! What happens when nothing happens: the timers of RFC 3261 section 17 and timer C.

use super::exchange::{BranchRef, BranchState, Cancel, Clock, ExchangeId, ServerState};
use super::timers::{T1_64, T2};
use super::{At, Sip, answer};
use crate::base::time::Instant;

impl Sip {
    /// Fires every timer that is due.
    pub(super) fn fire(&mut self, at: &mut At<'_>) {
        while let Some((due, (id, clock))) = self.timers.due(at.now) {
            if self.is_armed(due, id, clock) {
                self.fire_one(at, id, clock);
            }
        }
        while let Some(stream) = self.transport.overdue(at.now) {
            self.lose_stream(at, stream);
        }
        for id in self.calls.handle_timeout(at.now) {
            at.directory.remove_call(id);
        }
        let table = &self.table;
        self.timers
            .sweep(|due, (id, clock)| armed(table, due, id, clock));
    }

    fn is_armed(&self, due: Instant, id: ExchangeId, clock: Clock) -> bool {
        armed(&self.table, due, id, clock)
    }

    fn fire_one(&mut self, at: &mut At<'_>, id: ExchangeId, clock: Clock) {
        match clock {
            Clock::Trying => self.send_trying(at, id),
            Clock::ServerRetransmit => self.repeat_final(at, id),
            Clock::ServerEnd => {
                if let Some(exchange) = self.table.get_mut(id) {
                    exchange.server = ServerState::Terminated;
                    exchange.end_at = None;
                    exchange.retransmit_at = None;
                }
                self.settle(id);
            }
            Clock::Retransmit(branch) => self.repeat_request(
                at,
                BranchRef {
                    exchange: id,
                    branch,
                },
            ),
            Clock::CancelRetransmit(branch) => {
                self.repeat_cancel(
                    at,
                    BranchRef {
                        exchange: id,
                        branch,
                    },
                );
            }
            Clock::End(branch) => self.end_branch(
                at,
                BranchRef {
                    exchange: id,
                    branch,
                },
            ),
        }
    }

    /// 100 Trying, when nothing else was sent yet (section 17.2.1).
    pub(super) fn send_trying(&mut self, at: &mut At<'_>, id: ExchangeId) {
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        exchange.trying_at = None;
        if exchange.server == ServerState::Proceeding
            && exchange.last.is_empty()
            && let Some(request) = &exchange.request
        {
            let bytes = answer::plain(request, &exchange.stamp, 100, 0);
            exchange.last.clone_from(&bytes);
            let reply = exchange.reply;
            self.reply(at, reply, bytes);
        }
    }

    /// Timer G (section 17.2.1).
    fn repeat_final(&mut self, at: &mut At<'_>, id: ExchangeId) {
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        exchange.interval = (2 * exchange.interval).min(T2);
        let at_next = self
            .timers
            .start(at.now, exchange.interval, (id, Clock::ServerRetransmit));
        exchange.retransmit_at = Some(at_next);
        let (reply, bytes) = (exchange.reply, exchange.last.clone());
        self.reply(at, reply, bytes);
    }

    /// Timers A and E (sections 17.1.1.2 and 17.1.2.2).
    fn repeat_request(&mut self, at: &At<'_>, name: BranchRef) {
        let id = name.exchange;
        let Some(exchange) = self.table.get_mut(id) else {
            return;
        };
        let is_invite = exchange.is_invite;
        let Some(branch) = exchange.branches.get_mut(usize::from(name.branch)) else {
            return;
        };
        branch.interval = if is_invite {
            2 * branch.interval
        } else if branch.state == BranchState::Proceeding {
            T2
        } else {
            (2 * branch.interval).min(T2)
        };
        let clock = (id, Clock::Retransmit(name.branch));
        branch.retransmit_at = Some(self.timers.start(at.now, branch.interval, clock));
        self.transport.send(branch.hop, branch.request.clone());
    }

    fn repeat_cancel(&mut self, at: &At<'_>, name: BranchRef) {
        let Some(exchange) = self.table.get_mut(name.exchange) else {
            return;
        };
        let Some(branch) = exchange.branches.get_mut(usize::from(name.branch)) else {
            return;
        };
        if let Cancel::Sent {
            bytes,
            retransmit_at,
            interval,
        } = &mut branch.cancel
        {
            *interval = (2 * *interval).min(T2);
            let clock = (name.exchange, Clock::CancelRetransmit(name.branch));
            *retransmit_at = Some(self.timers.start(at.now, *interval, clock));
            self.transport.send(branch.hop, bytes.clone());
        }
    }

    /// Timers B, C, D, F, K and M, by the state of the branch.
    fn end_branch(&mut self, at: &mut At<'_>, name: BranchRef) {
        let Some(exchange) = self.table.get_mut(name.exchange) else {
            return;
        };
        let is_invite = exchange.is_invite;
        let was_cancelled = exchange.cancelled;
        let Some(branch) = exchange.branches.get_mut(usize::from(name.branch)) else {
            return;
        };
        branch.end_at = None;
        match branch.state {
            BranchState::Calling => self.fail_branch(at, name, 408),
            BranchState::Proceeding if is_invite && branch.cancel == Cancel::No => {
                // Timer C: the phone gets the time of a CANCEL to say something (section 16.8).
                let clock = (name.exchange, Clock::End(name.branch));
                branch.end_at = Some(self.timers.start(at.now, T1_64, clock));
                self.cancel_branch(at, name);
            }
            BranchState::Proceeding => {
                self.fail_branch(at, name, if was_cancelled { 487 } else { 408 });
            }
            BranchState::Completed | BranchState::Accepted => {
                branch.state = BranchState::Terminated;
                branch.request = alloc::vec::Vec::new();
                self.settle(name.exchange);
            }
            BranchState::Terminated => {}
        }
    }
}

/// Whether a timer still means what it meant when it was started.
pub(super) fn armed(
    table: &super::exchange::Table,
    due: Instant,
    id: ExchangeId,
    clock: Clock,
) -> bool {
    let Some(exchange) = table.get(id) else {
        return false;
    };
    let branch = |index: u8| exchange.branches.get(usize::from(index));
    let at = match clock {
        Clock::Trying => exchange.trying_at,
        Clock::ServerRetransmit => exchange.retransmit_at,
        Clock::ServerEnd => exchange.end_at,
        Clock::Retransmit(index) => branch(index).and_then(|branch| branch.retransmit_at),
        Clock::End(index) => branch(index).and_then(|branch| branch.end_at),
        Clock::CancelRetransmit(index) => branch(index).and_then(|branch| match &branch.cancel {
            Cancel::Sent { retransmit_at, .. } => *retransmit_at,
            Cancel::No | Cancel::Wanted | Cancel::Answered => None,
        }),
    };
    at == Some(due)
}
