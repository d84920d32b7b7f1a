"""The authority that agents trust: made once, renewed in time, shown and exported without its key."""

import fcntl
import json
import os
import re
import socket
import ssl
import stat
import subprocess
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import certificates
import peers
from sidecar import BASE, binary, environment, merged, open_files, run, write_config
from tunnel import HOST, Tunnel, context_of
from wire import ask, wait_for


def sidespan(directory, *arguments, config=None, env=None):
    options = ["--config", str(write_config(directory, config or {}))]
    return subprocess.run([binary(), *arguments, *options], env=environment(directory, env), capture_output=True,
                          text=True, timeout=20)


def files_below(directory):
    return {path.relative_to(directory).as_posix(): path for path in Path(directory).rglob("*") if path.is_file()}


def test_it_is_made_once_and_its_key_is_private(tmp_path):
    first, second = (sidespan(tmp_path, "ca", "show") for _ in range(2))
    assert first.returncode == 0 and first.stdout == second.stdout
    assert re.search(r"^fingerprint  SHA-256 (\w\w:){31}\w\w$", first.stdout, re.MULTILINE)
    state = tmp_path / "state"
    key = state / "authority/ca-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((state / "authority").stat().st_mode) == 0o700
    exported = sidespan(tmp_path, "ca", "export").stdout
    assert exported.count("BEGIN CERTIFICATE") == 1 and "PRIVATE" not in exported
    assert exported == (state / "authority/ca.pem").read_text()


def test_two_installations_have_nothing_in_common(tmp_path):
    assert sidespan(tmp_path / "a", "ca", "show").stdout != sidespan(tmp_path / "b", "ca", "show").stdout


def test_a_key_that_others_may_read_stops_the_program(tmp_path):
    sidespan(tmp_path, "ca", "show")
    (tmp_path / "state/authority/ca-key.pem").chmod(0o644)
    for command in (("ca", "show"), ("proxy",)):
        done = sidespan(tmp_path, *command, config={"tls": {"intercept": {"mode": "all"}}})
        assert done.returncode == 1
        assert "may be read by others" in done.stderr


def test_many_at_once_make_one(tmp_path):
    config = str(write_config(tmp_path, {}))
    command = [binary(), "ca", "show", "--config", config]
    asked = [subprocess.Popen(command, env=environment(tmp_path), stdout=subprocess.PIPE, text=True) for _ in range(8)]
    assert len({process.communicate(timeout=20)[0] for process in asked}) == 1


def test_a_new_one_signs_and_both_are_trusted(tmp_path):
    before = sidespan(tmp_path, "ca", "export").stdout
    rotated = sidespan(tmp_path, "ca", "rotate")
    assert rotated.returncode == 0
    after = sidespan(tmp_path, "ca", "export").stdout
    assert after.endswith(before) and after.count("BEGIN CERTIFICATE") == 2
    assert (tmp_path / "state/trust/ca.pem").read_text() == after


def test_who_signs_in_a_running_sidecar_stays_trusted(intercepting, tls_origin):
    """Whoever rotated more than once: it goes on with the first, and so does an agent that starts now."""
    side = intercepting()
    directory = side.config.parent
    first = (directory / "state/authority/ca.pem").read_text()
    for _ in range(2):
        assert sidespan(directory, "ca", "rotate").returncode == 0
    told = (directory / "state/trust/ca.pem").read_text()
    assert told.endswith(first) and told.count("BEGIN CERTIFICATE") == 3
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        assert agent.get("/echo", f"{HOST}:{tls_origin.port}").status == 200


@pytest.mark.parametrize("left,trusted,signs", [(40, 1, "the same"), (20, 2, "the same"), (5, 2, "the next"),
                                               (-1, 1, "the next")])
def test_its_successor_comes_in_time(left, trusted, signs, tmp_path):
    """An authority that has so many days left: from thirty on its successor is trusted, from eight on that signs."""
    sidespan(tmp_path, "ca", "show")
    place = tmp_path / "state/authority"
    old = certificates.Authority("sidespan interception authority", days=left)
    (place / "ca.pem").write_bytes(old.pem.read_bytes())
    (place / "ca-key.pem").write_bytes(certificates.private_pem(old.key))
    shown = sidespan(tmp_path, "ca", "export").stdout
    assert shown.count("BEGIN CERTIFICATE") == trusted
    first = shown.split("-----END CERTIFICATE-----")[0]
    assert (first in old.pem.read_text()) == (signs == "the same")
    assert sidespan(tmp_path, "ca", "export").stdout == shown, "asked again, nothing more is made"


def test_an_authority_of_the_operator_s(tls_origin, authority, sidecar, tmp_path):
    own = certificates.Authority("our house")
    key = tmp_path / "own-key.pem"
    key.write_bytes(certificates.private_pem(own.key))
    key.chmod(0o600)
    tls = {"intercept": {"mode": "all"}, "trust": {"certificates": [str(authority.pem)]},
           "authority": {"certificate": str(own.pem), "key": str(key), "export_dir": str(tmp_path / "shared")}}
    side = sidecar({"tls": tls})
    context = ssl.create_default_context(cafile=own.pem)
    with Tunnel(side, tls_origin, context) as agent:
        assert agent.get("/echo", f"{HOST}:{tls_origin.port}").status == 200
    assert set(files_below(tmp_path / "shared")) == {"ca.pem", "bundle.pem", "truststore.jks"}
    assert (tmp_path / "shared/ca.pem").read_text().strip() == own.pem.read_text().strip()
    assert sidespan(tmp_path, "ca", "rotate", config={"tls": tls}).returncode == 1


def test_no_key_is_anywhere_but_in_its_file(intercepting, tls_origin, tmp_path):
    side = intercepting({"log": {"level": "debug"}})
    with Tunnel(side, tls_origin, context_of(side)) as agent:
        assert agent.get("/echo", f"{HOST}:{tls_origin.port}").status == 200
    holding = [name for name, path in files_below(side.config.parent).items() if b"PRIVATE KEY" in path.read_bytes()]
    assert holding == ["state/authority/ca-key.pem"]
    assert "PRIVATE" not in side.log()


def core_limit(pid):
    return re.search(r"^Max core file size +(\S+)", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE)[1]


def test_no_core_dump_has_the_key(intercepting, tmp_path):
    assert core_limit(intercepting().process.pid) in ("0", "1")
    done = run(tmp_path, ["cat", "/proc/self/limits"])
    assert re.search(rf"^Max core file size +{core_limit('self')} ", done.stdout, re.MULTILINE), "a command keeps its own"


def test_no_state_directory_no_interception(tls_origin, authority, sidecar, sink):
    tls = {"intercept": {"mode": "all"}, "trust": {"certificates": [str(authority.pem)]}}
    side = sidecar({"tls": tls}, env={"SIDESPAN_STATE_DIR": "/proc/nowhere"})
    assert "HTTPS is not opened" in side.log()
    with Tunnel(side, tls_origin, ssl.create_default_context(cafile=authority.pem)) as agent:
        assert agent.get("/echo", HOST).status == 200
    assert sink.wait(1)[0]["attributes"]["sidespan.tunnel.reason"] == "no_authority"


class Starting:
    """A sidecar that may have to wait at its start, and its health listener from outside."""

    def __init__(self, directory, export_dir, state=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.health = free.getsockname()
        config = merged(BASE, {"listen": {"health": "%s:%d" % self.health},
                               "tls": {"intercept": {"mode": "all"}, "authority": {"export_dir": str(export_dir)}}})
        self.process = subprocess.Popen([binary(), "proxy", "--config", str(write_config(directory, config))],
                                        env=environment(directory) | ({"SIDESPAN_STATE_DIR": state} if state else {}),
                                        stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def readyz(self):
        """The status, or None where nobody listens yet."""
        try:
            return ask(self.health, "GET", "/readyz", host="localhost").status
        except ConnectionRefusedError:
            return None


def test_it_is_ready_when_agents_find_what_to_trust_and_not_before(tmp_path):
    shared, place = tmp_path / "shared", tmp_path / "state/authority"
    place.mkdir(parents=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with Starting(tmp_path, shared) as starting:
            wait_for("a start that waits for the authority", lambda: lock.name in open_files(starting.process.pid))
            assert starting.readyz() is None and not shared.exists()
            fcntl.flock(lock, fcntl.LOCK_UN)
            wait_for("ready", lambda: starting.readyz() == 200)
            assert set(files_below(shared)) == {"ca.pem", "bundle.pem", "truststore.jks"}


def test_it_is_never_ready_where_they_cannot_find_it(tmp_path):
    (tmp_path / "file").write_text("no directory")
    with Starting(tmp_path, tmp_path / "file") as starting:
        seen = set()
        while starting.process.poll() is None:
            seen.add(starting.readyz())
        assert starting.process.returncode == 1 and seen <= {None}
        assert "file" in starting.process.stderr.read()


def test_nor_where_there_are_none(tmp_path):
    with Starting(tmp_path, tmp_path / "shared", state="/proc/nowhere") as starting:
        _, said = starting.process.communicate(timeout=20)
        assert starting.process.returncode == 1
        assert "tls.authority.export_dir" in said and "SIDESPAN_STATE_DIR" in said


REPLACING = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO",
             "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "CARGO_HTTP_CAINFO"]
ADDING = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"]
SHOW = "import json,os; print(json.dumps({n: open(os.environ[n]).read() for n in %r if n in os.environ}))"


def trust_under_run(tmp_path, env=None, options=()):
    done = run(tmp_path, [peers.python(), "-c", SHOW % (REPLACING + ADDING)], env=env, options=options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_environment_of_a_run_names_what_to_trust(tmp_path):
    trusted = trust_under_run(tmp_path)
    ours = (tmp_path / "state/authority/ca.pem").read_text()
    assert set(trusted) == {*REPLACING, *ADDING}
    for name in REPLACING:
        assert trusted[name].endswith(ours) and trusted[name].count("BEGIN CERTIFICATE") > 10
    for name in ADDING:
        assert trusted[name] == ours
    assert trust_under_run(tmp_path, options=["--intercept", "off"]) == {}


def test_what_a_variable_named_before_stays_trusted(tmp_path):
    other = certificates.Authority("of the house")
    trusted = trust_under_run(tmp_path, {"REQUESTS_CA_BUNDLE": str(other.pem), "NODE_EXTRA_CA_CERTS": str(other.pem)})
    ours = (tmp_path / "state/authority/ca.pem").read_text()
    for name in ("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        assert trusted[name] == other.pem.read_text() + ours
    assert other.pem.read_text() not in trusted["CURL_CA_BUNDLE"]


def test_env_names_what_the_running_sidecar_exported(intercepting, tmp_path):
    config = {"tls": {"intercept": {"mode": "all"}, "authority": {"export_dir": str(tmp_path / "shared")}}}
    early = sidespan(tmp_path, "env", config=config)
    assert early.returncode == 1 and "has left no certificates here" in early.stderr
    side = intercepting({"tls": config["tls"]})
    done = sidespan(tmp_path, "env", "--format", "json", config=config)
    named = json.loads(done.stdout)
    assert named["SSL_CERT_FILE"] == str(tmp_path / "shared/bundle.pem")
    assert named["NODE_EXTRA_CA_CERTS"] == str(tmp_path / "shared/ca.pem")
    assert all(os.path.exists(named[name]) for name in REPLACING + ADDING)
    side.stop()


def signed_by(place, host):
    """What a thief of the authority's key would show for a host: (certificate, authority) files."""
    key = serialization.load_pem_private_key((place / "ca-key.pem").read_bytes(), None)
    root = x509.load_pem_x509_certificate((place / "ca.pem").read_bytes())
    thief = certificates.Authority()
    thief.key, thief.name = key, root.subject
    leaf, _ = thief.leaf(host, common_name=host)
    path = thief.directory / "leaf.pem"
    path.write_bytes(certificates.pem(leaf))
    return path, place / "ca.pem"


@pytest.mark.parametrize("hosts,inside,outside", [
    (["api.example.com", "*.internal.test"], ["api.example.com", "x.internal.test"], ["example.com", "10.0.0.1"]),
    (["10.0.0.0/8"], ["10.1.2.3"], ["192.0.2.1"])])
def test_a_list_of_hosts_limits_the_authority(hosts, inside, outside, tmp_path):
    config = {"tls": {"intercept": {"mode": "listed", "hosts": hosts}}}
    shown = sidespan(tmp_path, "ca", "show", config=config)
    assert shown.returncode == 0, shown.stderr
    assert "signs for    any host" not in shown.stdout
    place, = (tmp_path / "state/authority").glob("listed-*")
    for host in inside + outside:
        leaf, root = signed_by(place, host)
        done = subprocess.run([peers.installed("openssl"), "verify", "-CAfile", str(root), str(leaf)],
                              capture_output=True, text=True)
        assert (done.returncode == 0) == (host in inside), (host, done.stdout, done.stderr)
        assert host in inside or "permitted subtree" in done.stderr or "excluded subtree" in done.stderr


def test_another_list_has_another_authority(tmp_path):
    listed = [{"tls": {"intercept": {"mode": "listed", "hosts": hosts}}} for hosts in (["a.test"], ["a.test", "b.test"])]
    everything = {"tls": {"intercept": {"mode": "all"}}}
    configs = [*listed, everything]
    first = [sidespan(tmp_path, "ca", "export", config=config).stdout for config in configs]
    assert len(set(first)) == 3 and all(one.count("BEGIN CERTIFICATE") == 1 for one in first)
    again = [sidespan(tmp_path, "ca", "export", config=config).stdout for config in configs]
    assert again == first, "none makes room for another"
    assert first[2] == (tmp_path / "state/authority/ca.pem").read_text()


def test_a_listed_host_is_opened_by_its_own_authority(intercepting, tls_origin, sink):
    side = intercepting(mode="listed", hosts=[HOST])
    assert "a new authority signs" in side.log()
    directory, = (side.config.parent / "state/trust").glob("listed-*")
    told = json.loads(sidespan(side.config.parent, "env", "--format", "json", config=json.loads(
        side.config.read_text()) | {"listen": {"egress": "127.0.0.1:1"}}).stdout)
    assert told["NODE_EXTRA_CA_CERTS"] == str(directory / "ca.pem")
    with Tunnel(side, tls_origin, ssl.create_default_context(cafile=directory / "ca.pem")) as agent:
        assert agent.get("/echo", f"{HOST}:{tls_origin.port}").status == 200
    assert sink.wait(1)[0]["attributes"]["sidespan.mode"] == "intercept"


def test_a_host_outside_of_the_constraints_passes_unopened(tls_origin, authority, sidecar, sink, tmp_path):
    own = certificates.Authority("our house", permitted=["example.com"])
    key = tmp_path / "own-key.pem"
    key.write_bytes(certificates.private_pem(own.key))
    key.chmod(0o600)
    side = sidecar({"tls": {
        "intercept": {"mode": "all"}, "trust": {"certificates": [str(authority.pem)]},
        "authority": {"certificate": str(own.pem), "key": str(key), "export_dir": str(tmp_path / "shared")}}})
    with Tunnel(side, tls_origin, ssl.create_default_context(cafile=authority.pem)) as agent:
        assert agent.get("/echo", HOST).status == 200
    assert sink.wait(1)[0]["attributes"]["sidespan.tunnel.reason"] == "no_authority"
    assert side.metrics().total("sidespan_certificates_minted_total") == 0


def test_bundles_with_other_roots_do_not_fill_the_disk(tmp_path):
    """A build that makes its file of roots anew each time; roots that differ each time, and nobody used for a month."""
    trust = tmp_path / "state/trust"

    def bundle(name, roots):
        path = tmp_path / name
        path.write_text(roots)
        done = run(tmp_path, ["sh", "-c", "echo $SSL_CERT_FILE"], env={"SSL_CERT_FILE": str(path)})
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.strip())

    assert len({bundle(f"{number}.pem", "the same\n") for number in range(3)}) == 1
    long_ago = time.time() - 40 * 86400
    old = [trust / f"bundle-{number:016x}.pem" for number in range(30)]
    for path in old:
        path.write_text("nobody's any more")
        os.utime(path, (long_ago, long_ago))
    last = bundle("other.pem", "others\n")
    assert last.read_text().startswith("others\n")
    assert len(list(trust.glob("bundle-*.pem"))) == 16
