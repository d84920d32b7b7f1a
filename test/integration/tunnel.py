"""An agent's TLS through a tunnel of the sidecar's.

    with Tunnel(side, origin, context_of(side)) as agent:   # a Client by TLS, at the name that origins have here
        agent.get("/echo", f"{HOST}:{origin.port}")
"""

import ssl

from origin import Origin
from wire import Client, Reader, connect, head

HOST = "localhost"


def trusted(side):
    """The certificates that the sidecar wants agents to trust."""
    return side.config.parent / "state" / "trust" / "ca.pem"


def context_of(side, alpn=("http/1.1",)):
    context = ssl.create_default_context(cafile=trusted(side))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class Tunnel(Client):
    """A connection through the sidecar, with TLS of the agent's in it."""

    def __init__(self, side, origin, context, host=HOST, server_name=None, fields=()):
        authority = f"{host}:{origin.port}"
        sock = connect(side.egress)
        sock.sendall(head(f"CONNECT {authority} HTTP/1.1", [("Host", authority), *fields]))
        answer = Reader(sock).head()
        assert answer.status == 200, answer.raw
        self.sock = context.wrap_socket(sock, server_hostname=server_name or host)
        self.reader = Reader(self.sock)

    def get(self, path, host, headers=()):
        self.send(head(f"GET {path} HTTP/1.1", [("Host", host), *headers]))
        return self.response()


class Silent(Origin):
    """Takes connections, and never says a word."""

    def _serve(self, sock, number):
        self.held = sock
