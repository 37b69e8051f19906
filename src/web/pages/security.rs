//! Maintenance > Security: the certificate of this system, trusted authorities, and what those
//! have revoked (SPEC TL1).

use causeway_engine::admin::status::Status;
use causeway_engine::certificate::Ask;
use causeway_engine::certificate::status::{CertificateStatus, Shown};
use maud::{Markup, html};

use crate::web::http::Fields;
use crate::web::layout;
use crate::web::words::{self, Tone};

/// Where the page is.
pub(crate) const PATH: &str = "/maintenance/security";

/// What a form of this page asks; `None` if it is none of them.
pub(crate) fn ask(form: &Fields) -> Option<Ask> {
    let pem = || form.get("pem").unwrap_or("").to_owned();
    let number = || form.get("number")?.parse().ok();
    Some(match form.get("do")? {
        "install" => Ask::Install { pem: pem() },
        "request" => {
            let names = form.get("names").unwrap_or("");
            let names = names
                .split([',', ' ', '\n', '\r'])
                .filter(|name| !name.is_empty());
            let names = names.map(str::to_owned).collect();
            Ask::Request { names }
        }
        "show-request" => Ask::ShowRequest,
        "self-signed" => Ask::SelfSigned,
        "trust" => Ask::Trust { pem: pem() },
        "distrust" => Ask::Distrust { number: number()? },
        "revoke" => Ask::Revoke { pem: pem() },
        "forget" => Ask::Forget { number: number()? },
        _ => return None,
    })
}

/// The content of the page; `told` is what came of the form that led here.
pub(crate) fn content(
    status: &Status,
    told: Option<&Result<String, Vec<String>>>,
    form_token: &str,
) -> Markup {
    let held = &status.certificates;
    html! {
        @match told {
            Some(Ok(text)) if text.starts_with("-----BEGIN") => {
                section.card aria-labelledby="request-text" {
                    div.head { h2 #request-text { "Request for a certificate" } }
                    p.hint { "Have an authority sign it, and install what it gives." }
                    pre.code { (text) }
                }
            }
            Some(Ok(text)) => (layout::notice(Tone::Good, text)),
            Some(Err(faults)) => (layout::notice(Tone::Bad, &faults.join("; "))),
            None => {}
        }
        section.card aria-labelledby="own-title" {
            div.head {
                h2 #own-title { "Server certificate" }
                p.hint { "Presented to peers and browsers. Changes take effect at once." }
            }
            @if held.own.is_empty() { p { "The self-signed certificate is in use." } }
            @if let Some(fault) = &held.fault {
                p { (words::pill(Tone::Warning, "Peers that enforce would refuse it")) " " (fault) }
            }
            @for shown in &held.own { (certificate(shown)) }
            @if !held.own.is_empty() {
                (button("self-signed", "Back to self-signed", None, form_token))
            }
            (paste("install", "Certificate, chain and key (PEM)", "Install", form_token))
        }
        section.card aria-labelledby="request-title" {
            div.head {
                h2 #request-title { "Request a certificate" }
                p.hint { "The key is made here and stays here." }
            }
            form method="post" action=(PATH) {
                input type="hidden" name="form" value=(form_token);
                div.field {
                    label for="names" { "Names, the full name of this system first" }
                    input #names name="names" autocomplete="off" spellcheck="false";
                }
                div.actions { button type="submit" name="do" value="request" { "Make a request" } }
            }
            @if held.requested { (button("show-request", "Show the request", None, form_token)) }
        }
        (trust(held, form_token))
    }
}

/// Whom this system trusts, and what those have revoked.
fn trust(held: &CertificateStatus, form_token: &str) -> Markup {
    html! {
        section.card aria-labelledby="trust-title" {
            div.head { h2 #trust-title { "Trusted authorities" } }
            @for (number, shown) in (1..).zip(&held.authorities) {
                (certificate(shown))
                (button("distrust", "Trust no more", Some(number), form_token))
            }
            (paste("trust", "Authorities (PEM)", "Trust", form_token))
        }
        section.card aria-labelledby="revoked-title" {
            div.head { h2 #revoked-title { "Revocation lists" } }
            @for (number, list) in (1..).zip(&held.lists) {
                dl.facts {
                    dt { "Authority" } dd { (list.issuer) }
                    dt { "Made" } dd { (words::time(list.made)) }
                    @if let Some(next) = list.next { dt { "Next" } dd { (words::time(next)) } }
                }
                (button("forget", "Forget", Some(number), form_token))
            }
            (paste("revoke", "Revocation lists (PEM)", "Take", form_token))
        }
    }
}

fn certificate(shown: &Shown) -> Markup {
    html! {
        dl.facts {
            dt { "Subject" } dd { (shown.subject) }
            dt { "Names" } dd { (shown.names.join(", ")) }
            dt { "Issuer" } dd { (shown.issuer) }
            dt { "From" } dd { (words::time(shown.not_before)) }
            dt { "Until" } dd { (words::time(shown.not_after)) }
            dt { "SHA-256" } dd { span.code { (shown.fingerprint) } }
        }
    }
}

fn paste(what: &str, label: &str, action: &str, form_token: &str) -> Markup {
    let id = format!("{what}-pem");
    html! {
        form method="post" action=(PATH) {
            input type="hidden" name="form" value=(form_token);
            div.field {
                label for=(id) { (label) }
                textarea id=(id) name="pem" rows="6" spellcheck="false" autocomplete="off"
                    placeholder="-----BEGIN …" {}
            }
            div.actions { button type="submit" name="do" value=(what) { (action) } }
        }
    }
}

fn button(what: &str, label: &str, number: Option<usize>, form_token: &str) -> Markup {
    html! {
        form method="post" action=(PATH) {
            input type="hidden" name="form" value=(form_token);
            @if let Some(number) = number { input type="hidden" name="number" value=(number); }
            div.actions { button type="submit" name="do" value=(what) { (label) } }
        }
    }
}
