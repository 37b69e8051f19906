//! `cargo xtask test`: everything that must hold, in order, one line a step.
//!
//! A step's output goes to a file below `target/gate` and is shown when it fails. What cannot run
//! on this host is a failure and says why: a gate that was not run is not green.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::tools::{Context as _, Done, cargo, folder, output, program, read, root, target};
use crate::{binary, image, setup};

/// How long each fuzz target runs.
const FUZZ_SECONDS: u32 = 10;

/// Tests that boot machines, the last and longest.
const MACHINE_TESTS: &str = "machine";

/// What came out so far.
#[derive(Debug, Default)]
struct Score {
    passed: usize,
    failed: usize,
    failures: Vec<String>,
    number: usize,
}

/// Runs it all, or all but the tests that boot machines. True when nothing failed.
pub fn run(quick: bool) -> Done<bool> {
    let started = Instant::now();
    let logs = target().join("gate");
    folder(&logs)?;
    let mut score = Score::default();

    score.inner("set-up", || setup::setup(false));
    lints(&mut score, &logs);
    let mut units = cargo();
    units.args(["test", "--workspace", "--locked", "--lib", "--bins"]);
    score.step(&logs, "unit tests", &mut units);
    let mut examples = cargo();
    examples.args(["test", "--workspace", "--locked", "--doc"]);
    score.step(&logs, "examples in documents", &mut examples);
    score.inner("release binary", || binary::build().map(|_| ()));
    for name in integration_tests()? {
        let mut test = cargo();
        test.env("CAUSEWAY_RELEASE", binary::path());
        score.step(
            &logs,
            &name,
            test.args(["test", "--locked", "--test", &name]),
        );
    }
    fuzz(&mut score, &logs);
    score.inner("image", || image::make(&binary::path()).map(|_| ()));
    if !quick {
        let mut machines = cargo();
        machines.args(["test", "--locked", "--test", MACHINE_TESTS]);
        score.step(
            &logs,
            "machines",
            machines.args(["--", "--test-threads", "2"]),
        );
    }

    for failure in &score.failures {
        println!("failed: {failure}");
    }
    println!("{}, logs in {}", time(started.elapsed()), logs.display());
    if quick {
        println!("machines were left out on request");
    }
    println!("{} passed, {} failed", score.passed, score.failed);
    Ok(score.failed == 0)
}

/// Steps that read the source without running it.
fn lints(score: &mut Score, logs: &Path) {
    score.step(logs, "format", cargo().args(["fmt", "--all", "--check"]));
    let mut clippy = cargo();
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--test",
        MACHINE_TESTS,
    ]);
    score.step(logs, "clippy", clippy.args(["--", "--deny", "warnings"]));
    let mut bare = cargo();
    bare.args(["check", "--locked", "--package", "causeway-engine"]);
    bare.args(["--target", "x86_64-unknown-none"]);
    score.step(logs, "engine without an operating system", &mut bare);
    let mut documents = cargo();
    documents.args([
        "doc",
        "--workspace",
        "--locked",
        "--no-deps",
        "--document-private-items",
    ]);
    documents.env("RUSTDOCFLAGS", "--deny warnings");
    score.step(logs, "documents", &mut documents);
}

/// Names of the tests below `tests/`, apart from those that boot machines.
fn integration_tests() -> Done<Vec<String>> {
    let mut names = Vec::new();
    for entry in root().join("tests").read_dir().context("tests")? {
        let path = entry?.path();
        let is_test =
            path.extension().is_some_and(|ending| ending == "rs") || path.join("main.rs").exists();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if is_test && name != MACHINE_TESTS {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Fuzzes each target for a short time. The engine holds no unsafe code, so no sanitiser.
fn fuzz(score: &mut Score, logs: &Path) {
    let command = |arguments: &[&str]| {
        let mut command = program("rustup");
        command
            .current_dir(root())
            .args(["run", "nightly", "cargo", "fuzz"]);
        command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
        command.args(arguments).args(["--fuzz-dir", "tests/fuzz"]);
        command
    };
    let targets = match output(&mut command(&["list"])) {
        Ok(targets) => targets,
        Err(reason) => return score.not_run("fuzz", &reason.0),
    };
    for name in targets.split_whitespace() {
        let mut run = command(&["run", "--sanitizer", "none"]);
        let limit = format!("-max_total_time={FUZZ_SECONDS}");
        run.args([name, "--", &limit, "-timeout=10", "-rss_limit_mb=2048"]);
        score.step(logs, &format!("fuzz {name}"), &mut run);
    }
}

impl Score {
    /// A step that is a program.
    fn step(&mut self, logs: &Path, name: &str, command: &mut Command) {
        self.number += 1;
        begin(name);
        let started = Instant::now();
        let file = logs.join(format!("{:02}-{}.log", self.number, name.replace(' ', "-")));
        let outcome = run_into(command, &file);
        let log = read(&file).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let count = Count::read(&log);
        match outcome {
            Ok(true) if count.failed == 0 => {
                self.passed += count.passed.max(1);
                end("ok", started, count.passed);
            }
            Ok(_) => {
                self.passed += count.passed;
                self.failed += count.failed.max(1);
                end("FAILED", started, count.passed);
                println!("{log}");
                self.failures.push(format!("{name} ({})", file.display()));
            }
            Err(reason) => {
                end("", started, 0);
                self.not_run(name, &reason.0);
            }
        }
    }

    /// A step that is done by this program.
    fn inner(&mut self, name: &str, work: impl FnOnce() -> Done) {
        self.number += 1;
        begin(name);
        let started = Instant::now();
        match work() {
            Ok(()) => {
                self.passed += 1;
                end("ok", started, 0);
            }
            Err(reason) => {
                self.failed += 1;
                end("FAILED", started, 0);
                println!("{reason}");
                self.failures.push(name.to_owned());
            }
        }
    }

    fn not_run(&mut self, name: &str, reason: &str) {
        self.failed += 1;
        println!("not run: 1 ({name}: {reason})");
        self.failures.push(format!("{name}: not run"));
    }
}

fn begin(name: &str) {
    println!("{name} …");
}

fn end(verdict: &str, started: Instant, tests: usize) {
    let tests = match tests {
        0 => String::new(),
        tests => format!(", {tests} tests"),
    };
    println!("    {verdict} {}{tests}", time(started.elapsed()));
}

fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 60 {
        0 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        minutes => format!("{minutes} min {} s", seconds % 60),
    }
}

/// Runs a program with its output in a file; true when it said that all is well.
fn run_into(command: &mut Command, path: &PathBuf) -> Done<bool> {
    let file = File::create(path).context(path.display())?;
    command.stdout(file.try_clone()?).stderr(file);
    command.env("CARGO_TERM_COLOR", "never");
    Ok(command.status().context("cannot be started")?.success())
}

/// What test programs say of themselves.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
}

impl Count {
    /// Adds up the lines of Rust's test programs, and those that tell of tests not run.
    fn read(log: &str) -> Self {
        let mut count = Self::default();
        for line in log.lines() {
            if let Some(rest) = line.strip_prefix("test result: ") {
                count.passed += before(rest, " passed");
                // Tests that are left out count as not run.
                count.failed += before(rest, " failed") + before(rest, " ignored");
            } else if let Some(rest) = line.strip_prefix("not run: ") {
                // A test that panics with this text is among the failed ones already.
                let panicked = log.contains("panicked at");
                let number = rest.split(' ').next().and_then(|word| word.parse().ok());
                if !panicked {
                    count.failed += number.unwrap_or(1);
                }
            }
        }
        count
    }
}

/// The number that stands before a word.
fn before(text: &str, word: &str) -> usize {
    let head = text.split(word).next().unwrap_or_default();
    let number = head.rsplit(' ').next().unwrap_or_default();
    number.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_test_programs_are_added_up() {
        let log = "\
            running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
            test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let expected = Count {
            passed: 13,
            failed: 3,
        };
        assert_eq!(Count::read(log), expected);
        let log = "not run: 4 (no browser)\n";
        assert_eq!(Count::read(log).failed, 4);
        assert_eq!(Count::read("").failed, 0);
    }

    #[test]
    fn the_rules_of_the_house_are_among_the_tests() {
        let names = integration_tests().unwrap();
        assert!(names.contains(&"tidy".to_owned()), "{names:?}");
        assert!(!names.contains(&MACHINE_TESTS.to_owned()));
    }
}
