//! Accounts: passwords, how often they may be guessed, who is logged in (SPEC UI3).
//!
//! A password is hashed before it goes anywhere and checked off the loop, one at a time. Whether
//! the name or the password was wrong shows neither in the answer nor in its time.

mod attempts;
mod sessions;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use causeway_engine::admin::{Actor, Answer, Command};
use ring::rand::{SecureRandom, SystemRandom};
use smol::lock::Semaphore;

use crate::ask::Asker;
use crate::memory;
use attempts::{Attempts, Source};
use sessions::Sessions;
pub(crate) use sessions::Token;

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

/// Fewest characters of a password that a person chooses.
pub(crate) const PASSWORD_CHARS_MIN: usize = 8;

/// The item that bounds a session without activity, in minutes; 0 for no bound.
const INACTIVITY_ITEM: &str = "Management Session InactivityTimeout";

/// Minutes until a session ends when the item cannot be read.
const INACTIVITY_UNKNOWN: u64 = 30;

/// Logins that wait for their password to be checked; one more is told to come back.
const CHECKS: usize = 8;

/// How long to wait when too many logins wait already.
const BUSY: Duration = Duration::from_secs(2);

/// What a login without an account is checked against, so that it takes as long as any other.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
                      bm9ib2R5bm9ib2R5bm9ib2R5$VJ9SdHbdHKMLEvLrEXhLYVYbKqNkxYEuY1sS0NXgGtw";

/// Why a login was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Wrong name or password; never which of them.
    Wrong,
    /// Not looked at: the next attempt is, after this time.
    Wait(Duration),
}

/// In a sentence for the person who tries.
impl std::fmt::Display for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong => f.write_str("Wrong user name or password."),
            Self::Wait(time) => {
                let seconds = time.as_secs() + 1;
                let plural = if seconds == 1 { "" } else { "s" };
                write!(
                    f,
                    "Too many attempts. Try again in {seconds} second{plural}."
                )
            }
        }
    }
}

/// The accounts as every face sees them.
#[derive(Debug)]
pub(crate) struct Accounts {
    asker: Asker,
    attempts: Mutex<Attempts>,
    sessions: Mutex<Sessions>,
    checks: Semaphore,
}

impl Accounts {
    /// Accounts that the node behind `asker` keeps.
    pub(crate) fn new(asker: Asker) -> Arc<Self> {
        Arc::new(Self {
            asker,
            attempts: Mutex::default(),
            sessions: Mutex::default(),
            checks: Semaphore::new(CHECKS),
        })
    }

    /// Checks name and password of someone at `address`, or on the serial line.
    pub(crate) async fn log_in(
        &self,
        address: Option<IpAddr>,
        name: &str,
        password: String,
    ) -> Result<(), Denied> {
        let source = address.map_or(Source::Console, Source::of);
        // A long name is nobody's; all of them are one guess.
        let account = name.get(..name.len().min(64)).unwrap_or("");
        held(&self.attempts)
            .begin(Instant::now(), source, account)
            .map_err(Denied::Wait)?;
        let Some(_place) = self.checks.try_acquire() else {
            held(&self.attempts).withdrawn(source, account);
            return Err(Denied::Wait(BUSY));
        };
        let Some(hash) = self.password_hash().await else {
            held(&self.attempts).withdrawn(source, account);
            return Err(Denied::Wait(BUSY));
        };
        let (hash, exists) = match hash.is_empty() {
            true => (NOBODY.to_owned(), false),
            false => (hash, name == ADMINISTRATOR),
        };
        let fits = smol::unblock(move || verify(&password, &hash)).await;
        if !(fits && exists) {
            return Err(Denied::Wrong);
        }
        held(&self.attempts).succeeded(Instant::now(), source, account);
        Ok(())
    }

    /// Begins a session on the web for the administrator, who has just logged in.
    pub(crate) async fn begin_session(&self) -> Option<Token> {
        let hash = self.password_hash().await?;
        let token = Token::make()?;
        held(&self.sessions).begin(Instant::now(), &token, ADMINISTRATOR, &hash);
        Some(token)
    }

    /// The account of a session that lives; see [`Sessions::find`] for `active`.
    pub(crate) async fn session(&self, token: &Token, active: bool) -> Option<String> {
        let hash = self.password_hash().await?;
        let minutes = self.asker.value(system(), INACTIVITY_ITEM).await;
        let idle_max = match minutes.parse().unwrap_or(INACTIVITY_UNKNOWN) {
            0_u64 => None,
            minutes => Some(Duration::from_secs(minutes.saturating_mul(60))),
        };
        held(&self.sessions).find(Instant::now(), token, &hash, idle_max, active)
    }

    /// Ends a session on the web.
    pub(crate) fn end_session(&self, token: &Token) {
        held(&self.sessions).end(token);
    }

    /// Whether the administrator has a password; before, the set-up wizard asks for one.
    pub(crate) async fn has_password(&self) -> bool {
        // While the node does not say, there is one: the wizard is open to everybody.
        self.password_hash()
            .await
            .is_none_or(|hash| !hash.is_empty())
    }

    /// The hash of the administrator's password, empty when there is none yet; `None` when the
    /// node does not say.
    async fn password_hash(&self) -> Option<String> {
        let question = Command::Value(PASSWORD_ITEM.into());
        match self.asker.ask(system(), question).await {
            Ok(Answer::Value(hash) | Answer::Text(hash)) => Some(hash),
            Ok(_) | Err(_) => None,
        }
    }
}

/// Whether a person may choose this password.
///
/// # Errors
///
/// What is wrong with it, in a sentence.
pub(crate) fn judge_password(password: &str) -> Result<(), String> {
    let characters = password.chars().count();
    if characters < PASSWORD_CHARS_MIN {
        return Err(format!(
            "The password has {characters} characters: at least {PASSWORD_CHARS_MIN} are needed."
        ));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(format!(
            "The password is longer than {PASSWORD_BYTES_MAX} bytes."
        ));
    }
    if password.chars().any(char::is_control) {
        return Err("The password holds a control character.".into());
    }
    let first = password.chars().next();
    if password.chars().all(|character| Some(character) == first) {
        return Err("The password is one character again and again.".into());
    }
    let simple = ["password", "administrator", "causeway"];
    let letters: String = password
        .to_lowercase()
        .chars()
        .filter(|character| character.is_alphabetic())
        .collect();
    let is_counting = "01234567890123456789".contains(password);
    if is_counting || (simple.contains(&letters.as_str()) && characters < 16) {
        return Err("The password is one of those that are tried first.".into());
    }
    Ok(())
}

/// The PHC string (`$argon2id$…`) of a password. Slow on purpose: call it off the loop.
pub(crate) fn hash(password: &str) -> Result<String, String> {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(format!("a password has 1 to {PASSWORD_BYTES_MAX} bytes"));
    }
    let hash = alone(|argon2| argon2.hash_password(password.as_bytes()));
    match hash {
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
    alone(|argon2| argon2.verify_password(password.as_bytes(), &hash)).is_ok()
}

/// The key of 32 bytes that Argon2id makes of a password and a salt. Slow on purpose: call it off
/// the loop.
pub(crate) fn derive_key(password: &str, salt: &[u8]) -> Result<[u8; 32], String> {
    let mut key = [0; 32];
    let derived = alone(|argon2| argon2.hash_password_into(password.as_bytes(), salt, &mut key));
    derived
        .map(|()| key)
        .map_err(|error| format!("no key can be made of the password: {error}"))
}

/// Hashes while nobody else does, and leaves none of the memory that it took.
fn alone<T>(work: impl FnOnce(Argon2<'_>) -> T) -> T {
    let _one = held(&ONE);
    let result = work(Argon2::default());
    memory::give_back();
    result
}

/// Replaces the password in clear among changes by its hash. A hash stays, as does `***`, which
/// means that nothing is to change, and the empty text, which takes the password away.
pub(crate) fn hash_passwords(
    mut changes: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, String> {
    for (path, value) in &mut changes {
        let kept = value.is_empty() || value == "***" || value.starts_with("$argon2id$");
        if !kept && path.eq_ignore_ascii_case(PASSWORD_ITEM) {
            judge_password(value)?;
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

/// The product itself, when it asks for an item that no person asked for.
fn system() -> Actor {
    Actor {
        name: "system".into(),
        address: None,
        face: "start",
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accounts over a node that knows one password.
    fn accounts(password: &str) -> (Arc<Accounts>, smol::Task<()>) {
        let (asker, questions) = Asker::new(8);
        let hash = hash(password).unwrap_or_default();
        let node = smol::spawn(async move {
            while let Ok(question) = questions.recv().await {
                let value = match question.command {
                    Command::Value(path) if path == PASSWORD_ITEM => hash.clone(),
                    Command::Value(_) => "30".into(),
                    _ => String::new(),
                };
                let _ = question.reply.send(Ok(Answer::Value(value))).await;
            }
        });
        (Accounts::new(asker), node)
    }

    #[test]
    fn only_the_administrator_with_the_password_logs_in() {
        smol::block_on(async {
            let (accounts, _node) = accounts("correct horse");
            let log_in = |name: &'static str, password: &'static str, last: u8| {
                let address = Some(IpAddr::from([192, 0, 2, last]));
                accounts.log_in(address, name, password.into())
            };
            assert_eq!(log_in("admin", "correct horse", 1).await, Ok(()));
            assert_eq!(log_in("admin", "wrong", 2).await, Err(Denied::Wrong));
            assert_eq!(log_in("root", "correct horse", 3).await, Err(Denied::Wrong));
            let token = accounts.begin_session().await.expect("a session");
            assert_eq!(
                accounts.session(&token, true).await.as_deref(),
                Some("admin")
            );
            accounts.end_session(&token);
            assert_eq!(accounts.session(&token, true).await, None);
        });
    }

    #[test]
    fn without_a_password_nobody_logs_in() {
        smol::block_on(async {
            let (accounts, _node) = accounts("");
            assert!(!accounts.has_password().await);
            assert_eq!(
                accounts.log_in(None, "admin", String::new()).await,
                Err(Denied::Wrong)
            );
        });
    }

    #[test]
    fn guesses_are_slowed_down() {
        smol::block_on(async {
            let (accounts, _node) = accounts("correct horse");
            let mut answers = Vec::new();
            for _ in 0..6 {
                answers.push(accounts.log_in(None, "admin", "guess".into()).await);
            }
            assert!(
                matches!(answers.last(), Some(Err(Denied::Wait(_)))),
                "{answers:?}"
            );
            let right = accounts.log_in(None, "admin", "correct horse".into()).await;
            assert!(
                matches!(right, Err(Denied::Wait(_))),
                "not looked at while held up"
            );
        });
    }

    #[test]
    fn nobody_is_checked_like_everybody() {
        assert!(PasswordHash::new(NOBODY).is_ok());
        assert!(!verify("nobody", NOBODY));
    }

    #[test]
    fn poor_passwords_are_refused_with_the_reason() {
        for (password, reason) in [
            ("short", "at least 8"),
            ("aaaaaaaaaa", "again and again"),
            ("Password1!", "tried first"),
            ("12345678", "tried first"),
            ("causeway", "tried first"),
            ("tab\tinside it", "control"),
        ] {
            let found = judge_password(password).expect_err(password);
            assert!(found.contains(reason), "{password}: {found}");
        }
        for password in ["correct horse", "8charsOk", "пароль-да"] {
            assert_eq!(judge_password(password), Ok(()), "{password}");
        }
    }

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
