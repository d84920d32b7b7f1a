"""WebSockets through the sidecar, with a real client and a real server: what passes is untouched, and counted."""

import asyncio
import contextlib
import hashlib
import queue
import random
import socket
import threading

import pytest
from websockets.asyncio.client import connect as dial_in_a_loop
from websockets.asyncio.server import serve as serve_in_a_loop
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as dial
from websockets.sync.server import serve

from tunnel import HOST, context_of

MESSAGES = 10_000
BYE = b"bye"


def messages(seed):
    """Always the same ones: texts and bytes, most of them small, a few that need a long header."""
    chance = random.Random(seed)
    for number in range(MESSAGES):
        size = chance.choice((0, 1, 20, 125, 126, 300)) if number % 500 else 70_000
        payload = chance.randbytes(size // 2)
        yield payload.hex() if number % 2 else payload * 2


def speak(peer, seed, digest):
    """Sends them, every tenth in fragments, and adds them to `digest`."""
    for number, message in enumerate(messages(seed)):
        half = len(message) // 2
        peer.send([message[:half], message[half:]] if number % 10 == 3 else message)
        add(digest, message)


def add(digest, message):
    digest.update(b"%d " % len(message) + (message.encode() if isinstance(message, str) else message))


class Server:
    """Hears all that comes, says as much of its own at the same time, and closes when it is told BYE."""

    def __init__(self, tls, compression):
        self.server = serve(self._talk, "127.0.0.1", 0, ssl=tls, compression=compression, max_size=None)
        self.port = self.server.socket.getsockname()[1]
        self.said, self.heard = hashlib.sha256(), hashlib.sha256()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _talk(self, peer):
        speaker = threading.Thread(target=speak, args=(peer, 2, self.said), daemon=True)
        speaker.start()
        try:
            for message in peer:
                if message == BYE:
                    speaker.join()
                    return peer.close(4001, "you said so")
                add(self.heard, message)
        except ConnectionClosed:
            pass

    def stop(self):
        self.server.shutdown()


@pytest.fixture
def start():
    servers = []

    def begin(tls=None, compression=None):
        servers.append(Server(tls, compression))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


def agent(side, url, tls=None, compression=None):
    return dial(url, ssl=tls, compression=compression, max_size=None, proxy="http://%s:%d" % side.egress)


def both_talk(peer):
    """(said, heard) of the agent."""
    said, heard = hashlib.sha256(), hashlib.sha256()
    speaker = threading.Thread(target=speak, args=(peer, 1, said), daemon=True)
    speaker.start()
    for _ in range(MESSAGES):
        add(heard, peer.recv(timeout=60))
    speaker.join()
    return said, heard


def closed_by_agent(peer):
    peer.close(1001)
    return 0, 1001


def closed_by_origin(peer):
    peer.send(BYE)
    with pytest.raises(ConnectionClosed):
        peer.recv(timeout=20)
    assert peer.close_code == 4001
    return 1, 4001


@pytest.mark.parametrize("secure,compression,close", [
    (True, None, closed_by_agent), (True, "deflate", closed_by_origin), (False, None, closed_by_origin)])
def test_ten_thousand_messages_each_way(secure, compression, close, intercepting, authority, start, sink):
    server = start(authority.server(HOST) if secure else None, compression)
    side = intercepting()
    scheme, tls = ("wss", context_of(side)) if secure else ("ws", None)
    with agent(side, f"{scheme}://{HOST}:{server.port}/chat", tls, compression) as peer:
        said, heard = both_talk(peer)
        more, code = close(peer)
    (span,) = sink.wait(1)
    assert said.digest() == server.heard.digest() and heard.digest() == server.said.digest()
    attributes = span["attributes"]
    assert attributes["url.full"] == f"{'https' if secure else 'http'}://{HOST}:{server.port}/chat"
    assert attributes["http.response.status_code"] == 101
    assert attributes["sidespan.mode"] == ("intercept" if secure else "forward")
    assert attributes["sidespan.websocket.messages.sent"] == MESSAGES + more
    assert attributes["sidespan.websocket.messages.received"] == MESSAGES
    assert attributes["sidespan.websocket.close_code"] == code
    assert attributes["sidespan.bytes.sent"] > 0 and attributes["sidespan.bytes.received"] > 0


def test_one_that_is_cut_off_has_no_code(intercepting, start, sink):
    server = start()
    side = intercepting()
    with agent(side, f"ws://{HOST}:{server.port}/chat") as peer:
        both_talk(peer)
        peer.socket.shutdown(socket.SHUT_RDWR)
    (span,) = sink.wait(1)
    assert span["attributes"]["sidespan.websocket.messages.received"] == MESSAGES
    assert "sidespan.websocket.close_code" not in span["attributes"]


def echo(peer):
    for message in peer:
        peer.send(message)


async def echo_in_a_loop(peer):
    async for message in peer:
        await peer.send(message)


@contextlib.contextmanager
def threaded(tls):
    server = serve(echo, "127.0.0.1", 0, ssl=tls)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.socket.getsockname()[1]
    server.shutdown()


@contextlib.contextmanager
def looped(tls):
    loop, ports = asyncio.new_event_loop(), queue.Queue()
    over = asyncio.Event()

    async def run():
        async with serve_in_a_loop(echo_in_a_loop, "127.0.0.1", 0, ssl=tls) as server:
            ports.put(server.sockets[0].getsockname()[1])
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    yield ports.get(timeout=20)
    loop.call_soon_threadsafe(over.set)
    thread.join(20)
    loop.close()


def talk(url, tls, proxy):
    with dial(url, ssl=tls, proxy=proxy) as peer:
        peer.send("hello")
        assert peer.recv(timeout=20) == "hello"
    return peer.close_code


def talk_in_a_loop(url, tls, proxy):
    async def run():
        async with dial_in_a_loop(url, ssl=tls, proxy=proxy) as peer:
            await peer.send("hello")
            assert await peer.recv() == "hello"
        return peer.close_code

    return asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.parametrize("client", [talk, talk_in_a_loop])
@pytest.mark.parametrize("server", [threaded, looped])
@pytest.mark.parametrize("secure", [True, False])
def test_who_says_close_ends_well(client, server, secure, intercepting, authority, sink):
    """Whatever ends the connection behind it: many say no close_notify."""
    side = intercepting()
    with server(authority.server(HOST) if secure else None) as port:
        url = f"{'wss' if secure else 'ws'}://{HOST}:{port}/chat"
        assert client(url, context_of(side) if secure else None, "http://%s:%d" % side.egress) == 1000
    (span,) = sink.wait(1)
    assert span["attributes"]["sidespan.websocket.close_code"] == 1000
    assert (span["attributes"]["sidespan.end"], span["status"]) == ("complete", "UNSET")
