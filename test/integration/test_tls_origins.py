"""Origins that are not who they should be: nobody sees them as valid, and the span says what is wrong."""

import datetime
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

import certificates
from certificates import DAY
from origin import Origin
from otlp_sink import OtlpSink
from tunnel import HOST, Silent, Tunnel, context_of
from wire import ask, wait_for

PAST = datetime.timedelta(days=-20)
UNTRUSTED, INVALID, NAME = "certificate_untrusted", "certificate_invalid", "certificate_name_mismatch"


def other_san(text):
    return [x509.DNSName(text)]


def older(version):
    def make(authority):
        context = authority.server(HOST)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = version
        context.maximum_version = version
        return context
    return make


def weak_key(authority):
    return authority.server(HOST, key=rsa.generate_private_key(65537, 1024))


def below_another(**how):
    """Signed by an intermediate; what is shown of the chain is the test's choice."""
    def make(authority):
        middle = certificates.Authority("in between", parent=authority, permitted=how.get("permitted"))
        return middle.server(HOST, chain=how.get("chain"))
    return make


BAD = {
    "expired": (lambda ca: ca.server(HOST, before=PAST, after=-DAY), "certificate_expired"),
    "not_yet_valid": (lambda ca: ca.server(HOST, before=DAY, after=2 * DAY), "certificate_not_yet_valid"),
    "another_host": (lambda ca: ca.server("other.example"), NAME),
    "another_address": (lambda ca: ca.server("127.0.0.2"), NAME),
    "self_signed": (lambda ca: certificates.self_signed(HOST), UNTRUSTED),
    "unknown_root": (lambda ca: certificates.Authority("nobody").server(HOST), UNTRUSTED),
    "for_clients": (lambda ca: ca.server(HOST, usage=ExtendedKeyUsageOID.CLIENT_AUTH), INVALID),
    "common_name_only": (lambda ca: ca.server(common_name=HOST), NAME),
    "wildcard_too_wide": (lambda ca: ca.server(names=other_san("*")), NAME),
    "partial_wildcard": (lambda ca: ca.server(names=other_san("local*")), NAME),
    "name_as_address": (lambda ca: ca.server(names=[x509.RFC822Name(HOST)]), NAME),
    "nul_in_name": (lambda ca: ca.server(names=other_san("localhost\0.evil.example")), NAME),
    "sha1": (lambda ca: ca.sha1_server(HOST), INVALID),
    "weak_key": (weak_key, INVALID),
    "name_constraints": (below_another(permitted=["example.com"]), INVALID),
    "chain_cut": (below_another(chain=[]), UNTRUSTED),
    "tls_1_0": (older(ssl.TLSVersion.TLSv1), "tls_failure"),
    "tls_1_1": (older(ssl.TLSVersion.TLSv1_1), "tls_failure"),
}


@pytest.fixture
def bad_origin(request, authority):
    make, error = BAD[request.param]
    try:
        origin = Origin(tls=make(authority))
    except (ValueError, ssl.SSLError) as refusal:
        pytest.fail(f"this origin cannot be made here: {refusal}")
    origin.error = error
    yield origin
    origin.stop()


@pytest.mark.parametrize("bad_origin", BAD, indirect=True)
def test_a_bad_origin_is_refused_inside(bad_origin, intercepting, sink):
    side = intercepting()
    with Tunnel(side, bad_origin, context_of(side)) as agent:
        answer = agent.get("/echo", f"{HOST}:{bad_origin.port}", [("Authorization", "Bearer secret")])
    assert answer.status == 502
    assert answer.get("proxy-status").startswith("sidespan; error=tls_")
    (span,) = sink.wait(1)
    assert span["attributes"]["error.type"] == bad_origin.error, span["message"]
    assert span["attributes"]["sidespan.mode"] == "intercept"
    assert span["status"] == "ERROR"
    assert bad_origin.requests == []


@pytest.mark.parametrize("bad_origin", BAD, indirect=True)
def test_and_as_target_of_an_absolute_url(bad_origin, intercepting, sink):
    side = intercepting()
    answer = ask(side.egress, "GET", f"https://{HOST}:{bad_origin.port}/echo", [("Authorization", "Bearer secret")])
    assert answer.status == 502
    assert sink.wait(1)[0]["attributes"]["error.type"] == bad_origin.error
    assert bad_origin.requests == []


def day(offset):
    return (datetime.datetime.now(datetime.timezone.utc) + offset).strftime("%Y-%m-%d")


MANY = [x509.DNSName(f"{letter}.example") for letter in "abcdef"]
SAID = {
    "expired": (BAD["expired"][0], "the certificate of {} ended on {yesterday}"),
    "not_yet_valid": (BAD["not_yet_valid"][0], "the certificate of {} is not valid before {tomorrow}"),
    "an_issuer_expired": (lambda ca: certificates.Authority("in between", parent=ca, days=-1).server(HOST),
                          "a certificate that vouches for that of {} ended on {yesterday}"),
    "another_host": (BAD["another_host"][0], "the certificate of {} is for other.example, not for localhost"),
    "another_address": (BAD["another_address"][0], "the certificate of {} is for 127.0.0.2, not for localhost"),
    "many_hosts": (lambda ca: ca.server(names=MANY),
                   "is for a.example, b.example, c.example, d.example and 2 more, not for localhost"),
    "what_is_no_name": (lambda ca: ca.server(names=other_san("local\0\x1b[31m\r\n" + 99 * "x")),
                        "is for local??[31m??" + 51 * "x" + ", not for localhost"),
    "no_name": (BAD["name_as_address"][0], "is for no host, not for localhost"),
    "self_signed": (BAD["self_signed"][0], "vouches for the certificate of {} (self-signed certificate); "
                    "tls.trust.certificates (SIDESPAN_TLS_TRUST_CERTIFICATES) can name its root, or "
                    "tls.intercept.bypass leave it to the agent"),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_wrong_is_one_sentence(case, authority, intercepting):
    make, said = SAID[case]
    origin = Origin(tls=make(authority))
    days = {"yesterday": day(-DAY), "tomorrow": day(DAY)}  # as seen when the certificate was made
    host = f"{HOST}:{origin.port}"
    answer = ask(intercepting().egress, "GET", f"https://{host}/echo")
    origin.stop()
    assert answer.status == 502
    sentence = answer.body.decode("ascii")
    assert said.format(host, **days) in sentence
    assert sentence.startswith("sidespan: ") and sentence.endswith(".\n") and sentence.count("\n") == 1


@pytest.mark.parametrize("bad_origin", BAD, indirect=True)
def test_on_the_bypass_list_the_client_meets_it_itself(bad_origin, intercepting, sink):
    """Its own certificate, as without us: the handshake's outcome is the same on both ways."""
    side = intercepting(bypass=[HOST])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def meet(connect_to):
        try:
            with connect_to() as sock:
                return sock.getpeercert(binary_form=True)
        except ssl.SSLError as error:
            return error.reason

    direct = meet(lambda: context.wrap_socket(socket.create_connection(bad_origin.address), server_hostname=HOST))
    assert meet(lambda: Tunnel(side, bad_origin, context).sock) == direct
    assert isinstance(direct, bytes) == (bad_origin.error != "tls_failure")
    assert bad_origin.requests == []
    span, = sink.wait(1)
    assert span["attributes"]["sidespan.tunnel.reason"] == "bypass"


def test_one_that_closes_in_the_handshake(intercepting, sink):
    origin = Origin()
    origin.tls = Closing()
    side = intercepting()
    assert ask(side.egress, "GET", f"https://{HOST}:{origin.port}/").status == 502
    assert sink.wait(1)[0]["attributes"]["error.type"] == "tls_failure"
    origin.stop()


class Closing:
    """Stands where an SSLContext would."""

    def wrap_socket(self, sock, **_):
        sock.recv(1)
        raise OSError("closed")


class Plain(Closing):
    def wrap_socket(self, sock, **how):
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        super().wrap_socket(sock, **how)


def test_one_that_speaks_no_tls(intercepting, origin, sink):
    origin.tls = Plain()
    side = intercepting()
    assert ask(side.egress, "GET", f"https://{HOST}:{origin.port}/").status == 502
    assert sink.wait(1)[0]["attributes"]["error.type"] == "tls_failure"


def test_one_that_says_nothing_takes_as_long_as_it_may(intercepting, sink):
    origin = Silent()
    side = intercepting({"limits": {"tls_handshake_time": "300ms"}})
    answer = ask(side.egress, "GET", f"https://{HOST}:{origin.port}/")
    assert answer.status == 504
    assert sink.wait(1)[0]["attributes"]["error.type"] == "connect_timeout"
    origin.stop()


@pytest.mark.parametrize("how", ["absolute", "route"])
def test_a_good_origin_is_reached_by_tls_of_ours(how, intercepting, authority, sink):
    origin = Origin(tls=authority.server(HOST))
    base = f"https://{HOST}:{origin.port}"
    side = intercepting({"routes": [{"path": "/api/", "to": f"{base}/v1/"}]})
    for _ in range(2):
        target = f"{base}/echo" if how == "absolute" else "/api/echo"
        assert ask(side.egress, "GET", target, host="x").status == 200
    first, second = sink.wait(2)
    path = "/echo" if how == "absolute" else "/v1/echo"
    for span, request in zip((first, second), origin.requests):
        assert span["attributes"]["url.full"] == base + path
        assert span["attributes"]["tls.protocol.version"] == "1.3"
        assert request.get("host") == f"{HOST}:{origin.port}"
        assert request.get("traceparent").split("-")[2] == span["span_id"]
    assert origin.connections == 1
    assert first["attributes"]["sidespan.phase.tls"] > 0
    origin.stop()


@pytest.fixture
def mutual(authority):
    """An origin that wants a certificate of its clients."""
    context = authority.server(HOST)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.pem)
    origin = Origin(tls=context)
    yield origin
    origin.stop()


def shown(certificate, key):
    return {"match": [HOST], "certificate": str(certificate), "key": str(key)}


@pytest.mark.parametrize("how", ["absolute", "intercept"])
def test_the_certificate_that_is_for_an_origin_is_shown_to_it(how, mutual, authority, sidecar, sink):
    files = authority.client_files()
    side = sidecar({"tls": {"intercept": {"mode": "all"}, "trust": {"certificates": [str(authority.pem)]},
                            "client_certificates": [shown(*files)]}})
    host = f"{HOST}:{mutual.port}"
    if how == "absolute":
        assert ask(side.egress, "GET", f"https://{host}/echo").status == 200
    else:
        with Tunnel(side, mutual, context_of(side)) as agent:
            assert agent.get("/echo", host).status == 200
    (span,) = sink.wait(1)
    assert span["attributes"]["url.full"] == f"https://{host}/echo"
    assert ("commonName", "agent") in mutual.handshakes[-1]["subject"][0]


def test_without_one_the_tunnel_passes_and_the_agent_s_own_is_shown(mutual, authority, intercepting, sink):
    side = intercepting()
    context = ssl.create_default_context(cafile=authority.pem)
    context.load_cert_chain(*authority.client_files("of the agent"))
    with Tunnel(side, mutual, context) as agent:
        assert agent.get("/echo", f"{HOST}:{mutual.port}").status == 200
    (span,) = sink.wait(1)
    assert span["attributes"]["sidespan.tunnel.reason"] == "client_certificate"
    assert ("commonName", "of the agent") in mutual.handshakes[-1]["subject"][0]


def test_without_one_an_absolute_url_is_told_what_is_missing(mutual, intercepting, sink):
    answer = ask(intercepting().egress, "GET", f"https://{HOST}:{mutual.port}/echo")
    assert answer.status == 502 and b"tls.client_certificates" in answer.body
    assert sink.wait(1)[0]["attributes"]["error.type"] == "certificate_required"


def test_a_collector_by_tls(authority, origin, sidecar, tmp_path):
    collector = OtlpSink(tls=authority.server("127.0.0.1"))
    assert collector.endpoint.startswith("https://")
    config = {"tls": {"trust": {"certificates": [str(authority.pem)]}},
              "export": {"otlp": {"endpoint": collector.endpoint}}}
    side = sidecar(config)
    assert ask(side.egress, "GET", origin.url("/echo")).status == 200
    assert collector.wait(1)[0]["attributes"]["url.full"] == origin.url("/echo")
    collector.stop()


def test_a_collector_that_wants_our_certificate(authority, origin, sidecar):
    """By OTLP/HTTP; test_export_grpc_faults has it by gRPC. Without one nothing is lost, and the log says so."""
    context = authority.server(HOST)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.pem)
    collector = OtlpSink(tls=context)
    trust = {"trust": {"certificates": [str(authority.pem)]}}
    export = {"export": {"otlp": {"endpoint": collector.endpoint.replace("127.0.0.1", HOST), "protocol": "http/protobuf"}}}
    without = sidecar(export | {"tls": trust, "drain": {"deadline": "1s"}})
    assert ask(without.egress, "GET", origin.url("/echo?without")).status == 200
    wait_for("a log line", lambda: "does not take spans" in without.log())
    assert without.metrics().accounts()["otlp"] == (1, 0, 0, 1)
    side = sidecar(export | {"tls": trust | {"client_certificates": [shown(*authority.client_files("exporter"))]}})
    assert ask(side.egress, "GET", origin.url("/echo?with")).status == 200
    assert [span["attributes"]["url.full"] for span in collector.wait(1)] == [origin.url("/echo?with")]
    wait_for("the books", lambda: side.metrics().accounts()["otlp"] == (1, 1, 0, 0))
    without.stop()
    assert len(collector.spans) == 1
    collector.stop()


def test_a_collector_that_nobody_knows_gets_nothing(origin, sidecar):
    collector = OtlpSink(tls=certificates.Authority("nobody").server("127.0.0.1"))
    side = sidecar({"export": {"otlp": {"endpoint": collector.endpoint}}, "drain": {"deadline": "2s"}})
    assert ask(side.egress, "GET", origin.url("/echo")).status == 200
    wait_for("a log line", lambda: "nobody whom sidespan trusts" in side.log())
    side.stop()
    assert collector.spans == []
    collector.stop()
