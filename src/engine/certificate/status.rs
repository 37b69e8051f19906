//! Certificates as people see them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use super::Certificates;
use crate::base::digest::sha256;
use crate::base::time::Wall;
use crate::wire::x509::{Certificate, RevocationList};

/// All that is held; no key is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateStatus {
    /// The uploaded certificate and what leads to its issuer; empty while the self-signed serves.
    pub own: Vec<Shown>,
    /// Why peers that enforce would refuse it; `None` where they would not.
    pub fault: Option<String>,
    /// Whether a request waits for its certificate.
    pub requested: bool,
    /// Trusted authorities, numbered from 1.
    pub authorities: Vec<Shown>,
    /// Revocation lists, numbered from 1.
    pub lists: Vec<ShownList>,
}

/// One certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Whose.
    pub subject: String,
    /// For which names and addresses.
    pub names: Vec<String>,
    /// By whom.
    pub issuer: String,
    /// From when.
    pub not_before: Wall,
    /// Until when.
    pub not_after: Wall,
    /// SHA-256 of its DER, in hexadecimal.
    pub fingerprint: String,
}

/// One revocation list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownList {
    /// By whom.
    pub issuer: String,
    /// When it was made.
    pub made: Wall,
    /// When there will be a newer one.
    pub next: Option<Wall>,
}

/// SHA-256 of some DER as people compare it.
pub fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = sha256(&[der])
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

fn shown(der: &[u8]) -> Shown {
    let found = Certificate::parse(der).unwrap_or_default();
    let addresses = found.addresses.iter().map(ToString::to_string);
    Shown {
        names: found.names.iter().cloned().chain(addresses).collect(),
        subject: found.subject,
        issuer: found.issuer,
        not_before: found.not_before,
        not_after: found.not_after,
        fingerprint: fingerprint(der),
    }
}

impl Certificates {
    /// All that is held.
    pub fn status(&self, _now: Wall) -> CertificateStatus {
        let own = self.held.own.iter().flat_map(|own| &own.chain);
        let list = |der: &Vec<u8>| {
            let found = RevocationList::parse(der).unwrap_or_default();
            ShownList {
                issuer: found.issuer,
                made: found.made,
                next: found.next,
            }
        };
        CertificateStatus {
            own: own.map(|der| shown(der)).collect(),
            fault: self.own.as_ref().and_then(|own| own.fault.clone()),
            requested: self.held.request.is_some(),
            authorities: self.held.authorities.iter().map(|der| shown(der)).collect(),
            lists: self.held.lists.iter().map(list).collect(),
        }
    }
}

impl CertificateStatus {
    /// The text for a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let mut put = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        if self.own.is_empty() {
            put("Server certificate: self-signed".into());
        }
        let groups = [
            ("Server certificate", &self.own),
            ("Authority", &self.authorities),
        ];
        for (title, entries) in groups {
            for (number, shown) in (1..).zip(entries) {
                put(format!("{title} {number}: {}", shown.subject));
                put(format!("    for:         {}", shown.names.join(", ")));
                put(format!("    issued by:   {}", shown.issuer));
                put(format!(
                    "    holds:       {} to {}",
                    shown.not_before, shown.not_after
                ));
                put(format!("    fingerprint: {}", shown.fingerprint));
            }
        }
        for (number, list) in (1..).zip(&self.lists) {
            let next = list.next.map_or("-".into(), |next| next.to_string());
            let (issuer, made) = (&list.issuer, list.made);
            put(format!(
                "Revocation list {number}: {issuer}, made {made}, next {next}"
            ));
        }
        if let Some(fault) = &self.fault {
            put(format!("Peers that enforce would refuse it: {fault}"));
        }
        if self.requested {
            put("A request waits for its certificate.".into());
        }
        text
    }
}
