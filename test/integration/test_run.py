"""`sidespan run -- CMD` behaves like env(1) around the command, and afterwards tells what the command called."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import peers
from sidecar import environment, exporting, write_config
from terminal import Terminal, job_control_shell
from wire import wait_for

PYTHON = sys.executable
LIMIT = 30
CALL = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"


class Run:
    """Starts `sidespan run`; the environment is bare but for what a test says."""

    def __init__(self, program, directory, endpoint):
        self.program = program
        self.directory = directory
        self.config = write_config(directory, exporting(endpoint) | {"drain": {"quiet": "100ms", "deadline": "5s"}})

    def arguments(self, *command, options=()):
        return [self.program, "run", "--config", str(self.config), *options, "--", *map(str, command)]

    def environment(self, env=None):
        return environment(self.directory, env)

    def __call__(self, *command, options=(), env=None, **more):
        return subprocess.run(self.arguments(*command, options=options), env=self.environment(env), text=True,
                              capture_output=True, timeout=LIMIT, **more)

    def start(self, *command, options=(), env=None, **more):
        return subprocess.Popen(self.arguments(*command, options=options), env=self.environment(env), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def log(self):
        logs = list((self.directory / "state" / "run").glob("*.log"))
        assert len(logs) == 1, logs
        return logs[0].read_text()


@pytest.fixture
def run(sidespan, sink, tmp_path):
    return Run(sidespan, tmp_path / "run", sink.endpoint)


def by_id(spans):
    return {span["span_id"]: span for span in spans}


def root_of(spans):
    [root] = [span for span in spans if span["kind"] == "INTERNAL"]
    return root


@pytest.mark.parametrize("script, status", [
    ("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_row_62_the_status_is_the_commands(run, script, status):
    done = run("sh", "-c", script)
    assert done.returncode == status
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("command, status, sentence", [
    ("/nowhere/at-all", 127, "there is no program /nowhere/at-all"),
    ("no-such-program-anywhere", 127, "there is no program no-such-program-anywhere"),
    ("/etc/passwd", 126, "cannot execute /etc/passwd"),
    ("/", 126, "cannot execute /")])
def test_what_cannot_be_run(run, command, status, sentence):
    done = run(command)
    assert done.returncode == status
    assert done.stderr.startswith(f"sidespan: {sentence}")
    assert done.stderr.count("\n") == 1


def test_row_62_input_and_output_are_the_commands_own(run):
    data = "x" * 300_000 + "\n"
    done = run("cat", input=data)
    assert (done.stdout, done.stderr, done.returncode) == (data, "", 0)


def test_arguments_arrive_as_they_are(run):
    words = ["--print", "tree", "a b", "", "--", "*"]
    done = run(PYTHON, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))", *words)
    assert json.loads(done.stdout) == words


def test_a_call_is_a_child_of_the_run(run, origin, sink):
    done = run(PYTHON, "-c", CALL, origin.url("/echo?x=1"), options=["--name", "demo"])
    assert done.stdout == "200\n"
    spans = sink.spans
    assert len(spans) == 2, "the run exports before it ends"
    root = root_of(spans)
    [call] = [span for span in spans if span["kind"] == "CLIENT"]
    assert root["name"] == Path(PYTHON).name
    assert root["parent_id"] == ""
    assert root["status"] == "UNSET"
    assert root["attributes"]["process.exit.code"] == 0
    assert root["attributes"]["process.executable.name"] == Path(PYTHON).name
    assert root["attributes"]["process.pid"] > 0
    assert root["attributes"]["sidespan.parent.source"] == "root"
    assert root["resource"]["service.name"] == "demo"
    assert (call["trace_id"], call["parent_id"]) == (root["trace_id"], root["span_id"])
    assert call["attributes"]["sidespan.parent.source"] == "listener"
    for span in spans:
        assert span["attributes"]["sidespan.execution.id"] == root["span_id"]
        assert span["attributes"]["sidespan.execution.source"] == "listener"
    assert root["start"] <= call["start"] <= call["end"] <= root["end"]
    [request] = origin.requests
    assert request.get("traceparent").split("-")[1:3] == [call["trace_id"], call["span_id"]]


def test_a_call_that_the_command_gave_up_holds_nothing_up(run, origin, sink):
    origin.answer("/silent", [lambda sock, reader, request: sock.recv(1) or time.sleep(8)])
    began = time.monotonic()
    done = run("curl", "-s", "-m", "0.5", origin.url("/silent"))
    assert done.returncode == 28
    assert time.monotonic() - began < 3
    call, = [span for span in sink.wait(2) if span["kind"] == "CLIENT"]
    assert call["attributes"]["sidespan.end"] == "agent_cancelled"


def test_a_loss_is_told_though_nothing_is_printed(run, origin):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    done = run(PYTHON, "-c", CALL, origin.url("/a"), env={"SIDESPAN_EXPORT_OTLP_ENDPOINT": endpoint})
    assert done.stdout == "200\n"
    assert done.stderr.startswith("sidespan: 0 of 2 spans exported to ")


def test_a_command_that_fails_is_an_error(run, sink):
    run("sh", "-c", "exit 3")
    run("sh", "-c", "kill -TERM $$")
    failed, ended = sink.spans
    assert (failed["status"], failed["attributes"]["error.type"], failed["attributes"]["process.exit.code"]) == (
        "ERROR", "3", 3)
    assert (ended["status"], ended["attributes"]["error.type"], ended["attributes"]["process.exit.code"]) == (
        "ERROR", "SIGTERM", 143)


def test_the_environment_of_the_command(run, sink):
    done = run("env", env={"NO_PROXY": "my.host", "HTTP_PROXY": "http://other:1", "BAGGAGE": "user=7"})
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines())
    proxy = seen["HTTP_PROXY"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", proxy)
    for name in ("http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "grpc_proxy"):
        assert seen[name] == proxy
    assert seen["NO_PROXY"].startswith("my.host,169.254.169.254")
    assert seen["NODE_USE_ENV_PROXY"] == "1"
    assert seen["BAGGAGE"] == "user=7"
    root = root_of(sink.spans)
    assert seen["TRACEPARENT"].split("-")[1:3] == [root["trace_id"], root["span_id"]]


def test_a_run_within_a_trace_is_part_of_it(run, origin, sink):
    run(PYTHON, "-c", CALL, origin.url("/"), env={"TRACEPARENT": TRACEPARENT, "TRACESTATE": "a=1"})
    root = root_of(sink.spans)
    assert {span["trace_id"] for span in sink.spans} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert root["parent_id"] == "00f067aa0ba902b7"
    assert root["attributes"]["sidespan.parent.source"] == "environment"
    assert root["tracestate"] == "a=1"


def test_an_unsampled_trace_stays_unsampled(run, origin, sink):
    done = run(PYTHON, "-c", CALL, origin.url("/"), options=["--print", "tree"],
               env={"TRACEPARENT": TRACEPARENT[:-2] + "00"})
    assert sink.spans == []
    assert origin.requests[0].get("traceparent").endswith("-00")
    assert done.stderr == "sidespan: this run was not sampled (parentbased_always_on)\n"


def test_a_run_says_how_many_spans_the_tail_kept(run, origin, sink):
    done = run(PYTHON, "-c", CALL, origin.url("/"), options=["--print", "tree"],
               env={"SIDESPAN_SAMPLING_TAIL": "{policies: [{errors: true}]}"})
    assert f"0 of 2 spans exported to {sink.endpoint}" in done.stderr
    assert "sampling.tail kept no more" in done.stderr and "GET" in done.stderr, "the tree is whole"
    assert sink.spans == []


def test_with_tracing_off_nothing_is_added(run, origin, sink):
    done = run("env", env={"OTEL_SDK_DISABLED": "true", "TRACEPARENT": TRACEPARENT})
    assert f"TRACEPARENT={TRACEPARENT}" in done.stdout.splitlines()
    run(PYTHON, "-c", CALL, origin.url("/"), env={"OTEL_SDK_DISABLED": "true"})
    assert sink.spans == []
    assert origin.requests[0].all("traceparent") == []


def test_the_tree(run, origin):
    script = CALL.replace("print", "a =") + f"; urllib.request.urlopen('{origin.url('/sse/3')}').read()"
    done = run(PYTHON, "-c", script, origin.url("/echo?token=secret"), options=["--print", "tree", "--name", "demo"],
               env={"LC_ALL": "C"})
    lines = done.stderr.splitlines()
    host = f"127.0.0.1:{origin.port}"
    assert re.fullmatch(r"demo - 2 calls - \S+ m?s - trace [0-9a-f]{32}", lines[0])
    assert re.match(r"demo +exit 0 +\S+ m?s  #", lines[2])
    assert re.match(rf"\|- GET {host}/echo +200 +\S+ m?s +#", lines[3])
    assert re.match(rf"`- GET {host}/sse/3  3 events +200 +\S+ m?s +#", lines[4])
    assert re.fullmatch(r"sidespan: 3 spans exported to http://127\.0\.0\.1:\d+/v1/traces", lines[5])
    assert len(lines) == 6
    assert "secret" not in done.stderr and "\x1b" not in done.stderr


def test_json(run, origin, sink):
    done = run(PYTHON, "-c", CALL, origin.url("/status/404"), options=["--print", "json"])
    document = json.loads(done.stderr.splitlines()[-1])
    known = by_id(sink.spans)
    assert document["left_out"] == 0
    assert {span["span_id"] for span in document["spans"]} == set(known)
    for span in document["spans"]:
        exported = known[span["span_id"]]
        assert span["trace_id"] == document["trace_id"] == exported["trace_id"]
        assert (span["parent_id"] or "") == exported["parent_id"]
        assert span["kind"].upper() == exported["kind"]
        assert span["status"].upper() == exported["status"]
        assert span["attributes"] == pytest.approx(exported["attributes"])
        assert span["duration_seconds"] == pytest.approx((exported["end"] - exported["start"]) / 1e9)


def test_a_run_with_nothing_else_installed(sidespan, origin, tmp_path):
    """No configuration, no exporter, no home: the tree is there all the same."""
    done = subprocess.run([sidespan, "run", "--print", "tree", "--", PYTHON, "-c", CALL, origin.url("/")], text=True,
                          env={"PATH": os.environ["PATH"], "SIDESPAN_STATE_DIR": "/proc/nowhere"},
                          capture_output=True, timeout=LIMIT)
    assert (done.returncode, done.stdout) == (0, "200\n")
    assert "- 1 call -" in done.stderr
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stderr
    for once in ("HTTPS is not opened: ", "this run has no log: /proc/nowhere "):
        assert done.stderr.count(once) == 1


def test_more_spans_than_are_kept(sidespan, sink, origin, tmp_path):
    run = Run(sidespan, tmp_path / "run", sink.endpoint)
    run.config = write_config(tmp_path / "run", exporting(sink.endpoint) | {"limits": {"run_spans": 2}})
    calls = "import sys, urllib.request\nfor _ in range(5): urllib.request.urlopen(sys.argv[1])"
    done = run(PYTHON, "-c", calls, origin.url("/"), options=["--print", "tree"])
    assert "3 more spans are not shown (limits.run_spans)" in done.stderr
    assert len(sink.spans) == 6


def test_what_there_is_to_say_is_in_the_log_of_the_run(run):
    run("true")
    events = [json.loads(line) for line in run.log().splitlines()]
    listening = {event["listener"] for event in events if event.get("event") == "listening"}
    assert listening == {"egress", "admin"}
    assert {"event": "ready"} in events


def test_a_collector_that_is_down_costs_seconds_and_is_told(sidespan, origin, tmp_path):
    """Nobody is there, twice in a row: that is all the prompt waits for."""
    run = Run(sidespan, tmp_path / "run", "http://127.0.0.1:1")
    done = run(PYTHON, "-c", "import time; " + CALL.replace("print", "a =") + "; print(time.time())", origin.url("/"),
               options=["--print", "tree"])
    assert time.time() - float(done.stdout) < 2.5
    assert done.returncode == 0
    assert re.search(r"sidespan: 0 of 2 spans exported to http://127.0.0.1:1/v1/traces; \S+\.log says why",
                     done.stderr)


def test_a_silent_collector_costs_no_more_than_its_limit(sidespan, origin, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        run = Run(sidespan, tmp_path / "run", endpoint)
        run.config = write_config(tmp_path / "run", exporting(endpoint) | {"limits": {"run_export": "300ms"}})
        began = time.monotonic()
        done = run("true", options=["--print", "tree"])
    assert time.monotonic() - began < 3
    assert "sidespan: 0 of 1 span exported to" in done.stderr
    assert '"spans were dropped at the end' in run.log()


def test_the_second_signal_ends_the_export(sidespan, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        run = Run(sidespan, tmp_path / "run", endpoint)
        run.config = write_config(tmp_path / "run", exporting(endpoint) | {"limits": {"run_export": "25s"}})
        process = run.start("true", options=["--print", "tree"])
        silent.settimeout(LIMIT)
        connection, _ = silent.accept()
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, shown = process.communicate(timeout=LIMIT)
        connection.close()
    assert time.monotonic() - began < 3
    assert process.returncode == 0
    assert "sidespan: 0 of 1 span exported to" in shown
    assert '"spans were dropped at the end' in run.log()


INHERITED = "HTTP_PROXY: a second proxy must be one for HTTP"


@pytest.mark.parametrize("print_", ["none", "tree"])
def test_a_proxy_that_is_replaced_is_said_first(run, print_):
    done = run("sh", "-c", "echo one >&2", options=["--print", print_], env={"HTTP_PROXY": "socks5://u:geheim@corp:3128"})
    assert done.returncode == 0
    assert done.stderr.startswith(f"sidespan: {INHERITED}")
    assert done.stderr.splitlines()[1] == "one"
    assert done.stderr.count(INHERITED) == 1
    assert "geheim" not in done.stderr


@pytest.mark.parametrize("options", [[], ["--print", "none"]])
def test_on_a_terminal_it_is_said_afterwards(run, options):
    with Terminal(run.arguments("echo", "one", options=options),
                  run.environment({"HTTP_PROXY": "socks5://corp:3128"})) as terminal:
        terminal.wait()
        shown = terminal.output()
    assert shown.startswith("one\r\n")
    assert shown.count(INHERITED) == 1


def test_roots_that_cannot_be_read_are_said_once(run):
    missing = {"CURL_CA_BUNDLE": "/nowhere/corp.pem", "SSL_CERT_FILE": "/nowhere/corp.pem"}
    said = "sidespan: {} names /nowhere/corp.pem, which cannot be read: No such file or directory\n"
    done = run("echo", "one", env=missing)
    assert done.returncode == 0
    assert [done.stderr.count(said.format(name)) for name in missing] == [1, 1]
    assert run("echo", "one", options=("--intercept", "off"), env=missing).stderr == "", "they are the command's own"


def test_what_was_wrong_in_variables_is_shown_with_the_outcome(sidespan, tmp_path):
    run = Run(sidespan, tmp_path / "run", "off")
    run.config = write_config(tmp_path / "run", {})
    done = run("true", options=["--print", "tree"],
               env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
    assert "sidespan: these spans were kept for this tree alone\n" in done.stderr
    assert "sidespan: OTEL_EXPORTER_OTLP_PROTOCOL: http/json is not in this version" in done.stderr
    assert "to send them to a collector" not in done.stderr
    silent = run("true", options=["--print", "none"], env={"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
    assert silent.stderr == ""


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "SIDESPAN_EXPORT_OTLP_ENDPOINT"])
def test_a_collectors_address_without_a_scheme_is_refused(sidespan, tmp_path, variable):
    run = Run(sidespan, tmp_path / "run", "off")
    run.config = write_config(tmp_path / "run", {})
    done = run("echo", "one", env={variable: "collector:4318"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"{variable}: export.otlp.endpoint: has no scheme: http:// or https:// must stand before "
                           "the host\n")


def test_a_configuration_that_is_not_there(sidespan, tmp_path):
    run = Run(sidespan, tmp_path / "run", "off")
    run.config = tmp_path / "none.yaml"
    done = run("true")
    assert (done.returncode, done.stderr) == (2, f"sidespan: {run.config}: No such file or directory\n")


NO_ROOTS = "sidespan: this system has no file of root certificates"


def test_a_system_without_roots_is_said_first(run):
    wrapper = peers.without_roots()
    done = subprocess.run([*wrapper, *run.arguments("sh", "-c", "echo one >&2", options=["--print", "tree"])],
                          env=run.environment(), text=True, capture_output=True, timeout=LIMIT)
    assert done.returncode == 0
    first, second, *_ = done.stderr.splitlines()
    assert first.startswith(NO_ROOTS) and "ca-certificates" in first and "SSL_CERT_FILE" in first
    assert second == "one"
    assert done.stderr.count(NO_ROOTS) == 1


def test_a_system_without_roots_is_said_afterwards_on_a_terminal(run):
    unshare, *more = peers.without_roots()
    words = [peers.installed(unshare), *more, *run.arguments("echo", "one", options=["--print", "none"])]
    with Terminal(words, run.environment()) as terminal:
        terminal.wait()
        shown = terminal.output()
    assert shown.startswith(f"one\r\n{NO_ROOTS}")
    assert shown.count(NO_ROOTS) == 1


def test_roots_that_a_variable_names_are_roots(run, authority):
    done = subprocess.run([*peers.without_roots(), *run.arguments("true")], text=True, capture_output=True,
                          env=run.environment({"SSL_CERT_FILE": str(authority.pem)}), timeout=LIMIT)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_tree_says_why_a_tunnel_stayed_closed(run, tls_origin, authority):
    done = run("curl", "-s", "-o", "/dev/null", "--cacert", str(authority.pem), tls_origin.url("/echo"),
               options=["--print", "tree"], env={"SIDESPAN_TLS_INTERCEPT_BYPASS": "127.0.0.1", "LC_ALL": "C"})
    assert done.returncode == 0
    assert f"CONNECT 127.0.0.1:{tls_origin.port}  unopened: on tls.intercept.bypass  200 " in done.stderr


def test_the_command_inherits_no_descriptor_of_ours(run):
    script = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')))"
    done = run(PYTHON, "-c", script)
    assert done.stdout == "[0, 1, 2, 3]\n", "3 is the directory that is listed"


def test_as_the_first_process_it_reaps_what_the_command_leaves_behind(run):
    words = [*peers.first_process(), *run.arguments(PYTHON, "-c", peers.LEAVING, options=["--print", "none"])]
    done = subprocess.run(words, env=run.environment(), capture_output=True, text=True, timeout=LIMIT)
    assert (done.returncode, done.stdout) == (7, "sidespan, 0 left\n"), done.stderr


ROOTS = "SSL_CERT_FILE"


@pytest.mark.parametrize("before,env", [
    ("true", ()), ('"$2" ca show > /dev/null', ()), ('env -u SSL_CERT_FILE "$2" run --print none -- true', (ROOTS,))],
    ids=["nothing was there", "the authority was there", "all but a bundle was there"])
def test_a_full_disk_is_no_reason_not_to_run(run, authority, origin, before, env):
    """`env`: what names other roots, so that a bundle would have to be written."""
    own = run.environment({name: str(authority.pem) for name in env})
    words = [*peers.full_disk(run.directory / "state", before),
             *run.arguments(PYTHON, "-c", f"{CALL}; import os; print(os.environ.get('{ROOTS}')); sys.exit(7)",
                            origin.url("/"), options=["--print", "none"])]
    done = subprocess.run(words, env=own, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines() == ["200", str(own.get(ROOTS))]
    assert "sidespan: HTTPS is not opened" in done.stderr and "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# Signals. A test's children share its process group, and pytest leads no job: like a script without job control.

TRAPPED = """
import os, signal, time
seen = []
def on(number, _):
    seen.append(signal.Signals(number).name)
    if number != signal.SIGUSR1:
        os.write(1, " ".join(seen).encode() + b"\\n")
        os._exit(5)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, on)
print("set", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_row_62_a_signal_sent_to_sidespan_reaches_the_command(run, number):
    started = run.start(PYTHON, "-c", TRAPPED)
    assert started.stdout.readline() == "set\n"
    started.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    started.send_signal(number)
    out, err = started.communicate(timeout=LIMIT)
    assert out == f"SIGUSR1 {number.name}\n"
    assert (started.returncode, err) == (5, "")


def test_row_62_a_command_that_dies_of_the_signal(run):
    started = run.start("sleep", "30")
    wait_for("the command", lambda: children_of(started.pid))
    started.terminate()
    assert started.wait(timeout=LIMIT) == 143


def test_row_62_no_command_outlives_its_sidecar(run):
    started = run.start("sleep", "30")
    [child] = wait_for("the command", lambda: children_of(started.pid))
    started.kill()
    started.wait()
    wait_for("end of the command", lambda: not alive(child))


def test_row_62_ignored_signals_stay_ignored(run):
    """nohup works through sidespan."""
    script = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    started = run.start(PYTHON, "-c", script, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert started.communicate(timeout=LIMIT)[0] == "True\n"


def test_row_62_a_call_under_way_when_the_command_ends_is_finished(run, origin, sink):
    """The command ends, what it left behind still gets its answer."""
    script = f"curl -s -o /dev/null '{origin.url('/slow?head=700&body=100')}' & sleep 0.3"
    began = time.monotonic()
    done = run("sh", "-c", script)
    assert done.returncode == 0
    assert time.monotonic() - began > 0.7
    [call] = [span for span in sink.spans if span["kind"] == "CLIENT"]
    assert call["attributes"]["sidespan.end"] == "complete"
    assert call["attributes"]["http.response.status_code"] == 200


def test_a_call_without_an_end_is_cut_off_at_the_deadline(run, origin, sink):
    origin.answer("/endless", [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", 60])
    done = run("sh", "-c", f"curl -sN -o /dev/null '{origin.url('/endless')}' & sleep 0.5")
    assert done.returncode == 0
    [call] = [span for span in sink.spans if span["kind"] == "CLIENT"]
    assert call["attributes"]["sidespan.end"] == "drain"


# The terminal.


def test_a_terminal_gets_the_tree_in_colour(run, origin):
    with Terminal(run.arguments(PYTHON, "-c", CALL, origin.url("/status/500")),
                  run.environment({"TERM": "xterm", "LANG": "C.UTF-8"})) as terminal:
        assert terminal.wait() == 1
        shown = terminal.output()
    assert "\x1b[31m1 error\x1b[0m" in shown
    assert "└─" in shown and "█" in shown


def test_no_color(run, origin):
    with Terminal(run.arguments(PYTHON, "-c", CALL, origin.url("/")),
                  run.environment({"TERM": "xterm", "NO_COLOR": "1"})) as terminal:
        assert terminal.wait() == 0
        shown = terminal.output()
    assert "1 call" in shown and "\x1b" not in shown


def test_nothing_is_printed_while_the_command_has_the_terminal(run):
    script = "import sys, time; print('one', flush=True); time.sleep(0.5); print('two', file=sys.stderr)"
    with Terminal(run.arguments(PYTHON, "-c", script), run.environment()) as terminal:
        terminal.wait()
        assert terminal.output().startswith("one\r\ntwo\r\n")


def test_row_62_the_command_has_the_terminal(run):
    script = "import os, sys; print(*(os.isatty(fd) for fd in (0, 1, 2))); print(input())"
    with Terminal(run.arguments(PYTHON, "-c", script), run.environment()) as terminal:
        terminal.type("typed\n")
        assert terminal.wait() == 0
        assert "True True True" in terminal.output()
        assert terminal.output().count("typed") == 2, "echo and answer"


def test_row_62_ctrl_c_reaches_the_command_once(run):
    script = TRAPPED.replace("if number != signal.SIGUSR1:", "if number != signal.SIGINT:")
    with Terminal(job_control_shell(run.arguments(PYTHON, "-c", script)), run.environment()) as terminal:
        terminal.expect("set")
        terminal.type("\x03")
        time.sleep(0.5)
        [sidespan] = children_of(terminal.pid)
        [command] = children_of(sidespan)
        os.kill(command, signal.SIGTERM)
        terminal.expect("SIGINT SIGTERM")
        terminal.expect("exited 5")


def test_row_62_ctrl_z_stops_the_job_and_fg_continues_it(run, origin):
    script = f"print('set', flush=True); input(); {CALL}"
    with Terminal(job_control_shell(run.arguments(PYTHON, "-c", script, origin.url("/"))),
                  run.environment()) as terminal:
        terminal.expect("set")
        terminal.type("\x1a")
        terminal.expect("stopped")
        terminal.type("\n")
        terminal.expect("200")
        terminal.expect("exited 0")


def test_a_command_that_refuses_to_stop_does_not_lose_its_sidecar(run, origin):
    script = ("import os, signal; signal.signal(signal.SIGTSTP, lambda *_: os.write(1, b'no')); "
              f"print('set', flush=True); input(); {CALL}")
    with Terminal(job_control_shell(run.arguments(PYTHON, "-c", script, origin.url("/"))),
                  run.environment()) as terminal:
        terminal.expect("set")
        terminal.type("\x1a")
        terminal.expect("no")
        terminal.type("\n")
        terminal.expect("200")
        terminal.expect("exited 0")
        assert "stopped" not in terminal.output()


def children_of(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
