"""The smuggling corpus through the running proxy, each case whole, byte by byte and at random cuts.

Requests go to a recorder that reads with strict_reader and keeps what it got to the byte: one plain message for what is
accepted, no message for what is refused. Answers come from it, and the next request shows whether their connection is
used again.
"""

import random
import select
import socket
import threading
import time

import pytest

import strict_reader
from otlp_sink import OtlpSink
from sidecar import Sidecar, exporting
from smuggling_cases import data_of, filled, load
from strict_reader import Fault, Limits, Partial
from wire import Client, Truncated, head, wait_for

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LONG = 2000  # byte by byte only below; what is larger comes in pieces of up to 700
ROOM = Limits(fields=132)  # trace context is added to what the agent may send
HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade"}


def whole(data):
    return [data]


def byte_by_byte(data):
    step = 1 if len(data) <= LONG else 700
    return [data[at:at + step] for at in range(0, len(data), step)]


def at_random(data):
    chance, pieces = random.Random(len(data)), []
    while data:
        size = chance.randint(1, 40 if len(data) <= LONG else 700)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


CUTS = [whole, byte_by_byte, at_random]


class Recorder:
    """An origin that keeps every message it got, and what was no message."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.messages = []  # (connection, Message)
        self.unfinished = []  # heads, or None, of what ended within a message
        self.faults = []
        self.script = None  # (pieces, whether to close, the event that says it is done) for the next request of which the path is not /next
        self.connections = 0
        self.open = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self.open += 1
            threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock, number):
        pending = b""
        try:
            while True:
                pending = self._read(pending, sock, number)
                got = sock.recv(65536)
                if not got:
                    break
                pending += got
        except OSError:
            pass
        finally:
            self._keep_the_rest(pending)
            sock.close()
            self.open -= 1

    def _read(self, pending, sock, number):
        while pending:
            try:
                message = strict_reader.first(pending, ROOM)
            except Partial:
                break
            except Fault as fault:
                self.faults.append(f"{fault}: {pending[:300]!r}")
                raise OSError from None
            pending = pending[message.size:]
            self.messages.append((number, message))
            self._answer(sock, message)
        return pending

    def _keep_the_rest(self, pending):
        if pending:
            try:
                strict_reader.first(pending, ROOM)
            except Partial as partial:
                self.unfinished.append(partial.head)
            except Fault as fault:
                self.faults.append(str(fault))

    def _answer(self, sock, message):
        if self.script is None or message.start[1] == b"/next":
            return sock.sendall(OK)
        pieces, close, played = self.script
        try:
            for piece in pieces:
                sock.sendall(piece)
            if close:
                sock.shutdown(socket.SHUT_RDWR)
        finally:
            played.set()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture(scope="module")
def recorder():
    recorder = Recorder()
    yield recorder
    recorder.stop()
    assert not recorder.faults


@pytest.fixture(scope="module")
def side(tmp_path_factory):
    sink = OtlpSink()
    with Sidecar(tmp_path_factory.mktemp("smuggling"), exporting(sink.endpoint)) as side:
        yield side
        side.metrics().accounts()
    assert not sink.faults
    sink.stop()


def test_there_are_enough():
    assert len(load("requests")) >= 120 and len(load("answers")) >= 50


# requests


def send_pieces(client, pieces):
    """Until something comes back or the connection ends: what follows a refusal is read by nobody."""
    try:
        for piece in pieces:
            client.send(piece)
            if len(pieces) > 1 and select.select([client.sock], [], [], 0)[0]:
                if client.sock.recv(1, socket.MSG_PEEK) == b"":
                    return
    except OSError:
        pass


def answers_of(client):
    """[status] up to the end of the connection, and the last answer."""
    found, last = [], None
    while True:
        try:
            answer = client.response()
        except (Truncated, ConnectionResetError):
            return found, last
        found.append(answer.status)
        last = answer


def play_request(side, recorder, case, cuts):
    data = data_of(case, recorder.address)
    before = len(recorder.messages)
    with Client(side.egress) as client:
        send_pieces(client, cuts(data))
        try:
            client.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        statuses, last = answers_of(client)
    got = recorder.messages[before:]
    return statuses, last, got


def assert_plain(message):
    """A message that no two readers take for different ones."""
    names = [name.lower() for name, _ in message.fields]
    assert names.count(b"host") == 1 and names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert message.start[1].startswith(b"/")
    assert message.version == 1 and not HOP_BY_HOP & set(names) - {b"connection", b"upgrade"}
    assert message.all(b"connection") in ([], [b"Upgrade"]), message.fields
    lengths = message.all(b"content-length")
    assert lengths in ([], [b"%d" % len(message.body)])
    assert message.all(b"transfer-encoding") in ([], [b"chunked"])


def messages_of(got):
    return [(message.start[0], message.start[1], message.body) for _, message in got]


def unfinished_of(case, recorder):
    return [head for head in recorder.unfinished if head is None or head.start[1] == b"/" + case["n"].encode()]


def expected_messages(case, address):
    return [(method.encode(), b"/" + (case["n"] + rest).encode("latin-1"), filled(body, case, address))
            for method, rest, body in case.get("got", [])]


@pytest.mark.parametrize("cuts", CUTS, ids=lambda cuts: cuts.__name__)
@pytest.mark.parametrize("case", load("requests"), ids=lambda case: case["name"].replace(" ", "-"))
def test_row_01_request(case, cuts, side, recorder):
    faults = len(recorder.faults)
    statuses, last, got = play_request(side, recorder, case, cuts)
    expected = expected_messages(case, recorder.address)
    verdict = case["verdict"]
    if "or" in case and statuses != [200] * len(expected):
        verdict, expected = case["or"], []
    if verdict == "pass":
        assert statuses == [200] * len(expected), last and last.body
    else:
        assert statuses == [200] * len(expected) + [verdict], last and last.body
        assert last.get("connection") == "close"
        assert last.get("proxy-status").startswith("sidespan; error="), last.headers
    assert messages_of(got) == expected
    for _, message in got:
        assert_plain(message)
    assert not recorder.faults[faults:]
    if "cut" in case:
        # Its head may have gone on; then its connection ends there.
        wait_for("end", lambda: recorder.open <= 1)
    else:
        # What an earlier case left unfinished may be told only now: the connection's end is read by another thread.
        assert not unfinished_of(case, recorder)


def test_nothing_else_reached_the_origin(side, recorder):
    """What was refused did not arrive late either."""
    count = len(recorder.messages)
    time.sleep(0.3)
    assert len(recorder.messages) == count
    cut = {b"/" + case["n"].encode() for case in load("requests") if case.get("cut")}
    assert {head.start[1] for head in recorder.unfinished} <= cut


# answers


def play_answer(side, recorder, case, cuts):
    """(status and body, or None for an answer that broke off; whether its connection was used again)"""
    data = data_of(case, recorder.address)
    method = case.get("method", "GET")
    played = threading.Event()
    recorder.script = (cuts(data), case.get("end") == "close", played)
    before = len(recorder.messages)
    with Client(side.egress) as client:
        client.send(head(f"{method} http://{recorder.address}/{case['n']} HTTP/1.1", [("Host", "h")]))
        try:
            answer = client.response(method)
        except (Truncated, ConnectionResetError):
            answer = None
    # What comes behind an answer is there before the next request is.
    assert played.wait(10)
    with Client(side.egress) as client:
        assert client.ask("GET", f"http://{recorder.address}/next").status == 200
    *asked, following = recorder.messages[before:]
    assert len(asked) == 1 + case.get("again", 0)
    return answer, asked[-1][0] == following[0]


@pytest.mark.parametrize("cuts", CUTS, ids=lambda cuts: cuts.__name__)
@pytest.mark.parametrize("case", load("answers"), ids=lambda case: case["name"].replace(" ", "-"))
def test_row_01_answer(case, cuts, side, recorder):
    answer, reused = play_answer(side, recorder, case, cuts)
    if case["verdict"] == "pass":
        assert answer is not None, "it broke off"
        assert (answer.status, answer.body) == (case.get("status", 200), case["body"].encode("latin-1"))
        assert (reused, answer.all("connection")) == (case["reuse"], [])
        return
    assert not reused
    if case["verdict"] == "cut" and answer is None:
        return
    assert answer is not None, "it broke off"
    assert answer.status == 502 and answer.get("proxy-status").startswith("sidespan; error="), answer.raw
