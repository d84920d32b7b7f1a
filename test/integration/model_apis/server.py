"""The way to the scripted models: a proxy that leads every host name to them, with certificates for the real names.

An SDK that is pointed at it by HTTPS_PROXY calls api.openai.com and needs no other setting; `sidespan run` takes such
a variable as its second proxy. So the same program is run with and without sidespan between it and the model.
"""

import gzip
import json
import socket
import threading
import time
import zlib
from urllib.parse import unquote, urlsplit

from wire import Reader, Truncated

from . import anthropic, bedrock, cohere, gemini, mistral, ollama, openai, vertex, websocket
from .scenes import Call, of_request

PROVIDERS = {module.HOST: module for module in (anthropic, bedrock, cohere, gemini, mistral, ollama, openai, vertex)}
PAUSE = 0.004  # between the events of a stream: enough to be read apart


class ModelServer:
    def __init__(self, authority, packed=False):
        """`packed`: WebSockets may compress their messages."""
        self.packed = packed
        self.context = authority.server(*PROVIDERS)
        self.authority = authority
        self.calls = []
        self.asked = []  # the targets of CONNECT
        self.others = []  # requests that no provider answers
        self.faults = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._lock = threading.Lock()
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def environment(self):
        """What sends an agent here, and makes it trust what it finds."""
        proxy = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        trust = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        return (dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), proxy)
                | dict.fromkeys(trust, str(self.authority.pem)) | {"NODE_USE_ENV_PROXY": "1"})

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self._lock:
            for sock in self._open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            with self._lock:
                self._open.add(sock)
            reader = Reader(sock)
            request = reader.head()
            if request is None:
                return
            if request.method == "CONNECT":
                self.asked.append(request.target)
                sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                sock = self.context.wrap_socket(sock, server_side=True)
                reader = Reader(sock)
                request = reader.head()
            while request is not None and self._one(sock, reader, request):
                request = reader.head()
        except (OSError, Truncated):
            pass
        except Exception as fault:  # a test looks at these: a thread's own traceback is lost
            self.faults.append(repr(fault))
            raise
        finally:
            sock.close()

    def _one(self, sock, reader, request):
        reader.body(request, length=int(request.get("content-length", "0")))
        where = urlsplit(request.target)
        host = where.hostname or request.get("host").partition(":")[0]
        module = PROVIDERS.get(host)

        def called(document, raw):
            with self._lock:
                self.calls.append(Call(len(self.calls) + 1, host, unquote(where.path), where.query, request, document,
                                       of_request(raw)))
                return self.calls[-1]

        if (request.get("upgrade") or "").lower() == "websocket":
            return websocket.serve(sock, request, called, self.packed)
        if module is None or request.method != "POST":
            self.others.append(f"{request.method} {host}{where.path}")
            return self._send(sock, 404, [], b"{}", "application/json")
        call = called(json.loads(request.body), request.body)
        answer = module.answer(call)
        call.status, call.headers = answer.status, answer.headers
        zipped = call.scene == "zipped" and "gzip" in (request.get("accept-encoding") or "")
        if answer.events is None:
            body = json.dumps(answer.document).encode()
            return self._send(sock, answer.status, answer.headers, body, answer.kind, zipped)
        return self._stream(sock, answer, zipped)

    def _send(self, sock, status, headers, body, kind, zipped=False):
        if zipped:
            body, headers = gzip.compress(body), [*headers, ("Content-Encoding", "gzip")]
        sock.sendall(_head(status, [*headers, ("Content-Type", kind), ("Content-Length", str(len(body)))]) + body)
        return True

    def _stream(self, sock, answer, zipped):
        coding = [("Content-Encoding", "gzip")] if zipped else []
        sock.sendall(_head(answer.status, [*answer.headers, *coding, ("Content-Type", answer.kind),
                                           ("Transfer-Encoding", "chunked")]))
        packer = zlib.compressobj(wbits=31) if zipped else None
        for event in answer.events:
            time.sleep(PAUSE)
            sock.sendall(_chunk(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else event))
        if answer.broken:
            return False
        sock.sendall((_chunk(packer.flush()) if packer else b"") + b"0\r\n\r\n")
        return True


def _head(status, headers):
    lines = [f"HTTP/1.1 {status} Answer", "Date: Fri, 20 Nov 2026 12:00:00 GMT"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _chunk(data):
    return b"%x\r\n" % len(data) + data + b"\r\n"
