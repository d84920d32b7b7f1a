"""What test/soak/memory runs: test_memory_group's crowd for some minutes. Half of the readers leave every minute, so that
memory is taken and given back. The exit status is 1 when the kernel had to kill, the books did not agree, more was held
than may be, or the proxy stopped answering; 3 where no control group can be made.
"""

import argparse
import collections
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from control_group import MemoryGroup  # noqa: E402
from origin import Origin  # noqa: E402
from otlp_sink import OtlpSink  # noqa: E402
from sidecar import Sidecar, exporting  # noqa: E402
from slow_readers import SlowReaders, pour, probe  # noqa: E402
from wire import wait_for  # noqa: E402

MiB = 1 << 20


class Forgetful(OtlpSink):
    """Answers, and keeps nothing."""

    def _accept(self, export):
        pass


class Watch:
    """A look every second."""

    def __init__(self, side, origin, group):
        self.side, self.origin, self.group = side, origin, group
        self.resident = self.held = self.slowest = 0
        self.statuses, self.wrong = collections.Counter(), []

    def look(self):
        metrics = self.side.metrics()
        try:
            metrics.accounts()
        except AssertionError as fault:
            self.wrong.append(str(fault))
        self.held = max(self.held, metrics.total("sidespan_memory_bytes"))
        self.resident = max(self.resident, metrics.total("process_resident_memory_bytes"))
        status, took = probe(self.side, self.origin.url("/bytes/1"))
        self.statuses[status] += 1
        self.slowest = max(self.slowest, took)
        self.origin.requests.clear()


def soak(options, directory, group):
    origin, sink = Origin(), Forgetful()
    origin.answer("/pour", [pour])
    side = Sidecar(Path(directory), exporting(sink.endpoint), wrapper=group.wrapper)
    limit = side.metrics().total("sidespan_memory_limit_bytes")
    readers, watch = SlowReaders(side.egress, origin.url("/pour"), options.readers), Watch(side, origin, group)
    for minute in range(max(1, round(options.minutes))):
        readers.run(60 * options.minutes / max(1, round(options.minutes)), watch.look)
        print(f"minute {minute + 1}: {readers.reading()} reading, {watch.held / MiB:.1f} MiB held at most of "
              f"{limit / MiB:.1f}, resident {watch.resident / MiB:.1f}, {dict(readers.seen)}", flush=True)
        readers.leave(readers.count // 2)
    readers.leave()
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    wait_for("all exported", lambda: side.metrics().total("sidespan_spans_queued") == 0)
    metrics = side.metrics()
    lines = {
        "kernel": (group.kills() == 0, f"{group.kills()} kills, peak {(group.peak() or 0) / MiB:.1f} MiB of {options.mebibytes}, "
                                       f"{group.at_limit()} times at the limit"),
        "resident": (True, f"{watch.resident / MiB:.1f} MiB at most"),
        "held": (watch.held <= limit, f"{watch.held / MiB:.1f} MiB at most of {limit / MiB:.1f}"),
        "books": (not watch.wrong, f"{watch.wrong[:2]} (emitted, exported, dropped, queued) {metrics.accounts()}"),
        "reactions": (metrics.total("sidespan_memory_reactions_total", reaction="refused") > 0,
                      {sample.labels["reaction"]: sample.value for sample in metrics.all("sidespan_memory_reactions_total")}),
        "answers": (set(watch.statuses) <= {200, 503} and probe(side, origin.url("/bytes/1"))[0] == 200,
                    f"{dict(watch.statuses)}, the slowest {watch.slowest:.2f} s"),
    }
    for name, (good, shown) in lines.items():
        print(f"{'ok    ' if good else 'FAILED'}  {name}: {shown}")
    side.stop()
    origin.stop()
    sink.stop()
    return all(good for good, _ in lines.values())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--mebibytes", type=int, default=48)
    parser.add_argument("--readers", type=int, default=500)
    options = parser.parse_args()
    try:
        group = MemoryGroup(options.mebibytes * MiB)
    except pytest.skip.Exception as reason:
        print(reason)
        return 3
    with tempfile.TemporaryDirectory() as directory, group:
        return 0 if soak(options, directory, group) else 1


if __name__ == "__main__":
    sys.exit(main())
