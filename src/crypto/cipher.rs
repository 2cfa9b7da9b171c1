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
