//! Fields made from the schema: name, kind, default, scope and help come from there (SPEC RP1).

use std::collections::BTreeMap;

use causeway_engine::config::path::Path;
use causeway_engine::config::schema::{Kind, Scope};
use maud::{Markup, html};

use super::http::Fields;

/// Values of items, by path.
pub(super) type Values = BTreeMap<String, String>;

/// What was refused, one sentence each; those about one item begin with its path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults<'a>(pub(super) &'a [String]);

impl<'a> Faults<'a> {
    /// What is wrong with an item.
    pub(super) fn of(self, path: &str) -> Option<&'a str> {
        self.0.iter().find_map(|fault| about(fault, path))
    }

    /// All faults at the top of a form, with links to the fields.
    pub(super) fn summary(self, paths: &[String]) -> Markup {
        html! {
            @if !self.0.is_empty() {
                div.faults role="alert" tabindex="-1" {
                    h2 { "Not saved" }
                    ul {
                        @for fault in self.0 {
                            @let field = paths.iter().find(|path| about(fault, path).is_some());
                            li {
                                @if let Some(path) = field {
                                    a href={ "#" (id(path)) } { (fault) }
                                } @else {
                                    (fault)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn about<'a>(fault: &'a str, path: &str) -> Option<&'a str> {
    fault.strip_prefix(path)?.strip_prefix(": ")
}

/// One field with its label, help and fault; nothing when there is no such item.
pub(super) fn field(path: &str, label: &str, values: &Values, faults: Faults<'_>) -> Markup {
    let Ok(item) = Path::parse(path).map(|path| path.item()) else {
        return html! {};
    };
    let id = id(path);
    let fault = faults.of(path);
    let described = format!(
        "{id}-help{}",
        if fault.is_some() {
            format!(" {id}-fault")
        } else {
            String::new()
        }
    );
    html! {
        div.field.faulty[fault.is_some()] {
            label for=(id) { (label) (dagger(item.scope)) }
            (input(path, &id, &described, item.kind, values, fault.is_some()))
            @if let Some(fault) = fault { p.fault id={ (id) "-fault" } { (fault) } }
            p.help id={ (id) "-help" } { (item.help) }
        }
    }
}

/// The mark of items that belong to one peer (SPEC RP2).
pub(super) fn dagger(scope: Scope) -> Markup {
    html! {
        @if scope == Scope::Peer {
            abbr.dagger title="Of this peer alone: not replicated" { "†" }
        }
    }
}

/// The control of one item alone, for pages that set it themselves.
pub(super) fn input(
    path: &str,
    id: &str,
    described: &str,
    kind: Kind,
    values: &Values,
    faulty: bool,
) -> Markup {
    let value = values.get(path).map_or("", String::as_str);
    let invalid = faulty.then_some("true");
    match kind {
        Kind::Choice(words) => html! {
            select id=(id) name=(path) aria-describedby=(described) aria-invalid=[invalid] {
                @for word in words {
                    option value=(word) selected[*word == value] { (word) }
                }
            }
        },
        Kind::Number { .. } => html! {
            input.short id=(id) name=(path) value=(value) inputmode="numeric" autocomplete="off"
                aria-describedby=(described) aria-invalid=[invalid];
        },
        Kind::Secret { .. } | Kind::Password => html! {
            input id=(id) name=(path) type="password" autocomplete="new-password"
                placeholder=(if value.is_empty() { "not set" } else { "set; type to replace" })
                aria-describedby=(described) aria-invalid=[invalid];
            @if !value.is_empty() {
                label.check {
                    input type="checkbox" name={ "clear " (path) } value="1";
                    " remove it"
                }
            }
        },
        Kind::Text { .. }
        | Kind::Ipv4
        | Kind::Ipv6
        | Kind::Mask
        | Kind::Host
        | Kind::Name { .. } => {
            html! {
                input id=(id) name=(path) value=(value) autocomplete="off" autocapitalize="off"
                    spellcheck="false" aria-describedby=(described) aria-invalid=[invalid];
            }
        }
    }
}

/// What a form asks to be changed: fields whose value differs from `now`.
pub(super) fn changes(paths: &[String], form: &Fields, now: &Values) -> Vec<(String, String)> {
    let change = |path: &String| {
        let secret = Path::parse(path).is_ok_and(|path| path.item().kind.is_secret());
        let cleared = form.get(&format!("clear {path}")).is_some();
        let value = form.get(path)?;
        let current = now.get(path).map_or("", String::as_str);
        let changed = match secret {
            true => cleared || !value.is_empty(),
            false => value != current,
        };
        changed.then(|| (path.clone(), value.to_owned()))
    };
    paths.iter().filter_map(change).collect()
}

/// The values as they were typed, to be shown again with what is wrong.
pub(super) fn typed(paths: &[String], form: &Fields, now: &Values) -> Values {
    let mut values = now.clone();
    for path in paths {
        let secret = Path::parse(path).is_ok_and(|path| path.item().kind.is_secret());
        if let Some(value) = form.get(path)
            && !secret
        {
            values.insert(path.clone(), value.into());
        }
    }
    values
}

/// The field's name in the document.
pub(super) fn id(path: &str) -> String {
    path.to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        let owned = |(path, value): &(&str, &str)| (path.to_string(), value.to_string());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn only_what_differs_is_changed_and_secrets_only_by_word() {
        let paths = ["SystemUnit Name", "Alternates Cluster Secret"].map(String::from);
        let now = values(&[
            ("SystemUnit Name", "one"),
            ("Alternates Cluster Secret", "***"),
        ]);
        let changed = |form: Fields| changes(&paths, &form, &now);
        let same = [
            ("SystemUnit Name", " one "),
            ("Alternates Cluster Secret", ""),
        ];
        assert_eq!(changed(same.into()), []);
        let both = [
            ("SystemUnit Name", "two"),
            ("Alternates Cluster Secret", "x"),
        ];
        assert_eq!(changed(both.into()).len(), 2);
        let cleared = [
            ("Alternates Cluster Secret", ""),
            ("clear Alternates Cluster Secret", "1"),
        ];
        let expected = [("Alternates Cluster Secret".to_owned(), String::new())];
        assert_eq!(changed(cleared.into()), expected);
    }

    #[test]
    fn faults_stand_at_their_field_and_at_the_top() {
        let faults = [
            "SystemUnit Name: too long".to_owned(),
            "another peer has it".to_owned(),
        ];
        let faults = Faults(&faults);
        assert_eq!(faults.of("SystemUnit Name"), Some("too long"));
        assert_eq!(faults.of("SystemUnit"), None);
        let shown = field("SystemUnit Name", "Name", &values(&[]), faults).into_string();
        assert!(shown.contains("aria-invalid=\"true\"") && shown.contains("too long"));
        let summary = faults
            .summary(&["SystemUnit Name".to_owned()])
            .into_string();
        assert!(summary.contains("href=\"#systemunit-name\""), "{summary}");
        assert!(summary.contains("another peer has it"));
    }

    #[test]
    fn what_is_typed_cannot_become_markup() {
        let values = values(&[("SystemUnit Name", "\"><script>alert(1)</script>")]);
        let shown = field("SystemUnit Name", "Name", &values, Faults(&[])).into_string();
        assert!(!shown.contains("<script>"), "{shown}");
    }
}
