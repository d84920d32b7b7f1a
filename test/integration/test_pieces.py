"""The tests' own instruments against each other and against curl, without sidespan: a crooked ruler measures nothing."""

import gzip
import socket
import subprocess
import time

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

import peers
from origin import BODY, CLOSE, CONTINUE, NO_BODY, OK, RESET
from otlp_sink import PROTOBUF, Reply
from sidecar import Metrics
from wire import Client, Truncated, ask, head, wait_for


def curl(*arguments):
    return subprocess.run([peers.installed("curl"), "-sS", "--noproxy", "*", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30)


# origin and raw client


@pytest.mark.parametrize("path, body", [
    ("/bytes/5", b"xxxxx"),
    ("/chunked/3?size=2", b"cccccc"),
    ("/status/404", b"status 404\n"),
    ("/sse/2", b"event: tick\ndata: 0\n\nevent: tick\ndata: 1\n\n"),
    ("/interim/2", b"final"),
    ("/http10", b"until the end"),
    ("/slow?head=20&body=20", b"slowslow"),
])
def test_curl_and_the_raw_client_read_the_same(origin, path, body):
    assert curl(origin.url(path)).stdout == body
    assert ask(origin.address, "GET", path, host="here").body == body
    assert curl("--head", origin.url(path)).returncode == 0
    assert ask(origin.address, "HEAD", path, host="here").body == b""


def test_the_origin_keeps_what_it_got_to_the_byte(origin):
    request = head("POST /echo HTTP/1.1", [("Host", "here"), "x-Odd:\t two  ", ("X-ODD", "one"),
                   ("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
    with Client(origin.address) as client:
        client.send(request)
        answer = client.response()
    seen, = origin.requests
    assert seen.raw == request
    assert seen.chunks == [b"abc", b"de"] and seen.trailers == [("X-Sum", "5")]
    assert seen.all("x-odd") == ["two", "one"]
    assert b'["x-Odd", "two"]' in answer.body


def test_trailers_and_interim_answers_are_kept(origin):
    assert ask(origin.address, "GET", "/chunked/2", host="here").trailers == [("X-Chunks", "2")]
    assert [early.status for early in ask(origin.address, "GET", "/interim/2", host="here").interim] == [103, 103]


def test_upgrade_echoes_bytes(origin):
    with Client(origin.address) as client:
        client.send(head("GET /upgrade HTTP/1.1", [("Host", "here"), ("Connection", "Upgrade"), ("Upgrade", "echo")]))
        assert client.response().status == 101
        client.send(b"\x00 any bytes")
        assert client.reader.exactly(11) == b"\x00 any bytes"
        client.sock.shutdown(socket.SHUT_WR)
        assert client.reader.rest() == b""


def test_expect_is_met(origin):
    with Client(origin.address) as client:
        client.send(head("PUT /echo HTTP/1.1", [("Host", "here"), ("Expect", "100-continue"), ("Content-Length", "2")]))
        assert client.reader.exactly(len(CONTINUE)) == CONTINUE
        client.send(b"ok")
        assert client.response().status == 200


def test_scripts_are_played_in_turn(origin):
    origin.answer("/odd", [OK[:20], 0.05, OK[20:]], [CLOSE])
    assert ask(origin.address, "GET", "/odd", host="here").body == b"ok"
    for _ in range(2):  # the last script stays
        with pytest.raises(Truncated):
            ask(origin.address, "GET", "/odd?again", host="here")
    wait_for("three ends", lambda: len(origin.ends) == 3)
    assert sorted(origin.ends.values()) == ["eof", "us", "us"]


def test_a_script_may_answer_before_the_body_or_reset(origin):
    origin.answer("/early", [OK, BODY])
    origin.answer("/reset", [NO_BODY, RESET])
    with Client(origin.address) as client:
        client.send(head("POST /early HTTP/1.1", [("Host", "here"), ("Content-Length", "4")]))
        assert client.response().status == 200
        client.send(b"late")
        wait_for("body", lambda: origin.requests[0].body == b"late")
    with pytest.raises(ConnectionResetError), Client(origin.address) as client:
        client.send(head("POST /reset HTTP/1.1", [("Host", "here"), ("Content-Length", "4")]))
        client.response()


def test_abort_cuts_the_body(origin):
    with pytest.raises((ConnectionResetError, Truncated)):
        ask(origin.address, "GET", "/abort/5", host="here")


def test_an_origin_that_stopped_refuses(origin):
    origin.stop()
    with pytest.raises(OSError):
        ask(origin.address, "GET", "/echo", host="here")


# receivers of spans


def export_request():
    """One span that has everything a span can have."""
    request = service.ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add(schema_url="https://example/schema")
    attribute(resource_spans.resource.attributes, "service.name", "pieces")
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "sidespan", "1"
    span = scope_spans.spans.add(
        trace_id=bytes(range(16)), span_id=bytes(range(8)), parent_span_id=bytes(range(1, 9)), name="GET", kind=3,
        flags=0x301, trace_state="foo=1", start_time_unix_nano=10, end_time_unix_nano=2**60)
    span.status.code, span.status.message = 2, "why"
    for key, value in {"text": "ä", "whole": -(2**62), "real": 0.5, "flag": False}.items():
        attribute(span.attributes, key, value)
    listed = span.attributes.add(key="list").value.array_value
    listed.values.add().string_value = "a"
    listed.values.add().int_value = 2
    attribute(span.events.add(name="event", time_unix_nano=11).attributes, "of", "event")
    attribute(span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8, flags=1).attributes, "of", "link")
    return request


def attribute(attributes, key, value):
    kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
    setattr(attributes.add(key=key).value, kind, value)


def post(address, message, path="/v1/traces"):
    body = gzip.compress(message.SerializeToString())
    return ask(address, "POST", path, [("Content-Type", PROTOBUF), ("Content-Encoding", "gzip")], body, "here")


def address_of(endpoint):
    host, _, port = endpoint.removeprefix("http://").rpartition(":")
    return host, int(port)


def test_the_sink_and_the_collector_show_the_same_span(sink, collector):
    for receiver in (sink, collector):
        assert post(address_of(receiver.endpoint), export_request()).status == 200
    by_sink, by_collector = sink.wait(1), collector.wait(1)
    assert by_sink == by_collector
    span, = by_sink
    assert (span["kind"], span["status"], span["parent_id"]) == ("CLIENT", "ERROR", "0102030405060708")
    assert span["attributes"] == {"text": "ä", "whole": -(2**62), "real": 0.5, "flag": False, "list": ["a", 2]}
    assert span["links"][0]["attributes"] == {"of": "link"}
    assert not sink.faults


def test_the_sink_answers_as_scripted(sink):
    address = address_of(sink.endpoint)
    sink.replies(Reply(503, {"Retry-After": "1"}), Reply(413), Reply.partial(1, "too old"), Reply.huge(1 << 20))
    answers = [post(address, export_request()) for _ in range(5)]
    assert [answer.status for answer in answers] == [503, 413, 200, 200, 200]
    assert answers[0].get("retry-after") == "1"
    partial = service.ExportTraceServiceResponse.FromString(answers[2].body).partial_success
    assert (partial.rejected_spans, partial.error_message) == (1, "too old")
    assert len(answers[3].body) > 1 << 20
    assert service.ExportTraceServiceResponse.FromString(answers[3].body) is not None
    assert [export.status for export in sink.requests] == [503, 413, 200, 200, 200]
    assert len(sink.spans) == 3


def test_the_sink_hangs_up_and_delays(sink):
    sink.replies(Reply(hang_up=True), Reply(delay=0.2))
    with pytest.raises(Truncated):
        post(address_of(sink.endpoint), export_request())
    begin = time.monotonic()
    assert post(address_of(sink.endpoint), export_request()).status == 200
    assert time.monotonic() - begin >= 0.2
    assert len(sink.spans) == 1


def test_the_sink_says_what_was_wrong(sink):
    ask(address_of(sink.endpoint), "POST", "/v1/traces", [("Content-Type", "text/plain")], b"no protobuf", "here")
    assert len(sink.faults) == 2 and not sink.spans


# metrics


PAGE = """# HELP sidespan_spans_emitted_total Spans.
# TYPE sidespan_spans_emitted_total counter
sidespan_spans_emitted_total{exporter="otlp"} 7
sidespan_spans_exported_total{exporter="otlp"} 4
sidespan_spans_dropped_total{exporter="otlp",reason="queue"} 1
sidespan_spans_dropped_total{exporter="otlp",reason="tail"} 1
sidespan_spans_queued{exporter="otlp"} %d
"""


def test_the_books_are_checked():
    assert Metrics(PAGE % 1).accounts() == {"otlp": (7, 4, 2, 1)}
    with pytest.raises(AssertionError, match="7 emitted, but 4 exported"):
        Metrics(PAGE % 2).accounts()
