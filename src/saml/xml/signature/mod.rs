//! XML Signature as SAML uses it: one enveloped signature over the element that is its parent.
//!
//! Attacks it stops: signature wrapping, references and transforms that fetch or compute before anything is authenticated, a
//! choice of algorithm or key by the sender, duplicate IDs. `preflight` says what a signature must look like, `verify` lets
//! libxmlsec1 check it and returns what was signed, `sign` makes ours.

pub mod preflight;
pub mod sign;
pub mod verify;

use std::sync::OnceLock;

use samael::crypto::CertificateDer;

use crate::crypto::CryptoError;
use crate::crypto::keys::{Hash, PublicKey};
use crate::crypto::x509::wrap_key;
use crate::model::sp::KeyAlgorithm;
use crate::saml::names::alg;

/// Signature algorithms that we know. SHA-1 only verifies, where an SP was allowed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    RsaSha1,
    RsaSha256,
    RsaSha384,
    RsaSha512,
    EcdsaSha1,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
}

impl SignatureAlgorithm {
    pub const ALL: [Self; 8] = [
        Self::RsaSha1,
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::EcdsaSha1,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
    ];

    /// The URI of `ds:SignatureMethod` and of the redirect binding's `SigAlg`.
    pub fn uri(self) -> &'static str {
        match self {
            Self::RsaSha1 => alg::RSA_SHA1,
            Self::RsaSha256 => alg::RSA_SHA256,
            Self::RsaSha384 => alg::RSA_SHA384,
            Self::RsaSha512 => alg::RSA_SHA512,
            Self::EcdsaSha1 => alg::ECDSA_SHA1,
            Self::EcdsaSha256 => alg::ECDSA_SHA256,
            Self::EcdsaSha384 => alg::ECDSA_SHA384,
            Self::EcdsaSha512 => alg::ECDSA_SHA512,
        }
    }

    /// The algorithm of a URI; `None` for all others, HMAC and DSA among them.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.uri() == uri)
    }

    /// Only verified, where an SP was allowed it; never made.
    pub fn rests_on_sha1(self) -> bool {
        matches!(self, Self::RsaSha1 | Self::EcdsaSha1)
    }

    /// The digest that is signed.
    pub fn hash(self) -> Hash {
        match self {
            Self::RsaSha1 | Self::EcdsaSha1 => Hash::Sha1,
            Self::RsaSha256 | Self::EcdsaSha256 => Hash::Sha256,
            Self::RsaSha384 | Self::EcdsaSha384 => Hash::Sha384,
            Self::RsaSha512 | Self::EcdsaSha512 => Hash::Sha512,
        }
    }

    /// The URI of the `ds:DigestMethod` that goes with it in our own signatures.
    pub fn digest_uri(self) -> &'static str {
        digest_uri(self.hash())
    }

    /// Whether a key of this kind can make and verify it.
    pub fn fits(self, key: &KeyAlgorithm) -> bool {
        match self {
            Self::RsaSha1 | Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512 => matches!(key, KeyAlgorithm::Rsa(_)),
            Self::EcdsaSha1 | Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512 => matches!(key, KeyAlgorithm::Ec(_)),
        }
    }
}

impl std::fmt::Display for SignatureAlgorithm {
    /// The short name that people know, as `rsa-sha256`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.uri().split_once('#').map_or("", |(_, name)| name))
    }
}

/// The URI of a `ds:DigestMethod`.
pub fn digest_uri(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha1 => alg::SHA1,
        Hash::Sha256 => alg::SHA256,
        Hash::Sha384 => alg::SHA384,
        Hash::Sha512 => alg::SHA512,
    }
}

/// The digest of a `ds:DigestMethod` URI.
pub fn digest_from_uri(uri: &str) -> Option<Hash> {
    [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512].into_iter().find(|hash| digest_uri(*hash) == uri)
}

/// What was allowed to one SP beyond the usual; the default allows nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignaturePolicy {
    /// `saml.allow_sha1`: SHA-1 as the signature's or the reference's digest.
    pub allow_sha1: bool,
    /// `saml.allow_weak_keys`: RSA under 2048 bits.
    pub allow_weak_keys: bool,
}

/// A registered key that verifies.
#[derive(Debug, Clone)]
pub struct VerificationKey {
    key: PublicKey,
    /// The key as the C library wants it, made when it is first needed.
    certificate: OnceLock<CertificateDer>,
}

impl VerificationKey {
    /// Takes a key of the registered metadata.
    pub fn new(key: PublicKey) -> Self {
        Self { key, certificate: OnceLock::new() }
    }

    /// Reads a DER SubjectPublicKeyInfo, as `SpKey` has it.
    pub fn from_spki(spki: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self::new(PublicKey::from_spki(spki)?))
    }

    /// The key itself.
    pub fn public(&self) -> &PublicKey {
        &self.key
    }

    fn certificate(&self) -> Result<&CertificateDer, CryptoError> {
        if let Some(certificate) = self.certificate.get() {
            return Ok(certificate);
        }
        let made = CertificateDer::from(wrap_key(&self.key)?);
        Ok(self.certificate.get_or_init(|| made))
    }
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no `ds:Signature`, where one was to be verified.
    #[error("there is no signature")]
    Missing,
    /// Core 5.4: the signature does not have the one shape that SAML allows.
    #[error("the signature does not have the shape that SAML prescribes: {0}")]
    Structure(String),
    #[error("the algorithm \"{0}\" is not one of those that count")]
    UnknownAlgorithm(String),
    /// SHA-1, and the SP was not allowed it; the URI.
    #[error("\"{0}\" rests on SHA-1, which is refused unless it is allowed for this app")]
    WeakAlgorithm(String),
    /// The signature is by a key of under 2048 bits, and the SP was not allowed such a key.
    #[error("the signature is by an RSA key of {bits} bits; under 2048 bits it is refused unless that is allowed for this app")]
    WeakKey { bits: u32 },
    #[error("none of the registered keys can make a signature by {algorithm}")]
    NoFittingKey { algorithm: SignatureAlgorithm },
    #[error("the signature does not verify with any registered key that fits its algorithm")]
    DoesNotVerify,
}

impl SignaturePolicy {
    /// Refuses SHA-1 unless it is allowed.
    fn check_hash(self, hash: Hash, uri: &str) -> Result<(), SignatureError> {
        if hash == Hash::Sha1 && !self.allow_sha1 {
            return Err(SignatureError::WeakAlgorithm(uri.to_owned()));
        }
        Ok(())
    }

    /// Tries one key after another and returns the position of the first that verifies, with what `verify` returned.
    ///
    /// A weak key that is not allowed is tried last, so that the error says what is true: refused for the key, or invalid.
    fn first_that_verifies<T>(
        self,
        keys: &[VerificationKey],
        algorithm: SignatureAlgorithm,
        mut verify: impl FnMut(&VerificationKey) -> Option<T>,
    ) -> Result<(usize, T), SignatureError> {
        let fitting = || keys.iter().enumerate().filter(|(_, key)| algorithm.fits(key.key.algorithm()));
        if fitting().next().is_none() {
            return Err(SignatureError::NoFittingKey { algorithm });
        }
        let counts = |key: &VerificationKey| self.allow_weak_keys || !key.key.algorithm().is_weak();
        for (at, key) in fitting().filter(|(_, key)| counts(key)) {
            if let Some(found) = verify(key) {
                return Ok((at, found));
            }
        }
        for (_, key) in fitting().filter(|(_, key)| !counts(key)) {
            if let (KeyAlgorithm::Rsa(bits), true) = (key.key.algorithm(), verify(key).is_some()) {
                return Err(SignatureError::WeakKey { bits: *bits });
            }
        }
        Err(SignatureError::DoesNotVerify)
    }
}

#[cfg(test)]
mod tests;
