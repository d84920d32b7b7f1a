"""Anthropic's Messages API, whole and streamed. Input tokens are counted apart from those of the cache."""

import json

from .scenes import SENTENCE, TEXT, Answer

HOST = "api.anthropic.com"


def answer(call):
    headers = [("request-id", f"req_{call.number:06d}"), ("anthropic-organization-id", "org-made-up")]
    found = refused(call) or (streamed(call) if call.document.get("stream") else Answer(document=message(call)))
    found.headers += headers
    return found


def error(kind, text, call):
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": f"req_{call.number:06d}"}


def refused(call):
    if call.scene == "refused":
        return Answer(400, error("invalid_request_error", "max_tokens: 1 is too small for this model", call))
    if call.scene == "limited":
        return Answer(429, error("rate_limit_error", "This request would exceed your organization's rate limit", call),
                      headers=[("retry-after", "20"), ("anthropic-ratelimit-requests-limit", "50"),
                               ("anthropic-ratelimit-requests-remaining", "0"),
                               ("anthropic-ratelimit-requests-reset", "2026-11-20T12:01:00Z"),
                               ("anthropic-ratelimit-input-tokens-remaining", "9000")])
    return None


def message(call, model=None):
    asked = call.document
    given = sum(isinstance(one["content"], list) and any(block.get("type") == "tool_result" for block in one["content"])
                for one in asked["messages"])
    content = [{"type": "tool_use", "id": f"toolu_{call.number:04d}x{number}", "name": name, "input": arguments}
               for number, name, arguments, _ in call.tools(given)]
    reason = "tool_use" if content else "max_tokens" if call.scene == "cut" else "end_turn"
    content = content or [{"type": "text", "text": TEXT}]
    tokens = call.tokens()
    call.usage = {"input_tokens": tokens.fresh, "cache_creation_input_tokens": tokens.cache_write,
                  "cache_read_input_tokens": tokens.cache_read, "output_tokens": tokens.output,
                  "service_tier": "standard"}
    if call.scene == "cached":
        call.usage["cache_creation"] = {"ephemeral_5m_input_tokens": tokens.cache_write,
                                        "ephemeral_1h_input_tokens": 0}
        call.usage["output_tokens_details"] = {"thinking_tokens": tokens.reasoning}
    return {"id": f"msg_{call.number:06d}", "type": "message", "role": "assistant",
            "model": model or asked["model"] + "-20260701", "content": content, "stop_reason": reason,
            "stop_sequence": None, "usage": call.usage}


def streamed(call):
    found = Answer(events=[sse(event) for event in events_of(call, message(call))],
                   kind="text/event-stream; charset=utf-8")
    if call.scene == "broken":
        found.events, found.broken = found.events[:4], True
    elif call.scene == "failing":
        found.events = found.events[:4] + [sse(error("overloaded_error", "Overloaded", call))]
    return found


def sse(event):
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def events_of(call, whole):
    usage = whole["usage"]
    # One token is counted when the message starts; what comes at its end is the sum.
    started = whole | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    started["usage"].pop("output_tokens_details", None)
    yield {"type": "message_start", "message": started}
    yield {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        empty = block | ({"text": ""} if block["type"] == "text" else {"input": {}})
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        if block["type"] == "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in SENTENCE]
        else:
            text = json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", text[:7], text[7:])]
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    last = {key: usage[key] for key in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
                                        "output_tokens", "output_tokens_details") if key in usage}
    yield {"type": "message_delta", "usage": last,
           "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None}}
    yield {"type": "message_stop"}
