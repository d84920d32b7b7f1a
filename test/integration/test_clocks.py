"""Rows 11, 66 and 68: clocks that are set, stop or run for half an hour, and a worker that does not come back."""

import json
import signal
import ssl
import subprocess
import threading
import time

import pytest

from certificates import Authority, private_pem
from clock_shim import Clocks
from origin import NO_BODY
from sidecar import environment, sanitized, write_config
from spans import seconds
from tunnel import HOST, Tunnel, context_of, trusted
from wire import Client, ask, head, wait_for

EVENT = b"9\r\ndata: 1\n\n\r\n"
HOUR = 3600
DAY = 24 * HOUR
YEAR_2038 = 1 << 31


@pytest.fixture
def clocks(tmp_path):
    if sanitized():
        pytest.skip("a sanitizer's runtime has to come first")
    return Clocks(tmp_path)


def get(url):
    return head(f"GET {url} HTTP/1.1", [("Host", "h")])


@pytest.mark.parametrize("shift", [HOUR, -HOUR, YEAR_2038])
def test_row_66_a_wall_clock_that_is_set_changes_no_duration(sidecar, origin, sink, clocks, shift):
    there, go = threading.Event(), threading.Event()

    def halves(sock, reader, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nslow")
        there.set()
        assert go.wait(20)
        sock.sendall(b"slow")

    origin.answer("/halves", [NO_BODY, halves])
    side = sidecar({"limits": {"stream_idle_time": "5s", "head_time": "5s", "keep_alive_time": "5s"}}, env=clocks.environment)
    before = time.time()
    with Client(side.egress) as agent, Client(side.egress) as idle:
        agent.send(get(origin.url("/halves")))
        assert there.wait(20)
        clocks.set(wall=shift)
        wait_for("what the log says of it", lambda: "the clock was set" in side.log())
        go.set()
        assert agent.response().body == b"slowslow"
        assert agent.ask("GET", origin.url("/bytes/1")).status == 200  # and the next one
        assert idle.ask("GET", origin.url("/bytes/1")).status == 200
    spans = sink.wait(3)
    first, = [span for span in spans if span["attributes"]["url.full"].endswith("/halves")]
    assert abs(first["start"] / 1e9 - before) < 60
    for span in spans:
        assert 0 <= seconds(span) < 60
        assert all(value >= 0 for key, value in span["attributes"].items() if key.startswith("sidespan.phase."))
    later = [span["start"] / 1e9 for span in spans if span is not first]
    assert all(abs(start - before - shift) < 60 for start in later)
    side.metrics().accounts()


def test_row_66_a_wall_clock_that_stands_holds_up_no_time_limit(sidecar, origin, sink, clocks):
    side = sidecar({"limits": {"begin_time": "300ms", "head_time": "300ms"}}, env=clocks.environment)
    clocks.set(stopped_at=int(time.time()))
    assert ask(side.egress, "GET", origin.url("/slow?head=3000")).status == 504
    with Client(side.egress) as agent:
        agent.send(b"GET http://h/")
        assert agent.response().status == 408
    assert 0.3 <= seconds(sink.wait(1)[0]) < 20


def test_row_11_half_an_hour_of_events_is_not_cut(sidecar, origin, sink, clocks):
    count, minute = 30, 60
    steps = threading.Semaphore(0)

    def events(sock, reader, request):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(count):
            assert steps.acquire(timeout=20)
            sock.sendall(EVENT)
        sock.sendall(b"0\r\n\r\n")

    origin.answer("/events", [NO_BODY, events])
    side = sidecar(env=clocks.environment)
    with Client(side.egress) as agent:
        agent.send(get(origin.url("/events")))
        assert agent.reader.head().status == 200
        for number in range(count):
            clocks.set(mono=number * minute, wall=number * minute)
            steps.release()
            agent.reader.until(EVENT)
        agent.reader.until(b"0\r\n\r\n")
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "complete" and span["attributes"]["sidespan.stream.events"] == count
    assert abs(seconds(span) - (count - 1) * minute) < minute
    assert span["attributes"]["sidespan.time_to_first_byte"] < minute


def test_row_68_a_worker_that_does_not_come_back_is_not_alive(sidecar, origin, clocks):
    side = sidecar(env=clocks.environment)
    assert ask(side.health, "GET", "/healthz", host="localhost").status == 200
    clocks.set(stalled=True)
    with Client(side.egress):
        wait_for("a worker that stands still", clocks.standing)
        clocks.set(mono=6)  # and what has passed since it stands
        time.sleep(1.2)
        assert ask(side.health, "GET", "/healthz", host="localhost").status == 200
        clocks.set(mono=11)
        for _ in range(2):
            assert ask(side.health, "GET", "/healthz", host="localhost").status == 503
            time.sleep(1.2)  # a worker that runs would have said so by now
        assert ask(side.health, "GET", "/metrics", host="localhost").status == 200
        clocks.set(mono=17)  # it is looked at each five seconds, and twice
        wait_for("its stack", lambda: "a worker does not come back" in side.log())
        line, = [json.loads(line) for line in side.log().splitlines() if "does not come back" in line]
        assert line["level"] == "error" and int(line["seconds"]) >= 11
        for file in ("clocks.so", "sidespan"):
            assert f" {file}+0x" in " " + line["stack"]
        clocks.set(mono=30)
        time.sleep(0.5)
        assert side.log().count("does not come back") == 1  # once is enough
        clocks.set(stalled=False)
        wait_for("alive", lambda: ask(side.health, "GET", "/healthz", host="localhost").status == 200)
    assert ask(side.egress, "GET", origin.url("/bytes/1")).status == 200
    wait_for("log line", lambda: "was held up" in side.log())
    assert side.metrics().total("sidespan_loop_lag_seconds_sum") > 5


def later(side, clocks, days, hours, what, times=1):
    """So many days by the wall clock, so many hours by the other, both since the start; until the log says `what`."""
    clocks.set(wall=days * DAY, mono=hours * HOUR + 60)
    side.process.send_signal(signal.SIGUSR1)  # it sleeps until a timer that this clock has overtaken
    wait_for(what, lambda: side.log().count(what) == times)


def test_a_running_sidecar_renews_its_authority(intercepting, clocks):
    side = intercepting(env=clocks.environment)
    first = trusted(side).read_text()
    later(side, clocks, 340, 1, "ca.pem has other certificates")
    both = trusted(side).read_text()
    assert both.startswith(first) and both.count("BEGIN CERTIFICATE") == 2
    assert "the authority's successor signs" not in side.log()
    later(side, clocks, 359, 2, "the authority's successor signs from now on")
    after = trusted(side).read_text()
    assert after.endswith(first) and after.count("BEGIN CERTIFICATE") == 2


def test_a_clock_that_goes_ahead_for_a_while_leaves_a_running_sidecar_an_authority(intercepting, tls_origin, clocks):
    side = intercepting(env=clocks.environment)
    first = trusted(side).read_text()
    said = "a new authority signs"
    later(side, clocks, 1000, 1, said, times=2)  # once at the start
    later(side, clocks, 0, 2, said, times=3)
    after = trusted(side).read_text()
    assert after.endswith(first) and after.count("BEGIN CERTIFICATE") == 3
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        assert agent.get("/echo", f"{HOST}:{tls_origin.port}").status == 200


@pytest.mark.parametrize("command", [("ca", "show"), ("ca", "rotate"), ("ca", "export"), ("run", "--print", "none")])
def test_an_authority_made_by_a_clock_that_was_ahead_gives_way(command, sidespan, clocks, tmp_path):
    def call(*words, behind=()):
        words = [sidespan, *words, "--config", str(write_config(tmp_path, {})), *behind]
        done = subprocess.run(words, env=environment(tmp_path, clocks.environment), capture_output=True, text=True,
                              timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout

    clocks.set(wall=1000 * DAY)
    ahead = call("ca", "export")
    clocks.set(wall=0)
    call(*command, behind=["--", "true"] if command[0] == "run" else [])
    now = call("ca", "export")
    assert now.endswith(ahead) and now.count("BEGIN CERTIFICATE") == 2


def test_one_of_the_operators_that_is_not_valid_yet_is_a_fault(sidespan, clocks, tmp_path):
    own = Authority("our house")
    key = tmp_path / "own-key.pem"
    key.write_bytes(private_pem(own.key))
    key.chmod(0o600)
    named = {"certificate": str(own.pem), "key": str(key), "export_dir": str(tmp_path / "shared")}
    config = {"tls": {"authority": named}}
    clocks.set(wall=-10 * DAY)
    done = subprocess.run([sidespan, "ca", "show", "--config", str(write_config(tmp_path, config))],
                          env=environment(tmp_path, clocks.environment), capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "is not valid yet" in done.stderr


def test_a_certificate_from_before_the_clock_was_set_back_is_shown_to_nobody(intercepting, tls_origin, clocks):
    side = intercepting(env=clocks.environment)
    careless = ssl.create_default_context()
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    clocks.set(wall=3 * DAY)
    for context in (careless, context_of(side)):
        with Tunnel(side, tls_origin, context) as agent:
            assert agent.get("/echo", f"{HOST}:{tls_origin.port}").status == 200
        clocks.set(wall=0)
    assert side.metrics().total("sidespan_certificates_minted_total") == 2
    assert side.metrics().total("sidespan_certificates_rejected_total") == 0
