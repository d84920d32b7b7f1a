"""OTLP over gRPC when HTTP/2 and TLS go wrong below it: what the collector acknowledged is sent once, what it did not is
sent again, and nothing is lost. The collector here speaks HTTP/2 by the library h2, so that it can break off anywhere."""

import struct
import threading
import time

import grpc
import h2.errors
import pytest
from hyperframe.frame import GoAwayFrame
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

import spans as plain
from certificates import pem, private_pem, write
from collector import Collector
from grpc_sink import GrpcSink
from h2_origin import H2Origin
from test_export_grpc import books, by_grpc, calls
from wire import wait_for

# What becomes of an export: acknowledged, or one of these.
OK, REFUSED, UNSEEN, SEEN, LAST, DEAF = "ok", "refused", "unseen", "seen", "last", "deaf"


class Collecting(H2Origin):
    """Scripted: what happens to each export in turn, OK when none is left. `spans`: the acknowledged ones."""

    def __init__(self, *script, tls=None):
        self.script, self.spans, self.fates, self.at = list(script), [], [], []
        self.now = threading.local()  # a thread a connection
        super().__init__(tls=tls)

    @property
    def endpoint(self):
        return self.url("").rstrip("/")

    def _take(self, connection, streams, queues, event, number):
        self.now.fate = None
        super()._take(connection, streams, queues, event, number)
        stream = getattr(event, "stream_id", None)
        fate = self.now.fate
        if fate in (UNSEEN, SEEN):
            self.now.leaves = True
        if fate == UNSEEN:  # a GOAWAY that does not have it: not begun
            return GoAwayFrame(0, last_stream_id=max(0, stream - 2)).serialize()
        if fate in (SEEN, LAST):
            return GoAwayFrame(0, last_stream_id=stream).serialize()
        return None

    def _answer(self, connection, queues, stream, request):
        fate = self.now.fate = self.script.pop(0) if self.script else OK
        self.fates.append(fate)
        self.at.append((time.monotonic(), request.connection))
        if fate == DEAF:
            raise Deafness
        if fate == REFUSED:
            return connection.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
        if fate in (OK, LAST):
            size, = struct.unpack("!I", request.body[1:5])
            assert len(request.body) == 5 + size
            self.spans += plain.from_protobuf(service.ExportTraceServiceRequest.FromString(request.body[5:]))
            connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
            connection.send_data(stream, bytes(5))
            connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        return None

    def _speak(self, sock, number):
        try:
            super()._speak(sock, number)
        except Deafness:
            time.sleep(60)

    def _pour(self, connection, queues):
        super()._pour(connection, queues)
        if getattr(self.now, "leaves", False):
            raise OSError("it goes away")


class Deafness(Exception):
    """From now on nothing is read and nothing said, and the connection stays."""


@pytest.fixture
def collecting():
    made = []

    def make(*script, **how):
        made.append(Collecting(*script, **how))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def plainly(endpoint, **more):
    config = by_grpc(endpoint, compression="none", **more)
    config["export"]["batch"] = {"delay": "50ms"}
    return config


@pytest.mark.parametrize("script, exports", [
    ([REFUSED], [REFUSED, OK]),
    ([OK, REFUSED, REFUSED, REFUSED], [OK, REFUSED, REFUSED, REFUSED, OK]),
    ([UNSEEN], [UNSEEN, OK]),
    ([OK, UNSEEN, UNSEEN], [OK, UNSEEN, UNSEEN, OK]),
    ([SEEN], [SEEN, OK]),
    ([LAST], [LAST]),
    ([LAST, LAST, SEEN], [LAST, LAST, SEEN, OK]),
], ids=["refused", "refused again and again", "GOAWAY before it", "GOAWAY twice before it", "GOAWAY without an answer",
        "GOAWAY and the answer", "GOAWAY after each"])
def test_a_span_comes_once_where_it_was_acknowledged_and_again_where_not(sidecar, origin, collecting, script, exports):
    sink = collecting(*script)
    running = sidecar(plainly(sink.endpoint))
    count = sum(fate in (OK, LAST) for fate in exports)
    for number in range(1, count + 1):
        calls(running, origin, 1)
        wait_for(f"{number} spans", lambda: len(sink.spans) == number)
    wait_for("the books", lambda: books(running) == (count, count, {}, 0))
    time.sleep(0.3)  # for one too many
    assert sink.fates == exports
    assert len({span["span_id"] for span in sink.spans}) == len(sink.spans) == count


# By the export's own time, and by PING long before that is over.
@pytest.mark.parametrize("timeout, limits", [
    ("700ms", {}),
    ("60s", {"h2_ping_time": "300ms", "h2_ping_answer_time": "400ms"}),
], ids=["timeout", "ping"])
def test_a_connection_that_died_silently_while_it_was_idle(sidecar, origin, collecting, timeout, limits):
    """The export goes out again on another connection."""
    sink = collecting(OK, DEAF)
    config = plainly(sink.endpoint, timeout=timeout)
    config["limits"] = config["limits"] | limits
    running = sidecar(config)
    for number in (1, 2, 3):
        calls(running, origin, 1)
        wait_for(f"{number} spans", lambda: len(sink.spans) == number)
    assert sink.fates == [OK, DEAF, OK, OK]
    first, dead, *rest = [connection for _, connection in sink.at]
    assert first == dead and dead not in rest
    assert 0.6 < sink.at[2][0] - sink.at[1][0] < 5
    wait_for("the books", lambda: books(running) == (3, 3, {}, 0))
    assert len({span["span_id"] for span in sink.spans}) == 3


def mutual(authority):
    """What gRPC's servers take to want a certificate of their clients."""
    certificate, key = authority.leaf("localhost")
    return grpc.ssl_server_credentials([(private_pem(key), pem(certificate))], root_certificates=authority.pem.read_bytes(),
                                       require_client_auth=True)


def with_certificate(authority, host="localhost"):
    certificate, key = authority.client_files("exporter")
    return {"tls": {"trust": {"certificates": [str(authority.pem)]}, "client_certificates": [
        {"match": [host], "certificate": str(certificate), "key": str(key)}]}}


def test_a_collector_that_wants_our_certificate(sidecar, origin, authority):
    sink = GrpcSink(mutual(authority))
    try:
        running = sidecar(by_grpc(sink.endpoint.replace("127.0.0.1", "localhost")) | with_certificate(authority))
        calls(running, origin, 10)
        spans = sink.wait(10)
        assert len({span["span_id"] for span in spans}) == len(spans) == 10
        wait_for("the books", lambda: books(running) == (10, 10, {}, 0))
    finally:
        sink.stop()


def test_a_collector_that_wants_a_certificate_that_we_do_not_have(sidecar, origin, authority):
    """Nothing is lost, and the log says what is missing."""
    sink = GrpcSink(mutual(authority))
    try:
        running = sidecar(by_grpc(sink.endpoint.replace("127.0.0.1", "localhost"))
                          | {"tls": {"trust": {"certificates": [str(authority.pem)]}}, "drain": {"deadline": "1s"}})
        calls(running, origin, 1)
        wait_for("a line about it", lambda: any("does not take spans" in line for line in running.lines))
        assert books(running) == (1, 0, {}, 1) and not sink.spans
    finally:
        sink.stop()


def test_a_collector_whose_certificate_nobody_trusts(sidecar, origin, authority):
    """It gets no span; they wait, agents notice nothing, and the log says whose certificate it is."""
    certificate, key = authority.leaf("localhost")
    sink = GrpcSink(grpc.ssl_server_credentials([(private_pem(key), pem(certificate))]))
    try:
        running = sidecar(by_grpc(sink.endpoint.replace("127.0.0.1", "localhost")) | {"drain": {"deadline": "1s"}})
        calls(running, origin, 5)
        wait_for("a line about it", lambda: any("does not take spans" in line and "certificate" in line
                                                for line in running.lines))
        calls(running, origin, 5)
        wait_for("the books", lambda: books(running) == (10, 0, {}, 10))
        assert not sink.spans
    finally:
        sink.stop()


@pytest.mark.parametrize("wants_ours", [False, True])
def test_a_real_collector_by_tls(sidecar, origin, authority, tmp_path, wants_ours):
    leaf, private = authority.leaf("localhost")
    certificate, key = write(tmp_path, "collector", [leaf], private)
    collector = Collector(tmp_path, tls={"cert_file": str(certificate), "key_file": str(key)} | (
        {"client_ca_file": str(authority.pem)} if wants_ours else {}))
    try:
        endpoint = collector.grpc_endpoint.replace("127.0.0.1", "localhost")
        running = sidecar(by_grpc(endpoint) | with_certificate(authority))
        calls(running, origin, 200)
        spans = collector.wait(200)
        assert {span["attributes"]["url.full"] for span in spans} == {origin.url(f"/echo?{n}") for n in range(200)}
        assert len({span["span_id"] for span in spans}) == len(spans) == 200
        wait_for("the books", lambda: books(running) == (200, 200, {}, 0))
    finally:
        collector.stop()
