"""Calls that the tap reads, with bodies of any size and of every kind of wrongness, for test_tap_bounds.

    call = CALLS["anthropic-sse"]
    call.answer(10_000)            # pieces of an answer of so many events, or of so many words
    call.odd(b"[" * 50_000)        # an answer with that in the place of a value
    call.whole, call.begun         # what its span says when all was read, and when the end was not
    packed("br", b"...")
"""

import ctypes
import ctypes.util
import gzip
import json
import zlib
from dataclasses import dataclass, field

import peers
from meaning import ABSENT, FINISH_REASONS, INPUT, OUTPUT, REQUEST_MODEL, RESPONSE_ID, RESPONSE_MODEL

TEMPERATURE = "gen_ai.request.temperature"  # the last member of each request, behind what makes it long
EVENTS = "sidespan.stream.events"
ASKED = {REQUEST_MODEL: "asked-1", TEMPERATURE: 0.5}
SAID = {RESPONSE_ID: "r-1", RESPONSE_MODEL: "said-1"}
COUNTED = {INPUT: 7, OUTPUT: 5}
UNCOUNTED = {INPUT: ABSENT, OUTPUT: ABSENT}


@dataclass
class Call:
    path: str
    media: str
    request: tuple  # before and behind the text that makes it long
    first: bytes
    unit: bytes
    last: bytes
    value: tuple  # what stands around a value of any kind, between first and last
    wrong: bytes  # each member has a value of another kind than it should
    whole: dict
    begun: dict  # without the end
    fields: list = field(default_factory=list)
    resumes: bool = False  # reads on behind a document that is none

    def ask(self, size=10):
        return self.request[0] + b"w" * size + self.request[1]

    def answer(self, count):
        """In pieces, not all at once: it may be long."""
        yield self.first
        for begin in range(0, count, 100):
            yield b"".join(self.unit.replace(b"word", word(number)) for number in range(begin, min(begin + 100, count)))
        yield self.last

    def long(self, size):
        """So many bytes about, of the same thousand events again and again."""
        block = b"".join(self.unit.replace(b"word", word(number)) for number in range(1000))
        yield self.first
        for _ in range(size // len(block) + 1):
            yield block
        yield self.last

    def bomb(self, count):
        """One that packs better than a limit allows."""
        return self.first + self.unit * count + self.last

    def odd(self, value):
        return self.first + self.value[0] + value + self.value[1] + self.last


def word(number):
    """Another one each time: what packs better than a hundredfold is read to a limit only."""
    return b"%08x" % (number * 2654435761 % (1 << 32))


def event(document, name=None):
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: " + text + b"\n\n"


def chunk(**more):
    return {"id": "r-1", "object": "chat.completion.chunk", "model": "said-1"} | more


def delta(**more):
    return chunk(choices=[{"index": 0, "delta": {"content": "word "}, "finish_reason": None}] if not more else [], **more)


CHAT = (b'{"model":"asked-1","messages":[{"role":"user","content":"', b'"}],"temperature":0.5}')
STOPPED = {FINISH_REASONS: ["stop"]}

CALLS = {
    "openai-json": Call(
        path="/v1/chat/completions", media="application/json", request=CHAT,
        first=b'{"id":"r-1","object":"chat.completion","model":"said-1","text":"', unit=b"word \\u00e9",
        last=b'","choices":[{"index":0,"message":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,'
             b'"completion_tokens":5,"total_tokens":12}}',
        value=(b'","odd":', b',"more":"'),
        wrong=b'{"id":5,"object":[],"model":{"a":1},"choices":"x","usage":[1,{"prompt_tokens":7}],"error":7}',
        whole=ASKED | SAID | COUNTED | STOPPED, begun=ASKED | SAID | UNCOUNTED),
    "openai-sse": Call(
        path="/v1/chat/completions", media="text/event-stream", request=CHAT,
        first=event(delta()), unit=event(delta()),
        last=event(chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]))
             + event(chunk(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 5})) + event(b"[DONE]"),
        value=(b"data: ", b"\n\n"),
        wrong=event({"id": 5, "model": [], "choices": {"a": "b"}, "usage": "x"}) + event(b"7") + event(b"null"),
        whole=ASKED | SAID | COUNTED | STOPPED, begun=ASKED | SAID | UNCOUNTED, resumes=True),
    "anthropic-sse": Call(
        path="/v1/messages", media="text/event-stream",
        request=(b'{"model":"asked-1","max_tokens":9,"messages":[{"role":"user","content":"', b'"}],"temperature":0.5}'),
        first=event({"type": "message_start", "message": {"id": "r-1", "model": "said-1",
                                                          "usage": {"input_tokens": 7, "output_tokens": 1}}}, "message_start"),
        unit=event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}},
                   "content_block_delta"),
        last=event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
                   "message_delta") + event({"type": "message_stop"}, "message_stop"),
        value=(b"event: content_block_delta\ndata: ", b"\n\n"),
        wrong=event({"type": 1, "message": {"id": {}, "model": 2, "usage": "x"}}, "message_start")
              + event({"type": "message_delta", "delta": [], "usage": {"output_tokens": "many"}}, "message_delta"),
        whole=ASKED | SAID | COUNTED | {FINISH_REASONS: ["end_turn"]}, begun=ASKED | SAID | {INPUT: 7}, resumes=True),
    "gemini-array": Call(
        path="/v1beta/models/asked-1:streamGenerateContent", media="application/json",
        request=(b'{"contents":[{"parts":[{"text":"', b'"}]}],"generationConfig":{"temperature":0.5}}'),
        first=b'[{"responseId":"r-1","modelVersion":"said-1","candidates":[{"content":{"parts":[{"text":"w"}]}}]}',
        unit=b',{"responseId":"r-1","modelVersion":"said-1","candidates":[{"content":{"parts":[{"text":"word"}]}}]}',
        last=b',{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":5}}]',
        value=(b",", b""),
        wrong=b'[{"responseId":[],"modelVersion":7,"candidates":{"x":[]},"usageMetadata":[]},7,"x",null]',
        whole=ASKED | SAID | COUNTED | {FINISH_REASONS: ["STOP"]}, begun=ASKED | SAID | UNCOUNTED),
    "mcp-sse": Call(
        path="/mcp", media="text/event-stream", fields=[("Accept", "application/json, text/event-stream")],
        request=(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"x":"', b'"}}}'),
        first=event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}),
        unit=event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "message": "word"}}),
        last=event({"jsonrpc": "2.0", "id": 1, "result": {"content": [], "isError": True}}, "message"),
        value=(b"event: message\ndata: ", b"\n\n"),
        wrong=event({"jsonrpc": 2, "id": {}, "result": [], "error": "x"}) + event(b'[[7],null,{"id":[1]}]'),
        whole={"mcp.method.name": "tools/call", "gen_ai.tool.name": "t", "jsonrpc.request.id": "1",
               "error.type": "tool_error"},
        begun={"mcp.method.name": "tools/call", "gen_ai.tool.name": "t", "jsonrpc.request.id": "1"}, resumes=True),
}

NESTED = b"[" * 50_000 + b"]" * 50_000
OBJECTS = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
MALFORMED = b'}}{"\x00\xff\\u12'


def packed(coding, body):
    if coding == "gzip":
        return gzip.compress(body, 6)
    if coding == "br":
        return _brotli(body)
    return body


class Packer:
    """The same in pieces: what a call of `pack` gives can be read to its last byte."""

    def __init__(self, coding):
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, 31) if coding == "gzip" else None
        assert coding in ("gzip", None)

    def pack(self, plain):
        return self._gzip.compress(plain) + self._gzip.flush(zlib.Z_SYNC_FLUSH) if self._gzip else plain


def _brotli(body):
    """The library that curl and nginx use, too; Python has none."""
    name = ctypes.util.find_library("brotlienc")
    if not name:
        peers.missing("there is no libbrotlienc")
    library = ctypes.CDLL(name)
    library.BrotliEncoderMaxCompressedSize.restype = ctypes.c_size_t
    size = ctypes.c_size_t(library.BrotliEncoderMaxCompressedSize(ctypes.c_size_t(len(body))) or len(body) + 1024)
    out = ctypes.create_string_buffer(size.value)
    quality, window, generic = 5, 22, 0
    assert library.BrotliEncoderCompress(quality, window, generic, ctypes.c_size_t(len(body)), body, ctypes.byref(size), out)
    return out.raw[:size.value]
