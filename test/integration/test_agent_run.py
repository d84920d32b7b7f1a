"""An agent of a framework under `sidespan run`: ten turns with tools, and every model call of it has its meaning.

The framework (openai-agents) is unmodified and knows nothing of sidespan; what it counted itself, and what the model
handed out, is what the spans must add up to.
"""

import json
from pathlib import Path

import pytest

import peers
from meaning import INPUT, OPERATION, OUTPUT, REQUEST_MODEL, RESPONSE_ID, TOOL_IDS, TOOL_NAMES
from model_apis.scenes import TEXT
from model_apis.server import ModelServer
from sidecar import exporting, run
from spans import is_turn

SCRIPT = Path(__file__).resolve().parent / "clients" / "calls" / "agents_run.py"
COST = "sidespan.cost.usd"
PRICES = [{"model": "gpt-5*", "input": 1, "output": 1}]
ROUNDS = 10
TIMEOUT = 240


@pytest.mark.parametrize("api", ["chat_completions", "responses"])
def test_every_call_of_an_agent_has_its_meaning(api, authority, sink, tmp_path):
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}, "prices": PRICES}
    with ModelServer(authority) as server:
        env = {name: value for name, value in server.environment().items() if "PROXY" in name.upper()}
        done = run(tmp_path, [f"{peers.made('sdks')}/bin/python", SCRIPT, str(ROUNDS), api], config,
                   env | {"OPENAI_API_KEY": "secret"}, timeout=TIMEOUT, shown="tree")
        calls = list(server.calls)
        assert not server.others and not server.faults
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # The traffic: the agent came to its end, and the model was asked once more than tools were used.
    assert told["text"] == TEXT and told["requests"] == len(calls) == ROUNDS + 1
    assert len(told["used"]) == ROUNDS

    spans = sorted(sink.wait(ROUNDS + 1, where=lambda span: span["kind"] == "CLIENT"), key=lambda span: span["start"])
    assert [span["span_id"] for span in spans] == [call.span_id for call in calls]
    root, = [span for span in sink.spans if span["kind"] == "INTERNAL" and not is_turn(span)]
    assert {span["trace_id"] for span in spans} == {root["trace_id"]}
    # The framework propagates nothing; what it sends again tells that it goes on.
    turn, = [span for span in sink.spans if is_turn(span)]
    assert turn["name"] == "invoke_agent" and turn["parent_id"] == root["span_id"]
    assert {span["parent_id"] for span in spans} == {turn["span_id"]}
    assert [span["attributes"]["sidespan.turn.step"] for span in spans] == list(range(1, ROUNDS + 2))
    assert {span["attributes"]["sidespan.execution.id"] for span in spans} == {root["span_id"]}
    assert turn["start"] <= spans[0]["start"]
    assert abs(turn["end"] - spans[-1]["end"]) < 1_000_000  # nanoseconds: each has its own reading of the clock

    found = [span["attributes"] for span in spans]
    assert {span["name"] for span in spans} == {"chat gpt-5-mini"}
    assert {(one.get(OPERATION), one.get(REQUEST_MODEL)) for one in found} == {("chat", "gpt-5-mini")}
    assert sum(one.get(INPUT, 0) for one in found) == told["input"] == sum(call.tokens().input for call in calls)
    assert sum(one.get(OUTPUT, 0) for one in found) == told["output"] == sum(call.tokens().output for call in calls)
    # The turn says what its calls took together, and where sums are told it is not counted once more.
    cost = sum(one[COST] for one in found)
    assert (turn["attributes"][INPUT], turn["attributes"][OUTPUT]) == (told["input"], told["output"])
    assert turn["attributes"][COST] == pytest.approx(cost) == pytest.approx((told["input"] + told["output"]) / 1e6)
    assert f" {told['input']} + {told['output']} tokens, ${cost:.4f} " in done.stderr
    asked = [list(pair) for one in found for pair in zip(one.get(TOOL_IDS, []), one.get(TOOL_NAMES, []))]
    assert asked == told["calls"]
    assert [name for _, name in told["calls"]] == told["used"]
    assert len({one.get(RESPONSE_ID) for one in found}) == ROUNDS + 1
