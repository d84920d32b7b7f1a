"""The fixtures of the integration and conformance tests; each folder's conftest.py takes them from here.

`sidecar(config)` starts a sidespan that exports to `sink` and stops it, with a look at its exit status, when the test
ends. `origin`, `sink` and `collector` are fresh for each test; what a whole module shares, it makes by itself.
"""

import itertools

import pytest

from certificates import Authority
from collector import Collector
from origin import Origin
from otlp_sink import OtlpSink
from sidecar import Sidecar, binary, exporting, merged
from tunnel import HOST


@pytest.fixture(scope="session")
def sidespan():
    """The path of the binary under test."""
    return binary()


@pytest.fixture
def origin():
    origin = Origin()
    yield origin
    origin.stop()


@pytest.fixture
def sink():
    sink = OtlpSink()
    yield sink
    sink.stop()


@pytest.fixture
def collector(tmp_path):
    collector = Collector(tmp_path)
    yield collector
    collector.stop()


@pytest.fixture
def sidecar(sink, tmp_path, request):
    """Starts sidecars: sidecar(config=None, env=None, wrapper=()) -> Sidecar."""
    started = []
    numbers = itertools.count()

    def start(config=None, env=None, wrapper=()):
        directory = tmp_path / f"sidecar{next(numbers)}"
        started.append(Sidecar(directory, merged(exporting(sink.endpoint), config or {}), env, wrapper))
        return started[-1]

    yield start
    failed = getattr(request.node, "call_failed", False)
    try:
        for one in started:
            if failed:
                print(f"\nthe sidecar's log:\n{one.log()}")  # pytest shows it beside the failure
            else:
                one.stop()
    finally:
        for one in started:
            one.kill()


@pytest.fixture(scope="session")
def authority():
    """Who signs the origins of the tests."""
    return Authority()


@pytest.fixture
def tls_origin(authority):
    origin = Origin(tls=authority.server(HOST, "127.0.0.1"))
    yield origin
    origin.stop()


@pytest.fixture
def intercepting(sidecar, authority):
    """intercepting(config=None, env=None, **intercept): a sidecar that opens all TLS and trusts the tests' authority."""

    def start(config=None, env=None, **intercept):
        tls = {"intercept": {"mode": "all"} | intercept, "trust": {"certificates": [str(authority.pem)]}}
        return sidecar({"tls": tls} | (config or {}), env)

    return start
