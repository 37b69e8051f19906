//! Where a request came from, read once: what its Via says beside what we saw.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use heapless::Vec as Fixed;

use super::answer::Digits;
use super::exchange::Reply;
use super::names;
use super::token::Flow;
use super::transport::{self, DEFAULT_PORT, Hop};
use crate::base::ids::StreamId;
use crate::wire::sip::{Message, Patch, Uri};

/// Where a request came from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The way back over the same socket or stream.
    pub(super) hop: Hop,
    /// The sender as we saw it.
    pub(super) remote: SocketAddr,
    /// What goes into the topmost Via.
    pub(super) stamp: Stamp,
    /// The address that the sender gave itself in Via, when it is one.
    sent_by: Option<IpAddr>,
    /// The port that goes with it.
    port: u16,
    has_rport: bool,
    /// Whether we made the request ourselves.
    is_own: bool,
}

impl Origin {
    /// The origin of a request that we made ourselves.
    pub(super) fn own() -> Self {
        Self {
            hop: Hop::Stream(StreamId(0)),
            remote: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            stamp: Stamp::default(),
            sent_by: None,
            port: 0,
            has_rport: false,
            is_own: true,
        }
    }

    /// The origin of a request that came over `hop` from `remote`; `None` without a Via.
    pub(super) fn new(message: &Message, hop: Hop, remote: SocketAddr) -> Option<Self> {
        let via = message.top_via()?;
        let has_rport = via.rport().is_some();
        let sent_by = names::literal(via.host());
        Some(Self {
            hop,
            remote,
            stamp: Stamp {
                received: (has_rport || sent_by != Some(remote.ip())).then(|| ip_text(remote.ip())),
                rport: has_rport.then(|| Digits::of(u32::from(remote.port()))),
            },
            sent_by,
            port: via.port().unwrap_or(DEFAULT_PORT),
            has_rport,
            is_own: false,
        })
    }

    /// The way back for responses (section 18.2.2, RFC 3581 section 4).
    pub(super) fn reply(&self) -> Reply {
        if self.is_own {
            return Reply::Nobody;
        }
        let sent_by = SocketAddr::new(self.remote.ip(), self.port);
        match self.hop {
            Hop::Udp { listener, .. } => {
                let to = if self.has_rport { self.remote } else { sent_by };
                Reply::Udp(Hop::Udp { listener, to })
            }
            Hop::Stream(stream) => {
                let fallback = sent_by;
                Reply::Stream { stream, fallback }
            }
        }
    }

    /// How the sender is reached later, when its Contact is `contact`: by that URI if it leads to
    /// an address and nobody translated the sender's own, else the way it came.
    pub(super) fn flow(&self, contact: &[u8]) -> Flow {
        let contact = Uri::parse(contact).ok();
        let contact = contact.and_then(|uri| names::literal(uri.host()));
        let is_moved = match self.sent_by {
            Some(ip) => ip != self.remote.ip(),
            None => contact != Some(self.remote.ip()),
        };
        match self.hop {
            Hop::Udp { listener, .. } => {
                // Without rport the sender listens where its Via says, whatever port it sent from.
                let is_port_moved =
                    self.has_rport && self.sent_by.is_some() && self.port != self.remote.port();
                if contact.is_some() && !is_moved && !is_port_moved {
                    Flow::Direct
                } else {
                    let to = self.remote;
                    Flow::Udp { listener, to }
                }
            }
            Hop::Stream(stream) if contact.is_some() && !is_moved => {
                Flow::StreamOrDirect { stream }
            }
            Hop::Stream(stream) => Flow::Stream { stream },
        }
    }
}

/// What goes into the topmost Via of a request (section 18.2.1, RFC 3581 section 4).
#[derive(Clone, Debug, Default)]
pub(super) struct Stamp {
    received: Option<IpText>,
    rport: Option<Digits>,
}

type IpText = Fixed<u8, 45>;

impl Stamp {
    /// The value of `received`, when it is to be there.
    pub(super) fn received(&self) -> Option<&[u8]> {
        self.received.as_deref()
    }

    /// The value of `rport`, when it is to be there.
    pub(super) fn rport(&self) -> Option<&[u8]> {
        self.rport.as_ref().map(Digits::bytes)
    }

    /// Marks the Via of a request that is sent on.
    pub(super) fn apply(&self, patch: &mut Patch<'_>) {
        if self.received.is_some() || self.rport.is_some() {
            patch.stamp_via(self.received(), self.rport());
        }
    }
}

/// An address as `received` has it: IPv6 without brackets (section 25.1).
fn ip_text(ip: IpAddr) -> IpText {
    let mut text = IpText::new();
    match ip {
        IpAddr::V4(ip) => {
            for (place, octet) in ip.octets().into_iter().enumerate() {
                if place > 0 {
                    text.push(b'.').expect("15 bytes at most");
                }
                let digits = Digits::of(u32::from(octet));
                text.extend_from_slice(digits.bytes())
                    .expect("15 bytes at most");
            }
        }
        IpAddr::V6(_) => {
            let whole = transport::text(SocketAddr::new(ip, 0));
            let bare = whole
                .strip_prefix(b"[")
                .and_then(|rest| rest.strip_suffix(b"]:0"));
            // Longer than any address as text can be, and then better absent.
            let _ = text.extend_from_slice(bare.unwrap_or_default());
        }
    }
    text
}
