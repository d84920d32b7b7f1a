"""The end of a sidecar while its agent still works, and several workers behind one port."""

import json
import socket
import threading
import time

import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame, PingFrame

from origin import OK
from test_h2_abuse import Raw
from wire import Client, Truncated, ask, head, wait_for


def begin_stream(agent, origin, gate):
    origin.answer("/held", [b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nheld",
                            lambda sock, reader, request: gate.wait(20), b"free"])
    agent.send(head(f"GET {origin.url('/held')} HTTP/1.1", [("Host", "h")]))
    agent.reader.until(b"held")


def end(side):
    """After one SIGTERM: a second one would stop it at once."""
    assert side.process.wait(timeout=20) == 0, side.log()


def test_a_call_under_way_finishes(sidecar, origin, sink):
    side, gate = sidecar(), threading.Event()
    with Client(side.egress) as agent:
        begin_stream(agent, origin, gate)
        side.terminate()
        wait_for("draining", lambda: ask(side.health, "GET", "/readyz", host="localhost").status == 503)
        time.sleep(0.4)  # longer than drain.quiet: a call under way is not quiet
        assert side.process.poll() is None
        gate.set()
        assert agent.reader.exactly(4) == b"free"
    end(side)
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "complete"


def test_new_calls_are_served_while_draining(sidecar, origin, sink):
    side, gate = sidecar({"drain": {"quiet": "500ms"}}), threading.Event()
    with Client(side.egress) as agent, Client(side.egress) as idle:
        assert idle.ask("GET", origin.url("/echo?before")).get("connection") is None
        begin_stream(agent, origin, gate)
        side.terminate()
        wait_for("draining", lambda: ask(side.health, "GET", "/readyz", host="localhost").status == 503)
        # On the connection it has, and on a new one.
        assert idle.ask("GET", origin.url("/echo?idle")).get("connection") == "close"
        assert ask(side.egress, "GET", origin.url("/echo?new")).status == 200
        gate.set()
        assert agent.reader.exactly(4) == b"free"
    end(side)
    assert len(sink.wait(4)) == 4


def test_the_deadline_cuts(sidecar, origin, sink):
    side, gate = sidecar({"drain": {"quiet": "100ms", "deadline": "1s"}}), threading.Event()
    origin.answer("/late", [lambda sock, reader, request: gate.wait(20), OK])
    with Client(side.egress) as begun, Client(side.egress) as waiting:
        begin_stream(begun, origin, gate)
        waiting.send(head(f"GET {origin.url('/late')} HTTP/1.1", [("Host", "h")]))
        wait_for("both", lambda: len(origin.requests) == 2)
        began = time.monotonic()
        side.terminate()
        answer = waiting.response()
        assert (answer.status, answer.get("connection")) == (503, "close")
        with pytest.raises((Truncated, ConnectionResetError)):
            begun.reader.exactly(4)
        end(side)
        assert time.monotonic() - began < 6
    gate.set()
    assert [span["attributes"]["sidespan.end"] for span in sink.wait(2)] == ["drain", "drain"]


@pytest.mark.parametrize("answers", [True, False], ids=["PING answered", "PING unanswered"])
def test_an_http2_agent_whose_streams_overlap_is_told_before_the_deadline(sidecar, origin, sink, answers):
    side, gate = sidecar({"drain": {"quiet": "100ms", "deadline": "2s"}}), threading.Event()
    origin.answer("/held", [lambda sock, reader, request: gate.wait(20), OK])
    raw = Raw(side, origin)
    raw.say(raw.headers(1, raw.fields("/held")))
    wait_for("the request", lambda: len(origin.requests) == 1)
    began = time.monotonic()
    side.terminate()
    notice = raw.read(lambda frame: isinstance(frame, GoAwayFrame))
    assert (notice.last_stream_id, notice.error_code) == (2**31 - 1, 0)
    assert time.monotonic() - began > 0.7  # some clients take it for the end of what they wait for
    raw.say(raw.headers(3, raw.fields("/held")))  # it had not heard that yet
    if answers:
        ping = raw.read(lambda frame: isinstance(frame, PingFrame))
        raw.say(PingFrame(0, ping.opaque_data, flags=["ACK"]).serialize())
    last = raw.read(lambda frame: isinstance(frame, GoAwayFrame))
    assert (last.last_stream_id, last.error_code) == (3, 0)
    assert time.monotonic() - began < 1.5
    raw.say(raw.headers(5, raw.fields("/held")))  # which it may ask again elsewhere
    wait_for("the second request", lambda: len(origin.requests) == 2)
    gate.set()
    assert raw.read() is None
    assert sorted(frame.stream_id for frame in raw.frames if isinstance(frame, HeadersFrame)) == [1, 3]
    end(side)
    assert [span["attributes"]["sidespan.end"] for span in sink.wait(2)] == ["complete"] * 2


def test_an_idle_connection_does_not_hold_up_the_end(sidecar, origin):
    side = sidecar()
    with Client(side.egress) as agent:
        agent.ask("GET", origin.url("/echo"))
        began = time.monotonic()
        side.stop()
        assert time.monotonic() - began < 5
        assert agent.reader.rest() == b""  # an end, not a reset


def readiness(side):
    return ask(side.health, "GET", "/readyz", host="localhost").status


@pytest.mark.parametrize("forced", [False, True], ids=["one SIGTERM", "and another"])
def test_row_58_a_hundred_streams_finish(sidecar, origin, sink, forced):
    side, gate = sidecar({"drain": {"quiet": "100ms", "deadline": "25s"}}), threading.Event()
    agents = [Client(side.egress) for _ in range(100)]
    for agent in agents:
        begin_stream(agent, origin, gate)
    assert readiness(side) == 200
    began = time.monotonic()
    side.terminate()
    wait_for("draining", lambda: readiness(side) == 503)
    assert time.monotonic() - began < 2
    time.sleep(0.4)  # longer than drain.quiet: none of them is over
    assert readiness(side) == 503
    if forced:
        side.terminate()
        for agent in agents:
            with pytest.raises((Truncated, ConnectionResetError)):
                agent.reader.exactly(4)
    gate.set()
    for agent in agents:
        if not forced:
            assert agent.reader.exactly(4) == b"free"
        agent.close()
    end(side)
    assert time.monotonic() - began < (5 if forced else 20)
    if forced:  # which waits for no collector, and says what that cost
        stopped = json.loads(wait_for("the last line", lambda: [line for line in side.lines if '"stopped"' in line])[0])
        emitted, exported, dropped = (int(stopped[f"spans_{what}"]) for what in ("emitted", "exported", "dropped"))
        assert emitted == exported + dropped == 100
    else:
        assert [span["attributes"]["sidespan.end"] for span in sink.wait(100)] == ["complete"] * 100


def test_several_workers_are_one_proxy(sidecar, origin, sink):
    side = sidecar({"workers": 2})
    assert len([name for name in side.listeners if name == "egress"]) == 1
    clients = [Client(side.egress) for _ in range(32)]
    for number, client in enumerate(clients):
        assert client.ask("GET", origin.url(f"/echo?{number}")).status == 200
    assert side.metrics().total("sidespan_connections") == 32
    for client in clients:
        client.close()
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    spans = sink.wait(32)
    assert len({span["span_id"] for span in spans}) == 32
    assert side.metrics().total("sidespan_requests_total") == 32
    # Both listeners are one address: asking it by any worker is asking ourselves.
    for _ in range(8):
        assert ask(side.egress, "GET", f"http://127.0.0.1:{side.egress[1]}/").status == 508
    with socket.socket() as taken, pytest.raises(OSError):
        taken.bind(side.egress)
