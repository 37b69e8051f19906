//! Who is logged in on the web (SPEC UI3).
//!
//! A session is known by 32 random bytes that only the browser keeps; here is their hash. What a
//! form must carry against forgery follows from the same bytes, so nothing else is stored.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use causeway_engine::base::digest;
use ring::rand::{SecureRandom, SystemRandom};

/// Sessions at one time; one more ends the one that was idle longest.
const SESSIONS: usize = 64;

/// Longest life of a session, however busy it is.
const LIFE_MAX: Duration = Duration::from_secs(12 * 3_600);

/// What the browser shows with each request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token([u8; 32]);

/// Never printed: whoever has it is logged in.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A new one; `None` without randomness.
    pub(crate) fn make() -> Option<Self> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Reads what [`Token::text`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() || !text.is_ascii() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Hexadecimal, for a cookie.
    pub(crate) fn text(&self) -> String {
        hexadecimal(&self.0)
    }

    /// What each form of this session carries.
    pub(crate) fn form(&self) -> String {
        hexadecimal(&digest::hmac_sha256(&self.0, &[b"form"]))
    }

    /// Whether a form of this session carried `text`.
    pub(crate) fn is_form(&self, text: &str) -> bool {
        digest::equal(self.form().as_bytes(), text.as_bytes())
    }

    fn key(&self) -> [u8; 32] {
        digest::sha256(&[&self.0])
    }
}

/// The sessions that live.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_key: BTreeMap<[u8; 32], Session>,
}

#[derive(Debug)]
struct Session {
    name: String,
    began: Instant,
    used: Instant,
    /// Digest of the password's hash at login: another password ends the session.
    password: [u8; 32],
}

impl Sessions {
    /// Begins a session for an account whose password's hash is `hash`.
    pub(crate) fn begin(&mut self, now: Instant, token: &Token, name: &str, hash: &str) {
        if self.by_key.len() >= SESSIONS {
            let idle = self.by_key.iter().min_by_key(|(_, session)| session.used);
            if let Some(key) = idle.map(|(key, _)| *key) {
                self.by_key.remove(&key);
            }
        }
        let session = Session {
            name: name.into(),
            began: now,
            used: now,
            password: digest::sha256(&[hash.as_bytes()]),
        };
        self.by_key.insert(token.key(), session);
    }

    /// The account of a session that lives. `idle_max` bounds its silence; `active` says whether
    /// this request is a person's, so that a page which refreshes itself keeps nothing alive.
    pub(crate) fn find(
        &mut self,
        now: Instant,
        token: &Token,
        hash: &str,
        idle_max: Option<Duration>,
        active: bool,
    ) -> Option<String> {
        let key = token.key();
        let session = self.by_key.get_mut(&key)?;
        let idle = now.saturating_duration_since(session.used);
        let over = now.saturating_duration_since(session.began) > LIFE_MAX
            || idle_max.is_some_and(|bound| idle > bound)
            || session.password != digest::sha256(&[hash.as_bytes()]);
        if over {
            self.by_key.remove(&key);
            return None;
        }
        if active {
            session.used = now;
        }
        Some(session.name.clone())
    }

    /// Ends a session; says whether there was one.
    pub(crate) fn end(&mut self, token: &Token) -> bool {
        self.by_key.remove(&token.key()).is_some()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Option<Duration> = Some(Duration::from_secs(60));

    fn token() -> Token {
        Token::make().expect("randomness")
    }

    #[test]
    fn a_session_ends_by_silence_age_password_and_logout() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let begun = |sessions: &mut Sessions| {
            let token = token();
            sessions.begin(now, &token, "admin", "hash");
            token
        };
        let mut sessions = Sessions::default();
        let one = begun(&mut sessions);
        let at = |s: &mut Sessions, after, active| s.find(now + after, &one, "hash", IDLE, active);
        assert_eq!(
            at(&mut sessions, 59 * second, true).as_deref(),
            Some("admin")
        );
        assert!(at(&mut sessions, 118 * second, false).is_some());
        assert_eq!(
            at(&mut sessions, 120 * second, true),
            None,
            "only watched since"
        );

        let two = begun(&mut sessions);
        assert!(
            sessions
                .find(now + LIFE_MAX, &two, "hash", None, true)
                .is_some()
        );
        let late = now + LIFE_MAX + second;
        assert_eq!(sessions.find(late, &two, "hash", None, true), None);

        let three = begun(&mut sessions);
        assert_eq!(sessions.find(now, &three, "other", IDLE, true), None);

        let four = begun(&mut sessions);
        assert!(sessions.end(&four));
        assert_eq!(sessions.find(now, &four, "hash", IDLE, true), None);
        assert_eq!(sessions.find(now, &token(), "hash", IDLE, true), None);
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let mut sessions = Sessions::default();
        let now = Instant::now();
        let tokens: Vec<Token> = (0..=SESSIONS).map(|_| token()).collect();
        for (number, token) in tokens.iter().enumerate() {
            let at = now + Duration::from_millis(number as u64);
            sessions.begin(at, token, "admin", "hash");
        }
        assert_eq!(sessions.by_key.len(), SESSIONS);
        assert_eq!(sessions.find(now, &tokens[0], "hash", IDLE, true), None);
        assert!(sessions.find(now, &tokens[1], "hash", IDLE, true).is_some());
    }

    #[test]
    fn tokens_read_only_as_written() {
        let one = token();
        assert_eq!(Token::parse(&one.text()), Some(one.clone()));
        assert!(one.is_form(&one.form()) && !one.is_form(&token().form()) && !one.is_form(""));
        for text in [
            "",
            "00",
            &"zz".repeat(32),
            &"é".repeat(32),
            &"00".repeat(33),
        ] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }
}
