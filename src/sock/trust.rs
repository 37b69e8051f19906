//! What only cryptography can tell of certificates: whether a key fits, whether a chain leads to a
//! trusted authority and nothing in it is revoked (SPEC CL5, TL1). Names are the engine's.

use causeway_engine::base::digest::sha256;
use causeway_engine::base::socket::Presented;
use causeway_engine::certificate::{Done, Held, Key, Own, Task};
use causeway_engine::wire::x509::Certificate;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, Error, KeyUsage, OwnedCertRevocationList,
    RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

use crate::keys::ServerCertificate;

/// Trusted authorities and what they have revoked.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    lists: Vec<CertRevocationList<'static>>,
}

impl Trust {
    /// The authorities and lists that are held; the error names the first that is of no use.
    pub(super) fn new(held: &Held) -> Result<Self, String> {
        let anchor = |der: &Vec<u8>| {
            let der = CertificateDer::from_slice(der);
            let anchor = anchor_from_trusted_cert(&der).map(|anchor| anchor.to_owned());
            anchor.map_err(|error| format!("an authority cannot be used: {}", words(&error)))
        };
        let list = |der: &Vec<u8>| {
            let list = OwnedCertRevocationList::from_der(der).map(CertRevocationList::from);
            list.map_err(|error| format!("a revocation list cannot be used: {}", words(&error)))
        };
        Ok(Self {
            anchors: held
                .authorities
                .iter()
                .map(anchor)
                .collect::<Result<_, _>>()?,
            lists: held.lists.iter().map(list).collect::<Result<_, _>>()?,
        })
    }

    /// What there is to say of a certificate and those that came with it, now.
    pub(super) fn judge(&self, chain: &[CertificateDer<'_>]) -> Presented {
        let Some((own, above)) = chain.split_first() else {
            return Presented {
                fault: Some("none was presented".into()),
                ..Presented::default()
            };
        };
        let found = Certificate::parse(own).unwrap_or_default();
        let key = EndEntityCert::try_from(own)
            .map(|certificate| certificate.subject_public_key_info().as_ref().to_vec());
        Presented {
            names: found.all_names().map(str::to_owned).collect(),
            fault: self.verify(own, above).err(),
            key: sha256(&[&key.unwrap_or_default()]),
        }
    }

    /// Between peers one certificate serves both ends, so it must be fit for both.
    fn verify(&self, own: &CertificateDer<'_>, above: &[CertificateDer<'_>]) -> Result<(), String> {
        let certificate = EndEntityCert::try_from(own).map_err(|error| words(&error))?;
        let lists: Vec<_> = self.lists.iter().collect();
        let provider = rustls::crypto::ring::default_provider();
        let algorithms = provider.signature_verification_algorithms.all;
        for usage in [KeyUsage::server_auth(), KeyUsage::client_auth()] {
            let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
                // An authority without a list is told by an alarm.
                options
                    .with_status_policy(UnknownStatusPolicy::Allow)
                    .build()
            });
            certificate
                .verify_for_usage(
                    algorithms,
                    &self.anchors,
                    above,
                    UnixTime::now(),
                    usage,
                    revocation,
                    None,
                )
                .map_err(|error| words(&error))?;
        }
        Ok(())
    }
}

/// Does what the engine asks.
pub(super) fn perform(task: Task) -> Result<Done, String> {
    match task {
        Task::Fit(own, held) => {
            let certificate = server_certificate(&own)?;
            Ok(Done::Fits(
                Trust::new(&held)?.judge(&certificate.chain).fault,
            ))
        }
        Task::Make { names } => make(&names),
        Task::Use(held) => Trust::new(&held).map(|_| Done::Usable),
    }
}

/// A certificate with its key as TLS takes it, if they fit.
pub(super) fn server_certificate(own: &Own) -> Result<ServerCertificate, String> {
    let chain = own
        .chain
        .iter()
        .cloned()
        .map(CertificateDer::from)
        .collect();
    let key = PrivateKeyDer::try_from(own.key.0.clone())
        .map_err(|error| format!("the private key cannot be used: {error}"))?;
    ServerCertificate::new(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "the private key does not fit the certificate".into(),
        error => format!("certificate and key cannot be used: {error}"),
    })
}

/// A P-256 key and a request for these names, the common name first.
fn make(names: &[String]) -> Result<Done, String> {
    let fault = |error: rcgen::Error| error.to_string();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(fault)?;
    let mut parameters = rcgen::CertificateParams::new(names.to_vec()).map_err(fault)?;
    let mut subject = rcgen::DistinguishedName::new();
    if let Some(first) = names.first() {
        subject.push(rcgen::DnType::CommonName, first);
    }
    parameters.distinguished_name = subject;
    let request = parameters.serialize_request(&key).map_err(fault)?;
    let text = request.pem().map_err(fault)?;
    Ok(Done::Made(Key(key.serialize_der()), text))
}

/// What a fault of a certificate means.
fn words(error: &Error) -> String {
    match error {
        Error::UnknownIssuer => "it was not issued by a trusted authority".into(),
        Error::CertExpired { .. } => "it has expired".into(),
        Error::CertNotValidYet { .. } => "it is not valid yet".into(),
        Error::CertRevoked => "it is revoked".into(),
        Error::CaUsedAsEndEntity => "it is self-signed, or an authority's own".into(),
        Error::InvalidSignatureForPublicKey => "its signature is false".into(),
        Error::RequiredEkuNotFoundContext(_) => {
            "it is not for both servers and clients (extended key usage)".into()
        }
        other => format!("{other}"),
    }
}
