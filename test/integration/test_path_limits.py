"""Limits and waits: what is too much, what takes too long, and what the agent is told."""

import os
import resource
import socket
import threading
import time

import pytest

from origin import NO_BODY, OK
from peers import missing
from sidecar import sanitized
from wire import Client, Truncated, ask, head, outward_address, wait_for


def end_of(client):
    try:
        return client.reader.rest()
    except ConnectionResetError:
        return b""


def sized(url, **sizes):
    """A head with a target of so many bytes, so many fields, or so many bytes in all."""
    target = url + "x" * (sizes.get("target", 0) - len(url))
    lines = [("Host", "h")] + [(f"X-{n}", "v") for n in range(sizes.get("fields", 1) - 1)]
    whole = head(f"GET {target} HTTP/1.1", lines)
    if "head" in sizes:
        lines.append(("X-Pad", "p" * (sizes["head"] - len(whole) - len("X-Pad: \r\n"))))
        whole = head(f"GET {target} HTTP/1.1", lines)
        assert len(whole) == sizes["head"]
    return whole


@pytest.mark.parametrize("sizes, status", [
    ({"target": 16 * 1024}, 200), ({"target": 16 * 1024 + 1}, 414), ({"fields": 128}, 200), ({"fields": 129}, 431),
    ({"head": 60 * 1024}, 200), ({"head": 64 * 1024 + 1}, 431), ({"head": 200 * 1024}, 431), ({"target": 100000}, 414),
])
def test_heads_have_limits(sidecar, origin, sizes, status):
    side = sidecar()
    with Client(side.egress) as agent:
        agent.send(sized(origin.url("/bytes/2?"), **sizes))
        answer = agent.response()
        assert answer.status == status
        if status != 200:
            assert answer.get("connection") == "close" and end_of(agent) == b""
            assert not origin.requests


@pytest.mark.parametrize("start, status", [("BREW http://h/ HTTP/1.1", 501), ("get http://h/ HTTP/1.1", 501),
                                           ("PURGEX http://h/ HTTP/1.1", 501)])
def test_unknown_methods_are_not_implemented(sidecar, start, status):
    answer_to(sidecar().egress, head(start, [("Host", "h")]), status)


def answer_to(address, request, status):
    with Client(address) as agent:
        agent.send(request)
        answer = agent.response()
        assert (answer.status, answer.get("connection")) == (status, "close"), answer.body
        assert end_of(agent) == b""
        return answer


def test_an_origin_s_head_has_limits(sidecar, origin):
    origin.answer("/many", [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"Content-Length: 0\r\n\r\n"])
    origin.answer("/big", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\nContent-Length: 0\r\n\r\n"])
    side = sidecar()
    for path in ("/many", "/big"):
        assert ask(side.egress, "GET", origin.url(path)).status == 502


def test_a_head_that_takes_too_long_is_408(sidecar, sink):
    side = sidecar({"limits": {"head_time": "400ms"}})
    with Client(side.egress) as agent:
        begin = time.monotonic()
        agent.send(b"GET http://h/ HTTP/1.1\r\n")
        for _ in range(3):
            time.sleep(0.1)
            agent.send(b"X: y\r\n")
        answer = agent.response()
        assert 0.35 < time.monotonic() - begin < 5
        assert (answer.status, answer.get("connection")) == (408, "close")
        assert end_of(agent) == b""
    assert not sink.quiet()


def test_an_idle_agent_connection_ends(sidecar, origin):
    side = sidecar({"limits": {"keep_alive_time": "300ms"}})
    with Client(side.egress) as silent, Client(side.egress) as used:
        assert used.ask("GET", origin.url("/echo")).status == 200
        assert end_of(silent) == b"" and end_of(used) == b""
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)


def test_an_answer_that_does_not_begin_is_504(sidecar, origin, sink):
    side = sidecar({"limits": {"begin_time": "300ms"}})
    with Client(side.egress) as agent:
        answer = agent.ask("GET", origin.url("/slow?head=3000"))
        assert answer.status == 504 and "http_response_timeout" in answer.get("proxy-status")
        assert agent.ask("GET", origin.url("/slow?body=1000")).status == 200  # begun is begun
    span = sink.wait(2)[0]
    assert (span["attributes"]["sidespan.end"], span["attributes"]["error.type"]) == ("timeout", "timeout")


def test_an_agent_that_stops_in_its_body_is_408(sidecar, origin, sink):
    origin.answer("/take", [NO_BODY, 3])
    side = sidecar({"limits": {"stream_idle_time": "300ms"}})
    with Client(side.egress) as agent:
        agent.send(head(f"POST {origin.url('/take')} HTTP/1.1", [("Host", "h"), ("Content-Length", "10")]) + b"12345")
        answer = agent.response()
        assert (answer.status, answer.get("connection")) == (408, "close")
    assert sink.wait(1)[0]["attributes"]["sidespan.end"] == "timeout"


def test_an_agent_that_does_not_read_is_let_go(sidecar, origin, sink):
    side = sidecar({"limits": {"stream_idle_time": "500ms"}})
    with Client(side.egress) as agent:
        agent.send(head(f"GET {origin.url('/bytes/50000000')} HTTP/1.1", [("Host", "h")]))
        span, = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "timeout" and "agent" in span["message"]
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)


def test_a_connection_that_takes_too_long_is_504(sidecar, sink):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        stuffing = [socket.socket() for _ in range(8)]  # nobody accepts: further SYNs are dropped
        for sock in stuffing:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        side = sidecar({"limits": {"connect_time": "300ms"}})
        begin = time.monotonic()
        answer = ask(side.egress, "GET", f"http://127.0.0.1:{full.getsockname()[1]}/")
        between = time.monotonic()
        assert answer.status == 504 and "connection_timeout" in answer.get("proxy-status")
        tunnel = ask(side.egress, "CONNECT", f"127.0.0.1:{full.getsockname()[1]}", host="h")
        assert tunnel.status == 504
        for took in (between - begin, time.monotonic() - between):
            assert 0.25 < took < 3  # as shipped 5 s
        for sock in stuffing:
            sock.close()
    for span in sink.wait(2):
        assert (span["attributes"]["sidespan.end"], span["attributes"]["error.type"]) == ("timeout", "connect_timeout")


def status_or_end(client, url):
    """How a call ends, where the connection may be over before or within it."""
    try:
        return client.ask("GET", url).status
    except (Truncated, ConnectionResetError, BrokenPipeError):
        return "ended"


def test_too_many_connections_are_told_so(sidecar, origin):
    side = sidecar({"limits": {"connections": 2}})
    with Client(side.egress) as one, Client(side.egress) as two:
        assert one.ask("GET", origin.url("/echo")).status == 200
        assert two.ask("GET", origin.url("/echo")).status == 200
        with Client(side.egress) as three:
            answer = three.ask("GET", origin.url("/echo"))
            assert (answer.status, answer.get("retry-after"), answer.get("connection")) == (503, "1", "close")
        crowd = [Client(side.egress) for _ in range(8)]
        outcomes = [status_or_end(client, origin.url("/echo")) for client in crowd]
        assert set(outcomes) <= {503, "ended"}, outcomes
        assert "ended" in outcomes  # beyond twice the limit nobody is told
        assert one.ask("GET", origin.url("/echo")).status == two.ask("GET", origin.url("/echo")).status == 200
    assert len(origin.requests) == 4
    assert side.metrics().total("sidespan_connections_refused_total") >= 1
    for client in crowd:
        client.close()
    wait_for("room", lambda: ask(side.egress, "GET", origin.url("/echo")).status == 200)


@pytest.mark.parametrize("begun", ["HTTP/1.1", "HTTP/2"])
def test_a_connection_that_rests_makes_place_for_another(sidecar, origin, begun):
    """The one that has rested longest; none that is at work or of which half a request is here, and for none that is
    refused itself."""
    side = sidecar({"limits": {"connections": 4}})
    asked, answered = origin.url("/echo"), threading.Event()
    origin.answer("/held", [lambda *_: answered.wait(20), OK])
    with Client(side.egress) as silent, Client(side.egress) as rested, Client(side.egress) as busy, \
            Client(side.egress) as half, Client(side.egress) as refused:
        wait_for("them", lambda: side.metrics().total("sidespan_connections") == 5)
        busy.send(head(f"GET {origin.url('/held')} HTTP/1.1", [("Host", "h")]))
        assert rested.ask("GET", asked).status == 200
        request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"
        if begun == "HTTP/1.1":
            assert half.ask("GET", asked).status == 200
            request = head(f"GET {asked} HTTP/1.1", [("Host", "h")])
        time.sleep(5.5)
        half.send(request[:12])
        time.sleep(0.2)
        with Client(side.egress) as first, Client(side.egress) as second:
            assert first.ask("GET", asked).status == second.ask("GET", asked).status == 200
            assert ask(side.egress, "GET", asked).status == 503
            assert end_of(silent) == end_of(rested) == b""
            answered.set()
            assert busy.response().status == 200
            half.send(request[12:])
            assert half.sock.recv(1) == {"HTTP/1.1": b"H", "HTTP/2": b"\0"}[begun]  # an answer; SETTINGS
            assert refused.ask("GET", asked).status == 503
        metrics = side.metrics()
        assert metrics.total("sidespan_connections_parted_total") == 2
        assert metrics.total("sidespan_connections_refused_total") == 2


def test_the_limit_of_connections_is_that_of_all_workers(sidecar, origin):
    side = sidecar({"workers": 2, "limits": {"connections": 2}})
    with Client(side.egress) as one, Client(side.egress) as two:
        assert one.ask("GET", origin.url("/echo")).status == 200
        assert two.ask("GET", origin.url("/echo")).status == 200
        for _ in range(16):  # whichever worker takes it
            answer = ask(side.egress, "GET", origin.url("/echo"))
            assert (answer.status, answer.get("connection")) == (503, "close")
            wait_for("its end", lambda: side.metrics().total("sidespan_connections") == 2)
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    assert ask(side.egress, "GET", origin.url("/echo")).status == 200


def test_connections_without_a_descriptor_are_counted(sidecar, origin):
    if sanitized():
        pytest.skip("UBSan looks at memory through a pipe, and has no descriptor for it")
    side = sidecar()
    pid = side.process.pid
    assert side.metrics().total("sidespan_connections_shed_total") == 0
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1, usual[1]))
    crowd = [Client(side.egress) for _ in range(30)]
    closed = [client for client in crowd[20:] if end_of(client) == b""]
    assert len(closed) == 10
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    for client in crowd:
        client.close()
    wait_for("count", lambda: side.metrics().total("sidespan_connections_shed_total") >= 10)
    wait_for("log line", lambda: "no descriptor was left" in side.log())
    assert side.log().count("no descriptor was left") == 1
    assert ask(side.egress, "GET", origin.url("/echo")).status == 200


def test_only_allowed_agents_may_ask(sidecar, origin):
    address = outward_address() or missing("an address of this machine that is not loopback")
    side = sidecar({"listen": {"egress": "0.0.0.0:0"}, "egress": {"allow_from": ["198.51.100.0/24"]}})
    port = side.egress[1]
    assert ask(("127.0.0.1", port), "GET", origin.url("/echo")).status == 200
    with Client((address, port)) as outsider:
        answer = outsider.ask("GET", origin.url("/echo"))
        assert answer.status == 403 and b"egress.allow_from" in answer.body
    # Our own port on that address is still our own.
    assert ask(("127.0.0.1", port), "GET", f"http://{address}:{port}/").status == 508
    allowed = sidecar({"listen": {"egress": "0.0.0.0:0"}, "egress": {"allow_from": [f"{address}/32"]}})
    assert ask((address, allowed.egress[1]), "GET", origin.url("/echo")).status == 200


def test_a_pipeline_of_a_thousand_is_answered(sidecar, origin):
    with Client(sidecar().egress) as agent:
        request = head("GET /nowhere HTTP/1.1", [("Host", "h")])
        agent.send(request * 1000)
        assert {agent.response().status for _ in range(1000)} == {404}


def test_a_slow_origin_s_trickle_is_passed_on(sidecar, origin):
    origin.answer("/drops", [*[bytes([byte]) for byte in OK]])
    assert ask(sidecar().egress, "GET", origin.url("/drops")).body == b"ok"


def test_an_answer_behind_an_interim_one_comes_whatever_the_queue_holds(sidecar, origin):
    """The read ends within the final head, when as much is queued for the agent as may be."""
    side = sidecar({"limits": {"queue_bytes": "1KiB"}})
    for filling in range(100, 1300, 40):
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * filling + b"\r\n\r\n"
        final = b"HTTP/1.1 200 OK\r\nX: " + b"y" * 3000 + b"\r\nContent-Length: 2\r\n\r\nok"
        origin.answer(f"/{filling}", [hint + final])
        with Client(side.egress) as agent:
            agent.send(head(f"GET {origin.url(f'/{filling}')} HTTP/1.1", [("Host", "h")]))
            assert [agent.reader.head().status, agent.response().body] == [103, b"ok"]
