"""Row 67: a hundredth of the processor is ours. That we are slow then is no fault of the peers."""

import selectors
import time

import pytest

from control_group import CpuGroup
from sidecar import sanitized
from wire import ask, connect, head, wait_for

CROWD, ROUNDS = 100, 5
LIMIT = "5s"  # several times what serving the whole crowd once takes us then


@pytest.fixture
def group():
    with CpuGroup() as group:
        yield group


def crowd(address, url):
    """The statuses that so many agents get, all at once, each for one request after the other."""
    request, statuses, chooser = head(f"GET {url} HTTP/1.1", [("Host", "h")]), [], selectors.DefaultSelector()
    for _ in range(CROWD):
        agent = connect(address)
        agent.sendall(request)
        chooser.register(agent, selectors.EVENT_READ, {"left": ROUNDS, "answer": b""})
    end = time.monotonic() + 100
    while chooser.get_map() and time.monotonic() < end:
        for key, _ in chooser.select(1):
            agent, state = key.fileobj, key.data
            data = agent.recv(65536)
            state["answer"] += data
            good = state["answer"].startswith(b"HTTP/1.1 200 ")
            if data and good and not state["answer"].endswith(b"\r\n\r\nx"):
                continue
            statuses.append(state["answer"][9:12].decode())
            state["left"], state["answer"] = state["left"] - 1, b""
            if good and data and state["left"]:
                agent.sendall(request)
            else:
                chooser.unregister(agent)
                agent.close()
    for key in list(chooser.get_map().values()):
        key.fileobj.close()
    return statuses


def lag(side):
    return side.metrics().total("sidespan_loop_lag_seconds_sum")


def test_row_67_a_hundredth_of_the_processor(group, sidecar, origin, sink):
    limits = {name: LIMIT for name in ("connect_time", "begin_time", "stream_idle_time", "head_time")}
    side = sidecar({"limits": limits}, wrapper=group.wrapper)
    before, statuses = lag(side), []
    group.limit(10 if sanitized() else 1)  # a sanitizer takes ten times as much

    def late():
        """Whether a loop was seen to be late. A crowd may be served between two looks, which are a second apart."""
        statuses.extend(crowd(side.egress, origin.url("/bytes/1")))
        return lag(side) > before + 0.1

    wait_for("a loop that was late", late)
    assert ask(side.health, "GET", "/healthz", host="localhost").status == 200
    group.limit(None)
    calls = len(statuses)
    assert set(statuses) == {"200"} and calls % (CROWD * ROUNDS) == 0
    assert group.throttled() > 10
    spans = sink.wait(calls)
    assert {span["attributes"]["sidespan.end"] for span in spans} == {"complete"}
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    wait_for("empty queue", lambda: side.metrics().total("sidespan_spans_queued") == 0)
    assert side.metrics().accounts()["otlp"][0] == calls
    assert len({span["span_id"] for span in sink.spans}) == calls
