"""Origins behind another proxy (`egress.via`): by CONNECT what is TLS or a tunnel, by absolute-form what is plain."""

import base64
import socket
import ssl
import subprocess
import threading

import pytest

from dns_stub import A, DnsStub
from origin import Origin
from sidecar import binary, environment, exporting, run, write_config
from tunnel import HOST, Tunnel, context_of
from wire import Client, Reader, ask, head

# Names that only the second proxy knows, and leads to this machine.
ELSEWHERE = "origin.corp.example"


class SecondProxy(Origin):
    """Takes CONNECT and absolute-form for any name, and connects to 127.0.0.1 and the port that was asked for."""

    def __init__(self, refuse=None):
        self.asked = []  # the heads
        self.refuse = refuse
        super().__init__()

    def proxy_url(self, userinfo=""):
        return f"http://{userinfo}127.0.0.1:{self.port}"

    def _serve(self, agent, number):
        reader = Reader(agent)
        request = reader.head()
        self.asked.append(request)
        if self.refuse:
            agent.sendall(self.refuse)
            return agent.close()
        target = request.target.removeprefix("http://").split("/")[0]
        port = int(target.rpartition(":")[2])
        upstream = socket.create_connection(("127.0.0.1", port))
        if request.method == "CONNECT":
            agent.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            upstream.sendall(request.raw)
        upstream.sendall(reader.pending)
        for one, other in ((agent, upstream), (upstream, agent)):
            threading.Thread(target=_copy, args=(one, other), daemon=True).start()


def _copy(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def second():
    proxy = SecondProxy()
    yield proxy
    proxy.stop()


@pytest.fixture
def secret_origin(authority):
    origin = Origin(tls=authority.server(ELSEWHERE))
    yield origin
    origin.stop()


def test_plain_http_goes_by_absolute_form(second, origin, sidecar, sink):
    side = sidecar({"egress": {"via": second.proxy_url("user:ge%20heim@")}})
    url = f"http://{ELSEWHERE}:{origin.port}/echo"
    for _ in range(2):
        assert ask(side.egress, "GET", url, [("Proxy-Authorization", "Basic ours")]).status == 200
    first = second.asked[0]
    assert first.target == url and first.get("host") == f"{ELSEWHERE}:{origin.port}"
    assert first.get("proxy-authorization") == "Basic " + base64.b64encode(b"user:ge heim").decode()
    span = sink.wait(2)[0]["attributes"]
    assert span["url.full"] == url and span["server.address"] == ELSEWHERE
    assert "heim" not in side.log() + str(sink.spans)
    assert len(second.asked) == 1, "the connection to it is kept"


@pytest.mark.parametrize("how", ["absolute", "intercept", "tunnel"])
def test_tls_goes_by_connect(how, second, secret_origin, authority, intercepting, sink):
    side = intercepting({"egress": {"via": second.proxy_url("u:p@")}}, **({"mode": "off"} if how == "tunnel" else {}))
    host = f"{ELSEWHERE}:{secret_origin.port}"
    if how == "absolute":
        assert ask(side.egress, "GET", f"https://{host}/echo").status == 200
    else:
        context = ssl.create_default_context(cafile=authority.pem) if how == "tunnel" else context_of(side)
        with Tunnel(side, secret_origin, context, host=ELSEWHERE) as agent:
            assert agent.get("/echo", host).status == 200
    (asked,) = second.asked
    assert (asked.method, asked.target) == ("CONNECT", host)
    assert asked.get("proxy-authorization") == "Basic " + base64.b64encode(b"u:p").decode()
    assert secret_origin.requests[0].get("proxy-authorization") is None
    span = sink.wait(1)[0]["attributes"]
    assert span["sidespan.mode"] == {"absolute": "forward", "intercept": "intercept", "tunnel": "tunnel"}[how]
    assert span["server.address"] == ELSEWHERE


def test_what_is_excepted_is_reached_without(second, tls_origin, intercepting):
    side = intercepting({"egress": {"via": second.proxy_url(), "via_except": [".corp.example"]}})
    assert ask(side.egress, "GET", f"http://{ELSEWHERE}:1/").status == 502  # a name that nobody here knows
    assert ask(side.egress, "GET", f"https://{HOST}:{tls_origin.port}/echo").status == 200
    assert second.asked == []


def test_baggage_does_not_follow_the_proxy_s_address(second, origin, sidecar):
    """That is a private one; the origin behind it is who knows where."""
    side = sidecar({"egress": {"via": second.proxy_url()}})
    lines = [("traceparent", "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"), ("baggage", "tenant=a"),
             ("tracestate", "x=y")]
    assert ask(side.egress, "GET", f"http://{ELSEWHERE}:{origin.port}/echo", lines).status == 200
    (request,) = origin.requests
    assert request.get("traceparent") and not request.get("baggage") and not request.get("tracestate")


@pytest.mark.parametrize("answer,said", [
    (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", b"it answered 407"),
    (b"SSH-2.0-none\r\n\r\n", b"what is no answer"), (b"\x00", b"")])
def test_one_that_does_not_connect(answer, said, sidecar, sink):
    second = SecondProxy(refuse=answer)
    side = sidecar({"egress": {"via": second.proxy_url()}})
    refused = ask(side.egress, "GET", f"https://{ELSEWHERE}:443/")
    assert refused.status in (500, 502) and b"the second proxy" in refused.body and said in refused.body
    (span,) = sink.wait(1)
    assert span["status"] == "ERROR"
    with Client(side.egress) as agent:
        agent.send(head(f"CONNECT {ELSEWHERE}:443 HTTP/1.1", [("Host", ELSEWHERE)]))
        assert agent.response().status in (500, 502), "a tunnel is answered before it is open"
    second.stop()


def test_one_that_is_not_there(sidecar, sink):
    second = SecondProxy()
    second.stop()
    side = sidecar({"egress": {"via": second.proxy_url()}})
    for scheme in ("http", "https"):
        answer = ask(side.egress, "GET", f"{scheme}://{ELSEWHERE}/")
        assert answer.status == 502
        assert answer.body.decode() == ("sidespan: the second proxy (egress.via) cannot be reached: nothing accepts "
                                        f"connections at 127.0.0.1:{second.port}.\n")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_run_takes_the_one_it_inherits(variable, second, origin, sink, tmp_path):
    url = f"http://{ELSEWHERE}:{origin.port}/echo"
    done = run(tmp_path, ["curl", "-sS", "-o", "/dev/null", url], exporting(sink.endpoint),
               env={variable: second.proxy_url("u:geheim@")})
    assert done.returncode == 0, done.stderr
    assert [request.target for request in second.asked] == [url]
    assert "geheim" not in done.stderr + str(sink.spans)


def test_doctor_names_the_one_that_is_not_there(sink, tmp_path):
    second = SecondProxy()
    second.stop()
    path = write_config(tmp_path, exporting(sink.endpoint) | {"drain": {"quiet": "100ms", "deadline": "10s"}})
    done = subprocess.run([binary(), "doctor", "--config", str(path), "--", "curl", "-s", f"http://{ELSEWHERE}/"],
                          env=environment(tmp_path, {"HTTP_PROXY": second.proxy_url("u:geheim@")}),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert (f"FAIL the second proxy (egress.via) cannot be reached: nothing accepts connections at 127.0.0.1:{second.port}\n"
            in done.stdout)
    assert "HTTP_PROXY" in done.stdout and "ok   seen" not in done.stdout and "geheim" not in done.stdout + done.stderr


def curl(tmp_path, sink, authority, *urls, env, wrapper=(), options=()):
    """What `run` opens and curl gets: the statuses."""
    config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}}
    done = run(tmp_path, ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\\n", *options, *urls], config, env=env,
               wrapper=wrapper)
    assert "geheim" not in done.stdout + done.stderr + str(sink.spans)
    return done.stdout.split()


def test_https_of_a_run_goes_by_connect_through_the_one_it_inherits(second, secret_origin, authority, sink, tmp_path):
    host = f"{ELSEWHERE}:{secret_origin.port}"
    assert curl(tmp_path, sink, authority, f"https://{host}/echo",
                env={"HTTPS_PROXY": second.proxy_url("u:geheim@")}) == ["200"]
    (asked,) = second.asked
    assert (asked.method, asked.target) == ("CONNECT", host)
    assert asked.get("proxy-authorization") == "Basic " + base64.b64encode(b"u:geheim").decode()
    (request,) = secret_origin.requests
    assert request.get("proxy-authorization") is None
    span, = sink.wait(1, where=lambda span: "url.full" in span["attributes"])
    assert span["attributes"]["url.full"] == f"https://{host}/echo"
    assert span["attributes"]["sidespan.mode"] == "intercept"
    assert request.get("traceparent").split("-")[2] == span["span_id"]


@pytest.mark.parametrize("no_proxy", [".corp.example", "other.test", ""])
def test_a_run_goes_past_it_where_its_no_proxy_says_so(no_proxy, second, origin, secret_origin, authority, sink, tmp_path):
    """The command is one that reads no NO_PROXY itself: it comes to us with all of its calls."""
    urls = [f"http://{ELSEWHERE}:{origin.port}/echo", f"https://{ELSEWHERE}:{secret_origin.port}/echo"]
    with DnsStub() as dns:
        dns.answer(ELSEWHERE, A("127.0.0.1"))
        found = curl(tmp_path, sink, authority, *urls, env={"HTTPS_PROXY": second.proxy_url("u:geheim@"),
                                                            "NO_PROXY": no_proxy},
                     wrapper=dns.wrapper, options=("-o", "/dev/null", "--noproxy", ""))
    assert found == ["200", "200"]
    past = no_proxy == ".corp.example"
    assert [request.method for request in second.asked] == ([] if past else ["GET", "CONNECT"])
    assert bool(dns.asked) == past  # names are the second proxy's to look up
    spans = sink.wait(2, where=lambda span: "url.full" in span["attributes"])
    assert [span["attributes"]["url.full"] for span in spans] == urls
