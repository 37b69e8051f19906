//! Signals, read like a socket.

use std::io;

use async_io::Async;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use smol::channel::Sender;

use crate::event::Event;

/// The signals that ask for an orderly stop.
const STOP: [Signal; 2] = [Signal::SIGTERM, Signal::SIGINT];

/// Blocks the signals in this thread and all that it starts; to be called before any other.
///
/// A file that would grow beyond the limit of the process is a full disk for us, not our end:
/// with SIGXFSZ blocked, the write fails instead.
pub(crate) fn block() -> io::Result<SignalFd> {
    let mut stop = SigSet::empty();
    STOP.iter().for_each(|signal| stop.add(*signal));
    let mut blocked = stop;
    blocked.add(Signal::SIGXFSZ);
    blocked.thread_block()?;
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    Ok(SignalFd::with_flags(&stop, flags)?)
}

/// Reports the first signal that asks for a stop.
pub(crate) async fn watch(signals: SignalFd, events: Sender<Event>) {
    let stopped = async {
        let signals = Async::new(signals)?;
        signals
            .read_with(|signals| {
                signals
                    .read_signal()?
                    .ok_or_else(|| io::Error::from(io::ErrorKind::WouldBlock))
            })
            .await
    };
    let reason = match stopped.await {
        Ok(signal) => format!("signal {}", signal.ssi_signo),
        Err(error) => format!("signals cannot be read: {error}"),
    };
    // The loop may have ended by itself.
    let _ = events.send(Event::Stop(reason)).await;
}
