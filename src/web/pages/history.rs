//! Maintenance > Configuration history: who changed what and when, and the way back (SPEC RP8).
//!
//! The engine tells it as text, the same that the command line prints; [`parse`] reads that text.

use maud::{Markup, html};

/// Which chain of revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The replicated configuration.
    Cluster,
    /// Items of this peer alone.
    Peer,
}

impl Scope {
    /// The scope that a page was asked for.
    pub(crate) fn of(text: Option<&str>) -> Self {
        match text {
            Some("Peer") => Self::Peer,
            Some(_) | None => Self::Cluster,
        }
    }

    /// Its word on the command line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Peer => "Peer",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Cluster => "Replicated",
            Self::Peer => "This peer alone †",
        }
    }
}

/// One revision as told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    number: u64,
    /// Time, author, address, face, note.
    told: String,
    differences: Vec<Difference>,
}

/// One item before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Difference {
    path: String,
    before: String,
    after: String,
}

/// The list.
pub(crate) fn content(text: &str, scope: Scope) -> Markup {
    let entries = parse(text);
    html! {
        nav.tabs aria-label="Scope" {
            @for other in [Scope::Cluster, Scope::Peer] {
                a href={ "/maintenance/history?scope=" (other.word()) }
                    aria-current=[(other == scope).then_some("true")] { (other.title()) }
            }
        }
        @if entries.len() > 1 { (compare(&entries, scope)) }
        @if entries.is_empty() {
            section.card { div.empty { p { "Nothing has been changed yet." } } }
        }
        @for (place, entry) in entries.iter().enumerate() {
            article.card {
                div.head {
                    h2 { "Revision " (entry.number) }
                    @if place == 0 {
                        span.hint { "in force" }
                    } @else {
                        a href={ "/maintenance/history?scope=" (scope.word()) "&revision="
                            (entry.number) } { "Go back to it" }
                    }
                }
                p.hint { (entry.told) }
                (differences(&entry.differences))
            }
        }
    }
}

/// Chooses two revisions to compare.
fn compare(entries: &[Entry], scope: Scope) -> Markup {
    let choice = |name: &str, label: &str, chosen: usize| {
        html! {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for (place, entry) in entries.iter().enumerate() {
                    option value=(entry.number) selected[place == chosen] { (entry.number) }
                }
            }
        }
    };
    html! {
        form.search method="get" action="/maintenance/history" {
            input type="hidden" name="scope" value=(scope.word());
            (choice("from", "Compare revision", 1))
            (choice("to", "with", 0))
            button.quiet type="submit" { "Compare" }
        }
    }
}

/// What differs between the values after two revisions, as the command line tells it.
pub(crate) fn comparison(text: &str, scope: Scope, from: u64, to: u64) -> Markup {
    let found = parse_differences(text.lines());
    html! {
        section.card aria-labelledby="compare-title" {
            div.head { h2 #compare-title { "From revision " (from) " to revision " (to) } }
            @if found.is_empty() { p { "The values are the same." } }
            (differences(&found))
            p { a href={ "/maintenance/history?scope=" (scope.word()) } { "All revisions" } }
        }
    }
}

/// Asks whether to go back; `text` tells how that revision differs from now.
pub(crate) fn confirmation(
    text: &str,
    scope: Scope,
    revision: &str,
    fault: Option<&str>,
    form_token: &str,
) -> Markup {
    let changes: Vec<Difference> = parse_differences(text.lines())
        .into_iter()
        .map(|difference| Difference {
            path: difference.path,
            before: difference.after,
            after: difference.before,
        })
        .collect();
    html! {
        @if let Some(fault) = fault { div.faults role="alert" { p { (fault) } } }
        section.card aria-labelledby="back-title" {
            div.head { h2 #back-title { "Go back to revision " (revision) "?" } }
            @if changes.is_empty() {
                p { "The values are the same as now. There is nothing to do." }
            } @else {
                p.hint {
                    "These values are saved again, as a new revision. Secrets stay as they are."
                }
                (differences(&changes))
            }
            form.actions method="post" action="/maintenance/history" {
                input type="hidden" name="form" value=(form_token);
                input type="hidden" name="scope" value=(scope.word());
                input type="hidden" name="revision" value=(revision);
                @if !changes.is_empty() { button type="submit" { "Go back" } }
                a href={ "/maintenance/history?scope=" (scope.word()) } { "Cancel" }
            }
        }
    }
}

fn differences(differences: &[Difference]) -> Markup {
    html! {
        @if !differences.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Changes" {
                table.stacked {
                    thead { tr {
                        th scope="col" { "Item" } th scope="col" { "Before" }
                        th scope="col" { "After" }
                    } }
                    tbody {
                        @for difference in differences {
                            tr {
                                th scope="row" { (difference.path) }
                                td.code data-label="Before" { (shown(&difference.before)) }
                                td.code data-label="After" { (shown(&difference.after)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "–" } else { value }
}

/// Reads what `ConfigurationHistory` prints.
fn parse(text: &str) -> Vec<Entry> {
    let mut entries: Vec<(Entry, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("    Revision ") {
            let (number, told) = title.split_once(' ').unwrap_or((title, ""));
            let entry = Entry {
                number: number.parse().unwrap_or(0),
                told: readable(told),
                differences: Vec::new(),
            };
            entries.push((entry, Vec::new()));
        } else if let Some((_, lines)) = entries.last_mut() {
            lines.push(line);
        }
    }
    let whole = |(mut entry, lines): (Entry, Vec<&str>)| {
        entry.differences = parse_differences(lines.into_iter());
        entry
    };
    entries.into_iter().map(whole).collect()
}

/// `(epoch 3) 2026-11-22T08:30:00Z admin by web` with its time as on every page. The epoch is how
/// peers compare terms, not something to read.
fn readable(told: &str) -> String {
    let told = match told
        .strip_prefix("(epoch ")
        .and_then(|rest| rest.split_once(") "))
    {
        Some((_, rest)) => rest,
        None => told,
    };
    let (time, rest) = told.split_once(' ').unwrap_or((told, ""));
    format!("{} · {rest}", time.replace('T', " ").replace('Z', " UTC"))
}

/// Reads pairs of lines `- PATH: "VALUE"` and `+ PATH: "VALUE"`.
fn parse_differences<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    for line in lines {
        let line = line.trim_start();
        let (Some(sign), Some((path, value))) = (line.chars().next(), pair(line)) else {
            continue;
        };
        match (sign, found.last_mut()) {
            ('+', Some(last)) if last.path == path => last.after = value.into(),
            ('-', _) => found.push(Difference {
                path: path.into(),
                before: value.into(),
                after: String::new(),
            }),
            (_, _) => {}
        }
    }
    found
}

fn pair(line: &str) -> Option<(&str, &str)> {
    let (path, value) = line.get(2..)?.split_once(": \"")?;
    Some((path, value.strip_suffix('"')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "*r ConfigurationHistory Cluster:\n    \
        Revision 2 (epoch 118079) 2026-11-22T08:30:00Z admin from 192.0.2.7 by web: A note\n      \
        - SIP UDP Port: \"5060\"\n      + SIP UDP Port: \"5070\"\n    \
        Revision 1 2026-11-22T08:00:00Z system by start\n      \
        - SystemUnit Name: \"\"\n      + SystemUnit Name: \"<b>\"\n*r/end\n";

    #[test]
    fn what_the_engine_tells_becomes_a_list() {
        let entries = parse(TOLD);
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].number, 2);
        let told = "2026-11-22 08:30:00 UTC · admin from 192.0.2.7 by web: A note";
        assert_eq!(entries[0].told, told);
        let expected = Difference {
            path: "SIP UDP Port".into(),
            before: "5060".into(),
            after: "5070".into(),
        };
        assert_eq!(entries[0].differences, [expected]);
        let shown = content(TOLD, Scope::Cluster).into_string();
        assert!(
            shown.contains("revision=1") && !shown.contains("revision=2"),
            "{shown}"
        );
        assert!(!shown.contains("<b>"));
        assert!(
            content("", Scope::Peer)
                .into_string()
                .contains("Nothing has been changed")
        );
    }

    #[test]
    fn two_revisions_are_compared() {
        let shown = content(TOLD, Scope::Cluster).into_string();
        assert!(shown.contains("<option value=\"1\" selected>"), "{shown}");
        let told = "*r ConfigurationDiff Cluster:\n      - SIP UDP Port: \"5060\"\n      \
                    + SIP UDP Port: \"5070\"\n*r/end\n";
        let shown = comparison(told, Scope::Peer, 1, 2).into_string();
        let (before, after) = (shown.find(">5060<"), shown.find(">5070<"));
        assert!(before.is_some() && before < after, "{shown}");
        assert!(
            comparison("", Scope::Peer, 1, 1)
                .into_string()
                .contains("the same")
        );
    }

    #[test]
    fn going_back_shows_what_it_would_change() {
        let told = "*r ConfigurationDiff Cluster:\n      - SIP UDP Port: \"5060\"\n      \
                    + SIP UDP Port: \"5070\"\n*r/end\n";
        let shown = confirmation(told, Scope::Cluster, "1", None, "token").into_string();
        let (before, after) = (shown.find(">5070<"), shown.find(">5060<"));
        assert!(before.is_some() && before < after, "{shown}");
        let same = confirmation("", Scope::Cluster, "1", None, "token").into_string();
        assert!(same.contains("nothing to do") && !same.contains("<button"));
    }
}
