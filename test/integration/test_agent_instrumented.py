"""An agent that counts its tokens by itself, by OpenTelemetry's instrumentations of the openai SDK: no token is counted
twice, wherever it is looked for."""

import json
from pathlib import Path

import pytest

import peers
from meaning import INPUT, OPERATION, OUTPUT, REQUEST_MODEL
from model_apis.server import ModelServer
from sidecar import exporting, run

SCRIPT = Path(__file__).resolve().parent / "clients" / "calls" / "instrumented_run.py"
ROUNDS = 10
TIMEOUT = 240


def tokens(spans):
    return (sum(span["attributes"].get(INPUT, 0) for span in spans),
            sum(span["attributes"].get(OUTPUT, 0) for span in spans))


@pytest.mark.parametrize("instrumented, ours", [("auto", False), ("yes", False), ("no", True)])
def test_tokens_are_counted_once(instrumented, ours, authority, sink, tmp_path):
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}},
                                         "context": {"agent_is_instrumented": instrumented},
                                         "prices": [{"model": "gpt-5*", "input": 1, "output": 1}]}
    with ModelServer(authority) as server:
        env = {name: value for name, value in server.environment().items() if "PROXY" in name.upper()}
        done = run(tmp_path, [f"{peers.made('instrumented')}/bin/python", SCRIPT, str(ROUNDS), "chat_completions"], config,
                   env | {"OPENAI_API_KEY": "secret"}, timeout=TIMEOUT)
        calls = list(server.calls)
        assert not server.others and not server.faults
    assert done.returncode == 0, done.stderr
    counted, agents = map(json.loads, done.stdout.splitlines())
    truth = (sum(call.tokens().input for call in calls), sum(call.tokens().output for call in calls))
    assert (counted["input"], counted["output"]) == truth
    # The agent's own spans tell all of it.
    assert tokens(agents) == truth

    spans = sink.wait(ROUNDS + 1, where=lambda span: span["kind"] == "CLIENT")
    assert {span["parent_id"] for span in spans} <= {span["span_id"] for span in agents}
    assert all(span["attributes"]["sidespan.parent.source"] == "wire" for span in spans)
    found = [span["attributes"] for span in spans]
    # What the call was is told all the same.
    assert {(one[OPERATION], one[REQUEST_MODEL]) for one in found} == {("chat", "gpt-5-mini")}
    assert all(("sidespan.cost.usd" in one) == ours for one in found)
    assert tokens(agents + spans if not ours else spans) == truth
