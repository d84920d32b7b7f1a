"""Many agents that read an endless answer a kilobyte at a time, in one thread; whoever is refused or reset comes again.
What test_memory_group and the soak put in front of a sidecar that has little memory."""

import collections
import socket
import time

from wire import Truncated, ask, head

READ_BYTES = 1024
READ_EVERY = 1.0
AGAIN_AFTER = 1.0  # as Retry-After says


class SlowReaders:
    def __init__(self, egress, url, count):
        self.egress, self.url, self.count = egress, url, count
        self.seen = collections.Counter()  # connected, refused, reset, read
        self._due = [(0.0, None)] * count  # (when to do the next thing, socket)

    def run(self, seconds, every_second=lambda: None):
        end, look = time.monotonic() + seconds, 0.0
        while (now := time.monotonic()) < end:
            if now >= look:
                every_second()
                look = now + 1.0
            for number, (due, sock) in enumerate(self._due):
                if due <= now:
                    self._due[number] = self._step(now, sock)
            time.sleep(0.02)

    def reading(self):
        return sum(sock is not None for _, sock in self._due)

    def leave(self, count=None):
        """So many of them, or all; those come again when it goes on."""
        for number, (_, sock) in enumerate(self._due[:count]):
            if sock is not None:
                sock.close()
            self._due[number] = (0.0, None)

    def _step(self, now, sock):
        try:
            if sock is None:
                return now + READ_EVERY, self._connect()
            got = sock.recv(READ_BYTES)
        except BlockingIOError:
            return now + READ_EVERY, sock
        except OSError:
            self.seen["reset"] += 1
            sock and sock.close()
            return now + AGAIN_AFTER, None
        if got and not got.startswith(b"HTTP/1.1 503"):
            self.seen["read"] += len(got)
            return now + READ_EVERY, sock
        self.seen["refused" if got else "ended"] += 1
        sock.close()
        return now + AGAIN_AFTER, None

    def _connect(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(self.egress)
        sock.sendall(head(f"GET {self.url} HTTP/1.1", [("Host", "h")]))
        sock.setblocking(False)
        self.seen["connected"] += 1
        return sock


def pour(sock, reader, request):
    """The endless answer, for an Origin's script."""
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n")
    while True:
        sock.sendall(b"z" * 65536)


def probe(side, url):
    """One quick agent: the status of its answer, and how long it took."""
    begin = time.monotonic()
    try:
        status = ask(side.egress, "GET", url).status
    except (OSError, Truncated):
        status = 0
    return status, time.monotonic() - begin
