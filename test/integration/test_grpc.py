"""gRPC by grpcio, client and server unmodified: every kind of call is one span with its own name and status, by TLS
that is opened and without TLS. grpcio sends all its calls through a proxy by CONNECT."""

import base64
import gzip
import time
from concurrent import futures

import grpc
import h2.errors
import pytest

import peers
from certificates import pem, private_pem
from h2_origin import H2Client, H2Origin
from sidecar import exporting, run
from tunnel import HOST
from wire import connect

# What the client does; each prints what came of it. Bytes are messages: no code is generated.
CLIENT = """
import sys, grpc
target, ca = sys.argv[1], sys.argv[2]
if ca == "-":
    channel = grpc.insecure_channel(target)
else:
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials())
unary = channel.unary_unary("/test.Echo/Unary")
answer, call = unary.with_call(b"a few words", metadata=[("x-custom", "v"), ("x-bin", b"\\x00\\xff")], timeout=20)
print("unary", answer == b"a few words", dict(call.trailing_metadata())["x-trailing"])
print("large", len(unary(b"x" * 4_194_304, timeout=20)))
print("empty", unary(b"", timeout=20) == b"")
print("server", len(list(channel.unary_stream("/test.Echo/Down")(b"7", timeout=20))))
print("client", channel.stream_unary("/test.Echo/Up")(iter([b"a", b"b", b"c"]), timeout=20) == b"abc")
print("both", list(channel.stream_stream("/test.Echo/Both")(iter([b"1", b"2"]), timeout=20)) == [b"1", b"2"])
for path in ("Fail", "Missing"):
    try:
        channel.unary_unary("/test.Echo/" + path)(b"", timeout=20)
    except grpc.RpcError as error:
        print(path, error.code().name, error.details())
try:
    channel.unary_unary("/test.Echo/Slow")(b"", timeout=0.5)
except grpc.RpcError as error:
    print("deadline", error.code().name)
call = channel.unary_stream("/test.Echo/Endless")(b"", timeout=20)
print("first", next(call))
call.cancel()
print("cancelled", call.code().name)
print("gzip", channel.unary_unary("/test.Echo/Unary")(b"z" * 10000, compression=grpc.Compression.Gzip, timeout=20) == b"z" * 10000)
"""

SAID = """unary True t
large 4194304
empty True
server 7
client True
both True
Fail FAILED_PRECONDITION not now
Missing UNIMPLEMENTED Method not found!
deadline DEADLINE_EXCEEDED
first b'0'
cancelled CANCELLED
gzip True
"""

# The method's last part, its status (None: the agent ended it), messages each way (None: as it comes), in the order of
# the calls.
CALLS = [("Unary", "OK", 1, 1), ("Unary", "OK", 1, 1), ("Unary", "OK", 1, 1), ("Down", "OK", 1, 7), ("Up", "OK", 3, 1),
         ("Both", "OK", 2, 2), ("Fail", "FAILED_PRECONDITION", 1, 0), ("Missing", "UNIMPLEMENTED", None, 0),
         ("Slow", "DEADLINE_EXCEEDED", 1, 0), ("Endless", None, 1, None), ("Unary", "OK", 1, 1)]


class Echo(grpc.GenericRpcHandler):
    def __init__(self):
        self.parents = {}

    def service(self, details):
        self.parents.setdefault(details.method, []).append(dict(details.invocation_metadata).get("traceparent"))

        def unary(message, context):
            context.set_trailing_metadata([("x-trailing", "t")])
            return message

        def fail(message, context):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now")

        def slow(message, context):
            time.sleep(1.5)
            return message

        def endless(message, context):
            for i in range(1000):
                if not context.is_active():
                    return
                yield b"%d" % i
                time.sleep(0.01)

        return {
            "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(unary),
            "/test.Echo/Fail": grpc.unary_unary_rpc_method_handler(fail),
            "/test.Echo/Slow": grpc.unary_unary_rpc_method_handler(slow),
            "/test.Echo/Down": grpc.unary_stream_rpc_method_handler(lambda m, c: (m for _ in range(int(m)))),
            "/test.Echo/Endless": grpc.unary_stream_rpc_method_handler(endless),
            "/test.Echo/Up": grpc.stream_unary_rpc_method_handler(lambda many, c: b"".join(many)),
            "/test.Echo/Both": grpc.stream_stream_rpc_method_handler(lambda many, c: many),
        }.get(details.method)


@pytest.fixture(params=["tls", "plain"])
def echo(request, authority):
    handler = Echo()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((handler,))
    if request.param == "tls":
        certificate, key = authority.leaf(HOST)
        credentials = grpc.ssl_server_credentials([(private_pem(key), pem(certificate))])
        handler.port = server.add_secure_port(f"{HOST}:0", credentials)
    else:
        handler.port = server.add_insecure_port(f"{HOST}:0")
    handler.secure = request.param == "tls"
    server.start()
    yield handler
    server.stop(0)


def test_every_kind_of_call(echo, authority, sink, tmp_path):
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}}
    command = [peers.python(), "-c", CLIENT, f"{HOST}:{echo.port}", "ca" if echo.secure else "-"]
    done = run(tmp_path, command, config)
    assert done.stdout == SAID, done.stderr
    spans = [span for span in sink.wait(len(CALLS) + 1) if span["kind"] == "CLIENT"]
    root, = [span for span in sink.spans if span["kind"] == "INTERNAL"]
    assert [span["name"] for span in spans] == [f"test.Echo/{method}" for method, *_ in CALLS]
    for span, (method, status, sent, received) in zip(spans, CALLS):
        found = span["attributes"]
        assert found["rpc.system.name"] == "grpc" and found["rpc.method"] == f"test.Echo/{method}"
        # The agent's deadline ends it, whose clock is first or not.
        assert found["sidespan.grpc.timeout"] == pytest.approx(0.5 if method == "Slow" else 20, rel=0.1)
        assert found["sidespan.grpc.messages.sent"] == sent or sent is None
        assert found["sidespan.grpc.messages.received"] == received or received is None
        assert found.get("rpc.status_code") == status, method
        assert found["network.protocol.version"] == "2"
        assert found["sidespan.mode"] == ("intercept" if echo.secure else "forward")
        assert span["status"] == ("UNSET" if status in ("OK", None) else "ERROR")
        assert found.get("error.type") == (None if status in ("OK", None) else status)
        assert span["parent_id"] == root["span_id"]
        if status is None:
            assert found["sidespan.end"] == "agent_cancelled"
        mine = [parent for parent in echo.parents[f"/test.Echo/{method}"] if parent.split("-")[2] == span["span_id"]]
        assert len(mine) == 1


CHILD = """
import sys, grpc
name, value = sys.argv[2:]
with grpc.insecure_channel(sys.argv[1]) as channel:
    metadata = [(name, bytes.fromhex(value) if name.endswith("-bin") else value)]
    channel.unary_unary("/test.Echo/Unary")(b"a", metadata=metadata, timeout=20)
"""


@pytest.mark.parametrize("field, form", [("traceparent", "00-{}-{}-01"), ("grpc-trace-bin", "0000{}01{}0201")])
@pytest.mark.parametrize("echo", ["plain"], indirect=True)
def test_a_parent_in_metadata_is_the_parent(echo, field, form, sink, tmp_path):
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    command = [peers.python(), "-c", CHILD, f"{HOST}:{echo.port}", field, form.format(trace, parent)]
    config = exporting(sink.endpoint) | {"spans": {"rpc_status": "rpc.grpc.status_code"}}
    assert run(tmp_path, command, config).returncode == 0
    span, = [span for span in sink.wait(2) if span["kind"] == "CLIENT"]
    assert (span["trace_id"], span["parent_id"]) == (trace, parent)
    assert span["attributes"]["sidespan.parent.source"] == "wire"
    assert span["attributes"]["rpc.grpc.status_code"] == 0 and "rpc.status_code" not in span["attributes"]
    assert echo.parents["/test.Echo/Unary"] == [f"00-{trace}-{span['span_id']}-01"]


def test_answers_that_say_no_status(sidecar, sink):
    """One is whole, one is broken off by the server within its messages; grpcio's server does neither."""
    origin = H2Origin()
    side = sidecar()
    with H2Client(connect(side.egress)) as client:
        whole, broken = (client.get(f"127.0.0.1:{origin.port}", path, "POST", body=b"",
                                    headers=[("content-type", "application/grpc"), ("te", "trailers")])
                         for path in ("/echo", "/broken"))
    assert (whole.status, whole.error) == (200, None)
    assert (broken.status, broken.body) == (200, b"half") and broken.error is not None
    spans = sink.wait(2)
    assert [span["status"] for span in spans] == ["ERROR", "ERROR"]
    assert [span["attributes"]["error.type"] for span in spans] == ["UNKNOWN", "connection_reset"]
    assert [span["attributes"].get("rpc.status_code") for span in spans] == ["UNKNOWN", None]
    origin.stop()


class GivingUp(H2Origin):
    """A message, and in the same write CANCEL: so a server ends a call whose deadline it has seen pass."""

    def _answer(self, connection, queues, stream, request):
        connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        connection.send_data(stream, framed(b"half"))
        connection.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)


def test_a_server_s_cancel_is_one_to_the_client_behind_what_came_with_it(sidecar, sink):
    origin = GivingUp()
    with H2Client(connect(sidecar().egress)) as client:
        answer = client.get(f"127.0.0.1:{origin.port}", "/a.B/C", "POST", body=framed(b"all"),
                            headers=[("content-type", "application/grpc"), ("te", "trailers")])
    assert (answer.body, answer.error) == (framed(b"half"), h2.errors.ErrorCodes.CANCEL)
    found = sink.wait(1)[0]["attributes"]
    assert (found["error.type"], found["sidespan.end"]) == ("cancelled", "origin_closed")
    origin.stop()


@pytest.mark.parametrize("others", ["remove", "rewrite"])
def test_the_binary_form_names_no_other_span_than_ours(sidecar, sink, others):
    """grpcio shows the field to nobody, so that an origin of ours looks."""
    origin = H2Origin()
    side = sidecar({"propagation": {"others": others}})
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    binary = base64.b64encode(bytes.fromhex(f"0000{trace}01{parent}0201")).decode().rstrip("=")
    with H2Client(connect(side.egress)) as client:
        client.get(f"127.0.0.1:{origin.port}", "/trailers", "POST", body=b"",
                   headers=[("content-type", "application/grpc"), ("te", "trailers"), ("grpc-trace-bin", binary)])
    span, = sink.wait(1)
    assert (span["trace_id"], span["parent_id"]) == (trace, parent)
    seen = origin.requests[0].get("grpc-trace-bin")
    mine = bytes.fromhex(f"0000{trace}01{span['span_id']}0201")
    assert (seen and base64.b64decode(seen)) == (mine if others == "rewrite" else None)
    origin.stop()


class Packing(H2Origin):
    """Gives the messages back as they came."""

    def _answer(self, connection, queues, stream, request):
        fields = [(":status", "200"), *((name, request.get(name)) for name in ("content-type", "grpc-encoding"))]
        connection.send_headers(stream, fields)
        queues[stream] = bytearray(request.body), [("grpc-status", "0")]


PACKED = """
import sys, grpc
with grpc.insecure_channel(sys.argv[1], compression=grpc.Compression.Gzip) as channel:
    print(channel.unary_unary("/test.Echo/Unary")(b"z" * 10000, timeout=20) == b"z" * 10000)
"""


def framed(message, packed=False):
    data = gzip.compress(message) if packed else message
    return bytes([packed]) + len(data).to_bytes(4) + data


def test_packed_messages_stay_packed(sink, tmp_path):
    origin = Packing()
    done = run(tmp_path, [peers.python(), "-c", PACKED, f"{HOST}:{origin.port}"], exporting(sink.endpoint))
    assert done.stdout == "True\n", done.stderr
    request, = origin.requests
    assert request.get("grpc-encoding") == "gzip" and "gzip" in request.get("grpc-accept-encoding")
    assert request.body[0] == 1 and int.from_bytes(request.body[1:5]) == len(request.body) - 5 < 1000
    assert gzip.decompress(request.body[5:]) == b"z" * 10000
    span, = [span for span in sink.wait(2) if span["kind"] == "CLIENT"]
    assert [span["attributes"][f"sidespan.grpc.messages.{way}"] for way in ("sent", "received")] == [1, 1]
    assert span["attributes"]["rpc.status_code"] == "OK"
    origin.stop()


def test_packed_messages_pass_to_the_byte(sidecar, sink):
    """Beside one that is not, whose flag says so."""
    origin = Packing()
    body = framed(b"one " * 20_000, True) + framed(b"two") + framed(b"", True)
    with H2Client(connect(sidecar().egress)) as client:
        answer = client.get(f"127.0.0.1:{origin.port}", "/test.Echo/Both", "POST", body=body, headers=[
            ("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "gzip")])
    assert origin.requests[0].body == answer.body == body
    assert origin.requests[0].get("grpc-encoding") == answer.get("grpc-encoding") == "gzip"
    found = sink.wait(1)[0]["attributes"]
    assert (found["sidespan.grpc.messages.sent"], found["sidespan.grpc.messages.received"]) == (3, 3)
    origin.stop()
