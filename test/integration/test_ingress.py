"""The ingress in front of real servers: what passes, what the server and the span see of it, and what fails how."""

import asyncio
import json
import socket
import subprocess
import threading
import time
from concurrent import futures

import grpc
import pytest
from aiohttp import web
from websockets.sync.client import connect as dial
from websockets.sync.server import serve

from agent_server import AgentServer, behind
from h2_origin import H2Client
from origin import CLOSE, OK
from peers import missing
from sidecar import merged
from wire import Client, Truncated, ask, connect, head, wait_for

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CONTEXT = ("traceparent", f"00-{TRACE}-{PARENT}-01")


@pytest.fixture
def server():
    server = AgentServer()
    yield server
    server.stop()


def curl(*arguments, body=None):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--max-time", "20", *arguments], input=body, capture_output=True, check=True)
    return done.stdout


def url(side, path="/"):
    return "http://%s:%d%s" % (*side.ingress, path)


def test_one_request_is_one_span_of_the_server(sidecar, origin, sink):
    side = sidecar(behind(origin.port))
    answer = ask(side.ingress, "GET", "/echo?q=1&token=secret",
                 [CONTEXT, ("tracestate", "a=1"), ("X-Forwarded-For", "203.0.113.9"), ("User-Agent", "tester/1")],
                 host="agent.example:8443")
    assert answer.status == 200
    span, = sink.wait(1)
    assert (span["kind"], span["name"], span["status"]) == ("SERVER", "GET", "UNSET")
    assert (span["trace_id"], span["parent_id"], span["tracestate"]) == (TRACE, PARENT, "a=1")
    found = span["attributes"]
    expected = {"http.request.method": "GET", "http.response.status_code": 200, "url.scheme": "http",
                "url.path": "/echo", "url.query": "q=1&token=REDACTED", "server.address": "agent.example",
                "server.port": 8443, "client.address": "203.0.113.9", "network.peer.address": "127.0.0.1",
                "network.protocol.version": "1.1", "user_agent.original": "tester/1", "sidespan.mode": "ingress",
                "sidespan.parent.source": "wire", "sidespan.execution.id": span["span_id"],
                "sidespan.execution.source": "ingress", "sidespan.end": "complete"}
    assert expected.items() <= found.items()
    assert not {"url.full", "http.route", "error.type", "http.request.resend_count"} & found.keys()
    request, = origin.requests
    assert request.target == "/echo?q=1&token=secret"
    assert sorted(name for name, _ in request.headers) == [
        "Host", "User-Agent", "X-Forwarded-For", "traceparent", "tracestate"]
    assert request.get("host") == "agent.example:8443" and request.get("x-forwarded-for") == "203.0.113.9"
    assert request.get("traceparent") == f"00-{TRACE}-{span['span_id']}-01"


def test_where_a_request_goes_does_not_depend_on_what_it_names(sidecar, origin, sink):
    side = sidecar(behind(origin.port))
    shown = json.loads(ask(side.ingress, "GET", "http://elsewhere.example/echo", host="other.example").body)
    assert shown["target"] == "/echo" and dict(shown["headers"])["Host"] == "elsewhere.example"
    assert json.loads(ask(side.ingress, "OPTIONS", "*", host="any.example").body)["target"] == "*"
    with Client(side.ingress) as client:  # HTTP/1.0 names no host
        client.send(b"GET /echo HTTP/1.0\r\n\r\n")
        shown = json.loads(client.response().body)
    assert dict(shown["headers"])["Host"] == f"127.0.0.1:{origin.port}"
    spans = sink.wait(3)
    assert [span["attributes"].get("server.address") for span in spans] == ["elsewhere.example", "any.example", None]
    assert spans[2]["attributes"]["network.protocol.version"] == "1.0"


def test_a_tunnel_is_refused(sidecar, origin, sink):
    side = sidecar(behind(origin.port))
    authority = f"127.0.0.1:{origin.port}"
    answer = ask(side.ingress, "CONNECT", authority, host=authority)
    assert answer.status == 501 and b"opens no tunnels" in answer.body
    assert not sink.quiet() and not origin.requests


def test_bodies_of_any_kind(sidecar, origin, sink):
    side = sidecar(behind(origin.port))
    with Client(side.ingress) as client:
        client.send(head("POST /echo HTTP/1.1", ["Host: h", "Transfer-Encoding: chunked", "Trailer: X-Sum"])
                    + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n")
        shown = json.loads(client.response().body)
        assert shown["body"] == "abcdefg" and shown["trailers"] == [["X-Sum", "7"]]
        answer = client.ask("GET", "/chunked/4", host="h")
        assert len(answer.body) == 40 and answer.chunks and answer.trailers == [("X-Chunks", "4")]
        assert len(client.ask("GET", "/bytes/3000000", host="h").body) == 3_000_000
        assert client.ask("HEAD", "/bytes/5", host="h").get("content-length") == "5"
        answer = client.ask("GET", "/interim/2", host="h")
        assert [one.status for one in answer.interim] == [103, 103] and answer.body == b"final"
        client.send(head("POST /echo HTTP/1.1", ["Host: h", "Content-Length: 2", "Expect: 100-continue"]))
        assert client.reader.head().status == 100
        client.send(b"ok")
        assert json.loads(client.response().body)["body"] == "ok"
    first = sink.wait(6)[0]["attributes"]
    assert first["http.request.body.size"] == 7


def test_an_answer_in_pieces_comes_in_pieces(sidecar, origin, sink):
    side, gate = sidecar(behind(origin.port)), threading.Event()
    origin.answer("/stream", [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                              b"8\r\ndata: 1\n\r\n", lambda sock, reader, request: gate.wait(20), b"0\r\n\r\n"])
    with Client(side.ingress) as client:
        client.send(head("GET /stream HTTP/1.1", ["Host: h"]))
        client.reader.until(b"data: 1\n")  # while the server still has the rest
        gate.set()
        client.reader.until(b"0\r\n\r\n")
    assert sink.wait(1)[0]["attributes"]["sidespan.end"] == "complete"


def test_curl_and_a_server_of_pythons(sidecar, server, sink):
    side = sidecar(behind(server.port))
    big = b"b" * 1_000_000
    assert curl("--data-binary", "@-", url(side, "/upload"), body=big) == big
    assert curl("--http2-prior-knowledge", "-H", "Host: agent.example", url(side, "/two")) == b"done"
    assert curl("--http2-prior-knowledge", "--data-binary", "@-", url(side, "/upload2"), body=big) == big
    spans = {span["attributes"]["url.path"]: span["attributes"] for span in sink.wait(3)}
    assert spans["/upload"]["network.protocol.version"] == "1.1"
    assert spans["/two"]["network.protocol.version"] == "2"
    assert spans["/two"]["server.address"] == "agent.example"
    assert server.seen["/two"]["Host"] == "agent.example"
    assert spans["/upload2"]["http.request.body.size"] == spans["/upload2"]["http.response.body.size"] == len(big)


@pytest.fixture
def aiohttp_server():
    """An asyncio server, run by its own loop: an answer in pieces and a WebSocket."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    place = {}

    async def stream(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for piece in request.content.iter_any():
            await answer.write(piece)
        await answer.write_eof()
        return answer

    async def talk(request):
        peer = web.WebSocketResponse()
        await peer.prepare(request)
        place["traceparent"] = request.headers["traceparent"]
        async for message in peer:
            await peer.send_str(message.data + "!")
        return peer

    async def start():
        app = web.Application()
        app.add_routes([web.post("/stream", stream), web.get("/talk", talk)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        place["port"] = site._server.sockets[0].getsockname()[1]
        ready.set()

    def work():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(20)
    yield place
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_a_server_of_asyncio(sidecar, aiohttp_server, sink):
    side = sidecar(behind(aiohttp_server["port"]))
    sent = b"p" * 300_000
    assert curl("-H", "Transfer-Encoding: chunked", "--data-binary", "@-", url(side, "/stream"), body=sent) == sent
    with dial("ws://%s:%d/talk" % side.ingress, proxy=None) as client:
        client.send("hello")
        assert client.recv(timeout=20) == "hello!"
    posted, talked = sink.wait(2)
    assert posted["attributes"]["http.response.body.size"] == len(sent)
    assert talked["attributes"]["http.response.status_code"] == 101 and talked["status"] == "UNSET"
    assert talked["attributes"]["sidespan.bytes.received"] > 0
    assert aiohttp_server["traceparent"].split("-")[2] == talked["span_id"]


def test_a_websocket_to_a_server_that_speaks_nothing_else(sidecar, sink):
    server = serve(lambda peer: [peer.send(message[::-1]) for message in peer], "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    side = sidecar(behind(server.socket.getsockname()[1]))
    with dial("ws://%s:%d/" % side.ingress, proxy=None) as client:
        for text in ("abc", "x" * 100_000):
            client.send(text)
            assert client.recv(timeout=20) == text[::-1]
    server.shutdown()
    assert sink.wait(1)[0]["attributes"]["sidespan.mode"] == "ingress"


class Echo(grpc.GenericRpcHandler):
    parents = {}

    def service(self, details):
        self.parents[details.method] = dict(details.invocation_metadata).get("traceparent")

        def refuse(message, context):
            context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")

        def fail(message, context):
            context.abort(grpc.StatusCode.INTERNAL, "broken")

        return {
            "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(lambda message, context: message),
            "/test.Echo/Both": grpc.stream_stream_rpc_method_handler(lambda many, context: many),
            "/test.Echo/Refuse": grpc.unary_unary_rpc_method_handler(refuse),
            "/test.Echo/Fail": grpc.unary_unary_rpc_method_handler(fail),
            "/grpc.health.v1.Health/Check": grpc.unary_unary_rpc_method_handler(lambda message, context: b"\x08\x01"),
        }.get(details.method)


@pytest.fixture
def echo():
    handler = Echo()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((handler,))
    handler.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler
    server.stop(0)


def test_grpc(sidecar, echo, sink):
    side = sidecar(behind(echo.port))
    with grpc.insecure_channel("%s:%d" % side.ingress, options=[("grpc.enable_http_proxy", 0)]) as channel:
        assert channel.unary_unary("/test.Echo/Unary")(b"a" * 200_000, metadata=[CONTEXT], timeout=20) == b"a" * 200_000
        many = [b"%d" % i for i in range(50)]
        assert list(channel.stream_stream("/test.Echo/Both")(iter(many), timeout=20)) == many
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=20) == b"\x08\x01"
        for method, code in (("Refuse", "NOT_FOUND"), ("Fail", "INTERNAL")):
            with pytest.raises(grpc.RpcError) as failure:
                channel.unary_unary(f"/test.Echo/{method}")(b"", timeout=20)
            assert failure.value.code().name == code
    unary, both, refuse, fail = sink.wait(4)
    assert (unary["kind"], unary["name"], unary["trace_id"], unary["parent_id"]) == (
        "SERVER", "test.Echo/Unary", TRACE, PARENT)
    assert unary["attributes"]["rpc.system.name"] == "grpc" and unary["attributes"]["rpc.status_code"] == "OK"
    assert echo.parents["/test.Echo/Unary"] == f"00-{TRACE}-{unary['span_id']}-01"
    assert both["name"] == "test.Echo/Both"
    # What the caller did wrong is no error of the server's.
    assert (refuse["attributes"]["rpc.status_code"], refuse["status"]) == ("NOT_FOUND", "UNSET")
    assert (fail["attributes"]["rpc.status_code"], fail["status"]) == ("INTERNAL", "ERROR")
    assert len(sink.quiet()) == 4  # health is a probe


def test_a_server_that_is_down(sidecar, origin, sink):
    side = sidecar(behind(origin.port))
    origin.stop()
    answer = ask(side.ingress, "GET", "/x", host="h")
    assert answer.status == 502 and answer.get("proxy-status") == "sidespan; error=connection_refused"
    span, = sink.wait(1)
    assert (span["kind"], span["status"], span["attributes"]["error.type"]) == ("SERVER", "ERROR", "connection_refused")


@pytest.mark.parametrize("status, outcome", [(404, "UNSET"), (429, "UNSET"), (500, "ERROR"), (503, "ERROR")])
def test_whose_error_a_status_is(sidecar, origin, sink, status, outcome):
    side = sidecar(behind(origin.port))
    assert ask(side.ingress, "GET", f"/status/{status}", host="h").status == status
    span, = sink.wait(1)
    assert span["status"] == outcome
    assert span["attributes"].get("error.type") == (str(status) if outcome == "ERROR" else None)


def test_a_stale_connection_to_the_server(sidecar, origin, sink):
    """A GET is asked again within its one span; a POST gets 502, since nobody can tell what became of it."""
    side = sidecar(behind(origin.port))
    for method, status in (("GET", 200), ("POST", 502)):
        path = f"/stale/{method}"
        origin.answer("/warm", [OK])
        origin.answer(path, [CLOSE], [OK])
        with Client(side.ingress) as client:
            assert client.ask("GET", "/warm", host="h").status == 200
            assert client.ask(method, path, host="h", body=b"" if method == "GET" else b"x").status == status
    spans = [span for span in sink.wait(4) if "stale" in span["attributes"]["url.path"]]
    assert [(span["attributes"].get("http.response.status_code"), span["status"]) for span in spans] == [
        (200, "UNSET"), (None, "ERROR")]
    asked, again = origin.seen("/stale/GET")
    assert asked.get("traceparent") == again.get("traceparent")
    assert asked.get("traceparent").split("-")[2] == spans[0]["span_id"]


@pytest.mark.parametrize("agent, path", [("kube-probe/1.31", "/"), ("tester/1", "/healthz"), ("GoogleHC/1.0", "/x")])
def test_probes_pass_and_leave_no_trace(sidecar, server, sink, agent, path):
    side = sidecar(behind(server.port))
    assert ask(side.ingress, "GET", path, [("User-Agent", agent), CONTEXT], host="h").status == 200
    assert server.seen[path]["traceparent"] == CONTEXT[1]
    assert not sink.quiet()
    assert side.metrics().total("sidespan_requests_total", listener="ingress", mode="ingress") == 1


def test_what_egress_may_not_reach_the_ingress_does(sidecar, server, origin, sink):
    side = sidecar(merged(behind(server.port), {"egress": {"deny": ["@local", "127.0.0.0/8"]}}))
    assert ask(side.egress, "GET", f"http://127.0.0.1:{server.port}/x").status == 403
    with Client(side.ingress) as client:
        assert client.ask("GET", "/x", host="h").status == 200
        # The connection that is kept for it is none for calls.
        assert ask(side.egress, "GET", f"http://localhost:{server.port}/x").status == 403
        assert client.ask("GET", "/x", host="h").status == 200


def test_a_name_that_leads_back_to_the_sidecar(sidecar):
    """What settings alone do not show is refused where the address is known."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, 1)
    except OSError:
        missing(f"an address for this machine's own name, {name}")
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
    side = sidecar({"listen": {"ingress": f"0.0.0.0:{port}"}, "ingress": {"forward_to": f"{name}:{port}"}})
    answer = ask(("127.0.0.1", port), "GET", "/x", host="h")
    assert answer.status == 508 and answer.get("proxy-status") == "sidespan; error=proxy_loop_detected"


def test_draining(sidecar, origin, sink):
    """The ingress closes at once, what is under way finishes, the egress goes on."""
    side, gate = sidecar(behind(origin.port)), threading.Event()
    origin.answer("/held", [b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nheld",
                            lambda sock, reader, request: gate.wait(20), b"free"])
    with Client(side.ingress) as client, Client(side.ingress) as idle:
        assert idle.ask("GET", "/echo", host="h").status == 200
        client.send(head("GET /held HTTP/1.1", ["Host: h"]))
        client.reader.until(b"held")
        side.terminate()
        wait_for("draining", lambda: ask(side.health, "GET", "/readyz", host="localhost").status == 503)
        assert idle.reader.head() is None
        wait_for("a refusal", lambda: is_refused(side.ingress))
        assert ask(side.egress, "GET", origin.url("/echo?last")).status == 200
        assert side.process.poll() is None
        gate.set()
        assert client.reader.exactly(4) == b"free"
        assert client.reader.head() is None
    assert side.process.wait(timeout=20) == 0
    assert {span["attributes"]["sidespan.end"] for span in sink.wait(3)} == {"complete"}


def is_refused(address):
    try:
        connect(address).close()
        return False
    except ConnectionRefusedError:
        return True


def test_a_client_that_goes_away_is_no_error(sidecar, origin, sink):
    side = sidecar(behind(origin.port))
    origin.answer("/slow", [lambda sock, reader, request: time.sleep(0.5), OK])
    with Client(side.ingress) as client:
        client.send(head("GET /slow HTTP/1.1", ["Host: h"]))
        wait_for("the request", lambda: origin.seen("/slow"))
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    span, = sink.wait(1)
    assert span["status"] == "UNSET" and span["attributes"]["sidespan.end"] == "agent_cancelled"


def test_metrics_and_the_access_log(sidecar, origin, sink):
    side = sidecar(merged(behind(origin.port), {"log": {"access": True}}))
    ask(side.ingress, "GET", "/echo?token=secret", host="agent.example")
    ask(side.egress, "GET", origin.url("/echo"))
    sink.wait(2)
    metrics = side.metrics()
    assert metrics.total("sidespan_requests_total", listener="ingress", mode="ingress", status_class="2xx") == 1
    assert metrics.total("sidespan_requests_total", listener="egress", mode="forward", status_class="2xx") == 1
    assert metrics.total("http_server_request_duration_seconds_count", http_request_method="GET", url_scheme="http",
                         http_response_status_code="200") == 1
    assert metrics.total("http_client_request_duration_seconds_count") == 1
    # Who asks the server is no call that has a parent or lacks one.
    assert metrics.total("sidespan_span_parents_total") == 1
    lines = [json.loads(line) for line in side.lines if '"request"' in line]
    served, called = sorted(lines, key=lambda line: line["mode"] != "ingress")
    assert (served["mode"], served["host"], served["path"], served["status"]) == (
        "ingress", "agent.example", "/echo?token=REDACTED", "200")
    assert called["mode"] == "forward"


def test_h2_streams_side_by_side(sidecar, origin, sink):
    side = sidecar(behind(origin.port))
    with H2Client(connect(side.ingress)) as client:
        for number in range(3):
            assert client.get("agent.example", f"/status/200/{number}").status == 200
    assert {span["attributes"]["network.protocol.version"] for span in sink.wait(3)} == {"2"}


def test_junk_is_answered_and_counted_as_the_ingress_s(sidecar, origin):
    side = sidecar(behind(origin.port))
    with Client(side.ingress) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert client.response().status == 400
        with pytest.raises(Truncated):
            client.response()
    wait_for("its count", lambda: side.metrics().total("sidespan_requests_total", listener="ingress",
                                                       status_class="4xx") == 1)
