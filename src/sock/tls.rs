//! TLS: configurations, the verifier between peers, and a bound on handshakes under way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_io::Async;
use causeway_engine::base::limits::{HANDSHAKES, HANDSHAKES_PER_ADDRESS};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    ALL_VERSIONS, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use super::trust::Trust;
use crate::keys::ServerCertificate;

/// An encrypted web connection.
pub(crate) type WebStream = futures_rustls::server::TlsStream<Async<std::net::TcpStream>>;

/// The configurations of every TLS socket; to be made anew when the certificate changes.
#[derive(Debug)]
pub(crate) struct Tls {
    /// For browsers: no certificate of theirs is asked for.
    pub(super) web: Arc<ServerConfig>,
    /// For peers that connect to us.
    pub(super) accept: Arc<ServerConfig>,
    /// For peers that we connect to.
    pub(super) connect: Arc<ClientConfig>,
    /// Judges the certificates of peers, once they hold their key.
    pub(super) trust: Trust,
}

impl Tls {
    /// Configurations around one certificate; with `only_tls13`, peers speak no older version.
    pub(crate) fn new(
        certificate: &ServerCertificate,
        trust: Trust,
        only_tls13: bool,
    ) -> Result<Self, Error> {
        let versions = if only_tls13 {
            &[&TLS13][..]
        } else {
            ALL_VERSIONS
        };
        let provider = Arc::new(ring::default_provider());
        let anybody = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let parts = || (certificate.chain.clone(), certificate.key.clone_key());

        let (chain, key) = parts();
        let mut web = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        web.alpn_protocols = vec![b"http/1.1".to_vec()];

        let (chain, key) = parts();
        let mut accept = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(Arc::clone(&anybody) as Arc<dyn ClientCertVerifier>)
            .with_single_cert(chain, key)?;
        // Each channel proves its own identity, so none is resumed. TLS 1.2 exporters are bound
        // to the whole handshake only with the extended master secret (RFC 7627).
        accept.session_storage = Arc::new(NoServerSessionStorage {});
        accept.send_tls13_tickets = 0;
        accept.require_ems = true;

        let (chain, key) = parts();
        let mut connect = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(anybody)
            .with_client_auth_cert(chain, key)?;
        connect.resumption = Resumption::disabled();
        connect.require_ems = true;

        Ok(Self {
            web: Arc::new(web),
            accept: Arc::new(accept),
            connect: Arc::new(connect),
            trust,
        })
    }
}

/// The Permissive mode of SPEC CL5: any certificate will do, but the other end must hold its key.
/// Who it is, is proved afterwards over the exporter (see `peer`).
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl AnyCertificate {
    fn tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

/// Handshakes under way, by source address: they are the dearest thing that a stranger can ask
/// for, so one address cannot take all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// Permission for one handshake; given back when dropped.
#[derive(Debug)]
pub(super) struct Handshake {
    all: Handshakes,
    address: IpAddr,
}

impl Handshakes {
    /// Permission for one more; `None` when there are too many.
    pub(super) fn begin(&self, address: IpAddr) -> Option<Handshake> {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.values().sum::<usize>() >= HANDSHAKES {
            return None;
        }
        let count = addresses.entry(address).or_default();
        if *count >= HANDSHAKES_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Handshake {
            all: self.clone(),
            address,
        })
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut addresses = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}
