"""Origin connections: which are used again, what happens when one dies, what is tried once more and what is not."""

import threading
import time

import pytest

from origin import CLOSE, NO_BODY, OK, RESET, play_step
from wire import Client, Truncated, head, wait_for

OK_THEN_CLOSE = [OK, 0.0, CLOSE]


@pytest.fixture
def agent(sidecar):
    with Client(sidecar().egress) as client:
        yield client


def dies_at_second(origin, path, end=CLOSE):
    """A connection's second request is met with its end instead of an answer."""
    served = set()

    def script(sock, reader, request):
        play_step(end if request.connection in served else OK, sock, reader, request)
        served.add(request.connection)

    origin.answer(path, [script])


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_a_get_on_a_dead_connection_is_tried_once_more(agent, origin, sink, end):
    dies_at_second(origin, "/dies", end)
    assert agent.ask("GET", origin.url("/dies")).status == 200
    assert agent.ask("GET", origin.url("/dies")).status == 200
    assert [request.connection for request in origin.requests] == [1, 1, 2]
    first, lost, again = sink.wait(3)
    assert (lost["status"], lost["attributes"]["sidespan.end"]) == ("ERROR", "origin_closed")
    assert "http.request.resend_count" not in lost["attributes"]
    assert again["attributes"]["http.request.resend_count"] == 1 and again["status"] == "UNSET"
    assert (again["trace_id"], again["span_id"] != lost["span_id"]) == (lost["trace_id"], True)
    assert [link["span_id"] for link in again["links"]] == [lost["span_id"]]
    parents = [request.get("traceparent").split("-")[2] for request in origin.requests]
    assert parents == [first["span_id"], lost["span_id"], again["span_id"]]


def test_an_idempotent_body_is_sent_once_more(agent, origin, sink):
    dies_at_second(origin, "/dies")
    for body in (b"one", b"two" * 10000):
        assert agent.ask("PUT", origin.url("/dies"), body=body).status == 200
    assert [request.body for request in origin.requests] == [b"one", b"two" * 10000, b"two" * 10000]
    assert [span["attributes"]["http.request.body.size"] for span in sink.wait(3)] == [3, 30000, 30000]


def test_a_chunked_body_and_its_trailers_are_sent_once_more(agent, origin):
    dies_at_second(origin, "/dies")
    agent.ask("GET", origin.url("/dies"))
    agent.send(head(f"PUT {origin.url('/dies')} HTTP/1.1", [("Host", "h"), ("Transfer-Encoding", "chunked")]) +
               b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
    assert agent.response().status == 200
    assert [(seen.body, seen.trailers) for seen in origin.requests[1:]] == [(b"abc", [("X-T", "1")])] * 2


def test_a_body_over_the_limit_is_not_kept(sidecar, origin):
    dies_at_second(origin, "/dies")
    with Client(sidecar({"limits": {"replay_bytes": "1KiB"}}).egress) as agent:
        agent.ask("GET", origin.url("/dies"))
        assert agent.ask("PUT", origin.url("/dies"), body=b"x" * 1025).status == 502
    assert len(origin.requests) == 2


def test_a_post_on_a_dead_connection_is_left_to_the_agent(agent, origin, sink):
    dies_at_second(origin, "/dies")
    assert agent.ask("POST", origin.url("/dies"), body=b"1").status == 200
    with pytest.raises((Truncated, ConnectionResetError)):
        agent.ask("POST", origin.url("/dies"), body=b"2")
    assert [request.body for request in origin.requests] == [b"1", b"2"]
    span = sink.wait(2)[1]
    assert (span["status"], span["attributes"]["sidespan.end"]) == ("ERROR", "origin_closed")


def test_a_post_on_a_dead_connection_that_is_the_agent_s_first_is_502(sidecar, origin):
    """To the agent its connection is a new one: an end without a word says nothing there."""
    dies_at_second(origin, "/dies")
    side = sidecar()
    with Client(side.egress) as one, Client(side.egress) as another:
        assert one.ask("POST", origin.url("/dies"), body=b"1").status == 200
        assert another.ask("POST", origin.url("/dies"), body=b"2").status == 502
    assert [(request.connection, request.body) for request in origin.requests] == [(1, b"1"), (1, b"2")]


def test_a_fresh_connection_that_dies_is_502(agent, origin, sink):
    origin.answer("/dead", [CLOSE])
    for method in ("GET", "POST"):
        answer = agent.ask(method, origin.url("/dead"))
        assert answer.status == 502 and "connection_terminated" in answer.get("proxy-status")
    assert len(origin.requests) == 2
    assert [span["attributes"]["error.type"] for span in sink.wait(2)] == ["connection_closed"] * 2


def test_the_second_attempt_is_the_last(agent, origin, sink):
    origin.answer("/dead", [OK], [CLOSE])
    agent.ask("GET", origin.url("/dead"))
    assert agent.ask("GET", origin.url("/dead")).status == 502
    assert len(origin.requests) == 3
    assert len(sink.quiet()) == 3


def test_a_connection_that_closed_while_idle_is_not_used(agent, origin, sink):
    origin.answer("/once", OK_THEN_CLOSE)
    for _ in range(3):
        assert agent.ask("POST", origin.url("/once"), body=b"x").status == 200
        ended = len(origin.requests)
        wait_for("the end", lambda: len(origin.ends) == ended)
        time.sleep(0.05)  # the FIN is on its way
    assert origin.connections == 3 and len(sink.wait(3)) == 3


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
                                    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
                                    b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nok"])
def test_an_origin_that_wants_no_more_gets_no_more(agent, origin, answer):
    origin.answer("/last", [answer])
    for _ in range(2):
        assert agent.ask("GET", origin.url("/last")).body == b"ok"
    assert [request.connection for request in origin.requests] == [1, 2]


def test_keep_alive_timeout_is_honoured(agent, origin):
    origin.answer("/brief", [b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok"])
    for _ in range(2):
        agent.ask("GET", origin.url("/brief"))
    assert origin.connections == 1
    wait_for("the idle connection's end", lambda: origin.ends.get(1) == "eof", timeout=5)
    agent.ask("GET", origin.url("/brief"))
    assert origin.connections == 2


def test_idle_connections_have_an_end(sidecar, origin):
    with Client(sidecar({"limits": {"origin_idle_time": "300ms"}}).egress) as agent:
        agent.ask("GET", origin.url("/echo"))
        wait_for("the idle connection's end", lambda: origin.ends.get(1) == "eof", timeout=5)


def test_idle_connections_have_a_number(sidecar, origin):
    side = sidecar({"limits": {"origin_idle_each": 2}})
    clients = [Client(side.egress) for _ in range(5)]
    together = threading.Barrier(5)
    origin.answer("/wait", [lambda sock, reader, request: together.wait(10), OK])
    for client in clients:
        client.send(head(f"GET {origin.url('/wait')} HTTP/1.1", [("Host", "h")]))
    assert [client.response().status for client in clients] == [200] * 5
    # Again at once: as many are still there.
    for client in clients:
        client.send(head(f"GET {origin.url('/wait')} HTTP/1.1", [("Host", "h")]))
    assert [client.response().status for client in clients] == [200] * 5
    assert origin.connections == 5
    wait_for("three ends", lambda: len(origin.ends) == 3, timeout=5)
    time.sleep(1.5)
    assert len(origin.ends) == 3
    for client in clients:
        client.close()


def test_connections_are_shared_by_agents(sidecar, origin):
    side = sidecar()
    for _ in range(4):
        with Client(side.egress) as agent:
            agent.ask("GET", origin.url("/echo"))
    assert origin.connections == 1


def test_connection_bound_authentication_pins_the_connection(sidecar, origin):
    side = sidecar()
    with Client(side.egress) as mine, Client(side.egress) as other:
        assert mine.ask("GET", origin.url("/echo"), [("Authorization", "NTLM TlRMTVNTUAAB")]).status == 200
        assert other.ask("GET", origin.url("/echo")).status == 200
        assert mine.ask("GET", origin.url("/echo"), [("Authorization", "NTLM TlRMTVNTUAAD")]).status == 200
        assert mine.ask("GET", origin.url("/echo")).status == 200  # authenticated by its connection
        assert other.ask("GET", origin.url("/echo"), [("Authorization", "Negotiate abc")]).status == 200
    assert [request.connection for request in origin.requests] == [1, 2, 1, 1, 3]


def test_an_answer_before_the_whole_request_is_not_retried(agent, origin):
    origin.answer("/early", [NO_BODY, OK, 0.1, CLOSE])
    agent.send(head(f"PUT {origin.url('/early')} HTTP/1.1", [("Host", "h"), ("Content-Length", "100000")]) + b"x")
    assert agent.response().status == 200
    assert len(origin.requests) == 1
