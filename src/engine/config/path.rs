//! The name of one configuration item, as typed and printed: `Alternates Peer 1 Address`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::schema::{Item, SCHEMA};

/// Indices in one path at most.
const INDICES: usize = 2;

/// One item, with its index where it is a family.
///
/// The order is that of the schema, then of the indices, so that `Peer 2` comes before `Peer 10`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    item: u16,
    indices: [u16; INDICES],
}

/// Why a text names no item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// No item begins with these words.
    Unknown(String),
    /// The words are only the beginning of items.
    Incomplete(String),
    /// The index is outside its range.
    Index {
        /// What was typed.
        found: String,
        /// The range, `1..6`.
        range: &'static str,
    },
    /// A word is the beginning of more than one.
    Ambiguous {
        /// What was typed.
        found: String,
        /// What it may mean.
        choices: String,
    },
}

/// A word of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A name, matched without regard to case.
    Name(&'static str),
    /// An index within these bounds, printed as a number.
    Index {
        /// The bounds as text, `1..6`.
        range: &'static str,
        /// Smallest.
        min: u16,
        /// Largest.
        max: u16,
    },
}

/// Why a text does not name one item. Looking up an item tries them all, so this holds no text.
enum Miss<'a> {
    Unknown,
    Incomplete,
    Index(&'a str, &'static str),
}

impl Item {
    /// The words of its pattern.
    pub fn words(&self) -> impl Iterator<Item = Word> {
        self.pattern.split(' ').map(|word| {
            let Some(range) = word
                .strip_prefix('[')
                .and_then(|word| word.strip_suffix(']'))
            else {
                return Word::Name(word);
            };
            let (min, max) = range.split_once("..").unwrap_or(("1", "1"));
            Word::Index {
                range,
                min: min.parse().unwrap_or(1),
                max: max.parse().unwrap_or(1),
            }
        })
    }
}

impl Item {
    /// The largest index of its family, 1 where it is no family.
    pub fn index_max(&self) -> u16 {
        let index = self.words().map(|word| match word {
            Word::Name(_) => 1,
            Word::Index { max, .. } => max,
        });
        index.max().unwrap_or(1)
    }
}

impl Path {
    /// The item that `text` names, whole and without regard to case.
    ///
    /// # Errors
    ///
    /// What is wrong with the name; nothing else can be.
    pub fn parse(text: &str) -> Result<Self, PathFault> {
        let mut miss = Miss::Unknown;
        for (number, item) in SCHEMA.iter().enumerate() {
            match Self::matched(number, item, text) {
                Ok(path) => return Ok(path),
                Err(Miss::Unknown) => {}
                Err(other) => miss = other,
            }
        }
        Err(match miss {
            Miss::Unknown => PathFault::Unknown(text.to_string()),
            Miss::Incomplete => PathFault::Incomplete(text.to_string()),
            Miss::Index(found, range) => PathFault::Index {
                found: found.to_string(),
                range,
            },
        })
    }

    /// Every path, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        SCHEMA.iter().enumerate().flat_map(|(number, item)| {
            let bounds: Vec<(u16, u16)> = item
                .words()
                .filter_map(|word| match word {
                    Word::Name(_) => None,
                    Word::Index { min, max, .. } => Some((min, max)),
                })
                .collect();
            let first = bounds.first().copied().unwrap_or((0, 0));
            let second = bounds.get(1).copied().unwrap_or((0, 0));
            (first.0..=first.1).flat_map(move |one| {
                (second.0..=second.1).map(move |two| Self {
                    item: number as u16,
                    indices: [one, two],
                })
            })
        })
    }

    /// Its entry in the schema.
    pub fn item(&self) -> &'static Item {
        &SCHEMA[usize::from(self.item)]
    }

    /// Its first index, 0 where it has none.
    pub const fn index(&self) -> u16 {
        self.indices[0]
    }

    /// Its indices, without those that it does not have.
    pub fn indices(&self) -> &[u16] {
        let has = |index: &&u16| **index > 0;
        &self.indices[..self.indices.iter().take_while(has).count()]
    }

    fn matched<'a>(number: usize, item: &'static Item, text: &'a str) -> Result<Self, Miss<'a>> {
        let mut typed = text.split_ascii_whitespace();
        let mut indices = [0; INDICES];
        let mut free = indices.iter_mut();
        for word in item.words() {
            let text = typed.next().ok_or(Miss::Incomplete)?;
            match word {
                Word::Name(name) if name.eq_ignore_ascii_case(text) => {}
                Word::Name(_) => return Err(Miss::Unknown),
                Word::Index { range, min, max } => {
                    let within = |index: &u16| (min..=max).contains(index);
                    let index = text.parse().ok().filter(within);
                    let index = index.ok_or(Miss::Index(text, range))?;
                    *free.next().ok_or(Miss::Unknown)? = index;
                }
            }
        }
        if typed.next().is_some() {
            return Err(Miss::Unknown);
        }
        Ok(Self {
            item: number as u16,
            indices,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut indices = self.indices.iter();
        for (position, word) in self.item().words().enumerate() {
            let space = if position == 0 { "" } else { " " };
            match word {
                Word::Name(name) => write!(f, "{space}{name}")?,
                Word::Index { .. } => write!(f, "{space}{}", indices.next().unwrap_or(&0))?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(text) => write!(f, "{text}: there is no such item"),
            Self::Incomplete(text) => write!(f, "{text}: this is only the beginning of a path"),
            Self::Index { found, range } => {
                write!(f, "{found}: the index is a number in {range}")
            }
            Self::Ambiguous { found, choices } => {
                write!(f, "{found}: this may be {choices}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sorted_and_every_path_parses_as_printed() {
        assert!(SCHEMA.is_sorted_by(|one, two| one.pattern < two.pattern));
        for path in Path::all() {
            assert_eq!(Path::parse(&path.to_string()), Ok(path));
            assert_eq!(Path::parse(&path.to_string().to_uppercase()), Ok(path));
        }
    }

    #[test]
    fn faults_say_what_is_wrong() {
        for (text, fault) in [
            ("", "this is only the beginning of a path"),
            ("SIP", "this is only the beginning of a path"),
            ("SIP Nonsense", "there is no such item"),
            ("SIP Mode On", "there is no such item"),
            (
                "Alternates Peer 7 Address",
                "7: the index is a number in 1..6",
            ),
        ] {
            let found = Path::parse(text).unwrap_err().to_string();
            assert!(found.contains(fault), "{text}: {found}");
        }
    }
}
