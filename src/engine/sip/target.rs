//! Where a request goes: bindings become targets, URIs become hops.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::token::{Flow, Tokens};
use super::transport::{DEFAULT_PORT, Hop};
use super::{At, Sip, names};
use crate::base::ids::PeerId;
use crate::directory::Found;
use crate::wire::sip::Uri;

/// Requests longer than this leave by TCP where the target speaks it (section 18.1.1).
pub(super) const UDP_REQUEST_BYTES_MAX: usize = 1_300;

/// How the next hop is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By the first Route, else by the Request-URI (section 16.6 item 7).
    Next,
    /// Over a flow that a device opened.
    Flow(Flow),
    /// To another peer's signalling address.
    Peer {
        /// That address.
        address: SocketAddr,
        /// Whether TCP was tried for the size of the request, in vain.
        by_datagram: bool,
    },
}

/// One place to send a request to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The new Request-URI; empty to leave it.
    pub(super) uri: Vec<u8>,
    /// Routes to put before those that the request keeps.
    pub(super) routes: Vec<Vec<u8>>,
    /// How the next hop is found.
    pub(super) way: Way,
    /// Preference in thousandths.
    pub(super) q: u16,
    /// The instance it is a flow of, if any.
    pub(super) instance: Option<Vec<u8>>,
    /// Whether the device itself is the next hop and ours to reach.
    pub(super) is_neighbour: bool,
}

impl Target {
    /// A request that goes on by what it says itself.
    pub(super) fn onwards(way: Way) -> Self {
        Self {
            uri: Vec::new(),
            routes: Vec::new(),
            way,
            q: 0,
            instance: None,
            is_neighbour: false,
        }
    }

    fn of(found: &Found<'_>, own: PeerId, tokens: &Tokens) -> Self {
        let binding = found.binding;
        let (routes, way) = if found.owner == own {
            // The first hop is ourselves: take the flow out of it and leave it off.
            let flow = binding
                .path
                .first()
                .and_then(|hop| names::token_of(hop))
                .and_then(|token| tokens.open_device(token, &binding.contact));
            let path = binding.path.get(usize::from(flow.is_some())..);
            let flow = flow.unwrap_or(Flow::Direct);
            (path.unwrap_or_default().to_vec(), Way::Flow(flow))
        } else {
            (
                binding.path.clone(),
                Way::Peer {
                    address: binding.owner_address,
                    by_datagram: false,
                },
            )
        };
        Self {
            uri: binding.contact.clone(),
            is_neighbour: found.owner == own && routes.is_empty(),
            routes,
            way,
            q: binding.q,
            instance: binding
                .instance
                .as_ref()
                .map(|(instance, _)| instance.clone()),
        }
    }
}

impl Sip {
    /// The targets of an address of record, the most wanted last. Flows of one device follow each
    /// other in `others`: only one of them may ring (RFC 5626 section 5.3).
    pub(super) fn targets(&self, at: &At<'_>, aor: &str) -> Vec<Target> {
        let own = at.directory.own();
        let mut targets: Vec<_> = at
            .directory
            .bindings(aor, at.now)
            // A peer in maintenance mode takes no new calls (SPEC MM1): it is not tried.
            .filter(|found| found.owner == own || !at.directory.is_resting(found.owner))
            .map(|found| Target::of(&found, own, &self.tokens))
            .collect();
        targets.sort_by_key(|target| target.q);
        targets
    }

    /// The hop that a URI leads to, without asking DNS: `None` when that would be needed, or when
    /// the transport is none of ours.
    pub(super) fn uri_hop(&mut self, at: &At<'_>, uri: &[u8], bytes: usize) -> Option<Hop> {
        let uri = Uri::parse(uri).ok()?;
        let to = match names::literal(uri.host()) {
            Some(ip) => SocketAddr::new(ip, uri.port().unwrap_or(DEFAULT_PORT)),
            None if self.is_own_domain(uri.host()) => self.primary_address()?,
            None => return None,
        };
        match uri.transport() {
            Some(name) if name.eq_ignore_ascii_case(b"tcp") => {
                self.transport.stream_hop(at.now, to)
            }
            Some(name) if name.eq_ignore_ascii_case(b"udp") => self.transport.udp_hop(to, None),
            Some(_) => None,
            None => self.address_hop(at, to, bytes),
        }
    }

    /// The hop to an address whose transport is left open.
    pub(super) fn address_hop(&mut self, at: &At<'_>, to: SocketAddr, bytes: usize) -> Option<Hop> {
        if bytes > UDP_REQUEST_BYTES_MAX
            && let Some(stream) = self.transport.open_stream_to(to)
        {
            return Some(Hop::Stream(stream));
        }
        self.transport
            .udp_hop(to, None)
            .or_else(|| self.transport.stream_hop(at.now, to))
    }
}
