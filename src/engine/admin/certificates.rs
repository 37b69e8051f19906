//! `xCommand Certificate…`: certificates on the command line (SPEC TL1).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::commands::{Parameter, Run, Task};
use super::{Command, Refusal, Verify};
use crate::certificate::Ask;
use crate::config::schema::Kind;

/// A file with PEM text, read by the command line; on a console there is none to read.
pub(super) const FILE: Parameter = Parameter {
    name: "File",
    kind: Kind::Text { max: 1_024 },
    default: None,
};

/// Names, apart by commas or spaces.
pub(super) const NAMES: Parameter = Parameter {
    name: "Names",
    kind: Kind::Text { max: 2_048 },
    default: None,
};

/// What a command asks of certificates; `None` if it is no such command. `text` is what the file
/// holds that the command names.
pub(super) fn command(run: &Run, text: Option<&str>) -> Option<Result<Command, Refusal>> {
    let pem = || {
        text.map(ToString::to_string).ok_or_else(|| {
            Refusal::because(
                "a file is read where the command line runs: causeway cli --data DIR xCommand \
                 … File: PATH; or paste the text under Maintenance > Security",
            )
        })
    };
    let number = run.number("Number").unwrap_or(0) as usize;
    let ask = match run.verb.task {
        Task::ShowCertificates => Ok(Ask::Show),
        Task::ShowRequest => Ok(Ask::ShowRequest),
        Task::InstallCertificate => pem().map(|pem| Ask::Install { pem }),
        Task::RequestCertificate => {
            let names = run.value("Names").split([',', ' ']);
            let names = names.filter(|name| !name.is_empty()).map(String::from);
            let names: Vec<String> = names.collect();
            Ok(Ask::Request { names })
        }
        Task::SelfSigned => Ok(Ask::SelfSigned),
        Task::TrustAuthority => pem().map(|pem| Ask::Trust { pem }),
        Task::DistrustAuthority => Ok(Ask::Distrust { number }),
        Task::AddRevocations => pem().map(|pem| Ask::Revoke { pem }),
        Task::RemoveRevocations => Ok(Ask::Forget { number }),
        Task::Verify => {
            return Some(Ok(Command::Verify(Verify {
                enforce: run.value("Mode") == "Enforce",
                force: run.value("Force") == "Yes",
            })));
        }
        _ => return None,
    };
    Some(ask.map(Command::Certificate))
}
