"""Gemini by plain REST, whose stream is an array that grows where nobody asks for events (`alt=sse`), each element read
by google-genai's own parser as it comes: SCENE..., see driving.py."""

import json

import httpx
from google.genai import errors, types

from driving import RESULT, TOOLS, fault, plain, play, schema

MODEL = "gemini-3-flash"
URL = f"https://generativelanguage.googleapis.com/v1beta/models/{MODEL}:"
DECLARED = [{"functionDeclarations": [{"name": name, "description": text, "parametersJsonSchema": schema(argument)}
                                      for name, (text, argument) in TOOLS.items()]}]
client = httpx.Client(timeout=30, headers={"x-goog-api-key": "secret"})


def ask(messages, said, tools):
    said["asked"] = MODEL
    body = {"contents": messages} | ({"tools": DECLARED} if tools else {})
    parts = []
    with client.stream("POST", URL + ("streamGenerateContent" if said["stream"] else "generateContent"),
                       json=body) as answer:
        if answer.status_code >= 400:
            raise errors.ClientError(answer.status_code, json.loads(answer.read()))
        for piece in pieces(answer.iter_text()):
            candidate = piece.candidates[0]
            parts += candidate.content.parts
            said.update(model=piece.model_version, id=piece.response_id, usage=plain(piece.usage_metadata))
            said["text"] += "".join(part.text or "" for part in candidate.content.parts)
            if candidate.finish_reason:
                said["finish_reasons"].append(candidate.finish_reason.value)
    calls = [part.function_call for part in parts if part.function_call]
    said["tool_calls"] = [[one.id, one.name] for one in calls]
    return [{"role": "model", "parts": [{"functionCall": named(one) | {"args": one.args}} for one in calls]},
            {"role": "user", "parts": [{"functionResponse": named(one) | {"response": {"result": RESULT}}}
                                       for one in calls]}]


def named(call):
    return {"name": call.name} | ({"id": call.id} if call.id else {})


def pieces(texts):
    """The answer, or the elements of the array that it is, as soon as each is whole."""
    decoder, waiting = json.JSONDecoder(), ""
    for text in texts:
        waiting += text
        while waiting := waiting.lstrip("[], \r\n"):
            try:
                document, end = decoder.raw_decode(waiting)
            except json.JSONDecodeError:
                break
            yield types.GenerateContentResponse._from_response(response=document, kwargs={})
            waiting = waiting[end:]


def describe(error):
    return fault(error, status=getattr(error, "code", None), type=getattr(error, "status", None))


play(ask, lambda text: [{"role": "user", "parts": [{"text": text}]}], describe)
