"""What an answer says is read whatever it says of itself. Where it cannot be, for a while no text is evidence of whose a
call is, and it is counted."""

import gzip
import json

import pytest

from spans import is_turn
from wire import Client

PAGE = b"<p>The manual is at /manuals/kettle-5d0e8b1c7f.html</p>" * 20
PACKED = gzip.compress(PAGE)
DOCUMENT = gzip.compress(json.dumps({"found": PAGE.decode()}).encode())
MODEL = "/v1/chat/completions"


def answer(body, kind, *fields):
    head = ["HTTP/1.1 200 OK", *([f"Content-Type: {kind}"] if kind else []), f"Content-Length: {len(body)}", *fields]
    return ["\r\n".join(head).encode() + b"\r\n\r\n" + body]


def open_turn(agent, origin, says=None):
    """By a model that says so, and then waits for a tool."""
    message = {"role": "assistant", "content": says, "tool_calls": [
        {"id": "call_5d0e8b1c7f264a93", "type": "function", "function": {"name": "fetch", "arguments": "{}"}}]}
    wish = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode()
    origin.answer(MODEL, answer(wish, "application/json"))
    question = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "How do I clean it?"}]}
    agent.ask("POST", origin.url(MODEL), [("Content-Type", "application/json")], json.dumps(question).encode())


@pytest.mark.parametrize("body, kind, unread", [
    (PACKED, "text/html", 0),
    (PACKED[:40] + bytes(40), "text/html", 1),
    (b"no gzip at all", "text/html", 1),
    (DOCUMENT, "application/json", 0),
    (DOCUMENT[:40] + bytes(40), "application/json", 1),
], ids=["page", "cut page", "no gzip", "document", "cut document"])
def test_what_is_unpacked_no_further_is_unread(sidecar, origin, body, kind, unread):
    side = sidecar()
    origin.answer("/topics", answer(body, kind, "Content-Encoding: gzip"))
    with Client(side.egress) as agent:
        open_turn(agent, origin)
        assert agent.ask("GET", origin.url("/topics")).body == body  # what passes is not touched
    assert side.metrics().total("sidespan_lineage_blind_total") == unread


LIST = b'{"orders": ["QK-482912", "QK-482913"]}'
IMAGE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40)


@pytest.mark.parametrize("body, kind, fields, alone, unread", [
    (b'{"orders": []}', "application/json", [], True, 0),
    (IMAGE + b" QK-482913 ", "application/octet-stream", [], True, 0),
    (b"%PDF-1.7\n QK-482913 ", None, [], True, 0),
    (LIST, "image/png", ["Content-Encoding: lz4"], True, 0),
    (LIST, "application/octet-stream", [], False, 0),
    (LIST, None, [], False, 0),
    (b"late\nQK-482913\n", "application/x-list", [], False, 0),
    (b"show(" + LIST + b")", "application/javascript", [], False, 0),
    (b'{"mean": NaN, "orders": ["QK-482913"]}', "application/json", [], False, 0),
    (b"<h1>500</h1> No order QK-482913 here.", "application/json", [], False, 0),
    (b")]}'\n" + LIST, "application/json", [], False, 0),
    (b"[" * 65 + b'"QK-482913"' + b"]" * 65, "application/json", [], False, 0),
    (b'{"kind": "ADDED"}\n' + LIST + b"\n", "application/json", [], False, 0),
    (b"{}\nlate: QK-482913\n{}\n", "application/x-ndjson", [], False, 0),
    (b"data: late is QK-482913\n\n", "text/event-stream", [], False, 0),
    (gzip.compress(LIST), "application/octet-stream", ["Content-Encoding: gzip"], False, 0),
    (LIST, "application/json", ["Content-Encoding: lz4"], False, 1),
    (LIST, None, ["Content-Encoding: lz4"], False, 1),
], ids=["other", "binary", "pdf", "image", "bytes", "no type", "words", "script", "nan", "page", "prefix", "deep", "two",
        "lines", "events", "packed", "packed otherwise", "packed otherwise, no type"])
def test_what_a_job_was_told_is_not_the_turns_alone(sidecar, origin, sink, body, kind, fields, alone, unread):
    side = sidecar({"context": {"turn_idle": "500ms"}})
    origin.answer("/list", answer(body, kind, *fields))
    with Client(side.egress) as agent:
        open_turn(agent, origin, "I look for QK-482913 first.")
        assert agent.ask("GET", origin.url("/list")).body == body
        agent.ask("GET", origin.url("/orders/QK-482913"))
    assert side.metrics().total("sidespan_lineage_blind_total") == unread
    turn, = sink.wait(1, where=is_turn)
    order, = [span for span in sink.spans if span["attributes"].get("url.full", "").endswith("/orders/QK-482913")]
    assert order["parent_id"] == (turn["span_id"] if alone else "")


def test_a_model_that_is_down_says_what_its_page_says(sidecar, origin):
    """What observers of models leave is read all the same."""
    side = sidecar()
    with Client(side.egress) as agent:
        open_turn(agent, origin)
        origin.answer(MODEL, answer(b"no model", "application/json", "Content-Encoding: lz4"))
        agent.ask("POST", origin.url(MODEL), [("Content-Type", "application/json")],
                  b'{"model": "gpt-5-mini", "messages": [{"role": "user", "content": "And then?"}]}')
    assert side.metrics().total("sidespan_lineage_blind_total") == 1
