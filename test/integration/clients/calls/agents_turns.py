"""An agent of openai-agents with a tool that asks over HTTP; nothing in it propagates a trace.

    agents_turns.py serve MODEL TOOLS            a server that lives on: POST a question, get the answer; prints its port
    agents_turns.py run MODEL TOOLS QUESTION...  answers them, five at once, and ends

MODEL and TOOLS are URLs. Prints at the end of a run, and answers to a POST, as JSON: the last word, and the tokens that
the framework counted.
"""

import asyncio
import json
import sys
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import agents
from answering import serve
from openai import AsyncOpenAI

how, model_url, tools_url, *questions = sys.argv[1:]
agents.set_tracing_disabled(True)


@agents.function_tool
def track(parcel: str) -> str:
    """Where a parcel is."""
    with urllib.request.urlopen(f"{tools_url}?{urllib.parse.urlencode({'parcel': parcel})}", timeout=30) as found:
        return found.read().decode()


async def turn(question):
    async with AsyncOpenAI(base_url=model_url, api_key="secret") as client:
        model = agents.OpenAIChatCompletionsModel(model="gpt-5-mini", openai_client=client)
        agent = agents.Agent(name="Clerk", instructions="Say where parcels are.", model=model, tools=[track])
        done = await agents.Runner.run(agent, question)
    usage = done.context_wrapper.usage
    return {"text": done.final_output, "input": usage.input_tokens, "output": usage.output_tokens}


def answer(question):
    return asyncio.run(turn(question))


if how == "serve":
    serve(lambda question: json.dumps(answer(question)))
else:
    with ThreadPoolExecutor(5) as pool:
        print(json.dumps(dict(zip(questions, pool.map(answer, questions)))))
