//! The one set of verbs behind every face: command line, web, console, API (DESIGN 1).
//!
//! Faces only parse and print. `node` applies a [`Command`] and answers it; nothing else changes
//! the product. Start at [`Command`].

pub mod status;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

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
    Line(String),
    /// Everything that can follow the text before the cursor.
    Complete(String),
    /// Save these items as one change, all or none: path and value as text.
    Set(Vec<(String, String)>),
    /// The value of one item as text, for faces that need it (password hashes, session time-out).
    Value(String),
    /// The typed status that pages are made from.
    Status,
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
}

/// Why a command was not done; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One line per fault: what is wrong and what would be right.
    pub reasons: Vec<String>,
}
