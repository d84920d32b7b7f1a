"""limits.h2_ping_time: an HTTP/2 origin that owes answers and says nothing is asked by PING whether it is there."""

import socket
import time

import h2.errors
import h2.events
import pytest

from h2_origin import H2Client, H2Origin
from test_http2 import inside
from tunnel import HOST
from wire import connect, wait_for

FAST = {"limits": {"h2_ping_time": "300ms", "h2_ping_answer_time": "400ms"}}


class Deafness(Exception):
    """From now on nothing is read and nothing said, and the connection stays."""


class Mortal(H2Origin):
    """/deaf: it dies, unseen. `pings`: when each came."""

    def __init__(self, *args, **kwargs):
        self.pings = []
        super().__init__(*args, **kwargs)

    def _take(self, connection, streams, queues, event, number):
        if isinstance(event, h2.events.PingReceived):
            self.pings.append(time.monotonic())
        return super()._take(connection, streams, queues, event, number)

    def _answer(self, connection, queues, stream, request):
        if request.get(":path") == "/deaf":
            raise Deafness
        return super()._answer(connection, queues, stream, request)

    def _speak(self, sock, number):
        try:
            super()._speak(sock, number)
        except Deafness:
            time.sleep(30)


@pytest.fixture
def mortal(authority):
    origin = Mortal(tls=authority.server(HOST, "127.0.0.1"))
    yield origin
    origin.stop()


def test_a_dead_origin_is_found(intercepting, mortal, sink):
    """Every stream of the connection ends, and the next request goes over another."""
    side = intercepting({"limits": {"h2_ping_time": "300ms", "h2_ping_answer_time": "400ms"}})
    sock, _, name = inside(side, mortal)
    with H2Client(sock) as client:
        assert client.get(name, "/echo", scheme="https").status == 200
        begun = time.monotonic()
        asked = [client.ask(name, path, scheme="https") for path in ("/never", "/never", "/deaf")]
        assert [answer.status for answer in client.wait(*asked)] == [504] * 3
        assert 0.6 < time.monotonic() - begun < 6
        assert client.get(name, "/echo", scheme="https").status == 200
    spans = sink.wait(3, where=lambda span: "echo" not in span["attributes"]["url.full"])
    for span in spans:
        assert span["attributes"]["error.type"] == "timeout" and span["status"] == "ERROR"
    assert [request.connection for request in mortal.requests if request.get(":path") == "/echo"] == [1, 2]
    assert not mortal.pings  # nobody was there to read it


def test_a_silent_origin_that_is_there_is_waited_for(intercepting, mortal):
    """It is asked less and less often: servers take many PINGs for abuse."""
    side = intercepting(FAST)
    sock, _, name = inside(side, mortal)
    with H2Client(sock) as client:
        stream = client.ask(name, "/never", scheme="https")
        wait_for("three PINGs", lambda: len(mortal.pings) == 3)  # after 0.3, 0.9 and 2.1 s
        first, second, third = mortal.pings
        assert second - first > 0.5 and third - second > 1.1
        assert not client.answers[stream].ended
        # What it says meanwhile makes it a new silence.
        assert client.get(name, "/echo", scheme="https").status == 200
        said = time.monotonic()
        wait_for("one more", lambda: len(mortal.pings) == 4)
        assert 0.2 < mortal.pings[3] - said < 1
        assert not client.answers[stream].ended
    assert mortal.connections == 1


def test_who_is_owed_nothing_asks_nothing(intercepting, mortal):
    """Nor at once, when it is owed something again."""
    side = intercepting(FAST)
    sock, _, name = inside(side, mortal)
    with H2Client(sock) as client:
        assert client.get(name, "/echo", scheme="https").status == 200
        time.sleep(1)
        assert not mortal.pings
        client.ask(name, "/never", scheme="https")
        time.sleep(0.15)
        assert not mortal.pings
        assert client.get(name, "/echo", scheme="https").status == 200
    assert mortal.connections == 1


SLOW = {"limits": {"h2_ping_time": "300ms", "h2_ping_answer_time": "20s"}}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("given_up", [False, True])
def test_who_has_not_answered_a_ping_is_asked_nothing_more(given_up, method, intercepting, mortal):
    """Whether the call that it owes still waits or not: others go over another connection, at once."""
    side = intercepting(SLOW)
    sock, _, name = inside(side, mortal)
    with H2Client(sock) as client:
        assert client.get(name, "/echo", scheme="https").status == 200
        waits = client.ask(name, "/deaf", scheme="https")
        time.sleep(0.8)  # the PING is out
        if given_up:
            client.connection.reset_stream(waits, h2.errors.ErrorCodes.CANCEL)
            client.flush()
        for _ in range(2):
            assert client.wait(client.ask(name, "/echo", method, "https"), timeout=5)[0].status == 200
        assert given_up or not client.answers[waits].ended
    assert mortal.connections == 2


def test_pings_that_are_not_wanted(intercepting, mortal):
    side = intercepting({"limits": {"h2_ping_time": "0s", "h2_ping_answer_time": "100ms"}})
    sock, _, name = inside(side, mortal)
    with H2Client(sock) as client:
        stream = client.ask(name, "/deaf", scheme="https")
        client.sock.settimeout(1)
        with pytest.raises(TimeoutError):
            while client.pull():
                pass
        assert not client.answers[stream].ended


def test_an_origin_that_never_says_its_settings(sidecar, sink):
    """It takes connections and no more: each call has its own end, and a connection of its own."""
    mute, kept = socket.create_server(("127.0.0.1", 0)), []
    side = sidecar({"limits": {"head_time": "700ms"}})
    fields = [("content-type", "application/grpc"), ("te", "trailers")]
    name = f"127.0.0.1:{mute.getsockname()[1]}"
    with H2Client(connect(side.egress)) as client:
        begun = time.monotonic()
        given_up = client.ask(name, "/a.B/C", "POST", headers=fields, body=b"")
        asked = client.ask(name, "/a.B/D", "POST", headers=fields, body=b"")
        kept.append(mute.accept())
        client.connection.reset_stream(given_up, h2.errors.ErrorCodes.CANCEL)
        client.flush()
        mute.settimeout(5)
        kept.append(mute.accept())
        assert client.wait(asked)[0].status == 504
        assert 0.6 < time.monotonic() - begun < 6
    assert {span["attributes"].get("error.type") for span in sink.wait(2)} == {None, "timeout"}
    for sock, _ in kept:
        sock.close()
    mute.close()
