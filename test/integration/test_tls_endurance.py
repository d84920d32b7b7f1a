"""TLS for long: what is broken off leaves nothing behind, and what is asked for endlessly stays bounded.

    test_tls_endurance.py --handshakes 30000 --names 10000      a minute of 500 a second, and as many names as that

Without those it is short. Figures are printed with -s.
"""

import collections
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handshakes import WILD
from origin import Origin
from otlp_sink import OtlpSink
from sidecar import open_files, resident, sanitized
from test_tls_memory import MIB
from tunnel import Tunnel, context_of
from wire import wait_for

A_SECOND, DRIVERS = 500, 2  # one driver alone is too slow
# Small, so that all of them are full soon and what still grows is a leak.
LIMITS = {"origin_idle": 8, "origin_idle_time": "1s", "tls_certificates": 50, "tls_pinned_hosts": 50,
          "tls_sessions": 50}


class Counting(OtlpSink):
    """Counts spans by name instead of keeping them."""

    def __init__(self):
        self.names = collections.Counter()
        super().__init__()

    def _accept(self, export):
        if export.status == 200:
            self.names.update(span["name"] for span in export.spans)


@pytest.fixture
def sink():
    sink = Counting()
    yield sink
    sink.stop()


@pytest.fixture
def many(authority):
    """An origin with any name below many.example, which its agents call by address."""
    origin = Origin(tls=authority.server(f"*.{WILD}"))
    yield origin
    origin.stop()


def descriptors(side):
    """Those of /dev/null not among them: libuv keeps one a loop, from its first connection on."""
    return sum(name != "/dev/null" for name in open_files(side.process.pid))


def quiet(side):
    return side.metrics().total("sidespan_connections") == 0


def break_off(side, origin, count, seed):
    """What the drivers say of themselves, together, and the resident sizes meanwhile."""
    program = str(Path(__file__).parent / "handshakes.py")
    words = [str(word) for word in (side.egress[1], origin.port, count // DRIVERS, A_SECOND // DRIVERS)]
    drivers = [subprocess.Popen([sys.executable, program, *words, str(seed + number)], stdout=subprocess.PIPE,
                                text=True) for number in range(DRIVERS)]
    sizes = []
    while any(driver.poll() is None for driver in drivers):
        sizes.append(resident(side))
        time.sleep(0.2)
    said = [json.loads(driver.communicate()[0]) for driver in drivers]
    statuses = sum((collections.Counter(one["statuses"]) for one in said), collections.Counter())
    return statuses, max(one["seconds"] for one in said), sizes


def test_handshakes_that_are_broken_off_leave_nothing(intercepting, many, sink, request):
    count = request.config.getoption("--handshakes")
    side = intercepting({"limits": LIMITS})
    before = descriptors(side) + 1  # the exporter's connection stays
    warm = break_off(side, many, max(count // 6, 400), 1)[0]
    ran = sum(ran for ran, _ in side.workers())
    statuses, seconds, sizes = break_off(side, many, count, 1 + DRIVERS)
    wait_for("quiet", lambda: quiet(side), 30)
    wait_for("as few descriptors as before", lambda: descriptors(side) <= before, 30)
    growth = max(sizes) - sizes[0]
    ran = sum(ran for ran, _ in side.workers()) - ran
    print(f"{count} in {seconds:.1f} s, {count / seconds:.0f} a second, {ran / count * 1e6:.0f} us of the worker's each; "
          f"resident {sizes[0] / MIB:.1f} MiB, at most {growth / MIB:.2f} more; {before} descriptors")
    asked = warm.total() + count
    assert statuses == {"200": count}
    wait_for("a span each", lambda: sink.names["CONNECT"] >= asked)
    time.sleep(0.5)
    assert sink.names == {"CONNECT": asked}
    side.metrics().accounts()
    assert sanitized() or growth < MIB


def test_endless_names_do_not_fill_the_memory(intercepting, many, request):
    names = request.config.getoption("--names")
    kept = min(1000, names // 4)
    side = intercepting({"limits": LIMITS | {"tls_certificates": kept}})
    context = context_of(side)
    took, sizes = [], []
    for number in range(names):
        name = f"n{number}.{WILD}"
        began = time.monotonic()
        with Tunnel(side, many, context, host="127.0.0.1", server_name=name) as agent:
            took.append(time.monotonic() - began)
            assert agent.get("/bytes/10", name + f":{many.port}").status == 200
        many.requests.clear()
        sizes.append(resident(side))
    metrics = side.metrics()
    assert metrics.total("sidespan_certificates_minted_total") == names
    assert metrics.total("sidespan_certificates") == kept
    took.sort()
    growth = sizes[-1] - sizes[names // 2]
    print(f"{names} names, {kept} certificates kept; a handshake with all that it takes: p50 "
          f"{took[names // 2] * 1e3:.1f} ms, p99 {took[names * 99 // 100] * 1e3:.1f} ms; resident "
          f"{sizes[0] / MIB:.1f} MiB at first, {sizes[-1] / MIB:.1f} at last, {growth / MIB:.2f} in the second half")
    assert sanitized() or growth < MIB
