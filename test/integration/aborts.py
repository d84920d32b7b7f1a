"""Where a call can break off, on both sides: what test_aborts and the soak play by the thousand.

A point is a function (field, key, how): it makes one call that ends at that point, `how` is CLOSE or RESET. The key is
unique and stands in the call's URL, so that its span can be told from all others. POINTS says with which
`sidespan.end` the span of the call ends, (closed, reset); None where no request has been, so that none is due.
"""

import queue
import socket
import ssl
import struct
import threading
import time
from contextlib import contextmanager

import h2.connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived
from hyperframe.frame import HeadersFrame

from h2_origin import H2Client, H2Origin
from handshakes import hello
from origin import CLOSE, CONTINUE, NO_BODY, OK, RESET, Origin
from wire import Client, Truncated, connect, head

LAST = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")  # a connection for each call: none is used again
CHUNKED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 999999999\r\n\r\n"
SWITCH = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"


class Field:
    """An origin that says when a request is there, servers for tunnels, a port of nobody and one that never accepts."""

    def __init__(self, egress):
        self.egress = egress
        self.origin = Origin()
        self._arrived, self._lock = {}, threading.Lock()
        self.echo = self._server(echo)
        self.resetting = self._server(reset_at_once)
        self.hung_up = self._server(close_at_once)
        self.mute = self._server(listen)
        self.full, self.stuffing = full_listener()
        # Calls at once would share a connection to an origin of HTTP/2, and its end: each has an address of its own.
        self.h2 = self._server(break_off_h2, "0.0.0.0")
        self._addresses = queue.Queue()
        for number in range(1, 33):
            self._addresses.put(f"127.0.2.{number}:{port_of(self.h2)}")
        with socket.create_server(("127.0.0.1", 0)) as gone:
            self.nobody = gone.getsockname()[1]
        for path, script in scripts(self.arrive).items():
            self.origin.answer(path, script)

    def url(self, point, key):
        return self.origin.url(f"/{point}?{key}")

    def event(self, target):
        with self._lock:
            return self._arrived.setdefault(target, threading.Event())

    def arrive(self, sock, reader, request):
        self.event(request.target).set()

    def wait(self, point, key):
        target = f"/{point}?{key}"
        assert self.event(target).wait(20), f"{target} did not arrive"
        with self._lock:
            del self._arrived[target]

    @contextmanager
    def h2_origin(self):
        """The address of one that nobody else calls meanwhile."""
        address = self._addresses.get()
        yield address
        self._addresses.put(address)

    def stop(self):
        self.origin.stop()
        for server in (self.echo, self.resetting, self.hung_up, self.mute, self.h2, self.full, *self.stuffing):
            server.close()

    @staticmethod
    def _server(talk, host="127.0.0.1"):
        listener = socket.create_server((host, 0), backlog=512)

        def accept():
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return listener


def port_of(listener):
    return listener.getsockname()[1]


def full_listener():
    """A listener that drops each SYN, because its queue is full of what holds it there."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    stuffing = [socket.socket() for _ in range(8)]
    for sock in stuffing:
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
    return full, stuffing


def with_reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def echo(sock):
    try:
        while data := sock.recv(65536):
            sock.sendall(data)
    except OSError:
        pass
    sock.close()


def reset_at_once(sock):
    try:
        sock.recv(1)
    except OSError:
        pass
    with_reset(sock)


def close_at_once(sock):
    """All that came is read, since the kernel resets what is closed before."""
    try:
        sock.recv(65536)
    except OSError:
        pass
    sock.close()


def listen(sock):
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass
    sock.close()


def break_off_h2(sock):
    """An origin of HTTP/2 whose connection ends at its first request, as the path says. A stream that is reset leaves the
    connection as it is."""
    connection = h2.connection.H2Connection(H2Origin.config)
    connection.initiate_connection()
    try:
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, RequestReceived):
                    target = dict(event.headers)[":path"].partition("?")[0].removeprefix("/h2-origin-")
                    point, _, how = target.rpartition("-")
                    if break_off_stream(sock, connection, event.stream_id, point, how):
                        return
            sock.sendall(connection.data_to_send())
    except OSError:
        sock.close()


def break_off_stream(sock, connection, stream, point, how):
    """True where the connection is over."""
    said = {"before-head": 0, "in-request": 0, "reset": 0, "in-head": 1, "reset-in-body": 2, "in-body": 2,
            "in-trailers": 3, "after-answer": 4}[point]
    block = connection.encoder.encode([("x-field", "value")]) if said in (1, 3) else b""
    if said > 1:
        connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        connection.send_data(stream, b"\0\0\0\0\1x")
    if said == 4:
        connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        connection.close_connection(last_stream_id=stream)
    if point.startswith("reset"):
        connection.reset_stream(stream, ErrorCodes.CANCEL if how == CLOSE else ErrorCodes.INTERNAL_ERROR)
        return False
    sock.sendall(connection.data_to_send())
    if block:
        # A head, or trailers, of which another frame is due.
        sock.sendall(HeadersFrame(stream, block, flags=["END_STREAM"]).serialize())
    if said:
        time.sleep(0.03)  # what has been sent is read before a reset overtakes it
    with_reset(sock) if how == RESET else sock.close()
    return True


def scripts(arrive):
    """What the origin does, by path. The second word of an origin's point is how it ends."""

    def endless(sock, reader, request):
        while True:
            sock.sendall(b"3e8\r\n" + b"x" * 1000 + b"\r\n")

    def long(sock, reader, request):
        while True:
            sock.sendall(b"y" * 1000)

    def rest(sock, reader, request):
        reader.rest()

    found = {
        "/agent-in-body": [NO_BODY, arrive, rest, CLOSE],
        "/agent-in-chunk": [NO_BODY, arrive, rest, CLOSE],
        "/agent-in-trailers": [NO_BODY, arrive, rest, CLOSE],
        "/agent-waiting": [arrive, rest, CLOSE],
        "/agent-before-100": [NO_BODY, arrive, rest, CLOSE],
        "/agent-in-answer": [LENGTH, long],
        "/agent-in-answer-chunk": [CHUNKED, endless],
        "/agent-in-upgrade": [SWITCH, rest, CLOSE],
        "/agent-pipelining": [LAST, CLOSE],
        "/h2-in-body": [NO_BODY, arrive, rest, CLOSE],
        "/h2-waiting": [arrive, rest, CLOSE],
        "/h2-in-answer": [LENGTH, long],
        "/h2-reset-in-body": [NO_BODY, arrive, rest, CLOSE],
        "/h2-reset-waiting": [arrive, rest, CLOSE],
        "/h2-reset-in-answer": [CHUNKED, endless],
    }
    pieces = {
        "before-head": [], "in-head": [b"HTTP/1.1 200 OK\r\nX-A"], "after-100": [CONTINUE],
        "in-body": [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nabc"], "in-chunk": [CHUNKED + b"5\r\nab"],
        "between-chunks": [CHUNKED + b"2\r\nab\r\n"], "after-answer": [LAST],
        "in-trailers": [CHUNKED + b"2\r\nab\r\n0\r\nX-T: 1\r\nX-"],
        "in-upgrade": [SWITCH + b"abc"],
    }
    for how in (CLOSE, RESET):
        for point, answer in pieces.items():
            # What has been sent is read before a reset overtakes it.
            found[f"/origin-{point}-{how}"] = [*answer, *([0.03] if answer else []), how]
        found[f"/origin-in-request-{how}"] = [NO_BODY, arrive, how]
        found[f"/origin-early-{how}"] = [NO_BODY, b"HTTP/1.1 413 Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge", 0.03, how]
    return found


# points


def get(url, lines=()):
    return head(f"GET {url} HTTP/1.1", [("Host", "h"), *lines])


def post(url, *lines):
    return head(f"POST {url} HTTP/1.1", [("Host", "h"), *lines])


def leave(client, how):
    with_reset(client.sock) if how == RESET else client.close()


def agent_before_head(field, key, how):
    leave(Client(field.egress), how)


def agent_in_head(field, key, how):
    client = Client(field.egress)
    client.send(get(field.url("agent-in-head", key))[:-3])
    leave(client, how)


def agent_at(point, request):
    """The agent has sent `request(url)`, the origin has its head."""

    def play(field, key, how):
        client = Client(field.egress)
        client.send(request(field.url(point, key)))
        field.wait(point, key)
        leave(client, how)

    return play


def agent_within(point, lines, mark):
    """The agent has read the answer up to a mark."""

    def play(field, key, how):
        client = Client(field.egress)
        client.send(get(field.url(point, key), lines))
        client.reader.until(mark)
        leave(client, how)

    return play


def agent_pipelining(field, key, how):
    client = Client(field.egress)
    url = field.url("agent-pipelining", key)
    client.send(get(url) + get(url)[:-3])
    assert client.response().status == 200
    leave(client, how)


def agent_in_connect(field, key, how):
    client = Client(field.egress)
    client.send(head(f"CONNECT 127.0.0.1:{port_of(field.full)} HTTP/1.1", [("Host", "h")]))
    leave(client, how)


def agent_while_dialling(field, key, how):
    client = Client(field.egress)
    client.send(get(f"http://127.0.0.1:{port_of(field.full)}/?{key}"))
    leave(client, how)


def agent_in_handshake(field, key, how):
    """Half of a ClientHello; test_tls_endurance has what breaks off later."""
    client = Client(field.egress)
    client.send(head(f"CONNECT 127.0.0.1:{port_of(field.mute)} HTTP/1.1", [("Host", "h")]))
    assert client.reader.head().status == 200
    client.send(hello(ssl.create_default_context(), "localhost")[:100])
    leave(client, how)


def agent_in_tunnel(field, key, how):
    client = Client(field.egress)
    client.send(head(f"CONNECT 127.0.0.1:{port_of(field.echo)} HTTP/1.1", [("Host", "h")]) + b"\x00ab")
    assert client.reader.head().status == 200
    assert client.reader.exactly(3) == b"\x00ab"
    leave(client, how)


def h2_in_preface(field, key, how):
    client = Client(field.egress)
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM")
    leave(client, how)


def h2_in_head(field, key, how):
    """Of a head one frame is here, and another is due."""
    client = H2Client(connect(field.egress))
    fields = [(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", "/")]
    block = client.connection.encoder.encode(fields)
    client.sock.sendall(HeadersFrame(1, block, flags=["END_STREAM"]).serialize())
    leave(client, how)


def h2_at(point, resets, method="GET"):
    """The origin has the request of a stream of HTTP/2, or a part of its answer is here. Where the agent `resets` the
    stream, the connection is still of use, and ends behind that."""

    def play(field, key, how):
        client = H2Client(connect(field.egress))
        body = b"x" * 500 if method == "POST" else None
        stream = client.ask(f"127.0.0.1:{field.origin.port}", f"/{point}?{key}", method, body=body, end=body is None)
        if point.endswith("in-answer"):
            while not client.answers[stream].body:
                assert client.pull(), f"{point}: the connection ended"
        else:
            field.wait(point, key)
        if resets:
            client.connection.reset_stream(stream, ErrorCodes.CANCEL)
            client.ping()
        leave(client, how)

    return play


def origin_refusing(field, key, how):
    with Client(field.egress) as client:
        assert client.ask("GET", f"http://127.0.0.1:{field.nobody}/?{key}").status == 502


def origin_in_handshake(field, key, how):
    """It has our ClientHello."""
    port = port_of(field.resetting if how == RESET else field.hung_up)
    with Client(field.egress) as client:
        assert client.ask("GET", f"https://127.0.0.1:{port}/?{key}").status == 502


def origin_in_tunnel(field, key, how):
    with Client(field.egress) as client:
        client.send(head(f"CONNECT 127.0.0.1:{port_of(field.resetting)} HTTP/1.1", [("Host", "h")]) + b"\x00ab")
        rest_of(client)


def rest_of(client):
    try:
        return client.reader.rest()
    except OSError:
        return b"reset"


def origin_at(point, status, request=get):
    """The origin breaks off; the agent is told with `status`, or its answer breaks off as well (None)."""

    def play(field, key, how):
        with Client(field.egress) as client:
            client.send(request(field.url(f"origin-{point}-{how}", key)))
            try:
                got = client.response().status
            except (Truncated, OSError):
                got = None
            assert got == status, f"{point}: {got} instead of {status}"
            if status == 101:
                rest_of(client)
            if status == 413:
                finish(client)

    return play


def h2_origin_at(point, ends=True):
    """The same with an origin of HTTP/2, which a call of gRPC reaches without TLS."""

    def play(field, key, how):
        with field.h2_origin() as address, H2Client(connect(field.egress)) as client:
            stream = client.ask(address, f"/h2-origin-{point}-{how}?{key}", "POST", body=b"\0\0\0\0\1x", end=ends,
                                headers=[("content-type", "application/grpc"), ("te", "trailers")])
            answer, = client.wait(stream)
            whole = answer.error is None and dict(answer.trailers).get("grpc-status") == "0"
            assert answer.ended and whole == (point == "after-answer"), f"{point}: {answer}"

    return play


def long_post(url):
    return post(url, ("Content-Length", "1000")) + b"x" * 500


def finish(client):
    """The rest of a long_post, which its answer has overtaken."""
    try:
        client.send(b"x" * 500)
    except OSError:
        pass


CANCELLED = ("agent_cancelled", "agent_cancelled")
GONE = ("origin_closed", "origin_closed")
WHOLE = ("complete", "complete")
ASK_UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "x")]

POINTS = {
    "agent-before-head": (agent_before_head, None),
    "agent-in-head": (agent_in_head, None),
    "agent-in-body": (agent_at("agent-in-body", long_post), CANCELLED),
    "agent-in-chunk": (agent_at("agent-in-chunk", lambda url: post(url, ("Transfer-Encoding", "chunked")) + b"5\r\nhel"),
                       CANCELLED),
    "agent-in-trailers": (agent_at("agent-in-trailers", lambda url: post(url, ("Transfer-Encoding", "chunked"))
                                   + b"2\r\nab\r\n0\r\nX-T: 1\r\nX-"), CANCELLED),
    "agent-before-100": (agent_at("agent-before-100", lambda url: post(url, ("Content-Length", "5"),
                                                                       ("Expect", "100-continue"))), CANCELLED),
    "agent-waiting": (agent_at("agent-waiting", get), CANCELLED),
    "agent-in-answer": (agent_within("agent-in-answer", (), b"yyyy"), CANCELLED),
    "agent-in-answer-chunk": (agent_within("agent-in-answer-chunk", (), b"xxxx"), CANCELLED),
    "agent-pipelining": (agent_pipelining, WHOLE),
    "agent-while-dialling": (agent_while_dialling, CANCELLED),
    "agent-in-connect": (agent_in_connect, CANCELLED),
    "agent-in-handshake": (agent_in_handshake, ("complete", "agent_cancelled")),
    "agent-in-tunnel": (agent_in_tunnel, ("complete", "agent_cancelled")),
    "agent-in-upgrade": (agent_within("agent-in-upgrade", ASK_UPGRADE, b"\r\n\r\n"), ("complete", "agent_cancelled")),
    "h2-in-preface": (h2_in_preface, None),
    "h2-in-head": (h2_in_head, None),
    "h2-in-body": (h2_at("h2-in-body", False, "POST"), CANCELLED),
    "h2-waiting": (h2_at("h2-waiting", False), CANCELLED),
    "h2-in-answer": (h2_at("h2-in-answer", False), CANCELLED),
    "h2-reset-in-body": (h2_at("h2-reset-in-body", True, "POST"), CANCELLED),
    "h2-reset-waiting": (h2_at("h2-reset-waiting", True), CANCELLED),
    "h2-reset-in-answer": (h2_at("h2-reset-in-answer", True), CANCELLED),
    "origin-refusing": (origin_refusing, GONE),
    "origin-in-handshake": (origin_in_handshake, GONE),
    "origin-before-head": (origin_at("before-head", 502), GONE),
    "origin-in-head": (origin_at("in-head", 502), GONE),
    "origin-after-100": (origin_at("after-100", 502), GONE),
    "origin-in-request": (origin_at("in-request", 502, long_post), GONE),
    "origin-in-body": (origin_at("in-body", None), GONE),
    "origin-in-chunk": (origin_at("in-chunk", None), GONE),
    "origin-between-chunks": (origin_at("between-chunks", None), GONE),
    "origin-in-trailers": (origin_at("in-trailers", None), GONE),
    "origin-after-answer": (origin_at("after-answer", 200), WHOLE),
    "origin-early": (origin_at("early", 413, long_post), WHOLE),
    "origin-in-upgrade": (origin_at("in-upgrade", 101, lambda url: get(url, ASK_UPGRADE)), ("complete", "origin_closed")),
    "origin-in-tunnel": (origin_in_tunnel, GONE),
    "h2-origin-before-head": (h2_origin_at("before-head"), GONE),
    "h2-origin-in-head": (h2_origin_at("in-head"), GONE),
    "h2-origin-in-request": (h2_origin_at("in-request", ends=False), GONE),
    "h2-origin-in-body": (h2_origin_at("in-body"), GONE),
    "h2-origin-in-trailers": (h2_origin_at("in-trailers"), GONE),
    "h2-origin-after-answer": (h2_origin_at("after-answer"), WHOLE),
    "h2-origin-reset": (h2_origin_at("reset"), GONE),
    "h2-origin-reset-in-body": (h2_origin_at("reset-in-body"), GONE),
}
