"""What an HTTP/2 origin may do while calls of it are under way: go away, read no upload, change its SETTINGS, answer
with fields that may not be."""

import threading
import time

import h2.config
import h2.events
import h2.settings
import pytest
from hyperframe.frame import GoAwayFrame

from h2_origin import H2Client, H2Origin
from sidecar import Peak
from test_h2_abuse import Raw
from test_http2 import Narrow, inside, plain, taken
from tunnel import HOST
from wire import Reader, connect, head, wait_for

MIB = 1 << 20
WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE


@pytest.fixture
def made(authority):
    """made(kind, ...): an origin of that kind, by TLS."""
    origins = []

    def make(kind, *args, **more):
        origins.append(kind(*args, tls=authority.server(HOST, "127.0.0.1"), **more))
        return origins[-1]

    yield make
    for origin in origins:
        origin.stop()


class Leaving(H2Origin):
    """Of three streams of its first connection it takes the first, says so by GOAWAY, and only then answers."""

    held = ()

    def _answer(self, connection, queues, stream, request):
        if request.connection > 1 or request.get(":path") == "/echo":
            return super()._answer(connection, queues, stream, request)
        self.held = [*self.held, (stream, request)]
        return None

    def _take(self, connection, streams, queues, event, number):
        said = super()._take(connection, streams, queues, event, number)
        if number > 1 or len(self.held) < 3 or not isinstance(event, h2.events.StreamEnded):
            return said
        stream, request = self.held[0]
        super()._answer(connection, queues, stream, request)
        return GoAwayFrame(0, last_stream_id=stream).serialize()


def test_streams_that_goaway_leaves_out_are_sent_once_more(intercepting, made, sink):
    """On another connection, whatever the method, each attempt a span; the one that was taken is sent once."""
    origin = made(Leaving)
    sock, _, name = inside(intercepting(), origin)
    with H2Client(sock) as client:
        assert client.get(name, "/echo", scheme="https").status == 200
        asked = [client.ask(name, f"/held/{i}", "POST", "https", body=b"words %d" % i) for i in range(3)]
        assert [answer.status for answer in client.wait(*asked)] == [200] * 3
        assert client.closed is None
    first, *again = [request for request in origin.requests if request.connection == 1][1:]
    assert len(again) == 2
    resent = [request for request in origin.requests if request.connection > 1]
    assert sorted((request.get(":path"), request.body) for request in resent) == [
        (f"/held/{i}", b"words %d" % i) for i in (1, 2)]
    spans = {span["span_id"]: span for span in sink.wait(6)}
    assert len(sink.quiet()) == 6
    of = lambda request: spans[request.get("traceparent").split("-")[2]]  # noqa: E731
    assert of(first)["status"] == "UNSET" and not of(first)["links"]
    before = {request.get(":path"): of(request) for request in again}
    for request in resent:
        span, lost = of(request), before[request.get(":path")]
        assert span["attributes"]["http.response.status_code"] == 200 and span["status"] == "UNSET"
        assert [link["span_id"] for link in span["links"]] == [lost["span_id"]]
        assert span["attributes"]["http.request.resend_count"] == 1
        assert lost["status"] == "ERROR" and lost["attributes"]["sidespan.end"] == "origin_closed"
        assert lost["attributes"]["error.type"] == "connection_closed"
        assert "http.response.status_code" not in lost["attributes"]


class Sulking(H2Origin):
    """While it sulks, in the handshake or in HTTP/2, it takes connections and no more."""

    def __init__(self, *args, **more):
        self.sulks, self.over = None, threading.Event()
        super().__init__(*args, **more)

    def _greet(self, sock):
        if self.sulks == "handshake":
            self.over.wait(30)
        return super()._greet(sock)

    def _speak(self, sock, number):
        if self.sulks == "http2":
            self.over.wait(30)
        return super()._speak(sock, number)

    def stop(self):
        self.over.set()
        super().stop()


GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("sulks, scheme", [("handshake", "https"), ("http2", "https"), ("http2", "http")])
def test_calls_to_an_origin_that_says_nothing_have_one_end(sulks, scheme, known, sidecar, authority, sink):
    """All of them, each in the time of one, whoever of them has connected. Then the origin is well again."""
    calls = 5
    origin = Sulking(tls=authority.server(HOST, "127.0.0.1") if scheme == "https" else None)
    side = sidecar({"tls": {"trust": {"certificates": [str(authority.pem)]}},
                    "limits": {"tls_handshake_time": "1s", "head_time": "1s", "origin_connections": 1 if known else calls}})
    name = f"{HOST}:{origin.port}"
    with plain(side) as client:
        if known:
            assert client.get(name, "/goaway", "POST", scheme, GRPC, b"").status == 200
            wait_for("the end of its connection", lambda: origin.ends)
        before = origin.connections
        origin.sulks = sulks
        begun = time.monotonic()
        asked = []
        for i in range(calls):
            asked.append(client.ask(name, f"/echo?{i}", "POST", scheme, GRPC, b""))
            time.sleep(0.03)
        assert [answer.status for answer in client.wait(*asked)] == [504] * calls
        assert 1 <= time.monotonic() - begun < 1.9
        assert origin.connections - before == (1 if known else calls)
        spans = sink.wait(calls, where=lambda span: "/echo" in span["attributes"]["url.full"])
        ends = {(span["attributes"]["sidespan.end"], span["attributes"]["error.type"]) for span in spans}
        assert ends == {("timeout", "connect_timeout" if sulks == "handshake" else "timeout")}
        origin.sulks = None
        assert client.get(name, "/echo", "POST", scheme, GRPC, b"").status == 200
    origin.stop()


class Stalling(H2Origin):
    """Of an upload to /stalled it takes a window's worth, until a request for /update or /settings opens that."""

    def __init__(self, *args, **more):
        self.came, self.unread, self.open = 0, 0, False
        super().__init__(*args, **more)

    def _take(self, connection, streams, queues, event, number):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RemoteSettingsChanged):
            connection.increment_flow_control_window(128 * MIB)  # of the connection: others go on
        if isinstance(event, h2.events.DataReceived) and streams[stream].get(":path") == "/stalled":
            self.came += len(event.data)
            self.unread += event.flow_controlled_length
            self.stream = stream
            if self.open:
                self._read(connection)
            return None
        if isinstance(event, h2.events.RequestReceived) and dict(event.headers)[":path"] == "/update":
            self.open = True
            self._read(connection)
        if isinstance(event, h2.events.RequestReceived) and dict(event.headers)[":path"] == "/settings":
            connection.update_settings({WINDOW: 64 * MIB})
        return super()._take(connection, streams, queues, event, number)

    def _read(self, connection):
        connection.acknowledge_received_data(self.unread, self.stream)
        self.unread = 0


class Upload:
    """What an agent sends as long as it can, by either protocol."""

    def __init__(self, side, agent, size):
        self.sock, self.left, self.client = connect(side.egress), size, None
        if agent == "h2":
            self.client = H2Client(self.sock)
            self.stream = self.client.ask(f"127.0.0.1:{side.egress[1]}", "/api/stalled", "POST", end=False)
        else:
            self.sock.sendall(head("POST /api/stalled HTTP/1.1", [("Host", "x"), ("Content-Length", str(size))]))
            self.reader = Reader(self.sock)

    def go_on(self, timeout):
        """Until all is sent, or nothing more is taken for that long."""
        self.sock.settimeout(timeout)
        try:
            while self.left:
                self.left -= self._some()
        except TimeoutError:
            pass

    def _some(self):
        if not self.client:
            return self.sock.send(bytes(min(self.left, 65536)))
        room = min(self.client.connection.local_flow_control_window(self.stream), 16384, self.left)
        if room:
            self.client.connection.send_data(self.stream, bytes(room), end_stream=room == self.left)
            self.client.flush()
        else:
            assert self.client.pull()
        return room

    def status(self):
        self.sock.settimeout(20)
        return self.client.wait(self.stream)[0].status if self.client else self.reader.response("POST").status


@pytest.mark.parametrize("way", ["update", "settings"])
@pytest.mark.parametrize("agent", ["h2", "http/1.1"])
def test_an_upload_that_the_origin_does_not_read_waits(agent, way, sidecar, made, authority, sink):
    """At the agent, and not here; it ends when the window opens, by WINDOW_UPDATE or by SETTINGS."""
    size = 48 * MIB
    origin = made(Stalling)
    side = sidecar({"tls": {"trust": {"certificates": [str(authority.pem)]}},
                    "routes": [{"path": "/api/", "to": f"https://{HOST}:{origin.port}/"}]})
    name = f"127.0.0.1:{side.egress[1]}"
    with H2Client(connect(side.egress)) as other:
        assert other.get(name, "/api/echo").status == 200
        peak = Peak(side)
        upload = Upload(side, agent, size)
        upload.go_on(1)
        assert origin.came == 65535
        assert size - upload.left < (MIB if agent == "h2" else 30 * MIB)  # of HTTP/1 the kernel holds some
        for i in range(5):
            assert other.get(name, f"/api/echo?{i}", "POST", body=b"x" * 1000).status == 200
        assert origin.connections == 1 and origin.came == 65535
        assert peak.grown() < 2 * MIB
        assert other.get(name, f"/api/{way}").status == 200
        upload.go_on(20)
        assert upload.left == 0 and upload.status() == 200
        assert peak.grown() < 4 * MIB
    assert origin.came == size
    span, = sink.wait(1, where=lambda span: span["attributes"]["url.full"].endswith("/stalled"))
    assert span["attributes"]["http.request.body.size"] == size and span["status"] == "UNSET"


def test_an_origin_that_takes_fewer_streams_later_and_more_again(intercepting, made, sink):
    """From its word on there are no more than that on any of its connections, and nothing is refused."""
    origin = made(Narrow, 100)
    sock, _, name = inside(intercepting(), origin)
    with H2Client(sock) as client:
        for most in (100, 2, 50):
            origin.says(most)
            asked = [client.ask(name, f"/most/{most}/{i}", scheme="https") for i in range(10)]
            assert [answer.status for answer in client.wait(*asked)] == [200] * 10
            if most == 2:
                assert origin.at_once == 2
            else:
                assert origin.at_once > 2
    assert origin.refusals == 0
    assert len(sink.wait(30)) == len(origin.requests) == 30


def test_an_agent_that_takes_less_of_an_answer_later(intercepting, made):
    """Its window is below nothing then, and what is sent is as much as its updates bring."""
    sock, _, name = inside(intercepting(), made(H2Origin))
    with H2Client(sock) as client:
        stream = client.ask(name, "/big/300000", scheme="https")
        came = 0
        while came < 65535:
            came += taken(client)
        client.connection.update_settings({WINDOW: 1000})
        # What it owes, which brings nothing, a little, and the rest.
        for update, brings in ((64_535, 0), (1000, 1000), (300_000 - 66_535, 300_000 - 66_535)):
            client.connection.increment_flow_control_window(update, stream)
            client.flush()
            before = came
            client.sock.settimeout(0.5)
            with pytest.raises(TimeoutError):
                while True:
                    came += taken(client)
            assert came - before == brings
        assert came == 300_000


class Odd(H2Origin):
    """Says in its answer what the path asks for, unjudged."""

    config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False,
                                       normalize_outbound_headers=False)

    def _answer(self, connection, queues, stream, request):
        more = FORBIDDEN.get(request.get(":path").strip("/"))
        if more is None:
            return super()._answer(connection, queues, stream, request)
        return connection.send_headers(stream, [(":status", "200"), *more])


FORBIDDEN = {
    "connection": [("connection", "close")],
    "keep-alive": [("keep-alive", "timeout=5")],
    "proxy-connection": [("proxy-connection", "close")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "upgrade": [("upgrade", "websocket")],
    "te": [("te", "gzip")],
    "capitals": [("X-Big", "1")],
    "CR-and-LF": [("x", "a\r\nb: c")],
    "NUL": [("x", "a\0b")],
    "late": [("x", "1"), (":status", "404")],
    "request": [(":path", "/")],
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_answers_with_fields_that_may_not_be(what, intercepting, made, sink):
    """The call fails with its reason, and others of the connection go on."""
    origin = made(Odd)
    sock, _, name = inside(intercepting(), origin)
    with H2Client(sock) as client:
        under_way = client.ask(name, "/echo", "POST", "https", body=b"its beginning", end=False)
        assert client.get(name, f"/{what}", scheme="https").status == 502
        client.connection.end_stream(under_way)
        client.flush()
        assert client.wait(under_way)[0].status == 200
    assert origin.connections == 1
    wait_for("RST_STREAM at the origin", lambda: origin.resets == 1)
    refused, fine = sink.wait(2)
    assert refused["status"] == "ERROR" and refused["attributes"]["error.type"] == "malformed"
    assert fine["status"] == "UNSET"


def test_row_16_answers_of_http2_that_nobody_takes(sidecar, made, authority, sink):
    """An origin may send little of an answer of which nothing was taken yet, where many are under way."""
    origin, streams = made(H2Origin), 100
    side = sidecar({"tls": {"trust": {"certificates": [str(authority.pem)]}},
                    "routes": [{"path": "/api/", "to": f"https://{HOST}:{origin.port}/"}]})
    name = f"127.0.0.1:{side.egress[1]}"
    with H2Client(connect(side.egress)) as other:
        assert other.get(name, "/api/echo").status == 200
        sink.wait(1)
        peak = Peak(side)
        raw = Raw(side, origin, {WINDOW: 0})
        raw.authority = name
        raw.push(b"".join(raw.headers(stream, raw.fields("/api/big/10000000")) for stream in range(1, 2 * streams, 2)))
        wait_for("the calls", lambda: sum(one.get(":path") == "/big/10000000" for one in origin.requests) == streams)
        time.sleep(0.5)
        assert peak.grown() < 3 * MIB
        raw.sock.close()
        assert other.get(name, "/api/echo").status == 200
        assert len(other.get(name, "/api/big/3000000").body) == 3_000_000
