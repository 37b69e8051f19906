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
                actions.push(self.ask(service, address));
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
                actions.push(self.ask(socket.service, socket.address));
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
                Ok(address) => State::Open(address),
                Err(reason) => State::Refused {
                    reason,
                    again: now + RETRY,
                },
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

    fn ask(&mut self, service: Service, address: SocketAddr) -> Action {
        self.last += 1;
        let listener = ListenerId(self.last);
        self.sockets.insert(
            listener,
            Socket {
                service,
                address,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_refused_socket_is_asked_for_again() {
        let mut listeners = Listeners::default();
        let wanted = [(Service::SipUdp, address("192.0.2.1:5060"))];
        assert_eq!(listeners.want(&wanted).len(), 1);
        assert!(listeners.want(&wanted).is_empty(), "asked once");
        listeners.listening(Instant::START, ListenerId(1), Err("no such address".into()));
        assert_eq!(listeners.poll_timeout(), Some(Instant::START + RETRY));
        assert!(listeners.handle_timeout(Instant::START).is_empty());
        let again = listeners.handle_timeout(Instant::START + RETRY);
        assert!(matches!(
            again[..],
            [Action::Listen {
                listener: ListenerId(2),
                ..
            }]
        ));
        assert!(listeners.get(ListenerId(1)).is_none());
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
