"""Unmodified SDKs under `sidespan run`: each call over https is one right span, and the origin sees that span as parent.

Like test_clients.py with what agents really call: the providers' own SDKs, whole and streamed, and the HTTP stacks of
Java and Rust. Their origin is signed by an authority that only the sidecar knows. One call a run.
"""

import json
import socket
from collections import namedtuple
from pathlib import Path

import pytest

import peers
from origin import Origin
from sidecar import exporting, run
from spans import is_turn
from test_clients import check_parent, check_root

CLIENTS = Path(__file__).resolve().parent / "clients"
TEXT = "Hello, world."
START_TIMEOUT = 240  # importing some of these is seconds of computing, on a busy machine minutes


def whole(answer):
    body = json.dumps(answer).encode()
    return [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body), body]


def streamed(*events):
    """Server-sent events (name or None, data), a chunk each, a moment apart; the last one ends the answer, too, since
    there are SDKs that go when they have read it.
    """
    script = [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"]
    for name, data in events:
        text = data if isinstance(data, str) else json.dumps(data)
        event = ((f"event: {name}\n" if name else "") + f"data: {text}\n\n").encode()
        script += [b"%x\r\n" % len(event) + event + b"\r\n", 0.02]
    return [*script[:-2], script[-2] + b"0\r\n\r\n"]


def completion(kind, **choice):
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "gpt-4o-mini",
            "choices": [{"index": 0, "finish_reason": None} | choice]}


def message(content, stop_reason):
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "content": content,
            "stop_reason": stop_reason, "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 4}}


def text_delta(text):
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


# What each API answers: path, the header that carries the credential, the script of the origin.
Api = namedtuple("Api", "path credential script")
OPENAI = Api("/v1/chat/completions", "authorization", whole(
    completion("chat.completion", message={"role": "assistant", "content": TEXT}, finish_reason="stop")
    | {"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}))
OPENAI_STREAM = OPENAI._replace(script=streamed(
    (None, completion("chat.completion.chunk", delta={"role": "assistant", "content": TEXT[:5]})),
    (None, completion("chat.completion.chunk", delta={"content": TEXT[5:]})),
    (None, completion("chat.completion.chunk", delta={}, finish_reason="stop")),
    (None, "[DONE]")))
ANTHROPIC = Api("/v1/messages", "authorization", whole(message([{"type": "text", "text": TEXT}], "end_turn")))
ANTHROPIC_STREAM = ANTHROPIC._replace(script=streamed(
    ("message_start", {"type": "message_start", "message": message([], None)}),
    ("content_block_start", {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", text_delta(TEXT[:5])),
    ("content_block_delta", text_delta(TEXT[5:])),
    ("content_block_stop", {"type": "content_block_stop", "index": 0}),
    ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                       "usage": {"output_tokens": 4}}),
    ("message_stop", {"type": "message_stop"})))
BEDROCK = Api("/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse", "authorization", whole(
    {"output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}}, "stopReason": "end_turn",
     "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}, "metrics": {"latencyMs": 1}}))
GEMINI = Api("/v1/models/gemini-2.5-flash:generateContent", "x-goog-api-key", whole(
    {"candidates": [{"content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP", "index": 0}],
     "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}}))
PLAIN = Api("/plain", None, whole(TEXT))


def by_python(script, *how):
    return lambda url: ([f"{peers.made('sdks')}/bin/python", CLIENTS / script, url, *how], {})


def by_node(script, *how):
    # Scripts outside find the packages where NODE_PATH says, as long as they are CommonJS.
    return lambda url: ([peers.made("node"), CLIENTS / script, url, *how],
                        {"NODE_PATH": peers.made("nodesdks/build") + "/node_modules"})


def java(url):
    peers.installed("javac")  # a JRE alone cannot start a source file
    return ["java", CLIENTS / "HttpClientCall.java", "POST", url + PLAIN.path, "a few words"], {}


def rust(url):
    return [peers.made("rusthttp/build"), "POST", url + PLAIN.path, "a few words"], {}


CALLS = {
    "python-openai": (by_python("openai_sdk.py"), OPENAI),
    "python-openai-stream": (by_python("openai_sdk.py", "stream"), OPENAI_STREAM),
    "python-anthropic": (by_python("anthropic_sdk.py"), ANTHROPIC),
    "python-anthropic-stream": (by_python("anthropic_sdk.py", "stream"), ANTHROPIC_STREAM),
    "python-boto3": (by_python("bedrock_sdk.py"), BEDROCK),
    "python-google-genai": (by_python("genai_sdk.py"), GEMINI),
    "node-openai": (by_node("openai_sdk.cjs"), OPENAI),
    "node-openai-stream": (by_node("openai_sdk.cjs", "stream"), OPENAI_STREAM),
    "node-anthropic": (by_node("anthropic_sdk.cjs"), ANTHROPIC),
    "node-anthropic-stream": (by_node("anthropic_sdk.cjs", "stream"), ANTHROPIC_STREAM),
    "java-http": (java, PLAIN),
    "rust-reqwest": (rust, PLAIN),
}
# Node's fetch opens its connection anew, for nothing, when a call is aborted, which is how this SDK takes leave of a
# stream after `[DONE]`; it does so without a proxy too. A tunnel that no request came through is a span of its own.
MAY_LEAVE_A_TUNNEL = {"node-openai-stream"}
# It ends with `[DONE]` as well: the answer's end and the command's are seen by two threads.
SEEN_LATER_NS = 5_000_000
# A JVM adds loopback addresses to the hosts that it calls directly, and goes by how they are written.
BY_NAME = {"java-http"}


@pytest.fixture
def secured(call, authority):
    name, address = "127.0.0.1", "127.0.0.1"
    if call in BY_NAME:
        name = socket.gethostname()
        try:
            address = socket.gethostbyname(name)
        except OSError as fault:
            peers.missing(f"this machine's own name, {name}, leads nowhere: {fault}")
    origin = Origin(address, tls=authority.server(name))
    origin.address = (name, origin.port)
    yield origin
    origin.stop()


@pytest.mark.parametrize("call", CALLS)
def test_one_call_is_one_span(call, secured, authority, sink, tmp_path):
    command, api = CALLS[call]
    secured.answer(api.path, api.script)
    words, env = command(secured.url(""))
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}}
    done = run(tmp_path, words, config, env, timeout=START_TIMEOUT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ("200" if api is PLAIN else TEXT), (done.stdout, done.stderr)

    spans = [span for span in sink.wait(2) if not is_turn(span)]
    turns = [span for span in sink.spans if is_turn(span)]
    root, = [span for span in spans if span["kind"] == "INTERNAL"]
    span, = [span for span in spans if span["kind"] == "CLIENT" and span["name"] != "CONNECT"]
    left = [span for span in spans if span["name"] == "CONNECT"]
    assert len(left) <= (call in MAY_LEAVE_A_TUNNEL), left
    assert len(spans) == 2 + len(left), [span["name"] for span in spans]
    check_root(root)
    later = SEEN_LATER_NS if call in MAY_LEAVE_A_TUNNEL else 0
    if api is PLAIN:
        assert not turns
        check_parent(span, root, later)
    else:  # a turn of the run
        [turn] = turns
        assert turn["parent_id"] == root["span_id"]
        check_parent(span, turn, 1_000_000)  # each has its own reading of the clock
    for tunnel in left:  # it ends with the command, and may be seen to a moment later
        assert tunnel["trace_id"] == root["trace_id"] and tunnel["parent_id"] == root["span_id"]
    check_request(span, secured.url(api.path), secured)
    check_origin(span, secured, api)
    assert not sink.faults


def check_request(span, url, origin):
    expected = {
        "http.request.method": "POST",
        "url.full": url,
        "server.address": origin.address[0],
        "server.port": origin.port,
        "http.response.status_code": 200,
        "sidespan.mode": "intercept",
        "sidespan.end": "complete",
    }
    assert {key: span["attributes"].get(key) for key in expected} == expected
    assert span["status"] == "UNSET"
    assert "error.type" not in span["attributes"]


def check_origin(span, origin, api):
    """One request, its credential and body as the SDK meant them, with the span's own id as parent."""
    request, = origin.requests
    assert (request.method, request.target) == ("POST", api.path)
    assert request.get("host") == f"{origin.address[0]}:{origin.port}"
    if api.credential:
        assert request.get(api.credential)
        assert "Say hello." in json.dumps(json.loads(request.body))
    else:
        assert request.body == b"a few words"
    version, trace_id, span_id, flags = request.get("traceparent").split("-")
    assert (version, trace_id, span_id, flags[-1] in "13579bdf") == ("00", span["trace_id"], span["span_id"], True)
