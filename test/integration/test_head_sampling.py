"""`sampling.head`: how many new traces a second, and other samplers for some calls."""

import time

import pytest

from tunnel import HOST, Tunnel, context_of
from wire import ask, wait_for

SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def call(side, origin, path="/echo", lines=(), method="GET"):
    return ask(side.egress, method, origin.url(path), lines, host="h")


@pytest.mark.parametrize("workers", [1, 2])
def test_so_many_new_traces_a_second(sidecar, origin, sink, workers):
    side = sidecar({"sampling": {"head": {"per_second": 5}}, "workers": workers})
    began = time.monotonic()
    for _ in range(60):
        call(side, origin)
    seconds = time.monotonic() - began
    spans = sink.quiet()
    assert 5 <= len(spans) <= 5 * (seconds + 1) + 1
    assert len(spans) < 60
    assert {span["tracestate"] for span in spans} == {""}
    metrics = side.metrics()
    assert metrics.total("sidespan_traces_limited_total") == 60 - len(spans)
    # Metrics count whatever the sampling, and each call has its context.
    assert metrics.total("http_client_request_duration_seconds_count") == 60
    flags = [request.get("traceparent")[-2:] for request in origin.requests]
    assert flags.count("03") == len(spans) and flags.count("02") == 60 - len(spans)


def test_what_the_agent_has_sampled_is_not_limited(sidecar, origin, sink):
    side = sidecar({"sampling": {"head": {"per_second": "0.001"}}})
    for _ in range(20):
        call(side, origin, lines=[("traceparent", SAMPLED)])
    assert len(sink.wait(20)) == 20
    for _ in range(5):
        call(side, origin)
    assert len(sink.quiet()) == 21
    assert side.metrics().total("sidespan_traces_limited_total") == 4


def test_other_samplers_for_some_calls(sidecar, origin, sink):
    rules = [{"match": {"path": ["/echo/health*", "/echo/ready"]}, "ratio": 0},
             {"match": {"host": "127.0.0.1", "method": "POST"}, "sampler": "always_on"},
             {"match": {"host": ["*.nowhere"]}, "sampler": "always_on"}]
    side = sidecar({"sampling": {"head": {"sampler": "parentbased_always_off", "rules": rules}}})
    call(side, origin, "/echo/healthz", method="POST")
    call(side, origin, "/echo/healthz", [("traceparent", SAMPLED)])  # respected
    call(side, origin, "/echo/ready?full=1", method="POST")
    call(side, origin, "/echo/a", method="POST")
    call(side, origin, "/echo/b")
    spans = sink.wait(2)
    assert len(sink.quiet()) == 2
    assert sorted(span["attributes"]["url.full"].partition("/echo")[2] for span in spans) == ["/a", "/healthz"]
    wait_for("requests", lambda: side.metrics().total("sidespan_requests_total") == 5)


def test_a_rule_counts_for_what_is_inside_a_tunnel(intercepting, tls_origin, sink):
    rules = [{"match": {"host": "localhost", "path": "/echo/quiet"}, "ratio": 0}]
    side = intercepting({"sampling": {"head": {"rules": rules}}})
    host = f"{HOST}:{tls_origin.port}"
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        agent.get("/echo/quiet", host)
        agent.get("/echo/loud", host)
    sink.wait(1)
    assert [span["attributes"]["url.full"].partition("/echo")[2] for span in sink.quiet()] == ["/loud"]
