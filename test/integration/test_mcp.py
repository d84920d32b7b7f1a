"""The Model Context Protocol between its own SDKs under `sidespan run`: each message is one span that says which.

Clients and servers are those of the Python and the Node SDK, over streamable HTTP: the generation with sessions, whose
answers are event streams or JSON, and the one without. A server reports each request it was sent, with the parent it
was told of; a client reports what it was answered. From both follows what each span must say.
"""

import json
import subprocess
import threading
from collections import namedtuple
from pathlib import Path

import pytest

import certificates
import peers
from meaning import ABSENT, differences
from otlp_sink import OtlpSink
from sidecar import environment, exporting, run
from wire import wait_for

CALLS = Path(__file__).resolve().parent / "clients" / "calls"
TIMEOUT = 240
TARGETS = {"tools/call": ("gen_ai.tool.name", "name"), "prompts/get": ("gen_ai.prompt.name", "name"),
           "resources/read": ("mcp.resource.uri", "uri")}

# client, server: "python" or "node"; kind: how the server answers; mode: of the Python client; tls: over https.
Pair = namedtuple("Pair", "client server kind mode tls", defaults=("legacy", False))
PAIRS = {
    "python-sse": Pair("python", "python", "sse"),
    "python-sse-https": Pair("python", "python", "sse", tls=True),
    "python-json": Pair("python", "python", "json"),
    "python-sessionless": Pair("python", "python", "sse", "auto"),
    "python-sessionless-json": Pair("python", "python", "json", "auto"),
    "node-sse": Pair("node", "node", "sse"),
    "node-json": Pair("node", "node", "json"),
    "node-to-python": Pair("node", "python", "sse"),
    "python-to-node": Pair("python", "node", "sse"),
}


def command(language, stem):
    """(words, environment) of a program in one of the SDKs."""
    if language == "node":
        return ([peers.made("node"), CALLS / f"{stem}.cjs"],
                {"NODE_PATH": peers.made("nodesdks/build") + "/node_modules", "NODE_NO_WARNINGS": "1"})
    return [f"{peers.made('sdks')}/bin/python", CALLS / f"{stem}.py"], {"PYTHONHASHSEED": "0"}


class McpServer:
    """A server process, and the requests it was sent as it reports them."""

    def __init__(self, pair, directory, tls=()):
        words, env = command(pair.server, "mcp_tools")
        self.seen = []
        self.port = None
        self.process = subprocess.Popen([*words, pair.kind, *map(str, tls)], env=environment(directory, env), text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        threading.Thread(target=self._watch, daemon=True).start()
        try:
            wait_for("port of the MCP server", lambda: self.port or self.process.poll() is not None, TIMEOUT)
            assert self.port, self.process.stderr.read()
        except AssertionError:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def _watch(self):
        self.port = int(self.process.stdout.readline() or 0)
        for line in self.process.stdout:
            self.seen.append(json.loads(line))


class Talked:
    """One client's talk with one server, through sidespan and straight."""

    transport = "tcp"
    path = "/mcp"

    def __init__(self, pair, authority, directory):
        self.tells = pair.kind != "json"
        sink = OtlpSink()
        config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}}
        tls = certificates.write(directory, "mcp", *_listed(authority.leaf("127.0.0.1"))) if pair.tls else ()
        words, env = command(pair.client, "mcp_calls")

        def url(server):
            return f"http{'s' if pair.tls else ''}://127.0.0.1:{server.port}{self.path}"

        with McpServer(pair, directory, tls) as server:
            straight = subprocess.run([*words, pair.mode, url(server)], text=True, timeout=TIMEOUT, capture_output=True,
                                      env=environment(directory, env | {"SSL_CERT_FILE": str(authority.pem)}))
            assert straight.returncode == 0, straight.stderr
        with McpServer(pair, directory, tls) as server:
            done = run(directory, [*words, pair.mode, url(server)], config, env, timeout=TIMEOUT)
            assert done.returncode == 0, done.stderr
            self.seen = list(server.seen)
        self.straight, self.through = straight.stdout, done.stdout
        agreed, *self.said = map(json.loads, done.stdout.splitlines())
        self.protocol = agreed["protocol"]
        self.progress = self.said.pop()["progress"]
        self.spans = sink.wait(1 + len(self.seen) + self.children(), where=lambda span: span["name"] != "CONNECT")
        sink.stop()

    def children(self):
        """How many calls have a span beside that of their request."""
        return 0

    def span(self, request):
        """The span that a request named as its parent."""
        parent = request["traceparent"].split("-")[2]
        found, = [span for span in self.spans if span["span_id"] == parent]
        return found

    def messages(self):
        """The requests that carry a JSON-RPC message."""
        return [request for request in self.seen if request["document"]]

    def answered(self, method, target):
        """What the client said of it, or None for what the SDK does by itself."""
        found = [said for said in self.said if (said["method"], said["target"]) == (method, target)]
        return found[0] if found else None


def _listed(leaf):
    return [leaf[0]], leaf[1]


@pytest.fixture(scope="module")
def once():
    """{pair: its Talked, or what went wrong}: a run that failed would fail again."""
    return {}


@pytest.fixture
def talked(pair, once, authority, sidespan, tmp_path_factory):
    if pair not in once:
        try:
            once[pair] = Talked(PAIRS[pair], authority, tmp_path_factory.mktemp(pair))
        except (AssertionError, subprocess.TimeoutExpired) as fault:
            once[pair] = fault
    if isinstance(once[pair], Exception):
        raise once[pair]
    return once[pair]


@pytest.mark.parametrize("pair", PAIRS)
def test_nothing_differs_for_the_client(pair, talked):
    """What it was answered is the same to the byte with and without sidespan, progress on the way included."""
    assert talked.through == talked.straight
    assert len(talked.said) == 10
    streamed = PAIRS[pair].kind == "sse"
    assert len(talked.progress) == (3 if streamed else 0)


@pytest.mark.parametrize("pair", PAIRS)
def test_each_request_is_one_span(pair, talked):
    root, = [span for span in talked.spans if span["kind"] == "INTERNAL"]
    assert len(talked.seen) >= 11
    for request in talked.seen:
        span = talked.span(request)
        assert span["kind"] == "CLIENT" and span["parent_id"] == root["span_id"]
        assert span["attributes"]["http.request.method"] == request["method"]
        assert span["attributes"]["http.response.status_code"] == request["status"]
    named = [span for span in talked.spans if span["kind"] == "CLIENT" and span["name"] != "CONNECT"]
    assert len(named) == len(talked.seen)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_span_says_which_message(pair, talked):
    methods = set()
    for request in talked.messages():
        span, document = talked.span(request), request["document"]
        methods.add(document["method"])
        wanted, error = expected(talked, request)
        assert not differences(span["attributes"], wanted), document["method"]
        assert span["name"] == name_of(document)
        assert span["status"] == ("ERROR" if error else "UNSET")
    assert {"tools/list", "tools/call", "resources/read", "prompts/get"} <= methods
    assert methods & {"initialize", "server/discover"}


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if PAIRS[pair].mode == "legacy"])
def test_what_is_no_message_is_plain_http(pair, talked):
    """The stream that a client opens for the server's own messages, and the end of a session."""
    others = {request["method"]: talked.span(request) for request in talked.seen if not request["document"]}
    assert set(others) == {"GET", "DELETE"}
    for method, span in others.items():
        assert span["name"] == method
        assert "mcp.method.name" not in span["attributes"]


def name_of(document):
    params = document.get("params", {})
    # A resource's address would make too many names.
    target = params.get("name") if document["method"] in ("tools/call", "prompts/get") else None
    return f"{document['method']} {target}" if target else document["method"]


def expected(talked, request):
    """(attributes, error.type or None) by the conventions for MCP."""
    document = request["document"]
    method, params = document["method"], document.get("params", {})
    attribute, key = TARGETS.get(method, (None, None))
    said = talked.answered(method, params.get(key))
    error = None
    if said and said["code"] is not None:
        error = str(said["code"])
    elif said and said["tool_error"]:
        error = "tool_error"
    wanted = dict.fromkeys(("gen_ai.tool.name", "gen_ai.prompt.name", "mcp.resource.uri"), ABSENT)
    wanted |= {attribute: params[key]} if attribute else {}
    return wanted | {
        "sidespan.mcp.progress": 3 if params.get("name") == "walk" and talked.tells else ABSENT,
        "mcp.method.name": method,
        "mcp.session.id": request["session"] or ABSENT,
        "mcp.protocol.version": talked.protocol,
        "jsonrpc.request.id": str(document["id"]) if "id" in document else ABSENT,
        "gen_ai.operation.name": "execute_tool" if method == "tools/call" else ABSENT,
        "rpc.response.status_code": error if said and said["code"] is not None else ABSENT,
        "error.type": error or ABSENT,
        "network.transport": talked.transport,
    }, error
