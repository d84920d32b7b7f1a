"""More calls at once to one origin than it may have connections: who comes then waits in line."""

import threading
import time

import pytest

from aborts import with_reset
from h2_origin import H2Client
from origin import CLOSE, OK, Origin
from test_http2 import Narrow, inside
from tunnel import HOST, Tunnel, context_of
from wire import Client, Reader, ask, connect, head, wait_for


class Gate:
    """An answer that comes when the test says so; how many wait for it, and how many did at most."""

    def __init__(self, origin, path="/gate", then=(OK,)):
        self._free, self._lock, self.inside, self.most = threading.Semaphore(0), threading.Lock(), 0, 0
        origin.answer(path, [self._wait, *then])

    def _wait(self, sock, reader, request):
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self._free.acquire(timeout=20)
        with self._lock:
            self.inside -= 1

    def open(self, many=1):
        self._free.release(many)


@pytest.fixture
def limited(sidecar):
    """limited(2, connect_time="1s"): so many connections to an origin."""
    return lambda most, **limits: sidecar({"limits": {"origin_connections": most, **limits}})


def begin(side, url):
    """A call on a connection of its own, under way."""
    client = Client(side.egress)
    client.send(head(f"GET {url} HTTP/1.1", [("Host", "h")]))
    return client


def refusals(side):
    return side.metrics().total("sidespan_origin_connections_refused_total")


def test_an_origin_has_so_many_connections_and_all_are_answered(sidecar, origin, sink):
    side = sidecar({"limits": {"origin_connections": 2}})
    gate = Gate(origin)
    clients = [begin(side, origin.url("/gate")) for _ in range(10)]
    wait_for("both to be busy", lambda: gate.inside == 2)
    for _ in clients:
        gate.open()
        time.sleep(0.02)
    assert [client.response().status for client in clients] == [200] * 10
    assert (gate.most, origin.connections, refusals(side)) == (2, 2, 0)
    assert len(sink.wait(10)) == 10
    for client in clients:
        client.close()


def test_who_came_first_is_first(limited, origin):
    side = limited(1)
    gate = Gate(origin)
    clients = []
    for number in range(6):
        clients.append(begin(side, origin.url(f"/gate?{number}")))
        time.sleep(0.03)
    gate.open(6)
    assert [client.response().status for client in clients] == [200] * 6
    assert [request.target for request in origin.requests] == [f"/gate?{number}" for number in range(6)]
    for client in clients:
        client.close()


def test_who_waits_too_long_is_told_so(limited, origin, sink):
    side = limited(1, connect_time="300ms")
    gate = Gate(origin)
    busy = begin(side, origin.url("/gate"))
    wait_for("it to be busy", lambda: gate.inside == 1)
    began = time.monotonic()
    answer = ask(side.egress, "GET", origin.url("/echo"))
    assert 0.3 <= time.monotonic() - began < 5
    assert (answer.status, answer.get("retry-after")) == (503, "1")
    assert answer.get("proxy-status") == "sidespan; error=connection_limit_reached"
    assert answer.body == (b"sidespan: no connection to 127.0.0.1 became free within 300 ms, and "
                           b"limits.origin_connections allows no more.\n")
    assert ask(side.egress, "CONNECT", f"127.0.0.1:{origin.port}", host="h").status == 503
    assert refusals(side) == 2
    for span in sink.wait(2):
        assert (span["attributes"]["sidespan.end"], span["attributes"]["error.type"]) == ("limit", "overload")
    gate.open()
    assert busy.response().status == 200
    assert ask(side.egress, "GET", origin.url("/echo")).status == 200
    assert origin.connections == 1
    busy.close()


def test_an_agent_that_goes_is_not_waited_for(limited, origin, sink):
    side = limited(1)
    gate = Gate(origin)
    busy = begin(side, origin.url("/gate"))
    wait_for("it to be busy", lambda: gate.inside == 1)
    gone, stays = begin(side, origin.url("/echo?gone")), begin(side, origin.url("/echo?stays"))
    time.sleep(0.1)
    with_reset(gone.sock)
    gone.close()
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "agent_cancelled"
    gate.open()
    assert (busy.response().status, stays.response().status) == (200, 200)
    assert [request.target for request in origin.requests] == ["/gate", "/echo?stays"]
    for client in (busy, stays):
        client.close()


def test_a_connection_that_dies_makes_place(limited, origin):
    side = limited(1)
    gate = Gate(origin, then=(CLOSE,))
    clients = [begin(side, origin.url("/gate")), begin(side, origin.url("/echo")), begin(side, origin.url("/echo"))]
    wait_for("it to be busy", lambda: gate.inside == 1)
    gate.open()
    assert [client.response().status for client in clients] == [502, 200, 200]
    assert origin.connections == 2
    for client in clients:
        client.close()


def test_another_origin_has_its_own(limited, origin):
    side, other = limited(1), Origin()
    gate = Gate(origin)
    busy = begin(side, origin.url("/gate"))
    wait_for("it to be busy", lambda: gate.inside == 1)
    assert ask(side.egress, "GET", other.url("/echo")).status == 200
    gate.open()
    assert busy.response().status == 200
    busy.close()
    other.stop()


def test_a_tunnel_keeps_its_place_until_it_ends(limited, origin):
    side = limited(1, connect_time="400ms")
    tunnel = connect(side.egress)
    tunnel.sendall(head(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1", [("Host", "h")]))
    assert Reader(tunnel).head().status == 200
    tunnel.sendall(b"\0\1\2 neither HTTP nor TLS")
    time.sleep(0.3)  # nobody looks into it any more
    assert ask(side.egress, "GET", origin.url("/echo")).status == 503
    waiting = begin(side, origin.url("/echo"))
    time.sleep(0.1)
    tunnel.close()
    assert waiting.response().status == 200
    waiting.close()


def test_idle_connections_of_others_make_place(limited, origin):
    """Of another agent's login, and then of everybody's."""
    side = limited(1)
    with Client(side.egress) as mine, Client(side.egress) as other:
        assert mine.ask("GET", origin.url("/echo"), [("Authorization", "NTLM TlRMTVNTUAAB")]).status == 200
        assert other.ask("GET", origin.url("/echo")).status == 200
        assert mine.ask("GET", origin.url("/echo")).status == 200
    assert [request.connection for request in origin.requests] == [1, 2, 3]


def test_many_tunnels_that_are_looked_into(intercepting, tls_origin):
    """Their connections are made for CONNECT and used for the requests inside: none is counted twice or waits for itself."""
    side = intercepting({"limits": {"origin_connections": 2}})
    statuses = []

    def call(number):
        with Tunnel(side, tls_origin, context_of(side)) as agent:
            statuses.append(agent.get(f"/slow?head=30&{number}", f"{HOST}:{tls_origin.port}").status)

    agents = [threading.Thread(target=call, args=(number,)) for number in range(10)]
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join(20)
    assert statuses == [200] * 10
    assert refusals(side) == 0
    assert tls_origin.connections <= 10


@pytest.mark.parametrize("most", [1, 3])
def test_streams_of_http2(intercepting, authority, sink, most):
    origin = Narrow(most, tls=authority.server(HOST, "127.0.0.1"))
    side = intercepting({"limits": {"origin_connections": 2}})
    sock, _, name = inside(side, origin)
    with H2Client(sock) as client:
        for burst in range(3):
            asked = [client.ask(name, f"/burst/{burst}/{i}", scheme="https") for i in range(10)]
            assert [answer.status for answer in client.wait(*asked)] == [200] * 10
    assert (origin.refusals, refusals(side)) == (0, 0)
    assert origin.connections == 2
    assert len(sink.wait(30)) == len(origin.requests) == 30
    origin.stop()


def test_a_drain_waits_for_those_in_line(limited, origin, sink):
    side = limited(1)
    gate = Gate(origin)
    clients = [begin(side, origin.url("/gate")) for _ in range(3)]
    wait_for("it to be busy", lambda: gate.inside == 1)
    side.terminate()
    wait_for("draining", lambda: ask(side.health, "GET", "/readyz", host="localhost").status == 503)
    gate.open(3)
    assert [client.response().status for client in clients] == [200] * 3
    assert side.process.wait(timeout=20) == 0, side.log()
    assert len(sink.wait(3)) == 3
    assert gate.most == 1
    for client in clients:
        client.close()
