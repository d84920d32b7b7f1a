"""Mistral's chat and embeddings: OpenAI's shapes with ids of nine characters, and usage on a stream's last chunk."""

from . import openai
from .scenes import Answer

HOST = "api.mistral.ai"


def answer(call):
    if call.scene == "refused":
        return Answer(400, {"object": "error", "message": "Invalid model: none", "type": "invalid_model", "param": None,
                            "code": "1500"})
    if call.scene == "limited":
        return Answer(429, {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "param": None,
                            "code": "1300"}, headers=[("ratelimitbysize-remaining", "0"), ("retry-after", "20")])
    if call.path.endswith("/embeddings"):
        found = openai.embeddings(call)
        found.document["id"] = f"{call.number:032x}"
        return found
    if call.path.endswith("/agents/completions"):
        call.document["model"] = "mistral-medium-2605"  # the agent's
    return openai.chat(call, details=False, name=lambda model: model, ident="{:032x}", tool_id="T{:06d}x{}")
