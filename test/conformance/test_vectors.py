"""The propagation vectors of test/fixtures/vectors through the running proxy, byte for byte on the way in.

The destination is 127.0.0.1, which is `@local`, so traceparent, tracestate and baggage all go on. Vectors whose
`config` cannot be said in sidespan's configuration (an own tracestate key, distrust of the caller) belong to the unit
test. That every parent-id which the origin saw is an exported span's is checked once, over all of them, at the end.
"""

import json
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from origin import Origin
from otlp_sink import OtlpSink
from sidecar import Sidecar, exporting, merged
from wire import ask

VECTORS = Path(__file__).resolve().parent.parent / "fixtures" / "vectors"
TRACEPARENT = re.compile(r"(00)-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
LEAST = 60  # so many must go through the proxy, whatever becomes of the files
LEAST_VENDOR = 60


def text(value):
    """A text may be written as [text, repeat] pairs."""
    return value if isinstance(value, str) else "".join(part * count for part, count in value)


def sayable(case):
    return set(case.get("config", {})) <= {"sampler"}


def cases(kind):
    document = json.loads((VECTORS / f"{kind}.json").read_text(encoding="utf-8"))
    return [case for case in document["cases"] if sayable(case)]


def named(kind):
    return [pytest.param(case, id=f"{case['id']}-{case['name']}") for case in cases(kind)]


class Proxy:
    """An origin behind sidecars, one for each sampler that a vector asks for."""

    def __init__(self, directory):
        self.directory, self.sidecars = directory, {}
        self.origin, self.sink = Origin(), OtlpSink()
        self.sent = []  # (id, Outcome) of every request, for the look at the spans

    def sidecar(self, sampler):
        if sampler not in self.sidecars:
            config = merged(exporting(self.sink.endpoint), {"sampling": {"head": {"sampler": sampler}}})
            self.sidecars[sampler] = Sidecar(self.directory / sampler, config)
        return self.sidecars[sampler]

    def send(self, case):
        sampler = case.get("config", {}).get("sampler", "parentbased_always_on")
        lines = [f"{name}:{text(value)}" for name, value in case["headers"] + case.get("extra_headers", [])]
        path = f"/echo/{case['id']}"
        answer = ask(self.sidecar(sampler).egress, "GET", self.origin.url(path), lines)
        assert answer.status == 200, "a bad value never makes a request fail"
        request, = self.origin.seen(path)
        outcome = Outcome(request)
        self.sent.append((case["id"], outcome))
        return outcome

    def stop(self):
        for sidecar in self.sidecars.values():
            sidecar.stop()
        self.origin.stop()
        self.sink.stop()


class Outcome:
    """What the next hop saw."""

    def __init__(self, request):
        self.request = request
        self.traceparents = request.all("traceparent")
        assert len(self.traceparents) == 1, self.traceparents
        match = TRACEPARENT.fullmatch(self.traceparents[0])
        assert match, self.traceparents
        self.version, self.trace_id, self.parent_id, self.flags = match.groups()
        assert self.trace_id != "0" * 32 and self.parent_id != "0" * 16
        self.sampled = int(self.flags, 16) & 1
        states = request.all("tracestate")
        assert len(states) <= 1, states
        self.tracestate = states[0] if states else None
        parts = (part.strip(" \t") for part in (self.tracestate or "").split(","))
        self.members = [list(part.split("=", 1)) for part in parts if part]
        self.baggage = request.all("baggage")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    proxy = Proxy(tmp_path_factory.mktemp("vectors"))
    yield proxy
    proxy.stop()


def test_there_are_enough():
    assert sum(len(cases(kind)) for kind in ("traceparent", "tracestate", "baggage")) >= LEAST


@pytest.mark.parametrize("case", named("traceparent"))
def test_row_21_traceparent(case, proxy):
    received, expect = case["headers"], case["expect"]
    out, got = expect["out"], proxy.send(case)
    if expect["action"] == "continue":
        assert got.trace_id == out["trace_id"]
        assert got.parent_id != expect["parent_id"]
    else:
        everything = " ".join(text(value) for name, value in received)
        assert got.trace_id not in everything.lower(), "the trace of a header that must be ignored goes on"
        assert got.trace_id not in case.get("must_not_reuse", ())
        assert got.flags == out.get("flags", "03"), "a new root is sampled and random"
    assert got.flags == out.get("flags", out.get("flags_if_sampling_unchanged", got.flags))
    if out.get("tracestate") == "absent":
        assert got.tracestate is None


@pytest.mark.parametrize("case", named("tracestate"))
def test_row_22_tracestate(case, proxy):
    expect, got = case["expect"], proxy.send(case)
    out = expect["out"]
    sent = [text(value) for name, value in case["headers"] if name.lower() == "traceparent"]
    if expect["traceparent_valid"]:
        assert got.trace_id == sent[0].split("-")[1], "tracestate has no say in the trace"
    if out.get("tracestate") == "absent_or_own_only":
        assert got.tracestate is None, "no member of our own is added"
    if "members_in_order" in out:
        wanted = [[text(key), text(value)] for key, value in out["members_in_order"]]
        assert got.members == wanted or got.tracestate in case.get("alt_out", ())
    if "must_contain" in out:
        assert {text(member) for member in out["must_contain"]} <= {"=".join(member) for member in got.members}
    if "max_len" in out:
        assert len(got.tracestate) <= out["max_len"]
    if out.get("whole_entries_only"):
        received = ",".join(text(value) for name, value in case["headers"] if name.lower() == "tracestate")
        assert {"=".join(member) for member in got.members} <= set(received.split(","))


def raw_baggage(case):
    return [text(value).strip(" \t") for name, value in case["headers"] if name.lower() == "baggage"]


def decoded(lines):
    """The members of baggage lines in the form of the vectors' `entries`."""
    entries = []
    for member in ",".join(lines).split(","):
        if member.strip(" \t"):
            pair, *properties = [part.strip(" \t") for part in member.split(";")]
            key, _, value = pair.partition("=")
            entries.append({"key": key.strip(" \t"), "value": percent(value.strip(" \t")),
                            "properties": [property_of(part) for part in properties]})
    return entries


def property_of(part):
    key, separator, value = part.partition("=")
    return [key.strip(" \t"), percent(value.strip(" \t")) if separator else None]


def percent(value):
    return unquote_to_bytes(value).decode("utf-8", "replace")


@pytest.mark.parametrize("case", named("baggage"))
def test_row_22_baggage(case, proxy):
    expect, got = case["expect"], proxy.send(case)
    received, untouched = raw_baggage(case), got.baggage == raw_baggage(case)
    if expect["passthrough"] == "byte_identical":
        # One list over all fields: joining them is the same baggage.
        assert untouched or got.baggage == [",".join(received)]
    elif expect["passthrough"] == "same_members_same_order":
        assert decoded(got.baggage) == decoded(received)
    elif expect["passthrough"] in ("absent", "strip"):
        assert got.baggage == []
    else:
        check_policy(expect, got.baggage, received, untouched)


def check_policy(expect, lines, received, untouched):
    """Malformed or too much: untouched, or without what is bad; members whole in any case."""
    if "entries" in expect:
        assert untouched or decoded(lines) == expect["entries"]
    if expect.get("whole_members_only"):
        members = [member for line in lines for member in line.split(",")]
        assert set(members) <= set(",".join(received).split(","))
        assert len(members) >= expect.get("members_min", 0)
        if "out_members_any_of" in expect:
            assert [member.split("=")[0] for member in members] in expect["out_members_any_of"]


class VendorProxy:
    """An origin behind sidecars, one for each list of formats. W3C's is injected beside them, so that the span's id is
    seen in every case."""

    def __init__(self, directory):
        self.directory, self.sidecars = directory, {}
        self.origin, self.sink = Origin(), OtlpSink()

    def sidecar(self, propagators):
        key = ",".join(propagators)
        if key not in self.sidecars:
            config, env = exporting(self.sink.endpoint), {}
            if "tracecontext" in propagators:
                env["OTEL_PROPAGATORS"] = key  # where unknown names are left out, and repeated ones count once
            elif propagators:
                config["propagation"] = {"extract": propagators, "inject": [*propagators, "tracecontext"]}
            self.sidecars[key] = Sidecar(self.directory / (key or "default"), config, env)
        return self.sidecars[key]

    def send(self, case, method="GET", body=b""):
        """What the next hop saw, and the exported span, where there is one."""
        lines = [f"{name}:{text(value)}" for name, value in case["headers"] if name != "Host"]
        path = f"/echo/{case['id']}"
        side = self.sidecar(case.get("propagators", []))
        assert ask(side.egress, method, self.origin.url(path), lines, body).status == 200
        request, = self.origin.seen(path)
        spans = []
        if Outcome(request).sampled:
            spans = self.sink.wait(1, where=lambda span: span["attributes"].get("url.full", "").endswith(path))
        return Outcome(request), spans[0] if spans else None

    def stop(self):
        for sidecar in self.sidecars.values():
            sidecar.stop()
        self.origin.stop()
        self.sink.stop()


@pytest.fixture(scope="module")
def vendors(tmp_path_factory):
    proxy = VendorProxy(tmp_path_factory.mktemp("vendors"))
    yield proxy
    proxy.stop()


def vendor_cases(aws_signed):
    document = json.loads((VECTORS / "vendor.json").read_text(encoding="utf-8"))
    return [pytest.param(case, id=f"{case['id']}-{case['name']}") for case in document["cases"]
            if (case["format"] == "sigv4") == aws_signed]


def test_there_are_enough_vendors():
    assert len(vendor_cases(False)) + len(vendor_cases(True)) >= LEAST_VENDOR


@pytest.mark.parametrize("case", vendor_cases(False))
def test_vendor(case, vendors):
    expect = case["expect"]
    got, span = vendors.send(case)
    received = " ".join(text(value) for name, value in case["headers"]).lower()
    if expect["extracted"]:
        assert got.trace_id == expect["trace_id"]
        assert span is None or span["parent_id"] == expect["parent_id"]
        assert got.sampled == (True if expect["sampled"] is None else expect["sampled"])
    else:
        assert span is None or not span["parent_id"]
        hint = expect.get("trace_hint")
        assert got.trace_id == hint if hint else got.trace_id not in received
        assert got.sampled == ("not sampled" not in expect.get("action", ""))
    assert span is None or got.parent_id == span["span_id"], "the origin sees a span that we export"
    for name, wanted in expect.get("out", {}).items():
        check_field(got.request.all(name), wanted, got.parent_id)
    # Whatever the format: no field names the agent's span any more.
    if expect["extracted"]:
        sent = " ".join(value for name, value in got.request.headers if name.lower() != "traceparent")
        number = int(expect["parent_id"], 16)
        assert expect["parent_id"] not in sent
        assert not re.search(rf"(?<![0-9a-f]){number}(?![0-9a-f])", sent)


def check_field(lines, wanted, span_id):
    if wanted is None:
        assert lines == []
    elif wanted.startswith(("keeps ", "contains ")):
        assert wanted.split(" ", 1)[1] in lines[0]
    elif wanted.startswith("must not contain "):
        assert wanted.removeprefix("must not contain ") not in "".join(lines)
    else:
        assert lines == [wanted.replace("<new decimal>", str(int(span_id, 16))).replace("<new>", span_id)]


@pytest.mark.parametrize("case", vendor_cases(True))
def test_a_signed_request_keeps_what_is_signed(case, vendors):
    body = b'{"a": 1}'
    got, span = vendors.send(case, "POST", body)
    sent = {name.lower(): value for name, value in case["headers"] if name != "Host"}
    names = re.search("SignedHeaders=([^,]+)", sent["authorization"])[1].split(";")
    for name in {*names, "authorization"} & set(sent):
        assert got.request.all(name) == [sent[name]], "a signed field is as it was"
    assert got.request.all("host") == [vendors.origin.url("/").removeprefix("http://").rstrip("/")]
    assert got.request.body == body
    added = {name.lower() for name, _ in got.request.headers} - set(sent) - {"host", "content-length"}
    assert added == ({"traceparent"} if "traceparent" not in names else set())
    if "traceparent" in names:
        assert span["span_id"] != got.parent_id
        assert span["parent_id"] == sent["traceparent"].split("-")[2]
        assert span["attributes"]["sidespan.propagation"] == "blocked"
    else:
        assert span["span_id"] == got.parent_id
        assert "sidespan.propagation" not in span["attributes"]


@pytest.mark.parametrize("case_id", ["tp-001", "ts-001", "ts-029", "bg-001", "bg-059"])
def test_the_outside_world_gets_traceparent_alone(case_id, proxy, tmp_path):
    """With a destination that may see traceparent only, what the agent itself sent of the other two is removed."""
    case, = [case for kind in ("traceparent", "tracestate", "baggage") for case in cases(kind)
             if case["id"] == case_id]
    config = {"propagation": {"destinations": [{"match": ["*"], "send": ["traceparent"]}]}}
    lines = [f"{name}:{text(value)}" for name, value in case["headers"]] + ["tracestate: left=1", "baggage: left=1"]
    path = f"/echo/outside/{case_id}"
    with Sidecar(tmp_path, merged(exporting(proxy.sink.endpoint), config)) as sidecar:
        assert ask(sidecar.egress, "GET", proxy.origin.url(path), lines).status == 200
    request, = proxy.origin.seen(path)
    outcome = Outcome(request)
    assert outcome.tracestate is None
    assert outcome.baggage == []
    if case["expect"].get("action") == "continue":
        assert outcome.trace_id == case["expect"]["trace_id"]


def test_the_parents_that_went_out_are_exported_spans(proxy):
    """After all of the above: every sampled parent-id is a span's, in the same trace, and no span is left over."""
    if not proxy.sent:
        pytest.skip("no vector was sent in this run")
    sampled = {(out.trace_id, out.parent_id): case_id for case_id, out in proxy.sent if out.sampled}
    mine = {span_of(span): span for span in proxy.sink.wait(
        len(sampled), where=lambda span: re.search(r"/echo/[a-z]+-\d+$", span["attributes"].get("url.full", "")))}
    assert sorted(mine) == sorted(sampled)
    assert len(sampled) == sum(1 for _, out in proxy.sent if out.sampled), "a span id was used twice"


def span_of(span):
    return span["trace_id"], span["span_id"]
