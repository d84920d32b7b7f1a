"""Where a request may go and what goes with it: routes, the guard against ourselves, `egress.deny`, names that do not
resolve, and the context each destination may see."""

import json
import socket
import sys

import pytest

from agent_server import behind
from h2_origin import H2Client
from origin import Origin
from otlp_sink import Reply
from peers import missing
from sidecar import exporting, merged, run
from test_path_tunnels import Plain, mirror
from tunnel import HOST, Tunnel, context_of
from wire import Client, ask, connect, head, outward_address, wait_for

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CARRIED = [("traceparent", PARENT), ("tracestate", "congo=t61"), ("baggage", "user=7,tenant=a")]
OUTSIDE = {"propagation": {"destinations": [{"match": ["*"], "send": ["traceparent"]}]}}


def fields_of(answer):
    return {name.lower(): value for name, value in json.loads(answer.body)["headers"]}


# routes


def test_a_route_leads_to_its_origin(sidecar, origin, sink):
    side = sidecar({"routes": [{"path": "/models/", "to": origin.url("/echo/")},
                               {"path": "/models/v2/", "to": origin.url("/status/")}]})
    with Client(side.egress) as agent:
        answer = agent.ask("POST", "/models/v1/chat?x=1", body=b"{}", host="localhost:1")
        assert json.loads(answer.body)["target"] == "/echo/v1/chat?x=1"
        assert fields_of(answer)["host"] == f"127.0.0.1:{origin.port}"
        assert agent.ask("GET", "/models/v2/418", host="localhost:1").status == 418  # the longest path wins
    spans = sink.wait(2)
    assert [span["attributes"]["sidespan.mode"] for span in spans] == ["route", "route"]
    assert spans[0]["attributes"]["url.full"] == origin.url("/echo/v1/chat?x=1")


def test_a_path_without_a_route_says_what_to_do(sidecar, sink):
    side = sidecar()
    with Client(side.egress) as agent:
        for _ in range(2):
            answer = agent.ask("GET", "/nowhere", host="localhost")
            assert answer.status == 404 and b"routes" in answer.body
    assert not sink.quiet()


def test_urls_of_other_schemes_are_refused(sidecar):
    answer = ask(sidecar().egress, "GET", "wss://127.0.0.1/")
    assert answer.status == 501 and b"not wss://" in answer.body


# the guard


SELF = ["127.0.0.1", "localhost", "LOCALHOST", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0177.0.0.1", "0x7f.1",
        "127.1", "localhost."]


@pytest.mark.parametrize("host", SELF)
@pytest.mark.parametrize("listener", ["egress", "admin", "health"])
def test_row_12_our_own_listeners_are_no_target(sidecar, sink, host, listener):
    side = sidecar()
    port = side.address(listener)[1]
    answer = ask(side.egress, "GET", f"http://{host}:{port}/")
    assert answer.status == 508, answer.body
    assert "proxy_loop_detected" in answer.get("proxy-status")
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.end"] == "refused" and span["attributes"]["error.type"] == "loop"
    assert ask(side.egress, "CONNECT", f"{host}:{port}", host="h").status == 508


def test_row_12_our_ipv6_listener_is_no_target(sidecar):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        missing("an ::1 on this machine")
    side = sidecar({"listen": {"egress": "localhost:0"}})
    port = side.egress[1]
    for host in ("[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "localhost"):
        assert ask(("127.0.0.1", port), "GET", f"http://{host}:{port}/").status == 508, host


HOPS = 16  # of sidespans, which one request may have in its Via


@pytest.fixture
def circle(sidecar):
    """circle(how): two sidecars that lead to each other, by their routes or each as the other's second proxy."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]

    def leading_to(how, next_port, egress=0):
        url = f"http://127.0.0.1:{next_port}"
        leads = {"routes": [{"path": "/r/", "to": url + "/r/"}]} if how == "route" else {"egress": {"via": url}}
        return sidecar({"listen": {"egress": f"127.0.0.1:{egress}"}} | leads)

    def make(how):
        second = leading_to(how, port)
        return leading_to(how, second.egress[1], port), second

    return make


@pytest.mark.parametrize("how", ["via", "route", "CONNECT", "https"])
def test_row_12_two_that_lead_to_each_other_end_by_their_hops(circle, origin, sink, how):
    """Neither is its own target, but Via says how often the request was here."""
    sides = circle(how)
    first = sides[0].egress
    if how in ("CONNECT", "https"):
        method, target = ("CONNECT", "nowhere.test:443") if how == "CONNECT" else ("GET", "https://nowhere.test/")
        answer = ask(first, method, target, host="nowhere.test:443")
        # What the first sidecar's second proxy told it is all that it can tell.
        assert answer.status == 502 and b"refused to connect to nowhere.test:443" in answer.body
    else:
        target, host = ("/r/x", "localhost") if how == "route" else ("http://nowhere.test/", "nowhere.test")
        answer = ask(first, "GET", target, host=host)
        assert answer.status == 508 and "proxy_loop_detected" in answer.get("proxy-status")
        assert b"16 sidespans" in answer.body
    assert sum(side.metrics().total("sidespan_requests_total") for side in sides) == HOPS + 1
    spans = sink.wait(HOPS + 1)
    assert len(sink.quiet()) == HOPS + 1
    last, = [span for span in spans if span["attributes"].get("error.type") == "loop"]
    assert last["attributes"]["sidespan.end"] == "refused"
    if how == "route":
        assert ask(first, "GET", origin.url("/bytes/1")).status == 200


def test_row_12_who_is_asked_by_another_way_sees_no_via(sidecar, origin):
    """A route in the clear may lead to a sidecar, a URL of the agent's own to none that is not its target."""
    side = sidecar({"routes": [{"path": "/r/", "to": origin.url("/")}]})
    via = [("Via", "1.1 squid.test, 2 sidespan")]
    assert ask(side.egress, "GET", "/r/bytes/1", via, host="x").status == 200
    assert origin.requests[-1].all("via") == ["1.1 squid.test, 2 sidespan", "1.1 sidespan"]
    assert ask(side.egress, "GET", origin.url("/bytes/1")).status == 200
    assert origin.requests[-1].all("via") == []
    much = [("Via", ", ".join(["1.1 sidespan"] * HOPS))]
    assert ask(side.egress, "GET", origin.url("/bytes/1"), much).status == 508
    assert ask(side.egress, "GET", origin.url("/bytes/1"), [("Via", much[0][1][14:])]).status == 200


# egress.deny


DENIED = ["169.254.169.254", "169.254.1.1", "[fe80::1]", "metadata.google.internal", "METADATA.google.internal.",
          "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "100.100.100.200",
          "[fd00:ec2::254]", "169.254.43518"]


@pytest.mark.parametrize("host", DENIED)
def test_row_25_metadata_and_link_local_are_denied(sidecar, sink, host):
    side = sidecar()
    answer = ask(side.egress, "GET", f"http://{host}/latest")
    assert answer.status == 403 and b"egress.deny" in answer.body, answer.body
    span, = sink.wait(1)
    assert (span["attributes"]["sidespan.end"], span["attributes"]["error.type"]) == ("refused", "denied")
    assert ask(side.egress, "CONNECT", f"{host}:80", host="h").status == 403


DENY_LISTS = {"name": "localhost", "wildcard": "local*", "network": "127.0.0.0/8", "address": "127.0.0.1", "all": "*"}


@pytest.mark.parametrize("pattern", DENY_LISTS.values(), ids=DENY_LISTS)
def test_row_25_what_is_denied_is_not_dialled(sidecar, origin, pattern):
    side = sidecar({"egress": {"deny": [pattern]}})
    assert ask(side.egress, "GET", f"http://localhost:{origin.port}/").status == 403
    assert origin.connections == 0


def test_names_that_are_not_denied_pass(sidecar, origin):
    side = sidecar({"egress": {"deny": ["*.example", "10.0.0.0/8"]}})
    assert ask(side.egress, "GET", origin.url("/echo")).status == 200


# names and addresses


def test_a_name_that_does_not_exist_is_502(sidecar, sink):
    answer = ask(sidecar({"limits": {"connect_time": "15s"}}).egress, "GET", "http://nobody.invalid/")
    assert answer.status == 502 and b"nobody.invalid" in answer.body
    assert "dns_error" in answer.get("proxy-status")
    span, = sink.wait(1)
    assert span["attributes"]["error.type"] == "dns_failure" and span["status"] == "ERROR"
    assert "network.peer.address" not in span["attributes"]


def test_nobody_listening_is_502(sidecar, sink):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    answer = ask(sidecar().egress, "GET", f"http://127.0.0.1:{port}/")
    assert answer.status == 502 and "connection_refused" in answer.get("proxy-status")
    assert sink.wait(1)[0]["attributes"]["error.type"] == "connection_refused"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_one_of_two_addresses_is_enough(sidecar, sink, address):
    try:
        probe = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    except OSError:
        missing(f"an {address} on this machine")
    probe.listen()
    port = probe.getsockname()[1]
    with Client(sidecar().egress) as agent:
        agent.send(f"GET http://localhost:{port}/ HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        peer, _ = probe.accept()
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert agent.response().status == 200
        peer.close()
    probe.close()
    span, = sink.wait(1)
    assert span["attributes"]["network.peer.address"] == address


# context


def test_a_local_destination_sees_all_of_it(sidecar, origin):
    fields = fields_of(ask(sidecar().egress, "GET", origin.url("/echo"), CARRIED))
    assert fields["traceparent"].split("-")[1] == PARENT.split("-")[1]
    assert fields["traceparent"].split("-")[2] != PARENT.split("-")[2]
    assert (fields["tracestate"], fields["baggage"]) == ("congo=t61", "user=7,tenant=a")


def test_the_outside_sees_traceparent_alone(sidecar, origin, sink):
    fields = fields_of(ask(sidecar(OUTSIDE).egress, "GET", origin.url("/echo"), CARRIED))
    assert "tracestate" not in fields and "baggage" not in fields
    span, = sink.wait(1)
    assert fields["traceparent"] == f"00-{span['trace_id']}-{span['span_id']}-01"
    assert span["parent_id"] == PARENT.split("-")[2] and span["tracestate"] == "congo=t61"


def test_a_destination_without_a_rule_sees_nothing(sidecar, origin):
    side = sidecar({"propagation": {"destinations": [{"match": ["*.example"], "send": ["traceparent", "baggage"]}]}})
    fields = fields_of(ask(side.egress, "GET", origin.url("/echo"), CARRIED))
    assert not {"traceparent", "tracestate", "baggage"} & set(fields)


def test_names_and_addresses_choose_the_rule(sidecar, origin):
    side = sidecar({"propagation": {"destinations": [{"match": ["localhost"], "send": ["traceparent", "baggage"]},
                                                     {"match": ["127.0.0.0/8"], "send": ["traceparent"]}]}})
    assert "baggage" in fields_of(ask(side.egress, "GET", f"http://localhost:{origin.port}/echo", CARRIED))
    assert "baggage" not in fields_of(ask(side.egress, "GET", origin.url("/echo"), CARRIED))


def test_an_address_in_disguise_is_no_local_name(sidecar, origin):
    side = sidecar({"propagation": {"destinations": [{"match": ["*.local", "@local"], "send": ["traceparent"]}]}})
    # 127.0.0.1 is local by its address, however it is written.
    for host in ("2130706433", "127.1"):
        assert "traceparent" in fields_of(ask(side.egress, "GET", f"http://{host}:{origin.port}/echo"))


def test_another_machine_s_address_is_outside(sidecar):
    address = outward_address() or missing("an address of this machine that is not loopback")
    outward = Origin(address)
    side = sidecar({"propagation": {"destinations": [{"match": ["127.0.0.0/8"], "send": ["traceparent", "baggage"]},
                                                     {"match": ["*"], "send": ["traceparent"]}]}})
    assert "baggage" not in fields_of(ask(side.egress, "GET", outward.url("/echo"), CARRIED))
    outward.stop()


def test_a_rule_may_be_for_one_listener_alone(sidecar, origin):
    side = sidecar(merged(behind(origin.port), {"propagation": {"destinations": [
        {"match": ["@local"], "listener": "ingress", "send": ["traceparent", "tracestate", "baggage"]},
        {"match": ["@local"], "send": ["traceparent"]}]}}))
    asked = fields_of(ask(side.ingress, "GET", "/echo", CARRIED, host="agent.example"))
    assert (asked["tracestate"], asked["baggage"]) == ("congo=t61", "user=7,tenant=a")
    called = fields_of(ask(side.egress, "GET", origin.url("/echo"), CARRIED))
    assert "traceparent" in called and not {"tracestate", "baggage"} & called.keys()


def test_baggage_is_filtered_and_added_to(sidecar, origin):
    side = sidecar({"propagation": {"baggage": {"allow": ["ten*"], "add": {"cell": "eu-1"}}}})
    assert fields_of(ask(side.egress, "GET", origin.url("/echo"), CARRIED))["baggage"] in (
        "tenant=a,cell=eu-1", "cell=eu-1,tenant=a")
    assert fields_of(ask(side.egress, "GET", origin.url("/echo")))["baggage"] == "cell=eu-1"


def test_what_is_ignored_has_no_span_and_no_context(sidecar, origin, sink):
    side = sidecar({"spans": {"ignore": ["/echo/quiet*"]}})
    assert "traceparent" not in fields_of(ask(side.egress, "GET", origin.url("/echo/quiet?x")))
    kept = fields_of(ask(side.egress, "GET", origin.url("/echo/quiet"), CARRIED))
    assert kept["traceparent"] == PARENT
    assert "traceparent" in fields_of(ask(side.egress, "GET", origin.url("/echo/loud")))
    assert len(sink.quiet()) == 1
    assert side.metrics().total("sidespan_requests_total") == 3


def test_unsampled_calls_carry_context_and_have_no_span(sidecar, origin, sink):
    side = sidecar({"sampling": {"head": {"sampler": "always_off"}}})
    version, trace_id, span_id, flags = fields_of(ask(side.egress, "GET", origin.url("/echo"), CARRIED))[
        "traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", PARENT.split("-")[1], "00") and span_id != PARENT.split("-")[2]
    assert fields_of(ask(side.egress, "GET", origin.url("/echo")))["traceparent"].endswith(("-00", "-02"))
    assert not sink.quiet()
    assert side.metrics().total("sidespan_requests_total") == 2
    assert side.metrics().total("http_client_request_duration_seconds_count") == 2


# the access log and what must stay out of everything


SECRET = "pL4nTeD"
QUERY = f"a=1&api_key={SECRET}&sig={SECRET}&access_token={SECRET}"
FIELDS = [("Authorization", f"Bearer {SECRET}"), ("Cookie", f"s={SECRET}"), ("X-Api-Key", SECRET), ("X-Shown", "yes"),
          ("Referer", f"http://u:{SECRET}@r.example/?token={SECRET}")]
FOR_US = ("Proxy-Authorization", f"Basic {SECRET}")
MOVED = head("HTTP/1.1 302 Found", [
    ("Location", f"http://u:{SECRET}@n.example/x?token={SECRET}&a=1"), ("Content-Location", f"/x?sig={SECRET}"),
    ("Link", f"<http://n.example/?key={SECRET}>; rel=next"), ("Refresh", f"5; url=/x?jwt={SECRET}"),
    ("Set-Cookie", f"s={SECRET}"), ("WWW-Authenticate", f"Bearer {SECRET}"), ("Content-Length", "2")]) + b"ok"
SHOWN = {
    "request.header.x-shown": "yes",
    "request.header.referer": "http://REDACTED:REDACTED@r.example/?token=REDACTED",
    "response.header.location": "http://REDACTED:REDACTED@n.example/x?token=REDACTED&a=1",
    "response.header.content-location": "/x?sig=REDACTED",
    "response.header.link": "<http://n.example/?key=REDACTED>; rel=next",
    "response.header.refresh": "5; url=/x?jwt=REDACTED",
}


# All that may be shown is, and the collector has a password.
CONFIDING = {
    "log": {"access": True, "level": "debug"},
    "capture": {"request_headers": ["x-shown", "referer"],
                "response_headers": ["location", "content-location", "link", "refresh"]},
    "export": {"otlp": {"headers": {"Authorization": f"Bearer {SECRET}"}}},
}


def in_tunnel(side, origin):
    authority = f"127.0.0.1:{origin.port}"
    with Client(side.egress) as agent:
        agent.send(head(f"CONNECT {authority} HTTP/1.1", [("Host", authority), FOR_US]))
        assert agent.reader.head().status == 200
        return agent.ask("GET", f"/moved?{QUERY}", FIELDS, host=authority)


def in_tls(side, origin, protocol):
    authority = f"{HOST}:{origin.port}"
    with Tunnel(side, origin, context_of(side, (protocol,)), fields=[FOR_US]) as agent:
        if protocol == "h2":
            return in_h2(agent.sock, authority, "https")
        return agent.get(f"/moved?{QUERY}", authority, FIELDS)


def in_h2(sock, authority, scheme):
    fields = [(name.lower(), value) for name, value in FIELDS]
    return H2Client(sock).get(authority, f"/moved?{QUERY}", scheme=scheme, headers=fields)


WAYS = {
    "HTTP/1": lambda side, origin: ask(side.egress, "GET", f"http://u:{SECRET}@127.0.0.1:{origin.port}/moved?{QUERY}",
                                       [*FIELDS, FOR_US], host="h"),
    "HTTP/2": lambda side, origin: in_h2(connect(side.egress), f"127.0.0.1:{origin.port}", "http"),
    "TLS that is opened": lambda side, origin: in_tls(side, origin, "http/1.1"),
    "HTTP/2 in it": lambda side, origin: in_tls(side, origin, "h2"),
    "CONNECT": in_tunnel,
}


@pytest.mark.parametrize("way", WAYS)
def test_row_24_secrets_stay_out_of_spans_log_and_metrics(way, intercepting, origin, tls_origin, sink):
    sink.replies(Reply(503, body=f"token={SECRET}".encode()), Reply(hang_up=True))
    side = intercepting(CONFIDING | {"limits": {"export_backoff": "10ms"}})
    there = tls_origin if "TLS" in way or "in it" in way else origin
    there.answer("/moved", [MOVED])
    assert WAYS[way](side, there).status == 302
    assert ask(side.egress, "GET", f"http://u:{SECRET}@127.0.0.1:1/?password={SECRET}", host="h").status == 502
    ourselves = f"http://127.0.0.1:{side.egress[1]}/?token={SECRET}"
    assert ask(side.egress, "GET", ourselves, [FOR_US], host="h").status == 508
    spans = sink.wait(3)
    assert {export.headers["authorization"] for export in sink.requests} == {f"Bearer {SECRET}"}
    asked, = there.seen("/moved")
    assert asked.target == f"/moved?{QUERY}" and asked.get("authorization") == f"Bearer {SECRET}"
    assert f"u:{SECRET}@127" not in asked.raw.decode()
    span, = [span for span in spans if "/moved" in span["attributes"]["url.full"]]
    attributes = span["attributes"]
    assert {name: attributes[f"http.{name}"] for name in SHOWN} == {name: [value] for name, value in SHOWN.items()}
    pages = [ask(address, "GET", "/metrics", host="localhost").body.decode() for address in (side.health, side.admin)]
    side.stop()
    line = next(json.loads(line) for line in side.lines if '"request"' in line and "/moved" in line)
    assert (line["method"], line["host"], str(line["status"])) == ("GET", attributes["server.address"], "302")
    assert (line["trace_id"], line["span_id"]) == (span["trace_id"], span["span_id"])
    for place in (str(spans), "".join(side.lines), *pages):
        assert SECRET not in place


def test_row_24_what_passes_unread_is_shown_nowhere(sidecar, sink):
    mirroring = Plain(mirror)
    side = sidecar(CONFIDING)
    authority, said = f"127.0.0.1:{mirroring.port}", f"\0 Bearer {SECRET}".encode()
    with Client(side.egress) as agent:
        agent.send(head(f"CONNECT {authority} HTTP/1.1", [("Host", authority), FOR_US]) + said)
        assert agent.reader.head().status == 200 and agent.reader.exactly(len(said)) == said
    span, = sink.wait(1)
    assert span["attributes"]["http.request.method"] == "CONNECT"
    pages = [ask(address, "GET", "/metrics", host="localhost").body.decode() for address in (side.health, side.admin)]
    side.stop()
    for place in (str(span), "".join(side.lines), *pages):
        assert SECRET not in place
    mirroring.stop()


AGENT = """
import sys, urllib.error, urllib.request
class Still(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
fields = dict(field.split(": ", 1) for field in sys.argv[2:])
try:
    urllib.request.build_opener(Still).open(urllib.request.Request(sys.argv[1], headers=fields))
except urllib.error.HTTPError as answer:
    print(answer.code)
"""


@pytest.mark.parametrize("shown", ["json", "tree"])
def test_row_24_nor_does_a_run_show_them(shown, tmp_path, origin, sink):
    sink.replies(Reply(503))
    origin.answer("/moved", [MOVED])
    fields = [f"{name}: {value}" for name, value in FIELDS]
    done = run(tmp_path, [sys.executable, "-c", AGENT, origin.url(f"/moved?{QUERY}"), *fields],
               merged(exporting(sink.endpoint), CONFIDING), shown=shown)
    assert (done.returncode, done.stdout) == (0, "302\n"), done.stderr
    asked, = origin.seen("/moved")
    assert asked.target == f"/moved?{QUERY}" and asked.get("authorization") == f"Bearer {SECRET}"
    assert {export.headers["authorization"] for export in sink.requests} == {f"Bearer {SECRET}"}
    log, = (tmp_path / "state/run").glob("*.log")
    if shown == "json":
        spans = json.loads(done.stderr.splitlines()[-1])["spans"]
        attributes, = [span["attributes"] for span in spans if "url.full" in span["attributes"]]
        assert {name: attributes[f"http.{name}"] for name in SHOWN} == {name: [value] for name, value in SHOWN.items()}
    for place in (done.stderr, log.read_text(), str(sink.spans)):
        assert "/moved" in place and SECRET not in place
