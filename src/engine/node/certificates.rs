//! Certificates: who asks for them, what the shell does, and when Enforce takes effect (SPEC TL1,
//! AM3).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::admin::{Actor, Answer, Refusal, Verify};
use crate::base::ids::RequestId;
use crate::base::socket::Presented;
use crate::base::time::{Instant, Wall};
use crate::certificate::{Ask, Done, Step};
use crate::io::Action;

use super::saves;
use super::{Node, Promise};

/// Time in which peers must be back after certificates were enforced.
const TRIAL: Duration = Duration::from_secs(60);

/// The item that says how certificates are judged.
pub(super) const VERIFICATION: &str = "Alternates Cluster TLSVerification";

/// What is under way about certificates.
#[derive(Debug, Default)]
pub(super) struct Verifying {
    /// Who waits for a change of certificates.
    waiting: Option<RequestId>,
    /// Whether TLS 1.3 is the oldest that peers speak, as the shell was told last.
    only_tls13: Option<bool>,
    /// Until when peers must be back after certificates were enforced, and which they are.
    pub(super) trial: Option<(Instant, Vec<String>)>,
    /// Why certificates are enforced no more, though they were to be.
    pub(super) rolled_back: Option<String>,
}

impl Node {
    /// Takes in what an administrator asks of certificates.
    pub(super) fn ask_certificates(&mut self, wall: Wall, request: RequestId, ask: &Ask) {
        let answer = match self.certificates.ask(wall, ask) {
            Ok(Step::Task(task)) => {
                self.verifying.waiting = Some(request);
                self.actions.push_back(Action::Certify(task));
                return;
            }
            Ok(Step::Answer(text)) => Ok(Answer::Text(text)),
            Err(reasons) => Err(Refusal { reasons }),
        };
        self.actions.push_back(Action::Answer { request, answer });
    }

    /// The shell has judged or made what was asked.
    pub(super) fn certified(&mut self, result: Result<Done, String>) {
        match self.certificates.done(result) {
            Ok(writes) => {
                let action = self.journal.write(writes, Promise::Certificates);
                self.actions.push_back(action);
            }
            Err(reasons) => self.answer_certificates(Err(Refusal { reasons })),
        }
    }

    /// A change of certificates is on the disk, or is not. Peers are met anew with it.
    pub(super) fn certificates_written(&mut self, now: Instant, result: Result<(), String>) {
        let answer = self.certificates.written(result);
        if answer.is_ok() {
            self.verifying.only_tls13 = None;
            self.present();
            self.cluster.meet_anew(now);
            self.alarms_due = now;
        }
        let answer = answer.map(Answer::Text);
        self.answer_certificates(answer.map_err(|reasons| Refusal { reasons }));
    }

    /// What the shell thinks of the certificate that it presents now.
    pub(super) fn presenting(&mut self, presented: Presented) {
        self.cluster.presenting(presented.clone());
        self.certificates.own = Some(presented);
    }

    /// Tells the shell what to present, when that has changed.
    pub(super) fn present(&mut self) {
        let minimum = self
            .configuration
            .tree()
            .text("Alternates Cluster TLSMinimumVersion");
        let only_tls13 = minimum == "TLSv1.3";
        if self.verifying.only_tls13.replace(only_tls13) != Some(only_tls13) {
            let held = self.certificates.held().clone();
            self.actions.push_back(Action::Present { held, only_tls13 });
        }
    }

    /// Chooses how peers' certificates are judged.
    pub(super) fn verify(&mut self, request: RequestId, actor: Actor, verify: Verify) {
        let Verify { enforce, force } = verify;
        let word = if enforce { "Enforce" } else { "Permissive" };
        let note = if enforce && force {
            "enforced although peers would be refused"
        } else {
            ""
        };
        let ask = saves::Ask {
            request: Some(request),
            actor,
            changes: Vec::from([(VERIFICATION.into(), word.into())]),
            note: note.into(),
            writes: Vec::new(),
            force,
        };
        if let Err(refusal) = self.saves.push(ask) {
            let answer = Err(refusal);
            self.actions.push_back(Action::Answer { request, answer });
        }
    }

    /// Why a change must not be: it enforces certificates that peers do not have.
    ///
    /// # Errors
    ///
    /// Every pair of peers of which one would refuse the other.
    pub(super) fn judge_enforcing(&self, changes: &[(String, String)]) -> Result<(), Refusal> {
        let enforces = |(path, value): &(String, String)| {
            path.eq_ignore_ascii_case(VERIFICATION) && value.eq_ignore_ascii_case("Enforce")
        };
        if self.is_enforced() || !changes.iter().any(enforces) {
            return Ok(());
        }
        let mut reasons = self.cluster.would_enforce_fail();
        if reasons.is_empty() {
            return Ok(());
        }
        for reason in &mut reasons {
            reason.insert_str(0, &format!("{VERIFICATION}: "));
        }
        reasons.push(
            "mend that first, or say xCommand ClusterTLSVerification Mode: Enforce Force: Yes"
                .into(),
        );
        Err(Refusal { reasons })
    }

    /// Whether peers' certificates are enforced.
    pub(super) fn is_enforced(&self) -> bool {
        self.configuration.tree().text(VERIFICATION) == "Enforce"
    }

    /// Certificates were enforced a moment ago: who was there before must come back.
    pub(super) fn begin_trial(&mut self, now: Instant, before: bool) {
        match (before, self.is_enforced()) {
            (false, true) => {
                self.verifying.rolled_back = None;
                self.verifying.trial = Some((now + TRIAL, self.cluster.active(now)));
            }
            (true, false) => self.verifying.trial = None,
            _ => {}
        }
    }

    /// Brings Permissive back where peers have not come back.
    pub(super) fn judge_trial(&mut self, now: Instant) {
        let Some((_, before)) = self.verifying.trial.take_if(|(until, _)| *until <= now) else {
            return;
        };
        let back = self.cluster.active(now);
        let missing: Vec<String> = before
            .into_iter()
            .filter(|peer| !back.contains(peer))
            .collect();
        if missing.is_empty() {
            return;
        }
        let text = format!(
            "{} did not come back within {} s: peers' certificates are enforced no more",
            missing.join(", "),
            TRIAL.as_secs()
        );
        self.actions.push_back(Action::Log {
            level: log::Level::Warn,
            text: text.clone(),
        });
        let ask = saves::Ask {
            request: None,
            actor: Actor {
                name: "system".into(),
                address: None,
                face: "operation",
            },
            changes: Vec::from([(VERIFICATION.into(), "Permissive".into())]),
            note: text.clone(),
            writes: Vec::new(),
            force: true,
        };
        self.verifying.rolled_back = Some(text);
        if self.saves.push(ask).is_err() {
            // Tried again in a moment: the queue is full of others' changes.
            self.verifying.trial = Some((now + Duration::from_secs(1), missing));
        }
    }

    fn answer_certificates(&mut self, answer: Result<Answer, Refusal>) {
        if let Some(request) = self.verifying.waiting.take() {
            self.actions.push_back(Action::Answer { request, answer });
        }
    }
}
