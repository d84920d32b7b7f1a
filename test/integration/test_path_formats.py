"""Trace context in formats beside W3C's, and what a destination may be told of it, as a user sets it."""

import json

from sidecar import exporting, merged
from wire import ask

TRACE_ID, SPAN_ID = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
B3 = f"{TRACE_ID}-{SPAN_ID}-1"


def fields(side, origin, path, lines):
    assert ask(side.egress, "GET", origin.url(path), lines).status == 200
    request, = origin.seen(path)
    return {name.lower(): value for name, value in request.headers}


def propagating(sink, **settings):
    return merged(exporting(sink.endpoint), {"propagation": settings})


def test_by_default_no_header_names_another_span(sidecar, origin):
    side = sidecar()
    sent = fields(side, origin, "/echo", [
        ("traceparent", PARENT), ("b3", B3), ("X-B3-SpanId", SPAN_ID), ("uber-trace-id", f"{TRACE_ID}:{SPAN_ID}:0:1"),
        ("x-datadog-parent-id", "1"), ("X-Amzn-Trace-Id", "Root=1"), ("X-Cloud-Trace-Context", "x"),
        ("ot-tracer-spanid", SPAN_ID), ("uberctx-user", "7"), ("x-other", "1")])
    assert set(sent) == {"host", "traceparent", "uberctx-user", "x-other"}
    assert SPAN_ID not in str(sent)


def test_others_are_rewritten_or_kept(sidecar, origin, sink):
    rewriting = sidecar(propagating(sink, others="rewrite"))
    sent = fields(rewriting, origin, "/echo/rewritten", [("traceparent", PARENT), ("b3", "nonsense")])
    span, = sink.wait(1)
    assert sent["b3"] == f"{TRACE_ID}-{span['span_id']}-1"
    keeping = sidecar(propagating(sink, others="keep"))
    assert fields(keeping, origin, "/echo/kept", [("traceparent", PARENT), ("b3", B3)])["b3"] == B3


def test_none_leaves_every_header_untouched(sidecar, origin, sink):
    side = sidecar(propagating(sink, extract=["none"], inject=["none"]))
    lines = [("traceparent", "nonsense"), ("B3", B3), ("X-Amzn-Trace-Id", "Root=1;Self=2"), ("uberctx-a", "b")]
    ask(side.egress, "GET", origin.url("/echo"), lines)
    request, = origin.seen("/echo")
    assert [line for line in request.headers if line[0].lower() != "host"] == lines


def test_a_zipkin_reporter_is_not_traced(sidecar, origin, sink):
    side = sidecar(exporting(sink.endpoint))
    sent = fields(side, origin, "/echo/spans", [("b3", "0")])
    assert sent["b3"] == "0" and sent["traceparent"].endswith(("-00", "-02"))
    fields(side, origin, "/echo/after", [])
    assert [span["attributes"]["url.full"] for span in sink.wait(1)] == [origin.url("/echo/after")]


def test_a_format_of_one_s_own(sidecar, origin, sink):
    custom = [{"name": "acme", "header": "X-Acme-Trace", "value": "{trace_id}:{span_id}:{sampled}"}]
    side = sidecar(propagating(sink, extract=["acme"], inject=["tracecontext", "acme"], custom=custom))
    sent = fields(side, origin, "/echo", [("x-acme-trace", f"{TRACE_ID}:{SPAN_ID}:1")])
    span, = sink.wait(1)
    assert (span["trace_id"], span["parent_id"]) == (TRACE_ID, SPAN_ID)
    assert sent["x-acme-trace"] == f"{TRACE_ID}:{span['span_id']}:1"
    # Where it is only read it is a stale one.
    reading = sidecar(propagating(sink, extract=["acme"], custom=custom))
    assert "x-acme-trace" not in fields(reading, origin, "/echo/read", [("x-acme-trace", f"{TRACE_ID}:{SPAN_ID}:1")])


def test_vendors_formats_go_where_traceparent_goes(sidecar, origin, sink):
    side = sidecar(propagating(sink, inject=["tracecontext", "b3", "jaeger"], extract=["b3", "jaeger"],
                               destinations=[{"match": ["*"], "send": ["baggage"]}]))
    sent = fields(side, origin, "/echo", [("b3", B3), ("uber-trace-id", "x"), ("x-datadog-trace-id", "1")])
    assert set(sent) == {"host"}


def signed(names):
    return ("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20261129/eu-west-1/sqs/aws4_request, "
                             f"SignedHeaders={names}, Signature=abc")


def test_a_signed_request_gains_what_its_signature_does_not_list(sidecar, origin, sink):
    side = sidecar(propagating(sink, extract=["xray"], inject=["tracecontext", "xray", "b3", "datadog"]))
    amazon = f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]};Parent={SPAN_ID};Sampled=1;Self=2"
    body = json.dumps({"QueueUrl": origin.url("/q"), "MessageBody": "m", "MessageSystemAttributes": {
        "AWSTraceHeader": {"DataType": "String", "StringValue": amazon}}}).encode()
    lines = [signed("host;x-amz-date;x-amz-target"), ("X-Amz-Date", "20261129T000000Z"),
             ("X-Amz-Target", "AmazonSQS.SendMessage"), ("Content-Type", "application/x-amz-json-1.0")]
    assert ask(side.egress, "POST", origin.url("/echo/free"), lines, body).status == 200
    request, = origin.seen("/echo/free")
    span, = sink.wait(1)
    # What is signed, and what the signer says to SQS itself, is as it was.
    assert request.body == body and set(lines) <= set(request.headers)
    sent = {name.lower(): value for name, value in request.headers}
    assert sent["traceparent"].split("-")[2] == span["span_id"] and f"Parent={span['span_id']}" in sent["x-amzn-trace-id"]
    assert sent["b3"].split("-")[1] == span["span_id"] and sent["x-datadog-parent-id"] == str(int(span["span_id"], 16))

    listed = [signed("b3;host;x-amzn-trace-id"), ("X-Amzn-Trace-Id", amazon), ("b3", B3)]
    sent = fields(side, origin, "/echo/listed", listed)
    assert (sent["x-amzn-trace-id"], sent["b3"]) == (amazon, B3) and sent["traceparent"].split("-")[1] == TRACE_ID


def test_so_does_one_that_is_signed_in_its_query(sidecar, origin, sink):
    side = sidecar(propagating(sink, inject=["tracecontext", "b3"], extract=["b3"]))
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=b3%3Bhost&X-Amz-Signature=abc"
    target = f"/echo?{query}"
    assert ask(side.egress, "GET", origin.url(target), [("b3", B3)]).status == 200
    request = origin.requests[-1]
    sent = {name.lower(): value for name, value in request.headers}
    assert request.target == target and sent["b3"] == B3 and sent["traceparent"].split("-")[1] == TRACE_ID


def test_a_destination_with_a_trace_of_its_own(sidecar, origin, sink):
    # Names are tested before addresses: only the literal restarts.
    side = sidecar(propagating(sink, destinations=[
        {"match": ["127.0.0.1"], "send": ["traceparent", "tracestate"], "restart": True}]))
    sent = fields(side, origin, "/echo", [("traceparent", PARENT), ("tracestate", "a=1")])
    span, = sink.wait(1)
    assert TRACE_ID not in str(sent) and "tracestate" not in sent
    assert sent["traceparent"] == f"00-{span['trace_id']}-{span['span_id']}-03"
    assert not span["parent_id"]
    assert [(link["trace_id"], link["span_id"]) for link in span["links"]] == [(TRACE_ID, SPAN_ID)]
    assert span["attributes"]["sidespan.parent.source"] == "root"


def test_baggage_by_destination_as_attributes_and_in_the_access_log(sidecar, origin, sink):
    config = propagating(sink, destinations=[{"match": ["*"], "send": ["baggage"], "baggage": ["ten*"]}],
                         baggage={"add": {"cell": "eu"}, "to_attributes": ["user", "cell"]})
    side = sidecar(merged(config, {"log": {"access": True}}))
    sent = fields(side, origin, "/echo", [("baggage", "tenant=a,user=Am%C3%A9lie,other=1")])
    assert sent["baggage"] == "tenant=a"
    span, = sink.wait(1)
    assert (span["attributes"]["user"], span["attributes"]["cell"]) == ("Amélie", "eu")
    assert "tenant" not in span["attributes"] and "other" not in span["attributes"]
    side.stop()
    line = next(json.loads(line) for line in side.lines if '"request"' in line)
    assert line["baggage"] == "cell=eu,user=Amélie"
