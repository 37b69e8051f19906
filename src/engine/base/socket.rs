//! What sockets are for and who is at the other end, in words that every engine shares.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::ids::PeerId;

/// What a socket is for; the shell chooses transport and handshake by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// SIP over UDP (RFC 3261 section 18).
    SipUdp,
    /// SIP over TCP (RFC 3261 section 18).
    SipTcp,
    /// Configuration replication, TLS on TCP 4371 (SPEC CL5).
    PeerConfiguration,
    /// Shared dynamic state, TLS on TCP 4372 (SPEC CL5).
    PeerState,
    /// Authenticated beats, UDP 4372 (SPEC CL5).
    PeerBeat,
    /// HTTPS; served by the shell's web face, which only reports the address.
    Web,
}

/// Both addresses of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

/// Who is at the other end of a peer's TLS stream, proved before the engine sees it.
///
/// Each side signs the TLS exporter value (RFC 5705) with its identity key, so the proof holds for
/// this connection alone and certificates can be renewed freely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerProof {
    /// The identity whose signature was verified.
    pub id: PeerId,
    /// Exporter value of this connection, the same at both ends and known to nobody else.
    pub binding: [u8; 32],
    /// The certificate that it presented.
    pub certificate: Presented,
}

/// A certificate that a peer presented, with what the shell thinks of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presented {
    /// Common name and DNS names that it is for.
    pub names: Vec<String>,
    /// Why it does not lead to a trusted authority, is revoked or is out of date; `None` where all
    /// is well. Names are not looked at.
    pub fault: Option<String>,
    /// SHA-256 of its public key: two peers must not share one.
    pub key: [u8; 32],
}
