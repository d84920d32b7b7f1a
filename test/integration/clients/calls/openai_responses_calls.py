"""The Responses API with the openai SDK as it comes: SCENE..., see driving.py."""

import openai

from driving import RESULT, TOOLS, fault, plain, play, schema

MODEL = "gpt-5"
client = openai.OpenAI(api_key="secret", max_retries=0, timeout=30)
DECLARED = [{"type": "function", "name": name, "description": text, "parameters": schema(argument), "strict": False}
            for name, (text, argument) in TOOLS.items()]


def ask(messages, said, tools):
    said["asked"] = MODEL
    asked = {"model": MODEL, "input": messages} | ({"tools": DECLARED} if tools else {})
    if said["stream"]:
        for event in client.responses.create(stream=True, **asked):
            if event.type == "response.output_text.delta":
                said["text"] += event.delta
            if hasattr(event, "response"):
                answer = event.response
                _take(answer, said, whole=event.type not in ("response.created", "response.in_progress"))
    else:
        answer = client.responses.create(**asked)
        said["text"] = answer.output_text
        _take(answer, said, whole=True)
    calls = [item for item in answer.output if item.type == "function_call"]
    said["tool_calls"] = [[one.call_id, one.name] for one in calls]
    return [{"type": "function_call", "call_id": one.call_id, "name": one.name, "arguments": one.arguments}
            for one in calls] + [
        {"type": "function_call_output", "call_id": one.call_id, "output": RESULT} for one in calls]


def _take(answer, said, whole):
    said.update(model=answer.model, id=answer.id)
    if not whole:
        return
    said.update(usage=plain(answer.usage), status=answer.status,
                incomplete=answer.incomplete_details and answer.incomplete_details.reason)
    if answer.error:
        said["error"] = {"kind": None, "status": None, "type": None, "code": answer.error.code}


def describe(error):
    return fault(error, status=getattr(error, "status_code", None), type=getattr(error, "type", None),
                 code=getattr(error, "code", None))


play(ask, lambda text: [{"role": "user", "content": text}], describe)
