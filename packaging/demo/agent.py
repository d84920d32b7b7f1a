"""A small agent that plans a weekend, with nothing but Python's standard library.

It knows nothing of tracing: no SDK, no headers, no sidespan. It asks a model for a plan, uses two tools at once, tries
one of them again, does without a service that is down, and lets the model write the answer. Where its services are,
it reads from MODEL_URL, TOOLS_URL and CALENDAR_URL (origins.py sets them).
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

MODEL = os.environ["MODEL_URL"]
TOOLS = os.environ["TOOLS_URL"]
CALENDAR = os.environ["CALENDAR_URL"]
TIMEOUT = 10  # seconds a call may take
ATTEMPTS = 3


def ask_model(prompt):
    """Sends a prompt and puts the streamed answer together."""
    question = {"model": "demo-1", "stream": True, "stream_options": {"include_usage": True},
                "messages": [{"role": "user", "content": prompt}]}
    request = urllib.request.Request(f"{MODEL}/v1/chat/completions", json.dumps(question).encode(),
                                     {"Content-Type": "application/json", "Accept": "text/event-stream"})
    words = []
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        for line in answer:
            data = line.decode().strip().removeprefix("data: ")
            if data and data != "[DONE]":
                words += [choice["delta"].get("content", "") for choice in json.loads(data)["choices"]]
    return "".join(words)


def use_tool(name, query):
    """Calls a tool, and again when it says that it is busy."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(f"{TOOLS}/{name}?q={query}", timeout=TIMEOUT) as answer:
                return json.load(answer)["result"]
        except urllib.error.HTTPError as refused:
            if refused.code != 503 or attempt == ATTEMPTS:
                raise
            time.sleep(0.05 * attempt)


def free_days():
    """The calendar is nice to have: the agent goes on without it."""
    try:
        with urllib.request.urlopen(f"{CALENDAR}/free", timeout=TIMEOUT) as answer:
            return json.load(answer)["result"]
    except OSError as fault:
        print(f"agent: no calendar ({fault}), taking any weekend")
        return "any weekend"


def main():
    plan = ask_model("Plan a weekend in Lisbon.")
    print(f"agent: {plan}")
    days = free_days()
    with ThreadPoolExecutor() as threads:
        weather = threads.submit(use_tool, "weather", "lisbon")
        flights = threads.submit(use_tool, "flights", "lisbon")
        facts = f"{days}; {weather.result()}; {flights.result()}"
    print(f"agent: {ask_model(f'Write it down: {facts}')}")


if __name__ == "__main__":
    sys.exit(main())
