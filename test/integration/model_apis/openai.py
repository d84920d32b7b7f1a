"""OpenAI: Chat Completions, Responses and Embeddings."""

import base64
import json
import struct

from . import openai_responses
from .scenes import CREATED, SENTENCE, TEXT, Answer, broken_off

HOST = "api.openai.com"
STREAM = "text/event-stream; charset=utf-8"
LIMITS = [("x-ratelimit-limit-requests", "500"), ("x-ratelimit-remaining-requests", "0"),
          ("x-ratelimit-reset-requests", "120ms"), ("x-ratelimit-limit-tokens", "30000"),
          ("x-ratelimit-remaining-tokens", "29000"), ("retry-after", "20")]


def answer(call):
    headers = [("x-request-id", f"req_{call.number:04d}"), ("openai-version", "2020-10-01")]
    refusal = refused(call)
    if refusal:
        refusal.headers += headers
        return refusal
    if call.path.endswith("/embeddings"):
        found = embeddings(call)
    elif call.path.endswith("/responses"):
        found = openai_responses.answer(call)
    else:
        found = chat(call, details=True)
    found.headers += headers
    return found


def refused(call):
    if call.scene == "refused":
        return Answer(404, {"error": {"message": "The model `none` does not exist or you do not have access to it.",
                                      "type": "invalid_request_error", "param": None, "code": "model_not_found"}})
    if call.scene == "limited":
        return Answer(429, {"error": {"message": "Rate limit reached for requests per minute.", "type": "requests",
                                      "param": None, "code": "rate_limit_exceeded"}}, headers=list(LIMITS))
    return None


def dated(model):
    """What a model that is asked for by its alias calls itself."""
    return model + "-2026-07-18"


def chat(call, details, name=dated, ident="chatcmpl-{:06d}", tool_id="call_{:04d}x{}"):
    """Chat Completions, also as others speak it."""
    asked = call.document
    model, ident = name(asked["model"]), ident.format(call.number)
    given = sum(message["role"] == "tool" for message in asked["messages"])
    calls = [{"id": tool_id.format(call.number, number), "type": "function",
              "function": {"name": tool, "arguments": "".join(pieces)}, "pieces": pieces}
             for number, tool, _, pieces in call.tools(given)]
    reason = "tool_calls" if calls else "length" if call.scene == "cut" else "stop"
    usage = call.usage = chat_usage(call, details)
    if asked.get("stream"):
        wanted = not details or (asked.get("stream_options") or {}).get("include_usage")
        return streamed(call, chunks(model, ident, calls, reason, usage if wanted else None, details))
    message = {"role": "assistant", "content": None if calls else TEXT, "refusal": None, "annotations": []}
    if calls:
        message["tool_calls"] = [{key: one[key] for key in ("id", "type", "function")} for one in calls]
    return Answer(document={
        "id": ident, "object": "chat.completion", "created": CREATED, "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": usage, "service_tier": "default", "system_fingerprint": "fp_44709d6f"})


def chat_usage(call, details):
    tokens = call.tokens()
    usage = {"prompt_tokens": tokens.input, "completion_tokens": tokens.output,
             "total_tokens": tokens.input + tokens.output}
    if details:
        usage["prompt_tokens_details"] = {"cached_tokens": tokens.cache_read, "audio_tokens": 0}
        usage["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning, "audio_tokens": 0,
                                              "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    return usage


def chunks(model, ident, calls, reason, usage, apart):
    """`apart`: usage has a chunk of its own, without a choice, and calls come in pieces; else the last has it all."""
    def chunk(choices, **more):
        return {"id": ident, "object": "chat.completion.chunk", "created": CREATED, "model": model,
                "choices": choices, **more}

    def choice(delta, finish=None):
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]

    yield chunk(choice({"role": "assistant", "content": None if calls else ""}))
    if not calls:
        for piece in SENTENCE:
            yield chunk(choice({"content": piece}))
    if not apart:  # then calls are whole, too
        whole = [{"index": index} | {key: one[key] for key in ("id", "function")} for index, one in enumerate(calls)]
        yield chunk(choice({"content": ""} | ({"tool_calls": whole} if calls else {}), reason), usage=usage)
        return
    for index, one in enumerate(calls):
        yield chunk(choice({"tool_calls": [{"index": index, "id": one["id"], "type": "function",
                                            "function": {"name": one["function"]["name"], "arguments": ""}}]}))
        for piece in one["pieces"]:
            yield chunk(choice({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    yield chunk(choice({}, reason))
    if usage:
        yield chunk([], usage=usage)


def streamed(call, documents):
    events = [b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents]
    if call.scene == "failing":
        fault = {"error": {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}}
        return Answer(events=[*events[:4], b"data: " + json.dumps(fault).encode() + b"\n\n"], kind=STREAM)
    found = broken_off(call, [*events, b"data: [DONE]\n\n"])
    found.kind = STREAM
    return found


def embeddings(call):
    texts = call.document["input"] if isinstance(call.document["input"], list) else [call.document["input"]]
    vector = [0.25, -0.5, 0.125]
    if call.document.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<3f", *vector)).decode()
    count = 5 + call.number
    call.usage = {"prompt_tokens": count, "total_tokens": count}
    return Answer(document={
        "object": "list", "model": call.document["model"], "usage": call.usage,
        "data": [{"object": "embedding", "index": index, "embedding": vector} for index, _ in enumerate(texts)]})
