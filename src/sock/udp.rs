//! Datagrams, many to a system call: at ten thousand messages a second the calls would cost more
//! than the messages.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use async_io::Async;
use causeway_engine::base::ids::ListenerId;
use causeway_engine::base::limits::{
    DATAGRAM_BATCH, DATAGRAM_BYTES, DATAGRAM_QUEUE, DATAGRAM_SOCKET_BYTES,
};
use causeway_engine::io::Input;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use smol::channel::Sender;
use smol::{LocalExecutor, Task, future};
use socket2::{Domain, Protocol, Socket, Type};

use crate::event::Event;

/// A UDP socket: a task reads it, the loop sends.
pub(super) struct Datagrams {
    socket: Arc<Async<UdpSocket>>,
    local: SocketAddr,
    queue: VecDeque<(SocketAddr, Vec<u8>)>,
    headers: MultiHeaders<SockaddrStorage>,
    dropped: u64,
    _reader: Task<()>,
}

impl Datagrams {
    /// Binds a socket and starts to read it.
    pub(super) fn open(
        executor: &LocalExecutor<'static>,
        events: Sender<Event>,
        listener: ListenerId,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A wave of registrations must fit while the loop does something else. The kernel takes
        // less quietly when net.core.rmem_max says so; that is no reason not to start.
        let _ = socket.set_recv_buffer_size(DATAGRAM_SOCKET_BYTES);
        let _ = socket.set_send_buffer_size(DATAGRAM_SOCKET_BYTES);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr()?;
        let socket = Arc::new(Async::new(socket)?);
        let reader = executor.spawn(read(Arc::clone(&socket), events, listener));
        Ok(Self {
            socket,
            local,
            queue: VecDeque::new(),
            headers: MultiHeaders::preallocate(DATAGRAM_BATCH, None),
            dropped: 0,
            _reader: reader,
        })
    }

    /// Where it is bound.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Queues a datagram; when the network takes none, the oldest is lost, as UDP may.
    pub(super) fn queue(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        if self.queue.len() >= DATAGRAM_QUEUE {
            self.queue.pop_front();
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                log::warn!("{} datagrams could not be sent in time", self.dropped);
            }
        }
        self.queue.push_back((to, bytes));
    }

    /// Sends what is queued; returns whether something is left because the network takes no more.
    pub(super) fn flush(&mut self) -> bool {
        while !self.queue.is_empty() {
            match self.send_batch() {
                Ok(sent) => drop(self.queue.drain(..sent)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return true,
                Err(error) => {
                    // It is the first that the kernel refuses: no route, a firewall, too long.
                    if let Some((to, bytes)) = self.queue.pop_front() {
                        log::debug!("{} bytes to {to} not sent: {error}", bytes.len());
                    }
                }
            }
        }
        false
    }

    fn send_batch(&mut self) -> Result<usize, Errno> {
        let batch = self.queue.iter().take(DATAGRAM_BATCH);
        let addresses: Vec<_> = batch
            .clone()
            .map(|(to, _)| Some(SockaddrStorage::from(*to)))
            .collect();
        let slices: Vec<_> = batch.map(|(_, bytes)| [IoSlice::new(bytes)]).collect();
        let descriptor = self.socket.get_ref().as_raw_fd();
        let results = sendmmsg(
            descriptor,
            &mut self.headers,
            &slices,
            &addresses,
            [],
            MsgFlags::empty(),
        )?;
        Ok(results.count())
    }
}

/// Reads until the loop has gone.
async fn read(socket: Arc<Async<UdpSocket>>, events: Sender<Event>, listener: ListenerId) {
    let mut buffers = vec![0; DATAGRAM_BATCH * DATAGRAM_BYTES];
    let mut headers = MultiHeaders::preallocate(DATAGRAM_BATCH, None);
    let mut inputs = VecDeque::with_capacity(DATAGRAM_BATCH);
    loop {
        let read = socket
            .read_with(|socket| {
                let descriptor = socket.as_raw_fd();
                receive(
                    descriptor,
                    listener,
                    &mut headers,
                    &mut buffers,
                    &mut inputs,
                )
            })
            .await;
        if let Err(error) = read {
            // An error that the kernel reports for an earlier datagram; the socket goes on.
            log::debug!("reading datagrams: {error}");
        }
        for input in inputs.drain(..) {
            if events.send(Event::Input(input)).await.is_err() {
                return;
            }
        }
        // The loop works off what was read before more is.
        future::yield_now().await;
    }
}

fn receive(
    descriptor: i32,
    listener: ListenerId,
    headers: &mut MultiHeaders<SockaddrStorage>,
    buffers: &mut [u8],
    inputs: &mut VecDeque<Input>,
) -> io::Result<()> {
    let mut slices: Vec<_> = buffers
        .chunks_exact_mut(DATAGRAM_BYTES)
        .map(|buffer| [IoSliceMut::new(buffer)])
        .collect();
    let messages = recvmmsg(
        descriptor,
        headers,
        slices.iter_mut(),
        MsgFlags::MSG_DONTWAIT,
        None,
    )?;
    for message in messages {
        let Some(from) = message.address.as_ref().and_then(address) else {
            continue;
        };
        let mut bytes = Vec::with_capacity(message.bytes);
        message
            .iovs()
            .for_each(|part| bytes.extend_from_slice(part));
        inputs.push_back(Input::Datagram {
            listener,
            from,
            bytes,
        });
    }
    Ok(())
}

fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
    address
        .as_sockaddr_in()
        .map(|address| SocketAddr::from(*address))
        .or_else(|| {
            address
                .as_sockaddr_in6()
                .map(|address| SocketAddr::from(*address))
        })
}
