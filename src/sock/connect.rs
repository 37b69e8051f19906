//! Streams that the engine asks for.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};

use async_io::Async;
use causeway_engine::base::ids::StreamId;
use causeway_engine::base::limits::{CONNECT_TIME, HANDSHAKE_TIME};
use causeway_engine::base::socket::{Ends, PeerProof, Service};
use causeway_engine::io::Input;
use futures_rustls::{TlsConnector, TlsStream};
use rustls::pki_types::ServerName;
use smol::lock::SemaphoreGuardArc;
use socket2::{Domain, Protocol, Socket, Type};

use super::stream::{Io, Ready};
use super::{Shared, peer, stream};
use crate::event::Event;

/// Opens a stream and reports it, or why not.
pub(super) async fn open(
    shared: Shared,
    permit: SemaphoreGuardArc,
    stream: StreamId,
    service: Service,
    from: Option<IpAddr>,
    to: SocketAddr,
) {
    let event = match attempt(&shared, permit, service, from, to).await {
        Ok((ends, proof, io)) => Event::Opened(Ready {
            stream,
            listener: None,
            ends,
            peer: proof,
            io,
        }),
        Err(error) => Event::Input(Input::Closed {
            stream,
            reason: error.to_string(),
        }),
    };
    shared.tell(event).await;
}

async fn attempt(
    shared: &Shared,
    permit: SemaphoreGuardArc,
    service: Service,
    from: Option<IpAddr>,
    to: SocketAddr,
) -> io::Result<(Ends, Option<PeerProof>, Io)> {
    let socket = stream::within(CONNECT_TIME, connect(from, to)).await?;
    stream::tune(socket.get_ref())?;
    let ends = Ends {
        local: socket.get_ref().local_addr()?,
        remote: to,
    };
    match service {
        Service::SipTcp => Ok((ends, None, Io::plain(socket, permit))),
        Service::PeerConfiguration | Service::PeerState => {
            let credentials = &shared.credentials;
            let tls = credentials.tls();
            let connector = TlsConnector::from(tls.connect.clone());
            let name = ServerName::from(to.ip());
            let (stream, proof) = stream::within(HANDSHAKE_TIME, async {
                let mut stream = TlsStream::from(connector.connect(name, socket).await?);
                let proof = peer::exchange(&mut stream, &credentials.identity, &tls.trust).await?;
                Ok((stream, proof))
            })
            .await?;
            Ok((ends, Some(proof), Io::encrypted(stream, permit)))
        }
        Service::SipUdp | Service::PeerBeat | Service::Web => {
            Err(io::Error::from(io::ErrorKind::Unsupported))
        }
    }
}

async fn connect(from: Option<IpAddr>, to: SocketAddr) -> io::Result<Async<TcpStream>> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    let socket = Async::new_nonblocking(TcpStream::from(socket))?;
    socket.writable().await?;
    match socket.get_ref().take_error()? {
        None => Ok(socket),
        Some(error) => Err(error),
    }
}
