"""The model: it decides what to do next from what a conversation says, the same for the same seed and conversation.

Arguments of its tool calls come out of the conversation (the user's words, what tools gave), as a model's do; now and
then it asks for something that stands nowhere. It knows nothing of who asks.
"""

import json
import random
import re

from .apis import all_apis
from .http1 import Answer
from .words import SUB_SYSTEM

URL = re.compile(r"http://[\w.:/-]+")
ORDER = re.compile(r"\b[A-H][K-T]-\d{5,6}\b")
SHIPMENT = re.compile(r"\bSH[0-9a-f]{12}\b")
DATE = re.compile(r"\b2026-\d\d-\d\d\b")
AMOUNT = re.compile(r"\b\d+\.\d\d\b")
CITY = re.compile(r"(?:to|in|;) ([A-Z][a-z]+)")
NAME = re.compile(r"\b([A-Z][a-z]+ [A-Z][a-z]+)\b")
TOPIC = re.compile(r'"([a-z]+ [a-z ]+)"')
# Of what it could ask for, what it asks for less often: rates are the same for everybody, and stand nowhere.
SELDOM = {"exchange_rates": 0.2}


class Model:
    def __init__(self, knobs):
        self._knobs = knobs
        self._chance = random.Random(f"model {knobs['seed']}")
        apis = all_apis()
        # One object serves both kinds of Responses: a request says whether it is a chained one.
        self._apis = {api.path: api for api in (apis["chat"], apis["chained"], apis["messages"])}

    def handle(self, method, target, headers, body):
        document = json.loads(body)
        delay = self._chance.uniform(0.2, 1.8) * self._knobs["latency"]
        if self._chance.random() < self._knobs["errors"]:
            fault = {"error": {"type": "rate_limit_error", "message": "Too many requests.", "code": "rate_limited"}}
            return Answer(fault, status=429, headers="Retry-After: 0\r\n", delay=delay / 4)
        if target == "/v1/embeddings":
            return Answer(embedding(document), delay=delay / 4)
        api = self._apis[target]
        answer = api.answer(document, *self._decide(*api.understand(document)))
        answer.delay = delay
        return answer

    def _decide(self, system, items, tools):
        """(text, [(tool, arguments)])"""
        last_user = max(at for at, item in enumerate(items) if item[0] == "user")
        task = items[last_user][1]
        results = [item[2] for item in items[last_user:] if item[0] == "result"]
        step = sum(item == ("asked",) for item in items[last_user:])
        chance = random.Random(f"{self._knobs['seed']} {task} {step} {len(results)}")
        steps = random.Random(task).randrange(self._knobs["steps"] * 2) + 1
        if step >= (min(steps, 2) if system == SUB_SYSTEM else steps) or not tools:
            name = facts(task, chance)["name"] or "Good"
            return f"{name}, this is settled: {whole_words((results or [task])[-1])}", []
        said = [item[1] for item in items if item[0] == "user"]
        known = facts(" ".join(said + results), chance)
        wanted = chance.randrange(self._knobs["parallel"]) + 1
        calls = [call for call in (self._ask(chance, tools, known) for _ in range(wanted)) if call]
        calls = list({json.dumps(call): call for call in calls}.values())
        return ("" if calls and chance.random() < 0.6 else "I will look that up first."), calls

    def _ask(self, chance, tools, known):
        for _ in range(8):
            name = chance.choice(tools)
            likely = self._knobs["delegate"] * len(tools) if name == "delegate" else SELDOM.get(name, 1)
            if chance.random() > likely:
                continue
            arguments = ASK[name](known, chance)
            if arguments:
                return name, arguments
        return None


def embedding(document):
    chance = random.Random(document["input"])
    vector = [round(chance.uniform(-1, 1), 6) for _ in range(32)]
    return {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": vector}],
            "model": document["model"], "usage": {"prompt_tokens": 60, "total_tokens": 60}}


def whole_words(text, size=240):
    return text if len(text) <= size else text[:size].rpartition(" ")[0]


def facts(text, chance):
    """What can be read in a text; of several, one."""
    def one(pattern, default):
        found = pattern.findall(text)
        return chance.choice(found) if found else default
    return {"url": one(URL, None), "order": one(ORDER, None), "shipment": one(SHIPMENT, None),
            "date": one(DATE, None), "amount": one(AMOUNT, None), "city": one(CITY, None),
            "name": one(NAME, None), "topic": one(TOPIC, None)}


# Arguments, or None where the conversation has nothing to ask for.
ASK = {
    "search": lambda known, chance: known["topic"] and {
        "query": f"{known['topic']} {known['city'] or known['name'] or ''}", "limit": chance.choice((3, 5))},
    "fetch": lambda known, chance: known["url"] and {"url": known["url"]},
    "weather": lambda known, chance: known["city"] and known["date"] and {
        "city": known["city"], "date": known["date"]},
    "order_lookup": lambda known, chance: known["order"] and {"order_id": known["order"]},
    "track": lambda known, chance: known["shipment"] and {"shipment": known["shipment"]},
    "calculate": lambda known, chance: known["amount"] and {
        "expression": f"{known['amount']} * {chance.choice(('1.19', '0.9', '3', '2 + 4.90'))}"},
    "exchange_rates": lambda known, chance: {"base": "EUR"},
    "open_ticket": lambda known, chance: known["order"] and known["name"] and {
        "subject": f"{known['order']}: {known['topic']}", "customer": known["name"], "priority": "normal"},
    "report": lambda known, chance: known["order"] and known["name"] and {
        "about": known["order"], "customer": known["name"]},
    "find_customer": lambda known, chance: known["name"] and {"name": known["name"]},
    "add_note": lambda known, chance: known["order"] and known["name"] and known["date"] and {
        "note": f"{known['name']} asked for {known['order']} on {known['date']}", "visible": False},
    "delegate": lambda known, chance: known["topic"] and known["name"] and {
        "task": f"Find out about \"{known['topic']}\" for {known['name']}, order {known['order']} to {known['city']}"},
}
