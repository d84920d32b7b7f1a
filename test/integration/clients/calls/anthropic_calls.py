"""Messages with the anthropic SDK as it comes: SCENE..., see driving.py."""

import anthropic

from driving import RESULT, TOOLS, fault, plain, play, schema

MODEL = "claude-sonnet-5-5"
client = anthropic.Anthropic(api_key="secret", max_retries=0, timeout=30)
DECLARED = [{"name": name, "description": text, "input_schema": schema(argument)}
            for name, (text, argument) in TOOLS.items()]


def ask(messages, said, tools):
    said["asked"] = MODEL
    asked = {"model": MODEL, "max_tokens": 64, "messages": messages} | ({"tools": DECLARED} if tools else {})
    if said["stream"]:
        with client.messages.stream(**asked) as stream:
            for _ in stream:
                _take(stream.current_message_snapshot, said)
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(**asked)
    _take(answer, said)
    calls = [block for block in answer.content if block.type == "tool_use"]
    return [{"role": "assistant", "content": [plain(block) for block in calls]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block.id, "content": RESULT}
                                         for block in calls]}]


def _take(answer, said):
    said.update(model=answer.model, id=answer.id, usage=plain(answer.usage),
                finish_reasons=[answer.stop_reason] if answer.stop_reason else [],
                text="".join(block.text for block in answer.content if block.type == "text"),
                tool_calls=[[block.id, block.name] for block in answer.content if block.type == "tool_use"])


def describe(error):
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, dict) else None
    return fault(error, status=getattr(error, "status_code", None), type=inner and inner.get("type"))


play(ask, lambda text: [{"role": "user", "content": text}], describe)
