"""What rests where: sessions outlive the process in both columns, two nodes are one, and a store that goes away comes back."""

import time

import pytest
import requests
from harness.browser import Browser
from harness.people import PASSWORD, add_people
from harness.server import Linkspan
from harness.stores import Postgres, Redis
from harness.wait import until


def enters(sp, browser, request=None):
    request = request or sp.request()
    return sp.receive(request.go(browser), request).ava["mail"]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_session_survives_the_process(own_idp, column, make_sp, browser, sign_on, end):
    idp = own_idp(column())
    first, second = make_sp(idp), make_sp(idp)
    request = first.request()
    first.receive(sign_on(browser, request, "alice"), request)

    # With SIGKILL nothing is written on the way out: what was answered must already rest.
    if end == "stop":
        assert idp.stop() == 0
    else:
        idp.kill()
    idp.start()

    assert enters(second, browser) == ["alice@example.org"]


def test_no_live_credential_rests_in_the_clear(own_idp, make_sp, browser, sign_on):
    idp = own_idp()
    sp = make_sp(idp)
    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)
    key = idp.api_key("apps:read")
    secrets = [cookie.value for cookie in browser.session.cookies] + [key, PASSWORD]
    assert len(secrets) > 2
    assert idp.stop() == 0

    for path in (path for path in idp.folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, f"{path.name} holds a live credential"


def test_what_lies_in_the_storage_directory_is_the_owners_alone(own_idp):
    idp = own_idp()
    data = idp.folder / "linkspan-data"

    assert data.stat().st_mode & 0o777 == 0o700
    for path in data.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, f"{path} is open to others: {oct(path.stat().st_mode)}"


def test_a_key_that_others_can_read_is_refused(own_idp):
    idp = own_idp()
    assert idp.stop() == 0
    key = next(path for path in (idp.folder / "linkspan-data").rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes())
    key.chmod(0o644)

    done = idp.run("serve")

    assert done.returncode not in (0, 2) and key.name in done.stderr and "600" in done.stderr, done.stderr


def test_a_second_process_on_the_embedded_store_is_refused_in_words(own_idp, tmp_path):
    idp = own_idp()
    other = Linkspan(tmp_path / "other", {"storage": f'directory = "{idp.folder / "linkspan-data"}"\ndata = "sqlite:{idp.folder}/linkspan-data/linkspan.db"'})

    done = other.run("serve")

    assert done.returncode not in (0, 2) and str(idp.process.pid) in done.stderr, done.stderr
    assert idp.answers()


@pytest.fixture
def two_nodes(tmp_path, cluster):
    storage = cluster()
    one = Linkspan(tmp_path / "one", storage)
    two = Linkspan(tmp_path / "two", storage, public_url=one.base)
    try:
        one.start()
        yield one, two
    finally:
        one.kill()
        two.kill()


def test_a_second_node_without_the_key_files_does_not_start(two_nodes):
    _, two = two_nodes

    done = two.run("serve")

    assert done.returncode == 78, done.stderr


def test_two_nodes_are_one_identity_provider(two_nodes, make_sp, browser, sign_on):
    one, two = two_nodes
    add_people(one)
    one.copy_secrets_to(two)
    two.start()
    assert requests.get(f"{two.url}/saml/metadata", timeout=10).text == requests.get(f"{one.url}/saml/metadata", timeout=10).text
    first, second = make_sp(one), make_sp(one)
    until(lambda: second.entity_id in str(two.cli("app", "list", "-o", "json")), 2, "node two knows the new app")

    request = first.request()
    first.receive(sign_on(browser, request, "alice"), request)
    request = second.request()
    # The request names the public address, which is node one's; the load balancer brings it to node two.
    request.url = request.url.replace(one.url, two.url)
    told = second.receive(request.go(browser), request)

    assert told.ava["mail"] == ["alice@example.org"]
    sessions = two.cli("session", "list", "--user", "alice", "-o", "json")
    assert len(sessions) == 1 and first.entity_id in str(sessions) and second.entity_id in str(sessions)


def test_a_new_app_and_a_disabled_one_reach_the_other_node_within_two_seconds(two_nodes, make_sp):
    one, two = two_nodes
    one.copy_secrets_to(two)
    two.start()

    sp = make_sp(one)

    def through_two():
        request = sp.request()
        request.url = request.url.replace(one.url, two.url)
        return request.go(Browser()).sign_in is not None

    until(through_two, 2, "the new app works on node two")
    one.set_app(sp.app, "enabled=false")
    until(lambda: not through_two(), 2, "the disabled app is refused on node two")


def test_a_request_used_on_one_node_is_a_replay_on_the_other(two_nodes, make_sp, browser, sign_on):
    one, two = two_nodes
    add_people(one)
    one.copy_secrets_to(two)
    two.start()
    sp = make_sp(one)
    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)

    page = Browser().get(request.url.replace(one.url, two.url))

    assert page.sign_in is None and "status:Success" not in page.text


def readiness(idp):
    return requests.get(f"{idp.ops}/readyz", timeout=10).status_code


def assert_away_and_back(idp, sp, browser, leave, come_back):
    """While a store is away: not ready, alive, a page with 503 in reasonable time; afterwards all is as before."""
    assert readiness(idp) == 200

    leave()
    until(lambda: readiness(idp) == 503, 10, "/readyz says that the store is away")
    assert requests.get(f"{idp.ops}/livez", timeout=10).status_code == 200
    begun = time.monotonic()
    page = sp.request().go(browser)
    assert page.status == 503 and page.answer is None and "<html" in page.text.lower(), f"{page.status}: {page.text[:300]}"
    assert time.monotonic() - begun < 10

    come_back()
    until(lambda: readiness(idp) == 200, 15, "/readyz says that the store is back")
    assert enters(sp, browser) == ["alice@example.org"]
    assert idp.process.poll() is None


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_without_its_session_store_it_says_so_and_recovers(tmp_path, own_idp, make_sp, browser, sign_on, how):
    redis = Redis(tmp_path / "redis").start()
    try:
        idp = own_idp({"storage": f'session = "{redis.database()}"'})
        first, second = make_sp(idp), make_sp(idp)
        request = first.request()
        first.receive(sign_on(browser, request, "alice"), request)

        leave, come_back = (redis.stop, redis.start) if how == "stopped" else (redis.freeze, redis.thaw)
        assert_away_and_back(idp, second, browser, leave, come_back)
    finally:
        redis.stop()


def test_without_its_database_it_says_so_and_recovers(own_idp, make_sp, browser, sign_on):
    postgres = Postgres().start()
    try:
        idp = own_idp({"storage": f'data = "{postgres.database()}"'})
        sp = make_sp(idp)
        request = sp.request()
        sp.receive(sign_on(browser, request, "alice"), request)

        assert_away_and_back(idp, sp, browser, postgres.pause, postgres.resume)
    finally:
        postgres.stop()


def test_disabling_a_person_ends_what_they_may(own_idp, column, make_sp, browser, sign_on):
    idp = own_idp(column())
    first, second = make_sp(idp), make_sp(idp)
    request = first.request()
    first.receive(sign_on(browser, request, "alice"), request)

    idp.cli("user", "disable", "alice")

    page = second.request().go(browser)
    assert page.answer is None or b"Success" not in page.text.encode()


def test_an_ended_session_is_over(own_idp, column, make_sp, browser, sign_on):
    idp = own_idp(column())
    sp = make_sp(idp)
    request = sp.request()
    sp.receive(sign_on(browser, request, "alice"), request)

    idp.cli("session", "end", "--user", "alice")

    assert sp.request().go(browser).sign_in
    assert idp.cli("session", "list", "--user", "alice", "-o", "json") == []
