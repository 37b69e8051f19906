//! Lists and parameters: `a, "b, c", <d;e>` and `;name=value;flag`.

use super::text::{self, quoted_end, trim, trim_start};

/// The parameters after a value, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// Reads `;name=value;…`; `bytes` begins with the first semicolon, or is empty. Whatever
    /// cannot be read is passed over; [`Params::is_well_formed`] tells.
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

    /// Whether all of it is parameters of a header field as section 25.1 has them: none empty,
    /// each name a token, each value a quoted string or anything without separators (wider than
    /// `gen-value`, for IPv6 addresses without brackets and the like).
    pub fn is_well_formed(self) -> bool {
        let mut rest = trim(self.0);
        while !rest.is_empty() {
            match split_param(rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        true
    }
}

/// What follows the first of some parameters, from the next semicolon on.
fn split_param(text: &[u8]) -> Option<&[u8]> {
    let text = trim_start(text.strip_prefix(b";")?);
    let stop = |byte: &u8| !text::is_token_byte(*byte);
    let end = text.iter().position(stop).unwrap_or(text.len());
    let rest = trim_start(&text[end..]);
    let rest = match rest.strip_prefix(b"=") {
        Some(rest) => {
            let rest = trim_start(rest);
            let stop = |byte: &u8| text::ends_param(*byte);
            let end = match rest.first() {
                Some(b'"') => quoted_end(rest, 0)?,
                _ => rest.iter().position(stop).unwrap_or(rest.len()),
            };
            (end > 0).then(|| trim_start(&rest[end..]))?
        }
        None => rest,
    };
    (end > 0 && matches!(rest, [] | [b';', ..])).then_some(rest)
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
            return Some(match text::split(part, b'=') {
                (name, Some(value)) => (trim(name), Some(trim(value))),
                (name, None) => (name, None),
            });
        }
    }
}

/// Whether a list has no elements, or an empty one.
pub(super) fn has_gap(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        let end = find(rest, b',', 0);
        if trim(&rest[..end.unwrap_or(rest.len())]).is_empty() {
            return true;
        }
        match end {
            Some(end) => rest = &rest[end + 1..],
            None => return false,
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

/// Where `wanted` stands outside quotation marks and angle brackets, from `start` on. Marks and
/// brackets that never close hold all the rest.
pub(super) fn find(bytes: &[u8], wanted: u8, start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr::memchr3(wanted, b'"', b'<', bytes.get(at..)?)?;
        let byte = bytes[at];
        if byte == wanted {
            return Some(at);
        }
        at = if byte == b'"' {
            quoted_end(bytes, at)?
        } else {
            at + memchr::memchr(b'>', &bytes[at..])? + 1
        };
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn lists_split_outside_of_quotes_and_brackets() {
        let split = |text: &'static [u8]| split_list(text).collect::<Vec<_>>();
        assert_eq!(split(b" \r\n "), Vec::<&[u8]>::new());
        assert_eq!(split(b" a ,\r\n b\t"), [b"a", b"b"]);
        assert_eq!(split(b"a,,b,"), [b"a", b"b"]);
        for gap in [&b"a,,b"[..], b"a,", b",a", b"", b" , a"] {
            assert!(has_gap(gap), "{}", gap.escape_ascii());
        }
        assert!(!has_gap(b"a, \",,\" <,,>"));
        assert_eq!(
            split(b"\"x,\\\",\" <a,b>, c"),
            [&b"\"x,\\\",\" <a,b>"[..], b"c"]
        );
        assert_eq!(split(b"\"open, a"), [b"\"open, a"]);
        assert_eq!(split(b"<open, a"), [b"<open, a"]);
        assert_eq!(split(b"\"x\\"), [b"\"x\\"]);
    }

    #[test]
    fn params_are_read_and_judged() {
        let params = Params::new(b"; a = 1 ;b;\r\n c=\"x;\\\"y\" ");
        assert!(params.is_well_formed());
        assert_eq!(params.into_iter().count(), 3);
        assert_eq!(params.get(b"A"), Some(Some(&b"1"[..])));
        assert_eq!(params.get(b"b"), Some(None));
        assert_eq!(params.value(b"c"), Some(&b"\"x;\\\"y\""[..]));
        assert_eq!(params.get(b"d"), None);
        for wrong in [
            ";", ";;", ";a=", ";a=\"", ";a b", ";a,", "a", ";=b", ";a=b c",
        ] {
            assert!(!Params::new(wrong.as_bytes()).is_well_formed(), "{wrong}");
        }
    }
}
