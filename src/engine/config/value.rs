//! The value of one configuration item, always valid for its kind.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::schema::Kind;

/// What stands for a secret wherever values are shown. Typed in, it leaves the secret as it is.
pub const HIDDEN: &str = "***";

/// Begin of every password hash (RFC 9106 in PHC string format).
const PASSWORD_HASH: &str = "$argon2id$";

/// Bytes of a secret at most, be it a password hash.
pub(super) const SECRET_BYTES: usize = 256;

/// Names one secret for ever; the secret itself lies in its own table (SPEC RP7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretId(pub [u8; 16]);

impl fmt::Debug for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A value that was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// As printed.
    Text(String),
    /// A secret, by its name.
    Secret(SecretId),
}

impl Value {
    /// The name of the secret, if it is one.
    pub fn secret(&self) -> Option<SecretId> {
        match self {
            Self::Secret(id) => Some(*id),
            Self::Text(_) => None,
        }
    }

    /// Whether it is a value of this kind in its canonical form.
    pub fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Secret(_) => kind.is_secret(),
            Self::Text(text) => {
                !kind.is_secret() && kind.accept(text).is_ok_and(|accepted| accepted == *text)
            }
        }
    }
}

/// As printed; a secret prints as [`HIDDEN`].
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(text) => text,
            Self::Secret(_) => HIDDEN,
        })
    }
}

impl Kind {
    /// The canonical form of a text typed for this kind.
    ///
    /// # Errors
    ///
    /// A sentence that says what would be right; it never repeats a secret.
    pub fn accept(self, text: &str) -> Result<String, String> {
        match self {
            Self::Choice(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .map(|word| word.to_string())
                .ok_or_else(|| format!("\"{text}\" is none of {}", words.join(", "))),
            Self::Number { min, max } => text
                .parse::<u32>()
                .ok()
                .filter(|number| (min..=max).contains(number))
                .map(|number| number.to_string())
                .ok_or_else(|| format!("\"{text}\" is not a whole number from {min} to {max}")),
            Self::Text { max } => accept_text(text, max, "the text"),
            Self::Secret { max } => accept_text(text, max, "the secret"),
            Self::Password => accept_password(text),
            Self::Ipv4 => accept_parsed::<Ipv4Addr>(text, "an IPv4 address such as 192.0.2.10"),
            Self::Ipv6 => accept_parsed::<Ipv6Addr>(text, "an IPv6 address such as 2001:db8::10"),
            Self::Mask => accept_mask(text),
            Self::Host if text.parse::<IpAddr>().is_ok() => {
                accept_parsed::<IpAddr>(text, "an IP address")
            }
            Self::Host => accept_name(text, 128),
            Self::Name { max } => accept_name(text, max),
        }
    }

    /// The values it takes, as the command line shows them: `<1..6>`, `<On/Off>`, `<S: 0, 50>`.
    pub fn space(self) -> String {
        match self {
            Self::Choice(words) => format!("<{}>", words.join("/")),
            Self::Number { min, max } => format!("<{min}..{max}>"),
            Self::Text { max } | Self::Secret { max } | Self::Name { max } => {
                format!("<S: 0, {max}>")
            }
            Self::Host => "<S: 0, 128>".into(),
            Self::Ipv4 | Self::Mask => "<S: 0, 15>".into(),
            Self::Ipv6 => "<S: 0, 39>".into(),
            Self::Password => "<password>".into(),
        }
    }
}

fn accept_text(text: &str, max: usize, what: &str) -> Result<String, String> {
    if text.len() > max {
        return Err(format!("{what} is longer than {max} bytes"));
    }
    if text.chars().any(char::is_control) || text.contains('"') {
        return Err(format!(
            "{what} holds a control character or a quotation mark"
        ));
    }
    Ok(text.into())
}

fn accept_password(text: &str) -> Result<String, String> {
    let hash = text.starts_with(PASSWORD_HASH) && text.is_ascii() && !text.contains('"');
    if text.is_empty() || (hash && text.len() <= SECRET_BYTES) {
        Ok(text.into())
    } else {
        Err("the password reached this point without having been hashed".into())
    }
}

fn accept_parsed<T: core::str::FromStr + ToString>(
    text: &str,
    what: &str,
) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let parsed: Result<T, _> = text.parse();
    parsed
        .map(|value| value.to_string())
        .map_err(|_| format!("\"{text}\" is not {what}"))
}

fn accept_mask(text: &str) -> Result<String, String> {
    let mask: Option<u32> = text.parse::<Ipv4Addr>().ok().map(Into::into);
    match mask {
        Some(mask) if mask != 0 && mask.leading_ones() + mask.trailing_zeros() == 32 => {
            Ok(text.into())
        }
        Some(_) | None => Err(format!(
            "\"{text}\" is not a subnet mask such as 255.255.255.0"
        )),
    }
}

fn accept_name(text: &str, max: usize) -> Result<String, String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.is_empty() || (text.len() <= max && text.split('.').all(label)) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!(
            "\"{text}\" is not a host or domain name of at most {max} bytes"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_canonical_or_are_refused() {
        let on_off = Kind::Choice(&["On", "Off"]);
        for (kind, text, accepted) in [
            (on_off, "on", Some("On")),
            (on_off, "yes", None),
            (Kind::Number { min: 1, max: 6 }, "06", Some("6")),
            (Kind::Number { min: 1, max: 6 }, "7", None),
            (Kind::Number { min: 1, max: 6 }, "-1", None),
            (Kind::Ipv4, "192.0.2.1", Some("192.0.2.1")),
            (Kind::Ipv4, "192.0.2.256", None),
            (Kind::Ipv4, "", Some("")),
            (Kind::Ipv6, "2001:DB8:0::1", Some("2001:db8::1")),
            (Kind::Mask, "255.255.254.0", Some("255.255.254.0")),
            (Kind::Mask, "255.0.255.0", None),
            (Kind::Mask, "0.0.0.0", None),
            (Kind::Host, "2001:db8::0:1", Some("2001:db8::1")),
            (Kind::Host, "Peer1.Example.NET", Some("peer1.example.net")),
            (Kind::Host, "peer 1", None),
            (Kind::Name { max: 8 }, "toolong.example", None),
            (Kind::Text { max: 5 }, "a\tb", None),
            (Kind::Text { max: 5 }, "a\"b", None),
            (Kind::Password, "secret", None),
            (Kind::Password, "$argon2id$v=19$x", Some("$argon2id$v=19$x")),
        ] {
            assert_eq!(
                kind.accept(text).ok().as_deref(),
                accepted,
                "{kind:?} {text}"
            );
        }
    }
}
