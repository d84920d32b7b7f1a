"""TLS of agents, opened: the requests inside have their spans, and nobody is less safe than without us."""

import contextlib
import json
import re
import ssl
import threading
import time

import pytest

from origin import Origin, reply
from spans import seconds
from test_lineage import with_user
from test_path_tunnels import Plain
from tunnel import HOST, Silent, Tunnel, context_of
from wire import Client, Reader, Truncated, connect, head, wait_for


def mirror(sock, _, request):
    reply(sock, request, 200, request.body)


def test_a_request_inside_has_its_span(intercepting, tls_origin, sink):
    side = intercepting()
    host = f"{HOST}:{tls_origin.port}"
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        assert agent.sock.selected_alpn_protocol() == "http/1.1"
        for _ in range(3):
            assert agent.get("/echo?q=1", host).status == 200
    spans = sink.wait(3)
    assert len(sink.quiet()) == 3
    assert tls_origin.connections == 1
    for span, request in zip(spans, tls_origin.requests):
        assert span["name"] == "GET"
        assert span["attributes"]["sidespan.mode"] == "intercept"
        assert span["attributes"]["url.full"] == f"https://{host}/echo?q=1"
        assert span["attributes"]["tls.protocol.version"] == "1.3"
        assert request.get("traceparent").split("-")[2] == span["span_id"]
        assert request.get("host") == host
    assert spans[0]["attributes"]["sidespan.phase.tls"] > 0
    assert "sidespan.phase.tls" not in spans[1]["attributes"]
    assert side.metrics().total("sidespan_tunnels_opaque_total") == 0


class Late(Origin):
    """Takes its time with the handshake."""

    def _greet(self, sock):
        time.sleep(0.5)
        return super()._greet(sock)


@pytest.mark.parametrize("rest", [0, 1.2])
def test_to_reach_the_origin_is_a_part_of_the_first_call(rest, intercepting, authority, sink):
    """Unless the client had connected ahead."""
    origin = Late(tls=authority.server(HOST))
    side = intercepting()
    host = f"{HOST}:{origin.port}"
    with Tunnel(side, origin, context_of(side)) as agent:
        opened = time.time_ns()
        time.sleep(rest)
        for _ in range(2):
            assert agent.get("/echo", host).status == 200
    first, second = sink.wait(2)
    assert first["attributes"]["sidespan.phase.tls"] > 0.4
    assert (opened - first["start"] > 0.4e9) == (rest == 0)
    assert second["start"] > opened
    origin.stop()


def test_the_certificate_that_counts_is_that_of_the_connection(intercepting, authority, sink):
    """The origin's next connection shows one that covers less. It is not asked."""
    origin = Origin(tls=authority.server(HOST, "also.example"))
    side = intercepting({"limits": {"origin_idle_time": "100ms"}})
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get("/echo", f"also.example:{origin.port}").status == 200
        origin.tls = authority.server(HOST)
        wait_for("the first one's end", lambda: origin.ends)
        assert agent.get("/echo", f"also.example:{origin.port}").status == 421
        assert agent.get("/echo", f"{HOST}:{origin.port}").status == 200
    assert [request.get("host") for request in origin.requests] == [f"also.example:{origin.port}", f"{HOST}:{origin.port}"]
    refused = sink.wait(3)[1]
    assert refused["attributes"]["error.type"] == "misdirected"
    assert refused["attributes"]["sidespan.end"] == "refused"
    assert refused["status"] == "ERROR"
    origin.stop()


def test_no_answer_names_another_way_to_the_origin(intercepting, authority):
    def offer(sock, _, request):
        sock.sendall(b'HTTP/1.1 103 Early Hints\r\nAlt-Svc: h3=":443"\r\nLink: </a.css>\r\n\r\n')
        reply(sock, request, 200, headers=['Alt-Svc: h3=":443"'])

    origin = Origin(tls=authority.server(HOST))
    origin.answer("/offer", [offer])
    side = intercepting()
    with Tunnel(side, origin, context_of(side)) as agent:
        agent.send(head("GET /offer HTTP/1.1", [("Host", HOST)]))
        interim = agent.reader.head()
        assert interim.status == 103
        assert [name.lower() for name, _ in interim.headers] == ["link"]
        answer = agent.response()
        assert answer.status == 200 and answer.get("alt-svc") is None
    origin.stop()


def test_what_cannot_be_reached_took_its_time(intercepting, sink):
    origin = Silent()
    side = intercepting({"limits": {"tls_handshake_time": "1s"}})  # the agent's, too
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get("/", f"{HOST}:{origin.port}").status == 504
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["attributes"]["error.type"]) == ("timeout", "connect_timeout")
    assert seconds(span) > 0.9
    origin.stop()


@pytest.mark.parametrize("mode", ["off", "bypass", "not_listed", "sni_mismatch", "alpn", "tls_version"])
def test_what_is_not_opened_meets_the_origin_itself(mode, intercepting, tls_origin, authority, sink):
    settings = {"off": {"mode": "off"}, "bypass": {"bypass": [HOST]},
                "not_listed": {"mode": "listed", "hosts": ["*.example.com"]}}.get(mode, {})
    side = intercepting(**settings)
    context = ssl.create_default_context(cafile=authority.pem)
    context.set_alpn_protocols(["mqtt"] if mode == "alpn" else ["http/1.1"])
    if mode == "tls_version":
        for one in (context, tls_origin.tls):
            one.set_ciphers("ALL:@SECLEVEL=0")
            one.minimum_version = one.maximum_version = ssl.TLSVersion.TLSv1_1
    context.check_hostname = mode != "sni_mismatch"
    name = "other.example" if mode == "sni_mismatch" else HOST
    with Tunnel(side, tls_origin, context, server_name=name) as agent:
        assert "test authority" in str(agent.sock.getpeercert()["issuer"])
        assert agent.sock.version() == ("TLSv1.1" if mode == "tls_version" else "TLSv1.3")
        assert agent.get("/echo", HOST).status == 200
    (span,) = sink.wait(1)
    assert span["name"] == "CONNECT"
    assert span["attributes"]["sidespan.mode"] == "tunnel"
    assert span["attributes"]["sidespan.tunnel.reason"] == mode
    assert span["attributes"]["sidespan.tls.server_name"] == name
    assert span["attributes"]["sidespan.tls.alpn"] == (["mqtt"] if mode == "alpn" else ["http/1.1"])
    assert span["attributes"]["sidespan.bytes.received"] > 0
    assert "traceparent" not in dict(tls_origin.requests[0].headers)


def test_a_mismatch_is_refused_where_that_is_wanted(intercepting, tls_origin, sink):
    side = intercepting(mismatch="refuse")
    context = context_of(side)
    context.check_hostname = False
    with pytest.raises(OSError):
        Tunnel(side, tls_origin, context, server_name="other.example")
    (span,) = sink.wait(1)
    assert span["attributes"]["error.type"] == "denied"
    assert span["attributes"]["sidespan.tunnel.reason"] == "sni_mismatch"
    assert side.metrics().total("sidespan_tunnels_opaque_total") == 0
    assert tls_origin.requests == []


@pytest.mark.parametrize("hello", [b"\x16\x03\x01\x40\x00\x01", b"\x16\x03\x01\x00\x04\x01\xff\xff\xff"])
def test_so_is_a_hello_that_nobody_can_read(hello, intercepting, sink):
    """One that never ends, where the origin speaks meanwhile, and one of a length that cannot be."""
    said = threading.Event()

    def speak(sock):
        said.wait(20)
        time.sleep(0.3)  # what was said first is to be there first
        with contextlib.suppress(OSError):
            sock.sendall(b"220 ready")
            sock.recv(99)

    origin = Plain(speak)
    side = intercepting(mismatch="refuse")
    with Client(side.egress) as agent:
        agent.send(head(f"CONNECT {HOST}:{origin.port} HTTP/1.1", [("Host", "h")]))
        assert agent.reader.head().status == 200
        agent.send(hello)
        said.set()
        with pytest.raises((OSError, Truncated)):
            agent.reader.exactly(9)
    (span,) = sink.wait(1)
    assert span["attributes"]["error.type"] == "denied"
    origin.stop()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_agent_that_refuses_our_certificate_passes_alone(workers, intercepting, tls_origin, authority, sink):
    side = intercepting({"workers": workers})
    pinned = ssl.create_default_context(cafile=authority.pem)

    with pytest.raises(ssl.SSLCertVerificationError):
        Tunnel(side, tls_origin, pinned, fields=with_user("bob"))
    for _ in range(4):
        with Tunnel(side, tls_origin, pinned, fields=with_user("bob")) as agent:
            assert agent.get("/echo", HOST).status == 200
        with Tunnel(side, tls_origin, context_of(side), fields=with_user("ada")) as agent:
            assert agent.get("/echo", HOST).status == 200
    reasons = [span["attributes"].get("sidespan.tunnel.reason") for span in sink.wait(9)]
    assert reasons.count("pinned") == 4 and reasons.count(None) == 5


def test_an_agent_that_refuses_our_certificate_passes_from_then_on(intercepting, tls_origin, authority, sink):
    side = intercepting()
    pinned = ssl.create_default_context(cafile=authority.pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        Tunnel(side, tls_origin, pinned)
    with Tunnel(side, tls_origin, pinned) as agent:
        assert agent.get("/echo", HOST).status == 200
    refused, passed = sink.wait(2)
    assert refused["name"] == "CONNECT" and refused["attributes"]["error.type"] == "tls_failure"
    assert refused["attributes"]["sidespan.mode"] == "intercept"
    assert re.search("agent refused the TLS handshake", refused["message"])
    assert passed["attributes"]["sidespan.tunnel.reason"] == "pinned"
    metrics = side.metrics()
    assert metrics.total("sidespan_certificates_rejected_total") == 1
    assert metrics.total("sidespan_tunnels_opaque_total", reason="pinned") == 1
    said = [json.loads(line) for line in side.lines if "refused our certificate" in line]
    assert [(line["level"], line["host"]) for line in said] == [("warn", HOST)]


class Leaving:
    """Agents that do not trust us and say nothing: within the handshake, or when it is over."""

    @staticmethod
    def within(sock):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
        with contextlib.suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        sock.sendall(outgoing.read())
        assert sock.recv(65536)
        sock.close()

    @staticmethod
    def after(sock):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.wrap_socket(sock, server_hostname=HOST).close()


def leave(side, host, how):
    sock = connect(side.egress)
    sock.sendall(head(f"CONNECT {host} HTTP/1.1", [("Host", host)]))
    assert Reader(sock).head().status == 200
    getattr(Leaving, how)(sock)


@pytest.mark.parametrize("how", ["within", "after"])
def test_agents_that_just_go_pass_as_well(how, intercepting, tls_origin, authority, sink):
    side = intercepting()
    host = f"{HOST}:{tls_origin.port}"
    needed = 2
    for number in range(needed):
        leave(side, host, how)
        sink.wait(number + 1)
    with Tunnel(side, tls_origin, ssl.create_default_context(cafile=authority.pem)) as agent:
        assert agent.get("/echo", host).status == 200
    assert sink.wait(needed + 1)[-1]["attributes"]["sidespan.tunnel.reason"] == "pinned"


@pytest.mark.parametrize("how", ["within", "after"])
def test_agents_that_are_stopped_do_not_refuse(how, intercepting, tls_origin, sink):
    """Who was served trusts us; that others were stopped on their way says nothing."""
    side = intercepting()
    host = f"{HOST}:{tls_origin.port}"
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        assert agent.get("/echo", host).status == 200
    for number in range(3):
        leave(side, host, how)
        sink.wait(2 + number)
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        assert agent.get("/echo", host).status == 200
    assert sink.wait(5)[-1]["attributes"]["sidespan.mode"] == "intercept"
    assert side.metrics().total("sidespan_certificates_rejected_total") == 0


def test_who_connects_for_nothing_does_not_refuse(intercepting, tls_origin, sink):
    side = intercepting()
    host = f"{HOST}:{tls_origin.port}"
    for number in range(3):
        sock = connect(side.egress)
        sock.sendall(head(f"CONNECT {host} HTTP/1.1", [("Host", host)]))
        assert Reader(sock).head().status == 200
        Leaving.after(sock)
        sink.wait(2 * number + 1)
        with Tunnel(side, tls_origin, context_of(side)) as agent:
            assert agent.get("/echo", host).status == 200
        sink.wait(2 * number + 2)
    assert side.metrics().total("sidespan_certificates_rejected_total") == 0


def test_requests_go_to_the_verified_origin_or_nowhere(intercepting, authority, sink):
    origin = Origin(tls=authority.server(HOST, "also.example", "127.0.0.1"))
    side = intercepting()
    port = origin.port
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get("/echo", f"also.example:{port}").status == 200
        assert agent.get("/echo", f"evil.example:{port}").status == 421
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get("/echo", f"{HOST}:{port + 1}").status == 421
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get(f"https://evil.example:{port}/", f"evil.example:{port}").status == 421
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get(f"http://{HOST}:{port}/", f"{HOST}:{port}").status == 421
    assert [request.get("host") for request in origin.requests] == [f"also.example:{port}"]
    assert sink.wait(1)[0]["attributes"]["server.address"] == "also.example"
    origin.stop()


def test_an_address_has_a_certificate_of_its_own(intercepting, tls_origin, sink):
    side = intercepting()
    with Tunnel(side, tls_origin, context_of(side), host="127.0.0.1") as agent:
        assert agent.get("/echo", f"127.0.0.1:{tls_origin.port}").status == 200
    assert sink.wait(1)[0]["attributes"]["server.address"] == "127.0.0.1"


def test_an_address_that_is_called_by_name_shows_a_certificate_for_it(intercepting, tls_origin, sink):
    side = intercepting()
    with Tunnel(side, tls_origin, context_of(side), host="127.0.0.1", server_name=HOST) as agent:
        assert agent.get("/echo", f"{HOST}:{tls_origin.port}").status == 200
    (span,) = sink.wait(1)
    assert span["attributes"]["server.address"] == HOST
    assert span["attributes"]["network.peer.address"] == "127.0.0.1"


def test_the_origin_may_break_off_and_the_agent_learns_it(intercepting, tls_origin, sink):
    tls_origin.answer("/cut", [b"HTTP/1.1 200 OK\r\n\r\nno end", "close"])
    side = intercepting()
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        agent.send(head("GET /cut HTTP/1.1", [("Host", HOST + f":{tls_origin.port}")]))
        # Without close_notify a body that only the connection's end delimits is no whole body.
        with pytest.raises((Truncated, OSError)):
            agent.response()
    (span,) = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "origin_closed"
    assert span["attributes"]["error.type"]


def test_alternatives_we_would_not_see_are_not_passed_on(intercepting, tls_origin):
    tls_origin.answer("/alt", [b'HTTP/1.1 200 OK\r\nAlt-Svc: h3=":443"\r\nContent-Length: 2\r\n\r\nok'])
    side = intercepting()
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        assert agent.get("/alt", f"{HOST}:{tls_origin.port}").get("alt-svc") is None


def test_large_bodies_both_ways(intercepting, tls_origin, sink):
    side = intercepting()
    body = bytes(range(256)) * 4096 * 3
    tls_origin.answer("/mirror", [mirror])
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        response = agent.ask("POST", "/mirror", body=body, host=f"{HOST}:{tls_origin.port}")
        assert response.status == 200 and response.body == body
    (span,) = sink.wait(1)
    assert span["attributes"]["http.request.body.size"] == len(body)
    assert span["attributes"]["http.response.body.size"] == len(body)


def test_a_websocket_inside_is_one_span(intercepting, tls_origin, sink):
    side = intercepting()
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        agent.send(head("GET /upgrade HTTP/1.1", [("Host", f"{HOST}:{tls_origin.port}"), ("Connection", "Upgrade"),
                                                   ("Upgrade", "websocket")]))
        assert agent.response().status == 101
        for i in range(1000):
            agent.send(b"%04d" % i)
            assert agent.reader.exactly(4) == b"%04d" % i
    (span,) = sink.wait(1)
    assert span["attributes"]["sidespan.bytes.sent"] == 4000


def test_an_origin_that_was_verified_is_not_asked_again(intercepting, tls_origin, sink):
    """Tunnels one after the other use one connection to the origin, and resume their own sessions."""
    side = intercepting()
    host = f"{HOST}:{tls_origin.port}"
    context, session, resumed = context_of(side), None, []
    for _ in range(4):
        sock = connect(side.egress)
        sock.sendall(head(f"CONNECT {host} HTTP/1.1", [("Host", host)]))
        assert Reader(sock).head().status == 200
        with context.wrap_socket(sock, server_hostname=HOST, session=session) as secured:
            secured.sendall(head("GET /echo HTTP/1.1", [("Host", host)]))
            assert Reader(secured).response().status == 200
            resumed.append(secured.session_reused)
            session = secured.session
    assert tls_origin.connections == 1
    assert resumed == [False, True, True, True]
    assert len(sink.wait(4)) == 4


def test_a_tunnel_may_turn_out_to_be_none_of_tls(intercepting, tls_origin, sink):
    """Also where a verified connection was there: what is said in it needs one of its own."""
    side = intercepting()
    host = f"{HOST}:{tls_origin.port}"
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        assert agent.get("/echo", host).status == 200
    with Client(side.egress) as agent:
        agent.send(head(f"CONNECT {host} HTTP/1.1", [("Host", host)]))
        assert agent.reader.head().status == 200
        agent.send(b"SSH-2.0-none\r\n")
        with contextlib.suppress(ConnectionResetError):  # the origin's answer to what is no hello
            agent.reader.rest()
    assert sink.wait(2)[1]["attributes"]["sidespan.tunnel.reason"] == "not_tls"
    assert tls_origin.connections == 2
