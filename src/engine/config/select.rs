//! Items chosen by the beginning of their paths, as people type it: in any case, each word whole
//! or by a beginning that no other word has.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::path::{Path, PathFault, Word};
use super::schema::{Item, SCHEMA};

/// The items whose paths begin with some words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    items: Vec<&'static Item>,
    depth: usize,
    indices: Vec<u16>,
}

impl Selection {
    /// The items that `typed` begins; all for no words.
    ///
    /// # Errors
    ///
    /// Which word leads nowhere, or to more than one place.
    pub fn new(typed: &[&str]) -> Result<Self, PathFault> {
        let mut selection = Self {
            items: SCHEMA.iter().collect(),
            depth: 0,
            indices: Vec::new(),
        };
        for (position, word) in typed.iter().enumerate() {
            if !selection.narrow(word)? {
                return Err(PathFault::Unknown(typed[..=position].join(" ")));
            }
        }
        Ok(selection)
    }

    /// The selected items.
    pub fn items(&self) -> &[&'static Item] {
        &self.items
    }

    /// Every path below the words, in order.
    pub fn paths(&self) -> impl Iterator<Item = Path> {
        Path::all().filter(|path| {
            self.items.contains(&path.item()) && path.indices().starts_with(&self.indices)
        })
    }

    /// The one path, if the words name it whole.
    pub fn single(&self) -> Option<Path> {
        let [item] = self.items[..] else { return None };
        let whole = item.words().count() == self.depth;
        if whole { self.paths().next() } else { None }
    }

    /// Whether the words name an index, such as `SIP Domain 3`.
    pub fn has_index(&self) -> bool {
        !self.indices.is_empty()
    }

    /// The words that can follow, sorted; every number of an index.
    pub fn next(&self) -> Vec<String> {
        let mut next = Vec::new();
        for item in &self.items {
            match item.words().nth(self.depth) {
                Some(Word::Name(name)) => next.push(name.to_string()),
                Some(Word::Index { min, max, .. }) => {
                    next.extend((min..=max).map(|index| index.to_string()));
                }
                None => {}
            }
        }
        next.sort_by(|one, two| (one.len(), one).cmp(&(two.len(), two)));
        if next.iter().any(|word| word.parse::<u16>().is_err()) {
            next.sort_unstable();
        }
        next.dedup();
        next
    }

    /// Goes on by one word; `false` when it leads nowhere.
    fn narrow(&mut self, typed: &str) -> Result<bool, PathFault> {
        let depth = self.depth;
        self.depth += 1;
        let mut ranges = self.items.iter().filter_map(|item| {
            let word = item.words().nth(depth)?;
            match word {
                Word::Index { range, min, max } => Some((range, min, max)),
                Word::Name(_) => None,
            }
        });
        if let Some((range, min, max)) = ranges.next() {
            let within = |index: &u16| (min..=max).contains(index);
            let Some(index) = typed.parse().ok().filter(within) else {
                let found = typed.to_string();
                return Err(PathFault::Index { found, range });
            };
            self.indices.push(index);
            return Ok(true);
        }
        let name = |item: &Item| match item.words().nth(depth)? {
            Word::Name(name) => Some(name),
            Word::Index { .. } => None,
        };
        let mut names: Vec<&str> = self.items.iter().filter_map(|item| name(item)).collect();
        names.retain(|name| {
            name.get(..typed.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(typed))
        });
        names.sort_unstable();
        names.dedup();
        if let Some(whole) = names.iter().find(|name| name.len() == typed.len()) {
            names = alloc::vec![whole];
        }
        match names[..] {
            [] => Ok(false),
            [only] => {
                self.items.retain(|item| name(item) == Some(only));
                Ok(true)
            }
            _ => Err(PathFault::Ambiguous {
                found: typed.to_string(),
                choices: names.join(", "),
            }),
        }
    }
}
