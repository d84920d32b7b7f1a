"""The soak behind test/soak/run. Every five seconds one fault out of FAULTS strikes while LOADS go on; every second
resident size, descriptors and the books of the exporter are taken. The exit status is 1 when something leaked, the books
did not agree at any moment or were not looked at, the load came to a stop, or a call ended as it may not.

How a call may end: none ever gets an answer that is not its own, or is cut and says that it is whole. Of the faults one
alone is between an agent of LOADS and its answer, that of the origin which restarts: a call that was under way while it
was away, or in the two seconds behind, may break off or be answered with 502. The collector's faults are of spans; those
of other agents (aborts, slow ones, nonsense) concern nobody else. Any other status, and at any other time a call that
breaks off, fails the soak.
"""

import argparse
import collections
import json
import os
import random
import secrets
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from aborts import POINTS, Field, get, port_of, post  # noqa: E402
from certificates import Authority  # noqa: E402
from h2_origin import H2Client, H2Origin  # noqa: E402
from origin import CLOSE, RESET, Origin  # noqa: E402
from otlp_sink import OtlpSink, Reply  # noqa: E402
from sidecar import Sidecar, exporting, merged  # noqa: E402
from test_lineage import CHAT, JSON, asks, chat, plain, says, user  # noqa: E402
from tunnel import HOST, Tunnel, context_of  # noqa: E402
from wire import Client, Truncated, connect, head, wait_for  # noqa: E402

FAULT_EVERY = 5.0
AFTER = 2.0
LOOKS = 0.9  # of one a second; the others may have met a moment in which nothing was answered
SLOPE = 512  # KiB a minute; over ten minutes less than what one connection's buffers may hold
LIMITS = {"limits": {"half_close_time": "500ms", "connect_time": "2s", "stream_idle_time": "5s", "export_backoff": "100ms",
                     "export_backoff_most": "500ms"}}
BROKEN = (Truncated, OSError, AssertionError, ValueError, IndexError)  # what a fault itself, or a look, may end in


class Counting(OtlpSink):
    """Counts instead of keeping: a soak exports more than a test can hold."""

    accepted = 0

    def _accept(self, export):
        with self._lock:
            self.accepted += len(export.spans) if export.status == 200 else 0


class WrongStatus(Exception):
    """An answer that is whole, with another status than its origin gives."""


class Soak:
    def __init__(self, directory, seed):
        self.chance = random.Random(seed)
        authority = Authority()
        self.origin, self.sinks = Origin(), [Counting()]
        self.model, self.tls_origin = Origin(), Origin(tls=authority.server(HOST))
        self.h2_origin = H2Origin(tls=authority.server(HOST))
        self.sink_port = int(self.sink.endpoint.rpartition(":")[2])
        tls = {"tls": {"intercept": {"mode": "all"}, "trust": {"certificates": [str(authority.pem)]}}}
        self.side = Sidecar(Path(directory), merged(merged(exporting(self.sink.endpoint), LIMITS), tls))
        self.context, self.h2_context = context_of(self.side), context_of(self.side, ("h2",))
        self.field = Field(self.side.egress)
        self.over = threading.Event()
        self.calls = 0  # rounds
        self.away = []  # [from, to] of each time that the origin was away
        self.failures = []  # (load, from, to, how) of rounds that did not end well
        self.faults, self.samples, self.missed, self.wrong = {}, [], [], []
        self._lock = threading.Lock()

    @property
    def sink(self):
        return self.sinks[-1]

    # load

    def work(self, load):
        while not self.over.is_set():
            begin = time.monotonic()
            try:
                load(self)
                self._count()
                continue
            except (Truncated, OSError):
                how = "broken off"
            except WrongStatus as fault:
                how = f"status {fault}"
            except Exception as fault:  # whatever a reader of answers makes of one that is wrong
                how = f"wrong: {fault!r}"[:200]
            self._count((load.__name__, begin, time.monotonic(), how))
            time.sleep(0.02)

    def _count(self, failure=None):
        with self._lock:
            self.calls += 1
            if failure:
                self.failures.append(failure)

    def unexcused(self):
        """The failures that no fault explains."""
        return [failure for failure in self.failures if not (
            failure[3] in ("broken off", "status 502")
            and any(failure[1] < to + AFTER and since < failure[2] for since, to in self.away))]

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
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        metrics = self.side.metrics()
        self.samples.append((time.monotonic(), resident, descriptors))
        try:
            metrics.accounts()
        except AssertionError as fault:
            self.wrong.append(str(fault))

    def watch(self):
        due = time.monotonic()
        while not self.over.wait(max(0, due - time.monotonic())):
            due += 1
            try:
                self.sample()
            except BROKEN as fault:
                self.missed.append(repr(fault)[:200])

    def stop(self):
        self.field.stop()
        for origin in (self.origin, self.model, self.tls_origin, self.h2_origin):
            origin.stop()
        self.sink.stop()
        self.side.stop()


# loads, one round each


def expect(answer, body=None):
    """The body of an answer that is 200, and what it has to be."""
    if answer.status != 200:
        raise WrongStatus(answer.status)
    assert body is None or answer.body == body, f"{answer.body[:100]!r} instead of {body[:100]!r}"
    return answer.body


def expect_echo(answer, target, body=""):
    shown = json.loads(expect(answer))
    assert (shown["target"], shown["body"]) == (target, body), f"{target} was answered with that of {shown['target']}"


def small(soak):
    with Client(soak.side.egress, 10) as agent:
        for _ in range(20):
            target = f"/echo?{secrets.token_hex(4)}"
            expect_echo(agent.ask("GET", soak.origin.url(target)), target)
    time.sleep(0.05)


def uploads(soak):
    with Client(soak.side.egress, 10) as agent:
        for size in (10, 10_000, 300_000):
            body = secrets.token_hex(4) * (size // 8)
            expect_echo(agent.ask("POST", soak.origin.url("/echo"), body=body.encode()), "/echo", body)
    time.sleep(0.05)


def downloads(soak):
    with Client(soak.side.egress, 10) as agent:
        expect(agent.ask("GET", soak.origin.url("/bytes/500000")), b"x" * 500_000)
        expect(agent.ask("GET", soak.origin.url("/chunked/20?size=999")), b"c" * 20 * 999)
    time.sleep(0.05)


EVENTS = b"".join(b"event: tick\ndata: %d\n\n" % number for number in range(100))


def streams(soak):
    with Client(soak.side.egress, 10) as agent:
        expect(agent.ask("GET", soak.origin.url("/sse/100?gap=10")), EVENTS)


def tunnels(soak):
    with Client(soak.side.egress, 10) as agent:
        agent.send(head(f"CONNECT 127.0.0.1:{port_of(soak.field.echo)} HTTP/1.1", [("Host", "h")]) + b"\x00")
        expect(agent.reader.head())
        assert agent.reader.exactly(1) == b"\x00"
        for _ in range(50):
            piece = secrets.token_bytes(1000)
            agent.send(piece)
            assert agent.reader.exactly(1000) == piece
            time.sleep(0.005)


def pipelines(soak):
    with Client(soak.side.egress, 10) as agent:
        targets = [f"/echo?{secrets.token_hex(4)}" for _ in range(10)]
        agent.send(b"".join(get(soak.origin.url(target)) for target in targets))
        for target in targets:
            expect_echo(agent.response(), target)
    time.sleep(0.05)


def opened(soak):
    """HTTP/1 in TLS that is opened."""
    with Tunnel(soak.side, soak.tls_origin, soak.context) as agent:
        for _ in range(10):
            target = f"/echo?{secrets.token_hex(4)}"
            expect_echo(agent.get(target, f"{HOST}:{soak.tls_origin.port}"), target)
    time.sleep(0.2)


def side_by_side(client, authority, scheme, known):
    """Ten streams of HTTP/2; `known` shows what the origin was asked for."""
    targets = [f"/echo?{secrets.token_hex(4)}" for _ in range(10)]
    streams = [client.ask(authority, target, scheme=scheme) for target in targets]
    for target, answer in zip(targets, client.wait(*streams, timeout=10)):
        if answer.error is not None:
            raise Truncated(f"a stream ended with {answer.error}")
        shown = known(json.loads(expect(answer)))
        assert shown == target, f"{target} was answered with that of {shown}"


def h2_to_h1(soak):
    with H2Client(connect(soak.side.egress, 10)) as client:
        side_by_side(client, f"127.0.0.1:{soak.origin.port}", "http", lambda shown: shown["target"])
    time.sleep(0.2)


def h2_opened(soak):
    """HTTP/2 in TLS that is opened, to an origin that speaks it."""
    with Tunnel(soak.side, soak.h2_origin, soak.h2_context) as agent:
        client = H2Client(agent.sock)
        side_by_side(client, f"{HOST}:{soak.h2_origin.port}", "https", lambda shown: dict(shown["headers"])[":path"])
    time.sleep(0.2)


def turns(soak):
    """An agent's turn: the model wants a tool called, gets what that said, and has the last word."""
    order, question = secrets.token_hex(6), user(f"Where is the parcel of order {secrets.token_hex(6)}?")
    wish, wished = asks("search", {"query": order}, "call_" + secrets.token_hex(10))
    last, lasted = says(f"It is at depot {secrets.token_hex(6)}.")
    soak.model.answer(CHAT, plain(wished), plain(lasted))
    with Client(soak.side.egress, 10) as agent:
        expect(agent.ask("POST", soak.model.url(CHAT), JSON, chat(question)), wished)
        found = agent.ask("POST", soak.model.url("/search"), JSON, json.dumps({"query": order}).encode())
        result = {"role": "tool", "tool_call_id": wish["tool_calls"][0]["id"], "content": expect(found).decode()}
        expect(agent.ask("POST", soak.model.url(CHAT), JSON, chat(question, wish, result)), lasted)
    time.sleep(0.05)


LOADS = [small, small, uploads, downloads, streams, tunnels, pipelines, opened, h2_to_h1, h2_opened, turns]


def fill(soak):
    """What calls of turns carry is remembered, 8 MiB of it as shipped: it is full before anything is measured, so that
    what grows later is no table that fills."""

    def forgotten():
        return soak.side.metrics().total("sidespan_lineage_values_forgotten_total")

    begin = time.monotonic()
    with Client(soak.side.egress) as agent:
        while forgotten() < 100_000:
            assert time.monotonic() < begin + 60, "a minute does not fill what is remembered"
            _, wished = asks("search", {"query": secrets.token_hex(6)}, "call_" + secrets.token_hex(10))
            soak.model.answer(CHAT, plain(wished))
            expect(agent.ask("POST", soak.model.url(CHAT), JSON, chat(user(f"Where is {secrets.token_hex(6)}?"))))
            for _ in range(10):
                values = [secrets.token_hex(10) for _ in range(1000)]
                expect(agent.ask("POST", soak.model.url("/bytes/10"), JSON, json.dumps(values).encode()))
    requests_kept(soak)
    remembered = soak.side.metrics().total("sidespan_lineage_bytes")
    print(f"{remembered / 1024:.0f} KiB of what calls carry are remembered after {time.monotonic() - begin:.0f} s")


# faults


def origin_restarts(soak):
    port, away = soak.origin.port, [time.monotonic(), float("inf")]
    soak.away.append(away)
    soak.origin.stop()
    time.sleep(1)
    soak.origin = Origin(port=port)
    away[1] = time.monotonic()


def requests_kept(soak):
    """The recorders forget, so that the soak measures sidespan and no test."""
    for origin in (soak.origin, soak.field.origin, soak.model, soak.tls_origin, soak.h2_origin):
        origin.requests.clear()


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


def verdict(soak, fds_before, seconds):
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
        check("books", not soak.wrong, f"{soak.wrong[:2]}; (emitted, exported, dropped, queued) {accounts}")
        exported = sum(account[1] for account in accounts.values())
        accepted = sum(sink.accepted for sink in soak.sinks)
        # A collector that hangs up after it has read has the spans, and gets them once more.
        check("what the collector has", accepted >= exported, f"{accepted} accepted, {exported:g} exported")
    except AssertionError as fault:
        check("books", False, fault)
    check("looks", len(soak.samples) >= LOOKS * seconds,
          f"{len(soak.samples)} in {seconds:.0f} s, {len(soak.missed)} were not answered {soak.missed[:2]}")
    check("load", len(soak.failures) < soak.calls / 2, f"{soak.calls} rounds, {len(soak.failures)} met a fault")
    unexcused = collections.Counter((load, how) for load, _, _, how in soak.unexcused())
    check("ends of calls", not unexcused, f"{sum(unexcused.values())} for no fault: {unexcused.most_common(5)}")
    return all(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        soak = Soak(directory, options.seed)
        fill(soak)
        for load in LOADS:
            load(soak)
        time.sleep(1)
        fds_before = len(os.listdir(f"/proc/{soak.side.process.pid}/fd"))
        workers = [threading.Thread(target=soak.work, args=(load,), daemon=True) for load in LOADS]
        workers.append(threading.Thread(target=soak.watch, daemon=True))
        for worker in workers:
            worker.start()
        begin = time.monotonic()
        end = begin + options.minutes * 60
        while time.monotonic() < end:
            next_fault = time.monotonic() + FAULT_EVERY
            soak.strike()
            requests_kept(soak)
            time.sleep(max(0, min(next_fault, end) - time.monotonic()))
        soak.over.set()
        seconds = time.monotonic() - begin
        for worker in workers:
            worker.join(20)
        good = verdict(soak, fds_before, seconds)
        print("faults: " + ", ".join(f"{name} {count}" for name, count in sorted(soak.faults.items())))
        soak.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
