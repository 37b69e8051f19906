//! What the kernel said to a request: done, or refused with a reason.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::{Error, HEADER_BYTES, Message, attributes, messages, read};

/// `NLMSG_ERROR`: an acknowledgement when its number is zero.
pub const ERROR: u16 = 2;
/// `NLMSG_DONE`: a dump is complete.
pub const DONE: u16 = 3;

/// `NLM_F_CAPPED`: the request is not repeated whole.
const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`: attributes follow.
const EXTENDED: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`.
const EXTENDED_TEXT: u16 = 1;
/// `NLMSGERR_ATTR_OFFS`.
const EXTENDED_OFFSET: u16 = 2;

/// One answer to one message (`struct nlmsgerr`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Sequence number of the message it answers.
    pub sequence: u32,
    /// That it was done, or why not.
    pub result: Result<(), Fault>,
}

/// Why the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kernel's error number, positive (`errno.h`).
    pub number: u32,
    /// The kernel's own words (extended acknowledgement), when it had any.
    pub text: Option<String>,
    /// Offset of the attribute it means, in the message that was sent.
    pub offset: Option<u32>,
}

impl Fault {
    /// `EEXIST`: what should be made is there already.
    pub const EXISTS: u32 = 17;
    /// `ESRCH`: no such route.
    pub const NO_ROUTE: u32 = 3;
    /// `EADDRNOTAVAIL`: no such address.
    pub const NO_ADDRESS: u32 = 99;
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match name(self.number) {
            Some(name) => write!(f, "{name}")?,
            None => write!(f, "error {}", self.number)?,
        }
        if let Some(text) = &self.text {
            write!(f, " ({text})")?;
        }
        Ok(())
    }
}

/// The answers in one datagram, in order; other messages in it are passed over.
pub fn answers(bytes: &[u8]) -> Result<Vec<Answer>, Error> {
    let mut found = Vec::new();
    for message in messages(bytes) {
        let message = message?;
        if message.kind == ERROR {
            found.push(answer(&message)?);
        }
    }
    Ok(found)
}

/// One answer, from a message of kind [`ERROR`].
pub fn answer(message: &Message<'_>) -> Result<Answer, Error> {
    let expected = "an error number";
    let number = i32::from_ne_bytes(read(message.body, 0, message.position, expected)?);
    let mut fault = Fault {
        number: number.unsigned_abs(),
        text: None,
        offset: None,
    };
    if message.flags & EXTENDED != 0 {
        // The header of the request is repeated, and its body too unless the answer is capped.
        let length: [u8; 4] = read(message.body, 4, message.position, "the request's header")?;
        let repeated = match message.flags & CAPPED {
            0 => (u32::from_ne_bytes(length) as usize).next_multiple_of(4),
            _ => HEADER_BYTES,
        };
        let start = repeated.saturating_add(4);
        let rest = message.body.get(start..).ok_or(Error {
            position: message.position + 4,
            expected: "the request that is answered",
        })?;
        for attribute in attributes(rest, message.position + start) {
            let attribute = attribute?;
            match attribute.kind {
                EXTENDED_TEXT => fault.text = Some(attribute.text()?.to_string()),
                EXTENDED_OFFSET => fault.offset = Some(attribute.number()?),
                // Cookies and policies, which newer kernels add.
                _ => {}
            }
        }
    }
    Ok(Answer {
        sequence: message.sequence,
        result: if number == 0 { Ok(()) } else { Err(fault) },
    })
}

/// The usual refusals in words (`errno(3)`).
fn name(number: u32) -> Option<&'static str> {
    Some(match number {
        1 => "not permitted",
        2 => "does not exist",
        3 => "no such route",
        12 => "out of memory",
        16 => "busy",
        Fault::EXISTS => "exists already",
        19 => "no such interface",
        22 => "invalid",
        34 => "out of range",
        93 => "protocol not supported",
        95 => "not supported",
        97 => "address family not supported",
        Fault::NO_ADDRESS => "no such address",
        100 => "the network is down",
        101 => "the network is unreachable",
        _ => return None,
    })
}
