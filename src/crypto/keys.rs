//! Key pairs: making, reading, signing with them.

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::rsa::Rsa;
use openssl::sign::{Signer, Verifier};
use openssl::symm::Cipher;

use crate::crypto::CryptoError;
use crate::model::secret::Secret;
use crate::model::sp::KeyAlgorithm;

/// Kinds of signing keys that we make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Rsa2048,
    EcP256,
}

/// Digests that we sign and verify with. SHA-1 only verifies, where an SP was allowed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn message_digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }

    /// The digest of the concatenation of `parts`.
    pub fn digest(self, parts: &[&[u8]]) -> Result<Vec<u8>, CryptoError> {
        let mut hasher = openssl::hash::Hasher::new(self.message_digest())?;
        for part in parts {
            hasher.update(part)?;
        }
        Ok(hasher.finish()?.to_vec())
    }
}

/// A private key that signs. Signing takes `&self` and may run on many threads at once.
#[derive(Clone)]
pub struct PrivateKey {
    key: PKey<Private>,
    algorithm: KeyAlgorithm,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm)
    }
}

impl PrivateKey {
    /// Makes a new key.
    pub fn generate(kind: KeyKind) -> Result<Self, CryptoError> {
        let key = match kind {
            KeyKind::Rsa2048 => PKey::from_rsa(Rsa::generate(2048)?)?,
            KeyKind::EcP256 => PKey::from_ec_key(EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?.as_ref())?)?,
        };
        Self::wrap(key)
    }

    fn wrap(key: PKey<Private>) -> Result<Self, CryptoError> {
        let algorithm = algorithm_of(key.id(), key.bits(), curve_of(&key));
        Ok(Self { key, algorithm })
    }

    /// Reads PEM (PKCS#8, PKCS#1, SEC1), encrypted under `passphrase` where one is given.
    pub fn from_pem(pem: &[u8], passphrase: Option<&Secret<String>>) -> Result<Self, CryptoError> {
        let key = match passphrase {
            Some(passphrase) => PKey::private_key_from_pem_passphrase(pem, passphrase.expose().as_bytes())?,
            // The callback form keeps OpenSSL from asking on the terminal.
            None => PKey::private_key_from_pem_callback(pem, |_| Ok(0))?,
        };
        Self::wrap(key)
    }

    /// Writes PKCS#8 PEM, encrypted with AES-256 under `passphrase` where one is given.
    pub fn to_pem(&self, passphrase: Option<&Secret<String>>) -> Result<Secret<Vec<u8>>, CryptoError> {
        Ok(Secret::new(match passphrase {
            Some(passphrase) => self.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), passphrase.expose().as_bytes())?,
            None => self.key.private_key_to_pem_pkcs8()?,
        }))
    }

    pub fn algorithm(&self) -> &KeyAlgorithm {
        &self.algorithm
    }

    /// Its public half.
    pub fn public(&self) -> Result<PublicKey, CryptoError> {
        PublicKey::from_spki(&self.key.public_key_to_der()?)
    }

    /// Signs bytes: RSA PKCS#1 v1.5, or ECDSA as `r ‖ s` of fixed width (XML Signature 6.4.3, JWS).
    pub fn sign(&self, hash: Hash, bytes: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut signer = Signer::new(hash.message_digest(), &self.key)?;
        let signature = signer.sign_oneshot_to_vec(bytes)?;
        match self.key.id() {
            Id::EC => {
                let signature = openssl::ecdsa::EcdsaSig::from_der(&signature)?;
                let width = ec_width(self.key.bits());
                let mut raw = signature.r().to_vec_padded(width)?;
                raw.extend(signature.s().to_vec_padded(width)?);
                Ok(raw)
            }
            _ => Ok(signature),
        }
    }

    pub(crate) fn openssl(&self) -> &PKey<Private> {
        &self.key
    }
}

/// A public key of a peer or of ours.
#[derive(Clone)]
pub struct PublicKey {
    key: PKey<Public>,
    spki: Vec<u8>,
    algorithm: KeyAlgorithm,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.algorithm)
    }
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo.
    pub fn from_spki(spki: &[u8]) -> Result<Self, CryptoError> {
        let key = PKey::public_key_from_der(spki)?;
        let algorithm = algorithm_of(key.id(), key.bits(), curve_of(&key));
        Ok(Self { key, spki: spki.to_vec(), algorithm })
    }

    /// Makes an RSA key of `ds:RSAKeyValue`: modulus and exponent, big-endian.
    pub fn from_rsa_parts(modulus: &[u8], exponent: &[u8]) -> Result<Self, CryptoError> {
        let rsa = Rsa::from_public_components(openssl::bn::BigNum::from_slice(modulus)?, openssl::bn::BigNum::from_slice(exponent)?)?;
        Self::from_spki(&PKey::from_rsa(rsa)?.public_key_to_der()?)
    }

    /// Makes an EC key of `dsig11:ECKeyValue`: the curve as an OID in dotted form, and the uncompressed point.
    pub fn from_ec_point(curve_oid: &str, point: &[u8]) -> Result<Self, CryptoError> {
        let nid = match curve_oid {
            "1.2.840.10045.3.1.7" => Nid::X9_62_PRIME256V1,
            "1.3.132.0.34" => Nid::SECP384R1,
            "1.3.132.0.35" => Nid::SECP521R1,
            other => return Err(CryptoError(format!("the curve {other} is not supported"))),
        };
        let group = EcGroup::from_curve_name(nid)?;
        let mut context = BigNumContext::new()?;
        let point = openssl::ec::EcPoint::from_bytes(&group, point, &mut context)?;
        let key = EcKey::from_public_key(&group, &point)?;
        key.check_key()?;
        Self::from_spki(&PKey::from_ec_key(key)?.public_key_to_der()?)
    }

    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    pub fn algorithm(&self) -> &KeyAlgorithm {
        &self.algorithm
    }

    /// Whether `signature` over `bytes` is this key's: RSA PKCS#1 v1.5, or ECDSA as `r ‖ s`.
    pub fn verify(&self, hash: Hash, bytes: &[u8], signature: &[u8]) -> bool {
        let attempt = || -> Result<bool, openssl::error::ErrorStack> {
            let mut verifier = Verifier::new(hash.message_digest(), &self.key)?;
            match self.key.id() {
                Id::EC => {
                    let width = ec_width(self.key.bits()) as usize;
                    if signature.len() != 2 * width {
                        return Ok(false);
                    }
                    let (r, s) = signature.split_at(width);
                    let parts = openssl::ecdsa::EcdsaSig::from_private_components(
                        openssl::bn::BigNum::from_slice(r)?,
                        openssl::bn::BigNum::from_slice(s)?,
                    )?;
                    verifier.verify_oneshot(&parts.to_der()?, bytes)
                }
                Id::RSA => verifier.verify_oneshot(signature, bytes),
                _ => Ok(false),
            }
        };
        attempt().unwrap_or(false)
    }

    pub(crate) fn openssl(&self) -> &PKey<Public> {
        &self.key
    }
}

/// Bytes of one half of an ECDSA signature.
fn ec_width(bits: u32) -> i32 {
    i32::try_from(bits.div_ceil(8)).unwrap_or(i32::MAX)
}

fn curve_of<T: HasPublic>(key: &PKeyRef<T>) -> Option<Nid> {
    key.ec_key().ok()?.group().curve_name()
}

fn algorithm_of(id: Id, bits: u32, curve: Option<Nid>) -> KeyAlgorithm {
    match id {
        Id::RSA => KeyAlgorithm::Rsa(bits),
        Id::EC => KeyAlgorithm::Ec(match curve {
            Some(Nid::X9_62_PRIME256V1) => "P-256".to_owned(),
            Some(Nid::SECP384R1) => "P-384".to_owned(),
            Some(Nid::SECP521R1) => "P-521".to_owned(),
            Some(other) => other.short_name().unwrap_or("unnamed").to_owned(),
            None => "unnamed".to_owned(),
        }),
        Id::RSA_PSS => KeyAlgorithm::Other("RSA-PSS".to_owned()),
        Id::ED25519 => KeyAlgorithm::Other("Ed25519".to_owned()),
        other => KeyAlgorithm::Other(format!("OpenSSL key type {}", other.as_raw())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_sign_what_their_public_half_verifies() {
        for kind in [KeyKind::Rsa2048, KeyKind::EcP256] {
            let key = PrivateKey::generate(kind).unwrap();
            let signature = key.sign(Hash::Sha256, b"message").unwrap();
            let public = key.public().unwrap();
            assert!(public.verify(Hash::Sha256, b"message", &signature));
            assert!(!public.verify(Hash::Sha256, b"massage", &signature));
            assert!(!public.verify(Hash::Sha512, b"message", &signature));
            assert!(!public.verify(Hash::Sha256, b"message", &[]));
        }
    }

    #[test]
    fn an_encrypted_key_needs_its_passphrase() {
        let key = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let passphrase = Secret::new("open sesame".to_owned());
        let pem = key.to_pem(Some(&passphrase)).unwrap();
        assert!(pem.expose().starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        assert!(PrivateKey::from_pem(pem.expose(), None).is_err());
        assert!(PrivateKey::from_pem(pem.expose(), Some(&Secret::new("wrong".to_owned()))).is_err());
        assert!(PrivateKey::from_pem(pem.expose(), Some(&passphrase)).is_ok());
    }

    #[test]
    fn keys_given_by_their_parts_are_the_same_keys() {
        let rsa = PrivateKey::generate(KeyKind::Rsa2048).unwrap();
        let parts = rsa.openssl().rsa().unwrap();
        let again = PublicKey::from_rsa_parts(&parts.n().to_vec(), &parts.e().to_vec()).unwrap();
        assert_eq!(again.spki(), rsa.public().unwrap().spki());
        assert_eq!(again.algorithm(), &KeyAlgorithm::Rsa(2048));

        let ec = PrivateKey::generate(KeyKind::EcP256).unwrap();
        let spki = ec.public().unwrap().spki().to_vec();
        // The point ends the SubjectPublicKeyInfo: 04, x, y.
        let again = PublicKey::from_ec_point("1.2.840.10045.3.1.7", &spki[spki.len() - 65..]).unwrap();
        assert_eq!(again.spki(), spki);
        assert_eq!(again.algorithm(), &KeyAlgorithm::Ec("P-256".to_owned()));
    }

    #[test]
    fn points_off_the_curve_and_other_curves_are_refused() {
        let mut point = vec![1; 65];
        point[0] = 4;
        assert!(PublicKey::from_ec_point("1.2.840.10045.3.1.7", &point).is_err());
        assert!(PublicKey::from_ec_point("1.3.132.0.10", &point).is_err());
        assert!(PublicKey::from_spki(b"no key").is_err());
    }

    #[test]
    fn a_key_shows_only_its_kind() {
        assert_eq!(format!("{:?}", PrivateKey::generate(KeyKind::EcP256).unwrap()), "PrivateKey(EC P-256)");
    }
}
