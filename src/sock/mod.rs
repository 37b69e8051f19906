//! Sockets: does what the engine asks of the network and tells it what happened.
//!
//! [`Sockets`] belongs to the loop and never waits. Datagrams and plain streams are served by
//! tasks on the loop's own thread, TLS by tasks on another one, so that no handshake delays a
//! call. Tasks report through one bounded channel of [`Event`]s; when it is full they stop
//! reading, and the senders feel it. Nothing here knows what the bytes mean.

mod accept;
mod connect;
mod peer;
mod resolve;
mod stream;
mod tls;
mod trust;
mod udp;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use causeway_engine::base::ids::{ListenerId, StreamId};
use causeway_engine::base::limits;
use causeway_engine::base::socket::{Ends, Service};
use causeway_engine::certificate::{self, Held};
use causeway_engine::io::Input;
use smol::channel::Sender;
use smol::lock::Semaphore;
use smol::{Executor, LocalExecutor, Task};

use crate::event::Event;

pub(crate) use peer::Credentials;
pub(crate) use stream::Ready;
pub(crate) use tls::WebStream;

/// Serves one encrypted web connection to its end.
pub(crate) type WebFace =
    Arc<dyn Fn(WebStream, Ends) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What every task needs.
#[derive(Clone)]
struct Shared {
    events: Sender<Event>,
    /// TLS, web and command lines run here.
    worker: Arc<Executor<'static>>,
    credentials: Arc<Credentials>,
    web: WebFace,
    /// One permit per open stream (limits::STREAMS).
    streams: Arc<Semaphore>,
    /// One permit per web connection (limits::WEB_STREAMS).
    web_streams: Arc<Semaphore>,
    peer_handshakes: tls::Handshakes,
    web_handshakes: tls::Handshakes,
    next_stream: Arc<AtomicU64>,
}

impl Shared {
    /// The identifier of the next accepted stream: odd.
    fn next_stream(&self) -> StreamId {
        StreamId(self.next_stream.fetch_add(2, Ordering::Relaxed))
    }

    /// Tells the loop; when it has gone, nobody is left to tell.
    async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }
}

/// A listening socket.
enum Listener {
    Datagrams(udp::Datagrams),
    Streams(#[expect(dead_code, reason = "dropping the task closes the socket")] Task<()>),
}

/// A stream as the loop knows it.
enum Stream {
    Connecting(#[expect(dead_code, reason = "dropping the task ends the attempt")] Task<()>),
    Open(stream::Handle),
}

/// All sockets that the engine asked for.
pub(crate) struct Sockets {
    shared: Shared,
    local: Rc<LocalExecutor<'static>>,
    listeners: BTreeMap<ListenerId, Listener>,
    streams: HashMap<StreamId, Stream>,
    /// What is known at once and waits to be told to the engine.
    answers: VecDeque<Input>,
}

impl Sockets {
    /// No sockets yet. Plain sockets are served on `local`, encrypted ones on `worker`.
    pub(crate) fn new(
        local: Rc<LocalExecutor<'static>>,
        worker: Arc<Executor<'static>>,
        events: Sender<Event>,
        credentials: Arc<Credentials>,
        web: WebFace,
    ) -> Self {
        let shared = Shared {
            events,
            worker,
            credentials,
            web,
            streams: Arc::new(Semaphore::new(limits::STREAMS)),
            web_streams: Arc::new(Semaphore::new(limits::WEB_STREAMS)),
            peer_handshakes: tls::Handshakes::default(),
            web_handshakes: tls::Handshakes::default(),
            next_stream: Arc::new(AtomicU64::new(1)),
        };
        Self {
            shared,
            local,
            listeners: BTreeMap::new(),
            streams: HashMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// Opens a listening socket; the answer waits in [`Self::answer`].
    pub(crate) fn listen(&mut self, listener: ListenerId, service: Service, address: SocketAddr) {
        let result = self.open(listener, service, address);
        self.answers.push_back(Input::Listening {
            listener,
            result: result.map_err(|error| error.to_string()),
        });
    }

    /// Closes a listening socket; streams accepted on it stay.
    pub(crate) fn unlisten(&mut self, listener: ListenerId) {
        self.listeners.remove(&listener);
    }

    /// Queues a datagram until [`Self::flush`].
    pub(crate) fn send(&mut self, listener: ListenerId, to: SocketAddr, bytes: Vec<u8>) {
        match self.listeners.get_mut(&listener) {
            Some(Listener::Datagrams(datagrams)) => datagrams.queue(to, bytes),
            // The socket was closed while the message was made: as lost on the way.
            Some(Listener::Streams(_)) | None => log::debug!("no socket to send to {to} from"),
        }
    }

    /// Sends what is queued. Returns whether something has to wait for the network.
    pub(crate) fn flush(&mut self) -> bool {
        self.listeners
            .values_mut()
            .map(|listener| match listener {
                Listener::Datagrams(datagrams) => datagrams.flush(),
                Listener::Streams(_) => false,
            })
            .fold(false, |one, other| one | other)
    }

    /// Begins to open a stream.
    pub(crate) fn connect(
        &mut self,
        stream: StreamId,
        service: Service,
        from: Option<IpAddr>,
        to: SocketAddr,
    ) {
        let Some(permit) = self.shared.streams.try_acquire_arc() else {
            self.closed(stream, "too many streams are open");
            return;
        };
        let shared = self.shared.clone();
        let attempt = connect::open(shared, permit, stream, service, from, to);
        let task = match service {
            Service::PeerConfiguration | Service::PeerState => self.shared.worker.spawn(attempt),
            Service::SipUdp | Service::SipTcp | Service::PeerBeat | Service::Web => {
                self.local.spawn(attempt)
            }
        };
        self.streams.insert(stream, Stream::Connecting(task));
    }

    /// Writes to a stream; one that reads too slowly is closed.
    pub(crate) fn write(&mut self, stream: StreamId, bytes: Vec<u8>) {
        // What is written after the end is lost as if it were on the way.
        let Some(Stream::Open(handle)) = self.streams.get_mut(&stream) else {
            return;
        };
        if handle.write(bytes).is_err() {
            self.streams.remove(&stream);
            self.closed(stream, "the other end reads too slowly");
        }
    }

    /// Judges certificates or makes a key; the engine is told.
    pub(crate) fn certify(&mut self, task: certificate::Task) {
        let result = trust::perform(task);
        self.answers.push_back(Input::Certified { result });
    }

    /// Presents and trusts what the engine says, on every connection that begins from now on.
    pub(crate) fn present(&mut self, held: &Held, only_tls13: bool) {
        match self.shared.credentials.present(held, only_tls13) {
            Ok(presented) => self.answers.push_back(Input::Presenting(presented)),
            // It was judged before it was stored; what was presented before goes on.
            Err(error) => log::error!("the certificate cannot be presented: {error}"),
        }
    }

    /// Begins to look for the addresses of a name; the engine is told of them.
    pub(crate) fn resolve(&self, number: u64, name: String, servers: Vec<IpAddr>) {
        let shared = self.shared.clone();
        let task = async move {
            let result = resolve::resolve(name, servers).await;
            let input = Input::Resolved { number, result };
            shared.tell(Event::Input(input)).await;
        };
        self.shared.worker.spawn(task).detach();
    }

    /// Closes a stream after what was written.
    pub(crate) fn close(&mut self, stream: StreamId) {
        match self.streams.get_mut(&stream) {
            Some(Stream::Open(handle)) => handle.close(),
            Some(Stream::Connecting(_)) => {
                self.streams.remove(&stream);
                self.closed(stream, "closed before it was open");
            }
            None => {}
        }
    }

    /// What the engine is to be told at once.
    pub(crate) fn answer(&mut self) -> Option<Input> {
        self.answers.pop_front()
    }

    /// What the engine is to be told of an event; nothing of a stream that it knows as closed.
    pub(crate) fn admit(&mut self, input: Input) -> Option<Input> {
        match &input {
            Input::Received { stream, .. } => self.streams.contains_key(stream).then_some(input),
            Input::Closed { stream, .. } => {
                let known = self.streams.remove(stream)?;
                if let Stream::Open(handle) = known {
                    handle.finish();
                }
                Some(input)
            }
            Input::Timeout
            | Input::Listening { .. }
            | Input::Datagram { .. }
            | Input::Opened { .. }
            | Input::Written { .. }
            | Input::Command { .. }
            | Input::Machine(_)
            | Input::Certified { .. }
            | Input::Presenting(_)
            | Input::Resolved { .. } => Some(input),
        }
    }

    /// Keeps a stream that is ready; `None` when it was closed meanwhile.
    pub(crate) fn opened(&mut self, ready: Ready) -> Option<Input> {
        let Ready {
            stream,
            listener,
            ends,
            peer,
            io,
        } = ready;
        if listener.is_none() && !self.streams.contains_key(&stream) {
            return None;
        }
        let handle = stream::start(&self.shared, &self.local, stream, io);
        self.streams.insert(stream, Stream::Open(handle));
        Some(Input::Opened {
            stream,
            listener,
            ends,
            peer,
        })
    }

    fn open(
        &mut self,
        listener: ListenerId,
        service: Service,
        address: SocketAddr,
    ) -> io::Result<SocketAddr> {
        let (socket, local) = match service {
            Service::SipUdp | Service::PeerBeat => {
                let datagrams = udp::Datagrams::open(
                    &self.local,
                    self.shared.events.clone(),
                    listener,
                    address,
                )?;
                let local = datagrams.local();
                (Listener::Datagrams(datagrams), local)
            }
            Service::SipTcp | Service::PeerConfiguration | Service::PeerState | Service::Web => {
                let (socket, local) = accept::listen(address)?;
                let task = accept::serve(self.shared.clone(), listener, service, socket);
                let task = match service {
                    Service::SipTcp => self.local.spawn(task),
                    _ => self.shared.worker.spawn(task),
                };
                (Listener::Streams(task), local)
            }
        };
        self.listeners.insert(listener, socket);
        Ok(local)
    }

    fn closed(&mut self, stream: StreamId, reason: &str) {
        self.answers.push_back(Input::Closed {
            stream,
            reason: reason.into(),
        });
    }
}

#[cfg(test)]
mod tests;
