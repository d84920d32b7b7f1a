"""W3C trace-context validation: 41 cases, of the egress as forward proxy and as base-URL route, and of sidespan around
a service.

    this test -> service -> sidespan -> callback
    this test -> sidespan -> service -> sidespan -> callback

The service has no tracing of its own. In front of the egress it hands every traceparent and tracestate line on exactly
as it came, so that what the callback sees is what sidespan made of it. Between ingress and egress it copies nothing:
sidespan alone links what comes in to what goes out. All run on raw sockets: an HTTP library would merge, reorder or
trim lines, and hide what the cases are about.
"""

import contextlib
import itertools
import json
import socket
import threading

import pytest

from origin import Origin
from otlp_sink import OtlpSink
from sidecar import Sidecar, exporting, merged
from w3c_cases import CASES, DISCRIMINATING, Outgoing
from wire import Reader, Truncated, ask

TRACE_LINES = (b"traceparent:", b"tracestate:")


class Service:
    """Makes the POST calls that a request's body lists, [{"url": …, "arguments": …}], and then answers it."""

    def __init__(self, sidecar=None, address_call=None, relays=True):
        """`sidecar`: whose egress its calls go through, which may be said later."""
        self.sidecar, self.address_call, self.relays = sidecar, address_call, relays
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            # A call that goes wrong ends this connection without an answer, and the next request is served all the same.
            with sock, contextlib.suppress(OSError, Truncated, AssertionError):
                request = Reader(sock).request()
                for call in json.loads(request.body):
                    self.call(call, request.raw.split(b"\r\n\r\n")[0].split(b"\r\n")[1:])
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def call(self, call, lines):
        copied = [line.decode("latin-1") for line in lines if line.lower().startswith(TRACE_LINES)]
        target, host = self.address_call(call["url"], self.sidecar)
        body = json.dumps(call["arguments"]).encode()
        ask(self.sidecar.egress, "POST", target, copied if self.relays else [], body, host)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def absolute_form(url, _):
    """What a client sends to its proxy: (target, Host)."""
    return url, url.split("/")[2]


def through_route(url, sidecar):
    """The route's base URL, http://SIDECAR/svc/, stands where the callback's own was."""
    return "/svc/" + url.split("/", 3)[3], "%s:%d" % sidecar.egress


class Send:
    """Calls the service, or who stands in front of it, with header lines and returns the context of what it called."""

    numbers = itertools.count()

    def __init__(self, address, callback):
        self.address, self.callback = address, callback

    def __call__(self, *lines):
        return self.calls(1, *lines)[0]

    def calls(self, count, *lines):
        path = f"/status/200/{next(self.numbers)}"
        wanted = [{"url": self.callback.url(path), "arguments": []}] * count
        answer = ask(self.address, "POST", "/", lines, json.dumps(wanted).encode(), "service.example")
        assert answer.status == 200
        arrived = self.callback.seen(path)
        assert len(arrived) == count, f"{len(arrived)} of {count} calls arrived"
        return [Outgoing(request) for request in arrived]


TOPOLOGIES = {"forward": absolute_form, "route": through_route}


@pytest.fixture(scope="module")
def callback():
    callback = Origin()
    yield callback
    callback.stop()


@pytest.fixture(scope="module")
def topology(request, callback, tmp_path_factory):
    """A sidecar for each topology, and the way in which the service addresses its calls."""
    sink = OtlpSink()
    config = exporting(sink.endpoint)
    if request.param == "route":
        config = merged(config, {"routes": [{"path": "/svc/", "to": callback.url("/")}]})
    with Sidecar(tmp_path_factory.mktemp(request.param), config) as sidecar:
        yield sidecar, TOPOLOGIES[request.param]
    sink.stop()


@pytest.fixture(scope="module")
def send(topology, callback):
    service = Service(*topology)
    yield Send(service.address, callback)
    service.stop()


@pytest.fixture(scope="module")
def send_around(callback, tmp_path_factory):
    """Through the ingress to a service that copies nothing, and through the egress."""
    sink, service = OtlpSink(), Service(address_call=absolute_form, relays=False)
    config = merged(exporting(sink.endpoint), {"listen": {"ingress": "127.0.0.1:0"},
                                               "ingress": {"forward_to": "127.0.0.1:%d" % service.address[1]}})
    with Sidecar(tmp_path_factory.mktemp("around"), config) as service.sidecar:
        yield Send(service.sidecar.ingress, callback)
    service.stop()
    sink.stop()


def marked(name):
    return pytest.param(name, marks=pytest.mark.discriminating if name in DISCRIMINATING else ())


@pytest.mark.parametrize("topology", TOPOLOGIES, indirect=True)
@pytest.mark.parametrize("case", [marked(name) for name in CASES])
def test_w3c(case, send):
    CASES[case](send)


@pytest.mark.parametrize("case", [marked(name) for name in CASES])
def test_w3c_around_a_service_that_copies_nothing(case, send_around):
    CASES[case](send_around)


@pytest.mark.parametrize("topology", ["forward"], indirect=True)
def test_the_suite_tells_a_hop_that_propagates_nothing(topology, callback):
    """A service that copies no line must fail exactly the discriminating sixteen, and pass the other 25."""
    service = Service(*topology, relays=False)
    failed = {name for name, case in CASES.items() if fails(case, Send(service.address, callback))}
    service.stop()
    assert failed == set(DISCRIMINATING)
    assert (len(CASES), len(CASES) - len(failed)) == (41, 25)


def fails(case, send):
    try:
        case(send)
    except AssertionError:
        return True
    return False
