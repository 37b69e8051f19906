//! Keys and certificate of this peer, made at first start and kept in the data directory.
//!
//! * `identity.key`: the Ed25519 key that is this peer, for ever (DESIGN 3), as PKCS#8.
//! * `server.key`, `server.pem`: key and certificate of every TLS server here; self-signed P-256
//!   until an administrator uploads others (SPEC TL1).
//! * `store.key`: seals the secrets in the store (SPEC RP7); see [`Seal`].
//!
//! A file that is there and makes no sense is set aside, kept and reported; a file that may not
//! be read stops the start, because making another identity in its place would be worse.

use std::io::{self, BufReader};
use std::net::IpAddr;
use std::path::Path;

use causeway_engine::base::ids::PeerId;
use causeway_engine::base::time::Wall;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::files;

/// Bytes of one key or certificate file.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Bytes of the key that seals the store.
const STORE_KEY_BYTES: usize = 32;

/// First byte of a sealed secret: the format.
const SEALED: u8 = 1;

/// The identity of this peer.
#[derive(Debug)]
pub(crate) struct Identity(Ed25519KeyPair);

impl Identity {
    /// Reads the identity, or makes it at first start.
    pub(crate) fn open(data: &Path, now: Wall, faults: &mut Vec<String>) -> io::Result<Self> {
        let path = data.join("identity.key");
        if let Some(bytes) = files::read(&path, FILE_BYTES_MAX)? {
            match Ed25519KeyPair::from_pkcs8(&bytes) {
                Ok(pair) => return Ok(Self(pair)),
                Err(_) => set_aside(&path, now, faults, "This peer has a new identity.")?,
            }
        }
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| io::Error::other("the kernel gives no randomness"))?;
        files::write(&path, files::PRIVATE, document.as_ref())?;
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref())
            .map_err(|_| io::Error::other("the identity just made cannot be read"))?;
        Ok(Self(pair))
    }

    /// Who this peer is.
    pub(crate) fn id(&self) -> PeerId {
        let mut id = [0; 32];
        id.copy_from_slice(self.0.public_key().as_ref());
        PeerId(id)
    }

    /// A signature of this peer over `message`.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.0.sign(message).as_ref());
        signature
    }
}

/// Whether `signature` over `message` was made by `id`.
pub(crate) fn is_signed_by(id: &PeerId, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, &id.0)
        .verify(message, signature)
        .is_ok()
}

/// Certificate and key of the TLS servers here.
#[derive(Debug)]
pub(crate) struct ServerCertificate {
    /// The certificate first, then those that lead to its issuer.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub(crate) key: PrivateKeyDer<'static>,
}

impl ServerCertificate {
    /// Reads the certificate, or makes a self-signed one for `names` and `addresses`.
    pub(crate) fn open(
        data: &Path,
        names: &[String],
        addresses: &[IpAddr],
        now: Wall,
        faults: &mut Vec<String>,
    ) -> io::Result<Self> {
        let (chain, key) = (data.join("server.pem"), data.join("server.key"));
        if let (Some(chain_pem), Some(key_pem)) = (
            files::read(&chain, FILE_BYTES_MAX)?,
            files::read(&key, FILE_BYTES_MAX)?,
        ) {
            match Self::parse(&chain_pem, &key_pem) {
                Some(certificate) => return Ok(certificate),
                None => {
                    let text = "A self-signed certificate was made in its place.";
                    set_aside(&key, now, faults, text)?;
                    set_aside(&chain, now, faults, text)?;
                }
            }
        }
        let (chain_pem, key_pem) = self_signed(names, addresses)?;
        // The key goes first: a certificate without key would be of no use, and both are made
        // again when only one of them is there.
        files::write(&key, files::PRIVATE, key_pem.as_bytes())?;
        files::write(&chain, files::PUBLIC, chain_pem.as_bytes())?;
        Self::parse(chain_pem.as_bytes(), key_pem.as_bytes())
            .ok_or_else(|| io::Error::other("the certificate just made cannot be read"))
    }

    /// A chain and a key, if the key fits it.
    ///
    /// # Errors
    ///
    /// Why they are of no use together.
    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        let provider = rustls::crypto::ring::default_provider();
        rustls::sign::CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider)?;
        Ok(Self { chain, key })
    }

    /// A chain and a key that fits it, from PEM.
    fn parse(chain: &[u8], key: &[u8]) -> Option<Self> {
        let chain: Vec<_> = rustls_pemfile::certs(&mut BufReader::new(chain))
            .collect::<Result<_, _>>()
            .ok()?;
        let key = rustls_pemfile::private_key(&mut BufReader::new(key)).ok()??;
        Self::new(chain, key).ok()
    }
}

/// A self-signed P-256 certificate for server and client use, and its key, both as PEM.
fn self_signed(names: &[String], addresses: &[IpAddr]) -> io::Result<(String, String)> {
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};

    let key =
        rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)?;
    let mut parameters = CertificateParams::new(names.to_vec()).map_err(io::Error::other)?;
    parameters
        .subject_alt_names
        .extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
    let common = names.first().map_or("causeway", String::as_str);
    parameters
        .distinguished_name
        .push(DnType::CommonName, common);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Between peers one certificate serves both ends of a connection.
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    // The box may not know the time at first boot, so the dates do not depend on it.
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2050, 1, 1);
    let certificate = parameters.self_signed(&key).map_err(io::Error::other)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Seals and opens secrets at rest under the key of this peer (SPEC RP7).
///
/// ChaCha20-Poly1305 (RFC 8439) with a random nonce; the record's key is authenticated with it,
/// so that one secret cannot be put in the place of another.
#[derive(Debug)]
pub(crate) struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Seal {
    /// Reads the key, or makes it at first start. A lost key costs the secrets, nothing else.
    pub(crate) fn open(data: &Path, now: Wall, faults: &mut Vec<String>) -> io::Result<Self> {
        let path = data.join("store.key");
        if let Some(bytes) = files::read(&path, FILE_BYTES_MAX)? {
            match <[u8; STORE_KEY_BYTES]>::try_from(bytes.as_slice()) {
                Ok(key) => return Self::new(key),
                Err(_) => set_aside(&path, now, faults, "Saved secrets must be set again.")?,
            }
        }
        let mut key = [0; STORE_KEY_BYTES];
        SystemRandom::new()
            .fill(&mut key)
            .map_err(|_| io::Error::other("the kernel gives no randomness"))?;
        files::write(&path, files::PRIVATE, &key)?;
        Self::new(key)
    }

    fn new(key: [u8; STORE_KEY_BYTES]) -> io::Result<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key)
            .map_err(|_| io::Error::other("the key of the store is of no use"))?;
        Ok(Self {
            key: LessSafeKey::new(key),
            random: SystemRandom::new(),
        })
    }

    /// The sealed form of the secret `value` stored under `name`; `None` without randomness.
    pub(crate) fn seal(&self, name: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut body = value.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name),
                &mut body,
            )
            .ok()?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + body.len());
        sealed.push(SEALED);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Some(sealed)
    }

    /// The secret that was sealed; `None` when the key is another, or the record was changed.
    pub(crate) fn unseal(&self, name: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (&SEALED, rest) = sealed.split_first()? else {
            return None;
        };
        let (nonce, body) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let value = self.key.open_in_place(nonce, Aad::from(name), &mut body);
        value.ok().map(|value| value.to_vec())
    }
}

/// Sets a file aside and reports what that means.
fn set_aside(path: &Path, now: Wall, faults: &mut Vec<String>, meaning: &str) -> io::Result<()> {
    let aside = files::set_aside(path, now)?;
    faults.push(format!(
        "{} could not be used and was kept as {}. {meaning}",
        path.display(),
        aside.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    const NOW: Wall = Wall::from_millis(0);

    #[test]
    fn the_identity_stays_and_signs() {
        let folder = Scratch::new();
        let mut faults = Vec::new();
        let first = Identity::open(folder.path(), NOW, &mut faults).expect("an identity");
        let again = Identity::open(folder.path(), NOW, &mut faults).expect("an identity");
        assert_eq!(first.id(), again.id());
        let signature = first.sign(b"text");
        assert!(is_signed_by(&first.id(), b"text", &signature));
        assert!(!is_signed_by(&first.id(), b"other", &signature));
        assert!(!is_signed_by(&PeerId([1; 32]), b"text", &signature));
        assert!(faults.is_empty());

        std::fs::write(folder.path().join("identity.key"), "nonsense").expect("written");
        let new = Identity::open(folder.path(), NOW, &mut faults).expect("an identity");
        assert_ne!(first.id(), new.id());
        assert_eq!(faults.len(), 1, "{faults:?}");
    }

    #[test]
    fn the_certificate_stays_until_it_cannot_be_read() {
        let folder = Scratch::new();
        let mut faults = Vec::new();
        let mut open = || {
            let (names, addresses) = (["box.example".to_owned()], [IpAddr::from([127, 0, 0, 1])]);
            ServerCertificate::open(folder.path(), &names, &addresses, NOW, &mut faults)
                .expect("a certificate")
                .chain
        };
        let first = open();
        assert_eq!(open(), first);
        std::fs::remove_file(folder.path().join("server.key")).expect("removed");
        let second = open();
        assert_ne!(second, first);
        std::fs::write(folder.path().join("server.pem"), "nonsense").expect("written");
        assert_ne!(open(), second);
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn a_sealed_secret_opens_only_under_its_name_and_key() {
        let folder = Scratch::new();
        let mut faults = Vec::new();
        let seal = Seal::open(folder.path(), NOW, &mut faults).expect("a key");
        let sealed = seal.seal(b"id", b"secret").expect("sealed");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        let again = Seal::open(folder.path(), NOW, &mut faults).expect("a key");
        assert_eq!(
            again.unseal(b"id", &sealed).as_deref(),
            Some(&b"secret"[..])
        );
        assert_eq!(again.unseal(b"other", &sealed), None);
        for length in 0..sealed.len() {
            assert_eq!(again.unseal(b"id", &sealed[..length]), None);
        }
        std::fs::write(folder.path().join("store.key"), "short").expect("written");
        let other = Seal::open(folder.path(), NOW, &mut faults).expect("a key");
        assert_eq!(other.unseal(b"id", &sealed), None);
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}
