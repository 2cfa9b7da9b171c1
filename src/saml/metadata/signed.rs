//! Signatures on metadata: verified where the signer is pinned, else only talked about.

use std::io::Read;

use crate::crypto::keys::PublicKey;
use crate::model::sp::Finding;
use crate::saml::metadata::aggregate::Entities;
use crate::saml::metadata::refusal::{MetadataRefusal, shorten};
use crate::saml::metadata::rules;
use crate::saml::names::{alg, ns};
use crate::saml::xml::reader::Limits;
use crate::saml::xml::tree::Element;

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
        None => rules::SIGNATURE_UNCHECKED
            .about(method.unwrap_or("no algorithm"), "The signature was not looked at. Give the signer's certificate with --signer to have it checked."),
    }
}
