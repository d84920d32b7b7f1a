"""Unmodified HTTP clients under `sidespan run`: each call is one right span, and the origin sees that span as parent.

The client is given nothing but the environment that `run` sets; over https that is what makes it trust the sidecar,
since of the origin's own authority it knows nothing. One call a run, so that "exactly one" can be said.
"""

from pathlib import Path

import pytest

import peers
from origin import Origin
from sidecar import exporting, run
from wire import outward_address

CLIENTS = Path(__file__).resolve().parent / "clients"
CALLS = {
    "get": ("GET", "/echo?answer=42", None, 200),
    "post": ("POST", "/echo", "a few words", 200),
    "missing": ("GET", "/status/404", None, 404),
}


def curl(method, url, body):
    data = ["--data-raw", body] if body else []
    return [peers.installed("curl"), "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", method, *data, url]


def by_python(script):
    return lambda method, url, body: [peers.python(), CLIENTS / script, method, url, *_present(body)]


def by_node(script):
    return lambda method, url, body: [peers.made("node"), CLIENTS / script, method, url, *_present(body)]


def go(method, url, body):
    return [peers.made("gohttp/build"), method, url, *_present(body)]


def _present(body):
    return [] if body is None else [body]


COMMANDS = {
    "curl": curl,
    "urllib": by_python("urllib_client.py"),
    "requests": by_python("requests_client.py"),
    "httpx": by_python("httpx_client.py"),
    "aiohttp": by_python("aiohttp_client.py"),
    "node-fetch": by_node("fetch_client.mjs"),
    "node-http": by_node("http_client.mjs"),
    "go": go,
}

# Node's fetch asks for a tunnel and speaks plain HTTP in it; everybody else sends absolute-form.
MODES = {"node-fetch": ("forward", "tunnel", "intercept")}


@pytest.fixture
def reachable(request, authority):
    """The origin for a client. Go sends nothing for localhost and loopback addresses through a proxy, whatever the
    environment says, so its origin listens on an address of this machine that is not loopback."""
    address = "127.0.0.1"
    if request.node.callspec.params["client"] == "go":
        address = outward_address() or peers.missing("Go never proxies loopback, and there is no other address here")
    secure = request.node.callspec.params["scheme"] == "https"
    origin = Origin(address, tls=authority.server(address) if secure else None)
    yield origin
    origin.stop()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("client", COMMANDS)
def test_one_call_is_one_span(client, scheme, call, reachable, authority, sink, tmp_path):
    method, target, body, status = CALLS[call]
    url = reachable.url(target)
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}}
    done = run(tmp_path, COMMANDS[client](method, url, body), config)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == str(status), (done.stdout, done.stderr)

    spans = sink.wait(2)
    assert len(spans) == 2, [span["name"] for span in spans]
    root, = [span for span in spans if span["kind"] == "INTERNAL"]
    span, = [span for span in spans if span["kind"] == "CLIENT"]
    check_root(root)
    check_parent(span, root)
    check_request(span, method, url, status, reachable, ("intercept",) if scheme == "https" else MODES.get(client, ("forward",)))
    check_origin(span, reachable, method, target, body)
    assert not sink.faults


def check_root(root):
    assert root["parent_id"] == ""
    assert root["status"] == "UNSET"
    assert root["attributes"]["process.exit.code"] == 0
    assert root["resource"]["service.name"] == "tested"
    assert root["scope"][0] == "sidespan"


def check_parent(span, root, seen_later_ns=0):
    assert span["trace_id"] == root["trace_id"]
    assert span["parent_id"] == root["span_id"]
    assert span["attributes"]["sidespan.parent.source"] == "listener"
    assert root["start"] <= span["start"] <= span["end"] <= root["end"] + seen_later_ns


def check_request(span, method, url, status, origin, modes):
    found = span["attributes"]
    expected = {
        "http.request.method": method,
        "url.full": url,
        "server.address": origin.address[0],
        "server.port": origin.port,
        "http.response.status_code": status,
        "network.protocol.version": "1.1",
        "sidespan.end": "complete",
    }
    if status >= 400:
        expected["error.type"] = str(status)
    assert span["name"] == method
    assert span["status"] == ("ERROR" if status >= 400 else "UNSET")
    assert {key: found.get(key) for key in expected} == expected
    assert found["sidespan.mode"] in modes
    assert ("error.type" in found) == (status >= 400)


def check_origin(span, origin, method, target, body):
    """One request, as the client meant it, with the span's own id as parent."""
    request, = origin.requests
    assert (request.method, request.target) == (method, target)
    assert request.body.decode() == (body or "")
    assert request.get("host") == f"{origin.address[0]}:{origin.port}"
    assert not request.all("proxy-connection")
    version, trace_id, span_id, flags = request.get("traceparent").split("-")
    assert (version, trace_id, span_id) == ("00", span["trace_id"], span["span_id"])
    assert int(flags, 16) & 1, "sampled, since the span was exported"


def test_calls_of_one_run_share_its_root(origin, sink, tmp_path):
    """Three calls of a shell script: three spans, one trace, one parent, none of them the other's."""
    script = "".join(f"curl -sS -o /dev/null {origin.url(f'/echo?call={number}')} || exit 9\n" for number in range(3))
    peers.installed("curl")
    done = run(tmp_path, ["sh", "-c", script], exporting(sink.endpoint))
    assert done.returncode == 0, done.stderr
    spans = sink.wait(4)
    root, = [span for span in spans if span["kind"] == "INTERNAL"]
    calls = [span for span in spans if span["kind"] == "CLIENT"]
    assert sorted(span["attributes"]["url.full"][-1] for span in calls) == ["0", "1", "2"]
    assert {span["parent_id"] for span in calls} == {root["span_id"]}
    assert {span["trace_id"] for span in spans} == {root["trace_id"]}
    assert len({span["span_id"] for span in spans}) == 4


def test_an_inherited_context_is_the_parent_of_the_run(origin, sink, tmp_path):
    """Started inside somebody's trace, the run's root continues it, and its calls with it."""
    trace_id, parent_id = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    done = run(tmp_path, curl("GET", origin.url("/echo"), None), exporting(sink.endpoint),
               env={"TRACEPARENT": f"00-{trace_id}-{parent_id}-03"})
    assert done.returncode == 0, done.stderr
    spans = sink.wait(2)
    root, = [span for span in spans if span["kind"] == "INTERNAL"]
    call, = [span for span in spans if span["kind"] == "CLIENT"]
    assert (root["trace_id"], root["parent_id"]) == (trace_id, parent_id)
    assert root["attributes"]["sidespan.parent.source"] == "environment"
    assert (call["trace_id"], call["parent_id"]) == (trace_id, root["span_id"])


def test_the_commands_own_status_is_the_runs(sink, tmp_path):
    """Exit status passes through, and a command that fails is an error on the root."""
    done = run(tmp_path, ["sh", "-c", "exit 7"], exporting(sink.endpoint))
    assert done.returncode == 7
    root, = sink.wait(1)
    assert root["attributes"]["process.exit.code"] == 7
    assert root["status"] == "ERROR"


def test_wire_context_beats_the_listener(origin, sink, tmp_path):
    """Trace headers that the client sends itself are stronger than the run it belongs to."""
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    command = curl("GET", origin.url("/echo"), None) + ["-H", f"traceparent: 00-{trace_id}-{parent_id}-01"]
    assert run(tmp_path, command, exporting(sink.endpoint)).returncode == 0
    call, = sink.wait(1, where=lambda span: span["kind"] == "CLIENT")
    assert (call["trace_id"], call["parent_id"]) == (trace_id, parent_id)
    assert call["attributes"]["sidespan.parent.source"] == "wire"
