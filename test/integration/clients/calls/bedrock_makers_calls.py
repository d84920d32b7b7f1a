"""InvokeModel of Amazon Bedrock with models of Meta and Mistral, with boto3 as it comes: MAKER SCENE..., see driving.py."""

import json
import sys

from bedrock_client import client, describe
from driving import FUNCTIONS, RESULT, play

MODELS = {"meta": "us.meta.llama4-maverick-17b-instruct-v1:0", "mistral": "mistral.mistral-large-2407-v1:0"}
maker = sys.argv.pop(1)


def ask(messages, said, tools):
    said["asked"] = MODELS[maker]
    if maker == "meta":
        body = {"prompt": messages[0], "max_gen_len": 64}
    else:
        asking = {"role": "user", "content": messages[0]}
        body = {"messages": [asking, *messages[1:]], "max_tokens": 64} | ({"tools": FUNCTIONS} if tools else {})
    asked = {"modelId": said["asked"], "body": json.dumps(body)}
    if not said["stream"]:
        answer = client.invoke_model(**asked)
        counts = answer["ResponseMetadata"]["HTTPHeaders"]
        _take(json.loads(answer["body"].read()), said)
        said["usage"] = {name: int(counts[f"x-amzn-bedrock-{name}-token-count"]) for name in ("input", "output")}
        return _results(said)
    for event in client.invoke_model_with_response_stream(**asked)["body"]:
        document = json.loads(event["chunk"]["bytes"])
        _take(document, said)
        counts = document.get("amazon-bedrock-invocationMetrics")
        if counts:
            said["usage"] = {"input": counts["inputTokenCount"], "output": counts["outputTokenCount"],
                             "read": counts["cacheReadInputTokenCount"], "written": counts["cacheWriteInputTokenCount"]}
    return _results(said)


def _results(said):
    calls = [{"id": ident, "type": "function", "function": {"name": name, "arguments": "{}"}}
             for ident, name in said["tool_calls"]]
    return [{"role": "assistant", "content": "", "tool_calls": calls}] + [
        {"role": "tool", "tool_call_id": one["id"], "content": RESULT} for one in calls]


def _take(document, said):
    choice = document["choices"][0] if maker == "mistral" else document
    said["text"] += choice["message"]["content"] if maker == "mistral" else choice["generation"]
    if maker == "mistral":
        said["tool_calls"] += [[one["id"], one["function"]["name"]] for one in choice["message"].get("tool_calls", [])]
    if choice["stop_reason"]:
        said["finish_reasons"] = [choice["stop_reason"]]
    if maker == "meta" and said["stream"]:  # which counts as it goes
        before = said["usage"] or {"input": None}
        said["usage"] = {"input": document["prompt_token_count"] or before["input"],
                         "output": document["generation_token_count"]}


play(ask, lambda text: [text], describe)
