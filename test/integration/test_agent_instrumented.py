"""An agent that counts its tokens by itself, by OpenTelemetry's instrumentations of the openai SDK: no token is counted
twice, wherever it is looked for."""

import json
from pathlib import Path

import pytest

import peers
from meaning import INPUT, OPERATION, OUTPUT, REQUEST_MODEL
from model_apis.server import ModelServer
from origin import Origin
from sidecar import Sidecar, exporting, merged, run
from wire import Client, head

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


@pytest.mark.parametrize("instrumented, context, counted", [("auto", True, False), ("auto", False, True),
                                                            ("yes", True, False), ("no", True, True)])
def test_the_metrics_count_what_the_agent_does_not(instrumented, context, counted, sidespan, sink, tmp_path):
    """Tokens, duration and cost of a call whose parent is the agent's own span are the agent's to count."""
    body = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}).encode()
    said = json.dumps({"id": "c", "model": "gpt-5-a", "choices": [{"index": 0, "finish_reason": "stop", "message": {}}],
                       "usage": {"prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34}}).encode()
    origin = Origin()
    origin.answer("/v1/chat/completions", [head("HTTP/1.1 200 OK", [
        ("Content-Type", "application/json"), ("Content-Length", str(len(said)))]) + said])
    fields = [("Host", "h"), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    fields += [("traceparent", f"00-{'4b' * 16}-{'00f067aa0ba902b7'}-01")] if context else []
    config = merged(exporting(sink.endpoint), {"context": {"agent_is_instrumented": instrumented}})
    with Sidecar(tmp_path, config) as side:
        with Client(side.egress) as agent:
            agent.send(head(f"POST {origin.url('/v1/chat/completions')} HTTP/1.1", fields) + body)
            answer = agent.reader.head()
            assert answer.status == 200
        span, = sink.wait(1, where=lambda span: span["kind"] == "CLIENT")
        metrics = side.metrics()
    origin.stop()
    assert (INPUT in span["attributes"]) == counted
    assert metrics.total("gen_ai_client_token_usage_sum") == (34 if counted else 0)
    assert metrics.total("gen_ai_client_operation_duration_seconds_count") == (1 if counted else 0)
