"""The story of the README: `serve --demo`, sign in at one app, enter the second without a password, read what each was told."""

import re
import socket

import pytest
from harness.server import Linkspan
from playwright.sync_api import expect

ONE, TWO = "http://127.0.0.1:8081", "http://127.0.0.1:8082"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    for port in (8081, 8082):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)), f"port {port}, where the demo's apps stand, is taken: end what runs there"
    server = Linkspan(tmp_path_factory.mktemp("demo"), arguments=["--demo"])
    try:
        yield server.start()
        assert server.stop() == 0, server.log[-2000:]
    finally:
        server.kill()


@pytest.fixture
def person(demo):
    """A person of the demo, as the start block names them."""
    found = re.search(r"\b(ada|bo|cy)\b", demo.log)
    password = re.search(r"[Pp]assword\W+([^\s\"',]+)", demo.log)
    assert found and password, f"the start block names people and their password:\n{demo.log}"
    return found[1], password[1]


@pytest.mark.parametrize("script", [True, False], ids=["with-script", "without-script"])
def test_the_second_demo_app_opens_without_a_password(demo, person, open_page, picture, script):
    page = open_page(java_script_enabled=script)
    name, password = person

    def enter(app):
        page.goto(f"{app}/")
        page.get_by_role("button", name=re.compile("sign in", re.I)).or_(page.get_by_role("link", name=re.compile("sign in with", re.I))).first.click()
        if not script and page.locator("input[name=SAMLRequest]").count():
            page.get_by_role("button").first.click()

    def arrive(app):
        if not script and page.locator("input[name=SAMLResponse]").count():
            page.get_by_role("button").first.click()
        page.wait_for_url(re.compile(re.escape(app)))
        expect(page.locator("body")).to_contain_text(re.compile("signed in", re.I))

    enter(ONE)
    picture(page, "demo-sign-in")
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.locator("input[name=password]").press("Enter")
    arrive(ONE)
    picture(page, "demo-one")
    told = page.locator("body").inner_text()
    enter(TWO)
    arrive(TWO)
    picture(page, "demo-two")

    assert re.search(rf"\b{name}\b", told, re.I) and re.search(rf"\b{name}\b", page.locator("body").inner_text(), re.I)
    for check in ("signature", "audience", "issuer"):
        assert re.search(check, told, re.I), f"the app shows its check of the {check}"


def test_the_demo_has_no_administrator(demo):
    assert not any(person.get("admin") for person in demo.cli("user", "list", "-o", "json"))
