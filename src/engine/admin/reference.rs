//! The reference of settings and commands in Markdown, derived from the tables (SPEC RP1).

use alloc::format;
use alloc::string::String;

use super::commands::{VERBS, usage};
use super::settings::mark;
use crate::config::schema::SCHEMA;

/// The whole reference. It follows from the tables alone, so it is the same on every machine.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration reference\n\n\
         Every item as `xConfiguration` takes it. † marks items that belong to one peer alone; \
         all others are changed on the primary and are the same on every peer. R marks items \
         that take effect after a restart. Setting an item to `\"\"` gives it its default.\n",
    );
    let mut group = "";
    for item in SCHEMA {
        let first = item.pattern.split(' ').next().unwrap_or("");
        if first != group {
            group = first;
            text.push_str(&format!(
                "\n## {group}\n\n| item | values | default | | |\n|---|---|---|---|---|\n"
            ));
        }
        let default = match item.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        text.push_str(&format!(
            "| `{}`{} | `{}` | {default} | {} | {} |\n",
            item.pattern,
            mark(item),
            item.kind.space(),
            if item.restart { "R" } else { "" },
            item.help
        ));
    }
    text.push_str("\n# Commands\n\n| command | |\n|---|---|\n");
    for verb in VERBS {
        text.push_str(&format!("| `{}` | {} |\n", usage(verb), verb.help));
    }
    text
}
