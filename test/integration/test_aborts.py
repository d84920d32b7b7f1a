"""Calls that break off by the thousand, at every point of aborts.py and on both sides: nothing is left behind, and each
has the one span it is due, with the right end.

    pytest test/integration/test_aborts.py --aborts 5000
"""

import collections
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from aborts import POINTS, Field, port_of
from origin import CLOSE, RESET
from sidecar import resident, sanitized
from wire import wait_for

AT_ONCE = 12
OPENING = 2500  # they fill pools and caches
GROWTH = 128 << 10  # of the second half over the first
LIMITS = {
    "half_close_time": "150ms", "connect_time": "20s", "stream_idle_time": "20s",
    # Each call has an address of its own, and what it says is kept in a table whose pages come one by one.
    "lineage_values": 1024,
    # A small limit is told in small steps, and of it 1/256 may be addresses that were called lately.
    "memory": "8MiB",
}
HELD = (8 << 20) // 256 * 3  # how far two figures may be apart: a step each, and those addresses


def descriptors(side):
    return len(os.listdir(f"/proc/{side.process.pid}/fd"))


def held(side):
    return side.metrics().total("sidespan_memory_bytes")


def play(field, calls):
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for done in [threads.submit(POINTS[point][0], field, key, how) for point, how, key in calls]:
            done.result()


def quiet(side, before):
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    wait_for(f"no descriptor more than {before}", lambda: descriptors(side) <= before)


def ends_by_point(spans, field):
    """{(point, how): Counter of ends}, and the keys of calls that have more than one span."""
    tunnels = {port_of(field.full): "agent-in-connect", port_of(field.mute): "agent-in-handshake",
               port_of(field.echo): "agent-in-tunnel", port_of(field.resetting): "origin-in-tunnel"}
    found, keys = collections.defaultdict(collections.Counter), collections.Counter()
    for span in spans:
        attributes = span["attributes"]
        if "?" in attributes.get("url.full", ""):
            key = attributes["url.full"].partition("?")[2]
            keys[key] += 1
            point, how, _ = key.split("/")
        else:
            point, how = tunnels[attributes["server.port"]], None
        found[point, how][attributes["sidespan.end"]] += 1
    return found, [key for key, count in keys.items() if count > 1]


def due(calls):
    """The same as it has to be; of tunnels nobody can tell from outside which call they were."""
    expected = collections.defaultdict(collections.Counter)
    for point, how, _ in calls:
        ends = POINTS[point][1]
        if ends:
            tunnel = point in ("agent-in-connect", "agent-in-handshake", "agent-in-tunnel", "origin-in-tunnel")
            expected[point, None if tunnel else how][ends[how == RESET]] += 1
    return expected


@pytest.fixture
def field(intercepting):
    side = intercepting({"limits": LIMITS})
    field = Field(side.egress)
    field.side = side
    yield field
    field.stop()


def test_row_10_aborts_leave_nothing_behind(field, sink, request):
    side, count = field.side, request.config.getoption("--aborts")
    kinds = [(point, how) for point in POINTS for how in (CLOSE, RESET)]
    calls = [(*kinds[number % len(kinds)], "/".join((*kinds[number % len(kinds)], str(number)))) for number in range(count)]
    opening = [(*kinds[number % len(kinds)], "/".join((*kinds[number % len(kinds)], f"first-{number}")))
               for number in range(OPENING)]
    play(field, opening)  # whatever is opened once is open now
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    sink.quiet()
    before, held_before = descriptors(side), held(side)
    play(field, calls[:count // 2])
    quiet(side, before)
    halfway = resident(side)
    play(field, calls[count // 2:])
    quiet(side, before)
    growth = resident(side) - halfway
    print(f"{count} aborts: {before} descriptors before and {descriptors(side)} after, {held_before / 1024:.0f} KiB "
          f"held before and {held(side) / 1024:.0f} after, {growth / 1024:.0f} KiB more in the second half")

    expected = due(opening + calls)
    total = sum(counter.total() for counter in expected.values())
    sink.wait(total, timeout=30)
    found, twice = ends_by_point(sink.quiet(), field)
    wrong = {key: (dict(found[key]), dict(expected[key])) for key in found.keys() | expected.keys()
             if found[key] != expected[key]}
    assert not wrong, "(found, due): " + "\n".join(f"{key}: {value}" for key, value in wrong.items())
    assert not twice
    (emitted, exported, dropped, queued), = side.metrics().accounts().values()
    assert (emitted, exported, dropped, queued) == (total, total, 0, 0)
    assert side.metrics().total("sidespan_memory_reactions_total") == 0  # each of them ended as it should by itself
    assert held(side) - held_before <= HELD
    if not sanitized():
        assert growth < GROWTH
