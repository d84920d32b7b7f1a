"""Vendors' formats before judges that others wrote: what their propagators write sidespan reads with the same ids, and
what sidespan writes they read as the exported span's.
"""

import json
import subprocess
from pathlib import Path

import pytest

import peers
from sidecar import exporting, merged
from wire import ask

SCRIPT = Path(__file__).resolve().parent / "clients" / "propagators.py"
FORMATS = ["b3", "b3multi", "jaeger", "xray", "ottrace", "datadog"]
TRACE_ID, SPAN_ID = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"


class Judge:
    def __init__(self, python):
        self.process = subprocess.Popen([python, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the judge has ended"
        return json.loads(line)


@pytest.fixture(scope="module")
def judge():
    judge = Judge(f"{peers.made('propagators')}/bin/python")
    yield judge
    judge.process.stdin.close()
    judge.process.wait()


def formats(sink, *names):
    return merged(exporting(sink.endpoint), {"propagation": {"extract": list(names), "inject": list(names)}})


@pytest.mark.parametrize("sampled", [True, False], ids=["sampled", "not sampled"])
@pytest.mark.parametrize("name", FORMATS)
def test_both_sides_agree(name, sampled, judge, sidecar, origin, sink):
    side = sidecar(formats(sink, name))
    received = judge.ask(do="inject", format=name, trace_id=TRACE_ID, span_id=SPAN_ID, sampled=sampled)
    assert received
    ask(side.egress, "GET", origin.url("/echo/judged"), list(received.items()))
    request, = origin.seen("/echo/judged")
    seen = judge.ask(do="extract", format=name, headers=dict(request.headers))
    # OT trace carries the lower half alone.
    trace_id = "0" * 16 + TRACE_ID[16:] if name == "ottrace" else TRACE_ID
    assert seen["trace_id"] == trace_id
    assert seen["span_id"] != SPAN_ID
    assert seen["sampled"] == sampled
    if name == "datadog":
        assert seen["priority"] == (2 if sampled else -1), "the priority goes on as it was"
    if sampled:
        span, = sink.wait(1)
        assert (span["trace_id"], span["span_id"]) == (trace_id, seen["span_id"])
        assert span["parent_id"] == SPAN_ID
    assert "traceparent" not in {field.lower() for field, _ in request.headers}


@pytest.mark.parametrize("name", FORMATS)
def test_a_root_of_ours_is_understood(name, judge, sidecar, origin, sink):
    side = sidecar(formats(sink, name))
    ask(side.egress, "GET", origin.url("/echo/root"))
    request, = origin.seen("/echo/root")
    seen = judge.ask(do="extract", format=name, headers=dict(request.headers))
    span, = sink.wait(1)
    assert seen["trace_id"][16:] == span["trace_id"][16:] and seen["span_id"] == span["span_id"]
    assert name == "ottrace" or seen["trace_id"] == span["trace_id"]
    assert seen["sampled"]


def test_several_formats_tell_the_same_span(judge, sidecar, origin, sink):
    side = sidecar(formats(sink, *FORMATS))
    ask(side.egress, "GET", origin.url("/echo/all"))
    request, = origin.seen("/echo/all")
    span, = sink.wait(1)
    for name in FORMATS:
        assert judge.ask(do="extract", format=name, headers=dict(request.headers))["span_id"] == span["span_id"]
