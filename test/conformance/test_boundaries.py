"""Random requests and answers, read by sidespan's codecs and by a reader that shares nothing with them: where messages
begin and end, what is in them and what is refused must be the same, however the bytes are cut.

    pytest test/conformance/test_boundaries.py --cases 1000000
"""

import os
import random
import re
import struct
import subprocess
from pathlib import Path

import pytest

import peers
import strict_reader
from sidecar import binary
from smuggling_cases import data_of, load
from strict_reader import Limits

LIMITS = Limits(head=1024, target=128, fields=12, interims=3)  # those of boundaries.cc
BATCH = 5000
SEED = 20261120
PIECES = [b"\r\n", b"\r", b"\n", b"\n\n", b"\r\n\r\n", b" ", b"\t", b"\x00", b"\x0b", b"\x0c", b"\x1b", b"\x7f", b"\x80", b"\xff",
          b":", b";", b",", b"=", b'"', b"\\", b"0", b"5", b"a", b"F", b"-", b"+", b"0x", b"00000000000000000", b"#", b"%", b"@",
          b"/", b"?", b"*", b"[::1]", b"]", b":80", b"chunked", b"close", b"keep-alive", b"upgrade", b"identity",
          b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2", b"0\r\n\r\n", b"1\r\na\r\n", b"5;a=b\r\nhello\r\n", b"\r\n ", b"100", b"101", b"103",
          b"204", b"304", b"HTTP/1.1 103 E\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"HEAD", b"CONNECT h:1",
          b"18446744073709551616", b"9223372036854775807", b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]
LINES = [b"Content-Length: 5", b"Content-Length: 0", b"content-length:3 ", b"Transfer-Encoding: chunked", b"Transfer-Encoding: x",
         b"transfer-encoding:\tChunked", b"Connection: close", b"Connection: keep-alive", b"Connection: x, Upgrade", b"Upgrade: x",
         b"Host: h", b"Host:", b"X-A: 1", b"X-A:", b" folded", b"Expect: 100-continue", b"Trailer: X-A", b"Connection: close;x"]
FRAMES = [b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX-T: 1\r\n\r\n", b"a\r\n0123456789\r\n0\r\n\r\n", b"hello", b"hel"]
STARTS = {"S": [b"GET / HTTP/1.1", b"POST http://h/ HTTP/1.1", b"PUT /x HTTP/1.0", b"CONNECT h:443 HTTP/1.1", b"OPTIONS * HTTP/1.1",
                b"BREW / HTTP/1.1", b"GET http://u@[::1]:8/?q HTTP/1.1"],
          "A": [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 ", b"HTTP/1.1 304 Same", b"HTTP/1.1 404", b"HTTP/1.1 100 Go",
                b"HTTP/1.1 101 S"]}


# Well-formed, and yet refused by some versions of llhttp: a tab behind a length or a coding, a second extension of a
# chunk, a quoted pair in one.
REFUSED_BY_SOME = re.compile(rb"(?i)(?:content-length|transfer-encoding):[^\r\n]*\t[\t ]*\r|;[^\r\n]+[;\\]")
# RFC 9113 section 3.4.
H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def program():
    path = os.environ.get("SIDESPAN_BOUNDARIES") or Path(binary()).parent / "../../test/conformance/boundaries"
    if not os.access(path, os.X_OK):
        peers.missing(f"{path} is not built (or name it in SIDESPAN_BOUNDARIES)")
    return str(path)


# what the judge says, in the words of boundaries.cc


def shown_fields(fields):
    return "".join(f",{name.hex()}={value.hex()}" for name, value in fields)


def shown_head(kind, message):
    first, second = message.start
    first = str(first).encode() if isinstance(first, int) else first
    return f" {kind}:{first.hex()}:{second.hex()}:{message.version}{shown_fields(message.fields)}"


def shown(role, data):
    answer = role != "S"
    if answer:
        verdict = strict_reader.answers(data, {"G": "GET", "H": "HEAD", "C": "CONNECT"}[role], LIMITS)
    else:
        verdict = strict_reader.requests(data, LIMITS)
    text = ""
    for message in verdict.messages:
        if answer and message.start[0] < 200:
            text += shown_head("I", message)
            continue
        text += shown_head("H", message) + f" B:{message.body.hex()} T:{shown_fields(message.trailers)} E"
    if verdict.begun:
        text += shown_head("H", verdict.begun)
    if verdict.reusable:
        text += " reusable"
    if verdict.outcome not in ("end", "switched"):
        text += " !" + verdict.outcome
    return text


# cases


def made(chance, role):
    """A message from pieces that often go together."""
    lines = [chance.choice(STARTS["S" if role == "S" else "A"])]
    if role == "S" and chance.random() < 0.9:
        lines.append(b"Host: h")
    lines += chance.choices(LINES, k=chance.choice((0, 1, 1, 2, 3)))
    framed = [line.lower() for line in lines]
    if any(line.startswith(b"transfer") for line in framed):
        body = chance.choice(FRAMES[:4])
    else:
        body = chance.choice(FRAMES[4:]) if any(line.startswith(b"content") for line in framed) else b""
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def mutated(chance, data):
    at = chance.randrange(len(data) + 1)
    kind = chance.randrange(9)
    if kind == 0:
        return data[:at] + bytes([chance.randrange(256)]) + data[at + 1:]
    if kind == 1:
        return data[:at] + data[at + chance.choice((1, 1, 1, 2, 5)):]
    if kind in (2, 3):
        return data[:at] + chance.choice(PIECES) + data[at:]
    if kind == 4:
        piece = chance.choice(PIECES)
        return data[:at] + piece + data[at + len(piece):]
    if kind == 5:
        return data[:at]
    # by lines
    lines = data.split(b"\r\n")
    at = chance.randrange(len(lines))
    if kind == 6:
        lines.insert(at, chance.choice(LINES))
    elif kind == 7:
        lines.insert(at, chance.choice(lines))
    else:
        del lines[at]
    return b"\r\n".join(lines)


def one_case(chance, seeds):
    role = chance.choice("SSSSGGGHC")
    good, bad = seeds["S" if role == "S" else "A"]
    data = b""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        kind = chance.random()
        data += chance.choice(good) if kind < 0.6 else made(chance, role) if kind < 0.9 else chance.choice(bad)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 6))):
        data = mutated(chance, data)
    return role, data


def read_by_sidespan(cases):
    fed = b"".join(role.encode() + struct.pack("<I", len(data)) + data for role, data in cases)
    done = subprocess.run([program()], input=fed, stdout=subprocess.PIPE, timeout=600, check=True)
    lines = done.stdout.decode().split("\n")
    assert len(lines) == len(cases) + 1, f"{len(lines) - 1} verdicts for {len(cases)} cases"
    return lines


def seeds_of_the_corpus():
    """{role: (what passes, what is refused)}, without the largest."""
    found = {}
    for role, name in (("S", "requests"), ("A", "answers")):
        cases = [(case["verdict"] == "pass", data_of(case, "127.0.0.1:80")) for case in load(name)]
        found[role] = [[data for passes, data in cases if passes is side and 0 < len(data) < 1000] for side in (True, False)]
    return found


def agrees(data, line, judged):
    if line == judged:
        return True
    if H2_PREFACE.startswith(data) and line == "":
        return judged == " !malformed"  # no message of HTTP/1 has begun, and the agent has gone
    front, bang, kind = line.rpartition(" !")
    if kind == "malformed" and judged.startswith(front) and REFUSED_BY_SOME.search(data):
        return True  # a refusal in the place of something, never something else
    # Which of two faults of one head is told is nobody's matter here.
    return bang and kind in ("malformed", "unsupported") and judged in (front + " !malformed", front + " !unsupported")


def differences(cases, judged):
    return [f"{role} {data!r}\n   judge   {expected}\n   sidespan{line}"
            for (role, data), line, expected in zip(cases, read_by_sidespan(cases), judged)
            if not agrees(data, line, expected)]


def test_row_75_the_corpus_is_read_the_same():
    cases = [("S", data_of(case, "127.0.0.1:80")) for case in load("requests")]
    cases += [(role, data_of(case, "127.0.0.1:80")) for case in load("answers") for role in "GHC"]
    different = differences(cases, [shown(role, data) for role, data in cases])
    assert not different, "\n".join(different[:10])


def test_row_75_random_messages_are_read_the_same(request):
    count, chance, seeds = request.config.getoption("--cases"), random.Random(SEED), seeds_of_the_corpus()
    different, whole, refused, cut_short = [], 0, 0, 0
    for begin in range(0, count, BATCH):
        cases = [one_case(chance, seeds) for _ in range(min(BATCH, count - begin))]
        verdicts = [shown(role, data) for role, data in cases]
        different += differences(cases, verdicts)
        whole += sum(" E" in verdict for verdict in verdicts)
        cut_short += sum(verdict.endswith("!truncated") for verdict in verdicts)
        refused += sum(verdict.endswith(("!malformed", "!unsupported", "_large", "_long")) for verdict in verdicts)
    print(f"{count} cases: {whole} with a whole message, {refused} refused, {cut_short} cut short")
    assert not different, f"{len(different)} of {count} differ:\n" + "\n".join(different[:20])
    # Cases that were all refused, or all whole, would show nothing.
    assert min(whole, refused) > count // 5 and cut_short > count // 100, (whole, refused, cut_short)


@pytest.mark.parametrize("role, data, outcome", [
    ("S", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", ""), ("S", b"GET / HTTP/1.1\r\n\r\n", "!malformed"),
    ("S", b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", "!unsupported"), ("G", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "!truncated"),
    ("S", b"GET /" + b"x" * 128 + b" HTTP/1.1\r\nHost: h\r\n\r\n", "!target_too_long"),
])
def test_the_judge_is_no_copy(role, data, outcome):
    """The judge alone, on what nobody can argue about."""
    assert shown(role, data).endswith(outcome or "E")
