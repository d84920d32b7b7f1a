"""An HTTP/1 origin on raw sockets that shows exactly what reached it and answers exactly what a test says.

    origin = Origin()                      # 127.0.0.1, a free port, threads
    origin.url("/echo")                    # http://127.0.0.1:PORT/echo
    origin.requests[-1].raw                # the bytes of the last request, body framing included
    origin.answer("/odd", [b"HTTP/1.1 200 OK\r\n", 0.1, b"Content-Length: 2\r\n\r\nok"])
    origin.answer("/twice", [CLOSE], [OK])   # the first request one thing, the second and all later ones another

A script is a list of steps: bytes are sent, a number is seconds of silence, CLOSE and RESET end the connection,
HANG_UP ends our direction alone, BODY reads the request's body, a callable gets (sock, reader, request). The body is
read in front of the script unless the script says BODY itself, or starts with NO_BODY.

Without a script the first segment of the path chooses the answer (`MODES` below has them all); any other path echoes
the request as JSON. `Expect: 100-continue` is met with 100 unless the path is scripted.
"""

import json
import socket
import struct
import threading
import time
from urllib.parse import parse_qs, urlsplit

from wire import Reader, Truncated

CLOSE, RESET, HANG_UP, BODY, NO_BODY = "close", "reset", "hang up", "body", "no body"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NO_CONTENT = (204, 304)


class Finished(Exception):
    """A script has ended the connection."""


class Origin:
    def __init__(self, host="127.0.0.1", port=0, tls=None):
        """`tls`: an ssl.SSLContext; `handshakes` then has what each connection came to: what the peer
        showed of itself (None: nothing), or the error."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family, backlog=512)
        self.address = self.listener.getsockname()[:2]
        self.port = self.address[1]
        self.requests = []
        self.ends = {}  # connection number: "eof", "reset", "truncated", or "us" when the script ended it
        self.connections = 0
        self.tls = tls
        self.handshakes = []
        self._scripts = {}
        self._lock = threading.Lock()
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path="/"):
        return f"{'https' if self.tls else 'http'}://{self.address[0]}:{self.port}{path}"

    def answer(self, path, *scripts):
        """Scripts the answers of one path; its query is not part of it."""
        with self._lock:
            self._scripts[path] = list(scripts)

    def seen(self, path):
        """The requests whose path is this one, with or without a query."""
        return [request for request in list(self.requests) if urlsplit(request.target).path == path]

    def stop(self):
        _quietly(self.listener.shutdown, socket.SHUT_RDWR)  # closing alone does not wake accept()
        self.listener.close()
        with self._lock:
            for sock in self._open:
                _quietly(sock.shutdown, socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock, number):
        try:
            if self.tls:
                sock = self._greet(sock)
            reader = Reader(sock)
            while self._one(sock, reader, number):
                pass
            self.ends[number] = "eof"
        except Finished:
            self.ends[number] = "us"
        except Truncated:
            self.ends[number] = "truncated"
        except OSError:
            self.ends[number] = "reset"
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _greet(self, sock):
        try:
            secured = self.tls.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
        except OSError as error:
            self.handshakes.append(error)
            raise
        self.handshakes.append(secured.getpeercert())
        with self._lock:
            self._open.add(secured)
        return secured

    def _one(self, sock, reader, number):
        request = reader.head()
        if request is None:
            return False
        request.connection = number
        script = self._next_script(urlsplit(request.target).path)
        if script is None:
            if (request.get("expect") or "").lower() == "100-continue":
                sock.sendall(CONTINUE)
            self._take_body(reader, request)
            mode = MODES.get(request.target.split("?")[0].split("/")[1] if "/" in request.target else "", echo)
            mode(sock, reader, request)
        else:
            self._play(script, sock, reader, request)
        return True

    def _next_script(self, path):
        with self._lock:
            scripts = self._scripts.get(path)
            if not scripts:
                return None
            return scripts.pop(0) if len(scripts) > 1 else scripts[0]

    def _take_body(self, reader, request):
        reader.body(request, length=int(request.get("content-length", "0")))
        self.requests.append(request)

    def _play(self, script, sock, reader, request):
        if BODY in script or script[:1] == [NO_BODY]:
            self.requests.append(request)  # visible before its body is: that is what such a test is about
        else:
            self._take_body(reader, request)
        for step in script:
            if step == BODY:
                reader.body(request, length=int(request.get("content-length", "0")))
            elif step != NO_BODY:
                play_step(step, sock, reader, request)


def play_step(step, sock, reader, request):
    if isinstance(step, bytes):
        sock.sendall(step)
    elif isinstance(step, (int, float)):
        time.sleep(step)
    elif callable(step):
        step(sock, reader, request)
    elif step == HANG_UP:
        sock.shutdown(socket.SHUT_WR)
    elif step == CLOSE:
        raise Finished
    elif step == RESET:
        # Zero linger makes the kernel send RST instead of FIN.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Finished
    else:
        raise ValueError(f"no such step: {step!r}")


def option(request, name, default=0):
    """A whole number from the query."""
    return int(parse_qs(urlsplit(request.target).query).get(name, [default])[0])


def segment(request, default=0):
    """The whole number behind the mode's name in the path."""
    parts = urlsplit(request.target).path.split("/")
    return int(parts[2]) if len(parts) > 2 and parts[2] else default


def reply(sock, request, status, body=b"", headers=(), reason="Answer"):
    """A whole answer with its length; HEAD, 204 and 304 get what belongs to them."""
    lines = [f"HTTP/1.1 {status} {reason}", *headers]
    if status != 204:
        lines.append(f"Content-Length: {len(body)}")
    head = "".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n"
    sock.sendall(head if request.method == "HEAD" or status in NO_CONTENT else head + body)


def echo(sock, reader, request):
    """The request as JSON."""
    shown = {
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": request.body.decode("latin-1"),
        "trailers": request.trailers,
        "connection": request.connection,
    }
    reply(sock, request, 200, json.dumps(shown).encode(), ["Content-Type: application/json"])


def status(sock, reader, request):
    """/status/404: that status with a line of text. Redirections carry a Location."""
    code = segment(request, 200)
    where = ["Location: /echo"] if code in (301, 302, 303, 307, 308) else []
    reply(sock, request, code, f"status {code}\n".encode(), where)


def size(sock, reader, request):
    """/bytes/1000: that many bytes with a Content-Length."""
    reply(sock, request, 200, b"x" * segment(request))


def chunked(sock, reader, request):
    """/chunked/3?size=10: that many chunks, then the trailer field X-Chunks."""
    count, each = segment(request, 3), option(request, "size", 10)
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Chunks\r\n\r\n")
    if request.method != "HEAD":
        chunk = f"{each:x}\r\n".encode() + b"c" * each + b"\r\n"
        for _ in range(count):
            sock.sendall(chunk)
        sock.sendall(f"0\r\nX-Chunks: {count}\r\n\r\n".encode())


def events(sock, reader, request):
    """/sse/5?gap=20: that many server-sent events, so many milliseconds apart, a chunk each."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    if request.method == "HEAD":
        return
    for number in range(segment(request, 5)):
        time.sleep(option(request, "gap") / 1000)
        event = f"event: tick\ndata: {number}\n\n".encode()
        sock.sendall(f"{len(event):x}\r\n".encode() + event + b"\r\n")
    sock.sendall(b"0\r\n\r\n")


def upgrade(sock, reader, request):
    """/upgrade: 101, then every byte comes back until the peer ends."""
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    while reader.pending or reader.more():
        data, reader.pending = reader.pending, b""
        sock.sendall(data)
    raise Finished


def interim(sock, reader, request):
    """/interim/2: so many 103 responses, then 200."""
    for number in range(segment(request, 1)):
        sock.sendall(f"HTTP/1.1 103 Early Hints\r\nLink: </{number}.css>; rel=preload\r\n\r\n".encode())
    reply(sock, request, 200, b"final")


def http10(sock, reader, request):
    """/http10: an HTTP/1.0 answer that ends with the connection."""
    sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"until the end")
    raise Finished


def slow(sock, reader, request):
    """/slow?head=100&body=100: milliseconds before the head and between the two halves of the body."""
    time.sleep(option(request, "head") / 1000)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nslow")
    time.sleep(option(request, "body") / 1000)
    sock.sendall(b"slow")


def abort(sock, reader, request):
    """/abort/5: a hundred bytes promised, so many sent, then a reset."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"a" * segment(request))
    time.sleep(0.05)  # a reset overtakes what has not been read yet
    play_step(RESET, sock, reader, request)


def close(sock, reader, request):
    """/close: the end of the connection instead of an answer."""
    raise Finished


MODES = {
    "echo": echo,
    "status": status,
    "bytes": size,
    "chunked": chunked,
    "sse": events,
    "upgrade": upgrade,
    "interim": interim,
    "http10": http10,
    "slow": slow,
    "abort": abort,
    "close": close,
}


def _quietly(act, *arguments):
    try:
        act(*arguments)
    except OSError:
        pass
