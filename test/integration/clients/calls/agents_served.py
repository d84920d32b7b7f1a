"""A server whose requests are questions for an agent of openai-agents, with a tool over HTTP and those of an MCP server,
whose session all questions share; nothing in it propagates a trace.

    agents_served.py MODEL TOOLS MCP PORT        POST a question there, get the answer; prints the port

MODEL, TOOLS and MCP are URLs.
"""

import asyncio
import sys
import threading

import agents
import httpx
from agents.mcp import MCPServerStreamableHttp
from answering import serve
from openai import AsyncOpenAI

model_url, tools_url, mcp_url, port = sys.argv[1:]
agents.set_tracing_disabled(True)
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()


@agents.function_tool
async def track(parcel: str) -> str:
    """Where a parcel is."""
    async with httpx.AsyncClient(timeout=30) as client:
        return (await client.get(tools_url, params={"parcel": parcel})).text


async def connected():
    server = MCPServerStreamableHttp(params={"url": mcp_url}, cache_tools_list=True, client_session_timeout_seconds=30)
    await server.connect()
    await server.list_tools()
    return server


async def turn(question):
    async with AsyncOpenAI(base_url=model_url, api_key="secret") as client:
        model = agents.OpenAIChatCompletionsModel(model="gpt-5-mini", openai_client=client)
        agent = agents.Agent(name="Clerk", instructions="Say where parcels are.", model=model, tools=[track],
                             mcp_servers=[depots])
        return (await agents.Runner.run(agent, question)).final_output


def awaited(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)


depots = awaited(connected())
serve(lambda question: awaited(turn(question)), int(port))
