"""Our own metadata, and the ways in which that of apps comes in."""

import http.server
import threading

import pytest
from harness.browser import Browser
from harness.sp import POST, REDIRECT
from harness.wait import until
from harness.xmltools import NS, assert_schema_valid, assert_signature, find, find_all, parse, signing_certificates


@pytest.mark.clause("SDP-MD08", "SDP-MD05", "IIP-MD09")
def test_our_metadata_is_valid_signed_and_says_only_what_works(idp, browser, tmp_path):
    page = browser.get(f"{idp.base}/saml/metadata")

    assert page.headers["content-type"].startswith("application/samlmetadata+xml")
    assert_schema_valid(page.text)
    assert_signature(page.text, signing_certificates(page.text), tmp_path, root=f"{NS['md']}:EntityDescriptor")
    entity = parse(page.text)
    assert entity.get("entityID") == f"{idp.base}/saml/metadata"
    assert entity.get("validUntil") and entity.get("cacheDuration")
    role = find(entity, "md:IDPSSODescriptor")
    endpoints = {(node.get("Binding"), node.get("Location")) for node in find_all(role, "md:SingleSignOnService")}
    assert endpoints == {(REDIRECT, f"{idp.base}/saml/sso"), (POST, f"{idp.base}/saml/sso")}
    assert not find_all(role, "md:SingleLogoutService") and not find_all(role, "md:ArtifactResolutionService")
    formats = {node.text for node in find_all(role, "md:NameIDFormat")}
    assert {"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"} <= formats
    assert find(entity, ".//alg:SigningMethod") is not None and find(entity, ".//alg:DigestMethod") is not None
    assert find(entity, ".//mdui:DisplayName") is not None


@pytest.mark.clause("SDP-IDP14")
def test_our_metadata_names_the_scope_of_our_identifiers(idp):
    scopes = find_all(parse(Browser().get(f"{idp.base}/saml/metadata").text), ".//shibmd:Scope")

    assert [(scope.text, scope.get("regexp")) for scope in scopes] == [("localhost", "false")]


def test_unchanged_metadata_is_not_sent_again(idp, browser):
    page = browser.get(f"{idp.base}/saml/metadata")

    again = browser.get(f"{idp.base}/saml/metadata", {"If-None-Match": page.headers["etag"]})
    other = browser.get(f"{idp.base}/saml/metadata", {"If-None-Match": '"something else"'})

    assert (again.status, again.text) == (304, "")
    assert again.headers["etag"] == page.headers["etag"]
    assert other.status == 200


def test_metadata_as_files_comes_changes_and_goes_while_we_run(own_idp, make_sp, browser):
    idp = own_idp()
    folder = idp.folder / "metadata"
    folder.mkdir(exist_ok=True)
    # The folder may not have been there at the start: then it is seen from the next start on.
    assert idp.stop() == 0
    idp.start()
    sp = make_sp(idp, register=False)
    file = folder / "app.xml"

    file.write_text(sp.metadata)
    until(lambda: sp.request().go(Browser()).sign_in, 10, "the new file is imported")

    moved = sp.metadata.replace(sp.acs, sp.acs + "-moved")
    file.write_text(moved)
    until(lambda: sp.entity_id in str(idp.cli("app", "list", "-o", "json")) and sp.request().go(Browser()).sign_in is None, 10, "the change is read")

    file.unlink()
    until(lambda: [app["enabled"] for app in idp.cli("app", "list", "-o", "json") if app["entity_id"] == sp.entity_id] == [False], 10, "the app is disabled")


def test_a_broken_file_harms_nobody(own_idp, make_sp, browser):
    idp = own_idp()
    (idp.folder / "metadata").mkdir(exist_ok=True)
    assert idp.stop() == 0
    good = make_sp(idp.start(), register=False)
    (idp.folder / "metadata/a-broken.xml").write_text("<md:EntityDescriptor>")
    (idp.folder / "metadata/b-good.xml").write_text(good.metadata)

    until(lambda: good.request().go(Browser()).sign_in, 10, "the good file is imported")


@pytest.fixture
def web_server():
    """A web server on loopback that hands out `documents[path]` and counts what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            found = self.server.documents.get(self.path)
            status, body = (200, found) if isinstance(found, str) else (302, "") if found else (404, "")
            self.send_response(status)
            if status == 302:
                self.send_header("Location", found[0])
            self.send_header("Content-Type", "application/samlmetadata+xml")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.documents, server.asked = {}, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_an_address_inside_is_never_fetched_by_default(idp, web_server, host):
    web_server.documents["/sp"] = "<never/>"

    done = idp.run("app", "add", f"http://{host}:{web_server.server_port}/sp")

    assert done.returncode == 1 and "outbound.allow" in done.stderr, done.stderr
    assert web_server.asked == []


def test_an_address_inside_is_fetched_where_the_configuration_allows(own_idp, make_sp, web_server):
    idp = own_idp({"outbound": 'allow = ["127.0.0.1/32"]'})
    sp = make_sp(idp, register=False)
    web_server.documents["/sp"] = sp.metadata
    web_server.documents["/elsewhere"] = ["http://[::1]:1/sp"]

    app = idp.cli("app", "add", f"{web_server.url}/sp", "-o", "json")
    assert app["entity_id"] == sp.entity_id and sp.request().go(Browser()).sign_in

    web_server.documents["/sp"] = sp.metadata.replace(sp.acs, sp.acs + "-moved")
    idp.cli("app", "refresh", app["id"])
    assert sp.request().go(Browser()).sign_in is None, "the old address is gone"
    assert idp.run("app", "add", f"{web_server.url}/elsewhere").returncode == 1, "a redirect is judged like the address itself"


def test_a_known_entity_id_is_never_taken_over(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    other = sp.metadata.replace(sp.acs, "https://attacker.example.org/acs")

    same = idp.run("app", "add", "-", given=sp.metadata)
    refused = idp.run("app", "add", "-", given=other)

    assert same.returncode == 0 and "unchanged" in same.stdout + same.stderr
    assert refused.returncode == 1 and "--replace" in refused.stderr
    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)


def test_replacing_keeps_local_settings(idp, make_sp):
    sp = make_sp(idp, settings=["saml.sign=both", "saml.encrypt=never"])

    idp.cli("app", "add", "-", "--replace", given=sp.metadata.replace(sp.acs, sp.acs + "-moved"))

    shown = idp.cli("app", "show", sp.app["id"], "-o", "json")
    assert shown["saml"]["sign"] == "both" and shown["saml"]["encrypt"] == "never"
    assert sp.acs + "-moved" in str(shown)


def test_lint_finds_things_and_says_what_to_do(idp):
    broken = f'<md:EntityDescriptor xmlns:md="{NS["md"]}" entityID="https://x.example.org"/>'
    (idp.folder / "no-role.xml").write_text(broken)

    done = idp.run("app", "lint", "no-role.xml", "-o", "json")

    assert done.returncode == 3, done.stderr + done.stdout


@pytest.mark.clause("IIP-MD07")
def test_a_new_key_is_published_before_it_signs(own_idp, make_sp, sign_on):
    idp = own_idp()
    before = set(signing_certificates(Browser().get(f"{idp.base}/saml/metadata").text))

    made = idp.cli("key", "new", "-o", "json")
    published = set(signing_certificates(Browser().get(f"{idp.base}/saml/metadata").text))
    assert before < published

    # Apps that read the metadata now know both keys, so whichever signs is believed.
    sp = make_sp(idp)
    request = sp.request()
    sp.receive(sign_on(Browser(), request, "alice"), request)
    for key in made:
        idp.cli("key", "promote", key["id"])
    request = sp.request()
    sp.receive(sign_on(Browser(), request, "alice"), request)

    idp.metadata = Browser().get(f"{idp.base}/saml/metadata").text
    assert published == set(signing_certificates(idp.metadata)), "the old key stays until it is retired"


def test_an_app_that_somebody_switched_off_is_not_switched_on_by_its_file(own_idp, make_sp, browser):
    idp = own_idp()
    folder = idp.folder / "metadata"
    folder.mkdir(exist_ok=True)
    sp = make_sp(idp, register=False)
    (folder / "app.xml").write_text(sp.metadata)
    until(lambda: sp.request().go(Browser()).sign_in, 10, "the file is imported")
    app = next(app["id"] for app in idp.cli("app", "list", "-o", "json") if app["entity_id"] == sp.entity_id)

    idp.cli("app", "set", app, "enabled=false")
    (folder / "app.xml").write_text(sp.metadata.replace(sp.acs, sp.acs + "-2"))
    until(lambda: sp.acs + "-2" in str(idp.cli("app", "show", app, "-o", "json")), 10, "the change is read")

    assert idp.cli("app", "show", app, "-o", "json")["enabled"] is False
    assert sp.request().go(browser).sign_in is None


def test_settings_that_make_an_app_unusable_are_refused(idp, make_sp):
    sp = make_sp(idp, register=False, acs="http://plain.example.org/acs")
    (idp.folder / "plain.xml").write_text(sp.metadata)
    app = idp.cli("app", "add", "plain.xml", "--allow-http", "-o", "json")["id"]

    assert idp.run("app", "set", app, "saml.allow_http=false").returncode == 1
    (idp.folder / "plain.xml").write_text(sp.metadata.replace("/acs", "/acs2"))
    replaced = idp.cli("app", "add", "plain.xml", "--replace", "-o", "json")

    assert replaced["result"] == "replaced" and replaced["saml"]["allow_http"] is True
    assert idp.run("app", "set", app, "saml.nameid.format=email").returncode == 1
    assert idp.run("app", "set", app, "saml.signature_algorithm=http://www.w3.org/2000/09/xmldsig#rsa-sha1").returncode == 1


@pytest.mark.clause("SDP-IDP14")
def test_a_scope_of_one_app_is_published(own_idp, make_sp, browser):
    idp = own_idp()
    app = idp.cli("app", "show", make_sp(idp).entity_id, "-o", "json")["id"]

    idp.cli("app", "set", app, "saml.scope=example.edu")

    assert ">example.edu</shibmd:Scope>" in browser.get(f"{idp.url}/saml/metadata").text


def test_a_preview_establishes_nothing(idp, make_sp, browser, sign_on):
    sp = make_sp(idp)
    persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    app = idp.cli("app", "show", sp.entity_id, "-o", "json")["id"]
    idp.cli("app", "set", app, "saml.nameid.format=persistent")

    idp.cli("app", "preview", app, "--user", "alice", "-o", "json")

    request = sp.request(nameid_format=persistent, allow_create="false")
    with pytest.raises(Exception, match="InvalidNameIDPolicy|invalid|Requester"):
        sp.receive(sign_on(browser, request, "alice"), request)
