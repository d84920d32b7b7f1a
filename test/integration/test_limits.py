"""Every `limits.*` of the settings table has a test that reaches it as it was set: those that have no better place are
here, and REACHED names all of them."""

import re
import socket
import time
from pathlib import Path

import pytest

from aborts import full_listener, port_of
from origin import Origin
from otlp_sink import Reply
from slow_readers import pour
from wire import Client, Truncated, ask, head, wait_for

KiB, MiB = 1 << 10, 1 << 20
TOP = Path(__file__).resolve().parents[2]

REACHED = {  # setting: file below test/, and the test's name
    "memory": ("integration/test_memory.py", "test_at_95_percent_connections_are_reset_until_it_is_less"),
    "head_bytes": ("integration/test_limits.py", "test_a_request_s_head"),
    "target_bytes": ("integration/test_limits.py", "test_a_request_s_head"),
    "fields": ("integration/test_limits.py", "test_a_request_s_head"),
    "interims": ("integration/test_limits.py", "test_interim_answers"),
    "window_bytes": ("integration/test_limits.py", "test_bytes_read_ahead"),
    "h2_streams": ("integration/test_h2_abuse.py", "test_limits_of_http2"),
    "h2_stream_window": ("integration/test_h2_abuse.py", "test_limits_of_http2"),
    "h2_connection_window": ("integration/test_h2_abuse.py", "test_the_window_of_a_connection"),
    "h2_ping_time": ("integration/test_h2_pings.py", "test_a_dead_origin_is_found"),
    "h2_ping_answer_time": ("integration/test_h2_pings.py", "test_a_dead_origin_is_found"),
    "head_time": ("integration/test_path_limits.py", "test_a_head_that_takes_too_long_is_408"),
    "replay_bytes": ("integration/test_path_reuse.py", "test_a_body_over_the_limit_is_not_kept"),
    "queue_bytes": ("integration/test_limits.py", "test_bytes_that_wait_for_a_socket"),
    "connections": ("integration/test_path_limits.py", "test_too_many_connections_are_told_so"),
    "keep_alive_time": ("integration/test_path_limits.py", "test_an_idle_agent_connection_ends"),
    "begin_time": ("integration/test_path_limits.py", "test_an_answer_that_does_not_begin_is_504"),
    "half_close_time": ("integration/test_path_streams.py", "test_an_agent_that_has_half_closed_does_not_wait_for_ever"),
    "stream_idle_time": ("integration/test_path_limits.py", "test_an_agent_that_does_not_read_is_let_go"),
    "metric_series": ("integration/test_limits.py", "test_series_of_a_histogram"),
    "origin_connections": ("integration/test_origin_connections.py", "test_an_origin_has_so_many_connections_and_all_are_answered"),
    "origin_idle": ("integration/test_limits.py", "test_idle_connections_to_all_origins"),
    "origin_idle_each": ("integration/test_path_reuse.py", "test_idle_connections_have_a_number"),
    "origin_idle_time": ("integration/test_path_reuse.py", "test_idle_connections_have_an_end"),
    "connect_time": ("integration/test_path_limits.py", "test_a_connection_that_takes_too_long_is_504"),
    "connect_delay": ("integration/test_dns.py", "test_the_next_address_is_tried_beside_a_slow_one"),
    "tls_handshake_time": ("integration/test_tls_limits.py", "test_an_agent_that_does_not_go_on_with_its_handshake"),
    "tls_sessions": ("integration/test_tls_limits.py", "test_sessions_for_resumption"),
    "tls_certificates": ("integration/test_tls_limits.py", "test_certificates_that_are_kept"),
    "tls_pinned_hosts": ("integration/test_tls_limits.py", "test_hosts_that_pass_for_a_refusal"),
    "tls_pinned_time": ("integration/test_tls_limits.py", "test_and_how_long_they_pass"),
    "dns_time": ("integration/test_dns.py", "test_names_are_remembered_for_a_time"),
    "dns_failure_time": ("integration/test_dns.py", "test_row_27_a_name_that_did_not_exist_may_come_to_be"),
    "dns_entries": ("integration/test_dns.py", "test_so_many_names_are_remembered"),
    "dns_addresses": ("integration/test_dns.py", "test_so_many_addresses_of_a_name_are_tried"),
    "dns_lookups": ("integration/test_dns.py", "test_so_many_names_are_looked_up_at_once"),
    "dns_threads": ("integration/test_dns.py", "test_so_many_lookups_run_at_a_time"),
    "serve_connections": ("integration/test_limits.py", "test_connections_to_the_listeners_of_our_own"),
    "serve_body_bytes": ("integration/test_limits.py", "test_a_body_for_the_listeners_of_our_own"),
    "serve_request_time": ("integration/test_limits.py", "test_a_slow_body_for_the_listeners_of_our_own"),
    "serve_idle_time": ("integration/test_limits.py", "test_an_idle_connection_to_the_listeners_of_our_own"),
    "export_queue_bytes": ("integration/test_limits.py", "test_encoded_spans_that_wait"),
    "export_reply_bytes": ("integration/test_limits.py", "test_a_long_reply_of_a_collector"),
    "export_backoff": ("integration/test_limits.py", "test_waits_between_exports"),
    "export_backoff_most": ("integration/test_limits.py", "test_waits_between_exports"),
    "export_retry_after": ("integration/test_limits.py", "test_a_collector_that_wants_to_be_asked_much_later"),
    "export_retry_time": ("integration/test_limits.py", "test_an_export_that_is_put_off_for_ever"),
    "stdio_export": ("integration/test_stdio.py", "test_a_silent_collector_delays_the_end_no_more_than_its_limit"),
    "run_export": ("integration/test_run.py", "test_a_silent_collector_costs_no_more_than_its_limit"),
    "attributes": ("integration/test_limits.py", "test_attributes_of_a_span"),
    "attribute_bytes": ("integration/test_limits.py", "test_attributes_of_a_span"),
    "run_spans": ("integration/test_run.py", "test_more_spans_than_are_kept"),
    "tail_traces": ("integration/test_tail_sampling.py", "test_what_does_not_fit_is_decided_at_once"),
    "tail_spans": ("integration/test_tail_sampling.py", "test_what_does_not_fit_is_decided_at_once"),
    "tail_bytes": ("integration/test_tail_sampling.py", "test_what_does_not_fit_is_decided_at_once"),
    "tail_decisions": ("integration/test_tail_sampling.py", "test_a_decision_is_remembered_for_late_spans"),
    "mcp_message_bytes": ("integration/test_stdio.py", "test_a_message_beyond_the_limit_passes_as_it_is"),
    "mcp_calls": ("integration/test_stdio.py", "test_requests_beyond_the_limit_end_at_once"),
    "mcp_call_time": ("integration/test_mcp_streams.py", "test_a_call_that_nobody_answers"),
    "lineage_hold_bytes": ("integration/test_lineage.py", "test_a_long_body_is_not_waited_for"),
    "lineage_hold_time": ("integration/test_lineage.py", "test_a_slow_body_is_not_waited_for_long"),
    "lineage_executions": ("integration/test_lineage.py", "test_turns_have_a_number"),
    "lineage_values": ("integration/test_lineage.py", "test_what_is_remembered_has_a_size"),
    "lineage_execution_values": ("integration/test_lineage.py", "test_one_turn_is_not_everything"),
    "trace_spans": ("integration/test_lineage.py", "test_a_long_run_gets_a_trace_for_each_turn"),
}


def test_each_limit_has_a_test_that_reaches_it():
    reference = (TOP / "conf/sidespan.yaml").read_text()
    section = re.search(r"^#limits:\n((?:#.*\n)+)", reference, re.MULTILINE)[1]
    assert set(REACHED) == set(re.findall(r"^#  (\w+):", section, re.MULTILINE))
    for setting, (file, name) in REACHED.items():
        body = [part for part in (TOP / "test" / file).read_text().split("\n\n\n") if f"def {name}(" in part]
        assert body, f"{file} has no {name}"
        # limits.memory is set by a function of its file.
        assert setting == "memory" or re.search(rf"\b{setting}\b", body[0]), f"{name} does not set {setting}"


@pytest.fixture
def limited(sidecar):
    return lambda **limits: sidecar({"limits": limits})


def get(url, lines=()):
    return head(f"GET {url} HTTP/1.1", [("Host", "h"), *lines])


def held(side):
    return side.metrics().total("sidespan_memory_bytes")


def end_of(client):
    try:
        return client.reader.rest()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("limits, path, lines, status", [
    ({"head_bytes": "2KiB", "target_bytes": "1KiB"}, "/bytes/1", [("X", "x" * 1500)], 200),
    ({"head_bytes": "2KiB", "target_bytes": "1KiB"}, "/bytes/1", [("X", "x" * 2100)], 431),
    ({"target_bytes": "100B"}, "/bytes/1?" + "t" * 40, [], 200),
    ({"target_bytes": "100B"}, "/bytes/1?" + "t" * 100, [], 414),
    ({"fields": 10}, "/bytes/1", [(f"X-{n}", "x") for n in range(9)], 200),
    ({"fields": 10}, "/bytes/1", [(f"X-{n}", "x") for n in range(10)], 431),
])
def test_a_request_s_head(limited, origin, limits, path, lines, status):
    assert ask(limited(**limits).egress, "GET", origin.url(path), lines, host="h").status == status


def test_interim_answers(limited, origin):
    side = limited(interims=2)
    assert ask(side.egress, "GET", origin.url("/interim/2")).status == 200
    assert ask(side.egress, "GET", origin.url("/interim/3")).status == 502


def test_bytes_read_ahead(limited):
    """An upload whose origin takes long to connect to."""
    full, stuffing = full_listener()
    found = []
    for window in (4 * KiB, MiB):
        side = limited(window_bytes=f"{window}B", queue_bytes="64KiB")
        with Client(side.egress, 0.5) as agent:
            agent.send(head(f"POST http://127.0.0.1:{port_of(full)}/ HTTP/1.1", [("Host", "h"), ("Content-Length", str(64 * MiB))]))
            with pytest.raises(TimeoutError):
                while True:
                    agent.sock.send(b"u" * 65536)
            found.append(held(side))
    assert found[0] < 200 * KiB < 0.8 * MiB <= found[1] < 1.5 * MiB  # by the step in which it is told
    for sock in (full, *stuffing):
        sock.close()


def test_bytes_that_wait_for_a_socket(limited, origin):
    """An answer that nobody reads."""
    origin.answer("/pour", [pour])
    found = []
    for queue in (4 * KiB, MiB):
        # A small limit of all is told in small steps.
        side = limited(queue_bytes=f"{queue}B", window_bytes="4KiB", memory="2MiB")
        with socket.socket() as agent:
            agent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            agent.connect(side.egress)
            agent.sendall(get(origin.url("/pour")))
            wait_for("it to stand still", lambda: still(side))
            found.append(held(side))
    assert found[0] < 200 * KiB < 0.8 * MiB <= found[1] < 1.5 * MiB


def still(side):
    before = held(side)
    time.sleep(0.3)
    return before > 8 * KiB and held(side) == before


def test_series_of_a_histogram(limited, origin):
    side = limited(metric_series=2)
    for path in ("/status/200", "/status/201", "/status/202", "/status/203"):
        ask(side.egress, "GET", origin.url(path))
    counts = side.metrics().all("http_client_request_duration_seconds_count")
    assert len(counts) == 3
    assert [sample.value for sample in counts if sample.labels.get("otel_metric_overflow") == "true"] == [2]


def test_idle_connections_to_all_origins(limited, origin):
    other = Origin()
    with Client(limited(origin_idle=1).egress) as agent:
        for one in (origin, other):
            assert agent.ask("GET", one.url("/bytes/1")).status == 200
        wait_for("the end of the one that is idle for longer", lambda: origin.ends.get(1) == "eof")
        assert not other.ends
    other.stop()


def test_connections_to_the_listeners_of_our_own(limited):
    side = limited(serve_connections=1)
    with Client(side.health) as busy:
        busy.send(head("POST /healthz HTTP/1.1", [("Host", "localhost"), ("Content-Length", "10"), ("Expect", "100-continue")]))
        assert busy.reader.head().status == 100  # one that is idle would make room
        wait_for("503", lambda: status_of(side) == 503)
    wait_for("room", lambda: status_of(side) == 200)


def status_of(side):
    try:
        return ask(side.health, "GET", "/healthz", host="localhost").status
    except (OSError, Truncated):  # beyond twice the limit nobody is told
        return 0


@pytest.mark.parametrize("size, status", [(10, 405), (11, 413)])
def test_a_body_for_the_listeners_of_our_own(limited, size, status):
    side = limited(serve_body_bytes="10B")
    assert ask(side.health, "POST", "/healthz", body=b"b" * size, host="localhost").status == status


def test_a_slow_body_for_the_listeners_of_our_own(limited):
    with Client(limited(serve_request_time="200ms").health) as slow:
        begin = time.monotonic()
        slow.send(head("POST /healthz HTTP/1.1", [("Host", "localhost"), ("Content-Length", "10")]) + b"12345")
        assert slow.response().status == 408
        assert time.monotonic() - begin < 5  # as shipped 10 s


def test_an_idle_connection_to_the_listeners_of_our_own(limited):
    with Client(limited(serve_idle_time="200ms").health) as idle:
        assert idle.ask("GET", "/healthz", host="localhost").status == 200
        assert end_of(idle) == b""


def test_encoded_spans_that_wait(sidecar, origin, sink):
    sink.replies(*[Reply(503)] * 1000)
    side = sidecar({"limits": {"export_queue_bytes": "1MiB", "export_backoff": "10s"}, "drain": {"deadline": "200ms"}})
    long = "q" * 16_000
    with Client(side.egress) as agent:
        for _ in range(100):
            assert agent.ask("GET", origin.url("/bytes/1?" + long), host="h").status == 200
    wait_for("spans to be dropped", lambda: side.metrics().total("sidespan_spans_dropped_total", reason="queue_full") > 0)
    emitted, _, dropped, queued = wait_for("all emitted", lambda: all_of(side, 100))
    assert queued * 16_000 <= MiB < (queued + 2) * 17_000 and dropped == emitted - queued


def all_of(side, count):
    account, = side.metrics().accounts().values()
    return account if account[0] == count else None


@pytest.mark.parametrize("limit, rejected", [("64KiB", 1), ("8B", 0)])
def test_a_long_reply_of_a_collector(sidecar, origin, sink, limit, rejected):
    sink.replies(Reply.partial(1, "one was too old"))
    side = sidecar({"limits": {"export_reply_bytes": limit}})
    ask(side.egress, "GET", origin.url("/bytes/1"))
    wait_for("an export", lambda: all_of(side, 1) and all_of(side, 1)[3] == 0)
    assert side.metrics().total("sidespan_spans_dropped_total") == rejected


@pytest.mark.parametrize("limits, failures", [
    ({"export_backoff": "5ms"}, 6),
    ({"export_backoff": "5ms", "export_backoff_most": "20ms"}, 15),
])
def test_waits_between_exports(limited, origin, sink, limits, failures):
    """Each wait is drawn from zero up to a ceiling that doubles: here the ceilings make less than a third of a second in
    all. As shipped the first six make a minute and pass for less than 2.5 s once in a hundred thousand times; with
    export_backoff as here alone, fifteen make a minute and a half and do so less than once in ten million."""
    sink.replies(*[Reply(503)] * failures)
    ask(limited(**limits).egress, "GET", origin.url("/bytes/1"))
    sink.wait(1, timeout=60)
    at = [export.at for export in sink.requests]
    assert len(at) == failures + 1 and at[-1] - at[0] < 2.5


def test_a_collector_that_wants_to_be_asked_much_later(sidecar, origin, sink):
    sink.replies(Reply(503, {"Retry-After": "3600"}))
    side = sidecar({"limits": {"export_retry_after": "300ms"}})
    ask(side.egress, "GET", origin.url("/bytes/1"))
    sink.wait(1)
    first, second = [export.at for export in sink.requests]
    assert 0.3 <= second - first < 10


def test_an_export_that_is_put_off_for_ever(sidecar, origin, sink):
    sink.replies(*[Reply(503)] * 2000)
    side = sidecar({"limits": {"export_retry_time": "300ms", "export_backoff": "20ms", "export_backoff_most": "20ms"}})
    ask(side.egress, "GET", origin.url("/bytes/1"))
    wait_for("attempts beyond that time", lambda: len(sink.requests) > 40)
    # As long as it is in nobody's way it stays.
    assert side.metrics().total("sidespan_spans_dropped_total", reason="retry_time") == 0
    ask(side.egress, "GET", origin.url("/bytes/1"))
    wait_for("the drop", lambda: side.metrics().total("sidespan_spans_dropped_total", reason="retry_time") == 1)


def test_attributes_of_a_span(limited, origin, sink):
    ask(limited(attributes=3, attribute_bytes="20B").egress, "GET", origin.url("/bytes/1"))
    span, = sink.wait(1)
    assert len(span["attributes"]) == 3
    assert max(len(value) for value in span["attributes"].values() if isinstance(value, str)) <= 20
    ask(limited(attribute_bytes="20B").egress, "GET", origin.url("/bytes/1"))
    assert len(sink.wait(2)[1]["attributes"]["url.full"]) == 20
