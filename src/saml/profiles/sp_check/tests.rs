use super::*;
use crate::crypto::random::Random;
use crate::model::app::{SamlSettings, Sign};
use crate::model::check::Outcome;
use crate::model::session::NameId;
use crate::model::time::Span;
use crate::saml::bindings::{post, verify as verify_message};
use crate::saml::fixtures::{ACS, IDP, SP, endpoint, idp_key, idp_keys, metadata, now, request, strange_key, view};
use crate::saml::messages::authn_request::AuthnRequest;
use crate::saml::names::name_id;
use crate::saml::profiles::respond::{AssertionFacts, Idp, respond};
use crate::saml::profiles::web_sso::accept;

fn answer(sign: Sign) -> String {
    let sp = view(metadata(), SamlSettings { sign, ..SamlSettings::default() });
    let received = post::read_document::<AuthnRequest>(request("", "").as_bytes(), None).unwrap();
    let verified = verify_message(received, &[], &sp.verify_policy()).ok().unwrap();
    let accepted = accept(verified, &sp, &endpoint(), now()).unwrap();
    let name_id = NameId { value: "ada".to_owned(), format: name_id::TRANSIENT.to_owned(), name_qualifier: None, sp_name_qualifier: None };
    let facts = AssertionFacts {
        name_id: Some(&name_id),
        encrypt_name_id: false,
        attributes: &[],
        session_index: "_s1",
        authn_instant: now(),
        class: "urn:class",
        session_not_on_or_after: now() + Span::hours(1),
    };
    let keys = idp_keys();
    let response = respond(accepted, &facts, &sp, &Idp { entity_id: IDP, keys: &keys }, now(), &mut Random::system()).unwrap();
    String::from_utf8(response.xml).unwrap()
}

fn key(of: &crate::saml::xml::signature::sign::SigningKey) -> Vec<VerificationKey> {
    vec![VerificationKey::new(crate::crypto::x509::read_der(of.certificate()).unwrap().key)]
}

fn expect(keys: &[VerificationKey]) -> Expectations<'_> {
    Expectations {
        idp: IDP,
        keys,
        sp: SP,
        acs: ACS,
        in_response_to: Some("_r1"),
        wants_assertion_signed: false,
        name_id_format: None,
        now: now(),
    }
}

fn complaints(xml: &str, expect: &Expectations<'_>) -> Vec<String> {
    let trace = check_response(xml.as_bytes(), None, expect);
    trace.checks.into_iter().filter(|check| check.outcome != Outcome::Passed).map(|check| check.id.to_string()).collect()
}

#[test]
fn our_own_answer_is_fine_and_any_change_is_not() {
    let keys = key(idp_key());
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        let xml = answer(sign);
        assert_eq!(complaints(&xml, &expect(&keys)), Vec::<String>::new(), "{sign:?}");
        assert_eq!(complaints(&xml.replace(">ada<", ">eve<"), &expect(&keys)), ["outbound.signature"], "{sign:?}");
    }
    let xml = answer(Sign::Both);
    assert_eq!(
        complaints(&xml.replace("InResponseTo=\"_r1\" IssueInstant", "IssueInstant"), &expect(&keys)),
        ["outbound.in_response_to", "outbound.signature"]
    );
}

#[test]
fn each_expectation_has_its_check() {
    let (keys, others) = (key(idp_key()), key(strange_key()));
    let xml = answer(Sign::Assertion);
    let good = expect(&keys);
    let later = Span::minutes(6);

    for (expect, rules) in [
        (Expectations { idp: "urn:other", ..good }, vec!["outbound.issuer", "outbound.issuer"]),
        (Expectations { keys: &others, ..good }, vec!["outbound.signature"]),
        (Expectations { keys: &[], ..good }, vec!["outbound.signature"]),
        (Expectations { sp: "urn:other", ..good }, vec!["outbound.conditions"]),
        (Expectations { acs: "https://other.example", ..good }, vec!["outbound.destination", "outbound.recipient"]),
        (Expectations { in_response_to: Some("_r2"), ..good }, vec!["outbound.in_response_to", "outbound.in_response_to"]),
        (Expectations { in_response_to: None, ..good }, vec!["outbound.in_response_to", "outbound.in_response_to"]),
        (Expectations { now: now() + later, ..good }, vec!["outbound.recipient", "outbound.conditions"]),
        (
            Expectations { now: now() + Span::hours(2), ..good },
            vec!["outbound.recipient", "outbound.conditions", "outbound.authn_statement"],
        ),
        (Expectations { now: now() - Span::minutes(2), ..good }, vec!["outbound.conditions", "outbound.authn_statement"]),
        (Expectations { name_id_format: Some(name_id::EMAIL), ..good }, vec!["outbound.subject"]),
    ] {
        assert_eq!(complaints(&xml, &expect), rules);
    }
    let wants = Expectations { wants_assertion_signed: true, ..good };
    assert_eq!(complaints(&answer(Sign::Response), &wants), ["outbound.signature"]);
}

#[test]
fn what_is_no_success_with_one_assertion_is_said() {
    let keys = key(idp_key());
    let xml = answer(Sign::Assertion);
    let (before, rest) = xml.split_once("<saml:Assertion").unwrap();
    let without = format!("{before}</samlp:Response>");
    let twice = format!("{before}<saml:Assertion{}", rest.replace("</samlp:Response>", &format!("<saml:Assertion{rest}")));

    assert_eq!(complaints(&without, &expect(&keys)), ["outbound.status"]);
    assert_eq!(complaints(&twice, &expect(&keys)), ["outbound.status"]);
    assert_eq!(complaints("<a/>", &expect(&keys)), ["outbound.status"]);
    assert_eq!(complaints("<a", &expect(&keys)), ["outbound.status"]);
    assert_eq!(complaints(&xml.replace("status:Success", "status:Responder"), &expect(&keys)), ["outbound.status"]);
}
