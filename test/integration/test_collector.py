"""A thousand mixed requests through sidespan to a real OpenTelemetry Collector: count, parents, attributes exact.

The requests are made from a fixed seed, on kept-alive connections from several threads, and each has a URL of its own,
so that every span in the Collector's file is held against the one request that it stands for.
"""

import random
import threading
from dataclasses import dataclass

from sidecar import exporting
from wire import Client, head, wait_for

REQUESTS = 1000
THREADS = 8
SEED = 20261120
STATUSES = (200, 200, 201, 204, 301, 304, 400, 404, 429, 500, 503)

# What a span of a forwarded request may carry beside what `expected` lists. Durations differ from run to run.
ALSO = ("sidespan.phase.", "sidespan.time_to_first_byte", "sidespan.execution.", "user_agent.original",
        "network.transport", "network.local.", "url.scheme")


@dataclass
class Plan:
    number: int
    method: str
    target: str
    status: int
    sent: int  # body bytes without framing
    received: int
    chunked: bool
    trace_id: str = ""
    parent_id: str = ""
    sampled: bool = True


def make_plans():
    chance = random.Random(SEED)
    return [make_plan(number, chance) for number in range(REQUESTS)]


def make_plan(number, chance):
    method = chance.choice(("GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
    target, status, received = make_answer(chance)
    has_body = method in ("POST", "PUT", "PATCH")
    plan = Plan(number, method, f"{target}{'&' if '?' in target else '?'}n={number}", status,
                sent=chance.choice((1, 100, 5000, 70000)) if has_body else 0,
                received=0 if method == "HEAD" else received, chunked=has_body and chance.random() < 0.4)
    if chance.random() < 0.6:
        plan.trace_id, plan.parent_id = f"{chance.getrandbits(128):032x}", f"{chance.getrandbits(64):016x}"
        plan.sampled = chance.random() < 0.8
    return plan


def make_answer(chance):
    """(target, status, body size) of one of the origin's modes."""
    kind = chance.choice(("status", "status", "bytes", "chunked", "interim", "sse"))
    if kind == "status":
        status = chance.choice(STATUSES)
        return f"/status/{status}", status, 0 if status in (204, 304) else len(f"status {status}\n")
    if kind == "bytes":
        count = chance.choice((0, 1, 1000, 100000))
        return f"/bytes/{count}", 200, count
    if kind == "chunked":
        count, size = chance.randint(1, 5), chance.choice((1, 100, 20000))
        return f"/chunked/{count}?size={size}", 200, count * size
    if kind == "sse":
        return "/sse/3", 200, 3 * len("event: tick\ndata: 0\n\n")
    return "/interim/1", 200, len("final")


def request_bytes(plan, origin):
    """The request in absolute-form, its body with a length or in chunks."""
    lines = [("Host", f"127.0.0.1:{origin.port}")]
    if plan.trace_id:
        lines.append(("traceparent", f"00-{plan.trace_id}-{plan.parent_id}-{'01' if plan.sampled else '00'}"))
    body = b"b" * plan.sent
    if plan.chunked:
        lines.append(("Transfer-Encoding", "chunked"))
        half = plan.sent // 2
        parts = [part for part in (body[:half], body[half:]) if part]
        body = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"
    elif plan.sent:
        lines.append(("Content-Length", str(plan.sent)))
    return head(f"{plan.method} {origin.url(plan.target)} HTTP/1.1", lines) + body


def make_requests(sidecar, origin, plans, faults):
    """One thread's share, on one connection that is opened again where an answer closed it."""
    client = Client(sidecar.egress)
    try:
        for plan in plans:
            client.send(request_bytes(plan, origin))
            answer = client.response(plan.method)
            if (answer.status, len(answer.body)) != (plan.status, plan.received):
                faults.append(f"{plan}: got {answer.status} with {len(answer.body)} bytes")
            if (answer.get("connection") or "").lower() == "close":
                client.close()
                client = Client(sidecar.egress)
    except Exception as fault:  # whatever it is, the test must show it and not just miss some spans
        faults.append(f"{plan}: {fault!r}")
    finally:
        client.close()


def expected(plan, origin):
    attributes = {
        "http.request.method": plan.method,
        "url.full": origin.url(plan.target),
        "server.address": "127.0.0.1",
        "server.port": origin.port,
        "network.peer.address": "127.0.0.1",
        "network.peer.port": origin.port,
        "network.protocol.version": "1.1",
        "http.response.status_code": plan.status,
        "sidespan.mode": "forward",
        "sidespan.end": "complete",
        "sidespan.parent.source": "wire" if plan.trace_id else "root",
    }
    if plan.status >= 400:
        attributes["error.type"] = str(plan.status)
    return attributes


def check_span(span, plan, origin):
    found = dict(span["attributes"])
    # A body that is not there may be left out or be zero.
    assert found.pop("http.request.body.size", 0) == plan.sent, plan
    assert found.pop("http.response.body.size", 0) == plan.received, plan
    if "/sse/" in plan.target:
        events = 3 if plan.received else 0
        assert found.pop("sidespan.stream.events", events) == events, plan
    exact = expected(plan, origin)
    assert {key: found.pop(key, None) for key in exact} == exact, plan
    assert not [key for key in found if not key.startswith(ALSO)], plan
    assert span["name"] == plan.method
    assert span["kind"] == "CLIENT"
    assert span["status"] == ("ERROR" if plan.status >= 400 else "UNSET"), plan
    assert span["start"] < span["end"]
    assert span["parent_id"] == plan.parent_id, plan
    if plan.trace_id:
        assert span["trace_id"] == plan.trace_id, plan
    assert span["resource"]["service.name"] == "tested"
    assert span["scope"][0] == "sidespan"


def check_origin(request, span, plan):
    """What went out names the span that was exported, or says that none was."""
    version, trace_id, span_id, flags = request.get("traceparent").split("-")
    assert version == "00"
    assert len(request.body) == plan.sent
    if plan.sampled:
        assert (trace_id, span_id) == (span["trace_id"], span["span_id"]), plan
    else:
        assert trace_id == plan.trace_id and span_id != plan.parent_id, plan
    assert int(flags, 16) & 1 == plan.sampled, plan


def watch_accounts(sidecar, stop, faults):
    """The law of the books holds at any moment, so it is read while the requests run."""
    while not stop.wait(0.05):
        try:
            sidecar.metrics().accounts()
        except Exception as fault:
            faults.append(f"metrics: {fault!r}")
            return


def number_of(url):
    return int(url.rpartition("n=")[2])


def test_a_thousand_requests_arrive_exactly(origin, collector, sidecar):
    proxy = sidecar(exporting(collector.endpoint))
    plans = make_plans()
    faults, over = [], threading.Event()
    watcher = threading.Thread(target=watch_accounts, args=(proxy, over, faults))
    workers = [threading.Thread(target=make_requests, args=(proxy, origin, plans[share::THREADS], faults))
               for share in range(THREADS)]
    for thread in [watcher, *workers]:
        thread.start()
    for worker in workers:
        worker.join(timeout=120)
    over.set()
    watcher.join(timeout=20)
    assert not any(worker.is_alive() for worker in workers), "requests still run after two minutes"
    assert not faults, faults[:5]

    sampled = [plan for plan in plans if plan.sampled]
    spans = collector.wait(len(sampled))
    check_books(proxy, len(sampled))
    proxy.stop()  # nothing may come late
    spans = collector.spans()
    assert len(spans) == len(sampled)

    by_number = {number_of(span["attributes"]["url.full"]): span for span in spans}
    seen = {number_of(request.target): request for request in origin.requests}
    assert sorted(by_number) == [plan.number for plan in sampled]
    assert sorted(seen) == [plan.number for plan in plans] and len(origin.requests) == len(plans)
    assert len({span["span_id"] for span in spans}) == len(spans)
    roots = [span["trace_id"] for span in spans if not span["parent_id"]]
    assert len(set(roots)) == len(roots), "two unrelated requests share a trace"
    for plan in plans:
        if plan.sampled:
            check_span(by_number[plan.number], plan, origin)
        check_origin(seen[plan.number], by_number.get(plan.number), plan)


def check_books(proxy, spans):
    """Everything emitted was exported: unsampled spans are not counted, nothing was dropped."""

    def settled():
        accounts = proxy.metrics().accounts()
        return accounts if all(queued == 0 for *_, queued in accounts.values()) else None

    accounts = wait_for("empty queue", settled)
    assert set(accounts.values()) == {(spans, spans, 0, 0)}, accounts
    assert proxy.metrics().total("sidespan_requests_total", listener="egress") == REQUESTS
