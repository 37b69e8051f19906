//! What the set-up wizard asks at first boot, on the serial line and on the web alike (SPEC AP6).

use causeway_engine::config::path::Path;

use crate::accounts::{self, PASSWORD_ITEM};

/// One question, besides the one for the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The item that the answer sets.
    pub(crate) path: &'static str,
    /// Its name for a person.
    pub(crate) label: &'static str,
    /// What it is taken for when nothing is answered.
    pub(crate) default: &'static str,
    /// Whether an answer without anything will do.
    pub(crate) optional: bool,
}

/// The questions in order.
pub(crate) const QUESTIONS: [Question; 8] = [
    Question {
        path: "Ethernet 1 IP V4 Address",
        label: "LAN1 IPv4 address",
        default: "192.168.0.100",
        optional: false,
    },
    Question {
        path: "Ethernet 1 IP V4 SubnetMask",
        label: "LAN1 subnet mask",
        default: "255.255.255.0",
        optional: false,
    },
    Question {
        path: "IP Gateway",
        label: "Default gateway",
        default: "",
        optional: true,
    },
    Question {
        path: "IP DNS Hostname",
        label: "Host name",
        default: "",
        optional: true,
    },
    Question {
        path: "IP DNS Domain Name",
        label: "Domain name",
        default: "",
        optional: true,
    },
    Question {
        path: "DNS Server 1 Address",
        label: "DNS server",
        default: "",
        optional: true,
    },
    Question {
        path: "NTP Server 1 Address",
        label: "NTP server",
        default: "",
        optional: true,
    },
    Question {
        path: "TimeZone Name",
        label: "Time zone",
        default: "UTC",
        optional: false,
    },
];

impl Question {
    /// The answer as it will be kept.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a person.
    pub(crate) fn judge(&self, answer: &str) -> Result<String, String> {
        let answer = answer.trim();
        if answer.is_empty() && !self.optional {
            return Err("an answer is needed".into());
        }
        if answer.is_empty() {
            return Ok(String::new());
        }
        match Path::parse(self.path) {
            Ok(path) => path.item().kind.accept(answer),
            Err(fault) => Err(fault.to_string()),
        }
    }
}

/// Whether the new password will do and was typed twice alike.
///
/// # Errors
///
/// What is wrong with it, for a person.
pub(crate) fn judge_passwords(first: &str, second: &str) -> Result<(), String> {
    accounts::judge_password(first)?;
    if first == second {
        Ok(())
    } else {
        Err("The two passwords differ.".into())
    }
}

/// The one change that the wizard saves; the password is still in clear and is hashed by the
/// gateway.
pub(crate) fn changes(
    password: String,
    answers: impl IntoIterator<Item = (&'static str, String)>,
) -> Vec<(String, String)> {
    let items = answers
        .into_iter()
        .map(|(path, value)| (path.to_owned(), value));
    std::iter::once((PASSWORD_ITEM.to_owned(), password))
        .chain(items)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_an_answer() {
        for question in QUESTIONS {
            let judged = question.judge(question.default);
            assert_eq!(
                judged.as_deref(),
                Ok(question.default),
                "{}",
                question.label
            );
            assert!(Path::parse(question.path).is_ok(), "{}", question.path);
        }
    }

    #[test]
    fn wrong_answers_are_told_apart() {
        assert!(QUESTIONS[0].judge("").is_err());
        assert!(QUESTIONS[0].judge("192.168.0.300").is_err());
        assert!(QUESTIONS[1].judge("255.0.255.0").is_err());
        assert_eq!(QUESTIONS[2].judge("  ").as_deref(), Ok(""));
        assert_eq!(QUESTIONS[0].judge(" 10.0.0.1 ").as_deref(), Ok("10.0.0.1"));
    }

    #[test]
    fn passwords_must_agree() {
        assert!(judge_passwords("correct horse", "correct horse").is_ok());
        assert!(judge_passwords("correct horse", "correct house").is_err());
        assert!(judge_passwords("short", "short").is_err());
    }
}
