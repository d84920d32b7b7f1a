"""Model calls over a WebSocket: the openai SDK's Responses under `sidespan run`, where each call is a child of its own."""

import json
import subprocess
from pathlib import Path

import pytest

import peers
from meaning import APIS, differences, expected
from model_apis.server import ModelServer
from origin import CLOSE, NO_BODY
from sidecar import environment, exporting, run
from spans import is_turn
from wire import Client, head

SCRIPT = Path(__file__).resolve().parent / "clients" / "calls" / "openai_websocket_calls.py"
TIMEOUT = 240


def played(authority, sink, directory, scenes, packed, **more):
    """The scripted models' calls, what the SDK said of each, and the spans."""
    words = [f"{peers.made('sdks')}/bin/python", SCRIPT, "packed" if packed else "plain", *scenes]
    env = {"OPENAI_API_KEY": "secret"}
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}} | more
    with ModelServer(authority, packed) as server:
        straight = subprocess.run(words, env=environment(directory, env | server.environment()), text=True,
                                  timeout=TIMEOUT, stdin=subprocess.DEVNULL, capture_output=True)
        assert straight.returncode == 0, straight.stderr
    with ModelServer(authority, packed) as server:
        inherited = {name: value for name, value in server.environment().items() if "PROXY" in name.upper()}
        done = run(directory, words, config, env | inherited, timeout=TIMEOUT)
        assert done.returncode == 0, done.stderr
        assert not server.others and not server.faults
        calls = list(server.calls)
    assert done.stdout == straight.stdout
    return calls, json.loads(done.stdout)["calls"]


def socket_and_children(sink, calls):
    """Calls of models are in turns below it."""
    sink.wait(1 + len(calls), where=lambda span: span["kind"] == "CLIENT")
    socket, = [span for span in sink.spans if span["span_id"] == calls[0].span_id]
    turns = [turn["span_id"] for turn in sink.wait(1, where=is_turn) if turn["parent_id"] == socket["span_id"]]
    children = sorted((span for span in sink.spans if span["parent_id"] in turns), key=lambda span: span["start"])
    return socket, children


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_each_call_is_a_child_of_the_socket(authority, sink, tmp_path, packed):
    calls, said = played(authority, sink, tmp_path, ["plain", "cached", "tools", "cut"], packed)
    assert len(calls) == len(said) == 4
    extensions = [call.request.get("sec-websocket-extensions") for call in calls]
    assert all(("permessage-deflate" in (offered or "")) == packed for offered in extensions)
    socket, children = socket_and_children(sink, calls)
    assert socket["kind"] == "CLIENT" and socket["attributes"]["http.response.status_code"] == 101
    assert socket["attributes"]["sidespan.websocket.messages.sent"] == 4
    assert "gen_ai.operation.name" not in socket["attributes"]
    assert [(span["name"], span["kind"]) for span in children] == [("chat gpt-5", "CLIENT")] * 4
    for span, one in zip(children, said, strict=True):
        assert not differences(span["attributes"], expected(APIS["openai-responses"], one))
        assert span["attributes"].get("gen_ai.request.previous_response.id") == one.get("previous")
        assert span["attributes"]["server.address"] == "api.openai.com"
        assert span["attributes"]["sidespan.end"] == "complete"
        assert socket["start"] <= span["start"] < span["end"] <= socket["end"]


def test_a_call_that_fails_and_one_that_its_connection_ends(authority, sink, tmp_path):
    calls, said = played(authority, sink, tmp_path, ["plain", "failing", "broken"], False)
    assert len(calls) == len(said) == 3
    _, (whole, failed, broken) = socket_and_children(sink, calls)
    assert "error.type" not in whole["attributes"] and whole["status"] == "UNSET"
    assert failed["attributes"]["error.type"] == "server_error" and failed["status"] == "ERROR"
    assert failed["attributes"]["gen_ai.response.finish_reasons"] == ["error"]
    assert broken["attributes"]["gen_ai.response.id"] == said[2]["id"]
    assert broken["attributes"]["gen_ai.response.finish_reasons"] == ["error"]
    assert broken["attributes"]["error.type"] == "truncated" and broken["status"] == "ERROR"
    assert broken["attributes"]["sidespan.end"] == "origin_closed"


def test_an_agent_that_counts_itself_keeps_its_tokens(authority, sink, tmp_path):
    calls, _ = played(authority, sink, tmp_path, ["plain"], False, context={"agent_is_instrumented": "yes"})
    _, (child,) = socket_and_children(sink, calls)
    assert child["name"] == "chat gpt-5" and "gen_ai.usage.input_tokens" not in child["attributes"]


def frame(opcode, payload, mask=None):
    size = bytes([len(payload) | (0x80 if mask else 0)]) if len(payload) < 126 else (
        bytes([126 | (0x80 if mask else 0)]) + len(payload).to_bytes(2, "big"))
    body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return bytes([opcode]) + size + (mask or b"") + body


CREATE = frame(0x81, b'{"type":"response.create","model":"gpt-5","input":"hi"}', b"abcd")
UPGRADE = [("Host", "h"), ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
           ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")]
ITEM = {"type": "function_call", "id": "fc_1", "call_id": "call_7f3a9c1d5e2b8460aa17", "name": "search",
        "arguments": '{"query": "QK-482913"}'}


def create(*inputs, **more):
    return {"type": "response.create", "model": "gpt-5", "input": list(inputs)} | more


def answer(number, *output):
    response = {"id": f"resp_{number}8b1f0c9d2e7a6453", "model": "gpt-5", "status": "completed", "output": list(output),
                "usage": {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25}}
    return [{"type": "response.created", "response": response | {"status": "in_progress", "output": []}},
            *({"type": "response.output_item.done", "output_index": 0, "item": item} for item in output),
            {"type": "response.completed", "response": response}]


class Talk:
    """A WebSocket on which a scripted model answers each message."""

    def __init__(self, side, origin, answers, fields=()):
        def play(sock, reader, request):
            sock.sendall(head("HTTP/1.1 101 Switching Protocols", ["Connection: Upgrade", "Upgrade: websocket"]))
            for events in answers:
                first = reader.exactly(2)
                size = first[1] & 127
                reader.exactly((int.from_bytes(reader.exactly(2), "big") if size == 126 else size) + 4)
                sock.sendall(b"".join(frame(0x81, json.dumps(event).encode()) for event in events))
            reader.exactly(2)

        origin.answer("/v1/responses", [NO_BODY, play, CLOSE])
        self.agent = Client(side.egress)
        self.agent.send(head(f"GET {origin.url('/v1/responses')} HTTP/1.1", [*UPGRADE, *fields]))
        assert self.agent.reader.head().status == 101

    def ask(self, document, events):
        self.agent.send(frame(0x81, json.dumps(document).encode(), b"abcd"))
        expected = b"".join(frame(0x81, json.dumps(event).encode()) for event in events)
        assert self.agent.reader.exactly(len(expected)) == expected

    def end(self):
        self.agent.send(frame(0x88, b"\x03\xe8", b"abcd"))
        self.agent.close()


def test_calls_there_are_in_turns_with_the_tools_that_they_ask_for(sidecar, origin, sink):
    side = sidecar({"context": {"turn_grace": "300ms"}})
    wished, lasted, other = answer(1, ITEM), answer(2), answer(3)
    talk = Talk(side, origin, [wished, lasted, other])
    talk.ask(create({"role": "user", "content": "Where is it?"}), wished)
    with Client(side.egress) as client:
        client.ask("POST", origin.url("/search"), [("Content-Type", "application/json")], ITEM["arguments"].encode())
    talk.ask(create({"type": "function_call_output", "call_id": ITEM["call_id"], "output": "-"},
                    previous_response_id=wished[0]["response"]["id"]), lasted)
    talk.ask(create({"role": "user", "content": "Something else, then?"}), other)
    talk.end()
    socket, = [span for span in sink.wait(1 + 4, where=lambda span: span["kind"] == "CLIENT")
               if "sidespan.websocket.messages.sent" in span["attributes"]]
    first, second = sorted(sink.wait(2, where=is_turn), key=lambda span: span["start"])
    assert {turn["parent_id"] for turn in (first, second)} == {socket["span_id"]}
    assert {span["trace_id"] for span in sink.spans} == {socket["trace_id"]}
    calls = sorted((span for span in sink.spans if span["kind"] == "CLIENT" and span is not socket), key=lambda span: span["start"])
    assert [call["parent_id"] for call in calls] == [first["span_id"]] * 3 + [second["span_id"]]
    assert [call["attributes"]["sidespan.turn.step"] for call in calls] == [1, 2, 3, 1]
    assert [call["attributes"]["sidespan.parent.source"] for call in calls] == ["root", "echo", "id", "root"]
    assert [link["span_id"] for link in calls[1]["links"]] == [calls[0]["span_id"]]
    assert first["attributes"]["gen_ai.usage.input_tokens"] == 40 and first["attributes"]["sidespan.parent.source"] == "root"
    assert first["start"] <= calls[0]["start"] and second["start"] <= calls[3]["start"]
    assert side.metrics().total("sidespan_lineage_blind_total") == 0


def test_and_one_in_a_trace_that_the_agent_names_is_linked(sidecar, origin, sink):
    """Its parent is the WebSocket's, as the agent says."""
    side = sidecar()
    wished = answer(1, ITEM)
    trace = "0af7651916cd43dd8448eb211c80319c"
    fields = [("traceparent", f"00-{trace}-b7ad6b7169203331-01")]
    talk = Talk(side, origin, [wished], fields)
    talk.ask(create({"role": "user", "content": "Where is it?"}), wished)
    with Client(side.egress) as client:
        client.ask("POST", origin.url("/search"), [("Content-Type", "application/json"), *fields], ITEM["arguments"].encode())
    talk.end()
    spans = sink.wait(3)
    socket, = [span for span in spans if "sidespan.websocket.messages.sent" in span["attributes"]]
    call, = [span for span in spans if span["parent_id"] == socket["span_id"]]
    search, = [span for span in spans if span["attributes"]["url.full"].endswith("/search")]
    assert {span["trace_id"] for span in spans} == {trace} and not any(is_turn(span) for span in spans)
    assert [link["span_id"] for link in search["links"]] == [call["span_id"]]


# The answer's extension, how often it is asked, what the server says; why nothing is read, and how many calls that is.
UNREAD = {
    "extension": ("x-other", 2, b"", 0),
    "malformed": ("", 2, b"\x83\x00", 2),
    "limit": ("", 17, b"", 17),
}


@pytest.mark.parametrize("reason", UNREAD)
def test_calls_that_are_not_read_are_counted(sidecar, origin, sink, reason):
    extension, times, said, lost = UNREAD[reason]
    extra = [f"Sec-WebSocket-Extensions: {extension}"] if extension else []

    def play(sock, reader, request):
        sock.sendall(head("HTTP/1.1 101 Switching Protocols", ["Connection: Upgrade", "Upgrade: websocket", *extra]))
        assert reader.exactly(len(CREATE) * times) == CREATE * times
        sock.sendall(said + frame(0x88, b"\x03\xe8"))

    origin.answer("/v1/responses", [NO_BODY, play, CLOSE])
    side = sidecar()
    with Client(side.egress) as agent:
        agent.send(head(f"GET {origin.url('/v1/responses')} HTTP/1.1", UPGRADE))
        assert agent.reader.head().status == 101
        agent.send(CREATE * times)
        assert agent.reader.rest() == said + frame(0x88, b"\x03\xe8")
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.websocket.unread"] == reason
    metrics = side.metrics()
    for name, count in (("sidespan_model_websockets_unread_total", 1), ("sidespan_model_websocket_calls_lost_total", lost)):
        found = {sample.labels["reason"]: sample.value for sample in metrics.all(name)}
        assert found == dict.fromkeys(("extension", "malformed", "limit", "memory"), 0) | {reason: count}
    assert metrics.total("sidespan_lineage_blind_total") == 1  # whatever it says may be what others said
