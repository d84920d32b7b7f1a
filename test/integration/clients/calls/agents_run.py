"""An agent of openai-agents as it comes, with two tools, that runs until its model asks for none: ROUNDS API.

Prints as one JSON line what the framework itself counted: requests, tokens, and each response's id and tool calls.
"""

import json
import sys

import agents

from driving import RESULT

rounds, api = sys.argv[1:]
agents.set_tracing_disabled(True)
agents.set_default_openai_api(api)
used = []


@agents.function_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    used.append("get_weather")
    return RESULT


@agents.function_tool
def get_time(zone: str) -> str:
    """The time in a zone."""
    used.append("get_time")
    return RESULT


agent = agents.Agent(name="Forecaster", instructions="Say what the weather is.", model="gpt-5-mini",
                     tools=[get_weather, get_time])
done = agents.Runner.run_sync(agent, f"What is the weather? (loop-{rounds})", max_turns=int(rounds) + 1)
usage = done.context_wrapper.usage
print(json.dumps({
    "text": done.final_output, "requests": usage.requests, "input": usage.input_tokens, "output": usage.output_tokens,
    "cached": usage.input_tokens_details.cached_tokens, "used": used,
    "calls": [[item.call_id, item.name] for response in done.raw_responses for item in response.output
              if item.type == "function_call"],
}, sort_keys=True))
