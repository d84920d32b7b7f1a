"""HTTP/2 on both sides and translated between them: each call is one right span, whatever the two speak."""

import contextlib
import re
import socket
import ssl
import struct
import subprocess
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
from hyperframe.frame import SettingsFrame

import peers
from h2_origin import H2Client, H2Origin, Message
from origin import Origin
from sidecar import exporting, resident, run, wait_for
from tunnel import HOST, context_of, trusted
from wire import Reader, connect, head, outward_address


MIB = 1 << 20


@pytest.fixture
def h2_origin(authority):
    """By TLS, with both protocols at choice."""
    origin = H2Origin(tls=authority.server(HOST, "127.0.0.1"), alpn=("h2", "http/1.1"))
    yield origin
    origin.stop()


@pytest.fixture
def plain_h2_origin():
    origin = H2Origin()
    yield origin
    origin.stop()


def inside(side, origin, alpn=("h2",)):
    """An agent's connection through a tunnel, and what was agreed on."""
    authority = f"{HOST}:{origin.port}"
    sock = connect(side.egress)
    sock.sendall(head(f"CONNECT {authority} HTTP/1.1", [("Host", authority)]))
    assert Reader(sock).head().status == 200
    sock = context_of(side, alpn).wrap_socket(sock, server_hostname=HOST)
    return sock, sock.selected_alpn_protocol(), authority


def plain(side):
    """An agent that knows that we speak HTTP/2."""
    return H2Client(connect(side.egress))


class Strict(H2Origin):
    """Who does not offer what it takes is told so (RFC 7301 section 3.2), which Python's TLS would not do."""

    takes, refusals = b"\x02h2", 0

    def _greet(self, sock):
        hello = b""
        while len(hello) < 5 or len(hello) < 5 + int.from_bytes(hello[3:5]):
            hello = sock.recv(65536, socket.MSG_PEEK)
        if self.takes in hello:
            return super()._greet(sock)
        self.refusals += 1
        sock.sendall(bytes((21, 3, 3, 0, 2, 2, 120)))  # a fatal alert: no_application_protocol
        raise OSError("the client offers nothing that is taken here")


# What agent and origin take, and what each side then speaks.
MATRIX = {
    ("h2,http/1.1", "h2,http/1.1"): ("h2", "2"),
    ("h2,http/1.1", "h2"): ("h2", "2"),
    ("h2,http/1.1", "http/1.1"): ("http/1.1", "1.1"),
    ("h2", "h2,http/1.1"): ("h2", "2"),
    ("h2", "h2"): ("h2", "2"),
    ("h2", "http/1.1"): ("h2", "1.1"),
    ("http/1.1", "h2,http/1.1"): ("http/1.1", "1.1"),
    ("http/1.1", "h2"): ("http/1.1", "2"),
    ("http/1.1", "http/1.1"): ("http/1.1", "1.1"),
    ("", "http/1.1"): (None, "1.1"),
    ("", "h2"): (None, "2"),
}


@pytest.mark.parametrize("agent,origin", MATRIX)
def test_what_is_spoken_inside(agent, origin, intercepting, authority, sink):
    tls = authority.server(HOST, "127.0.0.1")
    takes = origin.split(",")
    agreed, behind = MATRIX[agent, origin]
    there = (Strict if takes == ["h2"] else H2Origin)(tls=tls, alpn=takes) if behind == "2" else Origin(tls=tls)
    if behind == "1.1":
        tls.set_alpn_protocols(["http/1.1"])
    side = intercepting()
    sock, got, name = inside(side, there, [word for word in agent.split(",") if word])
    assert got == agreed
    with sock:
        if got == "h2":
            with H2Client(sock) as client:
                answers = [client.get(name, f"/echo?{i}", "POST", "https", body=b"words") for i in range(3)]
                assert [answer.status for answer in answers] == [200] * 3
        else:
            reader = Reader(sock)
            for i in range(3):
                sock.sendall(head(f"POST /echo?{i} HTTP/1.1", [("Host", name), ("Content-Length", "5")]) + b"words")
                assert reader.response("POST").status == 200
    spans = sink.wait(3)
    assert len(sink.quiet()) == 3
    for span, request in zip(spans, there.requests):
        found = span["attributes"]
        assert span["name"] == "POST" and found["sidespan.mode"] == "intercept"
        assert found["network.protocol.version"] == behind
        assert found["url.full"].startswith(f"https://{name}/echo?")
        assert found["http.request.body.size"] == 5
        assert request.get("traceparent").split("-")[2] == span["span_id"]
    there.stop()


def test_an_origin_that_refused_http1_is_asked_for_http2_at_once(intercepting, authority, sink):
    origin = Strict(tls=authority.server(HOST, "127.0.0.1"))
    side = intercepting({"limits": {"origin_idle_time": "100ms"}})
    for number in range(3):
        sock, _, name = inside(side, origin, ("http/1.1",))
        with sock:
            sock.sendall(head(f"GET /echo?{number} HTTP/1.1", [("Host", name)]))
            assert Reader(sock).response("GET").status == 200
        wait_for("the connection to end", lambda: len(origin.ends) == origin.connections)
    assert origin.refusals == 1 and origin.connections == 4
    assert len(sink.wait(3)) == len(sink.quiet()) == 3
    origin.stop()


def test_an_origin_that_takes_neither(intercepting, authority, sink):
    origin = Strict(tls=authority.server(HOST, "127.0.0.1"))
    origin.takes = b"\x06spdy/3"
    sock, got, name = inside(intercepting(), origin, ("http/1.1",))
    with sock:
        sock.sendall(head("GET /echo HTTP/1.1", [("Host", name)]))
        answer = Reader(sock).response("GET")
    assert got == "http/1.1" and answer.status == 502 and b"no application protocol" in answer.body
    assert origin.refusals == 2
    assert sink.wait(1)[0]["attributes"]["error.type"] == "no_protocol"
    origin.stop()


def test_a_login_of_a_connection_s_keeps_it(sidecar, tls_origin, authority):
    """Negotiate: the requests behind it say nothing of it, and go over the same connection, of HTTP/1."""
    side = sidecar({"tls": {"trust": {"certificates": [str(authority.pem)]}},
                    "routes": [{"path": "/api/", "to": f"https://{HOST}:{tls_origin.port}/"}]})
    with connect(side.egress) as sock:
        reader = Reader(sock)
        for fields in ([("Authorization", "Negotiate abc")], [], []):
            sock.sendall(head("GET /api/echo HTTP/1.1", [("Host", "x"), *fields]))
            assert reader.response("GET").status == 200
    assert tls_origin.connections == 1


def test_streams_share_a_connection(intercepting, h2_origin, sink):
    side = intercepting()
    sock, _, name = inside(side, h2_origin)
    with H2Client(sock) as client:
        asked = [client.ask(name, f"/echo?{i}", scheme="https") for i in range(50)]
        assert [answer.status for answer in client.wait(*asked)] == [200] * 50
    spans = sink.wait(50)
    assert len({span["attributes"]["url.full"] for span in spans}) == 50
    assert h2_origin.connections == 1
    assert {request.get("traceparent").split("-")[2] for request in h2_origin.requests} == {s["span_id"] for s in spans}


def test_what_passes_between_two_that_speak_it(intercepting, h2_origin, sink):
    side = intercepting()
    sock, _, name = inside(side, h2_origin)
    with H2Client(sock) as client:
        trailers = client.get(name, "/trailers", "POST", "https", body=b"a", trailers=[("x-end", "1")],
                              headers=[("te", "trailers"), ("cookie", "a=1"), ("cookie", "b=2")])
        assert trailers.trailers == [("grpc-status", "0")]
        request = h2_origin.requests[-1]
        assert request.trailers == [("x-end", "1")]
        assert request.get("te") == "trailers"
        assert [value for name_, value in request.headers if name_ == "cookie"] == ["a=1; b=2"]
        hints = client.get(name, "/hints", scheme="https")
        assert dict(hints.interims[0])[":status"] == "103"
        assert client.get(name, "/stream", scheme="https").body == b"piece" * 10
        big = client.get(name, "/big/3000000", "POST", "https", body=b"y" * 60000)
        assert big.body == b"x" * 3_000_000
        empty = client.get(name, "/echo", "HEAD", "https")
        assert empty.status == 200 and empty.body == b""
    assert [span["attributes"]["http.response.status_code"] for span in sink.wait(5)] == [200] * 5


def test_an_agent_of_http1_and_an_origin_of_http2(sidecar, h2_origin, authority, sink):
    """A base-URL route: what the agent says in chunks, and what it is answered."""
    side = sidecar({"tls": {"trust": {"certificates": [str(authority.pem)]}},
                    "routes": [{"path": "/api/", "to": h2_origin.url("/").replace("127.0.0.1", HOST)}]})
    with connect(side.egress) as sock:
        reader = Reader(sock)
        sock.sendall(head("POST /api/trailers HTTP/1.1", [("Host", "x"), ("Transfer-Encoding", "chunked"),
                                                          ("X-Case", "Kept"), ("Connection", "x-hop"), ("X-Hop", "1")])
                     + b"5\r\nhello\r\n0\r\nX-End: 1\r\n\r\n")
        answer = reader.response("POST")
        assert answer.status == 200 and answer.trailers == [("grpc-status", "0")]
        request = h2_origin.requests[0]
        assert request.body == b"hello" and request.trailers == [("x-end", "1")]
        assert request.get("x-case") == "Kept" and request.get("x-hop") is None
        assert request.get(":authority") == f"{HOST}:{h2_origin.port}"
        sock.sendall(head("GET /api/big/200000 HTTP/1.1", [("Host", "x")]))
        assert len(reader.response("GET").body) == 200_000
        sock.sendall(head("HEAD /api/echo HTTP/1.1", [("Host", "x")]))
        assert reader.response("HEAD").status == 200
        sock.sendall(head("GET /api/hints HTTP/1.1", [("Host", "x")]))
        assert [interim.status for interim in reader.response("GET").interim] == [103]
        sock.sendall(head("GET /api/status/204 HTTP/1.1", [("Host", "x")]))
        assert reader.response("GET").status == 204
    spans = sink.wait(5)
    assert [span["attributes"]["network.protocol.version"] for span in spans] == ["2"] * 5
    assert h2_origin.connections == 1


MANY = [(f"x-{i}", "v" * 2000) for i in range(100)]


class Lavish(Strict):
    """Its answers are nearly as large as they may be, head and trailers."""

    def _answer(self, connection, queues, stream, request):
        connection.send_headers(stream, [(":status", "200"), *MANY])
        queues[stream] = (bytearray(b"words"), MANY)


def test_heads_and_trailers_within_their_limit_arrive_whoever_speaks_what(intercepting, authority, sink):
    most = {h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: MIB}
    origin = Lavish(tls=authority.server(HOST, "127.0.0.1"), settings=most)
    side = intercepting({"limits": {"head_bytes": "256KiB"}})
    sock, _, name = inside(side, origin)
    with H2Client(sock) as client:
        client.connection.decoder.max_header_list_size = MIB
        for more in ([], MANY):  # the first tells the origin's library that it takes more
            answer = client.get(name, "/", "POST", "https", headers=more, body=b"a", trailers=[("x", "y"), *more])
            assert answer.headers[1:] == answer.trailers == MANY
    sock, _, name = inside(side, origin, ("http/1.1",))
    with sock:
        sock.sendall(head("POST / HTTP/1.1", [("Host", name), ("Transfer-Encoding", "chunked"), *MANY])
                     + head("1\r\na\r\n0", [("x", "y"), *MANY]))
        answer = Reader(sock).response("POST")
        assert [line for line in answer.headers if line in MANY] == answer.trailers == MANY
    for request in origin.requests[1:]:
        assert [line for line in request.headers if line in MANY] == MANY
        assert request.trailers == [("x", "y"), *MANY]
    assert [span["status"] for span in sink.wait(3)] == ["UNSET"] * 3
    origin.stop()


def test_how_streams_fail(intercepting, h2_origin, sink):
    side = intercepting()
    sock, _, name = inside(side, h2_origin)
    with H2Client(sock) as client:
        assert client.get(name, "/refuse/1", "POST", "https", body=b"once more").status == 200
        broken = client.get(name, "/broken", scheme="https")
        assert broken.error == 2 and broken.body == b"half"
        assert client.get(name, "/goaway", scheme="https").status == 200
        assert client.get(name, "/echo", scheme="https").status == 200
        cancelled = client.ask(name, "/never", scheme="https")
        wait_for("the request", lambda: any(request.get(":path") == "/never" for request in h2_origin.requests))
        client.connection.reset_stream(cancelled, 8)
        client.flush()
        sink.wait(6)
    refused, again, cut, last, fresh, gone = sink.spans[:6]
    assert refused["attributes"]["sidespan.end"] == "origin_closed" and refused["status"] == "ERROR"
    assert again["attributes"]["http.response.status_code"] == 200
    assert again["links"][0]["span_id"] == refused["span_id"]
    assert cut["attributes"]["error.type"] == "connection_reset"
    assert last["status"] == fresh["status"] == "UNSET"
    assert gone["attributes"]["sidespan.end"] == "agent_cancelled" and gone["status"] == "UNSET"
    assert h2_origin.connections >= 2
    wait_for("RST_STREAM at the origin", lambda: h2_origin.resets == 1)


def test_a_stream_for_somebody_else_is_refused_alone(intercepting, h2_origin, sink):
    side = intercepting()
    sock, _, name = inside(side, h2_origin)
    with H2Client(sock) as client:
        under_way = client.ask(name, "/echo?first", "POST", "https", body=b"its beginning", end=False)
        elsewhere = [("evil.example", "https"), (f"evil.example:{h2_origin.port}", "https"),
                     (f"{HOST}:{h2_origin.port + 1}", "https"), (name, "http")]
        asked = [client.ask(authority, "/echo?foreign", scheme=scheme) for authority, scheme in elsewhere]
        asked.append(client.ask(f"127.0.0.1:{h2_origin.port}", "/echo?covered", scheme="https"))
        *foreign, covered = client.wait(*asked)
        for answer in foreign:
            assert answer.status == 421
            assert answer.body == f"sidespan: this tunnel leads to https://{name} alone.\n".encode()
        assert covered.status == 200
        assert not client.answers[under_way].ended
        client.connection.send_data(under_way, b", its end", end_stream=True)
        client.flush()
        (answer,) = client.wait(under_way)
        assert answer.status == 200 and b"its beginning, its end" in answer.body
        assert client.closed is None
    assert [request.get(":path") for request in h2_origin.requests] == ["/echo?covered", "/echo?first"]
    assert h2_origin.connections == 1
    assert len(sink.quiet()) == 2


def test_inside_a_tunnel_authority_is_read_as_host_is(intercepting, authority, sink):
    """A name that the certificate covers leads to the tunnel's origin, without a port, too, and arrives as written."""
    origin = H2Origin(tls=authority.server(HOST, "svc.example.com"))
    sock, _, name = inside(intercepting(), origin)
    said = [name, HOST, "svc.example.com", f"svc.example.com:{origin.port}"]
    with H2Client(sock) as client:
        for one in said:
            assert client.get(one, "/echo", scheme="https").status == 200
        assert client.get("other.example.com", "/echo", scheme="https").status == 421
        assert client.get("svc.example.com:443", "/echo", scheme="https").status == 421
    assert [request.get(":authority") for request in origin.requests] == said
    assert origin.connections == 1
    assert [span["attributes"]["url.full"].split("/")[2] for span in sink.quiet()] == [
        f"{host}:{origin.port}" for host in (HOST, HOST, "svc.example.com", "svc.example.com")]
    origin.stop()


def test_inside_a_plain_tunnel_authority_is_left_to_the_origin(sidecar, plain_h2_origin, sink):
    """As Host is: who asks a service by its own name asks the address that the tunnel leads to."""
    leads_to = f"127.0.0.1:{plain_h2_origin.port}"
    sock = connect(sidecar().egress)
    sock.sendall(head(f"CONNECT {leads_to} HTTP/1.1", [("Host", leads_to)]))
    assert Reader(sock).head().status == 200
    said = [leads_to, "127.0.0.1", "svc.example.com", "svc.example.com:1"]
    grpc = [("content-type", "application/grpc"), ("te", "trailers")]
    with H2Client(sock) as client:
        for one in said:
            assert client.get(one, "/trailers", "POST", body=b"", headers=grpc).trailers == [("grpc-status", "0")]
        assert client.get(leads_to, "/trailers", "POST", "https", body=b"", headers=grpc).status == 421
    assert [request.get(":authority") for request in plain_h2_origin.requests] == said
    assert {span["attributes"]["url.full"] for span in sink.quiet()} == {f"http://{leads_to}/trailers"}


def test_prior_knowledge(sidecar, origin, plain_h2_origin, sink):
    side = sidecar({"routes": [{"path": "/tools/", "to": origin.url("/")}]})
    with plain(side) as client:
        name = f"127.0.0.1:{origin.port}"
        assert client.get(name, "/echo?a", "POST", body=b"words").status == 200
        assert client.get(f"127.0.0.1:{side.egress[1]}", "/tools/echo?b").status == 200
        grpc = client.get(f"127.0.0.1:{plain_h2_origin.port}", "/trailers", "POST", body=b"",
                          headers=[("content-type", "application/grpc"), ("te", "trailers")])
        assert grpc.trailers == [("grpc-status", "0")]
        denied = client.get("169.254.169.254", "/")
        assert denied.status == 403 and b"egress.deny" in denied.body
        ourselves = client.get(f"127.0.0.1:{side.egress[1]}", "/nowhere")
        assert ourselves.status == 508
    spans = sink.wait(5)
    assert [span["attributes"]["sidespan.mode"] for span in spans] == ["forward", "route", "forward", "forward", "forward"]
    assert [span["attributes"].get("network.protocol.version") for span in spans[:3]] == ["1.1", "1.1", "2"]
    assert origin.requests[0].body == b"words"
    assert origin.requests[0].get("transfer-encoding") == "chunked"


def test_an_agent_of_http2_and_an_origin_of_http1(sidecar, origin, sink):
    """Interim answers, trailers both ways, and a body that waits until it is asked for."""
    side = sidecar()
    origin.answer("/all", [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                           b"Trailer: X-End\r\n\r\n2\r\nok\r\n0\r\nX-End: 1\r\n\r\n"])
    name = f"127.0.0.1:{origin.port}"
    with plain(side) as client:
        answer = client.get(name, "/all", "POST", body=b"words", trailers=[("x-sum", "7")], headers=[("te", "trailers")])
        assert (answer.status, answer.body, answer.trailers) == (200, b"ok", [("x-end", "1")])
        assert [dict(interim)[":status"] for interim in answer.interims] == ["103"]
        assert origin.requests[0].body == b"words"
        assert [(key.lower(), value) for key, value in origin.requests[0].trailers] == [("x-sum", "7")]
        waits = client.ask(name, "/echo", "POST", headers=[("expect", "100-continue"), ("content-length", "5")], end=False)
        while not client.answers[waits].interims:
            assert client.pull()
        assert dict(client.answers[waits].interims[0])[":status"] == "100"
        client.connection.send_data(waits, b"words", end_stream=True)
        client.flush()
        assert client.wait(waits)[0].status == 200
        assert origin.requests[1].body == b"words"
    assert [span["attributes"]["http.response.status_code"] for span in sink.wait(2)] == [200, 200]


class Expecting(Strict):
    """Says 100 of its own to /echo, and is done with anything else by the head alone."""

    def _take(self, connection, streams, queues, event, number):
        super()._take(connection, streams, queues, event, number)
        if isinstance(event, h2.events.RequestReceived):
            request = streams[event.stream_id]
            if request.get(":path") == "/echo":
                connection.send_headers(event.stream_id, [(":status", "100"), ("x-by", "origin")])
            else:
                self._answer(connection, queues, event.stream_id, request)


def test_an_agent_of_http1_that_asks_before_it_sends_its_body(intercepting, authority, sink):
    """Inside a tunnel to an origin of HTTP/2: its 100, or its final answer, is what the agent gets."""
    origin = Expecting(tls=authority.server(HOST, "127.0.0.1"))
    side = intercepting()
    fields = [("Expect", "100-continue"), ("Content-Length", "5")]
    sock, _, name = inside(side, origin, ("http/1.1",))
    with sock:
        reader = Reader(sock)
        sock.sendall(head("POST /echo HTTP/1.1", [("Host", name), *fields]))
        go_on = reader.head()
        assert go_on.status == 100 and go_on.get("x-by") == "origin"
        sock.sendall(b"words")
        assert reader.response("POST").status == 200
    sock, _, name = inside(side, origin, ("http/1.1",))
    with sock:
        sock.sendall(head("POST /status/417 HTTP/1.1", [("Host", name), *fields]))
        answer = Reader(sock).response("POST")
        assert answer.status == 417 and not answer.interim
    [request] = origin.requests  # whose end came
    assert request.body == b"words" and request.get("expect") == "100-continue"
    first, second = sink.wait(2)
    assert [span["attributes"]["http.response.status_code"] for span in (first, second)] == [200, 417]
    assert {span["attributes"]["network.protocol.version"] for span in (first, second)} == {"2"}
    assert second["attributes"]["http.request.body.size"] == 0
    origin.stop()


def test_via_names_what_was_received(sidecar, origin, sink):
    side = sidecar({"http": {"via": "on"}})
    with H2Client(connect(side.egress)) as client:
        answer = client.get(f"127.0.0.1:{origin.port}")
    assert dict(answer.headers)["via"] == "1.1 sidespan"
    assert origin.requests[0].get("via") == "2 sidespan"


def test_uploads_without_a_body_say_so_in_http1(sidecar, origin):
    side = sidecar()
    with H2Client(connect(side.egress)) as client:
        for method in ("POST", "PUT", "GET"):
            assert client.get(f"127.0.0.1:{origin.port}", "/echo", method).status == 200
    assert [request.get("content-length") for request in origin.requests] == ["0", "0", None]
    assert [request.get("transfer-encoding") for request in origin.requests] == [None] * 3


def test_a_burst_shares_what_is_dialled(sidecar, h2_origin, authority, sink):
    """Once an origin is known to take HTTP/2, one of many that want it dials."""
    side = sidecar({"tls": {"trust": {"certificates": [str(authority.pem)]}}, "limits": {"origin_idle_time": "300ms"}})
    name = f"{HOST}:{h2_origin.port}"
    with plain(side) as client:
        for burst in (1, 2):
            before = h2_origin.connections
            asked = [client.ask(name, f"/echo?{burst}-{i}", scheme="https") for i in range(30)]
            assert [answer.status for answer in client.wait(*asked)] == [200] * 30
            dialled = h2_origin.connections - before
            assert dialled == 1 if burst == 2 else dialled <= 30
            wait_for("idle connections to end", lambda: len(h2_origin.ends) == h2_origin.connections)
    assert len(sink.wait(60)) == 60


def test_a_burst_to_who_is_not_there(sidecar, sink):
    side = sidecar()
    with plain(side) as client:
        asked = [client.ask("127.0.0.1:1", "/", scheme="https") for _ in range(10)]
        assert [answer.status for answer in client.wait(*asked)] == [502] * 10
    assert len(sink.wait(10)) == 10


class Early(H2Origin):
    """Answers as soon as the head is there, whatever follows."""

    def _take(self, connection, streams, queues, event, number):
        said = super()._take(connection, streams, queues, event, number)
        if isinstance(event, h2.events.RequestReceived):
            self._answer(connection, queues, event.stream_id, streams[event.stream_id])
        return said


@pytest.mark.parametrize("code", [h2.errors.ErrorCodes.NO_ERROR, h2.errors.ErrorCodes.CANCEL])
@pytest.mark.parametrize("path, fields", [("/status/413", []), ("/trailers", ["grpc"]), ("/trailers", ["grpc", "100m"])])
def test_who_has_the_whole_answer_cancels_nothing(path, fields, code, intercepting, authority, sink):
    """By RST_STREAM it gives up the rest of what it sends, as grpc-go does, be its deadline over by then or not."""
    origin = Early(tls=authority.server(HOST, "127.0.0.1"))
    sock, _, name = inside(intercepting(), origin)
    said = dict(zip(("content-type", "grpc-timeout"), ("application/grpc", *fields[1:])[:len(fields)])).items()
    with H2Client(sock) as client:
        stream = client.ask(name, path, "POST", "https", headers=said, end=False)
        answer, = client.wait(stream)
        assert answer.headers and answer.error is None
        time.sleep(0.2)
        client.connection.reset_stream(stream, code)
        client.flush()
        span, = sink.wait(1)
    wait_for("RST_STREAM at the origin", lambda: origin.resets == 1)
    found = span["attributes"]
    assert found["sidespan.end"] == "complete" and found["http.response.status_code"] == answer.status
    assert found.get("rpc.status_code") == ("OK" if fields else None)
    assert span["status"] == ("UNSET" if fields else "ERROR")
    origin.stop()


class InStream:
    """CONNECT in a stream, as a socket; by TLS once `secure` was called."""

    def __init__(self, client, authority):
        self.client, self.tls, self.read = client, None, 0
        self.stream = client.ask(authority, method="CONNECT", end=False)
        self.answer = client.answers[self.stream]
        while not self.answer.headers:
            assert client.pull()

    def secure(self, context, host=HOST):
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.goes, server_hostname=host)
        self._while_it_waits(self.tls.do_handshake)
        return self

    def _say(self, data):
        for at in range(0, len(data), 16384):
            self.client.connection.send_data(self.stream, data[at:at + 16384])
        self.client.flush()

    def _bytes(self):
        while len(self.answer.body) == self.read:
            if self.answer.ended or not self.client.pull():
                return b""
        data, self.read = self.answer.body[self.read:], len(self.answer.body)
        return data

    def _while_it_waits(self, act):
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                if data := self.goes.read():
                    self._say(data)
                self.came.write(self._bytes())
            finally:
                if data := self.goes.read():
                    self._say(data)

    def sendall(self, data):
        if not self.tls:
            return self._say(data)
        self.tls.write(data)
        self._say(self.goes.read())

    def recv(self, size):
        return self._while_it_waits(lambda: self.tls.read(size)) if self.tls else self._bytes()

    def settimeout(self, timeout):
        self.client.sock.settimeout(timeout)

    def end(self):
        self.client.connection.end_stream(self.stream)
        self.client.flush()


def test_a_tunnel_in_a_stream_that_its_origin_resets(sidecar):
    """Is told as that (RFC 9113 section 8.5), behind what came before."""
    with socket.create_server(("127.0.0.1", 0)) as listener, plain(sidecar()) as client:
        inner = InStream(client, "127.0.0.1:%d" % listener.getsockname()[1])
        sock, _ = listener.accept()
        inner.sendall(b"\0hello")
        assert sock.recv(6) == b"\0hello"
        sock.sendall(b"\0well")
        assert inner.recv(5) == b"\0well"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        answer, = client.wait(inner.stream)
        assert answer.error == h2.errors.ErrorCodes.CONNECT_ERROR


def test_connect_in_streams_is_opened(intercepting, authority, sink):
    """By TLS, in whatever the two agree on inside, and plainly: three tunnels in one connection."""
    side = intercepting()
    origin, plain_origin = Strict(tls=authority.server(HOST, "127.0.0.1")), Origin()
    name = f"{HOST}:{origin.port}"
    with plain(side) as client:
        first = InStream(client, name).secure(context_of(side, ("h2",)))
        second = InStream(client, name).secure(context_of(side, ("http/1.1",)))
        third = InStream(client, f"127.0.0.1:{plain_origin.port}")
        assert (first.tls.selected_alpn_protocol(), second.tls.selected_alpn_protocol()) == ("h2", "http/1.1")
        within = H2Client(first)
        assert within.get(name, "/echo?1", "POST", "https", body=b"y" * 30_000).status == 200
        third.sendall(head("GET /echo?3 HTTP/1.1", [("Host", "o")]))
        assert Reader(third).response("GET").status == 200
        second.sendall(head("GET /echo?2 HTTP/1.1", [("Host", name)]))
        assert Reader(second).response("GET").status == 200
        assert within.get(name, "/big/300000", scheme="https").body == b"x" * 300_000
        wait_for("the connections", lambda: side.metrics().total("sidespan_connections") == 4)
    spans = sink.wait(4)
    assert len(sink.quiet()) == 4
    assert {span["name"] for span in spans} == {"POST", "GET"}
    seen = {request.get("traceparent").split("-")[2] for request in origin.requests + plain_origin.requests}
    assert seen == {span["span_id"] for span in spans}
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    origin.stop()
    plain_origin.stop()


def test_connect_in_a_stream_that_stays_closed(sidecar, sink):
    """Bytes pass both ways, and so do their ends."""
    side, peer = sidecar(), socket.create_server(("127.0.0.1", 0))
    with plain(side) as client:
        tunnel = InStream(client, f"127.0.0.1:{peer.getsockname()[1]}")
        sock, _ = peer.accept()
        tunnel.sendall(b"\0question")
        assert sock.recv(100) == b"\0question"
        tunnel.end()
        assert sock.recv(100) == b""
        sock.sendall(b"answer")
        sock.close()
        assert tunnel.recv(100) == b"answer" and tunnel.recv(100) == b""
        assert tunnel.answer.error is None
    span, = sink.wait(1)
    assert span["name"] == "CONNECT" and span["attributes"]["sidespan.tunnel.reason"] == "not_tls"
    assert (span["attributes"]["sidespan.bytes.sent"], span["attributes"]["sidespan.bytes.received"]) == (9, 6)
    peer.close()


def test_how_connect_in_a_stream_breaks_off(sidecar, sink):
    side, peer = sidecar(), socket.create_server(("127.0.0.1", 0))
    authority = f"127.0.0.1:{peer.getsockname()[1]}"
    with plain(side) as client:
        tunnel = InStream(client, authority)
        sock, _ = peer.accept()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()  # a reset
        assert tunnel.recv(100) == b"" and tunnel.answer.error is not None
        tunnel = InStream(client, authority)
        sock, _ = peer.accept()
        client.connection.reset_stream(tunnel.stream, h2.errors.ErrorCodes.CANCEL)
        client.flush()
        with pytest.raises(ConnectionResetError):
            assert sock.recv(100) == b""
            time.sleep(0.1)
            sock.sendall(b"x")
            time.sleep(0.1)
            sock.sendall(b"x")
            raise ConnectionResetError
        refused = client.get("169.254.169.254:80", method="CONNECT")
        assert refused.status == 403 and b"169.254.169.254" in refused.body
        gone = InStream(client, authority)
        sock, _ = peer.accept()
    assert not gone.answer.ended
    try:
        assert sock.recv(100) == b""
    except ConnectionResetError:
        pass
    assert len(sink.wait(4)) == 4
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    peer.close()


def test_a_tunnel_in_a_stream_that_is_not_read(sidecar):
    """It slows its origin, and holds up nothing beside it."""
    side, peer = sidecar(), socket.create_server(("127.0.0.1", 0))
    with plain(side) as client:
        tunnel = InStream(client, f"127.0.0.1:{peer.getsockname()[1]}")
        client.answers.pop(tunnel.stream)  # nothing of it is acknowledged
        sock, _ = peer.accept()
        before = resident(side)
        sock.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 100 * MIB:
                sent += sock.send(b"x" * 65536)
        assert sent < 30 * MIB
        assert resident(side) - before < 4 * MIB
        assert client.get("169.254.169.254", "/").status == 403
        sock.close()
    peer.close()


def test_the_deadline_of_a_drain_cuts_a_tunnel_in_a_stream(sidecar, sink):
    side, peer = sidecar({"drain": {"quiet": "100ms", "deadline": "1s"}}), socket.create_server(("127.0.0.1", 0))
    with plain(side) as client:
        tunnel = InStream(client, f"127.0.0.1:{peer.getsockname()[1]}")
        sock, _ = peer.accept()
        tunnel.sendall(b"\0")
        assert sock.recv(1) == b"\0"
        side.terminate()
        assert side.process.wait(timeout=20) == 0, side.log()
        assert sink.wait(1)[0]["attributes"]["sidespan.end"] == "drain"
        sock.close()
    peer.close()


def test_a_drain_does_not_wait_for_an_idle_tunnel_in_a_stream(intercepting, h2_origin, sink):
    side = intercepting({"drain": {"quiet": "300ms", "deadline": "20s"}})
    name = f"{HOST}:{h2_origin.port}"
    with plain(side) as client:
        within = H2Client(InStream(client, name).secure(context_of(side, ("h2",))))
        assert within.get(name, "/echo", scheme="https").status == 200
        began = time.monotonic()
        side.terminate()
        assert side.process.wait(timeout=20) == 0, side.log()
        assert time.monotonic() - began < 8
    assert len(sink.wait(1)) == 1


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on", "waits"])
def test_the_stream_of_a_tunnel_that_is_over_ends(sidecar, origin, sink, goes_on):
    """Whoever was inside has gone; the agent, who has not said that it has, is told that nobody reads it."""
    side = sidecar()
    with plain(side) as client:
        tunnel = InStream(client, f"127.0.0.1:{origin.port}")
        tunnel.sendall(head("GET /echo HTTP/1.1", [("Host", "o"), ("Connection", "close")]))
        assert Reader(tunnel).response("GET").status == 200
        tunnel.settimeout(0.3)
        until = time.monotonic() + 10
        while tunnel.answer.error is None and time.monotonic() < until:
            tunnel.sendall(b"x" if goes_on else b"")
            with contextlib.suppress(TimeoutError):
                client.pull()
        assert tunnel.answer.error == 0  # NO_ERROR
        wait_for("the one connection", lambda: side.metrics().total("sidespan_connections") == 1)
    assert len(sink.wait(1)) == 1


def test_a_drain_waits_for_the_rest_of_a_tunnel_in_a_stream(sidecar, origin, sink):
    """The answer is whole, and what the agent's window had no room for waits in the stream alone."""
    size = 70_000  # of the rest no more than is read ahead
    origin.answer("/large", [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, b"x" * size])
    side = sidecar({"drain": {"quiet": "200ms", "deadline": "20s"}})
    with plain(side) as client:
        tunnel = InStream(client, f"127.0.0.1:{origin.port}")
        tunnel.sendall(head("GET /large HTTP/1.1", [("Host", "o")]))
        tunnel.settimeout(10)
        came = 0
        while came < 65_535:  # its window
            came += taken(client)
        sink.wait(1)  # the call is over
        side.terminate()
        time.sleep(1)
        assert side.process.poll() is None
        client.connection.increment_flow_control_window(1 << 20, tunnel.stream)
        client.flush()
        while came < size:
            came += taken(client)
        assert side.process.wait(timeout=10) == 0, side.log()


def taken(client):
    """Bytes of bodies that come next, of which the windows are not told."""
    data = client.sock.recv(65536)
    assert data, "the connection is over"
    return sum(len(event.data) for event in client.connection.receive_data(data)
               if isinstance(event, h2.events.DataReceived))


def test_what_comes_early_in_a_tunnel_of_a_stream(sidecar, origin, sink):
    """Before the 200: it is held, and so is the end."""
    side = sidecar()
    with plain(side) as client:
        tunnel = client.ask(f"127.0.0.1:{origin.port}", method="CONNECT", end=False)
        client.connection.send_data(tunnel, b"GET /echo HTTP/1.1\r\nHost: o\r\n\r\n", end_stream=True)
        client.flush()
        (answer,) = client.wait(tunnel)
        assert answer.status == 200 and answer.body.startswith(b"HTTP/1.1 200")
    (span,) = sink.wait(1)
    assert span["status"] == "UNSET"


def test_an_upload_to_who_is_denied_is_stopped(sidecar, sink):
    side = sidecar()
    with plain(side) as client:
        denied = client.ask("169.254.169.254", "/", "POST", body=b"x" * 1000, end=False)
        client.wait(denied)
        assert client.answers[denied].status == 403
        while client.answers[denied].error is None and client.pull():
            pass
        assert client.answers[denied].error == 0  # NO_ERROR: enough


def test_a_post_that_is_refused_again_is_told_so(intercepting, authority):
    """By HTTP/1.1, on a connection to the origin that was used before: it is well, and so is the agent's."""
    there = Strict(tls=authority.server(HOST, "127.0.0.1"), alpn=("h2",))
    there.refuses = True
    side = intercepting()
    sock, _, named = inside(side, there, ("http/1.1",))
    agent = Reader(sock)
    sock.sendall(head("GET /echo HTTP/1.1", [("Host", named)]))
    assert agent.response("GET").status == 200
    for _ in range(2):
        sock.sendall(head("POST /refuse HTTP/1.1", [("Host", named), ("Content-Length", "0")]))
        answer = agent.response("POST")
        assert answer.status == 502 and b"did not take the request" in answer.body
    there.stop()


def test_an_origin_that_refuses_everything_is_asked_twice(intercepting, h2_origin, sink):
    h2_origin.refuses = True
    side = intercepting()
    sock, _, name = inside(side, h2_origin)
    with H2Client(sock) as client:
        asked = [client.ask(name, f"/refuse/{i}", scheme="https") for i in range(20)]
        assert [answer.status for answer in client.wait(*asked)] == [502] * 20
    assert len(sink.wait(40)) == 40
    assert len(h2_origin.requests) == 40


class Narrow(H2Origin):
    """Takes `most` streams at a time, refuses what comes beyond it, and says so late. `at_once`: the most there were on
    a connection since it said so."""

    def __init__(self, most, late=0, **how):
        self.most, self.late, self.refusals, self.at_once, self.told = most, late, 0, 0, {}
        super().__init__(settings={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100}, **how)

    def says(self, most):
        """To all; comes back when they have heard it."""
        self.most = most
        wait_for("the acknowledgements", lambda: all(told == most for told in self.told.values()))
        self.at_once = 0

    def _speak(self, sock, number):
        connection = h2.connection.H2Connection(self.config)
        connection.initiate_connection()
        connection.clear_outbound_data_buffer()
        begun, said, waiting = time.monotonic(), None, []
        sock.settimeout(0.02)
        while True:
            try:
                data = sock.recv(65536)
                if not data:
                    return self.told.pop(number, None)
                events = connection.receive_data(data)
            except TimeoutError:
                events = []
            if said != self.most and time.monotonic() - begun >= self.late:
                said = self.most
                sock.sendall(SettingsFrame(0, settings={SettingsFrame.MAX_CONCURRENT_STREAMS: said}).serialize())
            for event in events:
                if isinstance(event, h2.events.SettingsAcknowledged):
                    self.told[number] = said
                if isinstance(event, h2.events.RequestReceived):
                    if len(waiting) == self.most:
                        self.refusals += 1
                        connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
                    else:
                        waiting.append((time.monotonic(), event.stream_id))
                        self.at_once = max(self.at_once, len(waiting))
                        self.requests.append(Message(event.headers, connection=number))
            if said:
                for at, stream in [one for one in waiting if time.monotonic() - one[0] > 0.03]:
                    waiting.remove((at, stream))
                    connection.send_headers(stream, [(":status", "200")], end_stream=True)
                sock.sendall(connection.data_to_send())


@pytest.mark.parametrize("late", [0, 0.3], ids=["at once", "late"])
@pytest.mark.parametrize("most", [1, 3, 100])
def test_a_burst_to_an_origin_that_takes_few_streams(intercepting, authority, sink, most, late):
    """Before its SETTINGS nobody knows how many it takes: one is sent, and the others wait or go elsewhere."""
    origin = Narrow(most, late, tls=authority.server(HOST, "127.0.0.1"))
    side = intercepting()
    sock, _, name = inside(side, origin)
    with H2Client(sock) as client:
        for burst in range(3):
            asked = [client.ask(name, f"/burst/{burst}/{i}", scheme="https") for i in range(10)]
            assert [answer.status for answer in client.wait(*asked)] == [200] * 10
    assert origin.refusals == 0
    assert len(sink.wait(30)) == len(origin.requests) == 30
    # One that is dialled while another becomes free is kept.
    assert origin.connections <= (20 if most < 10 or late else 2)
    origin.stop()


def test_a_request_of_http10_without_host(intercepting, authority, sink):
    """Inside a tunnel the origin is known without it, and gets it: HTTP/1.1 has no request without one."""
    origin = Origin(tls=authority.server(HOST, "127.0.0.1"))
    sock, _, name = inside(intercepting(), origin, ("http/1.1",))
    with sock:
        sock.sendall(b"GET /echo HTTP/1.0\r\n\r\n")
        assert Reader(sock).response("GET").status == 200
    [seen] = origin.requests
    assert seen.get("host") == name
    assert sink.wait(1)[0]["attributes"]["url.full"] == f"https://{name}/echo"
    origin.stop()


def test_readers_that_stop_hold_up_no_other_agent(sidecar, h2_origin, authority):
    side = sidecar({"tls": {"trust": {"certificates": [str(authority.pem)]}},
                    "routes": [{"path": "/api/", "to": h2_origin.url("/").replace("127.0.0.1", HOST)}]})
    stopped = []
    for _ in range(12):
        stopped.append(connect(side.egress))
        stopped[-1].sendall(head("GET /api/big/30000000 HTTP/1.1", [("Host", "x")]))
    wait_for("the requests", lambda: len(h2_origin.requests) == 12)
    for _ in range(3):
        with connect(side.egress) as sock:
            sock.sendall(head("GET /api/echo HTTP/1.1", [("Host", "x")]))
            assert Reader(sock).response("GET").status == 200
    for sock in stopped:
        sock.close()


def test_refused_heads_are_answered(sidecar, origin):
    side = sidecar()
    name = f"127.0.0.1:{origin.port}"
    with plain(side) as client:
        many = client.get(name, headers=[(f"x-{i}", "y") for i in range(140)])
        assert many.status == 431
        long = client.get(name, "/" + "a" * 20_000)
        assert long.status == 414
        assert client.get(name).status == 200
    assert origin.connections == 1


def test_a_slow_reader_slows_its_origin_alone(intercepting, authority, sink):
    origin = H2Origin(tls=authority.server(HOST, "127.0.0.1"))
    side = intercepting()
    sock, _, name = inside(side, origin)
    with H2Client(sock) as client:
        # Nothing of it is acknowledged: the window of its stream is all that comes.
        slow = client.ask(name, "/big/30000000", scheme="https")
        client.answers.pop(slow)
        before = resident(side)
        for i in range(20):
            assert client.get(name, f"/echo?{i}", scheme="https").status == 200
        assert resident(side) - before < 4 * MIB
    origin.stop()


def test_draining_says_goaway(sidecar, origin, sink):
    side = sidecar({"drain": {"quiet": "500ms"}})
    origin.answer("/slow", [0.5, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    with plain(side) as client:
        name = f"127.0.0.1:{origin.port}"
        slow = client.ask(name, "/slow")
        side.terminate()
        (answer,) = client.wait(slow)
        assert answer.body == b"ok"
        while client.pull():
            pass
        assert client.closed == 0
    assert sink.wait(1)[0]["attributes"]["sidespan.end"] == "complete"


def test_a_drain_waits_for_what_the_agent_has_no_window_for(sidecar, origin, sink):
    """The exchange is over by then: the rest of its answer, no more than is read ahead, waits in the connection."""
    size = 70_000
    side = sidecar({"drain": {"quiet": "300ms"}})
    origin.answer("/long", [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size])
    with plain(side) as client:
        long = client.ask(f"127.0.0.1:{origin.port}", "/long")
        assert sink.wait(1)[0]["attributes"]["http.response.body.size"] == size
        side.terminate()
        time.sleep(1)
        assert side.process.poll() is None
        (answer,) = client.wait(long)
        assert answer.body == b"x" * size and answer.error is None
    assert side.process.wait(timeout=20) == 0, side.log()


def test_curl_and_httpx_under_run(h2_origin, authority, sink, tmp_path):
    """Clients that prefer HTTP/2 get it, through the sidecar."""
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}}
    url = f"https://{HOST}:{h2_origin.port}/echo"
    curl = [peers.installed("curl"), "-sS", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", url]
    done = run(tmp_path, curl, config)
    assert done.stdout == "2 200", done.stderr
    code = f"import httpx; c = httpx.Client(http2=True); r = c.get({url!r}); print(r.http_version, r.status_code)"
    done = run(tmp_path, [peers.python(), "-c", code], config)
    assert done.stdout.strip() == "HTTP/2 200", done.stderr
    calls = [span for span in sink.wait(4) if span["kind"] == "CLIENT"]
    assert [span["attributes"]["network.protocol.version"] for span in calls] == ["2", "2"]
    assert [request.get("traceparent").split("-")[2] for request in h2_origin.requests] == [c["span_id"] for c in calls]


def test_go_under_run(authority, sink, tmp_path):
    """Which sends nothing for loopback addresses through a proxy."""
    address = outward_address() or peers.missing("Go never proxies loopback, and there is no other address here")
    there = H2Origin(address, tls=authority.server(address), alpn=("h2", "http/1.1"))
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}}
    command = [peers.made("gohttp/build"), "POST", f"https://{address}:{there.port}/echo", "words"]
    done = run(tmp_path, command, config)
    assert done.stdout.startswith("200 "), done.stderr
    call, = [span for span in sink.wait(2) if span["kind"] == "CLIENT"]
    assert call["attributes"]["network.protocol.version"] == "2"
    assert call["attributes"]["sidespan.mode"] == "intercept"
    request, = there.requests
    assert request.body == b"words"
    assert request.get("traceparent").split("-")[2] == call["span_id"]
    there.stop()


# Many streams at once by Node's http2: ORIGIN CA PROXY-HOST PROXY-PORT, "tunnel" or "prior".
NODE = """
const [origin, ca, host, port, way] = process.argv.slice(1);
const http2 = require("node:http2"), http = require("node:http"), tls = require("node:tls"), fs = require("node:fs");
const url = new URL(origin);

function ask(session, i) {
  return new Promise((resolve, reject) => {
    const stream = session.request({":method": "POST", ":path": "/echo?" + i, ":authority": url.host,
                                    ":scheme": url.protocol.slice(0, -1)});
    let status, bytes = 0;
    stream.on("response", (headers) => { status = headers[":status"]; });
    stream.on("data", (piece) => { bytes += piece.length; });
    stream.on("end", () => resolve(status + (bytes > 0 ? "" : " empty")));
    stream.on("error", reject);
    stream.end("words");
  });
}

async function use(session) {
  const answers = await Promise.all([...Array(20).keys()].map((i) => ask(session, i)));
  console.log(answers.filter((answer) => answer === "200").length);
  session.close();
}

if (way === "prior") {
  use(http2.connect(`http://${host}:${port}`));
} else {
  const connect = http.request({host, port, method: "CONNECT", path: url.host});
  connect.on("connect", (answer, socket) => use(http2.connect(origin, {
    createConnection: () => tls.connect({socket, servername: url.hostname, ALPNProtocols: ["h2"],
                                         ca: fs.readFileSync(ca)})})));
  connect.end();
}
"""


@pytest.mark.parametrize("way", ["tunnel", "prior"])
def test_node(way, intercepting, h2_origin, sink):
    side = intercepting()
    command = [peers.installed("node"), "-e", NODE, f"https://{HOST}:{h2_origin.port}", str(trusted(side)), *map(
        str, side.egress), way]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "20\n", done.stderr
    spans = sink.wait(20)
    assert len(sink.quiet()) == 20
    assert {span["attributes"]["network.protocol.version"] for span in spans} == {"2"}
    assert {request.get("traceparent").split("-")[2] for request in h2_origin.requests} == {s["span_id"] for s in spans}


def test_nghttp_and_curl_by_prior_knowledge(sidecar, origin, sink):
    side = sidecar()
    name = f"127.0.0.1:{origin.port}"
    done = subprocess.run([peers.installed("nghttp"), "-v", "-H", f":authority: {name}", "-H", "x-by: nghttp",
                           f"http://127.0.0.1:{side.egress[1]}/echo"], capture_output=True, text=True, timeout=60)
    assert ":status: 200" in done.stdout, done.stdout + done.stderr
    done = subprocess.run([peers.installed("curl"), "-sS", "--http2-prior-knowledge", "--noproxy", "*", "--connect-to",
                           f"::127.0.0.1:{side.egress[1]}", "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
                           "-H", "X-By: curl", origin.url("/echo")], capture_output=True, text=True, timeout=60)
    assert done.stdout == "200 2", done.stderr
    assert [request.get("x-by") for request in origin.requests] == ["nghttp", "curl"]
    spans = sink.wait(2)
    assert [span["attributes"]["url.full"] for span in spans] == [f"http://{name}/echo"] * 2
    assert {request.get("traceparent").split("-")[2] for request in origin.requests} == {s["span_id"] for s in spans}


@pytest.mark.parametrize("behind", ["1.1", "2"])
def test_h2load(behind, sidecar, origin, h2_origin, authority, sink):
    """Another implementation: prior knowledge, many streams, many connections; each request is one right span."""
    there = origin if behind == "1.1" else h2_origin
    url = there.url("/").replace("127.0.0.1", HOST)
    side = sidecar({"tls": {"trust": {"certificates": [str(authority.pem)]}}, "routes": [{"path": "/api/", "to": url}]})
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    done = subprocess.run([peers.installed("h2load"), "-n", "2000", "-c", "4", "-m", "50",
                           "-H", f"traceparent: 00-{trace}-{parent}-01",
                           f"http://127.0.0.1:{side.egress[1]}/api/echo"], capture_output=True, text=True, timeout=60)
    assert re.search("2000 succeeded, 0 failed, 0 errored", done.stdout), done.stdout
    spans = sink.wait(2000, timeout=30)
    assert len(sink.quiet()) == 2000
    for span in spans:
        found = span["attributes"]
        assert (span["kind"], span["name"], span["status"]) == ("CLIENT", "GET", "UNSET")
        assert (span["trace_id"], span["parent_id"]) == (trace, parent)
        assert (found["network.protocol.version"], found["http.response.status_code"]) == (behind, 200)
        assert (found["url.full"], found["sidespan.end"]) == (f"{url}echo", "complete")
    seen = [request.get("traceparent") for request in there.requests]
    assert sorted(seen) == sorted(f"00-{trace}-{span['span_id']}-01" for span in spans)
    assert len(set(seen)) == 2000
    (emitted, exported, dropped, _), = side.metrics().accounts().values()
    assert (emitted, exported, dropped) == (2000, 2000, 0)
