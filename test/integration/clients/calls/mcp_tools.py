"""An MCP server of the mcp SDK as it comes: KIND [CERTIFICATE KEY], KIND being sse, json or stdio, or old: over HTTP with
SSE, or resumed: it ends its answer to a tool's call in the middle, and goes on where the client takes it up. Over HTTP
it prints its port, then a JSON line for each HTTP request: what the server itself was sent.
"""

import json
import logging
import socket
import sys

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventMessage, EventStore

kind, *tls = sys.argv[1:]
logging.disable(logging.CRITICAL)
server = MCPServer("weather")
KEPT = ("traceparent", "mcp-session-id", "mcp-protocol-version")


@server.tool()
def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


@server.tool()
def fail(why: str) -> str:
    """Goes wrong."""
    raise ValueError(why)


@server.tool()
async def walk(steps: int, ctx: Context) -> str:
    """Says how far it has come."""
    if kind == "resumed":
        await ctx.close_sse_stream()
    for step in range(1, steps + 1):
        await ctx.report_progress(step, steps, f"step {step}")
    return "there"


@server.tool()
async def depot(parcel: str) -> str:
    """The depot of a parcel, after a while."""
    await anyio.sleep(0.3)
    return f"depot of {parcel}"


@server.resource("config://units")
def units() -> str:
    """The units of the answers."""
    return "celsius"


@server.prompt()
def forecast(city: str) -> str:
    """Asks for a forecast."""
    return f"What will the weather be in {city}?"


class Events(EventStore):
    """All of them, in order."""

    def __init__(self):
        self.kept = []

    async def store_event(self, stream_id, message):
        self.kept.append((stream_id, message))
        return str(len(self.kept))

    async def replay_events_after(self, last_event_id, send_callback):
        stream = self.kept[int(last_event_id) - 1][0]
        for at, (of, message) in enumerate(self.kept[int(last_event_id):], int(last_event_id) + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(at)))
        return stream


def served():
    if kind == "old":
        return server.sse_app(host="127.0.0.1")
    resumed = {"event_store": Events(), "retry_interval": 100} if kind == "resumed" else {}
    return server.streamable_http_app(json_response=kind == "json", host="127.0.0.1", **resumed)


def watched(app):
    """Reports each request as the SDK's own application reads it."""

    async def watch(scope, receive, send):
        if scope["type"] != "http":
            return await app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen = {name: headers.get(name) for name in KEPT}
        body = bytearray()

        async def hear():
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def say(message):
            # A stream that has ended is answered once more, to nobody.
            if message["type"] == "http.response.start" and "status" not in seen:
                seen["status"] = message["status"]
                given = dict(message["headers"]).get(b"mcp-session-id", b"").decode()
                print(json.dumps(seen | {
                    "method": scope["method"], "document": json.loads(body or "null"),
                    "session": seen["mcp-session-id"] or given or None}), flush=True)
            await send(message)

        await app(scope, hear, say)

    return watch


if kind == "stdio":
    server.run()
else:
    sock = socket.create_server(("127.0.0.1", 0))
    print(sock.getsockname()[1], flush=True)
    config = uvicorn.Config(watched(served()), log_level="critical", lifespan="auto" if kind == "old" else "on",
                            **({"ssl_certfile": tls[0], "ssl_keyfile": tls[1]} if tls else {}))
    anyio.run(uvicorn.Server(config).serve, [sock])
