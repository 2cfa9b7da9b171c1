use super::*;
use crate::crypto::keys::Hash;
use crate::model::app::SamlSettings;
use crate::model::check::Outcome;
use crate::model::sp::KeyUse;
use crate::saml::bindings::{VerifyPolicy, verify};
use crate::saml::fixtures::{SSO, deflate, fields, metadata, metadata_key, request, signed_request, sp, sp_key, strange_key, view};
use crate::saml::messages::authn_request::AuthnRequest;
use crate::saml::names::{alg, ns};
use crate::saml::xml::reader::{Limits, parse};
use crate::saml::xml::signature::SignaturePolicy;
use crate::saml::xml::signature::sign::sign_raw;
use crate::saml::xml::writer::{SAML, SAMLP, Writer};

const OPEN: VerifyPolicy =
    VerifyPolicy { require_signature: false, algorithms: SignaturePolicy { allow_sha1: false, allow_weak_keys: false } };

fn encoded() -> String {
    STANDARD.encode(request("", ""))
}

fn refused_by(form: &[(String, String)]) -> String {
    decode::<AuthnRequest>(form).err().unwrap().check().unwrap().id.to_string()
}

fn verified_rule(xml: &[u8], policy: &VerifyPolicy) -> Option<String> {
    let received = read_document::<AuthnRequest>(xml, None).unwrap();
    verify(received, sp().verification_keys(), policy).err().map(|refusal| refusal.check().unwrap().id.to_string())
}

// clause: IIP-SSO02
#[test]
fn a_posted_request_is_read_also_with_line_breaks() {
    let broken: String = encoded().as_bytes().chunks(60).map(|line| format!("{}\r\n", String::from_utf8_lossy(line))).collect();

    for text in [encoded(), broken, encoded().trim_end_matches('=').to_owned()] {
        let received = decode::<AuthnRequest>(&fields(&[("SAMLRequest", &text), ("RelayState", " r\u{e9} ")])).unwrap();
        let verified = verify(received, &[], &OPEN).ok().unwrap();
        assert_eq!(verified.relay_state(), Some(" r\u{e9} "));
    }
}

#[test]
fn a_compressed_post_is_read_with_a_warning() {
    let packed = STANDARD.encode(deflate(request("", "").as_bytes()));

    let received = decode::<AuthnRequest>(&fields(&[("SAMLRequest", &packed)])).unwrap();
    let check = received.trace.checks.iter().find(|check| check.id == "binding.post.decoded").unwrap();
    assert_eq!(check.outcome, Outcome::Warned);
    assert!(check.detail.contains("deflated-post"));
}

#[test]
fn what_is_no_request_is_named() {
    let good = encoded();
    let spaced = format!("{} {}", &good[..9], &good[10..]);
    for (form, rule) in [
        (fields(&[]), "binding.parameters"),
        (fields(&[("SAMLResponse", "x")]), "message.type"),
        (fields(&[("SAMLRequest", &good), ("SAMLResponse", "x")]), "binding.parameters"),
        (fields(&[("SAMLRequest", &good), ("SAMLRequest", &good)]), "binding.parameters"),
        (fields(&[("SAMLRequest", &good), ("RelayState", "a"), ("RelayState", "b")]), "binding.parameters"),
        (fields(&[("SAMLRequest", &good), ("Signature", "x")]), "binding.parameters"),
        (fields(&[("SAMLRequest", &good), ("SigAlg", "x")]), "binding.parameters"),
        (fields(&[("SAMLRequest", "<samlp:AuthnRequest/>")]), "binding.post.decoded"),
        (fields(&[("SAMLRequest", &format!("{spaced}*"))]), "binding.post.decoded"),
        (fields(&[("SAMLRequest", "")]), "xml.schema"),
        (fields(&[("SAMLRequest", &good), ("RelayState", &"x".repeat(20_000))]), "binding.relay_state.size"),
    ] {
        assert_eq!(refused_by(&form), rule, "{form:?}");
    }
}

#[test]
fn a_message_needs_an_issuer_that_could_be_an_entity_id() {
    let none = request("", "").replace("<saml:Issuer>https://sp.example.org/saml</saml:Issuer>", "");
    let empty = request("", "").replace("https://sp.example.org/saml<", " <");
    for xml in [none, empty] {
        let refusal = read_document::<AuthnRequest>(xml.as_bytes(), None).err().unwrap();
        assert_eq!(refusal.check().unwrap().id, "issuer.present");
    }
    let blanks = request("", "").replace(">https://sp.example.org/saml<", ">\n  https://sp.example.org/saml\n<");
    assert_eq!(read_document::<AuthnRequest>(blanks.as_bytes(), None).ok().unwrap().issuer().as_str(), "https://sp.example.org/saml");
}

#[test]
fn a_signed_message_is_read_from_what_was_signed() {
    let received = read_document::<AuthnRequest>(&signed_request(sp_key(), Some(SSO)), None).unwrap();
    let verified = verify(received, sp().verification_keys(), &OPEN).ok().unwrap();

    assert_eq!(verified.signed().unwrap().key, 0);
    assert_eq!(verified.message().destination.as_deref(), Some(SSO));
}

// clause: SDP-IDP05
#[test]
fn a_signature_that_is_there_must_hold() {
    let signed = String::from_utf8(signed_request(sp_key(), Some(SSO))).unwrap();
    let tampered = signed.replace("2026-11-24T20:46:59Z", "2026-11-24T20:46:58Z");
    let wrapped = request("", &format!("<samlp:Extensions>{signed}</samlp:Extensions>"));
    let twice = signed.replace("</samlp:AuthnRequest>", "<samlp:Extensions ID=\"_r1\"></samlp:Extensions></samlp:AuthnRequest>");

    assert_eq!(verified_rule(tampered.as_bytes(), &OPEN).as_deref(), Some("signature.verifies"));
    assert_eq!(verified_rule(&signed_request(strange_key(), None), &OPEN).as_deref(), Some("signature.verifies"));
    assert_eq!(verified_rule(wrapped.as_bytes(), &OPEN).as_deref(), Some("signature.covers"));
    assert_eq!(verified_rule(twice.as_bytes(), &OPEN).as_deref(), Some("signature.covers"));
    assert_eq!(verified_rule(signed.as_bytes(), &OPEN), None);
}

/// A request that is signed by RSA-SHA256 over a reference with a SHA-1 digest, as some toolkits do by default.
fn signed_with_sha1_digest() -> String {
    let bare = request("", "");
    let digest = STANDARD.encode(Hash::Sha1.digest(&[canonical(&bare).as_bytes()]).unwrap());
    let signed_info = format!(
        "<ds:SignedInfo xmlns:ds=\"{ds}\"><ds:CanonicalizationMethod Algorithm=\"{c14n}\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"{method}\"></ds:SignatureMethod><ds:Reference URI=\"#_r1\"><ds:Transforms>\
         <ds:Transform Algorithm=\"{enveloped}\"></ds:Transform><ds:Transform Algorithm=\"{c14n}\"></ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{sha1}\"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
        ds = ns::DS,
        c14n = alg::EXC_C14N,
        method = alg::RSA_SHA256,
        enveloped = alg::ENVELOPED,
        sha1 = alg::SHA1,
    );
    let value = STANDARD.encode(sign_raw(sp_key(), signed_info.as_bytes()).unwrap());
    let signature =
        format!("<ds:Signature xmlns:ds=\"{}\">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>", ns::DS);
    bare.replace("</saml:Issuer>", &format!("</saml:Issuer>{signature}"))
}

/// The exclusive-canonical form of what `request` writes.
fn canonical(bare: &str) -> String {
    let root = parse(bare.as_bytes(), &Limits::MESSAGE).unwrap();
    let mut writer = Writer::with_capacity(1_024);
    writer.start(SAMLP, "AuthnRequest");
    for attribute in &root.attributes {
        writer.attribute(&attribute.local, &attribute.value);
    }
    writer.leaf(SAML, "Issuer", "https://sp.example.org/saml");
    String::from_utf8(writer.finish()).unwrap()
}

#[test]
fn a_sha1_digest_under_a_sha256_signature_is_let_through_with_a_warning() {
    let received = read_document::<AuthnRequest>(signed_with_sha1_digest().as_bytes(), None).unwrap();
    let verified = verify(received, sp().verification_keys(), &OPEN).ok().unwrap();

    assert!(verified.signed().is_some());
    let check = verified.trace.checks.iter().find(|check| check.id == "signature.algorithm").unwrap();
    assert_eq!(check.outcome, Outcome::Warned);

    let weak = signed_with_sha1_digest().replace(alg::RSA_SHA256, alg::RSA_SHA1);
    assert_eq!(verified_rule(weak.as_bytes(), &OPEN).as_deref(), Some("signature.algorithm"));
}

// clause: SDP-IDP04
#[test]
fn an_unsigned_message_is_refused_only_where_a_signature_is_demanded() {
    let demanding = VerifyPolicy { require_signature: true, ..OPEN };

    assert_eq!(verified_rule(request("", "").as_bytes(), &demanding).as_deref(), Some("signature.present"));
    assert_eq!(verified_rule(&signed_request(sp_key(), Some(SSO)), &demanding), None);
    assert_eq!(verified_rule(request("", "").as_bytes(), &OPEN), None);

    let mut says_it_signs = metadata();
    says_it_signs.authn_requests_signed = true;
    let settings = SamlSettings { require_signed_requests: Some(false), ..SamlSettings::default() };
    assert!(view(says_it_signs, settings).verify_policy().require_signature, "the setting must not overrule the metadata");
    let settings = SamlSettings { require_signed_requests: Some(true), ..SamlSettings::default() };
    assert!(view(metadata(), settings).verify_policy().require_signature);
    assert!(!sp().verify_policy().require_signature);
}

#[test]
fn a_signed_message_of_an_app_without_keys_is_refused() {
    let received = read_document::<AuthnRequest>(&signed_request(sp_key(), Some(SSO)), None).unwrap();
    let refusal = verify(received, &[], &OPEN).err().unwrap();

    assert_eq!(refusal.check().unwrap().id, "signature.keys");
}

// clause: SDP-IDP32
#[test]
fn any_of_several_keys_verifies() {
    let mut rolling = metadata();
    rolling.keys.insert(0, metadata_key(strange_key().certificate(), KeyUse::Both));
    let rolling = view(rolling, SamlSettings::default());

    let received = read_document::<AuthnRequest>(&signed_request(sp_key(), Some(SSO)), None).unwrap();
    assert_eq!(verify(received, rolling.verification_keys(), &OPEN).ok().unwrap().signed().unwrap().key, 1);
}
