//! The set-up wizard at first boot, while the administrator has no password (SPEC AP6).

use maud::{Markup, html};

use crate::setup::QUESTIONS;
use crate::web::form::{self, Faults, Values};
use crate::web::layout;

/// Names of the two password fields.
pub(crate) const PASSWORDS: [&str; 2] = ["password", "password-again"];

/// The page; `values` are the answers so far.
pub(crate) fn page(name: &str, values: &Values, faults: Faults<'_>) -> Markup {
    let paths: Vec<String> = QUESTIONS
        .iter()
        .map(|question| question.path.into())
        .collect();
    layout::outside(
        "Set up this system",
        name,
        true,
        &html! {
            p.lead { "A few answers, saved as one change. All of them can be changed later." }
            (faults.summary(&paths))
            form method="post" action="/setup" {
                h2 { "Administrator" }
                div.fields {
                    @for (field, label) in PASSWORDS.iter().zip(["Password", "Password again"]) {
                        div.field {
                            label for=(field) { (label) }
                            input id=(field) name=(field) type="password" required
                                autocomplete="new-password";
                            p.help { "At least 8 characters. The user name is admin." }
                        }
                    }
                }
                h2 { "Network and time" }
                div.fields {
                    @for question in QUESTIONS {
                        (form::field(question.path, question.label, values, faults))
                    }
                }
                div.actions {
                    button type="submit" { "Save and finish" }
                    p.hint { "The pages move to the new LAN1 address." }
                }
            }
        },
    )
}

/// What to say when it is done.
pub(crate) fn done(name: &str, address: &str) -> Markup {
    let url = format!("https://{address}/");
    layout::outside(
        "Set up",
        name,
        false,
        &html! {
            p { "This system is set up." }
            p { "Its pages are at " a href=(url) { (url) } "." }
        },
    )
}
