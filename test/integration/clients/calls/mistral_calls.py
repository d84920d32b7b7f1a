"""Chat and embeddings of Mistral with the mistralai SDK as it comes: SCENE..., see driving.py. With MISTRAL_AGENT that
agent is asked, which has a model of its own."""

import json
import os

from mistralai.client import Mistral

from driving import FUNCTIONS, RESULT, fault, plain, play

MODEL = "mistral-medium-2605"
EMBEDDER = "mistral-embed"
AGENT = os.environ.get("MISTRAL_AGENT")
client = Mistral(api_key="secret", timeout_ms=30000)
chat, WHOM = (client.agents, {"agent_id": AGENT}) if AGENT else (client.chat, {"model": MODEL})


def ask(messages, said, tools):
    said["asked"] = WHOM.get("model")
    asked = WHOM | {"messages": messages} | ({"tools": FUNCTIONS} if tools else {})
    calls = []
    if said["stream"]:
        for event in chat.stream(**asked):
            _chunk(event.data, said, calls)
    else:
        answer = chat.complete(**asked)
        choice = answer.choices[0]
        calls = choice.message.tool_calls or []
        said.update(model=answer.model, id=answer.id, finish_reasons=[choice.finish_reason], usage=plain(answer.usage),
                    text=choice.message.content or "")
    said["tool_calls"] = [[one.id, one.function.name] for one in calls]
    return [{"role": "assistant", "content": "", "tool_calls": calls}] + [
        {"role": "tool", "tool_call_id": one.id, "name": one.function.name, "content": RESULT} for one in calls]


def _chunk(chunk, said, calls):
    said.update(model=chunk.model, id=chunk.id)
    if chunk.usage:
        said["usage"] = plain(chunk.usage)
    for choice in chunk.choices:
        said["text"] += choice.delta.content or ""
        if choice.finish_reason:
            said["finish_reasons"].append(choice.finish_reason)
        calls += choice.delta.tool_calls or []  # each is whole


def embed():
    answer = client.embeddings.create(model=EMBEDDER, inputs=["one", "two"])
    return {"asked": EMBEDDER, "model": answer.model, "id": answer.id, "usage": plain(answer.usage),
            "text": str(answer.data[1].embedding)}


def describe(error):
    try:
        body = json.loads(getattr(error, "body", None) or "")
    except ValueError:
        body = {}
    return fault(error, status=getattr(error, "status_code", None), type=body.get("type"), code=body.get("code"))


play(ask, lambda text: [{"role": "user", "content": text}], describe, embed=embed)
