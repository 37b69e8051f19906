//! PEM: DER in lines of Base64 between two marked lines (RFC 7468).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Bytes of one PEM text.
pub const TEXT_BYTES: usize = 256 * 1024;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One marked block.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// What it says it is: `CERTIFICATE`, `PRIVATE KEY`, `X509 CRL`…
    pub label: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The line on which it begins, counted from 1.
    pub line: usize,
}

/// A key must not reach a log.
impl core::fmt::Debug for Block {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} of {} bytes", self.label, self.bytes.len())
    }
}

/// Why a text is no PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFault {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl core::fmt::Display for PemFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// The blocks of a text, in order; what stands between them is left aside.
///
/// # Errors
///
/// The first line that is wrong.
pub fn blocks(text: &str) -> Result<Vec<Block>, PemFault> {
    let fault = |line, reason| Err(PemFault { line, reason });
    if text.len() > TEXT_BYTES {
        return fault(1, "the text is too long");
    }
    let mut blocks = Vec::new();
    let mut open: Option<(String, usize, Vec<u8>)> = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let marked = |mark| line.strip_prefix(mark)?.strip_suffix(DASHES);
        if let Some(label) = marked(BEGIN) {
            if open.is_some() {
                return fault(number, "a block begins before the last one has ended");
            }
            open = Some((label.to_string(), number, Vec::new()));
        } else if let Some(label) = marked(END) {
            let Some((begun, line, body)) = open.take() else {
                return fault(number, "a block ends that has not begun");
            };
            if begun != label {
                return fault(
                    number,
                    "another block has begun than the one that ends here",
                );
            }
            let Some(bytes) = decode(&body) else {
                return fault(number, "the Base64 of this block is cut off or damaged");
            };
            blocks.push(Block {
                label: begun,
                bytes,
                line,
            });
        } else if let Some((_, _, body)) = &mut open {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
            if !line.bytes().all(allowed) {
                return fault(number, "this is no Base64");
            }
            body.extend(line.bytes());
        }
    }
    match open {
        Some((_, line, _)) => fault(line, "the block that begins here does not end"),
        None if blocks.is_empty() => fault(1, "there is no line that begins with -----BEGIN"),
        None => Ok(blocks),
    }
}

/// The PEM of some DER.
pub fn encode(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = alloc::format!("{BEGIN}{label}{DASHES}\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let of = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
            let bits = (of(0) << 16) | (of(1) << 8) | of(2);
            for place in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
                text.push(if place > group.len() {
                    '='
                } else {
                    digit.into()
                });
            }
        }
        text.push('\n');
    }
    text.push_str(END);
    text.push_str(label);
    text.push_str(DASHES);
    text.push('\n');
    text
}

fn decode(body: &[u8]) -> Option<Vec<u8>> {
    let padding = body.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = body.get(..body.len() - padding)?;
    if !body.len().is_multiple_of(4) || padding > 2 || body.is_empty() {
        return None;
    }
    let mut bytes = Vec::with_capacity(body.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_again() {
        for length in 0..200u8 {
            let der: Vec<u8> = (0..length).collect();
            let text = encode("CERTIFICATE", &der);
            let found = blocks(&text);
            match length {
                0 => assert!(found.is_err()),
                _ => assert_eq!(found.expect("a block")[0].bytes, der),
            }
        }
    }

    #[test]
    fn faults_name_their_line() {
        for (text, line) in [
            ("", 1),
            ("\n-----BEGIN X-----\nAAAA\n", 2),
            ("-----BEGIN X-----\nAA?A\n-----END X-----", 2),
            ("-----BEGIN X-----\nAAA\n-----END X-----", 3),
            ("-----BEGIN X-----\nAAAA\n-----END Y-----", 3),
            ("-----END X-----", 1),
            ("-----BEGIN X-----\n-----BEGIN X-----", 2),
        ] {
            assert_eq!(blocks(text).expect_err("a fault").line, line, "{text}");
        }
    }
}
