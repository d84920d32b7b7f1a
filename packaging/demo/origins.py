"""The services of the demo on free ports of this machine, for as long as a command runs:

    python3 origins.py COMMAND [ARGUMENT...]

A model that streams its answer event by event, tools of which one is busy at first, and a calendar that is down. The
command finds them by MODEL_URL, TOOLS_URL and CALENDAR_URL; its exit status is ours.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {
    "Plan": "First the weather, then flights, then a list.",
    "Write": "Pack a jacket, fly on Friday evening, be back on Sunday.",
}
SECONDS_A_WORD = 0.03
BUSY_TIMES = 1  # how often the flight search says so before it answers


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, content, headers=()):
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Model(Service):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        question = json.loads(self.rfile.read(length))
        prompt = question["messages"][-1]["content"]
        words = ANSWERS.get(prompt.split()[0], "Let me think.").split()
        time.sleep(0.15)  # it thinks before the first word
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, word in enumerate(words):
            text = word if number == 0 else f" {word}"
            self.chunk(question, choices=[{"index": 0, "delta": {"content": text}}])
            time.sleep(SECONDS_A_WORD)
        self.chunk(question, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
        asked = len(prompt.split())  # a word is a token
        self.chunk(question, choices=[], usage={"prompt_tokens": asked, "completion_tokens": len(words),
                                                "total_tokens": asked + len(words)})
        self.event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, question, **content):
        self.event(json.dumps({"id": "chatcmpl-demo", "model": question["model"]} | content))

    def event(self, data):
        event = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))


class Tools(Service):
    busy = BUSY_TIMES
    lock = threading.Lock()

    def do_GET(self):
        tool = self.path.split("?")[0]
        if tool == "/weather":
            time.sleep(0.2)
            self.answer(200, {"result": "sunny, 17 degrees"})
        elif tool == "/flights":
            time.sleep(0.08)
            if self.is_busy():
                self.answer(503, {"error": "busy, try again"}, [("Retry-After", "0")])
            else:
                self.answer(200, {"result": "Friday 19:40, Sunday 18:05"})
        else:
            self.answer(404, {"error": f"no tool {tool}"})

    def is_busy(self):
        with Tools.lock:
            Tools.busy -= 1
            return Tools.busy >= 0


def start(service):
    server = ThreadingHTTPServer(("127.0.0.1", 0), service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: origins.py COMMAND [ARGUMENT...]")
    # Taken and never listened on: whoever connects is refused, and no other program can have the port.
    down = socket.socket()
    down.bind(("127.0.0.1", 0))
    urls = {"MODEL_URL": start(Model), "TOOLS_URL": start(Tools),
            "CALENDAR_URL": f"http://127.0.0.1:{down.getsockname()[1]}"}
    command = subprocess.Popen(sys.argv[1:], env=os.environ | urls)
    while True:
        try:
            status = command.wait()
            break
        except KeyboardInterrupt:
            pass  # the command has had its Ctrl-C as well
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
