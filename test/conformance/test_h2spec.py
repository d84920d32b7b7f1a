"""h2spec, the conformance test of HTTP/2, all generic and strict cases: on a base-URL route, where the same listener
takes HTTP/1, too, and inside a tunnel that is opened."""

import re
import socket
import subprocess
import threading

import peers
from fixtures import authority, intercepting, origin, sidecar, sidespan, sink  # noqa: F401
from origin import Origin
from tunnel import HOST, Tunnel, context_of
from wire import Reader, connect, head

CASES = 146
# Where no preface comes the listener speaks HTTP/1, and answers 400 in that before it closes.
OTHER_NAME = "127.0.0.2"
NOT_HTTP2 = "Sends invalid connection preface"


class Entrance:
    """A port of its own for connections through the sidecar's CONNECT: h2spec knows of no proxy."""

    def __init__(self, side, authority):
        self.side, self.authority = side, authority
        # What h2spec connects to is what it asks for: a name of the origin's, and its port.
        self.listener = socket.create_server((OTHER_NAME, int(authority.rpartition(":")[2])))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            there = connect(self.side.egress)
            there.sendall(head(f"CONNECT {self.authority} HTTP/1.1", [("Host", self.authority)]))
            assert Reader(there).head().status == 200
            for source, sink in ((sock, there), (there, sock)):
                threading.Thread(target=self._pour, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pour(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for sock in (source, sink):
                sock.close()

    def stop(self):
        self.listener.close()


def h2spec(host, port, *options):
    """The names of the cases that failed."""
    command = [peers.made("h2spec"), "-h", host, "-p", str(port), "-S", "-o", "5", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    summary = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout)
    assert summary, done.stdout[-2000:] + done.stderr
    assert int(summary[1]) == CASES and summary[3] == "0"
    failed = re.findall(r"× \d+: (.*)", done.stdout)
    print(done.stdout[done.stdout.find("Failures:"):])  # pytest shows it beside the failure
    assert len(set(failed)) == int(summary[4]), done.stdout[-4000:]
    return set(failed)


def test_on_a_route(sidecar, origin):  # noqa: F811
    side = sidecar({"routes": [{"path": "/", "to": origin.url("/")}]})
    assert h2spec(*side.egress) == {NOT_HTTP2}


def test_inside_a_tunnel(intercepting, authority, sink):  # noqa: F811
    origin = Origin(tls=authority.server(HOST, OTHER_NAME))  # noqa: F811
    side = intercepting()
    # Somebody is served: who goes without a request afterwards, as many cases do, is not taken for one who refuses us.
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get("/echo", f"{HOST}:{origin.port}").status == 200
    entrance = Entrance(side, f"{HOST}:{origin.port}")
    try:
        assert h2spec(OTHER_NAME, origin.port, "-t", "-k") == set()
    finally:
        entrance.stop()
        origin.stop()
    assert len(sink.wait(50, where=lambda span: span["name"] in ("GET", "POST"))) > 50
