"""InvokeModel of Amazon Bedrock with an Anthropic model, with boto3 as it comes: SCENE..., see driving.py."""

import json

from driving import RESULT, TOOLS, play, schema
from bedrock_client import client, describe

MODEL = "us.anthropic.claude-sonnet-5-5-20260701-v1:0"
DECLARED = [{"name": name, "description": text, "input_schema": schema(argument)}
            for name, (text, argument) in TOOLS.items()]


def ask(messages, said, tools):
    said["asked"] = MODEL
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": messages}
    body |= {"tools": DECLARED} if tools else {}
    asked = {"modelId": MODEL, "body": json.dumps(body)}
    if said["stream"]:
        answer = {"content": [], "usage": {}}
        for event in client.invoke_model_with_response_stream(**asked)["body"]:
            _event(json.loads(event["chunk"]["bytes"]), answer)
            _take(answer, said)
    else:
        answer = json.loads(client.invoke_model(**asked)["body"].read())
    _take(answer, said)
    calls = [block for block in answer["content"] if block["type"] == "tool_use"]
    return [{"role": "assistant", "content": calls},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block["id"], "content": RESULT}
                                         for block in calls]}]


def _event(event, answer):
    """Joins the pieces as the documentation of the messages' stream says; the SDK leaves that to its user."""
    kind = event["type"]
    if kind == "message_start":
        answer.update(event["message"], usage=dict(event["message"]["usage"]))
    elif kind == "content_block_start":
        answer["content"].append(dict(event["content_block"]))
    elif kind == "content_block_delta" and "text" in event["delta"]:
        answer["content"][event["index"]]["text"] += event["delta"]["text"]
    elif kind == "message_delta":
        answer["stop_reason"] = event["delta"]["stop_reason"]
        answer["usage"].update(event["usage"])


def _take(answer, said):
    said.update(model=answer.get("model"), id=answer.get("id"), usage=answer["usage"],
                finish_reasons=[answer["stop_reason"]] if answer.get("stop_reason") else [],
                text="".join(block["text"] for block in answer["content"] if block["type"] == "text"),
                tool_calls=[[block["id"], block["name"]] for block in answer["content"] if block["type"] == "tool_use"])


play(ask, lambda text: [{"role": "user", "content": text}], describe)
