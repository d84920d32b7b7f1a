"""HTTP/1 by hand over sockets: exact bytes out, exact bytes in, nothing merged, folded or repaired on the way.

What the origin, the raw client and the W3C service share. A head is kept as it was on the wire (`raw`), and as
(name, value) pairs in wire order with the white space around values removed, decoded as Latin-1 so that every byte
has its character.
"""

import socket
import time
from dataclasses import dataclass, field

TIMEOUT = 20.0  # for one socket operation: long enough for a busy machine, short enough to end a run that hangs


class Truncated(Exception):
    """The peer ended the connection inside a message."""


@dataclass
class Message:
    """One request or response. `start` is its first line; `connection` numbers the socket the origin got it on."""

    start: str
    headers: list
    raw: bytes
    body: bytes = b""
    trailers: list = field(default_factory=list)
    chunks: list = field(default_factory=list)
    interim: list = field(default_factory=list)  # 1xx responses that came before this one
    connection: int = 0

    def all(self, name):
        """The values of every field of that name, in wire order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name, default=None):
        """The value of the only field of that name."""
        values = self.all(name)
        assert len(values) < 2, f"{name} is there {len(values)} times: {values}"
        return values[0] if values else default

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]

    @property
    def status(self):
        return int(self.start.split(" ")[1])


class Reader:
    """Reads messages from a socket and keeps what came too early for the next one."""

    def __init__(self, sock):
        self.sock = sock
        self.pending = b""

    def more(self):
        """Adds what the socket has; False at its end."""
        got = self.sock.recv(65536)
        self.pending += got
        return bool(got)

    def until(self, mark):
        while mark not in self.pending:
            if not self.more():
                raise Truncated(f"end of stream before {mark!r}, after {self.pending[-200:]!r}")
        taken, self.pending = self.pending.split(mark, 1)
        return taken + mark

    def exactly(self, count):
        while len(self.pending) < count:
            if not self.more():
                raise Truncated(f"end of stream after {len(self.pending)} of {count} bytes")
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def rest(self):
        """Everything up to the end of the stream."""
        while self.more():
            pass
        taken, self.pending = self.pending, b""
        return taken

    def head(self):
        """The next message without its body, or None when the stream ends in front of it."""
        while not self.pending:
            if not self.more():
                return None
        raw = self.until(b"\r\n\r\n")
        lines = raw[:-4].decode("latin-1").split("\r\n")
        return Message(start=lines[0], headers=fields(lines[1:]), raw=raw)

    def request(self):
        message = self.head()
        if message is not None:
            self.body(message, length=int(message.get("content-length", "0")))
        return message

    def response(self, method="GET"):
        """The next final response; interim ones are in its `interim`."""
        interim = []
        while True:
            message = self.head()
            if message is None:
                raise Truncated("end of stream instead of a response")
            if message.status >= 200 or message.status == 101:
                break
            interim.append(message)
        message.interim = interim
        if method != "HEAD" and message.status not in (101, 204, 304):
            length = message.get("content-length")
            self.body(message, length=None if length is None else int(length))
        return message

    def body(self, message, length):
        if (message.get("transfer-encoding") or "").lower() == "chunked":
            self.chunked(message)
        elif length is None:
            message.body = self.rest()
        else:
            message.body = self.exactly(length)
        if not message.chunks:
            message.raw += message.body

    def chunked(self, message):
        """Keeps the chunks apart, so that a test can see how they were cut."""
        while True:
            line = self.until(b"\r\n")
            message.raw += line
            size = int(line.split(b";")[0], 16)
            if not size:
                break
            chunk = self.exactly(size + 2)
            assert chunk.endswith(b"\r\n"), f"a chunk ends in {chunk[-4:]!r}"
            message.raw += chunk
            message.chunks.append(chunk[:-2])
        message.body = b"".join(message.chunks)
        while (line := self.until(b"\r\n")) != b"\r\n":
            message.raw += line
            message.trailers += fields([line[:-2].decode("latin-1")])
        message.raw += line


def fields(lines):
    pairs = (line.partition(":") for line in lines)
    return [(name, value.strip(" \t")) for name, _, value in pairs]


def head(start, headers=()):
    """The bytes of a head. A header is a (name, value) pair, written as `name: value`, or a whole line."""
    lines = [start] + [item if isinstance(item, str) else f"{item[0]}: {item[1]}" for item in headers]
    return "".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n"


def connect(address, timeout=TIMEOUT):
    sock = socket.create_connection(address, timeout=timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Client:
    """One connection on which a test sends exact bytes and reads messages."""

    def __init__(self, address, timeout=TIMEOUT):
        self.sock = connect(address, timeout)
        self.reader = Reader(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def response(self, method="GET"):
        return self.reader.response(method)

    def ask(self, method, target, headers=(), body=b"", host=None):
        """Sends one request and reads its response. Host is added in front, from the target unless given."""
        host = host or target.partition("://")[2].partition("/")[0]
        lines = [("Host", host), *headers]
        if body and not any(isinstance(line, tuple) and line[0].lower() == "content-length" for line in lines):
            lines.append(("Content-Length", str(len(body))))
        self.send(head(f"{method} {target} HTTP/1.1", lines) + body)
        return self.response(method)


def ask(address, method, target, headers=(), body=b"", host=None):
    """One request on a connection of its own."""
    with Client(address) as client:
        return client.ask(method, target, headers, body, host)


def wait_for(what, condition, timeout=TIMEOUT):
    """Polls until the condition holds and returns its value; says what it waited for when it does not."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout:g} s still no {what}")
        time.sleep(0.01)


def outward_address():
    """An address of this machine that is not loopback, or None. Asking the kernel for a route sends nothing."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    except OSError:
        return None
    finally:
        probe.close()
    return None if address.startswith("127.") else address
