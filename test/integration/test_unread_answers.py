"""Answers that cannot be read to their end: for a while no text is evidence of whose a call is, and it is counted."""

import gzip
import json

import pytest

from wire import Client

PAGE = b"<p>The manual is at /manuals/kettle-5d0e8b1c7f.html</p>" * 20
PACKED = gzip.compress(PAGE)
DOCUMENT = gzip.compress(json.dumps({"found": PAGE.decode()}).encode())
MODEL = "/v1/chat/completions"


def answer(body, kind, *fields):
    head = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *fields]
    return ["\r\n".join(head).encode() + b"\r\n\r\n" + body]


@pytest.mark.parametrize("body, kind, unread", [
    (PACKED, "text/html", 0),
    (PACKED[:40] + bytes(40), "text/html", 1),
    (b"no gzip at all", "text/html", 1),
    (DOCUMENT, "application/json", 0),
    (DOCUMENT[:40] + bytes(40), "application/json", 1),
], ids=["page", "cut page", "no gzip", "document", "cut document"])
def test_what_is_unpacked_no_further_is_unread(sidecar, origin, body, kind, unread):
    side = sidecar()
    message = {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_5d0e8b1c7f264a93", "type": "function", "function": {"name": "fetch", "arguments": "{}"}}]}
    wish = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode()
    origin.answer(MODEL, answer(wish, "application/json"))
    origin.answer("/topics", answer(body, kind, "Content-Encoding: gzip"))
    question = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "How do I clean it?"}]}
    with Client(side.egress) as agent:
        agent.ask("POST", origin.url(MODEL), [("Content-Type", "application/json")], json.dumps(question).encode())
        assert agent.ask("GET", origin.url("/topics")).body == body  # what passes is not touched
    assert side.metrics().total("sidespan_lineage_blind_total") == unread
