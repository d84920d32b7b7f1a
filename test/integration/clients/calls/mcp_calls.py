"""An MCP client of the mcp SDK as it comes: MODE URL, or MODE and the command of a server that it starts; MODE is
legacy or auto, or old: over HTTP with SSE. A JSON line for each thing it asks for, with what the SDK reports of it; the first says which protocol
they agreed on.
"""

import json
import os
import sys

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.sse import sse_client

mode, *server = sys.argv[1:]
where = server[0] if len(server) == 1 else StdioServerParameters(
    command=server[0], args=server[1:], env=dict(os.environ))
if mode == "old":
    mode, where = "legacy", sse_client(where)


def say(**what):
    print(json.dumps(what, sort_keys=True), flush=True)


async def attempt(method, target, act):
    try:
        result = await act()
    except MCPError as error:
        return say(method=method, target=target, code=error.error.code, tool_error=False)
    say(method=method, target=target, code=None, tool_error=bool(getattr(result, "is_error", False)),
        result=result.model_dump(mode="json", by_alias=True, exclude_none=True))


async def main():
    progress = []

    async def on_progress(done, total, message):
        progress.append([done, total, message])

    async with Client(where, mode=mode) as client:
        say(protocol=client.protocol_version, server=client.server_info.name)
        for method, target, act in (
            ("tools/list", None, lambda: client.list_tools()),
            ("tools/call", "add", lambda: client.call_tool("add", {"a": 2, "b": 3})),
            ("tools/call", "fail", lambda: client.call_tool("fail", {"why": "as asked"})),
            ("tools/call", "walk", lambda: client.call_tool("walk", {"steps": 3}, progress_callback=on_progress)),
            ("tools/call", "nothing", lambda: client.call_tool("nothing", {})),
            ("resources/list", None, lambda: client.list_resources()),
            ("resources/read", "config://units", lambda: client.read_resource("config://units")),
            ("resources/read", "config://none", lambda: client.read_resource("config://none")),
            ("prompts/list", None, lambda: client.list_prompts()),
            ("prompts/get", "forecast", lambda: client.get_prompt("forecast", {"city": "Paris"})),
        ):
            await attempt(method, target, act)
    say(progress=progress)


anyio.run(main)
