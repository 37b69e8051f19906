//! The command line (SPEC UI2): a typed line becomes an answer, a command, or a refusal.
//!
//! The same lines work typed by a person and sent by a program: words in any case, each whole or
//! by a beginning that no other word has; values bare or in quotation marks; every line that
//! `xConfiguration` prints can be typed in. Nothing here changes anything.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::commands::{self, Run, Task, VERBS, Verb};
use super::status::Status;
use super::words::{self, Word, choose};
use super::{Answer, Command, Refusal, certificates, history, operations, outline, settings};
use crate::config::Configuration;
use crate::config::schema::Scope;
use crate::config::select::Selection;
use crate::directory::shared::CallId;
use crate::net::machine::Stop;

pub use super::complete::complete;
pub use super::shown::shown;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Nothing: an empty line, a comment, the end of a printed block.
    Nothing,
    /// Show these items.
    Read(Selection),
    /// Save these items: whole names and values as typed.
    Set(Vec<(String, String)>),
    /// Show what is below these words of the status.
    Status(Vec<String>),
    /// Run a command.
    Run(Run),
    /// Explain.
    Help(Topic),
}

/// What is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The command line itself.
    Line,
    /// Items; at length after `??`.
    Items(Selection, bool),
    /// Commands; at length after `??` and when there is only one.
    Verbs(Vec<&'static Verb>, bool),
    /// What is below these words of the status.
    Status(Vec<String>),
}

/// What becomes of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The answer is known.
    Ready(Answer),
    /// This is to be done. Never [`Command::Line`] or [`Command::Complete`].
    Do(Command),
}

/// First words of a line.
pub(super) const GROUPS: [&str; 4] = ["help", "xCommand", "xConfiguration", "xStatus"];

const HELP: &str = "\
*h xStatus [PATH]                  shows how things are
*h xConfiguration [PATH]           shows settings
*h xConfiguration PATH: \"VALUE\"    saves a setting; several may follow each other, saved as one
*h xCommand NAME [PARAMETER: VALUE …]  does something
*h Words can be shortened and typed in any case. Tab completes them.
*h ? after any of these lists what can follow, ?? explains it. \"\" as a value sets the default.
";

/// Reads a line.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse(line: &str) -> Result<Parsed, Refusal> {
    let line = line.trim();
    let line = line.strip_prefix("*c ").unwrap_or(line);
    if line.is_empty() || line.starts_with('#') || line == "*c/end" || line == "OK" {
        return Ok(Parsed::Nothing);
    }
    let mut words = words::split(line)?;
    let asked = ask_help(&mut words);
    let Some((first, rest)) = words.split_first() else {
        return Ok(Parsed::Help(Topic::Line));
    };
    let group = choose(GROUPS.into_iter(), first.text).map_err(|several| {
        Refusal::because(if several.is_empty() {
            alloc::format!("{}: a line begins with {}", first.text, GROUPS.join(", "))
        } else {
            alloc::format!("{}: this may be {}", first.text, several.join(", "))
        })
    })?;
    match (group, asked) {
        ("help", _) => topic(rest, asked.unwrap_or(true)).map(Parsed::Help),
        (_, Some(full)) => topic(&words, full).map(Parsed::Help),
        ("xCommand", None) => Run::parse(rest).map(Parsed::Run),
        ("xStatus", None) => Ok(Parsed::Status(texts(rest))),
        _ if rest
            .iter()
            .any(|word| !word.quoted && word.text.contains(':')) =>
        {
            settings::assignments(rest).map(Parsed::Set)
        }
        _ => settings::select(rest).map(Parsed::Read),
    }
}

/// Reads a file of settings as `xConfiguration` prints them, `xConfiguration` before each path
/// being optional. Gives items and values in order.
///
/// # Errors
///
/// Every line that is no setting, by its number.
pub fn parse_settings(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut changes = Vec::new();
    let mut reasons = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match parse_setting(line) {
            Ok(more) => changes.extend(more),
            Err(refusal) => {
                let numbered = |reason| alloc::format!("line {}: {reason}", number + 1);
                reasons.extend(refusal.reasons.into_iter().map(numbered));
            }
        }
    }
    if reasons.is_empty() {
        Ok(changes)
    } else {
        Err(Refusal { reasons })
    }
}

/// Reads one line of settings, as [`parse_settings`] does.
///
/// # Errors
///
/// Why it is no setting.
pub fn parse_setting(line: &str) -> Result<Vec<(String, String)>, Refusal> {
    let trimmed = line.trim();
    let first = trimmed.split_whitespace().next().unwrap_or("");
    let parsed = if first.starts_with('*') || first.eq_ignore_ascii_case("xConfiguration") {
        parse(trimmed)?
    } else {
        match trimmed {
            "" | "OK" => Parsed::Nothing,
            comment if comment.starts_with('#') => Parsed::Nothing,
            setting => Parsed::Set(settings::assignments(&words::split(setting)?)?),
        }
    };
    match parsed {
        Parsed::Nothing => Ok(Vec::new()),
        Parsed::Set(changes) => Ok(changes),
        Parsed::Read(_) | Parsed::Status(_) | Parsed::Run(_) | Parsed::Help(_) => {
            Err(Refusal::because("a setting is written as PATH: \"VALUE\""))
        }
    }
}

/// Reads a line and answers it, or says which command does. `status` is asked only when needed:
/// it is costly with many registrations.
///
/// # Errors
///
/// What is wrong with the line.
pub fn interpret(
    line: &str,
    configuration: &Configuration,
    status: impl FnOnce() -> Status,
) -> Result<Outcome, Refusal> {
    let text = match parse(line)? {
        Parsed::Nothing => String::new(),
        Parsed::Read(selection) => settings::print(&selection, configuration.tree()),
        Parsed::Set(changes) => return Ok(Outcome::Do(Command::Set(changes))),
        Parsed::Status(words) => outline::of(&status(), &words)?,
        Parsed::Help(topic) => explain(&topic, status)?,
        Parsed::Run(run) => return do_or_answer(&run, configuration, status),
    };
    Ok(Outcome::Ready(Answer::Text(text)))
}

/// Reads a line whose parameter `File` stands for this text.
///
/// # Errors
///
/// What is wrong with the line; no command but those that take a file can be given one.
pub fn attached(line: &str, text: &str) -> Result<Command, Refusal> {
    let none = || Refusal::because("this command takes no file");
    match parse(line)? {
        Parsed::Run(run) => certificates::command(&run, Some(text)).ok_or_else(none)?,
        _ => Err(none()),
    }
}

fn do_or_answer(
    run: &Run,
    configuration: &Configuration,
    status: impl FnOnce() -> Status,
) -> Result<Outcome, Refusal> {
    let scope = match run.value("Scope") {
        "Peer" => Scope::Peer,
        _ => Scope::Cluster,
    };
    if let Some(command) = certificates::command(run, None) {
        return command.map(Outcome::Do);
    }
    if let Some(ask) = operations::ask(run) {
        return ask.map(|ask| Outcome::Do(Command::Operation(ask)));
    }
    let number = |name: &str| run.number(name).map(u64::from);
    let text = match run.verb.task {
        Task::Branches => history::branches(configuration),
        Task::History => {
            let count = run.number("Count").unwrap_or(1) as usize;
            history::history(configuration, scope, count)
        }
        Task::Diff => {
            let from = number("From").unwrap_or(0);
            history::diff(configuration, scope, from, number("To"))?
        }
        Task::FindRegistration => outline::registrations(&status(), run.value("Alias")),
        Task::Rollback => {
            let revision = number("Revision").unwrap_or(0);
            return history::back_to(configuration, scope, revision).map(Outcome::Do);
        }
        Task::RestoreBranch => {
            let branch = number("Branch").unwrap_or(0);
            return history::back_to_branch(configuration, branch).map(Outcome::Do);
        }
        Task::AcknowledgeAlarm => {
            let id = run.number("Alarm").unwrap_or(0);
            return Ok(Outcome::Do(Command::AcknowledgeAlarm(id)));
        }
        Task::Disconnect => {
            let call = run.value("Call");
            let id = CallId::parse(call);
            if id.is_none() && !call.eq_ignore_ascii_case("All") {
                let reason = "Call: give All, or the sixteen digits that xStatus Calls shows";
                return Err(Refusal::because(reason));
            }
            return Ok(Outcome::Do(Command::Disconnect(id)));
        }
        Task::AlarmHistory => {
            let count = run.number("Count").unwrap_or(1) as usize;
            return Ok(Outcome::Do(Command::AlarmHistory(count)));
        }
        Task::RemoveRegistration => {
            let alias = run.value("Alias").to_string();
            return Ok(Outcome::Do(Command::Unregister(alias)));
        }
        Task::ForceConfigUpdate => return Ok(Outcome::Do(Command::ForceConfigUpdate)),
        Task::Boot => return Ok(Outcome::Do(Command::Stop(Stop::Reboot))),
        Task::PowerOff => return Ok(Outcome::Do(Command::Stop(Stop::PowerOff))),
        Task::Restart => return Ok(Outcome::Do(Command::Stop(Stop::Restart))),
        // All others are operations of the cluster, which have been answered above.
        _ => String::new(),
    };
    Ok(Outcome::Ready(Answer::Text(text)))
}

/// Takes a `?` or `??` off the end of the words; `Some(true)` for `??`.
fn ask_help(words: &mut Vec<Word<'_>>) -> Option<bool> {
    let colon = words
        .iter()
        .any(|word| !word.quoted && word.text.contains(':'));
    let last = words.last_mut().filter(|word| !word.quoted)?;
    let bare = last.text.trim_end_matches('?');
    let asked = last.text.len() - bare.len();
    if asked == 0 || (colon && !bare.is_empty()) {
        return None;
    }
    last.text = bare;
    if bare.is_empty() {
        words.pop();
    }
    // `SIP Mode: ?` asks what the item takes.
    if let Some(last) = words.last_mut() {
        last.text = last.text.strip_suffix(':').unwrap_or(last.text);
    }
    Some(asked > 1)
}

fn topic(words: &[Word<'_>], full: bool) -> Result<Topic, Refusal> {
    let Some((first, rest)) = words.split_first() else {
        return Ok(Topic::Line);
    };
    match choose(GROUPS.into_iter(), first.text) {
        Ok("xConfiguration") => Ok(Topic::Items(settings::select(rest)?, full)),
        Ok("xCommand") if rest.is_empty() => Ok(Topic::Verbs(VERBS.iter().collect(), full)),
        Ok("xCommand") => {
            let begins = |verb: &&Verb| words::begins(verb.name, rest[0].text);
            let verbs: Vec<&Verb> = match commands::find(rest) {
                Ok((verb, _)) => alloc::vec![verb],
                Err(_) => VERBS.iter().filter(begins).collect(),
            };
            if verbs.is_empty() {
                return commands::find(rest).map(|_| Topic::Line);
            }
            let full = full || verbs.len() == 1;
            Ok(Topic::Verbs(verbs, full))
        }
        Ok("xStatus") => Ok(Topic::Status(texts(rest))),
        Ok(_) | Err(_) => Ok(Topic::Line),
    }
}

fn explain(topic: &Topic, status: impl FnOnce() -> Status) -> Result<String, Refusal> {
    match topic {
        Topic::Line => Ok(HELP.to_string()),
        Topic::Items(selection, full) => Ok(settings::help(selection, *full)),
        Topic::Verbs(verbs, full) => Ok(commands::help(verbs, *full)),
        Topic::Status(words) => outline::help(&status(), words),
    }
}

fn texts(words: &[Word<'_>]) -> Vec<String> {
    words.iter().map(|word| word.text.to_string()).collect()
}
