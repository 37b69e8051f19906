//! One peer: the only module that knows every engine.
//!
//! `node` owns the engines, carries events between them, keeps the order of writes and promises,
//! and answers administrators. It decides nothing about a protocol: start at [`Node::handle`].

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::base::ids::PeerId;
use crate::base::store::Record;
use crate::base::time::{Instant, Wall};
use crate::io::{Action, Input};

/// What a node is made from.
#[derive(Clone, Debug)]
pub struct Boot {
    /// This peer's identity, made when it was installed.
    pub id: PeerId,
    /// Randomness for tags, branches and jitter.
    pub seed: [u8; 32],
    /// Everything the store held.
    pub records: Vec<Record>,
    /// Faults that the store met while it was read; raised as alarms.
    pub faults: Vec<String>,
    /// Settings given at start (`--config`, `--set`), in order, as path and value.
    pub settings: Vec<(String, String)>,
    /// Whether the machine's interfaces and firewall are ours (SPEC AP3).
    pub machine: bool,
    /// Version of the software.
    pub version: &'static str,
}

/// One peer.
#[derive(Debug)]
pub struct Node {
    actions: VecDeque<Action>,
}

impl Node {
    /// A node that has just started; its first actions are waiting.
    pub fn new(_now: Instant, _wall: Wall, _boot: Boot) -> Self {
        Self {
            actions: VecDeque::new(),
        }
    }

    /// Takes in what happened. Actions that follow are waiting afterwards.
    pub fn handle(&mut self, _now: Instant, _wall: Wall, _input: Input) {}

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Input::Timeout`] is wanted.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
