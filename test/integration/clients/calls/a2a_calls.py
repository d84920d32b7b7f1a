"""An A2A client of the a2a SDK as it comes: BINDING VERSION URL [undeclared]. A JSON line for each thing it asks for,
with what the SDK reports of it: ids, the task's last state, the error's code. Each is one HTTP request; the first
fetches the card. `undeclared`: without the field that says the version, which clients before 1.0 do not have.
"""

import asyncio
import json
import sys

import httpx
from a2a.client import ClientConfig, ClientFactory
from a2a.types import (CancelTaskRequest, GetTaskPushNotificationConfigRequest, GetTaskRequest, ListTasksRequest,
                       Message, Part, Role, SendMessageRequest, TaskPushNotificationConfig, TaskState)
from a2a.utils.errors import JSON_RPC_ERROR_CODE_MAP, A2AError

binding, version, url, *how = sys.argv[1:]
counted = iter(range(1, 1000))


def say(**what):
    print(json.dumps(what, sort_keys=True), flush=True)


def code_of(error):
    return next((code for kind, code in JSON_RPC_ERROR_CODE_MAP.items() if type(error) is kind), None)


def state_of(status):
    return TaskState.Name(status.state)


async def attempt(method, act, **known):
    said = {"method": method, "message": None, "context": None, "task": None, "state": None, "events": None,
            "code": None} | known
    try:
        said |= await act()
    except A2AError as error:
        said["code"] = code_of(error)
    say(**said)
    return said


def about_task(task):
    return {"context": task.context_id, "task": task.id, "state": state_of(task.status)}


async def heard(stream, streams):
    """What the last event of each kind said."""
    said, events = {}, 0
    async for event in stream:
        events += 1
        if event.HasField("task"):
            said |= about_task(event.task)
        elif event.HasField("message"):
            said["context"] = event.message.context_id
        elif event.HasField("status_update"):
            said |= {"context": event.status_update.context_id, "task": event.status_update.task_id,
                     "state": state_of(event.status_update.status)}
    return said | ({"events": events} if streams else {})


async def undeclare(request):
    request.headers.pop("a2a-version", None)


async def main():
    # The SDK would end a call that takes a busy machine longer than five seconds.
    http = httpx.AsyncClient(timeout=120, event_hooks={"request": [undeclare]} if how else None)

    async def client(streaming):
        return await ClientFactory(ClientConfig(streaming=streaming, httpx_client=http,
                                                supported_protocol_bindings=[binding])).create_from_url(url)

    whole = await client(False)
    say(method="card")

    def send(with_client, streams, text, **ids):
        message = Message(role=Role.ROLE_USER, parts=[Part(text=text)], message_id=f"m{next(counted)}", **ids)
        return attempt("SendStreamingMessage" if streams else "SendMessage",
                       lambda: heard(with_client.send_message(SendMessageRequest(message=message)), streams),
                       message=message.message_id, task=ids.get("task_id"), context=ids.get("context_id"))

    done = await send(whole, False, "work")
    await send(whole, False, "say")
    await send(whole, False, "fail")
    await send(whole, False, "break")
    waiting = await send(whole, False, "ask", context_id="a-context-of-mine")
    streaming = await client(True)
    say(method="card")
    await send(streaming, True, "work")
    await send(streaming, True, "say")
    await send(streaming, True, "ask")
    await send(streaming, True, "work", task_id=waiting["task"], context_id=waiting["context"])
    other = await send(whole, False, "ask")

    async def task(call):
        return about_task(await call)

    await attempt("GetTask", lambda: task(whole.get_task(GetTaskRequest(id=done["task"]))), task=done["task"])
    await attempt("GetTask", lambda: task(whole.get_task(GetTaskRequest(id="nothing"))), task="nothing")
    await attempt("CancelTask", lambda: task(whole.cancel_task(CancelTaskRequest(id=done["task"]))), task=done["task"])
    await attempt("CancelTask", lambda: task(whole.cancel_task(CancelTaskRequest(id=other["task"]))),
                  task=other["task"])

    async def quietly(call):
        await call
        return {}

    config = TaskPushNotificationConfig(task_id=done["task"], id="p1", url="https://203.0.113.9/told")
    await attempt("CreateTaskPushNotificationConfig",
                  lambda: quietly(whole.create_task_push_notification_config(config)), task=done["task"])
    await attempt("GetTaskPushNotificationConfig",
                  lambda: quietly(whole.get_task_push_notification_config(
                      GetTaskPushNotificationConfigRequest(task_id=done["task"], id="p1"))), task=done["task"])
    if version == "1.0":
        await attempt("ListTasks", lambda: quietly(whole.list_tasks(ListTasksRequest())))


asyncio.run(main())
