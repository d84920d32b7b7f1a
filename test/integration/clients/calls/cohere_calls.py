"""Chat and embed of Cohere's API v2 with the cohere SDK as it comes: SCENE..., see driving.py."""

import cohere

from driving import FUNCTIONS, RESULT, fault, plain, play

MODEL = "command-a-plus"
EMBEDDER = "embed-v4.0"
client = cohere.ClientV2(api_key="secret", timeout=30, max_retries=0)


def ask(messages, said, tools):
    said["asked"] = MODEL
    asked = {"model": MODEL, "messages": messages} | ({"tools": FUNCTIONS} if tools else {})
    calls = []
    if said["stream"]:
        for event in client.chat_stream(**asked):
            _event(event, said, calls)
    else:
        answer = client.chat(**asked)
        said.update(id=answer.id, finish_reasons=[answer.finish_reason], usage=plain(answer.usage),
                    text="".join(block.text for block in answer.message.content or []))
        calls = [[one.id, one.function.name, one.function.arguments] for one in answer.message.tool_calls or []]
    said["tool_calls"] = [call[:2] for call in calls]
    return [{"role": "assistant", "tool_calls": [
        {"id": ident, "type": "function", "function": {"name": name, "arguments": text}}
        for ident, name, text in calls]}] + [
        {"role": "tool", "tool_call_id": ident, "content": RESULT} for ident, _, _ in calls]


def _event(event, said, calls):
    if event.type == "message-start":
        said["id"] = event.id
    elif event.type == "content-delta":
        said["text"] += event.delta.message.content.text
    elif event.type == "tool-call-start":
        one = event.delta.message.tool_calls
        calls.append([one.id, one.function.name, one.function.arguments or ""])
    elif event.type == "tool-call-delta":
        calls[event.index][2] += event.delta.message.tool_calls.function.arguments
    elif event.type == "message-end":
        said.update(finish_reasons=[event.delta.finish_reason], usage=plain(event.delta.usage))


def embed():
    answer = client.embed(model=EMBEDDER, texts=["one", "two"], input_type="search_query", embedding_types=["float"])
    return {"asked": EMBEDDER, "id": answer.id, "usage": {"billed_units": plain(answer.meta.billed_units)},
            "text": str(answer.embeddings.float_[1])}


def describe(error):
    return fault(error, status=getattr(error, "status_code", None))


play(ask, lambda text: [{"role": "user", "content": text}], describe, embed=embed)
