"""MCP requests that share a POST or are answered elsewhere than in the answer to theirs: each is a span of its own, a
child of its POST's, from where it was read to its answer.

Batches to the Node SDK's server, which takes them; the transport of 2024-11-05 (HTTP with SSE) between the SDKs that
still have it; answers on a stream that the Python SDK's client takes up again; and what a server of a few lines can do
beside that.
"""

import json
import socket
import threading
import time

import pytest

from meaning import ABSENT, differences
from origin import CLOSE
from otlp_sink import OtlpSink
from sidecar import exporting
from test_mcp import McpServer, Pair, Talked, expected, name_of
from wire import Client, head, wait_for

POST = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")]
OLD = {
    "python": Pair("python", "python", "old", "old"),
    "node": Pair("node", "node", "old", "old"),
    "node-to-python": Pair("node", "python", "old", "old"),
    "python-to-node": Pair("python", "node", "old", "old"),
    "python-https": Pair("python", "python", "old", "old", tls=True),
}
RESUMED = Pair("python", "python", "resumed")


def is_request(request):
    return bool(request["document"]) and "method" in request["document"] and "id" in request["document"]


class TalkedOld(Talked):
    path = "/sse"

    def children(self):
        return sum(map(is_request, self.seen))

    def child(self, request):
        post = self.span(request)
        found, = [span for span in self.spans if span["parent_id"] == post["span_id"]]
        return post, found


class TalkedResumed(Talked):
    def children(self):
        return 1


@pytest.fixture(scope="module")
def once():
    return {}


@pytest.fixture
def old(pair, once, authority, sidespan, tmp_path_factory):
    if pair not in once:
        once[pair] = TalkedOld(OLD[pair], authority, tmp_path_factory.mktemp(pair))
    return once[pair]


@pytest.mark.parametrize("pair", OLD)
def test_the_old_transport_is_the_same_for_the_client(pair, old):
    if OLD[pair].client == "node":  # which tells progress that comes together with its answer or not
        assert old.through.splitlines()[:-1] == old.straight.splitlines()[:-1]
    else:
        assert old.through == old.straight
        assert len(old.progress) == 3
    assert len(old.said) == 10


@pytest.mark.parametrize("pair", OLD)
def test_each_request_of_the_old_transport_is_a_child_of_its_post(pair, old):
    methods = set()
    for request in filter(is_request, old.seen):
        post, span = old.child(request)
        document = request["document"]
        methods.add(document["method"])
        wanted, error = expected(old, request)
        assert not differences(span["attributes"], wanted), document
        assert span["name"] == name_of(document)
        assert span["kind"] == "CLIENT" and span["trace_id"] == post["trace_id"]
        assert span["status"] == ("ERROR" if error else "UNSET")
        assert span["attributes"]["sidespan.end"] == "complete"
        assert post["start"] <= span["start"] < span["end"]
        assert post["name"] == "POST" and post["status"] == "UNSET"
        assert post["attributes"]["http.response.status_code"] == 202
        assert "mcp.method.name" not in post["attributes"]
    assert {"initialize", "tools/list", "tools/call", "resources/read", "prompts/get"} <= methods


@pytest.mark.parametrize("pair", OLD)
def test_the_old_transport_s_stream_is_plain_http(pair, old):
    stream, = [old.span(request) for request in old.seen if request["method"] == "GET"]
    assert stream["name"] == "GET" and "mcp.method.name" not in stream["attributes"]
    # The URL, the answers, and what the server says of itself.
    assert stream["attributes"]["sidespan.stream.events"] >= 1 + old.children() + 3


def test_a_call_whose_stream_was_taken_up_again(authority, sidespan, tmp_path):
    """The server ends its answer in the middle, as it may; the rest comes on a GET with Last-Event-ID."""
    talked = TalkedResumed(RESUMED, authority, tmp_path)
    assert [said["result"]["content"][0]["text"] for said in talked.said if said["target"] == "walk"] == ["there"]
    request, = [one for one in talked.messages() if one["document"].get("params", {}).get("name") == "walk"]
    post = talked.span(request)
    assert post["name"] == "POST" and "mcp.method.name" not in post["attributes"]
    span, = [span for span in talked.spans if span["parent_id"] == post["span_id"]]
    wanted, error = expected(talked, request)
    assert not error and not differences(span["attributes"], wanted)
    assert span["name"] == "tools/call walk" and span["attributes"]["sidespan.end"] == "complete"
    # The client waits before it comes back.
    assert span["end"] - span["start"] > 50_000_000
    assert span["end"] > post["end"]


@pytest.fixture(scope="module", params=["sse", "json"])
def batched(request, sidespan, tmp_path_factory):
    """A batch of everything to the Node SDK's server, as (what was answered, POST's span, its children by their ids)."""
    from sidecar import Sidecar
    directory = tmp_path_factory.mktemp(f"batch-{request.param}")
    sink = OtlpSink()
    with McpServer(Pair("node", "node", request.param, "legacy"), directory) as server:
        with Sidecar(directory, exporting(sink.endpoint)) as side, Client(side.egress) as agent:
            url = f"http://127.0.0.1:{server.port}/mcp"
            hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
            session = agent.ask("POST", url, POST, json.dumps(hello).encode()).get("mcp-session-id")
            fields = [*POST, ("Mcp-Session-Id", session), ("Mcp-Protocol-Version", "2025-03-26")]
            answer = agent.ask("POST", url, fields, json.dumps(BATCH).encode())
            assert answer.status == 200
            spans = sink.wait(2 + 4)
        seen = server.seen[-1]
    sink.stop()
    post, = [span for span in spans if span["span_id"] == seen["traceparent"].split("-")[2]]
    children = {span["attributes"]["jsonrpc.request.id"]: span for span in spans if span["parent_id"] == post["span_id"]}
    assert len(children) == 4
    return answer, post, children, session


BATCH = [
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 2, "b": 3}}},
    {"jsonrpc": "2.0", "id": "two", "method": "tools/call", "params": {"name": "fail", "arguments": {"why": "so"}}},
    {"jsonrpc": "2.0", "id": 3, "method": "resources/read", "params": {"uri": "config://none"}},
    {"jsonrpc": "2.0", "id": 4, "method": "ping"},
]


def test_a_batch_is_answered(batched):
    answer, *_ = batched
    text = answer.body.decode()
    documents = json.loads(text) if text.startswith("[") else [
        json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: {")]
    assert {document["id"] for document in documents} == {1, "two", 3, 4}


def test_each_request_of_a_batch_is_a_child(batched):
    _, post, children, session = batched
    assert post["name"] == "POST" and post["attributes"]["mcp.session.id"] == session
    assert "mcp.method.name" not in post["attributes"] and post["status"] == "UNSET"
    names = {key: span["name"] for key, span in children.items()}
    assert names == {"1": "tools/call add", "two": "tools/call fail", "3": "resources/read", "4": "ping"}
    errors = {key: span["attributes"].get("error.type") for key, span in children.items()}
    assert errors == {"1": None, "two": "tool_error", "3": "-32602", "4": None}
    for span in children.values():
        assert not differences(span["attributes"], {
            "mcp.session.id": session, "mcp.protocol.version": "2025-03-26", "network.transport": "tcp",
            "server.address": "127.0.0.1", "sidespan.end": "complete", "url.full": ABSENT})
        assert span["kind"] == "CLIENT" and span["trace_id"] == post["trace_id"]
        assert post["start"] <= span["start"] < span["end"] <= post["end"]


# A server of ours.

SESSION = [("Mcp-Session-Id", "s1"), ("Mcp-Protocol-Version", "2025-06-18")]
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


def call(number, tool="t"):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool}}).encode()


def event(**message):
    return b"event: message\ndata: %s\n\n" % json.dumps({"jsonrpc": "2.0"} | message).encode()


class Stream:
    """A GET that stays open, says what it is told, and ends when it is told so."""

    def __init__(self, origin, path, first=b""):
        self.parts, self.more, self.over = [EVENTS + first], threading.Condition(), False
        origin.answer(path, [self.pour, CLOSE])

    def pour(self, sock, *_):
        while True:
            with self.more:
                self.more.wait_for(lambda: self.parts or self.over)
                parts, self.parts = self.parts, []
            for part in parts:
                sock.sendall(part)
            if self.over:
                return

    def say(self, part):
        with self.more:
            self.parts.append(part)
            self.more.notify()

    def end(self):
        with self.more:
            self.over = True
            self.more.notify()


@pytest.fixture
def stream(origin):
    made = Stream(origin, "/stream")
    origin.answer("/mcp", [ACCEPTED])
    yield made
    made.end()


def listen(side, url, fields=()):
    listener = Client(side.egress)
    listener.send(head(f"GET {url} HTTP/1.1", [("Host", "h"), ("Accept", "text/event-stream"), *fields]))
    assert listener.reader.head().status == 200
    return listener


def named(sink, count, name="tools/call t"):
    return sink.wait(count, where=lambda span: span["name"] == name)


@pytest.mark.parametrize("workers", [1, 4])
def test_an_answer_on_the_session_s_stream(sidecar, origin, stream, sink, workers):
    """POSTs and the stream on connections of their own, which meet different workers."""
    side = sidecar({"workers": workers})
    listeners = [listen(side, origin.url("/stream"), SESSION)]
    for number in range(8):
        with Client(side.egress) as agent:
            assert agent.ask("POST", origin.url("/mcp"), POST + SESSION, call(number)).status == 202
    time.sleep(0.2)
    for number in range(8):
        stream.say(event(id=number, method="sampling/createMessage", params={}))  # the server's own
        stream.say(event(id=number, result={"isError": number == 5}))
    spans = named(sink, 8)
    assert {span["attributes"]["jsonrpc.request.id"] for span in spans} == set(map(str, range(8)))
    posts = {span["span_id"]: span for span in sink.wait(8, where=lambda span: span["name"] == "POST")}
    for span in spans:
        failed = span["attributes"]["jsonrpc.request.id"] == "5"
        assert span["attributes"].get("error.type") == ("tool_error" if failed else None)
        assert span["attributes"]["sidespan.end"] == "complete"
        assert span["end"] - span["start"] > 150_000_000 and posts.pop(span["parent_id"])
    assert side.metrics().total("sidespan_mcp_calls_total", end="complete") == 8
    listeners[0].close()


def test_a_call_that_nobody_answers(sidecar, origin, stream, sink):
    side = sidecar({"limits": {"mcp_call_time": "300ms"}})
    with Client(side.egress) as agent:
        agent.ask("POST", origin.url("/mcp"), POST + SESSION, call(1))
        span, = named(sink, 1)
    assert span["attributes"]["sidespan.end"] == span["attributes"]["error.type"] == "timeout"
    assert 0.3e9 <= span["end"] - span["start"] < 5e9
    assert side.metrics().total("sidespan_mcp_calls_total", end="timeout") == 1


def test_more_calls_than_may_wait(sidecar, origin, stream, sink):
    side = sidecar({"limits": {"mcp_calls": 2}})
    with Client(side.egress) as agent:
        for number in range(3):
            agent.ask("POST", origin.url("/mcp"), POST + SESSION, call(number))
        span, = named(sink, 1)
        assert span["attributes"]["sidespan.end"] == "limit" and span["attributes"]["jsonrpc.request.id"] == "2"
        agent.ask("POST", origin.url("/mcp"), POST + SESSION, b"[%s]" % b",".join(map(call, range(10, 14))))
    assert side.metrics().total("sidespan_mcp_calls_left_out_total") == 2
    side.stop()
    # Those that waited end with the sidecar.
    ends = sorted(span["attributes"]["sidespan.end"] for span in named(sink, 5))
    assert ends == ["drain", "drain", "limit", "limit", "limit"]


@pytest.mark.parametrize("how, end", [("cancelled", "agent_cancelled"), ("deleted", "agent_cancelled")])
def test_a_call_that_the_agent_gives_up(sidecar, origin, stream, sink, how, end):
    side = sidecar()
    with Client(side.egress) as agent:
        agent.ask("POST", origin.url("/mcp"), POST + SESSION, call(1))
        if how == "cancelled":
            cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
            agent.ask("POST", origin.url("/mcp"), POST + SESSION, json.dumps(cancel).encode())
        else:
            agent.ask("DELETE", origin.url("/mcp"), SESSION)
        span, = named(sink, 1)
    assert span["attributes"]["sidespan.end"] == end and span["status"] == "UNSET"


@pytest.mark.parametrize("who, end, error", [("server", "origin_closed", "connection_closed"),
                                             ("agent", "agent_cancelled", None)])
def test_the_old_transport_s_session_ends_with_its_stream(sidecar, origin, sink, who, end, error):
    old = Stream(origin, "/sse", b"event: endpoint\ndata: /mcp?session_id=7\n\n")
    origin.answer("/mcp", [ACCEPTED])
    side = sidecar()
    listener = listen(side, origin.url("/sse"))
    wait_for("the URL", lambda: b"session_id" in listener.reader.until(b"\n\n"))
    with Client(side.egress) as agent:
        agent.ask("POST", origin.url("/mcp?session_id=7"), POST[:1], call(1))
        agent.ask("POST", origin.url("/mcp?session_id=8"), POST[:1], call(2))  # another's
    if who == "server":
        old.end()
    else:
        # Its FIN may be a half-close: that it is gone shows when it is sent more.
        listener.close()
        for _ in range(3):
            old.say(b": ping\n\n")
            time.sleep(0.2)
    span, = named(sink, 1)
    assert span["attributes"]["sidespan.end"] == end and span["attributes"].get("error.type") == error
    assert span["attributes"]["jsonrpc.request.id"] == "1"
    listener.close()
    old.end()


def test_two_streams_that_name_one_url(sidecar, origin, sink):
    """The server tells its agents apart by something else, and both count their requests from 1."""
    streams = [Stream(origin, path, b"event: endpoint\ndata: /mcp\n\n") for path in ("/one", "/other")]
    origin.answer("/mcp", [ACCEPTED])
    side = sidecar()
    listeners = [listen(side, origin.url(path)) for path in ("/one", "/other")]
    for listener in listeners:
        listener.reader.until(b"/mcp\n\n")
    with Client(side.egress) as agent:
        for tool in ("a", "b"):
            agent.ask("POST", origin.url("/mcp"), POST[:1], call(1, tool))
        streams[0].say(event(id=1, result={"isError": True}))
        streams[1].say(event(id=1, result={}))
        for tool in ("a", "b"):
            span, = named(sink, 1, f"tools/call {tool}")
            assert span["attributes"]["sidespan.end"] == "limit"
            assert span["status"] == "UNSET" and "error.type" not in span["attributes"]
        for listener in listeners:
            listener.reader.until(b"}\n\n")
        # Where one of them remains, answers are somebody's again.
        streams[0].end()
        sink.wait(1, where=lambda span: span["attributes"].get("url.full") == origin.url("/one"))
        agent.ask("POST", origin.url("/mcp"), POST[:1], call(2, "c"))
        streams[1].say(event(id=2, result={"isError": True}))
        span, = named(sink, 1, "tools/call c")
    assert span["attributes"]["sidespan.end"] == "complete" and span["attributes"]["error.type"] == "tool_error"
    assert side.metrics().total("sidespan_mcp_calls_total", end="limit") == 2
    for listener in listeners:
        listener.close()
    streams[1].end()


# The SDKs' servers break off their stream of events when they hear that the client has gone.

PARTED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk_of(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize("answered", [True, False], ids=["with its reply", "without a reply"])
@pytest.mark.parametrize("leaves", ["half", "whole", "not"])
def test_who_ended_a_stream_in_the_middle(sidecar, origin, sink, leaves, answered):
    """A client that has its reply says FIN, by shutdown or by close, and the server, which hears it, breaks off: the
    agent has cancelled. Where it has said nothing the same end is the origin's."""
    heard = []

    def play(sock, reader, request):
        sock.sendall(PARTED + chunk_of(event(id=1, result={}) if answered else event(method="notifications/message")))
        if leaves != "not":
            heard.append(reader.rest())  # to the FIN that is passed on

    origin.answer("/mcp", [play, CLOSE])
    with Client(sidecar().egress) as agent:
        agent.send(head(f"POST {origin.url('/mcp')} HTTP/1.1", [("Host", "h"), ("Content-Length", str(len(call(1)))), *POST]))
        agent.send(call(1))
        assert agent.reader.head().status == 200
        agent.reader.until(b"\n\n\r\n")
        if leaves == "half":
            agent.sock.shutdown(socket.SHUT_WR)
            assert agent.reader.rest() == b""  # no last chunk, which would make a whole answer of it
        elif leaves == "whole":
            agent.close()
        span, = sink.wait(1)
    assert heard == ([b""] if leaves != "not" else [])
    found = span["attributes"]
    assert span["name"] == "tools/call t" and found["sidespan.stream.events"] == 1
    if leaves == "not":
        assert found["sidespan.end"] == "origin_closed" and found["error.type"] == "truncated"
        assert span["status"] == "ERROR"
    else:
        assert found["sidespan.end"] == "agent_cancelled"
        assert found.get("error.type") != "truncated"
