//! Status > Alarms: what holds now, what to do, who has seen it, and what was (SPEC AL1, AL2).

use causeway_engine::admin::fate;
use causeway_engine::admin::status::Status;
use causeway_engine::alarm::Alarm;
use causeway_engine::alarm::history::Noted;
use maud::{Markup, html};

use crate::web::words::{self, Tone};

/// Lines of the history that are shown; the command line lists more.
pub(crate) const LINES: usize = 100;

/// The content of the page; the history newest first.
pub(crate) fn content(status: &Status, history: &[Noted], form_token: &str) -> Markup {
    let mut alarms: Vec<&Alarm> = status.alarms.iter().collect();
    alarms.sort_by(|one, two| {
        let order = |alarm: &Alarm| {
            (
                !alarm.acknowledged,
                alarm.condition.kind.severity,
                alarm.last,
            )
        };
        order(two).cmp(&order(one))
    });
    html! {
        div #alarms data-live {
            @if alarms.is_empty() {
                section.card { div.empty {
                    p { (words::pill(Tone::Good, "No alarm is raised")) }
                    p { "Alarms come and go by themselves, as what they tell of comes and goes." }
                } }
            }
            @for alarm in alarms { (one(alarm, form_token)) }
        }
        @if !history.is_empty() {
            section.card #alarm-history data-live aria-labelledby="alarm-history-title" {
                div.head { h2 #alarm-history-title { "History" } }
                (lines(history))
            }
        }
    }
}

fn lines(history: &[Noted]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="alarm-history-title" {
            table.stacked {
                thead { tr {
                    th scope="col" { "Time" } th scope="col" { "Alarm" }
                    th scope="col" { "What happened" } th scope="col" { "Detail" }
                } }
                tbody {
                    @for line in history {
                        tr {
                            th scope="row" { (words::time(line.time)) }
                            td data-label="Alarm" { (line.id) " " (line.title) }
                            td data-label="What happened" {
                                (fate(line.fate))
                                @if !line.by.is_empty() { " by " (line.by) }
                            }
                            td data-label="Detail" { (line.detail) }
                        }
                    }
                }
            }
        }
    }
}

fn one(alarm: &Alarm, form_token: &str) -> Markup {
    let (tone, word) = words::severity(alarm.condition.kind.severity);
    html! {
        article class={ "card alarm " (tone.class()) } {
            div.head {
                h2 { (alarm.condition.kind.title) }
                (words::pill(tone, word))
            }
            p { (alarm.condition.detail) }
            p.remedy { strong { "What to do: " } (alarm.condition.kind.remedy) }
            div.foot {
                span {
                    "Alarm " (alarm.condition.kind.id) " · first " (words::time(alarm.first))
                    @if alarm.count > 1 {
                        " · last " (words::time(alarm.last)) " · " (alarm.count) " times"
                    }
                }
                @if alarm.acknowledged {
                    (words::pill(Tone::Calm, "Acknowledged"))
                } @else {
                    form method="post" action="/status/alarms" {
                        input type="hidden" name="form" value=(form_token);
                        input type="hidden" name="alarm" value=(alarm.condition.kind.id);
                        @let label = format!("Acknowledge: {}", alarm.condition.kind.title);
                        button.quiet type="submit" aria-label=(label) { "Acknowledge" }
                    }
                }
            }
        }
    }
}
