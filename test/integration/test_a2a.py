"""A2A between its own SDK under `sidespan run`: each call of an agent is one span that says which, and what came of it.

Client and agent are those of the Python SDK, over both bindings and in both generations of the protocol. The agent
reports each request it was sent, with the parent it was told of; the client reports what the SDK made of each answer.
From both follows what each span must say.
"""

import json
import subprocess
import threading
from collections import namedtuple
from pathlib import Path

import pytest

import peers
from meaning import ABSENT, differences
from otlp_sink import OtlpSink
from sidecar import environment, exporting, run
from wire import wait_for

CALLS = Path(__file__).resolve().parent / "clients" / "calls"
TIMEOUT = 240

Talk = namedtuple("Talk", "binding version how", defaults=((),))
TALKS = {
    "jsonrpc-1.0": Talk("JSONRPC", "1.0"),
    "jsonrpc-0.3": Talk("JSONRPC", "0.3"),
    "jsonrpc-0.3-undeclared": Talk("JSONRPC", "0.3", ("undeclared",)),
    "rest-1.0": Talk("HTTP+JSON", "1.0"),
    "rest-0.3": Talk("HTTP+JSON", "0.3"),
    "rest-0.3-undeclared": Talk("HTTP+JSON", "0.3", ("undeclared",)),
}


def program(stem):
    return [f"{peers.made('a2a')}/bin/python", str(CALLS / f"{stem}.py")]


class Agent:
    """An agent's process, and the requests it was sent as it reports them."""

    def __init__(self, talk, directory):
        self.seen = []
        self.port = None
        self.process = subprocess.Popen([*program("a2a_agent"), *talk[:2]], env=environment(directory), text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        threading.Thread(target=self._watch, daemon=True).start()
        try:
            wait_for("port of the agent", lambda: self.port or self.process.poll() is not None, TIMEOUT)
            assert self.port, self.process.stderr.read()
        except AssertionError:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def _watch(self):
        self.port = int(self.process.stdout.readline() or 0)
        for line in self.process.stdout:
            self.seen.append(json.loads(line))


class Talked:
    """One client's talk with one agent through sidespan."""

    def __init__(self, talk, directory):
        sink = OtlpSink()
        with Agent(talk, directory) as agent:
            done = run(directory, [*program("a2a_calls"), *talk[:2], f"http://127.0.0.1:{agent.port}", *talk.how],
                       exporting(sink.endpoint), {"PYTHONHASHSEED": "0"}, timeout=TIMEOUT)
            assert done.returncode == 0, done.stderr
            self.said = [json.loads(line) for line in done.stdout.splitlines()]
            self.spans = sink.wait(1 + len(self.said), where=lambda span: span["name"] != "CONNECT")
            self.seen = list(agent.seen)
        sink.stop()

    def calls(self):
        """(what the client said, what the agent was sent, the span) of each, in order."""
        assert len(self.said) == len(self.seen)
        by_id = {span["span_id"]: span for span in self.spans}
        return [(said, seen, by_id[seen["traceparent"].split("-")[2]]) for said, seen in zip(self.said, self.seen)]


@pytest.fixture(scope="module")
def once():
    """{talk: its Talked, or what went wrong}: a run that failed would fail again."""
    return {}


@pytest.fixture
def talked(talk, once, sidespan, tmp_path_factory):
    if talk not in once:
        try:
            once[talk] = Talked(TALKS[talk], tmp_path_factory.mktemp(talk))
        except (AssertionError, subprocess.TimeoutExpired) as fault:
            once[talk] = fault
    if isinstance(once[talk], Exception):
        raise once[talk]
    return once[talk]


def expected(talk, said, seen):
    """Attributes by the conventions for A2A."""
    over_rpc = talk.binding == "JSONRPC"
    error = None
    if over_rpc and said["code"] is not None:
        error = str(said["code"])
    elif seen["status"] >= 400:
        error = str(seen["status"])
    return {
        "a2a.method.name": said["method"],
        "a2a.protocol.version": ABSENT if talk.how else talk.version,
        "a2a.message.id": said["message"] or ABSENT,
        "a2a.task.id": said["task"] or ABSENT,
        "a2a.task.state": said["state"] or ABSENT,
        "gen_ai.conversation.id": said["context"] or ABSENT,
        "jsonrpc.request.id": str(seen["document"]["id"]) if over_rpc else ABSENT,
        "rpc.response.status_code": error if over_rpc and error else ABSENT,
        "error.type": error or ABSENT,
        "http.response.status_code": seen["status"],
        "mcp.method.name": ABSENT,
        "gen_ai.operation.name": ABSENT,
    }


def is_anybodys(talk, said, seen):
    """Paths like /v1/tasks/ID are common, and a refusal shows no task."""
    return talk.binding != "JSONRPC" and talk.how and said["method"] in ("GetTask", "CancelTask") and \
        seen["status"] >= 400


@pytest.mark.parametrize("talk", TALKS)
def test_each_call_is_one_span_that_says_which(talk, talked):
    methods = set()
    for said, seen, span in talked.calls():
        if said["method"] == "card":
            continue
        methods.add(said["method"])
        if is_anybodys(TALKS[talk], said, seen):
            assert span["name"] == seen["method"] and "a2a.method.name" not in span["attributes"]
            continue
        wanted = expected(TALKS[talk], said, seen)
        assert not differences(span["attributes"], wanted), said
        assert span["name"] == said["method"]
        assert span["kind"] == "CLIENT"
        assert span["status"] == ("ERROR" if wanted["error.type"] != ABSENT else "UNSET")
    assert {"SendMessage", "SendStreamingMessage", "GetTask", "CancelTask"} <= methods


@pytest.mark.parametrize("talk", TALKS)
def test_states_and_errors_were_all_met(talk, talked):
    """What the client saw is what there was to see: else the test above would prove little."""
    states = {said["state"] for said in talked.said if said.get("state")}
    assert {"TASK_STATE_COMPLETED", "TASK_STATE_INPUT_REQUIRED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED"} <= states
    if TALKS[talk].binding == "JSONRPC":
        assert {-32001, -32002, -32603} <= {said["code"] for said in talked.said if said.get("code")}
    else:
        assert {400, 404, 500} <= {seen["status"] for seen in talked.seen}


@pytest.mark.parametrize("talk", TALKS)
def test_events_of_a_stream_are_counted(talk, talked):
    counted = [(said, span) for said, _, span in talked.calls() if said.get("events")]
    assert len(counted) >= 3
    for said, span in counted:
        assert span["attributes"]["sidespan.stream.events"] == said["events"], said


@pytest.mark.parametrize("talk", TALKS)
def test_a_card_says_who_the_agent_is(talk, talked):
    cards = [span for said, seen, span in talked.calls() if said["method"] == "card"]
    assert len(cards) == 2
    for span in cards:
        assert span["name"] == "GET"
        assert span["attributes"]["gen_ai.agent.name"] == "Worker"
        assert span["attributes"]["gen_ai.agent.version"] == "3.2.1"
        assert "a2a.method.name" not in span["attributes"]
