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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_fips_180() {
        assert_eq!(sha256(b"abc").to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn parts_do_not_run_into_one_another() {
        assert_ne!(sha256_parts(&[b"ab", b"c"]), sha256_parts(&[b"a", b"bc"]));
        assert_ne!(sha256_parts(&[b"ab"]), sha256(b"ab"));
        let key = [1; 32];
        assert_eq!(hmac(&key, &[b"ab", b"c"]).unwrap(), hmac(&key, &[b"ab", b"c"]).unwrap());
        assert_ne!(hmac(&key, &[b"ab", b"c"]).unwrap(), hmac(&key, &[b"a", b"bc"]).unwrap());
        assert_ne!(hmac(&key, &[b"a"]).unwrap(), hmac(&[2; 32], &[b"a"]).unwrap());
    }

    #[test]
    fn only_the_same_bytes_are_the_same() {
        assert!(same(b"", b"") && same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab"));
    }
}
