"""Rows of the plan against faults and attacks that no other file has; each test carries its row's number. Everything
happens to one sidecar from outside: crowds that are slow, too many, stopped clocks, signals, odd texts. ROWS says where
the others are."""

import json
import random
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import peers
from aborts import full_listener
from origin import NO_BODY
from sidecar import Sidecar, environment, exporting, resident, sanitized, write_config
from wire import Client, Truncated, ask, connect, head, outward_address, wait_for

MiB = 1 << 20
CROWD = 200
TEST = Path(__file__).resolve().parents[1]

# Where each row is held, below test/: a file of Python whose tests carry the row's number, or one test of it; a file
# with the beginning of what doctest or ctest call it; a stage of `run`.
ROWS = {
    1: ["conformance/test_smuggling.py", "unit/http/verdict_test.cc: verdicts"],
    2: ["integration/test_path_messages.py",
        "integration/test_path_messages.py::test_row_04_a_doubtful_answer_is_502_and_its_connection_is_over"],
    3: ["integration/test_rows.py"],
    4: ["integration/test_path_messages.py"],
    5: ["integration/test_path_tunnels.py", "integration/test_rows.py"],
    6: ["integration/test_path_messages.py"],
    7: ["integration/test_rows.py", "integration/test_limits.py::test_a_request_s_head"],
    8: ["integration/test_rows.py"],
    9: ["integration/test_rows.py"],
    10: ["integration/test_aborts.py"],
    11: ["integration/test_clocks.py"],
    12: ["integration/test_path_destinations.py"],
    21: ["conformance/test_vectors.py"],
    22: ["conformance/test_vectors.py", "integration/test_rows.py"],
    23: ["integration/test_rows.py"],
    24: ["integration/test_path_destinations.py"],
    25: ["integration/test_path_destinations.py"],
    26: ["integration/test_dns.py"],
    27: ["integration/test_dns.py"],
    28: ["integration/test_rows.py"],
    29: ["integration/test_rows.py"],
    58: ["integration/test_path_drain.py"],
    61: ["integration/test_rows.py"],
    62: ["integration/test_run.py"],
    63: ["integration/test_rows.py"],
    65: ["integration/test_rows.py"],
    66: ["integration/test_clocks.py"],
    67: ["integration/test_cpu_group.py", "integration/test_rows.py"],
    68: ["integration/test_clocks.py"],
    73: ["run: fuzz", "fuzz/CMakeLists.txt: fuzz."],
    74: ["run: asan", "run: asan-integration", "run: tsan", "run: tsan-integration"],
    75: ["conformance/test_boundaries.py"],
}


def names_in(file):
    """What its tests, or the stages, are called."""
    text = (TEST / file).read_text()
    if file == "run":
        return [stage.replace("_", "-") for stage in re.findall(r"^stage_(\w+)\(\)", text, re.MULTILINE)]
    return re.findall({".py": r"^def (test_\w+)\(", ".cc": r'^TEST_CASE\("(.+?)"', ".txt": r"add_test\(NAME (\S+)"}[
        Path(file).suffix], text, re.MULTILINE)


def test_each_row_is_held_where_the_table_says():
    assert set(ROWS) == {*range(1, 13), *range(21, 30), 58, *range(61, 64), *range(65, 69), *range(73, 76)}
    by_number = {}
    for path in TEST.glob("*/test_*.py"):
        file = str(path.relative_to(TEST))
        for name in names_in(file):
            if row := re.match(r"test_row_(\d\d)(_|$)", name):
                by_number.setdefault(int(row[1]), set()).add(file)
    for row, places in ROWS.items():
        assert {place for place in places if place.endswith(".py")} == by_number.get(row, set()), f"row {row}"
        for place in places:
            file, _, name = place.partition("::" if "::" in place else ": ")
            exact = "::" in place or file == "run"
            assert any(found == name if exact else found.startswith(name) for found in names_in(file)), place


def get(url, lines=()):
    return head(f"GET {url} HTTP/1.1", [("Host", "h"), *lines])


def hidden(chance, url):
    """A request whose body looks like more requests: (bytes, body)."""
    body = b"".join(chance.choice((get(url + "?hidden"), b"\r\n", b"0\r\n\r\n", b"5\r\n", b"Content-Length: 5\r\n\r\n", b"x"))
                    for _ in range(chance.randint(1, 4)))
    if chance.random() < 0.5:
        return head(f"POST {url} HTTP/1.1", [("Host", "h"), ("Content-Length", str(len(body)))]) + body, body
    cut = chance.randint(0, len(body))
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:cut], body[cut:]) if piece)
    return head(f"POST {url} HTTP/1.1", [("Host", "h"), ("Transfer-Encoding", "chunked")]) + chunks + b"0\r\n\r\n", body


def test_row_03_a_thousand_hidden_requests_stay_hidden(sidecar, origin, sink):
    side, chance = sidecar(), random.Random(3)
    bodies = []
    with Client(side.egress) as agent:
        for seed in range(500):
            pair = [hidden(chance, origin.url(f"/bytes/1?{seed}")) for _ in range(2)]
            agent.send(b"".join(data for data, _ in pair))
            bodies += [body for _, body in pair]
            assert [agent.response().status for _ in pair] == [200, 200]
    assert [request.body for request in origin.requests] == bodies
    assert not [request for request in origin.requests if "hidden" in request.target]
    assert side.metrics().total("sidespan_requests_total") == 1000 == len(sink.wait(1000))


def unread(sock):
    """What was sent over it and the program at its other end has not read: the kernel has it, on either side."""
    port, waits = f":{sock.getsockname()[1]:04X}", 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, remote, _, queues = line.split()[1:5]
        to_send, to_read = (int(queue, 16) for queue in queues.split(":"))
        waits += (to_send if local.endswith(port) else 0) + (to_read if remote.endswith(port) else 0)
    return waits


@pytest.mark.parametrize("piece", [1000, 30000, MiB])
def test_row_05_early_bytes_wait_in_the_socket(sidecar, piece):
    """A CONNECT that takes long to answer holds no more than limits.window_bytes of what comes behind it."""
    full, stuffing = full_listener()
    side, sent = sidecar(), 0
    with Client(side.egress, 1) as agent:
        agent.send(head(f"CONNECT 127.0.0.1:{full.getsockname()[1]} HTTP/1.1", [("Host", "h")]))
        with pytest.raises(TimeoutError):
            while sent < 64 * MiB:
                sent += agent.sock.send(b"\x00" * piece)
        assert 0 < sent - unread(agent.sock) <= 64 * 1024
    for sock in (full, *stuffing):
        sock.close()


def drip(address, gap):
    """A head a byte at a time, until there is an answer: (the answer, the seconds it took)."""
    begin, endless = time.monotonic(), iter(get("http://h/" + "x" * 1000))
    with Client(address) as agent:
        while not select.select([agent.sock], [], [], gap)[0]:
            agent.send(bytes([next(endless)]))
        return agent.response(), time.monotonic() - begin


def test_row_07_a_hundred_heads_that_drip(sidecar, origin):
    shipped, side = sidecar(), sidecar({"limits": {"head_time": "1s"}})
    with ThreadPoolExecutor(1) as thread:
        dripping = thread.submit(drip, shipped.egress, 0.5)
        before = resident(side)
        agents = [Client(side.egress) for _ in range(100)]
        for byte in b"GET /":
            for agent in agents:
                agent.send(bytes([byte]))
            time.sleep(0.1)
        if not sanitized():
            assert resident(side) - before < 100 * 10 * 1024
        for agent in agents:
            answer = agent.response()
            assert (answer.status, answer.get("connection")) == (408, "close")
            agent.close()
        wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)

        # As shipped: 128 fields, Host among them, and 64 KiB with all that is none.
        before, url = resident(shipped), origin.url("/bytes/1")
        for count, status in ((127, 200), (128, 431)):
            assert ask(shipped.egress, "GET", url, [(f"X-{number}", "x") for number in range(count)]).status == status
        around = len(get(url, [("X", "")]))
        for size, status in ((64 * 1024, 200), (64 * 1024 + 1, 431)):
            with Client(shipped.egress) as agent:
                agent.send(get(url, [("X", "x" * (size - around))]))
                assert agent.response().status == status
        assert resident(shipped) - before < MiB
        answer, took = dripping.result()
    assert (answer.status, answer.get("connection")) == (408, "close")
    assert 10 <= took < 15


def test_row_08_two_hundred_slow_readers(sidecar, origin):
    poured = [0] * CROWD  # what the origin could write, by reader

    def pour(sock, reader, request):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # else the kernel has megabytes for each
        sock.settimeout(None)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        while True:
            poured[int(request.target.partition("?")[2])] += sock.send(b"z" * 65536)

    def stalled():
        before = list(poured)
        time.sleep(0.5)
        return before == poured

    origin.answer("/pour", [pour])
    side = sidecar()
    ask(side.egress, "GET", origin.url("/bytes/100000"))
    before, readers = resident(side), []
    for number in range(CROWD):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(20)
        sock.connect(side.egress)
        sock.sendall(get(origin.url(f"/pour?{number}")))
        readers.append(sock)
    for _ in range(3):
        for sock in readers:
            assert sock.recv(1024)
        time.sleep(0.3)
    wait_for("an origin that is paused", stalled)
    # Of a gigabyte each, what the kernel keeps for the sockets in between and we have read ahead.
    assert max(poured) < 16 * MiB
    if not sanitized():
        assert resident(side) - before < CROWD * 512 * 1024
    # Nobody else waits for them.
    begin = time.monotonic()
    assert ask(side.egress, "GET", origin.url("/echo")).status == 200
    assert time.monotonic() - begin < 2
    for sock in readers:
        sock.close()
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)


def test_row_09_two_hundred_slow_writers(sidecar, origin, sink):
    side = sidecar({"limits": {"stream_idle_time": "1s"}})
    before = resident(side)
    writers = [Client(side.egress) for _ in range(CROWD)]
    for writer in writers:
        writer.send(head(f"POST {origin.url('/echo')} HTTP/1.1", [("Host", "h"), ("Content-Length", "1000")]))
    for _ in range(4):  # slow, but not silent: longer in all than silence may be
        for writer in writers:
            writer.send(b"w")
        time.sleep(0.4)
    assert ask(side.egress, "GET", origin.url("/bytes/1")).status == 200
    # That the one above has gone may take a moment to be seen; of the crowd nobody has.
    wait_for("the crowd alone", lambda: side.metrics().total("sidespan_connections") <= CROWD)
    assert side.metrics().total("sidespan_connections") == CROWD
    if not sanitized():
        assert resident(side) - before < CROWD * 64 * 1024
    for writer in writers:  # and now silent
        assert writer.response().status == 408
        writer.close()
    spans = sink.wait(CROWD, where=lambda span: "/echo" in span["attributes"]["url.full"])
    assert {span["attributes"]["sidespan.end"] for span in spans} == {"timeout"}


# Keeps what the program writes to stderr as the bytes they were, and passes them on.
KEEPING = ("sh", "-c", 'mkfifo "$0.pipe" && { tee "$0" <"$0.pipe" >&2 & } && exec "$@" 2>"$0.pipe"')


def test_row_23_odd_texts_are_text(sidecar, origin, sink, tmp_path):
    """No text is cut as shipped (limits.attribute_bytes); one that is cut ends within the limit at a character. OTLP has
    no flag for that."""
    limit, written = 8000, tmp_path / "log"
    capture = {"request_headers": ["x-odd", "x-long"], "response_headers": ["x-odd"]}
    side = sidecar({"capture": capture, "log": {"access": True}, "propagation": {"baggage": {"to_attributes": ["odd"]}},
                    "limits": {"target_bytes": "1MiB", "head_bytes": "1MiB", "attribute_bytes": f"{limit}B"}},
                   wrapper=(*KEEPING, str(written)))
    odd = "<script>\xff\xc0\xaf\xed\xa0\x80</script>"  # no UTF-8
    long = "ab" + "\u20ac" * 3000  # of three bytes each, so that the limit is within one
    origin.answer("/odd", [b"HTTP/1.1 200 O\xff\r\nX-Odd: " + odd.encode("latin-1") + b"\r\nContent-Length: 0\r\n\r\n"])
    url = origin.url("/odd?<%1b%5b31m>%00%ff" + "q" * 1_020_000)
    lines = [("X-Odd", odd), ("X-Odd", "x" * 10000), ("X-Long", long.encode().decode("latin-1")),
             ("Baggage", "odd=%1b[31m%0d%0aforged%00%ff<b>")]
    answer = ask(side.egress, "GET", url, lines)
    assert answer.status == 200 and answer.get("x-odd") == odd
    assert origin.requests[0].all("x-odd") == [odd, "x" * 10000]
    assert origin.requests[0].target == url.removeprefix(origin.url(""))
    span, = sink.wait(1)  # protobuf takes no text that is not UTF-8
    assert not sink.faults
    attributes = span["attributes"]
    first, second = attributes["http.request.header.x-odd"]
    assert first.startswith("<script>\ufffd") and first.endswith("</script>") and second == "x" * limit
    assert attributes["http.request.header.x-long"] == [long[:2 + (limit - 2) // 3]]
    assert attributes["url.full"] == url[:limit]
    assert "\ufffd" in attributes["http.response.header.x-odd"][0]
    wait_for("its line in the log", lambda: written.read_bytes().count(b'"message":"request"') == 1)
    lines = written.read_bytes().decode().split("\n")  # strictly: what is not UTF-8 is an error
    assert lines.pop() == ""
    for line in lines:
        assert isinstance(json.loads(line), dict) and min(line) >= " " and "\x7f" not in line
    line, = (json.loads(line) for line in lines if '"message":"request"' in line)
    assert line["path"].startswith("/odd?") and "\x1b[31m\r\nforged" in line["baggage"]


MEMBERS = [f"k{number}=v" for number in range(181)]


@pytest.mark.parametrize("name, sent, kept", [
    ("Tracestate", ",".join(MEMBERS[:32]), ",".join(MEMBERS[:32])),
    ("Tracestate", ",".join(MEMBERS[:33]), None),
    ("Tracestate", f"a={'x' * 254},b={'y' * 253}", f"a={'x' * 254},b={'y' * 253}"),  # 512 bytes
    ("Tracestate", f"a={'x' * 254},b={'y' * 254}", f"a={'x' * 254}"),
    ("Baggage", ",".join(MEMBERS), ",".join(MEMBERS[:64])),
    ("Baggage", "k=" + "v" * 8190, "k=" + "v" * 8190),
    ("Baggage", "k=" + "v" * 8191, None),
    ("Baggage", f"a=1,k={'v' * 8191}", "a=1"),
    ("Baggage", "k=%0d%0aX-Forged:%201", "k=%0d%0aX-Forged:%201"),
], ids=["32 entries", "33 entries", "512 bytes", "513 bytes", "181 members", "8192 bytes", "8193 bytes", "a member and 8193", "CRLF"])
def test_row_22_what_is_more_than_may_be_sent_on_goes_by_whole_members(sidecar, origin, name, sent, kept):
    side = sidecar()
    lines = [("Traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01"), (name, sent)]
    assert ask(side.egress, "GET", origin.url("/bytes/1"), lines).status == 200
    assert origin.requests[0].all(name.lower()) == ([kept] if kept else [])
    assert not origin.requests[0].all("x-forged")


def test_row_28_as_shipped_nobody_outside_is_served(sidecar):
    address = outward_address() or peers.missing("an address of this machine that is not loopback")
    side = sidecar({"listen": {"egress": "localhost:0", "admin": "localhost:0"}})
    for port in (side.egress[1], side.admin[1]):
        with pytest.raises(ConnectionRefusedError):
            connect((address, port))


@pytest.mark.parametrize("method, target, host, status", [
    ("GET", "/../../etc/passwd", None, 404), ("GET", "/%2e%2e/%2e%2e/etc/passwd", None, 404),
    ("GET", "//etc/passwd", None, 404), ("POST", "/metrics", None, 405), ("DELETE", "/healthz", None, 405),
    ("CONNECT", "127.0.0.1:22", None, 405),
    # A name of somebody else's that has come to lead here.
    ("GET", "/metrics", "evil.example", 421), ("GET", "/healthz", "evil.example", 421),
    ("GET", "http://evil.example/metrics", None, 421),
])
def test_row_29_admin_gives_nothing_away(sidecar, method, target, host, status):
    side = sidecar()
    lines = [("Origin", "http://evil.example")]
    answer = ask(side.admin, method, target, lines, host=f"{host or '127.0.0.1'}:{side.admin[1]}")
    assert answer.status == status and b"root:" not in answer.body and b"sidespan_" not in answer.body
    assert not answer.all("access-control-allow-origin")


def test_row_61_signals_that_mean_nothing(sidecar, origin, sink):
    side = sidecar()
    with Client(side.egress) as agent:
        for number in range(200):
            for name in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH, signal.SIGURG, signal.SIGCONT, signal.SIGUSR1,
                         signal.SIGUSR2):
                side.process.send_signal(name)
            assert agent.ask("GET", origin.url(f"/echo?{number}")).status == 200
    assert len(sink.wait(200)) == 200


def test_row_63_a_thousand_clients_for_64_descriptors(sidecar, origin):
    if sanitized():
        pytest.skip("UBSan looks at memory through a pipe, and has no descriptor for it")
    side = sidecar()
    pid = side.process.pid
    assert ask(side.egress, "GET", origin.url("/echo")).status == 200
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, usual[1]))
    crowd = [Client(side.egress) for _ in range(1000)]
    wait_for("shed connections", lambda: shed(crowd) > 900)
    for client in crowd:
        client.close()
    # With the limit still there.
    wait_for("an answer", lambda: answered(side.egress, origin.url("/echo")))
    assert answered(side.health, "/healthz")
    wait_for("no connection", lambda: side.metrics().total("sidespan_connections") == 0)
    wait_for("count", lambda: side.metrics().total("sidespan_connections_shed_total") > 900)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)


def test_row_63_health_is_alive_while_a_crowd_has_the_descriptors(sidecar, origin):
    if sanitized():
        pytest.skip("UBSan looks at memory through a pipe, and has no descriptor for it")
    side = sidecar()
    pid = side.process.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, usual[1]))
    crowd = [Client(side.egress) for _ in range(200)]
    wait_for("shed connections", lambda: shed(crowd) > 100)
    alive = answered(side.health, "/healthz")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    for client in crowd:
        client.close()
    assert alive


def shed(crowd):
    count = 0
    for client in crowd:
        client.sock.setblocking(False)
        try:
            count += client.sock.recv(1) == b""
        except BlockingIOError:
            pass
        except OSError:
            count += 1
    return count


def answered(address, target):
    try:
        return ask(address, "GET", target, host="localhost").status == 200
    except (OSError, Truncated):
        return False


# Fails one allocation of the program: the FAIL_AT-th, with FAIL_FROM_ACCEPT counted from the first connection on.
FAILING_MALLOC = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
static _Atomic long count;
static _Atomic int accepted;
static int fails(void) {
  static long at = -1;
  if (at < 0) at = getenv("FAIL_AT") ? atol(getenv("FAIL_AT")) : 0;
  if ((getenv("FAIL_FROM_ACCEPT") && !accepted) || ++count != at) return 0;
  errno = ENOMEM;
  return 1;
}
int accept4(int listener, struct sockaddr* address, socklen_t* size, int flags) {
  const int got = (int)syscall(SYS_accept4, listener, address, size, flags);
  if (got >= 0) accepted = 1;
  return got;
}
extern void* __libc_malloc(size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_calloc(size_t, size_t);
void* malloc(size_t n) { return fails() ? 0 : __libc_malloc(n); }
void* realloc(void* p, size_t n) { return fails() ? 0 : __libc_realloc(p, n); }
void* calloc(size_t n, size_t m) { return fails() ? 0 : __libc_calloc(n, m); }
"""


@pytest.fixture
def failing(tmp_path):
    """The environment of a program whose FAIL_AT-th allocation fails: failing(number, ...)."""
    if sanitized():
        pytest.skip("a sanitizer has a malloc of its own")
    source, library = tmp_path / "failing.c", tmp_path / "failing.so"
    source.write_text(FAILING_MALLOC)
    subprocess.run([peers.installed("cc"), "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return lambda number, **more: {"LD_PRELOAD": str(library), "FAIL_AT": str(number), **more}


def test_row_65_no_memory_at_the_start_ends_it_cleanly(sidespan, sink, tmp_path, failing):
    config = write_config(tmp_path, exporting(sink.endpoint))

    def run(number):
        done = subprocess.run([sidespan, "run", "--print", "none", "--config", config, "--", "true"],
                              env=environment(tmp_path / str(number), failing(number)), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)
        return number, done.returncode

    with ThreadPoolExecutor(2) as threads:
        ends = list(threads.map(run, range(1, 6000, 97)))
    assert not [end for end in ends if end[1] not in (0, 1, 2, 127, -signal.SIGABRT)]


def test_row_65_no_memory_in_a_call_ends_it_cleanly(origin, sink, tmp_path, failing):
    """The house's rule: no memory ends the process; it never goes on with what is not there. Each allocation from the
    first connection on fails once, through two calls, their export and the end; what is left has nothing to fail."""
    config = exporting(sink.endpoint, delay="1ms") | {"drain": {"quiet": "10ms"}}

    def call(side, number):
        """Whether it was answered, and rightly."""
        try:
            answer = ask(side.egress, "POST", origin.url(f"/echo?{number}"), body=b"b" * 100)
        except (OSError, Truncated):
            return False
        shown = json.loads(answer.body)
        assert (answer.status, shown["target"], shown["body"]) == (200, f"/echo?{number}", "b" * 100)
        return True

    def run(number):
        side = Sidecar(tmp_path / str(number), config, failing(number, FAIL_FROM_ACCEPT="1"))
        try:
            calls = tuple(call(side, f"{number}-{which}") for which in range(2))
            side.terminate()
            return number, calls, side.process.wait(20)
        finally:
            side.kill()

    with ThreadPoolExecutor(2) as threads:
        ends = list(threads.map(run, [*range(1, 501), 1_000_000]))  # the last fails nothing
    assert not [end for end in ends if end[2] not in (0, -signal.SIGABRT)]
    assert not [end for end in ends if end[2] == 0 and end[1] != (True, True)]
    assert {((False, False), -signal.SIGABRT), ((True, True), 0)} <= {end[1:] for end in ends}
    assert ends[-1][1:] == ((True, True), 0)


def test_row_67_a_stop_of_ours_is_no_timeout_of_theirs(sidecar, origin):
    """The answer was there in time; that we did not run when it came is nobody's fault but ours."""
    arrived, go, sent = (threading.Semaphore(0) for _ in range(3))

    def answer(sock, reader, request):
        arrived.release()
        go.acquire(timeout=10)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        sent.release()

    origin.answer("/stopped", [NO_BODY, answer])
    side = sidecar({"limits": {"begin_time": "500ms"}})
    statuses = []
    for until in (0.8, 1.005, 1.015):  # the last two: when connections are looked through, a second after the first
        began = time.monotonic()
        with Client(side.egress) as agent:
            agent.send(get(origin.url("/stopped")))
            assert arrived.acquire(timeout=10)
            side.process.send_signal(signal.SIGSTOP)
            go.release()
            assert sent.acquire(timeout=10)
            time.sleep(max(0, began + until - time.monotonic()))
            side.process.send_signal(signal.SIGCONT)
            statuses.append(agent.response().status)
        time.sleep(1.1)  # nothing is looked through where there are no connections
    assert statuses == [200, 200, 200]
