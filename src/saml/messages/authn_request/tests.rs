use super::*;
use crate::saml::fixtures::request;
use crate::saml::xml::reader::{Limits, parse};

fn read(xml: &str) -> Result<AuthnRequest, MessageError> {
    AuthnRequest::read(&parse(xml.as_bytes(), &Limits::MESSAGE).unwrap())
}

fn with(attributes: &str, children: &str) -> Result<AuthnRequest, MessageError> {
    read(&request(attributes, children))
}

fn schema_error(result: Result<AuthnRequest, MessageError>) -> String {
    match result {
        Err(MessageError::Schema { what, .. }) => what,
        other => panic!("no schema error: {other:?}"),
    }
}

#[test]
fn everything_that_the_schema_knows_is_read() {
    let got = with(
        "ForceAuthn='1' IsPassive='false' AssertionConsumerServiceURL=' https://sp.example.org/acs ' ProviderName='Reports' \
         ProtocolBinding='urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST' AttributeConsumingServiceIndex='7' Consent='urn:c'",
        "<samlp:Extensions><x:hint xmlns:x='urn:x'>y</x:hint></samlp:Extensions>
         <saml:Subject><saml:NameID Format='urn:f' SPNameQualifier='q'> ada </saml:NameID></saml:Subject>
         <samlp:NameIDPolicy Format='urn:oasis:names:tc:SAML:2.0:nameid-format:transient' AllowCreate='true'>
         </samlp:NameIDPolicy>
         <saml:Conditions NotOnOrAfter='2030-01-01T00:00:00Z'/>
         <samlp:RequestedAuthnContext Comparison='minimum'><saml:AuthnContextClassRef>
           urn:a </saml:AuthnContextClassRef><saml:AuthnContextClassRef>urn:b</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>
         <samlp:Scoping ProxyCount='0'><samlp:IDPList><samlp:IDPEntry ProviderID='urn:idp'/></samlp:IDPList>
           <samlp:RequesterID>urn:r</samlp:RequesterID></samlp:Scoping>",
    )
    .unwrap();

    assert_eq!(got.id, "_r1");
    assert!(got.force_authn && !got.is_passive && got.has_conditions && got.issue_instant_is_utc);
    assert_eq!(got.acs_url.as_deref(), Some("https://sp.example.org/acs"));
    assert_eq!(got.attribute_consuming_service_index, Some(7));
    assert_eq!(got.extensions, ["hint"]);
    let Some(RequestedIdentifier::NameId(name_id)) = got.subject.unwrap().identifier else { panic!("no NameID") };
    assert_eq!((name_id.value.as_str(), name_id.format.as_str(), name_id.sp_name_qualifier.as_deref()), ("ada", "urn:f", Some("q")));
    assert_eq!(got.name_id_policy.unwrap().allow_create, Some(true));
    let context = got.requested_authn_context.unwrap();
    assert_eq!(context.comparison, Comparison::Minimum);
    assert_eq!(context.references, ContextReferences::Classes(vec!["urn:a".to_owned(), "urn:b".to_owned()]));
    let scoping = got.scoping.unwrap();
    assert_eq!((scoping.proxy_count, scoping.idp_list, scoping.requester_ids.len()), (Some(0), Some(vec!["urn:idp".to_owned()]), 1));
}

#[test]
fn what_is_left_out_has_its_default() {
    let got = with("", "").unwrap();

    assert!(!got.force_authn && !got.is_passive && !got.has_conditions);
    assert!(got.name_id_policy.is_none() && got.requested_authn_context.is_none() && got.scoping.is_none() && got.subject.is_none());
}

#[test]
fn elements_out_of_order_are_named_with_their_line() {
    let error = with("", "\n<samlp:NameIDPolicy/>\n<saml:Subject><saml:NameID>a</saml:NameID></saml:Subject>").unwrap_err();

    assert_eq!(error.to_string(), "line 3: the element Subject is not expected here in AuthnRequest");
}

// clause: IIP-SSO07
#[test]
fn what_the_schema_forbids_is_refused() {
    for (attributes, children, want) in [
        ("", "<saml:Issuer>again</saml:Issuer>", "Issuer is not expected"),
        ("", "<samlp:Response/>", "Response is not expected"),
        ("", "words", "holds text"),
        ("ForceAuthn='yes'", "", "neither true nor false"),
        ("AssertionConsumerServiceIndex='65536'", "", "between 0 and 65535"),
        ("AssertionConsumerServiceIndex='-1'", "", "between 0 and 65535"),
        ("AttributeConsumingServiceIndex=''", "", "between 0 and 65535"),
        ("", "<samlp:NameIDPolicy><samlp:x/></samlp:NameIDPolicy>", "x is not expected here in NameIDPolicy"),
        ("", "<saml:Subject/>", "names nobody"),
        ("", "<saml:Subject><saml:NameID/></saml:Subject>", "NameID is empty"),
        ("", "<saml:Subject><saml:SubjectConfirmation/></saml:Subject>", "has no Method"),
        ("", "<samlp:RequestedAuthnContext/>", "names no context"),
        ("", "<samlp:RequestedAuthnContext Comparison='Exact'/>", "Comparison is"),
        (
            "",
            "<samlp:RequestedAuthnContext><saml:AuthnContextClassRef>a</saml:AuthnContextClassRef>\
             <saml:AuthnContextDeclRef>b</saml:AuthnContextDeclRef></samlp:RequestedAuthnContext>",
            "mixes",
        ),
        ("", "<samlp:Scoping ProxyCount='-1'/>", "ProxyCount"),
        ("", "<samlp:Scoping><samlp:IDPList/></samlp:Scoping>", "names no identity provider"),
        ("", "<samlp:Scoping><samlp:IDPList><samlp:IDPEntry/></samlp:IDPList></samlp:Scoping>", "no ProviderID"),
    ] {
        let got = schema_error(with(attributes, children));
        assert!(got.contains(want), "{attributes}{children}: {got}");
    }
}

#[test]
fn another_message_is_named() {
    for (xml, want) in [
        ("<samlp:Response xmlns:samlp='urn:oasis:names:tc:SAML:2.0:protocol'/>", "a SAML 2.0 Response"),
        (
            "<samlp:AuthnRequest xmlns:samlp='urn:oasis:names:tc:SAML:3.0:protocol'/>",
            "in the namespace urn:oasis:names:tc:SAML:3.0:protocol",
        ),
        ("<AuthnRequest/>", "in no namespace"),
    ] {
        let error = read(xml).unwrap_err();
        assert!(matches!(error, MessageError::NotThisMessage { .. }));
        assert!(error.to_string().contains(want), "{error}");
    }
}

#[test]
fn an_id_must_be_an_xml_name_since_it_is_sent_back_as_one() {
    for id in ["", "1a", "a b", "a:b", "-a", "a\"b", &"a".repeat(1_025)] {
        let xml = request("", "").replace("ID=\"_r1\"", &format!("ID='{}'", id.replace('"', "&quot;")));
        assert!(matches!(read(&xml), Err(MessageError::Id { .. })), "{id}");
    }
    let missing = request("", "").replace("ID=\"_r1\"", "");
    assert!(matches!(read(&missing), Err(MessageError::Id { .. })));
    assert!(read(&request("", "").replace("\"_r1\"", "\"_é.1-x\"")).is_ok());
}

#[test]
fn a_request_needs_a_version_and_an_instant() {
    for gone in ["Version=\"2.0\"", "IssueInstant=\"2026-11-24T20:46:59Z\""] {
        schema_error(read(&request("", "").replace(gone, "")));
    }
    schema_error(read(&request("", "").replace("2026-11-24T20:46:59Z", "yesterday")));
}
