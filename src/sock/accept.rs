//! Listening sockets for streams.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use async_io::{Async, Timer};
use causeway_engine::base::ids::ListenerId;
use causeway_engine::base::limits::HANDSHAKE_TIME;
use causeway_engine::base::socket::{Ends, Service};
use futures_rustls::{TlsAcceptor, TlsStream};
use smol::lock::SemaphoreGuardArc;
use socket2::{Domain, Protocol, Socket, Type};

use super::stream::{Io, Ready};
use super::tls::Handshake;
use super::{Shared, peer, stream};
use crate::event::Event;
use crate::logging::Seldom;

/// Connections that the kernel keeps until we accept them; a wave of phones after a restart.
const BACKLOG: i32 = 4_096;

/// Connections to the peers' ports that ended before the other side had proved who it is.
static NO_PEER: Seldom = Seldom::new();

/// How long to wait when the process has no descriptors left, or the kernel no memory.
const RELIEF: Duration = Duration::from_millis(100);

/// Opens a listening socket and says where it is.
pub(super) fn listen(address: SocketAddr) -> io::Result<(Async<TcpListener>, SocketAddr)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for connections of the last life to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from(socket);
    let local = socket.local_addr()?;
    Ok((Async::new(socket)?, local))
}

/// Accepts until dropped.
pub(super) async fn serve(
    shared: Shared,
    listener: ListenerId,
    service: Service,
    socket: Async<TcpListener>,
) {
    let refused = Seldom::new();
    loop {
        let (accepted, remote) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                log::debug!("accepting for {service:?}: {error}");
                Timer::after(RELIEF).await;
                continue;
            }
        };
        let Ok(local) = accepted.get_ref().local_addr() else {
            continue;
        };
        let ends = Ends { local, remote };
        if stream::tune(accepted.get_ref()).is_err() {
            continue;
        }
        if !admit(&shared, listener, service, accepted, ends).await
            && let Some(count) = refused.count()
        {
            log::warn!("{service:?}: no room for {count} connections, now from {remote}");
        }
    }
}

/// Takes a connection in when there is room.
async fn admit(
    shared: &Shared,
    listener: ListenerId,
    service: Service,
    accepted: Async<TcpStream>,
    ends: Ends,
) -> bool {
    let permits = match service {
        Service::Web => &shared.web_streams,
        Service::SipTcp
        | Service::PeerConfiguration
        | Service::PeerState
        | Service::SipUdp
        | Service::PeerBeat => &shared.streams,
    };
    let Some(permit) = permits.try_acquire_arc() else {
        return false;
    };
    let remote = ends.remote.ip();
    match service {
        Service::SipTcp => {
            let ready = Ready {
                stream: shared.next_stream(),
                listener: Some(listener),
                ends,
                peer: None,
                io: Io::plain(accepted, permit),
            };
            shared.tell(Event::Opened(ready)).await;
        }
        Service::Web => {
            let Some(handshake) = shared.web_handshakes.begin(remote) else {
                return false;
            };
            let task = web(shared.clone(), accepted, ends, handshake, permit);
            shared.worker.spawn(task).detach();
        }
        Service::PeerConfiguration | Service::PeerState => {
            let Some(handshake) = shared.peer_handshakes.begin(remote) else {
                return false;
            };
            let task = peer(shared.clone(), listener, accepted, ends, handshake, permit);
            shared.worker.spawn(task).detach();
        }
        // Datagrams have no connections.
        Service::SipUdp | Service::PeerBeat => return false,
    }
    true
}

async fn web(
    shared: Shared,
    accepted: Async<TcpStream>,
    ends: Ends,
    handshake: Handshake,
    _permit: SemaphoreGuardArc,
) {
    let acceptor = TlsAcceptor::from(shared.credentials.tls().web.clone());
    let result = stream::within(HANDSHAKE_TIME, acceptor.accept(accepted)).await;
    drop(handshake);
    match result {
        Ok(stream) => (shared.web)(stream, ends).await,
        // Browsers that do not like the certificate end here by the dozen.
        Err(error) => log::debug!("TLS with {}: {error}", ends.remote),
    }
}

async fn peer(
    shared: Shared,
    listener: ListenerId,
    accepted: Async<TcpStream>,
    ends: Ends,
    handshake: Handshake,
    permit: SemaphoreGuardArc,
) {
    let credentials = &shared.credentials;
    let tls = credentials.tls();
    let acceptor = TlsAcceptor::from(tls.accept.clone());
    let result = stream::within(HANDSHAKE_TIME, async {
        let mut stream = TlsStream::from(acceptor.accept(accepted).await?);
        let proof = peer::exchange(&mut stream, &credentials.identity, &tls.trust).await?;
        Ok((stream, proof))
    })
    .await;
    drop(handshake);
    match result {
        Ok((stream, proof)) => {
            let ready = Ready {
                stream: shared.next_stream(),
                listener: Some(listener),
                ends,
                peer: Some(proof),
                io: Io::encrypted(stream, permit),
            };
            shared.tell(Event::Opened(ready)).await;
        }
        Err(error) => {
            if let Some(count) = NO_PEER.count() {
                let remote = ends.remote;
                log::warn!("{count} connections were from no peer, now {remote}: {error}");
            }
        }
    }
}
