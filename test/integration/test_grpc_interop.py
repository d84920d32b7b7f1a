"""gRPC between its own implementations, each unmodified: grpcio, grpc-go and grpc-js, every one as client and as
server, by TLS that is opened and without TLS. The cases are the public interoperability cases, of a service of ours.

sidespan.test.Interop: `Unary` gives its message back, `x-echo` as head and `x-echo-bin` as trailer; `Up` counts bytes;
`Down` sends "COUNT,SIZE"; `Both` echoes each message; `Fail` is FAILED_PRECONDITION with its message as text; `Slow`
answers after three seconds. A client prints `CASE STATUS …`, one line a case; a server prints `call METHOD TRACEPARENT`.
"""

import subprocess
import threading

import pytest

import peers
from certificates import pem, private_pem
from sidecar import exporting, run
from wire import outward_address, wait_for

TEXT = "näh: 不行 😀\n\tend".encode().hex()
UNARY, UP, DOWN, BOTH = (f"sidespan.test.Interop/{name}" for name in ("Unary", "Up", "Down", "Both"))
# What a client prints; the method; the status that passes the sidecar, None where the agent leaves before there is one;
# messages each way (None: the answer may come before the message).
CASES = [
    ("empty 0 0", UNARY, "OK", 1, 1),
    ("large 0 300000", UNARY, "OK", 1, 1),
    ("up 0 101020", UP, "OK", 3, 1),
    ("down 0 5", DOWN, "OK", 1, 5),
    ("both 0 3", BOTH, "OK", 3, 3),
    ("pingpong 0 4", BOTH, "OK", 4, 4),
    ("cancel_begin 1", UP, None, 0, 0),
    ("cancel_first 1 1", BOTH, None, 1, 1),
    ("deadline 4", "sidespan.test.Interop/Slow", "DEADLINE_EXCEEDED", 1, 0),
    (f"status 9 {TEXT}", "sidespan.test.Interop/Fail", "FAILED_PRECONDITION", 1, 0),
    ("metadata 0 a word 00ff616201", UNARY, "OK", 1, 1),
    ("no_method 12", "sidespan.test.Interop/Missing", "UNIMPLEMENTED", None, 0),
    ("no_service 12", "sidespan.test.Missing/Unary", "UNIMPLEMENTED", None, 0),
    ("gzip 0 20000", UNARY, "OK", 1, 1),
    ("gzip_stream 0 3", BOTH, "OK", 3, 3),
]


def by_python():
    return [peers.python(), peers.SCRIPTS.parent / "integration" / "clients" / "grpc_interop.py"]


def by_go():
    return [peers.made("grpcgo/build")]


def by_node():
    return [peers.installed("node"), peers.made("grpcnode/build")]


LANGUAGES = {"python": by_python, "go": by_go, "node": by_node}


class Server:
    """A server in another language; `parents` are the span ids that its calls named, in no order."""

    def __init__(self, command):
        self.lines = []
        self.process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.split())

    def port(self):
        wait_for("port of the server", lambda: any(line[0] == "port" for line in self.lines), 20)
        return next(line[1] for line in self.lines if line[0] == "port")

    def parents(self):
        """(method, span id) of each call."""
        calls = [line[1:] for line in self.lines if line[0] == "call"]
        return [(method, parent.strip("[]").split("-")[2]) for method, parent in calls]

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def address():
    """grpc-go, like all of Go, sends nothing for loopback addresses through a proxy."""
    return outward_address() or peers.missing("Go never proxies loopback, and there is no other address here")


@pytest.fixture
def server(request, address, authority, tmp_path):
    language, secure = request.node.callspec.params["language"], request.node.callspec.params["secure"]
    pair = []
    if secure:
        certificate, key = authority.leaf(address)
        for name, content in (("certificate.pem", pem(certificate)), ("key.pem", private_pem(key))):
            (tmp_path / name).write_bytes(content)
            pair.append(tmp_path / name)
    server = Server([*LANGUAGES[language](), "server", address, *pair])
    yield server
    server.stop()


def check_span(span, method, status, secure):
    found = span["attributes"]
    assert span["name"] == method and found["rpc.method"] == method and found["rpc.system.name"] == "grpc"
    assert found["network.protocol.version"] == "2"
    assert found["sidespan.mode"] == ("intercept" if secure else "forward")
    if status == "DEADLINE_EXCEEDED":  # whose clock is first, the agent's or the origin's
        status = found.get("rpc.status_code")
        if found["sidespan.end"] == "origin_closed":  # grpc-go resets the stream, without a status
            assert status is None and span["status"] == "ERROR" and found["error.type"] == "cancelled"
            return
        if found["sidespan.end"] == "timeout":  # the agent's: it cancels by itself
            assert status == found["error.type"] == "DEADLINE_EXCEEDED" and span["status"] == "ERROR"
            return
        assert status in ("DEADLINE_EXCEEDED", "CANCELLED")
    assert found.get("rpc.status_code") == status
    assert span["status"] == ("UNSET" if status in (None, "OK") else "ERROR")
    assert found.get("error.type") == (None if status in (None, "OK") else status)
    assert found["sidespan.end"] == ("agent_cancelled" if status is None else "complete")


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("language", LANGUAGES, ids=lambda name: f"to-{name}")
@pytest.mark.parametrize("agent", LANGUAGES)
def test_every_case_is_one_right_span(agent, language, secure, server, address, authority, sink, tmp_path):
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}}
    command = [*LANGUAGES[agent](), "client", f"{address}:{server.port()}", "tls" if secure else "plain"]
    done = run(tmp_path, command, config)
    assert done.stdout.splitlines() == [line for line, *_ in CASES], done.stderr
    spans = sorted((span for span in sink.wait(len(CASES) + 1) if span["kind"] == "CLIENT"),
                   key=lambda span: span["start"])
    assert [span["name"] for span in spans] == [method for _, method, *_ in CASES]
    root, = [span for span in sink.spans if span["kind"] == "INTERNAL"]
    for span, (line, method, status, sent, received) in zip(spans, CASES):
        if agent == "node" and line.startswith("cancel"):  # it ends its side first, which is a whole request
            status = span["attributes"].get("rpc.status_code")
            assert status in (None, "OK")
            received = 1 if status == "OK" else span["attributes"]["sidespan.grpc.messages.received"]
        check_span(span, method, status, secure)
        assert span["attributes"]["sidespan.grpc.messages.sent"] == sent or sent is None, line
        assert span["attributes"]["sidespan.grpc.messages.received"] == received, line
        assert span["parent_id"] == root["span_id"]
    # Methods that are not there have nobody who could say what came.
    known = [(span["name"].rpartition("/")[2], span["span_id"]) for span, (_, _, status, *_) in zip(spans, CASES)
             if status != "UNIMPLEMENTED"]
    wait_for("calls", lambda: len(server.parents()) >= len(known), 5)
    assert sorted(server.parents()) == sorted(known)
