//! Verifies signatures, and returns exactly what was signed.

use std::ffi::{c_int, c_void};
use std::slice;
use std::sync::Once;

use samael::crypto::{AllowedSignatureAlgorithm, Crypto, CryptoProvider as _, ReduceMode};

use crate::crypto::keys::Hash;
use crate::saml::xml::reader::{Comments, Limits, parse};
use crate::saml::xml::signature::preflight::{SignatureShape, preflight};
use crate::saml::xml::signature::{SignatureAlgorithm, SignatureError, SignaturePolicy, VerificationKey};
use crate::saml::xml::tree::Element;
use crate::saml::xml::writer::serialize;

/// An element whose every byte was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedXml {
    /// Read again from the bytes that were verified; without the `ds:Signature`.
    pub root: Element,
    /// The position of the key that verified.
    pub key: usize,
}

const ALLOWED: [AllowedSignatureAlgorithm; 6] = [
    AllowedSignatureAlgorithm::RsaSha256,
    AllowedSignatureAlgorithm::RsaSha384,
    AllowedSignatureAlgorithm::RsaSha512,
    AllowedSignatureAlgorithm::EcdsaSha256,
    AllowedSignatureAlgorithm::EcdsaSha384,
    AllowedSignatureAlgorithm::EcdsaSha512,
];

/// What comes back was within the caller's limits when it was read first, and is authentic.
const VERIFIED: Limits =
    Limits { bytes: u64::MAX, depth: u32::MAX, elements: u32::MAX, attributes: u32::MAX, token: u64::MAX, comments: Comments::Drop };

/// Verifies the signature of a whole document with one of `keys`, which must be those of the registered metadata.
///
/// Read on only from the element that is returned.
pub fn verify(root: &Element, keys: &[VerificationKey], policy: &SignaturePolicy) -> Result<VerifiedXml, SignatureError> {
    let shape = preflight(root)?.ok_or(SignatureError::Missing)?;
    policy.check_hash(shape.algorithm.hash(), shape.algorithm.uri())?;
    policy.check_hash(shape.digest, super::digest_uri(shape.digest))?;

    // Our own serialisation, so that libxml2 reads nothing that our reader did not.
    let document = serialize(root);
    let (key, signed) = policy.first_that_verifies(keys, shape.algorithm, |key| signed_part(&document, key, &shape))?;
    let signed = parse(signed.as_bytes(), &VERIFIED)
        .map_err(|error| SignatureError::Structure(format!("what was signed cannot be read on its own: {error}")))?;
    if signed.namespace != root.namespace || signed.local != root.local || signed.attribute("ID") != Some(&shape.id) {
        return Err(SignatureError::Structure("what was signed is not the root element".to_owned()));
    }
    Ok(VerifiedXml { root: signed, key })
}

/// Verifies a signature over bytes, as in the redirect binding (Bindings 3.4.4.1); returns the position of the key.
pub fn verify_raw(
    keys: &[VerificationKey],
    algorithm_uri: &str,
    SignedBytes { bytes, signature }: SignedBytes<'_>,
    policy: &SignaturePolicy,
) -> Result<usize, SignatureError> {
    let algorithm =
        SignatureAlgorithm::from_uri(algorithm_uri).ok_or_else(|| SignatureError::UnknownAlgorithm(algorithm_uri.to_owned()))?;
    policy.check_hash(algorithm.hash(), algorithm_uri)?;
    let verifies = |key: &VerificationKey| key.key.verify(algorithm.hash(), bytes, signature).then_some(());
    policy.first_that_verifies(keys, algorithm, verifies).map(|(key, ())| key)
}

/// Bytes and the signature over them.
#[derive(Debug, Clone, Copy)]
pub struct SignedBytes<'a> {
    pub bytes: &'a [u8],
    pub signature: &'a [u8],
}

/// Lets libxmlsec1 verify with one key; returns the canonical bytes whose digest it compared.
fn signed_part(document: &str, key: &VerificationKey, shape: &SignatureShape) -> Option<String> {
    let certificate = key.certificate().ok()?;
    // The library's list does not know SHA-1. Where that was allowed, the preflight and the policy alone are the list; they
    // read the same bytes.
    let sha1 = shape.algorithm.hash() == Hash::Sha1 || shape.digest == Hash::Sha1;
    let allowed = if sha1 { None } else { Some(ALLOWED.as_slice()) };
    silence();
    let signed =
        Crypto::reduce_xml_to_signed_with_allowed_algorithms(document, slice::from_ref(certificate), ReduceMode::PreDigest, allowed);
    // What libxmlsec1 leaves in this thread's error queue would be blamed on the next TLS operation.
    let _ = openssl::error::ErrorStack::get();
    signed.ok()
}

#[expect(unsafe_code, reason = "two switches of the C library that samael does not offer")]
unsafe extern "C" {
    fn xmlSecErrorsDefaultCallbackEnableOutput(enabled: c_int);
    fn xmlSetStructuredErrorFunc(context: *mut c_void, handler: Option<extern "C" fn(*mut c_void, *const c_void)>);
}

extern "C" fn say_nothing(_context: *mut c_void, _error: *const c_void) {}

/// Keeps the C libraries from printing to standard error, which anybody could fill with bad signatures.
#[expect(unsafe_code, reason = "two switches of the C library that samael does not offer")]
fn silence() {
    static LIBXMLSEC1: Once = Once::new();
    // SAFETY: this sets a global flag, a C `int` with a static initial value, before any thread lets the library verify.
    LIBXMLSEC1.call_once(|| unsafe { xmlSecErrorsDefaultCallbackEnableOutput(0) });
    // SAFETY: this sets the calling thread's handler to a function that lives as long as the program and ignores its arguments.
    unsafe { xmlSetStructuredErrorFunc(std::ptr::null_mut(), Some(say_nothing)) };
}
