//! Open streams: one task each, a bounded queue towards it, and a way around the queue.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_io::{Async, Timer};
use causeway_engine::base::ids::{ListenerId, StreamId};
use causeway_engine::base::limits::STREAM_QUEUE_BYTES;
use causeway_engine::base::socket::{Ends, PeerProof};
use causeway_engine::io::Input;
use futures_rustls::TlsStream;
use smol::channel::{self, Receiver, Sender};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::SemaphoreGuardArc;
use smol::{LocalExecutor, Task, future};
use socket2::{SockRef, TcpKeepalive};

use super::Shared;
use crate::event::Event;

/// Bytes read from a stream at one time.
const READ_BYTES: usize = 16 * 1024;

/// Silence after which the kernel asks whether the other end is still there, and how often.
const KEEPALIVE: Duration = Duration::from_secs(120);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 4;

/// How long what we sent may stay without acknowledgement.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// How long a closing stream may take to send the rest, and then to be closed by the other end.
const CLOSING: Duration = Duration::from_secs(5);

/// A stream that is ready to be used.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(super) stream: StreamId,
    pub(super) listener: Option<ListenerId>,
    pub(super) ends: Ends,
    pub(super) peer: Option<PeerProof>,
    pub(super) io: Io,
}

/// The bytes' way. The permit counts the stream while this exists.
#[derive(Debug)]
pub(crate) struct Io {
    way: Way,
    permit: SemaphoreGuardArc,
}

#[derive(Debug)]
enum Way {
    Plain(Arc<Async<TcpStream>>),
    Encrypted(Box<TlsStream<Async<TcpStream>>>),
}

impl Io {
    /// A plain TCP stream.
    pub(super) fn plain(socket: Async<TcpStream>, permit: SemaphoreGuardArc) -> Self {
        let way = Way::Plain(Arc::new(socket));
        Self { way, permit }
    }

    /// A stream between peers after handshake and proof.
    pub(super) fn encrypted(
        stream: TlsStream<Async<TcpStream>>,
        permit: SemaphoreGuardArc,
    ) -> Self {
        let way = Way::Encrypted(Box::new(stream));
        Self { way, permit }
    }
}

/// More is queued than a stream may hold.
#[derive(Debug)]
pub(super) struct TooSlow;

/// An open stream as the loop holds it. Dropping it ends the stream at once.
pub(super) struct Handle {
    task: Task<()>,
    queue: Sender<Vec<u8>>,
    queued: Arc<AtomicUsize>,
    /// The socket, where bytes may go without a detour.
    direct: Option<Arc<Async<TcpStream>>>,
}

impl Handle {
    /// Writes now when nothing waits before it, queues otherwise.
    pub(super) fn write(&mut self, mut bytes: Vec<u8>) -> Result<(), TooSlow> {
        if self.queue.is_closed() {
            return Ok(());
        }
        if self.queued.load(Ordering::Acquire) == 0
            && let Some(socket) = &self.direct
        {
            match socket.get_ref().write(&bytes) {
                Ok(length) if length == bytes.len() => return Ok(()),
                Ok(length) => drop(bytes.drain(..length)),
                // The task meets the same fault when it writes, and reports it.
                Err(_) => {}
            }
        }
        let length = bytes.len();
        if self.queued.fetch_add(length, Ordering::AcqRel) + length > STREAM_QUEUE_BYTES {
            return Err(TooSlow);
        }
        // The task has ended and has told why.
        let _ = self.queue.try_send(bytes);
        Ok(())
    }

    /// Lets the task end after what is queued.
    pub(super) fn close(&mut self) {
        self.queue.close();
    }

    /// The task has told that it is done; it may still wait for the other end.
    pub(super) fn finish(self) {
        self.task.detach();
    }
}

/// Starts the task of a stream.
pub(super) fn start(
    shared: &Shared,
    local: &LocalExecutor<'static>,
    stream: StreamId,
    io: Io,
) -> Handle {
    let (queue, waiting) = channel::unbounded();
    let queued = Arc::new(AtomicUsize::new(0));
    let outbox = Outbox {
        waiting,
        queued: Arc::clone(&queued),
    };
    let Io { way, permit } = io;
    let shared_task = shared.clone();
    let (task, direct) = match way {
        Way::Plain(socket) => {
            let direct = Arc::clone(&socket);
            let task = local.spawn(async move {
                drive_plain(&shared_task, stream, &socket, &outbox).await;
                drop(permit);
            });
            (task, Some(direct))
        }
        Way::Encrypted(tls) => {
            let task = shared.worker.spawn(async move {
                drive_encrypted(&shared_task, stream, *tls, &outbox).await;
                drop(permit);
            });
            (task, None)
        }
    };
    Handle {
        task,
        queue,
        queued,
        direct,
    }
}

/// Sets what every stream needs: small messages at once, dead ends found.
pub(super) fn tune(socket: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES),
    )
}

/// The result, or a fault when it takes longer than `time`.
pub(super) async fn within<T>(
    time: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    future::or(work, async {
        Timer::after(time).await;
        Err(io::Error::from(io::ErrorKind::TimedOut))
    })
    .await
}

/// What waits to be written.
struct Outbox {
    waiting: Receiver<Vec<u8>>,
    queued: Arc<AtomicUsize>,
}

impl Outbox {
    /// The next bytes; `None` when the stream is to be closed.
    async fn next(&self) -> Option<Vec<u8>> {
        self.waiting.recv().await.ok()
    }

    fn written(&self, length: usize) {
        self.queued.fetch_sub(length, Ordering::AcqRel);
    }
}

async fn drive_plain(
    shared: &Shared,
    stream: StreamId,
    socket: &Async<TcpStream>,
    outbox: &Outbox,
) {
    let reader = async {
        loop {
            match read(socket).await {
                Ok(bytes) if bytes.is_empty() => return Err(ended()),
                Ok(bytes) => shared.tell(received(stream, bytes)).await,
                Err(error) => return Err(error),
            }
        }
    };
    let writer = async {
        let mut socket = socket;
        while let Some(bytes) = outbox.next().await {
            within(UNACKNOWLEDGED, socket.write_all(&bytes)).await?;
            outbox.written(bytes.len());
        }
        socket.get_ref().shutdown(Shutdown::Write)
    };
    let result: io::Result<()> = future::or(reader, writer).await;
    let closed_here = result.is_ok();
    shared.tell(closed(stream, result)).await;
    if closed_here {
        // Closing with bytes unread would take back what the other end has not read yet.
        let _ = within(CLOSING, async {
            while !read(socket).await?.is_empty() {}
            Ok(())
        })
        .await;
    }
}

async fn drive_encrypted(
    shared: &Shared,
    stream: StreamId,
    tls: TlsStream<Async<TcpStream>>,
    outbox: &Outbox,
) {
    let (mut read_half, mut write_half) = smol::io::split(tls);
    let reader = async {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match read_half.read(&mut buffer).await {
                Ok(0) => return Err(ended()),
                Ok(length) => {
                    let bytes = buffer[..length].to_vec();
                    shared.tell(received(stream, bytes)).await;
                }
                Err(error) => return Err(error),
            }
        }
    };
    let writer = async {
        while let Some(bytes) = outbox.next().await {
            within(UNACKNOWLEDGED, async {
                write_half.write_all(&bytes).await?;
                write_half.flush().await
            })
            .await?;
            outbox.written(bytes.len());
        }
        within(CLOSING, write_half.close()).await
    };
    let result: io::Result<()> = future::or(reader, writer).await;
    shared.tell(closed(stream, result)).await;
}

/// Reads what is there: one buffer serves all streams of the thread.
async fn read(socket: &Async<TcpStream>) -> io::Result<Vec<u8>> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    }
    socket
        .read_with(|mut socket| {
            BUFFER.with_borrow_mut(|buffer| {
                let length = socket.read(buffer)?;
                Ok(buffer[..length].to_vec())
            })
        })
        .await
}

fn received(stream: StreamId, bytes: Vec<u8>) -> Event {
    Event::Input(Input::Received { stream, bytes })
}

fn closed(stream: StreamId, result: io::Result<()>) -> Event {
    let reason = match result {
        Ok(()) => "closed here".into(),
        Err(error) => error.to_string(),
    };
    Event::Input(Input::Closed { stream, reason })
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the other end")
}
