//! The rules of the house that a compiler does not know, as tests (DESIGN 1 and 5).
//!
//! A failure names the file, the line and the rule. The tables at the top are the rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which modules of the engine each of its modules may name. `wire` is listed by its parts.
const ENGINE_IMPORTS: &[(&str, &[&str])] = &[
    ("base", &["base"]),
    ("wire", &["base", "wire"]),
    ("config", &["base", "config"]),
    ("directory", &["base", "directory"]),
    ("alarm", &["base", "alarm"]),
    (
        "certificate",
        &[
            "base",
            "wire::pem",
            "wire::x509",
            "config",
            "alarm",
            "certificate",
        ],
    ),
    (
        "cluster",
        &[
            "base",
            "wire::peer",
            "config",
            "directory",
            "alarm",
            "cluster",
        ],
    ),
    ("names", &["base", "config", "names"]),
    ("net", &["base", "wire::netlink", "config", "alarm", "net"]),
    (
        "sip",
        &["base", "wire::sip", "config", "directory", "alarm", "sip"],
    ),
    (
        "operation",
        &[
            "base",
            "wire::peer",
            "config",
            "alarm",
            "cluster",
            "operation",
        ],
    ),
    (
        "admin",
        &[
            "base",
            "config",
            "alarm",
            "directory",
            "admin",
            "certificate",
            "cluster::status",
            "net::status",
            "net::machine",
            "operation::status",
            "sip::status",
        ],
    ),
];

/// Modules that may use all of the engine: the conversation, the wiring, and the list.
const ENGINE_TOP: &[&str] = &["io", "lib", "node"];

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 1_000;
const LINE_COLUMNS_MAX: usize = 100;
const ENGINE_DEPENDENCIES_MAX: usize = 8;
const BINARY_CRATES_MAX: usize = 160;
const ARCHITECTURE_LINES_MAX: usize = 150;

/// What a file that holds `unsafe` says in its module comment, with the reason after it.
const UNSAFE_NOTICE: &str = "//! Unsafe code:";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// All Rust files below the named folders, with their text.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut found);
    }
    found.sort();
    assert!(!found.is_empty(), "no source below {folders:?}");
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).expect("below the root");
            let text = fs::read_to_string(&path).expect("readable source");
            (name.display().to_string(), text)
        })
        .collect()
}

fn check(faults: Vec<String>) {
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// The code of a line: what stands before a comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

/// Whether `used`, the text after `crate::`, names `entry` or something inside it.
fn names(used: &str, entry: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    used.strip_prefix(entry)
        .is_some_and(|rest| !rest.starts_with(word))
}

#[test]
fn engine_modules_import_only_what_the_table_allows() {
    let mut faults = Vec::new();
    for (name, text) in sources(&["src/engine"]) {
        let inside = name.trim_start_matches("src/engine/");
        let module = inside.split(['/', '.']).next().unwrap_or("");
        if ENGINE_TOP.contains(&module) {
            continue;
        }
        let Some((_, allowed)) = ENGINE_IMPORTS.iter().find(|(from, _)| *from == module) else {
            faults.push(format!(
                "{name}: module {module} is not in the import table"
            ));
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for used in code(line).split("crate::").skip(1) {
                if !allowed.iter().any(|entry| names(used, entry)) {
                    faults.push(format!(
                        "{name}:{}: {module} uses crate::{used}",
                        number + 1
                    ));
                }
            }
        }
    }
    check(faults);
}

/// Whether a line begins a function.
fn begins_function(line: &str) -> bool {
    let mut words = line.split([' ', '(']);
    let qualifiers = [
        "pub", "crate)", "super)", "const", "async", "unsafe", "extern", "\"C\"",
    ];
    words.find(|word| !qualifiers.contains(word)) == Some("fn")
}

#[test]
fn functions_files_and_lines_keep_their_size() {
    let mut faults = Vec::new();
    for (name, text) in sources(&["src", "xtask", "tests"]) {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > FILE_LINES_MAX {
            faults.push(format!(
                "{name}: {} lines, at most {FILE_LINES_MAX}",
                lines.len()
            ));
        }
        for (index, line) in lines.iter().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                faults.push(format!("{name}:{}: {columns} columns", index + 1));
            }
            let start = line.trim_start();
            if !begins_function(start) {
                continue;
            }
            let end = format!("{}}}", &line[..line.len() - start.len()]);
            let length = lines[index..]
                .iter()
                .position(|line| *line == end)
                .unwrap_or(0)
                + 1;
            if length > FUNCTION_LINES_MAX {
                faults.push(format!(
                    "{name}:{}: a function of {length} lines",
                    index + 1
                ));
            }
        }
    }
    check(faults);
}

#[test]
fn unsafe_stands_only_in_files_that_say_so() {
    let mut faults = Vec::new();
    for (name, text) in sources(&["src", "xtask"]) {
        let marks = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
        let uses = text
            .lines()
            .any(|line| marks.iter().any(|mark| code(line).contains(mark)));
        if uses
            && !text
                .lines()
                .take(40)
                .any(|line| line.starts_with(UNSAFE_NOTICE))
        {
            faults.push(format!(
                "{name}: unsafe without a line `{UNSAFE_NOTICE} why`"
            ));
        }
        if uses && name.starts_with("src/engine/") {
            faults.push(format!("{name}: the engine has no unsafe code"));
        }
    }
    check(faults);
}

#[test]
fn every_file_says_what_it_is_for() {
    let faults = sources(&["src", "xtask", "tests"])
        .into_iter()
        .filter(|(name, text)| !text.starts_with("//!") && !name.starts_with("tests/fuzz/"))
        .map(|(name, _)| format!("{name}: begins without a `//!` comment"))
        .collect();
    check(faults);
}

#[test]
fn the_engine_has_few_dependencies() {
    let manifest = fs::read_to_string(root().join("src/engine/Cargo.toml")).expect("manifest");
    let direct = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('='))
        .count();
    assert!(
        (1..=ENGINE_DEPENDENCIES_MAX).contains(&direct),
        "{direct} direct dependencies"
    );
}

#[test]
fn the_binary_has_few_crates() {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal",
            "--package",
            "causeway",
        ])
        .args(["--target", "x86_64-unknown-linux-musl", "--prefix", "none"])
        .output()
        .expect("cargo tree runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let crates: BTreeSet<Vec<&str>> = text
        .lines()
        .map(|line| line.split(' ').take(2).collect())
        .collect();
    let count = crates.len();
    assert!((10..=BINARY_CRATES_MAX).contains(&count), "{count} crates");
}

#[test]
fn the_map_is_short() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let lines = map.lines().count();
    assert!(
        (20..=ARCHITECTURE_LINES_MAX).contains(&lines),
        "ARCHITECTURE.md has {lines} lines"
    );
}
