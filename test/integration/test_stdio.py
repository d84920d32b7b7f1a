"""`sidespan stdio -- SERVER` is a pipe that tells what went through it: bytes and lines are true, each JSON-RPC request
is a span, and its context reaches the server in `_meta`."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import peers
from sidecar import environment, exporting, write_config
from wire import wait_for

LIMIT = 30
AGENTS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
# Answers each request with what it was told, and says so on stderr; `late` is never answered.
SERVER = """
import json, os, sys
for line in sys.stdin:
    sys.stderr.write(line)
    message = json.loads(line)
    if isinstance(message, list) or "id" not in message or message.get("method") in (None, "late"):
        continue
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    if message["method"] == "initialize":
        answer["result"] = {"protocolVersion": "2025-03-26"}
    elif message["method"] == "nowhere":
        answer["error"] = {"code": -32601, "message": "there is none"}
    else:
        answer["result"] = {"isError": message.get("params", {}).get("name") == "bad"}
    print(json.dumps(answer), flush=True)
sys.exit(int(os.environ.get("STATUS", "0")))
"""


class Stdio:
    def __init__(self, program, directory, sink):
        self.program = program
        self.directory = directory
        self.sink = sink

    def start(self, *server, options=(), env=None, settings=None, wrapper=(), **more):
        config = write_config(self.directory, exporting(self.sink.endpoint) | (settings or {}))
        return subprocess.Popen(
            [*wrapper, self.program, "stdio", "--config", str(config), *options, "--", *server],
            env=environment(self.directory, env), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **more)

    def __call__(self, said, *server, **more):
        """What came out of it: status, stdout, stderr."""
        process = self.start(*(server or (sys.executable, "-c", SERVER)), **more)
        out, err = process.communicate(said, LIMIT)
        return process.returncode, out, err


@pytest.fixture
def stdio(sidespan, sink, tmp_path):
    return Stdio(sidespan, tmp_path / "stdio", sink)


def lines(*messages):
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def request(number, method, **params):
    return {"jsonrpc": "2.0", "id": number, "method": method} | ({"params": params} if params else {})


def received(err):
    return [json.loads(line) for line in err.splitlines()]


@pytest.mark.parametrize("otel,said", [
    ({}, b"sidespan: no exporter is configured: spans are counted and dropped until export.otlp.endpoint or "
         b"OTEL_EXPORTER_OTLP_ENDPOINT names a collector\n"),
    ({"OTEL_TRACES_EXPORTER": "none"}, b""), ({"OTEL_SDK_DISABLED": "true"}, b"")])
def test_that_nothing_is_exported_is_said_once(otel, said, stdio):
    status, _, err = stdio(lines(request(1, "tools/list")), settings={"export": {}}, env=otel)
    assert status == 0 and err.startswith(said)
    assert (b"sidespan: " in err) == bool(said) and err.count(b"sidespan: ") <= 1
    log, = (stdio.directory / "state/run").glob("*.log")
    assert "spans are counted and dropped" in log.read_text() or "tracing is off" in log.read_text()


def meta_of(message):
    return message["params"]["_meta"]


@pytest.mark.parametrize("inside", [r'"cut \ud83d"', "[" * 100 + "]" * 100], ids=["half a character", "deep"])
def test_what_few_readers_take_is_read_and_passes_as_it_came(stdio, sink, inside):
    asked = r'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"bad","arguments":{"t":"cut \ud83d"}}}'
    answered = '{"result":{"structuredContent":%s,"isError":true},"jsonrpc":"2.0","id":1}' % inside
    server = f"""
import sys
for line in sys.stdin:
    sys.stderr.write(line)
    print({answered!r}, flush=True)
"""
    _, out, err = stdio(asked.encode() + b"\n", sys.executable, "-c", server)
    assert out.decode() == answered + "\n"
    [span] = sink.wait(1)
    assert span["attributes"]["error.type"] == "tool_error"
    [seen] = err.decode().splitlines()
    meta = '"_meta":{"traceparent":"%s"},' % meta_of(json.loads(seen))["traceparent"]
    assert seen == asked.replace('"params":{', '"params":{' + meta)


def test_what_a_server_logs_on_stdout_is_no_message(stdio, sink):
    logged = [{"level": "info", "id": 1}, {"method": "GET", "id": 5}, {"jsonrpc": "2.0", "id": 1, "level": "info"}]
    server = f"""
import json, sys
for line in sys.stdin:
    for logged in {logged!r}:
        print(json.dumps(logged))
    print(json.dumps({{"jsonrpc": "2.0", "id": 1, "result": {{"isError": True}}}}), flush=True)
"""
    stdio(lines(request(1, "tools/call", name="bad")), sys.executable, "-c", server)
    [span] = sink.wait(1)
    assert span["attributes"]["error.type"] == "tool_error"
    assert span["attributes"]["sidespan.end"] == "complete"


def test_each_request_is_a_span_whose_context_the_server_gets(stdio, sink):
    said = lines(request(1, "initialize", protocolVersion="2025-06-18"),
                 {"jsonrpc": "2.0", "method": "notifications/initialized"},
                 request("two", "tools/call", name="good", arguments={"a": [1.50, "\u00e9"]}),
                 request(3, "tools/call", name="bad"),
                 request(4, "nowhere"))
    status, out, err = stdio(said, env={"STATUS": "7"}, options=("--name", "tools"))
    assert status == 7
    assert [json.loads(line)["id"] for line in out.splitlines()] == [1, "two", 3, 4]
    spans = {span["attributes"]["jsonrpc.request.id"]: span for span in sink.wait(4)}
    assert len(sink.spans) == 4
    assert [spans[number]["name"] for number in ("1", "two", "3", "4")] == [
        "initialize", "tools/call good", "tools/call bad", "nowhere"]
    messages = {str(message.get("id")): message for message in received(err)}
    for number, span in spans.items():
        attributes = span["attributes"]
        assert span["kind"] == "CLIENT"
        assert span["resource"]["service.name"] == "tools"
        assert attributes["sidespan.mode"] == "stdio"
        assert attributes["network.transport"] == "pipe"
        assert attributes["sidespan.end"] == "complete"
        assert attributes["sidespan.parent.source"] == "root"
        assert attributes["mcp.protocol.version"] == "2025-03-26"
        assert meta_of(messages[number])["traceparent"].split("-")[1:3] == [span["trace_id"], span["span_id"]]
    assert [spans[number]["attributes"].get("error.type") for number in ("1", "two", "3", "4")] == [
        None, None, "tool_error", "-32601"]
    assert spans["4"]["attributes"]["rpc.response.status_code"] == "-32601"
    assert spans["two"]["attributes"]["gen_ai.tool.name"] == "good"
    assert "_meta" not in messages["None"].get("params", {})
    assert messages["two"]["params"]["arguments"] == {"a": [1.5, "\u00e9"]}


def test_the_parent_is_the_agents_own_span_else_the_one_that_started_us(stdio, sink):
    said = lines(request(1, "ping", _meta={"traceparent": AGENTS, "tracestate": "a=b", "baggage": "c=d", "p": 1}),
                 request(2, "ping"))
    started = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    _, _, err = stdio(said, env={"TRACEPARENT": started})
    spans = {span["attributes"]["jsonrpc.request.id"]: span for span in sink.wait(2)}
    assert (spans["1"]["trace_id"], spans["1"]["parent_id"]) == tuple(AGENTS.split("-")[1:3])
    assert spans["1"]["attributes"]["sidespan.parent.source"] == "mcp_meta"
    assert (spans["2"]["trace_id"], spans["2"]["parent_id"]) == tuple(started.split("-")[1:3])
    assert spans["2"]["attributes"]["sidespan.parent.source"] == "environment"
    first = meta_of(received(err)[0])
    assert first == {"traceparent": f"00-{spans['1']['trace_id']}-{spans['1']['span_id']}-01", "tracestate": "a=b",
                     "baggage": "c=d", "p": 1}


def test_what_started_us_is_in_the_servers_environment(stdio):
    started = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    status, out, _ = stdio(b"", "sh", "-c", "printf %s \"$TRACEPARENT\"", env={"TRACEPARENT": started})
    assert (status, out.decode()) == (0, started)


@pytest.mark.parametrize("settings", [{"mcp": {"inject_meta": False}}, {}], ids=["reading", "writing"])
def test_what_is_no_request_passes_as_it_is(stdio, sink, settings):
    said = (b'  {"id":1,  "result": {"a" : 1.0e5}}\r\n' b"not json at all\n" b"\n" b'{"method":"x","params":{}}\n'
            b'[{"id":7,"method":"ping"},{"id":8,"method":"ping"}]\n' b"\xff\xfe\x00\n" b'{"id":9,"method":"m","params":[]}')
    status, out, _ = stdio(said, "cat", settings=settings)
    assert (status, out) == (0, said)


def test_nothing_is_written_where_it_is_not_wanted(stdio, sink):
    said = lines(request(1, "ping"))
    _, out, _ = stdio(said, "cat", settings={"mcp": {"inject_meta": False}})
    assert out == said
    assert sink.wait(1)[0]["name"] == "ping"


def test_much_in_both_directions(stdio, sink):
    many = 5000
    payload = "x" * 1000
    said = lines(*(request(number, "tools/call", name="echo", arguments={"payload": payload}) for number in range(many)))
    status, out, err = stdio(said)
    assert status == 0
    assert [json.loads(line)["id"] for line in out.splitlines()] == list(range(many))
    assert [message["params"]["arguments"]["payload"] for message in received(err)] == [payload] * many
    assert len(sink.wait(many)) == many


def test_a_message_beyond_the_limit_passes_as_it_is(stdio, sink):
    long = lines(request(1, "tools/call", name="big", arguments={"payload": "y" * 300_000}))
    short = lines(request(2, "ping"))
    _, out, _ = stdio(long + short, "cat", settings={"limits": {"mcp_message_bytes": "64KiB"}})
    first, second = out.splitlines(keepends=True)
    assert first == long
    assert "traceparent" in meta_of(json.loads(second))
    assert {span["name"] for span in sink.wait(2)} == {"tools/call big", "ping"}


def test_requests_beyond_the_limit_end_at_once(stdio, sink):
    said = lines(*(request(number, "late") for number in range(5)))
    stdio(said, settings={"limits": {"mcp_calls": 3}})
    ends = [span["attributes"]["sidespan.end"] for span in sink.wait(5)]
    assert sorted(ends) == ["agent_cancelled"] * 3 + ["limit"] * 2


def test_a_request_that_is_cancelled_is_no_error(stdio, sink):
    said = lines(request(1, "late"),
                 {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    stdio(said)
    [span] = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "agent_cancelled"
    assert span["status"] == "UNSET"


def test_a_server_that_goes_leaves_its_calls_failed(stdio, sink):
    process = stdio.start(sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit(3)")
    process.stdin.write(lines(request(1, "tools/call", name="x")))
    process.stdin.flush()  # and stays open: who has gone is the server
    assert process.wait(LIMIT) == 3
    [span] = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "origin_closed"
    assert span["attributes"]["error.type"] == "connection_closed"
    assert span["status"] == "ERROR"


def test_a_server_that_crashes_has_closed_whatever_ends_first(stdio, sink):
    times = 10
    for _ in range(times):
        process = stdio.start("sh", "-c", "read x; exit 3")
        process.stdin.write(lines(request(1, "tools/call", name="x")))
        process.stdin.flush()
        assert process.wait(LIMIT) == 3
        process.communicate()
    ends = [(span["attributes"]["sidespan.end"], span["status"]) for span in sink.wait(times)]
    assert ends == [("origin_closed", "ERROR")] * times


def test_a_session_that_the_agent_ends_by_a_signal_is_no_crash(stdio, sink):
    process = stdio.start("sh", "-c", "read x; echo up; exec sleep 30")
    process.stdin.write(lines(request(1, "late")))
    process.stdin.flush()
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 128 + signal.SIGTERM
    process.communicate()
    [span] = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["status"]) == ("agent_cancelled", "UNSET")


def test_a_slow_agent_gets_the_last_words_of_a_server(stdio):
    size = 100_000  # two pipes hold it, so that the server ends; the agent's alone does not
    process = stdio.start("sh", "-c", f"head -c {size} /dev/zero; exit 3")
    time.sleep(3)  # longer than a server's pipe is waited for
    assert len(process.stdout.read()) == size
    assert process.wait(LIMIT) == 3
    process.communicate()


def test_a_signal_ends_the_wait_for_an_agent_that_takes_nothing(stdio):
    process = stdio.start("sh", "-c", "head -c 100000 /dev/zero; exit 3")
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT) == 3
    process.communicate()


def test_the_agents_last_line_reaches_a_server_that_has_nothing_more_to_say(stdio, tmp_path):
    said = b'{"jsonrpc":"2.0","method":"notifications/x"}'
    process = stdio.start("sh", "-c", f"exec 1>&-; cat > {tmp_path}/got")
    assert process.stdout.read() == b""  # its end has come through
    process.communicate(said, LIMIT)
    assert (tmp_path / "got").read_bytes() == said


@pytest.mark.parametrize("bytes_", [1679, 8192, 9000])
def test_long_baggage_reaches_the_server_whole(stdio, bytes_):
    entry = "key=" + "v" * 35 + ","
    baggage = (entry * (bytes_ // len(entry) + 1))[:bytes_]
    tracestate = "a=" + "t" * (bytes_ - 2)
    said = lines(request(1, "ping", _meta={"traceparent": AGENTS, "baggage": baggage, "tracestate": tracestate}))
    _, _, err = stdio(said)
    meta = meta_of(received(err)[0])
    assert meta["baggage"] == baggage
    assert meta["traceparent"] != AGENTS and meta["traceparent"].startswith(AGENTS[:35])
    if bytes_ > 8192:
        assert meta["tracestate"] == tracestate


def test_ids_of_64_bits_are_told_apart(stdio, sink):
    first, second = 2**64 - 1, 2**64 - 2
    stdio(lines(request(first, "late"), request(second, "ping")))
    ends = {span["attributes"]["jsonrpc.request.id"]: span["attributes"]["sidespan.end"] for span in sink.wait(2)}
    assert ends == {str(first): "agent_cancelled", str(second): "complete"}


def test_a_resource_s_secrets_stay_inside(stdio, sink):
    stdio(lines(request(1, "resources/read", uri="https://h/x?ticket=secret&token=secret&page=2")),
          settings={"capture": {"redact": ["ticket"]}})
    [span] = sink.wait(1)
    assert span["attributes"]["mcp.resource.uri"] == "https://h/x?ticket=REDACTED&token=REDACTED&page=2"


def test_what_the_server_asks_the_agent_serves(stdio, sink):
    asks = ("import sys, json\n"
            "print(json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': 'roots/list'}), flush=True)\n"
            "sys.stderr.write(sys.stdin.readline())\n")
    process = stdio.start(sys.executable, "-c", asks)
    asked = process.stdout.readline()
    assert json.loads(asked)["method"] == "roots/list"
    out, err = process.communicate(lines({"jsonrpc": "2.0", "id": 1, "result": {"roots": []}}), LIMIT)
    assert json.loads(err)["result"] == {"roots": []}
    [span] = sink.wait(1)
    assert (span["name"], span["kind"], span["attributes"]["sidespan.end"]) == ("roots/list", "SERVER", "complete")


def test_lines_pass_when_they_are_whole_and_not_later(stdio):
    process = stdio.start(sys.executable, "-c", SERVER)
    for number in range(3):
        process.stdin.write(lines(request(number, "ping")))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == number
    process.stdin.close()
    assert process.wait(LIMIT) == 0
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_reach_the_server(stdio, number, status):
    # Who runs tests in the background of a shell has SIGINT ignored, and so would all that they start.
    process = stdio.start("sh", "-c", "echo up; exec sleep 30", start_new_session=True,
                          preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    assert process.stdout.readline() == b"up\n"
    process.send_signal(number)
    process.communicate(timeout=LIMIT)
    assert process.returncode == status


def test_the_server_does_not_outlive_us(stdio):
    process = stdio.start("sh", "-c", "echo $$; exec sleep 300")
    server = int(process.stdout.readline())
    process.kill()
    process.communicate(timeout=LIMIT)

    def gone():
        try:
            os.kill(server, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{server}/stat") as stat:  # nobody may have waited for it yet
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"

    wait_for("the server's end", gone)


@pytest.mark.parametrize("server, status", [("/nowhere/at-all", 127), ("/etc/passwd", 126)])
def test_a_server_that_cannot_be_started(stdio, server, status):
    done = stdio(b"", server)
    assert done[0] == status
    assert done[2].startswith(b"sidespan: ")


def test_the_pipe_stays_true_without_a_collector(sidespan, tmp_path):
    directory = tmp_path / "alone"
    config = write_config(directory, exporting("http://127.0.0.1:1"))
    process = subprocess.Popen([sidespan, "stdio", "--config", str(config), "--", sys.executable, "-c", SERVER],
                               env=environment(directory), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    begun = time.monotonic()
    out, _ = process.communicate(lines(request(1, "ping")), LIMIT)
    assert json.loads(out)["id"] == 1
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize("limit, least, most", [(None, 0, 2), ("3s", 2.5, 6)])
def test_a_silent_collector_delays_the_end_no_more_than_its_limit(sidespan, tmp_path, limit, least, most):
    directory = tmp_path / "silent"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = exporting(f"http://127.0.0.1:{silent.getsockname()[1]}")
        config = write_config(directory, settings | ({"limits": {"stdio_export": limit}} if limit else {}))
        process = subprocess.Popen([sidespan, "stdio", "--config", str(config), "--", "cat"],
                                   env=environment(directory), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        process.stdin.write(lines(request(1, "ping")))
        process.stdin.flush()
        process.stdout.readline()
        begun = time.monotonic()
        process.communicate(timeout=LIMIT)
        assert least < time.monotonic() - begun < most


def test_another_process_that_holds_the_pipe_does_not_hold_us(stdio):
    process = stdio.start("sh", "-c", "sleep 60 & echo started")
    reader = threading.Thread(target=process.stdout.read)
    reader.start()
    assert process.wait(LIMIT) == 0
    process.stdin.close()
    subprocess.run(["pkill", "-f", "^sleep 60$"], check=False)
    reader.join(LIMIT)


def test_as_the_first_process_it_reaps_what_the_server_leaves_behind(stdio):
    status, out, err = stdio(b"", sys.executable, "-c", peers.LEAVING, wrapper=peers.first_process())
    assert (status, out) == (7, b"sidespan, 0 left\n"), err
