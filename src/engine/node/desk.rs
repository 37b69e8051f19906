//! Administrators' commands: each is answered exactly once.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::admin::line::{self, Outcome};
use crate::admin::{Actor, Answer, Command, Refusal};
use crate::base::ids::RequestId;
use crate::base::time::{Instant, Wall};
use crate::cluster::Replicated;
use crate::config::path::Path;
use crate::config::revision::{Author, Revision};
use crate::config::schema::Scope;
use crate::io::Action;
use crate::net::machine::MachineRequest;

use super::backup::Restoring;
use super::reset::Turn;
use super::saves::{Ask, OPERATION, Save};
use super::{Node, Promise};

impl Node {
    pub(super) fn command(
        &mut self,
        now: Instant,
        wall: Wall,
        request: RequestId,
        actor: Actor,
        command: Command,
    ) {
        let answer = match command {
            Command::Line(text) => match self.interpret(now, wall, &text) {
                Ok(Outcome::Ready(answer)) => Ok(answer),
                Ok(Outcome::Do(command)) => {
                    return self.command(now, wall, request, actor, command);
                }
                Err(refusal) => Err(refusal),
            },
            Command::Complete(text) => Ok(self.complete(now, wall, &text)),
            Command::Set(changes) => {
                return self.ask_save(request, actor, changes, String::new());
            }
            Command::Restore { changes, note } => {
                return self.ask_save(request, actor, changes, note);
            }
            Command::Value(name) => self.value(&name),
            Command::Status => Ok(Answer::Status(self.status(now, wall).into())),
            Command::ForceConfigUpdate => match self.cluster.force_update(&self.configuration) {
                Ok(()) => Ok(Answer::Text(
                    "Asked the primary for its configuration.\n".into(),
                )),
                Err(reason) => Err(Refusal::because(reason)),
            },
            Command::Stop(stop) => {
                self.actions
                    .push_back(Action::Machine(MachineRequest::Stop(stop)));
                Ok(Answer::Text(format!("{stop:?} has begun.\n")))
            }
            Command::AcknowledgeAlarm(id) => {
                if self.alarms.acknowledge(wall, id, &actor.name) {
                    self.save_history(now);
                    Ok(Answer::Text(format!("Alarm {id} is acknowledged.\n")))
                } else {
                    Err(Refusal::because(format!("no alarm {id} is raised")))
                }
            }
            Command::Certificate(ask) => return self.ask_certificates(wall, request, &ask),
            Command::Attached { line, text } => match line::attached(&line, &text) {
                Ok(command) => return self.command(now, wall, request, actor, command),
                Err(refusal) => Err(refusal),
            },
            Command::Verify(verify) => return self.verify(request, actor, verify),
            Command::Operation(ask) => return self.operate(now, wall, request, actor, ask),
            Command::AlarmHistory(count) => Ok(self.alarm_history(count)),
            Command::Unregister(aor) => self.unregister(now, &aor),
            Command::Backup => Ok(Answer::Backup(self.backup(wall).encode())),
            Command::RestoreBackup {
                contents,
                shared,
                preview,
            } => match self.read_backup(&contents, shared, preview) {
                Ok(Restoring::Shown(text)) => Ok(Answer::Text(text)),
                Ok(Restoring::Save { changes, note }) => {
                    return self.ask_save(request, actor, changes, note);
                }
                Err(reason) => Err(Refusal::because(reason)),
            },
            Command::Disconnect(id) => self.disconnect(now, wall, id),
        };
        self.actions.push_back(Action::Answer { request, answer });
    }

    fn alarm_history(&self, count: usize) -> Answer {
        let newest = self.alarms.history().lines().rev();
        Answer::AlarmHistory(newest.take(count).cloned().collect())
    }

    fn complete(&self, now: Instant, wall: Wall, text: &str) -> Answer {
        Answer::Completions(line::complete(text, || self.status(now, wall)))
    }

    /// Reads a line as typed.
    fn interpret(&self, now: Instant, wall: Wall, text: &str) -> Result<Outcome, Refusal> {
        line::interpret(text, &self.configuration, || self.status(now, wall))
    }

    /// Begins the next save, if none is under way.
    pub(super) fn next_save(&mut self, now: Instant, wall: Wall) {
        // Whether this is the primary is decided by what is on its way to the disk.
        if self.cluster.is_promising() {
            return;
        }
        while let Some(ask) = self.saves.next() {
            let request = ask.request;
            match self.begin_save(wall, ask) {
                Ok(true) => return,
                Ok(false) => self.answer(request, Ok(self.saved_nowhere_else())),
                Err(refusal) => self.refuse_save(now, request, refusal),
            }
        }
    }

    /// A save has reached the disk, or has not.
    pub(super) fn save_written(&mut self, now: Instant, save: Save, result: Result<(), String>) {
        self.saves.end();
        let Save {
            request,
            prepared,
            turn,
        } = save;
        match result {
            Ok(()) => {
                match turn {
                    Turn::None => {}
                    Turn::Armed(former) => self.former = Some(former),
                    Turn::Disarmed => self.former = None,
                }
                let shared = prepared.revision(Scope::Cluster).cloned();
                let enforced = self.is_enforced();
                let writes = self.configuration.commit(prepared);
                self.begin_trial(now, enforced);
                if !writes.is_empty() {
                    let action = self.journal.write(writes, Promise::Nothing);
                    self.actions.push_back(action);
                }
                match (shared, request) {
                    (Some(revision), request) => {
                        match request {
                            Some(request) => self.saves.replicate(revision.id, request),
                            None => self.starting = false,
                        }
                        self.cluster.saved(now, &self.configuration, &revision);
                    }
                    (None, request) => self.answer(request, Ok(self.saved_nowhere_else())),
                }
            }
            Err(reason) => {
                let reason = format!("not saved: {reason}");
                self.refuse_save(now, request, Refusal::because(reason));
            }
        }
        self.cluster.saving(&self.configuration, false);
    }

    /// A save stands on as many peers as is waited for.
    pub(super) fn answer_save(&mut self, replicated: Replicated) {
        let Replicated { revision, on, of } = replicated;
        if let Some(request) = self.saves.replicated(revision) {
            self.answer(Some(request), Ok(Answer::Saved { on, of }));
        }
    }

    fn ask_save(
        &mut self,
        request: RequestId,
        actor: Actor,
        changes: Vec<(String, String)>,
        note: String,
    ) {
        let ask = Ask {
            request: Some(request),
            actor,
            changes,
            note,
            writes: Vec::new(),
            force: false,
        };
        if let Err(refusal) = self.saves.push(ask) {
            self.actions.push_back(Action::Answer {
                request,
                answer: Err(refusal),
            });
        }
    }

    /// Judges a change and puts it on its way to the disk; `false` if it changes nothing.
    fn begin_save(&mut self, wall: Wall, ask: Ask) -> Result<bool, Refusal> {
        let Ask {
            request,
            actor,
            changes,
            note,
            writes: beside,
            force,
        } = ask;
        if !force {
            self.judge_enforcing(&changes)?;
        }
        let address = actor
            .address
            .map_or_else(String::new, |address| format!("{address}"));
        let author = Author {
            name: actor.name,
            address,
            face: actor.face.into(),
        };
        let may = self.cluster.may_change();
        let epoch = may.as_ref().copied().unwrap_or(0);
        let mut prepare = |changes: &[(String, String)]| {
            let configuration = &self.configuration;
            let random = &mut self.random;
            configuration
                .prepare(changes, &author, &note, wall, epoch, random)
                .map_err(|reasons| Refusal { reasons })
        };
        let mut prepared = prepare(&changes)?;
        if let (Some(revision), Err(reason)) = (prepared.revision(Scope::Cluster), may) {
            let refusal = Refusal::because(format!("{reason}: {}", shared(revision)));
            if request.is_some() {
                return Err(refusal);
            }
            // One file of settings serves every peer: what is this peer's own takes effect.
            prepared = prepare(&own(changes))?;
            self.fault_of_start(&refusal);
        }
        let tree = self.configuration.tree();
        let turn = match beside.is_empty() {
            true => Turn::of(tree, &prepared, self.former.as_ref()).map_err(Refusal::because)?,
            false => Turn::Disarmed,
        };
        let mut writes = prepared.writes();
        writes.extend(beside);
        writes.extend(turn.writes());
        if writes.is_empty() {
            return Ok(false);
        }
        self.saves.begin();
        self.cluster.saving(&self.configuration, true);
        let save = Promise::Save(Save {
            request,
            prepared,
            turn,
        });
        let action = self.journal.write(writes, save);
        self.actions.push_back(action);
        Ok(true)
    }

    fn refuse_save(&mut self, now: Instant, request: Option<RequestId>, refusal: Refusal) {
        if request.is_none() {
            self.fault_of_start(&refusal);
            self.alarms_due = now;
        }
        self.answer(request, Err(refusal));
    }

    /// Settings that were given at start do not take effect.
    fn fault_of_start(&mut self, refusal: &Refusal) {
        for reason in &refusal.reasons {
            let text = format!("settings of the start are refused: {reason}");
            self.faults.push(text.clone());
            self.actions.push_back(Action::Log {
                level: log::Level::Error,
                text,
            });
        }
    }

    fn answer(&mut self, request: Option<RequestId>, answer: Result<Answer, Refusal>) {
        self.starting &= request.is_some();
        match request {
            Some(OPERATION) => self.saves.operation = Some(answer.map(|_| ())),
            Some(request) => self.actions.push_back(Action::Answer { request, answer }),
            None => {}
        }
    }

    /// What is said of a change that concerns this peer alone.
    fn saved_nowhere_else(&self) -> Answer {
        Answer::Saved { on: 1, of: 1 }
    }

    fn value(&self, name: &str) -> Result<Answer, Refusal> {
        let path = Path::parse(name).map_err(|fault| Refusal::because(format!("{fault}")))?;
        let secret = self.configuration.secret(name);
        let shown = || self.configuration.tree().shown(&path);
        let text = match path.item().kind.is_secret() {
            true => secret.unwrap_or_default().into(),
            false => shown(),
        };
        Ok(Answer::Value(text))
    }
}

/// The changes of items that are this peer's own.
fn own(mut changes: Vec<(String, String)>) -> Vec<(String, String)> {
    changes
        .retain(|(path, _)| Path::parse(path).is_ok_and(|path| path.item().scope == Scope::Peer));
    changes
}

/// The items that a change shares with the cluster, for a person who may not change them here.
fn shared(revision: &Revision) -> String {
    const NAMED_MAX: usize = 5;
    let (changes, more) = revision
        .changes
        .split_at(revision.changes.len().min(NAMED_MAX));
    let mut names: Vec<String> = changes
        .iter()
        .map(|change| change.path.to_string())
        .collect();
    if !more.is_empty() {
        names.push(format!("{} more", more.len()));
    }
    names.join(", ")
}
