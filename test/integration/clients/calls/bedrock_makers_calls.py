"""InvokeModel of Amazon Bedrock with models of Meta and Mistral, with boto3 as it comes: MAKER SCENE..., see driving.py."""

import json
import sys

from bedrock_client import client, describe
from driving import play

MODELS = {"meta": "us.meta.llama4-maverick-17b-instruct-v1:0", "mistral": "mistral.mistral-large-2407-v1:0"}
maker = sys.argv.pop(1)


def ask(messages, said, tools):
    said["asked"] = MODELS[maker]
    body = {"meta": {"prompt": messages[0], "max_gen_len": 64},
            "mistral": {"messages": [{"role": "user", "content": messages[0]}], "max_tokens": 64}}[maker]
    asked = {"modelId": said["asked"], "body": json.dumps(body)}
    if not said["stream"]:
        answer = client.invoke_model(**asked)
        counts = answer["ResponseMetadata"]["HTTPHeaders"]
        _take(json.loads(answer["body"].read()), said)
        said["usage"] = {name: int(counts[f"x-amzn-bedrock-{name}-token-count"]) for name in ("input", "output")}
        return []
    for event in client.invoke_model_with_response_stream(**asked)["body"]:
        document = json.loads(event["chunk"]["bytes"])
        _take(document, said)
        counts = document.get("amazon-bedrock-invocationMetrics")
        if counts:
            said["usage"] = {"input": counts["inputTokenCount"], "output": counts["outputTokenCount"],
                             "read": counts["cacheReadInputTokenCount"], "written": counts["cacheWriteInputTokenCount"]}
    return []


def _take(document, said):
    choice = document["choices"][0] if maker == "mistral" else document
    said["text"] += choice["message"]["content"] if maker == "mistral" else choice["generation"]
    if choice["stop_reason"]:
        said["finish_reasons"] = [choice["stop_reason"]]
    if maker == "meta" and said["stream"]:  # which counts as it goes
        before = said["usage"] or {"input": None}
        said["usage"] = {"input": document["prompt_token_count"] or before["input"],
                         "output": document["generation_token_count"]}


play(ask, lambda text: [text], describe)
