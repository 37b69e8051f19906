//! Certificates of this peer: its own, the authorities that it trusts, and what those have revoked
//! (SPEC TL1).
//!
//! What is uploaded is read and judged here as far as that needs no cryptography; the shell judges
//! the rest ([`Task`]) and makes keys. All of it is one record of the store, sealed like a secret,
//! because a private key is in it. Nothing takes effect before it is on the disk.

mod conditions;
pub mod status;
#[cfg(test)]
mod tests;
mod upload;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::base::store::{Record, Table, Write};
use crate::base::time::Wall;
use crate::wire::pem;

/// Certificates in the store of trusted authorities at most, and lists likewise.
pub const AUTHORITIES: usize = 100;

/// Names in a request at most.
const REQUEST_NAMES: usize = 32;

/// Name of the record in the store.
const KEY: &[u8] = b"certificates";

/// First byte of the record.
const VERSION: u8 = 1;

/// A private key, as DER. It never reaches a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(pub Vec<u8>);

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key")
    }
}

/// An own certificate with what leads to its issuer, and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// The certificate first, as DER.
    pub chain: Vec<Vec<u8>>,
    /// Its key.
    pub key: Key,
}

/// All that is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The uploaded certificate; without one, the self-signed one serves.
    pub own: Option<Own>,
    /// The key of a request that waits for its certificate, and the request as PEM.
    pub request: Option<(Key, String)>,
    /// Trusted authorities, as DER.
    pub authorities: Vec<Vec<u8>>,
    /// Revocation lists, as DER.
    pub lists: Vec<Vec<u8>>,
}

/// What an administrator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Show what is held.
    Show,
    /// Show the request that waits for its certificate.
    ShowRequest,
    /// Serve this certificate from now on; with its key, unless a request made here or the
    /// certificate in use has it.
    Install {
        /// PEM text.
        pem: String,
    },
    /// Make a key and a request for a certificate for these names, the common name first.
    Request {
        /// DNS names.
        names: Vec<String>,
    },
    /// Serve the self-signed certificate again.
    SelfSigned,
    /// Trust these authorities too.
    Trust {
        /// PEM text.
        pem: String,
    },
    /// Trust an authority no more.
    Distrust {
        /// Its number, as shown.
        number: usize,
    },
    /// Take revocation lists; each replaces an older one of its issuer.
    Revoke {
        /// PEM text.
        pem: String,
    },
    /// Forget a revocation list.
    Forget {
        /// Its number, as shown.
        number: usize,
    },
}

/// What only cryptography can tell or make; the shell does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Whether the key fits the certificate and both can serve; and what a peer that trusts the
    /// same authorities would say of it. Answered by [`Done::Fits`].
    Fit(Own, Held),
    /// Make a key and a request. Answered by [`Done::Made`].
    Make {
        /// DNS names, the common name first.
        names: Vec<String>,
    },
    /// Whether authorities and lists can be used. Answered by [`Done::Usable`].
    Use(Held),
}

/// What the shell found or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The key fits; and why a peer in Enforce mode would refuse the certificate, if so.
    Fits(Option<String>),
    /// A new key, and the request as PEM.
    Made(Key, String),
    /// They can be used.
    Usable,
}

/// What follows from what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is answered.
    Answer(String),
    /// This is to be done first; then [`Certificates::done`] goes on.
    Task(Task),
}

/// What is held, and what is under way.
#[derive(Debug, Default)]
pub struct Certificates {
    held: Held,
    /// What will be held once the shell and the disk agree, and what is then said.
    next: Option<(Held, String)>,
    /// What the shell says of the certificate in use.
    pub(crate) own: Option<crate::base::socket::Presented>,
}

impl Certificates {
    /// What the store held; the second value says if that could not be read.
    pub fn load(records: &[Record]) -> (Self, Option<String>) {
        let ours = |record: &&Record| record.table == Table::Secret && record.key == KEY;
        let Some(record) = records.iter().find(ours) else {
            return (Self::default(), None);
        };
        let body = record
            .value
            .as_deref()
            .and_then(|value| value.strip_prefix(&[VERSION]));
        let held = body.and_then(|body| postcard::from_bytes(body).ok());
        let fault = held.is_none().then(|| {
            "the certificates could not be read: upload them again; until then the self-signed \
             one serves"
                .to_string()
        });
        let held = held.unwrap_or_default();
        let certificates = Self {
            held,
            ..Self::default()
        };
        (certificates, fault)
    }

    /// What is held.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Takes in what an administrator asks.
    ///
    /// # Errors
    ///
    /// What is wrong with it; everything stays as it is.
    pub fn ask(&mut self, now: Wall, ask: &Ask) -> Result<Step, Vec<String>> {
        let said = |text: String| Ok(Step::Answer(text));
        let held = self.held.clone();
        match ask {
            Ask::Show => said(self.status(now).text()),
            Ask::ShowRequest => match &self.held.request {
                Some((_, request)) => said(request.clone()),
                None => Err(Vec::from(["no request waits for its certificate".into()])),
            },
            _ if self.next.is_some() => Err(Vec::from([
                "another change of certificates is under way; try again in a moment".into(),
            ])),
            Ask::Install { pem } => {
                let own = upload::own(pem, &self.held, now)?;
                let judged = held.clone();
                let text = format!("{} is in use.\n", upload::title(&own.chain[0]));
                let request = match &held.request {
                    Some((key, _)) if *key == own.key => None,
                    request => request.clone(),
                };
                let next = Held {
                    own: Some(own.clone()),
                    request,
                    ..held
                };
                self.next = Some((next, text));
                Ok(Step::Task(Task::Fit(own, judged)))
            }
            Ask::Request { names } => {
                upload::judge_names(names)?;
                self.next = Some((held, String::new()));
                let names = names.clone();
                Ok(Step::Task(Task::Make { names }))
            }
            Ask::SelfSigned => {
                let next = Held { own: None, ..held };
                self.judged(next, "The self-signed certificate is in use.\n")
            }
            Ask::Trust { pem } => {
                let (next, text) = upload::trust(pem, held, now)?;
                self.judged(next, &text)
            }
            Ask::Distrust { number } => {
                let next = upload::without(held, *number, |held| &mut held.authorities)?;
                self.judged(next, "The authority is trusted no more.\n")
            }
            Ask::Revoke { pem } => {
                let (next, text) = upload::revoke(pem, held, now)?;
                self.judged(next, &text)
            }
            Ask::Forget { number } => {
                let next = upload::without(held, *number, |held| &mut held.lists)?;
                self.judged(next, "The revocation list is forgotten.\n")
            }
        }
    }

    /// Goes on with what the shell found; the writes are to be on the disk before
    /// [`Certificates::written`].
    ///
    /// # Errors
    ///
    /// Why the change cannot be; everything stays as it is.
    pub fn done(&mut self, result: Result<Done, String>) -> Result<Vec<Write>, Vec<String>> {
        let done = result.map_err(|reason| {
            self.next = None;
            Vec::from([reason])
        })?;
        let Some((next, text)) = &mut self.next else {
            return Err(Vec::from(["nothing was asked".into()]));
        };
        match done {
            Done::Fits(Some(warning)) => {
                text.push_str(&format!(
                    "Warning: peers that enforce refuse it: {warning}\n"
                ));
            }
            Done::Made(key, request) => {
                text.clone_from(&request);
                next.request = Some((key, request));
            }
            Done::Fits(None) | Done::Usable => {}
        }
        let body = postcard::to_extend(next, Vec::from([VERSION]));
        Ok(Vec::from([Write::Put {
            table: Table::Secret,
            key: KEY.to_vec(),
            value: body.expect("plain data always encodes"),
        }]))
    }

    /// The change is on the disk, or is not; gives what to answer.
    ///
    /// # Errors
    ///
    /// The disk refuses; everything stays as it is.
    pub fn written(&mut self, result: Result<(), String>) -> Result<String, Vec<String>> {
        let next = self.next.take();
        result.map_err(|reason| Vec::from([format!("not saved: {reason}")]))?;
        let Some((held, text)) = next else {
            return Ok(String::new());
        };
        self.held = held;
        Ok(text)
    }

    fn judged(&mut self, next: Held, text: &str) -> Result<Step, Vec<String>> {
        self.next = Some((next.clone(), text.into()));
        Ok(Step::Task(Task::Use(next)))
    }
}

/// PEM text of a certificate, to be copied.
pub fn printed(der: &[u8]) -> String {
    pem::encode("CERTIFICATE", der)
}
