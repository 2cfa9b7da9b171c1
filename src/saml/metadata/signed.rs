//! Signatures on metadata: verified where the signer is pinned, else only talked about.

use std::io::Read;

use crate::crypto::keys::PublicKey;
use crate::model::sp::Finding;
use crate::saml::metadata::aggregate::Entities;
use crate::saml::metadata::refusal::{MetadataRefusal, shorten};
use crate::saml::metadata::{rules, sniff};
use crate::saml::names::{alg, ns};
use crate::saml::spec;
use crate::saml::xml::reader::{Limits, XmlError, parse};
use crate::saml::xml::signature::verify::verify;
use crate::saml::xml::signature::{SignatureError, SignaturePolicy, VerificationKey};
use crate::saml::xml::tree::Element;

/// Elements of a whole document that is verified, and therefore held in memory; the largest federations have about half.
const MOST_ELEMENTS: u32 = 3_000_000;

/// Reads a whole document, verifies that the signer signed its root, and goes on with what was verified and nothing else.
///
/// Errors: those of `Entities::new`; `signature-invalid`; `signature-sha1`.
pub(super) fn verified(source: impl Read, signer: &PublicKey, limits: &Limits) -> Result<Entities, MetadataRefusal> {
    let (mut document, source) = sniff::head(source)?;
    if let Some(refusal) = sniff::not_xml(&document) {
        return Err(refusal);
    }
    // One byte over the bound is enough for the reader to see that it is too large.
    source.take(limits.bytes).read_to_end(&mut document).map_err(|error| XmlError::Io(error.to_string()))?;
    let root = parse(&document, &Limits { elements: MOST_ELEMENTS, ..*limits })?;
    drop(document);
    sniff::check_root(&root)?;
    let keys = [VerificationKey::new(signer.clone())];
    let verified = verify(&root, &keys, &SignaturePolicy::default()).map_err(refuse)?;
    Entities::from_root(verified.root)
}

fn refuse(error: SignatureError) -> MetadataRefusal {
    let (code, detail, remedy) = match &error {
        SignatureError::Missing => (
            "signature-invalid",
            "The document is not signed, although its signer is pinned.".to_owned(),
            "Ask the publisher for the signed document, or import it without a signer if you trust how it came here.",
        ),
        SignatureError::DoesNotVerify | SignatureError::NoFittingKey { .. } => (
            "signature-invalid",
            "The document was changed after it was signed, or somebody else signed it.".to_owned(),
            "Fetch it again. If it still fails, ask the publisher by another way for the fingerprint of the signing certificate.",
        ),
        SignatureError::WeakAlgorithm(algorithm) => (
            "signature-sha1",
            format!("The document is signed with SHA-1 ({}), which proves nothing any more.", shorten(algorithm)),
            "Ask the publisher to sign with SHA-256 or stronger.",
        ),
        SignatureError::WeakKey { bits } => (
            "signature-invalid",
            format!("The signer's RSA key has {bits} bits; under 2,048 it proves nothing."),
            "Ask the publisher for a document signed by a stronger key.",
        ),
        SignatureError::UnknownAlgorithm(_) | SignatureError::Structure(_) => (
            "signature-invalid",
            format!("The signature cannot be checked: {}.", shorten(&error.to_string())),
            "Ask the publisher for a document with one enveloped signature on its first element.",
        ),
    };
    MetadataRefusal::new(code, &spec::METADATA_SIGNATURE, detail, remedy)
}

/// What to say of a signature that nobody asked to check.
pub(super) fn unchecked(signature: &Element) -> Finding {
    let info = signature.child(ns::DS, "SignedInfo");
    let method = info.and_then(|info| info.child(ns::DS, "SignatureMethod")).and_then(|method| method.attribute("Algorithm"));
    let digests = info.into_iter().flat_map(|info| info.children_named(ns::DS, "Reference"));
    let digest = digests.filter_map(|reference| reference.child(ns::DS, "DigestMethod")?.attribute("Algorithm"));
    let old = |algorithm: &str| matches!(algorithm, alg::RSA_SHA1 | alg::ECDSA_SHA1 | alg::SHA1) || algorithm.ends_with("#dsa-sha1");
    match method.into_iter().chain(digest).find(|algorithm| old(algorithm)) {
        Some(algorithm) => rules::SIGNATURE_SHA1.about(
            algorithm,
            "The signature was not looked at. Fetch the document by https, or ask the publisher for one signed with SHA-256.",
        ),
        None => rules::SIGNATURE_UNCHECKED.about(
            method.unwrap_or("no algorithm"),
            "The signature was not looked at. Give the signer's certificate with --signer to have it checked.",
        ),
    }
}
