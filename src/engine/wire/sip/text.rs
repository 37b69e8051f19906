//! The letters and words that header field values are made of (RFC 3261 section 25.1).
//!
//! Values keep the line ends of folded lines, so white space here is any of SP, HTAB, CR and LF.

/// A byte of `token`.
const TOKEN: u8 = 1;
/// A byte of white space.
const SPACE: u8 = 2;
/// A control character other than white space.
const CONTROL: u8 = 4;
/// A byte of a host name or of an IPv4 address; `_` too, which networks do use.
const HOST: u8 = 8;
/// A byte that stands in a URI only when it is escaped, wherever it is.
const NOT_IN_URI: u8 = 16;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        let mut class = 0;
        if letter.is_ascii_alphanumeric() {
            class |= TOKEN | HOST;
        }
        if matches!(
            letter,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        ) {
            class |= TOKEN;
        }
        if matches!(letter, b'-' | b'.' | b'_') {
            class |= HOST;
        }
        if matches!(letter, b' ' | b'\t' | b'\r' | b'\n') {
            class |= SPACE | NOT_IN_URI;
        } else if letter.is_ascii_control() {
            class |= CONTROL | NOT_IN_URI;
        }
        if matches!(letter, b'<' | b'>' | b'"') {
            class |= NOT_IN_URI;
        }
        classes[byte] = class;
        byte += 1;
    }
    classes
}

const fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// Whether a byte may stand in a token.
pub const fn is_token_byte(byte: u8) -> bool {
    is(byte, TOKEN)
}

/// Whether bytes are a token.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// Whether a byte is white space of a value.
pub(super) const fn is_space(byte: u8) -> bool {
    is(byte, SPACE)
}

/// Whether a byte may stand in a URI. Bytes above 127 may: they are wrong, but common, and nobody
/// is misled by them.
pub(super) const fn is_uri_byte(byte: u8) -> bool {
    !is(byte, NOT_IN_URI)
}

/// Whether a byte may stand in a display name without quotation marks.
pub(super) const fn is_display_byte(byte: u8) -> bool {
    is(byte, TOKEN | SPACE) || byte >= 0x80
}

/// Whether a byte ends the value of a parameter.
pub(super) const fn ends_param(byte: u8) -> bool {
    matches!(byte, b';' | b',' | b'"' | b'<' | b'>') || is(byte, SPACE | CONTROL)
}

/// Whether bytes are a host name, an IPv4 address or an IPv6 reference in brackets.
pub(super) fn is_host(host: &[u8]) -> bool {
    match host {
        [b'[', inside @ .., b']'] => core::str::from_utf8(inside)
            .is_ok_and(|text| text.parse::<core::net::Ipv6Addr>().is_ok()),
        _ => !host.is_empty() && host.iter().all(|byte| is(*byte, HOST)),
    }
}

/// Without leading and trailing white space; folds count as white space (section 7.3.1).
pub fn trim(bytes: &[u8]) -> &[u8] {
    trim_start(trim_end(bytes))
}

/// Without leading white space.
pub(super) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    bytes
}

/// Without trailing white space.
pub(super) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// A decimal number of any number of digits (section 25.1: 1*DIGIT), within 32 bits.
pub fn number(bytes: &[u8]) -> Option<u32> {
    u32::try_from(large_number(bytes)?).ok()
}

/// A decimal number; `u64::MAX` when it is larger than that.
pub(super) fn large_number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let push = |sum: u64, digit: &u8| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    };
    Some(bytes.iter().fold(0, push))
}

/// A lifetime in seconds: 3600 when it is no number or above 32 bits, as the default that RFC
/// 3261 section 10.2.1.1 gives a malformed one.
pub(super) fn lifetime(bytes: &[u8]) -> u32 {
    number(bytes).unwrap_or(3_600)
}

/// How far `part`, which is a part of `whole`, lies from its beginning.
pub(super) fn offset(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

/// Where the quoted string that opens at `start` ends, after its closing quotation mark.
pub(super) fn quoted_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// What stands before the first `separator` and, when there is one, after it.
pub(super) fn split(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(separator, bytes) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
}

/// Host and port of `host:port`, with IPv6 in brackets (section 25.1 hostport) and, for
/// `sent-by`, white space around the colon.
pub(super) fn split_host(bytes: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let end = match bytes.first() {
        Some(b'[') => memchr::memchr(b']', bytes)? + 1,
        _ => memchr::memchr(b':', bytes).unwrap_or(bytes.len()),
    };
    let (host, rest) = bytes.split_at(end);
    let host = trim_end(host);
    if !is_host(host) {
        return None;
    }
    match trim_start(rest) {
        [] => Some((host, None)),
        [b':', port @ ..] => Some((host, Some(u16::try_from(number(trim_start(port))?).ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_their_type_does() {
        assert_eq!(number(b"0068"), Some(68));
        assert_eq!(number(b"4294967295"), Some(u32::MAX));
        assert_eq!(number(b"00000000000000000000000000001"), Some(1));
        for wrong in [&b"4294967296"[..], b"-1", b"+1", b"1x", b"", b" 1"] {
            assert_eq!(number(wrong), None, "{}", wrong.escape_ascii());
        }
        assert_eq!(large_number(b"99999999999999999999999"), Some(u64::MAX));
        assert_eq!(lifetime(b"99999999999999999999999"), 3_600);
    }

    #[test]
    fn hosts_are_names_and_addresses() {
        for (text, host, port) in [
            ("a", "a", None),
            ("192.0.2.1:5060", "192.0.2.1", Some(5060)),
            ("[2001:db8::1]", "[2001:db8::1]", None),
            ("[::1]:65535", "[::1]", Some(65_535)),
            ("a_b.example : 1", "a_b.example", Some(1)),
        ] {
            let expected = Some((host.as_bytes(), port));
            assert_eq!(split_host(text.as_bytes()), expected, "{text}");
        }
        for wrong in [
            "", ":1", "a:", "a:65536", "a:b", "[::1", "[::g]", "[]", "a b", "::1", "a@b",
        ] {
            assert_eq!(split_host(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
