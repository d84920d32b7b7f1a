"""How many workers there are is nobody's business but ours: the same calls have the same answers, spans and counts."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sidecar import Sidecar, exporting, merged
from wire import Client, head, wait_for

AGENTS = 16
CONFIG = {"egress": {"deny": ["denied.test"]}, "spans": {"ignore": ["/bytes/11"]}}
# What is no function of the call: how long things took, and whether there was a connection already.
TIMES = ("sidespan.phase.", "sidespan.time_to_first_byte")
COUNTS = ("sidespan_requests_total", "sidespan_span_parents_total", "sidespan_tunnels_opaque_total",
          "sidespan_spans_emitted_total", "http_client_request_duration_seconds_count")


def calls(origin):
    """(method, URL, fields, body) of each, one after the other on one connection."""
    return [
        ("GET", origin.url("/bytes/10"), [], b""),
        ("HEAD", origin.url("/bytes/10"), [("tracestate", "a=b,c=d"), ("baggage", "user=1")], b""),
        ("GET", origin.url("/bytes/70000?token=secret"), [], b""),
        ("POST", origin.url("/bytes/3"), [("Content-Type", "text/plain")], b"u" * 40000),
        ("PUT", origin.url("/status/204"), [], b"x"),
        ("GET", origin.url("/status/404"), [], b""),
        ("GET", origin.url("/status/503"), [], b""),
        ("DELETE", origin.url("/chunked/5?size=3000"), [], b""),
        ("GET", origin.url("/sse/4"), [], b""),
        ("GET", origin.url("/interim/2"), [], b""),
        ("GET", f"http://denied.test:{origin.port}/", [], b""),
        ("GET", origin.url("/bytes/11"), [], b""),  # has no span
    ]


SPANS = 11 + 2  # of one agent


def agent(side, origin, number):
    """What it sees of all these calls, of one that breaks off, and of a tunnel."""
    def parent(call):
        return "traceparent", f"00-{number + 1:032x}-{call + 1:016x}-01"

    seen = []
    with Client(side.egress) as client:
        for call, (method, url, fields, body) in enumerate(calls(origin)):
            answer = client.ask(method, url, [parent(call), *fields], body)
            seen.append((answer.status, answer.body, answer.trailers, len(answer.interim)))
    with Client(side.egress) as client:
        client.send(head(f"GET {origin.url('/abort/7')} HTTP/1.1", [("Host", "h"), parent(100)]))
        seen.append((client.reader.head().status, client.reader.exactly(7)))
        try:
            assert not client.reader.more()
        except ConnectionResetError:
            pass
    with Client(side.egress) as client:
        client.send(head(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1", [("Host", "h"), parent(101)]))
        seen.append(client.reader.head().status)
        client.send(head("REPORT /bytes/100 HTTP/1.1", [("Host", "h")]))  # a method that nobody looks inside for
        seen.append(client.response().body)
    return seen


def shown(span):
    """What two runs have to agree on."""
    attributes = {key: value for key, value in span["attributes"].items() if not key.startswith(TIMES)}
    return repr((span["trace_id"], span["parent_id"], span["name"], span["kind"], span["flags"], span["tracestate"],
                 span["status"], span["message"], sorted(attributes.items()), span["links"], span["scope"]))


def run(directory, origin, sink, workers):
    sink.clear()
    with Sidecar(directory, merged(exporting(sink.endpoint), CONFIG | {"workers": workers})) as side:
        before = side.workers()
        with ThreadPoolExecutor(AGENTS) as threads:
            seen = list(threads.map(lambda number: agent(side, origin, number), range(AGENTS)))
        busy = [after - at_first for (at_first, _), (after, _) in zip(before, side.workers())]
        wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
        sink.wait(AGENTS * SPANS)
        wait_for("empty queue", lambda: side.metrics().total("sidespan_spans_queued") == 0)
        metrics = side.metrics()
        metrics.accounts()
    counts = sorted((sample.name, sorted(sample.labels.items()), sample.value) for sample in metrics.samples
                    if sample.name in COUNTS)
    return seen, sorted(shown(span) for span in sink.spans), counts, busy


def test_one_worker_and_two_say_the_same(tmp_path, origin, sink):
    one = run(tmp_path / "one", origin, sink, 1)
    two = run(tmp_path / "two", origin, sink, 2)
    assert len(one[1]) == AGENTS * SPANS
    for part in range(3):  # answers, spans, counts
        assert one[part] == two[part]
    assert len(two[3]) == 2 and min(two[3]) > max(two[3]) / 10, "one of them has all connections"


def test_traffic_comes_before_telemetry(sidecar):
    side = sidecar({})
    nice = {}
    for task in Path(f"/proc/{side.process.pid}/task").iterdir():
        name, _, rest = (task / "stat").read_text().partition(" (")[2].rpartition(") ")
        nice[name] = int(rest.split()[16])
    assert nice["telemetry"] == nice["worker"] + 5, nice
