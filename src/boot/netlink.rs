//! Unsafe code: two socket options that the wrapper crate does not know.
//!
//! Netlink sockets: sends messages that the engine made, brings back what the kernel answered.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use causeway_engine::base::limits::NETLINK_ANSWER_BYTES;
use causeway_engine::wire::netlink::answer::{DONE, ERROR};
use causeway_engine::wire::netlink::messages;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

/// Room for the acknowledgements of the largest batch; the kernel counts about 1 KiB for each.
const RECEIVE_BYTES: usize = 4 * 1024 * 1024;

/// One datagram of the kernel's answers. The kernel fills at most 32 KiB.
const DATAGRAM_BYTES: usize = 64 * 1024;

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR`,
/// `RTMGRP_IPV6_ROUTE`: notices of changes.
const CHANGES: u32 = 0x001 | 0x010 | 0x040 | 0x100 | 0x400;

/// A netlink socket.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    /// For links, addresses and routes.
    pub(crate) fn route() -> io::Result<Self> {
        Self::open(SockProtocol::NetlinkRoute, 0)
    }

    /// For nf_tables.
    pub(crate) fn firewall() -> io::Result<Self> {
        Self::open(SockProtocol::NetlinkNetFilter, 0)
    }

    /// Hears of changes to links, addresses and routes.
    pub(crate) fn changes() -> io::Result<Self> {
        Self::open(SockProtocol::NetlinkRoute, CHANGES)
    }

    fn open(protocol: SockProtocol, groups: u32) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        // Errors repeat the header of a request only, and say more in words.
        set_option(&socket, libc::NETLINK_CAP_ACK)?;
        set_option(&socket, libc::NETLINK_EXT_ACK)?;
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BYTES).is_err() {
            // In a namespace of an ordinary user; its limit is enough for ordinary batches.
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BYTES)?;
        }
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(2, 0))?;
        Ok(Self { socket })
    }

    /// Sends one message or batch and brings what the kernel answered to it. The kernel works
    /// while we send, so all answers are there when sending is done.
    pub(crate) fn perform(&self, bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.drain()?;
        self.send(bytes)?;
        let mut answers = Vec::new();
        let mut length = 0;
        while let Some(datagram) = self.next(MsgFlags::MSG_DONTWAIT)? {
            length += datagram.len();
            if length <= NETLINK_ANSWER_BYTES {
                answers.push(datagram);
            }
        }
        Ok(answers)
    }

    /// Sends a request for a dump and brings all of it.
    pub(crate) fn dump(&self, bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.drain()?;
        self.send(bytes)?;
        let mut dump = Vec::new();
        let mut length = 0;
        loop {
            let Some(datagram) = self.next(MsgFlags::empty())? else {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            };
            let ended = messages(&datagram)
                .any(|message| message.is_ok_and(|message| [DONE, ERROR].contains(&message.kind)));
            length += datagram.len();
            if length <= NETLINK_ANSWER_BYTES {
                dump.push(datagram);
            }
            if ended {
                return Ok(dump);
            }
        }
    }

    /// Reads away all that waits; whether there was any.
    pub(crate) fn drain(&self) -> io::Result<bool> {
        let mut any = false;
        loop {
            match self.next(MsgFlags::MSG_DONTWAIT) {
                Ok(Some(_)) => any = true,
                Ok(None) => return Ok(any),
                // Notices were lost for want of room: there was at least one.
                Err(fault) if fault.raw_os_error() == Some(Errno::ENOBUFS as i32) => any = true,
                Err(fault) => return Err(fault),
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let kernel = NetlinkAddr::new(0, 0);
        let sent = sendto(self.socket.as_raw_fd(), bytes, &kernel, MsgFlags::empty())?;
        if sent == bytes.len() {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::WriteZero))
        }
    }

    /// The next datagram; `None` when there is none, or none in time.
    fn next(&self, flags: MsgFlags) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; DATAGRAM_BYTES];
        loop {
            match recv(self.socket.as_raw_fd(), &mut bytes, flags) {
                Ok(length) => {
                    bytes.truncate(length);
                    return Ok(Some(bytes));
                }
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn set_option(socket: &OwnedFd, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and the length are those of a live integer.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    Ok(Errno::result(result).map(drop)?)
}
