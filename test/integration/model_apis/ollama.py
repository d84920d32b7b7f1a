"""Ollama: chat, generate and embed. Streams are lines of JSON, and calls of tools have no ids."""

import json

from .scenes import SENTENCE, TEXT, Answer

HOST = "ollama"  # what a compose file calls the service
AT = "2026-11-20T12:00:00.000000Z"


def answer(call):
    if call.scene in ("refused", "limited"):
        code, text = (404, "model 'none' not found") if call.scene == "refused" else (429, "too many requests")
        return Answer(code, {"error": text})
    if call.path == "/api/embed":
        return embeddings(call)
    return talk(call, chat=call.path == "/api/chat")


def talk(call, chat):
    around = {"model": call.document["model"], "created_at": AT}
    calls = []
    if chat:
        given = sum(message["role"] == "tool" for message in call.document["messages"])
        calls = [{"function": {"name": name, "arguments": arguments}}
                 for _, name, arguments, _ in call.tools(given)]
    tokens = call.tokens()
    call.usage = {"prompt_eval_count": tokens.input, "eval_count": tokens.output}
    last = {"done": True, "done_reason": "length" if call.scene == "cut" else "stop", "total_duration": 5000000000,
            "load_duration": 3000000, "prompt_eval_duration": 400000000, "eval_duration": 4000000000, **call.usage}

    def said(text, tools=()):
        if not chat:
            return {"response": text}
        return {"message": {"role": "assistant", "content": text} | ({"tool_calls": list(tools)} if tools else {})}

    # Its answers are streams unless they are told not to be.
    if not call.document.get("stream", True):
        return Answer(document=around | said("" if calls else TEXT, calls) | last,
                      kind="application/json; charset=utf-8")
    lines = [said("", [one]) for one in calls] or [said(piece) for piece in SENTENCE]
    documents = [around | line | {"done": False} for line in lines] + [around | said("") | last]
    events = [json.dumps(document).encode() + b"\n" for document in documents]
    broken = call.scene == "broken"
    if call.scene == "failing":
        events = events[:3] + [b'{"error":"an error was encountered while running the model"}\n']
    return Answer(events=events[:3] if broken else events, kind="application/x-ndjson", broken=broken)


def embeddings(call):
    texts = call.document["input"] if isinstance(call.document["input"], list) else [call.document["input"]]
    call.usage = {"prompt_eval_count": 5 + call.number}
    return Answer(document={"model": call.document["model"], "embeddings": [[0.25, -0.5, 0.125] for _ in texts],
                            "total_duration": 14000000, "load_duration": 1000000, **call.usage})
