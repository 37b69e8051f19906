//! Phones: sipp with this folder's scenarios, and what it says of its calls.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::Host;

/// One run of sipp against the gateway of its own host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phones<'a> {
    /// Scenario file in this folder.
    pub(crate) scenario: &'a str,
    /// UDP port that they share.
    pub(crate) port: u16,
    /// How many calls (or registrations) they make.
    pub(crate) calls: usize,
    /// How many a second.
    pub(crate) rate: usize,
    /// How long each waits for an answer.
    pub(crate) patience: Duration,
}

/// What sipp says at the end of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether sipp itself ended well: every call passed.
    pub(crate) ended_well: bool,
    /// Calls that passed.
    pub(crate) passed: usize,
    /// Calls that failed.
    pub(crate) failed: usize,
    /// Failed calls by the cause that sipp counts; only causes that happened.
    pub(crate) causes: BTreeMap<String, usize>,
    /// Status codes of responses that ended a call.
    pub(crate) refusals: BTreeMap<u16, usize>,
    /// Requests that phones sent again.
    pub(crate) repeated: usize,
    /// Ends of the seconds in which calls failed, in seconds of Unix time.
    pub(crate) failed_at: Vec<f64>,
    /// The beginning of sipp's error file.
    pub(crate) errors: String,
}

impl Phones<'_> {
    /// Starts them on a host; `users` is the file of the users that they are or call.
    pub(crate) fn start(self, host: &Host, users: &Host) -> Child {
        let mut command = host.inside("sipp");
        command.arg(format!("{}:5060", host.gateway));
        command.arg("-sf").arg(scenario(self.scenario));
        command.arg("-inf").arg(users.file("users.csv"));
        command.args(["-i", &host.phones, "-t", "u1", "-nostdin"]);
        for (option, value) in [
            ("-p", usize::from(self.port)),
            ("-m", self.calls),
            ("-r", self.rate),
            ("-recv_timeout", self.patience.as_millis() as usize),
            ("-timeout", 100),
            ("-fd", 1),
        ] {
            command.arg(option).arg(value.to_string());
        }
        command.args(["-timeout_error", "-trace_stat", "-stf"]);
        command.arg(host.file(&format!("{}.csv", self.port)));
        command.args(["-trace_err", "-error_file"]);
        command.arg(host.file(&format!("{}.errors", self.port)));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("sipp starts")
    }

    /// Runs them to their end.
    pub(crate) fn run(self, host: &Host, users: &Host) -> Outcome {
        self.end(host, self.start(host, users))
    }

    /// Waits until all is done and reads what was written.
    pub(crate) fn end(self, host: &Host, mut sipp: Child) -> Outcome {
        let ended_well = sipp.wait().expect("sipp ends").success();
        let file = host.file(&format!("{}.csv", self.port));
        let rows = Rows::read(&fs::read_to_string(&file).expect("sipp wrote statistics"));
        fs::remove_file(&file).expect("the statistics are there");
        let file = host.file(&format!("{}.errors", self.port));
        let errors = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(&file);
        Outcome {
            ended_well,
            passed: rows.last("SuccessfulCall(C)"),
            failed: rows.last("FailedCall(C)"),
            causes: rows.causes(),
            refusals: refusals(&errors),
            repeated: rows.last("Retransmissions(C)"),
            failed_at: rows.failed_at(),
            errors: errors.lines().take(20).collect::<Vec<_>>().join("\n"),
        }
    }
}

impl Outcome {
    /// Fails unless every one of so many calls passed.
    pub(crate) fn all_passed(&self, calls: usize) {
        let well = self.ended_well && self.failed == 0 && self.passed == calls;
        assert!(well, "not all {calls} passed: {self:?}\n{}", self.errors);
    }
}

/// Path of a scenario.
pub(crate) fn scenario(name: &str) -> String {
    format!("{}/tests/cluster/lab/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Codes of the responses that came where the scenario has none.
fn refusals(errors: &str) -> BTreeMap<u16, usize> {
    let mut found = BTreeMap::new();
    for line in errors
        .lines()
        .filter(|line| line.contains("while expecting"))
    {
        let code = line.split("received 'SIP/2.0 ").nth(1);
        if let Some(code) = code.and_then(|rest| rest.get(..3)?.parse().ok()) {
            *found.entry(code).or_default() += 1;
        }
    }
    found
}

/// The statistics file: one row a second.
struct Rows {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    fn read(text: &str) -> Self {
        let mut rows = text
            .lines()
            .map(|line| line.split(';').map(String::from).collect::<Vec<_>>());
        let names = rows.next().expect("a header");
        let rows: Vec<_> = rows.collect();
        assert!(!rows.is_empty(), "sipp wrote no statistics");
        Self { names, rows }
    }

    fn column(&self, name: &str) -> usize {
        let place = self.names.iter().position(|known| known == name);
        place.unwrap_or_else(|| panic!("sipp has no column {name}: {:?}", self.names))
    }

    fn number(row: &[String], column: usize) -> usize {
        let text = row.get(column).map_or("", |text| text.trim());
        text.parse()
            .unwrap_or_else(|_| panic!("no number: {text:?}"))
    }

    fn last(&self, name: &str) -> usize {
        Self::number(self.rows.last().expect("a row"), self.column(name))
    }

    fn causes(&self) -> BTreeMap<String, usize> {
        let causes = self.names.iter().filter_map(|name| {
            let cause = name.strip_prefix("Failed")?.strip_suffix("(C)")?;
            Some((cause.to_owned(), self.last(name)))
        });
        causes
            .filter(|(cause, count)| cause != "Call" && *count > 0)
            .collect()
    }

    fn failed_at(&self) -> Vec<f64> {
        let (time, failed) = (self.column("CurrentTime"), self.column("FailedCall(P)"));
        let rows = self.rows.iter();
        rows.filter(|row| Self::number(row, failed) > 0)
            .map(|row| {
                let stamp = row[time].split_whitespace().last();
                stamp
                    .and_then(|text| text.parse().ok())
                    .expect("a time of sipp")
            })
            .collect()
    }
}
