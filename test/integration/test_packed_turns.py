"""Packed bodies of which more comes out than a turn of the loop decodes: what follows them waits its turn, on every
kind of connection, and nothing waits for ever."""

import gzip
import json
import subprocess
import threading

import pytest

from origin import CLOSE
from wire import Client, ask, head, wait_for

PLAIN = 900_000
LIST = json.dumps({"items": ["0123456789abcdef" * 4] * (PLAIN // 70)}).encode()  # about 200 to 1
PACKED = gzip.compress(LIST)
MARKS = [("Content-Encoding", "gzip"), ("Content-Type", "application/json")]
KEY = "gen_ai.request.model"


@pytest.fixture
def packing(origin):
    """An origin that answers /packed with the list, whatever it is sent."""
    reply = head("HTTP/1.1 200 OK", [*MARKS, ("Content-Length", str(len(PACKED)))]) + PACKED
    origin.answer("/packed", [reply])
    origin.answer("/v1/chat/completions", [reply])
    return origin


def chat(size):
    """A call of a model whose name comes last."""
    return gzip.compress(json.dumps({"messages": [{"role": "user", "content": "so " * (size // 3)}], "model": "m-1"}).encode())


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
    one = head(f"POST {packing.url('/v1/chat/completions')} HTTP/1.1",
               [("Host", "h"), *MARKS, ("Content-Length", str(len(body)))]) + body
    with Client(side.egress) as agent:
        agent.send(one * 5)
        for _ in range(5):
            assert agent.response("POST").body == PACKED
    spans = sink.wait(5, where=lambda span: span["kind"] == "CLIENT")
    assert [span["attributes"].get(KEY) for span in spans] == ["m-1"] * 5


def test_an_agent_that_ends_its_half_behind_it(sidecar, packing):
    side, body = sidecar(), chat(PLAIN)
    with Client(side.egress) as agent:
        agent.send(head(f"POST {packing.url('/v1/chat/completions')} HTTP/1.1",
                        [("Host", "h"), *MARKS, ("Content-Length", str(len(body)))]) + body)
        agent.sock.shutdown(1)
        assert agent.response("POST").body == PACKED


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
    go.set()
    span, = sink.wait(1, where=lambda span: "/pour" in span["attributes"]["url.full"])
    if way == "the origin goes":
        assert got == 5 * len(PACKED)
        assert span["attributes"]["error.type"] == "truncated"
        assert span["attributes"]["http.response.body.size"] == got
    else:
        assert span["attributes"]["sidespan.end"] == "agent_cancelled"
    wait_for("the connection to be gone", lambda: [sample.value for sample in side.metrics().all("sidespan_connections")] == [0])
    assert ask(side.egress, "GET", origin.url("/bytes/10")).status == 200
