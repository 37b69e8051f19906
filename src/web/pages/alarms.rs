//! Status > Alarms: what holds now, what to do, and who has seen it (SPEC AL1, AL2).

use causeway_engine::admin::status::Status;
use causeway_engine::alarm::Alarm;
use maud::{Markup, html};

use crate::web::words::{self, Tone};

/// The content of the page.
pub(crate) fn content(status: &Status, form_token: &str) -> Markup {
    let mut alarms: Vec<&Alarm> = status.alarms.iter().collect();
    alarms.sort_by(|one, two| {
        let order = |alarm: &Alarm| (!alarm.acknowledged, alarm.condition.severity, alarm.last);
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
    }
}

fn one(alarm: &Alarm, form_token: &str) -> Markup {
    let (tone, word) = words::severity(alarm.condition.severity);
    html! {
        article class={ "card alarm " (tone.class()) } {
            div.head {
                h2 { (alarm.condition.title) }
                (words::pill(tone, word))
            }
            p { (alarm.condition.detail) }
            p.remedy { strong { "What to do: " } (alarm.condition.remedy) }
            div.foot {
                span {
                    "Alarm " (alarm.condition.id) " · first " (words::time(alarm.first))
                    @if alarm.count > 1 {
                        " · last " (words::time(alarm.last)) " · " (alarm.count) " times"
                    }
                }
                @if alarm.acknowledged {
                    (words::pill(Tone::Calm, "Acknowledged"))
                } @else {
                    form method="post" action="/status/alarms" {
                        input type="hidden" name="form" value=(form_token);
                        input type="hidden" name="alarm" value=(alarm.condition.id);
                        button.quiet type="submit"
                            aria-label={ "Acknowledge: " (alarm.condition.title) } { "Acknowledge" }
                    }
                }
            }
        }
    }
}
