"""Chat and embed of Ollama with its SDK as it comes: SCENE..., see driving.py. OLLAMA_HOST says where it is."""

import ollama

from driving import FUNCTIONS, RESULT, fault, play

MODEL = "qwen3:8b"
EMBEDDER = "all-minilm"
client = ollama.Client(timeout=30)


def counted(answer):
    return {key: answer[key] for key in ("prompt_eval_count", "eval_count") if answer.get(key) is not None}


def ask(messages, said, tools):
    said["asked"] = MODEL
    answers = client.chat(model=MODEL, messages=messages, tools=FUNCTIONS if tools else None, stream=said["stream"])
    calls = []
    for answer in answers if said["stream"] else [answers]:
        said["model"] = answer.model
        said["text"] += answer.message.content or ""
        calls += answer.message.tool_calls or []
        if answer.done:
            said.update(finish_reasons=[answer.done_reason], usage=counted(answer))
    said["tool_calls"] = [[None, one.function.name] for one in calls]
    return [{"role": "assistant", "content": "", "tool_calls": [one.model_dump() for one in calls]}] + [
        {"role": "tool", "tool_name": one.function.name, "content": RESULT} for one in calls]


def embed():
    answer = client.embed(model=EMBEDDER, input=["one", "two"])
    return {"asked": EMBEDDER, "model": answer.model, "usage": counted(answer), "text": str(answer.embeddings[1])}


def describe(error):
    status = getattr(error, "status_code", None)
    return fault(error, status=None if status == -1 else status)  # -1: the error came inside a stream


if __name__ == "__main__":
    play(ask, lambda text: [{"role": "user", "content": text}], describe, embed=embed)
