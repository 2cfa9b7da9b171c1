use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::*;
use crate::crypto::x509::to_pem;
use crate::model::app::{Encrypt, SamlSettings};
use crate::model::check::Outcome;
use crate::model::sp::{EncryptionMethod, SpMetadata};
use crate::saml::bindings::{post, verify};
use crate::saml::fixtures::{
    ACS, IDP, SP, corpus, encrypting_metadata, endpoint, idp_ec_key, idp_key, idp_keys, metadata, now, request, sp, view,
};
use crate::saml::messages::authn_request::AuthnRequest;
use crate::saml::names::{alg, authn_context, name_id, ns, status};
use crate::saml::profiles::sp_check::{Expectations, check_response};
use crate::saml::profiles::web_sso::{Rejected, accept, accept_unsolicited};
use crate::saml::xml::reader::{Limits, parse};
use crate::saml::xml::signature::{SignatureAlgorithm, VerificationKey};
use crate::saml::xml::tree::Element;
use crate::saml::xml::writer::serialize;

fn accepted(sp: &SpView) -> Accepted {
    let received = post::read_document::<AuthnRequest>(request("", "").as_bytes(), Some("state & more".to_owned())).unwrap();
    let verified = verify(received, sp.verification_keys(), &sp.verify_policy()).ok().unwrap();
    accept(verified, sp, &endpoint(), now()).unwrap()
}

fn persistent() -> NameId {
    NameId {
        value: "k5v2<&>\r\"é".to_owned(),
        format: name_id::PERSISTENT.to_owned(),
        name_qualifier: Some(IDP.to_owned()),
        sp_name_qualifier: Some(SP.to_owned()),
    }
}

fn attributes() -> Vec<ReleasedAttribute> {
    let attribute = |name: &str, friendly: &str, values: &[&str]| ReleasedAttribute {
        name: Arc::from(name),
        name_format: Some(Arc::from("urn:oasis:names:tc:SAML:2.0:attrname-format:uri")),
        friendly_name: Some(Arc::from(friendly)),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    vec![
        attribute("urn:oid:0.9.2342.19200300.100.1.3", "mail", &["ada@example.com"]),
        attribute("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "eduPersonAffiliation", &["staff", "member <of> & \"all\""]),
        ReleasedAttribute { name: Arc::from("plain"), name_format: None, friendly_name: None, values: vec![String::new()] },
    ]
}

fn facts<'a>(name_id: Option<&'a NameId>, attributes: &'a [ReleasedAttribute]) -> AssertionFacts<'a> {
    AssertionFacts {
        name_id,
        encrypt_name_id: false,
        attributes,
        session_index: "_s1",
        authn_instant: now() - Span::minutes(7),
        class: authn_context::PASSWORD_PROTECTED_TRANSPORT,
        session_not_on_or_after: now() + Span::hours(8),
    }
}

fn respond_to(accepted: Accepted, sp: &SpView) -> Result<OutgoingResponse, Box<ErrorAnswer>> {
    let keys = idp_keys();
    let (name_id, attributes) = (persistent(), attributes());
    let idp = Idp { entity_id: IDP, keys: &keys };
    respond(accepted, &facts(Some(&name_id), &attributes), sp, &idp, now(), &mut Random::system())
}

fn answer(sp: &SpView) -> OutgoingResponse {
    respond_to(accepted(sp), sp).unwrap()
}

fn settings(sign: Sign, encrypt: Encrypt) -> SamlSettings {
    SamlSettings { sign, encrypt, ..SamlSettings::default() }
}

fn tree(xml: &[u8]) -> Element {
    parse(xml, &Limits::MESSAGE).unwrap()
}

fn our_keys() -> Vec<VerificationKey> {
    [idp_key(), idp_ec_key()].map(|key| VerificationKey::new(crate::crypto::x509::read_der(key.certificate()).unwrap().key)).to_vec()
}

/// What an SP says to an answer: the failed and the doubtful checks.
fn complaints(response: &OutgoingResponse, sp: &SpView, in_response_to: Option<&str>) -> Vec<String> {
    let keys = our_keys();
    let expect = Expectations {
        idp: IDP,
        keys: &keys,
        sp: SP,
        acs: ACS,
        in_response_to,
        wants_assertion_signed: sp.metadata.want_assertions_signed,
        name_id_format: Some(name_id::PERSISTENT),
        now: now(),
    };
    let trace = check_response(&response.xml, response.plain.as_deref(), &expect);
    assert!(trace.checks.len() > 5);
    trace
        .checks
        .into_iter()
        .filter(|check| check.outcome != Outcome::Passed)
        .map(|check| format!("{} {}", check.id, check.detail))
        .collect()
}

/// A directory of its own for files that tools read.
fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tmp").join(format!("respond-{name}-{}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

/// Validates against the schemas of OASIS and W3C.
fn valid_by_schema(name: &str, xml: &[u8]) {
    let Some(corpus) = corpus() else { return };
    if !has("xmllint") {
        return;
    }
    let directory = directory(name);
    let file = directory.join("response.xml");
    fs::write(&file, xml).unwrap();
    let result = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(corpus.join("schemas/all.xsd"))
        .arg(&file)
        .env("XML_CATALOG_FILES", corpus.join("schemas/catalog.xml"))
        .output()
        .unwrap();
    assert!(result.status.success(), "{}\n{}", String::from_utf8_lossy(&result.stderr), String::from_utf8_lossy(xml));
    fs::remove_dir_all(directory).unwrap();
}

/// Lets the `xmlsec1` tool verify the signature that is a child of the element named.
fn verified_by_xmlsec1(name: &str, xml: &[u8], element: &str, key: &SigningKey) {
    if !has("xmlsec1") {
        return;
    }
    let directory = directory(name);
    let (file, certificate) = (directory.join("response.xml"), directory.join("idp.crt"));
    fs::write(&file, xml).unwrap();
    fs::write(&certificate, to_pem(key.certificate()).unwrap()).unwrap();
    let node = format!("//*[local-name()='{element}']/*[local-name()='Signature']");
    let result = Command::new("xmlsec1")
        .args(["--verify", "--enabled-reference-uris", "same-doc", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"])
        .args(["--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:Response", "--node-xpath", &node, "--pubkey-cert-pem"])
        .args([&certificate, &file])
        .output()
        .unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    fs::remove_dir_all(directory).unwrap();
}

// clause: IIP-SSO03, IIP-SSO04, SDP-IDP08, SDP-IDP10
#[test]
fn assertion_response_or_both_are_signed_as_the_app_wants() {
    for (sign, response_signed, assertion_signed) in
        [(Sign::Assertion, false, true), (Sign::Response, true, false), (Sign::Both, true, true)]
    {
        let sp = view(metadata(), settings(sign, Encrypt::Never));
        let response = answer(&sp);

        assert_eq!(complaints(&response, &sp, Some("_r1")), Vec::<String>::new(), "{sign:?}");
        let root = tree(&response.xml);
        let assertion = root.child(ns::SAML, "Assertion").unwrap();
        assert_eq!(root.child(ns::DS, "Signature").is_some(), response_signed, "{sign:?}");
        assert_eq!(assertion.child(ns::DS, "Signature").is_some(), assertion_signed, "{sign:?}");
        let name = format!("sign-{sign:?}");
        valid_by_schema(&name, &response.xml);
        if response_signed {
            verified_by_xmlsec1(&name, &response.xml, "Response", idp_key());
        }
        if assertion_signed {
            verified_by_xmlsec1(&name, &response.xml, "Assertion", idp_key());
        }
    }
}

#[test]
fn an_assertion_says_what_the_profile_demands() {
    let response = answer(&sp());
    let root = tree(&response.xml);

    assert_eq!((response.acs.as_str(), response.relay_state.as_deref()), (ACS, Some("state & more")));
    assert_eq!((root.attribute("Destination"), root.attribute("InResponseTo")), (Some(ACS), Some("_r1")));
    assert_eq!(root.attribute("ID"), Some(response.response_id.as_str()));
    let assertion = root.child(ns::SAML, "Assertion").unwrap();
    assert_eq!(assertion.attribute("ID"), response.assertion_id.as_deref());
    let subject = assertion.child(ns::SAML, "Subject").unwrap();
    let name_id = subject.child(ns::SAML, "NameID").unwrap();
    assert_eq!(name_id.text(), "k5v2<&>\r\"é");
    assert_eq!(name_id.attribute("SPNameQualifier"), Some(SP));
    let data = subject.child(ns::SAML, "SubjectConfirmation").unwrap().child(ns::SAML, "SubjectConfirmationData").unwrap();
    assert_eq!(data.attribute("NotOnOrAfter"), Some("2026-11-24T20:52:00.000Z"));
    let conditions = assertion.child(ns::SAML, "Conditions").unwrap();
    assert_eq!(conditions.attribute("NotBefore"), Some("2026-11-24T20:46:00.000Z"));
    assert_eq!(conditions.attribute("NotOnOrAfter"), Some("2026-11-24T20:52:00.000Z"));
    let statement = assertion.child(ns::SAML, "AuthnStatement").unwrap();
    assert_eq!(statement.attribute("AuthnInstant"), Some("2026-11-24T20:40:00.000Z"));
    assert_eq!(statement.attribute("SessionIndex"), Some("_s1"));
    let values: Vec<String> = assertion
        .child(ns::SAML, "AttributeStatement")
        .unwrap()
        .elements()
        .flat_map(|attribute| attribute.elements().map(Element::text).collect::<Vec<_>>())
        .collect();
    assert_eq!(values, ["ada@example.com", "staff", "member <of> & \"all\"", ""]);
}

#[test]
fn ids_are_never_the_same() {
    let (a, b) = (answer(&sp()), answer(&sp()));

    assert_ne!(a.response_id, b.response_id);
    assert_ne!(a.assertion_id, b.assertion_id);
    assert_ne!(Some(a.response_id), a.assertion_id);
}

#[test]
fn an_sp_that_wants_assertions_signed_gets_them_signed_whatever_the_settings_say() {
    let wants = SpMetadata { want_assertions_signed: true, ..metadata() };
    let sp = view(wants, settings(Sign::Response, Encrypt::Never));

    assert_eq!(complaints(&answer(&sp), &sp, Some("_r1")), Vec::<String>::new());
}

// clause: IIP-ALG02, IIP-ALG03
#[test]
fn the_algorithm_is_the_setting_else_what_the_sp_declares_else_rsa_sha256() {
    let declaring = |methods: &[&str]| SpMetadata { signing_methods: methods.iter().map(|m| (*m).to_owned()).collect(), ..metadata() };
    let used = |sp: &SpView| idp_keys().for_sp(sp).unwrap().algorithm();

    assert_eq!(used(&sp()), SignatureAlgorithm::RsaSha256);
    assert_eq!(
        used(&view(declaring(&[alg::RSA_SHA1, alg::ECDSA_SHA256, alg::RSA_SHA256]), SamlSettings::default())),
        SignatureAlgorithm::EcdsaSha256
    );
    assert_eq!(used(&view(declaring(&[alg::RSA_SHA1]), SamlSettings::default())), SignatureAlgorithm::RsaSha256);
    let setting = SamlSettings { signature_algorithm: Some(alg::ECDSA_SHA256.to_owned()), ..SamlSettings::default() };
    let sp = view(declaring(&[alg::RSA_SHA256]), setting);
    assert_eq!(used(&sp), SignatureAlgorithm::EcdsaSha256);
    let response = answer(&sp);
    assert_eq!(complaints(&response, &sp, Some("_r1")), Vec::<String>::new());
    verified_by_xmlsec1("ecdsa", &response.xml, "Assertion", idp_ec_key());
}

// clause: IIP-MD10
#[test]
fn declared_algorithms_bind_and_what_cannot_be_met_is_said() {
    let (rsa256, rsa384, rsa512) = (SignatureAlgorithm::RsaSha256, SignatureAlgorithm::RsaSha384, SignatureAlgorithm::RsaSha512);
    for (methods, digests, wanted, met) in [
        (&[][..], &[][..], &[rsa256][..], true),
        // Digests alone choose among the RSA algorithms, in our order.
        (&[], &[alg::SHA1, alg::SHA512, alg::SHA384], &[rsa384, rsa512, rsa256], true),
        (&[], &[alg::SHA512, alg::SHA256], &[rsa256, rsa512], true),
        (&[], &[alg::SHA512], &[rsa512, rsa256], true),
        // Both must allow an algorithm.
        (&[alg::RSA_SHA256, alg::RSA_SHA512], &[alg::SHA512], &[rsa512, rsa256], true),
        (&[alg::RSA_SHA512, alg::ECDSA_SHA256], &[], &[rsa512, SignatureAlgorithm::EcdsaSha256, rsa256], true),
        (&[alg::RSA_SHA512], &[alg::SHA256], &[rsa256], false),
        (&[alg::RSA_SHA1], &[], &[rsa256], false),
        (&[], &[alg::SHA1], &[rsa256], false),
        (&["urn:unknown"], &["urn:unknown"], &[rsa256], false),
    ] {
        let owned = |uris: &[&str]| uris.iter().map(|uri| (*uri).to_owned()).collect();
        let declaring = SpMetadata { signing_methods: owned(methods), digest_methods: owned(digests), ..metadata() };
        let sp = view(declaring.clone(), SamlSettings::default());
        assert_eq!(sp.algorithms(), wanted, "{methods:?} {digests:?}");
        let check = sp.check_signing(wanted[0]);
        assert_eq!(check.outcome == Outcome::Passed, met, "{methods:?} {digests:?}: {check:?}");
        assert_eq!(check.id, "sign.possible");

        // Who set an algorithm knows better than the metadata.
        let setting = SamlSettings { signature_algorithm: Some(alg::RSA_SHA256.to_owned()), ..SamlSettings::default() };
        let sp = view(declaring, setting);
        assert_eq!(sp.algorithms(), [rsa256]);
        assert_eq!(sp.check_signing(rsa256).outcome, Outcome::Passed);
    }

    // A declared algorithm without a key of ours is not met either.
    let declaring = SpMetadata { digest_methods: vec![alg::SHA512.to_owned()], ..metadata() };
    let sp = view(declaring, SamlSettings::default());
    let warned = |check: &&Check| check.id == "sign.possible" && check.outcome == Outcome::Warned;
    let response = answer(&sp);
    let check = response.trace.checks.iter().find(warned).unwrap();
    assert!(check.detail.contains("the app declares only algorithms that we do not sign with"), "{check:?}");
    assert_eq!((check.seen.as_deref(), check.remedy.is_some()), (Some(alg::SHA512), true));
    assert!(answer(&self::sp()).trace.checks.iter().find(warned).is_none());
}

#[test]
fn an_algorithm_without_a_key_is_our_fault_and_said() {
    let setting = SamlSettings { signature_algorithm: Some(alg::RSA_SHA512.to_owned()), ..SamlSettings::default() };
    let sp = view(metadata(), setting);

    let answer = respond_to(accepted(&sp), &sp).unwrap_err();
    assert_eq!(answer.refusal().check().unwrap().id, "sign.possible");
    assert_eq!(answer.denial().code, status::RESPONDER);
}

// clause: IIP-IDP09, SDP-IDP11
#[test]
fn an_encrypted_assertion_opens_with_the_key_of_the_sp_and_is_signed_inside() {
    let (metadata, private) = encrypting_metadata();
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        let sp = view(metadata.clone(), settings(sign, Encrypt::WhenPossible));
        let response = answer(&sp);

        assert!(tree(&response.xml).child(ns::SAML, "Assertion").is_none());
        assert!(!String::from_utf8_lossy(&response.xml).contains("ada@example.com"));
        assert_eq!(complaints(&response, &sp, Some("_r1")), Vec::<String>::new(), "{sign:?}");
        let name = format!("encrypted-{sign:?}");
        valid_by_schema(&name, &response.xml);
        let Some(opened) = opened_by_xmlsec1(&name, &response.xml, &private) else { return };
        let plain = String::from_utf8(response.plain.clone().unwrap()).unwrap();
        let root = tree(opened.as_bytes());
        let inside = root.child(ns::SAML, "EncryptedAssertion").and_then(|wrapper| wrapper.child(ns::SAML, "Assertion"));
        assert_eq!(inside.map(serialize), Some(plain.clone()), "the tool opens the very assertion");
        valid_by_schema(&name, plain.as_bytes());
        if sign != Sign::Response {
            verified_by_xmlsec1(&name, plain.as_bytes(), "Assertion", idp_key());
        }
        if sign != Sign::Assertion {
            verified_by_xmlsec1(&name, &response.xml, "Response", idp_key());
        }
    }
}

/// Lets the `xmlsec1` tool decrypt.
fn opened_by_xmlsec1(name: &str, xml: &[u8], private: &[u8]) -> Option<String> {
    if !has("xmlsec1") {
        return None;
    }
    let directory = directory(name);
    let (file, key) = (directory.join("response.xml"), directory.join("sp.key"));
    fs::write(&file, xml).unwrap();
    fs::write(&key, private).unwrap();
    let result = Command::new("xmlsec1").args(["--decrypt", "--privkey-pem"]).args([&key, &file]).output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    fs::remove_dir_all(directory).unwrap();
    Some(String::from_utf8(result.stdout).unwrap())
}

#[test]
fn encryption_follows_the_setting_and_what_the_sp_can_do() {
    let (able, _) = encrypting_metadata();
    let encrypted = |metadata: &SpMetadata, encrypt: Encrypt| {
        let sp = view(metadata.clone(), settings(Sign::Assertion, encrypt));
        respond_to(accepted(&sp), &sp)
            .map(|response| response.plain.is_some())
            .map_err(|answer| answer.refusal().check().unwrap().id.to_string())
    };

    assert_eq!(encrypted(&able, Encrypt::Never), Ok(false));
    assert_eq!(encrypted(&able, Encrypt::WhenPossible), Ok(true));
    assert_eq!(encrypted(&able, Encrypt::Always), Ok(true));
    assert_eq!(encrypted(&metadata(), Encrypt::WhenPossible), Ok(false));
    assert_eq!(encrypted(&metadata(), Encrypt::Always), Err("encrypt.possible".to_owned()));

    let mut only_cbc = able;
    let cbc = EncryptionMethod { algorithm: alg::AES128_CBC.to_owned(), digest: None, mgf: None };
    only_cbc.keys.last_mut().unwrap().encryption_methods = vec![cbc];
    assert_eq!(encrypted(&only_cbc, Encrypt::WhenPossible), Ok(false));
    assert_eq!(encrypted(&only_cbc, Encrypt::Always), Err("encrypt.possible".to_owned()));
}

#[test]
fn a_name_id_alone_may_be_encrypted() {
    let (metadata, private) = encrypting_metadata();
    let sp = view(metadata, SamlSettings { encrypt_name_id: true, ..settings(Sign::Both, Encrypt::Never) });
    let response = answer(&sp);

    assert!(!String::from_utf8_lossy(&response.xml).contains("k5v2"));
    assert_eq!(complaints(&response, &sp, Some("_r1")), Vec::<String>::new());
    valid_by_schema("encrypted-id", &response.xml);
    verified_by_xmlsec1("encrypted-id", &response.xml, "Assertion", idp_key());
    verified_by_xmlsec1("encrypted-id", &response.xml, "Response", idp_key());
    if let Some(opened) = opened_by_xmlsec1("encrypted-id", &response.xml, &private) {
        assert!(opened.contains("k5v2"));
    }
}

#[test]
fn an_encrypted_name_id_is_one_inside_of_an_encrypted_assertion_too() {
    let (metadata, private) = encrypting_metadata();
    let keys = idp_keys();
    let (name_id, attributes) = (persistent(), attributes());
    let idp = Idp { entity_id: IDP, keys: &keys };
    // By the setting, whoever begins; by the request, whatever the setting.
    for (by_setting, by_request, begun_here, encrypt) in [
        (true, false, false, Encrypt::WhenPossible),
        (true, false, true, Encrypt::Always),
        (false, true, false, Encrypt::WhenPossible),
        (false, false, false, Encrypt::WhenPossible),
    ] {
        let sp = view(metadata.clone(), SamlSettings { encrypt_name_id: by_setting, ..settings(Sign::Both, encrypt) });
        let children = if by_request { format!("<samlp:NameIDPolicy Format='{}'/>", name_id::ENCRYPTED) } else { String::new() };
        let mut accepted = if begun_here {
            accept_unsolicited(&sp, None, Trace::default()).unwrap()
        } else {
            let received = post::read_document::<AuthnRequest>(request("", &children).as_bytes(), None).unwrap();
            accept(verify(received, sp.verification_keys(), &sp.verify_policy()).ok().unwrap(), &sp, &endpoint(), now()).unwrap()
        };
        let plan = accepted.decide_name_id(&sp).unwrap();
        assert_eq!((plan.encrypt, plan.format.as_str()), (by_request, name_id::PERSISTENT));
        let facts = AssertionFacts { encrypt_name_id: plan.encrypt, ..facts(Some(&name_id), &attributes) };
        let response = respond(accepted, &facts, &sp, &idp, now(), &mut Random::system()).unwrap();

        assert_eq!(complaints(&response, &sp, (!begun_here).then_some("_r1")), Vec::<String>::new());
        let plain = response.plain.clone().unwrap();
        let subject = tree(&plain).child(ns::SAML, "Subject").unwrap().clone();
        let twice = by_setting || by_request;
        assert_eq!((subject.child(ns::SAML, "EncryptedID").is_some(), subject.child(ns::SAML, "NameID").is_some()), (twice, !twice));
        assert_eq!(String::from_utf8_lossy(&plain).contains("k5v2"), !twice);
        let name = format!("encrypted-twice-{by_setting}-{by_request}-{begun_here}");
        valid_by_schema(&name, &response.xml);
        valid_by_schema(&name, &plain);
        verified_by_xmlsec1(&name, &plain, "Assertion", idp_key());
        verified_by_xmlsec1(&name, &response.xml, "Response", idp_key());
        // Once for the assertion, once for what is inside.
        let Some(opened) = opened_by_xmlsec1(&name, &response.xml, &private) else { continue };
        let inside =
            tree(opened.as_bytes()).child(ns::SAML, "EncryptedAssertion").and_then(|e| e.child(ns::SAML, "Assertion")).map(serialize);
        assert_eq!(inside.as_deref().map(str::as_bytes), Some(plain.as_slice()));
        if twice {
            assert!(opened_by_xmlsec1(&name, opened.as_bytes(), &private).unwrap().contains("k5v2"));
        }
    }
}

#[test]
fn a_sign_on_of_our_own_is_in_response_to_nothing() {
    let sp = sp();
    let response = respond_to(accept_unsolicited(&sp, Some("/start".to_owned()), Trace::default()).unwrap(), &sp).unwrap();

    assert!(!String::from_utf8_lossy(&response.xml).contains("InResponseTo"));
    assert_eq!(response.relay_state.as_deref(), Some("/start"));
    assert_eq!(complaints(&response, &sp, None), Vec::<String>::new());
    valid_by_schema("unsolicited", &response.xml);
}

// clause: IIP-IDP11
#[test]
fn a_subject_may_have_no_name_and_there_may_be_no_attributes() {
    let (sp, keys) = (sp(), idp_keys());
    let idp = Idp { entity_id: IDP, keys: &keys };
    let response = respond(accepted(&sp), &facts(None, &[]), &sp, &idp, now(), &mut Random::system()).unwrap();

    let text = String::from_utf8_lossy(&response.xml);
    assert!(!text.contains("NameID") && !text.contains("AttributeStatement"));
    valid_by_schema("nameless", &response.xml);
}

// clause: IIP-IDP05
#[test]
fn an_error_is_a_status_with_the_rule_in_words() {
    for (sign, signed) in [(Sign::Assertion, false), (Sign::Both, true)] {
        let sp = view(metadata(), settings(sign, Encrypt::WhenPossible));
        let keys = idp_keys();
        let idp = Idp { entity_id: IDP, keys: &keys };
        let response = respond_error(accepted(&sp).deny(Denial::no_passive()), &sp, &idp, now(), &mut Random::system());

        let root = tree(&response.xml);
        assert!(root.child(ns::SAML, "Assertion").is_none() && response.assertion_id.is_none());
        assert_eq!(root.attribute("InResponseTo"), Some("_r1"));
        let status = root.child(ns::SAMLP, "Status").unwrap();
        let code = status.child(ns::SAMLP, "StatusCode").unwrap();
        assert_eq!(code.attribute("Value"), Some(status::RESPONDER));
        assert_eq!(code.child(ns::SAMLP, "StatusCode").unwrap().attribute("Value"), Some(status::NO_PASSIVE));
        assert!(status.child(ns::SAMLP, "StatusMessage").unwrap().text().contains("passive"));
        assert_eq!(root.child(ns::DS, "Signature").is_some(), signed);
        assert_eq!(response.relay_state.as_deref(), Some("state & more"));
        valid_by_schema(&format!("error-{sign:?}"), &response.xml);
    }
}

#[test]
fn a_rejected_request_is_answered_where_it_may_be() {
    let sp = sp();
    let received = post::read_document::<AuthnRequest>(request("AssertionConsumerServiceIndex='2'", "").as_bytes(), None).unwrap();
    let verified = verify(received, sp.verification_keys(), &sp.verify_policy()).ok().unwrap();
    let Err(Rejected::Answer(answer)) = accept(verified, &sp, &endpoint(), now()) else { panic!("not answered") };
    let keys = idp_keys();

    let response = respond_error(answer, &sp, &Idp { entity_id: IDP, keys: &keys }, now(), &mut Random::system());
    assert_eq!(response.acs.as_str(), ACS);
    assert!(String::from_utf8_lossy(&response.xml).contains(status::UNSUPPORTED_BINDING));
}

/// Not a gate: prints what an answer costs beside the raw signature (`cargo test --release -- --ignored --nocapture cost`).
#[test]
#[ignore = "measures"]
fn the_cost_of_an_answer_beside_its_signature() {
    let (sp, keys, name_id) = (sp(), idp_keys(), persistent());
    let attributes: Vec<ReleasedAttribute> = attributes().into_iter().cycle().take(12).collect();
    let idp = Idp { entity_id: IDP, keys: &keys };
    let template = accepted(&sp);
    let mut random = Random::system();
    let xml = request("", "");
    // Medians of interleaved rounds: other work on the machine hits all three alike.
    let (mut whole, mut raw, mut judged) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2_000 {
        let template = template.clone();
        let begun = std::time::Instant::now();
        respond(template, &facts(Some(&name_id), &attributes), &sp, &idp, now(), &mut random).unwrap();
        whole.push(begun.elapsed());
        let begun = std::time::Instant::now();
        crate::saml::xml::signature::sign::sign_raw(idp_key(), &[7; 900]).unwrap();
        raw.push(begun.elapsed());
        let begun = std::time::Instant::now();
        let received = post::read_document::<AuthnRequest>(xml.as_bytes(), None).unwrap();
        let verified = verify(received, sp.verification_keys(), &sp.verify_policy()).ok().unwrap();
        accept(verified, &sp, &endpoint(), now()).unwrap();
        judged.push(begun.elapsed());
    }
    let [whole, raw, judged] = [whole, raw, judged].map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    println!("answer {whole:?}, raw signature {raw:?}, beyond it {:?}; reading and judging {judged:?}", whole.saturating_sub(raw));
}
