//! The proof of identity between peers, over a TLS channel whose certificates prove nothing.
//!
//! After the handshake each side sends one message: a version byte, its Ed25519 public key, and
//! its signature over the TLS exporter (RFC 5705, RFC 8446 section 7.5) with a label of ours and
//! the sender's role as context. The exporter is known only to the two ends of this connection, so
//! the proof can be neither replayed, nor relayed by somebody in the middle, nor sent back.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use causeway_engine::base::ids::PeerId;
use causeway_engine::base::socket::{PeerProof, Presented};
use causeway_engine::certificate::Held;
use futures_rustls::TlsStream;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::keys::{self, Identity, ServerCertificate};

use super::tls::Tls;
use super::trust::{self, Trust};

const IDENTITY_LABEL: &[u8] = b"EXPORTER-causeway-identity";
const BINDING_LABEL: &[u8] = b"EXPORTER-causeway-binding";
const CONNECTED: &[u8] = b"connected";
const ACCEPTED: &[u8] = b"accepted";

/// First byte of the message.
const VERSION: u8 = 1;
const MESSAGE_BYTES: usize = 1 + 32 + 64;

/// Who we are, on every encrypted socket.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// What every new connection is made with.
    tls: Mutex<Arc<Tls>>,
    /// What this peer signs with.
    pub(crate) identity: Identity,
    /// Presented while no other certificate is there.
    self_signed: ServerCertificate,
}

impl Credentials {
    /// Credentials with the self-signed certificate.
    pub(crate) fn new(
        identity: Identity,
        self_signed: ServerCertificate,
    ) -> Result<Self, rustls::Error> {
        let tls = Tls::new(&self_signed, Trust::default(), false)?;
        Ok(Self {
            tls: Mutex::new(Arc::new(tls)),
            identity,
            self_signed,
        })
    }

    /// What a new connection is made with.
    pub(super) fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Presents and trusts something else from now on; gives how those who trust the same judge
    /// it.
    pub(super) fn present(
        &self,
        held: &Held,
        only_tls13: bool,
    ) -> Result<Presented, rustls::Error> {
        let trust = Trust::new(held).map_err(rustls::Error::General)?;
        let uploaded = held.own.as_ref().map(trust::server_certificate);
        let uploaded = uploaded.transpose().map_err(rustls::Error::General)?;
        let certificate = uploaded.as_ref().unwrap_or(&self.self_signed);
        let presented = trust.judge(&certificate.chain);
        let tls = Arc::new(Tls::new(certificate, trust, only_tls13)?);
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = tls;
        Ok(presented)
    }
}

/// Proves who we are and learns who the other end is. The caller bounds the time.
pub(super) async fn exchange<S>(
    stream: &mut TlsStream<S>,
    identity: &Identity,
    trust: &Trust,
) -> io::Result<PeerProof>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (ours, theirs) = match stream {
        TlsStream::Client(_) => (CONNECTED, ACCEPTED),
        TlsStream::Server(_) => (ACCEPTED, CONNECTED),
    };
    let ours = exported(stream, IDENTITY_LABEL, Some(ours))?;
    let theirs = exported(stream, IDENTITY_LABEL, Some(theirs))?;
    let binding = exported(stream, BINDING_LABEL, None)?;

    let mut message = [VERSION; MESSAGE_BYTES];
    message[1..33].copy_from_slice(&identity.id().0);
    message[33..].copy_from_slice(&identity.sign(&ours));
    stream.write_all(&message).await?;
    stream.flush().await?;

    let mut answer = [0; MESSAGE_BYTES];
    stream.read_exact(&mut answer).await?;
    let fault = |text| Err(io::Error::new(io::ErrorKind::InvalidData, text));
    if answer[0] != VERSION {
        return fault("the peer proves its identity in another version");
    }
    let mut id = PeerId([0; 32]);
    id.0.copy_from_slice(&answer[1..33]);
    if !keys::is_signed_by(&id, &theirs, &answer[33..]) {
        return fault("the peer does not prove its identity");
    }
    let chain = match stream {
        TlsStream::Client(stream) => stream.get_ref().1.peer_certificates(),
        TlsStream::Server(stream) => stream.get_ref().1.peer_certificates(),
    };
    let certificate = trust.judge(chain.unwrap_or_default());
    Ok(PeerProof {
        id,
        binding,
        certificate,
    })
}

fn exported<S>(
    stream: &TlsStream<S>,
    label: &[u8],
    context: Option<&[u8]>,
) -> io::Result<[u8; 32]> {
    let output = [0; 32];
    match stream {
        TlsStream::Client(stream) => stream
            .get_ref()
            .1
            .export_keying_material(output, label, context),
        TlsStream::Server(stream) => stream
            .get_ref()
            .1
            .export_keying_material(output, label, context),
    }
    .map_err(io::Error::other)
}
