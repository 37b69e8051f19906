//! From, To, Contact, Route and their kind (RFC 3261 section 25.1: name-addr or addr-spec).

use alloc::vec::Vec;

use super::params::Params;
use super::text::{self, number, quoted_end, trim, trim_start};
use super::uri::Uri;

/// The value of From, To, Contact, Route and their kind (section 25.1: name-addr or addr-spec).
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// Display name as received, perhaps quoted, perhaps empty.
    pub display: &'a [u8],
    /// The URI, without angle brackets.
    pub uri: &'a [u8],
    /// Parameters after the URI.
    pub params: Params<'a>,
}

/// All Contact values of a message.
#[derive(Clone, Debug)]
pub enum Contacts<'a> {
    /// The single value `*` (section 10.2.2).
    Star,
    /// Each value, read, or where it cannot be.
    List(Vec<Contact<'a>>),
}

/// One Contact value as a registrar reads it.
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    /// The URI, without angle brackets.
    pub uri: &'a [u8],
    /// Preference in thousandths (section 20.10).
    pub q: Option<u16>,
    /// Wished lifetime in seconds; 3600 when it is malformed (section 10.2.1.1).
    pub expires: Option<u32>,
    /// `+sip.instance` without quotation marks (RFC 5626 section 4.1).
    pub instance: Option<&'a [u8]>,
    /// `reg-id` (RFC 5626 section 4.2).
    pub reg_id: Option<u32>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value. The URI is one, of any scheme; the parameters are well-formed.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        // Whichever of these comes first tells what the value is.
        let mark = memchr::memchr3(b'<', b'"', b';', value);
        let (display, rest) = match mark.map(|at| (at, value[at])) {
            Some((0, b'"')) => value.split_at(quoted_end(value, 0)?),
            Some((at, b'<')) => value.split_at(at),
            Some((_, b';')) | None => return Self::without_brackets(value),
            Some(_) => return None,
        };
        let is_tokens = || display.iter().all(|byte| text::is_display_byte(*byte));
        if !display.starts_with(b"\"") && !is_tokens() {
            return None;
        }
        let (uri, params) = text::split(trim_start(rest).strip_prefix(b"<")?, b'>');
        Self::checked(trim(display), uri, params?)
    }

    /// Section 20: a URI with a comma or a question mark needs angle brackets, and what follows
    /// a semicolon is not the URI's.
    fn without_brackets(value: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (uri, params) = value.split_at(end);
        let is_plain = memchr::memchr2(b'?', b',', uri).is_none();
        Self::checked(b"", trim(uri), params).filter(|_| is_plain)
    }

    fn checked(display: &'a [u8], uri: &'a [u8], params: &'a [u8]) -> Option<Self> {
        Uri::parse(uri).ok()?;
        let params = Params::new(trim(params));
        params.is_well_formed().then_some(Self {
            display,
            uri,
            params,
        })
    }
}

impl<'a> Contact<'a> {
    /// Reads one value.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let NameAddr { uri, params, .. } = NameAddr::parse(value)?;
        let unquoted = |value: &'a [u8]| value.strip_prefix(b"\"")?.strip_suffix(b"\"");
        Some(Self {
            uri,
            q: params.value(b"q").and_then(thousandths),
            expires: params.value(b"expires").map(text::lifetime),
            instance: params.value(b"+sip.instance").and_then(unquoted),
            reg_id: params.value(b"reg-id").and_then(number),
            params,
        })
    }
}

/// `0.75` as 750 (section 25.1 qvalue).
fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, fraction) = text::split(text, b'.');
    let fraction = fraction.unwrap_or_default();
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |place: usize| u16::from(fraction.get(place).map_or(0, |digit| digit - b'0'));
    let sum = match whole {
        b"0" => 0,
        b"" if !fraction.is_empty() => 0,
        b"1" => 1_000,
        _ => return None,
    } + digit(0) * 100
        + digit(1) * 10
        + digit(2);
    (sum <= 1_000).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, display, uri, params) in [
            ("<sip:a@b>", "", "sip:a@b", ""),
            ("sip:a@b", "", "sip:a@b", ""),
            ("sip:a@b ;tag=1", "", "sip:a@b", ";tag=1"),
            (
                "A b  <sip:a@b;x=1?y=z>\r\n ; tag = 1",
                "A b",
                "sip:a@b;x=1?y=z",
                "; tag = 1",
            ),
            ("\"A \\\" <x>;\"<tel:1>", "\"A \\\" <x>;\"", "tel:1", ""),
            ("caf\u{e9} <x:y>", "caf\u{e9}", "x:y", ""),
            ("sip:a@b;x=\"<y>\"", "", "sip:a@b", ";x=\"<y>\""),
        ] {
            let address = NameAddr::parse(text.as_bytes()).expect(text);
            assert_eq!(address.display, display.as_bytes(), "{text}");
            assert_eq!(address.uri, uri.as_bytes(), "{text}");
            assert_eq!(address.params.bytes(), params.as_bytes(), "{text}");
        }
    }

    #[test]
    fn addresses_are_refused() {
        for text in [
            "",
            "a",
            "<>",
            "<a>",
            "< sip:a@b>",
            "<sip:a@b",
            "\"A <sip:a@b>",
            "\"A\" sip:a@b",
            "A, b <sip:a@b>",
            "A \"b\" <sip:a@b>",
            "sip:a@b?x=y",
            "sip:a@b,c",
            "sip:a b@c",
            "<sip:a@b>;",
            "<sip:a@b>x",
            "<sip:a@b>;;x",
            "<sip:a@b>;x=\"",
        ] {
            assert!(NameAddr::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn preferences_are_thousandths() {
        for (text, expected) in [
            ("1", Some(1_000)),
            ("1.000", Some(1_000)),
            ("0", Some(0)),
            ("0.5", Some(500)),
            (".333", Some(333)),
            ("0.1234", None),
            ("1.001", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(thousandths(text.as_bytes()), expected, "{text}");
        }
    }
}
