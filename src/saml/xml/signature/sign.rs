//! Signs what `Writer` wrote: it already is canonical, so the digest is over the bytes as they stand.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::CryptoError;
use crate::crypto::keys::{Hash, PrivateKey};
use crate::saml::names::alg;
use crate::saml::xml::reader::is_ncname;
use crate::saml::xml::signature::SignatureAlgorithm;

/// One of our keys with the algorithm that it signs by, and everything of a signature that does not change.
#[derive(Debug, Clone)]
pub struct SigningKey {
    key: PrivateKey,
    algorithm: SignatureAlgorithm,
    certificate: Vec<u8>,
    /// The content of `ds:SignedInfo` up to the ID, and from there to the digest.
    before_id: String,
    before_digest: String,
    /// What follows the signature value: KeyInfo with the certificate.
    after_value: String,
}

const OPEN_SIGNATURE: &str = "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">";
/// As it stands inside `ds:Signature`, which declares the prefix, and as it is canonicalised on its own.
const OPEN_SIGNED_INFO: &str = "<ds:SignedInfo>";
const OPEN_SIGNED_INFO_ALONE: &str = "<ds:SignedInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">";
const AFTER_DIGEST: &str = "</ds:DigestValue></ds:Reference></ds:SignedInfo>";

impl SigningKey {
    /// Puts a key, an algorithm and the DER of the certificate that metadata publishes together.
    ///
    /// Fails if the algorithm does not fit the key, or rests on SHA-1.
    pub fn new(key: PrivateKey, algorithm: SignatureAlgorithm, certificate: Vec<u8>) -> Result<Self, CryptoError> {
        if !algorithm.fits(key.algorithm()) || algorithm.hash() == Hash::Sha1 {
            return Err(CryptoError(format!("a key of kind {} does not sign by {algorithm}", key.algorithm())));
        }
        let before_id = format!(
            "<ds:CanonicalizationMethod Algorithm=\"{c14n}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"{signature}\"></ds:SignatureMethod><ds:Reference URI=\"#",
            c14n = alg::EXC_C14N,
            signature = algorithm.uri(),
        );
        let before_digest = format!(
            "\"><ds:Transforms><ds:Transform Algorithm=\"{enveloped}\"></ds:Transform><ds:Transform Algorithm=\"{c14n}\"></ds:Transform>\
             </ds:Transforms><ds:DigestMethod Algorithm=\"{digest}\"></ds:DigestMethod><ds:DigestValue>",
            enveloped = alg::ENVELOPED,
            c14n = alg::EXC_C14N,
            digest = algorithm.digest_uri(),
        );
        let after_value = format!(
            "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>",
            STANDARD.encode(&certificate)
        );
        Ok(Self { key, algorithm, certificate, before_id, before_digest, after_value })
    }

    /// The algorithm that it signs by.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The DER of its certificate.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

/// Signs an element and inserts the `ds:Signature`; returns how many bytes were inserted.
///
/// `element` is where the element stands in `document`; its bytes must be exclusive-canonical on their own, as `Writer` makes
/// them where no ancestor uses its prefixes. `insert_at` lies in it, for SAML right after the Issuer (Core 5.4). `id` is the
/// element's ID. Sign inner elements first. Fails if the ranges or the ID are impossible, or OpenSSL fails.
pub fn sign(document: &mut Vec<u8>, element: Range<usize>, insert_at: usize, id: &str, key: &SigningKey) -> Result<usize, CryptoError> {
    let hash = key.algorithm.hash();
    let canonical = match document.get(element.clone()) {
        Some(bytes) if insert_at > element.start && insert_at < element.end && is_ncname(id) => bytes,
        _ => return Err(CryptoError("the element to be signed is not there".to_owned())),
    };
    let digest = STANDARD.encode(hash.digest(&[canonical])?);

    let mut signature = String::with_capacity(1_024 + key.after_value.len());
    let signed_info = [key.before_id.as_str(), id, &key.before_digest, &digest, AFTER_DIGEST];
    signature.push_str(OPEN_SIGNED_INFO_ALONE);
    signature.extend(signed_info);
    let value = key.key.sign(hash, signature.as_bytes())?;

    signature.clear();
    signature.extend([OPEN_SIGNATURE, OPEN_SIGNED_INFO]);
    signature.extend(signed_info);
    signature.push_str("<ds:SignatureValue>");
    STANDARD.encode_string(value, &mut signature);
    signature.push_str(&key.after_value);
    document.splice(insert_at..insert_at, signature.bytes());
    Ok(signature.len())
}

/// Signs bytes for the redirect binding (Bindings 3.4.4.1): RSA PKCS#1 v1.5, or ECDSA as `r ‖ s`.
pub fn sign_raw(key: &SigningKey, bytes: &[u8]) -> Result<Vec<u8>, CryptoError> {
    key.key.sign(key.algorithm.hash(), bytes)
}
