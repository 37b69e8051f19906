//! Status > Registrations, by device and by alias, and the way to end them (SPEC MM3).

use std::collections::{BTreeMap, BTreeSet};

use causeway_engine::admin::status::{RegistrationStatus, Status};
use maud::{Markup, html};

use crate::web::words;

/// Rows of one page: a full cluster has hundreds of thousands.
const ROWS: usize = 100;

/// Addresses that are shown by alias; a search by device finds the others.
const ALIASES: usize = 500;

/// The content of the page: those that contain `search`, from page `number` on (first is 1).
pub(crate) fn content(
    status: &Status,
    search: &str,
    number: usize,
    by_alias: bool,
    form_token: &str,
) -> Markup {
    if by_alias {
        return aliases(status, form_token);
    }
    let wanted = search.to_lowercase();
    let found: Vec<&RegistrationStatus> = status
        .registrations
        .iter()
        .filter(|registration| fits(registration, &wanted))
        .collect();
    let pages = found.len().div_ceil(ROWS).max(1);
    let number = number.clamp(1, pages);
    let from = (number - 1) * ROWS;
    let shown = &found[from..found.len().min(from + ROWS)];
    html! {
        (tabs(by_alias))
        form.search method="get" action="/status/registrations" role="search" {
            label.hidden for="search" { "Search address, contact or device" }
            input #search type="search" name="search" value=(search)
                placeholder="Address, contact or device" autocomplete="off" spellcheck="false";
            button.quiet type="submit" { "Search" }
        }
        section.card #registrations data-live aria-label="Registrations" {
            @if shown.is_empty() {
                div.empty {
                    @if search.is_empty() { p { "No device is registered." } }
                    @else { p { "No registration contains “" (search) "”." } }
                }
            } @else {
                p.foot { (words::count(found.len(), "registration")) @if pages > 1 {
                    ", " (from + 1) " to " (from + shown.len())
                } }
                (table(shown, form_token))
                @if pages > 1 { (turn(search, number, pages)) }
            }
        }
    }
}

fn fits(registration: &RegistrationStatus, wanted: &str) -> bool {
    let texts = [
        &registration.aor,
        &registration.contact,
        &registration.user_agent,
    ];
    wanted.is_empty()
        || texts
            .iter()
            .any(|text| text.to_lowercase().contains(wanted))
}

fn tabs(by_alias: bool) -> Markup {
    html! {
        nav.tabs aria-label="Order" {
            a href="/status/registrations" aria-current=[(!by_alias).then_some("true")] {
                "By device"
            }
            a href="/status/registrations?by=alias" aria-current=[by_alias.then_some("true")] {
                "By alias"
            }
        }
    }
}

/// One row for each address, with what is registered for it.
fn aliases(status: &Status, form_token: &str) -> Markup {
    let mut found: BTreeMap<&str, Vec<&RegistrationStatus>> = BTreeMap::new();
    for row in &status.registrations {
        found.entry(&row.aor).or_default().push(row);
    }
    html! {
        (tabs(true))
        section.card #aliases data-live aria-label="Registered addresses" {
            @if found.is_empty() { div.empty { p { "No address is registered." } } }
            @else {
                p.foot {
                    (words::count(found.len(), "registered address"))
                    @if found.len() > ALIASES { ", the first " (ALIASES) " are shown" }
                }
                div.scroll tabindex="0" role="region" aria-label="Registered addresses" {
                    table.stacked {
                        thead { tr {
                            th scope="col" { "Address" } th scope="col" { "Devices" }
                            th scope="col" { "Peers" } th scope="col" { "" }
                        } }
                        tbody {
                            @for (aor, rows) in found.iter().take(ALIASES) {
                                tr {
                                    th scope="row" { (aor) }
                                    td.number data-label="Devices" { (rows.len()) }
                                    td data-label="Peers" { (peers(rows)) }
                                    td { (end(form_token, aor)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn peers(rows: &[&RegistrationStatus]) -> String {
    let peers: BTreeSet<String> = rows
        .iter()
        .map(|row| {
            row.peer
                .map_or("this system".into(), |peer| peer.to_string())
        })
        .collect();
    peers.into_iter().collect::<Vec<_>>().join(", ")
}

fn end(form_token: &str, aor: &str) -> Markup {
    html! {
        form method="post" action="/status/registrations" {
            input type="hidden" name="form" value=(form_token);
            input type="hidden" name="alias" value=(aor);
            button.quiet type="submit" aria-label={ "Unregister " (aor) } { "Unregister" }
        }
    }
}

fn table(rows: &[&RegistrationStatus], form_token: &str) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Registrations" {
            table.stacked {
                thead { tr {
                    th scope="col" { "Address" } th scope="col" { "Contact" }
                    th scope="col" { "Peer" } th scope="col" { "Expires in" }
                    th scope="col" { "Device" } th scope="col" { "" }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" { (row.aor) }
                            td.code data-label="Contact" { (row.contact) }
                            td data-label="Peer" {
                                @match row.peer {
                                    Some(peer) => (peer.to_string()),
                                    None => "this system",
                                }
                            }
                            td.number data-label="Expires in" { (words::span(row.expires_in)) }
                            td data-label="Device" { (row.user_agent) }
                            td { (end(form_token, &row.aor)) }
                        }
                    }
                }
            }
        }
    }
}

fn turn(search: &str, number: usize, pages: usize) -> Markup {
    let link = |number: usize| {
        format!(
            "/status/registrations?page={number}&search={}",
            encode(search)
        )
    };
    html! {
        nav.turn aria-label="Pages of the list" {
            @if number > 1 { a rel="prev" href=(link(number - 1)) { "← Previous" } }
            span { "Page " (number) " of " (pages) }
            @if number < pages { a rel="next" href=(link(number + 1)) { "Next →" } }
        }
    }
}

/// Percent-encoding for a query (RFC 3986 section 2.3).
fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
