"""TLS handshakes with the sidecar that are broken off, many a second; a program of its own, so that its speed is not
the test's.

    handshakes.py EGRESS_PORT ORIGIN_PORT COUNT A_SECOND SEED

Prints a JSON line: how many of each kind, the statuses of CONNECT, and the seconds it took. Each hello names another
host, since one that was refused would pass unopened from then on.
"""

import collections
import contextlib
import json
import random
import socket
import ssl
import struct
import sys
import time

WILD = "many.example"
RESET = struct.pack("ii", 1, 0)


def hello(context, name):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def nothing(sock, first, chance):
    pass


def part(sock, first, chance):
    sock.sendall(first[:chance.randrange(1, len(first))])


def whole(sock, first, chance):
    sock.sendall(first)


def greeted(sock, first, chance):
    sock.sendall(first)
    sock.recv(65536)


def answered_with_nonsense(sock, first, chance):
    greeted(sock, first, chance)
    sock.sendall(b"\x16\x03\x03" + struct.pack(">H", 64) + chance.randbytes(chance.randrange(64)))


def garbage_hello(sock, first, chance):
    sock.sendall(first[:5] + chance.randbytes(len(first) - 5))


def noise(sock, first, chance):
    sock.sendall(b"\x00" + chance.randbytes(chance.randrange(2000)))


def half_records(sock, first, chance):
    """The hello in records of some bytes each, of which the last is cut."""
    body, records = first[5:], b""
    while body:
        size = chance.randrange(1, 100)
        piece, body = body[:size], body[size:]
        records += first[:3] + struct.pack(">H", len(piece)) + piece
    sock.sendall(records[:-chance.randrange(1, 5)])


KINDS = [nothing, part, whole, greeted, answered_with_nonsense, garbage_hello, noise, half_records]


def break_off(egress, origin, context, number, chance):
    """(the kind, CONNECT's status); by FIN or by RST."""
    kind = KINDS[number % len(KINDS)]
    host = f"127.0.0.1:{origin}"
    with socket.create_connection(("127.0.0.1", egress), timeout=20) as sock:
        sock.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        status = sock.recv(4096)[9:12].decode()
        kind(sock, hello(context, f"h{number}.{WILD}"), chance)
        if chance.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return kind.__name__, status


def main(egress, origin, count, a_second, seed):
    chance, context = random.Random(seed), ssl.create_default_context()
    kinds, statuses = collections.Counter(), collections.Counter()
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0, began + number / a_second - time.monotonic()))
        kind, status = break_off(egress, origin, context, seed * 1_000_000 + number, chance)
        kinds[kind] += 1
        statuses[status] += 1
    print(json.dumps({"kinds": kinds, "statuses": statuses, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
