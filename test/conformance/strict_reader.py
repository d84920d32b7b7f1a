"""An HTTP/1 reader of the strictest kind, written from RFC 9110, 9112 and 3986 and nothing of sidespan's: the judge of
where a message ends.

    requests(data) -> Verdict     what a server reads from the bytes of one connection, then FIN
    answers(data, "GET") -> Verdict
    first(data, Limits()) -> Message, or Partial / Fault is raised: for a server that reads as bytes come

It works on all of the bytes at once, line by line with regular expressions; sidespan reads byte by byte with a table of
states and llhttp. Where the RFCs leave a choice it takes the one that README and conf state: any doubt is a refusal, a
reason phrase may be missing with its blank, two empty lines may come before a request, no Transfer-Encoding but one
`chunked`, no blanks around chunk sizes.
"""

import ipaddress
import re
from dataclasses import dataclass, field

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
TARGET = rb"[!\"$-~]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") (" + TARGET + rb") HTTP/1\.([01])\r\n")
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: (" + VALUE + rb"))?\r\n")
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):(" + VALUE + rb")\r\n")
QUOTED = rb'"(?:[\t\x20!\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})((?:;" + TOKEN + rb"(?:=(?:" + TOKEN + rb"|" + QUOTED + rb"))?)*)\r\n")
AUTHORITY = re.compile(rb"(?:([A-Za-z0-9\-._~!$&'()*+,;=]{1,255})|\[([^\]]*)\])(?::([0-9]{0,5}))?")
URL = re.compile(rb"([A-Za-z]+)://(?:([A-Za-z0-9\-._~!$&'()*+,;=:%]*)@)?([^/?]*)([/?].*)?")
METHODS = set(b"""GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH
    UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE
    MKCALENDAR LINK UNLINK""".split())
EXTENSION_BYTES = 1024

# A line that is not whole yet is in order when one of these makes it a whole one.
REQUEST_REST = b"A / HTTP/1.1\r\n"
STATUS_REST = b"HTTP/1.1 200 \r\n"
FIELD_REST = b"a:\r\n"
CHUNK_RESTS = (b"0\r\n", b"a\r\n", b'"\r\n', b'a"\r\n')


@dataclass
class Limits:
    head: int = 64 * 1024
    target: int = 16 * 1024
    fields: int = 128
    interims: int = 64


class Fault(Exception):
    """No message, and never one whatever follows. `kind` is what sidespan's errors are called."""

    def __init__(self, kind, why, head=None):
        super().__init__(why)
        self.kind, self.head = kind, head


class Partial(Exception):
    """What there is may become a message. `head` is there once it was whole."""

    def __init__(self, head=None):
        super().__init__("there is more to come")
        self.head = head


@dataclass
class Message:
    start: tuple  # (method, target) or (status, reason)
    version: int
    fields: list
    body: bytes = b""
    trailers: list = field(default_factory=list)
    framing: object = None  # None, a length, "chunked" or "close"
    size: int = 0  # bytes of the input that it took
    upgrade: bool = False
    keeps: bool = True

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name]

    def lists(self, name, member):
        items = (item.split(b";")[0].strip(b" \t").lower() for value in self.all(name) for item in value.split(b","))
        return member in items


@dataclass
class Verdict:
    messages: list  # whole ones; of answers with the interim ones in front
    outcome: str  # "end", "switched", or the kind of the fault
    begun: Message = None  # a head without its end
    reusable: bool = False


# lines


def viable(pattern, part, rests):
    return any(pattern.fullmatch(part + rest[cut:]) for rest in rests for cut in range(len(rest) + 1))


def line_at(data, at, pattern, rests):
    """(match, position behind it) of the line at `at`."""
    end = data.find(b"\n", at)
    if end < 0:
        if viable(pattern, data[at:], rests):
            raise Partial
        raise Fault("malformed", f"a line cannot begin like this: {data[at:at + 40]!r}")
    match = pattern.fullmatch(data, at, end + 1)
    if not match:
        raise Fault("malformed", f"not a line: {data[at:end + 1][:80]!r}")
    return match, end + 1


def section(data, at, limits, used=0):
    """([(name, value)], position) of field lines up to the empty one."""
    found = []
    while True:
        if data[at:at + 2] == b"\r\n":
            return found, at + 2
        if data[at:] in (b"", b"\r"):
            raise Partial
        if len(found) == limits.fields and re.match(TOKEN, data[at:at + 1]):
            raise Fault("head_too_large", "too many fields")
        match, at = line_at(data, at, FIELD_LINE, [FIELD_REST])
        found.append((match[1], match[2].strip(b" \t")))


def bounded(data, at, limit, read):
    """`read(data, at)` over at most `limit` bytes."""
    try:
        return read(data[:at + limit], at)
    except Partial:
        if len(data) > at + limit:
            raise Fault("head_too_large", "too many bytes") from None
        raise


def request_head(data, at, limits):
    def read(data, at):
        for _ in range(2):
            if data[at:] in (b"", b"\r"):
                raise Partial
            at += 2 * (data[at:at + 2] == b"\r\n")
        long = re.compile(TOKEN + rb" (" + TARGET + rb")").match(data, at)
        if long and len(long[1]) > limits.target:
            raise Fault("target_too_long", "the target is too long")
        match, at = line_at(data, at, REQUEST_LINE, [REQUEST_REST])
        found, at = section(data, at, limits)
        return Message((match[1], match[2]), int(match[3]), found), at

    return bounded(data, at, limits.head, read)


def answer_head(data, at, limits):
    def read(data, at):
        match, at = line_at(data, at, STATUS_LINE, [STATUS_REST])
        found, at = section(data, at, limits)
        return Message((int(match[2]), match[3] or b""), int(match[1]), found), at

    return bounded(data, at, limits.head, read)


# heads as a whole


def refuse(condition, why, kind="malformed"):
    if condition:
        raise Fault(kind, why)


def check_authority(text, of_connect=False):
    match = AUTHORITY.fullmatch(text)
    refuse(not match, f"no authority: {text[:60]!r}")
    if match[2] is not None:
        try:
            refuse(b"%" in match[2], "a zone")
            ipaddress.IPv6Address(match[2].decode("latin-1"))
        except ValueError:
            raise Fault("malformed", "no IPv6 address") from None
    refuse(match[3] and not 1 <= int(match[3]) <= 65535, "no port")
    refuse(of_connect and not match[3], "CONNECT without a port")


def check_target(method, target):
    if method == b"CONNECT":
        check_authority(target, of_connect=True)
    elif not (target.startswith(b"/") or (target == b"*" and method == b"OPTIONS")):
        match = URL.fullmatch(target)
        refuse(not match, "no URL")
        refuse(match[1].lower() not in (b"http", b"https", b"ws", b"wss"), "another scheme", "unsupported")
        check_authority(match[3])


def framing(message, otherwise):
    lengths, codings = message.all(b"content-length"), message.all(b"transfer-encoding")
    refuse(len(lengths) > 1, "two lengths")
    if codings:
        refuse(lengths, "length and coding")
        refuse(message.version == 0, "a coding in HTTP/1.0")
        refuse(len(codings) > 1 or codings[0].lower() != b"chunked", "not plainly chunked")
        return "chunked"
    if not lengths:
        return otherwise
    refuse(not re.fullmatch(rb"[0-9]+", lengths[0]) or int(lengths[0]) >= 1 << 63, "no length")
    return int(lengths[0])


def judge_request(message):
    method, target = message.start
    refuse(method not in METHODS, "another method", "unsupported")
    hosts = message.all(b"host")
    refuse(len(hosts) > 1 or (message.version == 1 and not hosts), "not one Host")
    if hosts:
        check_authority(hosts[0])
    check_target(method, target)
    message.framing = framing(message, None)
    refuse(method == b"CONNECT" and message.framing is not None, "CONNECT with a body")
    message.upgrade = method == b"CONNECT" or (
        message.version == 1 and bool(message.all(b"upgrade")) and message.lists(b"connection", b"upgrade"))
    message.keeps = keeps(message)


def keeps(message):
    return not message.lists(b"connection", b"close") and (
        message.version == 1 or message.lists(b"connection", b"keep-alive"))


# bodies


def body(message, data, at, limits):
    """The position behind the body; fills it in."""
    if message.framing in (None, 0):
        return at
    if message.framing == "chunked":
        return chunks(message, data, at, limits)
    if message.framing == "close":
        message.body = data[at:]
        return len(data)
    end = at + message.framing
    if len(data) < end:
        raise Partial
    message.body = data[at:end]
    return end


def chunks(message, data, at, limits):
    pieces = []
    while True:
        size, at = chunk_line(data, at)
        if size == 0:
            break
        piece, tail = data[at:at + size], data[at + size:at + size + 2]
        refuse(not b"\r\n".startswith(tail), "no CRLF behind a chunk")
        if len(tail) < 2:
            raise Partial
        pieces.append(piece)
        at += size + 2
    message.body = b"".join(pieces)
    message.trailers, at = bounded(data, at, limits.head, lambda data, at: section(data, at, limits))
    refuse({name.lower() for name, _ in message.trailers} & {b"content-length", b"transfer-encoding", b"host"},
           "framing in a trailer")
    return at


def chunk_line(data, at):
    semicolon = data.find(b";", at, at + 17)
    end = data.find(b"\n", at)
    long = 0 <= semicolon < (end if end >= 0 else len(data)) and (
        (end if end >= 0 else len(data)) - semicolon - 1 > EXTENSION_BYTES)
    try:
        match, at = line_at(data, at, CHUNK_LINE, CHUNK_RESTS)
    except Partial:
        refuse(long, "long extensions")
        raise
    refuse(long, "long extensions")
    return int(match[1], 16), at


# connections


def first(data, limits=None):
    """The first request of `data`; Partial while it is not whole."""
    limits = limits or Limits()
    message, at = request_head(data, 0, limits)
    judge_request(message)
    try:
        message.size = body(message, data, at, limits)
    except Partial:
        raise Partial(message) from None
    except Fault as fault:
        raise Fault(fault.kind, str(fault), message) from None
    return message


def requests(data, limits=None):
    found, at = [], 0
    while True:
        try:
            message = first(data[at:], limits)
        except Partial as partial:
            return Verdict(found, "truncated" if partial.head else "end", partial.head)
        except Fault as fault:
            return Verdict(found, fault.kind, fault.head)
        found.append(message)
        at += message.size
        if message.upgrade or not message.keeps:
            return Verdict(found, "end")


def answers(data, method, limits=None):
    """What a client that asked with `method` reads up to the end of the final answer, then FIN."""
    limits = limits or Limits()
    found, at = [], 0
    while True:
        message = None
        try:
            message, at = answer_head(data, at, limits)
            status = message.start[0]
            message.framing = framing(message, "close")
            if status >= 200:
                break
            refuse(message.framing not in ("close", 0), "an interim answer with a body")
            refuse(status == 101, "switched unasked")
            refuse(len(found) == limits.interims, "too many interim answers", "too_large")
            message.framing = None
            found.append(message)
        except Partial:
            return Verdict(found, "truncated" if data[at:] else "connection_closed")
        except Fault as fault:
            return Verdict(found, fault.kind)
    return final(found, message, data, at, method, limits)


def final(found, message, data, at, method, limits):
    status, announced = message.start[0], message.framing
    if method == "CONNECT" and status // 100 == 2:
        message.framing = None
        return Verdict(found, "switched", message)
    if method == "HEAD" or status in (204, 304):
        message.framing = None
    doubtful = status == 204 and (bool(message.all(b"transfer-encoding"))
                                  or message.all(b"content-length") not in ([], [b"0"]))
    try:
        at = body(message, data, at, limits)
    except Partial:
        return Verdict(found, "truncated", message)
    except Fault as fault:
        return Verdict(found, fault.kind, message)
    found.append(message)
    until_close = message.framing == "close"
    return Verdict(found, "end", None,
                   keeps(message) and not doubtful and not until_close and at == len(data) and announced is not None)
