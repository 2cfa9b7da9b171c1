"""The admin API: who may do what with which key."""

import pytest
import requests
from harness.sp import ServiceProvider


def call(server, method, path, key=None, **options):
    headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **options.pop("headers", {})}
    return requests.request(method, f"{server.url}/api/v1/{path}", headers=headers, timeout=20, **options)


XML = {"Content-Type": "application/samlmetadata+xml"}


def test_without_a_key_or_with_a_wrong_one_nothing_is_told(idp):
    for key in (None, "wrong", "lsk_" + "A" * 43):
        answer = call(idp, "GET", "apps", key)
        assert answer.status_code == 401 and "www-authenticate" in answer.headers
        assert answer.headers["content-type"].startswith("application/problem+json")


def test_a_key_may_do_what_its_scopes_say_and_no_more(idp, make_sp):
    sp = make_sp(idp, register=False)
    reader, writer = idp.api_key("apps:read"), idp.api_key("apps:write", "apps:read")

    refused = call(idp, "POST", "apps", reader, data=sp.metadata, headers=XML)
    assert refused.status_code == 403 and refused.headers["content-type"].startswith("application/problem+json")
    assert sp.entity_id not in call(idp, "GET", "apps", reader).text
    made = call(idp, "POST", "apps", writer, data=sp.metadata, headers=XML)

    assert made.status_code == 201, made.text
    assert made.json()["entity_id"] == sp.entity_id and made.json()["type"] == "saml"
    assert sp.entity_id in call(idp, "GET", "apps", reader).text
    assert call(idp, "GET", "users", reader).status_code == 403


def test_an_app_added_by_the_api_works_at_once(idp, make_sp, browser, sign_on):
    sp = make_sp(idp, register=False)
    key = idp.api_key("apps:write")

    assert call(idp, "POST", "apps", key, data=sp.metadata, headers=XML).status_code == 201

    request = sp.request()
    assert sp.receive(sign_on(browser, request, "alice"), request).ava["mail"] == ["alice@example.org"]


def test_a_known_entity_id_is_a_conflict(idp, make_sp):
    sp: ServiceProvider = make_sp(idp)
    key = idp.api_key("apps:write", "apps:read")

    same = call(idp, "POST", "apps", key, data=sp.metadata, headers=XML)
    other = call(idp, "POST", "apps", key, data=sp.metadata.replace(sp.acs, "https://attacker.example.org/acs"), headers=XML)

    assert same.status_code == 200, same.text
    assert other.status_code == 409 and "application/problem+json" in other.headers["content-type"]


def test_a_document_that_is_no_metadata_is_a_problem_with_its_checks(idp):
    key = idp.api_key("apps:write")

    answer = call(idp, "POST", "apps", key, data="<html/>", headers=XML)

    assert 400 <= answer.status_code < 500 and answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["title"]


def test_a_write_on_an_old_state_is_refused(idp, make_sp):
    sp = make_sp(idp)
    key = idp.api_key("apps:read", "apps:write")
    shown = call(idp, "GET", f"apps/{sp.app['id']}", key)
    assert shown.status_code == 200 and shown.headers["etag"]

    moved = sp.metadata.replace(sp.acs, sp.acs + "-moved")
    stale = call(idp, "PUT", f"apps/{sp.app['id']}", key, data=moved, headers={**XML, "If-Match": '"0-stale"'})
    fresh = call(idp, "PUT", f"apps/{sp.app['id']}", key, data=moved, headers={**XML, "If-Match": shown.headers["etag"]})

    assert (stale.status_code, fresh.status_code) == (412, 200), (stale.text, fresh.text)


def test_people_are_managed_with_their_own_scopes(idp):
    reader, writer = idp.api_key("users:read"), idp.api_key("users:write", "users:read")
    person = {"name": "carol", "email": "carol@example.org", "password": "a long enough password"}

    assert call(idp, "POST", "users", reader, json=person).status_code == 403
    made = call(idp, "POST", "users", writer, json=person)
    assert made.status_code == 201, made.text
    listed = call(idp, "GET", "users", reader)

    assert "carol" in listed.text and "password_hash" not in listed.text and "argon2" not in listed.text


def test_a_removed_key_opens_nothing(idp):
    made = idp.cli("apikey", "new", "--name", "short-lived", "--scope", "apps:read", "-o", "json")
    assert call(idp, "GET", "apps", made["key"]).status_code == 200

    idp.cli("apikey", "rm", made["id"])

    assert call(idp, "GET", "apps", made["key"]).status_code == 401


@pytest.mark.parametrize("arguments", [["--name", "none"], ["--name", "odd", "--scope", "apps:everything"]])
def test_a_key_needs_scopes_that_exist(idp, arguments):
    assert idp.run("apikey", "new", *arguments).returncode in (1, 2)


def test_a_key_bound_to_a_network_is_worth_nothing_elsewhere(idp):
    made = idp.cli("apikey", "new", "--name", "inside", "--scope", "apps:read", "--network", "10.0.0.0/8", "-o", "json")

    assert call(idp, "GET", "apps", made["key"]).status_code in (401, 403)
    spoofed = call(idp, "GET", "apps", made["key"], headers={"X-Forwarded-For": "10.1.1.1", "Forwarded": "for=10.1.1.1"})
    assert spoofed.status_code in (401, 403)


def test_a_key_never_makes_an_administrator(idp):
    key = idp.api_key("users:write", "users:read")

    made = call(idp, "POST", "users", key, json={"name": "mallory", "password": "correct horse battery staple", "admin": True})
    changed = call(idp, "PATCH", "users/alice", key, json={"admin": "true"})

    assert made.status_code == changed.status_code == 403
    assert call(idp, "GET", "users/mallory", key).status_code == 404
    assert call(idp, "GET", "users/alice", key).json()["admin"] is False


@pytest.mark.parametrize("hash", ["$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g", "plain"])
def test_a_password_hash_that_is_too_dear_or_too_cheap_is_refused(idp, hash):
    key = idp.api_key("users:write")

    assert call(idp, "POST", "users", key, json={"name": "heavy", "password_hash": hash}).status_code == 422


def test_groups_are_made_and_removed(idp):
    key = idp.api_key("users:write", "users:read")

    assert call(idp, "POST", "groups", key, json={"name": "night shift"}).status_code == 201
    assert "night shift" in call(idp, "GET", "groups", key).text
    assert call(idp, "DELETE", "groups/night shift", key).status_code == 200
    assert "night shift" not in call(idp, "GET", "groups", key).text


def test_a_removal_on_an_old_state_is_refused(idp, make_sp):
    app = idp.cli("app", "show", make_sp(idp).entity_id, "-o", "json")
    key = idp.api_key("apps:write", "apps:read")

    assert call(idp, "DELETE", f"apps/{app['id']}", key, headers={"If-Match": '"999"'}).status_code == 412
    assert call(idp, "DELETE", f"apps/{app['id']}", key, headers={"If-Match": f'"{app["revision"]}"'}).status_code == 200
