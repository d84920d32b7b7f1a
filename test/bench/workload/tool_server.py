"""The tools: plain HTTP with JSON, queries, path segments and forms, and an MCP server by streamable HTTP.

What a tool knows follows from what it is asked for, so that the same question gets the same answer, as from a database;
what it makes (tickets, reports) has an id of its own.
"""

import json
import random
import secrets
from urllib.parse import parse_qsl, unquote, urlsplit

from .apis import SSE, data
from .http1 import Answer
from .words import Words, derived


def schema(name, description, /, *required, **properties):
    return {"name": name, "description": description, "parameters": {
        "type": "object", "required": list(required),
        "properties": {key: {"type": kind} for key, kind in properties.items()}}}


MCP_TOOLS = [schema("find_customer", "Finds a customer by name.", "name", name="string"),
             schema("add_note", "Adds a note to a customer's file.", "note", note="string", visible="boolean")]
TOOLS = [schema("search", "Searches the knowledge base. Results have a title and a URL.", "query", query="string",
                limit="integer"),
         schema("fetch", "Reads a page of the knowledge base.", "url", url="string"),
         schema("weather", "The weather in a city on a day, like 2026-11-27.", "city", city="string", date="string"),
         schema("order_lookup", "What is known of an order.", "order_id", order_id="string"),
         schema("track", "Where a shipment is.", "shipment", shipment="string"),
         schema("calculate", "Evaluates an arithmetic expression.", "expression", expression="string"),
         schema("exchange_rates", "Rates of the European Central Bank.", base="string"),
         schema("open_ticket", "Opens a ticket for the back office.", "subject", subject="string", customer="string",
                priority="string"),
         schema("report", "Has a report made, which takes a while.", "about", about="string", customer="string"),
         *MCP_TOOLS]
DELEGATE = schema("delegate", "Hands a task to a research agent and gets its answer.", "task", task="string")


class Tools:
    def __init__(self, knobs):
        self._knobs = knobs
        self._words = Words(knobs["vocabulary"])
        self._chance = random.Random(f"tools {knobs['seed']}")
        self._pages = {"search": self._search, "docs": self._page, "nearest": self._nearest, "weather": self._weather,
                       "orders": self._order, "shipments": self._shipment, "calculate": self._calculate,
                       "rates": self._rates, "tickets": self._ticket, "reports": self._report, "mcp": self._mcp,
                       "healthz": self._ok, "usage": self._ok, "flags": self._ok}

    def handle(self, method, target, headers, body):
        url = urlsplit(target)
        first, _, rest = url.path[1:].partition("/")
        delay = self._chance.uniform(0.2, 1.8) * self._knobs["latency"] / 4
        if first != "healthz" and self._chance.random() < self._knobs["errors"]:
            return Answer({"error": "internal"}, status=500, delay=delay)
        answer = self._pages[first](unquote(rest), dict(parse_qsl(url.query)), headers, body)
        answer.delay = delay
        return answer

    def _search(self, _rest, _query, headers, body):
        asked = json.loads(body)
        # Now and then the first result is what everybody finds; the others belong to the question.
        slugs = [f"{asked['query'].split()[0]}-{derived(asked['query'] + str(number))}"
                 for number in range(asked["limit"])]
        if random.Random(f"common {asked['query']}").random() < self._knobs["common_pages"]:
            slugs[0] = "getting-started"
        return Answer({"results": [{"title": f"About {slug}", "url": f"http://{headers['host']}/docs/{slug}",
                                    "score": round(1 / (3 + at), 3)} for at, slug in enumerate(slugs)]})

    def _nearest(self, _rest, _query, headers, body):
        asked = json.loads(body)
        return Answer({"pages": [f"http://{headers['host']}/docs/near-{derived(str(asked['vector'][at]))}"
                                 for at in range(asked["limit"])]})

    def _page(self, slug, _query, headers, _body):
        other = f"http://{headers['host']}/docs/annex-{derived(slug)}"
        return Answer({"text": f"On {slug}: paragraph {derived(slug, 4)} applies within 14 days, see {other} for more. "
                               + "Parcels are counted by the day of their delivery. " * 8})

    def _weather(self, _rest, query, _headers, _body):
        return Answer({"city": query["city"], "date": query["date"], "celsius": int(derived(query["city"], 2), 16) / 8,
                       "sky": "overcast"})

    def _order(self, order, _query, _headers, _body):
        if not order:
            return Answer({"orders": [f"{secrets.choice('ABCDEFGH')}{secrets.choice('KLMNPRST')}-"
                                      f"{10_000 + secrets.randbelow(990_000)}" for _ in range(2)]})
        known = derived(order, 20)
        chance = random.Random(order)
        return Answer({"order": order, "state": "shipped", "shipment": f"SH{known[:12]}",
                       "to": chance.choice(self._words.cities), "total": f"{int(known[:4], 16) / 100:.2f}",
                       "by": self._words.name(chance)})

    def _shipment(self, shipment, _query, _headers, _body):
        depot = random.Random(shipment).choice(self._words.cities)
        return Answer({"shipment": shipment, "carrier": "DHL", "depot": depot})

    def _calculate(self, _rest, _query, _headers, body):
        left, _, right = json.loads(body)["expression"].partition(" * ")
        return Answer({"result": round(float(left) * float(right.split()[0]), 2)})

    def _rates(self, _rest, query, _headers, _body):
        return Answer({"base": query["base"], "rates": {"USD": 1.0812, "GBP": 0.8401, "CHF": 0.9377}})

    def _ticket(self, _rest, _query, _headers, body):
        return Answer({"ticket": f"T-{secrets.token_hex(4)}", "subject": dict(parse_qsl(body.decode()))["subject"]},
                      status=201)

    def _report(self, report, _query, _headers, _body):
        if report:
            return Answer({"report": report, "state": "done", "pages": 3})
        return Answer({"report": f"rep_{secrets.token_hex(8)}", "state": "queued"}, status=202)

    def _ok(self, *_):
        return Answer({"ok": True})

    def _mcp(self, _rest, _query, headers, body):
        asked = json.loads(body)
        if "id" not in asked:
            return Answer(status=202)
        method, result, more = asked["method"], {}, ""
        if method == "initialize":
            result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                      "serverInfo": {"name": "crm", "version": "3.1"}}
            more = f"Mcp-Session-Id: {secrets.token_hex(16)}\r\n"
        elif method == "tools/list":
            result = {"tools": [{"name": tool["name"], "description": tool["description"],
                                 "inputSchema": tool["parameters"]} for tool in MCP_TOOLS]}
        elif method == "tools/call":
            arguments = asked["params"]["arguments"]
            known = derived(json.dumps(arguments), 8)
            text = (f"{arguments['name']} is customer C-{known}" if "name" in arguments else f"noted as N-{known}")
            result = {"content": [{"type": "text", "text": text}], "isError": False}
        document = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
        if self._chance.random() < 0.5 and method == "tools/call":
            return Answer(kind=SSE, pieces=[b": here\n\n", data(document, "message")])
        return Answer(document, headers=more)
