"""The origin the agent calls, plainly and by TLS: answers, and says on stdout which trace headers came, a JSON line a
request."""

import json
import signal
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        print(json.dumps({"path": self.path, "host": self.headers.get("Host"),
                          "traceparent": self.headers.get_all("traceparent", []),
                          "tracestate": self.headers.get_all("tracestate", [])}), flush=True)
        body = b'{"ok": true}'
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *words):
        pass


signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/origin.pem", "/origin-key.pem")
secure = ThreadingHTTPServer(("127.0.0.1", 8443), Handler)
secure.socket = context.wrap_socket(secure.socket, server_side=True)
threading.Thread(target=secure.serve_forever, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
