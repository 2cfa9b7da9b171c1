use super::*;
use crate::model::app::SamlSettings;
use crate::model::check::Outcome;
use crate::saml::bindings::{post, redirect, verify};
use crate::saml::fixtures::{ACS, IDP, SSO, endpoint, metadata, now, query, request, signed_query, signed_request, sp, sp_key, view};
use crate::saml::names::{name_id, status};

fn verified(xml: &[u8], sp: &SpView) -> Verified<AuthnRequest> {
    let received = post::read_document::<AuthnRequest>(xml, Some("state".to_owned())).unwrap();
    verify(received, sp.verification_keys(), &sp.verify_policy()).ok().unwrap()
}

fn judge_with(xml: &str, sp: &SpView) -> Result<Accepted, Rejected> {
    accept(verified(xml.as_bytes(), sp), sp, &endpoint(), now())
}

fn judge(attributes: &str, children: &str) -> Result<Accepted, Rejected> {
    judge_with(&request(attributes, children), &sp())
}

fn answered(result: Result<Accepted, Rejected>) -> ErrorAnswer {
    match result {
        Err(Rejected::Answer(answer)) => answer,
        other => panic!("not an answer: {other:?}"),
    }
}

fn page(result: Result<Accepted, Rejected>) -> Refusal {
    match result {
        Err(Rejected::Page(refusal)) => refusal,
        other => panic!("not a page: {other:?}"),
    }
}

// clause: IIP-SSO01, SDP-IDP01
#[test]
fn a_good_request_is_accepted_with_all_its_checks_in_order() {
    let mut accepted = judge("ForceAuthn='true'", "").unwrap();
    let name_id = accepted.decide_name_id(&sp()).unwrap();
    accepted.decide_context(&ContextTable::default(), &[]).unwrap();

    assert_eq!(accepted.acs().as_str(), ACS);
    assert_eq!(accepted.relay_state(), Some("state"));
    assert!(accepted.force_authn() && !accepted.is_passive());
    assert_eq!(name_id.format, name_id::PERSISTENT);
    let ids: Vec<&str> = accepted.trace().checks.iter().map(|check| check.id.as_ref()).collect();
    assert_eq!(
        ids,
        [
            "xml.safe",
            "message.type",
            "issuer.present",
            "signature.present",
            "xml.schema",
            "message.version",
            "message.id",
            "issue_instant.fresh",
            "destination.ours",
            "acs.registered",
            "nameid.policy",
            "authn_context.satisfiable",
        ]
    );
    assert!(accepted.trace().checks.iter().all(|check| check.outcome == Outcome::Passed));
}

#[test]
fn another_version_is_answered_as_such() {
    let answer = answered(judge_with(&request("", "").replace("Version=\"2.0\"", "Version=\"1.1\""), &sp()));

    assert_eq!(answer.denial().code, status::VERSION_MISMATCH);
    assert_eq!(answer.in_response_to.as_deref(), Some("_r1"));
    assert_eq!(answer.refusal().check().unwrap().id, "message.version");
}

#[test]
fn a_request_is_fresh_for_three_minutes_either_way() {
    for (instant, fresh) in [
        ("2026-11-24T20:44:00Z", true),
        ("2026-11-24T20:43:59.999Z", false),
        ("2026-11-24T20:50:00Z", true),
        ("2026-11-24T20:50:00.001Z", false),
        ("2006-11-24T20:47:00Z", false),
        ("2026-11-24T21:47:00+01:00", true),
    ] {
        let result = judge_with(&request("", "").replace("2026-11-24T20:46:59Z", instant), &sp());
        if fresh {
            result.unwrap();
        } else {
            let answer = answered(result);
            assert_eq!(answer.refusal().check().unwrap().id, "issue_instant.fresh", "{instant}");
            assert_eq!(answer.refusal().class, RefusalClass::Expired);
        }
    }
}

#[test]
fn a_message_for_somebody_else_is_not_answered() {
    for (destination, sentence) in [
        ("https://other.example.com/saml/sso", "another address"),
        ("https://id.example.com/saml/sso/", "another address"),
        ("http://id.example.com/saml/sso", "another address"),
    ] {
        let refusal = page(judge_with(&request("", "").replace(SSO, destination), &sp()));
        let check = refusal.check().unwrap();
        assert_eq!(check.id, "destination.ours");
        assert!(check.detail.contains(sentence) && check.difference.is_some());
    }
}

#[test]
fn a_destination_may_be_missing_only_where_nothing_is_signed() {
    let destination = format!("Destination=\"{SSO}\"");
    judge_with(&request("", "").replace(&destination, ""), &sp()).unwrap();

    let verified = verified(&signed_request(sp_key(), None), &sp());
    let refusal = page(accept(verified, &sp(), &endpoint(), now()));
    assert_eq!(refusal.check().unwrap().id, "destination.ours");

    let bare = request("", "").replace(&destination, "");
    let received = redirect::decode::<AuthnRequest>(&signed_query(bare.as_bytes(), None, sp_key())).unwrap();
    let verified = verify(received, sp().verification_keys(), &sp().verify_policy()).ok().unwrap();
    assert_eq!(page(accept(verified, &sp(), &endpoint(), now())).check().unwrap().id, "destination.ours");
}

#[test]
fn a_destination_that_is_no_address_never_fits() {
    let nameless = Endpoint { urls: vec!["idp.nl/sso".to_owned()], ..endpoint() };
    let verified = verified(request("", "").replace(SSO, "idp.nl/sso").as_bytes(), &sp());

    assert_eq!(page(accept(verified, &sp(), &nameless, now())).check().unwrap().id, "destination.ours");
}

#[test]
fn an_address_that_is_not_registered_is_never_answered_signed_or_not() {
    let evil = "AssertionConsumerServiceURL='https://evil.example/acs'";
    assert_eq!(page(judge(evil, "")).check().unwrap().id, "acs.registered");

    let received = redirect::decode::<AuthnRequest>(&signed_query(request(evil, "").as_bytes(), None, sp_key())).unwrap();
    let verified = verify(received, sp().verification_keys(), &sp().verify_policy()).ok().unwrap();
    assert!(verified.signed().is_some());
    assert_eq!(page(accept(verified, &sp(), &endpoint(), now())).check().unwrap().id, "acs.registered");
}

// clause: IIP-IDP05
#[test]
fn what_has_a_trusted_place_to_go_is_answered_by_a_status() {
    let both = format!("AssertionConsumerServiceURL='{ACS}' AssertionConsumerServiceIndex='1'");
    let confirmation = "<saml:Subject><saml:SubjectConfirmation Method='urn:oasis:names:tc:SAML:2.0:cm:holder-of-key'/></saml:Subject>";
    for (attributes, children, second) in [
        ("AssertionConsumerServiceIndex='2'", "", status::UNSUPPORTED_BINDING),
        ("AssertionConsumerServiceIndex='77'", "", status::REQUEST_DENIED),
        (&both, "", status::REQUEST_DENIED),
        ("", "<saml:Subject><saml:EncryptedID/></saml:Subject>", status::REQUEST_UNSUPPORTED),
        ("", confirmation, status::REQUEST_UNSUPPORTED),
        (
            "",
            "<samlp:Scoping><samlp:IDPList><samlp:IDPEntry ProviderID='urn:other'/></samlp:IDPList></samlp:Scoping>",
            status::NO_SUPPORTED_IDP,
        ),
    ] {
        let answer = answered(judge(attributes, children));
        assert_eq!(answer.denial().second, Some(second), "{attributes}{children}");
        assert_eq!(answer.acs().as_str(), ACS);
        assert_eq!(answer.relay_state.as_deref(), Some("state"));
    }
}

#[test]
fn what_depends_on_the_person_is_decided_later_and_answered_by_a_status() {
    let mfa = "<samlp:RequestedAuthnContext><saml:AuthnContextClassRef>urn:mfa</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>";
    let mut accepted = judge("", &format!("<samlp:NameIDPolicy SPNameQualifier='urn:other'/>{mfa}")).unwrap();

    let denial = accepted.decide_context(&ContextTable::default(), &["urn:password"]).unwrap_err();
    assert_eq!(denial.second, Some(status::NO_AUTHN_CONTEXT));
    let denial = accepted.decide_name_id(&sp()).unwrap_err();
    let answer = accepted.deny(*denial);
    assert_eq!(answer.denial().second, Some(status::INVALID_NAME_ID_POLICY));
    assert_eq!(answer.refusal().check().unwrap().id, "nameid.spqualifier");

    let mut accepted = judge("", "<saml:Subject><saml:NameID>ada</saml:NameID></saml:Subject>").unwrap();
    assert_eq!(accepted.check_subject(None).unwrap_err().second, Some(status::UNKNOWN_PRINCIPAL));
}

#[test]
fn a_subject_that_is_named_by_another_format_than_the_default_can_be_matched() {
    let subject = format!("<saml:Subject><saml:NameID Format='{}'>ada@example.com</saml:NameID></saml:Subject>", name_id::EMAIL);
    let mut accepted = judge("", &subject).unwrap();

    let plan = accepted.decide_name_id(&sp()).unwrap();
    let issued = |value: &str| NameId {
        value: value.to_owned(),
        format: plan.format.clone(),
        name_qualifier: None,
        sp_name_qualifier: plan.sp_name_qualifier.clone(),
    };
    accepted.check_subject(Some(&issued("ada@example.com"))).unwrap();
    assert_eq!(accepted.check_subject(Some(&issued("bob@example.com"))).unwrap_err().second, Some(status::UNKNOWN_PRINCIPAL));
}

#[test]
fn several_problems_show_at_once_and_the_first_is_told() {
    let xml = request("AssertionConsumerServiceIndex='2'", "<saml:Subject><saml:BaseID/></saml:Subject>")
        .replace("Version=\"2.0\"", "Version=\"3.0\"");

    let answer = answered(judge_with(&xml, &sp()));
    let failed: Vec<&str> =
        answer.refusal().trace.checks.iter().filter(|check| check.outcome == Outcome::Failed).map(|check| check.id.as_ref()).collect();
    assert_eq!(failed, ["message.version", "acs.binding", "subject.matches"]);
    assert_eq!(answer.denial().code, status::VERSION_MISMATCH);
}

#[test]
fn every_failed_check_says_what_to_do() {
    for (attributes, children) in [
        ("AssertionConsumerServiceURL='https://evil.example/'", ""),
        ("AssertionConsumerServiceURL='https://evil.example/' AssertionConsumerServiceIndex='1'", ""),
        ("AssertionConsumerServiceIndex='77'", ""),
        ("ProtocolBinding='urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect'", ""),
        ("", "<saml:Subject><saml:EncryptedID/></saml:Subject>"),
    ] {
        let rejected = judge(attributes, children).unwrap_err();
        assert!(rejected.refusal().remedy().is_some_and(|remedy| !remedy.is_empty()), "{attributes}{children}");
    }
}

#[test]
fn scoping_that_names_us_or_no_one_is_fine() {
    let ours = format!("<samlp:Scoping ProxyCount='0'><samlp:IDPList><samlp:IDPEntry ProviderID='{IDP}'/></samlp:IDPList></samlp:Scoping>");

    judge("", &ours).unwrap();
    judge("", "<samlp:Scoping ProxyCount='0'><samlp:RequesterID>urn:r</samlp:RequesterID></samlp:Scoping>").unwrap();
}

// clause: IIP-IDP04
#[test]
fn the_attribute_service_is_the_one_asked_for_else_the_default() {
    let service = |index: u16, is_default: Option<bool>| AttributeConsumingService {
        index: Some(index),
        is_default,
        names: Vec::new(),
        requested: Vec::new(),
    };
    let mut metadata = metadata();
    metadata.attribute_services = vec![service(1, None), service(2, Some(true))];
    let sp = view(metadata, SamlSettings::default());
    let index = |attributes: &str| judge_with(&request(attributes, ""), &sp).unwrap().attribute_service().and_then(|service| service.index);

    assert_eq!(index("AttributeConsumingServiceIndex='1'"), Some(1));
    assert_eq!(index(""), Some(2));
    let accepted = judge_with(&request("AttributeConsumingServiceIndex='9'", ""), &sp).unwrap();
    assert_eq!(accepted.attribute_service().and_then(|service| service.index), Some(2));
    assert!(accepted.trace().checks.iter().any(|check| check.id == "acs_attribute_index" && check.outcome == Outcome::Warned));
}

#[test]
fn a_certificate_that_ran_out_is_only_said() {
    let later = now() + Span::days(20_000);
    let xml = request("", "").replace("2026-11-24T20:46:59Z", &later.to_rfc3339());
    let received = redirect::decode::<AuthnRequest>(&signed_query(xml.as_bytes(), None, sp_key())).unwrap();
    let verified = verify(received, sp().verification_keys(), &sp().verify_policy()).ok().unwrap();

    let accepted = accept(verified, &sp(), &endpoint(), later).unwrap();
    assert!(accepted.trace().checks.iter().any(|check| check.id == "key.sp.expired" && check.outcome == Outcome::Warned));
}

#[test]
fn the_same_bytes_have_the_same_fingerprint_and_others_another() {
    let of = |query: &str| {
        let received = redirect::decode::<AuthnRequest>(query).unwrap();
        *verify(received, &[], &sp().verify_policy()).ok().unwrap().fingerprint()
    };
    let xml = request("", "");

    assert_eq!(of(&query(xml.as_bytes(), Some("a"))), of(&query(xml.as_bytes(), Some("a"))));
    assert_ne!(of(&query(xml.as_bytes(), Some("a"))), of(&query(xml.as_bytes(), Some("b"))));
    assert_ne!(of(&query(xml.as_bytes(), Some("a"))), of(&query(request("IsPassive='true'", "").as_bytes(), Some("a"))));
}

#[test]
fn a_denied_request_keeps_its_trace() {
    let answer = judge("IsPassive='true'", "").unwrap().deny(Denial::no_passive());

    assert_eq!(answer.denial().second, Some(status::NO_PASSIVE));
    assert_eq!(answer.refusal().check().unwrap().id, "passive.possible");
    assert!(answer.refusal().trace.checks.len() > 5);
}

#[test]
fn a_sign_on_of_our_own_goes_to_the_default_address() {
    let accepted = accept_unsolicited(&sp(), Some("/reports".to_owned()), Trace::default()).unwrap();
    assert_eq!((accepted.acs().as_str(), accepted.relay_state()), (ACS, Some("/reports")));
    assert!(accepted.request().is_none() && !accepted.force_authn());

    let mut nowhere = metadata();
    nowhere.acs.drain(..2);
    let refusal = accept_unsolicited(&view(nowhere, SamlSettings::default()), None, Trace::default()).unwrap_err();
    assert_eq!(refusal.check().unwrap().id, "acs.binding");
}
