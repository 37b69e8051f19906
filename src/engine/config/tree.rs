//! The values that were set, by path; what was not set has its default.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::path::Path;
use super::revision::Change;
use super::schema::Scope;
use super::value::Value;

use crate::base::digest::sha256;

/// A set of values. Two trees with the same values are the same, however they came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    values: BTreeMap<Path, Value>,
}

impl Tree {
    /// Sets or, with `None`, unsets one item.
    pub fn apply(&mut self, change: &Change) {
        match &change.value {
            Some(value) => self.values.insert(change.path, value.clone()),
            None => self.values.remove(&change.path),
        };
    }

    /// The value of an item that was set.
    pub fn get(&self, path: &Path) -> Option<&Value> {
        self.values.get(path)
    }

    /// The value of an item as printed, its default if it was not set.
    pub fn shown(&self, path: &Path) -> String {
        self.values.get(path).map_or_else(
            || path.item().default.into(),
            |value| alloc::format!("{value}"),
        )
    }

    /// The text of the item of this name, its default if it was not set.
    ///
    /// # Panics
    ///
    /// When the schema has no such item: names in the code are right or the tests fail.
    pub fn text(&self, name: &str) -> &str {
        let path = Path::parse(name).expect("a name in the code is in the schema");
        match self.values.get(&path) {
            Some(Value::Text(text)) => text,
            Some(Value::Secret(_)) | None => path.item().default,
        }
    }

    /// Whether the item of this name is `On`. Panics as [`Tree::text`].
    pub fn is_on(&self, name: &str) -> bool {
        self.text(name) == "On"
    }

    /// The number that the item of this name holds, 0 where it is empty. Panics as [`Tree::text`].
    pub fn number(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or(0)
    }

    /// What was set, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Value)> {
        self.values.iter()
    }

    /// What was set of one scope.
    pub fn scoped(&self, scope: Scope) -> Self {
        let of = |path: &Path| path.item().scope == scope;
        let values = self.values.iter().filter(|(path, _)| of(path));
        Self {
            values: values.map(|(path, value)| (*path, value.clone())).collect(),
        }
    }

    /// The changes that make `other` out of this.
    pub fn changes_to(&self, other: &Self) -> Vec<Change> {
        let gone = self
            .values
            .keys()
            .filter(|path| !other.values.contains_key(path));
        let unset = gone.map(|path| Change {
            path: *path,
            value: None,
        });
        let new = other
            .values
            .iter()
            .filter(|(path, value)| self.values.get(path) != Some(value));
        let set = new.map(|(path, value)| Change {
            path: *path,
            value: Some(value.clone()),
        });
        unset.chain(set).collect()
    }

    /// SHA-256 over the paths and values in order: equal trees have equal hashes on every peer.
    pub fn hash(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        for (path, value) in &self.values {
            let path = alloc::format!("{path}");
            let (kind, value) = match value {
                Value::Text(text) => (0, text.as_bytes()),
                Value::Secret(id) => (1, &id.0[..]),
            };
            for part in [path.as_bytes(), value] {
                bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
                bytes.extend_from_slice(part);
            }
            bytes.push(kind);
        }
        sha256(&[&bytes])
    }
}
