"""Signing in with a real browser between two sites: the SPs on 127.0.0.1, Linkspan on localhost."""

import re

import pytest
from conftest import idp_metadata
from harness.people import PASSWORD
from harness.server import Linkspan
from harness.people import add_people
from harness.site import Site
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Linkspan(tmp_path_factory.mktemp("browser-idp"))
    try:
        add_people(server.start())
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def sites(server, sp_keys):
    made = []
    for name in ("site-one", "site-two"):
        site = Site(sp_keys, idp_metadata(server), name)
        server.add_app(site.sp.metadata, "--name", name)
        made.append(site)
    yield made
    for site in made:
        site.close()


def sign_in(page, person="alice"):
    page.get_by_label(re.compile("user ?name|e-?mail|sign-in name", re.I)).fill(person)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("form:has(input[name=password]) button[type=submit], form:has(input[name=password]) button:not([type])").first.click()


def begin(page, site, binding):
    page.goto(f"{site.url}/{binding}")
    if binding == "post":
        page.get_by_role("button", name="Go").click()


def arrive(page, script):
    """Without JavaScript the self-posting page waits for a click on its visible button."""
    if not script:
        expect(page.locator("input[name=SAMLResponse]")).to_be_attached()
        page.get_by_role("button").first.click()
    expect(page.locator("#told")).to_contain_text("Signed in as")
    return page.locator("#told").inner_text()


@pytest.mark.parametrize("script", [True, False], ids=["with-script", "without-script"])
@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_one_password_for_two_sites(sites, open_page, script, binding):
    one, two = sites
    page = open_page(java_script_enabled=script)

    begin(page, one, binding)
    sign_in(page)
    told = arrive(page, script)
    begin(page, two, binding)
    told_too = arrive(page, script)

    assert "alice@example.org" in told and "alice@example.org" in told_too
    assert "from the site" in told_too


def test_the_lax_session_survives_a_cross_site_post(sites, server, open_page):
    one, two = sites
    page = open_page()
    begin(page, one, "redirect")
    sign_in(page)
    arrive(page, True)

    begin(page, two, "post")

    assert "alice@example.org" in arrive(page, True)
    cookies = [cookie for cookie in page.context.cookies(server.base)]
    assert cookies and all(cookie["sameSite"] == "Lax" and cookie["httpOnly"] for cookie in cookies), cookies


def test_the_answer_reaches_the_site_with_our_origin(sites, server, open_page):
    one, _ = sites
    page = open_page()
    begin(page, one, "redirect")
    sign_in(page)

    arrive(page, True)

    # `Origin: null` makes real SPs refuse; it comes from a too strict Referrer-Policy.
    assert one.origins[-1] == server.base


def test_a_wrong_password_can_be_mended_on_the_spot(sites, open_page, picture):
    page = open_page()
    begin(page, sites[0], "redirect")
    page.locator("input[name=username]").fill("alice")
    page.locator("input[name=password]").fill("not her password")
    page.locator("input[name=password]").press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    picture(page, "sign-in-wrong-password")
    assert page.locator("input[name=username]").input_value() == "alice"
    assert page.locator("input[name=password]").input_value() == ""

    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")

    assert "alice@example.org" in arrive(page, True)


def test_the_back_button_never_shows_an_error_of_ours(sites, open_page):
    page = open_page()
    begin(page, sites[0], "redirect")
    sign_in(page)
    arrive(page, True)

    page.go_back()

    # Whatever the browser shows now, a sign-in that works is one click away.
    begin(page, sites[0], "redirect")
    assert "alice@example.org" in arrive(page, True)


def test_two_tabs_sign_in_independently(sites, open_page):
    one, two = sites
    first = open_page()
    second = first.context.new_page()
    begin(first, one, "redirect")
    begin(second, two, "redirect")

    sign_in(first)
    arrive(first, True)
    if second.locator("input[name=password]").count():
        sign_in(second)

    assert "alice@example.org" in arrive(second, True)


SIZES = {"phone": {"width": 320, "height": 640}, "desk": {"width": 1280, "height": 800}}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_sign_in_page_fits_its_screen(sites, open_page, picture, scheme, size):
    page = open_page(color_scheme=scheme, viewport=SIZES[size])

    begin(page, sites[0], "redirect")

    picture(page, f"sign-in-{size}-{scheme}")
    assert_fits_and_speaks(page)
    for field in ("username", "password"):
        assert page.locator(f"input[name={field}]").get_attribute("autocomplete") in ("username", "current-password", "username webauthn")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_refusal_page_fits_its_screen(server, open_page, picture, scheme):
    page = open_page(color_scheme=scheme, viewport=SIZES["phone"])

    answer = page.goto(f"{server.base}/saml/sso?SAMLRequest=AAAA")

    assert 400 <= answer.status < 500
    picture(page, f"refusal-phone-{scheme}")
    assert_fits_and_speaks(page)


def assert_fits_and_speaks(page):
    """Nothing to scroll sideways, a language, a title, one main heading, and a label for each field."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page is wider than the screen"
    assert page.locator("html").get_attribute("lang")
    assert page.title()
    assert page.locator("h1").count() == 1
    for field in page.locator("input:not([type=hidden])").all():
        assert field.evaluate("field => field.labels.length > 0"), field.get_attribute("name")


def test_the_set_up_link_makes_the_first_administrator_once(tmp_path, open_page, picture):
    server = Linkspan(tmp_path / "fresh")
    try:
        server.start()
        link = (server.folder / "linkspan-data/setup-url").read_text().strip()
        page = open_page()
        page.goto(link)
        picture(page, "set-up")
        assert_fits_and_speaks(page)

        for name, value in {"name": "ada", "username": "ada", "email": "ada@example.org", "display_name": "Ada"}.items():
            field = page.locator(f"input[name={name}]")
            if field.count():
                field.fill(value)
        for field in page.locator("input[type=password]").all():
            field.fill("a password for the first one")
        page.locator("form button").last.click()
        page.wait_for_load_state()
        picture(page, "set-up-done")

        people = server.cli("user", "list", "-o", "json")
        assert [person.get("admin") for person in people] == [True], people
        other = open_page()
        again = other.goto(link)
        assert again.status >= 400, "a set-up link works once"
    finally:
        server.kill()
