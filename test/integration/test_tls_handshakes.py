"""Hellos that no TLS library here would write, and handshakes that somebody wants a second time."""

import socket
import ssl
import subprocess

import pytest

import peers
from certificates import write
from handshakes import hello
from test_path_tunnels import Plain
from test_tls_corners import connect_head, nobody, used_once
from tunnel import HOST, Tunnel, context_of, trusted
from wire import TIMEOUT, Client, Reader, Truncated, head, wait_for

OUTER = "public.example"


def hiding(name):
    """A hello to `name` with another one encrypted in it, or with the semblance of one: RFC 9849, section 5."""
    first = hello(ssl.create_default_context(), name)
    #         outer, HKDF-SHA256 and AES-128-GCM, config id, the key, the payload
    inner = b"\x00" + b"\x00\x01\x00\x01" + b"\x07" + b"\x00\x20" + b"k" * 32 + b"\x00\x90" + b"p" * 144
    added = b"\xfe\x0d" + len(inner).to_bytes(2) + inner
    body = bytearray(first[9:] + added)  # a record's head, and the message's
    at = 34  # behind version and random: session id, cipher suites, compression methods
    for width in (1, 2, 1):
        at += width + int.from_bytes(body[at:at + width])
    body[at:at + 2] = (int.from_bytes(body[at:at + 2]) + len(added)).to_bytes(2)
    message = b"\x01" + len(body).to_bytes(3) + body
    return first[:3] + len(message).to_bytes(2) + message


HELLOS = {
    "encrypted_hello": hiding(OUTER),
    "malformed_hello": b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",  # of a length that cannot be
}


@pytest.mark.parametrize("reason", HELLOS)
def test_a_hello_that_may_be_for_anybody_meets_the_origin_itself(reason, intercepting, sink):
    first, heard = HELLOS[reason], []

    def answer(sock):
        heard.append(Reader(sock).exactly(len(first)))
        sock.sendall(b"what it says to that")

    origin = Plain(answer)
    side = intercepting()
    with Client(side.egress) as agent:
        agent.send(connect_head(f"{HOST}:{origin.port}"))
        assert agent.reader.head().status == 200
        agent.send(first)
        assert agent.reader.rest() == b"what it says to that"
    assert heard == [first]
    (span,) = sink.wait(1)
    assert (span["name"], span["status"], span["attributes"]["sidespan.mode"]) == ("CONNECT", "UNSET", "tunnel")
    assert span["attributes"]["sidespan.tunnel.reason"] == reason
    assert span["attributes"].get("sidespan.tls.server_name") == (OUTER if reason == "encrypted_hello" else None)
    assert side.metrics().total("sidespan_tunnels_opaque_total", reason=reason) == 1
    assert side.metrics().total("sidespan_certificates_minted_total") == 0
    origin.stop()


def test_one_that_hides_its_host_is_refused_where_that_is_wanted(intercepting, sink):
    heard = []

    def listen(sock):
        try:
            heard.append(sock.recv(1))
        except ConnectionResetError:
            heard.append(b"")

    origin = Plain(listen)
    side = intercepting(mismatch="refuse", bypass=[HOST])
    with Client(side.egress) as agent:
        agent.send(connect_head(f"{HOST}:{origin.port}"))
        assert agent.reader.head().status == 200
        agent.send(hiding(OUTER))
        with pytest.raises((OSError, Truncated)):
            agent.reader.exactly(1)
    (span,) = sink.wait(1)
    assert (span["attributes"]["error.type"], span["attributes"]["sidespan.end"]) == ("denied", "refused")
    assert span["attributes"]["sidespan.tunnel.reason"] == "encrypted_hello"
    wait_for("the origin's end", lambda: heard)
    assert heard == [b""]
    origin.stop()


def test_one_that_names_the_host_of_connect_hides_nothing(intercepting, tls_origin, sink):
    """As browsers send it to everybody: we answer, for the origin that was verified."""
    side = intercepting(mismatch="refuse")
    with Client(side.egress) as agent:
        agent.send(connect_head(f"{HOST}:{tls_origin.port}"))
        assert agent.reader.head().status == 200
        agent.send(hiding(HOST))
        assert agent.reader.exactly(3) == b"\x16\x03\x03"
    (span,) = sink.wait(1)
    assert span["attributes"]["sidespan.mode"] == "intercept"
    assert "sidespan.tunnel.reason" not in span["attributes"]
    assert tls_origin.handshakes == [None]
    assert side.metrics().total("sidespan_certificates_minted_total") == 1


# renegotiation, which TLS 1.3 has no more


class OpenSsl(Client):
    """The command: what we send is typed, what we read is on its terminal."""

    def __init__(self, *arguments):
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(TIMEOUT)
        self.reader = Reader(self.sock)
        with theirs:
            self.process = subprocess.Popen([peers.installed("openssl"), *map(str, arguments)], stdin=theirs,
                                            stdout=theirs, stderr=theirs)

    def close(self):
        self.process.kill()
        self.process.wait()
        super().close()


def test_an_agent_that_wants_another_handshake_gets_none(intercepting, tls_origin, sink):
    side = intercepting()
    host = f"{HOST}:{tls_origin.port}"
    with OpenSsl("s_client", "-proxy", f"127.0.0.1:{side.egress[1]}", "-connect", host, "-servername", HOST, "-CAfile",
                 trusted(side), "-verify_return_error", "-tls1_2") as agent:
        agent.reader.until(b"Verify return code: 0 (ok)")
        agent.send(head("GET /bytes/9 HTTP/1.1", [("Host", host)]))
        agent.reader.until(b"xxxxxxxxx")
        agent.send(b"R\n")
        agent.reader.until(b"RENEGOTIATING")
        assert b"no renegotiation" in agent.reader.rest()
        wait_for("nobody", lambda: nobody(side))
    (span,) = sink.wait(1)
    assert (span["status"], span["attributes"]["sidespan.end"]) == ("UNSET", "complete")
    assert len(tls_origin.handshakes) == 1  # the origin's connection is good for others
    used_once(side, tls_origin)
    assert tls_origin.connections == 1


def test_nor_does_an_origin(intercepting, authority, sink, tmp_path):
    certificate, key = authority.leaf(HOST)
    files = write(tmp_path, "origin", [certificate], key)
    side = intercepting()
    with OpenSsl("s_server", "-accept", "0", "-cert", files[0], "-key", files[1], "-tls1_2") as origin:
        origin.reader.until(b"ACCEPT ")
        origin.port = int(origin.reader.until(b"\n").rpartition(b":")[2])
        with Tunnel(side, origin, context_of(side)) as agent:
            agent.send(head("GET /again HTTP/1.1", [("Host", f"{HOST}:{origin.port}")]))
            origin.reader.until(b"\r\n\r\n")
            origin.send(b"r\n")
            answer = agent.response()
        assert answer.status == 502 and answer.get("proxy-status").startswith("sidespan; error=tls_")
        origin.reader.until(b"no renegotiation")
    (span,) = sink.wait(1)
    assert (span["status"], span["attributes"]["error.type"]) == ("ERROR", "tls_failure")
    wait_for("nobody", lambda: nobody(side))
