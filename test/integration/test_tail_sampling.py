"""`sampling.tail`: which traces go on when they are over, and what becomes of every span."""

import json
import sys
import threading
import time
from collections import Counter

import pytest

from many_traces import CALLS, ManyTraces
from sidecar import exporting, merged, resident, run
from spans import is_turn
from wire import Client, ask, head, wait_for

ERRORS = {"wait": "1s", "policies": [{"errors": True}]}
KiB, MiB = 1 << 10, 1 << 20


@pytest.fixture
def tail(sidecar):
    def start(tail=None, limits=None, **more):
        return sidecar(merged({"sampling": {"tail": tail or ERRORS}, "limits": limits or {}}, more))
    return start


def context(number, flags="03"):
    return f"00-{number:032x}-00000000000000aa-{flags}"


def call(side, origin, number, path="/status/200", lines=(), flags="03"):
    return ask(side.egress, "GET", origin.url(path), [("traceparent", context(number, flags)), *lines], host="h")


def traces(spans):
    return Counter(int(span["trace_id"], 16) for span in spans)


def dropped(side, reason="tail"):
    return side.metrics().total("sidespan_spans_dropped_total", reason=reason)


def all_decided(side, emitted):
    wait_for(f"{emitted} spans", lambda: side.metrics().accounts()["otlp"][0] == emitted)
    wait_for("no trace that waits", lambda: side.metrics().total("sidespan_tail_traces") == 0)
    wait_for("an empty queue", lambda: side.metrics().total("sidespan_spans_queued") == 0)
    return side.metrics()


def test_a_call_that_takes_long_is_waited_for(tail, origin, sink):
    """Its trace is quiet for longer than `wait` meanwhile, and no turn is open."""
    origin.answer("/late", [1.5, b"HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n"])
    side = tail({"wait": "300ms", "policies": [{"errors": True}]})
    slow = threading.Thread(target=call, args=(side, origin, 1, "/late"))
    slow.start()
    call(side, origin, 1)
    call(side, origin, 2)
    slow.join()
    all_decided(side, 3)
    assert traces(sink.spans) == {1: 2}


def test_a_trace_with_an_error_is_kept_whole_and_others_are_not(tail, origin, sink):
    side = tail()
    for number in (1, 2, 1):
        call(side, origin, number)
    call(side, origin, 1, "/status/500")
    wait_for("what waits for a decision is queued", lambda: side.metrics().total("sidespan_spans_queued") == 4)
    metrics = all_decided(side, 4)
    assert traces(sink.spans) == {1: 3}
    assert metrics.accounts()["otlp"] == (4, 3, 1, 0)
    assert metrics.total("sidespan_spans_dropped_total", reason="tail") == 1
    assert metrics.total("sidespan_tail_decisions_total", decision="keep") == 1
    assert metrics.total("sidespan_tail_decisions_total", decision="drop") == 1
    # Nobody's metrics miss what was not kept.
    assert metrics.total("http_client_request_duration_seconds_count") == 4


@pytest.mark.parametrize("policy, path", [
    ({"status_codes": ["404", "5xx"]}, "/status/404"),
    ({"slower_than": "150ms"}, "/slow?head=200"),
    ({"attribute": {"key": "http.request.header.x-kept", "values": ["y*"]}}, "/status/200"),
    ({"errors": True, "slower_than": "150ms"}, "/late"),
    ({"probability": 1}, "/status/200"),
])
def test_policies(tail, origin, sink, policy, path):
    origin.answer("/late", [0.2, b"HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n"])
    side = tail({"wait": "100ms", "policies": [policy]}, capture={"request_headers": ["x-kept"]})
    lines = [("X-Kept", "yes")] if "attribute" in policy else []
    call(side, origin, 1, path, lines)
    if "probability" not in policy:
        call(side, origin, 2, "/status/500" if "errors" in policy else "/status/200")
    all_decided(side, 1 if "probability" in policy else 2)
    assert traces(sink.spans) == {1: 1}


@pytest.mark.parametrize("policy", [{"tokens": 1000}, {"cost": 0.001}], ids=["tokens", "cost"])
def test_what_the_models_of_a_trace_took_together(tail, origin, sink, policy):
    side = tail({"wait": "200ms", "policies": [policy]}, prices=[{"model": "m-*", "input": 1, "output": 2}],
                context={"agent_is_instrumented": "no"})
    answer = json.dumps({"id": "c", "object": "chat.completion", "model": "m-1", "choices": [],
                         "usage": {"prompt_tokens": 500, "completion_tokens": 100, "total_tokens": 600}}).encode()
    origin.answer("/v1/chat/completions", [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                           b"Content-Length: %d\r\n\r\n" % len(answer) + answer])
    body = json.dumps({"model": "m-1", "messages": [{"role": "user", "content": "hello"}]}).encode()
    for number in (1, 2, 1):  # 1,200 tokens, 1,400 millionths of a dollar; half of that
        ask(side.egress, "POST", origin.url("/v1/chat/completions"),
            [("traceparent", context(number)), ("Content-Type", "application/json")], body)
    all_decided(side, 3)
    assert traces(sink.spans) == {1: 2}


def test_a_share_is_the_same_each_time_and_th_tells_it(tail, origin, sink):
    side = tail({"wait": "100ms", "policies": [{"probability": 0.25}]})
    high, low = (1 << 56) - 1, (0xc << 52) - 1  # randomness, against a threshold of c
    call(side, origin, high, lines=[("tracestate", "ot=th:0,a=1")])
    call(side, origin, low, lines=[("tracestate", "ot=th:0")])
    call(side, origin, (1 << 64) + high, lines=[("tracestate", "ot=th:fd70a")])
    call(side, origin, (2 << 64) + high)
    all_decided(side, 4)
    told = {int(span["trace_id"], 16): span["tracestate"] for span in sink.spans}
    assert told == {high: "ot=th:c,a=1", (1 << 64) + high: "ot=th:fd70a", (2 << 64) + high: ""}


def test_th_of_traces_that_begin_here(tail, origin, sink):
    side = tail({"wait": "100ms", "policies": [{"probability": 0.25}, {"errors": True}]})
    for _ in range(40):
        ask(side.egress, "GET", origin.url("/status/200"), host="h")
    ask(side.egress, "GET", origin.url("/status/500"), host="h")
    all_decided(side, 41)
    good = [span for span in sink.spans if span["status"] != "ERROR"]
    assert 0 < len(good) < 30
    assert {span["tracestate"] for span in good} == {"ot=th:c"}
    [bad] = [span for span in sink.spans if span["status"] == "ERROR"]
    assert bad["tracestate"] == "ot=th:0", "all of those are kept"


def test_what_the_head_did_not_sample_stays_away(tail, origin, sink):
    side = tail()
    call(side, origin, 1, "/status/500", flags="02")
    call(side, origin, 2, "/status/500")
    all_decided(side, 1)
    assert traces(sink.spans) == {2: 1}
    assert side.metrics().total("sidespan_requests_total") == 2


def test_a_late_error_keeps_what_is_left(tail, origin, sink):
    side = tail({"wait": "100ms", "policies": [{"errors": True}]})
    call(side, origin, 1)
    wait_for("a decision", lambda: dropped(side) == 1)
    call(side, origin, 1, "/status/500")
    call(side, origin, 1)
    metrics = all_decided(side, 3)
    assert metrics.accounts()["otlp"] == (3, 2, 1, 0)
    assert metrics.total("sidespan_tail_partial_total") == 1


def test_a_decision_is_remembered_for_late_spans(tail, origin, sink):
    """Until there are too many others."""
    side = tail({"wait": "100ms", "policies": [{"errors": True}]}, {"tail_decisions": 4})
    call(side, origin, 1, "/status/500")
    sink.wait(1)
    call(side, origin, 1)
    sink.wait(2)
    for number in range(10, 20):
        call(side, origin, number)
    wait_for("decisions", lambda: dropped(side) == 10)
    call(side, origin, 1)
    wait_for("a new one", lambda: dropped(side) == 11)


MODEL = "/v1/chat/completions"
WISH = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "call_5d0e8b1c7f264a93", "type": "function", "function": {"name": "search", "arguments": "{}"}}]}
QUESTION = {"role": "user", "content": "Where is the parcel of order QK-482913?"}


def prompt(origin, side, *messages):
    body = json.dumps({"model": "gpt-5-mini", "messages": [QUESTION, *messages]}).encode()
    with Client(side.egress) as agent:
        return agent.ask("POST", origin.url(MODEL), [("Content-Type", "application/json")], body)


def answers(kind, body):
    body = json.dumps(body).encode()
    return [f"HTTP/1.1 {kind}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body]


def asks_for_a_tool():
    return answers("200 OK", {"id": "chatcmpl-1", "model": "gpt-5-mini", "choices": [
        {"index": 0, "message": WISH, "finish_reason": "tool_calls"}]})


def test_a_turn_that_is_open_is_waited_for(tail, origin, sink):
    """Its last call fails long after the trace has been silent for `wait`: all of it is kept."""
    side = tail({"wait": "300ms", "policies": [{"errors": True}]}, context={"turn_idle": "2s"})
    origin.answer(MODEL, asks_for_a_tool(), answers("500 Internal Server Error", {"error": {"message": "no"}}))
    prompt(origin, side)
    call(side, origin, 7)  # another trace is silent for as long, and decided
    wait_for("a decision", lambda: dropped(side) == 1)
    time.sleep(1)
    assert side.metrics().total("sidespan_spans_queued") == 1 and not sink.spans
    prompt(origin, side, WISH, {"role": "tool", "tool_call_id": WISH["tool_calls"][0]["id"], "content": "at the depot"})
    metrics = all_decided(side, 4)
    assert metrics.accounts()["otlp"] == (4, 3, 1, 0)
    turn, = [span for span in sink.spans if is_turn(span)]
    assert {span["trace_id"] for span in sink.spans} == {turn["trace_id"]}
    assert sorted(span["status"] for span in sink.spans) == ["ERROR", "UNSET", "UNSET"]
    assert metrics.total("sidespan_tail_partial_total") == metrics.total("sidespan_tail_early_total") == 0


def test_a_turn_is_waited_for_no_longer_than_max_wait(tail, origin, sink):
    side = tail({"wait": "200ms", "max_wait": "1s", "policies": [{"errors": True}]}, context={"turn_idle": "30s"})
    origin.answer(MODEL, asks_for_a_tool())
    prompt(origin, side)
    wait_for("a decision", lambda: dropped(side) == 1)
    assert side.metrics().total("sidespan_tail_early_total", limit="max_wait") == 1


def test_a_trace_waits_no_longer_than_max_wait(tail, origin, sink):
    side = tail({"wait": "600ms", "max_wait": "1s", "policies": [{"errors": True}]})
    with Client(side.egress) as agent:
        end = time.monotonic() + 1.8
        while time.monotonic() < end:
            agent.send(head(f"GET {origin.url('/status/200')} HTTP/1.1", [("Host", "h"), ("traceparent", context(1))]))
            agent.response()
            time.sleep(0.1)
    assert side.metrics().total("sidespan_tail_early_total", limit="max_wait") == 1
    assert dropped(side) > 0


def early_of(metrics, **labels):
    return metrics.total("sidespan_tail_early_total", **labels)


def waiting_or_decided(metrics):
    return metrics.total("sidespan_tail_traces") + metrics.total("sidespan_tail_decisions_total")


@pytest.mark.parametrize("limit, value, label", [
    ("tail_traces", 5, "traces"), ("tail_spans", 5, "spans"), ("tail_bytes", "4KiB", "bytes")])
def test_what_does_not_fit_is_decided_at_once(tail, origin, sink, limit, value, label):
    """Each trace has one span here, so that so many of either wait, and no more and no fewer. Of bytes so many that one
    span more would not go in."""
    limits = {"tail_traces": 1000, "tail_spans": 1000, "tail_bytes": "1MiB"} | {limit: value}
    side = tail({"wait": "1h", "max_wait": "1h", "policies": [{"errors": True}]}, limits)
    sizes = []
    for number in range(1, 31):
        before = side.metrics()
        call(side, origin, number, "/status/500" if number % 3 == 0 else "/status/200")
        # Those that were decided and this one are all that there were.
        wait_for("a span", lambda: waiting_or_decided(side.metrics()) == number)
        after = side.metrics()
        if not early_of(after) - early_of(before):
            sizes.append(after.total("sidespan_tail_bytes") - before.total("sidespan_tail_bytes"))
    metrics = side.metrics()
    waiting = metrics.total("sidespan_tail_traces")
    assert metrics.total("sidespan_tail_spans") == waiting
    assert early_of(metrics, limit=label) == early_of(metrics) == 30 - waiting
    if limit == "tail_bytes":
        # A span may be a few digits longer than those that were seen alone.
        assert 4 * KiB - max(sizes) - 64 < metrics.total("sidespan_tail_bytes") <= 4 * KiB
    else:
        assert waiting == 5
    side.stop()
    # The end decides the rest.
    assert traces(sink.spans) == {number: 1 for number in range(3, 31, 3)}


def test_sigterm_decides_what_waits(tail, origin, sink):
    side = tail({"wait": "1h", "max_wait": "1h", "policies": [{"errors": True}]}, export={"batch": {"queue": 20, "spans": 10}})
    bad, good = range(1, 61), range(100, 110)
    for count, number in enumerate([*bad, *good], 1):
        call(side, origin, number, "/status/500" if number in bad else "/status/200")
        if count % 10 == 0:  # no more than that are on their way to where they wait
            wait_for(f"{count} traces", lambda: side.metrics().total("sidespan_tail_traces") == count)
    side.stop()
    # More than the queue holds: it is fed as the collector takes.
    assert traces(sink.spans) == {number: 1 for number in bad}


AGENT = """
import sys, time, urllib.error, urllib.request
for url in sys.argv[1:]:
    try:
        urllib.request.urlopen(url).read()
    except urllib.error.HTTPError:
        pass
    time.sleep(0.5)
"""


@pytest.mark.parametrize("last, kept", [("/status/500", 4), ("/status/200", 0)])
def test_a_run_is_not_over_before_its_end(tmp_path, origin, sink, last, kept):
    """However long its calls are apart."""
    config = merged(exporting(sink.endpoint), {"sampling": {"tail": {"wait": "100ms", "policies": [{"errors": True}]}}})
    urls = [origin.url(path) for path in ("/status/200", "/status/200", last)]
    done = run(tmp_path, [sys.executable, "-c", AGENT, *urls], config)
    assert done.returncode == 0, done.stderr
    assert "exported" not in done.stderr, "what was not kept is not lost"
    assert len(sink.quiet()) == kept
    assert len({span["trace_id"] for span in sink.spans}) == (1 if kept else 0)


def test_the_law_holds_for_very_many(tail, sink):
    """A hundredth of them end badly and are kept, whole; a fiftieth of the others; nothing grows beyond its limit."""
    limits = {"tail_traces": 200, "tail_spans": 1000, "tail_bytes": "1MiB", "tail_decisions": 4000}
    # On a busy machine a trace may be quiet for long between two calls: the limits decide, not the clock.
    side = tail({"wait": "10s", "policies": [{"errors": True}, {"probability": 0.02}]}, limits,
                export={"batch": {"queue": 200_000}})
    load = ManyTraces(side.egress, traces=6_000, bad_every=100)
    watched = []
    over = threading.Event()

    def watch():
        while not over.wait(0.1):
            metrics = side.metrics()
            metrics.accounts()
            watched.append([metrics.total(f"sidespan_tail_{what}") for what in ("traces", "spans", "bytes")])

    watcher = threading.Thread(target=watch)
    watcher.start()
    load.run()
    over.set()
    watcher.join()
    metrics = all_decided(side, load.spans)
    emitted, exported, lost, queued = metrics.accounts()["otlp"]
    assert (emitted, queued) == (load.spans, 0)
    assert lost == metrics.total("sidespan_spans_dropped_total", reason="tail"), "for no other reason"
    found = Counter(span["trace_id"] for span in sink.spans)
    assert sum(found.values()) == exported
    assert set(found.values()) == {CALLS}, "no trace in parts"
    assert load.bad <= set(found)
    others = len(found) - len(load.bad)
    assert 70 < others < 180, others
    # Each is kept by its own id.
    assert all(int(found_id[-14:], 16) >= 0xfae1 << 40 for found_id in set(found) - load.bad)
    assert metrics.total("sidespan_tail_decisions_total") == len(load.ids)
    most = [max(column) for column in zip(*watched)]
    assert most[0] <= 200 and most[1] <= 1000 and most[2] <= MiB, most
    assert metrics.total("sidespan_tail_early_total") > 0, "limits were reached"
    assert resident(side) < 100 * MiB
