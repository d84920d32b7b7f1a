"""Generate of Ollama with its SDK as it comes: SCENE..., see driving.py."""

from driving import play
from ollama_chat_calls import MODEL, client, counted, describe


def ask(messages, said, tools):
    said["asked"] = MODEL
    answers = client.generate(model=MODEL, prompt=messages[0], stream=said["stream"])
    for answer in answers if said["stream"] else [answers]:
        said["model"] = answer.model
        said["text"] += answer.response
        if answer.done:
            said.update(finish_reasons=[answer.done_reason], usage=counted(answer))
    return []


play(ask, lambda text: [text], describe)
