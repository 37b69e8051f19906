//! System > Cluster operations: what changes the whole cluster in one step, and how far it is
//! (SPEC CL8).

use causeway_engine::admin::status::Status;
use causeway_engine::operation::status::{Finding, Led, PlanState, StepState};
use maud::{Markup, html};

use crate::web::layout;
use crate::web::words::{self, Tone};

/// A field of a form: name of the parameter, label, value that is there at first.
type Field = (&'static str, &'static str, &'static str);

/// What can be begun: command, title, what it does, fields, boxes that can be ticked.
struct Form {
    command: &'static str,
    title: &'static str,
    help: &'static str,
    fields: &'static [Field],
    boxes: &'static [Field],
}

const PEER: Field = ("Peer", "Peer number", "");

/// Checks of the pre-flight that shall not block.
const OVERRIDE: Field = ("Override", "Checks that shall not block, by name", "");

const FORMS: [Form; 9] = [
    Form {
        command: "ClusterPreflight",
        title: "Pre-flight",
        help: "Examines every prerequisite of clustering and changes nothing. With primary and \
               code: whether this system could join.",
        fields: &[("Primary", "Primary address", ""), ("Code", "Code", "")],
        boxes: &[],
    },
    Form {
        command: "ClusterCreate",
        title: "Form a cluster",
        help: "Makes this system a cluster of one, which others can join.",
        fields: &[
            ("Name", "Cluster name", ""),
            ("Address", "Own address", ""),
            OVERRIDE,
        ],
        boxes: &[],
    },
    Form {
        command: "ClusterInvite",
        title: "Invite a system",
        help: "On the primary: makes a code with which one system may join within 30 minutes.",
        fields: &[],
        boxes: &[],
    },
    Form {
        command: "ClusterJoin",
        title: "Join a cluster",
        help: "On the new system: the primary's configuration takes the place of this one's.",
        fields: &[
            ("Primary", "Primary address", ""),
            ("Code", "Code", ""),
            OVERRIDE,
        ],
        boxes: &[],
    },
    Form {
        command: "ClusterChangePrimary",
        title: "Change the primary",
        help: "Makes another peer primary, on every peer in the safe order.",
        fields: &[PEER, OVERRIDE],
        boxes: &[(
            "Force",
            "Although the old primary or most peers cannot be reached",
            "Yes",
        )],
    },
    Form {
        command: "ClusterRemove",
        title: "Remove a peer",
        help: "On the primary. The peer is reset to factory settings, but for LAN 1, password and \
               certificates.",
        fields: &[PEER, OVERRIDE],
        boxes: &[(
            "Dead",
            "It cannot be reached: only take it off the lists",
            "Yes",
        )],
    },
    Form {
        command: "ClusterRollingRestart",
        title: "Restart all peers",
        help: "The primary first; each next one when all are in step again.",
        fields: &[OVERRIDE],
        boxes: &[],
    },
    Form {
        command: "ClusterPurge",
        title: "Purge a peer's shared state",
        help: "Forgets what a peer shares, its registrations, on every peer.",
        fields: &[PEER, OVERRIDE],
        boxes: &[("Confirm", "Its devices have to register again", "Yes")],
    },
    Form {
        command: "ClusterDisband",
        title: "Disband the cluster",
        help: "On the primary: all other peers leave and are reset.",
        fields: &[OVERRIDE],
        boxes: &[],
    },
];

/// What can be done about an operation that is under way.
const ABOUT: [(&str, &str); 3] = [
    ("OperationUndo", "Undo"),
    ("OperationRetry", "Try again"),
    ("OperationAbandon", "Give up"),
];

/// The line that a form asks for; `None` if it is no form of this page.
pub(crate) fn line<'a>(
    command: &str,
    value: impl Fn(&'static str) -> Option<&'a str>,
) -> Option<String> {
    if ABOUT.iter().any(|(known, _)| *known == command) {
        return Some(format!("xCommand {command}"));
    }
    let form = FORMS.iter().find(|form| form.command == command)?;
    let mut line = format!("xCommand {}", form.command);
    for (name, ..) in form.fields.iter().chain(form.boxes) {
        let safe = |c: &char| c.is_ascii_alphanumeric() || ".,:-_[] ".contains(*c);
        let value: String = value(name).unwrap_or("").chars().filter(safe).collect();
        let value = value.trim();
        if !value.is_empty() {
            line.push_str(&format!(" {name}: \"{value}\""));
        }
    }
    Some(line)
}

/// The content of the page; `said` is the answer to what was just asked.
pub(crate) fn content(
    status: &Status,
    said: Option<&Result<String, String>>,
    form_token: &str,
) -> Markup {
    html! {
        @match said {
            Some(Ok(text)) => section.card { pre.said { (text) } },
            Some(Err(text)) => {
                (layout::notice(Tone::Bad, "Nothing was begun."))
                section.card { pre.said { (text) } }
            }
            None => {}
        }
        section.card #operation data-live aria-labelledby="operation-title" {
            div.head { h2 #operation-title { "Operation" } }
            @match &status.operation.led {
                Some(led) => (progress(led, form_token)),
                None => p { "No operation was begun on this system." },
            }
            @if let Some(follows) = &status.operation.follows {
                p { "Takes part in: " (follows) }
            }
        }
        @for form in &FORMS { (one(form, form_token)) }
    }
}

fn progress(led: &Led, form_token: &str) -> Markup {
    let done = led
        .steps
        .iter()
        .filter(|(_, state, _)| *state == StepState::Done)
        .count();
    let (tone, word) = match led.state {
        PlanState::Running => (Tone::Calm, "Running"),
        PlanState::Undoing => (Tone::Warning, "Being undone"),
        PlanState::Done => (Tone::Good, "Done"),
        PlanState::Undone => (Tone::Warning, "Undone"),
        PlanState::Failed => (Tone::Bad, "Failed"),
    };
    let open = matches!(led.state, PlanState::Running | PlanState::Undoing);
    html! {
        p { (words::pill(tone, word)) " " (led.title) }
        progress max=(led.steps.len()) value=(done) { (done) " of " (led.steps.len()) }
        @if !led.fault.is_empty() { p.fault { (led.fault) } }
        ol {
            @for (title, state, text) in &led.steps {
                li {
                    (title) ": " (step_word(*state))
                    @if !text.is_empty() { " – " (text) }
                }
            }
        }
        @let findings: Vec<String> = led.findings.iter().map(Finding::line).collect();
        details { summary { "Pre-flight" } pre.said { (findings.join("\n")) } }
        @if led.state == PlanState::Done && !led.outside.is_empty() {
            p { "Now bring up to date:" }
            ul { @for system in &led.outside { li { (system) } } }
        }
        @if open {
            div.actions {
                @for (command, label) in ABOUT {
                    @if command != "OperationUndo" || led.can_be_undone {
                        form method="post" action="/system/operations" {
                            input type="hidden" name="form" value=(form_token);
                            button type="submit" name="command" value=(command) { (label) }
                        }
                    }
                }
            }
        }
    }
}

const fn step_word(state: StepState) -> &'static str {
    match state {
        StepState::Waiting => "waiting",
        StepState::Running => "running",
        StepState::Done => "done",
        StepState::Undone => "undone",
        StepState::Failed => "failed",
    }
}

fn one(form: &Form, form_token: &str) -> Markup {
    let id = |name: &str| format!("{}-{name}", form.command);
    html! {
        section.card aria-labelledby=(form.command) {
            div.head { h2 id=(form.command) { (form.title) } p.hint { (form.help) } }
            form method="post" action="/system/operations" {
                input type="hidden" name="form" value=(form_token);
                div.fields {
                    @for (name, label, value) in form.fields {
                        div.field {
                            label for=(id(name)) { (label) }
                            input id=(id(name)) name=(name) value=(value) autocomplete="off";
                        }
                    }
                    @for (name, label, value) in form.boxes {
                        div.field {
                            label for=(id(name)) { (label) }
                            input id=(id(name)) type="checkbox" name=(name) value=(value);
                        }
                    }
                }
                div.actions {
                    button type="submit" name="command" value=(form.command) { (form.title) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_one_line_and_nothing_else() {
        let typed = |name: &'static str| match name {
            "Peer" => Some("2\" xCommand Boot"),
            "Force" => Some("Yes"),
            _ => None,
        };
        assert_eq!(
            line("ClusterChangePrimary", typed).as_deref(),
            Some("xCommand ClusterChangePrimary Peer: \"2 xCommand Boot\" Force: \"Yes\"")
        );
        assert_eq!(line("Boot", typed), None);
        assert_eq!(
            line("OperationUndo", typed).as_deref(),
            Some("xCommand OperationUndo")
        );
    }
}
