"""Calls of models that fail: the metric of their durations calls an error what their spans call it."""

import json

import pytest

from origin import CLOSE, NO_BODY
from test_lineage import CHAT, JSON, chat, user
from test_model_websocket import Talk, answer, create
from wire import Client, head

EVENTS = "text/event-stream"
CHUNK = {"id": "c", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}


def whole(body, status=200, kind="application/json"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [head(f"HTTP/1.1 {status} Answer", [("Content-Type", kind), ("Content-Length", str(len(body)))]) + body]


def streamed(*documents):
    return whole(b"".join(b"data: %s\n\n" % json.dumps(document).encode() for document in documents), kind=EVENTS)


def broken(status):
    return [NO_BODY, head(f"HTTP/1.1 {status} Answer", [("Content-Type", "application/json"), ("Content-Length", "99")]) +
            b'{"id":', CLOSE]


WORDS = {"error": {"message": "It went wrong."}}
TYPED = {"error": {"message": "m", "type": "invalid_request_error", "code": "model_not_found"}}
# The origin's script, and the type of the error.
FAILURES = {
    "no error": (streamed(CHUNK), None),
    "a code in words beside a type": (whole(TYPED), "model_not_found"),
    "the same of a call that is refused": (whole(TYPED, 404), "model_not_found"),
    "a type beside a number": (whole({"error": {"type": "server_error", "code": 500}}), "server_error"),
    "a code and no type, in a stream": (streamed(CHUNK, {"error": {"code": "rate_limit_exceeded"}}), "rate_limit_exceeded"),
    "words alone": (whole(WORDS), "_OTHER"),
    "words alone, in a stream": (streamed(CHUNK, WORDS), "_OTHER"),
    "a text": (whole({"error": "CUDA out of memory"}), "_OTHER"),
    "a text, in a stream": (streamed(CHUNK, {"error": "CUDA out of memory"}), "_OTHER"),
    "a text of a call that is refused": (whole({"error": "no such model"}, 404), "404"),
    "a text with a type of its own": (streamed(CHUNK, {"error": "CUDA", "error_type": "generation"}), "generation"),
    "words alone of a call that is refused": (whole(WORDS, 429), "429"),
    "refused without a word": (whole(b"", 503), "503"),
    "broken off": (broken(200), "truncated"),
    "broken off in the middle of a refusal": (broken(404), "404"),
}


def told(side, sink):
    """The types of errors that the call's span and the metric have; none: None."""
    span, = sink.wait(1, where=lambda span: span["name"] == "chat gpt-5-mini")
    sample, = [one for one in side.metrics().all("gen_ai_client_operation_duration_seconds_count") if one.value]
    type_of_span = span["attributes"].get("error.type")
    assert span["status"] == ("UNSET" if type_of_span is None else "ERROR")
    return type_of_span, sample.labels.get("error_type")


@pytest.mark.parametrize("failure", FAILURES)
def test_the_metric_has_the_error_of_the_span(sidecar, origin, sink, failure):
    script, type_ = FAILURES[failure]
    origin.answer(CHAT, script)
    side = sidecar()
    with Client(side.egress) as agent:
        agent.send(head(f"POST {origin.url(CHAT)} HTTP/1.1", [("Host", "h"), *JSON, ("Connection", "close"),
                                                              ("Content-Length", str(len(ASKED)))]) + ASKED)
        agent.reader.rest()
    assert told(side, sink) == (type_, type_)


ASKED = chat(user("hi there"))


def test_and_where_no_origin_is_there(sidecar, sink):
    side = sidecar()
    with Client(side.egress) as agent:
        assert agent.ask("POST", f"http://127.0.0.1:1{CHAT}", JSON, ASKED).status == 502
    assert told(side, sink) == ("connection_refused", "connection_refused")


@pytest.mark.parametrize("error, type_", [({"code": "rate_limit_exceeded", "message": "m"}, "rate_limit_exceeded"),
                                          ({"type": "server_error", "code": "overloaded"}, "overloaded")])
def test_and_over_a_websocket(sidecar, origin, sink, error, type_):
    side = sidecar()
    events = answer(1)[:1] + [{"type": "response.failed", "response": {"id": "r", "status": "failed", "error": error}}]
    talk = Talk(side, origin, [events])
    talk.ask(create({"role": "user", "content": "hi"}, model="gpt-5-mini"), events)
    talk.end()
    assert told(side, sink) == (type_, type_)
