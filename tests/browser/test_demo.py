"""The story of the README: `serve --demo`, sign in at one app, enter the second without a password, read what each was told."""

import re

import pytest
from harness.server import Linkspan, free_port
from playwright.sync_api import expect

PASSWORD = "demo-password-1234"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    # Ports of their own, so that a demo that somebody runs here is not in the way.
    apps = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    server = Linkspan(tmp_path_factory.mktemp("demo"), {"demo": f'apps = ["{apps[0]}", "{apps[1]}"]'}, arguments=["--demo"])
    # Where the demo keeps its data, said aloud so that commands find it too.
    server.environment["LINKSPAN_STORAGE__DIRECTORY"] = "linkspan-demo"
    server.apps = [f"http://{app}" for app in apps]
    try:
        yield server.start()
        assert server.stop() == 0, server.log[-2000:]
    finally:
        server.kill()


@pytest.mark.parametrize("script", [True, False], ids=["with-script", "without-script"])
def test_the_second_demo_app_opens_without_a_password(demo, open_page, picture, script):
    page = open_page(java_script_enabled=script)

    def go_on():
        """Without JavaScript each self-posting page waits for a click on its visible button."""
        while not script and page.locator("input[name=SAMLRequest], input[name=SAMLResponse]").count():
            page.get_by_role("button").first.click()

    page.goto(f"{demo.apps[0]}/")
    picture(page, "demo-start")
    page.get_by_role("button", name="Sign in with Linkspan").click()
    go_on()
    page.locator("input[name=username]").fill("ada")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    go_on()
    expect(page.get_by_role("heading", level=1)).to_contain_text("You are signed in at")
    told = page.locator("body").inner_text()
    picture(page, "demo-one")
    page.get_by_role("link", name="no password needed").click()
    go_on()
    page.wait_for_url(re.compile(re.escape(demo.apps[1])))
    expect(page.get_by_role("heading", level=1)).to_contain_text("You are signed in at")
    picture(page, "demo-two")

    assert "ada@example.com" in told and "Lovelace" in told
    for check in ("signature", "audience", "issuer"):
        assert re.search(check, told, re.I), f"the app shows its check of the {check}"
    assert "✗" not in told + page.locator("body").inner_text()
    assert PASSWORD in demo.log, "the start block tells the password of the demo's people"


def test_the_demo_has_no_administrator(demo):
    people = demo.cli("user", "list", "-o", "json")

    assert {person["name"]: person["admin"] for person in people} == {"ada": False, "bo": False, "cy": False}
