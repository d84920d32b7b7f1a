"""An OTLP/HTTP receiver inside the test: it decodes what comes and answers as a test wants.

    sink = OtlpSink()
    sink.endpoint                          # http://127.0.0.1:PORT, for export.otlp.endpoint
    sink.replies(Reply(503, {"Retry-After": "1"}), Reply.partial(2, "two were too old"))
    sink.wait(3)                           # the accepted spans as plain dicts (spans.py), once there are three

Scripted replies are used up one a request; when none is left, the answer is the empty success. Spans count as accepted
when the answer's status is 200 (a partial success, too: which ones it rejected is the receiver's own business).
`requests` has every POST: path, headers, compressed and plain size, its spans, and the status it was answered with.
"""

import gzip
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

import spans as plain
from wire import wait_for

PROTOBUF = "application/x-protobuf"


@dataclass
class Reply:
    """What one export is answered with. `hang_up` ends the connection instead."""

    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0
    hang_up: bool = False

    @classmethod
    def partial(cls, rejected, message):
        """A partial success: status 200, but so many spans were rejected."""
        answer = service.ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = rejected
        answer.partial_success.error_message = message
        return cls(headers={"Content-Type": PROTOBUF}, body=answer.SerializeToString())

    @classmethod
    def huge(cls, size=8 << 20):
        """An answer far larger than any OTLP answer: an unknown field that a reader has to skip."""
        length = bytearray()
        rest = size
        while rest > 127:
            length.append(rest & 127 | 128)
            rest >>= 7
        length.append(rest)
        return cls(headers={"Content-Type": PROTOBUF}, body=b"\x7a" + bytes(length) + b"z" * size)


@dataclass
class Export:
    path: str
    headers: dict  # names in lower case
    wire_size: int
    plain_size: int
    spans: list
    status: int
    at: float  # time.monotonic() of its arrival


class OtlpSink:
    def __init__(self, host="127.0.0.1", port=0, tls=None):
        """`tls`: an ssl.SSLContext."""
        self.requests = []
        self.faults = []  # what was wrong with a request, for the test that ends with `assert not sink.faults`
        self._spans = []
        self._replies = []
        self._lock = threading.Lock()
        self._server = _Server((host, port), _Handler)
        self._server.sink = self
        self._scheme = "https" if tls else "http"
        if tls:  # the handshake in the connection's own thread
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def endpoint(self):
        host, port = self._server.server_address[:2]
        return f"{self._scheme}://{host}:{port}"

    @property
    def spans(self):
        with self._lock:
            return list(self._spans)

    def replies(self, *replies):
        with self._lock:
            self._replies += replies

    def wait(self, count, timeout=20.0, where=lambda span: True):
        """The accepted spans for which `where` holds, once there are at least `count`."""

        def enough():
            found = [span for span in self.spans if where(span)]
            return found if len(found) >= count else None

        try:
            return wait_for(f"{count} spans", enough, timeout)
        except AssertionError as short:
            names = [span["name"] for span in self.spans]
            raise AssertionError(f"{short}; there are {len(names)}: {names[:20]}; faults: {self.faults}") from None

    def quiet(self, seconds=0.3):
        """Waits until nothing has come for that long, and returns all spans: for tests that count exactly."""
        while True:
            before = len(self.requests)
            time.sleep(seconds)
            if len(self.requests) == before:
                return self.spans

    def clear(self):
        with self._lock:
            self._spans.clear()
            self.requests.clear()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def _next_reply(self):
        with self._lock:
            return self._replies.pop(0) if self._replies else Reply(headers={"Content-Type": PROTOBUF})

    def _accept(self, export):
        with self._lock:
            self.requests.append(export)
            if export.status == 200:
                self._spans += export.spans


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that goes away in the middle is what some tests are about, not a fault of the sink."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        at = time.monotonic()
        wire = self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        data = gzip.decompress(wire) if headers.get("content-encoding") == "gzip" else wire
        reply = self.server.sink._next_reply()
        export = Export(self.path, headers, len(wire), len(data), self._decode(data, headers), reply.status, at)
        time.sleep(reply.delay)
        if reply.hang_up:
            export.status = 0
        self.server.sink._accept(export)
        if reply.hang_up:
            self.close_connection = True
        else:
            self._send(reply)

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _decode(self, data, headers):
        faults = self.server.sink.faults
        if headers.get("content-type") != PROTOBUF:
            faults.append(f"content-type is {headers.get('content-type')}")
        if self.path != "/v1/traces":
            return []
        try:
            return plain.from_protobuf(service.ExportTraceServiceRequest.FromString(data))
        except (DecodeError, AssertionError, UnicodeDecodeError) as wrong:
            faults.append(str(wrong))
            return []

    def _send(self, reply):
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_):
        pass
