"""What surrounds the program is not as it should be: nobody reads its log, it was started without standard streams, agents
have all descriptors, the collector is silent to the end, another name leads here."""

import json
import os
import resource
import signal
import socket
import subprocess
import time

import pytest

from otlp_sink import Reply
from sidecar import BASE, environment, merged, sanitized, write_config
from wire import Client, ask, wait_for

PIPE = 1 << 20  # bytes, more than it holds


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()


class Mute:
    """A sidecar whose log nobody reads, so that it cannot say where it listens."""

    def __init__(self, sidespan, directory, config, **streams):
        self.egress, self.admin = free_address(), free_address()
        listen = {"egress": "%s:%d" % self.egress, "admin": "%s:%d" % self.admin, "health": "off"}
        path = write_config(directory, merged(merged(BASE, {"listen": listen}), config))
        self.process = subprocess.Popen([sidespan, "proxy", "--config", str(path)], env=environment(directory), **streams)
        try:
            wait_for("a listener", self.answers)
        except AssertionError:
            self.process.kill()
            raise

    def answers(self):
        try:
            return ask(self.admin, "GET", "/readyz", host="localhost").status == 200
        except OSError:
            return False

    def lost(self):
        page = ask(self.admin, "GET", "/metrics", host="localhost").body.decode()
        return next(float(line.split()[1]) for line in page.splitlines()
                    if line.startswith("sidespan_log_lines_lost_total "))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def unread(sidespan, tmp_path, origin):
    """A sidecar that has said more than its log takes, and who could read it."""
    read, write = os.pipe()
    with Mute(sidespan, tmp_path, {"log": {"access": True}}, stderr=write) as side:
        os.close(write)
        with Client(side.egress) as agent:
            for number in range(600):
                assert agent.ask("GET", origin.url("/bytes/1?" + "x" * 200 + str(number))).status == 200
        yield side, read
    os.close(read)


def test_a_log_that_nobody_reads_stops_nothing(unread, origin):
    side, read = unread
    assert side.answers()
    assert side.lost() > 100
    # Who reads again hears of it, and only whole lines.
    text = os.read(read, PIPE)
    ask(side.egress, "GET", origin.url("/bytes/1"))
    while b"were lost" not in text or not text.endswith(b"\n"):
        text += os.read(read, PIPE)
    lines = [json.loads(line) for line in text.splitlines()]
    assert any(line.get("message") == "lines of this log were lost, nobody read it" for line in lines)
    side.process.send_signal(signal.SIGTERM)
    assert side.process.wait(20) == 0


def test_a_log_that_nobody_reads_does_not_keep_it_from_ending(unread):
    side, _ = unread
    side.process.send_signal(signal.SIGTERM)
    assert side.process.wait(20) == 0


def test_started_without_standard_streams(sidespan, tmp_path, origin):
    def close():
        for descriptor in range(3):
            os.close(descriptor)

    with Mute(sidespan, tmp_path, {"log": {"access": True}}, preexec_fn=close) as side:
        for descriptor in range(3):
            assert os.readlink(f"/proc/{side.process.pid}/fd/{descriptor}") == "/dev/null"
        with Client(side.egress) as agent:
            for _ in range(600):
                assert agent.ask("GET", origin.url("/bytes/1?" + "x" * 200)).status == 200
        side.process.send_signal(signal.SIGTERM)
        assert side.process.wait(20) == 0


def test_health_and_the_collector_have_descriptors_while_agents_ask_for_all(sidecar, origin, sink):
    if sanitized():
        pytest.skip("UBSan looks at memory through a pipe, and has no descriptor for it")
    side = sidecar()
    pid = side.process.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (96, usual[1]))
    crowd = [Client(side.egress) for _ in range(150)]
    time.sleep(0.5)
    for client in crowd:
        try:
            client.send(f"GET {origin.url('/slow?head=5000')} HTTP/1.1\r\nHost: o\r\n\r\n".encode())
        except OSError:
            pass  # one for whom there was no place
    wait_for("agents that are told", lambda: side.metrics().total("sidespan_requests_total") > 20)
    assert ask(side.health, "GET", "/healthz", host="whoever").status == 200
    assert sink.wait(1)
    for client in crowd:
        client.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)


def test_the_limit_of_descriptors_is_raised(sidespan, tmp_path):
    def lower():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    with Mute(sidespan, tmp_path, {}, preexec_fn=lower, stderr=subprocess.DEVNULL) as side:
        soft, hard = resource.prlimit(side.process.pid, resource.RLIMIT_NOFILE)
        assert soft == hard


def test_workers_that_have_ended_are_not_missed(sidecar, origin, sink):
    sink.replies(*[Reply(200, delay=60)] * 10)
    side = sidecar({"export": {"otlp": {"timeout": "40s"}}, "drain": {"quiet": "100ms", "deadline": "25s"}})
    ask(side.egress, "GET", origin.url("/bytes/1"))
    wait_for("a span", lambda: side.metrics().total("sidespan_spans_queued") == 1)
    time.sleep(0.5)  # its export is under way
    side.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    while time.monotonic() - began < 14:
        assert ask(side.health, "GET", "/healthz", host="whoever").status == 200
        time.sleep(0.5)
    side.process.wait(40)
    assert not any("does not come back" in line for line in side.lines)


def test_a_name_that_was_made_to_lead_here_reaches_no_route(sidecar, origin):
    side = sidecar({"routes": [{"path": "/tools/", "to": origin.url("/echo/")}]})
    port = side.egress[1]
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example"):
        answer = ask(side.egress, "GET", "/tools/x", host=host)
        assert answer.status == 421 and b"localhost" in answer.body
    for host in ("localhost", f"LOCALHOST:{port}", "tools.localhost", "sidespan", "127.0.0.1", f"127.0.0.1:{port}", "[::1]:1"):
        assert ask(side.egress, "GET", "/tools/x", host=host).status == 200
