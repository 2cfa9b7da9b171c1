"""Fixtures that the interop and the browser tests share. Servers are private, on free loopback ports."""

import pytest
from harness.browser import Browser
from harness.people import PASSWORD, add_people
from harness.server import Linkspan
from harness.sp import ServiceProvider, make_key_pair
from harness.stores import Postgres, Redis
from harness.xmltools import corpus


@pytest.fixture(scope="session")
def postgres():
    server = Postgres().start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def cluster(redis, postgres):
    """Makes settings of empty stores in PostgreSQL and Redis."""
    return lambda: {"storage": f'data = "{postgres.database()}"\nsession = "{redis.database()}"'}


@pytest.fixture(scope="session", params=["embedded", "cluster"])
def column(request):
    """Makes settings of empty stores of one storage column: SQLite and the embedded store, or PostgreSQL and Redis."""
    return dict if request.param == "embedded" else request.getfixturevalue("cluster")


@pytest.fixture(scope="session")
def sp_keys(tmp_path_factory):
    return make_key_pair(tmp_path_factory.mktemp("sp-keys"), "sp")


@pytest.fixture(scope="session")
def stranger_keys(tmp_path_factory):
    return make_key_pair(tmp_path_factory.mktemp("stranger-keys"), "stranger")


@pytest.fixture(scope="session")
def idp(tmp_path_factory, column):
    """A running server with alice and bob, shared by all tests of a column; each test brings apps of its own."""
    server = Linkspan(tmp_path_factory.mktemp("idp"), column())
    try:
        add_people(server.start())
        yield server
        assert server.stop() == 0, server.log[-2000:]
    finally:
        server.kill()


@pytest.fixture
def own_idp(tmp_path_factory):
    """Makes servers that a test may stop, kill or configure, each with alice and bob unless told otherwise."""
    made = []

    def make(settings=None, people=True, **options):
        server = Linkspan(tmp_path_factory.mktemp("own-idp"), settings, **options)
        made.append(server)
        server.start()
        if people:
            add_people(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def browser():
    return Browser()


@pytest.fixture
def make_sp(sp_keys, request):
    """Makes a pysaml2 SP of a name that is new, and registers it at a server with `app add` options and settings."""
    made = []

    def make(server, *add_options, settings=(), register=True, name=None, **options):
        made.append(None)
        name = name or f"sp{len(made)}-{abs(hash(request.node.nodeid)) % 10**8}"
        sp = ServiceProvider(name, sp_keys, idp_metadata(server), **options)
        if register:
            sp.app = server.add_app(sp.metadata, *add_options)
            if settings:
                server.set_app(sp.app, *settings)
        return sp

    return make


def idp_metadata(server):
    """The metadata as published, read once per server: it is the same for all."""
    if not hasattr(server, "metadata"):
        answer = Browser().get(f"{server.base}/saml/metadata")
        assert answer.status == 200, answer.text[:400]
        server.metadata = answer.text
    return server.metadata


@pytest.fixture
def sign_on():
    """Brings a request to Linkspan; signs in as that person when one is named, and insists that it was asked for."""

    def go(browser, request, person=None):
        page = request.go(browser)
        return browser.sign_in(page, person, PASSWORD) if person else page

    return go


def pytest_collection_modifyitems(items):
    """A clause's name in a marker is one of the rule book's, where that is at hand: a page will be made from them."""
    known = corpus().parent / "conformance/saml-clauses.tsv" if corpus() else None
    if not known or not known.is_file():
        return
    clauses = {line.split("\t")[1] for line in known.read_text().splitlines() if line.count("\t") > 1 and not line.startswith("#")}
    for item in items:
        for marker in item.iter_markers("clause"):
            unknown = set(marker.args) - clauses
            assert not unknown, f"{item.nodeid}: {unknown} are no clauses of {known.name}"
