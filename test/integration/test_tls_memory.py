"""What connections cost while they are idle, by the resident size of the program."""

import pytest

from sidecar import resident, sanitized
from test_path_tunnels import Plain
from tunnel import HOST, Tunnel, context_of
from wire import Client, head, wait_for

COUNT = 500
KIB, MIB = 1024, 1024 * 1024


def connections(side):
    return side.metrics().total("sidespan_connections")


def cost_of(side, open_one):
    """Bytes a connection: what COUNT more of them add to as many that are there, which paid for what all share."""
    opened = [open_one() for _ in range(COUNT)]
    before = resident(side)
    opened += [open_one() for _ in range(COUNT)]
    assert connections(side) == 2 * COUNT
    cost = (resident(side) - before) / COUNT
    for one in opened:
        one.close()
    wait_for("no connection", lambda: connections(side) == 0)
    return cost


def kept(side, origin):
    agent = Client(side.egress)
    assert agent.ask("GET", origin.url("/bytes/10")).status == 200
    return agent


def opened(side, origin, context):
    agent = Tunnel(side, origin, context)
    assert agent.get("/bytes/10", f"{HOST}:{origin.port}").status == 200
    return agent


def tunnel(side, origin):
    agent = Client(side.egress)
    agent.send(head(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1", [("Host", "h")]))
    assert agent.reader.head().status == 200
    agent.send(b"\x00")  # so that it is known for a tunnel
    return agent


@pytest.fixture
def side(intercepting):
    if sanitized():
        pytest.skip("a sanitized program has other memory")
    return intercepting({"limits": {"keep_alive_time": "1h"}})


def test_an_idle_connection_by_tls(side, tls_origin):
    context = context_of(side)
    cost = cost_of(side, lambda: opened(side, tls_origin, context))
    print(f"idle connection by TLS: {cost / KIB:.1f} KiB")
    assert cost <= 24 * KIB


def test_an_idle_connection(side, origin):
    cost = cost_of(side, lambda: kept(side, origin))
    print(f"idle connection: {cost / KIB:.1f} KiB")
    assert cost <= 2 * KIB


def test_an_idle_tunnel(side, origin):
    cost = cost_of(side, lambda: tunnel(side, origin))
    print(f"idle tunnel, both sides: {cost / KIB:.1f} KiB")
    assert cost <= 2 * KIB


def test_an_idle_tunnel_in_which_the_origin_alone_spoke(side):
    def greet(sock):
        sock.settimeout(60)
        sock.sendall(b"220 ready")
        sock.recv(1)

    def open_one():
        agent = Client(side.egress)
        agent.send(head(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1", [("Host", "h")]))
        assert agent.reader.head().status == 200
        assert agent.reader.exactly(9) == b"220 ready"
        return agent

    origin = Plain(greet)
    cost = cost_of(side, open_one)
    origin.stop()
    print(f"idle tunnel in which the origin alone spoke, both sides: {cost / KIB:.1f} KiB")
    assert cost <= 2 * KIB


def test_a_sidecar_at_rest(sidecar):
    if sanitized():
        pytest.skip("a sanitized program has other memory")
    size = resident(sidecar(), code=True)
    print(f"at rest: {size / MIB:.1f} MiB")
    assert size <= 8 * MIB


def test_a_sidecar_that_has_opened_tls_and_is_idle(side, tls_origin):
    context = context_of(side)
    for _ in range(20):
        opened(side, tls_origin, context).close()
    wait_for("no connection", lambda: connections(side) == 0)
    size = resident(side, code=True)
    print(f"after 20 connections by TLS: {size / MIB:.1f} MiB")
    assert size <= 16 * MIB
