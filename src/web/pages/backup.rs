//! Maintenance > Backup and restore: one encrypted file with everything that is set (SPEC UP4).

use maud::{Markup, html};

/// The page; `fault` says why the last wish was not done.
pub(crate) fn content(fault: Option<&str>, form_token: &str) -> Markup {
    html! {
        @if let Some(fault) = fault { div.faults role="alert" { p { (fault) } } }
        section.card aria-labelledby="take-title" {
            div.head { h2 #take-title { "Take a backup" } }
            p.hint {
                "One encrypted file with every setting and secret of this system. Keys and \
                 certificates are not in it. Without its password it is of no use."
            }
            form method="post" action="/maintenance/backup" {
                input type="hidden" name="form" value=(form_token);
                input type="hidden" name="task" value="take";
                div.fields { (password("take-password", "new-password")) }
                div.actions { button type="submit" { "Download the backup" } }
            }
        }
        section.card aria-labelledby="restore-title" {
            div.head { h2 #restore-title { "Restore a backup" } }
            p.hint {
                "Only onto the version that took it. What changes is shown first; nothing is \
                 done before you say so."
            }
            form method="post" action="/maintenance/backup" enctype="multipart/form-data" {
                input type="hidden" name="form" value=(form_token);
                input type="hidden" name="task" value="preview";
                div.fields {
                    div.field {
                        label for="file" { "Backup file" }
                        input id="file" name="file" type="file" required;
                    }
                    (password("restore-password", "off"))
                    div.field {
                        label.check {
                            input type="checkbox" name="peer-only" value="1";
                            " Only what belongs to this peer alone (†)"
                        }
                    }
                }
                div.actions { button type="submit" { "Show what it changes" } }
            }
        }
    }
}

/// Asks whether to restore; `changes` is what the command line shows.
pub(crate) fn confirmation(changes: &str, file: &str, peer_only: bool, form_token: &str) -> Markup {
    let changes = changes
        .trim_start_matches("*r ")
        .trim_end()
        .trim_end_matches("*r/end");
    html! {
        section.card aria-labelledby="confirm-title" {
            div.head { h2 #confirm-title { "Restore this backup?" } }
            p.hint {
                "- is the value now, + the value that is restored. All is saved as one change."
            }
            div.scroll tabindex="0" role="region" aria-label="Changes" {
                pre.code { (changes) }
            }
            form method="post" action="/maintenance/backup" enctype="multipart/form-data" {
                input type="hidden" name="form" value=(form_token);
                input type="hidden" name="task" value="restore";
                input type="hidden" name="file" value=(file);
                @if peer_only { input type="hidden" name="peer-only" value="1"; }
                div.fields { (password("confirm-password", "off")) }
                div.actions {
                    button type="submit" { "Restore" }
                    a href="/maintenance/backup" { "Cancel" }
                }
            }
        }
    }
}

fn password(id: &str, complete: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { "Password of the backup" }
            input id=(id) name="password" type="password" required autocomplete=(complete);
        }
    }
}
