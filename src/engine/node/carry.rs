//! Events from sockets to the engine they concern, and actions back out.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::base::ids::{ListenerId, StreamId};
use crate::base::socket::{Ends, PeerProof, Service};
use crate::base::time::{Instant, Wall};
use crate::io::Action;
use crate::{cluster, sip};

use super::{Node, Promise};

impl Node {
    pub(super) fn listening(
        &mut self,
        now: Instant,
        wall: Wall,
        listener: ListenerId,
        result: Result<SocketAddr, String>,
    ) {
        let open = result.is_ok();
        self.listeners.listening(now, listener, result);
        match self.listeners.get(listener) {
            Some((service @ (Service::SipUdp | Service::SipTcp), address)) if open => {
                let input = sip::Input::Listening {
                    listener,
                    service,
                    address,
                };
                self.sip.handle(now, wall, &mut self.directory, input);
            }
            Some(_) | None => {}
        }
    }

    pub(super) fn sip_unlisten(&mut self, now: Instant, listener: ListenerId) {
        let input = sip::Input::Unlistened { listener };
        self.sip
            .handle(now, Wall::default(), &mut self.directory, input);
    }

    pub(super) fn datagram(
        &mut self,
        now: Instant,
        wall: Wall,
        listener: ListenerId,
        from: SocketAddr,
        bytes: Vec<u8>,
    ) {
        match self.listeners.get(listener) {
            Some((Service::SipUdp, local)) => {
                let input = sip::Input::Datagram {
                    listener,
                    local,
                    from,
                    bytes,
                };
                self.sip.handle(now, wall, &mut self.directory, input);
            }
            Some((Service::PeerBeat, _)) => {
                self.cluster_input(now, wall, cluster::Input::Datagram { from, bytes });
            }
            Some(_) | None => {}
        }
    }

    pub(super) fn opened(
        &mut self,
        now: Instant,
        wall: Wall,
        stream: StreamId,
        listener: Option<ListenerId>,
        ends: Ends,
        peer: Option<PeerProof>,
    ) {
        let dialled = listener.is_none();
        let accepted = listener.and_then(|listener| self.listeners.get(listener));
        let known = self.streams.get(&stream).copied();
        match (accepted.map(|(service, _)| service).or(known), peer) {
            (Some(service @ (Service::PeerConfiguration | Service::PeerState)), Some(peer)) => {
                self.streams.insert(stream, service);
                let listed = self.cluster.lists(&ends.remote.ip());
                if service == Service::PeerConfiguration
                    && self.operations.takes(stream, peer.id, dialled, listed)
                {
                    return self.operations.opened(now, stream, ends, peer);
                }
                let input = cluster::Input::Opened {
                    stream,
                    service,
                    ends,
                    peer,
                    dialled,
                };
                self.cluster_input(now, wall, input);
            }
            (Some(Service::SipTcp), None) => {
                self.streams.insert(stream, Service::SipTcp);
                let input = sip::Input::Opened {
                    stream,
                    ends,
                    outbound: dialled,
                };
                self.sip.handle(now, wall, &mut self.directory, input);
            }
            (Some(_) | None, _) => self.actions.push_back(Action::Close { stream }),
        }
    }

    pub(super) fn received(&mut self, now: Instant, wall: Wall, stream: StreamId, bytes: Vec<u8>) {
        match self.streams.get(&stream) {
            Some(Service::SipTcp) => {
                let input = sip::Input::Received { stream, bytes };
                self.sip.handle(now, wall, &mut self.directory, input);
            }
            Some(Service::PeerConfiguration) if self.operations.owns(stream) => {
                self.join_received(now, wall, stream, &bytes);
            }
            Some(Service::PeerConfiguration | Service::PeerState) => {
                self.cluster_input(now, wall, cluster::Input::Received { stream, bytes });
            }
            Some(Service::SipUdp | Service::PeerBeat | Service::Web) | None => {}
        }
    }

    pub(super) fn closed(&mut self, now: Instant, wall: Wall, stream: StreamId, reason: String) {
        match self.streams.remove(&stream) {
            Some(Service::SipTcp) => {
                let input = sip::Input::Closed { stream };
                self.sip.handle(now, wall, &mut self.directory, input);
            }
            Some(Service::PeerConfiguration) if self.operations.owns(stream) => {
                self.operations.closed(now, stream, &reason);
            }
            Some(Service::PeerConfiguration | Service::PeerState) => {
                self.cluster_input(now, wall, cluster::Input::Closed { stream, reason });
            }
            Some(Service::SipUdp | Service::PeerBeat | Service::Web) | None => {}
        }
    }

    pub(super) fn cluster_input(&mut self, now: Instant, wall: Wall, input: cluster::Input) {
        let (configuration, directory) = (&mut self.configuration, &mut self.directory);
        self.cluster
            .handle(now, wall, configuration, directory, input);
    }

    /// Hands the engines' actions on to the world.
    pub(super) fn carry_actions(&mut self) {
        while let Some(action) = self.sip.poll_action() {
            self.actions.push_back(match action {
                sip::Action::Send {
                    listener,
                    to,
                    bytes,
                } => Action::Send {
                    listener,
                    to,
                    bytes,
                },
                sip::Action::Write { stream, bytes } => Action::Write { stream, bytes },
                sip::Action::Connect { stream, to, from } => {
                    self.streams.insert(stream, Service::SipTcp);
                    Action::Connect {
                        stream,
                        service: Service::SipTcp,
                        from,
                        to,
                    }
                }
                sip::Action::Close { stream } => Action::Close { stream },
            });
        }
        while let Some(action) = self.cluster.poll_action() {
            self.carry_cluster(action);
        }
        while let Some(request) = self.net.poll_action() {
            self.actions.push_back(Action::Machine(request));
        }
    }

    fn carry_cluster(&mut self, action: cluster::Action) {
        let action = match action {
            cluster::Action::Connect {
                stream,
                service,
                from,
                to,
            } => {
                self.streams.insert(stream, service);
                Action::Connect {
                    stream,
                    service,
                    from: Some(from),
                    to,
                }
            }
            cluster::Action::Write { stream, bytes } => Action::Write { stream, bytes },
            cluster::Action::Close { stream } => Action::Close { stream },
            cluster::Action::Beat { to, bytes } => {
                let Some(listener) = self.listeners.of(Service::PeerBeat, to.is_ipv4()) else {
                    return;
                };
                Action::Send {
                    listener,
                    to,
                    bytes,
                }
            }
            cluster::Action::Persist { token, writes } => {
                self.journal.write(writes, Promise::Cluster(token))
            }
            cluster::Action::Log { level, text } => Action::Log { level, text },
        };
        self.actions.push_back(action);
    }
}
