"""A long-lived agent process: several tasks at once in one event loop, over one set of kept connections, through the
sidecar. It writes down whose each request was, beside the number that the origin gave it.

Run as `python -m workload.agent KNOBS`, knobs as JSON (test/bench/fidelity has their meaning).
"""

import asyncio
import base64
import gc
import hashlib
import json
import random
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from .apis import all_apis, events
from .http1 import Client
from .model_server import ORDER
from .tool_server import DELEGATE, MCP_TOOLS, TOOLS
from .words import SUB_SYSTEM, SYSTEM, Asker, Words

JSON = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
ATTEMPTS = 8
MCP_NAMES = {tool["name"] for tool in MCP_TOOLS}
KINDS = ("model", "http", "mcp")  # what an instrumentation library covers


@dataclass
class Work:
    """One task with all that is done for it, or one round of a background job."""

    name: str
    chance: random.Random
    propagates: frozenset = frozenset()
    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    background: bool = False
    run: tuple = None  # (trace id, span id) of what started it, where the proxy's user says so
    proxy_headers: str = ""
    model_headers: str = ""
    counts_retries: bool = False  # as the model SDKs do in a header of theirs
    agents: int = 0
    after: list = field(default_factory=list)  # what goes on when the answer is there


class Agent:
    def __init__(self, knobs):
        self.knobs = knobs
        self.client = Client((knobs["proxy"][0], knobs["proxy"][1]))
        self.asker = Asker(Words(knobs["vocabulary"]), knobs["equal_prompts"], knobs["equal_arguments"])
        self.model = f"127.0.0.1:{knobs['model_port']}"
        self.apis = all_apis()
        self.truth = []
        self.stopping = False
        self.live = {}  # work -> the order it is about
        self.works = self.rounds = self.rpc_ids = 0
        self.sessions = {}
        self.last_sent = None  # (work, context)
        self.lies = 0

    # --- requests

    async def call(self, work, agent, kind, method, host, path, headers="", document=None, begins=False):
        """(fields, body) of the answer; an origin that refuses is asked again. `document`: JSON, or bytes as such."""
        library = kind if kind in ("model", "mcp") else "http"
        for attempt in range(ATTEMPTS):
            sent, lie, more, said = None, None, work.proxy_headers + headers, document
            if kind == "model":
                more += work.model_headers
                more += f"x-stainless-retry-count: {attempt}\r\n" if work.counts_retries else ""
            if library in work.propagates:
                sent, lie = (work.trace, secrets.token_hex(8)), self.lie(work)
                context = "00-{}-{}-01".format(*(lie or sent))
                if kind == "mcp" and not lie and work.chance.random() < 0.5:
                    said = document | {"params": document["params"] | {"_meta": {"traceparent": context}}}
                else:
                    more += f"traceparent: {context}\r\n"
                sent = None if lie else sent
            body = said if isinstance(said, bytes) else json.dumps(said).encode() if said else b""
            chunked = bool(body) and work.chance.random() < self.knobs["chunked"]
            status, fields, content = await self.client.request(method, host, path, more, body, chunked)
            if "x-served" not in fields:
                raise ConnectionError(f"the proxy itself said {status}: {content[:200]}")
            may_be_root = not sent and not lie and not work.run and (work.background or (begins and attempt == 0))
            label = "retry" if attempt else kind
            what = self.described(method, path, document) + (" chunked" if chunked else "")
            self.truth.append((int(fields["x-served"]), work.name, agent, label, may_be_root, sent, what,
                               self.digest(method, path, document), work.run))
            if sent and not work.background:
                self.last_sent = work.name, sent
            if status < 400:
                return fields, content
            await asyncio.sleep(self.knobs["latency"] / 4)
        raise ConnectionError(f"{path} was refused {ATTEMPTS} times")

    @staticmethod
    def digest(method, path, document):
        """Of all that a call says for itself: equal for two that differ in nothing but whose they are."""
        said = document["params"] if isinstance(document, dict) and "params" in document else document
        text = said if isinstance(said, bytes) else json.dumps(said, sort_keys=True).encode()
        return hashlib.blake2b(f"{method} {path} ".encode() + text, digest_size=8).hexdigest()

    def described(self, method, path, document):
        """What a call asks for, without what it asks about; for the table of lost ones."""
        if isinstance(document, dict) and "method" in document:
            return document["params"].get("name") or document["method"]
        url = urlsplit(path)
        common = "" if not url.path.startswith("/docs/getting-started") else "getting-started"
        return f"{method} /{url.path[1:].partition('/')[0]}" + (f"/{common}" if common else "")

    def lie(self, work):
        """The context of another task, now and then where lies are wanted."""
        if self.last_sent and self.last_sent[0] != work.name and work.chance.random() < self.knobs["lies"]:
            self.lies += 1
            return self.last_sent[1]
        return None

    async def ask_model(self, work, agent, api, conversation, stream, begins):
        system, items, tools, previous = conversation
        document = api.request(system, items, tools, stream, previous)
        _, body = await self.call(work, agent, "model", "POST", self.model, api.path, JSON, document, begins=begins)
        return api.read(stream, body)

    # --- tasks

    async def task(self, number):
        self.works += 1
        # Of its own, so that the same seed makes the same tasks, however they come to overlap.
        chance = random.Random(f"task {self.knobs['seed']} {self.knobs['process']} {number}")
        work = Work(f"{self.knobs['process']}-{number}", chance, self._instrumented(chance))
        api = self.apis[chance.choice(sorted(self.apis))]
        tools = TOOLS + ([DELEGATE] if self.knobs["delegate"] else [])
        if chance.random() < self.knobs["sessions"]:
            work.model_headers = f"X-Session-Id: {secrets.token_hex(16)}\r\n"
        work.counts_retries = chance.random() < 0.5
        if random.Random(f"credential {work.name}").random() < self.knobs["credential"]:
            work.run = work.trace, secrets.token_hex(8)
            user = base64.b64encode("run:00-{}-{}-01".format(*work.run).encode()).decode()
            work.proxy_headers = f"Proxy-Authorization: Basic {user}\r\n"
        items, previous = [], ""
        host = f"127.0.0.1:{chance.choice(self.knobs['tool_ports'])}"
        for turn in range(chance.randrange(self.knobs["turns"] * 2 - 1) + 1):
            said = self.asker.follow_up(chance) if turn else self.asker.prompt(chance)
            self.live[work.name] = (ORDER.findall(said) or [None])[0]
            if chance.random() < self.knobs["retrieve"]:
                said += await self.retrieved(work, host, said)
            items.append(("user", said))
            previous = await self.converse(work, "0", api, host, SYSTEM, items, tools, previous)
            await asyncio.sleep(chance.uniform(0, 2) * self.knobs["pause"])
        self.live.pop(work.name, None)
        return work.after

    async def retrieved(self, work, host, said):
        """What is found before any model has been asked to talk. Nothing says yet what these calls belong to."""
        asked = {"model": "text-embedding-3-small", "input": said}
        _, body = await self.call(work, "0", "model", "POST", self.model, "/v1/embeddings", JSON, asked, begins=True)
        vector = json.loads(body)["data"][0]["embedding"]
        _, body = await self.call(work, "0", "http json", "POST", host, "/nearest", JSON, {"vector": vector, "limit": 2},
                                  begins=True)
        return "\nThis may help: " + " ".join(json.loads(body)["pages"])

    async def converse(self, work, agent, api, host, system, items, tools, previous=""):
        """One turn: the model is asked until it wants no more tools. The id of its last answer."""
        begins = agent == "0"
        while True:
            text, calls, previous = await self.ask_model(work, agent, api, (system, items, tools, previous),
                                                         self._streams(work.chance), begins)
            begins = False
            items.append(("asked", text, calls))
            if not calls:
                return previous
            results = await asyncio.gather(*(self.tool(work, agent, api, host, name, arguments)
                                             for _, name, arguments in calls))
            items += [("result", one[0], result) for one, result in zip(calls, results)]

    async def tool(self, work, agent, api, host, name, arguments):
        if name in MCP_NAMES:
            return await self.mcp(work, agent, host, "tools/call", {"name": name, "arguments": arguments})
        return await getattr(self, "_" + name)(work, agent, api, host, arguments)

    async def _post(self, work, agent, host, path, document):
        _, body = await self.call(work, agent, "http json", "POST", host, path, JSON, document)
        return body.decode()

    async def _get(self, work, agent, host, path, kind="http get"):
        _, body = await self.call(work, agent, kind, "GET", host, path)
        return body.decode()

    async def _search(self, work, agent, api, host, arguments):
        found = await self._post(work, agent, host, "/search", arguments)
        if work.chance.random() < self.knobs["prefetch"]:
            for result in json.loads(found)["results"][:2]:
                url = urlsplit(result["url"])
                work.after.append(asyncio.create_task(self._get(work, agent, url.netloc, url.path, "prefetch")))
        return found

    async def _fetch(self, work, agent, api, host, arguments):
        url = urlsplit(arguments["url"])
        return await self._get(work, agent, url.netloc, url.path)

    async def _weather(self, work, agent, api, host, arguments):
        return await self._get(work, agent, host, "/weather?" + urlencode(arguments))

    async def _order_lookup(self, work, agent, api, host, arguments):
        return await self._get(work, agent, host, "/orders/" + quote(arguments["order_id"]))

    async def _track(self, work, agent, api, host, arguments):
        return await self._get(work, agent, host, "/shipments/" + arguments["shipment"])

    async def _calculate(self, work, agent, api, host, arguments):
        return await self._post(work, agent, host, "/calculate", arguments)

    async def _exchange_rates(self, work, agent, api, host, arguments):
        return await self._get(work, agent, host, "/rates?" + urlencode(arguments))

    async def _open_ticket(self, work, agent, api, host, arguments):
        form = urlencode(arguments).encode()
        _, body = await self.call(work, agent, "http form", "POST", host, "/tickets", FORM, form)
        return body.decode()

    async def _report(self, work, agent, api, host, arguments):
        queued = await self._post(work, agent, host, "/reports", arguments)
        work.after.append(asyncio.create_task(self._wait_for_report(work, agent, host, json.loads(queued)["report"])))
        return queued

    async def _wait_for_report(self, work, agent, host, report):
        """Goes on while the answer is given, and after it."""
        for _ in range(2):
            await asyncio.sleep(work.chance.uniform(2, 6) * self.knobs["latency"])
            await self._get(work, agent, host, f"/reports/{report}", "after 202")

    async def _delegate(self, work, agent, api, host, arguments):
        work.agents += 1
        items = [("user", f"Your task: {arguments['task']}\nBe brief.")]
        await self.converse(work, f"{agent}.{work.agents}", api, host, SUB_SYSTEM, items, TOOLS[:4] + MCP_TOOLS[:1])
        return items[-1][1]

    async def mcp(self, work, agent, host, method, params):
        self.rpc_ids += 1
        session = f"Mcp-Session-Id: {self.sessions[host]}\r\n" if host in self.sessions else ""
        document = {"jsonrpc": "2.0", "id": self.rpc_ids, "method": method, "params": params}
        kind = "background" if work.background else "mcp"
        fields, body = await self.call(work, agent, kind, "POST", host, "/mcp", JSON + session, document)
        if "mcp-session-id" in fields:
            self.sessions[host] = fields["mcp-session-id"]
        answer = next(events(body)) if fields["content-type"].startswith("text/event-stream") else json.loads(body)
        return answer["result"]["content"][0]["text"] if method == "tools/call" else answer["result"]

    # --- what no task has asked for

    def round(self):
        """A round of a job: work of its own that has no parent, unless the job itself propagates."""
        self.rounds += 1
        everything = frozenset(KINDS) if self.knobs["propagate"] == "all" else frozenset()
        name = f"{self.knobs['process']}-job-{self.rounds}"
        return Work(name, random.Random(f"{self.knobs['seed']} {name}"), everything, background=True)

    async def open_sessions(self):
        """Once, when the process starts; everybody uses them."""
        for port in self.knobs["tool_ports"]:
            host, work = f"127.0.0.1:{port}", self.round()
            await self.mcp(work, "0", host, "initialize", {
                "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}})
            ready = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}'
            await self.call(work, "0", "background", "POST", host, "/mcp",
                            f"{JSON}Mcp-Session-Id: {self.sessions[host]}\r\n", ready)
            await self.mcp(work, "0", host, "tools/list", {})

    async def probe(self):
        while not self.stopping:
            for port in self.knobs["tool_ports"]:
                await self._get(self.round(), "0", f"127.0.0.1:{port}", "/healthz", "background")
            await asyncio.sleep(0.1)

    async def job(self):
        """Reports its usage, then looks after orders of its own."""
        host = f"127.0.0.1:{self.knobs['tool_ports'][0]}"
        while not self.stopping:
            work = self.round()
            usage = {"process": self.knobs["process"], "tasks": self.works, "requests": len(self.truth)}
            await self.call(work, "0", "background", "POST", host, "/usage", JSON, usage)
            orders = json.loads(await self._get(work, "0", host, "/orders/?since=2026-11-27", "background"))["orders"]
            live = [order for order in self.live.values() if order]
            if live and work.chance.random() < self.knobs["coincidences"]:
                orders[0] = work.chance.choice(live)
            for order in orders:
                await self._get(work, "0", host, "/orders/" + order, "background")
            if work.chance.random() < self.knobs["unasked"]:
                for path in ("/rates?base=EUR", "/docs/getting-started"):
                    await self._get(work, "0", host, path, "background")
            await asyncio.sleep(0.1)

    # --- choices

    def _streams(self, chance):
        return {"all": True, "none": False}.get(self.knobs["stream"], chance.random() < 0.5)

    def _instrumented(self, chance):
        """The libraries of which this task's requests carry its context."""
        some = chance.sample(KINDS, chance.choice((1, 2)))
        fixed = {"all": KINDS, "none": (), "models": ("model",), "tools": ("http", "mcp")}
        return frozenset(fixed.get(self.knobs["propagate"], some))

    # --- all of it

    async def run(self):
        await self.open_sessions()
        jobs = (self.probe, self.job) if self.knobs["background"] == "on" else ()
        background = [asyncio.create_task(job()) for job in jobs]
        numbers = iter(range(self.knobs["executions"]))
        later = []

        async def slot():
            for number in numbers:
                later.extend(await self.task(number))

        await asyncio.gather(*(slot() for _ in range(self.knobs["in_flight"])))
        await asyncio.gather(*later)
        self.stopping = True
        await asyncio.gather(*background)


def main():
    knobs = json.loads(sys.argv[1])
    gc.disable()  # its life is short, and pauses would be taken for latency

    async def everything():
        agent = Agent(knobs)
        await agent.run()
        return agent

    agent = asyncio.run(everything())
    Path(knobs["truth"]).write_text("".join(json.dumps(one) + "\n" for one in agent.truth))
    print(json.dumps({"tasks": agent.works, "lies": agent.lies}), flush=True)


if __name__ == "__main__":
    main()
