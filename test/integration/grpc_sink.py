"""An OTLP/gRPC receiver inside the test, by grpcio: it decodes what comes and answers as a test wants.

    sink = GrpcSink()
    sink.endpoint                               # http://127.0.0.1:PORT, for export.otlp.endpoint
    sink.replies(Refusal("UNAVAILABLE"), Partial(2, "too old"))
    sink.wait(3)                                # the accepted spans as plain dicts (spans.py)

Scripted replies are used up one a request; when none is left, the answer is the empty success. `requests` has every
call: its metadata, its spans, the time the caller gives it, and what it was answered with ("OK" or the status).
"""

import threading
import time
from concurrent import futures
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

import spans as plain
from wire import wait_for

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass
class Refusal:
    code: str
    message: str = "no"
    details: bytes = None  # google.rpc.Status


@dataclass
class Partial:
    rejected: int
    message: str


@dataclass
class Silence:
    seconds: float


@dataclass
class Call:
    metadata: dict
    spans: list
    remaining: float
    at: float = field(default_factory=time.monotonic)
    answer: str = "OK"


class GrpcSink(grpc.GenericRpcHandler):
    def __init__(self, credentials=None, **options):
        self.calls, self._spans, self._replies = [], [], []
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[self],
                                   options=[(f"grpc.{name}", value) for name, value in options.items()])
        self.port = (self._server.add_secure_port("127.0.0.1:0", credentials) if credentials
                     else self._server.add_insecure_port("127.0.0.1:0"))
        self.endpoint = f"http{'s' if credentials else ''}://127.0.0.1:{self.port}"
        self._server.start()

    def service(self, details):
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(self._export)

    def _export(self, request, context):
        document = service.ExportTraceServiceRequest.FromString(request)
        call = Call(dict(context.invocation_metadata()), plain.from_protobuf(document), context.time_remaining())
        with self._lock:
            self.calls.append(call)
            reply = self._replies.pop(0) if self._replies else None
        if isinstance(reply, Silence):
            call.answer = "nothing"
            time.sleep(reply.seconds)
            context.abort(grpc.StatusCode.ABORTED, "too late")
        if isinstance(reply, Refusal):
            call.answer = reply.code
            if reply.details is not None:
                context.set_trailing_metadata((("grpc-status-details-bin", reply.details),))
            context.abort(grpc.StatusCode[reply.code], reply.message)
        answer = service.ExportTraceServiceResponse()
        if isinstance(reply, Partial):
            answer.partial_success.rejected_spans = reply.rejected
            answer.partial_success.error_message = reply.message
        with self._lock:
            self._spans += call.spans
        return answer.SerializeToString()

    def replies(self, *replies):
        with self._lock:
            self._replies += replies

    @property
    def spans(self):
        with self._lock:
            return list(self._spans)

    def wait(self, count, timeout=20.0):
        wait_for(f"{count} spans", lambda: len(self.spans) >= count, timeout)
        return self.spans

    def stop(self):
        self._server.stop(None)
