"""HTTP/1.1 for the workload's own programs, small and quick: a server of functions, and a client with kept connections
that goes through a forward proxy. What the wire tests do with exact bytes is test/integration/wire.py's.

A server counts its answers: each says its number in `X-Served`, and `served` keeps the `traceparent` that came with
that request. So both ends can name a request and its span, and nothing that the proxy could use tells it whose it is:
the number is in no request, and is never the same twice.
"""

import asyncio
import json


class Answer:
    __slots__ = ("status", "kind", "pieces", "headers", "delay")

    def __init__(self, document=None, status=200, kind="application/json", pieces=None, headers="", delay=0.0):
        self.status, self.kind, self.headers, self.delay = status, kind, headers, delay
        self.pieces = pieces if pieces is not None else [json.dumps(document).encode() if document is not None else b""]

    def frames(self, number):
        """The bytes, in the pieces in which they are to be sent: several are an answer of unknown length."""
        head = f"HTTP/1.1 {self.status} .\r\nContent-Type: {self.kind}\r\nX-Served: {number}\r\n{self.headers}"
        if len(self.pieces) == 1:
            return [f"{head}Content-Length: {len(self.pieces[0])}\r\n\r\n".encode() + self.pieces[0]]
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in self.pieces if piece]
        chunks[0] = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks[0]
        chunks[-1] += b"0\r\n\r\n"
        return chunks


class Parser:
    """Messages with Content-Length or in chunks, out of bytes in any cuts."""

    def __init__(self):
        self._pending = bytearray()
        self._head = None

    def feed(self, data):
        self._pending += data

    def next(self):
        """(first line, {name in lower case: value}, body), or None until it is whole."""
        if self._head is None:
            end = self._pending.find(b"\r\n\r\n")
            if end < 0:
                return None
            start, *lines = self._pending[:end].decode("latin-1").split("\r\n")
            del self._pending[:end + 4]
            fields = (line.partition(":") for line in lines)
            self._head = start, {name.lower(): value.strip() for name, _, value in fields}
        body = self._chunked() if self._head[1].get("transfer-encoding") == "chunked" else self._counted()
        if body is None:
            return None
        (start, headers), self._head = self._head, None
        return start, headers, body

    def _counted(self):
        size = int(self._head[1].get("content-length", 0))
        if len(self._pending) < size:
            return None
        body = bytes(self._pending[:size])
        del self._pending[:size]
        return body

    def _chunked(self):
        # Only once the end is there: chunks are few and small.
        if not self._pending.endswith(b"0\r\n\r\n"):
            return None
        at, body = 0, bytearray()
        while True:
            line = self._pending.find(b"\r\n", at)
            if line < 0:
                return None
            size = int(self._pending[at:line], 16)
            if size == 0:
                break
            if len(self._pending) < line + 4 + size:
                return None
            body += self._pending[line + 2:line + 2 + size]
            at = line + 4 + size
        del self._pending[:line + 4]
        return bytes(body)


class Served:
    """What one program's servers have answered, kept for the end."""

    def __init__(self, first):
        self._next = first
        self.contexts = []  # (number, traceparent)

    def number(self, headers):
        self._next += 1
        self.contexts.append((self._next, headers.get("traceparent", "")))
        return self._next

    def write(self, path):
        path.write_text("".join(f"{number} {context}\n" for number, context in self.contexts))


class ServerConnection(asyncio.Protocol):
    """`handle(method, target, headers, body)` gives an Answer."""

    def __init__(self, handle, served, gap):
        self._handle, self._served, self._gap = handle, served, gap
        self._parser = Parser()
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._parser.feed(data)
        message = self._parser.next()
        if message:
            start, headers, body = message
            method, target, _ = start.split(" ")
            answer = self._handle(method, target, headers, body)
            frames = answer.frames(self._served.number(headers))
            if answer.delay:
                self._loop.call_later(answer.delay, self._send, frames)
            else:
                self._send(frames)

    def _send(self, frames):
        if self._transport.is_closing():
            return
        self._transport.write(frames[0])
        if len(frames) > 1:
            self._loop.call_later(self._gap, self._send, frames[1:])


async def serve(handle, served, gap=0.001):
    """A listener on a free port; the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServerConnection(handle, served, gap), "127.0.0.1", 0, backlog=256)
    return server, server.sockets[0].getsockname()[1]


class ClientConnection(asyncio.Protocol):
    def __init__(self):
        self._parser = Parser()
        self.waiting = None
        self.closed = False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self._parser.feed(data)
        message = self._parser.next()
        if message and self.waiting:
            waiting, self.waiting = self.waiting, None
            waiting.set_result(message)

    def connection_lost(self, exc):
        self.closed = True
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(ConnectionError("the proxy closed the connection"))


class Client:
    """Connections are kept by destination and shared by everybody in the process, as HTTP libraries do."""

    def __init__(self, proxy):
        self._proxy = proxy
        self._idle = {}
        self._loop = asyncio.get_running_loop()

    async def request(self, method, host, path, headers, body=b"", chunked=False):
        """(status, headers, body). `chunked`: the body's length is not told before it comes."""
        idle = self._idle.setdefault(host, [])
        while idle and idle[-1].closed:
            idle.pop()
        if idle:
            connection = idle.pop()
        else:
            _, connection = await self._loop.create_connection(ClientConnection, *self._proxy)
        if chunked:
            half = len(body) // 2 + 1
            parts = [part for part in (body[:half], body[half:]) if part]
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        length = ("Transfer-Encoding: chunked\r\n" if chunked else
                  f"Content-Length: {len(body)}\r\n" if body or method == "POST" else "")
        head = f"{method} http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n"
        connection.waiting = self._loop.create_future()
        connection.transport.write(head.encode() + body)
        start, fields, content = await connection.waiting
        if fields.get("connection", "").lower() == "close":
            connection.transport.close()
        else:
            idle.append(connection)
        return int(start.split(" ")[1]), fields, content
