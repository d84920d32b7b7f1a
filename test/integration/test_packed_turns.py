"""Packed bodies of which more comes out than a turn of the loop decodes: what follows them waits its turn, on every
kind of connection, and nothing waits for ever."""

import gzip
import json
import socket
import struct
import subprocess
import threading

import pytest

from h2_origin import H2Client
from origin import BODY, CLOSE, NO_BODY, OK, RESET
from wire import Client, ask, connect, head, wait_for

PLAIN = 900_000
LIST = json.dumps({"items": ["0123456789abcdef" * 4] * (PLAIN // 70)}).encode()  # about 200 to 1
PACKED = gzip.compress(LIST)
MARKS = [("Content-Encoding", "gzip"), ("Content-Type", "application/json")]
KEY = "gen_ai.request.model"
AT_ONCE = {"limits": {"lineage_hold_time": 0}}  # a call of a model goes on as it is read


@pytest.fixture
def packing(origin):
    """An origin that answers /packed with the list, whatever it is sent."""
    reply = head("HTTP/1.1 200 OK", [*MARKS, ("Content-Length", str(len(PACKED)))]) + PACKED
    origin.answer("/packed", [reply])
    origin.answer("/v1/chat/completions", [reply])
    return origin


def user(text):
    return {"role": "user", "content": text}


def chat(size):
    """A call of a model whose name comes last."""
    return gzip.compress(json.dumps({"messages": [user("so " * (size // 3))], "model": "m-1"}).encode())


def long_chat():
    """One that takes tens of turns, comes in a read of the socket, and is not denser than what is read (100 to 1)."""
    text = "".join(f"{line * 7919 % 100003} " + "so " * 150 for line in range(11_000))
    return gzip.compress(json.dumps({"messages": [user(text)], "model": "m-1"}).encode())


def chat_head(url, body):
    return head(f"POST {url} HTTP/1.1", [("Host", "h"), *MARKS, ("Content-Length", str(len(body)))])


def test_one_after_the_other_on_a_connection(sidecar, packing, sink):
    side = sidecar()
    with Client(side.egress) as agent:
        for _ in range(3):
            assert agent.ask("GET", packing.url("/packed")).body == PACKED
            answer = agent.ask("POST", packing.url("/v1/chat/completions"), MARKS, chat(PLAIN))
            assert answer.body == PACKED
    spans = sink.wait(6, where=lambda span: span["kind"] == "CLIENT")
    assert [span["attributes"].get(KEY) for span in spans].count("m-1") == 3
    assert {span["attributes"]["http.response.body.size"] for span in spans} == {len(PACKED)}


def test_requests_that_do_not_wait_for_answers(sidecar, packing, sink):
    """What comes behind a request that is not read yet is another request."""
    side, body = sidecar(), chat(PLAIN)
    one = chat_head(packing.url("/v1/chat/completions"), body) + body
    with Client(side.egress) as agent:
        agent.send(one * 5)
        for _ in range(5):
            assert agent.response("POST").body == PACKED
    spans = sink.wait(5, where=lambda span: span["kind"] == "CLIENT")
    assert [span["attributes"].get(KEY) for span in spans] == ["m-1"] * 5


def test_an_agent_that_ends_its_half_behind_it(sidecar, packing):
    side, body = sidecar(), chat(PLAIN)
    with Client(side.egress) as agent:
        agent.send(chat_head(packing.url("/v1/chat/completions"), body) + body)
        agent.sock.shutdown(1)
        assert agent.response("POST").body == PACKED


def test_an_answer_that_comes_before_it_is_read(sidecar, origin, sink):
    """The request is here all the same: it is read to its end, passed on, and the connection goes on behind it."""
    side, body = sidecar(AT_ONCE), long_chat()
    origin.answer("/v1/chat/completions", [NO_BODY, OK, BODY])
    with Client(side.egress) as agent:
        agent.send(chat_head(origin.url("/v1/chat/completions"), body) + body)
        assert agent.response("POST").status == 200
        assert agent.ask("GET", origin.url("/bytes/10")).status == 200
        agent.send(chat_head(origin.url("/v1/chat/completions"), body) + body)
        agent.sock.shutdown(1)
        assert agent.response("POST").status == 200
    spans = sink.wait(3, where=lambda span: span["kind"] == "CLIENT")
    posts = [span["attributes"] for span in spans if span["attributes"]["http.request.method"] == "POST"]
    assert [attributes.get(KEY) for attributes in posts] == ["m-1", "m-1"]
    assert {attributes["sidespan.end"] for attributes in posts} == {"complete"}
    assert [request.body for request in origin.seen("/v1/chat/completions")] == [body, body]


def test_an_error_of_ours_before_it_is_read(sidecar, origin):
    """Nothing of the request is missing, so that the connection stays."""
    side, body = sidecar(AT_ONCE), long_chat()
    gone = socket.create_server(("127.0.0.1", 0))
    port = gone.getsockname()[1]
    gone.close()
    with Client(side.egress) as agent:
        for _ in range(2):
            agent.send(chat_head(f"http://127.0.0.1:{port}/v1/chat/completions", body) + body)
            answer = agent.response("POST")
            assert answer.status == 502 and answer.get("connection") != "close"
        assert agent.ask("GET", origin.url("/bytes/10")).status == 200


def test_a_stream_that_is_cancelled_before_it_is_read(sidecar, origin, sink):
    """The cancel does not wait behind its own request."""
    side, body = sidecar(), long_chat()
    with H2Client(connect(side.egress)) as agent:
        stream, connection = agent.connection.get_next_available_stream_id(), agent.connection
        connection.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":path", "/v1/chat/completions"),
                                         (":authority", f"127.0.0.1:{origin.port}"),
                                         *((name.lower(), value) for name, value in MARKS)])
        for at in range(0, len(body), 16384):
            connection.send_data(stream, body[at:at + 16384])
        connection.end_stream(stream)
        connection.reset_stream(stream)
        agent.flush()
        assert agent.get(f"127.0.0.1:{origin.port}", "/bytes/10").headers
    span, = sink.wait(1, where=lambda span: span["attributes"]["http.request.method"] == "POST")
    assert span["attributes"]["sidespan.end"] == "agent_cancelled" and KEY not in span["attributes"]
    assert not origin.seen("/v1/chat/completions")


def test_streams_of_a_connection(sidecar, packing, sink, tmp_path):
    """By HTTP/2, several at a time."""
    side, (host, port) = sidecar(), packing.url("/packed").split("/")[2].split(":")
    upload = tmp_path / "upload"
    upload.write_bytes(chat(PLAIN))
    words = ["curl", "--silent", "--show-error", "--parallel", "--http2-prior-knowledge", "--max-time", "30"]
    for number in range(6):
        words += ["--output", str(tmp_path / str(number)), "--header", f"Host: {host}:{port}", "--header",
                  "Content-Encoding: gzip", "--header", "Content-Type: application/json", "--data-binary", f"@{upload}",
                  f"http://127.0.0.1:{side.egress[1]}/v1/chat/completions", "--next"]
    done = subprocess.run(words[:-1], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / str(number)).read_bytes() == PACKED for number in range(6))
    spans = sink.wait(6, where=lambda span: span["kind"] == "CLIENT")
    assert [span["attributes"].get(KEY) for span in spans] == ["m-1"] * 6


@pytest.mark.parametrize("way", ["the agent goes", "the origin goes"])
def test_who_goes_in_the_middle(sidecar, origin, sink, way):
    side, go = sidecar(), threading.Event()

    def pour(sock, reader, request):
        sock.sendall(head("HTTP/1.1 200 OK", [*MARKS, ("Content-Length", str(10 * len(PACKED)))]))
        for _ in range(5):
            sock.sendall(PACKED)
        if way == "the agent goes":
            go.wait(20)

    origin.answer("/pour", [pour, CLOSE])
    with Client(side.egress) as agent:
        agent.send(head(f"GET {origin.url('/pour')} HTTP/1.1", [("Host", "h")]))
        agent.reader.head()
        got = len(agent.reader.pending)
        while way == "the origin goes" and (part := agent.sock.recv(65536)):
            got += len(part)
        # By a reset: after a FIN it might still read.
        agent.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    span, = sink.wait(1, where=lambda span: "/pour" in span["attributes"]["url.full"])
    go.set()
    if way == "the origin goes":
        assert got == 5 * len(PACKED)
        assert span["attributes"]["error.type"] == "truncated"
        assert span["attributes"]["http.response.body.size"] == got
    else:
        assert span["attributes"]["sidespan.end"] == "agent_cancelled"
    wait_for("the connection to be gone", lambda: [sample.value for sample in side.metrics().all("sidespan_connections")] == [0])
    assert ask(side.egress, "GET", origin.url("/bytes/10")).status == 200


def test_the_next_request_outlives_the_origin_of_a_packed_one(sidecar, origin):
    """Who has its answer before all of its packed request was read may ask again; what becomes of the first origin is
    nothing to that."""
    side, body = sidecar(), long_chat()
    origin.answer("/v1/chat/completions", [NO_BODY, OK, 0.01, RESET])
    with Client(side.egress) as agent:
        for _ in range(5):
            agent.send(chat_head(origin.url("/v1/chat/completions"), body) + body)
            assert agent.response("POST").body == b"ok"
            assert agent.ask("GET", origin.url("/slow?head=100")).status == 200
