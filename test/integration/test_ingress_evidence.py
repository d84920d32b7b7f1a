"""Whose a call of the agent's is that says nothing: the only request in flight on the ingress, or nobody's."""

import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode

import pytest

from agent_server import AgentServer, behind
from test_model_websocket import Talk, answer, create
from wire import Client, ask, head, wait_for

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def agent(origin):
    agent = AgentServer()
    agent.origin = origin
    yield agent
    agent.stop()


@pytest.fixture
def side(sidecar, agent):
    """A sidecar around the agent."""
    side = sidecar(behind(agent.port))
    agent.egress = side.egress
    return side


def is_served(span):
    return span["kind"] == "SERVER"


def name_of(span):
    """`7` of /work/7, and of the URLs that are called for it."""
    found = span["attributes"]
    return found["url.path"].split("/")[2] if is_served(span) else found["url.full"].split("/")[-1].split(".")[0]


def tree(spans):
    """({name: server span}, [(call, the server span it was made for)])."""
    served = {name_of(span): span for span in spans if is_served(span)}
    return served, [(span, served[name_of(span)]) for span in spans if not is_served(span)]


def belongs(call, served):
    found = call["attributes"]
    return (call["trace_id"] == served["trace_id"] and call["parent_id"] == served["span_id"]
            and found["sidespan.parent.source"] == "ingress"
            and found["sidespan.execution.id"] == served["span_id"]
            and found["sidespan.execution.source"] == "ingress")


def is_nobodys(call):
    found = call["attributes"]
    return (not call["parent_id"] and found["sidespan.parent.source"] == "root"
            and "sidespan.execution.id" not in found)


@pytest.mark.parametrize("workers", [1, 3])
def test_one_request_after_another(sidecar, agent, sink, workers):
    """All of their calls belong to them, on connections that are kept and on fresh ones, with probes in between."""
    side = sidecar(behind(agent.port) | {"workers": workers})
    agent.egress = side.egress
    agent.between = lambda name: ask(side.ingress, "GET", "/healthz", host="h") if int(name) % 10 == 0 else None
    requests = 200
    with Client(side.ingress) as client:
        for number in range(requests):
            if number % 4:
                assert client.ask("GET", f"/work/{number}", host="agent.example").status == 200
            else:
                assert ask(side.ingress, "GET", f"/work/{number}", host="agent.example").status == 200
    served, calls = tree(sink.wait(4 * requests, timeout=60))
    assert (len(served), len(calls)) == (requests, 3 * requests)
    lost = [call["attributes"]["url.full"] for call, request in calls if not belongs(call, request)]
    assert not lost
    for span in served.values():
        assert not span["parent_id"]
        assert span["attributes"]["sidespan.execution.id"] == span["span_id"]
    assert side.metrics().total("sidespan_span_parents_total", source="ingress") == 3 * requests
    assert side.metrics().total("sidespan_requests_total", listener="ingress", status_class="2xx") == requests + 60


@pytest.mark.parametrize("clients", [2, 5])
def test_several_requests_at_once(side, agent, sink, clients):
    """Never a wrong one, and now and then a right one."""
    agent.pause = 0.001
    requests = 100 * clients

    def drive(first):
        with Client(side.ingress) as client:
            for number in range(first, requests, clients):
                assert client.ask("GET", f"/work/{number}", host="agent.example").status == 200
                time.sleep(0.004 * (number % 3))

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(drive, range(clients)))
    served, calls = tree(sink.wait(4 * requests, timeout=60))
    assert (len(served), len(calls)) == (requests, 3 * requests)
    outcomes = Counter("right" if belongs(call, request) else "none" if is_nobodys(call) else "wrong"
                       for call, request in calls)
    assert outcomes["wrong"] == 0, outcomes
    assert outcomes["none"] > 0, outcomes


def test_a_call_that_was_under_way_before_makes_the_next_request_no_evidence(side, agent, origin, sink):
    gate = threading.Event()
    origin.answer("/background", [lambda sock, reader, request: gate.wait(20), b"HTTP/1.1 204 No Content\r\n\r\n"])
    with Client(side.egress) as background:
        background.send(head(f"GET {origin.url('/background')} HTTP/1.1", [("Host", "h")]))
        wait_for("the call", lambda: origin.seen("/background"))
        ask(side.ingress, "GET", "/work/1", host="h")
        gate.set()
        background.response()
    ask(side.ingress, "GET", "/work/2", host="h")
    spans = [span for span in sink.wait(9) if "background" not in span["attributes"].get("url.full", "")]
    _, calls = tree(spans)
    assert all(is_nobodys(call) for call, request in calls if name_of(request) == "1")
    assert all(belongs(call, request) for call, request in calls if name_of(request) == "2")


def test_what_only_stays_open_is_no_call_under_way(side, agent, origin, sink):
    """A tunnel that the agent keeps, and a stream of events that it has subscribed to."""
    gate = threading.Event()
    origin.answer("/events", [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n",
                              lambda sock, reader, request: gate.wait(20)])
    with Client(side.egress) as tunnel, Client(side.egress) as events:
        authority = f"127.0.0.1:{origin.port}"
        tunnel.send(head(f"CONNECT {authority} HTTP/1.1", [("Host", authority)]))
        tunnel.reader.until(b"\r\n\r\n")
        tunnel.send(b"\x00opaque")
        events.send(head(f"GET {origin.url('/events')} HTTP/1.1", [("Host", "h")]))
        events.reader.until(b"hello\n\n")
        ask(side.ingress, "GET", "/work/1", host="h")
        served, calls = tree(sink.wait(4))
        gate.set()
    assert len(calls) == 3 and all(belongs(call, request) for call, request in calls)


def test_a_request_that_is_not_a_probe_but_ignored_is_no_evidence_either(sidecar, agent, sink):
    side = sidecar(behind(agent.port, ignore=["/work/1"]))
    agent.egress = side.egress
    ask(side.ingress, "GET", "/work/1", host="h")
    calls = sink.wait(3)
    assert all(is_nobodys(call) for call in calls)
    ask(side.ingress, "GET", "/healthz", host="h")  # `probes` is not in this list
    assert [span["attributes"]["url.path"] for span in sink.wait(4) if is_served(span)] == ["/healthz"]


def test_the_agents_own_context_comes_first(side, agent, origin, sink):
    """In the request's trace the call is the request's all the same; in another it is not."""
    gate = threading.Event()
    agent.between = lambda name: gate.wait(20)
    request = threading.Thread(target=ask, args=(side.ingress, "GET", "/work/1", [("traceparent", f"00-{TRACE}-{PARENT}-01")]),
                               kwargs={"host": "h"})
    request.start()
    wait_for("the request", lambda: "/work/1" in agent.seen)
    for trace in (TRACE, "1" * 32):
        ask(side.egress, "GET", origin.url(f"/status/200/own.{trace[0]}"), [("traceparent", f"00-{trace}-{'2' * 16}-01")])
    gate.set()
    request.join()
    spans = sink.wait(6)
    served, = filter(is_served, spans)
    mine, other = [span for span in spans if "own." in span["attributes"].get("url.full", "")]
    assert served["trace_id"] == TRACE and served["parent_id"] == PARENT
    for span in (mine, other):
        assert span["attributes"]["sidespan.parent.source"] == "wire" and span["parent_id"] == "2" * 16
    assert mine["attributes"]["sidespan.execution.id"] == served["span_id"]
    assert "sidespan.execution.id" not in other["attributes"]


def test_state_and_baggage_of_the_request_go_along(side, agent, origin, sink):
    lines = [("traceparent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "a=1,b=2"), ("baggage", "user=7")]
    ask(side.ingress, "GET", "/work/1", lines, host="h")
    seen = agent.seen["/work/1"]
    assert (seen["tracestate"], seen["baggage"]) == ("a=1,b=2", "user=7")
    served, calls = tree(sink.wait(4))
    assert seen["traceparent"] == f"00-{TRACE}-{served['1']['span_id']}-01"
    for call, request in calls:
        sent, = origin.seen("/" + call["attributes"]["url.full"].split("/", 3)[3])
        assert sent.get("traceparent") == f"00-{TRACE}-{call['span_id']}-01"
        assert (sent.get("tracestate"), sent.get("baggage")) == ("a=1,b=2", "user=7")
        assert belongs(call, request)


def test_what_is_not_sampled_stays_so(side, agent, origin, sink):
    ask(side.ingress, "GET", "/work/1", [("traceparent", f"00-{TRACE}-{PARENT}-00")], host="h")
    ask(side.ingress, "GET", "/work/2", host="h")
    served, _ = tree(sink.wait(4))
    assert list(served) == ["2"] and len(sink.quiet()) == 4
    for number in range(3):
        sent, = origin.seen(f"/status/200/1.{number}")
        assert sent.get("traceparent").startswith(f"00-{TRACE}-") and sent.get("traceparent").endswith("-00")


def test_a_form_is_what_tells_two_requests_apart(sidecar, origin, sink):
    """It is whole before the server is reached, and what it says is in the calls that are made for it."""
    both = threading.Barrier(2)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            both.wait(20)
            words = {"role": "user", "content": form["question"][0]}
            with Client(side.egress) as client:
                client.ask("POST", origin.url(f"/{form['name'][0]}/chat/completions"), [("Content-Type", "application/json")],
                           json.dumps({"model": "gpt-5-mini", "messages": [words]}).encode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    side = sidecar(behind(server.server_address[1]))
    names = {"ada": "Where is the parcel of order QK-482913?", "bob": "Who has taken the crate XW-770215?"}

    def one(name):
        body = urlencode({"question": names[name], "name": name}).encode()
        with Client(side.ingress) as client:
            return client.ask("POST", "/chat?" + name, [("Content-Type", "application/x-www-form-urlencoded")], body,
                              host="h").status

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(one, names)) == [204, 204]
    server.shutdown()
    server.server_close()
    spans = sink.wait(4)
    for name in names:
        served, = [span for span in spans if is_served(span) and span["attributes"]["url.query"] == name]
        call, = [span for span in spans if f"/{name}/" in span["attributes"].get("url.full", "")]
        assert call["parent_id"] == served["span_id"] and call["trace_id"] == served["trace_id"]
        assert call["attributes"]["sidespan.parent.source"] == "echo"


def test_switched_off(sidecar, agent, sink):
    side = sidecar(behind(agent.port) | {"context": {"sources": ["wire"]}})
    agent.egress = side.egress
    ask(side.ingress, "GET", "/work/1", host="h")
    _, calls = tree(sink.wait(4))
    assert len(calls) == 3 and all(is_nobodys(call) for call, _ in calls)


class Scripted:
    """An agent that does for each path what its script says, given the request's handler; and may go on afterwards."""

    def __init__(self, sidecar, origin, **config):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(this):  # noqa: N805
                self.scripts[this.path.split("/")[1]](this)

            def log_message(this, *_):  # noqa: N805
                pass

        self.origin, self.scripts = origin, {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.side = sidecar(behind(self.server.server_address[1]) | config)

    def answer(self, handler, status=200):
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def call(self, name):
        """Without a body: nothing but who is in flight says for whom."""
        assert ask(self.side.egress, "GET", self.origin.url(f"/status/200/{name}.0")).status == 200

    def ask_model(self, name, wants_tool):
        message = {"role": "assistant", "content": None if wants_tool else "Done."}
        if wants_tool:
            message["tool_calls"] = [{"id": f"call_{name}", "type": "function",
                                      "function": {"name": "look", "arguments": json.dumps({"at": f"shelf {name}"})}}]
        finish = "tool_calls" if wants_tool else "stop"
        body = json.dumps({"id": f"chatcmpl-{name}", "model": "gpt-5-mini", "object": "chat.completion",
                           "choices": [{"index": 0, "finish_reason": finish, "message": message}]}).encode()
        self.origin.answer(f"/{name}/chat/completions", [
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body])
        question = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": f"What is on shelf {name}?"}]}
        ask(self.side.egress, "POST", self.origin.url(f"/{name}/chat/completions"), [("Content-Type", "application/json")],
            json.dumps(question).encode())

    def get(self, path):
        return ask(self.side.ingress, "GET", path, host="h")

    def during(self, path, act):
        """A request that is in flight while `act` runs, and makes a call of its own then."""
        name = path.split("/")[1]

        def script(handler):
            act()
            self.call(name)
            self.answer(handler)

        self.scripts[name] = script
        assert self.get(path).status == 200

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def scripted(sidecar, origin):
    agent = Scripted(sidecar, origin)
    yield agent
    agent.stop()


def call_of(spans, name):
    found, = [span for span in spans if span["attributes"].get("url.full", "").endswith(f"/{name}.0")]
    return found


def request_of(spans, name):
    found, = [span for span in spans if is_served(span) and span["attributes"]["url.path"] == f"/{name}"]
    return found


@pytest.mark.parametrize("status", [202, 408, 503, 504])
def test_work_that_goes_on_after_accepted_or_too_late_is_not_the_next_requests(scripted, sink, status):
    scripted.scripts["first"] = lambda handler: scripted.answer(handler, status)
    assert scripted.get("/first").status == status
    scripted.during("/second", lambda: scripted.call("rest"))
    spans = sink.wait(4)
    assert is_nobodys(call_of(spans, "rest")) and is_nobodys(call_of(spans, "second"))


DAMAGED = "My parcel to Trondheim was damaged, who pays for the broken violin inside?"
REBOOK = "Please rebook the conference room Everest for Thursday afternoon, nine people."


def test_what_is_done_for_a_request_that_was_answered_is_not_the_next_ones(sidecar, origin, sink):
    """It says only what that one brought, and goes on behind an answer that is no 202."""
    parcel, room = DAMAGED, REBOOK
    agent = Scripted(sidecar, origin)
    origin.answer("/v1/chat/completions", answer_of_model("Noted."))

    def second(handler):
        ask_model(agent, origin, parcel)
        ask(agent.side.egress, "POST", origin.url("/facts/stored.0"), [("Content-Type", "application/json")],
            json.dumps({"fact": parcel}).encode())
        agent.call("second")
        agent.answer(handler)

    agent.scripts["second"] = second
    agent.scripts["first"] = agent.answer
    for name, text in (("first", parcel), ("second", room)):
        assert agent.get(f"/{name}/?{urlencode({'q': text})}").status == 200
    spans = sink.wait(5, where=lambda span: span["attributes"].get("url.full") or is_served(span))
    first, = [span for span in spans if is_served(span) and span["attributes"]["url.path"] == "/first/"]
    chat, = [span for span in spans if span["attributes"].get("gen_ai.operation.name") == "chat"]
    assert chat["trace_id"] not in {span["trace_id"] for span in spans if is_served(span)}
    assert first["span_id"] in [link["span_id"] for link in chat["links"]]
    stored, = [span for span in spans if span["attributes"].get("url.full", "").endswith("/stored.0")]
    assert is_nobodys(stored)
    assert is_nobodys(call_of(spans, "second"))
    agent.stop()


def answer_of_model(text):
    body = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": text},
                                    "finish_reason": "stop"}]}).encode()
    return [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)]


def ask_model(agent, origin, prompt, path=""):
    body = json.dumps({"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}]}).encode()
    ask(agent.side.egress, "POST", origin.url(path + "/v1/chat/completions"), [("Content-Type", "application/json")], body)


def ask_beside(sidecar, origin, sink, brought, own, prompt):
    """While /first/ is in flight with what it brought, /second/ has a model asked. That call, and all spans."""
    agent = Scripted(sidecar, origin)
    origin.answer("/v1/chat/completions", answer_of_model("On Monday."))
    up, go = threading.Event(), threading.Event()

    def first(handler):
        up.set()
        go.wait(10)
        agent.answer(handler)

    def second(handler):
        ask_model(agent, origin, prompt)
        agent.answer(handler)

    agent.scripts |= {"first": first, "second": second}
    waiting = threading.Thread(target=lambda: agent.get(f"/first/?{urlencode(brought)}"))
    waiting.start()
    up.wait(5)
    assert agent.get(f"/second/?{urlencode(own)}").status == 200
    go.set()
    waiting.join()
    spans = sink.wait(3, where=lambda span: is_served(span) or span["attributes"].get("gen_ai.operation.name") == "chat")
    chat, = [span for span in spans if not is_served(span)]
    agent.stop()
    return chat, spans


def go_on_behind_an_answer(sidecar, origin, sink, rest, count, before=None, beside=None):
    """/first/ has its answer; `rest`, and a call that says nothing, go on while /second/ is in flight. Whose the `count`
    calls are, by path."""
    agent = Scripted(sidecar, origin)
    for path in ("/a", "/b", "/m"):
        origin.answer(path + "/v1/chat/completions", answer_of_model("Noted."))
    up, done = threading.Event(), threading.Event()

    def go_on():
        up.wait(5)
        rest(agent)
        agent.call("rest")
        done.set()

    def first(handler):
        if before:
            before(agent)
        agent.answer(handler)
        threading.Thread(target=go_on).start()

    def second(handler):
        up.set()
        done.wait(10)
        if beside:
            beside(agent)
        agent.answer(handler)

    agent.scripts |= {"first": first, "second": second}
    for name, text in (("first", DAMAGED), ("second", REBOOK)):
        assert agent.get(f"/{name}/?{urlencode({'q': text})}").status == 200
    spans = sink.wait(2 + count, where=lambda span: span["attributes"].get("url.full") or is_served(span))
    served = {span["trace_id"]: span["attributes"]["url.path"] for span in spans if is_served(span)}
    agent.stop()
    return {span["attributes"]["url.full"].split("/", 3)[3]: served.get(span["trace_id"]) for span in spans if not is_served(span)}


@pytest.mark.parametrize("used", [True, False], ids=["used before", "not used before"])
def test_what_goes_on_behind_an_answer_while_the_next_request_has_a_text_of_its_own(sidecar, origin, sink, used):
    def remember(agent):
        ask_model(agent, origin, "Extract what is worth remembering of the user.\n" + DAMAGED, "/m")
        ask(agent.side.egress, "POST", origin.url("/facts/stored.0"), [("Content-Type", "application/json")],
            json.dumps({"fact": DAMAGED}).encode())

    whose = go_on_behind_an_answer(sidecar, origin, sink, remember, 4 + used,
                                   before=(lambda agent: ask_model(agent, origin, DAMAGED, "/a")) if used else None,
                                   beside=lambda agent: ask_model(agent, origin, REBOOK, "/b"))
    assert whose.pop("b/v1/chat/completions") == "/second/"
    assert not used or whose.pop("a/v1/chat/completions") == "/first/"
    assert len(whose) == 3 and set(whose.values()) == {None}


@pytest.mark.parametrize("lines, rest, wait", [
    ((), "", 0.5),
    ((("Expect", "100-continue"),), "", 0.5),
    ((), "x " * 200_000, 0),
], ids=["late", "asks first", "too long to be waited for"])
def test_what_a_late_body_tells_of_is_known_to_go_on(sidecar, origin, sink, lines, rest, wait):
    """Its own head has gone by then, with the trace of the request that is in flight; what follows is nobody's."""
    body = json.dumps({"fact": DAMAGED, "rest": rest}).encode()

    def remember(agent):
        with Client(agent.side.egress) as client:
            client.send(head(f"POST {origin.url('/facts/stored.0')} HTTP/1.1",
                             [("Host", "h"), ("Content-Type", "application/json"), ("Content-Length", str(len(body))), *lines]))
            time.sleep(wait)
            client.send(body)
            assert client.response().status == 200

    whose = go_on_behind_an_answer(sidecar, origin, sink, remember, 2)
    assert whose["facts/stored.0"] == "/second/"
    assert whose["status/200/rest.0"] is None


def test_a_call_over_a_websocket_that_tells_of_what_an_answered_request_brought(sidecar, origin, sink):
    noted = answer(1)

    def remember(agent):
        talk = Talk(agent.side, origin, [noted])
        talk.ask(create({"role": "user", "content": DAMAGED}), noted)
        talk.end()

    whose = go_on_behind_an_answer(sidecar, origin, sink, remember, 3)
    assert whose["status/200/rest.0"] is None


def test_two_that_began_alike_are_told_apart_by_what_their_requests_brought(sidecar, origin, sink):
    """A suggested question, and the answer that all get."""
    agent = Scripted(sidecar, origin)
    can = "I can track your parcels, change your address and rebook rooms for you."
    origin.answer("/a/v1/chat/completions", answer_of_model(can))
    origin.answer("/b/v1/chat/completions", answer_of_model("Done."))
    question = {"role": "user", "content": "What can you do for me?"}
    up, go = threading.Event(), threading.Event()

    def first(handler):
        ask_model(agent, origin, question["content"], "/a")
        up.set()
        go.wait(10)
        agent.answer(handler)

    def second(handler):
        body = {"model": "gpt-5-mini",
                "messages": [question, {"role": "assistant", "content": can}, {"role": "user", "content": REBOOK}]}
        ask(agent.side.egress, "POST", origin.url("/b/v1/chat/completions"), [("Content-Type", "application/json")],
            json.dumps(body).encode())
        agent.answer(handler)

    agent.scripts |= {"first": first, "second": second}
    waiting = threading.Thread(target=lambda: agent.get(f"/first/?{urlencode({'q': question['content']})}"))
    waiting.start()
    assert up.wait(10)
    assert agent.get(f"/second/?{urlencode({'q': REBOOK})}").status == 200
    go.set()
    waiting.join()
    spans = sink.wait(4, where=lambda span: span["attributes"].get("url.full") or is_served(span))
    agent.stop()
    first_request, = [span for span in spans if is_served(span) and span["attributes"]["url.path"] == "/first/"]
    own, = [span for span in spans if span["attributes"].get("url.full", "").endswith("/a/v1/chat/completions")]
    other, = [span for span in spans if span["attributes"].get("url.full", "").endswith("/b/v1/chat/completions")]
    assert own["parent_id"] == first_request["span_id"]
    assert other["trace_id"] != first_request["trace_id"]


TICKETS = ("You answer questions of our staff from the tickets below alone, in one sentence, and you say so where they do not "
           "tell.\n\nTickets:\n{}\nThe invoice of last month was paid twice, and nobody answered the mail about it so far.\nThe "
           "password reset does not reach him, not even in the folder for spam.\n\nQuestion: {}\nAnswer:")


@pytest.mark.parametrize("brought, prompt", [
    ("Where is my order QK-482913 please?",
     "Summarise the open tickets of this customer for the weekly meeting, one line each.\n- The invoice of last month was paid "
     "twice, and nobody answered the mail about it so far.\n- The parcel of his sister, QK-482913, went to the wrong street, and "
     "he wants it to be sent again.\n- The password reset does not reach him."),
    ("My address is billing@example.com",
     "Summarise the page for our customers, one line each.\nWho has a question about an invoice writes to billing@example.com "
     "and gets an answer within two days.\nThe office is closed on public holidays."),
    ("billing@example.com",
     "Write to all of these that the office is closed on Monday, in a friendly tone.\nsales@example.com\nbilling@example.com"),
    ("5f0c1b8e-3a52-4d0e-9f43-0b7f0a6c1d11", TICKETS.format("Order: 5f0c1b8e-3a52-4d0e-9f43-0b7f0a6c1d11", "Is it urgent?")),
    ("Anna Katharina Schneider\nLange Reihe 27, 20099 Hamburg",
     TICKETS.format("Anna Katharina Schneider\nLange Reihe 27, 20099 Hamburg", "Is it urgent?")),
    (DAMAGED, TICKETS.format(DAMAGED, "Is it urgent?")),
], ids=["an order", "an address", "an address on its line", "behind a label", "several", "a sentence that who brought nothing reads"])
def test_what_another_request_brought_takes_no_models_call(sidecar, origin, sink, brought, prompt):
    chat, spans = ask_beside(sidecar, origin, sink, {"q": brought}, {"customer": 5}, prompt)
    assert chat["trace_id"] not in {span["trace_id"] for span in spans if is_served(span)}


@pytest.mark.parametrize("question", ["Who pays for it?", "Is a violin insured?", "Which ticket is urgent?", "Parcels of QK-482913?"])
def test_a_question_and_what_another_request_brought_are_two_parents(sidecar, origin, sink, question):
    """Among the tickets is the one that the other request is about, whose sentence weighs more."""
    chat, spans = ask_beside(sidecar, origin, sink, {"q": DAMAGED}, {"q": question}, TICKETS.format(DAMAGED, question))
    served = {span["span_id"]: span["trace_id"] for span in spans if is_served(span)}
    assert chat["trace_id"] not in served.values()
    assert {link["span_id"] for link in chat["links"]} == set(served)


def test_what_a_job_of_the_agents_own_had_a_model_say_is_no_request_s(sidecar, origin, sink):
    """Its planner says a step in words, and it is under way while a request is."""
    step = "Research how the harbour of Trondheim was used for the trade of fish since 1850."
    agent = Scripted(sidecar, origin)
    origin.answer("/a/v1/chat/completions", answer_of_model(f"The plan:\n{step}\nWrite a summary of what was found for the reader."))
    origin.answer("/x/v1/chat/completions", answer_of_model("Found."))

    def script(handler):
        ask_model(agent, origin, TICKETS.format("None.", "None.") + f"\nThe step to do now:\n{step}", "/x")
        agent.call("own")
        agent.answer(handler)

    agent.scripts["second"] = script
    ask_model(agent, origin, "Please plan the nightly work on the archive of the museum of the harbour, step by step.", "/a")
    assert agent.get("/second/?x=1").status == 200
    spans = sink.wait(4, where=lambda span: is_served(span) or span["attributes"].get("url.full"))
    served, = [span for span in spans if is_served(span)]
    planner, executor = sorted((span for span in spans if span["attributes"].get("gen_ai.operation.name") == "chat"),
                               key=lambda span: span["start"])
    assert executor["trace_id"] not in (served["trace_id"], planner["trace_id"])
    assert [link["trace_id"] for link in executor["links"]] == [planner["trace_id"]]
    assert belongs(call_of(spans, "own"), served)
    agent.stop()


@pytest.mark.parametrize("prompt", ["{}", "You answer questions about our shop, from these pages alone.\n\nPage 12: All parcels are "
                                    "insured up to 500 EUR, and who sends violins pays more.\nPage 40: We have no shop in "
                                    "Norway.\n\nQuestion: {}\nAnswer:"], ids=["alone", "in a template"])
def test_what_a_request_brought_tells_its_models_call_from_another_ones(sidecar, origin, sink, prompt):
    chat, spans = ask_beside(sidecar, origin, sink, {"q": "Please rebook the conference room Everest."}, {"q": "And who pays for the broken violin?"}, prompt.format("And who pays for the broken violin?"))
    served, = [span for span in spans if is_served(span) and span["attributes"]["url.path"] == "/second/"]
    assert chat["trace_id"] == served["trace_id"] and chat["attributes"]["sidespan.parent.source"] == "echo"


@pytest.mark.parametrize("ids", [("", ""), ("k3J9xQ72LmTz81Ab", "k3J9xQ72LmTz81Ab"),
                                 ("5f0c1b8e-3a52-4d0e-9f43-0b7f0a6c1d11", "c9a7d3f2-88b1-4c60-a1de-6e4f2b9c7a55")],
                         ids=["none", "a session", "of messages"])
def test_what_an_earlier_request_brought_is_said_again_for_the_next_one(sidecar, origin, sink, ids):
    """As in every conversation whose agent keeps it, and puts all of it into one prompt."""
    agent = Scripted(sidecar, origin)
    origin.answer("/v1/chat/completions", answer_of_model("On Monday."))
    said = []

    def script(handler):
        said.append(parse_qs(handler.path.partition("?")[2])["q"][0])
        ask_model(agent, origin, "\nAI: On Monday.\n".join(f"Human: {text}" for text in said))
        agent.answer(handler)

    agent.scripts |= {"first": script, "second": script}
    texts = ("When does the parcel with the violin reach Trondheim, and who brings it?", "yes please")
    for name, text, number in zip(("first", "second"), texts, ids):
        assert agent.get(f"/{name}/?{urlencode({'q': text, 'id': number})}").status == 200
    spans = sink.wait(4, where=lambda span: is_served(span) or span["attributes"].get("gen_ai.operation.name") == "chat")
    served = {span["trace_id"] for span in spans if is_served(span)}
    assert len(served) == 2 and served == {span["trace_id"] for span in spans if not is_served(span)}
    agent.stop()


def test_a_notification_of_mcp_that_is_accepted_sets_nothing_going(scripted, sink):
    scripted.scripts["note"] = lambda handler: scripted.answer(handler, 202)
    assert ask(scripted.side.ingress, "GET", "/note", [("Mcp-Session-Id", "7")], host="h").status == 202
    scripted.during("/second", lambda: None)
    spans = sink.wait(3)
    assert belongs(call_of(spans, "second"), request_of(spans, "second"))


def test_after_the_idle_time_of_a_turn_requests_are_evidence_again(sidecar, origin, sink):
    agent = Scripted(sidecar, origin, context={"turn_idle": "300ms"})
    agent.scripts["first"] = lambda handler: agent.answer(handler, 202)
    agent.get("/first")
    time.sleep(0.4)
    agent.during("/second", lambda: None)
    spans = sink.wait(3)
    assert belongs(call_of(spans, "second"), request_of(spans, "second"))
    agent.stop()


@pytest.mark.parametrize("status", [202, 200])
def test_a_turn_that_goes_on_after_its_request_makes_no_other_one_evidence(scripted, sink, status):
    """Its model was asked, the tool not called yet. After 200 it is the turn's first call that nobody is in flight for."""
    def first(handler):
        if status == 202:
            scripted.ask_model("7", True)
        scripted.answer(handler, status)

    scripted.scripts["first"] = first
    scripted.get("/first")
    if status == 200:
        scripted.ask_model("7", True)
    scripted.during("/second", lambda: scripted.call("rest"))
    spans = sink.wait(4)
    assert is_nobodys(call_of(spans, "rest")) and is_nobodys(call_of(spans, "second"))


def test_a_turn_of_nobodys_that_is_open_makes_no_request_evidence(scripted, sink):
    scripted.ask_model("7", True)
    scripted.during("/second", lambda: scripted.call("rest"))
    spans = sink.wait(3)
    assert is_nobodys(call_of(spans, "rest")) and is_nobodys(call_of(spans, "second"))


def test_a_call_that_outlives_its_request_is_not_the_last_of_its_work(scripted, origin, sink):
    gate, over = threading.Event(), threading.Event()
    origin.answer("/long", [lambda sock, reader, request: gate.wait(20), b"HTTP/1.1 204 No Content\r\n\r\n"])

    def work():
        ask(scripted.side.egress, "GET", origin.url("/long"))
        over.set()

    def first(handler):
        threading.Thread(target=work, daemon=True).start()
        wait_for("the call", lambda: origin.seen("/long"))
        scripted.answer(handler)

    scripted.scripts["first"] = first
    scripted.get("/first")
    gate.set()
    assert over.wait(20)
    scripted.during("/second", lambda: scripted.call("rest"))
    spans = sink.wait(5)
    assert is_nobodys(call_of(spans, "rest")) and is_nobodys(call_of(spans, "second"))


def test_a_request_that_its_client_gave_up_may_go_on(scripted, sink):
    begun, gate = threading.Event(), threading.Event()
    scripted.scripts["first"] = lambda handler: begun.set() or gate.wait(20)
    with Client(scripted.side.ingress) as client:
        client.send(head("GET /first HTTP/1.1", [("Host", "h")]))
        assert begun.wait(20)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    assert sink.wait(1)[0]["attributes"]["sidespan.end"] == "agent_cancelled"
    scripted.during("/second", lambda: scripted.call("rest"))
    gate.set()
    spans = sink.wait(4)
    assert is_nobodys(call_of(spans, "rest")) and is_nobodys(call_of(spans, "second"))


@pytest.mark.parametrize("works", [True, False])
def test_what_was_done_beside_a_stream_of_events_that_its_client_left_may_go_on(scripted, sink, works):
    def events(handler):
        if works:
            scripted.call("begun")
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.wfile.write(b": hello\n\n")
        left.wait(20)
        handler.close_connection = True

    left = threading.Event()
    scripted.scripts["events"] = events
    with Client(scripted.side.ingress) as browser:
        browser.send(head("GET /events HTTP/1.1", [("Host", "h")]))
        browser.reader.until(b"hello\n\n")
        browser.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    sink.wait(1, where=lambda span: span["attributes"].get("sidespan.end") == "agent_cancelled")
    scripted.during("/second", lambda: scripted.call("rest"))
    left.set()
    spans = sink.wait(4 if works else 3)
    second = request_of(spans, "second")
    for name in ("rest", "second"):
        assert is_nobodys(call_of(spans, name)) if works else belongs(call_of(spans, name), second)


@pytest.mark.parametrize("wants_tool", [True, False])
def test_services_whose_every_request_asks_a_model(scripted, sink, wants_tool):
    """One that answers by what the model wants called has a turn that is never closed by a last word."""
    names = [f"n{number}" for number in range(20)]
    for name in names:
        scripted.during(f"/{name}", lambda: scripted.ask_model(name, wants_tool))
    spans = sink.wait(3 * len(names))
    for name in names:
        assert belongs(call_of(spans, name), request_of(spans, name))


def test_a_model_whose_last_word_comes_before_the_end_of_its_stream(scripted, origin, sink):
    """The agent has answered by then, and nothing of its work is left."""
    gate, over = threading.Event(), threading.Event()
    said = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5-mini",
            "choices": [{"index": 0, "delta": {"content": "Done."}, "finish_reason": "stop"}]}
    event = f"data: {json.dumps(said)}\n\ndata: [DONE]\n\n".encode()
    origin.answer("/v1/chat/completions", [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"%x\r\n" % len(event) + event + b"\r\n", lambda sock, reader, request: gate.wait(20), b"0\r\n\r\n"])

    def first(handler):
        question = json.dumps({"model": "gpt-5-mini", "stream": True, "messages": [{"role": "user", "content": "Well?"}]}).encode()
        model = Client(scripted.side.egress)
        model.send(head(f"POST {origin.url('/v1/chat/completions')} HTTP/1.1", [
            ("Host", "h"), ("Content-Type", "application/json"), ("Content-Length", str(len(question)))]) + question)
        model.reader.until(b"[DONE]")
        scripted.answer(handler)
        model.reader.until(b"0\r\n\r\n")
        over.set()
        model.close()

    scripted.scripts["first"] = first
    scripted.get("/first")
    gate.set()
    assert over.wait(20)
    scripted.during("/second", lambda: None)
    spans = sink.wait(4)
    assert belongs(call_of(spans, "second"), request_of(spans, "second"))


def evidence_after(scripted, sink, count):
    """The spans, once those `count` are there: what was called beside the open request is nobody's, and what is called
    for the next one is its own again.
    """
    sink.wait(count)
    scripted.during("/third", lambda: None)
    spans = sink.wait(count + 2)
    assert is_nobodys(call_of(spans, "cron")) and is_nobodys(call_of(spans, "second"))
    assert belongs(call_of(spans, "third"), request_of(spans, "third"))
    return spans


def test_while_a_stream_of_events_is_open_on_the_ingress_no_request_is_evidence(scripted, sink):
    gate = threading.Event()

    def events(handler):
        scripted.call("greeting")
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.wfile.write(b": hello\n\n")
        gate.wait(20)
        handler.close_connection = True

    scripted.scripts["events"] = events
    with Client(scripted.side.ingress) as browser:
        browser.send(head("GET /events HTTP/1.1", [("Host", "h")]))
        browser.reader.until(b"hello\n\n")
        scripted.during("/second", lambda: scripted.call("cron"))
    gate.set()
    spans = evidence_after(scripted, sink, 5)
    assert belongs(call_of(spans, "greeting"), request_of(spans, "events"))


def test_while_a_websocket_is_open_on_the_ingress_no_request_is_evidence(scripted, sink):
    gate = threading.Event()

    def upgrade(handler):
        handler.send_response(101)
        handler.send_header("Connection", "Upgrade")
        handler.send_header("Upgrade", "websocket")
        handler.end_headers()
        gate.wait(20)
        handler.close_connection = True

    scripted.scripts["socket"] = upgrade
    with Client(scripted.side.ingress) as browser:
        browser.send(head("GET /socket HTTP/1.1", [("Host", "h"), ("Connection", "Upgrade"), ("Upgrade", "websocket"),
                                                   ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")]))
        browser.reader.until(b"\r\n\r\n")
        scripted.during("/second", lambda: scripted.call("cron"))
    gate.set()
    evidence_after(scripted, sink, 4)
