"""Amazon Bedrock's runtime: Converse and InvokeModel with an Anthropic model, whole and as event streams.

An event stream is binary frames (application/vnd.amazon.eventstream): lengths, a checksum of them, headers, payload, a
checksum of all.
"""

import base64
import json
import struct
import zlib

from . import anthropic
from .scenes import SENTENCE, TEXT, Answer

HOST = "bedrock-runtime.us-east-1.amazonaws.com"
STREAM = "application/vnd.amazon.eventstream"
# What InvokeModel's last event of an Anthropic model says beside the model's own usage.
METRICS = {"inputTokenCount": "fresh", "outputTokenCount": "output", "cacheReadInputTokenCount": "cache_read",
           "cacheWriteInputTokenCount": "cache_write"}


def answer(call):
    # A model's name may be an ARN with slashes in it.
    model, _, operation = call.path.removeprefix("/model/").rpartition("/")
    headers = [("x-amzn-RequestId", f"00000000-0000-4000-8000-{call.number:012d}")]
    found = refused(call)
    if found is None:
        found = OPERATIONS[operation](call, model)
    found.headers += headers
    return found


def refused(call):
    if call.scene == "refused":
        kind, code, text = "ValidationException", 400, "The provided model identifier is invalid."
    elif call.scene == "limited":
        kind, code, text = "ThrottlingException", 429, "Too many requests, please wait before trying again."
    else:
        return None
    return Answer(code, {"message": text}, headers=[("x-amzn-ErrorType", f"{kind}:http://internal.amazon.com/coral/")])


def frame(headers, payload):
    """One message; headers are strings (type 7)."""
    packed = b"".join(struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
                      for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return body + struct.pack("!I", zlib.crc32(body))


def event(kind, document):
    return frame({":event-type": kind, ":content-type": "application/json", ":message-type": "event"},
                 json.dumps(document).encode())


def exception(kind, text):
    return frame({":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"},
                 json.dumps({"message": text}).encode())


def error(code, text):
    """The service's own, which is in the headers alone."""
    return frame({":error-code": code, ":error-message": text, ":message-type": "error"}, b"")


def made(call):
    """(content, reason, usage) of Converse."""
    given = sum("toolResult" in block for message in call.document["messages"] for block in message["content"])
    content = [{"toolUse": {"toolUseId": f"tooluse_{call.number:04d}x{number}", "name": name, "input": arguments}}
               for number, name, arguments, _ in call.tools(given)]
    reason = "tool_use" if content else "max_tokens" if call.scene == "cut" else "end_turn"
    tokens = call.tokens()
    call.usage = {"inputTokens": tokens.fresh, "outputTokens": tokens.output,
                  "totalTokens": tokens.input + tokens.output,
                  "cacheReadInputTokens": tokens.cache_read, "cacheWriteInputTokens": tokens.cache_write}
    return content or [{"text": TEXT}], reason, call.usage


def converse(call, model):
    content, reason, usage = made(call)
    return Answer(document={"output": {"message": {"role": "assistant", "content": content}}, "stopReason": reason,
                            "usage": usage, "metrics": {"latencyMs": 412}})


def converse_stream(call, model):
    content, reason, usage = made(call)
    events = [event("messageStart", {"role": "assistant"})]
    for index, block in enumerate(content):
        where = {"contentBlockIndex": index}
        if "text" in block:
            deltas = [{"text": piece} for piece in SENTENCE]
        else:
            use = block["toolUse"]
            text = json.dumps(use["input"])
            events.append(event("contentBlockStart", where | {
                "start": {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}}))
            deltas = [{"toolUse": {"input": piece}} for piece in (text[:6], text[6:])]
        events += [event("contentBlockDelta", where | {"delta": delta}) for delta in deltas]
        events.append(event("contentBlockStop", where))
    events += [event("messageStop", {"stopReason": reason}),
               event("metadata", {"usage": usage, "metrics": {"latencyMs": 412}})]
    return ended(call, events)


def ended(call, events):
    if call.scene == "broken":
        return Answer(events=events[:3], kind=STREAM, broken=True)
    if call.scene == "failing":
        events = events[:3] + [exception("modelStreamErrorException", "The model could not go on.")]
    if call.scene == "stopped":
        events = events[:3] + [error("InternalFailure", "The service could not go on.")]
    return Answer(events=events, kind=STREAM)


def made_by(call, model):
    """The pieces of an answer of another maker's model than Anthropic's; the last says why it ended."""
    reasons = [None] * (len(SENTENCE) - 1) + ["length" if call.scene == "cut" else "stop"]
    if "mistral." in model:
        given = sum(message["role"] == "tool" for message in call.document["messages"])
        calls = [{"id": f"T{call.number:06d}x{number}", "type": "function",
                  "function": {"name": name, "arguments": json.dumps(arguments)}}
                 for number, name, arguments, _ in call.tools(given)]
        if calls:
            return [{"choices": [{"index": 0, "message": {"role": "assistant", "content": ""} | more, "stop_reason": why}]}
                    for more, why in (({}, None), ({"tool_calls": calls}, "tool_calls"))]
        return [{"choices": [{"index": 0, "message": {"role": "assistant", "content": piece}, "stop_reason": why}]}
                for piece, why in zip(SENTENCE, reasons)]
    tokens = call.tokens()
    return [{"generation": piece, "prompt_token_count": tokens.input if number == 1 else None,
             "generation_token_count": tokens.output if why else number, "stop_reason": why}
            for number, (piece, why) in enumerate(zip(SENTENCE, reasons), 1)]


def joined(pieces):
    whole = pieces[-1]
    if "choices" not in whole:
        return whole | {"generation": TEXT, "prompt_token_count": pieces[0]["prompt_token_count"]}
    message = whole["choices"][0]["message"]
    message["content"] = "" if "tool_calls" in message else TEXT
    return whole


def invoke(call, model):
    if "anthropic." in model:
        whole = anthropic.message(call, "claude-sonnet-5-5-20260701")
    else:
        whole = joined(made_by(call, model))
    tokens = call.tokens()
    return Answer(document=whole, headers=[
        ("X-Amzn-Bedrock-Input-Token-Count", str(tokens.fresh)),
        ("X-Amzn-Bedrock-Output-Token-Count", str(tokens.output)), ("X-Amzn-Bedrock-Invocation-Latency", "412")])


def invoke_stream(call, model):
    if "anthropic." in model:
        documents = list(anthropic.events_of(call, anthropic.message(call, "claude-sonnet-5-5-20260701")))
    else:
        documents = made_by(call, model)
    tokens = call.tokens()
    documents[-1]["amazon-bedrock-invocationMetrics"] = {
        name: getattr(tokens, which) for name, which in METRICS.items()} | {"invocationLatency": 412,
                                                                           "firstByteLatency": 101}
    events = [event("chunk", {"bytes": base64.b64encode(json.dumps(document).encode()).decode(), "p": "abcdefgh"})
              for document in documents]
    return ended(call, events)


OPERATIONS = {"converse": converse, "converse-stream": converse_stream, "invoke": invoke,
              "invoke-with-response-stream": invoke_stream}
