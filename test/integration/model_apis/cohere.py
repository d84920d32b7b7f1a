"""Cohere's API v2: chat, its stream, and embed. Tokens that were read and tokens that are billed differ."""

import json

from .scenes import SENTENCE, TEXT, Answer

HOST = "api.cohere.com"


def answer(call):
    headers = [("x-debug-trace-id", f"{call.number:032x}"), ("x-api-warning", "made up")]
    if call.scene in ("refused", "limited"):
        code, text = (404, "model 'none' not found") if call.scene == "refused" else (429, "too many requests")
        return Answer(code, {"id": f"error-{call.number:04d}", "message": text}, headers=headers)
    found = embeddings(call) if call.path.endswith("/embed") else chat(call)
    found.headers += headers
    return found


def chat(call):
    given = sum(message["role"] == "tool" for message in call.document["messages"])
    calls = [{"id": f"{name}_{call.number:04d}x{number}", "type": "function",
              "function": {"name": name, "arguments": "".join(pieces)}, "pieces": pieces}
             for number, name, _, pieces in call.tools(given)]
    reason = "TOOL_CALL" if calls else "MAX_TOKENS" if call.scene == "cut" else "COMPLETE"
    tokens = call.tokens()
    usage = call.usage = {"billed_units": {"input_tokens": tokens.fresh - 60, "output_tokens": tokens.output - 3},
                          "tokens": {"input_tokens": tokens.input, "output_tokens": tokens.output},
                          "cached_tokens": tokens.cache_read}
    ident = f"c14c80c3-18eb-4519-9460-{call.number:012d}"
    if call.document.get("stream"):
        events = [f"event: {document['type']}\ndata: {json.dumps(document)}\n\n".encode()
                  for document in events_of(ident, calls, reason, usage)]
        broken = call.scene == "broken"
        return Answer(events=events[:4] if broken else events, kind="text/event-stream", broken=broken)
    message = {"role": "assistant"}
    if calls:
        message |= {"tool_plan": "I look it up.", "tool_calls": [
            {key: one[key] for key in ("id", "type", "function")} for one in calls]}
    else:
        message["content"] = [{"type": "text", "text": TEXT}]
    return Answer(document={"id": ident, "finish_reason": reason, "message": message, "usage": usage})


def events_of(ident, calls, reason, usage):
    yield {"type": "message-start", "id": ident, "delta": {"message": {
        "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}
    if calls:
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I look it up."}}}
    else:
        yield {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}
        for piece in SENTENCE:
            yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}
        yield {"type": "content-end", "index": 0}
    for index, one in enumerate(calls):
        begun = {"id": one["id"], "type": "function", "function": {"name": one["function"]["name"], "arguments": ""}}
        yield {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": begun}}}
        for piece in one["pieces"]:
            yield {"type": "tool-call-delta", "index": index,
                   "delta": {"message": {"tool_calls": {"function": {"arguments": piece}}}}}
        yield {"type": "tool-call-end", "index": index}
    yield {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}}


def embeddings(call):
    texts = call.document["texts"]
    call.usage = {"billed_units": {"input_tokens": 5 + call.number}}
    return Answer(document={"id": f"da6e531f-54c5-4a73-bf92-{call.number:012d}", "texts": texts,
                            "embeddings": {"float": [[0.25, -0.5, 0.125] for _ in texts]},
                            "response_type": "embeddings_by_type",
                            "meta": {"api_version": {"version": "2"}, **call.usage}})
