"""`mcp.inject_meta`: an MCP request over HTTP waits until it is whole and gets its span's context into `params._meta`;
nothing else of it changes. What is no such request, is signed, packed or too long passes as it came."""

import gzip
import json
import time

import pytest

from h2_origin import H2Client
from origin import RESET, Origin
from wire import Client, connect, head, wait_for

FIELDS = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")]
BEFORE = b'{"jsonrpc":"2.0",  "id":1,"method":"tools/call","params":{'
AFTER = b'"name":"x","arguments":{"n":1.0e2,"t":"\\u00e9"}}}'
CALL = BEFORE + AFTER
ANSWER = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'


@pytest.fixture
def server(origin):
    origin.answer("/mcp", [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                           % (len(ANSWER), ANSWER)])
    return origin


@pytest.fixture
def agent(sidecar):
    with Client(sidecar({"mcp": {"inject_meta": True}}).egress) as client:
        yield client


def context_of(body):
    return json.loads(body)["params"]["_meta"]


def test_the_request_gets_the_context_of_its_head(agent, server, sink):
    assert agent.ask("POST", server.url("/mcp"), FIELDS, CALL).body == ANSWER
    [seen] = server.requests
    meta = b'"_meta":{"traceparent":"%s"},' % seen.get("traceparent").encode()
    assert seen.body == BEFORE + meta + AFTER
    assert seen.all("content-length") == [str(len(seen.body))]
    [span] = sink.wait(1)
    assert seen.get("traceparent").split("-")[1:3] == [span["trace_id"], span["span_id"]]
    assert span["name"] == "tools/call x"
    assert span["attributes"]["gen_ai.tool.name"] == "x"
    assert span["attributes"]["sidespan.end"] == "complete"


OLD = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
WITH_CONTEXT = (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"traceparent":"00-%s-%s-01","p":7,'
                b'"tracestate":"a=b","baggage":"k=v"}}}' % (OLD[0].encode(), OLD[1].encode()))


def test_the_agents_own_context_in_it_is_the_parent_and_becomes_ours(agent, server, sink):
    agent.ask("POST", server.url("/mcp"), FIELDS, WITH_CONTEXT)
    [span] = sink.wait(1)
    assert (span["trace_id"], span["parent_id"]) == OLD
    assert span["attributes"]["sidespan.parent.source"] == "mcp_meta"
    [seen] = server.requests
    assert seen.get("traceparent") == f"00-{OLD[0]}-{span['span_id']}-01"
    assert context_of(seen.body) == {"traceparent": seen.get("traceparent"), "tracestate": "a=b", "baggage": "k=v", "p": 7}


def test_without_injection_it_is_the_parent_and_the_body_passes_as_it_came(sidecar, server, sink):
    with Client(sidecar({}).egress) as client:
        client.ask("POST", server.url("/mcp"), FIELDS, WITH_CONTEXT)
    [span] = sink.wait(1)
    assert server.requests[0].body == WITH_CONTEXT
    assert (span["trace_id"], span["parent_id"]) == OLD
    assert span["attributes"]["sidespan.parent.source"] == "mcp_meta"
    assert server.requests[0].get("traceparent") == f"00-{OLD[0]}-{span['span_id']}-01"


def test_where_the_head_has_gone_before_its_body_came_it_is_linked(sidecar, server, sink):
    with Client(sidecar({"limits": {"lineage_hold_time": 0}}).egress) as client:
        client.send(head(f"POST {server.url('/mcp')} HTTP/1.1",
                         [("Host", "x"), ("Content-Length", str(len(WITH_CONTEXT))), *FIELDS]))
        wait_for("a connection", lambda: server.connections or None)
        time.sleep(0.1)
        client.send(WITH_CONTEXT)
        client.response()
    [span] = sink.wait(1)
    assert server.requests[0].body == WITH_CONTEXT
    assert span["attributes"]["sidespan.parent.source"] == "root"
    assert [(link["trace_id"], link["span_id"]) for link in span["links"]] == [OLD]


@pytest.mark.parametrize("pause", [0, 0.01])
def test_a_body_in_pieces(agent, server, pause):
    agent.send(head(f"POST {server.url('/mcp')} HTTP/1.1", [("Host", "x"), ("Content-Length", str(len(CALL))), *FIELDS]))
    for at in range(0, len(CALL), 7):
        agent.send(CALL[at:at + 7])
        time.sleep(pause)
    assert agent.response().body == ANSWER
    assert "traceparent" in context_of(server.requests[0].body)


CHUNKED = [("Host", "x"), ("Transfer-Encoding", "chunked"), *FIELDS]


def chunks(body, size=50):
    return b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + size]), body[at:at + size])
                    for at in range(0, len(body), size))


@pytest.mark.parametrize("trailer", [b"", b"X-Sum: 7\r\n"], ids=["", "trailers"])
def test_a_body_of_unknown_length(agent, server, sink, trailer):
    agent.send(head(f"POST {server.url('/mcp')} HTTP/1.1", CHUNKED) + chunks(CALL) + b"0\r\n" + trailer + b"\r\n")
    assert agent.response().body == ANSWER
    [seen] = server.requests
    meta = b'"_meta":{"traceparent":"%s"},' % seen.get("traceparent").encode()
    assert seen.body == BEFORE + meta + AFTER
    assert seen.all("transfer-encoding") == ["chunked"] and not seen.all("content-length")
    assert seen.trailers == ([("X-Sum", "7")] if trailer else [])
    [span] = sink.wait(1)
    assert seen.get("traceparent").split("-")[1:3] == [span["trace_id"], span["span_id"]]
    assert span["name"] == "tools/call x"


def test_a_body_over_http2_that_says_no_length(sidecar, server):
    fields = [(name.lower(), value) for name, value in FIELDS]
    with H2Client(connect(sidecar({"mcp": {"inject_meta": True}}).egress)) as client:
        authority = server.url("").removeprefix("http://")
        assert client.get(authority, "/mcp", "POST", headers=fields, body=CALL).body == ANSWER
    [seen] = server.requests
    meta = b'"_meta":{"traceparent":"%s"},' % seen.get("traceparent").encode()
    assert seen.body == BEFORE + meta + AFTER


def test_a_body_that_its_trailers_vouch_for_passes_as_it_came(agent, server):
    agent.send(head(f"POST {server.url('/mcp')} HTTP/1.1", CHUNKED) + chunks(CALL)
               + b"0\r\nContent-Digest: sha-256=:AAAA:\r\n\r\n")
    assert agent.response().body == ANSWER
    assert server.requests[0].body == CALL


def test_a_body_of_unknown_length_that_does_not_come_at_once_passes_as_it_came(agent, server):
    agent.send(head(f"POST {server.url('/mcp')} HTTP/1.1", CHUNKED) + chunks(BEFORE))
    wait_for("a connection", lambda: server.connections or None)
    agent.send(chunks(AFTER) + b"0\r\n\r\n")
    assert agent.response().body == ANSWER
    assert server.requests[0].body == CALL


def test_a_body_of_unknown_length_beyond_the_limit(sidecar, server, sink):
    """It is not written into, and read for its parent like any other."""
    meta = b'"_meta":{"traceparent":"00-%s-%s-01"},' % tuple(part.encode() for part in OLD)
    body = BEFORE + meta + b'"x":"' + b"y" * 70_000 + b'",' + AFTER
    limited = sidecar({"mcp": {"inject_meta": True}, "limits": {"mcp_message_bytes": "64KiB"}})
    for sent in (body, CALL):
        with Client(limited.egress) as client:
            client.send(head(f"POST {server.url('/mcp')} HTTP/1.1", CHUNKED) + chunks(sent, 30_000) + b"0\r\n\r\n")
            assert client.response().body == ANSWER
    assert server.requests[0].body == body
    assert "traceparent" in context_of(server.requests[1].body)
    [long, _] = sink.wait(2)
    assert (long["trace_id"], long["parent_id"]) == OLD
    assert server.requests[0].get("traceparent") == f"00-{OLD[0]}-{long['span_id']}-01"


def test_a_limit_of_zero_lets_bodies_of_unknown_length_pass(sidecar, server, sink):
    off = sidecar({"mcp": {"inject_meta": True}, "limits": {"mcp_message_bytes": 0}})
    with Client(off.egress) as client:
        client.send(head(f"POST {server.url('/mcp')} HTTP/1.1", CHUNKED) + chunks(WITH_CONTEXT) + b"0\r\n\r\n")
        assert client.response().body == ANSWER
    assert server.requests[0].body == WITH_CONTEXT
    [span] = sink.wait(1)
    assert (span["trace_id"], span["parent_id"]) == OLD


@pytest.mark.parametrize("propagation, stays", [
    ({"inject": ["none"]}, True),
    ({"inject": ["b3"], "others": "keep"}, True),
    ({"inject": ["b3"], "others": "remove"}, False),
    ({"inject": ["b3"], "others": "keep", "destinations": [{"match": ["*"], "send": []}]}, False),
], ids=str)
def test_where_w3c_is_not_injected_the_agents_own_goes_as_in_headers(sidecar, server, propagation, stays):
    with Client(sidecar({"mcp": {"inject_meta": True}, "propagation": propagation}).egress) as client:
        client.ask("POST", server.url("/mcp"), FIELDS, WITH_CONTEXT)
        client.ask("POST", server.url("/mcp"), FIELDS, CALL)
    assert server.requests[1].body == CALL
    if stays:
        assert server.requests[0].body == WITH_CONTEXT
    else:
        assert context_of(server.requests[0].body) == {"p": 7}


@pytest.mark.parametrize("fields, body", [
    ([("Content-Encoding", "gzip")], gzip.compress(CALL)),
    ([("Content-Digest", "sha-256=:AAAA:")], CALL),
    ([("Authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c")], CALL),
    ([], b"[" + CALL + b"]"),
    ([], CALL[:-1]),
    ([], b'{"jsonrpc":"2.0","method":"notifications/initialized"}'),
    ([], b'{"jsonrpc":"2.0","id":1,"result":{}}'),
    ([], b"no json"),
    ([], b'{"id":1,"method":"m","params":[1]}'),
    ([], b'{"id":1,"method":"tools/call","params":{"x":1}}'),
    ([], b'{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{}}}'),
], ids=["packed", "digest", "signed", "batch", "cut", "notification", "answer", "no json", "params of another kind",
        "no JSON-RPC", "another protocol"])
def test_what_passes_as_it_came(agent, server, fields, body):
    agent.ask("POST", server.url("/mcp"), FIELDS + fields, body)
    assert server.requests[0].body == body


def test_half_a_character_in_it_stays_as_it_is(agent, server, sink):
    call = CALL.replace(b"\\u00e9", b"\\ud83d")
    agent.ask("POST", server.url("/mcp"), FIELDS, call)
    [seen] = server.requests
    meta = b'"_meta":{"traceparent":"%s"},' % seen.get("traceparent").encode()
    assert seen.body == call.replace(b'"params":{', b'"params":{' + meta)
    [span] = sink.wait(1)
    assert span["name"] == "tools/call x"


@pytest.mark.parametrize("query, field", [
    ("?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Signature=c", None),
    ("", "x-ms-content-sha256"), ("", "X-Hub-Signature-256"),
], ids=["presigned", "Azure", "webhook"])
def test_a_body_that_somebody_vouches_for_passes_as_it_came(agent, server, query, field):
    agent.ask("POST", server.url("/mcp" + query), FIELDS + ([(field, "c")] if field else []), CALL)
    assert server.requests[0].body == CALL


def test_an_empty_body(agent, server):
    assert agent.ask("POST", server.url("/mcp"), FIELDS, b"").status == 200


def test_a_message_beyond_the_limit(sidecar, server):
    body = BEFORE + b'"x":"' + b"y" * 70_000 + b'",' + AFTER
    limited = sidecar({"mcp": {"inject_meta": True}, "limits": {"mcp_message_bytes": "64KiB"}})
    with Client(limited.egress) as client:
        client.ask("POST", server.url("/mcp"), FIELDS, body)
        client.ask("POST", server.url("/mcp"), FIELDS, CALL)
    assert server.requests[0].body == body
    assert "traceparent" in context_of(server.requests[1].body)


def test_a_message_larger_than_every_window(sidecar, server):
    body = BEFORE + b'"x":"' + b"y" * 900_000 + b'",' + AFTER
    with Client(sidecar({"mcp": {"inject_meta": True}}).egress) as client:
        client.ask("POST", server.url("/mcp"), FIELDS, body)
    assert "traceparent" in context_of(server.requests[0].body)


def test_nothing_is_written_unasked(sidecar, server):
    with Client(sidecar().egress) as client:
        client.ask("POST", server.url("/mcp"), FIELDS, CALL)
    assert server.requests[0].body == CALL


def test_a_destination_that_may_see_nothing(sidecar, server):
    policy = {"mcp": {"inject_meta": True}, "propagation": {"destinations": [{"match": ["*"], "send": []}]}}
    old = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"traceparent":"00-a","p":7}}}'
    with Client(sidecar(policy).egress) as client:
        client.ask("POST", server.url("/mcp"), FIELDS, CALL)
        client.ask("POST", server.url("/mcp"), FIELDS, old)
    assert server.requests[0].body == CALL
    assert context_of(server.requests[1].body) == {"p": 7}


AGENTS = b'"_meta":{"p":1,"traceparent":"00-%s-%s-01","tracestate":"a=b","baggage":"k=v"}' % (OLD[0].encode(), OLD[1].encode())
NOTE = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{%s,"progressToken":1}}'
RESULT = b'{"jsonrpc":"2.0", "id":7,"result":{"roots":[],%s}}'
PING = b'{"jsonrpc":"2.0","id":8,"method":"ping","params":{%s}}'
OTHERS = {"notification": NOTE, "answer": RESULT, "batch": b"[" + b", ".join((NOTE, RESULT, PING)) + b"]"}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_request_takes_no_context_where_none_may_go(sidecar, server, kind):
    body = OTHERS[kind]
    times = body.count(b"%s")
    policy = {"mcp": {"inject_meta": True}, "propagation": {"destinations": [{"match": ["*"], "send": []}]}}
    with Client(sidecar(policy).egress) as client:
        client.ask("POST", server.url("/mcp"), FIELDS, body % ((AGENTS,) * times))
        client.ask("POST", server.url("/mcp"), FIELDS, body % ((b'"_meta":{"p":1}',) * times))
    assert [seen.body for seen in server.requests] == [body % ((b'"_meta":{"p":1}',) * times)] * 2
    assert server.requests[0].all("content-length") == [str(len(server.requests[0].body))]


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_request_takes_the_context_of_its_head(sidecar, server, sink, kind):
    """A span of the agent's would be named beside ours. The old name of the agent's goes nowhere that ours does not."""
    body = OTHERS[kind]
    with Client(sidecar({"mcp": {"inject_meta": True}, "propagation": {
            "destinations": [{"match": ["*"], "send": ["traceparent"]}]}}).egress) as client:
        client.ask("POST", server.url("/mcp"), FIELDS, body % ((AGENTS,) * body.count(b"%s")))
    [seen] = server.requests
    ours = b'"_meta":{"p":1,"traceparent":"%s"}' % seen.get("traceparent").encode()
    assert seen.body == body % ((ours,) * body.count(b"%s"))


def test_an_agent_that_goes_before_its_message_is_whole(sidecar, origin, sink):
    with Client(sidecar({"mcp": {"inject_meta": True}}).egress) as client:
        client.send(head(f"POST {origin.url('/mcp')} HTTP/1.1", [("Host", "x"), ("Content-Length", "100"), *FIELDS]))
        client.send(b'{"id":1')
    [span] = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "agent_cancelled"
    assert not origin.requests


def test_an_origin_that_is_not_there(agent, sink):
    gone = Origin()
    gone.stop()
    assert agent.ask("POST", gone.url("/mcp"), FIELDS, CALL).status == 502


def test_a_kept_connection_that_the_origin_closed_meanwhile(agent, server):
    """What has no answer yet is not sent twice: a POST is closed upon, as without a word in it."""
    server.answer("/mcp", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], [RESET])
    assert agent.ask("POST", server.url("/mcp"), FIELDS, CALL).status == 200
    agent.send(b"POST " + server.url("/mcp").encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
               b"Accept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(CALL) + CALL)
    wait_for("the second request", lambda: len(server.requests) > 1)
    assert len(server.requests) == 2
