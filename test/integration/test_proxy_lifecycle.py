"""`sidespan proxy` from its first line to its last: listeners, health, drain, signals, what it says about itself."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import peers
from sidecar import BASE, Sidecar, environment, exporting, merged, write_config
from terminal import Terminal
from wire import Client, ask, wait_for

LIMIT = 30
OFF = {"listen": {"admin": "off", "health": "off"}}


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


def start_in_vain(sidespan, directory, config):
    """A sidecar that is to end by itself."""
    path = write_config(directory, merged(BASE, config))
    return subprocess.run([sidespan, "proxy", "--config", str(path)], env=environment(directory), text=True,
                          capture_output=True, timeout=LIMIT)


def health(sidecar, path, method="GET"):
    return ask(sidecar.health, method, path, host="whoever:1")


def ready(sidecar):
    """The status of /readyz; none once the listener is gone."""
    try:
        return health(sidecar, "/readyz").status
    except OSError:
        return None


def listening(sidecar, listener):
    events = [json.loads(line) for line in sidecar.lines if line.startswith('{"event":"listening"')]
    return [event["address"] for event in events if event["listener"] == listener]


# Listeners.


def test_the_first_lines(sidecar):
    lines = sidecar().lines
    events = [json.loads(line) for line in lines if line.startswith('{"event"')]
    assert [event.get("listener") for event in events] == ["egress", "admin", "health", None]
    assert events[-1] == {"event": "ready"}
    assert sum("HTTPS passes as opaque tunnels" in line for line in lines) == 1
    assert not any("no exporter" in line for line in lines)


def test_events_are_json_whatever_the_format(sidecar):
    started = sidecar({"log": {"format": "text"}})
    assert any(line.startswith('{"event":"ready"}') for line in started.lines)
    assert any(" info  HTTPS passes" in line for line in started.lines)


def test_no_exporter_is_said_once(tmp_path):
    with Sidecar(tmp_path) as started:
        assert sum("no exporter is configured" in line for line in started.lines) == 1
        assert started.metrics().accounts() == {"none": (0, 0, 0, 0)}


def test_an_exporter_that_was_asked_for_in_vain_is_no_missing_one(tmp_path):
    with Sidecar(tmp_path, {"export": {"otlp": {"endpoint": "off"}}}) as started:
        assert not any("no exporter is configured" in line for line in started.lines)
        assert sum("nothing is exported" in line for line in started.lines) == 1


def test_localhost_is_both_families_on_one_port(sidecar, origin):
    started = sidecar({"listen": {"egress": "localhost:0"}})
    addresses = listening(started, "egress")
    ports = {address.rpartition(":")[2] for address in addresses}
    assert len(ports) == 1
    hosts = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
    assert len(addresses) == len(hosts)
    for host in hosts:
        assert ask((host, int(*ports)), "GET", origin.url("/echo")).status == 200


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("listener", ["egress", "admin", "health"])
def test_a_taken_port_is_the_end(sidecar, sidespan, tmp_path, listener, workers):
    first = sidecar({"workers": workers})
    host, port = first.address(listener)
    second = start_in_vain(sidespan, tmp_path / "second",
                           {"listen": {listener: f"{host}:{port}"}, "workers": workers})
    assert second.returncode == 1
    last = json.loads(second.stderr.splitlines()[-1])
    assert last["message"].startswith(f"{host}:{port}: cannot listen on ")
    assert last["message"].endswith(f"; listen.{listener} (SIDESPAN_LISTEN_{listener.upper()}) can name another port")
    assert '"event":"ready"' not in second.stderr


def test_on_a_terminal_a_taken_port_is_a_sentence(sidecar, sidespan, tmp_path):
    host, port = sidecar().egress
    path = write_config(tmp_path, merged(BASE, {"listen": {"egress": f"{host}:{port}"}}))
    with Terminal([sidespan, "proxy", "--config", str(path)], environment(tmp_path)) as terminal:
        assert terminal.wait() == 1
        last = terminal.output().splitlines()[-1]
    assert last.startswith(f"sidespan: {host}:{port}: cannot listen on ") and "listen.egress" in last


def test_several_workers_share_one_port(sidecar, origin, sink):
    started = sidecar({"workers": 3})
    assert len(listening(started, "egress")) == 1
    for _ in range(24):
        assert ask(started.egress, "GET", origin.url("/echo")).status == 200
    assert len(sink.wait(24)) == 24
    assert started.metrics().total("sidespan_requests_total") == 24


# Health.


def test_health(sidecar):
    started = sidecar()
    for path, body in (("/healthz", b"alive\n"), ("/readyz", b"ready\n")):
        response = health(started, path)
        assert (response.status, response.body) == (200, body)
        assert health(started, path, "HEAD").status == 200
    assert health(started, "/healthz?verbose").status == 200
    assert health(started, "/nothing").status == 404
    assert health(started, "/").status == 404
    assert health(started, "/healthz", "POST").status == 405


def test_metrics(sidecar, origin, sink):
    started = sidecar()
    ask(started.egress, "GET", origin.url("/echo"))
    sink.wait(1)
    page = started.metrics()
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
                 "process_start_time_seconds", "sidespan_build_info"):
        assert len(page.all(name)) == 1, name
    assert page.total("sidespan_requests_total", status_class="2xx") == 1
    assert page.accounts() == {"otlp": (1, 1, 0, 0)}
    plain = health(started, "/metrics")
    assert plain.get("content-type").startswith("text/plain; version=0.0.4")
    asked = ask(started.health, "GET", "/metrics", [("Accept", "application/openmetrics-text; version=1.0.0")],
                host="localhost")
    assert asked.get("content-type").startswith("application/openmetrics-text")
    assert asked.body.endswith(b"# EOF\n")


@pytest.mark.parametrize("host, status", [
    ("localhost", 200), ("127.0.0.1:17000", 200), ("LOCALHOST:1", 200),
    ("evil.example", 421), ("localhost.evil.example", 421), ("192.0.2.1", 421)])
def test_admin_answers_to_its_own_names_only(sidecar, host, status):
    assert ask(sidecar().admin, "GET", "/healthz", host=host).status == status


def test_a_sidecar_is_no_target_of_its_own(sidecar):
    started = sidecar()
    for listener in (started.egress, started.admin, started.health):
        assert ask(started.egress, "GET", "http://%s:%d/healthz" % listener).status == 508


# The end.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_sidecar_ends_after_the_quiet_time(sidecar, number):
    started = sidecar({"drain": {"quiet": "500ms"}})
    began = time.monotonic()
    started.process.send_signal(number)
    assert started.process.wait(timeout=LIMIT) == 0
    assert 0.4 < time.monotonic() - began < 5


def test_an_agents_last_calls_get_out(sidecar, origin, sink):
    """Draining is not ready at once, and serves on: the call under way, new calls on new connections, their spans."""
    started = sidecar({"drain": {"quiet": "600ms", "deadline": "20s"}})
    with Client(started.egress) as slow:
        slow.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % origin.url("/slow?head=1500").encode())
        wait_for("the slow call", lambda: origin.seen("/slow"))
        started.terminate()
        wait_for("not ready", lambda: ready(started) == 503)
        assert ask(started.egress, "GET", origin.url("/echo")).status == 200
        assert health(started, "/healthz").status == 200
        answer = slow.response()
        assert (answer.status, answer.get("connection")) == (200, "close")
    for _ in range(4):  # each within the quiet time of the one before
        time.sleep(0.3)
        assert ask(started.egress, "GET", origin.url("/echo")).status == 200
    ended = time.monotonic()
    assert started.process.wait(timeout=LIMIT) == 0
    assert time.monotonic() - ended > 0.5
    assert len(sink.spans) == 6
    assert {span["attributes"]["sidespan.end"] for span in sink.spans} == {"complete"}


def test_the_deadline_ends_what_has_no_end(sidecar, origin, sink):
    origin.answer("/endless", [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n", 60])
    started = sidecar({"drain": {"quiet": "200ms", "deadline": "2s"}})
    with Client(started.egress) as client:
        client.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % origin.url("/endless").encode())
        wait_for("the call", lambda: origin.seen("/endless"))
        began = time.monotonic()
        started.terminate()
        assert started.process.wait(timeout=LIMIT) == 0
        assert 1.4 < time.monotonic() - began < 4
    [span] = sink.spans
    assert span["attributes"]["sidespan.end"] == "drain"


def test_a_second_signal_ends_it_at_once(sidecar, origin):
    started = sidecar({"drain": {"quiet": "20s", "deadline": "25s"}})
    with Client(started.egress) as client:
        client.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % origin.url("/slow?head=20000").encode())
        wait_for("the call", lambda: origin.seen("/slow"))
        began = time.monotonic()
        started.terminate()
        wait_for("not ready", lambda: ready(started) == 503)
        started.terminate()
        assert started.process.wait(timeout=LIMIT) == 0
        assert time.monotonic() - began < 3


def test_the_second_signal_drops_what_is_queued_and_says_so(origin, tmp_path):
    deaf = merged(exporting("http://127.0.0.1:1"), {"drain": {"quiet": "0s", "deadline": "25s"}})
    started = Sidecar(tmp_path / "deaf", deaf)
    ask(started.egress, "GET", origin.url("/echo"))
    began = time.monotonic()
    started.terminate()
    wait_for("not ready", lambda: ready(started) == 503)
    started.terminate()
    assert started.process.wait(timeout=LIMIT) == 0
    assert time.monotonic() - began < 5
    wait_for("the last line", lambda: '"spans_emitted":"1","spans_exported":"0","spans_dropped":"1"' in started.log())
    assert "spans were dropped at the end" in started.log()


def test_without_a_quiet_time_the_call_under_way_is_finished(sidecar, origin, sink):
    started = sidecar({"drain": {"quiet": "0s", "deadline": "20s"}})
    with Client(started.egress) as client:
        client.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % origin.url("/slow?head=1000").encode())
        wait_for("the call", lambda: origin.seen("/slow"))
        started.terminate()
        assert client.response().status == 200
    assert started.process.wait(timeout=LIMIT) == 0
    [span] = sink.spans
    assert span["attributes"]["sidespan.end"] == "complete"


def test_a_collector_that_is_down_does_not_outlast_the_deadline(sidecar, origin, tmp_path):
    started = Sidecar(tmp_path / "deaf", merged(exporting("http://127.0.0.1:1"), {"drain": {"deadline": "2s"}}))
    ask(started.egress, "GET", origin.url("/echo"))
    began = time.monotonic()
    started.terminate()
    assert started.process.wait(timeout=LIMIT) == 0
    assert time.monotonic() - began < 4
    wait_for("the last line", lambda: '"spans_emitted":"1","spans_exported":"0"' in started.log())


def test_what_it_did_not_start_and_was_given_is_reaped(sidecar):
    """As the first process of a container it is given whoever's parent ends; here, who had its number before it."""
    started = sidecar(wrapper=["sh", "-c", 'sleep 0.01 & sleep 1 & exec "$@"', "sh"])
    children = Path(f"/proc/{started.process.pid}/task/{started.process.pid}/children")
    wait_for("the end of both", lambda: not children.read_text())


def test_a_full_disk_is_no_reason_not_to_start(sidecar, origin, tmp_path):
    started = sidecar({"tls": {"intercept": {"mode": "all"}}}, env={"SIDESPAN_STATE_DIR": str(tmp_path / "full")},
                      wrapper=peers.full_disk(tmp_path / "full", '"$2" ca show > /dev/null'))
    assert "HTTPS is not opened" in started.log() and "No space left on device" in started.log()
    assert ask(started.egress, "GET", origin.url("/echo")).status == 200
    assert ready(started) == 200


def test_hang_up_changes_nothing(sidecar, origin):
    started = sidecar()
    started.process.send_signal(signal.SIGHUP)
    wait_for("a sentence about it", lambda: any("SIGHUP" in line for line in started.lines))
    assert ask(started.egress, "GET", origin.url("/echo")).status == 200


def test_a_reader_of_the_log_that_goes_away_is_no_reason_to_die(sidespan, tmp_path, origin):
    path = write_config(tmp_path, merged(BASE, {"log": {"level": "debug"}}))
    process = subprocess.Popen([sidespan, "proxy", "--config", str(path)], env=environment(tmp_path),
                               stderr=subprocess.PIPE, text=True)
    try:
        egress = None
        for line in process.stderr:
            if '"egress"' in line:
                egress = json.loads(line)["address"]
            if '"ready"' in line:
                break
        process.stderr.close()
        host, _, port = egress.rpartition(":")
        for _ in range(3):
            assert ask((host, int(port)), "GET", origin.url("/echo")).status == 200
        process.send_signal(signal.SIGHUP)
        process.terminate()
        assert process.wait(timeout=LIMIT) == 0
    finally:
        process.kill()
        process.wait()


# `sidespan health`.


def ask_health(sidespan, directory, listen):
    path = write_config(directory, {"listen": listen})
    return subprocess.run([sidespan, "health", "--config", str(path)], env=environment(directory), text=True,
                          capture_output=True, timeout=LIMIT)


def test_the_health_command(sidecar, sidespan, tmp_path):
    started = sidecar({"drain": {"quiet": "2s"}})
    admin, health_at = ("%s:%d" % address for address in (started.admin, started.health))
    for listen in ({"admin": admin}, {"health": health_at}, {"health": health_at, "admin": "off"}):
        done = ask_health(sidespan, tmp_path / "asking", listen)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    started.terminate()
    wait_for("not ready", lambda: ready(started) == 503)
    done = ask_health(sidespan, tmp_path / "asking", {"admin": admin})
    assert (done.returncode, done.stderr) == (1, f"sidespan: not ready: {admin} answers 503\n")
    started.stop()
    done = ask_health(sidespan, tmp_path / "asking", {"admin": admin})
    assert done.returncode == 1
    assert done.stderr.startswith(f"sidespan: nothing answers at {admin}")


def test_the_health_command_does_not_wait_for_ever(sidespan, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        done = ask_health(sidespan, tmp_path, {"admin": "127.0.0.1:%d" % mute.getsockname()[1]})
        assert done.returncode == 1
        assert 1.5 < time.monotonic() - began < 5


def test_descriptors_and_threads_do_not_grow(sidecar, origin, sink):
    started = sidecar()

    def open_now():
        return len(os.listdir(f"/proc/{started.process.pid}/fd")), len(os.listdir(f"/proc/{started.process.pid}/task"))

    def call(times):
        for _ in range(times):
            ask(started.egress, "GET", origin.url("/echo"))
            health(started, "/metrics")

    call(20)
    sink.quiet()
    descriptors, threads = open_now()
    call(100)
    sink.quiet()
    wait_for("the same number of descriptors", lambda: open_now()[0] <= descriptors + 2)
    assert open_now()[1] == threads
