//! A backup: every value and secret of one system, and whose it is (SPEC UP4).
//!
//! It is restored as one ordinary change, so it is judged like any other, shows in the history,
//! can be rolled back, and its secrets are sealed under the key of the system that takes it.
//! What is here is in clear; whoever keeps it encrypts it first.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::Configuration;
use super::path::Path;
use super::schema::Scope;
use super::value::HIDDEN;
use crate::base::ids::PeerId;
use crate::base::limits;
use crate::base::time::Wall;

/// First byte: the format.
const VERSION: u8 = 1;

/// A backup as bytes, in clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents(pub Vec<u8>);

/// Never what is in it.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contents({} bytes)", self.0.len())
    }
}

/// Whose backup it is, and when it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Version of the software.
    pub software: String,
    /// Serial number of the system.
    pub peer: PeerId,
    /// Its name.
    pub name: String,
    /// When it was taken, by its clock.
    pub time: Wall,
}

/// Everything that is set.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Whose it is.
    pub origin: Origin,
    /// Items and values; secrets in clear.
    values: Vec<(String, String)>,
    /// Items whose secrets could not be read; they stay as they are where it is restored.
    unreadable: Vec<String>,
}

/// Never what is in it.
impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backup({:?}, {} values)", self.origin, self.values.len())
    }
}

impl Backup {
    /// A backup of a configuration.
    pub fn of(configuration: &Configuration, origin: Origin) -> Self {
        let mut values = Vec::new();
        let mut unreadable = Vec::new();
        for (path, value) in configuration.tree().iter() {
            let name = path.to_string();
            if value.secret().is_none() {
                values.push((name, value.to_string()));
            } else if let Some(secret) = configuration.secret(&name) {
                values.push((name, secret.to_string()));
            } else {
                unreadable.push(name);
            }
        }
        Self {
            origin,
            values,
            unreadable,
        }
    }

    /// Its bytes: a version byte, then postcard.
    pub fn encode(&self) -> Contents {
        let bytes = postcard::to_extend(self, alloc::vec![VERSION]);
        Contents(bytes.expect("plain data always encodes"))
    }

    /// Reads what [`Backup::encode`] wrote on a system of the same version.
    ///
    /// # Errors
    ///
    /// Why it is no backup that can be restored here.
    pub fn decode(contents: &Contents, software: &str) -> Result<Self, String> {
        let bytes = &contents.0;
        let backup: Option<Self> = bytes
            .strip_prefix(&[VERSION])
            .filter(|_| bytes.len() <= limits::BACKUP_BYTES)
            .and_then(|body| match postcard::take_from_bytes(body) {
                Ok((backup, [])) => Some(backup),
                Ok(_) | Err(_) => None,
            });
        let Some(backup) = backup else {
            return Err("this is no backup that this version can read".into());
        };
        let theirs = &backup.origin.software;
        if theirs != software {
            return Err(format!(
                "the backup was taken with version {theirs} and is restored only there; this \
                 system runs {software}"
            ));
        }
        Ok(backup)
    }

    /// What restoring it changes: items and values as text; without `shared`, only what belongs
    /// to this peer alone.
    pub fn changes(&self, configuration: &Configuration, shared: bool) -> Vec<(String, String)> {
        let wanted: BTreeMap<&str, &str> = self
            .values
            .iter()
            .map(|(path, value)| (path.as_str(), value.as_str()))
            .collect();
        let now = |path: &Path, name: &str| match configuration.secret(name) {
            Some(secret) => secret.to_string(),
            None => configuration.tree().shown(path),
        };
        let ours = |path: &Path| shared || path.item().scope == Scope::Peer;
        let mut changes = Vec::new();
        for (name, value) in &wanted {
            match Path::parse(name) {
                Ok(path) if !ours(&path) || now(&path, name) == **value => {}
                // An item that is not known is refused by whoever judges the change.
                Ok(_) | Err(_) => changes.push((name.to_string(), value.to_string())),
            }
        }
        for (path, _) in configuration.tree().iter().filter(|(path, _)| ours(path)) {
            let name = path.to_string();
            if !wanted.contains_key(name.as_str()) && !self.unreadable.contains(&name) {
                changes.push((name, String::new()));
            }
        }
        changes
    }

    /// What restoring it changes, for a person: whose it is, and each item before and after.
    pub fn preview(&self, configuration: &Configuration, shared: bool) -> String {
        let Origin {
            software,
            peer,
            name,
            time,
        } = &self.origin;
        let mut text = format!(
            "*r Backup of \"{}\", serial number {peer}, version {software}, taken {time}:\n",
            name.replace(|c: char| c == '"' || c.is_control(), " ")
        );
        for (name, value) in self.changes(configuration, shared) {
            let Ok(path) = Path::parse(&name) else {
                continue;
            };
            let item = path.item();
            let shown = |value: &str| match (value, item.kind.is_secret()) {
                ("", _) => item.default.to_string(),
                (_, true) => HIDDEN.to_string(),
                (value, false) => value.to_string(),
            };
            let before = configuration.tree().shown(&path);
            text += &format!(
                "      - {path}: \"{before}\"\n      + {path}: \"{}\"\n",
                shown(&value)
            );
        }
        for name in &self.unreadable {
            text += &format!("      (the secret of {name} could not be read and stays as it is)\n");
        }
        text + "*r/end\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use crate::config::revision::Author;
    use std::vec;

    fn set(configuration: &mut Configuration, changes: &[(String, String)]) {
        let author = Author {
            name: "admin".into(),
            address: String::new(),
            face: "cli".into(),
        };
        let mut random = Random::new([7; 32]);
        let prepared = configuration
            .prepare(changes, &author, "", Wall::default(), 0, &mut random)
            .unwrap();
        configuration.commit(prepared);
    }

    fn made(changes: &[(&str, &str)]) -> Configuration {
        let (mut configuration, _) = Configuration::load(&[]);
        let owned = |(path, value): &(&str, &str)| (path.to_string(), value.to_string());
        let changes: Vec<_> = changes.iter().map(owned).collect();
        set(&mut configuration, &changes);
        configuration
    }

    fn backup(configuration: &Configuration) -> Contents {
        let origin = Origin {
            software: "1".into(),
            peer: PeerId([3; 32]),
            name: "one".into(),
            time: Wall::default(),
        };
        Backup::of(configuration, origin).encode()
    }

    #[test]
    fn everything_comes_back_on_another_system() {
        let one = made(&[
            ("SystemUnit Name", "one"),
            ("SIP UDP Port", "5070"),
            ("Alternates Cluster Secret", "open sesame"),
        ]);
        let mut two = made(&[("SIP UDP Port", "5080"), ("SIP Domain 1 Name", "b.example")]);
        let contents = backup(&one);
        let read = Backup::decode(&contents, "1").unwrap();
        let preview = read.preview(&two, true);
        assert!(preview.contains("serial number 0303"), "{preview}");
        assert!(preview.contains("- SIP UDP Port: \"5080\"\n      + SIP UDP Port: \"5070\""));
        assert!(preview.contains("+ SIP Domain 1 Name: \"\""), "{preview}");
        assert!(!preview.contains("sesame"));
        let own = read.changes(&two, false);
        assert!(
            own.iter().all(|(path, _)| !path.starts_with("SIP")),
            "{own:?}"
        );
        let changes = read.changes(&two, true);
        set(&mut two, &changes);
        assert_eq!(two.secret("Alternates Cluster Secret"), Some("open sesame"));
        assert_eq!(read.changes(&two, true), vec![]);
        let differs = one.tree().changes_to(two.tree()).into_iter();
        let open = differs.filter(|change| !change.path.item().kind.is_secret());
        assert_eq!(open.count(), 0);
    }

    #[test]
    fn what_is_no_backup_of_this_version_is_refused() {
        let contents = backup(&made(&[("SystemUnit Name", "one")]));
        let fault = Backup::decode(&contents, "2").unwrap_err();
        assert!(
            fault.contains("version 1") && fault.contains("runs 2"),
            "{fault}"
        );
        for length in 0..contents.0.len() {
            let cut = Contents(contents.0[..length].to_vec());
            assert!(Backup::decode(&cut, "1").is_err(), "{length}");
        }
        assert!(!std::format!("{contents:?}").contains("one"));
    }
}
