"""Very many short traces through a sidecar, some of which end badly: the load of the tail sampler's tests.

    load = ManyTraces(side.egress, traces=10_000, bad_every=100)
    load.run()                       # load.ids in the order they were begun, load.bad those with an error

Each trace is three calls of an agent that brings its context, the last of which fails where the trace is bad. Ten
traces of one connection go on side by side, so that no trace's spans come one behind the other. Requests are written
many at a time: Python would otherwise be what is measured.
"""

import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

from wire import TIMEOUT

CALLS = 3
BESIDE = 10
END = b"\r\n\r\n"


class QuickOrigin:
    """Answers 500 to /bad and 200 to all else, with nothing in it."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                sock = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pending = b""
        try:
            while got := sock.recv(65536):
                *heads, pending = (pending + got).split(END)
                sock.sendall(b"".join(
                    b"HTTP/1.1 " + (b"500 Bad" if head.startswith(b"GET /bad") else b"200 OK") +
                    b"\r\nContent-Length: 0" + END for head in heads))
        except OSError:
            pass


class ManyTraces:
    def __init__(self, egress, traces, bad_every, connections=8, seed=1):
        chance = random.Random(seed)
        self.egress = egress
        self.ids = [f"{chance.getrandbits(128):032x}" for _ in range(traces)]
        self.bad = set(self.ids[bad_every - 1::bad_every])
        self.spans = CALLS * traces
        self._origin = QuickOrigin()
        self._connections = connections

    def run(self):
        share = len(self.ids) // self._connections + 1
        with ThreadPoolExecutor(self._connections) as threads:
            list(threads.map(self._agent, (self.ids[at:at + share] for at in range(0, len(self.ids), share))))
        self._origin.stop()

    def _agent(self, ids):
        with socket.create_connection(self.egress, timeout=TIMEOUT) as sock:
            for at in range(0, len(ids), BESIDE):
                group = ids[at:at + BESIDE]
                self._ask(sock, [self._request(trace_id, call) for call in range(CALLS) for trace_id in group])

    def _request(self, trace_id, call):
        path = "bad" if call == CALLS - 1 and trace_id in self.bad else "good"
        host = f"127.0.0.1:{self._origin.port}"
        return (f"GET http://{host}/{path} HTTP/1.1\r\nHost: {host}\r\n"
                f"traceparent: 00-{trace_id}-00000000000000{call + 1:02x}-03\r\n\r\n").encode()

    @staticmethod
    def _ask(sock, requests):
        sock.sendall(b"".join(requests))
        answers, rest = 0, b""
        while answers < len(requests):
            got = sock.recv(65536)
            assert got, f"the connection ended after {answers} answers of {len(requests)}"
            *heads, rest = (rest + got).split(END)
            answers += len(heads)
