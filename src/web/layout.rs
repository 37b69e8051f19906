//! What all pages share: mark, menu, alarm banner, footer.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use causeway_engine::admin::status::Status;

use super::assets;
use super::words::{self, Tone};

/// Pages in the menu, at the guide's places (SPEC UI1).
const MENU: &[(&str, &[(&str, &str)])] = &[
    (
        "Status",
        &[
            ("/status/overview", "Overview"),
            ("/status/calls", "Calls"),
            ("/status/registrations", "Registrations"),
            ("/status/alarms", "Alarms"),
        ],
    ),
    (
        "System",
        &[
            ("/system/administration", "Administration"),
            ("/system/network", "Network interfaces"),
            ("/system/clustering", "Clustering"),
            ("/system/operations", "Cluster operations"),
            ("/system/dns", "DNS"),
            ("/system/time", "Time"),
        ],
    ),
    (
        "Configuration",
        &[
            ("/configuration/sip", "SIP"),
            ("/configuration/domains", "Domains"),
        ],
    ),
    (
        "Maintenance",
        &[
            ("/maintenance/history", "Configuration history"),
            ("/maintenance/backup", "Backup and restore"),
            ("/maintenance/security", "Certificates"),
        ],
    ),
];

/// Three columns of basalt, each a step higher: the way across.
const MARK: PreEscaped<&str> = PreEscaped(include_str!("static/mark.svg"));

/// What a page is set in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// Name of the page.
    pub(super) title: &'a str,
    /// Its path.
    pub(super) path: &'a str,
    /// State of everything.
    pub(super) status: &'a Status,
    /// What forms of this session carry.
    pub(super) form_token: &'a str,
}

/// A page for somebody who is logged in.
pub(super) fn page(frame: &Frame<'_>, content: &Markup) -> Markup {
    let system = &frame.status.system;
    let name = system_name(&system.name);
    document(
        &format!("{} – {name}", frame.title),
        true,
        &html! {
            header.top {
                (brand(&name))
                details.menu {
                    summary { "Menu" }
                    nav aria-label="Pages" { (menu(frame.path)) (leave(frame.form_token)) }
                }
            }
            div.side {
                (brand(&name))
                nav aria-label="Pages" { (menu(frame.path)) }
                (leave(frame.form_token))
            }
            main #content {
                (alarms(frame))
                @if let Some(reset) = &frame.status.operation.reset {
                    (notice(Tone::Bad, reset))
                }
                h1 { (frame.title) }
                (content)
            }
            footer {
                "Causeway " (system.version) " · serial number " span.code { (system.id) }
            }
        },
    )
}

/// A page for somebody who is not logged in.
pub(super) fn outside(title: &str, name: &str, wide: bool, content: &Markup) -> Markup {
    let name = system_name(name);
    let class = if wide { "outside wide" } else { "outside" };
    document(
        &format!("{title} – {name}"),
        false,
        &html! {
            main #content class=(class) {
                div.welcome { (brand(&name)) }
                section.card { h1 { (title) } (content) }
            }
        },
    )
}

fn document(title: &str, live: bool, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" type="image/svg+xml" href=(assets::icon());
                link rel="stylesheet" href=(assets::style());
                @if live { script src=(assets::script()) defer {} }
            }
            body class=[live.then_some("inside")] {
                a.skip href="#content" { "Skip to the content" }
                (body)
                @if live {
                    p #lost role="status" hidden {
                        "This system does not answer. What you see may be out of date."
                    }
                }
            }
        }
    }
}

fn brand(name: &str) -> Markup {
    html! {
        a.brand href="/status/overview" {
            (MARK)
            span { strong { "Causeway" } span.name { (name) } }
        }
    }
}

fn menu(here: &str) -> Markup {
    html! {
        @for (group, pages) in MENU {
            h2 { (group) }
            ul {
                @for (path, title) in *pages {
                    @let current = (*path == here).then_some("page");
                    li { a href=(path) aria-current=[current] { (title) } }
                }
            }
        }
    }
}

fn leave(form_token: &str) -> Markup {
    html! {
        form.leave method="post" action="/logout" {
            input type="hidden" name="form" value=(form_token);
            button.quiet type="submit" { "Log out" }
        }
    }
}

/// The banner that every page shows while an alarm that nobody has seen is raised (SPEC AL2).
fn alarms(frame: &Frame<'_>) -> Markup {
    let unseen = frame
        .status
        .alarms
        .iter()
        .filter(|alarm| !alarm.acknowledged);
    let worst = unseen
        .clone()
        .max_by_key(|alarm| alarm.condition.kind.severity);
    html! {
        div #banner data-live role="status" {
            @if let Some(worst) = worst && frame.path != "/status/alarms" {
                @let (tone, _) = words::severity(worst.condition.kind.severity);
                a class={ "banner " (tone.class()) } href="/status/alarms" {
                    (words::pill(tone, &words::count(unseen.count(), "alarm")))
                    span { (worst.condition.kind.title) }
                }
            }
        }
    }
}

/// A short message about what was just done.
pub(super) fn notice(tone: Tone, text: &str) -> Markup {
    html! {
        p class={ "notice " (tone.class()) } role="status" { (text) }
    }
}

fn system_name(name: &str) -> String {
    if name.is_empty() {
        "New system".into()
    } else {
        name.into()
    }
}
