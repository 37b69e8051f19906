//! Logging in.

use maud::{Markup, html};

use crate::accounts::ADMINISTRATOR;
use crate::web::layout;

/// The login page; `fault` says why the last attempt was refused, `then` where to go afterwards.
pub(crate) fn page(name: &str, fault: Option<&str>, then: &str) -> Markup {
    layout::outside(
        "Log in",
        name,
        false,
        &html! {
            @if let Some(fault) = fault {
                div.faults role="alert" { p { (fault) } }
            }
            form.stack method="post" action="/login" {
                input type="hidden" name="then" value=(then);
                div.field {
                    label for="name" { "User name" }
                    input #name name="name" value=(ADMINISTRATOR) autocomplete="username"
                        autocapitalize="off" spellcheck="false" required;
                }
                div.field {
                    label for="password" { "Password" }
                    input #password name="password" type="password" required autofocus
                        autocomplete="current-password";
                }
                button type="submit" { "Log in" }
            }
        },
    )
}
