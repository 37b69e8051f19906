//! The one set of verbs behind every face: command line, web, console, API (DESIGN 1).
//!
//! Faces only parse and print. `node` applies a [`Command`] and answers it; nothing else changes
//! the product. Start at [`Command`].

mod alarms;
mod certificates;
mod commands;
mod complete;
mod history;
pub mod line;
mod operations;
mod outline;
mod reference;
mod settings;
mod shown;
pub mod status;
#[cfg(test)]
mod tests;
mod words;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::alarm::history::Noted;
use crate::certificate;
use crate::config::backup::Contents;
use crate::directory::shared::CallId;
use crate::net::machine::Stop;
use crate::operation::status::Ask;
pub use alarms::{alarm_history, fate, severity};
pub use reference::reference;
use status::Status;

/// Who asks, from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Account name, `system` for the product itself.
    pub name: String,
    /// Address of the session, when it came over the network.
    pub address: Option<IpAddr>,
    /// The face: `cli`, `console`, `web`, `start`.
    pub face: &'static str,
}

/// One request of an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A line as typed: `xStatus …`, `xConfiguration …`, `xCommand …`, `help`.
    /// [`line::interpret`] makes an answer or one of the other commands out of it.
    Line(String),
    /// Everything that can follow the text before the cursor; [`line::complete`] answers it.
    Complete(String),
    /// Save these items as one change, all or none: path and value as text.
    Set(Vec<(String, String)>),
    /// As [`Command::Set`], with a note for the history: back to a former revision (SPEC RP8).
    Restore {
        /// Items and values as text.
        changes: Vec<(String, String)>,
        /// Where they come from.
        note: String,
    },
    /// The value of one item as text, for faces that need it (password hashes, session time-out).
    Value(String),
    /// The typed status that pages are made from.
    Status,
    /// On a subordinate: discard the replicated configuration and take the primary's (SPEC RP6).
    ForceConfigUpdate,
    /// Restart the gateway, reboot, or power off (SPEC AP7).
    Stop(Stop),
    /// Mark every raised alarm of this id as seen (SPEC AL1).
    AcknowledgeAlarm(u32),
    /// What became of alarms: the newest lines of the history, at most so many (SPEC AL2).
    AlarmHistory(usize),
    /// End the registrations of an alias, wherever in the cluster they are (SPEC MM3).
    Unregister(String),
    /// End a call, or all with `None`, wherever in the cluster they are (SPEC MM2).
    Disconnect(Option<CallId>),
    /// Everything that is set here, for a backup file (SPEC UP4).
    Backup,
    /// Show what restoring a backup would change, or restore it as one change (SPEC UP4).
    RestoreBackup {
        /// The backup, in clear.
        contents: Contents,
        /// Whether items that the cluster shares are restored too.
        shared: bool,
        /// Whether to show only.
        preview: bool,
    },
    /// Show or change certificates (SPEC TL1).
    Certificate(certificate::Ask),
    /// A line that goes on in a file: its text stands for the parameter `File`.
    Attached {
        /// The line.
        line: String,
        /// What the file holds.
        text: String,
    },
    /// How peers' certificates are judged from now on; `force` although some would be refused.
    Verify(Verify),
    /// Begin, undo or give up an operation of the cluster (SPEC CL8).
    Operation(Ask),
}

/// How peers' certificates are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verify {
    /// Whether they are enforced.
    pub enforce: bool,
    /// The explicit word for what would part peers.
    pub force: bool,
}

/// What a command gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Text for a terminal, lines ended by `\n`.
    Text(String),
    /// Completions of the last word, sorted.
    Completions(Vec<String>),
    /// Saved; how many peers hold it and how many there are.
    Saved {
        /// Peers (this one included) on which the change is durable.
        on: usize,
        /// Peers in the cluster.
        of: usize,
    },
    /// One value.
    Value(String),
    /// The state of everything, for pages.
    Status(Box<Status>),
    /// Lines of the alarm history, newest first.
    AlarmHistory(Vec<Noted>),
    /// A backup in clear.
    Backup(Contents),
}

/// Why a command was not done; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One line per fault: what is wrong and what would be right.
    pub reasons: Vec<String>,
}

impl Refusal {
    /// A refusal for one reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            reasons: vec![reason.into()],
        }
    }
}
