//! The set-up wizard as a state machine: what to ask next, what an answer leads to (SPEC AP6).
//!
//! It reads and writes nothing itself, so every path through it is tested.

use std::mem;

use crate::setup::{self, QUESTIONS};

/// What is said first.
pub(super) const WELCOME: &str = "\
This system has not been set up yet.
Enter takes the value in brackets, - takes none. Ctrl-D starts again.

";

/// Where the wizard is, and what was answered.
#[derive(Debug)]
pub(super) struct Wizard {
    step: Step,
    password: String,
    answers: [String; QUESTIONS.len()],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Password,
    PasswordAgain,
    /// The question with this place in [`QUESTIONS`].
    Question(usize),
    Confirm,
}

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// What to say before; may be empty.
    pub(super) before: String,
    /// The prompt.
    pub(super) prompt: String,
    /// Whether the answer is a password.
    pub(super) hidden: bool,
}

/// What an answer leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The next question.
    Next,
    /// The same question or an earlier one; say why.
    Say(String),
    /// Save these items as one change.
    Save(Vec<(String, String)>),
}

impl Default for Wizard {
    fn default() -> Self {
        Self {
            step: Step::Password,
            password: String::new(),
            answers: QUESTIONS.map(|question| question.default.to_owned()),
        }
    }
}

impl Wizard {
    /// Starts again; answers so far become the values in brackets. Gives what to say.
    pub(super) fn restart(&mut self) -> String {
        self.step = Step::Password;
        self.password.clear();
        "\nFrom the beginning.\n\n".into()
    }

    /// Takes the answer to [`Wizard::question`].
    pub(super) fn answer(&mut self, answer: &str) -> Outcome {
        match self.step {
            Step::Password => match setup::judge_passwords(answer, answer) {
                Ok(()) => {
                    self.password = answer.to_owned();
                    self.go(Step::PasswordAgain)
                }
                Err(fault) => Outcome::Say(fault + "\n"),
            },
            Step::PasswordAgain => match setup::judge_passwords(&self.password, answer) {
                Ok(()) => self.go(Step::Question(0)),
                Err(fault) => {
                    self.step = Step::Password;
                    Outcome::Say(fault + "\n")
                }
            },
            Step::Question(place) => self.answer_question(place, answer.trim()),
            Step::Confirm => match answer.trim().to_lowercase().as_str() {
                "" | "y" | "yes" => {
                    let answers = QUESTIONS.iter().zip(&self.answers);
                    let answers = answers.map(|(question, answer)| (question.path, answer.clone()));
                    Outcome::Save(setup::changes(mem::take(&mut self.password), answers))
                }
                "n" | "no" => Outcome::Say(self.restart()),
                _ => Outcome::Say("Please answer yes or no.\n".into()),
            },
        }
    }

    /// What to ask now.
    pub(super) fn question(&self) -> Question {
        let ask = |prompt: String, hidden| Question {
            before: String::new(),
            prompt,
            hidden,
        };
        match self.step {
            Step::Password => ask("New password of admin: ".into(), true),
            Step::PasswordAgain => ask("The same again: ".into(), true),
            Step::Question(place) => {
                let (question, answer) = (&QUESTIONS[place], &self.answers[place]);
                let shown = if answer.is_empty() { "none" } else { answer };
                ask(format!("{} [{shown}]: ", question.label), false)
            }
            Step::Confirm => Question {
                before: self.summary(),
                prompt: "Save these settings? [yes]: ".into(),
                hidden: false,
            },
        }
    }

    fn answer_question(&mut self, place: usize, answer: &str) -> Outcome {
        let answer = match answer {
            "" => self.answers[place].clone(),
            "-" => String::new(),
            other => other.to_owned(),
        };
        match QUESTIONS[place].judge(&answer) {
            Ok(answer) => {
                self.answers[place] = answer;
                let next = place + 1;
                self.go(if next < QUESTIONS.len() {
                    Step::Question(next)
                } else {
                    Step::Confirm
                })
            }
            Err(fault) => Outcome::Say(format!("Not accepted: {fault}.\n")),
        }
    }

    fn go(&mut self, step: Step) -> Outcome {
        self.step = step;
        Outcome::Next
    }

    fn summary(&self) -> String {
        let mut text = String::from("\n");
        for (question, answer) in QUESTIONS.iter().zip(&self.answers) {
            let shown = if answer.is_empty() { "none" } else { answer };
            text.push_str(&format!("  {:<18} {shown}\n", question.label));
        }
        text + "  Password of admin  as entered\n\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse";

    /// A wizard that has taken these answers.
    fn after(answers: &[&str]) -> (Wizard, Outcome) {
        let mut wizard = Wizard::default();
        let mut outcome = Outcome::Next;
        for answer in answers {
            outcome = wizard.answer(answer);
        }
        (wizard, outcome)
    }

    #[test]
    fn enter_all_the_way_saves_the_defaults_as_one_change() {
        let mut answers = vec![PASSWORD, PASSWORD];
        answers.extend([""; QUESTIONS.len()]);
        let (wizard, _) = after(&answers);
        let summary = wizard.question().before;
        assert!(
            summary.contains("192.168.0.100") && !summary.contains(PASSWORD),
            "{summary}"
        );
        answers.push("");
        let (_, Outcome::Save(changes)) = after(&answers) else {
            panic!("not saved");
        };
        assert_eq!(changes.len(), QUESTIONS.len() + 1);
        assert!(changes.iter().any(|(_, value)| value == PASSWORD));
        assert!(changes.contains(&("TimeZone Name".into(), "UTC".into())));
    }

    #[test]
    fn passwords_are_hidden_judged_and_asked_twice() {
        assert!(Wizard::default().question().hidden);
        let (wizard, outcome) = after(&["short"]);
        assert!(matches!(outcome, Outcome::Say(text) if text.contains("at least 8")));
        assert_eq!(wizard.step, Step::Password);
        let (wizard, outcome) = after(&[PASSWORD, "correct house"]);
        assert!(matches!(outcome, Outcome::Say(text) if text.contains("differ")));
        assert_eq!(wizard.step, Step::Password);
        let (wizard, _) = after(&[PASSWORD, PASSWORD]);
        assert!(!wizard.question().hidden);
    }

    #[test]
    fn a_wrong_answer_is_asked_again_with_the_reason() {
        let (wizard, outcome) = after(&[PASSWORD, PASSWORD, "10.0.0.300"]);
        assert!(matches!(outcome, Outcome::Say(text) if text.contains("IPv4 address")));
        assert_eq!(wizard.step, Step::Question(0));
        let (wizard, outcome) = after(&[PASSWORD, PASSWORD, "-"]);
        assert!(matches!(outcome, Outcome::Say(_)), "an address is needed");
        assert_eq!(wizard.step, Step::Question(0));
    }

    #[test]
    fn starting_again_keeps_the_answers_but_not_the_password() {
        let mut answers = vec![PASSWORD, PASSWORD, "10.0.0.3", "", "10.0.0.1"];
        let (mut wizard, _) = after(&answers);
        wizard.restart();
        assert_eq!(wizard.step, Step::Password);
        assert!(wizard.password.is_empty());
        assert_eq!(wizard.answers[0], "10.0.0.3");
        answers.truncate(2);
        for answer in answers {
            wizard.answer(answer);
        }
        assert!(wizard.question().prompt.contains("[10.0.0.3]"));
        wizard.answer("");
        wizard.answer("");
        assert!(wizard.question().prompt.contains("[10.0.0.1]"));
        wizard.answer("-");
        assert!(wizard.answers[2].is_empty(), "- takes none");
    }

    #[test]
    fn no_leads_back_and_nonsense_asks_again() {
        let mut answers = vec![PASSWORD, PASSWORD];
        answers.extend([""; QUESTIONS.len()]);
        let (mut wizard, _) = after(&answers);
        assert!(matches!(wizard.answer("perhaps"), Outcome::Say(_)));
        assert_eq!(wizard.step, Step::Confirm);
        assert!(matches!(wizard.answer("no"), Outcome::Say(_)));
        assert_eq!(wizard.step, Step::Password);
    }
}
