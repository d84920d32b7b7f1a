"""Rows 26 and 27: what a name server may answer, and the limits of names (limits.dns_*)."""

import re
import socket
import threading
import time

import pytest

from aborts import full_listener, port_of, with_reset
from dns_stub import A, AAAA, CNAME, KIND_A, KIND_AAAA, NO_SUCH_NAME, SILENCE, DnsStub
from origin import Origin
from peers import missing
from test_path_tunnels import Plain, mirror
from wire import Client, ask, head, wait_for

LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def dns():
    with DnsStub() as dns:
        yield dns


@pytest.fixture
def named(dns, sidecar):
    """A sidecar that asks our name server: named(**limits, ...)."""
    return lambda more=None, **limits: sidecar({"limits": limits} | (more or {}), wrapper=dns.wrapper)


@pytest.fixture
def origin():
    origin = Origin()
    origin.answer("/", [LAST])  # a connection for each call, so that each is looked up
    yield origin
    origin.stop()


def test_row_26_the_address_that_was_checked_is_the_one_that_is_dialled(dns, named, origin):
    other = Origin(host="127.0.0.2", port=origin.port)
    dns.answer("rebinds.test", A("127.0.0.1"), A("127.0.0.2"))
    side = named({"egress": {"deny": ["127.0.0.2"]}}, dns_time="0")
    url = f"http://rebinds.test:{origin.port}/"
    assert ask(side.egress, "GET", url).status == 200
    assert dns.lookups("rebinds.test") == 1  # none between the check and the dial
    answer = ask(side.egress, "GET", url)
    assert answer.status == 403 and b"127.0.0.2" in answer.body
    assert dns.lookups("rebinds.test") == 2 and len(origin.requests) == 1 and not other.requests
    other.stop()


def test_row_26_nor_does_a_tunnel_lead_elsewhere_than_was_checked(dns, named, sink):
    talks = []
    denied = Plain(talks.append, host="127.0.0.2")
    good = Plain(mirror, port=denied.port)
    dns.answer("rebinds.test", A("127.0.0.1"), A("127.0.0.2"))
    side = named({"egress": {"deny": ["127.0.0.2"]}}, dns_time="0")
    host = f"rebinds.test:{good.port}"
    with Client(side.egress) as agent:
        agent.send(head(f"CONNECT {host} HTTP/1.1", [("Host", host)]))
        assert agent.response("HEAD").status == 200 and dns.lookups("rebinds.test") == 1
        agent.send(b"\x00")
        assert agent.reader.exactly(1) == b"\x00"
        answer = ask(side.egress, "CONNECT", host, host=host)
        assert answer.status == 403 and b"127.0.0.2" in answer.body and b"egress.deny" in answer.body
        refused, = sink.wait(1)
    assert (refused["name"], refused["attributes"]["sidespan.end"], refused["attributes"]["error.type"]) == (
        "CONNECT", "refused", "denied")
    assert dns.lookups("rebinds.test") == 2 and not talks
    good.stop()
    denied.stop()


def test_row_26_a_tunnel_to_a_name_that_leads_to_a_denied_address(dns, named):
    dns.answer("inward.test", A("169.254.169.254"))
    dns.answer("both.test", A("169.254.169.254", "127.0.0.1"))
    good = Plain(mirror)
    side = named()
    for host, status in ((f"inward.test:{good.port}", 403), (f"both.test:{good.port}", 200)):
        with Client(side.egress) as agent:
            agent.send(head(f"CONNECT {host} HTTP/1.1", [("Host", host)]))
            assert agent.response("HEAD").status == status
    good.stop()


def test_row_26_a_name_that_comes_to_mean_us_is_a_loop(dns, named):
    dns.answer("turns.test", A("127.0.0.1"))
    side = named()
    assert ask(side.egress, "GET", f"http://turns.test:{side.egress[1]}/").status == 508


def test_row_27_no_answer_is_502(dns, named, sink):
    dns.answer("silent.test", SILENCE)
    side = named(connect_time="300ms")
    answer = ask(side.egress, "GET", "http://silent.test/")
    assert answer.status == 502 and "dns_error" in answer.get("proxy-status") and b"took longer than" in answer.body
    assert sink.wait(1)[0]["attributes"]["error.type"] == "dns_failure"


@pytest.mark.parametrize("name, said", [("silent.test", b"took longer than"), ("none.test", b"none.test")])
def test_row_27_a_tunnel_to_what_has_no_address_is_not_opened(dns, named, sink, name, said):
    dns.answer("silent.test", SILENCE)
    answer = ask(named(connect_time="300ms").egress, "CONNECT", f"{name}:443", host=f"{name}:443")
    assert answer.status == 502 and "dns_error" in answer.get("proxy-status")
    assert re.fullmatch(rb"sidespan: [^\n]+\.\n", answer.body) and said in answer.body
    span, = sink.wait(1)
    assert (span["name"], span["status"]) == ("CONNECT", "ERROR")
    assert span["attributes"]["error.type"] == "dns_failure" and span["attributes"]["server.address"] == name


def test_row_27_a_silent_server_holds_up_no_other_name(dns, named, origin):
    dns.answer("silent.test", SILENCE)
    dns.answer("good.test", A("127.0.0.1"))
    side = named()
    waiting = threading.Thread(target=ask, args=(side.egress, "GET", "http://silent.test/"))
    waiting.start()
    wait_for("a question", lambda: dns.lookups("silent.test"))
    assert ask(side.egress, "GET", f"http://good.test:{origin.port}/").status == 200 and waiting.is_alive()
    waiting.join(20)


def test_row_27_a_cut_answer_of_thousands_is_asked_for_again(dns, named, origin):
    many = A("127.0.0.1", *(f"127.9.{n // 250}.{n % 250 + 1}" for n in range(4000)))
    dns.answer("many.test", many)
    side = named()
    assert ask(side.egress, "GET", f"http://many.test:{origin.port}/").status == 200


def test_row_27_names_that_lead_nowhere(dns, named, sink):
    dns.answer("loop.test", CNAME("loop.test"))
    dns.answer("empty.test", [])
    side = named()
    for name in ("loop.test", "empty.test", "none.test"):
        answer = ask(side.egress, "GET", f"http://{name}/")
        assert answer.status == 502 and "dns_error" in answer.get("proxy-status")
    assert {span["attributes"]["error.type"] for span in sink.wait(3)} == {"dns_failure"}


def test_row_27_ipv6_alone(dns, named):
    try:
        origin = Origin(host="::1")
    except OSError:
        missing("an ::1 on this machine")
    dns.answer("six.test", AAAA("::1"), kind=KIND_AAAA)
    assert ask(named().egress, "GET", f"http://six.test:{origin.port}/bytes/1").status == 200
    origin.stop()


def test_row_27_a_name_that_did_not_exist_may_come_to_be(dns, named, origin):
    dns.answer("flips.test", NO_SUCH_NAME, A("127.0.0.1"))
    side = named(dns_failure_time="2s")
    url = f"http://flips.test:{origin.port}/"
    begin = time.monotonic()
    assert ask(side.egress, "GET", url).status == 502
    assert ask(side.egress, "GET", url).status == 502
    if time.monotonic() - begin < 1.5:
        assert dns.lookups("flips.test") == 1  # it is remembered
    wait_for("an answer", lambda: ask(side.egress, "GET", url).status == 200)
    assert 2 <= time.monotonic() - begin < 10  # as shipped after 1 s
    assert dns.lookups("flips.test") == 2


def test_a_name_server_that_did_not_answer_says_nothing_of_the_name(dns, named, origin):
    for kind in (KIND_A, KIND_AAAA):
        dns.answer("flaps.test", SILENCE, kind=kind)
    side = named(dns_failure_time="1h")
    url = f"http://flaps.test:{origin.port}/"
    answer = ask(side.egress, "GET", url)
    assert answer.status == 502 and b"no name server answers" in answer.body
    dns.answer("flaps.test", A("127.0.0.1"))
    dns.answer("flaps.test", [], kind=KIND_AAAA)
    assert ask(side.egress, "GET", url).status == 200


def test_names_are_remembered_for_a_time(dns, named, origin):
    dns.answer("kept.test", A("127.0.0.1"))
    side = named(dns_time="500ms")
    url = f"http://kept.test:{origin.port}/"
    begin = time.monotonic()
    for _ in range(3):
        assert ask(side.egress, "GET", url).status == 200
    if time.monotonic() - begin < 0.4:
        assert dns.lookups("kept.test") == 1
    wait_for("a second lookup", lambda: ask(side.egress, "GET", url).status == 200 and dns.lookups("kept.test") == 2)
    assert time.monotonic() - begin >= 0.5


def test_so_many_names_are_remembered(dns, named, origin):
    side = named(dns_entries=1)
    for name in ("one.test", "two.test", "one.test"):
        dns.answer(name, A("127.0.0.1"))
        assert ask(side.egress, "GET", f"http://{name}:{origin.port}/").status == 200
    assert dns.lookups("one.test") == 2


@pytest.mark.parametrize("addresses, status", [(3, 200), (2, 502)])
def test_so_many_addresses_of_a_name_are_tried(dns, named, addresses, status):
    origin = Origin(host="127.0.0.9")
    dns.answer("last.test", A("127.0.0.2", "127.0.0.3", "127.0.0.9"))  # also by RFC 6724, section 6, rule 9
    side = named(dns_addresses=addresses)
    assert ask(side.egress, "GET", f"http://last.test:{origin.port}/bytes/1").status == status
    origin.stop()


def test_the_next_address_is_tried_beside_a_slow_one(dns, named):
    full, stuffing = full_listener()
    origin = Origin(host="127.0.0.9", port=port_of(full))
    dns.answer("two.test", A("127.0.0.1", "127.0.0.9"))
    times = []
    for delay in ("10ms", "700ms"):
        begin = time.monotonic()
        assert ask(named(connect_delay=delay).egress, "GET", f"http://two.test:{origin.port}/bytes/1").status == 200
        times.append(time.monotonic() - begin)
    assert times[1] >= 0.7 and times[1] - times[0] > 0.3  # the start of a sidecar is in both
    origin.stop()
    for sock in (full, *stuffing):
        sock.close()


@pytest.mark.parametrize("rest", [0, 1.2])
def test_that_is_a_part_of_the_first_call_in_a_tunnel(dns, named, sink, rest):
    """In plain HTTP as by TLS; unless the client had connected ahead."""
    full, stuffing = full_listener()
    origin = Origin(host="127.0.0.9", port=port_of(full))
    dns.answer("two.test", A("127.0.0.1", "127.0.0.9"))
    host = f"two.test:{origin.port}"
    with Client(named(connect_delay="1200ms").egress) as agent:
        agent.send(head(f"CONNECT {host} HTTP/1.1", [("Host", host)]))
        assert agent.reader.head().status == 200
        opened = time.time_ns()
        time.sleep(rest)
        for _ in range(2):
            assert agent.ask("GET", "/bytes/1", host=host).status == 200
    first, second = sink.wait(2)
    assert "sidespan.phase.connect" in first["attributes"]
    assert (opened - first["start"] > 1.1e9) == (rest == 0)
    assert second["start"] > opened
    origin.stop()
    for sock in (full, *stuffing):
        sock.close()


def test_so_many_names_are_looked_up_at_once(dns, named):
    dns.answer("silent.test", SILENCE)
    side = named(dns_lookups=1, connect_time="1s")
    with socket.create_connection(side.egress) as waiting:
        waiting.sendall(b"GET http://silent.test/ HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_for("a question", lambda: dns.lookups("silent.test"))
        assert ask(side.egress, "GET", "http://other.test/").status == 503


@pytest.mark.parametrize("leaves", ["the agent", "who waits too long"])
def test_lookups_that_nobody_waits_for_hold_up_no_other_name(dns, named, origin, leaves):
    """But for those that run: the name server's silence ends them after two seconds."""
    dead, threads = 80, 4
    dns.answer("good.test", A("127.0.0.1"))
    for number in range(dead):
        dns.answer(f"dead{number}.test", SILENCE)
    side = named(dns_threads=threads, dns_lookups=dead, connect_time="10s" if leaves == "the agent" else "300ms")
    agents = [Client(side.egress) for _ in range(dead)]
    for number, agent in enumerate(agents):
        agent.send(head(f"GET http://dead{number}.test/ HTTP/1.1", [("Host", "h")]))
    wait_for("questions", lambda: all(dns.lookups(f"dead{number}.test") for number in range(threads)))
    if leaves == "the agent":
        for agent in agents:
            with_reset(agent.sock)
            agent.close()
    else:
        assert [agent.response().status for agent in agents] == [502] * dead
    begin = time.monotonic()
    wait_for("an answer", lambda: ask(side.egress, "GET", f"http://good.test:{origin.port}/").status == 200)
    assert time.monotonic() - begin < 10  # one behind the other they would take twenty
    assert sum(dns.lookups(f"dead{number}.test") > 0 for number in range(dead)) == threads


def test_so_many_lookups_run_at_a_time(dns, named, origin):
    dns.answer("silent.test", SILENCE)
    dns.answer("good.test", A("127.0.0.1"))
    side = named(dns_threads=1, connect_time="300ms")
    with socket.create_connection(side.egress) as waiting:
        waiting.sendall(b"GET http://silent.test/ HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_for("a question", lambda: dns.lookups("silent.test"))
        assert ask(side.egress, "GET", f"http://good.test:{origin.port}/").status == 502
        assert not dns.lookups("good.test")
