//! Pages over HTTPS (SPEC UI1): work without JavaScript, live with it.
//!
//! [`face`] serves one connection that the shell has accepted and decrypted; [`http`] bounds what
//! it may send, [`router`] says who may see and do what, `pages` are pure functions from values to
//! HTML. Everything a page does is an [`causeway_engine::admin::Command`]: nothing is decided here.

mod assets;
mod form;
mod http;
mod layout;
mod pages;
mod picture;
mod router;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_io::Timer;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use smol::io::{AsyncRead, AsyncWrite};
use smol_hyper::rt::FuturesIo;

use crate::accounts::Accounts;
use crate::ask::Asker;
use crate::sock::WebFace;

/// Time in which the head of a request must have arrived, and that a connection may be idle.
const HEAD_TIME: Duration = Duration::from_secs(15);

/// Time in which some part of a response must have been taken.
const WRITE_TIME: Duration = Duration::from_secs(20);

/// Bytes of the head of a request.
const HEAD_BYTES: usize = 16 * 1024;

/// Header fields of a request.
const HEADERS: usize = 64;

/// Connections from one address; a browser opens six, several may share an address.
const CONNECTIONS_PER_ADDRESS: usize = 32;

/// What the pages need.
#[derive(Debug)]
struct Web {
    asker: Asker,
    accounts: Arc<Accounts>,
    connections: Mutex<BTreeMap<IpAddr, usize>>,
}

/// What serves an encrypted web connection.
pub(crate) fn face(asker: Asker, accounts: Arc<Accounts>) -> WebFace {
    let web = Arc::new(Web {
        asker,
        accounts,
        connections: Mutex::default(),
    });
    Arc::new(move |stream, ends| {
        let web = Arc::clone(&web);
        Box::pin(async move { serve(web, stream, ends.remote.ip()).await })
    })
}

/// Serves one connection to its end.
async fn serve<S>(web: Arc<Web>, stream: S, from: IpAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(_place) = Place::take(&web, from) else {
        log::warn!("web: {from} has {CONNECTIONS_PER_ADDRESS} connections already");
        return;
    };
    let service = service_fn(|request| {
        let web = Arc::clone(&web);
        async move { router::respond(&web, request, from).await }
    });
    let connection = http1::Builder::new()
        .timer(Clock)
        .header_read_timeout(HEAD_TIME)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(2 * HEAD_BYTES)
        .serve_connection(FuturesIo::new(Patient::new(stream)), service);
    // Browsers close connections in the middle all day.
    if let Err(error) = connection.await {
        log::debug!("web: {from}: {error}");
    }
}

/// One connection counted to its address.
struct Place<'a> {
    web: &'a Web,
    from: IpAddr,
}

impl<'a> Place<'a> {
    fn take(web: &'a Web, from: IpAddr) -> Option<Self> {
        let mut connections = web
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = connections.entry(from).or_default();
        if *count >= CONNECTIONS_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Self { web, from })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let connections = &self.web.connections;
        let mut connections = connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = connections.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.from);
            }
        }
    }
}

/// A stream that is given up when the other end takes nothing for [`WRITE_TIME`].
struct Patient<S> {
    stream: S,
    blocked: Option<Timer>,
}

impl<S: Unpin> Patient<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            blocked: None,
        }
    }

    /// Passes on what writing gave; while it gives nothing, time runs.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.blocked = None;
            return poll;
        }
        let timer = self.blocked.get_or_insert_with(|| Timer::after(WRITE_TIME));
        match Pin::new(timer).poll(context) {
            Poll::Ready(_) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(context, bytes)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, poll)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_close(context);
        self.watch(context, poll)
    }
}

/// Time for hyper.
#[derive(Clone, Copy, Debug)]
struct Clock;

struct Sleep(Timer);

impl hyper::rt::Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep(Timer::after(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep(Timer::at(deadline)))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context).map(|_| ())
    }
}

impl hyper::rt::Sleep for Sleep {}
