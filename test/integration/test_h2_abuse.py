"""What no HTTP/2 client would send, frame by frame: rows 13 to 18 and 20 of the test plan. Each attack ends its own
connection with GOAWAY, costs little, and leaves others alone. `-s` prints what each costs."""

import struct
import time

import pytest
from hpack import Decoder, Encoder
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, PriorityFrame,
                              RstStreamFrame, SettingsFrame, WindowUpdateFrame)

from aborts import full_listener, port_of
from h2_origin import H2Client
from sidecar import resident
from wire import connect, head

MIB = 1 << 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CALM, PROTOCOL, FLOW, REFUSED = 11, 1, 3, 7


class Raw:
    """Frames, as they are said. `said`, `heard`: bytes, of all of them."""

    said = heard = 0

    def __init__(self, side, origin, settings=None, start=True):
        self.sock = connect(side.egress)
        self.authority = f"127.0.0.1:{origin.port}"
        self.encoder, self.decoder, self.buffer, self.frames = Encoder(), Decoder(), b"", []
        if start:
            self.push(PREFACE + SettingsFrame(0, settings or {}).serialize())

    def fields(self, path="/echo", method="GET", more=()):
        return [(":method", method), (":scheme", "http"), (":authority", self.authority), (":path", path), *more]

    def headers(self, stream, fields=None, ended=True, whole=True, block=None):
        flags = (["END_STREAM"] if ended else []) + (["END_HEADERS"] if whole else [])
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

    def goaway(self):
        """The code of the GOAWAY that comes; the connection ends behind it."""
        frame = self.read(lambda frame: isinstance(frame, GoAwayFrame))
        assert frame is not None, "the connection ended without GOAWAY"
        assert self.read() is None
        return frame.error_code


@pytest.fixture(scope="module")
def figures():
    rows = []
    yield rows
    width = max(len(name) for name, *_ in rows)
    print(f"\n{'attack':<{width}} {'KiB said':>9} {'heard':>7} {'ratio':>6} {'calls':>6} {'CPU s':>6} {'RSS KiB':>8} {'more':>6}")
    for name, said, heard, origin_calls, cpu, rss, more in rows:
        print(f"{name:<{width}} {said / 1024:>9.1f} {heard / 1024:>7.1f} {heard / max(said, 1):>6.2f} {origin_calls:>6} {cpu:>6.2f} "
              f"{rss // 1024:>8} {more // 1024:>6}")


@pytest.fixture
def side(sidecar, origin, figures, request):
    side = sidecar()
    Raw.said = Raw.heard = 0
    before, cpu = resident(side), cpu_seconds(side)
    yield side
    rss = resident(side)
    figures.append((request.node.name.removeprefix("test_"), Raw.said, Raw.heard, len(origin.requests),
                    cpu_seconds(side) - cpu, rss, rss - before))
    # Whatever it was, others are served.
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
    *[("before the answer", trick) for trick in TRICKS],
    # Of a body that is too long the origin has answered the part before.
    *[("within the answer", trick) for trick in TRICKS if trick != "more than its length"],
])
def test_row_14_resets_that_we_are_made_to_send(when, trick, side, origin):
    """Each stream counts as one the agent gave up, so that a connection has only so many."""
    begun = when == "within the answer"
    origin.answer("/slow", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 30] if begun else [30])
    ended = trick != "more than its length"
    raw = Raw(side, origin)
    more = [] if ended else [("content-length", "1")]
    for stream in range(1, 1001, 2):
        raw.say(raw.headers(stream, raw.fields("/slow", "GET" if ended else "POST", more), ended))
        if begun and raw.read(lambda frame: isinstance(frame, (HeadersFrame, GoAwayFrame))) is None:
            break
        if not raw.say(TRICKS[trick](stream)):
            break
    assert any(isinstance(frame, GoAwayFrame) for frame in raw.frames) or raw.goaway()
    assert len(origin.seen("/slow")) <= 201


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
    """An entry of 3.9 KB in the table, named again and again by a byte each."""
    before = resident(side)
    for _ in range(10):
        raw = Raw(side, origin, {SettingsFrame.INITIAL_WINDOW_SIZE: 0})
        block = raw.encoder.encode(raw.fields()) + b"\x40\x01x\x7f" + b"\xbd\x1d" + b"a" * 3900
        raw.say(raw.headers(1, block=block + b"\xbe" * 12_000))
        assert raw.goaway() == CALM
        crumbs = Raw(side, origin)
        crumbs.say(crumbs.headers(1, crumbs.fields(more=[("cookie", f"{i}=1") for i in range(300)])))
        answer = crumbs.read(lambda frame: isinstance(frame, HeadersFrame))
        assert answer.fields[":status"] == "431"
        crumbs.sock.close()
    assert origin.requests == []
    assert resident(side) - before < 2 * MIB


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
    before = resident(side)
    one = FLOODS[what]()
    for _ in range(200):
        if not raw.say(one * 500):
            break
    assert raw.goaway() == CALM
    assert resident(side) - before < 2 * MIB
    assert origin.requests == []


def test_row_17_window_overflow_of_the_connection(side, origin):
    raw = Raw(side, origin)
    raw.say(WindowUpdateFrame(0, 2**31 - 1).serialize())
    assert raw.goaway() == FLOW


def test_row_17_answers_are_not_piled_up(side, origin):
    """Pings and requests of a client that reads none of what they bring."""
    raw = Raw(side, origin)
    raw.sock.settimeout(2)
    before = resident(side)
    try:
        for stream in range(1, 20_000, 2):
            raw.push(raw.headers(stream) + PingFrame(0, b"12345678").serialize() * 20)
    except OSError:
        pass  # it stopped reading, or ended the connection
    assert resident(side) - before < 8 * MIB
    raw.sock.close()


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
    raw.sock.close()


def test_row_17_refused_streams_are_not_piled_up(side, origin):
    """Each stream over the limit is answered with a frame, for a client that reads none."""
    origin.answer("/slow", [60])
    raw = Raw(side, origin)
    raw.sock.settimeout(1)
    for stream in range(1, 203, 2):
        raw.push(raw.headers(stream, raw.fields("/slow")))
    before = resident(side)
    try:
        for first in range(203, 2_000_000, 2000):
            raw.push(b"".join(raw.headers(stream) for stream in range(first, first + 2000, 2)))
    except OSError:
        pass  # it stopped reading, or ended the connection
    assert resident(side) - before < 8 * MIB
    raw.sock.close()


def test_row_18_two_hosts(side, origin):
    raw = Raw(side, origin)
    raw.say(raw.headers(1, raw.fields(more=[("host", "elsewhere.example")])))
    answer = raw.read(lambda frame: isinstance(frame, HeadersFrame))
    assert answer.fields[":status"] == "400"
    assert origin.requests == []
    raw.sock.close()


def test_row_18_a_length_that_is_none(side, origin):
    """It would be read as two requests behind us."""
    raw = Raw(side, origin)
    raw.say(raw.headers(1, raw.fields(method="POST", more=[("content-length", "3")]), ended=False))
    raw.say(DataFrame(1, b"abcGET /smuggled HTTP/1.1\r\nHost: o\r\n\r\n", flags=["END_STREAM"]).serialize())
    frame = raw.read(lambda frame: isinstance(frame, RstStreamFrame))
    assert frame.error_code == PROTOCOL
    time.sleep(0.2)
    assert origin.seen("/smuggled") == []
    raw.sock.close()


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
    raw.sock.close()
    for sock in (full, *stuffing):
        sock.close()
