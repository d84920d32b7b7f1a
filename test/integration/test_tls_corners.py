"""Corners of opened tunnels, each of which went wrong once."""

import socket
import ssl
import subprocess
import threading
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import certificates
from origin import Origin
from sidecar import binary, environment, write_config
from test_second_proxy import ELSEWHERE, SecondProxy, _copy
from tunnel import HOST, Silent, Tunnel, context_of
from wire import Client, Reader, ask, connect, head, wait_for


def hello_for(host, context):
    """The bytes of a ClientHello, and what goes on with it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(incoming, outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        secured.do_handshake()
    return outgoing.read()


def connect_head(host):
    return head(f"CONNECT {host} HTTP/1.1", [("Host", host)])


def nobody(side):
    return side.metrics().total("sidespan_connections") == 0


def used_once(side, origin):
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get("/echo", f"{HOST}:{origin.port}").status == 200


def test_a_hello_that_comes_with_its_connect(intercepting, tls_origin):
    side = intercepting()
    used_once(side, tls_origin)  # so that nothing has to be waited for
    with Client(side.egress) as agent:
        host = f"{HOST}:{tls_origin.port}"
        agent.send(connect_head(host) + hello_for(HOST, context_of(side)))
        assert agent.reader.head().status == 200
        wait_for("a ServerHello", lambda: agent.reader.pending or agent.reader.more())
        assert agent.reader.pending.startswith(b"\x16\x03\x03")


def test_an_agent_that_leaves_an_empty_tunnel(intercepting, tls_origin, sink):
    side = intercepting()
    used_once(side, tls_origin)
    with Client(side.egress) as agent:
        agent.send(connect_head(f"{HOST}:{tls_origin.port}"))
        assert agent.reader.head().status == 200
        agent.sock.shutdown(socket.SHUT_WR)
        span = sink.wait(2)[1]
        wait_for("nobody", lambda: nobody(side))
    assert (span["name"], span["attributes"]["sidespan.end"]) == ("CONNECT", "agent_cancelled")
    assert "sidespan.tunnel.reason" not in span["attributes"]
    assert tls_origin.connections == 1


def test_an_agent_that_leaves_while_the_origin_shakes_hands(intercepting, sink):
    origin = Silent()
    side = intercepting()
    sock = connect(side.egress)
    sock.sendall(connect_head(f"{HOST}:{origin.port}"))
    assert Reader(sock).head().status == 200
    sock.sendall(hello_for(HOST, context_of(side)))
    time.sleep(0.2)
    sock.close()
    (span,) = sink.wait(1, timeout=5)
    assert span["attributes"]["sidespan.end"] == "agent_cancelled"
    wait_for("nobody", lambda: nobody(side))
    origin.stop()


def test_what_failed_once_may_be_well_in_the_next_tunnel(intercepting, authority):
    origin = Origin(tls=certificates.Authority("nobody").server(HOST))
    side = intercepting()
    host = f"{HOST}:{origin.port}"
    with Tunnel(side, origin, context_of(side)) as agent:
        answer = agent.get("/echo", host)
        assert answer.status == 502 and answer.get("connection") == "close"
    origin.tls = authority.server(HOST)
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get("/echo", host).status == 200
    origin.stop()


def test_the_first_request_is_tried_again_on_a_connection_that_went(intercepting, authority, sink):
    """It was idle since CONNECT; the origin may have given it up meanwhile."""
    origin = Origin(tls=authority.server(HOST))
    origin.answer("/flaky", ["close"], [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    side = intercepting()
    with Tunnel(side, origin, context_of(side)) as agent:
        assert agent.get("/flaky", f"{HOST}:{origin.port}").status == 200
    origin.stop()


def test_a_first_post_on_a_connection_that_went_is_502(intercepting, authority):
    """To the agent the tunnel is new, however long its connection to the origin has been there."""
    origin = Origin(tls=authority.server(HOST))
    origin.answer("/flaky", ["close"])
    side = intercepting()
    with Tunnel(side, origin, context_of(side)) as agent:
        agent.send(b"POST /flaky HTTP/1.1\r\nHost: %s:%d\r\nContent-Length: 1\r\n\r\nx" % (
            HOST.encode(), origin.port))
        assert agent.response().status == 502
    assert len(origin.requests) == 1
    origin.stop()


@pytest.mark.parametrize("host", ["{name}", "{name}:{port}", "{name}.:{port}", "LOCALHOST:{port}"])
def test_one_host_has_many_spellings(host, intercepting, tls_origin):
    side = intercepting()
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        assert agent.get("/echo", host.format(name=HOST, port=tls_origin.port)).status == 200
    assert ask(side.egress, "GET", f"https://{HOST}.:{tls_origin.port}/echo").status == 200


@pytest.mark.parametrize("need", [ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_agent_s_own_certificate_reaches_who_asks_for_it(version, need, authority, intercepting, sink):
    server = authority.server(HOST)
    server.verify_mode = need
    server.load_verify_locations(authority.pem)
    server.maximum_version = version
    origin = Origin(tls=server)
    side = intercepting()
    context = ssl.create_default_context(cafile=authority.pem)
    context.load_cert_chain(*authority.client_files("of the agent"))
    for number in range(3):
        with Tunnel(side, origin, context) as agent:
            assert agent.get("/echo", f"{HOST}:{origin.port}").status == 200
        assert ("commonName", "of the agent") in origin.handshakes[-1]["subject"][0]
    assert {span["attributes"]["sidespan.tunnel.reason"] for span in sink.wait(3)} == {"client_certificate"}
    origin.stop()


# behind a second proxy


class Greeting(SecondProxy):
    """The origin behind it has spoken before anybody asked, and its words come with the proxy's answer."""

    def _serve(self, agent, number):
        reader = Reader(agent)
        reader.head()
        agent.sendall(b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-here\r\n")
        agent.sendall(agent.recv(100))


def test_early_words_of_an_origin(sidecar):
    second = Greeting()
    side = sidecar({"egress": {"via": second.proxy_url()}})
    with Client(side.egress) as agent:
        agent.send(connect_head(f"{ELSEWHERE}:22"))
        assert agent.reader.head().status == 200
        assert agent.reader.exactly(14) == b"SSH-2.0-here\r\n"
        agent.send(b"SSH-2.0-there\r\n")
        assert agent.reader.exactly(15) == b"SSH-2.0-there\r\n"
    answer = ask(side.egress, "GET", f"https://{ELSEWHERE}/")
    assert answer.status == 502 and b"before TLS" in answer.body
    second.stop()


class Anywhere(SecondProxy):
    """Leads to one port, whatever is asked for."""

    def __init__(self, port):
        self.to = port
        super().__init__()

    def _serve(self, agent, number):
        reader = Reader(agent)
        self.asked.append(reader.head())
        upstream = socket.create_connection(("127.0.0.1", self.to))
        agent.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for one, other in ((agent, upstream), (upstream, agent)):
            threading.Thread(target=_copy, args=(one, other), daemon=True).start()


def test_an_excepted_name_inside_says_nothing_of_where_the_proxy_leads(intercepting, authority):
    origin = Origin(tls=authority.server("api.many.example"))
    second = Anywhere(origin.port)
    side = intercepting({"egress": {"via": second.proxy_url(), "via_except": ["many.example"]}})
    lines = [("traceparent", "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"), ("baggage", "tenant=a")]
    with Tunnel(side, origin, context_of(side), host="203.0.113.5", server_name="api.many.example") as agent:
        assert agent.get("/echo", f"api.many.example:{origin.port}", lines).status == 200
    assert len(second.asked) == 1
    assert origin.requests[0].get("traceparent") and not origin.requests[0].get("baggage")
    origin.stop()


def test_networks_are_not_those_of_the_proxy(intercepting, authority):
    origin = Origin(tls=authority.server(ELSEWHERE))
    second = SecondProxy()
    side = intercepting({"egress": {"via": second.proxy_url()}}, bypass=["127.0.0.0/8"])
    with Tunnel(side, origin, context_of(side), host=ELSEWHERE) as agent:
        assert agent.get("/echo", f"{ELSEWHERE}:{origin.port}").status == 200
    origin.stop()


@pytest.mark.parametrize("host", ["169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "169.254.43518",
                                  "0251.0376.0251.0376"])
def test_metadata_addresses_are_not_handed_to_the_proxy(host, sidecar):
    second = SecondProxy()
    side = sidecar({"egress": {"via": second.proxy_url()}})
    with Client(side.egress) as agent:
        agent.send(connect_head(f"{host}:80"))
        assert agent.response().status == 403
    assert ask(side.egress, "GET", f"http://{host}/latest/meta-data").status == 403
    assert second.asked == []


def test_the_operator_s_proxy_may_be_where_agents_may_not_go(origin, sidecar):
    second = SecondProxy()
    side = sidecar({"egress": {"via": second.proxy_url(), "deny": ["127.0.0.0/8"]}})
    assert ask(side.egress, "GET", f"http://{ELSEWHERE}:{origin.port}/echo").status == 200
    assert ask(side.egress, "GET", origin.url("/echo")).status == 403


def test_check_shows_no_password(tmp_path):
    config = write_config(tmp_path, {"egress": {"via": "http://user:geheim@proxy:3128"}})
    done = subprocess.run([binary(), "check", "--print", "--config", str(config)], env=environment(tmp_path),
                          capture_output=True, text=True)
    assert done.returncode == 0 and "via: REDACTED" in done.stdout
    assert "geheim" not in done.stdout + done.stderr


def test_runs_at_once_write_one_set_of_files(tmp_path):
    command = [binary(), "run", "--print", "none", "--", "true"]
    for _ in range(5):
        runs = [subprocess.Popen(["unshare", "--fork", "--pid", *command], env=environment(tmp_path),
                                 stderr=subprocess.PIPE) for _ in range(4)]
        assert [process.communicate(timeout=30)[1] for process in runs] == [b""] * 4
        assert {process.returncode for process in runs} == {0}


# versions


def taking_only(version, context):
    context.minimum_version = context.maximum_version = version
    return context


RSA_ALONE = {"TLS 1.2": ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
             "signatures": ["-sigalgs", "rsa_pss_rsae_sha256:RSA+SHA256"]}


@pytest.mark.parametrize("how", RSA_ALONE)
def test_who_takes_certificates_of_rsa_alone_meets_the_origin_s_at_once(how, authority, intercepting, sink):
    origin = Origin(tls=authority.server(HOST, "127.0.0.1", key=rsa.generate_private_key(65537, 2048)))
    side = intercepting()
    command = ["openssl", "s_client", "-quiet", "-proxy", "%s:%d" % side.egress, "-connect", f"{HOST}:{origin.port}",
               "-servername", HOST, "-CAfile", str(authority.pem), "-verify_return_error", *RSA_ALONE[how]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as agent:
        agent.stdin.write(head("GET /echo HTTP/1.1", [("Host", f"{HOST}:{origin.port}")]))
        agent.stdin.flush()
        assert agent.stdout.readline().startswith(b"HTTP/1.1 200")
        agent.kill()
    span, = sink.wait(1)
    assert (span["name"], span["attributes"]["sidespan.tunnel.reason"]) == ("CONNECT", "no_ecdsa")
    origin.stop()


def test_an_origin_older_than_all_that_the_agent_offers(authority, intercepting, sink):
    """Nor does the agent get a connection that somebody else, who takes TLS 1.2, left there."""
    origin = Origin(tls=taking_only(ssl.TLSVersion.TLSv1_2, authority.server(HOST)))
    side = intercepting()
    used_once(side, origin)
    asked = len(origin.requests)
    for _ in range(2):
        with Tunnel(side, origin, taking_only(ssl.TLSVersion.TLSv1_3, context_of(side))) as agent:
            answer = agent.get("/echo", f"{HOST}:{origin.port}", [("Authorization", "Bearer secret")])
        assert answer.status == 502
        assert b"speaks TLS 1.2 at most, and the agent takes nothing below TLS 1.3" in answer.body
    assert len(origin.requests) == asked
    usual, *refused = sink.wait(3)
    assert usual["attributes"]["tls.protocol.version"] == "1.2"
    for span in refused:
        assert span["attributes"]["error.type"] == "tls_failure"
        assert "speaks TLS 1.2 at most, and the agent takes nothing below TLS 1.3" in span["message"]
    used_once(side, origin)
    origin.stop()


@pytest.mark.parametrize("first", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_agents_of_either_version_at_one_origin(first, intercepting, tls_origin, sink):
    side = intercepting()
    second = ssl.TLSVersion.TLSv1_3 if first == ssl.TLSVersion.TLSv1_2 else ssl.TLSVersion.TLSv1_2
    for version in (first, first, second, second):
        with Tunnel(side, tls_origin, taking_only(version, context_of(side))) as agent:
            assert agent.get("/echo", f"{HOST}:{tls_origin.port}").status == 200
    assert {span["attributes"]["tls.protocol.version"] for span in sink.wait(4)} == {"1.3"}
    assert tls_origin.connections == 2
