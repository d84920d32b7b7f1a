"""What leaves HTTP: Upgrade and CONNECT. Bytes both ways, each direction's end, who speaks first, what is refused."""

import contextlib
import json
import socket
import threading
import time

import pytest

from origin import HANG_UP, NO_BODY, OK, RESET
from wire import Client, Reader, ask, connect, head, wait_for

ASK_UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "echo")]


@pytest.fixture
def agent(sidecar):
    with Client(sidecar().egress) as client:
        yield client


class Plain:
    """A TCP server that gives each connection to `talk(sock)`."""

    def __init__(self, talk, host="127.0.0.1", port=0):
        self.listener = socket.create_server((host, port))
        self.port = self.listener.getsockname()[1]
        self.talk = talk
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.settimeout(20)
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock):
        with sock:
            self.talk(sock)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def plain():
    servers = []

    def start(talk):
        servers.append(Plain(talk))
        return servers[-1].port

    yield start
    for server in servers:
        server.stop()


def mirror(sock):
    """Everything back, until the end or a reset, which is how a tunnel is cut."""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            sock.sendall(data)


def tunnel(client, port, early=b"", fields=()):
    client.send(head(f"CONNECT 127.0.0.1:{port} HTTP/1.1", [("Host", f"127.0.0.1:{port}"), *fields]) + early)
    answer = client.reader.head()
    assert answer.status == 200 and answer.headers == [], answer.raw


# Upgrade


def test_row_05_after_101_bytes_pass_both_ways(agent, origin, sink):
    agent.send(head(f"GET {origin.url('/upgrade')} HTTP/1.1", [("Host", "h"), *ASK_UPGRADE]))
    answer = agent.response()
    assert (answer.status, answer.get("upgrade"), answer.get("connection")) == (101, "echo", "Upgrade")
    assert origin.requests[0].get("upgrade") == "echo" and origin.requests[0].get("connection") == "Upgrade"
    for piece in (b"\x00\xff", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 1000):
        agent.send(piece)
        assert agent.reader.exactly(len(piece)) == piece
    agent.sock.shutdown(socket.SHUT_WR)
    assert agent.reader.rest() == b""
    span, = sink.wait(1)
    sent = 2 + 18 + 256000
    assert (span["attributes"]["sidespan.bytes.sent"], span["attributes"]["sidespan.bytes.received"]) == (sent, sent)
    assert (span["attributes"]["http.response.status_code"], span["attributes"]["sidespan.end"]) == (101, "complete")


def test_row_05_bytes_that_came_before_101_arrive_after_it(agent, origin):
    agent.send(head(f"GET {origin.url('/upgrade')} HTTP/1.1", [("Host", "h"), *ASK_UPGRADE]) + b"early")
    assert agent.response().status == 101
    agent.send(b"late")
    assert agent.reader.exactly(9) == b"earlylate"
    assert origin.requests[0].raw.endswith(b"\r\n\r\n")


def test_the_origin_s_first_bytes_may_come_with_its_101(agent, origin):
    switch = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello first"
    origin.answer("/first", [switch, lambda sock, reader, request: sock.sendall(reader.exactly(3)), HANG_UP])
    agent.send(head(f"GET {origin.url('/first')} HTTP/1.1", [("Host", "h"), *ASK_UPGRADE]))
    assert agent.response().status == 101
    agent.send(b"you")
    assert agent.reader.exactly(14) == b"hello firstyou"


def test_row_05_another_answer_to_an_upgrade_is_an_answer(agent, origin):
    assert agent.ask("GET", origin.url("/echo"), ASK_UPGRADE).status == 200
    assert agent.ask("GET", origin.url("/echo")).status == 200
    assert origin.connections == 1


def test_row_05_early_bytes_of_a_refused_upgrade_are_no_request(agent, origin):
    agent.send(head(f"GET {origin.url('/echo')} HTTP/1.1", [("Host", "h"), *ASK_UPGRADE]) +
               head(f"GET {origin.url('/hidden')} HTTP/1.1", [("Host", "h")]))
    answer = agent.response()
    assert (answer.status, answer.get("connection")) == (200, "close")
    assert not origin.seen("/hidden")


def test_an_upgrade_to_h2c_is_not_passed_on(agent, origin):
    assert agent.ask("GET", origin.url("/echo"), [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                                                  ("HTTP2-Settings", "AAMAAABk")]).status == 200
    assert origin.requests[0].get("upgrade") is None and origin.requests[0].get("http2-settings") is None


def test_a_reset_inside_an_upgrade_is_a_reset(agent, origin, sink):
    switch = b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
    origin.answer("/cut", [switch, 0.1, RESET])
    agent.send(head(f"GET {origin.url('/cut')} HTTP/1.1", [("Host", "h"), *ASK_UPGRADE]))
    assert agent.response().status == 101
    with pytest.raises(ConnectionResetError):
        agent.reader.rest()
    span, = sink.wait(1)
    assert (span["status"], span["attributes"]["sidespan.end"]) == ("ERROR", "origin_closed")


# CONNECT


def test_a_tunnel_passes_bytes(agent, plain, sink):
    tunnel(agent, port := plain(mirror))
    for piece in (b"\x16\x03\x01 anything", bytes(range(256)) * 2000):
        agent.send(piece)
        assert agent.reader.exactly(len(piece)) == piece
    agent.sock.shutdown(socket.SHUT_WR)
    assert agent.reader.rest() == b""
    span, = sink.wait(1)
    assert span["name"] == "CONNECT" and span["attributes"]["sidespan.mode"] == "tunnel"
    assert span["attributes"]["server.port"] == port and "url.full" not in span["attributes"]
    assert span["attributes"]["sidespan.bytes.sent"] == span["attributes"]["sidespan.bytes.received"] == 512012
    assert span["attributes"]["sidespan.end"] == "complete" and span["status"] == "UNSET"
    assert span["attributes"]["sidespan.tunnel.closed_by"] == "agent"
    assert span["attributes"]["server.address"] == "127.0.0.1" and span["attributes"]["sidespan.phase.connect"] >= 0


def test_row_05_bytes_that_came_with_the_connect_are_held_for_the_origin(agent, plain):
    tunnel(agent, plain(mirror), early=b"\x16 early")
    assert agent.reader.exactly(7) == b"\x16 early"


def test_a_server_may_speak_first(agent, plain):
    def greet(sock):
        sock.sendall(b"220 hello\r\n")
        mirror(sock)

    tunnel(agent, plain(greet))
    assert agent.reader.until(b"\r\n") == b"220 hello\r\n"
    agent.send(b"GET / HTTP/1.1\r\n")  # too late to be taken for HTTP
    assert agent.reader.until(b"\r\n") == b"GET / HTTP/1.1\r\n"


def test_the_agent_may_end_first(agent, plain):
    def sum_up(sock):
        total = 0
        while data := sock.recv(65536):
            total += len(data)
        sock.sendall(b"%d bytes" % total)

    tunnel(agent, plain(sum_up))
    agent.send(b"\x00" * 300000)
    agent.sock.shutdown(socket.SHUT_WR)
    assert agent.reader.rest() == b"300000 bytes"


def test_the_origin_may_end_first(agent, plain, sink):
    got = []

    def end_then_read(sock):
        sock.sendall(b"\x01bye")
        sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            got.append(data)

    tunnel(agent, plain(end_then_read))
    assert agent.reader.rest() == b"\x01bye"
    agent.send(b"\x02" * 3000000)  # more than all buffers hold, so that some of it waits when we end
    agent.sock.shutdown(socket.SHUT_WR)
    wait_for("all bytes", lambda: sum(map(len, got)) == 3000000)
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.bytes.sent"] == 3000000


def test_an_opaque_tunnel_counts(sidecar, plain):
    side = sidecar()
    with Client(side.egress) as agent:
        tunnel(agent, plain(mirror))
        agent.send(b"\x00")
        assert agent.reader.exactly(1) == b"\x00"
    wait_for("count", lambda: side.metrics().total("sidespan_tunnels_opaque_total") == 1)


@pytest.mark.parametrize("bytes_first", [b"GET key\r\n", b"P", b"POSTFIX\r\n", b"\r\n", b"HEAD"])
def test_what_only_looks_like_http_is_a_tunnel(agent, plain, bytes_first):
    tunnel(agent, plain(mirror))
    agent.send(bytes_first)
    agent.sock.shutdown(socket.SHUT_WR)
    assert agent.reader.rest() == bytes_first


def test_nor_does_it_wait_for_one_byte_after_the_other(agent, plain):
    tunnel(agent, plain(mirror))
    for byte in b"POST":
        agent.send(bytes([byte]))
        time.sleep(0.15)
    # It has been looked at for 200 ms, and is HTTP too late.
    agent.send(b" / HTTP/1.1\r\n\r\n")
    assert agent.reader.exactly(19) == b"POST / HTTP/1.1\r\n\r\n"


def test_the_beginning_of_a_method_does_not_wait_for_its_rest(agent, plain):
    tunnel(agent, plain(mirror))
    agent.send(b"P")
    assert agent.reader.exactly(1) == b"P"
    agent.send(b"OST / HTTP/1.1\r\n")  # too late to be taken for HTTP
    assert agent.reader.until(b"\n") == b"OST / HTTP/1.1\r\n"


def test_an_origin_that_ends_before_the_agent_begins_has_a_tunnel(sidecar, plain, sink):
    got = []

    def end_then_read(sock):
        sock.shutdown(socket.SHUT_WR)
        got.append(Reader(sock).rest())

    side, request = sidecar(), head("GET / HTTP/1.1", [("Host", "h")])
    with Client(side.egress) as agent:
        tunnel(agent, plain(end_then_read))
        assert agent.reader.rest() == b""
        agent.send(request)
        agent.sock.shutdown(socket.SHUT_WR)
        wait_for("the bytes", lambda: got)
    assert got == [request]
    span, = sink.wait(1)
    assert (span["name"], span["attributes"]["sidespan.end"]) == ("CONNECT", "complete")
    assert span["attributes"]["sidespan.tunnel.closed_by"] == "origin"
    assert span["attributes"]["sidespan.bytes.sent"] == len(request)
    assert side.metrics().total("sidespan_tunnels_opaque_total") == 1
    assert side.metrics().total("sidespan_requests_total", mode="tunnel") == 1


def test_row_05_a_refused_tunnel_is_502(agent, sink):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = agent.ask("CONNECT", f"127.0.0.1:{port}", host="h")
    assert answer.status == 502 and "connection_refused" in answer.get("proxy-status")
    span, = sink.wait(1)
    assert (span["name"], span["attributes"]["error.type"]) == ("CONNECT", "connection_refused")


def test_plain_http_in_a_tunnel_has_the_spans(agent, origin, sink):
    tunnel(agent, origin.port)
    for number in range(3):
        agent.send(head(f"GET /echo?{number} HTTP/1.1", [("Host", f"127.0.0.1:{origin.port}")]))
        assert agent.response().status == 200
    assert origin.connections == 1
    spans = sink.quiet()
    assert [span["attributes"]["url.full"] for span in spans] == [origin.url(f"/echo?{n}") for n in range(3)]
    assert all(span["attributes"]["sidespan.mode"] == "forward" for span in spans)
    # The connection was made for the tunnel, and the first call used it.
    assert ["sidespan.phase.connect" in span["attributes"] for span in spans] == [True, False, False]


def test_a_request_in_a_tunnel_goes_where_the_tunnel_leads(agent, origin, plain):
    reached = []
    other = plain(lambda sock: reached.append(sock.recv(1)))
    tunnel(agent, origin.port)
    assert agent.ask("GET", "/echo", host="mine").status == 200
    assert agent.ask("GET", origin.url("/echo?absolute"), host="evil").status == 200
    assert agent.ask("OPTIONS", "*", host="mine").status == 200
    for target in (f"http://127.0.0.1:{other}/p", f"http://localhost:{origin.port}/", "http://127.0.0.1/"):
        answer = agent.ask("GET", target, host="evil")
        assert (answer.status, answer.get("content-type")) == (421, "text/plain"), target
    assert agent.ask("GET", "/echo", host="mine").status == 200
    assert agent.ask("CONNECT", f"127.0.0.1:{other}", host="evil").status == 501
    assert not reached and origin.connections == 1
    here = f"127.0.0.1:{origin.port}"
    assert [(seen.target, seen.get("host")) for seen in origin.requests] == [
        ("/echo", "mine"), ("/echo?absolute", here), ("*", "mine"), ("/echo", "mine")]


def test_plain_http_in_a_tunnel_byte_by_byte(agent, origin):
    tunnel(agent, origin.port)
    for byte in head("POST /echo HTTP/1.1", [("Host", "h"), ("Content-Length", "2")]) + b"ok":
        agent.send(bytes([byte]))
    assert agent.response().status == 200
    assert origin.requests[0].body == b"ok"


def test_a_reset_in_a_tunnel_is_a_reset_on_the_other_side(agent, plain, sink):
    ends = []

    def until_the_end(sock):
        try:
            ends.append(Reader(sock).rest())
        except ConnectionResetError:
            ends.append("reset")

    tunnel(agent, plain(until_the_end))
    agent.send(b"\x00half")
    agent.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    agent.close()
    wait_for("the end", lambda: ends)
    assert ends == ["reset"]
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["status"]) == ("agent_cancelled", "UNSET")


def test_an_origin_that_breaks_a_tunnel_off_is_named(agent, plain, sink):
    def cut(sock):
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()

    tunnel(agent, plain(cut))
    agent.send(b"\x00")
    with pytest.raises(ConnectionResetError):
        agent.reader.rest()
    span, = sink.wait(1)
    attributes = span["attributes"]
    assert (attributes["sidespan.end"], attributes["error.type"]) == ("origin_closed", "connection_reset")
    assert span["status"] == "ERROR" and "the origin broke" in span["message"]


def test_a_silent_tunnel_ends(sidecar, plain, sink):
    side = sidecar({"limits": {"stream_idle_time": "1s"}})
    with Client(side.egress) as agent:
        tunnel(agent, plain(mirror))
        for _ in range(4):  # two seconds, but never silent for one
            agent.send(b"\x00")
            assert agent.reader.exactly(1) == b"\x00"
            time.sleep(0.5)
        with pytest.raises(ConnectionResetError):
            agent.reader.rest()
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["attributes"]["error.type"]) == ("timeout", "timeout")
    assert span["message"] == "the origin was silent for 1000 ms"
    assert span["attributes"]["sidespan.bytes.sent"] == 4


def test_a_tunnel_at_the_end_of_a_drain(sidecar, plain, sink):
    side = sidecar({"drain": {"deadline": "1s"}})
    with Client(side.egress) as agent:
        tunnel(agent, plain(mirror))
        agent.send(b"\x00")
        assert agent.reader.exactly(1) == b"\x00"
        side.process.terminate()
        agent.send(b"\x01")  # it goes on for as long as it may
        assert agent.reader.exactly(1) == b"\x01"
        with pytest.raises(ConnectionResetError):
            agent.reader.rest()
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "drain"
    assert span["attributes"]["sidespan.bytes.received"] == 2


def test_a_tunnel_s_line_in_the_access_log(sidecar, plain, sink):
    side = sidecar({"log": {"access": True}, "propagation": {"baggage": {"to_attributes": ["team"]}}})
    with Client(side.egress) as agent:
        tunnel(agent, port := plain(mirror), fields=[("baggage", "team=red")])
        agent.send(b"\x00")
        assert agent.reader.exactly(1) == b"\x00"
    span, = sink.wait(1)
    line, = [json.loads(text) for text in side.lines if '"request"' in text]
    assert line["mode"] == "tunnel" and line["method"] == "CONNECT" and line["status"] == "200"
    assert (line["trace_id"], line["span_id"]) == (span["trace_id"], span["span_id"])
    assert line["host"] == "127.0.0.1" and line["end"] == "complete" and line["baggage"] == "team=red"
    assert span["attributes"]["team"] == "red" and span["attributes"]["server.port"] == port


def test_a_slow_reader_of_a_tunnel_slows_the_other_side(sidecar, plain, sink):
    much, waits = memoryview(bytes(64 * 1024 * 1024)), []

    def pour(sock):
        sock.recv(1)
        sock.settimeout(1)
        done = 0
        while done < len(much):
            try:
                done += sock.send(much[done:])
            except TimeoutError:
                waits.append(done)

    side = sidecar()
    with Client(side.egress) as agent:
        tunnel(agent, plain(pour))
        agent.send(b"\x00")
        wait_for("it waits", lambda: waits)
        assert side.metrics().total("sidespan_memory_bytes") < 4 * 1024 * 1024
        assert len(agent.reader.exactly(len(much))) == len(much)
        assert agent.reader.rest() == b""
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "complete"
    assert span["attributes"]["sidespan.bytes.received"] == len(much)


def test_many_tunnels_at_once(sidecar, plain):
    side, port = sidecar(), plain(mirror)
    clients = [Client(side.egress) for _ in range(50)]
    for client in clients:
        client.send(head(f"CONNECT 127.0.0.1:{port} HTTP/1.1", [("Host", "h")]) + b"\x00")
    for number, client in enumerate(clients):
        assert client.reader.head().status == 200
        client.send(b"%03d" % number)
        assert client.reader.exactly(4) == b"\x00%03d" % number
        client.close()
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    assert ask(side.health, "GET", "/healthz", host="localhost").status == 200
