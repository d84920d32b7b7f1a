"""An A2A agent of the a2a SDK as it comes: BINDING VERSION, JSONRPC or HTTP+JSON, 1.0 or 0.3. It does what a message's
text says. It prints its port, then a JSON line for each HTTP request: what it was sent.
"""

import json
import logging
import socket
import sys

import anyio
import uvicorn
from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes.agent_card_routes import create_agent_card_routes
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.routes.rest_routes import create_rest_routes
from a2a.server.tasks import InMemoryPushNotificationConfigStore, InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface
from starlette.applications import Starlette

binding, version = sys.argv[1:]
logging.disable(logging.CRITICAL)
KEPT = ("traceparent", "a2a-version")


class Executor(AgentExecutor):
    async def execute(self, context, event_queue):
        wanted = context.get_user_input()
        if wanted == "say":
            return await event_queue.enqueue_event(new_text_message("hello", context_id=context.context_id))
        if wanted == "break":
            raise RuntimeError("as asked")
        task = context.current_task or new_task_from_user_message(context.message)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        if wanted == "ask":
            return await updater.requires_input()
        await updater.add_artifact([new_text_part("done")], name="result")
        await (updater.failed() if wanted == "fail" else updater.complete())

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def app(port):
    path = "/rpc" if binding == "JSONRPC" else "/rest"
    card = AgentCard(
        name="Worker", description="Does what it is told.", version="3.2.1",
        capabilities=AgentCapabilities(streaming=True, push_notifications=True), default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        supported_interfaces=[AgentInterface(protocol_binding=binding, url=f"http://127.0.0.1:{port}{path}",
                                             protocol_version=version)])
    handler = DefaultRequestHandler(agent_executor=Executor(), task_store=InMemoryTaskStore(), agent_card=card,
                                    push_config_store=InMemoryPushNotificationConfigStore())
    old = version == "0.3"
    routes = (create_jsonrpc_routes(handler, path, enable_v0_3_compat=old) if binding == "JSONRPC"
              else create_rest_routes(handler, enable_v0_3_compat=old, path_prefix=path))
    return Starlette(routes=create_agent_card_routes(card) + routes)


def watched(served):
    """Reports each request as the SDK's own application reads it."""

    async def watch(scope, receive, send):
        if scope["type"] != "http":
            return await served(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen = {name: headers.get(name) for name in KEPT} | {"method": scope["method"], "path": scope["path"]}
        body = bytearray()

        async def hear():
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def say(message):
            if message["type"] == "http.response.start" and "status" not in seen:
                seen["status"] = message["status"]
                print(json.dumps(seen | {"document": json.loads(body or "null")}), flush=True)
            await send(message)

        await served(scope, hear, say)

    return watch


sock = socket.create_server(("127.0.0.1", 0))
port = sock.getsockname()[1]
print(port, flush=True)
anyio.run(uvicorn.Server(uvicorn.Config(watched(app(port)), log_level="critical")).serve, [sock])
