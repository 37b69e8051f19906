//! The gateway's ends of the sockets to `system` and `init` (SPEC AP2).

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use async_io::Async;
use causeway_engine::base::limits::MACHINE_REQUESTS;
use causeway_engine::io::Input;
use causeway_engine::net::machine::{MachineReport, MachineRequest};
use smol::channel::Sender;
use smol::{LocalExecutor, Task};

use crate::boot::link::{InitMessage, Link};
use crate::event::Event;

/// The way to `system`.
pub(crate) struct Machine {
    link: Arc<Async<Link>>,
    waiting: VecDeque<MachineRequest>,
    _reader: Task<()>,
}

impl Machine {
    /// Takes over the inherited socket `number` and reads it.
    pub(crate) fn open(
        number: RawFd,
        executor: &LocalExecutor<'static>,
        events: Sender<Event>,
    ) -> io::Result<Self> {
        let link = Arc::new(Async::new(Link::inherited(number)?)?);
        let reader = executor.spawn(read(Arc::clone(&link), events, |report: MachineReport| {
            Some(Event::Input(Input::Machine(report)))
        }));
        Ok(Self {
            link,
            waiting: VecDeque::new(),
            _reader: reader,
        })
    }

    /// Asks; what `system` does not take at once waits for [`Self::flush`].
    pub(crate) fn ask(&mut self, request: MachineRequest) {
        if self.waiting.len() >= MACHINE_REQUESTS {
            // Whoever asked compares wanted with seen again, so nothing is lost for good.
            log::error!("the system role does not answer; a request was dropped");
            return;
        }
        self.waiting.push_back(request);
        self.flush();
    }

    /// Sends what waits; returns whether something is left.
    pub(crate) fn flush(&mut self) -> bool {
        while let Some(request) = self.waiting.front() {
            match self.link.get_ref().send(request) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => log::error!("the system role cannot be asked: {error}"),
            }
            self.waiting.pop_front();
        }
        false
    }
}

/// The way to `init`.
pub(crate) struct Supervisor {
    link: Arc<Async<Link>>,
    _reader: Task<()>,
}

impl Supervisor {
    /// Takes over the inherited socket `number` and reads it.
    pub(crate) fn open(
        number: RawFd,
        executor: &LocalExecutor<'static>,
        events: Sender<Event>,
    ) -> io::Result<Self> {
        let link = Arc::new(Async::new(Link::inherited(number)?)?);
        let reader = executor.spawn(read(Arc::clone(&link), events, |message| match message {
            InitMessage::Ping(number) => Some(Event::Ping(number)),
            InitMessage::Pong(_) | InitMessage::Stop(_) => None,
        }));
        Ok(Self {
            link,
            _reader: reader,
        })
    }

    /// Says that the loop is alive; to be called by the loop itself.
    pub(crate) fn pong(&self, number: u32) {
        if let Err(error) = self.link.get_ref().send(&InitMessage::Pong(number)) {
            log::warn!("init cannot be answered: {error}");
        }
    }
}

/// Reads one socket until its other end is closed; then this role is to end, too.
async fn read<T: serde::de::DeserializeOwned>(
    link: Arc<Async<Link>>,
    events: Sender<Event>,
    event: impl Fn(T) -> Option<Event>,
) {
    loop {
        let told = match link.read_with(Link::receive::<T>).await {
            Ok(Some(value)) => event(value),
            Ok(None) => Some(Event::Stop("the machine's other roles have ended".into())),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                log::error!("another role sent what cannot be understood");
                None
            }
            Err(error) => Some(Event::Stop(format!("another role cannot be read: {error}"))),
        };
        let Some(told) = told else { continue };
        let last = matches!(told, Event::Stop(_));
        if events.send(told).await.is_err() || last {
            return;
        }
    }
}
