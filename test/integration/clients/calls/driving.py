"""What the drivers share: plays the scenes that the command line names, and says as JSON what the SDK itself reported.

A driver hands over `ask(messages, said, tools)`, which calls the model once, streamed where `said["stream"]` is set,
fills `said` as it goes, so that a stream that breaks has said something before, and returns the messages that the
conversation goes on with, the results of tools among them. A scene ends when no tool is asked for. One line each:

    {"scene": "tools", "calls": [{"asked": "gpt-5", "stream": false, "model": ..., "id": ..., "usage": {...},
        "finish_reasons": [...], "tool_calls": [["id", "name"], ...], "text": ..., "error": null}, ...]}
"""

import json
import sys

RESULT = "21 degrees"
TOOLS = {"get_weather": ("The weather of a city.", "city"), "get_time": ("The time in a zone.", "zone")}
ROUNDS = 20


def report(**known):
    return {"asked": None, "stream": False, "model": None, "id": None, "finish_reasons": [], "usage": None,
            "tool_calls": [], "text": "", "error": None} | known


def schema(argument):
    return {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}


# As Chat Completions has them, and who follows it.
FUNCTIONS = [{"type": "function", "function": {"name": name, "description": text, "parameters": schema(argument)}}
             for name, (text, argument) in TOOLS.items()]


def plain(value):
    """Usage as plain data, without what is not there."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if one is not None}
    return value


def fault(error, **more):
    """`status`, `type`, `code`: what the SDK took from the provider's error."""
    return {"kind": type(error).__name__, "status": None, "type": None, "code": None} | more


def play(ask, begin, describe, **others):
    """`begin(text)` makes the first messages, `describe(error)` the report of an exception. `others`: scenes that are
    one call of another kind, by functions that return their report."""
    for scene in sys.argv[1:]:
        if scene in others:
            print(json.dumps({"scene": scene, "calls": [report(**others[scene]())]}, sort_keys=True), flush=True)
            continue
        word, _, how = scene.partition(":")
        messages, calls = begin(f"What is the weather? ({word})"), []
        for _ in range(ROUNDS):
            said = report(stream=how == "stream")
            calls.append(said)
            try:
                more = ask(messages, said, word == "tools" or word.startswith("loop-"))
            except Exception as error:  # whatever the SDK raises is what it reports
                said["error"] = describe(error)
                break
            if not said["tool_calls"]:
                break
            messages = messages + more
        print(json.dumps({"scene": scene, "calls": calls}, sort_keys=True), flush=True)
