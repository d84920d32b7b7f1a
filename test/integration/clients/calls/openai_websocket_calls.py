"""Responses over a WebSocket with the openai SDK as it comes: the scenes that the command line names behind
"packed" or "plain", one after the other on one connection, each after the response before.

Prints for each what the SDK reports, as driving.py does.
"""

import json
import ssl
import sys

import openai

from driving import plain, report

MODEL = "gpt-5"
client = openai.OpenAI(api_key="secret", max_retries=0, timeout=30)


def answered(connection, said):
    """Hears one answer to its end; what ends it early is what the SDK raises, or an event that says so."""
    for event in connection:
        if event.type == "response.created":
            said.update(model=event.response.model, id=event.response.id)
        if event.type == "response.output_text.delta":
            said["text"] += event.delta
        if event.type in ("response.completed", "response.incomplete", "response.failed"):
            answer = event.response
            said.update(model=answer.model, id=answer.id, usage=plain(answer.usage), status=answer.status,
                        incomplete=answer.incomplete_details and answer.incomplete_details.reason,
                        tool_calls=[[item.call_id, item.name] for item in answer.output if item.type == "function_call"])
            if answer.error:
                said["error"] = {"kind": "failed", "status": None, "type": None, "code": answer.error.code}
            return
    raise EOFError("the connection ended before the answer")


calls = []
packed = sys.argv[1] == "packed"  # the SDK offers it where it is asked to
# websockets reads in one thread and writes in another, by one object of TLS, which Python does not guard: by TLS 1.3
# tickets come just when it begins, and now and then the handshake is lost.
context = ssl.create_default_context()
context.maximum_version = ssl.TLSVersion.TLSv1_2
options = {"ssl": context} | ({"compression": "deflate"} if packed else {})
with client.responses.connect(websocket_connection_options=options) as connection:
    for scene in sys.argv[2:]:
        asked = {"previous_response_id": calls[-1]["id"]} if calls else {}
        connection.response.create(model=MODEL, input=f"What is the weather? ({scene})", **asked)
        calls.append(report(asked=MODEL, stream=True, **({"previous": asked["previous_response_id"]} if asked else {})))
        try:
            answered(connection, calls[-1])
        except Exception as error:  # whatever ends it
            calls[-1]["error"] = {"kind": "broken", "status": None, "type": None, "code": None}
            print(repr(error), file=sys.stderr)
            break
print(json.dumps({"calls": calls}, sort_keys=True))
