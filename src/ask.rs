//! How a face (web, console, command line) asks the node: one question, one answer.
//!
//! An [`Asker`] can be cloned and used from any task or thread. It never waits for room: when too
//! many questions are waiting already, the answer is a refusal (limits::REQUESTS).

use causeway_engine::admin::{Actor, Answer, Command, Refusal};
use smol::channel::{self, Receiver, Sender};

/// What a question gives.
pub(crate) type Reply = Result<Answer, Refusal>;

/// A question on its way to the node.
#[derive(Debug)]
pub(crate) struct Question {
    /// Who asks.
    pub(crate) actor: Actor,
    /// What.
    pub(crate) command: Command,
    /// Where the one answer goes.
    pub(crate) reply: Sender<Reply>,
}

/// Asks the node.
#[derive(Clone, Debug)]
pub(crate) struct Asker(Sender<Question>);

impl Asker {
    /// An asker, and the other end of it for the loop that owns the node.
    pub(crate) fn new(waiting_max: usize) -> (Self, Receiver<Question>) {
        let (sender, receiver) = channel::bounded(waiting_max);
        (Self(sender), receiver)
    }

    /// Puts the command to the node and waits for what it answers.
    pub(crate) async fn ask(&self, actor: Actor, command: Command) -> Reply {
        let (reply, answer) = channel::bounded(1);
        let question = Question {
            actor,
            command,
            reply,
        };
        if let Err(error) = self.0.try_send(question) {
            return refuse(if error.is_full() {
                "Too many administrators' commands are waiting. Try again."
            } else {
                "The gateway is stopping."
            });
        }
        match answer.recv().await {
            Ok(reply) => reply,
            Err(_) => refuse("The gateway is stopping."),
        }
    }

    /// The text of one item's value; empty when it cannot be had.
    pub(crate) async fn value(&self, actor: Actor, path: &str) -> String {
        match self.ask(actor, Command::Value(path.into())).await {
            Ok(Answer::Value(value) | Answer::Text(value)) => value,
            Ok(_) | Err(_) => String::new(),
        }
    }
}

/// A refusal with one reason.
pub(crate) fn refuse(reason: &str) -> Reply {
    Err(Refusal {
        reasons: vec![reason.into()],
    })
}
