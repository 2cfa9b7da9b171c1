use super::*;
use crate::model::check::Outcome;
use crate::saml::bindings::{VerifyPolicy, verify};
use crate::saml::fixtures::{percent, query, request, signed_query, signed_request, sp, sp_key, strange_key};
use crate::saml::messages::authn_request::AuthnRequest;
use crate::saml::xml::signature::SignaturePolicy;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

const OPEN: VerifyPolicy =
    VerifyPolicy { require_signature: false, algorithms: SignaturePolicy { allow_sha1: false, allow_weak_keys: false } };

fn xml() -> Vec<u8> {
    request("", "").into_bytes()
}

/// The rule that refuses a query, before or at verification.
fn refused_by(query: &str) -> String {
    let refusal = match decode::<AuthnRequest>(query) {
        Err(refusal) => refusal,
        Ok(received) => verify(received, sp().verification_keys(), &OPEN).map(|_| ()).unwrap_err(),
    };
    refusal.check().unwrap().id.to_string()
}

fn relay_state(query: &str) -> Option<String> {
    let received = decode::<AuthnRequest>(query).unwrap();
    verify(received, sp().verification_keys(), &OPEN).ok().unwrap().relay_state().map(str::to_owned)
}

// clause: IIP-SSO02, SDP-IDP02
#[test]
fn an_unsigned_request_is_read() {
    let received = decode::<AuthnRequest>(&query(&xml(), Some("a b&c=ü"))).unwrap();

    assert_eq!(received.issuer().as_str(), "https://sp.example.org/saml");
    let verified = verify(received, sp().verification_keys(), &OPEN).ok().unwrap();
    assert_eq!(verified.relay_state(), Some("a b&c=ü"));
    assert!(verified.signed().is_none());
    assert_eq!(verified.message().id, "_r1");
}

#[test]
fn a_plus_is_a_blank_in_relay_state_and_itself_in_base64() {
    let raw = STANDARD.encode(crate::saml::fixtures::deflate(&xml()));

    assert_eq!(relay_state(&format!("SAMLRequest={raw}&RelayState=a+b%2Bc")).as_deref(), Some("a b+c"));
}

#[test]
fn a_signature_holds_whatever_the_order_of_the_parameters() {
    let signed = signed_query(&xml(), Some("state"), sp_key());
    let mut parts: Vec<&str> = signed.split('&').collect();
    parts.reverse();

    for query in [signed.clone(), parts.join("&"), format!("extra=1&{signed}&more")] {
        let received = decode::<AuthnRequest>(&query).unwrap();
        let verified = verify(received, sp().verification_keys(), &OPEN).ok().unwrap();
        assert!(verified.signed().is_some());
        assert_eq!(verified.relay_state(), Some("state"));
    }
}

#[test]
fn a_signature_covers_the_encoding_that_arrived() {
    // Signed over lower-case escapes, as .NET writes them.
    let lower = |text: String| text.to_lowercase();
    let raw =
        percent(&STANDARD.encode(crate::saml::fixtures::deflate(&xml()))).replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d");
    let signed = format!("SAMLRequest={raw}&RelayState=a%2fb&SigAlg={}", lower(percent(sp_key().algorithm().uri())));
    let signature = crate::saml::xml::signature::sign::sign_raw(sp_key(), signed.as_bytes()).unwrap();
    let query = format!("{signed}&Signature={}", percent(&STANDARD.encode(signature)));

    let received = decode::<AuthnRequest>(&query).unwrap();
    assert!(verify(received, sp().verification_keys(), &OPEN).ok().unwrap().signed().is_some());
    // The same values in another encoding are not what was signed.
    assert_eq!(refused_by(&query.replace("RelayState=a%2fb", "RelayState=a%2Fb")), "signature.verifies");
}

#[test]
fn a_changed_or_foreign_signature_is_refused_also_where_none_is_demanded() {
    let signed = signed_query(&xml(), Some("state"), sp_key());

    for changed in [
        signed.replace("RelayState=state", "RelayState=stale"),
        signed.replace("&RelayState=state", ""),
        signed.replace("&Signature=", "&Signature=AAAA"),
        format!("{}&Signature=", signed.split("&Signature=").next().unwrap()),
        format!("{}&Signature=%21", signed.split("&Signature=").next().unwrap()),
        signed_query(&xml(), Some("state"), strange_key()),
    ] {
        assert_eq!(refused_by(&changed), "signature.verifies", "{changed}");
    }
    let hmac = percent("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256");
    assert_eq!(refused_by(&signed.replace(&percent(sp_key().algorithm().uri()), &hmac)), "signature.algorithm");
    let sha1 = percent("http://www.w3.org/2000/09/xmldsig#rsa-sha1");
    assert_eq!(refused_by(&signed.replace(&percent(sp_key().algorithm().uri()), &sha1)), "signature.algorithm");
}

#[test]
fn duplicated_parameters_are_refused_in_any_disguise() {
    let signed = signed_query(&xml(), Some("state"), sp_key());

    for extra in ["SAMLRequest=x", "RelayState=y", "SigAlg=z", "Signature=w", "%53AMLRequest=x", "Relay%53tate=", "SAMLRequest"] {
        assert_eq!(refused_by(&format!("{signed}&{extra}")), "binding.parameters", "{extra}");
        assert_eq!(refused_by(&format!("{extra}&{signed}")), "binding.parameters", "{extra}");
    }
}

#[test]
fn half_a_signature_is_refused() {
    let signed = signed_query(&xml(), None, sp_key());
    let without_signature = signed.split("&Signature=").next().unwrap();

    assert_eq!(refused_by(without_signature), "binding.parameters");
    assert_eq!(refused_by(&format!("{}&Signature=AAAA", query(&xml(), None))), "binding.parameters");
}

#[test]
fn what_is_no_request_is_named() {
    let good = query(&xml(), None);
    for (query, rule) in [
        (String::new(), "binding.parameters"),
        ("SAMLResponse=x".to_owned(), "message.type"),
        (format!("{good}&SAMLResponse=x"), "binding.parameters"),
        (format!("{good}&SAMLEncoding=urn%3Aother"), "binding.parameters"),
        ("SAMLRequest=".to_owned(), "binding.redirect.decoded"),
        ("SAMLRequest=%zz".to_owned(), "binding.parameters"),
        ("SAMLRequest=%4".to_owned(), "binding.parameters"),
        ("SAMLRequest=%ff".to_owned(), "binding.parameters"),
        ("SAMLRequest=***".to_owned(), "binding.redirect.decoded"),
        (format!("SAMLRequest={}", percent(&STANDARD.encode(xml()))), "binding.redirect.decoded"),
        (format!("{good}&RelayState=%ff"), "binding.parameters"),
        (crate::saml::fixtures::query(b"<not-xml", None), "xml.schema"),
        (crate::saml::fixtures::query(b"<!DOCTYPE a><a/>", None), "xml.safe"),
        (crate::saml::fixtures::query(b"<a/>", None), "message.type"),
    ] {
        assert_eq!(refused_by(&query), rule, "{query}");
    }
    let deflate = percent(DEFLATE);
    assert!(decode::<AuthnRequest>(&format!("{good}&SAMLEncoding={deflate}")).is_ok());
}

#[test]
fn plain_base64_is_explained() {
    let refusal = decode::<AuthnRequest>(&format!("SAMLRequest={}", percent(&STANDARD.encode(xml())))).err().unwrap();

    assert!(refusal.sentence().contains("not compressed"));
}

#[test]
fn a_bomb_is_not_unpacked() {
    let bomb = query(&vec![b' '; 4 << 20], None);

    assert!(bomb.len() < 20_000);
    assert_eq!(refused_by(&bomb), "binding.redirect.decoded");
}

#[test]
fn a_long_relay_state_is_said_and_a_huge_one_refused() {
    let received = decode::<AuthnRequest>(&query(&xml(), Some(&"x".repeat(81)))).unwrap();
    let verified = verify(received, &[], &OPEN).ok().unwrap();
    let check = verified.trace.checks.iter().find(|check| check.id == "binding.relay_state.size").unwrap();
    assert_eq!(check.outcome, Outcome::Warned);
    assert_eq!(verified.relay_state().map(str::len), Some(81));

    assert_eq!(refused_by(&query(&xml(), Some(&"x".repeat(20_000)))), "binding.relay_state.size");
}

#[test]
fn an_enveloped_signature_by_redirect_is_checked_too() {
    let good = query(&signed_request(sp_key(), Some(crate::saml::fixtures::SSO)), None);
    let verified = verify(decode::<AuthnRequest>(&good).unwrap(), sp().verification_keys(), &OPEN).ok().unwrap();
    assert!(verified.signed().is_some());
    assert!(verified.trace.checks.iter().any(|check| check.id == "signature.verifies" && check.outcome == Outcome::Warned));

    assert_eq!(refused_by(&query(&signed_request(strange_key(), None), None)), "signature.verifies");
    // A good one in the query does not excuse a bad one inside.
    assert_eq!(refused_by(&signed_query(&signed_request(strange_key(), None), None, sp_key())), "signature.verifies");
}

proptest! {
    #[test]
    fn no_query_makes_it_panic(query in "(SAMLRequest|RelayState|SigAlg|Signature|&|=|%|[0-9a-fA-F]{2}|[ -~]|é){0,40}") {
        let _ = decode::<AuthnRequest>(&query);
    }

    #[test]
    fn relay_state_comes_out_as_it_went_in(state in "\\PC{0,60}") {
        let got = relay_state(&query(&xml(), Some(&state)));
        prop_assert_eq!(got, Some(state));
    }
}
