//! Status > Calls: every call of the cluster, and the way to end one or all (SPEC MM2).

use std::time::Duration;

use causeway_engine::admin::status::{CallStatus, Status};
use maud::{Markup, html};

use crate::web::words;

/// Rows that are shown; the command line lists all.
const ROWS: usize = 500;

/// The content of the page.
pub(crate) fn content(status: &Status, form_token: &str) -> Markup {
    let calls = &status.calls;
    html! {
        section.card #calls data-live aria-label="Calls" {
            @if calls.is_empty() {
                div.empty { p { "No call is set up." } }
            } @else {
                div.head {
                    p.foot {
                        (words::count(calls.len(), "call"))
                        @if calls.len() > ROWS { ", the " (ROWS) " oldest are shown" }
                    }
                    (end(form_token, "All", "Disconnect all", "Disconnect all calls"))
                }
                (table(status, &calls[..calls.len().min(ROWS)], form_token))
            }
        }
    }
}

fn table(status: &Status, rows: &[CallStatus], form_token: &str) -> Markup {
    let now = status.system.time.as_millis();
    let lasted =
        |call: &CallStatus| Duration::from_millis(now.saturating_sub(call.since.as_millis()));
    html! {
        div.scroll tabindex="0" role="region" aria-label="Calls" {
            table.stacked {
                thead { tr {
                    th scope="col" { "From" } th scope="col" { "To" }
                    th scope="col" { "Start" } th scope="col" { "Duration" }
                    th scope="col" { "Peers" } th scope="col" { "" }
                } }
                tbody {
                    @for call in rows {
                        tr {
                            th scope="row" { (call.from) }
                            td data-label="To" { (call.to) }
                            td data-label="Start" { (words::time(call.since)) }
                            td.number data-label="Duration" { (words::span(lasted(call))) }
                            td data-label="Peers" { (peers(call)) }
                            td {
                                @let label = format!("Disconnect {} and {}", call.from, call.to);
                                (end(form_token, &call.id.to_string(), "Disconnect", &label))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn peers(call: &CallStatus) -> String {
    let peers: Vec<String> = call.peers.iter().map(ToString::to_string).collect();
    if peers.is_empty() {
        "this system".into()
    } else {
        peers.join(", ")
    }
}

fn end(form_token: &str, call: &str, text: &str, label: &str) -> Markup {
    html! {
        form method="post" action="/status/calls" {
            input type="hidden" name="form" value=(form_token);
            input type="hidden" name="call" value=(call);
            button.quiet type="submit" aria-label=(label) { (text) }
        }
    }
}
