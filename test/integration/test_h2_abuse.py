"""What no HTTP/2 client would send, frame by frame: rows 13 to 18 and 20 of the test plan. Each attack ends its own
connection with GOAWAY, costs little, and leaves others alone. What each costs is a table beside the JUnit file
(build/log/integration.h2_abuse), and printed with `-s`."""

import select
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from hpack import Decoder, Encoder
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, PriorityFrame,
                              RstStreamFrame, SettingsFrame, WindowUpdateFrame)

from aborts import full_listener, port_of
from h2_origin import H2Client
from origin import Finished
from sidecar import Peak
from wire import connect, head, wait_for

KIB, MIB = 1 << 10, 1 << 20
AMPLIFICATION = 100  # bytes that a byte of an attack may bring, on the wire or in memory
# In memory beside that: what a connection takes before it says anything, and the allocator's pages; and for each
# request under way, which is a few bytes to who says it, an exchange and a connection to its origin.
GRANULARITY, CALL = 128 * KIB, 8 * KIB
STREAMS = 100  # limits.h2_streams
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CALM, PROTOCOL, FLOW, REFUSED = 11, 1, 3, 7


class Raw:
    """Frames, as they are said. `said`, `heard`: bytes, of all of them; `begun`: requests."""

    said = heard = begun = 0
    every = []

    def __init__(self, side, origin, settings=None, start=True):
        Raw.every.append(self)
        self.sock = connect(side.egress)
        self.authority = f"127.0.0.1:{origin.port}"
        self.encoder, self.decoder, self.buffer, self.frames = Encoder(), Decoder(), b"", []
        if start:
            self.push(PREFACE + SettingsFrame(0, settings or {}).serialize())

    def fields(self, path="/echo", method="GET", more=()):
        return [(":method", method), (":scheme", "http"), (":authority", self.authority), (":path", path), *more]

    def headers(self, stream, fields=None, ended=True, whole=True, block=None):
        flags = (["END_STREAM"] if ended else []) + (["END_HEADERS"] if whole else [])
        Raw.begun += 1
        data = self.encoder.encode(self.fields() if fields is None else fields) if block is None else block
        return HeadersFrame(stream, data, flags=flags).serialize()

    def say(self, data):
        """False: the peer has gone."""
        try:
            self.push(data)
        except OSError:
            return False
        return True

    def push(self, data):
        self.sock.sendall(data)
        Raw.said += len(data)

    def read(self, until=lambda frame: False, timeout=20):
        """Frames up to the one that is looked for (returned), or None at the end of the connection."""
        self.sock.settimeout(timeout)
        while True:
            while len(self.buffer) >= 9:
                frame, size = Frame.parse_frame_header(memoryview(self.buffer[:9]))
                if len(self.buffer) < 9 + size:
                    break
                frame.parse_body(memoryview(self.buffer[9:9 + size]))
                self.buffer = self.buffer[9 + size:]
                self.frames.append(frame)
                if isinstance(frame, HeadersFrame):
                    frame.fields = dict(self.decoder.decode(frame.data))
                if until(frame):
                    return frame
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
            Raw.heard += len(data)

    def drain(self):
        """Reads what came or still comes, so that it is counted."""
        try:
            self.sock.settimeout(0.2)
            while data := self.sock.recv(65536):
                Raw.heard += len(data)
        except OSError:
            pass
        self.sock.close()

    def has_more(self):
        """Whether something came that was not read."""
        return bool(self.buffer or select.select([self.sock], [], [], 0)[0])

    def goaway(self):
        """The code of the GOAWAY that comes; the connection ends behind it."""
        frame = self.read(lambda frame: isinstance(frame, GoAwayFrame))
        assert frame is not None, "the connection ended without GOAWAY"
        assert self.read() is None
        return frame.error_code


class Running:
    """A step of an origin's script that never ends: how many calls of it run, each until its connection ends."""

    def __init__(self):
        self.calls, self.peak, self.lock = [], 0, threading.Lock()

    def __call__(self, sock, reader, request):
        with self.lock:
            self.calls = [call for call in self.calls if self._runs(call)] + [sock]
            self.peak = max(self.peak, len(self.calls))
        sock.settimeout(30)
        sock.recv(1)
        raise Finished

    @staticmethod
    def _runs(sock):
        """Asked of the kernel: the thread that waits for the end may hear of it late."""
        try:
            return not select.select([sock], [], [], 0)[0]
        except (OSError, ValueError):  # that thread has closed it
            return False


@pytest.fixture(scope="module")
def figures(request):
    rows = []
    yield rows
    width = max(len(name) for name, *_ in rows)
    lines = [f"{'attack':<{width}} {'KiB said':>9} {'heard':>7} {'ratio':>6} {'calls':>6} {'CPU s':>6} {'peak KiB':>9}"]
    for name, said, heard, calls, cpu, peak in rows:
        lines.append(f"{name:<{width}} {said / KIB:>9.1f} {heard / KIB:>7.1f} {heard / said:>6.2f} {calls:>6} "
                     f"{cpu:>6.2f} {peak // KIB:>9}")
    print("", *lines, sep="\n")
    if junit := request.config.getoption("xmlpath"):
        Path(junit).with_suffix(".h2_abuse").write_text("\n".join(lines) + "\n")


@pytest.fixture
def side(sidecar, origin, figures, request):
    side = sidecar()
    others_are_served(side, origin)
    origin.requests.clear()
    Raw.said, Raw.heard, Raw.begun, Raw.every = 0, 0, 0, []
    side.peak, cpu = Peak(side), cpu_seconds(side)
    yield side
    for raw in Raw.every:
        raw.drain()
    grown = side.peak.grown()
    figures.append((request.node.name.removeprefix("test_"), Raw.said, Raw.heard, len(origin.requests),
                    cpu_seconds(side) - cpu, grown))
    assert Raw.heard <= AMPLIFICATION * Raw.said
    assert grown <= AMPLIFICATION * Raw.said + GRANULARITY + CALL * min(Raw.begun, STREAMS)
    others_are_served(side, origin)


def others_are_served(side, origin):
    with H2Client(connect(side.egress)) as client:
        assert client.get(f"127.0.0.1:{origin.port}").status == 200


def cpu_seconds(side):
    with open(f"/proc/{side.process.pid}/stat", encoding="ascii") as stat:
        return sum(int(n) for n in stat.read().rsplit(")", 1)[1].split()[11:13]) / 100


def test_row_13_rapid_reset(side, origin):
    origin.answer("/slow", [30])
    raw = Raw(side, origin)
    before = cpu_seconds(side)
    sent = 0
    for stream in range(1, 100_000, 2):
        reset = RstStreamFrame(stream, 8).serialize()
        if not raw.say(raw.headers(stream, raw.fields("/slow")) + reset):
            break
        sent += 1
    assert raw.goaway() == CALM
    assert len(origin.seen("/slow")) < 500
    assert cpu_seconds(side) - before < 1
    assert side.metrics().total("sidespan_requests_total") < 1000


def test_row_13_resets_of_calls_that_run(side, origin):
    """More at once than a connection may have, and as soon as the origin is at work on them they are given up."""
    running = Running()
    origin.answer("/slow", [running])
    raw = Raw(side, origin)
    for turn in (1, 2):
        streams = range(turn * 1000 + 1, turn * 1000 + 1 + 2 * (STREAMS + 50), 2)
        raw.push(b"".join(raw.headers(stream, raw.fields("/slow")) for stream in streams))
        wait_for("the calls", lambda: len(origin.requests) >= turn * STREAMS)
        raw.push(b"".join(RstStreamFrame(stream, 8).serialize() for stream in streams))
    assert raw.goaway() == CALM
    assert STREAMS / 2 < running.peak <= STREAMS
    assert len(origin.requests) == 2 * STREAMS


TRICKS = {
    # name: (frames for a stream that is open, and whose answer waits)
    "window update of 0": lambda stream: WindowUpdateFrame(stream, 1).serialize()[:-4] + struct.pack(">I", 0),
    "window that overflows": lambda stream: WindowUpdateFrame(stream, 2**31 - 1).serialize(),
    "data after the end": lambda stream: DataFrame(stream, b"x").serialize(),
    "headers after the end": lambda stream: HeadersFrame(stream, b"\x82", flags=["END_HEADERS", "END_STREAM"]).serialize(),
    "more than its length": lambda stream: DataFrame(stream, b"xx", flags=["END_STREAM"]).serialize(),
    "a stream that depends on itself": lambda stream: PriorityFrame(stream, depends_on=stream).serialize(),
}


@pytest.mark.parametrize("when, trick", [
    *[("at once", trick) for trick in TRICKS],
    # Of a body that is too long the origin has answered the part before.
    *[(when, trick) for when in ("before the answer", "within the answer") for trick in TRICKS
      if trick != "more than its length"],
])
def test_row_14_resets_that_we_are_made_to_send(when, trick, side, origin):
    """Each stream counts as one the agent gave up, so that a connection has only so many."""
    begun, running = when == "within the answer", Running()
    origin.answer("/slow", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", running] if begun else [running])
    ended = trick != "more than its length"
    raw = Raw(side, origin)
    raw.read(lambda frame: isinstance(frame, SettingsFrame) and "ACK" in frame.flags)
    more = [] if ended else [("content-length", "1")]
    for stream in range(1, 1001, 2):
        raw.say(raw.headers(stream, raw.fields("/slow", "GET" if ended else "POST", more), ended))
        if when == "before the answer":
            wait_for("the call", lambda: len(origin.requests) > stream // 2 or raw.has_more())
        if begun and raw.read(lambda frame: isinstance(frame, (HeadersFrame, GoAwayFrame))) is None:
            break
        if not raw.say(TRICKS[trick](stream)):
            break
        if when == "before the answer":
            frame = raw.read(lambda frame: isinstance(frame, (RstStreamFrame, GoAwayFrame)))
            if not isinstance(frame, RstStreamFrame):
                break
    assert any(isinstance(frame, GoAwayFrame) for frame in raw.frames) or raw.goaway()
    assert len(origin.seen("/slow")) <= 201
    assert running.peak <= STREAMS


def test_row_14_refusals_pay_for_no_reset(side, origin):
    """Requests that are answered without an origin, and between them those that we are made to reset."""
    origin.answer("/slow", [30])
    raw = Raw(side, origin)
    denied = [(":method", "GET"), (":scheme", "http"), (":authority", "169.254.169.254"), (":path", "/")]
    for stream in range(1, 2001, 4):
        if not raw.say(raw.headers(stream, denied)):
            break
        if raw.read(lambda frame: isinstance(frame, (HeadersFrame, GoAwayFrame))) is None:
            break
        if not raw.say(raw.headers(stream + 2, raw.fields("/slow")) + WindowUpdateFrame(stream + 2, 2**31 - 1).serialize()):
            break
    assert raw.read(lambda frame: False) is None
    assert [frame.error_code for frame in raw.frames if isinstance(frame, GoAwayFrame)] == [CALM]
    assert len(origin.seen("/slow")) <= 201


def test_row_15_continuation_without_end(side, origin):
    raw = Raw(side, origin)
    raw.say(raw.headers(1, whole=False))
    sent = 0
    for _ in range(10_000):
        if not raw.say(ContinuationFrame(1, raw.encoder.encode([("a", "b")])).serialize()):
            break
        sent += 1
        if sent == 9:
            assert raw.goaway() is not None
            break
    assert sent == 9
    assert origin.requests == []


def test_row_16_header_bomb(side, origin):
    """An entry of 3.9 KB in the table, named again and again by a byte each: too often, and as often as a head may, of
    which then the end does not come. And a cookie in crumbs, whose refusal finds no window. All of them stay."""
    entry = b"\x40\x01x\x7f" + b"\xbd\x1d" + b"a" * 3900
    held = []
    for _ in range(20):
        whole, half, crumbs = (Raw(side, origin, {SettingsFrame.INITIAL_WINDOW_SIZE: 0}) for _ in range(3))
        whole.say(whole.headers(1, block=whole.encoder.encode(whole.fields()) + entry + b"\xbe" * 12_000))
        assert whole.read(lambda frame: isinstance(frame, GoAwayFrame)).error_code == CALM
        half.say(half.headers(1, block=half.encoder.encode(half.fields()) + entry + b"\xbe" * 14, whole=False))
        crumbs.say(crumbs.headers(1, crumbs.fields(more=[("cookie", "a=" + "1" * 1000)] * 100)))
        assert crumbs.read(lambda frame: isinstance(frame, HeadersFrame)).fields[":status"] == "431"
        held += [whole, half, crumbs]
    assert side.peak.grown() < len(held) * 2 * MIB
    for raw in held[1::3]:  # it was open until this
        raw.say(ContinuationFrame(1, b"\xbe" * 12_000).serialize())
        assert raw.goaway() == CALM
    for raw in held[2::3]:
        raw.say(PingFrame(0, b"12345678").serialize())
        assert raw.read(lambda frame: isinstance(frame, PingFrame)) is not None
    assert origin.requests == []


UNREAD = {
    # name: (the agent's SETTINGS, what it says before its requests, MiB that it may take)
    "no window": ({SettingsFrame.INITIAL_WINDOW_SIZE: 0}, b"", 2),
    "windows of a few bytes": ({SettingsFrame.INITIAL_WINDOW_SIZE: 10}, b"", 2),
    "windows, and a socket that nobody reads": ({SettingsFrame.INITIAL_WINDOW_SIZE: 2**31 - 1},
                                                WindowUpdateFrame(0, 2**31 - 1 - 65535).serialize(), 2.5),
}


@pytest.mark.parametrize("how", UNREAD)
def test_row_16_answers_that_nobody_takes(how, sidecar, origin, sink):
    """Of each only a little is read ahead, and all that wait for the socket together are bounded."""
    settings, more, bound = UNREAD[how]
    side = sidecar()
    others_are_served(side, origin)
    sink.wait(1)  # the first export takes memory of its own
    peak = Peak(side)
    raw = Raw(side, origin, settings)
    raw.push(more + b"".join(raw.headers(stream, raw.fields("/bytes/10000000")) for stream in range(1, 2 * STREAMS, 2)))
    wait_for("the calls", lambda: len(origin.seen("/bytes/10000000")) == STREAMS)
    time.sleep(0.5)
    assert peak.grown() < bound * MIB
    others_are_served(side, origin)
    raw.sock.close()
    others_are_served(side, origin)
    assert len(sink.wait(STREAMS, where=lambda span: span["attributes"]["url.full"].endswith("/bytes/10000000"))) == STREAMS


def test_row_16_tunnels_that_nobody_reads(sidecar, origin, sink):
    """CONNECT as a stream of HTTP/2: two connections more, with as little in each."""
    side = sidecar()
    others_are_served(side, origin)
    sink.wait(1)
    peak = Peak(side)
    raw = Raw(side, origin, {SettingsFrame.INITIAL_WINDOW_SIZE: 0})
    open_tunnels(raw, raw.authority, head("GET /bytes/10000000 HTTP/1.1", [("Host", raw.authority)]))
    wait_for("the calls", lambda: len(origin.seen("/bytes/10000000")) == STREAMS)
    time.sleep(0.5)
    assert peak.grown() < 4 * MIB
    raw.sock.close()
    others_are_served(side, origin)


def test_row_16_opaque_tunnels_that_nobody_reads(sidecar, origin, sink):
    """The same where nobody looks into what passes."""
    side = sidecar()
    others_are_served(side, origin)
    sink.wait(1)
    peak = Peak(side)
    raw, poured = Raw(side, origin, {SettingsFrame.INITIAL_WINDOW_SIZE: 0}), []

    def pour(sock):
        sock.settimeout(1)
        assert sock.recv(1) == b"\0"
        poured.append(sock)
        try:
            sock.sendall(b"z" * 10_000_000)
        except OSError:
            pass  # nobody takes that much, or the end has come

    with socket.create_server(("127.0.0.1", 0), backlog=STREAMS) as server:
        open_tunnels(raw, f"127.0.0.1:{server.getsockname()[1]}", b"\0")
        threads = [threading.Thread(target=pour, args=(server.accept()[0],)) for _ in range(STREAMS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(poured) == STREAMS
        assert peak.grown() < 4 * MIB
        raw.sock.close()
        for sock in poured:
            sock.close()
    others_are_served(side, origin)


def open_tunnels(raw, authority, first):
    for stream in range(1, 2 * STREAMS, 2):
        connecting = [(":method", "CONNECT"), (":authority", authority)]
        raw.push(raw.headers(stream, connecting, ended=False) + DataFrame(stream, first).serialize())


FLOODS = {
    "SETTINGS": lambda: SettingsFrame(0).serialize(),
    "PING": lambda: PingFrame(0, b"12345678").serialize(),
    "WINDOW_UPDATE": lambda: WindowUpdateFrame(0, 1).serialize(),
    "PRIORITY": lambda: PriorityFrame(99, depends_on=1).serialize(),
    "empty DATA": lambda: DataFrame(1, b"").serialize(),
}


@pytest.mark.parametrize("what", FLOODS)
def test_row_17_floods(what, side, origin):
    raw = Raw(side, origin)
    raw.say(raw.headers(1, raw.fields(method="POST"), ended=False))
    one = FLOODS[what]()
    for _ in range(200):
        if not raw.say(one * 500):
            break
    assert raw.goaway() == CALM
    assert side.peak.grown() < 2 * MIB
    assert origin.requests == []


def test_row_17_window_overflow_of_the_connection(side, origin):
    raw = Raw(side, origin)
    raw.say(WindowUpdateFrame(0, 2**31 - 1).serialize())
    assert raw.goaway() == FLOW


def test_row_17_answers_are_not_piled_up(side, origin):
    """Pings and requests of a client that reads none of what they bring."""
    raw = Raw(side, origin)
    raw.sock.settimeout(2)
    try:
        for stream in range(1, 20_000, 2):
            raw.push(raw.headers(stream) + PingFrame(0, b"12345678").serialize() * 20)
    except OSError:
        pass  # it stopped reading, or ended the connection
    assert side.peak.grown() < 8 * MIB


BAD = {
    "CR": ("x", "a\rb"), "LF": ("x", "a\nb"), "NUL": ("x", "a\0b"), "capitals": ("X-A", "b"),
    "te": ("te", "gzip"), "connection": ("connection", "close"), "late": (":path", "/again"),
    "name with blank": ("a b", "c"), "transfer-encoding": ("transfer-encoding", "chunked"),
}


@pytest.mark.parametrize("what", BAD)
def test_row_18_fields_that_may_not_be(what, side, origin):
    raw = Raw(side, origin)
    raw.say(raw.headers(1, raw.fields(more=[BAD[what]])))
    frame = raw.read(lambda frame: isinstance(frame, RstStreamFrame))
    assert frame.stream_id == 1 and frame.error_code == PROTOCOL
    assert origin.requests == []


def test_row_17_refused_streams_are_not_piled_up(side, origin):
    """Each stream over the limit is answered with a frame, for a client that reads none."""
    origin.answer("/slow", [60])
    raw = Raw(side, origin)
    raw.sock.settimeout(1)
    for stream in range(1, 203, 2):
        raw.push(raw.headers(stream, raw.fields("/slow")))
    try:
        for first in range(203, 2_000_000, 2000):
            raw.push(b"".join(raw.headers(stream) for stream in range(first, first + 2000, 2)))
    except OSError:
        pass  # it stopped reading, or ended the connection
    assert side.peak.grown() < 8 * MIB


def test_row_18_two_hosts(side, origin):
    raw = Raw(side, origin)
    raw.say(raw.headers(1, raw.fields(more=[("host", "elsewhere.example")])))
    answer = raw.read(lambda frame: isinstance(frame, HeadersFrame))
    assert answer.fields[":status"] == "400"
    assert origin.requests == []


def test_row_18_a_length_that_is_none(side, origin):
    """It would be read as two requests behind us."""
    raw = Raw(side, origin)
    raw.say(raw.headers(1, raw.fields(method="POST", more=[("content-length", "3")]), ended=False))
    raw.say(DataFrame(1, b"abcGET /smuggled HTTP/1.1\r\nHost: o\r\n\r\n", flags=["END_STREAM"]).serialize())
    frame = raw.read(lambda frame: isinstance(frame, RstStreamFrame))
    assert frame.error_code == PROTOCOL
    time.sleep(0.2)
    assert origin.seen("/smuggled") == []


def test_row_20_half_a_preface(sidecar, origin):
    side = sidecar({"limits": {"head_time": "500ms"}})
    raw = Raw(side, origin, start=False)
    raw.say(PREFACE[:10])
    answer = raw.sock.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408") or answer == b""
    raw = Raw(side, origin, start=False)
    raw.say(PREFACE)
    assert raw.goaway() == CALM
    sock = connect(side.egress)
    sock.sendall(head("PRI * HTTP/1.1", [("Host", "o")]))
    assert sock.recv(4096).split()[1] in (b"400", b"501")


def test_limits_of_http2(sidecar, origin):
    side = sidecar({"limits": {"h2_streams": 2, "h2_stream_window": "64KiB", "h2_connection_window": "128KiB"}})
    origin.answer("/slow", [2, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    raw = Raw(side, origin)
    first = raw.read(lambda frame: isinstance(frame, SettingsFrame))
    assert first.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == 2
    assert first.settings[SettingsFrame.INITIAL_WINDOW_SIZE] == 65536
    for stream in (1, 3, 5):
        raw.say(raw.headers(stream, raw.fields("/slow")))
    refused = raw.read(lambda frame: isinstance(frame, RstStreamFrame))
    assert refused.stream_id == 5 and refused.error_code == REFUSED
    # Who has said that he knows the limit must keep to it.
    raw.say(SettingsFrame(0, flags=["ACK"]).serialize() + raw.headers(7, raw.fields("/slow")))
    assert raw.goaway() == PROTOCOL


def test_windows_of_http2(sidecar, origin):
    """Streams to an origin that is not there yet: so much of each is on its way, and not a byte more."""
    side = sidecar({"limits": {"h2_stream_window": "64KiB", "h2_connection_window": "96KiB", "connect_time": "60s"}})
    full, stuffing = full_listener()
    raw = Raw(side, origin)
    raw.authority = f"127.0.0.1:{port_of(full)}"
    raw.read(lambda frame: isinstance(frame, WindowUpdateFrame) and frame.stream_id == 0)
    assert raw.frames[-1].window_increment == 96 * 1024 - 65535
    raw.say(SettingsFrame(0, flags=["ACK"]).serialize())
    # Who is not read holds up himself, and not the others.
    for stream in (1, 3, 5):
        raw.say(raw.headers(stream, raw.fields(method="POST"), ended=False))
        for _ in range(8):
            raw.say(DataFrame(stream, b"x" * 8192).serialize())
        raw.read(lambda frame: isinstance(frame, WindowUpdateFrame) and frame.stream_id == 0)
    raw.say(DataFrame(3, b"x").serialize())
    assert raw.read(lambda frame: isinstance(frame, RstStreamFrame)).error_code == FLOW
    assert not any(isinstance(frame, WindowUpdateFrame) and frame.stream_id for frame in raw.frames)
    for sock in (full, *stuffing):
        sock.close()


def test_the_window_of_a_connection(sidecar, origin):
    """Filled to its last byte by streams that have room for more, and nobody takes what they brought. What has come is
    its stream's at once and is given back in halves: who keeps to the window is never without one, and never has more
    than it was set to. One who does not keep to it cannot be told from one who does, since each byte that has come is
    given back before the next is read."""
    window = 96 * KIB
    side = sidecar({"limits": {"h2_connection_window": f"{window}B", "connect_time": "60s"}})
    full, stuffing = full_listener()
    raw = Raw(side, origin)
    raw.authority = f"127.0.0.1:{port_of(full)}"

    def given():
        return [frame.window_increment for frame in raw.frames if isinstance(frame, WindowUpdateFrame)]

    raw.read(lambda frame: len(given()) == 1)
    assert given() == [window - 65535]
    raw.push(SettingsFrame(0, flags=["ACK"]).serialize())
    for stream in (1, 3, 5):
        raw.push(raw.headers(stream, raw.fields(method="POST"), ended=False))
    for turn in (1, 2, 3):
        raw.push(b"".join(DataFrame(stream, b"x" * 8 * KIB).serialize() for stream in (1, 3, 5) * 4))
        raw.read(lambda frame: len(given()) == 1 + 2 * turn)
        assert given()[1:] == [window // 2] * 2 * turn
    raw.push(PingFrame(0, b"12345678").serialize())
    raw.read(lambda frame: isinstance(frame, PingFrame))
    assert given()[1:] == [window // 2] * 6 and all(frame.stream_id == 0 for frame in raw.frames)
    for sock in (full, *stuffing):
        sock.close()
