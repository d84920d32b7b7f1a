"""Gemini with google-genai as it comes: SCENE..., see driving.py. With VERTEX_PROJECT set it asks Vertex AI."""

import os

from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from driving import RESULT, TOOLS, fault, plain, play, schema

MODEL = "gemini-3-flash"
EMBEDDER = "gemini-embedding-001"
VERTEX = {"vertexai": True, "project": os.environ.get("VERTEX_PROJECT"), "location": "us-central1",
          "credentials": Credentials("secret")}
client = genai.Client(**(VERTEX if VERTEX["project"] else {"api_key": "secret"}), http_options={"timeout": 30000})
DECLARED = types.Tool(function_declarations=[
    types.FunctionDeclaration(name=name, description=text, parameters_json_schema=schema(argument))
    for name, (text, argument) in TOOLS.items()])


def ask(messages, said, tools):
    said["asked"] = MODEL
    config = types.GenerateContentConfig(
        tools=[DECLARED] if tools else None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
    asked = {"model": MODEL, "contents": messages, "config": config}
    parts = []
    pieces = client.models.generate_content_stream(**asked) if said["stream"] else [
        client.models.generate_content(**asked)]
    for piece in pieces:
        candidate = piece.candidates[0]
        parts += candidate.content.parts
        said.update(model=piece.model_version, id=piece.response_id, usage=plain(piece.usage_metadata))
        said["text"] += "".join(part.text or "" for part in candidate.content.parts)
        if candidate.finish_reason:
            said["finish_reasons"].append(candidate.finish_reason.value)
    calls = [part.function_call for part in parts if part.function_call]
    said["tool_calls"] = [[one.id, one.name] for one in calls]
    return [types.Content(role="model", parts=[types.Part(function_call=one) for one in calls]),
            types.Content(role="user", parts=[types.Part(function_response=types.FunctionResponse(
                id=one.id, name=one.name, response={"result": RESULT})) for one in calls])]


def embed():
    answer = client.models.embed_content(model=EMBEDDER, contents="one")
    return {"asked": EMBEDDER, "text": str(answer.embeddings[0].values)}


def describe(error):
    return fault(error, status=getattr(error, "code", None), type=getattr(error, "status", None))


play(ask, lambda text: [types.Content(role="user", parts=[types.Part(text=text)])], describe, embed=embed)
