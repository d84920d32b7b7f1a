"""The program behind test/bench/tail: the load of test/integration/many_traces.py, larger, and told in numbers."""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from many_traces import CALLS, ManyTraces
from otlp_sink import OtlpSink
from sidecar import Sidecar, exporting, merged, resident
from wire import wait_for

MiB = 1 << 20


def knobs():
    parser = argparse.ArgumentParser(prog="test/bench/tail", description=__doc__)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--bad-every", type=int, default=100, help="one trace of so many has an error")
    parser.add_argument("--share", type=float, default=0.02, help="of the others, kept by trace id; 0: none")
    parser.add_argument("--waiting", type=int, default=2000, help="limits.tail_traces")
    parser.add_argument("--wait", default="10s")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--off", action="store_true", help="without tail sampling, for comparison")
    return parser.parse_args()


def config(asked, endpoint):
    policies = [{"errors": True}] + ([{"probability": asked.share}] if asked.share else [])
    limits = {"tail_traces": asked.waiting, "tail_spans": asked.waiting * 4, "tail_bytes": "4MiB"}
    tail = "off" if asked.off else {"wait": asked.wait, "policies": policies}
    return merged(exporting(endpoint, queue=1_000_000),
                  {"sampling": {"tail": tail}, "limits": limits, "workers": asked.workers})


class Watch(threading.Thread):
    """The most of what waits, and the law, ten times a second."""

    def __init__(self, side):
        super().__init__()
        self.side = side
        self.over = threading.Event()
        self.most = Counter()
        self.looks = 0

    def run(self):
        while not self.over.wait(0.1):
            metrics = self.side.metrics()
            metrics.accounts()
            self.looks += 1
            for what in ("traces", "spans", "bytes"):
                self.most[what] = max(self.most[what], metrics.total(f"sidespan_tail_{what}"))
            self.most["resident"] = max(self.most["resident"], resident(self.side))

    def stop(self):
        self.over.set()
        self.join()


def faults(asked, load, sink, accounts, lost, most):
    """What is not as it must be."""
    emitted, exported, dropped, queued = accounts
    found = Counter(span["trace_id"] for span in sink.spans)
    if emitted != load.spans or queued:
        yield f"{emitted:g} spans emitted of {load.spans}, {queued:g} queued at the end"
    if exported != sum(found.values()):
        yield f"{exported:g} counted as exported, {sum(found.values())} arrived"
    if dropped != lost.get("tail", 0):
        yield f"dropped for other reasons: {lost}"
    if load.bad - set(found):
        yield f"{len(load.bad - set(found))} traces with an error are missing"
    if parts := [trace for trace, spans in found.items() if spans != CALLS]:
        yield f"{len(parts)} traces came in parts"
    if not asked.off and (most["traces"] > asked.waiting or most["spans"] > asked.waiting * 4
                          or most["bytes"] > 4 * MiB):
        yield f"a limit was passed: {dict(most)}"


def main():
    asked = knobs()
    sink = OtlpSink()
    with tempfile.TemporaryDirectory() as directory, Sidecar(Path(directory), config(asked, sink.endpoint)) as side:
        at_rest = resident(side)
        load = ManyTraces(side.egress, asked.traces, asked.bad_every)
        watch = Watch(side)
        watch.start()
        began = time.monotonic()
        load.run()
        took = time.monotonic() - began
        wait_for("all spans", lambda: side.metrics().accounts()["otlp"][0] == load.spans, 60)
        wait_for("no span that waits", lambda: side.metrics().total("sidespan_spans_queued") == 0, 120)
        watch.stop()
        metrics = side.metrics()
        accounts = metrics.accounts()["otlp"]
        lost = {sample.labels["reason"]: sample.value for sample in metrics.all("sidespan_spans_dropped_total")
                if sample.value}
        cpu = {name: metrics.total(name) for name in ("process_cpu_seconds_total",)}
    sink.stop()
    print(f"{asked.traces} traces, {len(load.bad)} with an error, {load.spans} spans in {took:.1f} s "
          f"({load.spans / took:.0f}/s), {cpu['process_cpu_seconds_total'] / load.spans * 1e6:.1f} us of CPU a span")
    print("emitted {:g} = exported {:g} + dropped {:g} + queued {:g}; {}".format(*accounts, lost))
    print(f"kept {len(set(span['trace_id'] for span in sink.spans))} traces; most that waited: "
          f"{watch.most['traces']:g} traces, {watch.most['spans']:g} spans, {watch.most['bytes'] / MiB:.2f} MiB; "
          f"memory {at_rest / MiB:.0f} MiB at rest, {watch.most['resident'] / MiB:.0f} at most ({watch.looks} looks)")
    for sample in metrics.all("sidespan_tail_early_total") + metrics.all("sidespan_tail_partial_total"):
        print(f"{sample.name} {sample.labels.get('limit', '')} {sample.value:g}")
    found = list(faults(asked, load, sink, accounts, lost, watch.most))
    for fault in found:
        print("WRONG:", fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
