"""OTLP over gRPC: to a real Collector and to grpcio, which answers with every status there is. The books hold in each
case: emitted = exported + dropped for a reason + queued."""

import grpc
import pytest

from certificates import pem, private_pem
from grpc_sink import GrpcSink, Partial, Refusal, Silence
from otlp_sink import OtlpSink
from sidecar import exporting
from wire import Client, wait_for

# OTLP's own table (Specification, "OTLP/gRPC Response"): what may be taken later.
RETRYABLE = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
CODES = [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
FAST = {"limits": {"export_backoff": "20ms", "export_backoff_most": "50ms"}}


@pytest.fixture
def collector_by_grpc():
    sink = GrpcSink()
    yield sink
    sink.stop()


def by_grpc(endpoint, **more):
    config = exporting(endpoint)
    config["export"]["otlp"] |= {"protocol": "grpc"} | more
    return config | FAST


def calls(running, origin, count):
    with Client(running.egress) as client:
        for number in range(count):
            assert client.ask("GET", origin.url(f"/echo?{number}")).status == 200


def books(running):
    """(emitted, exported, {reason: dropped}, queued)"""
    found = running.metrics()
    dropped = {sample.labels["reason"]: int(sample.value) for sample in found.all("sidespan_spans_dropped_total")
               if sample.value}
    emitted, exported, queued = (int(found.total(f"sidespan_spans_{name}"))
                                 for name in ("emitted_total", "exported_total", "queued"))
    assert emitted == exported + sum(dropped.values()) + queued
    return emitted, exported, dropped, queued


def length_delimited(number, content):
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def retry_info(seconds, nanos=0):
    """A google.rpc.Status whose details say when to come again."""
    def varint(value):
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    duration = b"\x08" + varint(seconds) + b"\x10" + varint(nanos)
    detail = (length_delimited(1, b"type.googleapis.com/google.rpc.RetryInfo")
              + length_delimited(2, length_delimited(1, duration)))
    return b"\x08\x08" + length_delimited(2, b"later") + length_delimited(3, detail)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_collector_gets_each_span_once(sidecar, origin, collector_by_grpc, compression):
    running = sidecar(by_grpc(collector_by_grpc.endpoint, compression=compression, timeout="7s",
                              headers={"X-Tenant": "a"}))
    calls(running, origin, 50)
    spans = collector_by_grpc.wait(50)
    assert len({span["span_id"] for span in spans}) == len(spans) == 50
    wait_for("the books", lambda: books(running)[:2] == (50, 50))
    [first, *_] = collector_by_grpc.calls
    assert first.metadata["x-tenant"] == "a"
    assert first.metadata["user-agent"].startswith("sidespan/")
    assert 5 < first.remaining <= 7


@pytest.mark.parametrize("code", CODES)
def test_every_status(sidecar, origin, collector_by_grpc, code):
    collector_by_grpc.replies(Refusal(code))
    running = sidecar(by_grpc(collector_by_grpc.endpoint))
    calls(running, origin, 1)
    if code in RETRYABLE:
        assert len(collector_by_grpc.wait(1)) == 1
        wait_for("the books", lambda: books(running) == (1, 1, {}, 0))
        assert [call.answer for call in collector_by_grpc.calls] == [code, "OK"]
    else:
        wait_for("the books", lambda: books(running) == (1, 0, {"rejected": 1}, 0))
        assert [call.answer for call in collector_by_grpc.calls] == [code]


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "UNAVAILABLE"])
def test_a_collector_that_says_when_to_come_again(sidecar, origin, collector_by_grpc, code):
    collector_by_grpc.replies(Refusal(code, details=retry_info(0, 600_000_000)))
    running = sidecar(by_grpc(collector_by_grpc.endpoint))
    calls(running, origin, 1)
    collector_by_grpc.wait(1)
    first, second = collector_by_grpc.calls
    assert 0.6 <= second.at - first.at < 5
    wait_for("the books", lambda: books(running) == (1, 1, {}, 0))


def test_what_it_says_is_cut_to_the_limit(sidecar, origin, collector_by_grpc):
    collector_by_grpc.replies(Refusal("UNAVAILABLE", details=retry_info(3600)))
    config = by_grpc(collector_by_grpc.endpoint)
    running = sidecar(config | {"limits": config["limits"] | {"export_retry_after": "300ms"}})
    calls(running, origin, 1)
    collector_by_grpc.wait(1)
    first, second = collector_by_grpc.calls
    assert 0.3 <= second.at - first.at < 5


def test_a_partial_success(sidecar, origin, collector_by_grpc):
    collector_by_grpc.replies(Partial(1, "one was too old"))
    running = sidecar(by_grpc(collector_by_grpc.endpoint))
    calls(running, origin, 3)
    collector_by_grpc.wait(3)
    wait_for("the books", lambda: books(running) == (3, 2, {"rejected": 1}, 0))


def test_a_batch_that_is_too_large_is_halved(sidecar, origin):
    """grpcio's own refusal, in its own words."""
    sink = GrpcSink(max_receive_message_length=3000)
    try:
        config = by_grpc(sink.endpoint, compression="none")
        config["export"]["batch"] = {"delay": "400ms"}
        running = sidecar(config)
        calls(running, origin, 20)
        sink.wait(20)
        wait_for("the books", lambda: books(running) == (20, 20, {}, 0))
        assert len(sink.calls) > 4
    finally:
        sink.stop()


def test_a_collector_that_is_silent_is_asked_anew(sidecar, origin, collector_by_grpc):
    collector_by_grpc.replies(Silence(2))
    running = sidecar(by_grpc(collector_by_grpc.endpoint, timeout="500ms"))
    calls(running, origin, 1)
    assert len(collector_by_grpc.wait(1)) == 1
    first, second = collector_by_grpc.calls
    assert 0.4 < second.at - first.at < 1.9
    wait_for("the books", lambda: books(running) == (1, 1, {}, 0))


def test_a_collector_that_comes_back(sidecar, origin):
    first = GrpcSink()
    running = sidecar(by_grpc(first.endpoint))
    calls(running, origin, 1)
    first.wait(1)
    first.stop()
    calls(running, origin, 1)
    wait_for("a line about it", lambda: any("does not take spans" in line for line in running.lines))
    assert books(running)[3] == 1


def test_by_tls(sidecar, origin, authority, tmp_path):
    certificate, key = authority.leaf("localhost")
    credentials = grpc.ssl_server_credentials([(private_pem(key), pem(certificate))])
    sink = GrpcSink(credentials)
    try:
        endpoint = sink.endpoint.replace("127.0.0.1", "localhost")
        running = sidecar(by_grpc(endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}})
        calls(running, origin, 10)
        assert len(sink.wait(10)) == 10
    finally:
        sink.stop()


def test_who_answers_speaks_no_http2(sidecar, origin):
    """A collector's HTTP port, as a rule."""
    sink = OtlpSink()
    running = sidecar(by_grpc(sink.endpoint))
    calls(running, origin, 1)
    wait_for("a line about it", lambda: any("does not take spans" in line for line in running.lines))
    assert books(running)[3] == 1  # it waits
    sink.stop()


def test_a_real_collector(sidecar, origin, collector):
    running = sidecar(by_grpc(collector.grpc_endpoint))
    calls(running, origin, 1000)
    spans = collector.wait(1000)
    assert len({span["span_id"] for span in spans}) == len(spans) == 1000
    urls = {span["attributes"]["url.full"] for span in spans}
    assert urls == {origin.url(f"/echo?{number}") for number in range(1000)}
    wait_for("the books", lambda: books(running) == (1000, 1000, {}, 0))
