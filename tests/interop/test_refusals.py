"""What must not work, from outside: each refusal is a page or a SAML status, carries a reference, and changes nothing."""

import base64
import re
import socket
import time
import zlib
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
import requests
from harness.browser import Browser, origin_of
from harness.people import PASSWORD
from harness.sp import POST, REDIRECT, make_key_pair
from harness.xmltools import NS

REFERENCE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b")


def assert_refused(page, *statuses):
    assert 400 <= page.status < 500 and (not statuses or page.status in statuses), f"{page.status}: {page.text[:300]}"
    assert page.answer is None and page.sign_in is None, page.text[:600]
    assert REFERENCE.search(page.text), page.text[:1200]
    return REFERENCE.search(page.text)[0]


def message(sp, idp, **changes):
    """An AuthnRequest by hand; `changes` replace attributes (None leaves one out) or set `issuer` and `inner`."""
    attributes = {
        "ID": f"_{time.monotonic_ns():032x}",
        "Version": "2.0",
        "IssueInstant": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Destination": f"{idp.base}/saml/sso",
        "AssertionConsumerServiceURL": sp.acs,
    }
    issuer, inner = changes.pop("issuer", sp.entity_id), changes.pop("inner", "")
    attributes.update(changes)
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items() if value is not None)
    return f'<p:AuthnRequest xmlns:p="{NS["samlp"]}" xmlns:a="{NS["saml"]}" {written}><a:Issuer>{issuer}</a:Issuer>{inner}</p:AuthnRequest>'


def redirect(idp, xml):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(xml.encode()) + deflate.flush()
    return f"{idp.base}/saml/sso?" + urlencode({"SAMLRequest": base64.b64encode(packed).decode()})


def test_an_acs_outside_the_metadata_never_gets_an_answer(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)

    page = browser.get(redirect(idp, message(sp, idp, AssertionConsumerServiceURL="https://elsewhere.example.org/acs")))

    reference = assert_refused(page)
    assert 'action="https://elsewhere' not in page.text
    assert "elsewhere.example.org" in idp.cli("trace", "show", reference)


@pytest.mark.clause("IIP-IDP12")
def test_a_signed_request_does_not_make_a_foreign_acs_trusted(idp, make_sp, browser):
    sp = make_sp(idp, authn_requests_signed=True)
    request = sp.request(POST, signed=True, assertion_consumer_service_url="https://elsewhere.example.org/acs")

    assert_refused(request.go(browser))


def test_an_issuer_nobody_registered_is_refused_by_name(idp, make_sp, browser):
    sp = make_sp(idp, register=False)

    assert_refused(sp.request().go(browser))


@pytest.mark.clause("SDP-IDP04")
@pytest.mark.parametrize("binding", [REDIRECT, POST], ids=["redirect", "post"])
def test_an_unsigned_request_is_refused_where_the_metadata_promises_signatures(idp, make_sp, browser, binding):
    sp = make_sp(idp, authn_requests_signed=True, settings=["saml.require_signed_requests=false"])

    assert_refused_or_status(sp, sp.request(binding, signed=False).go(browser))


@pytest.mark.parametrize("binding", [REDIRECT, POST], ids=["redirect", "post"])
def test_an_unsigned_request_is_refused_where_we_require_signatures(idp, make_sp, browser, binding):
    sp = make_sp(idp, settings=["saml.require_signed_requests=true"])

    assert_refused_or_status(sp, sp.request(binding, signed=False).go(browser))
    request = sp.request(binding, signed=True)
    assert request.go(Browser()).sign_in


def assert_refused_or_status(sp, page):
    """A page with a reference, or an error status at the registered ACS; never a sign-in, never an assertion."""
    if page.answer is None:
        assert_refused(page)
        return
    assert page.answer.action == sp.acs
    xml = base64.b64decode(page.answer.fields["SAMLResponse"]).decode()
    assert "status:Success" not in xml and "Assertion" not in xml.replace("AssertionConsumer", ""), xml


@pytest.mark.clause("SDP-IDP05")
@pytest.mark.parametrize("binding", [REDIRECT, POST], ids=["redirect", "post"])
@pytest.mark.parametrize("promised", [False, True], ids=["voluntary", "promised"])
def test_a_signature_by_a_foreign_key_is_refused(idp, make_sp, browser, tmp_path, binding, promised):
    sp = make_sp(idp, authn_requests_signed=promised)
    foreign = make_sp(idp, register=False, name=sp.name, acs=sp.acs)
    foreign_keys = make_key_pair(tmp_path, "foreign")
    foreign = type(foreign)(sp.name, foreign_keys, idp.metadata, acs=sp.acs)

    assert_refused_or_status(sp, foreign.request(binding, signed=True).go(browser))


def test_a_changed_query_breaks_the_redirect_signature(idp, make_sp, browser):
    sp = make_sp(idp, authn_requests_signed=True)
    request = sp.request(REDIRECT, signed=True, relay_state="one")

    assert_refused_or_status(sp, browser.get(request.url.replace("RelayState=one", "RelayState=two")))


def test_the_order_of_the_parameters_does_not_matter(idp, make_sp, browser):
    sp = make_sp(idp, authn_requests_signed=True)
    request = sp.request(REDIRECT, signed=True, relay_state="one")
    base, query = request.url.split("?", 1)

    page = browser.get(f"{base}?{'&'.join(reversed(query.split('&')))}")

    assert page.sign_in


@pytest.mark.parametrize("name", ["SAMLRequest", "RelayState", "SigAlg", "Signature"])
def test_a_parameter_given_twice_is_refused(idp, make_sp, browser, name):
    sp = make_sp(idp, authn_requests_signed=True)
    request = sp.request(REDIRECT, signed=True)
    value = dict(parse_qsl(urlsplit(request.url).query))[name]

    assert_refused(browser.get(f"{request.url}&{name}={quote(value, safe='')}"))


@pytest.mark.clause("IIP-G03", "SDP-G03")
@pytest.mark.parametrize("binding", [REDIRECT, POST], ids=["redirect", "post"])
def test_a_document_type_is_refused(idp, make_sp, browser, binding):
    sp = make_sp(idp)
    xml = '<!DOCTYPE p:AuthnRequest [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + message(sp, idp)

    page = browser.get(redirect(idp, xml)) if binding == REDIRECT else post(browser, idp, xml)

    assert_refused(page)


def post(browser, idp, xml):
    return browser.post(f"{idp.base}/saml/sso", {"SAMLRequest": base64.b64encode(xml.encode()).decode()}, "https://sp.example.org")


@pytest.mark.parametrize(
    "changes",
    [
        {"Version": "1.1"},
        {"ID": None},
        {"ID": ""},
        {"IssueInstant": None},
        {"IssueInstant": "2001-01-01T00:00:00Z"},
        {"IssueInstant": "2999-01-01T00:00:00Z"},
        {"Destination": "https://other.example.org/saml/sso"},
    ],
    ids=["version", "no-id", "empty-id", "no-instant", "long-ago", "far-future", "destination"],
)
def test_a_request_that_breaks_a_core_rule_is_refused(idp, make_sp, browser, changes):
    sp = make_sp(idp)

    assert_refused_or_status(sp, browser.get(redirect(idp, message(sp, idp, **changes))))


@pytest.mark.parametrize(
    "value",
    ["", "%%%", "AAAA", base64.b64encode(b"<html/>").decode(), base64.b64encode(zlib.compress(b"<a/>")).decode()],
    ids=["empty", "no-base64", "no-xml", "not-a-request", "zlib"],
)
@pytest.mark.parametrize("binding", [REDIRECT, POST], ids=["redirect", "post"])
def test_something_that_is_no_request_gets_a_page(idp, browser, binding, value):
    url = f"{idp.base}/saml/sso"
    page = browser.get(f"{url}?{urlencode({'SAMLRequest': value})}") if binding == REDIRECT else browser.post(url, {"SAMLRequest": value}, None)

    assert_refused(page)


def test_a_deflate_bomb_stops_at_the_bound(idp, browser):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(b" " * 20_000_000) + deflate.flush()
    begun = time.monotonic()

    page = browser.post(f"{idp.base}/saml/sso", {"SAMLRequest": base64.b64encode(packed).decode()}, None)
    assert 400 <= page.status < 500
    page = browser.get(f"{idp.base}/saml/sso?" + urlencode({"SAMLRequest": base64.b64encode(packed).decode()}))
    assert 400 <= page.status < 500

    assert time.monotonic() - begun < 5


def test_a_replayed_request_is_refused(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    for binding in (REDIRECT, POST):
        request = sp.request(binding)
        sp.receive(sign_on(Browser(), request, "alice"), request)

        assert_refused_or_status(sp, request.go(browser))


def test_a_request_caught_on_its_way_is_refused_to_the_thief(idp, make_sp, browser):
    sp = make_sp(idp)
    request = sp.request()
    assert request.go(browser).sign_in

    assert_refused_or_status(sp, request.go(Browser()))


@pytest.mark.parametrize("binding", [REDIRECT, POST], ids=["redirect", "post"])
def test_a_reload_before_the_sign_in_goes_on(idp, make_sp, browser, sign_on, binding):
    sp = make_sp(idp)
    request = sp.request(binding)
    assert request.go(browser).sign_in

    page = sign_on(browser, request, "alice")

    assert sp.receive(page, request).ava["mail"] == ["alice@example.org"]


def test_a_cross_site_post_is_parked_and_answered_with_a_redirect_of_our_own(idp, make_sp, browser):
    sp = make_sp(idp)
    request = sp.request(POST)

    answer = browser.session.post(request.url, data=request.fields, headers={"Origin": "https://sp.example.org"}, allow_redirects=False)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(("/", idp.base + "/"))
    assert "samesite=none" not in answer.headers.get("set-cookie", "").lower()
    assert "SAMLRequest" not in answer.headers["location"]


def test_a_wrong_password_asks_again_and_says_no_more(own_idp, make_sp, browser, sign_on):
    idp = own_idp()
    sp = make_sp(idp)
    request = sp.request()
    page = request.go(browser)

    wrong = browser.sign_in(page, "alice", "not her password")
    unknown = browser.sign_in(wrong, "nobody", "not her password")

    assert wrong.status == unknown.status == 422 and wrong.sign_in and unknown.sign_in
    strip = re.compile(r"alice|nobody|value=\"[^\"]*\"|[0-9A-Z]{4}-[0-9A-Z]{4}")
    assert strip.sub("", wrong.text) == strip.sub("", unknown.text)
    page = browser.sign_in(unknown, "alice", PASSWORD)
    assert sp.receive(page, request).ava["mail"] == ["alice@example.org"]


def test_guessing_slows_down_but_does_not_lock_the_owner_out(own_idp, make_sp, browser, sign_on):
    idp = own_idp()
    sp = make_sp(idp)
    request = sp.request()
    page = request.go(browser)
    for _ in range(6):
        page = browser.sign_in(page, "alice", "not her password")

    assert page.status in (422, 429)
    waiting = browser.sign_in(page, "alice", PASSWORD)
    assert waiting.answer is None, "the sixth attempt from the guesser's address is not judged"
    assert idp.cli("user", "show", "alice", "-o", "json")["enabled"]


def test_a_form_without_its_token_changes_nothing(idp, make_sp, browser):
    sp = make_sp(idp)
    page = sp.request().go(browser)
    form = page.sign_in
    hidden = {name: value for name, value in form.fields.items() if name not in ("username", "password")}
    token = max(hidden, key=lambda name: len(hidden[name]) if "csrf" in name else 0)
    assert len(hidden[token]) >= 43, f"the form carries a token: {hidden}"

    for forged in ("forged", "", hidden[token][:-1] + "_", None):
        fields = {**form.fields, "username": "alice", "password": PASSWORD, token: forged}
        answer = browser.post(form.action, {name: value for name, value in fields.items() if value is not None}, origin_of(page.url))
        assert answer.answer is None and answer.status == 403, f"{forged}: {answer.status} {answer.text[:300]}"
    assert browser.get(f"{idp.base}/apps").sign_in, "nobody is signed in"


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", "http://localhost.evil.example.org"])
def test_a_sign_in_from_another_origin_is_refused(idp, make_sp, browser, origin):
    sp = make_sp(idp)
    page = sp.request().go(browser)

    answer = browser.post(page.sign_in.action, {**page.sign_in.fields, "username": "alice", "password": PASSWORD}, origin)

    assert answer.answer is None and 400 <= answer.status < 500
    assert not [cookie for cookie in browser.session.cookies if "session" in cookie.name.lower()]


def test_a_form_of_one_browser_is_worth_nothing_in_another(idp, make_sp, browser):
    """Login CSRF: an attacker's own form, sent by the victim's browser, would sign the victim in as the attacker."""
    sp = make_sp(idp)
    page = sp.request().go(browser)
    victim = Browser()

    answer = victim.post(page.sign_in.action, {**page.sign_in.fields, "username": "bob", "password": PASSWORD}, origin_of(page.url))

    assert answer.answer is None and answer.status >= 400


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded", "X-Forwarded-Proto"])
def test_no_header_moves_our_addresses(idp, make_sp, browser, header):
    value = {"Forwarded": "host=evil.example.org;proto=https", "X-Forwarded-Proto": "gopher"}.get(header, "evil.example.org")
    sp = make_sp(idp)

    metadata = browser.get(f"{idp.base}/saml/metadata", {header: value})
    answer = browser.session.get(sp.request().url, headers={header: value}, allow_redirects=False)

    assert metadata.text == idp.metadata
    assert "evil" not in str(answer.headers) + answer.text and "gopher" not in str(answer.headers) + answer.text


def test_pages_carry_the_headers_that_keep_them_to_themselves(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request()
    form_page = request.go(browser)
    answer_page = browser.sign_in(form_page, "alice", PASSWORD)

    for page in (form_page, answer_page):
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy and "unsafe-inline" not in policy and "default-src 'none'" in policy, policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "strict-origin"
        assert "no-store" in page.headers["cache-control"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", page.text), "nothing inline"
    assert "form-action 'self'" in form_page.headers["content-security-policy"]
    assert "form-action https:" in answer_page.headers["content-security-policy"]


def test_the_session_cookie_is_http_only_lax_and_random(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    request = sp.request()
    page = request.go(browser)
    before = {cookie.name: cookie.value for cookie in browser.session.cookies}

    answer = browser.session.post(
        page.sign_in.action, data={**page.sign_in.fields, "username": "alice", "password": PASSWORD}, headers={"Origin": origin_of(page.url)}, allow_redirects=False
    )

    set_now = answer.raw.headers.getlist("set-cookie")
    assert set_now, "a new value at the change of privilege"
    for line in set_now:
        name, value = line.split(";")[0].split("=", 1)
        assert "httponly" in line.lower() and "samesite=lax" in line.lower() and "domain=" not in line.lower(), line
        assert before.get(name) != value
        assert not value or len(value) >= 43, "256 bits in base64url"


def test_a_path_nobody_built_is_a_page_not_a_crash(idp, browser):
    for path in ("/nowhere", "/saml/slo", "/saml/soap/logout", "/saml/../etc/passwd", "/setup/AAAA-BBBB-CCCC"):
        page = browser.get(idp.base + path)
        assert 400 <= page.status < 500, f"{path}: {page.status}"


@pytest.mark.clause("IIP-G01", "SDP-G01")
@pytest.mark.parametrize("minutes", [-2, 2])
def test_clocks_may_differ_by_some_minutes(idp, make_sp, browser, minutes):
    sp = make_sp(idp)
    instant = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60 * minutes))

    assert browser.get(redirect(idp, message(sp, idp, IssueInstant=instant))).sign_in


def test_a_simple_sign_signature_is_not_passed_over(idp, make_sp, browser):
    request = make_sp(idp).request(POST)

    page = browser.post(request.url, {**request.fields, "SigAlg": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "Signature": "AAAA"}, "https://sp.example.org")

    assert page.status == 400 and page.sign_in is None and page.answer is None


def test_a_forced_request_that_lay_in_wait_still_asks(idp, make_sp, browser, sign_on):
    """Whoever parked it knows its key; the victim's sign-in of meanwhile must not count for it."""
    sp = make_sp(idp)
    forced = sp.request(POST, force_authn="true")
    parked = requests.post(forced.url, data=forced.fields, headers={"Origin": "https://sp.example.org"}, allow_redirects=False, timeout=20)
    sign_on(browser, sp.request(), "alice")

    page = browser.get(f"{idp.url}{parked.headers['location']}")

    assert page.sign_in is not None and page.answer is None


def test_an_unasked_answer_is_never_an_error(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    app = idp.cli("app", "show", sp.entity_id, "-o", "json")["id"]
    idp.cli("app", "set", app, "saml.nameid.format=emailAddress")
    sign_on(browser, sp.request(), "alice")
    idp.cli("user", "set", "alice", "email=")
    try:
        page = browser.get(f"{idp.url}/saml/start?sp={sp.entity_id}")
    finally:
        idp.cli("user", "set", "alice", "email=alice@example.org")

    assert page.answer is None and page.status == 400


def test_a_body_that_is_too_large_or_too_slow_gets_an_answer(own_idp):
    idp = own_idp({"listen": 'request_timeout = "1s"'}, people=False)

    large = requests.post(f"{idp.url}/login", data={"username": "x" * (2 << 20)}, timeout=20)
    with socket.create_connection(("127.0.0.1", idp.port), timeout=20) as slow:
        slow.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nusername=")
        head = slow.recv(4096).decode()

    assert large.status_code == 413 and "<h1>" in large.text
    assert head.startswith("HTTP/1.1 408 ")
