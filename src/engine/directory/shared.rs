//! What stands on the board: calls, and how much each peer has to do (SPEC MM1, MM2, RP9).
//!
//! Values are postcard with a version byte. A field is never added to a struct here: a new fact
//! gets a new key.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Directory;
use crate::base::digest::sha256;
use crate::base::ids::PeerId;
use crate::base::time::Wall;

/// First byte of a value: its format.
const VERSION: u8 = 1;

/// Begin of the keys of calls; the [`CallId`] follows.
const CALL: &[u8] = b"call ";

/// Key of a peer's [`Load`].
const LOAD: &[u8] = b"load";

/// Key of a peer's [`Installed`] licences.
const LICENCES: &[u8] = b"licences";

/// Bytes of each text of a [`Call`].
const TEXT_BYTES: usize = 256;

/// A call, the same at every peer that it passes: the begin of a hash of its SIP Call-ID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub [u8; 8]);

impl CallId {
    /// The name of the call with this Call-ID.
    pub fn of(call_id: &[u8]) -> Self {
        let hash = sha256(&[b"causeway call ", call_id]);
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        Self(id)
    }

    /// The call that a person names by its sixteen hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = (text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| u64::from_str_radix(text, 16).ok())??;
        Some(Self(digits.to_be_bytes()))
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({self})")
    }
}

/// A call that was answered, as one peer on its way knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The caller's address (a URI).
    pub from: String,
    /// The called address (a URI).
    pub to: String,
    /// When it was answered, by that peer's clock.
    pub since: Wall,
    /// Whether that peer can end it by itself.
    pub controlled: bool,
}

impl Call {
    /// A call; texts that are too long are cut.
    pub fn new(from: &[u8], to: &[u8], since: Wall, controlled: bool) -> Self {
        Self {
            from: text(from),
            to: text(to),
            since,
            controlled,
        }
    }
}

/// How much a peer has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Whether it is in maintenance mode: no new calls and registrations.
    pub maintenance: bool,
    /// Calls that pass it.
    pub calls: u64,
    /// Registrations that it owns.
    pub registrations: u64,
}

/// Licences that are installed on a peer (SPEC LI1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Calls at one time; `None` for any number.
    pub calls: Option<u32>,
}

/// What one peer asks another to end. On the wire: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// The registrations of an address of record.
    Registrations(String),
    /// A call.
    Call(CallId),
    /// Every call.
    Calls,
}

impl Wish {
    /// Its bytes for [`super::board::Word::Ask`].
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads what [`Wish::encode`] wrote; `None` for what this version does not know.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        decode(bytes)
    }
}

impl Directory {
    /// Shares a call that passes this peer.
    pub fn put_call(&mut self, id: CallId, call: &Call) {
        // Beyond the limit a call is not shown to others; it is served all the same.
        self.board_mut().put(&call_key(id), encode(call));
    }

    /// A call that passed this peer has ended.
    pub fn remove_call(&mut self, id: CallId) {
        self.board_mut().remove(&call_key(id));
    }

    /// Calls known here, by peer that they pass.
    pub fn calls(&self) -> impl Iterator<Item = (PeerId, CallId, Call)> {
        self.board()
            .with_prefix(CALL)
            .filter_map(|(owner, key, value)| {
                let id = CallId(key[CALL.len()..].try_into().ok()?);
                Some((owner, id, decode(value)?))
            })
    }

    /// Tells the others how much this peer has to do.
    pub fn put_load(&mut self, load: &Load) {
        self.board_mut().put(LOAD, encode(load));
    }

    /// How much a peer has to do, once it said so.
    pub fn load(&self, owner: PeerId) -> Option<Load> {
        decode(self.board().get(owner, LOAD)?)
    }

    /// Tells the others what licences are installed here.
    pub fn put_installed(&mut self, installed: &Installed) {
        self.board_mut().put(LICENCES, encode(installed));
    }

    /// What licences are installed on a peer, once it said so.
    pub fn installed(&self, owner: PeerId) -> Option<Installed> {
        decode(self.board().get(owner, LICENCES)?)
    }

    /// Whether a peer takes no new calls.
    pub fn is_resting(&self, owner: PeerId) -> bool {
        self.load(owner).is_some_and(|load| load.maintenance)
    }
}

fn call_key(id: CallId) -> [u8; CALL.len() + 8] {
    let mut key = [0; CALL.len() + 8];
    key[..CALL.len()].copy_from_slice(CALL);
    key[CALL.len()..].copy_from_slice(&id.0);
    key
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text[..text.floor_char_boundary(TEXT_BYTES)].into()
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, alloc::vec![VERSION]).expect("plain data always encodes")
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let body = bytes.strip_prefix(&[VERSION])?;
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Some(value),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Incarnation;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn calls_come_and_go_and_are_named_alike_everywhere() {
        let own = PeerId([1; 32]);
        let mut directory = Directory::new(own, Incarnation(1));
        let id = CallId::of(b"a84b4c76e66710");
        assert_eq!(CallId::parse(&id.to_string()), Some(id));
        assert_eq!(CallId::parse("+000000000000001"), None);
        let call = Call::new(b"sip:a@x", &[b'b'; 1_000], Wall::default(), true);
        assert_eq!(call.to.len(), TEXT_BYTES);
        directory.put_call(id, &call);
        let load = Load {
            maintenance: true,
            ..Load::default()
        };
        directory.put_load(&load);
        assert_eq!(directory.calls().collect::<Vec<_>>(), [(own, id, call)]);
        assert!(directory.is_resting(own) && !directory.is_resting(PeerId([2; 32])));
        directory.remove_call(id);
        assert_eq!(directory.calls().count(), 0);
        let wish = Wish::Call(id);
        assert_eq!(Wish::decode(&wish.encode()), Some(wish));
        assert_eq!(Wish::decode(&[VERSION, 99]), None);
    }

    /// Other versions read these bytes: they must not change.
    #[test]
    fn the_encoding_stays() {
        let call = Call::new(b"a", b"b", Wall::from_millis(300), true);
        assert_eq!(encode(&call), [1, 1, b'a', 1, b'b', 0xac, 2, 1]);
        let load = Load {
            maintenance: true,
            calls: 2,
            registrations: 300,
        };
        assert_eq!(encode(&load), [1, 1, 2, 0xac, 2]);
        assert_eq!(Wish::Calls.encode(), [1, 2]);
    }
}
