//! The administrator's password: hashed before it goes anywhere, checked off the loop.

use std::sync::Mutex;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use ring::rand::{SecureRandom, SystemRandom};

/// The one account of this release.
pub(crate) const ADMINISTRATOR: &str = "admin";

/// The configuration item that holds the hash of its password.
pub(crate) const PASSWORD_ITEM: &str = "Administration Account Password";

/// Bytes of a password; more would only give a stranger work to make us do.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1_024;

/// Characters of a password that is made here: no two of them look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Length of a password that is made here: 80 bits.
const MADE_CHARS: usize = 16;

/// One hash at a time: each takes 19 MiB for a twentieth of a second, and strangers can ask.
static ONE: Mutex<()> = Mutex::new(());

/// The PHC string (`$argon2id$…`) of a password. Slow on purpose: call it off the loop.
pub(crate) fn hash(password: &str) -> Result<String, String> {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(format!("a password has 1 to {PASSWORD_BYTES_MAX} bytes"));
    }
    let _one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    match Argon2::default().hash_password(password.as_bytes()) {
        Ok(hash) => Ok(hash.to_string()),
        Err(error) => Err(format!("the password cannot be hashed: {error}")),
    }
}

/// Whether the password fits the PHC string. Slow on purpose: call it off the loop.
pub(crate) fn verify(password: &str, hash: &str) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let Ok(hash) = PasswordHash::new(hash) else {
        return false;
    };
    let _one = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    Argon2::default()
        .verify_password(password.as_bytes(), &hash)
        .is_ok()
}

/// Replaces the password in clear among changes by its hash. A hash stays, as does `***`, which
/// means that nothing is to change, and the empty text, which takes the password away.
pub(crate) fn hash_passwords(
    mut changes: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, String> {
    for (path, value) in &mut changes {
        let kept = value.is_empty() || value == "***" || value.starts_with("$argon2id$");
        if !kept && path.eq_ignore_ascii_case(PASSWORD_ITEM) {
            *value = hash(value)?;
        }
    }
    Ok(changes)
}

/// Whether any of the changes is the password.
pub(crate) fn names_password(changes: &[(String, String)]) -> bool {
    changes
        .iter()
        .any(|(path, _)| path.eq_ignore_ascii_case(PASSWORD_ITEM))
}

/// A password that nobody has chosen; `None` without randomness.
pub(crate) fn make_password() -> Option<String> {
    let mut bytes = [0; MADE_CHARS];
    SystemRandom::new().fill(&mut bytes).ok()?;
    let character = |byte: &u8| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]);
    Some(bytes.iter().map(character).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_fits_its_hash() {
        let hash = hash("correct horse").expect("a hash");
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(verify("correct horse", &hash));
        assert!(!verify("correct horse ", &hash));
        assert!(!verify("", &hash));
        assert!(!verify("correct horse", "$argon2id$nonsense"));
        assert!(super::hash("").is_err());
        assert!(super::hash(&"x".repeat(PASSWORD_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn made_passwords_differ() {
        let (one, two) = (make_password(), make_password());
        assert_ne!(one, two);
        assert_eq!(one.map(|text| text.len()), Some(MADE_CHARS));
    }
}
