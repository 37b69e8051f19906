//! Frames between the gateway and its command lines.
//!
//! A frame is a length (four bytes, little-endian, without itself), a version byte, and one
//! postcard value. The client sends [`Request`]s, the server answers each with one [`Response`],
//! in order. Both ends are the same binary, so a version that differs means an upgrade under way:
//! the connection is closed.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize as SerializeDerive};

use crate::backup;

/// Bytes of one frame, length field not counted. A long `xStatus` of a full gateway fits.
pub(crate) const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of one request, length field not counted.
pub(crate) const REQUEST_BYTES_MAX: usize = 64 * 1024 + backup::FILE_CHARS_MAX;

/// Version of these frames.
const VERSION: u8 = 1;

/// What a command line asks.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDerive, Deserialize)]
pub(crate) enum Request {
    /// Who are you, and what may I do? Answered by [`Response::Hello`].
    Hello,
    /// Begin a session on the console. Answered by `Done` or, after a delay, `Refused`.
    Login { user: String, password: String },
    /// End the session. Answered by `Done`.
    Logout,
    /// A line as typed. Answered by `Text` or `Refused`.
    Line(String),
    /// Everything that can follow this text. Answered by `Completions`.
    Complete(String),
    /// Save these items (path, value) as one change; passwords come in clear and are hashed here.
    /// This is how the set-up wizard saves: on the console it is allowed without login while the
    /// wizard is still to be run (SPEC AP6). Answered by `Text` or `Refused`.
    Set(Vec<(String, String)>),
    /// Make a backup file under this password. Answered by `Text` or `Refused`.
    Backup { password: String },
    /// Restore a backup file as one change, or show what that would change. Answered by `Text` or
    /// `Refused`.
    Restore {
        file: String,
        password: String,
        /// Whether items that the cluster shares are restored too.
        shared: bool,
        /// Whether to show only.
        preview: bool,
    },
    /// A line whose parameter `File` stands for this text. Answered by `Text` or `Refused`.
    Attached { line: String, text: String },
}

/// What the gateway answers.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDerive, Deserialize)]
pub(crate) enum Response {
    /// Who answers.
    Hello(Identity),
    /// Done; there is nothing to say.
    Done,
    /// Text to print as it is.
    Text(String),
    /// Completions of the last word, sorted.
    Completions(Vec<String>),
    /// Not done, nothing changed: one line per reason.
    Refused(Vec<String>),
    /// Log in first; the session may have ended by inactivity.
    LoginRequired,
}

/// Who answers, as anybody at the terminal may know.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDerive, Deserialize)]
pub(crate) struct Identity {
    /// `SystemUnit Name`; may be empty.
    pub(crate) name: String,
    /// Version of the software.
    pub(crate) version: String,
    /// Serial number: the identity of this peer.
    pub(crate) serial: String,
    /// Own addresses with their prefix lengths, where the machine is ours.
    pub(crate) addresses: Vec<String>,
    /// Where the pages are.
    pub(crate) pages: Vec<String>,
    /// Whether a login is needed before anything else.
    pub(crate) login: bool,
    /// Whether the set-up wizard is still to be run.
    pub(crate) set_up: bool,
}

/// Why a frame cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameFault {
    /// Longer than allowed.
    TooLong,
    /// Another version, or not a frame at all.
    Unknown,
}

impl std::fmt::Display for FrameFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a message is too long",
            Self::Unknown => "the other end speaks another version",
        })
    }
}

impl std::error::Error for FrameFault {}

impl From<FrameFault> for std::io::Error {
    fn from(fault: FrameFault) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, fault)
    }
}

/// A whole frame around `value`.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, FrameFault> {
    let frame =
        postcard::to_extend(value, vec![0, 0, 0, 0, VERSION]).map_err(|_| FrameFault::Unknown)?;
    let length = frame.len() - 4;
    if length > FRAME_BYTES_MAX {
        return Err(FrameFault::TooLong);
    }
    let mut frame = frame;
    frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(frame)
}

/// The length of a frame's body from its first four bytes.
pub(crate) fn body_length(head: [u8; 4], bytes_max: usize) -> Result<usize, FrameFault> {
    match u32::from_le_bytes(head) as usize {
        0 => Err(FrameFault::Unknown),
        length if length > bytes_max => Err(FrameFault::TooLong),
        length => Ok(length),
    }
}

/// The value in a frame's body.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameFault> {
    match body {
        [VERSION, value @ ..] => match postcard::take_from_bytes(value) {
            Ok((value, [])) => Ok(value),
            Ok(_) | Err(_) => Err(FrameFault::Unknown),
        },
        _ => Err(FrameFault::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(frame: &[u8]) -> &[u8] {
        let head = frame[..4].try_into().expect("four bytes");
        let length = body_length(head, REQUEST_BYTES_MAX).expect("a length");
        assert_eq!(length, frame.len() - 4);
        &frame[4..]
    }

    #[test]
    fn frames_come_back_as_they_went_and_only_whole() {
        let request = Request::Set(vec![("SIP UDP Port".into(), "5060".into())]);
        let frame = encode(&request).expect("a frame");
        assert_eq!(decode(body(&frame)), Ok(request));
        for length in 0..frame.len() - 4 {
            assert_eq!(
                decode::<Request>(&frame[4..4 + length]),
                Err(FrameFault::Unknown)
            );
        }
    }

    #[test]
    fn golden_bytes() {
        let frame = encode(&Request::Line("help".into())).expect("a frame");
        assert_eq!(frame, [7, 0, 0, 0, 1, 3, 4, b'h', b'e', b'l', b'p']);
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(body_length([0; 4], 10), Err(FrameFault::Unknown));
        assert_eq!(body_length([11, 0, 0, 0], 10), Err(FrameFault::TooLong));
        assert_eq!(body_length([10, 0, 0, 0], 10), Ok(10));
    }
}
