"""Chat Completions with the openai SDK as it comes: SCENE..., see driving.py."""

import openai

from driving import FUNCTIONS, RESULT, fault, plain, play

MODEL = "gpt-5-mini"
client = openai.OpenAI(api_key="secret", max_retries=0, timeout=30)


def ask(messages, said, tools):
    said["asked"] = MODEL
    asked = {"model": MODEL, "messages": messages} | ({"tools": FUNCTIONS} if tools else {})
    if said["stream"]:
        if "(unmetered)" not in messages[0]["content"]:
            asked["stream_options"] = {"include_usage": True}
        calls = {}
        for chunk in client.chat.completions.create(stream=True, **asked):
            _chunk(chunk, said, calls)
    else:
        answer = client.chat.completions.create(**asked)
        choice = answer.choices[0]
        calls = {index: (one.id, one.function.name, one.function.arguments)
                 for index, one in enumerate(choice.message.tool_calls or [])}
        said.update(model=answer.model, id=answer.id, finish_reasons=[one.finish_reason for one in answer.choices],
                    usage=plain(answer.usage), text=choice.message.content or "")
    said["tool_calls"] = [[ident, name] for ident, name, _ in calls.values()]
    return [{"role": "assistant", "content": None, "tool_calls": [
        {"id": ident, "type": "function", "function": {"name": name, "arguments": text}}
        for ident, name, text in calls.values()]}] + [
        {"role": "tool", "tool_call_id": ident, "content": RESULT} for ident, _, _ in calls.values()]


def _chunk(chunk, said, calls):
    said.update(model=chunk.model, id=chunk.id)
    if chunk.usage:
        said["usage"] = plain(chunk.usage)
    for choice in chunk.choices:
        said["text"] += choice.delta.content or ""
        if choice.finish_reason:
            said["finish_reasons"].append(choice.finish_reason)
        for one in choice.delta.tool_calls or []:
            ident, name, text = calls.get(one.index, ("", "", ""))
            calls[one.index] = (one.id or ident, one.function.name or name, text + (one.function.arguments or ""))


def embed():
    """One call, in a report of its own shape."""
    answer = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    return {"asked": "text-embedding-3-small", "model": answer.model, "usage": plain(answer.usage),
            "text": str(answer.data[1].embedding)}


def describe(error):
    return fault(error, status=getattr(error, "status_code", None), type=getattr(error, "type", None),
                 code=getattr(error, "code", None))


play(ask, lambda text: [{"role": "user", "content": text}], describe, embed=embed)
