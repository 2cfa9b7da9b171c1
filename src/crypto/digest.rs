//! Digests and comparison in constant time.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use crate::crypto::CryptoError;
use crate::model::secret::Digest;

/// SHA-256 of one credential or of the concatenation of parts (each preceded by its length, so that parts cannot run
/// into one another).
pub fn sha256_parts(parts: &[&[u8]]) -> Digest {
    let mut hasher = openssl::sha::Sha256::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    Digest::from_bytes(hasher.finish())
}

/// SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(openssl::sha::sha256(bytes))
}

/// HMAC-SHA-256.
pub fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Result<[u8; 32], CryptoError> {
    let key = PKey::hmac(key)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
    for part in parts {
        signer.update(&(part.len() as u64).to_be_bytes())?;
        signer.update(part)?;
    }
    let mut out = [0; 32];
    signer.sign(&mut out)?;
    Ok(out)
}

/// Compares two secrets without telling by the time where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && openssl::memcmp::eq(a, b)
}
