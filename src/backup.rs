//! Backup files: one text that holds everything, encrypted under a password (SPEC UP4).
//!
//! The text is base64 (RFC 4648) between two marks, so that it passes mail, clipboards and forms.
//! Its bytes are a format byte, the salt of Argon2id, a nonce, the contents under ChaCha20-Poly1305
//! (RFC 8439) with all before them authenticated, and the begin of a SHA-256 over all of that,
//! which tells damage from a wrong password.

use causeway_engine::base::digest::sha256;
use causeway_engine::base::limits;
use causeway_engine::config::backup::Contents;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::accounts::{self, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};

const BEGIN: &str = "-----BEGIN CAUSEWAY BACKUP-----";
const END: &str = "-----END CAUSEWAY BACKUP-----";

/// First byte: the format.
const VERSION: u8 = 1;

const SALT_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + SALT_BYTES + NONCE_LEN;
const CHECK_BYTES: usize = 8;

/// Characters of a line.
const LINE: usize = 64;

/// Characters of a backup file: base64 of the largest contents, with line ends and marks.
pub(crate) const FILE_CHARS_MAX: usize = limits::BACKUP_BYTES / 3 * 4 / LINE * (LINE + 2) + 4_096;

/// The file that holds `contents`. Slow on purpose: call it off the loop.
pub(crate) fn seal(contents: &Contents, password: &str) -> Result<String, String> {
    if contents.0.len() > limits::BACKUP_BYTES {
        return Err("the configuration is too long for a backup".into());
    }
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(format!(
            "the password of a backup has at least {PASSWORD_CHARS_MIN} characters"
        ));
    }
    let mut bytes = vec![VERSION];
    bytes.resize(HEAD_BYTES, 0);
    SystemRandom::new()
        .fill(&mut bytes[1..])
        .map_err(|_| "the kernel gives no randomness")?;
    let head = bytes.clone();
    let mut body = contents.0.clone();
    key(password, &head)?
        .seal_in_place_append_tag(nonce(&head)?, Aad::from(&head), &mut body)
        .map_err(|_| "the backup cannot be encrypted")?;
    bytes.extend_from_slice(&body);
    let check = sha256(&[&bytes]);
    bytes.extend_from_slice(&check[..CHECK_BYTES]);
    let text = encode(&bytes);
    let mut file = format!("{BEGIN}\n");
    for line in text.as_bytes().chunks(LINE) {
        file.extend(line.iter().map(|byte| char::from(*byte)));
        file.push('\n');
    }
    Ok(file + END + "\n")
}

/// What [`seal`] put into a file. Slow on purpose: call it off the loop.
pub(crate) fn open(file: &str, password: &str) -> Result<Contents, String> {
    let text = file.split_once(BEGIN).map(|(_, rest)| rest);
    let text = text.ok_or("this is no backup file of Causeway")?;
    let damaged = || String::from("the backup file is damaged or not whole");
    let (text, _) = text.split_once(END).ok_or_else(damaged)?;
    if text.len() > FILE_CHARS_MAX {
        return Err("the file is too long for a backup".into());
    }
    let bytes = decode(text).ok_or_else(damaged)?;
    let place = bytes.len().checked_sub(CHECK_BYTES).ok_or_else(damaged)?;
    let (sealed, check) = bytes.split_at(place);
    let sum = sha256(&[sealed]);
    let (head, body) = sealed.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
    if sum[..CHECK_BYTES] != *check {
        return Err(damaged());
    }
    if head[0] != VERSION {
        return Err("another version made this backup file".into());
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err("the password is wrong".into());
    }
    let mut body = body.to_vec();
    let opened = key(password, head)?
        .open_in_place(nonce(head)?, Aad::from(head), &mut body)
        .map_err(|_| "the password is wrong")?;
    Ok(Contents(opened.to_vec()))
}

fn key(password: &str, head: &[u8]) -> Result<LessSafeKey, String> {
    let key = accounts::derive_key(password, &head[1..=SALT_BYTES])?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, &key);
    key.map(LessSafeKey::new)
        .map_err(|_| "the key of the backup is of no use".into())
}

fn nonce(head: &[u8]) -> Result<Nonce, String> {
    Nonce::try_assume_unique_for_key(&head[1 + SALT_BYTES..])
        .map_err(|_| "the nonce of the backup is of no use".into())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648 section 4).
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            text.push(if place <= chunk.len() {
                char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63])
            } else {
                '='
            });
        }
    }
    text
}

/// Undoes [`encode`], whatever blanks and line ends were added on the way.
fn decode(text: &str) -> Option<Vec<u8>> {
    let letters: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let body = letters
        .iter()
        .rposition(|b| *b != b'=')
        .map_or(0, |p| p + 1);
    if !letters.len().is_multiple_of(4) || letters.len() - body > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3);
    for chunk in letters[..body].chunks(4) {
        let mut bits = 0_u32;
        for (place, letter) in chunk.iter().enumerate() {
            let value = ALPHABET.iter().position(|known| known == letter)?;
            bits |= (value as u32) << (18 - 6 * place);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_with_its_password_alone() {
        let contents = Contents((0..=255).collect());
        let file = seal(&contents, "a good password").expect("sealed");
        assert_eq!(open(&file, "a good password").as_ref(), Ok(&contents));
        assert!(file.lines().all(|line| line.len() <= LINE));
        let wide = file.replace('\n', "\r\n ");
        assert_eq!(open(&wide, "a good password").as_ref(), Ok(&contents));
        let fault = |file: &str, password: &str| open(file, password).expect_err("refused");
        assert_eq!(fault(&file, "another password"), "the password is wrong");
        let cut = &file[..file.len() / 2];
        assert!(fault(cut, "a good password").contains("not whole"));
        let place = file.len() / 2;
        let other = if &file[place..=place] == "A" {
            "B"
        } else {
            "A"
        };
        let altered = format!("{}{other}{}", &file[..place], &file[place + 1..]);
        assert!(fault(&altered, "a good password").contains("damaged"));
        assert!(fault("text", "a good password").contains("no backup file"));
        assert!(seal(&contents, "short").is_err());
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        for text in ["Z", "Zg=", "Z===", "Zm9v!mFy"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn the_largest_contents_fit_the_limit_of_files() {
        let contents = Contents(vec![0xff; limits::BACKUP_BYTES]);
        let file = seal(&contents, "a good password").expect("sealed");
        assert!(file.replace('\n', "\r\n").len() <= FILE_CHARS_MAX);
        assert!(open(&file, "a good password").is_ok());
    }
}
