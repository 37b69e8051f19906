//! Maintenance > Configuration history.

use maud::{Markup, html};

/// The content of the page.
pub(crate) fn content(text: &str, _form_token: &str) -> Markup {
    html! { pre { (text) } }
}
