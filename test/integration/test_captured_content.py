"""`capture.content: all`: a span shows what was said to the model and by it, as the SDK itself had it, in the JSON of
OpenTelemetry's GenAI convention."""

import json

import pytest

from test_model_calls import SDKS, Played

SHOWN = ["python-openai", "python-openai-responses", "python-anthropic", "python-boto3-invoke", "node-openai",
         "node-openai-responses", "node-anthropic", "python-google-genai", "python-google-genai-vertex",
         "python-gemini-array", "python-boto3-converse", "python-cohere", "python-ollama", "python-ollama-generate"]
PARTS = {"text": {"type", "content"}, "reasoning": {"type", "content"},
         "tool_call": {"type", "id", "name", "arguments"}, "tool_call_response": {"type", "id", "response"}}


class Shown(Played):
    further = {"capture": {"content": "all", "redact": ["zone"]}}




@pytest.mark.parametrize("sdk", SHOWN)
def test_what_was_said_is_shown(sdk, authority, sidespan, tmp_path):
    shown = Shown(sdk, authority, tmp_path)
    assert shown.done.stdout == shown.straight
    told = 0
    for scene in SDKS[sdk].scenes:
        if scene.partition(":")[0] not in ("plain", "zipped", "tools", "cached"):
            continue
        rounds = list(shown.of(scene))
        for number, (said, _, spans) in enumerate(rounds):
            attributes = spans[0]["attributes"]
            asked, answered = (json.loads(attributes[f"gen_ai.{side}.messages"]) for side in ("input", "output"))
            for message in asked + answered:
                assert message["role"] in ("user", "assistant", "tool")
                for part in message["parts"]:
                    assert set(part) <= PARTS[part["type"]]
            assert "What is the weather?" in asked[0]["parts"][0]["content"]
            [answer] = answered
            text = "".join(part["content"] for part in answer["parts"] if part["type"] == "text")
            calls = [part for part in answer["parts"] if part["type"] == "tool_call"]
            assert text == said["text"]
            assert [[call.get("id"), call["name"]] for call in calls] == said["tool_calls"]
            assert [call["arguments"] for call in calls] == [{"city": "Paris"}, {"zone": "REDACTED"}][:len(calls)]
            assert [answer["finish_reason"]] == attributes["gen_ai.response.finish_reasons"]
            if number > 0:  # the round before, and what its tools gave
                before = rounds[number - 1][0]["tool_calls"]  # Gemini gives ids to some
                parts = [part for message in asked for part in message["parts"]]
                past = [part for part in parts if part["type"] == "tool_call"]
                assert [[part.get("id"), part["name"]] for part in past] == before
                results = [part for part in parts if part["type"] == "tool_call_response"]
                assert [part["id"] for part in results] == [ident or name for ident, name in before]
                assert all(part["response"] in ("21 degrees", {"result": "21 degrees"}) for part in results)
                told += 1
    assert told >= 2 or "tools" not in SDKS[sdk].scenes
