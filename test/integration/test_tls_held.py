"""What TLS makes sidespan hold is in its ledger: what its metrics say, and the resident size of the program, agree, and
limits.memory holds for it, too."""

import contextlib
import datetime
import select
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certificates import DAY, name_of
from h2_origin import H2Client
from origin import Origin
from sidecar import resident, sanitized
from test_h2_abuse import cpu_seconds
from test_memory import held, reactions
from test_tls_corners import hello_for
from tunnel import HOST, Tunnel, context_of
from wire import Client, ask, connect, head, wait_for

KiB, MiB = 1 << 10, 1 << 20
LIMIT = 8 * MiB
CHAIN = 120  # certificates, 50 KB of them: what is shown at most is 64 KiB


@pytest.fixture(scope="module")
def chain():
    """Certificates that vouch for nobody: OpenSSL makes a dozen times their size of them."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    made = []
    for number in range(CHAIN):
        name = name_of(f"nobody in particular, number {number}")
        made.append(x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                    .serial_number(number + 1).not_valid_before(now - DAY).not_valid_after(now + DAY)
                    .add_extension(x509.SubjectAlternativeName([x509.DNSName("nobody.example")]), critical=False)
                    .sign(key, hashes.SHA256()))
    return made


@pytest.fixture(autouse=True)
def own_memory():
    if sanitized():
        pytest.skip("a sanitized program has other memory")


class Growth:
    """Of the program, and of what it says that it holds."""

    def __init__(self, side):
        self.side, self.resident, self.held = side, resident(side), held(side)

    def now(self):
        return resident(self.side) - self.resident, held(self.side) - self.held


def get(host):
    return head(f"GET https://{host}/never HTTP/1.1", [("Host", host)])


def test_an_open_connection_holds_nothing_of_a_long_chain(intercepting, authority, chain):
    origin = Origin(tls=authority.server(HOST, chain=chain))
    origin.answer("/never", [60])
    side = intercepting({"limits": {"tls_sessions": 0}})

    def open_some(count):
        for _ in range(count):
            agents.append(Client(side.egress))
            agents[-1].send(get(f"{HOST}:{origin.port}"))
        wait_for("all requests", lambda: len(origin.seen("/never")) == len(agents))

    agents = []
    open_some(20)
    growth = Growth(side)
    open_some(60)
    grown, counted = growth.now()
    print(f"an open connection: {grown / 60 / KiB:.1f} KiB, counted {counted / 60 / KiB:.1f}")
    assert 16 * KiB < counted / 60 < 80 * KiB
    assert grown < 2 * counted + 2 * MiB
    for agent in agents:
        agent.close()
    origin.stop()


def test_nor_does_a_session_that_is_kept(intercepting, authority, chain):
    hosts = [f"127.0.0.{number}" for number in range(10, 90)]
    origin = Origin(host="0.0.0.0", tls=authority.server(*hosts, chain=chain))
    side = intercepting({"limits": {"memory": f"{LIMIT}B", "origin_idle_time": "500ms"}})
    assert ask(side.egress, "GET", f"https://{hosts[0]}:{origin.port}/bytes/1").status == 200
    growth = Growth(side)
    for host in hosts[1:]:
        assert ask(side.egress, "GET", f"https://{host}:{origin.port}/bytes/1").status == 200
    time.sleep(2)  # until nothing is open any more
    grown, counted = growth.now()
    print(f"{len(hosts)} sessions: {grown / MiB:.1f} MiB, counted {counted / MiB:.2f}")
    assert counted < MiB and grown < counted + 6 * MiB
    assert ask(side.egress, "GET", f"https://{hosts[-1]}:{origin.port}/bytes/1").status == 200
    origin.stop()


def certificate_to_come(size=60_000):
    """The beginning of an answer by TLS 1.2: a certificate of that size will follow."""
    body = b"\x03\x03" + b"r" * 32 + b"\0\xc0\x2f\0" + b"\0\x05\xff\x01\0\x01\0"
    hello = b"\x02" + len(body).to_bytes(3) + body
    announced = b"\x0b" + (size + 3).to_bytes(3) + size.to_bytes(3)
    return b"".join(b"\x16\x03\x03" + len(part).to_bytes(2) + part for part in (hello, announced))


class Stuck(Origin):
    """Gets no further with TLS than that: once it may, it says what is to come, and then no word."""

    def __init__(self, says=b""):
        self.says, self.go, self.taken = says, threading.Event(), []
        super().__init__()

    def _serve(self, sock, number):
        self.taken.append(sock)
        self.go.wait(30)
        with contextlib.suppress(OSError):
            sock.sendall(self.says)
            sock.recv(65536)
            sock.recv(1)


def test_handshakes_under_way_keep_to_the_limit(intercepting):
    """Those of 1,000 streams, which ask before anybody knows what they will hold: 45 KiB each."""
    origin = Stuck()
    side = intercepting({"limits": {"memory": f"{LIMIT}B", "h2_ping_time": "0s"}})
    assert held(side) < MiB
    growth, agents = Growth(side), []
    for _ in range(10):
        agents.append(H2Client(connect(side.egress)))
        for number in range(100):
            agents[-1].ask(f"{HOST}:{origin.port}", f"/{number}", scheme="https")
    wait_for("what they hold", lambda: held(side) > LIMIT / 2)
    time.sleep(1)
    grown, counted = growth.now()
    print(f"{len(origin.taken)} handshakes: {grown / MiB:.1f} MiB, counted {counted / MiB:.1f}")
    assert counted <= LIMIT and grown < 1.5 * LIMIT + 4 * MiB
    for agent in agents:
        agent.sock.close()
    origin.stop()
    wait_for("nothing held", lambda: held(side) < MiB)


def begin_directly(side, origin):
    agent = Client(side.egress)
    agent.send(get(f"{HOST}:{origin.port}"))
    return agent


def begin_in_a_tunnel(side, origin):
    agent = Client(side.egress)
    authority = f"{HOST}:{origin.port}"
    agent.send(head(f"CONNECT {authority} HTTP/1.1", [("Host", authority)]))
    assert agent.reader.head().status == 200
    agent.send(hello_for(HOST, context_of(side)))
    return agent


def is_answered(agent):
    return agent.response().status == 503


def is_cut(agent):
    """By a reset, and no word of TLS before it."""
    try:
        agent.sock.recv(1)
    except ConnectionResetError:
        return True
    return False


@pytest.mark.parametrize("begin, is_told", [(begin_directly, is_answered), (begin_in_a_tunnel, is_cut)])
def test_a_handshake_that_holds_most_is_given_up(begin, is_told, intercepting, origin, sink):
    """Their origin makes them grow when all have begun; who has another call under way is left alone."""
    origin.answer("/slow", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", 4, b"b"])
    stuck = Stuck(certificate_to_come())
    side = intercepting({"limits": {"memory": f"{LIMIT // 2}B"}})
    other = Client(side.egress)
    other.send(head(f"GET {origin.url('/slow')} HTTP/1.1", [("Host", "h")]))
    agents = [begin(side, stuck) for _ in range(50)]
    wait_for("fifty handshakes", lambda: len(stuck.taken) == len(agents))
    assert reactions(side) == (0, 0, 0) and held(side) > 50 * 32 * KiB
    stuck.go.set()
    wait_for("those that are given up", lambda: reactions(side)[2] > 0)
    time.sleep(0.5)
    given_up = int(reactions(side)[2])
    assert 0 < given_up < 45 and held(side) <= LIMIT // 2
    assert other.response().body == b"ab"
    spans = [span for span in sink.wait(given_up + 1) if span["attributes"]["sidespan.end"] == "limit"]
    assert len(spans) == given_up
    assert {span["attributes"]["error.type"] for span in spans} == {"overload"}
    assert [is_told(agent) for agent in agents if select.select([agent.sock], [], [], 0)[0]] == [True] * given_up
    assert side.metrics().total("sidespan_certificates_minted_total") == 0
    for agent in agents:
        agent.close()
    stuck.stop()


def test_certificates_that_are_minted_leave_room_for_requests(intercepting, authority):
    """All of them would fill the limit, and they are nobody's to be reset for."""
    hosts = [f"127.0.{net}.{number}" for net in (8, 9, 10) for number in range(1, 151)]
    origin = Origin(host="0.0.0.0", tls=authority.server(*hosts))
    side = intercepting({"limits": {"memory": f"{2 * MiB}B"}})
    context = context_of(side)
    for host in hosts:
        with Tunnel(side, origin, context, host=host) as agent:
            assert agent.get("/bytes/1", f"{host}:{origin.port}").status == 200
    metrics = side.metrics()
    assert metrics.total("sidespan_certificates_minted_total") == len(hosts)
    assert 20 < metrics.total("sidespan_certificates") < 30
    assert reactions(side)[1:] == (0, 0)
    before = cpu_seconds(side)
    time.sleep(1)
    assert cpu_seconds(side) - before < 0.5
    origin.stop()


def test_a_chain_that_is_too_long_is_refused_by_its_size(intercepting, authority, chain, sink):
    origin = Origin(tls=authority.server(HOST, chain=chain * 2))
    side = intercepting()
    answer = ask(side.egress, "GET", f"https://{HOST}:{origin.port}/echo")
    assert answer.status == 502
    assert f"{HOST}:{origin.port} shows more than 64 KiB of certificates".encode() in answer.body
    span, = sink.wait(1)
    assert span["attributes"]["error.type"] == "tls_failure"
    origin.stop()


@pytest.mark.parametrize("names, resumed", [(20, True), (500, False)])
def test_a_session_with_a_large_certificate_is_not_kept(names, resumed, intercepting, authority, sink):
    many = [x509.DNSName(HOST), *(x509.DNSName(f"host-{number}.example.com") for number in range(names))]
    origin = Origin(tls=authority.server(names=many))
    origin.answer("/close", [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "close"])
    side = intercepting()
    for count in (1, 2):
        assert ask(side.egress, "GET", f"https://{HOST}:{origin.port}/close").status == 200
        sink.wait(count)
    assert [span["attributes"]["tls.resumed"] for span in sink.spans] == [False, resumed]
    origin.stop()
