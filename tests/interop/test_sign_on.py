"""Single sign-on with pysaml2 as the service provider, over both storage columns."""

import base64
import time
from urllib.parse import urlencode

import pytest
from harness.browser import Browser
from harness.people import PASSWORD
from harness.sp import POST, REDIRECT, response_xml
from harness.xmltools import (
    NS, assert_schema_valid, assert_signature, decrypt_element, decrypted_response, find, find_all, parse, signing_certificates,
)
from lxml import etree
from saml2.response import StatusError, StatusInvalidNameidPolicy, StatusNoAuthnContext, StatusNoPassive, StatusNoSupportedIdp, StatusUnsupportedBinding

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
CLASS = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
PPT = CLASS + "PasswordProtectedTransport"


@pytest.mark.clause("IIP-SSO01", "IIP-SSO02", "IIP-SSO03", "SDP-IDP02", "SDP-IDP08", "SDP-IDP10")
@pytest.mark.parametrize("binding", [REDIRECT, POST], ids=["redirect", "post"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_a_person_signs_in_by_each_binding(idp, make_sp, browser, sign_on, binding, signed):
    sp = make_sp(idp, authn_requests_signed=signed)
    request = sp.request(binding, signed=signed)

    page = sign_on(browser, request, "alice")

    told = sp.receive(page, request)
    assert told.ava["mail"] == ["alice@example.org"]
    assert told.ava["displayName"] == ["Alice Example"]
    assert told.in_response_to == request.id
    assert len(find_all(parse(response_xml(page)), ".//saml:AuthnStatement")) == 1


def test_the_second_app_asks_for_no_password(idp, make_sp, browser, sign_on):
    first, second = make_sp(idp), make_sp(idp)
    request = first.request()
    first.receive(sign_on(browser, request, "alice"), request)

    for binding in (REDIRECT, POST):
        request = second.request(binding)
        told = second.receive(sign_on(browser, request), request)
        assert told.ava["mail"] == ["alice@example.org"]

    sessions = idp.cli("session", "list", "--user", "alice", "-o", "json")
    joined = [session for session in sessions if first.entity_id in str(session) and second.entity_id in str(session)]
    assert len(joined) == 1, sessions


@pytest.mark.clause("IIP-SSO04", "SDP-IDP09", "IIP-ALG01", "IIP-ALG02")
@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
def test_assertion_and_response_are_signed_as_the_app_asks(idp, make_sp, browser, sign_on, tmp_path, sign):
    wants = {"want_assertions_signed": sign != "response", "want_response_signed": sign != "assertion"}
    sp = make_sp(idp, settings=[f"saml.sign={sign}"], **wants)
    request = sp.request()

    page = sign_on(browser, request, "alice")

    sp.receive(page, request)
    xml, certificates = response_xml(page), signing_certificates(idp.metadata)
    signed = {node.getparent().tag.rpartition("}")[2].lower() for node in parse(xml).iterfind(".//ds:Signature", NS)}
    assert signed == {"assertion", "response"} if sign == "both" else {sign}
    for name in signed:
        xpath = f"//*[local-name()='{name.capitalize()}']/*[local-name()='Signature']"
        assert_signature(xml, certificates, tmp_path, node=xpath)


@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
def test_a_changed_answer_is_noticed(idp, make_sp, browser, sign_on, sign):
    sp = make_sp(idp, settings=[f"saml.sign={sign}"], want_response_signed=sign != "assertion", want_assertions_signed=sign != "response")
    request = sp.request()
    page = sign_on(browser, request, "alice")
    changed = response_xml(page).replace("alice@example.org", "mallory@example.org")
    page.answer.fields["SAMLResponse"] = base64.b64encode(changed.encode()).decode()

    with pytest.raises(Exception, match="(?i)signature"):
        sp.receive(page, request)


@pytest.mark.clause("IIP-IDP09", "IIP-ALG04", "IIP-ALG06", "SDP-IDP11", "SDP-ALG01")
@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
def test_assertions_are_encrypted_for_an_app_that_publishes_a_key(idp, make_sp, browser, sign_on, tmp_path, sign):
    wants = {"want_assertions_signed": sign != "response", "want_response_signed": sign != "assertion"}
    sp = make_sp(idp, settings=[f"saml.sign={sign}"], encryption=True, **wants)
    request = sp.request()

    page = sign_on(browser, request, "alice")

    xml = response_xml(page)
    assert "alice" not in xml
    methods = [method.get("Algorithm") for method in parse(xml).iterfind(".//xenc:EncryptionMethod", NS)]
    assert sorted(methods)[0].startswith("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p") and sorted(methods)[1].endswith("-gcm"), methods
    plain = decrypted_response(xml, sp.keys.key.read_bytes())
    assert_schema_valid(xml)
    assert_schema_valid(plain)
    if sign != "response":
        xpath = "//*[local-name()='Assertion']/*[local-name()='Signature']"
        assert_signature(plain, signing_certificates(idp.metadata), tmp_path, node=xpath)
    told = sp.receive(page, request)
    assert told.ava["mail"] == ["alice@example.org"]


@pytest.mark.clause("IIP-ALG06", "IIP-ALG04", "IIP-MD10")
@pytest.mark.parametrize(
    ("transport", "digest", "mask"),
    [
        ("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", "http://www.w3.org/2000/09/xmldsig#sha1", None),
        ("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", "http://www.w3.org/2001/04/xmlenc#sha256", None),
        ("http://www.w3.org/2009/xmlenc11#rsa-oaep", "http://www.w3.org/2001/04/xmlenc#sha256", None),
        ("http://www.w3.org/2009/xmlenc11#rsa-oaep", "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2009/xmlenc11#mgf1sha256"),
    ],
    ids=["mgf1p-sha1", "mgf1p-sha256", "oaep-sha256", "oaep-sha256-mgf1sha256"],
)
@pytest.mark.parametrize("content", ["aes128-gcm", "aes256-gcm"])
def test_encryption_follows_what_the_metadata_declares(idp, make_sp, browser, sign_on, transport, digest, mask, content):
    sp = make_sp(idp, register=False, encryption=True)
    inner = f'<ds:DigestMethod xmlns:ds="{NS["ds"]}" Algorithm="{digest}"/>'
    inner += f'<e11:MGF xmlns:e11="{NS["xenc11"]}" Algorithm="{mask}"/>' if mask else ""
    declared = f'<md:EncryptionMethod xmlns:md="{NS["md"]}" Algorithm="http://www.w3.org/2009/xmlenc11#{content}"/>'
    declared += f'<md:EncryptionMethod xmlns:md="{NS["md"]}" Algorithm="{transport}">{inner}</md:EncryptionMethod>'
    idp.add_app(with_encryption_methods(sp.metadata, declared))
    request = sp.request()

    page = sign_on(browser, request, "alice")

    encrypted = find(parse(response_xml(page)), "saml:EncryptedAssertion")
    key_method = find(encrypted, ".//xenc:EncryptedKey/xenc:EncryptionMethod")
    assert key_method.get("Algorithm") == transport
    assert find(encrypted, "xenc:EncryptedData/xenc:EncryptionMethod").get("Algorithm") == f"http://www.w3.org/2009/xmlenc11#{content}"
    assert b"alice@example.org" in decrypt_element(encrypted, sp.keys.key.read_bytes())


def with_encryption_methods(metadata, declared):
    """Puts EncryptionMethods into each encryption key of SP metadata, which pysaml2 does not write itself."""
    tree = parse(metadata)
    for key in find_all(tree, ".//md:KeyDescriptor[@use='encryption']"):
        for old in find_all(key, "md:EncryptionMethod"):
            key.remove(old)
        key.extend(parse(f"<all>{declared}</all>"))
    return etree.tostring(tree, encoding="unicode")


@pytest.mark.clause("IIP-ALG02", "IIP-ALG03", "IIP-MD10")
@pytest.mark.parametrize("method", ["rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256"])
def test_signatures_use_an_algorithm_that_the_app_declares(idp, make_sp, browser, sign_on, tmp_path, method):
    uri = f"http://www.w3.org/2001/04/xmldsig-more#{method}"
    sp = make_sp(idp, register=False)
    tree = parse(sp.metadata)
    for declared in [*tree.iterfind(".//alg:SigningMethod", NS), *tree.iterfind(".//alg:DigestMethod", NS)]:
        declared.getparent().remove(declared)
    find(tree, "md:Extensions").append(parse(f'<alg:SigningMethod xmlns:alg="{NS["alg"]}" Algorithm="{uri}"/>'))
    idp.add_app(etree.tostring(tree, encoding="unicode"))
    request = sp.request()

    page = sign_on(browser, request, "alice")

    xml = response_xml(page)
    assert find(parse(xml), ".//ds:SignatureMethod").get("Algorithm") == uri
    assert_signature(xml, signing_certificates(idp.metadata), tmp_path, node="//*[local-name()='Assertion']/*[local-name()='Signature']")
    sp.receive(page, request)


def test_encryption_can_be_switched_off_for_an_app(idp, make_sp, browser, sign_on):
    sp = make_sp(idp, settings=["saml.encrypt=never"], encryption=True)
    request = sp.request()

    page = sign_on(browser, request, "alice")

    assert "EncryptedAssertion" not in response_xml(page)
    sp.receive(page, request)


@pytest.mark.clause("IIP-SSO05", "IIP-IDP10", "IIP-IDP21")
def test_persistent_identifiers_are_stable_and_pairwise(idp, make_sp, sign_on):
    one, two = make_sp(idp), make_sp(idp)

    def name_id(sp, person):
        request = sp.request(nameid_format=PERSISTENT, allow_create="true")
        return sp.receive(sign_on(Browser(), request, person), request).name_id

    first, again, bob, elsewhere = name_id(one, "alice"), name_id(one, "alice"), name_id(one, "bob"), name_id(two, "alice")

    assert first.format == PERSISTENT
    assert first.text == again.text
    assert len({text.lower() for text in (first.text, bob.text, elsewhere.text)}) == 3
    assert "alice" not in first.text
    assert first.text == first.text.lower() or first.text == first.text.upper()


@pytest.mark.clause("IIP-SSO05", "SDP-IDP12")
def test_transient_identifiers_are_new_in_each_session(idp, make_sp, sign_on):
    one, two = make_sp(idp), make_sp(idp)

    def name_id(sp, browser, person=None):
        request = sp.request(nameid_format=TRANSIENT)
        told = sp.receive(sign_on(browser, request, person), request).name_id
        assert told.format == TRANSIENT
        return told.text

    first, second = Browser(), Browser()
    texts = {name_id(one, first, "alice"), name_id(two, first), name_id(one, second, "alice")}

    assert len(texts) == 3


def test_an_app_that_asks_for_email_gets_the_address(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request(nameid_format=EMAIL)

    told = sp.receive(sign_on(browser, request, "alice"), request)

    assert (told.name_id.format, told.name_id.text) == (EMAIL, "alice@example.org")


def test_unspecified_leaves_the_choice_to_us(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request(nameid_format=UNSPECIFIED)

    told = sp.receive(sign_on(browser, request, "alice"), request)

    assert told.name_id.format in (PERSISTENT, UNSPECIFIED) and told.name_id.text


def test_the_formats_of_the_metadata_decide_where_the_request_is_silent(idp, make_sp, browser, sign_on):
    sp = make_sp(idp, name_id_format=[EMAIL, TRANSIENT])
    request = sp.request(name_id_policy=None)

    told = sp.receive(sign_on(browser, request, "alice"), request)

    assert told.name_id.format == EMAIL


def test_a_format_nobody_knows_is_an_invalid_policy(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request(nameid_format="urn:example:nameid-format:shoe-size")

    page = sign_on(browser, request, "alice") if request_is_asked_to_sign_in(sp, browser, request) else sign_on(browser, request)

    with pytest.raises(StatusInvalidNameidPolicy):
        sp.receive(page, request)


def request_is_asked_to_sign_in(sp, browser, request):
    """Whether the refusal comes after the sign-in; both orders are right. A reload goes on with the same request."""
    return request.go(browser).sign_in is not None


@pytest.mark.clause("IIP-IDP06", "SDP-IDP07")
def test_force_authn_asks_again_and_moves_the_instant(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)

    def instant(person=None, **options):
        request = sp.request(**options)
        page = sign_on(browser, request, person)
        sp.receive(page, request)
        return find(parse(response_xml(page)), ".//saml:AuthnStatement").get("AuthnInstant")

    first = instant("alice")
    reused = instant()
    # AuthnInstant may be written to the second.
    time.sleep(1.1)
    forced = instant("alice", force_authn="true")

    assert first == reused
    assert forced > first


def test_force_authn_of_another_person_never_joins_the_two(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)

    request = sp.request(force_authn="true")
    told = sp.receive(sign_on(browser, request, "bob"), request)
    request = sp.request()
    later = sp.receive(sign_on(browser, request), request)

    assert told.ava["mail"] == later.ava["mail"] == ["bob@example.org"]


@pytest.mark.clause("IIP-IDP05", "IIP-IDP07")
def test_a_passive_request_shows_no_page(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request(is_passive="true")
    page = sign_on(browser, request)
    with pytest.raises(StatusNoPassive):
        sp.receive(page, request)
    assert_schema_valid(response_xml(page))

    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)
    request = sp.request(is_passive="true")
    told = sp.receive(sign_on(browser, request), request)

    assert told.ava["mail"] == ["alice@example.org"]


def test_passive_and_forced_at_once_is_no_passive(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)

    request = sp.request(is_passive="true", force_authn="true")

    with pytest.raises(StatusNoPassive):
        sp.receive(sign_on(browser, request), request)


@pytest.mark.clause("IIP-IDP08")
@pytest.mark.parametrize(
    ("comparison", "asked"),
    [
        (None, [PPT]),
        ("exact", [PPT]),
        ("exact", [CLASS + "TimeSyncToken", PPT]),
        ("minimum", [CLASS + "Password"]),
        ("minimum", [PPT]),
        ("maximum", [PPT]),
        ("better", [CLASS + "Password"]),
    ],
)
def test_a_context_that_a_password_meets_is_answered_honestly(idp, make_sp, browser, sign_on, comparison, asked):
    sp = make_sp(idp)
    context = {"authn_context_class_ref": asked, **({"comparison": comparison} if comparison else {})}
    request = sp.request(requested_authn_context=context)

    page = sign_on(browser, request, "alice")

    sp.receive(page, request)
    # The demo of a loopback host counts as protected transport.
    assert parse(response_xml(page)).findtext(".//saml:AuthnContextClassRef", namespaces=NS) == PPT


@pytest.mark.clause("IIP-IDP08", "IIP-IDP05")
@pytest.mark.parametrize(
    ("comparison", "asked"),
    [
        ("exact", [CLASS + "TimeSyncToken"]),
        ("exact", ["urn:example:classes:handshake"]),
        ("better", [PPT]),
        ("minimum", [CLASS + "X509"]),
    ],
)
def test_a_context_that_nobody_can_meet_is_no_authn_context(idp, make_sp, browser, sign_on, comparison, asked):
    sp = make_sp(idp)
    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)

    request = sp.request(requested_authn_context={"authn_context_class_ref": asked, "comparison": comparison})
    page = sign_on(browser, request)

    with pytest.raises(StatusNoAuthnContext):
        sp.receive(page, request)
    assert_schema_valid(response_xml(page))


@pytest.mark.parametrize("binding", [REDIRECT, POST], ids=["redirect", "post"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_relay_state_comes_back_exactly(idp, make_sp, browser, sign_on, binding, signed):
    sp = make_sp(idp)
    relay_state = "a&b=c+d%20e \"quoted\" <b>'ü 漢字"
    request = sp.request(binding, signed=signed, relay_state=relay_state)

    page = sign_on(browser, request, "alice")

    assert page.answer.fields["RelayState"] == relay_state
    sp.receive(page, request)


def test_no_relay_state_means_none_comes_back(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request(POST, relay_state="")

    page = sign_on(browser, request, "alice")

    assert "RelayState" not in page.answer.fields


def test_an_identity_provider_can_begin(idp, make_sp, browser, sign_on):
    sp = make_sp(idp, allow_unsolicited=True)
    page = browser.get(f"{idp.base}/saml/start?" + urlencode({"sp": sp.entity_id, "target": "deep & down"}))
    page = browser.sign_in(page, "alice", PASSWORD)

    told = sp.receive(page)

    assert page.answer.fields["RelayState"] == "deep & down"
    assert told.ava["mail"] == ["alice@example.org"]
    assert "InResponseTo" not in response_xml(page)


@pytest.mark.clause("IIP-IDP12", "SDP-IDP06")
def test_the_answer_goes_where_index_url_or_default_say(idp, make_sp, browser, sign_on):
    places = [f"https://many.example.org/acs{n}" for n in range(3)]
    endpoints = {"assertion_consumer_service": [(places[0], POST, 1), (places[1], POST, 2), (places[2], POST, 3)]}
    sp = make_sp(idp, endpoints=endpoints)
    request = sp.request()
    browser_page = sign_on(browser, request, "alice")
    assert browser_page.answer.action == places[0]

    def place(message):
        return sign_on(browser, sp.send(message[0], message[1], f"{idp.base}/saml/sso")).answer.action

    def request_with(attributes):
        request_id = f"_{time.monotonic_ns():032x}"
        return request_id, plain_request(sp, idp, request_id, attributes)

    assert place(request_with('AssertionConsumerServiceIndex="3"')) == places[2]
    assert place(request_with(f'AssertionConsumerServiceURL="{places[1]}"')) == places[1]
    assert place(request_with("")) == places[0]


def plain_request(sp, idp, request_id, attributes="", inner=""):
    instant = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return (
        f'<p:AuthnRequest xmlns:p="{NS["samlp"]}" xmlns:a="{NS["saml"]}" ID="{request_id}" Version="2.0" IssueInstant="{instant}" '
        f'Destination="{idp.base}/saml/sso" {attributes}><a:Issuer>{sp.entity_id}</a:Issuer>{inner}</p:AuthnRequest>'
    )


@pytest.mark.clause("IIP-IDP12", "IIP-IDP05")
def test_a_binding_that_is_not_built_is_an_unsupported_binding(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request_id = "_" + "b" * 32
    message = plain_request(sp, idp, request_id, 'ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"')
    request = sp.send(request_id, message, f"{idp.base}/saml/sso")

    page = sign_on(browser, request)

    with pytest.raises(StatusUnsupportedBinding):
        sp.receive(page, request)


@pytest.mark.clause("IIP-IDP04")
def test_requested_attributes_are_released_where_the_directory_has_them(idp, make_sp, browser, sign_on):
    sp = make_sp(idp, required_attributes=["givenName"], optional_attributes=["sn", "telephoneNumber"])
    request = sp.request()

    told = sp.receive(sign_on(browser, request, "alice"), request)

    assert told.ava["givenName"] == ["Alice"] and told.ava["sn"] == ["Example"]
    assert "telephoneNumber" not in told.ava


@pytest.mark.clause("IIP-IDP01", "SDP-IDP18", "SDP-IDP20", "IIP-IDP02")
def test_presets_decide_what_an_app_is_told(idp, make_sp, browser, sign_on):
    basic, groups = make_sp(idp), make_sp(idp, "--preset", "basic", "--preset", "groups")

    request = basic.request()
    page = sign_on(browser, request, "alice")
    told = basic.receive(page, request)
    request = groups.request()
    told_groups = groups.receive(sign_on(browser, request), request)

    assert {"mail", "displayName", "givenName", "sn", "uid"} <= set(told.ava)
    assert "staff" not in str(told.ava) and "staff" in str(told_groups.ava)
    for attribute in parse(response_xml(page)).iterfind(".//saml:Attribute", NS):
        assert attribute.get("NameFormat") == "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
        assert attribute.get("FriendlyName")


@pytest.mark.clause("SDP-IDP13")
def test_the_eduperson_preset_tells_a_pairwise_id(idp, make_sp, browser, sign_on):
    sp = make_sp(idp, "--preset", "eduperson")
    request = sp.request()

    page = sign_on(browser, request, "alice")

    sp.receive(page, request)
    pairwise = find(parse(response_xml(page)), ".//saml:Attribute[@Name='urn:oasis:names:tc:SAML:attribute:pairwise-id']/saml:AttributeValue")
    assert pairwise is not None and pairwise.text.endswith("@localhost"), response_xml(page)


@pytest.mark.clause("IIP-SSO07", "IIP-EXT01")
def test_optional_content_of_a_request_does_no_harm(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    inner = (
        '<p:Extensions><x:Anything xmlns:x="urn:example:x" a="1"><x:Deeper/></x:Anything></p:Extensions>'
        '<a:Conditions NotBefore="2000-01-01T00:00:00Z"/>'
        f'<p:Scoping ProxyCount="0"><p:IDPList><p:IDPEntry ProviderID="https://other.example.org/idp"/><p:IDPEntry ProviderID="{idp.base}/saml/metadata"/>'
        "</p:IDPList><p:RequesterID>https://behind.example.org</p:RequesterID></p:Scoping>"
    )
    request_id = "_" + "e" * 32
    request = sp.send(request_id, plain_request(sp, idp, request_id, 'Consent="urn:example:none" ProviderName="Ü"', inner), f"{idp.base}/saml/sso")

    told = sp.receive(sign_on(browser, request, "alice"), request)

    assert told.ava["mail"] == ["alice@example.org"]


def test_a_request_that_only_others_may_answer_is_not_answered(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    inner = '<p:Scoping><p:IDPList><p:IDPEntry ProviderID="https://other.example.org/idp"/></p:IDPList></p:Scoping>'
    request_id = "_" + "d" * 32
    request = sp.send(request_id, plain_request(sp, idp, request_id, "", inner), f"{idp.base}/saml/sso")

    with pytest.raises(StatusNoSupportedIdp):
        sp.receive(sign_on(browser, request), request)


@pytest.mark.clause("IIP-SSO07")
def test_a_request_for_somebody_else_is_not_answered_with_me(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)
    request_id = "_" + "f" * 32
    subject = f'<a:Subject><a:NameID Format="{EMAIL}">bob@example.org</a:NameID></a:Subject>'
    request = sp.send(request_id, plain_request(sp, idp, request_id, 'IsPassive="true"', subject), f"{idp.base}/saml/sso")

    with pytest.raises(StatusError):
        sp.receive(sign_on(browser, request), request)


@pytest.mark.clause("IIP-MD07", "SDP-IDP32")
def test_a_signature_by_any_of_several_keys_counts(idp, make_sp, browser, sign_on, stranger_keys):
    sp = make_sp(idp, register=False, authn_requests_signed=True)
    body = "".join(stranger_keys.certificate.read_text().splitlines()[1:-1])
    other = (
        f'<md:KeyDescriptor xmlns:md="{NS["md"]}" use="signing"><ds:KeyInfo xmlns:ds="{NS["ds"]}"><ds:X509Data><ds:X509Certificate>'
        f"{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
    )
    tree = parse(sp.metadata)
    first = find(tree, ".//md:KeyDescriptor")
    first.addprevious(parse(other))
    idp.add_app(etree.tostring(tree, encoding="unicode"))

    for binding in (REDIRECT, POST):
        request = sp.request(binding, signed=True)
        sp.receive(sign_on(Browser(), request, "alice"), request)


def test_every_output_is_valid_against_the_schemas(idp, make_sp, browser, sign_on, tmp_path):
    sp = make_sp(idp, "--preset", "eduperson", "--preset", "groups", settings=["saml.sign=both"])
    request = sp.request()

    xml = response_xml(sign_on(browser, request, "alice"))

    assert_schema_valid(xml)
    response = parse(xml)
    bound = find(response, ".//saml:SubjectConfirmationData")
    assert (bound.get("Recipient"), bound.get("InResponseTo")) == (sp.acs, request.id) and bound.get("NotOnOrAfter")
    assert [audience.text for audience in find_all(response, ".//saml:Audience")] == [sp.entity_id]
    statement = find(response, ".//saml:AuthnStatement")
    assert statement.get("SessionIndex") and statement.get("SessionNotOnOrAfter")
    assert response.get("Destination") == sp.acs
    assert "<!DOCTYPE" not in xml
