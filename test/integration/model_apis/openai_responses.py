"""OpenAI's Responses API: whole, and as typed events of which the last carries the whole response."""

import json

from .scenes import CREATED, SENTENCE, TEXT, Answer, broken_off


def answer(call):
    response = made(call)
    if not call.document.get("stream"):
        return Answer(document=response)
    events = [sse(number, event) for number, event in enumerate(events_of(call, response))]
    found = broken_off(call, events)
    found.kind = "text/event-stream; charset=utf-8"
    return found


def sse(number, event):
    return f"event: {event['type']}\ndata: {json.dumps(event | {'sequence_number': number})}\n\n".encode()


def made(call):
    asked = call.document
    given = sum(isinstance(item, dict) and item.get("type") == "function_call_output"
                for item in asked["input"] if not isinstance(asked["input"], str))
    output = [{"type": "function_call", "id": f"fc_{call.number:04d}{number}",
               "call_id": f"call_{call.number:04d}r{number}", "name": name,
               "arguments": "".join(pieces), "status": "completed"}
              for number, name, _, pieces in call.tools(given)]
    if not output:
        output = [{"type": "message", "id": f"msg_{call.number:04d}", "role": "assistant", "status": "completed",
                   "content": [{"type": "output_text", "text": TEXT, "annotations": [], "logprobs": []}]}]
    if call.scene == "cached":
        output.insert(0, {"type": "reasoning", "id": f"rs_{call.number:04d}", "summary": []})
    tokens = call.tokens()
    call.usage = {"input_tokens": tokens.input, "input_tokens_details": {"cached_tokens": tokens.cache_read},
                  "output_tokens": tokens.output, "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
                  "total_tokens": tokens.input + tokens.output}
    cut, failing = call.scene == "cut", call.scene == "failing"
    return {
        "id": f"resp_{call.number:06d}", "object": "response", "created_at": CREATED,
        "status": "failed" if failing else "incomplete" if cut else "completed",
        "error": {"code": "server_error", "message": "The model had an error."} if failing else None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": None, "max_output_tokens": None, "model": asked["model"] + "-2026-07-18",
        "output": [] if failing else output, "parallel_tool_calls": True,
        "previous_response_id": asked.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None}, "store": True, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": asked.get("tools", []), "top_p": 1.0,
        "truncation": "disabled", "usage": None if failing else call.usage, "metadata": {}}


def events_of(call, response):
    begun = response | {"status": "in_progress", "output": [], "usage": None, "error": None, "incomplete_details": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response["output"]):
        where = {"item_id": item["id"], "output_index": index}
        if item["type"] == "function_call":
            pieces = [item["arguments"][:9], item["arguments"][9:]]
            yield {"type": "response.output_item.added", "output_index": index,
                   "item": item | {"arguments": "", "status": "in_progress"}}
            for piece in pieces:
                yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
            yield {"type": "response.function_call_arguments.done", **where, "name": item["name"],
                   "arguments": item["arguments"]}
        elif item["type"] == "message":
            yield {"type": "response.output_item.added", "output_index": index,
                   "item": item | {"content": [], "status": "in_progress"}}
            yield from text_events(where, item["content"][0])
        else:
            yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}


def text_events(where, part):
    where = where | {"content_index": 0}
    yield {"type": "response.content_part.added", **where, "part": part | {"text": ""}}
    for piece in SENTENCE:
        yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **where, "text": TEXT, "logprobs": []}
    yield {"type": "response.content_part.done", **where, "part": part}
