"""Answers and requests that take their time: event by event, silent, slower than their reader or their writer, cut
short by either side. Nothing is buffered whole, nothing is left behind."""

import os
import select
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from origin import CLOSE, NO_BODY, RESET
from sidecar import resident
from wire import Client, Truncated, ask, head, wait_for

MiB = 1 << 20


def system_holds():
    """What the sockets on both sides of the proxy may hold of one direction, as this kernel lets them grow."""
    most = [int(Path(f"/proc/sys/net/ipv4/tcp_{side}mem").read_text().split()[2]) for side in "rw"]
    return 2 * sum(most)


# A peer is slowed when no more than that, and some MiB, went on its way.
SLOWED = system_holds() + 4 * MiB
LONG = (SLOWED // MiB + 32) * MiB
EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def descriptors(side):
    return len(os.listdir(f"/proc/{side.process.pid}/fd"))


def get(url, headers=()):
    return head(f"GET {url} HTTP/1.1", [("Host", "h"), *headers])


def reset(client):
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


# streams


def test_each_event_arrives_before_the_next_is_sent(sidecar, origin, sink):
    arrived = threading.Semaphore(0)

    def events(sock, reader, request):
        sock.sendall(EVENT_STREAM)
        for number in range(10):
            event = f": comment\ndata: {number}\n\n".encode()
            sock.sendall(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            assert arrived.acquire(timeout=10), "the agent did not get the event"
        sock.sendall(b"0\r\n\r\n")

    origin.answer("/events", [events])
    with Client(sidecar().egress) as agent:
        agent.send(get(origin.url("/events")))
        assert agent.reader.head().get("content-type") == "text/event-stream"
        for number in range(10):
            assert f"data: {number}".encode() in agent.reader.until(b"\n\n\r\n")
            arrived.release()
        assert agent.reader.until(b"0\r\n\r\n")
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.stream.events"] == 10
    assert span["attributes"]["sidespan.end"] == "complete"
    assert span["attributes"]["sidespan.time_to_first_byte"] <= (span["end"] - span["start"]) / 1e9


def test_a_silent_stream_may_be_silent(sidecar, origin, sink):
    side = sidecar({"limits": {"head_time": "500ms", "connect_time": "500ms", "keep_alive_time": "500ms"}})
    with Client(side.egress) as agent:
        assert agent.ask("GET", origin.url("/slow?head=1500&body=1500")).body == b"slowslow"
    span, = sink.wait(1)
    assert (span["end"] - span["start"]) / 1e9 >= 3
    assert span["attributes"]["sidespan.phase.wait"] >= 1.4 and span["attributes"]["sidespan.phase.receive"] >= 1.4


def test_a_stream_that_is_silent_for_too_long_is_cut(sidecar, origin, sink):
    side = sidecar({"limits": {"stream_idle_time": "300ms"}})
    with Client(side.egress) as agent:
        agent.send(get(origin.url("/slow?body=3000")))
        with pytest.raises((Truncated, ConnectionResetError)):
            agent.response()
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["attributes"]["error.type"]) == ("timeout", "timeout")
    assert span["attributes"]["http.response.status_code"] == 200 and span["status"] == "ERROR"


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_an_answer_that_begins_late_may_not_be_silent_for_longer(sidecar, origin, sink, beginning):
    """The wait for the beginning was to be a long one."""
    origin.answer("/late", [0.7, beginning, 15])
    side = sidecar({"limits": {"stream_idle_time": "300ms", "begin_time": "10m"}})
    with Client(side.egress) as agent:
        agent.send(get(origin.url("/late")))
        span, = sink.wait(1, timeout=8)
    assert span["attributes"]["sidespan.end"] == "timeout" and "origin was silent for 300 ms" in span["message"]


def test_bytes_reset_the_clock_of_silence(sidecar, origin):
    side = sidecar({"limits": {"stream_idle_time": "600ms"}})
    with Client(side.egress) as agent:
        assert agent.ask("GET", origin.url("/sse/8?gap=200")).body.count(b"data:") == 8


# back-pressure


def test_a_slow_reader_stalls_the_origin(sidecar, origin, sink):
    sent = [0]

    def pour(sock, reader, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LONG)
        block = b"z" * 65536
        for _ in range(LONG // len(block)):
            sock.sendall(block)
            sent[0] += len(block)

    origin.answer("/pour", [pour])
    side = sidecar()
    ask(side.egress, "GET", origin.url("/bytes/100000"))
    before = resident(side)
    with Client(side.egress) as agent:
        agent.send(get(origin.url("/pour")))
        agent.reader.head()
        stalled = still(sent)
        assert 0 < stalled < SLOWED, "the origin was not slowed"
        assert resident(side) - before < 4 * MiB
        left = LONG - len(agent.reader.pending)
        while left:
            left -= len(agent.sock.recv(min(left, MiB)))
        assert resident(side) - before < 4 * MiB
    span, = sink.wait(1, where=lambda span: "/pour" in span["attributes"]["url.full"])
    assert span["attributes"]["http.response.body.size"] == LONG


def test_a_slow_origin_stalls_the_agent(sidecar, origin, sink):
    go = threading.Event()

    def take(sock, reader, request):
        go.wait(20)
        left = LONG - len(reader.pending)
        while left:
            left -= len(sock.recv(min(left, MiB)))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    origin.answer("/take", [NO_BODY, take])
    side = sidecar()
    ask(side.egress, "POST", origin.url("/echo"), body=b"x" * 100000)
    before, sent = resident(side), [0]
    with Client(side.egress) as agent:
        agent.send(head(f"POST {origin.url('/take')} HTTP/1.1", [("Host", "h"), ("Content-Length", str(LONG))]))

        def pour():
            block = b"z" * 65536
            for _ in range(LONG // len(block)):
                agent.send(block)
                sent[0] += len(block)

        writer = threading.Thread(target=pour, daemon=True)
        writer.start()
        assert 0 < still(sent) < SLOWED, "the agent was not slowed"
        assert resident(side) - before < 4 * MiB
        go.set()
        writer.join(20)
        assert agent.response().status == 200
    assert resident(side) - before < 4 * MiB
    span, = sink.wait(1, where=lambda span: "/take" in span["attributes"]["url.full"])
    assert span["attributes"]["http.request.body.size"] == LONG


def still(counter):
    """The counter's value once it has not moved for half a second."""
    last, since = counter[0], time.monotonic()
    deadline = since + 20
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if counter[0] != last:
            last, since = counter[0], time.monotonic()
        elif last and time.monotonic() - since > 0.5:
            return last
    raise AssertionError("it never stood still")


# aborts


def agent_before_the_head_is_whole(agent, origin):
    agent.send(get(origin.url("/echo"))[:-4])


def agent_after_the_head(agent, origin):
    agent.send(get(origin.url("/slow?head=20000")))
    wait_for("request", lambda: origin.requests)


def agent_in_its_body(agent, origin):
    origin.answer("/in-body", [NO_BODY, lambda sock, reader, request: reader.exactly(1000)])
    agent.send(head(f"POST {origin.url('/in-body')} HTTP/1.1", [("Host", "h"), ("Content-Length", "1000")]) +
               b"x" * 500)
    wait_for("request", lambda: origin.requests)


def agent_in_its_chunks(agent, origin):
    origin.answer("/in-chunks", [NO_BODY, lambda sock, reader, request: reader.exactly(1000)])
    agent.send(head(f"POST {origin.url('/in-chunks')} HTTP/1.1", [("Host", "h"), ("Transfer-Encoding", "chunked")]) +
               b"5\r\nhel")
    wait_for("request", lambda: origin.requests)


def agent_waiting_for_100(agent, origin):
    origin.answer("/wait", [NO_BODY, 20])
    agent.send(head(f"PUT {origin.url('/wait')} HTTP/1.1", [("Host", "h"), ("Content-Length", "5"),
                                                             ("Expect", "100-continue")]))
    wait_for("request", lambda: origin.requests)


def agent_in_the_answer(agent, origin):
    agent.send(get(origin.url("/slow?body=20000")))
    agent.reader.head()


def agent_in_a_stream(agent, origin):
    agent.send(get(origin.url("/sse/100000?gap=5")))
    agent.reader.until(b"data: 3")


def agent_in_a_tunnel(agent, origin):
    origin.answer("/upgrade", [b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", 20])
    agent.send(get(origin.url("/upgrade"), [("Connection", "Upgrade"), ("Upgrade", "x")]))
    assert agent.response().status == 101


AGENT_ABORTS = [agent_before_the_head_is_whole, agent_after_the_head, agent_in_its_body, agent_in_its_chunks,
                agent_waiting_for_100, agent_in_the_answer, agent_in_a_stream, agent_in_a_tunnel]


@pytest.mark.parametrize("point", AGENT_ABORTS, ids=lambda point: point.__name__)
def test_an_agent_that_goes_leaves_nothing_behind(sidecar, origin, sink, point):
    side = sidecar()
    ask(side.egress, "GET", "http://127.0.0.1:1/", host="h")  # whatever is opened once is open now
    before = descriptors(side)
    with Client(side.egress) as agent:
        point(agent, origin)
        reset(agent)
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    wait_for("no descriptor more", lambda: descriptors(side) <= before + 2)  # the exporter's own
    if point is agent_before_the_head_is_whole:
        return
    _, span = sink.wait(2)
    assert span["attributes"]["sidespan.end"] == "agent_cancelled"
    assert "error.type" not in span["attributes"] and span["status"] == "UNSET"


def test_an_agent_that_ends_its_unfinished_request_has_cancelled_it(sidecar, origin, sink):
    origin.answer("/half", [NO_BODY, lambda sock, reader, request: reader.exactly(10)])
    with Client(sidecar().egress) as agent:
        agent.send(head(f"POST {origin.url('/half')} HTTP/1.1", [("Host", "h"), ("Content-Length", "10")]) + b"12345")
        wait_for("request", lambda: origin.requests)
        agent.sock.shutdown(socket.SHUT_WR)
        try:
            assert agent.reader.rest() == b""
        except ConnectionResetError:
            pass
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["status"]) == ("agent_cancelled", "UNSET")


# An origin takes FIN for a half-close and works on; each of these must end in a reset there.


def wait_for_more(sock, reader, request):
    reader.exactly(1_000_000)


def silent_before_its_answer(side, agent, origin):
    origin.answer("/here", [wait_for_more])
    agent.send(get(origin.url("/here")))
    assert agent.response().status == 504


def silent_in_its_answer(side, agent, origin):
    origin.answer("/here", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", wait_for_more])
    agent.send(get(origin.url("/here")))
    with pytest.raises((Truncated, ConnectionResetError)):
        agent.response()


def stopped_in_its_body(side, agent, origin):
    origin.answer("/here", [NO_BODY, wait_for_more])
    agent.send(head(f"POST {origin.url('/here')} HTTP/1.1", [("Host", "h"), ("Content-Length", "9")]) + b"12345")
    assert agent.response().status == 408


def malformed_in_its_body(side, agent, origin):
    origin.answer("/here", [NO_BODY, wait_for_more])
    agent.send(head(f"POST {origin.url('/here')} HTTP/1.1", [("Host", "h"), ("Transfer-Encoding", "chunked")]))
    wait_for("request", lambda: origin.requests)
    agent.send(b"no size\r\n")
    assert agent.response().status == 400


def gone_in_its_body(side, agent, origin):
    origin.answer("/here", [NO_BODY, wait_for_more])
    agent.send(head(f"POST {origin.url('/here')} HTTP/1.1", [("Host", "h"), ("Content-Length", "9")]) + b"12345")
    wait_for("request", lambda: origin.requests)
    agent.close()


def drained(side, agent, origin):
    origin.answer("/here", [wait_for_more])
    agent.send(get(origin.url("/here")))
    wait_for("request", lambda: origin.requests)
    side.terminate()
    assert agent.response().status == 503


UNFINISHED = [silent_before_its_answer, silent_in_its_answer, stopped_in_its_body, malformed_in_its_body,
              gone_in_its_body, drained]


@pytest.mark.parametrize("point", UNFINISHED, ids=lambda point: point.__name__)
def test_what_is_not_finished_is_reset_at_the_origin(sidecar, origin, point):
    side = sidecar({"limits": {"begin_time": "300ms", "stream_idle_time": "300ms"} if point is not drained else {},
                    "drain": {"deadline": "300ms"}})
    with Client(side.egress) as agent:
        point(side, agent, origin)
        wait_for("the end", lambda: origin.ends)
    assert origin.ends == {1: "reset"}
    wait_for("no exit but 0", lambda: point is not drained or side.process.poll() == 0)


# an agent that sends FIN behind its request may be gone, or wait


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"], ids=["no answer", "half an answer"])
def test_an_agent_that_has_half_closed_does_not_wait_for_ever(sidecar, origin, sink, begun):
    ends = []

    def see_both_ends(sock, reader, request):
        assert sock.recv(1) == b""  # the agent's FIN is passed on
        poll = select.poll()
        poll.register(sock, 0)
        ends.extend(poll.poll(10_000))  # only a reset wakes it

    origin.answer("/wait", [begun, see_both_ends] if begun else [see_both_ends])
    side = sidecar({"limits": {"half_close_time": "300ms"}})
    with Client(side.egress) as agent:
        agent.send(get(origin.url("/wait")))
        agent.sock.shutdown(socket.SHUT_WR)
        assert agent.reader.rest().endswith(begun[-3:])
        wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    wait_for("the reset", lambda: ends)
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["status"]) == ("agent_cancelled", "UNSET")
    label = {"http_response_status_code": "200"} if begun else {"error_type": "agent_cancelled"}
    assert side.metrics().total("http_client_request_duration_seconds_count", **label) == 1
    assert not side.metrics().all("http_client_request_duration_seconds_count", http_response_status_code="0")


def test_an_answer_that_has_begun_reaches_an_agent_that_has_half_closed(sidecar, origin, sink):
    with Client(sidecar({"limits": {"half_close_time": "2s"}}).egress) as agent:
        agent.send(get(origin.url("/slow?body=900")))
        agent.sock.shutdown(socket.SHUT_WR)
        assert agent.response().body == b"slowslow"
    assert sink.wait(1)[0]["attributes"]["sidespan.end"] == "complete"


def test_an_agent_that_goes_while_we_dial_leaves_nothing_behind(sidecar, sink):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        stuffing = [socket.socket() for _ in range(8)]
        for sock in stuffing:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        side = sidecar()
        with Client(side.egress) as agent:
            agent.send(get(f"http://127.0.0.1:{full.getsockname()[1]}/"))
            time.sleep(0.2)
            reset(agent)
        span, = sink.wait(1, timeout=3)
        for sock in stuffing:
            sock.close()
    assert span["attributes"]["sidespan.end"] == "agent_cancelled"


ORIGIN_ABORTS = {
    "no answer": ([CLOSE], 502, "connection_closed"),
    "reset instead of an answer": ([RESET], 502, None),
    "in the head": ([b"HTTP/1.1 200 OK\r\nX", CLOSE], 502, "truncated"),
    "in the body": ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0.05, RESET], None, "truncated"),
    "in the chunks": ([EVENT_STREAM + b"5\r\nab", 0.05, RESET], None, "truncated"),
    "until close": ([b"HTTP/1.1 200 OK\r\n\r\nabc", 0.05, RESET], None, None),
}


@pytest.mark.parametrize("script, status, error", ORIGIN_ABORTS.values(), ids=ORIGIN_ABORTS)
def test_an_origin_that_goes_is_told_and_leaves_nothing_behind(sidecar, origin, sink, script, status, error):
    side = sidecar()
    origin.answer("/gone", script)
    with Client(side.egress) as agent:
        agent.send(get(origin.url("/gone")))
        if status:
            assert agent.response().status == status
        else:
            with pytest.raises((Truncated, ConnectionResetError)):
                agent.response()
    span, = sink.wait(1)
    assert (span["status"], span["attributes"]["sidespan.end"]) == ("ERROR", "origin_closed")
    assert error in (None, span["attributes"]["error.type"])
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)


def test_aborts_by_the_hundred_leak_nothing(sidecar, origin, sink):
    side = sidecar()
    ask(side.egress, "GET", origin.url("/bytes/10"))
    before = descriptors(side)
    for number in range(300):
        with Client(side.egress) as agent:
            agent.send(get(origin.url("/sse/100?gap=1")))
            if number % 3:
                agent.reader.until(b"data: 1")
            if number % 2:
                reset(agent)
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    wait_for("no descriptor more", lambda: descriptors(side) <= before + 2)
    assert len(sink.wait(301)) == 301
    side.metrics().accounts()
