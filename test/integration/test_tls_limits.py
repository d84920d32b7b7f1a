"""The limits of TLS, each reached as it was set."""

import ssl
import time

import pytest

from origin import Origin
from tunnel import HOST, Tunnel, context_of
from wire import Reader, ask, connect, head, wait_for

WILD = "many.example"


@pytest.fixture
def many(authority):
    """An origin with any name below many.example, which its agents call by address."""
    origin = Origin(tls=authority.server(f"*.{WILD}"))
    yield origin
    origin.stop()


def call(side, origin, name, context):
    with Tunnel(side, origin, context, host="127.0.0.1", server_name=name) as agent:
        assert agent.get("/echo", f"{name}:{origin.port}").status == 200


def test_certificates_that_are_kept(intercepting, many):
    side = intercepting({"limits": {"tls_certificates": 10}})
    context = context_of(side)
    for number in range(40):
        call(side, many, f"h{number}.{WILD}", context)
    assert side.metrics().total("sidespan_certificates_minted_total") == 40
    assert side.metrics().total("sidespan_certificates") == 10
    call(side, many, f"h39.{WILD}", context)
    assert side.metrics().total("sidespan_certificates_minted_total") == 40
    call(side, many, f"h0.{WILD}", context)
    assert side.metrics().total("sidespan_certificates_minted_total") == 41


def refuse(side, origin, name, strange):
    with pytest.raises(ssl.SSLCertVerificationError):
        Tunnel(side, origin, strange, host="127.0.0.1", server_name=name)


def test_hosts_that_pass_for_a_refusal(intercepting, authority, many):
    side = intercepting({"limits": {"tls_pinned_hosts": 1}})
    strange = ssl.create_default_context(cafile=authority.pem)
    refuse(side, many, f"a.{WILD}", strange)
    call(side, many, f"a.{WILD}", strange)
    refuse(side, many, f"b.{WILD}", strange)
    call(side, many, f"b.{WILD}", strange)
    refuse(side, many, f"a.{WILD}", strange)  # forgotten for the other


def test_and_how_long_they_pass(intercepting, authority, many):
    side = intercepting({"limits": {"tls_pinned_time": "1s"}})
    strange = ssl.create_default_context(cafile=authority.pem)
    refuse(side, many, f"a.{WILD}", strange)
    call(side, many, f"a.{WILD}", strange)
    time.sleep(1.1)
    refuse(side, many, f"a.{WILD}", strange)


@pytest.mark.parametrize("kept, called, resumed", [
    (256, "AAA", [False, True, True]),
    (0, "AAA", [False, False, False]),
    (2, "ABAB", [False, False, True, True]),
    (1, "ABAB", [False, False, False, False]),
    (1, "ABBA", [False, False, True, False]),
    (2, "ABCCBA", [False, False, False, True, True, False]),  # the one that is not called for longest makes room
])
def test_sessions_for_resumption(kept, called, resumed, intercepting, authority, sink):
    """Of each origin that is called, a letter, one is kept; and of so many origins."""
    origins = {name: Origin(tls=authority.server(HOST)) for name in sorted(set(called))}
    for origin in origins.values():
        origin.answer("/close", [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "close"])
    side = intercepting({"limits": {"tls_sessions": kept}})
    for count, name in enumerate(called, 1):
        assert ask(side.egress, "GET", f"https://{HOST}:{origins[name].port}/close").status == 200
        sink.wait(count)
    assert [span["attributes"]["tls.resumed"] for span in sink.spans] == resumed
    for origin in origins.values():
        origin.stop()


def test_an_agent_that_does_not_go_on_with_its_handshake(intercepting, tls_origin, sink):
    side = intercepting({"limits": {"tls_handshake_time": "300ms"}})
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    sock = connect(side.egress)
    host = f"{HOST}:{tls_origin.port}"
    sock.sendall(head(f"CONNECT {host} HTTP/1.1", [("Host", host)]))
    assert Reader(sock).head().status == 200
    began = time.monotonic()
    sock.sendall(outgoing.read())
    while sock.recv(65536):
        pass
    assert 0.2 < time.monotonic() - began < 5
    (span,) = sink.wait(1)
    assert (span["name"], span["attributes"]["sidespan.end"]) == ("CONNECT", "timeout")
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
