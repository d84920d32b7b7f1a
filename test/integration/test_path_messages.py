"""One request and its answer through the proxy, to the byte: framing both ways, interim answers, what is dropped,
what survives, what the proxy says by itself."""

import json
import socket

import pytest

from origin import BODY, CLOSE, CONTINUE, HANG_UP, NO_BODY, OK, RESET
from wire import Client, Truncated, head, wait_for


@pytest.fixture
def agent(sidecar):
    """One connection to a sidecar's egress."""
    with Client(sidecar().egress) as client:
        yield client


def request(method, url, headers=(), body=b"", version="1.1"):
    return head(f"{method} {url} HTTP/{version}", [("Host", "named-by-the-agent"), *headers]) + body


def end_of(client):
    """What is left until the sidecar closes; a reset counts as the end."""
    try:
        return client.reader.rest()
    except ConnectionResetError:
        return b""


# connections


def test_both_sides_are_kept_alive(agent, origin, sink):
    for number in range(5):
        assert agent.ask("GET", origin.url(f"/echo?{number}")).status == 200
    assert origin.connections == 1
    spans = sink.wait(5)
    assert len({span["span_id"] for span in spans}) == 5
    assert all(span["attributes"]["sidespan.end"] == "complete" for span in spans)
    # What connecting took is told once.
    assert sum("sidespan.phase.connect" in span["attributes"] for span in spans) == 1


def test_pipelined_requests_are_answered_in_order(agent, origin, sink):
    paths = ["/slow?head=100", "/echo?1", "/status/404", "/chunked/2", "/echo?2"]
    agent.send(b"".join(request("GET", origin.url(path)) for path in paths))
    answers = [agent.response() for _ in paths]
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200]
    assert [json.loads(answers[i].body)["target"] for i in (1, 4)] == ["/echo?1", "/echo?2"]
    assert [seen.target for seen in origin.requests] == paths
    assert len(sink.wait(5)) == 5


def test_a_pipelined_request_cut_anywhere_is_read_whole(agent, origin):
    stream = request("POST", origin.url("/echo?1"), [("Content-Length", "3")], b"abc") + request(
        "POST", origin.url("/echo?2"), [("Transfer-Encoding", "chunked")], b"2\r\nde\r\n0\r\n\r\n") + request(
        "GET", origin.url("/echo?3"))
    for byte in range(len(stream)):
        agent.send(stream[byte:byte + 1])
    assert [json.loads(agent.response().body)["body"] for _ in range(3)] == ["abc", "de", ""]


@pytest.mark.parametrize("said", ["close", "Close", "foo, close"])
def test_an_agent_that_says_close_is_closed_upon(agent, origin, said):
    agent.send(request("GET", origin.url("/echo"), [("Connection", said)]) + request("GET", origin.url("/second")))
    answer = agent.response()
    assert answer.get("connection") == "close"
    assert end_of(agent) == b""
    assert not origin.seen("/second")


# framing


BODIES = {"nothing": b"", "a word": b"hello", "binary": bytes(range(256)) * 3, "200 KiB": b"0123456789abcdef" * 12800}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_of_known_length_keeps_it(agent, origin, body, sink):
    agent.send(request("PUT", origin.url("/echo"), [("Content-Length", str(len(body)))], body))
    answer = agent.response()
    seen, = origin.requests
    assert (seen.get("content-length"), seen.all("transfer-encoding"), seen.body) == (str(len(body)), [], body)
    assert json.loads(answer.body)["body"] == body.decode("latin-1")
    span, = sink.wait(1)
    assert span["attributes"]["http.request.body.size"] == len(body)
    assert span["attributes"]["http.response.body.size"] == len(answer.body)


def test_a_chunked_body_stays_chunked_and_its_trailers_pass(agent, origin, sink):
    # Context is settled in heads; in trailers it would pass whatever is decided there.
    context = (f"traceparent: 00-{'1' * 32}-{'2' * 16}-01\r\nTraceState: a=b\r\nbaggage: user=mira\r\n"
               "b3: 0\r\nuberctx-user: mira\r\n").encode()
    body = (b"5;extension=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 6\r\nConnection: x\r\n" + context +
            b"x-SUM: again\r\n\r\n")
    agent.send(request("POST", origin.url("/chunked/3?size=7"),
                       [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum"), ("TE", "trailers")], body))
    answer = agent.response()
    seen, = origin.requests
    assert seen.body == b"hello!" and b"extension" not in seen.raw
    assert seen.all("content-length") == [] and seen.get("trailer") == "X-Sum"
    assert seen.trailers == [("X-Sum", "6"), ("x-SUM", "again")]
    assert (answer.body, answer.trailers) == (b"c" * 21, [("X-Chunks", "3")])
    span, = sink.wait(1)
    assert span["attributes"]["http.request.body.size"] == 6
    assert span["attributes"]["http.response.body.size"] == 21


@pytest.mark.parametrize("method, path, size", [
    ("HEAD", "/bytes/1000", "1000"),
    ("HEAD", "/chunked/3", None),
    ("GET", "/status/204", None),
    ("GET", "/status/304", "11"),
    ("HEAD", "/status/404", "11"),
])
def test_answers_without_a_body_have_none(agent, origin, method, path, size):
    answer = agent.ask(method, origin.url(path))
    assert (answer.body, answer.get("content-length")) == (b"", size)
    # Nothing of a body is on the connection: the next answer begins where it should.
    assert agent.ask("GET", origin.url("/bytes/3")).body == b"xxx"
    assert origin.connections == 1


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "HEAD", "PATCH"])
def test_any_method_may_have_a_body(agent, origin, method):
    assert agent.ask(method, origin.url("/echo"), body=b"words").status == 200
    assert origin.requests[0].body == b"words"


def test_an_http_1_0_agent_gets_what_it_can_read(agent, origin):
    agent.send(request("GET", origin.url("/chunked/3?size=2"), version="1.0"))
    answer = agent.response()
    assert answer.all("transfer-encoding") == [] and answer.get("connection") == "close"
    assert answer.body == b"cccccc"
    assert origin.requests[0].start.endswith("HTTP/1.1")


def test_an_http_1_0_agent_may_keep_its_connection(agent, origin):
    for _ in range(2):
        agent.send(request("GET", origin.url("/bytes/4"), [("Connection", "keep-alive")], version="1.0"))
        answer = agent.response()
        assert (answer.body, answer.get("connection")) == (b"xxxx", "keep-alive")


def test_an_http_1_0_agent_gets_no_interim_answers(agent, origin):
    agent.send(request("GET", origin.url("/interim/2"), version="1.0"))
    answer = agent.response()
    assert (answer.status, answer.interim, answer.body) == (200, [], b"final")


def test_an_http_1_0_origin_ends_its_answer_with_the_connection(agent, origin, sink):
    answer = agent.ask("GET", origin.url("/http10"))
    assert answer.get("transfer-encoding") == "chunked" and answer.body == b"until the end"
    assert agent.ask("GET", origin.url("/echo")).status == 200
    assert origin.connections == 2
    assert [span["attributes"]["sidespan.end"] for span in sink.wait(2)] == ["complete"] * 2


# interim answers and Expect


def test_row_06_interim_answers_pass_in_order(agent, origin, sink):
    answer = agent.ask("GET", origin.url("/interim/50"))
    assert [early.get("link") for early in answer.interim] == [f"</{n}.css>; rel=preload" for n in range(50)]
    assert (answer.status, answer.body) == (200, b"final")
    span, = sink.wait(1)
    assert span["attributes"]["http.response.status_code"] == 200


def test_row_06_interim_answers_have_a_limit(agent, origin, sink):
    answer = agent.ask("GET", origin.url("/interim/65"))
    assert (len(answer.interim), answer.status) == (64, 502)
    assert b"interim" in answer.body
    span, = sink.wait(1)
    assert (span["status"], span["attributes"]["sidespan.end"]) == ("ERROR", "origin_closed")
    assert agent.ask("GET", origin.url("/echo")).status == 200
    assert origin.connections == 2


def test_expect_waits_for_the_origin_s_word(agent, origin):
    agent.send(request("PUT", origin.url("/echo"), [("Expect", "100-continue"), ("Content-Length", "5")]))
    assert agent.reader.head().status == 100
    agent.send(b"hello")
    assert agent.response().status == 200
    assert origin.requests[0].get("expect") == "100-continue" and origin.requests[0].body == b"hello"


def test_an_agent_need_not_wait(agent, origin):
    agent.send(request("PUT", origin.url("/echo"), [("Expect", "100-continue"), ("Content-Length", "5")], b"hello"))
    answer = agent.response()
    assert (answer.status, [early.status for early in answer.interim]) == (200, [100])


def test_a_refused_expectation_ends_the_connection(agent, origin, sink):
    refusal = b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"
    origin.answer("/picky", [NO_BODY, refusal, 1.0])
    agent.send(request("PUT", origin.url("/picky"), [("Expect", "100-continue"), ("Content-Length", "5")]))
    answer = agent.response()
    # Whether the body follows or the next request, nobody could tell.
    assert (answer.status, answer.get("connection")) == (417, "close")
    assert end_of(agent) == b""
    span, = sink.wait(1)
    assert span["attributes"]["http.response.status_code"] == 417


def test_an_early_answer_passes_before_the_body_was_read(agent, origin):
    origin.answer("/early", [NO_BODY, b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", BODY])
    agent.send(request("POST", origin.url("/early"), [("Content-Length", "10")], b"12345"))
    assert agent.response().status == 403
    agent.send(b"67890")
    wait_for("the rest", lambda: origin.requests[0].body == b"1234567890")
    assert agent.ask("GET", origin.url("/echo")).status == 200


def test_an_early_answer_from_an_origin_that_goes_away_is_whole_and_the_last(sidecar, origin, sink):
    origin.answer("/gone", [NO_BODY, b"HTTP/1.1 413 Large\r\nContent-Length: 5\r\n\r\nlarge", 0.2, RESET])
    side = sidecar()
    with Client(side.egress) as agent:
        agent.send(request("POST", origin.url("/gone"), [("Content-Length", "99999999999")]))
        answer = agent.response()
        assert (answer.status, answer.body) == (413, b"large")
        with pytest.raises(OSError):  # nobody takes the rest
            for _ in range(160):
                agent.send(b"z" * 100000)
    span, = sink.wait(1)
    assert (span["attributes"]["http.response.status_code"], span["attributes"]["sidespan.end"]) == (413, "complete")
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)


def test_an_early_answer_whose_request_stops_is_the_last(sidecar, origin, sink):
    origin.answer("/early", [NO_BODY, b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
                             lambda sock, reader, request: reader.exactly(10)])
    with Client(sidecar({"limits": {"stream_idle_time": "300ms"}}).egress) as agent:
        agent.send(request("POST", origin.url("/early"), [("Content-Length", "10")], b"12345"))
        assert agent.response().body == b"no"
        assert end_of(agent) == b""
    span, = sink.wait(1)
    assert (span["attributes"]["http.response.status_code"], span["attributes"]["sidespan.end"]) == (403, "timeout")
    wait_for("the reset", lambda: origin.ends.get(1) == "reset")


# fields


def test_fields_keep_case_order_and_duplicates(agent, origin):
    agent.send(request("GET", origin.url("/echo"), ["x-Odd-CASE:  spaced  ", ("Accept", "a"), ("X-Twice", "1"),
                       ("aCCept", "b"), ("x-twice", "2"), ("Cookie", "a=1"), ("X-Empty", "")]))
    shown = json.loads(agent.response().body)["headers"]
    assert [pair for pair in shown if pair[0].lower() != "traceparent"] == [
        ["Host", f"127.0.0.1:{origin.port}"], ["x-Odd-CASE", "spaced"], ["Accept", "a"], ["X-Twice", "1"],
        ["aCCept", "b"], ["x-twice", "2"], ["Cookie", "a=1"], ["X-Empty", ""]]
    origin.answer("/odd", [b"HTTP/1.1 299 Odd Reason\r\nX-b: 2\r\nSet-Cookie: a=1\r\nx-A: 1\r\nset-cookie: b=2\r\n"
                           b"Content-Length: 0\r\n\r\n"])
    answer = agent.ask("GET", origin.url("/odd"))
    assert answer.start == "HTTP/1.1 299 Odd Reason"
    assert answer.headers == [("X-b", "2"), ("Set-Cookie", "a=1"), ("x-A", "1"), ("set-cookie", "b=2"),
                              ("Content-Length", "0")]


HOP_BY_HOP = [("Proxy-Connection", "keep-alive"), ("Keep-Alive", "timeout=5"), ("TE", "trailers"),
              ("Proxy-Authorization", "Basic cGxhbnRlZA=="), ("X-Mine", "1"), ("Upgrade", "h2c"),
              ("HTTP2-Settings", "AAMAAABkAAQAAP__")]


def test_hop_by_hop_fields_stay_here(agent, origin):
    agent.send(request("GET", origin.url("/echo"), [("Connection", "X-Mine, Upgrade, HTTP2-Settings"), *HOP_BY_HOP]))
    names = {name.lower() for name, _ in json.loads(agent.response().body)["headers"]}
    assert names == {"host", "traceparent"}


def test_hop_by_hop_fields_of_an_answer_stay_there(agent, origin):
    origin.answer("/hop", [b"HTTP/1.1 200 OK\r\nConnection: X-Its, keep-alive\r\nX-Its: 1\r\nKeep-Alive: timeout=9\r\n"
                           b"Proxy-Connection: keep-alive\r\nContent-Length: 0\r\n\r\n"])
    assert [name for name, _ in agent.ask("GET", origin.url("/hop")).headers] == ["Content-Length"]


def test_connection_cannot_take_end_to_end_fields_away(agent, origin):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    agent.send(request("GET", origin.url("/echo"), [("Connection", "authorization, traceparent, cookie, host"),
                       ("Authorization", "Bearer t"), ("traceparent", parent), ("Cookie", "c=1")]))
    seen = json.loads(agent.response().body)["headers"]
    fields = {name.lower(): value for name, value in seen}
    assert fields["authorization"] == "Bearer t" and fields["cookie"] == "c=1"
    assert fields["traceparent"].split("-")[1] == parent.split("-")[1]
    assert fields["host"] == f"127.0.0.1:{origin.port}"


def test_the_target_s_authority_is_the_host(agent, origin):
    agent.send(head(f"GET http://LOCALHOST:{origin.port}/echo?q=1 HTTP/1.1", [("X-First", "1"), ("Host", "other:1")]))
    seen = json.loads(agent.response().body)
    assert seen["target"] == "/echo?q=1"
    assert seen["headers"][:2] == [["X-First", "1"], ["Host", f"localhost:{origin.port}"]]


@pytest.mark.parametrize("target, sent", [("", "/"), ("?q", "/?q"), ("/a%2Fb;c=d?e=%20", "/a%2Fb;c=d?e=%20"),
                                          ("/../x//y", "/../x//y")])
def test_paths_pass_as_they_are(agent, origin, target, sent):
    agent.ask("GET", f"http://127.0.0.1:{origin.port}{target}", host="h")
    assert origin.requests[0].target == sent


@pytest.mark.parametrize("target, sent", [("", "*"), ("/", "/"), ("?q", "/?q")])
def test_options_of_the_whole_server(agent, origin, target, sent):
    agent.ask("OPTIONS", f"http://127.0.0.1:{origin.port}{target}", host="h")
    assert origin.requests[0].target == sent


# Max-Forwards


def test_the_last_hop_of_options_is_the_proxy(agent, origin, sink):
    answer = agent.ask("OPTIONS", origin.url("/"), [("Max-Forwards", "0")])
    assert answer.status == 200 and "GET" in answer.get("allow")
    assert not origin.requests
    assert agent.ask("OPTIONS", origin.url("/"), [("Max-Forwards", "1")]).status == 200
    assert origin.requests[0].get("max-forwards") == "0"
    assert len(sink.quiet()) == 1


def test_the_last_hop_of_trace_is_the_proxy(agent, origin):
    answer = agent.ask("TRACE", origin.url("/x"), [("Max-Forwards", "0"), ("X-Seen", "1"), ("Cookie", "planted"),
                                                   ("Authorization", "Basic planted")])
    assert (answer.status, answer.get("content-type")) == (200, "message/http")
    assert answer.body.startswith(f"TRACE {origin.url('/x')} HTTP/1.1\r\n".encode())
    assert b"X-Seen: 1" in answer.body and b"planted" not in answer.body
    assert not origin.requests
    agent.ask("TRACE", origin.url("/x"), [("Max-Forwards", "7")])
    assert origin.requests[0].get("max-forwards") == "6"


def test_max_forwards_means_nothing_to_other_methods(agent, origin):
    agent.ask("GET", origin.url("/echo"), [("Max-Forwards", "0")])
    assert origin.requests[0].get("max-forwards") == "0"


# malformed


MALFORMED = {
    "two lengths": [("Content-Length", "1"), ("Content-Length", "2")],
    "length and chunked": [("Content-Length", "1"), ("Transfer-Encoding", "chunked")],
    "length with a sign": [("Content-Length", "+1")],
    "length in hex": [("Content-Length", "0x1")],
    "length list": [("Content-Length", "1, 1")],
    "length too large": [("Content-Length", "18446744073709551617")],
    "unknown coding": [("Transfer-Encoding", "xchunked")],
    "coding twice": [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
    "coding list": [("Transfer-Encoding", "gzip, chunked")],
    "two hosts": [("Host", "second")],
    "folded line": ["X-A: 1", " folded"],
    "blank before colon": ["X-A : 1"],
    "no name": [": 1"],
    "control character": ["X-A: \x01"],
}


@pytest.mark.parametrize("lines", MALFORMED.values(), ids=MALFORMED)
def test_row_02_a_doubtful_request_is_refused_and_goes_nowhere(sidecar, origin, lines, sink):
    side = sidecar()
    with Client(side.egress) as agent:
        agent.send(request("POST", origin.url("/echo"), lines, b"X") + request("GET", origin.url("/hidden")))
        answer = agent.response()
        assert (answer.status, answer.get("connection")) == (400, "close")
        assert answer.get("proxy-status").startswith("sidespan; error=") and answer.body.startswith(b"sidespan: ")
        assert end_of(agent) == b""
    assert not sink.quiet() and not origin.requests
    metrics = side.metrics()
    assert metrics.total("sidespan_requests_total", listener="egress", status_class="4xx") == 1
    assert metrics.total("sidespan_requests_total") == 1
    assert metrics.total("sidespan_spans_emitted_total") == 0


@pytest.mark.parametrize("start", ["GET http://h/ HTTP/1.1 x", "GET http://h/#f HTTP/1.1", "GET  http://h/ HTTP/1.1",
                                   "GET http://h:99999/ HTTP/1.1", "GET http://h h/ HTTP/1.1", "GET h HTTP/1.1",
                                   "CONNECT h HTTP/1.1", "CONNECT /x HTTP/1.1", "GET http:///x HTTP/1.1"])
def test_a_doubtful_request_line_is_refused(agent, start):
    agent.send(head(start, [("Host", "h")]))
    answer = agent.response()
    assert (answer.status, answer.get("connection")) == (400, "close")
    assert end_of(agent) == b""


def test_a_body_with_bad_framing_is_refused_on_both_sides(agent, origin, sink):
    origin.answer("/echo", [NO_BODY, BODY])
    agent.send(request("POST", origin.url("/echo"), [("Transfer-Encoding", "chunked")], b"3\r\nabc\r\n"))
    wait_for("request", lambda: origin.requests)
    agent.send(b"zz\r\n")
    answer = agent.response()
    assert (answer.status, answer.get("connection")) == (400, "close")
    wait_for("the origin's end", lambda: origin.ends)
    assert origin.ends[1] in ("reset", "truncated")
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["status"]) == ("refused", "ERROR")


BAD_ANSWERS = {
    "no HTTP": b"SSH-2.0-OpenSSH\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad status": b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
    "folded line": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n b\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "no name": b"HTTP/1.1 200 OK\r\n: 1\r\nContent-Length: 0\r\n\r\n",
    "cut head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "unrequested 101": b"HTTP/1.1 101 Now\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "interim with a body": b"HTTP/1.1 103 E\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_row_04_a_doubtful_answer_is_502_and_its_connection_is_over(agent, origin, answer, sink):
    origin.answer("/bad", [answer, HANG_UP if answer.endswith(b"-Le") else b"", 0.3])
    got = agent.ask("GET", origin.url("/bad"))
    assert got.status == 502 and got.get("proxy-status").startswith("sidespan; error=")
    assert agent.ask("GET", origin.url("/echo")).status == 200  # the agent did nothing wrong
    assert origin.connections == 2
    span = sink.wait(2)[0]
    assert (span["status"], span["attributes"]["sidespan.end"]) == ("ERROR", "origin_closed")
    assert "http.response.status_code" not in span["attributes"]
    assert span["attributes"]["error.type"] in ("malformed", "truncated", "connection_closed")


def test_row_04_bytes_behind_an_answer_are_not_taken_for_the_next(agent, origin):
    origin.answer("/more", [OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"])
    assert agent.ask("GET", origin.url("/more")).body == b"ok"
    assert agent.ask("GET", origin.url("/bytes/3")).body == b"xxx"
    assert origin.connections == 2


@pytest.mark.parametrize("late", [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", b"x"])
def test_row_04_bytes_that_come_late_are_not_taken_for_the_next(agent, origin, late):
    origin.answer("/late", [OK, 0.1, late])
    assert agent.ask("GET", origin.url("/late")).body == b"ok"
    wait_for("the origin's end", lambda: origin.ends)
    assert agent.ask("GET", origin.url("/bytes/3")).body == b"xxx"
    assert origin.connections == 2


def test_row_04_an_answer_cut_in_the_middle_is_cut_for_the_agent(agent, origin, sink):
    origin.answer("/length", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", CLOSE])
    origin.answer("/chunks", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", CLOSE])
    agent.send(request("GET", origin.url("/length")))
    with pytest.raises((Truncated, ConnectionResetError)):
        agent.response()
    with Client(agent.sock.getpeername()) as second, pytest.raises((Truncated, ConnectionResetError)):
        second.ask("GET", origin.url("/chunks"))
    for span in sink.wait(2):
        assert (span["status"], span["attributes"]["sidespan.end"]) == ("ERROR", "origin_closed")
        assert span["attributes"]["error.type"] == "truncated"
        assert span["attributes"]["http.response.status_code"] == 200


def test_interim_then_nothing_is_502(agent, origin):
    origin.answer("/hm", [CONTINUE, CLOSE])
    answer = agent.ask("GET", origin.url("/hm"))
    assert (answer.status, len(answer.interim)) == (502, 1)


def test_half_closing_after_the_request_still_gets_the_answer(agent, origin, sink):
    agent.send(request("GET", origin.url("/slow?head=100&body=100")))
    agent.sock.shutdown(socket.SHUT_WR)
    assert agent.response().body == b"slowslow"
    assert end_of(agent) == b""
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["status"]) == ("complete", "UNSET")
