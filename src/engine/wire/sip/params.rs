//! Lists and parameters: `a, "b, c", <d;e>` and `;name=value;flag`.

use super::trim;

/// The parameters after a value, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// Reads `;name=value;…`; `bytes` begins with the first semicolon, or is empty.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes as received, with the first semicolon.
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The value of the first parameter of this name (without regard to case): `Some(None)` for a
    /// flag without value. Quoted values come with their quotation marks.
    pub fn get(self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        self.into_iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of a parameter that has one.
    pub fn value(self, name: &[u8]) -> Option<&'a [u8]> {
        self.get(name).flatten()
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);
    type IntoIter = ParamsIter<'a>;

    fn into_iter(self) -> ParamsIter<'a> {
        ParamsIter(self.0)
    }
}

/// See [`Params`].
#[derive(Clone, Debug)]
pub struct ParamsIter<'a>(&'a [u8]);

impl<'a> Iterator for ParamsIter<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = find(self.0, b';', 0)? + 1;
            let end = find(self.0, b';', start).unwrap_or(self.0.len());
            let part = trim(&self.0[start..end]);
            self.0 = &self.0[end..];
            if part.is_empty() {
                continue;
            }
            return Some(match part.iter().position(|byte| *byte == b'=') {
                Some(equals) => (trim(&part[..equals]), Some(trim(&part[equals + 1..]))),
                None => (part, None),
            });
        }
    }
}

/// The elements of a comma-separated list, trimmed; commas inside quotation marks and angle
/// brackets do not count. Empty elements are left out.
pub fn split_list(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    core::iter::from_fn(move || {
        loop {
            let bytes = rest?;
            let end = find(bytes, b',', 0);
            let element = trim(&bytes[..end.unwrap_or(bytes.len())]);
            rest = end.map(|end| &bytes[end + 1..]);
            if !element.is_empty() {
                return Some(element);
            }
        }
    })
}

/// Where `wanted` stands outside quotation marks and angle brackets, from `start` on.
pub(super) fn find(bytes: &[u8], wanted: u8, start: usize) -> Option<usize> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    for (position, &byte) in bytes.iter().enumerate().skip(start) {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if depth > 0 && byte == b'>' {
            depth = 0;
        } else if depth == 0 && byte == wanted {
            return Some(position);
        } else if byte == b'"' {
            quoted = true;
        } else if byte == b'<' {
            depth = 1;
        }
    }
    None
}
