"""Row 64: five hundred slow readers and a process that may have 48 MiB. test/soak/memory is the same for longer."""

from control_group import MemoryGroup
from sidecar import sanitized
from slow_readers import SlowReaders, pour, probe
from wire import ask, wait_for

import pytest

MiB = 1 << 20
GROUP = 48 * MiB


@pytest.fixture
def group():
    with MemoryGroup(GROUP) as group:
        yield group


def test_row_64_five_hundred_slow_readers_in_48_mib(group, sidecar, origin, sink):
    if sanitized():
        pytest.skip("AddressSanitizer needs more than that by itself")
    origin.answer("/pour", [pour])
    side = sidecar(wrapper=group.wrapper)
    limit = side.metrics().total("sidespan_memory_limit_bytes")
    assert limit == pytest.approx(0.6 * GROUP, rel=0.01)
    readers, held, probes = SlowReaders(side.egress, origin.url("/pour"), 500), [], []

    def look():
        metrics = side.metrics()
        metrics.accounts()
        held.append(metrics.total("sidespan_memory_bytes"))
        (_, before), = side.workers()
        status, took = probe(side, origin.url("/bytes/1"))
        (_, after), = side.workers()
        probes.append((status, took - (after - before)))  # what others took from us is not ours to answer for

    try:
        for _ in range(10):
            readers.run(4, look)
            if readers.seen["refused"]:
                break
        readers.run(4, look)
        metrics = side.metrics()
        assert readers.seen["refused"] > 0 and metrics.total("sidespan_memory_reactions_total", reaction="refused") > 0
        assert readers.seen["read"] > 0 and readers.reading() > 100
    finally:
        readers.leave()
    assert 0.8 * limit < max(held) <= limit
    assert {status for status, _ in probes} <= {200, 503} and max(took for _, took in probes) < 5
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    assert ask(side.egress, "GET", origin.url("/bytes/1")).status == 200
    assert group.kills() == 0 and side.process.poll() is None
    wait_for("all exported", lambda: side.metrics().total("sidespan_spans_queued") == 0)
    side.metrics().accounts()
