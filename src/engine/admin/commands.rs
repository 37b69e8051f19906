//! `xCommand`: what can be done, with what parameters.
//!
//! A parameter is given by name (`Alias: bob@example.net`, any beginning of the name that no
//! other has) or by its place; both can be mixed.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

use super::Refusal;
use super::certificates::{FILE, NAMES};
use super::operations::{CODE, CONFIRM, DEAD, FORCE, OVERRIDE, PEER, PRIMARY, or_none};
use super::words::{Word, choose};
use crate::config::schema::Kind;

/// What a command does, without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Mark alarms as seen.
    AcknowledgeAlarm,
    /// List what became of alarms.
    AlarmHistory,
    /// Reboot the machine.
    Boot,
    /// List replaced configurations.
    Branches,
    /// Compare two revisions.
    Diff,
    /// List revisions.
    History,
    /// Go back to a replaced configuration.
    RestoreBranch,
    /// Go back to a revision.
    Rollback,
    /// End a call, or all.
    Disconnect,
    /// Look for a registration.
    FindRegistration,
    /// Take the primary's configuration.
    ForceConfigUpdate,
    /// Switch the machine off.
    PowerOff,
    /// End a registration.
    RemoveRegistration,
    /// Restart the gateway.
    Restart,
    /// Make another peer primary.
    ChangePrimary,
    /// Form a cluster of one.
    Create,
    /// Make a join code.
    Invite,
    /// Join a cluster.
    Join,
    /// Take a peer out.
    Remove,
    /// Take all peers but the primary out.
    Disband,
    /// Examine the prerequisites of clustering.
    Preflight,
    /// Forget the shared state of a peer.
    Purge,
    /// Restart all peers in order.
    RollingRestart,
    /// Give an operation up.
    OperationAbandon,
    /// Try a step again.
    OperationRetry,
    /// Undo an operation.
    OperationUndo,
    /// Show certificates.
    ShowCertificates,
    /// Show the request that waits.
    ShowRequest,
    /// Serve a certificate.
    InstallCertificate,
    /// Make a key and a request.
    RequestCertificate,
    /// Serve the self-signed certificate.
    SelfSigned,
    /// Trust an authority.
    TrustAuthority,
    /// Trust an authority no more.
    DistrustAuthority,
    /// Take a revocation list.
    AddRevocations,
    /// Forget a revocation list.
    RemoveRevocations,
    /// Choose how peers' certificates are judged.
    Verify,
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verb {
    /// Its name, as the incumbent has it.
    pub name: &'static str,
    /// What it does.
    pub task: Task,
    /// Its parameters, in the order of their places.
    pub parameters: &'static [Parameter],
    /// What it is for.
    pub help: &'static str,
}

/// A parameter of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Its value when it is not given; `None` where it must be.
    pub default: Option<&'static str>,
}

/// A command with its parameters' values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The command.
    pub verb: &'static Verb,
    /// A value for each parameter, valid for its kind.
    pub values: Vec<String>,
}

const SCOPE: Parameter = Parameter {
    name: "Scope",
    kind: Kind::Choice(&["Cluster", "Peer"]),
    default: Some("Cluster"),
};

const MODE: Parameter = Parameter {
    name: "Mode",
    kind: Kind::Choice(&["Permissive", "Enforce"]),
    default: None,
};

const ALIAS: Parameter = Parameter {
    name: "Alias",
    kind: Kind::Text { max: 255 },
    default: None,
};

const CALL: Parameter = Parameter {
    name: "Call",
    kind: Kind::Text { max: 16 },
    default: None,
};

const fn number(
    name: &'static str,
    min: u32,
    max: u32,
    default: Option<&'static str>,
) -> Parameter {
    Parameter {
        name,
        kind: Kind::Number { min, max },
        default,
    }
}

const fn verb(
    name: &'static str,
    task: Task,
    parameters: &'static [Parameter],
    help: &'static str,
) -> Verb {
    Verb {
        name,
        task,
        parameters,
        help,
    }
}

/// Every command, sorted by name.
pub(super) const VERBS: &[Verb] = &[
    verb(
        "AlarmAcknowledge",
        Task::AcknowledgeAlarm,
        &[number("Alarm", 1, 99_999, None)],
        "Marks the raised alarms of this id as seen. They stay until their condition is gone.",
    ),
    verb(
        "AlarmHistory",
        Task::AlarmHistory,
        &[number("Count", 1, 1_000, Some("50"))],
        "Lists the alarms that were raised, lowered and acknowledged, newest first, also before \
         the last restart.",
    ),
    verb("Boot", Task::Boot, &[], "Reboots the machine."),
    verb(
        "CertificateAuthorityAdd",
        Task::TrustAuthority,
        &[FILE],
        "Trusts the authorities in a PEM file too.",
    ),
    verb(
        "CertificateAuthorityDelete",
        Task::DistrustAuthority,
        &[number("Number", 1, 100, None)],
        "Trusts an authority no more; CertificateShow numbers them.",
    ),
    verb(
        "CertificateInstall",
        Task::InstallCertificate,
        &[FILE],
        "Presents the certificate in a PEM file to peers and browsers, without a restart. Its own \
         comes first, then those that lead to its issuer. The key is in the file too, unless a \
         request made here, or the certificate in use, has it.",
    ),
    verb(
        "CertificateRequest",
        Task::RequestCertificate,
        &[NAMES],
        "Makes a key, which stays here, and a request for a certificate for these names, the full \
         name of this system first.",
    ),
    verb(
        "CertificateRequestShow",
        Task::ShowRequest,
        &[],
        "Shows the request that waits for its certificate.",
    ),
    verb(
        "CertificateRevocationListAdd",
        Task::AddRevocations,
        &[FILE],
        "Takes the revocation lists in a PEM file; each replaces an older one of its authority.",
    ),
    verb(
        "CertificateRevocationListDelete",
        Task::RemoveRevocations,
        &[number("Number", 1, 100, None)],
        "Forgets a revocation list; CertificateShow numbers them.",
    ),
    verb(
        "CertificateSelfSigned",
        Task::SelfSigned,
        &[],
        "Presents the self-signed certificate again and forgets the uploaded one with its key.",
    ),
    verb(
        "CertificateShow",
        Task::ShowCertificates,
        &[],
        "Shows certificates, authorities and revocation lists.",
    ),
    verb(
        "ClusterChangePrimary",
        Task::ChangePrimary,
        &[PEER, FORCE, OVERRIDE],
        "Makes another peer the primary, on every peer in the safe order. Force: Yes does it \
         although the old primary or most peers cannot be reached.",
    ),
    verb(
        "ClusterCreate",
        Task::Create,
        &[
            Parameter {
                name: "Name",
                kind: Kind::Name { max: 128 },
                default: None,
            },
            Parameter {
                name: "Address",
                kind: Kind::Host,
                default: Some(""),
            },
            OVERRIDE,
        ],
        "Forms a cluster of this system alone, to which others are added with ClusterInvite. \
         Address is the system's own address towards its peers; without it that of LAN 1.",
    ),
    verb(
        "ClusterDisband",
        Task::Disband,
        &[OVERRIDE],
        "On the primary: takes all other peers out of the cluster; each of them is reset. This \
         system stays a cluster of one.",
    ),
    verb(
        "ClusterInvite",
        Task::Invite,
        &[],
        "On the primary: makes a code with which one system may join within 30 minutes.",
    ),
    verb(
        "ClusterJoin",
        Task::Join,
        &[PRIMARY, CODE, OVERRIDE],
        "On a system that is in no cluster: joins the one of this primary, with the code that \
         ClusterInvite made there. What is replicated here is replaced by what the primary has.",
    ),
    verb(
        "ClusterPreflight",
        Task::Preflight,
        &[or_none(PRIMARY), or_none(CODE), OVERRIDE],
        "Examines every prerequisite of clustering on this system and on its peers, and changes \
         nothing. With Primary and Code, whether this system could join that cluster.",
    ),
    verb(
        "ClusterPurge",
        Task::Purge,
        &[PEER, CONFIRM, OVERRIDE],
        "Forgets the shared dynamic state (registrations) of a peer on every peer. Devices have \
         to register again.",
    ),
    verb(
        "ClusterRemove",
        Task::Remove,
        &[PEER, DEAD, OVERRIDE],
        "On the primary: takes a peer out of the cluster. The peer is reset to factory settings \
         but for LAN 1, password and certificates. Dead: Yes only takes a peer that cannot be \
         reached off the lists.",
    ),
    verb(
        "ClusterRollingRestart",
        Task::RollingRestart,
        &[OVERRIDE],
        "Restarts every peer, the primary first; each next one only when all are in step again.",
    ),
    verb(
        "ClusterTLSVerification",
        Task::Verify,
        &[MODE, FORCE],
        "Chooses how this peer judges the others' certificates. Enforce is refused while a peer \
         would be; Force: Yes does it all the same. Peers that do not come back within a minute \
         bring Permissive back.",
    ),
    verb(
        "ConfigurationBranches",
        Task::Branches,
        &[],
        "Lists replicated configurations that a primary's has replaced.",
    ),
    verb(
        "ConfigurationDiff",
        Task::Diff,
        &[
            number("From", 0, u32::MAX, None),
            number("To", 0, u32::MAX, Some("")),
            SCOPE,
        ],
        "Compares the values after two revisions; without To, with the values now.",
    ),
    verb(
        "ConfigurationHistory",
        Task::History,
        &[SCOPE, number("Count", 1, 1_000, Some("20"))],
        "Lists the newest revisions with their changes, newest first. Scope Peer lists those of \
         items marked †.",
    ),
    verb(
        "ConfigurationRestore",
        Task::RestoreBranch,
        &[number("Branch", 1, u32::MAX, None)],
        "Saves the values of a replaced configuration again, as a new revision. Secrets stay.",
    ),
    verb(
        "ConfigurationRollback",
        Task::Rollback,
        &[number("Revision", 0, u32::MAX, None), SCOPE],
        "Saves the values as they were after a revision again, as a new one. Secrets stay.",
    ),
    verb(
        "DisconnectCall",
        Task::Disconnect,
        &[CALL],
        "Ends a call, or All, whatever peers they pass: both ends get the BYE that the other end \
         would send. xStatus Calls lists them.",
    ),
    verb(
        "FindRegistration",
        Task::FindRegistration,
        &[ALIAS],
        "Shows the registrations of an alias, whatever peer they are with.",
    ),
    verb(
        "ForceConfigUpdate",
        Task::ForceConfigUpdate,
        &[],
        "On a subordinate: replaces the replicated configuration by the primary's. Items marked \
         † stay. The replaced one can be had back with ConfigurationRestore.",
    ),
    verb(
        "OperationAbandon",
        Task::OperationAbandon,
        &[],
        "Gives the operation that this peer leads up where it is; nothing is undone.",
    ),
    verb(
        "OperationRetry",
        Task::OperationRetry,
        &[],
        "Tries the step of an operation that was refused once more.",
    ),
    verb(
        "OperationUndo",
        Task::OperationUndo,
        &[],
        "Undoes the operation that this peer leads, the last step first.",
    ),
    verb("PowerOff", Task::PowerOff, &[], "Switches the machine off."),
    verb(
        "RemoveRegistration",
        Task::RemoveRegistration,
        &[ALIAS],
        "Ends the registrations of an alias, whatever peer they are with.",
    ),
    verb(
        "Restart",
        Task::Restart,
        &[],
        "Restarts the gateway without rebooting the machine.",
    ),
];

impl Run {
    /// The command that the words name, with its parameters.
    pub(super) fn parse(words: &[Word<'_>]) -> Result<Self, Refusal> {
        let (verb, words) = find(words)?;
        let mut values: Vec<Option<String>> = vec![None; verb.parameters.len()];
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (place, text) = match named(verb, word) {
                Some((place, "")) => (place, words.next().map(|word| word.text)),
                Some((place, rest)) => (place, Some(rest)),
                None => {
                    let free = values.iter().position(Option::is_none);
                    let place = free.ok_or_else(|| {
                        Refusal::because(format!("{}: too many parameters", verb.name))
                    })?;
                    (place, Some(word.text))
                }
            };
            let parameter = &verb.parameters[place];
            let text = text.ok_or_else(|| {
                Refusal::because(format!("{}: the value is missing", parameter.name))
            })?;
            let value = accept(parameter, text)?;
            if values[place].replace(value).is_some() {
                return Err(Refusal::because(format!("{}: given twice", parameter.name)));
            }
        }
        let filled = verb.parameters.iter().zip(values);
        let values = filled.map(|(parameter, value)| {
            let default = parameter.default.map(ToOwned::to_owned);
            value.or(default).ok_or_else(|| {
                Refusal::because(format!(
                    "{}: the parameter {} is missing: {}",
                    verb.name,
                    parameter.name,
                    usage(verb)
                ))
            })
        });
        Ok(Self {
            verb,
            values: values.collect::<Result<_, _>>()?,
        })
    }

    /// The value of a parameter, empty where it has none.
    pub fn value(&self, name: &str) -> &str {
        let place = self.verb.parameters.iter().position(|p| p.name == name);
        place.map_or("", |place| &self.values[place])
    }

    /// The number in a parameter.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.value(name).parse().ok()
    }
}

/// The command that begins these words, and the words after it. `Force Config Update` is
/// `ForceConfigUpdate`, as some guides print it.
pub(super) fn find<'w, 'a>(
    words: &'w [Word<'a>],
) -> Result<(&'static Verb, &'w [Word<'a>]), Refusal> {
    let Some(first) = words.first() else {
        return Err(Refusal::because(
            "the name of a command is missing: xCommand ? lists them",
        ));
    };
    let mut joined = String::new();
    for (position, word) in words
        .iter()
        .take_while(|word| !word.quoted)
        .enumerate()
        .take(4)
    {
        joined.push_str(word.text);
        let whole = VERBS
            .iter()
            .find(|verb| verb.name.eq_ignore_ascii_case(&joined));
        if let Some(verb) = whole {
            return Ok((verb, &words[position + 1..]));
        }
    }
    let name = choose(VERBS.iter().map(|verb| verb.name), first.text).map_err(|several| {
        Refusal::because(match several[..] {
            [] => format!(
                "{}: there is no such command: xCommand ? lists them",
                first.text
            ),
            _ => format!("{}: this may be {}", first.text, several.join(", ")),
        })
    })?;
    let verb = VERBS.iter().find(|verb| verb.name == name);
    let verb = verb.expect("the name was chosen among those of the table");
    Ok((verb, &words[1..]))
}

/// The command and what it takes, in one line.
pub(super) fn usage(verb: &Verb) -> String {
    let mut text = format!("xCommand {}", verb.name);
    for parameter in verb.parameters {
        let space = parameter.kind.space();
        let required = if parameter.default.is_none() {
            "(r)"
        } else {
            ""
        };
        // Writing to a string cannot fail.
        let _ = write!(text, " {}{required}: {space}", parameter.name);
    }
    text
}

/// What some commands take; with `full`, also what they are for.
pub(super) fn help(verbs: &[&Verb], full: bool) -> String {
    let mut text = String::new();
    for verb in verbs {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "*h {}", usage(verb));
        if full {
            let _ = writeln!(text, "    {}", verb.help);
        }
    }
    text
}

/// The parameter that a word such as `Alias:` names, and what follows its colon.
fn named<'a>(verb: &Verb, word: &Word<'a>) -> Option<(usize, &'a str)> {
    let (name, rest) = word.text.split_once(':').filter(|_| !word.quoted)?;
    let name = choose(verb.parameters.iter().map(|p| p.name), name).ok()?;
    let place = verb.parameters.iter().position(|p| p.name == name)?;
    Some((place, rest))
}

fn accept(parameter: &Parameter, text: &str) -> Result<String, Refusal> {
    let value = parameter
        .kind
        .accept(text)
        .map_err(|fault| Refusal::because(format!("{}: {fault}", parameter.name)))?;
    if value.is_empty() {
        return Err(Refusal::because(format!(
            "{}: the value is empty",
            parameter.name
        )));
    }
    Ok(value.to_string())
}
