"""Agents that are gone while nothing is read of them: what they left is given up soon, not when a wait is over."""

import contextlib
import socket
import struct
import time

import pytest

from origin import NO_BODY
from wire import connect, head, wait_for

SOON = 8  # seconds; limits.stream_idle_time as shipped is ten minutes


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def send_until_full(sock):
    sock.settimeout(0.3)
    with contextlib.suppress(TimeoutError):
        while True:
            sock.send(b"x" * 65536)


def gone(side):
    return side.metrics().total("sidespan_connections") == 0


@pytest.mark.parametrize("tunnel", [False, True])
def test_reset_within_an_upload_that_nobody_reads(sidecar, origin, sink, tunnel):
    origin.answer("/stuck", [NO_BODY, 60])
    side, deaf = sidecar(), socket.create_server(("127.0.0.1", 0))
    for _ in range(5):
        agent = connect(side.egress)
        if tunnel:
            # No HTTP and no TLS, so that it is one of bytes alone, to somebody who reads none.
            origin_address = "%s:%d" % deaf.getsockname()
            agent.sendall(head(f"CONNECT {origin_address} HTTP/1.1", [("Host", origin_address)]))
            assert b" 200 " in agent.recv(4096)
            agent.sendall(b"\x00\x01" * 100)
        else:
            agent.sendall(head(f"POST {origin.url('/stuck')} HTTP/1.1", [("Host", "h"), ("Content-Length", "100000000")]))
        send_until_full(agent)
        reset(agent)
    wait_for("no connection", lambda: gone(side), SOON)
    deaf.close()
    if not tunnel:
        assert {span["attributes"]["sidespan.end"] for span in sink.wait(5)} == {"agent_cancelled"}


def test_reset_behind_an_answer_while_more_requests_wait_than_are_read(sidecar, origin):
    """The reset is found by writing, and what the agent had sent fills all there is room for."""
    side = sidecar()
    one = head(f"GET {origin.url('/bytes/16000000')} HTTP/1.1", [("Host", "h")])
    agents = []
    for _ in range(8):
        agent = connect(side.egress)
        agents.append(agent)
        agent.sendall(one)
        agent.sendall(head(f"POST {origin.url('/echo')} HTTP/1.1", [("Host", "h"), ("Content-Length", "100000000")]))
        send_until_full(agent)
    time.sleep(0.2)
    for agent in agents:
        reset(agent)
    wait_for("no connection", lambda: gone(side), SOON)
