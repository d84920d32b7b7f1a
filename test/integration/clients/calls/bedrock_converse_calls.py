"""Converse of Amazon Bedrock with boto3 as it comes: SCENE..., see driving.py."""

from driving import RESULT, TOOLS, play, schema
from bedrock_client import client, describe

MODEL = "anthropic.claude-haiku-5-20260701-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-haiku-5-20260701-v1:0"
DECLARED = {"tools": [{"toolSpec": {"name": name, "description": text, "inputSchema": {"json": schema(argument)}}}
                      for name, (text, argument) in TOOLS.items()]}


def ask(messages, said, tools):
    said["asked"] = PROFILE if "(profile)" in messages[0]["content"][0]["text"] else MODEL
    asked = {"modelId": said["asked"], "messages": messages} | ({"toolConfig": DECLARED} if tools else {})
    calls = []
    if said["stream"]:
        for event in client.converse_stream(**asked)["stream"]:
            _event(event, said, calls)
    else:
        answer = client.converse(**asked)
        said.update(usage=answer["usage"], finish_reasons=[answer["stopReason"]])
        for block in answer["output"]["message"]["content"]:
            said["text"] += block.get("text", "")
            if "toolUse" in block:
                calls.append(block["toolUse"])
    said["tool_calls"] = [[one["toolUseId"], one["name"]] for one in calls]
    return [{"role": "assistant", "content": [{"toolUse": one | {"input": one.get("input", {})}} for one in calls]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": one["toolUseId"], "content": [{"text": RESULT}]}}
                                         for one in calls]}]


def _event(event, said, calls):
    if "contentBlockStart" in event:
        calls.append(event["contentBlockStart"]["start"]["toolUse"])
    if "contentBlockDelta" in event:
        said["text"] += event["contentBlockDelta"]["delta"].get("text", "")
    if "messageStop" in event:
        said["finish_reasons"] = [event["messageStop"]["stopReason"]]
    if "metadata" in event:
        said["usage"] = event["metadata"]["usage"]


play(ask, lambda text: [{"role": "user", "content": [{"text": text}]}], describe)
