//! The licences of everything we build from, against the list in `deny.toml`.

use std::collections::BTreeSet;

use crate::binary;
use crate::tools::{Done, Fault, cargo, fault, output, read_text, root};

/// Checks every package of every kind of dependency; gives their number.
pub fn check() -> Done<usize> {
    let allowed = allowed(&read_text(&root().join("deny.toml"))?)?;
    let mut tree = cargo();
    tree.args([
        "tree",
        "--workspace",
        "--locked",
        "--prefix",
        "none",
        "--target",
        binary::TRIPLE,
    ]);
    tree.args(["--edges", "normal,build,dev", "--format", "{p}\t{l}"]);
    let tree = output(&mut tree)?;
    let lines: BTreeSet<_> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect();
    let mut faults = Vec::new();
    for line in &lines {
        let (package, licence) = line.split_once('\t').unwrap_or((line, ""));
        if !may(licence, &allowed) {
            faults.push(format!(
                "{package}: licence '{licence}' is not in deny.toml"
            ));
        }
    }
    if faults.is_empty() && !lines.is_empty() {
        Ok(lines.len())
    } else {
        fault(faults.join("\n"))
    }
}

/// The strings of `allow = [ … ]`.
fn allowed(text: &str) -> Done<BTreeSet<String>> {
    let list = text
        .split_once("allow = [")
        .and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = list.ok_or_else(|| Fault("deny.toml: no list of licences".into()))?;
    let quoted = list.split('"').skip(1).step_by(2);
    Ok(quoted.map(str::to_owned).collect())
}

/// Whether a licence expression (SPDX) can be met with allowed licences alone. `AND` binds
/// closer than `OR`; `/` is the old way to write `OR`.
fn may(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.replace('(', " ( ").replace(')', " ) ");
    let mut words = Words {
        words: expression.split_whitespace().collect(),
        at: 0,
        allowed,
    };
    words.either() == Some(true) && words.at == words.words.len()
}

struct Words<'a> {
    words: Vec<&'a str>,
    at: usize,
    allowed: &'a BTreeSet<String>,
}

impl Words<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.at) == Some(&word);
        self.at += usize::from(found);
        found
    }

    fn either(&mut self) -> Option<bool> {
        let mut may = self.both()?;
        while self.take("OR") {
            may |= self.both()?;
        }
        Some(may)
    }

    fn both(&mut self) -> Option<bool> {
        let mut may = self.one()?;
        while self.take("AND") {
            may &= self.one()?;
        }
        Some(may)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let may = self.either()?;
            return self.take(")").then_some(may);
        }
        let mut name = (*self.words.get(self.at)?).to_owned();
        self.at += 1;
        if self.take("WITH") {
            name = format!("{name} WITH {}", self.words.get(self.at)?);
            self.at += 1;
        }
        Some(self.allowed.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_or_not() {
        let allowed =
            allowed("x\nallow = [\n \"MIT\",\n\"ISC\", \"A WITH E\",]\n[\"GPL\"]").unwrap();
        for (expression, expected) in [
            ("MIT", true),
            ("GPL", false),
            ("", false),
            ("GPL OR MIT", true),
            ("GPL/MIT", true),
            ("MIT AND GPL", false),
            ("MIT AND GPL OR ISC", true),
            ("(MIT OR GPL) AND ISC", true),
            ("(MIT AND GPL) OR GPL", false),
            ("A WITH E", true),
            ("A WITH F", false),
            ("(MIT", false),
            ("MIT MIT", false),
        ] {
            assert_eq!(may(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn all_that_we_build_from_may_be_used() {
        assert!(check().unwrap() > 50);
    }
}
