//! Sockets as wanted by the configuration, as open, and the steps between.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::admin::status::ListenerStatus;
use crate::base::ids::ListenerId;
use crate::base::socket::Service;
use crate::base::time::Instant;
use crate::io::Action;

/// How long after a refusal the same socket is asked for again: an address may come up late.
const RETRY: Duration = Duration::from_secs(2);

/// How soon a socket is asked for again while nobody is told yet: the socket that it takes the
/// place of is closed only when its reader has let go of it, and an address that was just set
/// takes a moment to come up.
const RETRY_AT_FIRST: Duration = Duration::from_millis(50);

/// Refusals in a row that count as a fault; before, the socket is still being opened.
const REFUSALS: u32 = 10;

/// All listening sockets.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    last: u32,
    sockets: BTreeMap<ListenerId, Socket>,
}

#[derive(Debug)]
struct Socket {
    service: Service,
    address: SocketAddr,
    /// How often in a row it was refused.
    refusals: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Asked,
    Open(SocketAddr),
    Refused { reason: String, again: Instant },
}

impl Listeners {
    /// Closes what is no longer wanted and asks for what is missing.
    pub(super) fn want(&mut self, wanted: &[(Service, SocketAddr)]) -> Vec<Action> {
        let mut actions = Vec::new();
        self.sockets.retain(|listener, socket| {
            let keep = wanted.contains(&(socket.service, socket.address));
            if !keep && !matches!(socket.state, State::Refused { .. }) {
                actions.push(Action::Unlisten {
                    listener: *listener,
                });
            }
            keep
        });
        for &(service, address) in wanted {
            let held = |socket: &Socket| (socket.service, socket.address) == (service, address);
            if !self.sockets.values().any(held) {
                actions.push(self.ask(service, address, 0));
            }
        }
        actions
    }

    /// Asks again for sockets that were refused long enough ago.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<Action> {
        let due = |socket: &Socket| match socket.state {
            State::Refused { again, .. } => again <= now,
            State::Asked | State::Open(_) => false,
        };
        let again: Vec<_> = self
            .sockets
            .iter()
            .filter(|(_, s)| due(s))
            .map(|(id, _)| *id)
            .collect();
        let mut actions = Vec::new();
        for listener in again {
            if let Some(socket) = self.sockets.remove(&listener) {
                actions.push(self.ask(socket.service, socket.address, socket.refusals));
            }
        }
        actions
    }

    /// Notes what became of a socket that was asked for.
    pub(super) fn listening(
        &mut self,
        now: Instant,
        listener: ListenerId,
        result: Result<SocketAddr, String>,
    ) {
        if let Some(socket) = self.sockets.get_mut(&listener) {
            socket.state = match result {
                Ok(address) => {
                    socket.refusals = 0;
                    State::Open(address)
                }
                Err(reason) => {
                    socket.refusals = socket.refusals.saturating_add(1);
                    let wait = if socket.is_failed() {
                        RETRY
                    } else {
                        RETRY_AT_FIRST
                    };
                    let again = now + wait;
                    State::Refused { reason, again }
                }
            };
        }
    }

    /// When [`Listeners::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let again = |socket: &Socket| match socket.state {
            State::Refused { again, .. } => Some(again),
            State::Asked | State::Open(_) => None,
        };
        self.sockets.values().filter_map(again).min()
    }

    /// What a socket is for, and its address.
    pub(super) fn get(&self, listener: ListenerId) -> Option<(Service, SocketAddr)> {
        self.sockets
            .get(&listener)
            .map(|socket| match socket.state {
                State::Open(address) => (socket.service, address),
                State::Asked | State::Refused { .. } => (socket.service, socket.address),
            })
    }

    /// The open or asked-for socket of a service that suits a peer address' family.
    pub(super) fn of(&self, service: Service, ipv4: bool) -> Option<ListenerId> {
        let fits = |socket: &Socket| {
            socket.service == service
                && socket.address.is_ipv4() == ipv4
                && !matches!(socket.state, State::Refused { .. })
        };
        self.sockets
            .iter()
            .find(|(_, socket)| fits(socket))
            .map(|(listener, _)| *listener)
    }

    /// Every socket as a person sees it.
    pub(super) fn status(&self) -> Vec<ListenerStatus> {
        let row = |socket: &Socket| {
            let (address, fault) = match &socket.state {
                State::Open(address) => (*address, None),
                State::Asked => (socket.address, Some("being opened".into())),
                State::Refused { .. } if !socket.is_failed() => {
                    (socket.address, Some("being opened".into()))
                }
                State::Refused { reason, .. } => (socket.address, Some(reason.clone())),
            };
            ListenerStatus {
                service: socket.service,
                address,
                fault,
            }
        };
        self.sockets.values().map(row).collect()
    }

    fn ask(&mut self, service: Service, address: SocketAddr, refusals: u32) -> Action {
        self.last += 1;
        let listener = ListenerId(self.last);
        self.sockets.insert(
            listener,
            Socket {
                service,
                address,
                refusals,
                state: State::Asked,
            },
        );
        Action::Listen {
            listener,
            service,
            address,
        }
    }
}

impl Socket {
    /// Whether it was refused so often that people are told.
    const fn is_failed(&self) -> bool {
        self.refusals >= REFUSALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_refused_socket_is_asked_for_again_and_reported_when_it_stays_refused() {
        let mut listeners = Listeners::default();
        let wanted = [(Service::SipUdp, address("192.0.2.1:5060"))];
        assert_eq!(listeners.want(&wanted).len(), 1);
        assert!(listeners.want(&wanted).is_empty(), "asked once");
        let mut now = Instant::START;
        for refusal in 1..=REFUSALS {
            let fault = listeners.status().remove(0).fault;
            assert_eq!(fault.as_deref(), Some("being opened"));
            listeners.listening(now, ListenerId(refusal), Err("in use".into()));
            assert!(listeners.handle_timeout(now).is_empty());
            let due = listeners.poll_timeout().expect("asked for again");
            let wait = if refusal == REFUSALS {
                RETRY
            } else {
                RETRY_AT_FIRST
            };
            assert_eq!(due, now + wait);
            if refusal < REFUSALS {
                assert_eq!(listeners.handle_timeout(due).len(), 1);
                assert!(listeners.get(ListenerId(refusal)).is_none());
            }
            now = due;
        }
        let fault = listeners.status().remove(0).fault;
        assert_eq!(fault.as_deref(), Some("in use"));
        assert_eq!(listeners.handle_timeout(now).len(), 1);
        let open = Ok(address("192.0.2.1:5060"));
        listeners.listening(now, ListenerId(REFUSALS + 1), open);
        assert_eq!(listeners.status().remove(0).fault, None);
    }

    #[test]
    fn a_moved_socket_is_closed_and_opened() {
        let mut listeners = Listeners::default();
        listeners.want(&[(Service::SipUdp, address("192.0.2.1:5060"))]);
        let moved = listeners.want(&[(Service::SipUdp, address("192.0.2.1:5070"))]);
        assert!(matches!(
            moved[..],
            [
                Action::Unlisten {
                    listener: ListenerId(1)
                },
                Action::Listen { .. }
            ]
        ));
        assert_eq!(listeners.status().len(), 1);
        assert_eq!(listeners.want(&[]).len(), 1);
        assert_eq!(listeners.status(), vec![]);
    }
}
