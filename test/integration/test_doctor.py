"""`sidespan doctor`: what is wrong when a client does not use the proxy or does not trust it, with real clients.

Each test makes one thing wrong and wants it named, with exit status 1; where all is well the status is 0.
"""

import json
import subprocess

import pytest

import certificates
import peers
from origin import Origin
from otlp_sink import Reply
from sidecar import binary, environment, exporting, merged, write_config
from test_tls_authority import files_below
from tunnel import HOST
from wire import Client, outward_address, wait_for

URLLIB = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).status)"
NO_PROXIES = "import sys, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(sys.argv[1], timeout=20)"


def sidespan(directory, *arguments, config, env=None):
    path = write_config(directory, config)
    words = [binary(), arguments[0], "--config", str(path), *map(str, arguments[1:])]
    return subprocess.run(words, env=environment(directory, env), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)


def failures(done):
    """Of a doctor that found something wrong: each thing, with what it advises."""
    assert done.returncode == 1, (done.stdout, done.stderr)
    lines = done.stdout.splitlines()
    found = [(line[5:], lines[at + 1].strip()) for at, line in enumerate(lines) if line.startswith("FAIL ")]
    assert found, done.stdout
    return found


def only_failure(done):
    (what, advice), = failures(done)
    assert advice
    return what, advice


class Place:
    """A sidecar that runs, and doctor with its configuration and the environment that `env` gives."""

    def __init__(self, side):
        self.directory = side.config.parent
        self.config = merged(json.loads(side.config.read_text()), {"listen": {
            name: "{}:{}".format(*side.address(name)) for name in ("egress", "admin", "health")}})
        self.told = json.loads(sidespan(self.directory, "env", "--format", "json", config=self.config).stdout)

    def doctor(self, env=None, config=None, without=()):
        told = {name: value for name, value in self.told.items() if name not in without}
        return sidespan(self.directory, "doctor", config=merged(self.config, config or {}), env=told | (env or {}))


@pytest.fixture
def place(intercepting):
    return Place(intercepting())


def test_all_is_well(place, sink):
    before = files_below(place.directory)
    done = place.doctor()
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert all(line.startswith(("ok   ", "warn ", "     ")) for line in lines)
    assert [line for line in lines if line.startswith("warn ")] == [
        "warn no call has come through the sidecar since it started"]
    assert f"ok   the collector at {sink.endpoint}/v1/traces answers 200" in lines
    assert files_below(place.directory) == before, "it makes nothing"
    assert not sink.spans


def test_the_sidecar_does_not_run(sidecar):
    side = sidecar()
    place = Place(side)
    side.stop()
    what, _ = failures(place.doctor())[0]
    assert what.startswith("no sidecar: nothing answers at 127.0.0.1:")


def test_another_program_listens_there(place, origin):
    there = "{}:{}".format(*origin.address)
    what, _ = failures(place.doctor(config={"listen": {"egress": there}}))[0]
    assert what.startswith(f"something else than sidespan listens at http://{there}: it answers ")
    assert f"the sidecar listens at http://{there}" not in what


def test_it_lets_nobody_in_from_here(sidecar):
    address = outward_address()
    side = sidecar({"listen": {"egress": f"{address}:0"}, "egress": {"allow_from": ["198.51.100.7/32"]}})
    what, advice = failures(Place(side).doctor())[0]
    assert what == (f"the sidecar at http://{address}:{side.egress[1]} takes no calls from here: "
                    f"{address} is not in egress.allow_from")
    assert "egress.allow_from" in advice


def test_it_leads_elsewhere(place):
    what, advice = only_failure(place.doctor({"https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}))
    assert what == "not the sidecar's address: HTTPS_PROXY https_proxy"
    assert place.told["HTTP_PROXY"] in advice


def test_no_variables(place):
    assert [what for what, _ in failures(place.doctor(without=place.told))] == [
        "no proxy variable is set: clients call directly", "no variable names our certificate to clients"]


def test_no_proxy_is_everything(place):
    assert only_failure(place.doctor({"NO_PROXY": "*"}))[0] == "NO_PROXY has *: all calls go past the sidecar"


def test_a_file_of_roots_without_ours(place, authority):
    what, advice = only_failure(place.doctor({"SSL_CERT_FILE": str(authority.pem)}))
    assert what == f"SSL_CERT_FILE names {authority.pem}, which does not hold our certificate"
    assert place.told["CURL_CA_BUNDLE"] in advice
    what, _ = only_failure(place.doctor({"SSL_CERT_FILE": "/nowhere.pem"}))
    assert what == "SSL_CERT_FILE: /nowhere.pem: No such file or directory"


def test_a_bundle_of_before(place):
    bundle = place.directory / "state/trust/bundle.pem"
    bundle.write_text((place.directory / "state/trust/ca.pem").read_text() * 2)
    assert f"{bundle} is not the system's roots and ours" in [what for what, _ in failures(place.doctor())]


def test_the_collector_is_down(place):
    gone = Origin()
    gone.stop()
    what, _ = only_failure(place.doctor(config=exporting(gone.url(""))))
    assert what.startswith(f"the collector at {gone.url('/v1/traces')}: ")


def test_the_collector_wants_another_path(place, origin):
    origin.answer("/v1/traces", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
    what, advice = only_failure(place.doctor(config=exporting(origin.url(""))))
    assert what.endswith("answers 404") and "4318" in advice
    request, = origin.requests
    assert (request.method, request.body, request.get("content-type")) == ("POST", b"", "application/x-protobuf")


def test_a_collector_by_tls(place, authority):
    secured = Origin(tls=authority.server(HOST))
    try:
        secured.answer("/v1/traces", [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
        there = exporting(f"https://{HOST}:{secured.port}")
        assert place.doctor(config=there).returncode == 0
        what, advice = only_failure(place.doctor(config=merged(there, {"tls": {"trust": {"certificates": []}}})))
        assert "certificate" in what and "tls.trust.certificates" in advice
    finally:
        secured.stop()


def test_what_the_sidecar_counted(sidecar, origin):
    side = sidecar()
    with Client(side.egress) as agent:
        assert agent.ask("GET", origin.url("/echo")).status == 200
    done = Place(side).doctor()
    assert done.returncode == 0
    assert "warn 1 call of 1 (100 %) without a parent" in done.stdout
    assert "warn HTTPS is not opened" in done.stdout


def test_a_collector_that_says_never(sidecar, origin, sink):
    sink.replies(Reply(400))
    side = sidecar()
    with Client(side.egress) as agent:
        assert agent.ask("GET", origin.url("/echo")).status == 200
    wait_for("span that the collector refused", lambda: sink.requests)
    assert only_failure(Place(side).doctor())[0] == "1 span dropped: rejected"


def watched(tmp_path, sink, words, authority=None, env=None, config=None):
    trust = {"tls": {"trust": {"certificates": [str(authority.pem)]}}} if authority else {}
    base = merged(exporting(sink.endpoint), {"drain": {"quiet": "100ms", "deadline": "10s"}})
    return sidespan(tmp_path, "doctor", "--", *words, config=merged(merged(base, trust), config or {}), env=env)


def test_a_command_that_is_well(tls_origin, authority, sink, tmp_path):
    done = watched(tmp_path, sink, [peers.python(), "-c", URLLIB, tls_origin.url("/echo")], authority)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stdout.startswith("200\n"), "what the command says comes first"
    assert f"ok   seen: 127.0.0.1:{tls_origin.port}\n" in done.stdout
    assert "ok   1 call, all with a parent\n" in done.stdout
    assert {span["kind"] for span in sink.wait(2)} == {"INTERNAL", "CLIENT"}


def test_a_client_that_trusts_another_authority(tls_origin, authority, sink, tmp_path):
    other = certificates.Authority("of another house")
    words = [peers.installed("curl"), "-sS", "--cacert", other.pem, tls_origin.url("/echo")]
    done = watched(tmp_path, sink, words, authority)
    what, advice = only_failure(done)
    assert what == f"the client refused our certificate for 127.0.0.1:{tls_origin.port}"
    assert "--cacert" in advice and "tls.intercept.bypass" in advice
    assert "warn the command ended with 60\n" in done.stdout


def test_a_client_that_reads_no_proxy_variables(origin, sink, tmp_path):
    done = watched(tmp_path, sink, [peers.python(), "-c", NO_PROXIES, origin.url("/echo")])
    what, advice = only_failure(done)
    assert what == "no request came: the command made none, or ignores the proxy variables"
    assert "trust_env" in advice
    assert len(origin.requests) == 1, "it called, past the sidecar"


@pytest.mark.parametrize("no_proxy,said", [
    ("127.0.0.1", "warn NO_PROXY has 127.0.0.1: calls to tools on this machine go past the sidecar\n"),
    ("*", "FAIL NO_PROXY has *: all calls go past the sidecar\n")])
def test_a_command_that_is_led_past_it(no_proxy, said, origin, sink, tmp_path):
    words = [peers.python(), "-c", URLLIB, origin.url("/echo")]
    done = watched(tmp_path, sink, words, env={"NO_PROXY": no_proxy})
    assert said in done.stdout
    unseen = "no request came: the command made none, or ignores the proxy variables"
    assert unseen in [what for what, _ in failures(done)]


def test_an_origin_that_does_not_verify(authority, sink, tmp_path):
    expired = Origin(tls=authority.server("127.0.0.1", before=-9 * certificates.DAY, after=-certificates.DAY))
    try:
        words = [peers.installed("curl"), "-s", expired.url("/echo")]
        what, advice = only_failure(watched(tmp_path, sink, words, authority))
        assert what == f"origins that do not verify (certificate_expired): 127.0.0.1:{expired.port}"
        assert "tls.intercept.bypass" in advice and "tls.trust.certificates" not in advice
    finally:
        expired.stop()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_origin_that_is_not_there(scheme, sink, tmp_path):
    gone = Origin()
    gone.stop()
    done = watched(tmp_path, sink, [peers.installed("curl"), "-s", f"{scheme}://127.0.0.1:{gone.port}/"])
    assert done.returncode == 0, done.stdout
    assert f"warn origins that gave no whole answer (connection_refused): 127.0.0.1:{gone.port}\n" in done.stdout
    assert "ok   seen" not in done.stdout


def test_a_file_of_roots_that_is_not_there(origin, sink, tmp_path):
    words = [peers.installed("curl"), "-s", "-o", "/dev/null", origin.url("/echo")]
    done = watched(tmp_path, sink, words, env={"CURL_CA_BUNDLE": "/nowhere/corp.pem"})
    assert done.returncode == 0, done.stdout
    assert "warn CURL_CA_BUNDLE names /nowhere/corp.pem, which cannot be read: No such file or directory\n" in done.stdout


def test_a_system_without_roots(origin, sink, tmp_path):
    path = write_config(tmp_path, exporting(sink.endpoint) | {"drain": {"quiet": "100ms", "deadline": "10s"}})
    words = [*peers.without_roots(), binary(), "doctor", "--config", str(path)]
    env = environment(tmp_path, {"SIDESPAN_TLS_INTERCEPT_MODE": "all"})
    for command in ([], ["--", "curl", "-s", "-o", "/dev/null", origin.url("/echo")]):
        done = subprocess.run([*words, *command], env=env, capture_output=True, text=True, timeout=60)
        said = [what for what, _ in failures(done) if "root certificates" in what]
        assert len(said) == 1, done.stdout
        assert "ca-certificates" in said[0] and "SSL_CERT_FILE" in said[0]


def test_what_is_wrong_in_variables_is_said(place, origin, sink, tmp_path):
    meant = "warn SIDESPAN_LOG_LEVL names no setting; is 'SIDESPAN_LOG_LEVEL' meant?\n"
    assert meant in place.doctor({"SIDESPAN_LOG_LEVL": "debug"}).stdout
    words = [peers.python(), "-c", URLLIB, origin.url("/echo")]
    done = watched(tmp_path, sink, words, env={"SIDESPAN_LOG_LEVL": "debug"})
    assert done.returncode == 0 and meant in done.stdout


def test_what_is_bypassed_is_said(tls_origin, authority, sink, tmp_path):
    words = [peers.installed("curl"), "-s", "--cacert", authority.pem, tls_origin.url("/echo")]
    done = watched(tmp_path, sink, words, authority, config={"tls": {"intercept": {"bypass": ["127.0.0.1"]}}})
    assert done.returncode == 0, done.stdout
    assert f"warn passed unopened (bypass): 127.0.0.1:{tls_origin.port}" in done.stdout


def test_a_client_that_is_too_slow_is_not_the_origins_fault(origin, sink, tmp_path):
    slow = ("import os, socket, sys, time, urllib.parse as u; p = u.urlsplit(os.environ['http_proxy']); "
            "s = socket.create_connection((p.hostname, p.port)); "
            "s.sendall(f'POST {sys.argv[1]} HTTP/1.1\\r\\nHost: o\\r\\nContent-Length: 9\\r\\n\\r\\nfour'.encode()); "
            "s.recv(100)")
    done = watched(tmp_path, sink, [peers.python(), "-c", slow, origin.url("/echo")],
                   config={"limits": {"stream_idle_time": "500ms"}})
    span, = sink.wait(1, where=lambda span: span["kind"] == "CLIENT")
    assert span["attributes"]["error.type"] == "timeout"
    assert "no whole answer" not in done.stdout, done.stdout


@pytest.mark.parametrize("command", [["env"], ["ca", "show"], ["health"]], ids=lambda words: words[0])
def test_who_only_looks_minds_no_exporter(place, command):
    config = {key: value for key, value in place.config.items() if key != "export"}
    done = sidespan(place.directory, *command, config=config, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"})
    assert done.returncode == 0, done.stderr
    assert "OTEL" not in done.stderr


def test_wrong_usage_and_configuration(tmp_path):
    assert sidespan(tmp_path, "doctor", "--", config={}).returncode == 2
    assert sidespan(tmp_path, "doctor", config={"nonsense": 1}).returncode == 2
    without_scheme = sidespan(tmp_path, "doctor", config={}, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"})
    assert without_scheme.returncode == 2 and "has no scheme" in without_scheme.stderr
    missing = sidespan(tmp_path, "doctor", "--", "/no/such/program", config={})
    assert (missing.returncode, missing.stdout) == (1, "") and "/no/such/program" in missing.stderr
