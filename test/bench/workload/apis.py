"""Three model APIs, both ends of each: what an agent's library writes and reads, and what a model's server does.

A conversation is a list of items, the same for all: ("user", text), ("asked", text, [(id, name, arguments)]) for what
the model said, ("result", id, text) for what a tool gave. An API turns them into a request's document and back, and
what the model says into an answer, whole or in the pieces of a stream. Ids are random, as real ones are.
"""

import json
import secrets

from .http1 import Answer

SSE = "text/event-stream; charset=utf-8"


def data(document, event=""):
    return f"{event and f'event: {event}' + chr(10)}data: {json.dumps(document)}\n\n".encode()


def events(body):
    """The documents of a stream."""
    for line in body.decode().split("\n"):
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line[6:])


def cut(text, size=24):
    return [text[at:at + size] for at in range(0, len(text), size)] or [""]


class Chat:
    """OpenAI's Chat Completions."""

    path = "/v1/chat/completions"

    def request(self, system, items, tools, stream, previous):
        messages = [{"role": "system", "content": system}]
        for kind, *item in items:
            if kind == "user":
                messages.append({"role": "user", "content": item[0]})
            elif kind == "result":
                messages.append({"role": "tool", "tool_call_id": item[0], "content": item[1]})
            else:
                calls = [{"id": one, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                         for one, name, arguments in item[1]]
                messages.append({"role": "assistant", "content": item[0]} | ({"tool_calls": calls} if calls else {}))
        functions = [{"type": "function", "function": tool} for tool in tools]
        document = {"model": "gpt-5", "messages": messages, "temperature": 0.2}
        if functions:
            document["tools"] = functions
        return document | ({"stream": True, "stream_options": {"include_usage": True}} if stream else {})

    def understand(self, document):
        items = []
        for message in document["messages"][1:]:
            role = message["role"]
            items.append(("user", message["content"]) if role == "user" else
                         ("result", message["tool_call_id"], message["content"]) if role == "tool" else ("asked",))
        return document["messages"][0]["content"], items, [one["function"]["name"] for one in document.get("tools", [])]

    def answer(self, document, text, calls):
        ident = f"chatcmpl-{secrets.token_hex(12)}"
        calls = [{"id": f"call_{secrets.token_hex(12)}", "type": "function",
                  "function": {"name": name, "arguments": json.dumps(arguments)}} for name, arguments in calls]
        head = {"id": ident, "created": 1790000000, "model": "gpt-5-2026-07-18"}
        reason = "tool_calls" if calls else "stop"
        usage = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}
        if not document.get("stream"):
            message = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return Answer(head | {"object": "chat.completion", "choices": [choice], "usage": usage})

        def chunk(delta, finish=None):
            return data(head | {"object": "chat.completion.chunk", "usage": None,
                                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        first = chunk({"role": "assistant", "content": ""})
        rest = b"".join(chunk({"content": piece}) for piece in cut(text) if piece)
        for index, call in enumerate(calls):
            function = call["function"]
            rest += chunk({"tool_calls": [{"index": index} | call | {"function": function | {"arguments": ""}}]})
            rest += b"".join(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
                             for piece in cut(function["arguments"]))
        last = chunk({}, reason) + data(head | {"choices": [], "usage": usage}) + b"data: [DONE]\n\n"
        return Answer(kind=SSE, pieces=[first, rest, last])

    def read(self, streamed, body):
        """(text, calls, id of the answer)"""
        if not streamed:
            document = json.loads(body)
            message = document["choices"][0]["message"]
            calls = [(one["id"], one["function"]["name"], one["function"]["arguments"])
                     for one in message.get("tool_calls", [])]
            text, ident = message["content"], document["id"]
        else:
            text, ident, found = "", "", {}
            for document in events(body):
                ident = document["id"]
                for choice in document["choices"]:
                    text += choice["delta"].get("content") or ""
                    for one in choice["delta"].get("tool_calls", []):
                        if "id" in one:
                            found[one["index"]] = [one["id"], one["function"]["name"], ""]
                        found[one["index"]][2] += one["function"]["arguments"]
            calls = list(found.values())
        return text, [(one, name, json.loads(arguments)) for one, name, arguments in calls], ident


class Responses:
    """OpenAI's Responses, either with everything said so far or, `chained`, with the id of the answer before."""

    path = "/v1/responses"

    def __init__(self, chained=False):
        self._chained = chained
        self._stored = {}

    def request(self, system, items, tools, stream, previous):
        fresh = items
        if self._chained and previous:
            last = max(at for at, item in enumerate(items) if item[0] == "asked")
            fresh = items[last + 1:]
        said = []
        for kind, *item in fresh:
            if kind == "user":
                said.append({"role": "user", "content": [{"type": "input_text", "text": item[0]}]})
            elif kind == "result":
                said.append({"type": "function_call_output", "call_id": item[0], "output": item[1]})
            else:
                if item[0]:
                    said.append({"role": "assistant", "content": [{"type": "output_text", "text": item[0]}]})
                said += [{"type": "function_call", "call_id": one, "name": name, "arguments": json.dumps(arguments)}
                         for one, name, arguments in item[1]]
        document = {"model": "gpt-5", "instructions": system, "input": said, "store": self._chained,
                    "tools": [{"type": "function"} | tool for tool in tools]}
        if fresh is not items:
            document["previous_response_id"] = previous
        return document | ({"stream": True} if stream else {})

    def understand(self, document):
        items = list(self._stored.get(document.get("previous_response_id"), []))
        for item in document["input"]:
            if item.get("role") == "user":
                items.append(("user", item["content"][0]["text"]))
            elif item.get("type") == "function_call_output":
                items.append(("result", item["call_id"], item["output"]))
            elif items and items[-1] != ("asked",):
                items.append(("asked",))
        document["said"] = items
        return document["instructions"], items, [tool["name"] for tool in document["tools"]]

    def answer(self, document, text, calls):
        ident = f"resp_{secrets.token_hex(20)}"
        if document["store"]:
            self._stored[ident] = document["said"] + [("asked",)]
        output = [{"type": "function_call", "id": f"fc_{secrets.token_hex(16)}", "status": "completed", "name": name,
                   "call_id": f"call_{secrets.token_hex(12)}", "arguments": json.dumps(arguments)}
                  for name, arguments in calls]
        if text:
            output.insert(0, {"type": "message", "id": f"msg_{secrets.token_hex(16)}", "role": "assistant",
                              "status": "completed", "content": [{"type": "output_text", "text": text}]})
        whole = {"id": ident, "object": "response", "created_at": 1790000000, "status": "completed",
                 "model": "gpt-5-2026-07-18", "output": output,
                 "usage": {"input_tokens": 900, "output_tokens": 40, "total_tokens": 940}}
        if not document.get("stream"):
            return Answer(whole)

        def event(kind, **more):
            return data({"type": kind} | more, kind)
        first = event("response.created", response=whole | {"status": "in_progress", "output": [], "usage": None})
        rest = b""
        for index, item in enumerate(output):
            empty = item | ({"arguments": ""} if "arguments" in item else {"content": []})
            rest += event("response.output_item.added", output_index=index, item=empty)
            where, texts = (("response.function_call_arguments.delta", item["arguments"]) if "arguments" in item else
                            ("response.output_text.delta", item["content"][0]["text"]))
            rest += b"".join(event(where, output_index=index, item_id=item["id"], delta=piece) for piece in cut(texts))
            rest += event("response.output_item.done", output_index=index, item=item)
        return Answer(kind=SSE, pieces=[first, rest, event("response.completed", response=whole)])

    def read(self, streamed, body):
        document = list(events(body))[-1]["response"] if streamed else json.loads(body)
        text, calls = "", []
        for item in document["output"]:
            if item["type"] == "message":
                text += item["content"][0]["text"]
            else:
                calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
        return text, calls, document["id"]


class Messages:
    """Anthropic's Messages."""

    path = "/v1/messages"

    def request(self, system, items, tools, stream, previous):
        messages = []
        for kind, *item in items:
            if kind == "user":
                messages.append({"role": "user", "content": item[0]})
            elif kind == "result":
                block = {"type": "tool_result", "tool_use_id": item[0], "content": item[1]}
                if messages[-1]["role"] == "user" and isinstance(messages[-1]["content"], list):
                    messages[-1]["content"].append(block)
                else:
                    messages.append({"role": "user", "content": [block]})
            else:
                content = [{"type": "text", "text": item[0]}] if item[0] else []
                content += [{"type": "tool_use", "id": one, "name": name, "input": arguments}
                            for one, name, arguments in item[1]]
                messages.append({"role": "assistant", "content": content})
        document = {"model": "claude-sonnet-5", "max_tokens": 4096, "system": system, "messages": messages,
                    "tools": [{"name": tool["name"], "description": tool["description"],
                               "input_schema": tool["parameters"]} for tool in tools]}
        return document | ({"stream": True} if stream else {})

    def understand(self, document):
        items = []
        for message in document["messages"]:
            content = message["content"]
            if message["role"] == "assistant":
                items.append(("asked",))
            elif isinstance(content, str):
                items.append(("user", content))
            else:
                items += [("result", block["tool_use_id"], block["content"]) for block in content]
        return document["system"], items, [tool["name"] for tool in document["tools"]]

    def answer(self, document, text, calls):
        content = [{"type": "text", "text": text}] if text else []
        content += [{"type": "tool_use", "id": f"toolu_{secrets.token_hex(12)}", "name": name, "input": arguments}
                    for name, arguments in calls]
        reason = "tool_use" if calls else "end_turn"
        whole = {"id": f"msg_{secrets.token_hex(12)}", "type": "message", "role": "assistant",
                 "model": "claude-sonnet-5-20260701", "content": content, "stop_reason": reason, "stop_sequence": None,
                 "usage": {"input_tokens": 900, "output_tokens": 40}}
        if not document.get("stream"):
            return Answer(whole)

        def event(kind, **more):
            return data({"type": kind} | more, kind)
        first = event("message_start", message=whole | {"content": [], "stop_reason": None})
        rest = b""
        for index, block in enumerate(content):
            empty = block | ({"text": ""} if block["type"] == "text" else {"input": {}})
            rest += event("content_block_start", index=index, content_block=empty)
            deltas = ([{"type": "text_delta", "text": piece} for piece in cut(block["text"])] if block["type"] == "text"
                      else [{"type": "input_json_delta", "partial_json": piece}
                            for piece in cut(json.dumps(block["input"]))])
            rest += b"".join(event("content_block_delta", index=index, delta=delta) for delta in deltas)
            rest += event("content_block_stop", index=index)
        last = event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 40}) + event("message_stop")
        return Answer(kind=SSE, pieces=[first, rest, last])

    def read(self, streamed, body):
        blocks, ident = [], ""
        if not streamed:
            document = json.loads(body)
            blocks, ident = document["content"], document["id"]
        else:
            for event in events(body):
                if event["type"] == "message_start":
                    ident = event["message"]["id"]
                elif event["type"] == "content_block_start":
                    blocks.append(event["content_block"] | {"partial": ""})
                elif event["type"] == "content_block_delta":
                    blocks[-1]["partial"] += event["delta"].get("text") or event["delta"].get("partial_json", "")
            for block in blocks:
                block["text" if block["type"] == "text" else "input"] = (
                    block["partial"] if block["type"] == "text" else json.loads(block["partial"]))
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        return text, [(one["id"], one["name"], one["input"]) for one in blocks if one["type"] == "tool_use"], ident


def all_apis():
    return {"chat": Chat(), "responses": Responses(), "chained": Responses(chained=True), "messages": Messages()}
