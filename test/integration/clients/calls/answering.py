"""What the agents that live on share: a server of questions."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(answer, port=0):
    """Prints its port; a POST gets what `answer` makes of its body. For ever."""
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = answer(self.rfile.read(int(self.headers["Content-Length"])).decode()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
