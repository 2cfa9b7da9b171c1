//! Identifiers of people that say nothing about them: persistent NameIDs, pairwise-id, subject-id.

use std::sync::Arc;

use crate::crypto::CryptoError;
use crate::crypto::digest;
use crate::model::id::UserId;
use crate::model::secret::Secret;

/// Derives identifiers from a person's unchanging ID under a key that no app has: two apps cannot join what they know, and
/// nobody can go back from the identifier to the person.
#[derive(Debug, Clone)]
pub struct SubjectIds {
    key: Arc<Secret<[u8; 32]>>,
}

impl SubjectIds {
    /// Takes the key that the key ring derives for `Purpose::SubjectIds`.
    pub fn new(key: Secret<[u8; 32]>) -> Self {
        Self { key: Arc::new(key) }
    }

    /// The value of a persistent NameID for an SP or an affiliation (Core 8.3.7: pairwise, opaque, at most 256 characters).
    /// Only lower-case letters and digits, so that values never differ by case alone: many SPs keep them in columns that
    /// ignore case.
    pub fn persistent(&self, user: &UserId, qualifier: &str) -> Result<String, CryptoError> {
        self.derive(&[b"persistent", user.as_str().as_bytes(), qualifier.as_bytes()])
    }

    /// The part of pairwise-id before the scope (Subject Identifier Attributes 3.4.2.1: at most 127 letters and digits).
    pub fn pairwise(&self, user: &UserId, entity_id: &str) -> Result<String, CryptoError> {
        self.derive(&[b"pairwise-id", user.as_str().as_bytes(), entity_id.as_bytes()])
    }

    /// The part of subject-id before the scope, the same for every app.
    pub fn subject(&self, user: &UserId) -> Result<String, CryptoError> {
        self.derive(&[b"subject-id", user.as_str().as_bytes()])
    }

    fn derive(&self, parts: &[&[u8]]) -> Result<String, CryptoError> {
        digest::hmac(self.key.expose(), parts).map(|bytes| base32(&bytes))
    }
}

/// Base 32 of RFC 4648 in lower case, without padding: 52 characters for 32 bytes.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut out = String::with_capacity(bytes.len().saturating_mul(8).div_ceil(5));
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            out.push(char::from(ALPHABET[((bits >> held) & 31) as usize]));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        out.push(char::from(ALPHABET[((bits << (5 - held)) & 31) as usize]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_follows_rfc_4648() {
        for (text, encoded) in [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("foobar", "mzxw6ytboi")] {
            assert_eq!(base32(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn identifiers_differ_by_person_app_and_kind_and_never_by_case() {
        let ids = SubjectIds::new(Secret::new([7; 32]));
        let other_house = SubjectIds::new(Secret::new([8; 32]));
        let (ada, bob) = (UserId::parse("u_ada").unwrap(), UserId::parse("u_bob").unwrap());

        let persistent = ids.persistent(&ada, "https://sp").unwrap();
        let others = [
            ids.persistent(&bob, "https://sp").unwrap(),
            ids.persistent(&ada, "https://other").unwrap(),
            ids.pairwise(&ada, "https://sp").unwrap(),
            ids.subject(&ada).unwrap(),
            other_house.persistent(&ada, "https://sp").unwrap(),
        ];

        assert_eq!(persistent, ids.persistent(&ada, "https://sp").unwrap());
        assert!(!others.contains(&persistent));
        assert_eq!(persistent.len(), 52);
        assert!(persistent.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)), "{persistent}");
    }
}
