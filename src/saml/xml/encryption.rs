//! XML Encryption of assertions and NameIDs for an SP's key.
//!
//! Attacks it stops: padding oracles (CBC only for an SP that declares nothing better and was allowed it, RSA PKCS#1 v1.5 never),
//! a content key used twice, a choice of algorithm by anybody but the registered metadata.

use zeroize::Zeroizing;

use crate::crypto::CryptoError;
use crate::crypto::cipher::{ContentCipher, OaepDigest, rsa_oaep};
use crate::crypto::keys::PublicKey;
use crate::crypto::random::Random;
use crate::model::sp::{EncryptionMethod, KeyAlgorithm, SpKey};
use crate::saml::names::alg;
use crate::saml::xml::writer::{DS, SAML, Writer, XENC, XENC11};

/// How to encrypt for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptionChoice {
    pub content: ContentCipher,
    pub transport: KeyTransport,
}

/// How the content key travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTransport {
    /// XML Encryption 1.0: RSA-OAEP whose mask always is MGF1 with SHA-1.
    RsaOaepMgf1p { digest: OaepDigest },
    /// XML Encryption 1.1: RSA-OAEP with a digest and a mask of choice.
    RsaOaep { digest: OaepDigest, mgf: OaepDigest },
}

/// What was allowed to one SP beyond the usual; the default allows nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncryptionPolicy {
    /// CBC, for an SP that declares no GCM.
    pub allow_cbc: bool,
    /// `saml.allow_weak_keys`: RSA under 2048 bits.
    pub allow_weak_keys: bool,
}

/// There is no way to encrypt for a key; says why, and what the SP could declare instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoUsableMethod(pub String);

/// What is encrypted, by the element that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapper {
    EncryptedAssertion,
    EncryptedId,
}

impl EncryptionChoice {
    /// Picks algorithms among those that the key's metadata declares, in the order in which they are declared (Metadata 2.4.1.1).
    ///
    /// Where none is declared: AES-128-GCM, the one GCM that XML Encryption 1.1 requires of everybody, and rsa-oaep-mgf1p with
    /// SHA-1, which has no known weakness in OAEP and which everybody reads.
    pub fn pick(key: &SpKey, policy: EncryptionPolicy) -> Result<Self, NoUsableMethod> {
        let bits = match key.algorithm {
            KeyAlgorithm::Rsa(bits) => bits,
            ref other => {
                return Err(NoUsableMethod(format!("a key of kind {other} cannot be encrypted for; an RSA key for encryption is needed")));
            }
        };
        if key.algorithm.is_weak() && !policy.allow_weak_keys {
            return Err(NoUsableMethod(format!(
                "the encryption key is RSA of {bits} bits; under 2048 bits it is refused unless weak keys are allowed for this app"
            )));
        }
        let content = pick_content(&key.encryption_methods, policy)?;
        let transport = pick_transport(&key.encryption_methods, bits, content)?;
        Ok(Self { content, transport })
    }
}

fn pick_content(methods: &[EncryptionMethod], policy: EncryptionPolicy) -> Result<ContentCipher, NoUsableMethod> {
    let declared: Vec<&str> = methods.iter().map(|method| method.algorithm.as_str()).filter(|uri| !is_transport(uri)).collect();
    let first = |known: &[(&str, ContentCipher)]| {
        declared.iter().find_map(|uri| known.iter().find(|(known, _)| known == uri).map(|(_, cipher)| *cipher))
    };
    if declared.is_empty() {
        return Ok(ContentCipher::Aes128Gcm);
    }
    if let Some(cipher) = first(&[(alg::AES128_GCM, ContentCipher::Aes128Gcm), (alg::AES256_GCM, ContentCipher::Aes256Gcm)]) {
        return Ok(cipher);
    }
    match first(&[(alg::AES128_CBC, ContentCipher::Aes128Cbc), (alg::AES256_CBC, ContentCipher::Aes256Cbc)]) {
        Some(cipher) if policy.allow_cbc => Ok(cipher),
        Some(_) => Err(NoUsableMethod(
            "the metadata declares no AES-GCM; AES-CBC, which can be attacked through padding errors, is used only if it is allowed for this app"
                .to_owned(),
        )),
        None => Err(NoUsableMethod(format!("the metadata declares no content encryption that we can do, only {}", declared.join(", ")))),
    }
}

fn pick_transport(methods: &[EncryptionMethod], bits: u32, content: ContentCipher) -> Result<KeyTransport, NoUsableMethod> {
    let declared: Vec<&EncryptionMethod> = methods.iter().filter(|method| is_transport(&method.algorithm)).collect();
    if declared.is_empty() {
        return Ok(KeyTransport::RsaOaepMgf1p { digest: OaepDigest::Sha1 });
    }
    // RFC 8017 7.1.1: the content key and two digests must fit under the modulus.
    let fits = |digest: OaepDigest| content.key_len() + 2 * digest_len(digest) + 2 <= bits as usize / 8;
    let usable = declared.iter().find_map(|method| {
        let digest = oaep_digest(method.digest.as_deref(), alg::SHA1).filter(|digest| fits(*digest))?;
        match method.algorithm.as_str() {
            alg::RSA_OAEP_MGF1P => Some(KeyTransport::RsaOaepMgf1p { digest }),
            alg::RSA_OAEP => Some(KeyTransport::RsaOaep { digest, mgf: oaep_digest(method.mgf.as_deref(), alg::MGF1_SHA1)? }),
            _ => None,
        }
    });
    usable.ok_or_else(|| {
        let names: Vec<&str> = declared.iter().map(|method| method.algorithm.as_str()).collect();
        NoUsableMethod(format!(
            "the metadata declares no key transport that we can do (RSA-OAEP with SHA-1 or SHA-2), only {}",
            names.join(", ")
        ))
    })
}

/// Whether an algorithm is one of XML Encryption's for keys (transport, wrapping, agreement) and not for content.
fn is_transport(uri: &str) -> bool {
    let name = uri.split_once('#').map_or("", |(_, name)| name);
    name.starts_with("rsa-") || name.starts_with("kw-") || name.starts_with("dh") || name.starts_with("ECDH-")
}

/// XML Encryption 1.1, 5.5.2: SHA-1 and MGF1 with SHA-1 where nothing is said.
fn oaep_digest(uri: Option<&str>, default: &str) -> Option<OaepDigest> {
    match uri.unwrap_or(default) {
        alg::SHA1 | alg::MGF1_SHA1 => Some(OaepDigest::Sha1),
        alg::SHA256 | alg::MGF1_SHA256 => Some(OaepDigest::Sha256),
        alg::SHA384 | alg::MGF1_SHA384 => Some(OaepDigest::Sha384),
        alg::SHA512 | alg::MGF1_SHA512 => Some(OaepDigest::Sha512),
        _ => None,
    }
}

fn digest_len(digest: OaepDigest) -> usize {
    match digest {
        OaepDigest::Sha1 => 20,
        OaepDigest::Sha256 => 32,
        OaepDigest::Sha384 => 48,
        OaepDigest::Sha512 => 64,
    }
}

/// Encrypts an element for a key under a fresh content key, and appends the element that takes its place (Core 2.3.4, 2.2.4).
///
/// `element` must stand on its own: written by a `Writer` of its own, with all its namespace declarations. Fails only if OpenSSL
/// does, as when the key is too small for the choice.
pub fn encrypt(
    element: &[u8],
    wrapper: Wrapper,
    (key, choice): (&PublicKey, EncryptionChoice),
    out: &mut Writer<'_>,
    random: &mut Random,
) -> Result<(), CryptoError> {
    let all = Zeroizing::new(random.bytes::<32>());
    let content_key = all.get(..choice.content.key_len()).unwrap_or(&*all);
    let content = choice.content.encrypt(content_key, element, random)?;
    let (transport, digest, mgf) = match choice.transport {
        KeyTransport::RsaOaepMgf1p { digest } => (alg::RSA_OAEP_MGF1P, digest, None),
        KeyTransport::RsaOaep { digest, mgf } => (alg::RSA_OAEP, digest, Some(mgf)),
    };
    let encrypted_key = rsa_oaep(key, digest, mgf.unwrap_or(OaepDigest::Sha1), content_key)?;

    out.start(
        SAML,
        match wrapper {
            Wrapper::EncryptedAssertion => "EncryptedAssertion",
            Wrapper::EncryptedId => "EncryptedID",
        },
    );
    out.start(XENC, "EncryptedData").attribute("Type", "http://www.w3.org/2001/04/xmlenc#Element");
    out.start(XENC, "EncryptionMethod").attribute("Algorithm", content_uri(choice.content)).end();
    out.start(DS, "KeyInfo").start(XENC, "EncryptedKey");
    out.start(XENC, "EncryptionMethod").attribute("Algorithm", transport);
    out.start(DS, "DigestMethod").attribute("Algorithm", digest_uri(digest)).end();
    if let Some(mgf) = mgf {
        out.start(XENC11, "MGF").attribute("Algorithm", mgf_uri(mgf)).end();
    }
    out.end();
    out.start(XENC, "CipherData").start(XENC, "CipherValue").base64(&encrypted_key).end().end();
    out.end().end();
    out.start(XENC, "CipherData").start(XENC, "CipherValue").base64(&content).end().end();
    out.end().end();
    Ok(())
}

fn content_uri(cipher: ContentCipher) -> &'static str {
    match cipher {
        ContentCipher::Aes128Gcm => alg::AES128_GCM,
        ContentCipher::Aes256Gcm => alg::AES256_GCM,
        ContentCipher::Aes128Cbc => alg::AES128_CBC,
        ContentCipher::Aes256Cbc => alg::AES256_CBC,
    }
}

fn digest_uri(digest: OaepDigest) -> &'static str {
    match digest {
        OaepDigest::Sha1 => alg::SHA1,
        OaepDigest::Sha256 => alg::SHA256,
        OaepDigest::Sha384 => alg::SHA384,
        OaepDigest::Sha512 => alg::SHA512,
    }
}

fn mgf_uri(digest: OaepDigest) -> &'static str {
    match digest {
        OaepDigest::Sha1 => alg::MGF1_SHA1,
        OaepDigest::Sha256 => alg::MGF1_SHA256,
        OaepDigest::Sha384 => alg::MGF1_SHA384,
        OaepDigest::Sha512 => alg::MGF1_SHA512,
    }
}

#[cfg(test)]
mod tests;
