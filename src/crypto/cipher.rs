//! Encryption: content ciphers and key transport of XML Encryption, and sealing of what rests.

use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::rsa::Padding;
use openssl::symm;

use crate::crypto::CryptoError;
use crate::crypto::keys::PublicKey;
use crate::crypto::random::Random;

/// Content ciphers of XML Encryption that we produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCipher {
    Aes128Gcm,
    Aes256Gcm,
    Aes128Cbc,
    Aes256Cbc,
}

/// Digests of RSA-OAEP and its mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OaepDigest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl OaepDigest {
    fn message_digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

impl ContentCipher {
    /// Bytes of its key.
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Cbc => 16,
            Self::Aes256Gcm | Self::Aes256Cbc => 32,
        }
    }

    /// Encrypts as XML Encryption lays it out: GCM as 96-bit IV ‖ ciphertext ‖ 128-bit tag (1.1 5.2.4), CBC as IV ‖
    /// ciphertext with its own padding (5.2.2).
    pub fn encrypt(self, key: &[u8], plain: &[u8], random: &mut Random) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm => {
                let cipher = if self == Self::Aes128Gcm { symm::Cipher::aes_128_gcm() } else { symm::Cipher::aes_256_gcm() };
                let iv = random.bytes::<12>();
                let mut tag = [0; 16];
                let sealed = symm::encrypt_aead(cipher, key, Some(&iv), &[], plain, &mut tag)?;
                Ok([&iv[..], &sealed, &tag].concat())
            }
            Self::Aes128Cbc | Self::Aes256Cbc => {
                let cipher = if self == Self::Aes128Cbc { symm::Cipher::aes_128_cbc() } else { symm::Cipher::aes_256_cbc() };
                let iv = random.bytes::<16>();
                // PKCS#7 padding is a valid XML Encryption padding: the last byte is the count.
                let sealed = symm::encrypt(cipher, key, Some(&iv), plain)?;
                Ok([&iv[..], &sealed].concat())
            }
        }
    }
}

/// Encrypts a content key for an RSA key by RSA-OAEP.
pub fn rsa_oaep(key: &PublicKey, digest: OaepDigest, mgf: OaepDigest, content_key: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let mut encrypter = Encrypter::new(key.openssl())?;
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    encrypter.set_rsa_oaep_md(digest.message_digest())?;
    encrypter.set_rsa_mgf1_md(mgf.message_digest())?;
    let mut out = vec![0; encrypter.encrypt_len(content_key)?];
    let length = encrypter.encrypt(content_key, &mut out)?;
    out.truncate(length);
    Ok(out)
}

/// Seals bytes under a 256-bit key with AES-256-GCM; `context` must be the same at `open`.
pub fn seal(key: &[u8; 32], context: &[u8], plain: &[u8], random: &mut Random) -> Result<Vec<u8>, CryptoError> {
    let iv = random.bytes::<12>();
    let mut tag = [0; 16];
    let sealed = symm::encrypt_aead(symm::Cipher::aes_256_gcm(), key, Some(&iv), context, plain, &mut tag)?;
    Ok([&iv[..], &sealed, &tag].concat())
}

/// Opens what `seal` made; `None` if it was changed or belongs to another key or context.
pub fn open(key: &[u8; 32], context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    if sealed.len() < 28 {
        return None;
    }
    let (iv, rest) = sealed.split_at(12);
    let (body, tag) = rest.split_at(rest.len() - 16);
    symm::decrypt_aead(symm::Cipher::aes_256_gcm(), key, Some(iv), context, body, tag).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::{KeyKind, PrivateKey};

    #[test]
    fn what_is_sealed_opens_only_under_its_key_and_context() {
        let mut random = Random::seeded(1);
        let key = random.bytes::<32>();
        let sealed = seal(&key, b"context", b"plain", &mut random).unwrap();

        assert_eq!(open(&key, b"context", &sealed).as_deref(), Some(&b"plain"[..]));
        assert_eq!(open(&key, b"another", &sealed), None);
        assert_eq!(open(&random.bytes::<32>(), b"context", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, b"context", &changed), None, "byte {at}");
            assert_eq!(open(&key, b"context", &sealed[..at]), None, "{at} bytes");
        }
        assert_ne!(seal(&key, b"context", b"plain", &mut random).unwrap(), sealed);
    }

    #[test]
    fn contents_are_laid_out_as_xml_encryption_says() {
        let mut random = Random::seeded(2);
        let key = random.bytes::<32>();
        for (cipher, length) in [
            (ContentCipher::Aes128Gcm, 12 + 5 + 16),
            (ContentCipher::Aes256Gcm, 12 + 5 + 16),
            (ContentCipher::Aes128Cbc, 16 + 16),
            (ContentCipher::Aes256Cbc, 16 + 16),
        ] {
            let key = &key[..cipher.key_len()];
            let one = cipher.encrypt(key, b"plain", &mut random).unwrap();
            let two = cipher.encrypt(key, b"plain", &mut random).unwrap();
            assert_eq!(one.len(), length);
            assert_ne!(one, two);
        }
        // A full block gets a block of padding more.
        assert_eq!(ContentCipher::Aes128Cbc.encrypt(&key[..16], &[0; 16], &mut random).unwrap().len(), 48);
        assert!(ContentCipher::Aes128Gcm.encrypt(&key[..15], b"plain", &mut random).is_err());
    }

    #[test]
    fn a_content_key_is_encrypted_for_rsa_keys_only() {
        let rsa = PrivateKey::generate(KeyKind::Rsa2048).unwrap().public().unwrap();
        let ec = PrivateKey::generate(KeyKind::EcP256).unwrap().public().unwrap();
        assert_eq!(rsa_oaep(&rsa, OaepDigest::Sha256, OaepDigest::Sha1, &[7; 32]).unwrap().len(), 256);
        assert!(rsa_oaep(&ec, OaepDigest::Sha256, OaepDigest::Sha1, &[7; 32]).is_err());
        assert!(rsa_oaep(&rsa, OaepDigest::Sha512, OaepDigest::Sha1, &[7; 127]).is_err());
    }
}
