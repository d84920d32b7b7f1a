"""An origin that speaks HTTP/2 by the library h2, and a client that does, for the tests of both sides.

    origin = H2Origin(tls=authority.server(HOST), alpn=("h2",))     # without tls: prior knowledge
    origin.requests[-1].get("traceparent")

The first segment of the path chooses the answer: echo (JSON), status/N, trailers, stream (ten pieces), big/N (bytes),
hints (103 before it), refuse (the first time not taken, RST_STREAM REFUSED_STREAM), broken (ends within the body),
goaway (the last of its connection), never (no answer).
"""

import json
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
from hyperframe.frame import GoAwayFrame

from origin import Origin
from wire import Truncated


@dataclass
class Message:
    """A request or an answer as it came."""

    headers: list = field(default_factory=list)
    body: bytes = b""
    trailers: list = field(default_factory=list)
    interims: list = field(default_factory=list)
    ended: bool = False
    error: object = None
    connection: int = 0

    def get(self, name):
        return dict(self.headers).get(name)

    @property
    def status(self):
        return int(self.get(":status"))


class H2Origin(Origin):
    config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")

    def __init__(self, host="127.0.0.1", tls=None, alpn=("h2",), settings=None):
        self.settings = settings or {}
        self.refused = set()
        self.refuses = False  # True: not the first time alone
        self.resets = 0
        if tls:
            tls.set_alpn_protocols(list(alpn))
        super().__init__(host, tls=tls)

    def _serve(self, sock, number):
        try:
            if self.tls:
                sock = self._greet(sock)
                if sock.selected_alpn_protocol() != "h2":
                    raise OSError("the client speaks no HTTP/2")
            self._speak(sock, number)
            self.ends[number] = "eof"
        except (OSError, h2.exceptions.ProtocolError) as error:
            self.ends[number] = repr(error)
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _speak(self, sock, number):
        connection = h2.connection.H2Connection(self.config)
        connection.local_settings.update(self.settings)
        connection.initiate_connection()
        streams, queues = {}, {}
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                # The library takes GOAWAY for the end of everything, so that one goes beside it.
                sock.sendall(self._take(connection, streams, queues, event, number) or b"")
            self._pour(connection, queues)
            sock.sendall(connection.data_to_send())

    def _take(self, connection, streams, queues, event, number):
        if isinstance(event, h2.events.RequestReceived):
            streams[event.stream_id] = Message(event.headers, connection=number)
        elif isinstance(event, h2.events.DataReceived):
            streams[event.stream_id].body += event.data
            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            streams[event.stream_id].trailers = event.headers
        elif isinstance(event, h2.events.StreamReset):
            self.resets += 1
            queues.pop(event.stream_id, None)
        elif isinstance(event, h2.events.StreamEnded):
            request = streams.pop(event.stream_id)
            request.ended = True
            self.requests.append(request)
            self._answer(connection, queues, event.stream_id, request)
            if request.get(":path") == "/goaway":
                return GoAwayFrame(0, last_stream_id=event.stream_id).serialize()
        return None

    def _answer(self, connection, queues, stream, request):
        kind, _, rest = request.get(":path").split("?")[0].strip("/").partition("/")
        start = lambda status, *more: connection.send_headers(stream, [(":status", str(status)), *more])  # noqa: E731
        if kind == "refuse" and (self.refuses or rest not in self.refused):
            self.refused.add(rest)
            return connection.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
        if kind == "never":
            return None
        if kind == "hints":
            start(103, ("link", "</a>"))
        if kind == "broken":
            start(200)
            connection.send_data(stream, b"half")
            return connection.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        start(int(rest) if kind == "status" else 200, ("content-type", "application/json"), ("x-kind", kind))
        pieces = {"stream": [b"piece"] * 10, "big": [b"x" * int(rest or 0)] if kind == "big" else []}.get(
            kind, [json.dumps({"headers": request.headers, "body": request.body.decode("latin-1")}).encode()])
        pieces = [] if request.get(":method") == "HEAD" else pieces
        queues[stream] = (bytearray(b"".join(pieces)), [("grpc-status", "0")] if kind == "trailers" else None)
        return None

    def _pour(self, connection, queues):
        for stream, (data, trailers) in list(queues.items()):
            while data:
                room = min(connection.local_flow_control_window(stream), connection.max_outbound_frame_size, len(data))
                if room <= 0:
                    break
                connection.send_data(stream, bytes(data[:room]))
                del data[:room]
            if not data:
                del queues[stream]
                connection.send_headers(stream, trailers, end_stream=True) if trailers else connection.end_stream(stream)


class H2Client:
    """One connection, many requests."""

    def __init__(self, sock):
        self.sock = sock
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.connection.initiate_connection()
        self.connection.increment_flow_control_window(1 << 20)  # a stream that is not read holds up no other
        self.answers = {}
        self.closed = None
        self.pongs = 0
        self.flush()

    def flush(self):
        self.sock.sendall(self.connection.data_to_send())

    def ask(self, authority, path="/echo", method="GET", scheme="http", headers=(), body=None, end=True, trailers=None):
        stream = self.connection.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
        if method == "CONNECT":
            pseudo = [(":method", method), (":authority", authority)]
        self.connection.send_headers(stream, [*pseudo, *headers], end_stream=end and body is None and trailers is None)
        self.answers[stream] = Message()
        for at in range(0, len(body), 16384) if body else ():
            self.connection.send_data(stream, body[at:at + 16384])
        if body is not None and end and trailers is None:
            self.connection.end_stream(stream)
        if trailers is not None:
            self.connection.send_headers(stream, trailers, end_stream=True)
        self.flush()
        return stream

    def wait(self, *streams, timeout=20):
        """The answers, when all are over."""
        self.sock.settimeout(timeout)
        while not all(self.answers[stream].ended for stream in streams) and self.pull():
            pass
        return [self.answers[stream] for stream in streams]

    def get(self, *args, **kwargs):
        return self.wait(self.ask(*args, **kwargs))[0]

    def ping(self):
        """Once this returns, all that was said before has been read there."""
        before = self.pongs
        self.connection.ping(b"12345678")
        self.flush()
        while self.pongs == before:
            if not self.pull():
                raise Truncated("end of stream instead of a PING's answer")

    def pull(self):
        """Reads once; False: the connection is over."""
        data = self.sock.recv(65536)
        if not data:
            for answer in self.answers.values():
                answer.error = answer.error or "eof" if not answer.ended else answer.error
                answer.ended = True
            return False
        for event in self.connection.receive_data(data):
            answer = self.answers.get(getattr(event, "stream_id", None))
            self.pongs += isinstance(event, h2.events.PingAckReceived)
            if isinstance(event, h2.events.ConnectionTerminated):
                self.closed = event.error_code
            if answer is None:
                continue
            if isinstance(event, h2.events.InformationalResponseReceived):
                answer.interims.append(event.headers)
            elif isinstance(event, h2.events.ResponseReceived):
                answer.headers = event.headers
            elif isinstance(event, h2.events.DataReceived):
                answer.body += event.data
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.TrailersReceived):
                answer.trailers = event.headers
            elif isinstance(event, h2.events.StreamEnded):
                answer.ended = True
            elif isinstance(event, h2.events.StreamReset):
                answer.error, answer.ended = event.error_code, True
        self.flush()
        return True

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
