//! `xCommand Cluster…` and `xStatus Operation`: operations of the cluster on the command line.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Refusal;
use super::commands::{Parameter, Run, Task};
use super::outline::Node;
use crate::config::schema::Kind;
use crate::operation::status::{Ask, Finding, Led, OperationStatus, Request};

/// Names of checks of the pre-flight that shall not block.
pub(super) const OVERRIDE: Parameter = Parameter {
    name: "Override",
    kind: Kind::Text { max: 512 },
    default: Some(""),
};

/// Address of the primary of a cluster that this system is not in.
pub(super) const PRIMARY: Parameter = Parameter {
    name: "Primary",
    kind: Kind::Host,
    default: None,
};

/// The code that the primary gave.
pub(super) const CODE: Parameter = Parameter {
    name: "Code",
    kind: Kind::Text { max: 32 },
    default: None,
};

/// The same parameter where it may be left out.
pub(super) const fn or_none(parameter: Parameter) -> Parameter {
    Parameter {
        default: Some(""),
        ..parameter
    }
}

/// The number of a peer.
pub(super) const PEER: Parameter = Parameter {
    name: "Peer",
    kind: Kind::Number { min: 1, max: 6 },
    default: None,
};

/// The explicit word for what is done although something cannot be verified.
pub(super) const FORCE: Parameter = word("Force");

/// The explicit word for what cannot be undone.
pub(super) const CONFIRM: Parameter = word("Confirm");

/// The explicit word for a peer that cannot be reached.
pub(super) const DEAD: Parameter = word("Dead");

const fn word(name: &'static str) -> Parameter {
    Parameter {
        name,
        kind: Kind::Choice(&["Yes", "No"]),
        default: Some("No"),
    }
}

/// What a command asks of the cluster; `None` if it is no such command.
pub(super) fn ask(run: &Run) -> Option<Result<Ask, Refusal>> {
    let said = |name: &str| run.value(name) == "Yes";
    let peer = run.number("Peer").unwrap_or(0) as u8;
    let request = match run.verb.task {
        Task::Preflight if run.value("Primary").is_empty() => Request::Preflight,
        Task::Preflight => joining(run, true),
        Task::Join => joining(run, false),
        Task::Invite => Request::Invite,
        Task::Create => Request::Create {
            name: run.value("Name").to_string(),
            address: run.value("Address").to_string(),
        },
        Task::ChangePrimary => Request::ChangePrimary {
            peer,
            force: said("Force"),
        },
        Task::Remove => Request::Remove {
            peer,
            dead: said("Dead"),
        },
        Task::Disband => Request::Disband,
        Task::RollingRestart => Request::RollingRestart,
        Task::Purge if !said("Confirm") => {
            return Some(Err(Refusal::because(
                "this forgets all registrations that the peer holds: repeat it with Confirm: Yes",
            )));
        }
        Task::Purge => Request::Purge { peer },
        Task::OperationUndo => Request::Undo,
        Task::OperationRetry => Request::Retry,
        Task::OperationAbandon => Request::Abandon,
        _ => return None,
    };
    let names = run.value("Override").split([',', ' ']);
    let overrides = names.filter(|name| !name.is_empty()).map(String::from);
    Some(Ok(Ask {
        request,
        overrides: overrides.collect(),
    }))
}

fn joining(run: &Run, only_check: bool) -> Request {
    Request::Join {
        primary: run.value("Primary").to_string(),
        code: run.value("Code").to_string(),
        only_check,
    }
}

/// The operation in the outline of the status.
pub(super) fn nodes(operation: &OperationStatus) -> Vec<Node> {
    let mut nodes = Vec::new();
    if let Some(led) = &operation.led {
        nodes.extend(of_led(led));
    }
    let follows = operation.follows.as_ref();
    nodes.extend(follows.map(|text| Node::text("TakesPartIn", text)));
    let reset = operation.reset.as_ref();
    nodes.extend(reset.map(|text| Node::text("FactoryReset", text)));
    let invitation = operation.invitation;
    nodes.extend(invitation.map(|seconds| Node::word("InvitationSeconds", seconds)));
    nodes
}

fn of_led(led: &Led) -> Vec<Node> {
    let mut nodes = alloc::vec![
        Node::text("Title", &led.title),
        Node::word("State", alloc::format!("{:?}", led.state)),
    ];
    if !led.fault.is_empty() {
        nodes.push(Node::text("Fault", &led.fault));
    }
    let undo = if led.can_be_undone { "Yes" } else { "No" };
    nodes.push(Node::word("CanBeUndone", undo));
    for (place, (title, state, text)) in led.steps.iter().enumerate() {
        let mut below = alloc::vec![
            Node::text("Title", title),
            Node::word("State", alloc::format!("{state:?}")),
        ];
        if !text.is_empty() {
            below.push(Node::text("Detail", text));
        }
        nodes.push(Node::item("Step", place + 1, below));
    }
    let findings: Vec<String> = led.findings.iter().map(Finding::line).collect();
    for (place, line) in findings.iter().enumerate() {
        nodes.push(Node::item(
            "Check",
            place + 1,
            alloc::vec![Node::text("Result", line)],
        ));
    }
    for (place, system) in led.outside.iter().enumerate() {
        let update = alloc::vec![Node::text("Update", system.to_string())];
        nodes.push(Node::item("Outside", place + 1, update));
    }
    nodes
}
