"""An agent that is a server: each request makes it call others through the sidecar, and none of its calls says why.

    agent = AgentServer(calls=3)                # http.server, a thread a connection
    side = sidecar(behind(agent.port))
    agent.egress, agent.origin = side.egress, origin
    ask(side.ingress, "GET", "/work/7")         # it calls /status/200/7.0, /status/200/7.1, /status/200/7.2

Its calls are plain http.client, absolute-form, on a connection that it keeps. `seen` has what it was asked, by path.
"""

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def behind(port, **ingress):
    """The configuration of a sidecar in front of a server."""
    return {"listen": {"ingress": "127.0.0.1:0"}, "ingress": {"forward_to": f"127.0.0.1:{port}"} | ingress}


class AgentServer:
    def __init__(self, calls=3, pause=0.0):
        """`pause`: seconds before each call."""
        self.calls, self.pause = calls, pause
        self.egress = self.origin = None
        self.seen = {}
        self.between = lambda number: None  # called before each call, with the request's name
        self.local = threading.local()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.agent = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def work(self, name):
        for number in range(self.calls):
            time.sleep(self.pause)
            self.between(name)
            self.call(f"/status/200/{name}.{number}")

    def call(self, path):
        """Through the egress, on the calling thread's own connection."""
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(*self.egress, timeout=20)
        self.local.connection.request("POST", self.origin.url(path), body=b"{}")
        answer = self.local.connection.getresponse()
        answer.read()
        return answer.status

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        agent = self.server.agent
        agent.seen[self.path] = dict(self.headers.items())
        parts = self.path.split("?")[0].split("/")
        if parts[1] == "work":
            agent.work(parts[2])
        self.answer(b"done")

    def do_POST(self):
        self.server.agent.seen[self.path] = dict(self.headers.items())
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
