"""An agent of a framework works on several users' questions at once, over its own connections, and propagates nothing:
one subtree a question, and what it took is what the model handed out. As a server that lives on behind a shared
sidecar, and under `sidespan run`.
"""

import http.client
import json
import re
import secrets
import socket
import subprocess
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import peers
from agent_server import behind
from meaning import INPUT, OUTPUT
from sidecar import exporting, run
from spans import is_turn
from test_mcp import McpServer, Pair

CALLS_OF = Path(__file__).resolve().parent / "clients" / "calls"
SCRIPT = CALLS_OF / "agents_turns.py"
COST = "sidespan.cost.usd"
CONFIG = {"prices": [{"model": "gpt-5*", "input": 1, "output": 3}], "context": {"turn_grace": "300ms"},
          "limits": {"lineage_hold_time": "2s"}}  # a busy machine may send a body late
TURNS, USERS, TOOLS = 10, 5, 2
CALLS = 2 * TOOLS + 1  # of a turn: a tool after each answer of the model but the last


class World:
    """The model and the tool, and who was asked what: for each question the spans of its calls, and tokens."""

    def __init__(self, origin):
        self.origin = origin
        self.lock = threading.Lock()
        self.parcels = {}  # of whose question
        self.calls = defaultdict(list)
        self.tokens = defaultdict(lambda: [0, 0])
        self.number = 0
        origin.answer("/v1/chat/completions", [self.model])
        origin.answer("/track", [self.tool])
        self.questions = [f"This is {name}, where is order QK-{secrets.randbelow(900_000) + 100_000}?"
                          for name in ("Ada", "Bob", "Cleo", "Dan", "Eve") for _ in range(TURNS // USERS)]

    def model(self, sock, reader, request):
        messages = json.loads(request.body)["messages"]
        question = next(one["content"] for one in messages if one["role"] == "user")
        given = sum(one["role"] == "tool" for one in messages)
        message, reason = {"role": "assistant", "content": "It is on its way: " + secrets.token_hex(6)}, "stop"
        with self.lock:
            self.number += 1
            tokens = (100 + 10 * self.number, 40 + self.number)
            self.calls[question].append(span_of(request))
            self.tokens[question] = [sum(pair) for pair in zip(self.tokens[question], tokens)]
            if given < TOOLS:
                parcel = f"parcel-{secrets.token_hex(8)}"
                self.parcels[parcel] = question
                function = {"name": "track", "arguments": json.dumps({"parcel": parcel})}
                message = {"role": "assistant", "content": None, "tool_calls": [
                    {"id": "call_" + secrets.token_hex(12), "type": "function", "function": function}]}
                reason = "tool_calls"
        send(sock, {"id": "chatcmpl-" + secrets.token_hex(12), "object": "chat.completion", "created": 1790000000,
                    "model": "gpt-5-mini", "choices": [{"index": 0, "message": message, "finish_reason": reason}],
                    "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1],
                              "total_tokens": sum(tokens)}})

    def tool(self, sock, reader, request):
        parcel = re.search("parcel-[0-9a-f]+", request.target)[0]
        with self.lock:
            self.calls[self.parcels[parcel]].append(span_of(request))
        send(sock, {"parcel": parcel, "depot": "depot-" + secrets.token_hex(8)})

    def cost(self, question):
        return (self.tokens[question][0] + 3 * self.tokens[question][1]) / 1e6

    def arguments(self):
        return self.origin.url("/v1"), self.origin.url("/track")


def send(sock, document):
    body = json.dumps(document).encode()
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def span_of(request):
    return request.get("traceparent").split("-")[2]


def check_tree(world, spans, told):
    """One turn a question, everything below it, and all that it took."""
    by_id = {span["span_id"]: span for span in spans}
    turns = [span for span in spans if is_turn(span)]
    assert len(turns) == TURNS
    owners = {}
    for question in world.questions:
        calls = [by_id[one] for one in world.calls[question]]
        assert len(calls) == CALLS
        turn, = {call["parent_id"] for call in calls}
        turn = owners[question] = by_id[turn]
        assert is_turn(turn) and turn["name"] == "invoke_agent"
        assert {call["trace_id"] for call in calls} == {turn["trace_id"]}
        assert [call["attributes"]["sidespan.turn.step"] for call in calls] == list(range(1, CALLS + 1))
        counted, took = told[question], turn["attributes"]
        assert [counted["input"], counted["output"]] == world.tokens[question]
        assert [took[INPUT], took[OUTPUT]] == world.tokens[question]
        for key, whole in ((INPUT, took[INPUT]), (OUTPUT, took[OUTPUT]), (COST, pytest.approx(took[COST]))):
            assert sum(call["attributes"].get(key, 0) for call in calls) == whole
        assert took[COST] == pytest.approx(world.cost(question))
    assert len({turn["span_id"] for turn in owners.values()}) == TURNS
    return turns


def test_a_server_that_lives_on(sidecar, origin, sink):
    world = World(origin)
    side = sidecar(CONFIG)
    proxy = "http://{}:{}".format(*side.egress)
    server = subprocess.Popen([f"{peers.made('sdks')}/bin/python", SCRIPT, "serve", *world.arguments()],
                              env={"PATH": "/usr/bin:/bin", "http_proxy": proxy}, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())

        def ask(question):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("POST", "/", body=question)
            return json.loads(connection.getresponse().read())

        with ThreadPoolExecutor(USERS) as users:
            told = dict(zip(world.questions, users.map(ask, world.questions)))
    finally:
        server.kill()
        server.wait()
    spans = sink.wait(TURNS * (CALLS + 1), timeout=30)
    turns = check_tree(world, spans, told)
    assert not any(turn["parent_id"] for turn in turns)
    assert len({turn["trace_id"] for turn in turns}) == TURNS
    # The metrics count each token once.
    counted = side.metrics().total("gen_ai_client_token_usage_sum")
    assert counted == sum(sum(tokens) for tokens in world.tokens.values())


def test_under_run(tmp_path, origin, sink):
    world = World(origin)
    done = run(tmp_path, [f"{peers.made('sdks')}/bin/python", SCRIPT, "run", *world.arguments(), *world.questions],
               exporting(sink.endpoint) | CONFIG, {}, timeout=120, shown="tree")
    assert done.returncode == 0, done.stderr
    spans = sink.wait(TURNS * (CALLS + 1) + 1, timeout=30)
    turns = check_tree(world, spans, json.loads(done.stdout))
    root, = [span for span in spans if span["kind"] == "INTERNAL" and not is_turn(span)]
    assert {(turn["trace_id"], turn["parent_id"]) for turn in turns} == {(root["trace_id"], root["span_id"])}
    sums = [sum(part) for part in zip(*world.tokens.values())]
    cost = sum(world.cost(question) for question in world.questions)
    assert f" {sums[0]} + {sums[1]} tokens, ${cost:.4f} " in done.stderr, "the run's sum counts each token once"


class Desk:
    """A model that asks for a tool over HTTP and one of an MCP server at once, then answers; and who was asked what."""

    def __init__(self, origin):
        self.origin = origin
        self.calls = {}  # by parcel: the spans that asked the model
        origin.answer("/v1/chat/completions", [self.model])
        origin.answer("/track", [self.tool])

    def model(self, sock, reader, request):
        messages = json.loads(request.body)["messages"]
        question = next(one["content"] for one in messages if one["role"] == "user")
        parcel = re.search("parcel-[0-9a-f]+", question)[0]
        self.calls.setdefault(parcel, []).append(span_of(request))
        message, reason = {"role": "assistant", "content": f"It is there: {parcel}"}, "stop"
        if not any(one["role"] == "tool" for one in messages):
            message, reason = {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_" + secrets.token_hex(12), "type": "function",
                 "function": {"name": name, "arguments": json.dumps({"parcel": parcel})}}
                for name in ("track", "depot")]}, "tool_calls"
        send(sock, {"id": "chatcmpl-" + secrets.token_hex(12), "object": "chat.completion", "created": 1790000000,
                    "model": "gpt-5-mini", "choices": [{"index": 0, "message": message, "finish_reason": reason}],
                    "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}})

    def tool(self, sock, reader, request):
        time.sleep(0.3)
        send(sock, {"parcel": re.search("parcel-[0-9a-f]+", request.target)[0]})


@pytest.fixture
def desk(sidecar, origin, tmp_path):
    """(a sidecar in front of the agent's server, its desk)"""
    desk = Desk(origin)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    side = sidecar(CONFIG | behind(port))
    with McpServer(Pair("python", "python", "json"), tmp_path) as depots:
        server = subprocess.Popen([f"{peers.made('sdks')}/bin/python", CALLS_OF / "agents_served.py", origin.url("/v1"),
                                   origin.url("/track"), f"http://127.0.0.1:{depots.port}/mcp", str(port)],
                                  env={"PATH": "/usr/bin:/bin", "http_proxy": "http://{}:{}".format(*side.egress)},
                                  stdout=subprocess.PIPE, text=True)
        try:
            assert int(server.stdout.readline()) == port
            yield side, desk
        finally:
            server.kill()
            server.wait()


@pytest.mark.parametrize("users", [1, 8])
def test_a_request_to_an_agent_is_one_tree_with_links(desk, sink, users):
    side, desk = desk
    parcels = [f"parcel-{secrets.token_hex(8)}" for _ in range(users)]
    ready = threading.Barrier(users)

    def ask(parcel):
        ready.wait()
        connection = http.client.HTTPConnection(*side.ingress, timeout=60)
        connection.request("POST", "/", body=json.dumps({"text": f"Where is {parcel}?"}),
                           headers={"Content-Type": "application/json"})
        return connection.getresponse().read().decode()

    with ThreadPoolExecutor(users) as pool:
        assert list(pool.map(ask, parcels)) == [f"It is there: {parcel}" for parcel in parcels]
    served = sink.wait(users, where=lambda span: span["kind"] == "SERVER", timeout=30)
    asked = {span["span_id"]: span for parcel in parcels for span in sink.wait(
        2, where=lambda span, parcel=parcel: span["span_id"] in desk.calls[parcel])}
    time.sleep(2)
    by_id = {span["span_id"]: span for span in sink.spans}
    trees = defaultdict(list)
    for span in sink.spans:
        trees[span["trace_id"]].append(span)
    assert len({span["trace_id"] for span in served}) == users
    for parcel in parcels:
        first, second = (asked[one] for one in desk.calls[parcel])
        tree = trees[first["trace_id"]]
        root, = [span for span in tree if not span["parent_id"]]
        assert root["kind"] == "SERVER"
        assert all(span["parent_id"] in by_id for span in tree if span is not root)
        calls = [span for span in tree if span["kind"] == "CLIENT"]
        http_tool, = [span for span in calls if f"/track?parcel={parcel}" in span["attributes"]["url.full"]]
        mcp_tool, = [span for span in calls if span["attributes"].get("gen_ai.tool.name") == "depot"]
        assert {span["span_id"] for span in calls} == {one["span_id"] for one in (first, http_tool, mcp_tool, second)}
        # Both at once, where no other question is in the MCP client's way.
        if users == 1:
            assert max(http_tool["start"], mcp_tool["start"]) < min(http_tool["end"], mcp_tool["end"])
        for tool in http_tool, mcp_tool:
            assert [link["span_id"] for link in tool["links"]] == [first["span_id"]]
