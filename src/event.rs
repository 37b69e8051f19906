//! What the tasks and threads of the shell report to the loop that owns the node.

use causeway_engine::io::Input;

use crate::sock::Ready;

/// One report. Senders wait when limits::EVENTS are waiting.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something for the engine.
    Input(Input),
    /// A stream is ready: to be kept, and told to the engine.
    Opened(Ready),
    /// `init` asks whether the loop is alive (SPEC AP1).
    Ping(u32),
    /// What is done once at start is done, or cannot be.
    Started(Result<(), String>),
    /// The process is to stop in good order; why.
    Stop(String),
}
