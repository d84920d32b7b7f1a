"""What all the scripted models share: the scene that a prompt asks for, tokens, tools, and an answer on its way out.

A prompt names its scene in brackets: "What is the weather? (tools)". How it is answered:

| scene | answer |
|---|---|
| plain, stream | a sentence; the request says whether it is streamed |
| tools | two tool calls, and a sentence once their results are in the request |
| loop-N | one tool call an answer until N results are in the request, then a sentence |
| cached | usage with tokens read from a cache, written to one, and spent on reasoning, as far as the API has them |
| zipped | a sentence in gzip, where the request takes that |
| cut | stops at the limit of tokens |
| refused, limited | the provider's own error: a request that is wrong (4xx), and 429 with its rate limits |
| failing | an error in the middle of a stream, where the API has such |
| stopped | the same by the framing of the stream, beside its events (Bedrock) |
| broken | the connection ends in the middle of a stream |

Tokens differ from call to call, so that one taken for another is seen.
"""

import re
from dataclasses import dataclass, field

SCENE = re.compile(rb"\(([a-z]+(?:-[0-9]+)?)\)")
SENTENCE = ["It is ", "sunny in ", "Paris, ", "at 21 degrees ", "and a light ", "breeze."]
TEXT = "".join(SENTENCE)
CREATED = 1790000000
# Name, arguments and their text, cut where a stream cuts it.
TOOLS = [("get_weather", {"city": "Paris"}, ['{"city":', ' "Paris"}']),
         ("get_time", {"zone": "Europe/Paris"}, ['{"zone":', ' "Europe', '/Paris"}'])]


@dataclass
class Call:
    """A request to a model, and what is kept of it for the test."""

    number: int  # 1 for the first
    host: str
    path: str
    query: str
    request: object  # wire.Message
    document: dict
    scene: str
    usage: dict = field(default_factory=dict)  # as it went out
    status: int = 0
    headers: list = field(default_factory=list)  # of the answer, that the provider adds

    @property
    def span_id(self):
        """The parent that the request named, or None."""
        context = self.request.get("traceparent")
        return context.split("-")[2] if context else None

    @property
    def loop(self):
        """How many tool results a loop wants, or None."""
        return int(self.scene.split("-")[1]) if self.scene.startswith("loop-") else None

    def tools(self, given):
        """What the model asks for, when the request holds so many results: [(number, name, arguments, pieces)]."""
        if self.loop is not None:
            return [(given + 1, *TOOLS[given % 2])] if given < self.loop else []
        if self.scene != "tools" or given:
            return []
        return [(number, *tool) for number, tool in enumerate(TOOLS, 1)]

    def tokens(self):
        return Tokens(self.number, self.scene == "cached")


class Tokens:
    """The numbers of one call. `input` is everything that was read, `output` everything that was made."""

    def __init__(self, number, cached):
        fresh = 100 + 10 * number
        self.cache_read = 37 if cached else 0
        self.cache_write = 23 if cached else 0
        self.reasoning = 11 if cached else 0
        self.input = fresh + self.cache_read + self.cache_write
        self.fresh = fresh
        self.output = 40 + number
        self.visible = self.output - self.reasoning


@dataclass
class Answer:
    """A body whole, as `document`, or streamed, as `events`: the bytes of each, sent a moment apart."""

    status: int = 200
    document: object = None
    events: list = None
    kind: str = "application/json"
    headers: list = field(default_factory=list)
    broken: bool = False  # the connection ends where the events do


def of_request(raw):
    """The scene that a request's bytes name: the first, since a conversation grows behind its prompt."""
    found = SCENE.search(raw)
    return found[1].decode() if found else "plain"


def broken_off(call, events):
    """The answer's events, cut in two where the scene wants it."""
    if call.scene != "broken":
        return Answer(events=events)
    return Answer(events=events[:max(2, len(events) // 2)], broken=True)
