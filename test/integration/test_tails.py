"""What is left when an exchange is over: of its answer for an agent that reads slowly, of a request that was answered
before it was whole. It arrives, as long as somebody takes it; and nothing new begins where an end has begun."""

import socket
import struct
import time

import h2.events
import pytest

from h2_origin import H2Client, H2Origin, Message
from origin import NO_BODY, OK, RESET, Finished
from test_http2 import Strict, inside
from tunnel import HOST
from wire import Client, Reader, Truncated, connect, head, wait_for

TAIL = 3_000_000  # more than the kernel holds for an agent with little room: the rest waits in sidespan


def small(side):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    sock.connect(side.egress)
    return sock


def huge(sock, reader, request, size=TAIL):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"y" * size)


@pytest.mark.parametrize("headers", [[], [("Connection", "close")]], ids=["keep-alive", "close"])
def test_who_reads_slowly_gets_the_tail(sidecar, origin, headers):
    side = sidecar({"limits": {"keep_alive_time": "500ms", "stream_idle_time": "3s"}})
    origin.answer("/huge", [huge])
    agent = small(side)
    agent.sendall(head(f"GET {origin.url('/huge')} HTTP/1.1", [("Host", "h"), *headers]))
    got = len(agent.recv(1000))
    while got < TAIL:
        time.sleep(0.01)
        piece = agent.recv(30_000)
        assert piece, f"the end after {got} bytes"
        got += len(piece)


def test_who_reads_nothing_of_a_tail_is_given_up(sidecar, origin):
    side = sidecar({"limits": {"keep_alive_time": "500ms", "stream_idle_time": "1s"}})
    origin.answer("/huge", [huge])
    agents = [small(side), small(side)]
    for agent, headers in zip(agents, ([], [("Connection", "close")])):
        agent.sendall(head(f"GET {origin.url('/huge')} HTTP/1.1", [("Host", "h"), *headers]))
        agent.recv(1000)
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0, 8)


def test_a_half_closed_agent_that_reads_is_there(sidecar, origin, sink):
    side = sidecar({"limits": {"half_close_time": "500ms"}})
    origin.answer("/huge", [lambda *request: huge(*request, 2 * TAIL)])
    agent = small(side)
    agent.sendall(head(f"GET {origin.url('/huge')} HTTP/1.1", [("Host", "h")]))
    agent.shutdown(socket.SHUT_WR)
    got = 0
    while got < 2 * TAIL:
        time.sleep(0.002)
        piece = agent.recv(60_000)
        assert piece, f"the end after {got} bytes"
        got += len(piece)
    assert sink.wait(1)[0]["attributes"]["sidespan.end"] == "complete"


class Early(Strict):
    """Answers at the head, and reads the rest of the request."""

    def __init__(self, **more):
        self.seen = []
        super().__init__(**more)

    def _take(self, connection, streams, queues, event, number):
        if isinstance(event, h2.events.RequestReceived):
            streams[event.stream_id] = Message(event.headers, connection=number)
            connection.send_headers(event.stream_id, [(":status", "202"), ("content-length", "2")])
            connection.send_data(event.stream_id, b"ok", end_stream=True)
        elif isinstance(event, h2.events.DataReceived):
            self.seen.append(len(event.data))
            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.seen.append("end")
        elif isinstance(event, h2.events.StreamReset):
            self.seen.append("reset")


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_an_h2_origin_gets_all_of_a_request_that_it_answered_early(intercepting, authority, alpn):
    origin = Early(tls=authority.server(HOST, "127.0.0.1"), alpn=("h2",))
    side = intercepting()
    for size in (11, 200_000):
        origin.seen.clear()
        sock, _, named = inside(side, origin, (alpn,))
        if alpn == "h2":
            client = H2Client(sock)
            stream = client.ask(named, "/up", "POST", "https", body=b"first", end=False)
            assert client.wait(stream)[0].status == 202
            for at in range(0, size - 5, 10_000):
                last = at + 10_000 >= size - 5
                client.connection.send_data(stream, b"x" * min(10_000, size - 5 - at), end_stream=last)
                client.flush()
                if not last:
                    time.sleep(0.02)
        else:
            sock.sendall(head("POST /up HTTP/1.1", [("Host", named), ("Content-Length", str(size))]) + b"first")
            assert Reader(sock).response("POST").status == 202
            sock.sendall(b"x" * (size - 5))
        wait_for("the end", lambda: "end" in origin.seen or "reset" in origin.seen)
        assert origin.seen[-1] == "end" and sum(origin.seen[:-1]) == size
        sock.close()
    origin.stop()


def test_an_h1_origin_gets_all_of_a_request_that_it_answered_early(sidecar, origin):
    got = []

    def early(sock, reader, request):
        sock.sendall(b"HTTP/1.1 202 ok\r\nContent-Length: 2\r\n\r\nok")
        time.sleep(3)  # longer than a connection may idle
        n = 0
        while n < int(request.get("content-length")) and (reader.pending or reader.more()):
            n += len(reader.pending)
            reader.pending = b""
        got.append(n)

    side = sidecar({"limits": {"origin_idle_time": "500ms", "queue_bytes": "16MiB"}})
    origin.answer("/early", [NO_BODY, early])
    size = 9_000_000
    with Client(side.egress) as agent:
        agent.send(head(f"POST {origin.url('/early')} HTTP/1.1", [("Host", "h"), ("Content-Length", str(size))]))
        agent.send(b"x" * size)
        assert agent.response("POST").status == 202
        wait_for("all of it", lambda: got, 20)
    assert got == [size]


def test_nothing_begins_where_the_end_has_begun(sidecar, origin, sink):
    """The origin resets while its early answer is on its way: what the agent asks behind that has no way back."""
    begun, size = [], 2 * TAIL  # whatever the kernel holds of it, all of the rest is read

    def early(sock, reader, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"y" * size)
        time.sleep(0.5)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Finished

    origin.answer("/early", [NO_BODY, early])
    origin.answer("/second", [lambda *_: begun.append("second"), OK])
    side = sidecar({"limits": {"queue_bytes": "16MiB"}})
    agent = small(side)
    agent.sendall(head(f"POST {origin.url('/early')} HTTP/1.1", [("Host", "h"), ("Content-Length", "11")]) + b"first")
    time.sleep(1.5)
    agent.sendall(b"second")
    agent.sendall(head(f"POST {origin.url('/second')} HTTP/1.1", [("Host", "h"), ("Content-Length", "0")]))
    time.sleep(0.5)
    reader = Reader(agent)
    assert len(reader.response("POST").body) == size
    with pytest.raises((Truncated, ConnectionError)):
        reader.response("POST")
    assert not begun and len(sink.wait(1)) == 1


def test_a_request_is_counted_once(sidecar, origin):
    origin.answer("/early", [NO_BODY, b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % TAIL + b"n" * TAIL, 0.5, RESET])
    side = sidecar()
    agent = small(side)
    agent.sendall(head(f"POST {origin.url('/early')} HTTP/1.1", [("Host", "h"), ("Content-Length", "10")]) + b"12345")
    time.sleep(1.5)
    agent.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
    assert side.metrics().total("sidespan_requests_total") == 1


def test_a_refused_tunnel_within_a_tunnel_leaves_room(intercepting, authority):
    origin = H2Origin(tls=authority.server(HOST, "127.0.0.1"), alpn=("h2",))
    side = intercepting({"limits": {"h2_streams": 2}})
    sock, _, named = inside(side, origin)
    client = H2Client(sock)
    for _ in range(4):
        stream = client.ask("example.com:443", method="CONNECT", end=False)
        assert client.wait(stream)[0].status == 501
        client.ping()
    assert client.get(named, "/echo", scheme="https").status == 200
    origin.stop()
