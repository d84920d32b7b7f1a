"""The soak behind test/soak/run. Every five seconds one fault out of FAULTS strikes while LOADS go on; every second
resident size, descriptors and the books of the exporter are taken. The exit status is 1 when something leaked, the books
did not agree at any moment, or the load came to a stop.
"""

import argparse
import os
import random
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from aborts import POINTS, Field, get, port_of, post  # noqa: E402
from origin import CLOSE, RESET, Origin  # noqa: E402
from otlp_sink import OtlpSink, Reply  # noqa: E402
from sidecar import Sidecar, exporting, merged  # noqa: E402
from wire import Client, Truncated, head, wait_for  # noqa: E402

FAULT_EVERY = 5.0
SLOPE = 512  # KiB a minute; over ten minutes less than what one connection's buffers may hold
# What these calls carry is remembered up to a number, 8 MiB of it by default: with this one it is full in the first
# minutes, and what grows later is no table that fills.
LIMITS = {"limits": {"half_close_time": "500ms", "connect_time": "2s", "stream_idle_time": "5s", "export_backoff": "100ms",
                     "export_backoff_most": "500ms", "lineage_values": 16384, "lineage_execution_values": 4096}}
BROKEN = (Truncated, OSError, AssertionError, ValueError, IndexError)  # what a call that meets a fault ends in


class Counting(OtlpSink):
    """Counts instead of keeping: a soak exports more than a test can hold."""

    accepted = 0

    def _accept(self, export):
        with self._lock:
            self.accepted += len(export.spans) if export.status == 200 else 0


class Soak:
    def __init__(self, directory, seed):
        self.chance = random.Random(seed)
        self.origin, self.sinks = Origin(), [Counting()]
        self.sink_port = int(self.sink.endpoint.rpartition(":")[2])
        config = merged(exporting(self.sink.endpoint), LIMITS)
        self.side = Sidecar(Path(directory), config)
        self.field = Field(self.side.egress)
        self.over = threading.Event()
        self.calls = self.failed = 0
        self.faults, self.samples, self.wrong = {}, [], []
        self._lock = threading.Lock()

    @property
    def sink(self):
        return self.sinks[-1]

    # load

    def work(self, load):
        while not self.over.is_set():
            try:
                load(self)
                self._count(True)
            except BROKEN:
                self._count(False)
                time.sleep(0.02)

    def _count(self, good):
        with self._lock:
            self.calls += 1
            self.failed += not good

    # faults

    def strike(self):
        name = self.chance.choice(list(FAULTS))
        self.faults[name] = self.faults.get(name, 0) + 1
        try:
            FAULTS[name](self)
        except BROKEN as fault:
            print(f"  {name}: {fault!r}"[:200])

    # samples

    def sample(self):
        pid = self.side.process.pid
        with open(f"/proc/{pid}/statm") as statm:
            resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
        self.samples.append((time.monotonic(), resident, len(os.listdir(f"/proc/{pid}/fd"))))
        try:
            self.side.metrics().accounts()
        except AssertionError as fault:
            self.wrong.append(str(fault))

    def watch(self):
        while not self.over.wait(1.0):
            self.sample()

    def stop(self):
        self.field.stop()
        self.origin.stop()
        self.sink.stop()
        self.side.stop()


# loads, one call each


def small(soak):
    with Client(soak.side.egress, 10) as agent:
        for number in range(20):
            assert agent.ask("GET", soak.origin.url(f"/echo?{number}")).status == 200
    time.sleep(0.05)


def uploads(soak):
    with Client(soak.side.egress, 10) as agent:
        for size in (10, 10_000, 300_000):
            assert agent.ask("POST", soak.origin.url("/bytes/10"), body=b"u" * size).status == 200
    time.sleep(0.05)


def downloads(soak):
    with Client(soak.side.egress, 10) as agent:
        assert len(agent.ask("GET", soak.origin.url("/bytes/500000")).body) == 500000
        assert agent.ask("GET", soak.origin.url("/chunked/20?size=999")).status == 200
    time.sleep(0.05)


def streams(soak):
    with Client(soak.side.egress, 10) as agent:
        assert agent.ask("GET", soak.origin.url("/sse/100?gap=10")).body.count(b"data:") == 100


def tunnels(soak):
    with Client(soak.side.egress, 10) as agent:
        agent.send(head(f"CONNECT 127.0.0.1:{port_of(soak.field.echo)} HTTP/1.1", [("Host", "h")]) + b"\x00")
        assert agent.reader.head().status == 200
        for _ in range(50):
            agent.send(b"t" * 1000)
            time.sleep(0.005)


def pipelines(soak):
    with Client(soak.side.egress, 10) as agent:
        agent.send(b"".join(get(soak.origin.url(f"/echo?{n}")) for n in range(10)))
        for _ in range(10):
            assert agent.response().status == 200
    time.sleep(0.05)


LOADS = [small, small, uploads, downloads, streams, tunnels, pipelines]


# faults


def origin_restarts(soak):
    port = soak.origin.port
    soak.origin.stop()
    time.sleep(1)
    soak.origin = Origin(port=port)


def requests_kept(soak):
    """The recorders forget, so that the soak measures sidespan and no test."""
    soak.origin.requests.clear()
    soak.field.origin.requests.clear()


def collector_restarts(soak):
    soak.sink.replies(*[Reply(hang_up=True)] * 5)  # stopping closes the listener alone
    soak.sink.stop()
    time.sleep(2)
    soak.sinks.append(Counting(port=soak.sink_port))


def collector_is_slow(soak):
    soak.sink.replies(*[Reply(delay=0.5)] * 5)


def collector_says_no(soak):
    soak.sink.replies(*[Reply(soak.chance.choice((500, 503, 429, 400)))] * 5)


def collector_hangs_up(soak):
    soak.sink.replies(*[Reply(hang_up=True)] * 5)


def aborts(soak):
    for number in range(200):
        point = soak.chance.choice(list(POINTS))
        POINTS[point][0](soak.field, f"{time.monotonic()}-{number}", soak.chance.choice((CLOSE, RESET)))


def slow_readers(soak):
    readers = []
    for _ in range(30):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(5)
        sock.connect(soak.side.egress)
        sock.sendall(get(soak.origin.url("/bytes/5000000")))
        readers.append(sock)
    for _ in range(10):
        for sock in readers:
            sock.recv(1000)
        time.sleep(0.1)
    for sock in readers:
        sock.close()


def slow_writers(soak):
    writers = [Client(soak.side.egress, 5) for _ in range(30)]
    for writer in writers:
        writer.send(post(soak.origin.url("/bytes/1"), ("Content-Length", "1000")))
    for _ in range(10):
        for writer in writers:
            writer.send(b"w")
        time.sleep(0.1)
    for writer in writers:
        writer.close()


def nonsense(soak):
    for _ in range(100):
        with Client(soak.side.egress, 5) as agent:
            agent.send(soak.chance.randbytes(300))
            agent.sock.shutdown(socket.SHUT_WR)
            agent.sock.recv(1000)


FAULTS = {fault.__name__: fault for fault in (origin_restarts, collector_restarts, collector_is_slow, collector_says_no,
                                              collector_hangs_up, aborts, slow_readers, slow_writers, nonsense)}


# the verdict


def slope(samples):
    """KiB a minute, by least squares over the last three quarters: the first fills pools and caches."""
    points = [(at / 60, resident) for at, resident, _ in samples[len(samples) // 4:]]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def verdict(soak, fds_before):
    found = []

    def check(name, good, shown):
        print(f"{'ok    ' if good else 'FAILED'}  {name}: {shown}")
        found.append(good)

    try:
        wait_for("no connection", lambda: soak.side.metrics().total("sidespan_connections") == 0, 30)
        wait_for("no descriptor more", lambda: len(os.listdir(f"/proc/{soak.side.process.pid}/fd")) <= fds_before, 70)
    except AssertionError as fault:
        check("what is left", False, fault)
    check("descriptors", len(os.listdir(f"/proc/{soak.side.process.pid}/fd")) <= fds_before,
          f"{fds_before} before, {max(fds for _, _, fds in soak.samples)} at most, "
          f"{len(os.listdir(f'/proc/{soak.side.process.pid}/fd'))} after")
    resident = [size for _, size, _ in soak.samples]
    check("resident size", slope(soak.samples) < SLOPE,
          f"{resident[0]} KiB at first, {max(resident)} at most, {resident[-1]} at last, {slope(soak.samples):.0f} a minute")
    try:
        wait_for("empty queue", lambda: soak.side.metrics().total("sidespan_spans_queued") == 0, 30)
        accounts = soak.side.metrics().accounts()
        check("books", not soak.wrong, f"{len(soak.samples)} looks, {soak.wrong[:2]}; (emitted, exported, dropped, queued) {accounts}")
        exported = sum(account[1] for account in accounts.values())
        accepted = sum(sink.accepted for sink in soak.sinks)
        # A collector that hangs up after it has read has the spans, and gets them once more.
        check("what the collector has", accepted >= exported, f"{accepted} accepted, {exported:g} exported")
    except AssertionError as fault:
        check("books", False, fault)
    check("load", soak.calls > 0 and soak.failed < soak.calls / 2, f"{soak.calls} rounds, {soak.failed} met a fault")
    return all(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        soak = Soak(directory, options.seed)
        small(soak)
        time.sleep(1)
        fds_before = len(os.listdir(f"/proc/{soak.side.process.pid}/fd"))
        workers = [threading.Thread(target=soak.work, args=(load,), daemon=True) for load in LOADS]
        workers.append(threading.Thread(target=soak.watch, daemon=True))
        for worker in workers:
            worker.start()
        end = time.monotonic() + options.minutes * 60
        while time.monotonic() < end:
            next_fault = time.monotonic() + FAULT_EVERY
            soak.strike()
            requests_kept(soak)
            time.sleep(max(0, min(next_fault, end) - time.monotonic()))
        soak.over.set()
        for worker in workers:
            worker.join(20)
        good = verdict(soak, fds_before)
        print("faults: " + ", ".join(f"{name} {count}" for name, count in sorted(soak.faults.items())))
        soak.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
