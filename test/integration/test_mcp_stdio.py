"""MCP's own SDKs on the two ends of `sidespan stdio`: each request is a span, and the server is told of it in `_meta`.

What the server was sent is kept by a `tee` in front of it. As test_mcp.py, which says what a span must hold.
"""

import json
import subprocess

import pytest

from meaning import differences
from otlp_sink import OtlpSink
from sidecar import environment, exporting, write_config
from test_mcp import TIMEOUT, command, expected, name_of

# client and server, the mode of the client
PAIRS = {"python": ("python", "legacy"), "python-sessionless": ("python", "auto"), "node": ("node", "legacy")}


class Piped:
    transport = "pipe"

    def __init__(self, pair, program, directory):
        language, mode = PAIRS[pair]
        client, env = command(language, "mcp_calls")
        tools, _ = command(language, "mcp_tools")
        kept, sink = directory / "sent", OtlpSink()
        config = write_config(directory, exporting(sink.endpoint) | {"service": {"name": "tested"}})

        def talk(*before):
            server = ["sh", "-c", 'tee "$0" | "$@"', str(kept), *map(str, tools), "stdio"]
            done = subprocess.run([*client, mode, *before, *server], env=environment(directory, env), text=True,
                                  timeout=TIMEOUT, stdin=subprocess.DEVNULL, capture_output=True)
            assert done.returncode == 0, done.stderr
            return done.stdout, [json.loads(line) for line in kept.read_text().splitlines()]

        self.straight, self.sent_straight = talk()
        self.through, self.sent = talk(program, "stdio", "--config", str(config), "--")
        agreed, *self.said = map(json.loads, self.through.splitlines())
        self.progress = self.said.pop()["progress"]
        asked = [document for document in self.sent if "id" in document]
        self.spans = sink.wait(len(asked), where=lambda span: span["kind"] == "CLIENT")
        sink.stop()
        # The Node client does not say over pipes; both ends know no other.
        self.protocol = agreed["protocol"] or "2025-11-25"
        self.requests = [{"document": document, "session": None} for document in asked]

    tells = True  # of its progress

    def span(self, request):
        parent = request["document"]["params"]["_meta"]["traceparent"].split("-")[2]
        found, = [span for span in self.spans if span["span_id"] == parent]
        return found

    def answered(self, method, target):
        found = [said for said in self.said if (said["method"], said["target"]) == (method, target)]
        return found[0] if found else None


@pytest.fixture(scope="module")
def once():
    return {}


@pytest.fixture
def piped(pair, once, sidespan, tmp_path_factory):
    if pair not in once:
        once[pair] = Piped(pair, sidespan, tmp_path_factory.mktemp(pair))
    return once[pair]


@pytest.mark.parametrize("pair", PAIRS)
def test_nothing_differs_but_the_context(pair, piped):
    """The client is answered the same to the byte; the server is sent the same but for the trace context. Progress that
    comes together with its answer is told by the Node client or not, with and without a pipe between."""
    if pair == "node":
        assert piped.through.splitlines()[:-1] == piped.straight.splitlines()[:-1]
    else:
        assert piped.through == piped.straight
        assert len(piped.progress) == 3
    assert [without_context(document) for document in piped.sent] == piped.sent_straight


def without_context(document):
    """As it was before sidespan wrote into it; what held nothing else was not there."""
    if "id" not in document or "method" not in document:
        return document
    meta = without(document["params"]["_meta"], "traceparent", "tracestate")
    params = without(document["params"], "_meta") | ({"_meta": meta} if meta else {})
    return without(document, "params") | ({"params": params} if params else {})


def without(document, *keys):
    return {key: value for key, value in document.items() if key not in keys}


@pytest.mark.parametrize("pair", PAIRS)
def test_a_span_says_which_message(pair, piped):
    assert len(piped.spans) == len(piped.requests) >= 11
    for request in piped.requests:
        span, document = piped.span(request), request["document"]
        wanted, error = expected(piped, request)
        assert not differences(span["attributes"], wanted), document
        assert span["name"] == name_of(document)
        assert span["status"] == ("ERROR" if error else "UNSET")
