//! Status > Registrations by device.

use causeway_engine::admin::status::{RegistrationStatus, Status};
use maud::{Markup, html};

use crate::web::words;

/// Rows of one page: a full cluster has hundreds of thousands.
const ROWS: usize = 100;

/// The content of the page: those that contain `search`, from page `number` on (first is 1).
pub(crate) fn content(status: &Status, search: &str, number: usize) -> Markup {
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
                (table(shown))
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

fn table(rows: &[&RegistrationStatus]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Registrations" {
            table.stacked {
                thead { tr {
                    th scope="col" { "Address" } th scope="col" { "Contact" }
                    th scope="col" { "Peer" } th scope="col" { "Expires in" }
                    th scope="col" { "Device" }
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
