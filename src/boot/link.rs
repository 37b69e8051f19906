//! Unsafe code: taking over a descriptor that the parent left open (one call).
//!
//! Messages between the roles of one machine: one postcard value per datagram of a socketpair
//! (`SOCK_SEQPACKET`), so there is no framing to get wrong and a closed end is noticed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use causeway_engine::base::limits::ROLE_MESSAGE_BYTES;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType};
use nix::sys::socket::{recv, send, setsockopt, socketpair, sockopt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What `init` and its children tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum InitMessage {
    /// From `init`: is your main loop alive?
    Ping(u32),
    /// To `init`: it is; the number is returned. To be sent from the main loop itself.
    Pong(u32),
    /// To `init`, from `system` alone: stop in good order.
    Stop(causeway_engine::net::machine::Stop),
}

/// One end of a conversation between two roles.
///
/// For an async loop: `async_io::Async::new(link)` makes it non-blocking, then
/// `link.read_with(|link| link.receive())` and `link.write_with(|link| link.send(&value))`.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
}

impl Link {
    /// Two connected ends, both closed on exec.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (one, two) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        for socket in [&one, &two] {
            // Room for two messages; the kernel caps it quietly at wmem_max, which is enough too.
            let _ = setsockopt(socket, sockopt::SndBuf, &(2 * ROLE_MESSAGE_BYTES));
        }
        Ok((Self { socket: one }, Self { socket: two }))
    }

    /// The end that the parent left open under `number`, from now on closed on exec.
    pub(crate) fn inherited(number: RawFd) -> io::Result<Self> {
        if number <= 2 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        // SAFETY: only looked at until the call below has proved that it is open.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        // SAFETY: open, as just proved, and named on our command line for us alone to own.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        Ok(Self { socket })
    }

    /// The number of the descriptor, for the command line of a child.
    pub(crate) fn number(&self) -> String {
        self.socket.as_raw_fd().to_string()
    }

    /// Sends one value. `WouldBlock` when the other end does not read and we may not wait.
    pub(crate) fn send<T: Serialize>(&self, value: &T) -> io::Result<()> {
        let bytes = postcard::to_allocvec(value).map_err(io::Error::other)?;
        if bytes.len() > ROLE_MESSAGE_BYTES {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        send(self.socket.as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL)?;
        Ok(())
    }

    /// The next value; `None` when the other end is closed for good. `InvalidData` tells of one
    /// message that was no such value; it is gone, the next may be good.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let mut bytes = vec![0; ROLE_MESSAGE_BYTES];
        let length = recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::empty())?;
        if length == 0 {
            return Ok(None);
        }
        match postcard::take_from_bytes(&bytes[..length]) {
            Ok((value, [])) => Ok(Some(value)),
            Ok(_) | Err(_) => Err(io::Error::from(io::ErrorKind::InvalidData)),
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_arrive_whole_and_in_order_until_the_end_is_closed() {
        let (one, two) = Link::pair().unwrap();
        one.send(&InitMessage::Ping(7)).unwrap();
        one.send(&"not such a message").unwrap();
        one.send(&InitMessage::Pong(8)).unwrap();
        assert_eq!(two.receive().unwrap(), Some(InitMessage::Ping(7)));
        let fault = two.receive::<InitMessage>().unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::InvalidData);
        assert_eq!(two.receive().unwrap(), Some(InitMessage::Pong(8)));
        drop(one);
        assert_eq!(two.receive::<InitMessage>().unwrap(), None);
    }

    #[test]
    fn a_message_above_the_bound_is_not_sent() {
        let (one, _two) = Link::pair().unwrap();
        let fault = one.send(&vec![1_u8; ROLE_MESSAGE_BYTES]).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::FileTooLarge);
    }
}
