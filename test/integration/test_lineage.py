"""Whose call it is, where the agent propagates nothing: turns are opened by calls of models, and what belongs to them is
found by what it carries. test_fidelity.py and test/bench/fidelity measure how much; this is about each rule."""

import base64
import gzip
import json
import secrets
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from origin import BODY, CLOSE, NO_BODY, OK, Origin
from sidecar import exporting, run, sanitized
from spans import is_turn
from wire import Client, head, wait_for

JSON = [("Content-Type", "application/json")]
CHAT = "/v1/chat/completions"
GRACE = {"context": {"turn_grace": "300ms"}}
IDLE = {"context": {"turn_idle": "500ms"}}  # for models that never say their last word


def chat(*messages, **more):
    return json.dumps({"model": "gpt-5-mini", "messages": list(messages)} | more).encode()


def user(text):
    return {"role": "user", "content": text}


def asks(tool, arguments, call="call_" + "7f3a9c1d5e2b8460aa17"):
    """An answer that wants a tool called."""
    message = {"role": "assistant", "content": None, "tool_calls": [
        {"id": call, "type": "function", "function": {"name": tool, "arguments": json.dumps(arguments)}}]}
    return message, completion(message, "tool_calls")


def says(text):
    message = {"role": "assistant", "content": text}
    return message, completion(message, "stop")


def completion(message, reason):
    return json.dumps({"id": "chatcmpl-" + secrets.token_hex(12), "object": "chat.completion", "model": "gpt-5-mini",
                       "choices": [{"index": 0, "message": message, "finish_reason": reason}],
                       "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}}).encode()


def plain(body, kind="application/json"):
    return [b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind.encode(), len(body), body)]


def asked(span):
    return span["attributes"].get("http.request.method")


def source(span):
    return span["attributes"]["sidespan.parent.source"]


@pytest.fixture
def model():
    model = Origin()
    yield model
    model.stop()


def post(side, url, body, fields=(), kind=JSON):
    with Client(side.egress) as client:
        return client.ask("POST", url, [*kind, *fields], body)


def get(side, url):
    with Client(side.egress) as client:
        return client.ask("GET", url)


def work(side, model, tools, question, arguments, kind=JSON):
    """A model is asked, wants a tool, gets its result and says its last word: three requests. The span ids of them."""
    before = len(model.requests)
    wish, wished = asks("search", arguments, "call_" + secrets.token_hex(10))
    last, lasted = says("That is settled for " + question[:12])
    path = f"/{secrets.token_hex(4)}/chat/completions"
    model.answer(path, plain(wished), plain(lasted))
    post(side, model.url(path), chat(user(question)), kind=kind)
    found = post(side, tools.url("/search"), json.dumps(arguments).encode()).body.decode()
    post(side, model.url(path), chat(user(question), wish, {"role": "tool", "content": found,
                                                            "tool_call_id": wish["tool_calls"][0]["id"]}), kind=kind)
    return [request.get("traceparent").split("-")[2] for request in model.requests[before:] + tools.requests[-1:]]


def test_a_turn_is_the_parent_of_what_belongs_to_it(sidecar, model, origin, sink):
    side = sidecar(GRACE)
    first, second, search = work(side, model, origin, "Where is the parcel of order QK-482913?", {"query": "QK-482913"})
    spans = {span["span_id"]: span for span in sink.wait(4)}
    turn, = [span for span in spans.values() if is_turn(span)]
    assert turn["name"] == "invoke_agent" and turn["kind"] == "INTERNAL" and not turn["parent_id"]
    assert turn["attributes"]["gen_ai.operation.name"] == "invoke_agent"
    calls = [spans[one] for one in (first, search, second)]
    assert {(span["trace_id"], span["parent_id"]) for span in calls} == {(turn["trace_id"], turn["span_id"])}
    assert [span["attributes"]["sidespan.turn.step"] for span in calls] == [1, 2, 3]
    assert [source(span) for span in calls] == ["root", "echo", "id"]
    assert {span["attributes"]["sidespan.turn.id"] for span in calls} == {turn["span_id"]}
    assert {span["attributes"]["sidespan.execution.id"] for span in [turn, *calls]} == {turn["span_id"]}
    # The model call that asked for the tool is linked from the tool's.
    assert [link["span_id"] for link in calls[1]["links"]] == [first]
    assert turn["start"] <= calls[0]["start"]
    assert calls[2]["end"] <= turn["end"] + 1_000_000 and turn["end"] < calls[2]["end"] + 200_000_000
    assert side.metrics().total("sidespan_turns_total") == 1
    assert side.metrics().total("sidespan_lineage_hold_seconds_count") == 3


@pytest.mark.parametrize("kind", [[], ["text/plain;charset=UTF-8"], ["application/x-www-form-urlencoded"]],
                         ids=["nothing", "text", "form"])
def test_whatever_a_request_to_a_model_is_sent_as(sidecar, model, origin, sink, kind):
    side = sidecar(GRACE | {"spans": {"providers": {"127.0.0.1": "openai"}}})
    arguments = {"query": "QK-482913"}
    calls = work(side, model, origin, "Where is it?", arguments, [("Content-Type", one) for one in kind])
    spans = {span["span_id"]: span for span in sink.wait(4)}
    turn, = [span for span in spans.values() if is_turn(span)]
    assert {spans[one]["parent_id"] for one in calls} == {turn["span_id"]}


def test_eight_at_once_are_eight_trees(sidecar, model, origin, sink):
    side = sidecar(GRACE)
    names = ["Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal"]

    def one(name):
        for _ in range(2):
            order = f"QK-{secrets.randbelow(900_000) + 100_000}"
            work(side, model, origin, f"This is {name}, where is my order {order}?", {"query": order})

    threads = [threading.Thread(target=one, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = sink.wait(4 * 16, timeout=30)
    turns = {span["span_id"]: span for span in spans if is_turn(span)}
    assert len(turns) == 16 and len({span["trace_id"] for span in spans}) == 16
    for turn in turns.values():
        assert len([span for span in spans if span["parent_id"] == turn["span_id"]]) == 3


def test_without_a_model_nothing_is_opened(sidecar, origin, sink):
    get(sidecar({}), origin.url("/documents/QK-482913-annex-2"))
    span, = sink.wait(1)
    assert source(span) == "root" and not span["parent_id"] and "sidespan.turn.id" not in span["attributes"]


def test_turns_can_be_off(sidecar, model, sink):
    side = sidecar({"context": {"turns": False}})
    model.answer(CHAT, plain(says("Yes.")[1]))
    post(side, model.url(CHAT), chat(user("Is it?")))
    span, = sink.wait(1)
    assert source(span) == "root" and not span["parent_id"]


def test_what_the_agent_propagates_counts_more(sidecar, model, sink):
    side = sidecar(GRACE)
    model.answer(CHAT, plain(says("Yes.")[1]))
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    post(side, model.url(CHAT), chat(user("Is it?")), [("traceparent", parent)])
    span, = sink.wait(1)
    assert source(span) == "wire" and span["parent_id"] == "b7ad6b7169203331"
    time.sleep(1.5)
    assert len(sink.spans) == 1


def linked(span):
    return [link["span_id"] for link in span["links"]]


def test_in_a_trace_that_the_agent_names_the_links_are_found(sidecar, model, origin, sink):
    """Eight at once who ask the same, each in a trace of its own: parents are the agents' spans, and what asked for a
    tool is linked from its call, what was sent again from the attempt."""
    side = sidecar(GRACE)
    wish, wished = asks("track", {"parcel": "00340434161094042557"})
    busy = [b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}"]
    question = user("Where is the parcel of order QK-482913?")
    found = {"role": "tool", "tool_call_id": wish["tool_calls"][0]["id"], "content": "-"}
    ready = threading.Barrier(8)

    def one(number):
        trace = f"{number + 1:032x}"

        def context(step):
            return [("traceparent", f"00-{trace}-{number + 1:08x}{step:08x}-01")]

        path = f"/{number}/chat/completions"
        model.answer(path, busy, plain(wished), plain(says("Yes.")[1]))
        post(side, model.url(path), chat(question), context(1))
        post(side, model.url(path), chat(question), [*context(2), ("x-stainless-retry-count", "1")])
        ready.wait()
        with Client(side.egress) as client:
            client.ask("GET", origin.url("/parcels/00340434161094042557"), context(3))
            client.ask("POST", origin.url("/search"), [*JSON, *context(4)], b'{"parcel": "00340434161094042557"}')
            client.ask("GET", origin.url("/healthz"), context(5))
        post(side, model.url(path), chat(question, wish, found), context(6))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = sink.wait(8 * 6, timeout=30)
    assert {source(span) for span in spans} == {"wire"} and not any("sidespan.turn.id" in span["attributes"] for span in spans)
    for number in range(8):
        steps = {int(span["parent_id"][8:], 16): span for span in spans if int(span["trace_id"], 16) == number + 1}
        first, again, get_it, post_it, probe, last = (steps[step] for step in range(1, 7))
        assert linked(first) == [] and linked(again) == [first["span_id"]]
        assert linked(get_it) == linked(post_it) == [again["span_id"]]
        assert linked(probe) == linked(last) == []
        assert {link["trace_id"] for link in get_it["links"]} == {get_it["trace_id"]}
    assert side.metrics().total("sidespan_turns_total") == 0
    time.sleep(1.5)
    assert len(sink.spans) == 8 * 6


def named(trace):
    return [("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01")]


BUSY = [b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"]


def test_there_an_attempt_is_linked_to_the_one_that_failed(sidecar, model, origin, sink):
    """Without saying so: it is the same request, in the same trace, to the same place."""
    side = sidecar()
    trace, other = (secrets.token_hex(16) for _ in range(2))
    body = chat(user("Is order QK-482913 on its way?"))
    model.answer(CHAT, BUSY, BUSY, plain(asks("search", {"query": "QK-482913"})[1]))
    origin.answer("/search", BUSY, plain(b"{}"))
    post(side, model.url(CHAT), body, named(trace))
    post(side, model.url(CHAT), body, named(other))
    post(side, model.url(CHAT), body, named(trace))
    for path in ("/search", "/find", "/search", "/search"):
        post(side, origin.url(path), b'{"query": "QK-482913"}', named(trace))
    spans = sorted(sink.wait(7), key=lambda span: span["start"])
    linked = [[link["span_id"] for link in span["links"]] for span in spans]
    first, search = spans[0]["span_id"], spans[3]["span_id"]
    assert linked[:3] == [[], [], [first]]
    assert [search in links for links in linked[4:]] == [False, True, False]


@pytest.mark.parametrize("kib, linked_to_it", [(200, True), (300, False)])
def test_there_only_what_is_of_some_length_is_known_again(sidecar, model, origin, sink, kib, linked_to_it):
    side = sidecar()
    trace, body = secrets.token_hex(16), json.dumps({"text": "x" * (kib << 10)}).encode()
    model.answer(CHAT, plain(asks("store", {"order": "QK-482913"})[1]))
    origin.answer("/store", BUSY, plain(b"{}"))
    post(side, model.url(CHAT), chat(user("Is order QK-482913 on its way?")), named(trace))
    for _ in range(2):
        post(side, origin.url("/store"), body, named(trace))
    _, failed, again = sorted(sink.wait(3), key=lambda span: span["start"])
    assert linked(failed) == [] and linked(again) == ([failed["span_id"]] if linked_to_it else [])


def test_a_tool_that_names_a_trace_is_linked_to_a_model_that_names_none(sidecar, model, origin, sink):
    side = sidecar(IDLE)
    model.answer(CHAT, plain(asks("search", {"query": "Parcel QK-482913"})[1]))
    post(side, model.url(CHAT), chat(user("Where is it?")))
    trace = secrets.token_hex(16)
    post(side, origin.url("/search"), b'{"query": "Parcel QK-482913"}', named(trace))
    post(side, origin.url("/search"), b'{"query": "Something else, 77"}', named(trace))
    turn, = sink.wait(1, where=is_turn)
    asking, search, other = sorted((span for span in sink.spans if not is_turn(span)), key=lambda span: span["start"])
    assert [link["span_id"] for link in search["links"]] == [asking["span_id"]] and not other["links"]
    assert search["trace_id"] == trace and source(search) == "wire" and asking["parent_id"] == turn["span_id"]


def test_a_tool_that_names_no_trace_is_linked_to_a_model_that_names_one(sidecar, model, origin, sink):
    """Eight at once who ask the same for orders of their own. The tools' calls are roots: no span of ours, and none that
    is known of the agent's, stands for the work that they belong to."""
    side = sidecar(IDLE)
    orders = [f"QK-48291{number}-{secrets.token_hex(3)}" for number in range(8)]
    ready = threading.Barrier(8)

    def one(number):
        trace, order, path = f"{number + 1:032x}", orders[number], f"/{number}/chat/completions"
        model.answer(path, plain(asks("search", {"query": order}, "call_" + secrets.token_hex(10))[1]))
        post(side, model.url(path), chat(user("Where are the orders of all of us?")), named(trace))
        ready.wait()
        get(side, origin.url(f"/orders/{order}"))
        post(side, origin.url("/search"), json.dumps({"query": order}).encode())
        post(side, origin.url("/search"), json.dumps({"query": "Another one, " + secrets.token_hex(4)}).encode())

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = sink.wait(8 * 4, timeout=30)
    asking = {span["span_id"]: int(span["trace_id"], 16) - 1 for span in spans if source(span) == "wire"}
    tools = [span for span in spans if source(span) == "root"]
    assert len(asking) == 8 and len(tools) == 24 and not any(span["parent_id"] for span in tools)
    assert len({span["trace_id"] for span in tools}) == 24
    found = sorted(asking[link["span_id"]] for span in tools for link in span["links"])
    assert found == sorted([*range(8)] * 2)
    by_path = [(span["attributes"]["url.full"], asking[link["span_id"]]) for span in tools for link in span["links"]]
    assert all(url.endswith(orders[number]) for url, number in by_path if "/orders/" in url)
    # Links alone are worth no wait, and nothing of it opens a turn.
    assert side.metrics().total("sidespan_lineage_hold_seconds_count") == 0
    assert side.metrics().total("sidespan_turns_total") == 0


def test_a_tool_that_names_no_trace_is_linked_to_none_beside_models_that_name_none(sidecar, model, origin, sink):
    """Who asked last may have asked for the same, in words that are forgotten by now."""
    side = sidecar(IDLE)
    order = f"QK-48291-{secrets.token_hex(3)}"
    model.answer("/a/chat/completions", plain(asks("search", {"query": order}, "call_" + secrets.token_hex(10))[1]))
    model.answer("/b/chat/completions", plain(says("Nothing is to be done.")[1]))
    post(side, model.url("/a/chat/completions"), chat(user("Where is my order?")), named(f"{1:032x}"))
    post(side, model.url("/b/chat/completions"), chat(user("Is there anything to do?")))
    get(side, origin.url(f"/orders/{order}"))
    tool = next(span for span in sink.wait(4) if "/orders/" in span["attributes"].get("url.full", ""))
    assert source(tool) == "root" and not tool["links"]


def test_a_message_of_mcp_names_the_trace_in_its_body(sidecar, model, origin, sink):
    side = sidecar(GRACE)
    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333%d-01"
    model.answer(CHAT, plain(asks("track", {"parcel": "00340434161094042557"})[1]))
    post(side, model.url(CHAT), chat(user("Where is it?")), [("traceparent", context % 1)])
    for number, parcel in (2, "00340434161094042557"), (3, "00340434161094042558"):
        params = {"name": "track", "arguments": {"parcel": parcel}, "_meta": {"traceparent": context % number}}
        post(side, origin.url("/mcp"), json.dumps(
            {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode(),
            [("Accept", "application/json, text/event-stream"), ("MCP-Protocol-Version", "2025-06-18")])
    asked_it, call, other = sorted(sink.wait(3), key=lambda span: span["start"])
    assert (source(call), call["parent_id"]) == ("mcp_meta", "b7ad6b7169203332")
    assert linked(call) == [asked_it["span_id"]] and linked(other) == []


def test_a_turn_tells_baggage_as_its_calls_do(sidecar, model, sink):
    side = sidecar(GRACE | {"propagation": {"baggage": {"add": {"cell": "eu"}, "to_attributes": ["tenant", "cell"]}}})
    model.answer(CHAT, plain(says("Yes.")[1]))
    post(side, model.url(CHAT), chat(user("Is it?")), [("baggage", "tenant=a,user=7")])
    for span in sink.wait(2):
        assert (span["attributes"]["tenant"], span["attributes"]["cell"]) == ("a", "eu") and "user" not in span["attributes"]


def test_two_that_say_the_same_are_linked_and_not_joined(sidecar, model, origin, sink):
    """Both were given the same parcel's number by their models; who calls the tool?"""
    side = sidecar({"context": {"turn_grace": "2s"}})
    wish = asks("track", {"parcel": "00340434161094042557"})[1]
    for name in "Ada", "Bob":
        path = f"/{name}/chat/completions"
        model.answer(path, plain(wish))
        post(side, model.url(path), chat(user(f"This is {name}.")))
    get(side, origin.url("/parcels/00340434161094042557"))
    call, = [span for span in sink.wait(3) if asked(span) == "GET"]
    assert source(call) == "root" and not call["parent_id"]
    turns = {request.get("traceparent").split("-")[1] for request in model.requests}
    assert {link["trace_id"] for link in call["links"]} == turns and len(turns) == 2
    assert side.metrics().total("sidespan_lineage_ambiguous_total") == 1


def test_an_embedding_opens_no_turn(sidecar, model, sink):
    model.answer("/v1/embeddings", plain(json.dumps(
        {"object": "list", "model": "text-embedding-3-small", "data": [{"index": 0, "embedding": [0.1, 0.2]}],
         "usage": {"prompt_tokens": 3, "total_tokens": 3}}).encode()))
    post(sidecar({}), model.url("/v1/embeddings"), json.dumps({"model": "text-embedding-3-small", "input": "a b"}).encode())
    span, = sink.wait(1)
    assert span["name"] == "embeddings text-embedding-3-small" and not span["parent_id"]


def test_a_page_says_what_is_fetched_next(sidecar, model, origin, sink):
    """What a tool said as text, and not as JSON."""
    side = sidecar(IDLE)
    page = "http://127.0.0.1:%d/manuals/kettle-%s.html" % (origin.port, secrets.token_hex(5))
    model.answer(CHAT, plain(asks("read", {"topic": "descaling of kettle KX-77120"})[1]))
    origin.answer("/topics", plain(f'<p>See <a href="{page}">the manual</a></p>'.encode(), "text/html"))
    post(side, model.url(CHAT), chat(user("How do I clean it?")))
    post(side, origin.url("/topics"), json.dumps({"topic": "descaling of kettle KX-77120"}).encode())
    get(side, page)
    turn, = sink.wait(1, where=is_turn)
    assert {source(span) for span in sink.spans if span["parent_id"] == turn["span_id"]} == {"root", "echo"}
    assert len([span for span in sink.spans if span["parent_id"] == turn["span_id"]]) == 3


def test_an_id_that_outlives_a_turn_decides_nothing_alone(sidecar, model, origin, sink):
    side = sidecar(IDLE)
    context = "6f0d1f6e-5a0b-4c52-9f1e-2b7c8d9e0a41"

    def send(text, **more):
        message = {"kind": "message", "role": "user", "parts": [{"kind": "text", "text": text}], **more}
        post(side, origin.url("/a2a"), json.dumps({"jsonrpc": "2.0", "id": 1, "method": "message/send",
                                                   "params": {"message": message}}).encode())

    model.answer(CHAT, plain(asks("delegate", {"text": "Cracked screen of QK-482913"})[1]))
    origin.answer("/a2a", plain(json.dumps({"jsonrpc": "2.0", "id": 1, "result": {
        "kind": "message", "role": "agent", "contextId": context, "parts": [{"kind": "text", "text": "Sure?"}]}}).encode()))
    post(side, model.url(CHAT), chat(user("Help!")))
    send("Cracked screen of QK-482913")
    send("ok", contextId=context)
    get(side, origin.url(f"/status?session_id={context}"))
    turn, = sink.wait(1, where=is_turn)
    first, second, third = sorted((span for span in sink.spans if asked(span) and str(origin.port) in span["attributes"][
        "url.full"]), key=lambda span: span["start"])
    assert first["parent_id"] == turn["span_id"] and source(first) == "echo"
    assert not second["parent_id"] and not third["parent_id"]


def test_a_form_says_whose_it_is(sidecar, model, origin, sink):
    side = sidecar(IDLE)
    model.answer(CHAT, plain(asks("open_ticket", {"subject": "Cracked screen of QK-482913"})[1]))
    post(side, model.url(CHAT), chat(user("Help!")))
    with Client(side.egress) as client:
        client.ask("POST", origin.url("/tickets"), [("Content-Type", "application/x-www-form-urlencoded")],
                   b"subject=Cracked+screen+of+QK-482913&priority=normal")
    turn, = sink.wait(1, where=is_turn)
    call, = [span for span in sink.spans if span["attributes"].get("url.full", "").endswith("/tickets")]
    assert call["parent_id"] == turn["span_id"] and source(call) == "echo"


def test_and_so_does_one_in_parts(sidecar, model, origin, sink):
    side = sidecar(IDLE)
    model.answer(CHAT, plain(asks("open_ticket", {"subject": "Cracked screen of QK-482913"})[1]))
    post(side, model.url(CHAT), chat(user("Help!")))
    parts = "".join(f"--=_part 1\r\nContent-Disposition: form-data; {what}\r\n\r\n{content}\r\n" for what, content in (
        ('name="photo"; filename="q.jpg"', "\0\1"), ('name="subject"', "Cracked screen of QK-482913")))
    with Client(side.egress) as client:
        client.ask("POST", origin.url("/tickets"), [("Content-Type", 'multipart/form-data; boundary="=_part 1"')],
                   parts.encode() + b"--=_part 1--\r\n")
    turn, = sink.wait(1, where=is_turn)
    call, = [span for span in sink.spans if span["attributes"].get("url.full", "").endswith("/tickets")]
    assert call["parent_id"] == turn["span_id"] and source(call) == "echo"


def with_user(name, password=""):
    return [("Proxy-Authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())]


def test_the_user_of_the_proxys_url_names_the_execution(sidecar, model, origin, sink):
    """What two have in common tells nothing between those who are named, and everything within one."""
    side = sidecar(IDLE)
    wish = asks("track", {"parcel": "00340434161094042557"})[1]
    for name in "ada", "bob":
        path = f"/{name}/chat/completions"
        model.answer(path, plain(wish))
        post(side, model.url(path), chat(user("Hello")), with_user(name))
    with Client(side.egress) as client:
        client.ask("GET", origin.url("/parcels/00340434161094042557"), with_user("bob"))
        client.ask("GET", origin.url("/healthz"), with_user("bob"))
    sink.wait(2, where=is_turn)
    call, probe = sorted([span for span in sink.spans if asked(span) == "GET"], key=lambda span: span["start"])
    turn, = [span for span in sink.spans if span["span_id"] == call["parent_id"]]
    assert is_turn(turn) and source(call) == "echo"
    assert {span["attributes"]["sidespan.execution.id"] for span in (call, turn, probe)} == {"bob"}
    assert {span["attributes"]["sidespan.execution.source"] for span in (call, turn, probe)} == {"credential"}
    assert source(probe) == "root" and not probe["parent_id"]
    assert not any("authorization" in name.lower() for request in origin.requests for name, _ in request.headers)


def test_and_a_span_that_is_the_parent(sidecar, origin, sink):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with Client(sidecar({}).egress) as client:
        client.ask("GET", origin.url("/x"), with_user("run", parent))
    span, = sink.wait(1)
    assert (span["trace_id"], span["parent_id"]) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert source(span) == "credential"


def test_which_a_tunnel_has_for_all_that_is_in_it(sidecar, origin, sink):
    with Client(sidecar({}).egress) as client:
        client.send(head(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1", [("Host", "h"), *with_user("ada")]))
        assert client.reader.head().status == 200
        client.send(head("GET /x HTTP/1.1", [("Host", f"127.0.0.1:{origin.port}")]))
        assert client.response().status == 200
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.execution.id"] == "ada"


def test_who_must_say_who_it_is(sidecar, origin, sink):
    side = sidecar({"egress": {"credentials": "required"}})
    with Client(side.egress) as client:
        refused = client.ask("GET", origin.url("/x"))
        assert refused.status == 407 and refused.get("proxy-authenticate") == 'Basic realm="sidespan"'
    with Client(side.egress) as client:
        assert client.ask("CONNECT", f"127.0.0.1:{origin.port}", host="x").status == 407
    # A context that is none is no name either, so that who mistyped it is told so.
    with Client(side.egress) as client:
        assert client.ask("GET", origin.url("/x"), with_user("run", "00-0af7651916cd43dd8448eb211c80319c")).status == 407
    for user in ("ada", "run"):
        with Client(side.egress) as client:
            assert client.ask("GET", origin.url("/x"), with_user(user)).status == 200
    assert len(origin.requests) == 2


def in_pieces(client, url, body, pause):
    client.send(head(f"POST {url} HTTP/1.1", [("Host", "h"), *JSON, ("Content-Length", str(len(body)))]))
    client.send(body[:10])
    time.sleep(pause)
    client.send(body[10:])
    return client.response()


def test_a_slow_body_is_not_waited_for_long(sidecar, model, sink):
    """Its trace is on its way by then, and the turn that it opens is in that."""
    side = sidecar(GRACE | {"limits": {"lineage_hold_time": "40ms"}})
    model.answer(CHAT, plain(says("Yes.")[1]))
    with Client(side.egress) as client:
        assert in_pieces(client, model.url(CHAT), chat(user("Is it?")), 0.5).status == 200
    call, turn = sorted(sink.wait(2), key=is_turn)
    assert is_turn(turn) and call["parent_id"] == turn["span_id"]
    assert call["trace_id"] == turn["trace_id"] == model.requests[0].get("traceparent").split("-")[1]
    assert 0.03 < side.metrics().total("sidespan_lineage_hold_seconds_sum") < 0.4


def packed_search(lines):
    """What the model asks to search, behind `lines` of 250 bytes that say nothing."""
    pad = b"".join(b"%d," % (line * 7919 % 100003) + b"0," * 120 for line in range(lines))
    return gzip.compress(b'{"pad": [' + pad + b'0], "query": "QK-482913"}')


def test_a_packed_body_that_is_here_is_waited_for_while_it_is_read(sidecar, model, origin, sink):
    """It is the sidecar that takes its time, and not the agent: in hundreds of turns of the loop, and to its end."""
    # A sanitizer's program decodes for seconds, within which the turn may not end.
    hold, idle = (200, "10s") if sanitized() else (20, "500ms")
    side = sidecar({"context": {"turn_idle": idle},
                    "limits": {"lineage_hold_time": f"{hold}ms", "lineage_hold_bytes": "1MiB"}})
    body = packed_search(80_000)
    model.answer(CHAT, plain(asks("search", {"query": "QK-482913"})[1]))
    post(side, model.url(CHAT), chat(user("Where is it?")))
    assert post(side, origin.url("/search"), body, [("Content-Encoding", "gzip")]).status == 200
    turn, = sink.wait(1, where=is_turn)
    search, = sink.wait(1, where=lambda span: span["attributes"].get("url.full", "").endswith("/search"))
    assert side.metrics().total("sidespan_lineage_hold_seconds_sum") > hold / 1000
    assert search["parent_id"] == turn["span_id"] and source(search) == "echo"
    assert origin.requests[0].get("traceparent").split("-")[1] == turn["trace_id"]


def test_a_packed_body_that_stops_in_the_middle_is_not_waited_for_long(sidecar, model, origin, sink):
    """It is waited for as one that is not packed."""
    side = sidecar(IDLE | {"limits": {"lineage_hold_time": "40ms", "lineage_hold_bytes": "1MiB"}})
    body = packed_search(8_000)
    model.answer(CHAT, plain(asks("search", {"query": "QK-482913"})[1]))
    post(side, model.url(CHAT), chat(user("Where is it?")))
    waited = side.metrics().total("sidespan_lineage_hold_seconds_sum")
    with Client(side.egress) as client:
        client.send(head(f"POST {origin.url('/search')} HTTP/1.1",
                         [("Host", "h"), *JSON, ("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))]))
        client.send(body[:len(body) // 2])
        wait_for("the call at the tool", lambda: origin.connections or None)
        client.send(body[len(body) // 2:])
        assert client.response().status == 200
    turn, = sink.wait(1, where=is_turn)
    search, = [span for span in sink.spans if span["attributes"].get("url.full", "").endswith("/search")]
    assert side.metrics().total("sidespan_lineage_hold_seconds_sum") - waited > 0.03
    # Found too late for its trace.
    assert not search["parent_id"] and turn["span_id"] in {link["span_id"] for link in search["links"]}


def test_a_long_body_is_not_waited_for(sidecar, model, origin, sink):
    side = sidecar(GRACE | {"limits": {"lineage_hold_bytes": "200B"}})
    wish, wished = asks("search", {"query": "QK-482913"})
    model.answer(CHAT, plain(wished), plain(says("Yes.")[1]))
    question = user("Where is it? " + "x " * 100)
    post(side, model.url(CHAT), chat(question))
    post(side, model.url(CHAT), chat(question, wish, {"role": "tool", "content": "-", "tool_call_id": wish["tool_calls"][0]["id"]}))
    turn, = sink.wait(1, where=is_turn)
    first, second = sorted([span for span in sink.spans if not is_turn(span)], key=lambda span: span["start"])
    assert first["parent_id"] == turn["span_id"]
    # Found too late for its trace.
    assert not second["parent_id"] and turn["span_id"] in {link["span_id"] for link in second["links"]}
    assert side.metrics().total("sidespan_lineage_hold_seconds_count") == 0


def test_what_asks_first_is_not_waited_for(sidecar, model, sink):
    side = sidecar(GRACE | {"limits": {"lineage_hold_time": "5s"}})
    body = chat(user("Is it?"))
    model.answer(CHAT, plain(says("Yes.")[1]))
    with Client(side.egress) as client:
        client.send(head(f"POST {model.url(CHAT)} HTTP/1.1",
                         [("Host", "h"), *JSON, ("Expect", "100-continue"), ("Content-Length", str(len(body)))]))
        wait_for("a connection to the model", lambda: model.connections or None)
        client.send(body)
        while client.response().status == 100:
            pass
    call, turn = sorted(sink.wait(2), key=is_turn)
    assert call["parent_id"] == turn["span_id"]


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = ("Transfer-Encoding", "chunked")


def test_a_chunked_document_is_waited_for(sidecar, model, sink):
    """Its end is its length: the second call says by its body alone whose it is."""
    side = sidecar(GRACE | {"limits": {"lineage_hold_time": "5s"}})
    wish, wished = asks("search", {"query": "QK-482913"})
    model.answer(CHAT, plain(wished), plain(says("Yes.")[1]))
    result = {"role": "tool", "content": "-", "tool_call_id": wish["tool_calls"][0]["id"]}
    with Client(side.egress) as client:
        for messages in ([user("Where is it?")], [user("Where is it?"), wish, result]):
            body = chat(*messages)
            client.send(head(f"POST {model.url(CHAT)} HTTP/1.1", [("Host", "h"), *JSON, CHUNKED]))
            client.send(chunk(body[:20]))
            time.sleep(0.05)
            client.send(chunk(body[20:]) + b"0\r\n\r\n")
            assert client.response().status == 200
    turn, = sink.wait(1, where=is_turn)
    assert [span["parent_id"] for span in sink.spans if not is_turn(span)] == [turn["span_id"]] * 2
    assert [request.body for request in model.requests][1] == body
    assert side.metrics().total("sidespan_lineage_hold_seconds_count") == 2


def test_a_chunked_body_is_waited_for_within_bounds(sidecar, origin, model):
    """Nobody waits for what is too long, nor for a stream of documents."""
    side = sidecar(GRACE | {"limits": {"lineage_hold_bytes": "200B", "lineage_hold_time": "10s"}})
    begun = time.monotonic()
    model.answer(CHAT, plain(says("Yes.")[1]))
    with Client(side.egress) as client:
        body = chat(user("Is it? " + "x " * 200))
        client.send(head(f"POST {model.url(CHAT)} HTTP/1.1", [("Host", "h"), *JSON, CHUNKED]) + chunk(body[:300]))
        wait_for("a connection to the model", lambda: model.connections or None)
        client.send(chunk(body[300:]) + b"0\r\n\r\n")
        assert client.response().status == 200
        assert model.requests[0].body == body
    with Client(side.egress) as client:
        lines = [("Host", "h"), ("Content-Type", "application/x-ndjson"), CHUNKED]
        client.send(head(f"POST {origin.url('/lines')} HTTP/1.1", lines) + chunk(b'{"a": 1}\n'))
        wait_for("a connection to the origin", lambda: origin.connections or None)
        client.send(b"0\r\n\r\n")
        assert client.response().status == 200
    assert time.monotonic() - begun < 8
    assert side.metrics().total("sidespan_lineage_hold_seconds_count") == 1


PARTS = [("Content-Type", "multipart/form-data; boundary=b"), CHUNKED]


def part(what, content):
    return f"--b\r\nContent-Disposition: form-data; {what}\r\n\r\n{content}\r\n".encode()


def test_a_chunked_form_is_waited_for_until_nothing_more_tells(sidecar, model, origin, sink):
    """Its last delimiter is its end; and a file in it comes as it is made, which nobody waits for."""
    side = sidecar(IDLE | {"limits": {"lineage_hold_time": "10s"}})
    model.answer(CHAT, plain(asks("open_ticket", {"subject": "Cracked screen of QK-482913"})[1]))
    post(side, model.url(CHAT), chat(user("Help!")))
    begun = time.monotonic()
    field = part('name="subject"', "Cracked screen of QK-482913")
    for path, first, rest in (("/whole", chunk(field) + chunk(b"--b--\r\n"), b""),
                              ("/file", chunk(field) + chunk(part('name="photo"; filename="q.jpg"', "1")), chunk(b"--b--\r\n"))):
        arrived = threading.Event()
        origin.answer(path, [NO_BODY, lambda *_, arrived=arrived: arrived.set(), BODY, OK])
        with Client(side.egress) as client:
            client.send(head(f"POST {origin.url(path)} HTTP/1.1", [("Host", "h"), *PARTS]) + first)
            assert arrived.wait(5)
            client.send(rest + b"0\r\n\r\n")
            assert client.response().status == 200
    assert time.monotonic() - begun < 8
    turn, = sink.wait(1, where=is_turn)
    whole, file = (next(span for span in sink.spans if span["attributes"].get("url.full", "").endswith(path))
                   for path in ("/whole", "/file"))
    assert whole["parent_id"] == turn["span_id"] and source(whole) == "echo"
    # Found too late for its trace.
    assert not file["parent_id"] and turn["span_id"] in {link["span_id"] for link in file["links"]}


def test_turns_have_a_number(sidecar, model, sink):
    side = sidecar({"limits": {"lineage_executions": 16}, "context": {"turn_idle": "1h", "turn_grace": "1h"}})
    model.answer(CHAT, plain(asks("search", {"query": "x"})[1]))
    for number in range(64):
        post(side, model.url(CHAT), chat(user(f"Question number {number} of Ada.")))
    assert side.metrics().total("sidespan_lineage_executions") <= 16
    spans = sink.wait(64 + 48)
    assert len([span for span in spans if is_turn(span)]) >= 48


def test_a_turn_of_long_ago_is_no_candidate(sidecar, model, origin, sink):
    """Also where the agent keeps its connection, and nobody was at work meanwhile."""
    side = sidecar({"context": {"turn_idle": "1s", "turn_grace": "300ms"}})
    with Client(side.egress, timeout=30) as kept:
        kept.send(head(f"GET {origin.url('/kept')} HTTP/1.1", [("Host", "h")]))
        assert kept.reader.head().status == 200
        for question in ("Where is QK-482913?", "And what of QK-482913 today?"):
            model.answer(CHAT, plain(asks("search", {"query": "QK-482913"})[1]))
            post(side, model.url(CHAT), chat(user(question)))
            get(side, origin.url("/orders/QK-482913"))
            time.sleep(6.5)  # it is closed, let go of, and what it carried is not fresh
    first, second = [span for span in sink.wait(7) if "/orders/" in span["attributes"].get("url.full", "")]
    assert first["parent_id"] and second["parent_id"] and first["parent_id"] != second["parent_id"]


def test_what_is_remembered_has_a_size(sidecar, model, origin, sink):
    side = sidecar({"limits": {"lineage_values": 1024}})
    model.answer(CHAT, plain(asks("search", {"query": "QK-482913"})[1]))
    post(side, model.url(CHAT), chat(user("Where is it?")))
    time.sleep(1.1)  # the oldest goes first, by the second
    for _ in range(20):
        post(side, origin.url("/many"), json.dumps([secrets.token_hex(10) for _ in range(500)]).encode())
    found = side.metrics()
    assert found.total("sidespan_lineage_values_forgotten_total") > 5000
    assert found.total("sidespan_lineage_bytes") < 1 << 20  # the most of it tells what was forgotten
    get(side, origin.url("/orders/QK-482913"))
    # Who knows whether nobody else has said it since: no parent.
    call, = [span for span in sink.wait(22) if asked(span) == "GET"]
    assert not call["parent_id"]


def test_one_turn_is_not_everything(sidecar, model, sink):
    side = sidecar({"limits": {"lineage_execution_values": 64}})
    model.answer(CHAT, plain(asks("search", {"query": "x"})[1]))
    post(side, model.url(CHAT), chat(user("\n".join(f"Line {secrets.token_hex(8)} of it." for _ in range(300)))))
    sink.wait(1)
    assert side.metrics().total("sidespan_lineage_values_forgotten_total") > 200


def test_an_open_turn_is_told_in_a_drain(sidecar, model, sink):
    side = sidecar({})
    model.answer(CHAT, plain(asks("search", {"query": "x"})[1]))
    post(side, model.url(CHAT), chat(user("Where is it?")))
    side.stop()
    spans = sink.wait(2)
    turn, = [span for span in spans if is_turn(span)]
    assert {span["parent_id"] for span in spans} == {"", turn["span_id"]}


def test_a_turn_is_recorded_or_not_with_its_calls(sidecar, model, origin, sink):
    side = sidecar(GRACE | {"sampling": {"head": {"sampler": "parentbased_traceidratio", "ratio": 0.5}}})
    for number in range(40):
        order = f"QK-{400_000 + number}"
        work(side, model, origin, f"Ada asks for her order {order} once more.", {"query": order})
    wait_for("all turns to end", lambda: side.metrics().total("sidespan_lineage_executions") == 0 or None)
    time.sleep(0.5)
    spans = list(sink.spans)
    turns = {span["span_id"] for span in spans if is_turn(span)}
    assert 5 < len(turns) < 35
    calls = [span for span in spans if not is_turn(span)]
    assert len(calls) == 3 * len(turns) and {span["parent_id"] for span in calls} == turns
    assert {span["tracestate"] for span in spans} == {"ot=th:8"}


def test_a_session_of_the_agent_is_the_conversation(sidecar, model, sink):
    side = sidecar({"context": {"session_headers": ["x-acme-thread"]}})
    model.answer(CHAT, plain(says("Yes.")[1]))
    post(side, model.url(CHAT), chat(user("Is it?")), [("X-Acme-Thread", "thread-7"), ("X-Session-Id", "other")])
    post(side, model.url(CHAT), chat(user("And now?")), [("X-Session-Id", "session-9")])
    calls = [span for span in sink.wait(2) if not is_turn(span)]
    assert {span["attributes"]["gen_ai.conversation.id"] for span in calls} == {"thread-7", "session-9"}


USER = "user_" + 64 * "a" + "_account_5f1c3a9e-0d7b-4c52-8a61-2b7c8d9e0a41_session_"


@pytest.mark.parametrize("user_id", [lambda one: USER + one, lambda one: json.dumps({"device_id": 64 * "a", "session_id": one})],
                         ids=["text", "json"])
def test_and_so_is_one_in_its_users_id(sidecar, model, sink, user_id):
    """As Claude Code names it: its calls are not those of another session's turn, and its header counts more."""
    side = sidecar(IDLE)
    sessions = ["6f0d1f6e-5a0b-4c52-9f1e-2b7c8d9e0a41", "0b5c6a0e-1f5d-4c52-9f1e-2b7c8d9e0a42"]
    tool = {"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "search", "input": {"query": "QK-482913"}}
    wish = {"role": "assistant", "content": [tool]}
    answer = json.dumps({"id": "msg_1", "type": "message", "model": "claude-x", "stop_reason": "tool_use", **wish}).encode()
    model.answer("/v1/messages", plain(answer))

    def ask(session, *messages, fields=()):
        body = {"model": "claude-x", "max_tokens": 9, "metadata": {"user_id": user_id(session)}, "messages": list(messages)}
        post(side, model.url("/v1/messages"), json.dumps(body).encode(), [("anthropic-version", "2023-06-01"), *fields])

    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": tool["id"], "content": "-"}]}
    ask(sessions[0], user("Where is it?"))
    ask(sessions[1], user("Where is it?"), wish, result)
    ask(sessions[0], user("Where is it?"), wish, result)
    ask(sessions[0], user("Something else"), fields=[("X-Claude-Code-Session-Id", sessions[1])])
    calls = sorted((span for span in sink.wait(7) if not is_turn(span)), key=lambda span: span["start"])
    assert [span["attributes"]["gen_ai.conversation.id"] for span in calls] == [sessions[i] for i in (0, 1, 0, 1)]
    assert calls[0]["parent_id"] == calls[2]["parent_id"] != calls[1]["parent_id"]


class Service:
    """An agent that is a server: it asks a model about the question it is sent, uses two tools at once, asks again."""

    def __init__(self, model, tools):
        self.model, self.tools, self.side = model, tools, None
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = service.work(body["question"], body["order"]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def work(self, question, order):
        wish, wished = asks("search", {"query": order}, "call_" + secrets.token_hex(10))
        path = f"/{secrets.token_hex(4)}/chat/completions"
        self.model.answer(path, plain(wished), plain(says("It is on its way.")[1]))
        post(self.side, self.model.url(path), chat(user(question)))
        tools = [threading.Thread(target=post, args=(self.side, self.tools.url("/search"), json.dumps({"query": order}).encode())),
                 threading.Thread(target=get, args=(self.side, self.tools.url("/orders/" + order)))]
        for tool in tools:
            tool.start()
        for tool in tools:
            tool.join()
        post(self.side, self.model.url(path), chat(user(question), wish, {
            "role": "tool", "content": "on its way", "tool_call_id": wish["tool_calls"][0]["id"]}))
        return "It is on its way."


@pytest.mark.parametrize("users", [1, 8])
def test_a_request_on_the_ingress_is_one_tree(sidecar, model, origin, sink, users):
    """The agent is unaware of it: what it was asked is in what it asks the model."""
    service = Service(model, origin)
    service.side = sidecar(GRACE | {"listen": {"ingress": "127.0.0.1:0"},
                                    "ingress": {"forward_to": f"127.0.0.1:{service.server.server_address[1]}"}})

    def one(number):
        order = f"QK-{secrets.randbelow(900_000) + 100_000}"
        question = f"This is user number {number} of yours, where is my order {order}?"
        with Client(service.side.ingress) as client:
            assert client.ask("POST", "/chat", JSON, json.dumps({"question": question, "order": order}).encode(),
                              host="h").status == 200

    threads = [threading.Thread(target=one, args=(number,)) for number in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    service.server.shutdown()
    sink.wait(5 * users, where=lambda span: not is_turn(span), timeout=30)
    time.sleep(1.5)  # turns, if there are any, end
    served = {span["trace_id"]: span for span in sink.spans if span["kind"] == "SERVER"}
    assert len(served) == users and {span["trace_id"] for span in sink.spans} == set(served)
    for trace, server in served.items():
        inside = {span["span_id"]: span for span in sink.spans if span["trace_id"] == trace}
        calls = [span for span in inside.values() if span["kind"] == "CLIENT"]
        assert len(calls) == 4 and not server["parent_id"]
        # Each below the request, by its turn or by itself.
        assert all(span["parent_id"] in inside for span in inside.values() if span is not server)
        assert {span["attributes"]["sidespan.execution.id"] for span in inside.values()} == {server["span_id"]}


SCRIPT = """
import json, sys, urllib.request
model, tools, turns = sys.argv[1], sys.argv[2], int(sys.argv[3])
def post(url, document):
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    return json.loads(urllib.request.urlopen(request).read())
for number in range(turns):
    messages = [{"role": "user", "content": f"Where is order QK-48291{number}, please?"}]
    answer = post(f"{model}/{number}/chat/completions", {"model": "gpt-5-mini", "messages": messages})
    message = answer["choices"][0]["message"]
    call = message["tool_calls"][0]
    found = post(tools + "/search", json.loads(call["function"]["arguments"]))
    messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": "on its way"}]
    post(f"{model}/{number}/chat/completions", {"model": "gpt-5-mini", "messages": messages})
urllib.request.urlopen(tools + "/healthz").read()
"""


def agent_run(tmp_path, model, origin, sink, config, turns):
    for number in range(turns):
        model.answer(f"/{number}/chat/completions", plain(asks("search", {"query": f"QK-48291{number}"}, f"call_{secrets.token_hex(9)}")[1]),
                     plain(says(f"It is on its way, number {number}.")[1]))
    done = run(tmp_path, [sys.executable, "-c", SCRIPT, model.url("").rstrip("/"), origin.url("").rstrip("/"), str(turns)],
               exporting(sink.endpoint) | config, shown="tree")
    assert done.returncode == 0, done.stderr
    spans = sink.wait(4 * turns + 2)
    root, = [span for span in spans if span["kind"] == "INTERNAL" and not is_turn(span)]
    return root, [span for span in spans if is_turn(span)], spans, done.stderr


def test_turns_of_a_run_are_its_children(tmp_path, sidespan, model, origin, sink):
    root, turns, spans, shown = agent_run(tmp_path, model, origin, sink, {}, 3)
    assert len(turns) == 3 and {turn["parent_id"] for turn in turns} == {root["span_id"]}
    assert {span["trace_id"] for span in spans} == {root["trace_id"]}
    for turn in turns:
        assert source(turn) == "listener"
        assert len([span for span in spans if span["parent_id"] == turn["span_id"]]) == 3
    other, = [span for span in spans if span["parent_id"] == root["span_id"] and not is_turn(span)]
    assert other["attributes"]["url.full"].endswith("/healthz") and source(other) == "listener"
    assert {span["attributes"]["sidespan.execution.id"] for span in spans} == {root["span_id"]}
    assert "turn" in shown and "3 calls, 40 + 10 tokens" in shown


@pytest.mark.parametrize("config, in_run", [({"context": {"trace_per": "turn"}}, 0), ({"limits": {"trace_spans": 5}}, 2)])
def test_a_long_run_gets_a_trace_for_each_turn(tmp_path, sidespan, model, origin, sink, config, in_run):
    root, turns, spans, shown = agent_run(tmp_path, model, origin, sink, config, 3)
    inside = [turn for turn in turns if turn["parent_id"] == root["span_id"]]
    alone = sorted([turn for turn in turns if not turn["parent_id"]], key=lambda turn: turn["start"])
    assert len(inside) == in_run and len(alone) == 3 - in_run
    assert len({span["trace_id"] for span in spans}) == 1 + len(alone)
    for turn in alone:
        assert turn["links"][0]["span_id"] == root["span_id"]
        assert len([span for span in spans if span["parent_id"] == turn["span_id"] and span["trace_id"] == turn["trace_id"]]) == 3
    if len(alone) > 1:
        assert alone[1]["links"][1]["span_id"] == alone[0]["span_id"]
    assert shown.count("turn") == 3 and "under spans" not in shown


def test_where_the_model_fails_the_turn_goes_on(sidecar, model, sink):
    """A call that is sent again is in the same turn, and linked to the attempt before."""
    side = sidecar(GRACE)
    busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    model.answer(CHAT, [busy], plain(says("Yes.")[1]))
    body = chat(user("Is order QK-482913 on its way?"))
    post(side, model.url(CHAT), body)
    post(side, model.url(CHAT), body, [("x-stainless-retry-count", "1")])
    turn, = sink.wait(1, where=is_turn)
    first, second = sorted([span for span in sink.spans if not is_turn(span)], key=lambda span: span["start"])
    assert {first["parent_id"], second["parent_id"]} == {turn["span_id"]}
    assert [link["span_id"] for link in second["links"]] == [first["span_id"]]


def test_an_agent_that_hangs_up_ends_its_call(sidecar, model, sink):
    """A call that was given up is not under way for ever."""
    side = sidecar(IDLE | {"limits": {"half_close_time": "100ms"}})
    model.answer(CHAT, [30, CLOSE])
    with Client(side.egress) as client:
        body = chat(user("Is it?"))
        client.send(head(f"POST {model.url(CHAT)} HTTP/1.1", [("Host", "h"), *JSON, ("Content-Length", str(len(body)))]) + body)
        wait_for("the model to be asked", lambda: model.requests or None)
    call, turn = sorted(sink.wait(2), key=is_turn)
    assert call["attributes"]["sidespan.end"] == "agent_cancelled" and call["parent_id"] == turn["span_id"]


# what another conversation may say by chance


MOUNTAIN = "What is the tallest mountain in Chile?"
GREETING = "And how would one say bonjour in English, in short?"
CHECKS = "Let me check that for you."
BOOKING = "Let me look that up in our booking system for you."
NO_ACCESS = "I do not have access to your account details."
SORRY = "I'm sorry, but I can't help with that request."
PEAKS = {"query": "all mountains of Chile that are higher than six thousand metres"}
PROGRAM = {"role": "system", "content": "You are a helpful assistant."}


def step(arguments, call, text=None):
    message, _ = asks("get_weather", arguments, call)
    return message | {"content": text}


def history(text, call="call_5be0917afc", result="Sunny, 21 degrees in the shade."):
    """A conversation that this sidecar never saw, as one has that was kept in a database."""
    return [user(MOUNTAIN), step({"city": "Rome"}, call, text), {"role": "tool", "tool_call_id": call, "content": result},
            user(GREETING)]


@pytest.mark.parametrize("asked_by_first, answer, second", [
    (user("Where is my order QK-482913 please?"), step({"order": "QK-482913"}, "call_93e1f07a2b", CHECKS), history(CHECKS)),
    (user(MOUNTAIN), step({"peak": "Ojos del Salado"}, "call_93e1f07a2b"), history("Chile has many of them.")),
    (user(MOUNTAIN), step(PEAKS, "call_93e1f07a2b"), [
        user(MOUNTAIN), step(PEAKS, "call_5be0917afc"), {"role": "tool", "tool_call_id": "call_5be0917afc", "content": "Six."},
        user(GREETING)]),
    (user(MOUNTAIN), says(BOOKING)[0], [
        user(MOUNTAIN), says(BOOKING)[0], user("Where is the parcel?"), says("It waits in the depot of Trondheim since Friday.")[0],
        user("And who pays for the broken violin inside?")]),
    (user("How is the weather in the French capital?"), step({"city": "Paris"}, "functions.get_weather:12"),
     history(None, "functions.get_weather:12")),
    (user("How do I run two coroutines at once?"), step({"url": "https://docs.example/3/library/asyncio.html"}, "call_93e1f07a2b"),
     [user("My team moves to the standard library next quarter; write a plan for our managers, in German, with "
           "https://docs.example/3/library/asyncio.html as its only reference.")]),
    (user("Find out about the thing we spoke of."), step({"subject": "FY2026"}, "call_93e1f07a2b"),
     [user("Write a poem for my grandmother Elsa who likes gardening, and mention FY2026 in its third line.")]),
    (user("Where is my order QK-482913 please?"), step({"order": "QK-482913"}, "call_93e1f07a2b", BOOKING),
     [user("Previous conversation:\nHuman: I want to change my seat on the flight to Oslo next month, please.\n"
           f"AI: {BOOKING}\nHuman: Thanks. Which seats are near a window?\nAI: Rows nine to twelve have free window seats on "
           "that day, for an extra charge.\nHuman: Take one of them and send the receipt to my office.\nAI:")]),
    (user("Where is my order QK-482913 please?"), step({"order": "QK-482913"}, "call_93e1f07a2b", f"{NO_ACCESS} Please contact support."),
     [{"role": "system", "content": "You answer for the museum, politely and in short sentences.\nWhere you are asked about a "
       f"person, say this.\n{NO_ACCESS}\nNever tell the price of a painting, nor who lent it to us."},
      user("When do you open on Sunday?")]),
    (user("Where is my order QK-482913 please?"), step({"order": "QK-482913"}, "call_93e1f07a2b", SORRY),
     [user(f"Explain what chatbots say to my class of twelve-year-olds with three examples. {SORRY} Which words are rude?")]),
    (user("How do I run two coroutines at once?"), step({"url": "https://docs.example/3/library/asyncio.html"}, "call_93e1f07a2b"),
     [user("My team moves to the standard library next quarter; write a plan for our managers, in German, with this as its "
           "only reference:\nhttps://docs.example/3/library/asyncio.html")]),
], ids=["the same sentence", "the same question", "and the same is asked of a tool", "and answered, and then another thing", "an id that counts", "the same page", "the same word",
        "a sentence in a history of one text", "a sentence among instructions", "a sentence that is quoted", "a page on its line"])
def test_who_says_the_same_by_chance_is_not_the_one_that_was_heard(sidecar, model, sink, asked_by_first, answer, second):
    side = sidecar()
    model.answer("/a" + CHAT, plain(completion(answer, "tool_calls")))
    model.answer("/b" + CHAT, plain(says("It is fine.")[1]))
    post(side, model.url("/a" + CHAT), chat(PROGRAM, asked_by_first))
    post(side, model.url("/b" + CHAT), chat(PROGRAM, *second))
    first, other = sorted(sink.wait(2, where=asked), key=lambda span: span["start"])
    assert first["trace_id"] != other["trace_id"] and source(other) == "root"


def test_a_word_that_many_know_ties_no_tool_to_who_said_it(sidecar, model, origin, sink):
    side = sidecar()
    words = ["FY2026", "iphone15", "windows11", "eu-central-1", "python3.12", "90210", "net-zero-2050", "QK-482913"]
    model.answer(CHAT, plain(asks("lookup", {f"subject {number}": word for number, word in enumerate(words)})[1]))
    post(side, model.url(CHAT), chat(user("Please find out about the things we spoke of.")))
    for word in words:
        get(side, origin.url(f"/r?q={word}"))
    spans = sink.wait(len(words), where=lambda span: asked(span) == "GET")
    assert [span["attributes"]["url.full"].partition("q=")[2] for span in spans if source(span) == "echo"] == ["QK-482913"]


@pytest.mark.parametrize("failed", [True, False])
def test_who_says_that_he_asks_again_does_so_after_a_failure(sidecar, model, sink, failed):
    """Two who ask the same are told apart by that; of one the first attempt may never have come here."""
    side = sidecar()
    busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    model.answer(CHAT, [busy] if failed else plain(says("Nothing to report.")[1]), plain(says("Nothing.")[1]))
    body = chat(PROGRAM, user("Write the nightly report of all open incidents."))
    post(side, model.url(CHAT), body)
    post(side, model.url(CHAT), body, [("x-stainless-retry-count", "1")])
    first, second = sorted(sink.wait(2, where=asked), key=lambda span: span["start"])
    assert (first["parent_id"] == second["parent_id"]) == failed


def test_who_gave_up_waiting_may_ask_again_at_once(sidecar, model, sink):
    """A client closes its connection then, which may be by FIN: that the call is over is known long after."""
    side = sidecar({"limits": {"half_close_time": "2s"}})
    model.answer(CHAT, [30, CLOSE], plain(says("Nothing.")[1]))
    body = chat(PROGRAM, user("Write the nightly report of all open incidents."))
    with Client(side.egress) as client:
        client.send(head(f"POST {model.url(CHAT)} HTTP/1.1", [("Host", "h"), *JSON, ("Content-Length", str(len(body)))]) + body)
        wait_for("the model to be asked", lambda: model.requests or None)
        client.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        post(side, model.url(CHAT), body, [("x-stainless-retry-count", "1")])
    first, second = sorted(sink.wait(2, where=asked), key=lambda span: span["start"])
    assert first["parent_id"] == second["parent_id"]


def test_a_prompt_that_a_model_said_ties_whom_it_is_told(sidecar, model, sink):
    """In whatever template, and though what follows is new: a sub-agent, and a scratchpad in one message."""
    side = sidecar()
    task = "Find out which ferries reach the island of Hydra before noon."
    model.answer(CHAT, plain(asks("delegate", {"task": task})[1]), plain(says("At nine and at eleven.")[1]))
    post(side, model.url(CHAT), chat(PROGRAM, user("How do I get to Hydra?")))
    frame = ("You are part of a crew and have one task.\nCurrent task: {}\nThis is what is expected of the final answer: a "
             "list of all departures with their ports, without any summary.\nWhat is known so far: " + "the sea is calm. " * 30)
    post(side, model.url(CHAT), chat(user(frame.format(task))))
    first, second = sorted(sink.wait(2, where=asked), key=lambda span: span["start"])
    assert first["parent_id"] == second["parent_id"] and source(second) == "echo"


@pytest.mark.parametrize("pause", [1.5, 5])
def test_a_tool_that_a_person_allows_late_is_not_another_turn_s(sidecar, model, origin, sink, pause):
    side = sidecar({"context": {"turn_idle": "1s"}})
    wish = {"city": "Paris", "unit": "celsius", "lang": "french"}
    for path, question in (("/a" + CHAT, "Do I need an umbrella in the French capital?"), ("/b" + CHAT, "A picnic by the Seine?")):
        model.answer(path, plain(asks("get_weather", wish, "call_" + secrets.token_hex(10))[1]))
        post(side, model.url(path), chat(user(question)))
        time.sleep(pause if path.startswith("/a") else 0)
    for _ in range(2):
        get(side, origin.url("/weather?city=Paris&unit=celsius&lang=french"))
    assert {source(span) for span in sink.wait(2, where=lambda span: asked(span) == "GET")} == {"root"}
