"""limits.memory: what is held, and what is done at each of its three marks. Traffic is made to wait by agents that do not
read; a sidecar with 4 MiB comes to its marks with a few dozen of them."""

import errno
import json
import socket
import threading
import time

import pytest

from aborts import full_listener, port_of
from h2_origin import H2Client
from origin import NO_BODY, Origin
from wire import Client, ask, connect, head, wait_for

KiB, MiB = 1 << 10, 1 << 20
LIMIT = 4 * MiB
CROWDED = 8 * MiB  # what one agent holds is less than lies between two marks
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"9\r\ndata: 1\n\n\r\n"


def limited(limit=LIMIT, **limits):
    return {"limits": {"memory": f"{limit}B"} | limits}


def held(side):
    return side.metrics().total("sidespan_memory_bytes")


def settled(side):
    """What is held once it stays the same for a while."""
    seen = []
    while len(seen) < 3 or len(set(seen[-3:])) > 1:
        seen.append(held(side))
        time.sleep(0.1)
    return seen[-1]


def reactions(side):
    metrics = side.metrics()
    return tuple(metrics.total("sidespan_memory_reactions_total", reaction=name) for name in ("tap_off", "refused", "reset"))


def get(url):
    return head(f"GET {url} HTTP/1.1", [("Host", "h")])


def pour(sock, reader, request):
    sock.sendall(ENDLESS)
    while True:
        sock.sendall(b"z" * 65536)


class Agent:
    """One that has a call under way, by either protocol."""

    def __init__(self, side, protocol):
        self.h2 = protocol == "HTTP/2"
        self.client = H2Client(connect(side.egress)) if self.h2 else Client(side.egress)

    def begin(self, url):
        """Asks, and has the head of the answer."""
        if not self.h2:
            self.client.send(get(url))
            assert self.client.reader.head().status == 200
            return
        self.stream = self.client.ask(*split(url))
        while not self.client.answers[self.stream].headers:
            assert self.client.pull()
        assert self.client.answers[self.stream].status == 200

    def rest(self):
        """The rest of that answer, which is chunked in HTTP/1."""
        if not self.h2:
            return self.client.reader.until(b"0\r\n\r\n")
        answer, = self.client.wait(self.stream)
        assert answer.error is None
        return answer.body

    def ask(self, url):
        return self.client.get(*split(url)) if self.h2 else self.client.ask("GET", url)

    def upload(self, url, size):
        """Begins one of LIMIT bytes."""
        if not self.h2:
            fields = [("Host", "h"), ("Content-Length", str(LIMIT))]
            return self.client.send(head(f"POST {url} HTTP/1.1", fields) + b"u" * size)
        while self.client.connection.outbound_flow_control_window <= 65535:  # until we have said how much we take
            assert self.client.pull()
        self.stream = self.client.ask(*split(url), "POST", end=False)
        return self.go_on(size)

    def go_on(self, size):
        if not self.h2:
            return self.client.send(b"u" * size)
        for at in range(0, size, 16384):
            self.client.connection.send_data(self.stream, b"u" * min(16384, size - at))
        return self.client.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()


def split(url):
    """(authority, path)"""
    authority, _, path = url.removeprefix("http://").partition("/")
    return authority, "/" + path


either = pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/2"])


class Crowd:
    """Agents that ask and do not read."""

    def __init__(self, side):
        self.side, self.sockets = side, []

    def ask(self, url):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect(self.side.egress)
        sock.sendall(get(url))
        self.sockets.append(sock)
        return sock

    def fill(self, url, percent):
        """One more after the other, until so much of the limit is held and stays so: kernels take some of it late. Who
        keeps only the block that was read into last, which counted before, shows with the next."""
        mark = CROWDED // 100 * percent
        for number in range(1000):
            before = held(self.side)
            if before >= 0.8 * mark:  # one after the other from here on
                before = settled(self.side)
            if before >= mark:
                return
            sock = self.ask(f"{url}?{number}")
            end = time.monotonic() + 0.3
            while time.monotonic() < end and held(self.side) < min(mark, before + 48 * KiB) and not is_refused(sock):
                time.sleep(0.01)
        raise AssertionError(f"a thousand agents hold {held(self.side)} bytes")

    def leave(self):
        while self.sockets:
            self.sockets.pop().close()


@pytest.fixture
def crowd():
    crowds = []

    def gather(side):
        crowds.append(Crowd(side))
        return crowds[-1]

    yield gather
    for one in crowds:
        one.leave()


def is_refused(sock):
    try:
        return sock.recv(12, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"HTTP/1.1 503"
    except BlockingIOError:
        return False


def is_ended(sock):
    """By FIN and nothing before it."""
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False


def test_the_limit_is_that_of_the_setting(sidecar):
    assert sidecar(limited()).metrics().total("sidespan_memory_limit_bytes") == LIMIT
    assert 0 < sidecar().metrics().total("sidespan_memory_limit_bytes") <= 128 * MiB


def test_what_is_held_is_counted_and_given_back(sidecar, origin, crowd):
    origin.answer("/pour", [pour])
    side = sidecar({"workers": 2})
    before, agents = held(side), crowd(side)
    for number in range(20):
        agents.ask(origin.url(f"/pour?{number}"))
    wait_for("what twenty hold", lambda: held(side) > before + 20 * 64 * KiB)
    assert held(side) < before + 20 * 256 * KiB
    agents.leave()
    # To the step in which each worker tells.
    wait_for("nothing held", lambda: held(side) <= before + 2 * 64 * KiB)
    assert reactions(side) == (0, 0, 0)


@either
def test_at_80_percent_taps_go_off(protocol, sidecar, origin, sink, crowd):
    full, over = threading.Event(), threading.Event()

    def events(sock, reader, request):
        sock.sendall(EVENTS + EVENT)
        if request.target.endswith("whole"):
            assert full.wait(60)
        sock.sendall(EVENT + b"0\r\n\r\n")

    origin.answer("/pour", [pour])
    origin.answer("/events", [NO_BODY, events])
    side = sidecar(limited(CROWDED))
    agents = crowd(side)
    with Agent(side, protocol) as agent, Agent(side, protocol) as other:
        agent.begin(origin.url("/events?whole"))
        assert other.ask(origin.url("/events?before")).status == 200
        agents.fill(origin.url("/pour"), 80)
        assert held(side) < 0.9 * CROWDED, "the crowd has overshot its mark"
        full.set()
        assert b"data: 1" in agent.rest()
        assert other.ask(origin.url("/events?during")).status == 200
    assert reactions(side) == (2, 0, 0)
    wait_for("log line", lambda: "went by unobserved" in side.log())
    agents.leave()
    wait_for("less held", lambda: held(side) < 0.8 * CROWDED)
    assert ask(side.egress, "GET", origin.url("/events?after")).status == 200
    spans = {span["attributes"]["url.full"].partition("?")[2]: span["attributes"]
             for span in sink.wait(4, where=lambda span: "/events" in span["attributes"]["url.full"])}
    assert {name: (span.get("sidespan.stream.events"), span.get("sidespan.tap.off")) for name, span in spans.items()} == {
        "before": (2, None), "whole": (None, True), "during": (None, True), "after": (2, None)}


def test_a_tap_that_goes_off_is_counted_once(sidecar, origin, sink, crowd):
    """Also where a turn is open, so that what passes is read for what it tells of its execution."""
    full = threading.Event()

    def trickle(sock, reader, request):
        sock.sendall(EVENTS + EVENT)
        assert full.wait(60)
        for _ in range(30):
            time.sleep(0.01)
            sock.sendall(EVENT)
        sock.sendall(b"0\r\n\r\n")

    message = {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_5d0e8b1c7f264a93", "type": "function", "function": {"name": "search", "arguments": "{}"}}]}
    body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode()
    origin.answer("/v1/chat/completions", [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body)])
    origin.answer("/pour", [pour])
    origin.answer("/events", [NO_BODY, trickle])
    side = sidecar(limited(CROWDED))
    agents = crowd(side)
    with Client(side.egress) as agent:
        question = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Where is order QK-482913?"}]}
        agent.ask("POST", origin.url("/v1/chat/completions"), [("Content-Type", "application/json")],
                  json.dumps(question).encode())
        agent.send(get(origin.url("/events")))
        assert agent.reader.head().status == 200
        agents.fill(origin.url("/pour"), 80)
        full.set()
        agent.reader.until(b"0\r\n\r\n")
    agents.leave()
    wait_for("less held", lambda: held(side) < 0.8 * CROWDED)
    asked = len(origin.seen("/pour"))
    spans = sink.wait(asked + 1, where=lambda span: any(path in span["attributes"].get("url.full", "")
                                                        for path in ("/pour", "/events")))
    silenced = [span for span in spans if span["attributes"].get("sidespan.tap.off")]
    assert any("/events" in span["attributes"]["url.full"] for span in silenced)
    assert reactions(side)[0] == len(silenced)


@either
def test_at_90_percent_requests_are_refused(protocol, sidecar, origin, sink, crowd):
    origin.answer("/pour", [pour])
    side = sidecar(limited(CROWDED))
    agents = crowd(side)
    with Agent(side, protocol) as early:
        assert early.ask(origin.url("/echo")).status == 200
        agents.fill(origin.url("/pour"), 90)
        new = Agent(side, protocol)  # one at rest would give way
        for answer in (early.ask(origin.url("/echo?more")), new.ask(origin.url("/echo?new"))):
            assert (answer.status, answer.get("retry-after")) == (503, "1")
            assert answer.get("connection") == ("close" if protocol == "HTTP/1.1" else None)
            assert answer.get("proxy-status").startswith("sidespan; error=") and b"limits.memory" in answer.body
    assert reactions(side)[1] >= 2 and reactions(side)[2] == 0
    assert len(origin.seen("/echo")) == 1
    assert agents.sockets[0].recv(1024)  # who was let in is served
    wait_for("log line", lambda: "requests were refused" in side.log())
    assert side.log().count("requests were refused") == 1
    agents.leave()
    wait_for("less held", lambda: held(side) < 0.9 * CROWDED)
    assert ask(side.egress, "GET", origin.url("/echo?after")).status == 200
    side.metrics().accounts()


HOSTS = [f"127.0.7.{number}" for number in range(1, 161)]


@pytest.fixture
def many_hosts(authority, sidecar):
    """One origin by TLS at many addresses, so that each is another one's, and a sidecar of so much memory."""
    origin = Origin(host="0.0.0.0", tls=authority.server(*HOSTS))
    yield origin, lambda memory: sidecar(limited(memory) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}})
    origin.stop()


def ask_hosts(side, origin, hosts):
    return [ask(side.egress, "GET", f"https://{host}:{origin.port}/bytes/1").status for host in hosts]


def test_idle_connections_to_origins_give_way_to_requests(many_hosts):
    """The longest idle first: all of them would hold twice the limit."""
    origin, of = many_hosts
    side = of(MiB)
    assert ask_hosts(side, origin, HOSTS) == [200] * len(HOSTS)
    assert reactions(side)[1:] == (0, 0)
    assert ask_hosts(side, origin, HOSTS[-5:]) == [200] * 5
    assert origin.connections == len(HOSTS)
    assert ask_hosts(side, origin, HOSTS[:5]) == [200] * 5
    assert origin.connections == len(HOSTS) + 5


def test_agents_at_rest_give_way_to_requests(sidecar, origin):
    """Who has just come, and who has a request, does not."""
    side = sidecar(limited(MiB))
    agents = []
    while held(side) < 0.85 * MiB:
        agents += [Client(side.egress) for _ in range(10)]
    time.sleep(5.2)
    came = []
    while held(side) < 0.9 * MiB:
        came.append(Client(side.egress))
    with Client(side.egress) as new:
        assert new.ask("GET", origin.url("/echo")).status == 200
        assert new.ask("GET", origin.url("/echo")).status == 200
    assert reactions(side)[1:] == (0, 0)
    ended = [agent for agent in (*agents, *came) if is_ended(agent.sock)]
    assert 0 < len(ended) == side.metrics().total("sidespan_connections_parted_total") < len(agents)
    assert not set(ended) & set(came)
    for agent in (*agents, *came):
        agent.close()


def test_idle_connections_give_way_before_anything_is_reset(many_hosts, origin):
    """They hold three quarters of the limit when ten answers come, which want half of it."""
    hosts, of = many_hosts
    count, size, go = 10, 6 * MiB, threading.Event()

    def late(sock, reader, request):
        assert go.wait(20)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))

    origin.answer("/late", [NO_BODY, late])
    side = of(2 * MiB)
    agents = [Client(side.egress) for _ in range(count)]
    for agent in agents:
        agent.send(get(origin.url("/late")))
    wait_for("all requests", lambda: len(origin.seen("/late")) == count)
    for host in HOSTS:
        if held(side) > 0.8 * 2 * MiB:
            break
        assert ask_hosts(side, hosts, [host]) == [200]
    idle = hosts.connections
    go.set()
    wait_for("an end of idle ones", lambda: hosts.ends)
    assert {agent.response().status for agent in agents} == {200}
    assert reactions(side)[1:] == (0, 0)
    assert 0 < len(hosts.ends) < idle
    for agent in agents:
        agent.close()


def test_at_95_percent_connections_are_reset_until_it_is_less(sidecar, origin, sink, crowd):
    """Sixty answers are let in while nothing is held, and then come all at once: more than thrice what there is room for."""
    count, size, go = 60, 6 * MiB, threading.Event()  # more than the kernel's buffers take

    def late(sock, reader, request):
        assert go.wait(20)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            sock.sendall(b"z" * 65536)

    origin.answer("/late", [NO_BODY, late])
    side = sidecar(limited(window_bytes="256KiB", queue_bytes="256KiB"))
    agents, most = crowd(side), 0
    for number in range(count):
        agents.ask(origin.url(f"/late?{number}"))
    wait_for("all requests", lambda: len(origin.seen("/late")) == count)
    go.set()
    deadline = time.monotonic() + 20
    while reactions(side)[2] < 20 and time.monotonic() < deadline:
        most = max(most, held(side))
    assert 0 < max(most, held(side)) <= LIMIT
    ends = []
    for sock in agents.sockets:
        got = 0
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MiB)
        try:
            while got < size and (more := sock.recv(MiB)):
                got += len(more)
        except ConnectionResetError:
            pass
        ends.append(got >= size)
    refused, reset = reactions(side)[1:]
    assert ends.count(False) == reset >= 20 and ends.count(True) == count - reset > 0 and refused == 0
    spans = sink.wait(count)
    cut = [span for span in spans if span["attributes"]["sidespan.end"] == "limit"]
    assert len(cut) == reset and {span["attributes"]["error.type"] for span in cut} == {"overload"}
    assert {span["attributes"]["sidespan.end"] for span in spans} == {"limit", "complete"}
    wait_for("log line", lambda: "held most were reset" in side.log())
    assert ask(side.egress, "GET", origin.url("/bytes/1")).status == 200


READ = 64 * KiB


@either
def test_who_holds_most_is_reset_first(protocol, sidecar, sink):
    """Uploads wait for an origin that cannot be connected to: one of half the limit, then small ones."""
    full, stuffing = full_listener()
    side = sidecar(limited(queue_bytes="2MiB", window_bytes="3MiB", connect_time="1m", h2_stream_window="3MiB",
                           h2_connection_window="3MiB"))

    def upload(path, size):
        agents.append(Agent(side, protocol))
        agents[-1].upload(f"http://127.0.0.1:{port_of(full)}{path}", size)

    agents = []
    upload("/small", 200 * KiB)
    upload("/big", 2 * MiB)
    wait_for("half of it", lambda: held(side) > 2.1 * MiB)
    for _ in range(12):
        before = held(side)
        upload("/small", 200 * KiB)
        wait_for("more, or a reset", lambda: held(side) > before + 190 * KiB or sum(reactions(side)))
        if reactions(side)[2]:
            break
        if before < 0.9 * LIMIT - READ:  # what is read at once is there before its head is judged
            assert reactions(side) == (0, 0, 0)
        if reactions(side)[1]:  # nobody else is let in: one who is there goes on
            agents[0].go_on(400 * KiB)
    wait_for("a reset", lambda: reactions(side)[2])
    assert reactions(side)[2] == 1
    span, = sink.wait(1)
    assert span["attributes"]["url.full"].endswith("/big") and span["attributes"]["sidespan.end"] == "limit"
    wait_for("its connection to be reset", lambda: is_reset(agents[1].client.sock))
    for agent in agents:
        agent.client.close()
    for sock in (full, *stuffing):
        sock.close()


def open_tunnel(agent, origin):
    agent.send(head(f"CONNECT 127.0.0.1:{port_of(origin)} HTTP/1.1", [("Host", "h")]))
    assert agent.reader.head().status == 200
    return origin.accept()[0]


def upgrade(agent, origin):
    fields = [("Host", "h"), ("Connection", "Upgrade"), ("Upgrade", "echo")]
    agent.send(head(f"GET http://127.0.0.1:{port_of(origin)}/ HTTP/1.1", fields))
    peer = origin.accept()[0]
    peer.recv(65536)
    peer.sendall(head("HTTP/1.1 101 Switching Protocols", fields[1:]))
    assert agent.reader.head().status == 101
    return peer


def test_what_is_left_of_tunnels_is_reset_too(sidecar, sink):
    """Both ends of a tunnel have said that they are done, and the origin takes none of what still waits for it."""
    side, agents, origins = sidecar(limited(2 * LIMIT, queue_bytes="8MiB", window_bytes="8MiB")), [], []
    with socket.create_server(("127.0.0.1", 0)) as origin:
        origin.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(8):
            agents.append(Client(side.egress))
            origins.append(upgrade(agents[-1], origin))
        for number, (agent, peer) in enumerate(zip(agents, origins)):
            try:
                agent.send(b"\x00" * 6 * MiB)  # the kernel takes up to four of them
                agent.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            peer.shutdown(socket.SHUT_WR)
            sink.wait(number + 1)
            assert held(side) <= 2 * LIMIT
        cut = [span for span in sink.wait(8) if span["attributes"]["sidespan.end"] == "limit"]
        # A tunnel's span says that it is over, and still there was something to reset.
        assert reactions(side)[2] > len(cut) and reactions(side)[1] == 0
        wait_for("an origin's connection to be reset", lambda: any(is_reset(peer) for peer in origins))
    for sock in (*agents, *origins):
        sock.close()


def test_tunnels_are_reset_too(sidecar, sink):
    """The same, of tunnels that nobody looks into: such a one is over once all of it has left."""
    side, agents, origins = sidecar(limited(2 * LIMIT, queue_bytes="8MiB", window_bytes="8MiB")), [], []
    with socket.create_server(("127.0.0.1", 0)) as origin:
        origin.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        while not reactions(side)[2]:
            assert len(agents) < 12
            agents.append(Client(side.egress))
            origins.append(open_tunnel(agents[-1], origin))
            agents[-1].send(b"\x00" * 6 * MiB)
            agents[-1].sock.shutdown(socket.SHUT_WR)
            origins[-1].shutdown(socket.SHUT_WR)
            assert agents[-1].reader.rest() == b""
            assert held(side) <= 2 * LIMIT
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["attributes"]["error.type"]) == ("limit", "overload")
    assert sum(is_reset(peer) for peer in origins) == 1
    for sock in (*agents, *origins):
        sock.close()


def is_reset(sock):
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET


def test_heads_and_pipelines_without_a_call_count_too(sidecar, sink):
    """Nobody is asked for anything yet, and still there is a limit to what comes in."""
    side = sidecar(limited(head_time="1m"))
    half = b"GET http://h/ HTTP/1.1\r\nX: " + b"x" * 30_000 + b"\r\nY: " + b"y" * 30_000
    agents = []
    for _ in range(80):
        agents.append(Client(side.egress, 5))
        agents[-1].send(half)
        assert held(side) <= LIMIT
    wait_for("a reset", lambda: reactions(side)[2] > 0)
    assert reactions(side)[:2] == (0, 0)
    assert any(is_reset(agent.sock) for agent in agents)
    for agent in agents:
        agent.close()
    wait_for("nothing held", lambda: held(side) < LIMIT / 10)
    assert not sink.quiet()
