"""What a model call means: unmodified SDKs under `sidespan run` call scripted models, and the spans say what they got.

Each SDK plays all its scenes in one process, twice: through sidespan, and straight to the same models. What it reports
must not differ by a byte, nor what the models were sent; and from its own report follows what the span of each call
must say. A call is found by the parent that its request named to the model.
"""

import json
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

import peers
from meaning import APIS, FIRST_CHUNK, differences, expected
from model_apis import bedrock, openai, scenes, vertex
from model_apis.server import ModelServer
from otlp_sink import OtlpSink
from sidecar import environment, exporting, run
from spans import is_turn

CALLS = Path(__file__).resolve().parent / "clients" / "calls"
TIMEOUT = 240  # importing some of these is seconds of computing, on a busy machine minutes
TALK = ["plain", "plain:stream", "zipped", "zipped:stream", "cut", "cut:stream", "refused", "limited", "limited:stream",
        "broken:stream"]
TOOLS = ["tools", "tools:stream"]
CACHED = ["cached", "cached:stream"]
FAILING = ["failing:stream"]
STOPPED = ["stopped:stream"]

# The driver, the API that its calls speak, the host they go to, the scenes.
Sdk = namedtuple("Sdk", "driver api host scenes")
SDKS = {
    "python-openai": Sdk("openai_chat_calls.py", "openai", openai.HOST,
                         [*TALK, *TOOLS, *CACHED, *FAILING, "unmetered:stream", "embed"]),
    "python-openai-responses": Sdk("openai_responses_calls.py", "openai-responses", openai.HOST,
                                   [*TALK, *TOOLS, *CACHED, *FAILING]),
    "python-anthropic": Sdk("anthropic_calls.py", "anthropic", "api.anthropic.com",
                            [*TALK, *TOOLS, *CACHED, *FAILING]),
    "python-google-genai": Sdk("genai_calls.py", "gemini", "generativelanguage.googleapis.com",
                               [*TALK, *TOOLS, *CACHED, "embed"]),
    "python-google-genai-vertex": Sdk("genai_calls.py", "vertex", vertex.HOST, [*TALK, *TOOLS, *CACHED]),
    "python-gemini-array": Sdk("genai_array_calls.py", "gemini", "generativelanguage.googleapis.com",
                               [*TALK, *TOOLS, *CACHED]),
    "python-boto3-converse": Sdk("bedrock_converse_calls.py", "bedrock", "bedrock-runtime.us-east-1.amazonaws.com",
                                 [*TALK, *TOOLS, *CACHED, *FAILING, *STOPPED, "profile", "profile:stream"]),
    "python-boto3-invoke": Sdk("bedrock_invoke_calls.py", "bedrock-anthropic",
                               "bedrock-runtime.us-east-1.amazonaws.com", [*TALK, *TOOLS, *CACHED, *FAILING, *STOPPED]),
    "python-boto3-meta": Sdk("bedrock_makers_calls.py", "bedrock-others", bedrock.HOST, [*TALK, *FAILING, *STOPPED]),
    "python-boto3-mistral": Sdk("bedrock_makers_calls.py", "bedrock-others", bedrock.HOST,
                                [*TALK, *TOOLS, *FAILING, *STOPPED]),
    "python-cohere": Sdk("cohere_calls.py", "cohere", "api.cohere.com", [*TALK, *TOOLS, *CACHED, "embed"]),
    "python-mistral": Sdk("mistral_calls.py", "mistral", "api.mistral.ai", [*TALK, *TOOLS, "embed"]),
    "python-mistral-agents": Sdk("mistral_calls.py", "mistral", "api.mistral.ai", [*TALK, *TOOLS]),
    "python-ollama": Sdk("ollama_chat_calls.py", "ollama", "ollama", [*TALK, *TOOLS, *FAILING, "embed"]),
    "python-ollama-generate": Sdk("ollama_generate_calls.py", "ollama-generate", "ollama", [*TALK, *FAILING]),
    "node-openai": Sdk("openai_chat_calls.cjs", "openai", openai.HOST,
                       [*TALK, *TOOLS, *CACHED, *FAILING, "unmetered:stream"]),
    "node-openai-responses": Sdk("openai_responses_calls.cjs", "openai-responses", openai.HOST,
                                 [*TALK, *TOOLS, *CACHED, *FAILING]),
    "node-anthropic": Sdk("anthropic_calls.cjs", "anthropic", "api.anthropic.com",
                          [*TALK, *TOOLS, *CACHED, *FAILING]),
}
# Fields by which a provider says what it allows, and when to come again.
LIMITS = ("retry-after", "ratelimit", "x-ratelimit-", "anthropic-ratelimit-")
PLAYS = [(sdk, scene) for sdk in SDKS for scene in SDKS[sdk].scenes]
# What AWS signs anew at each attempt, what is said to the next hop alone, and what sidespan adds.
OF_THE_MOMENT = {"authorization", "x-amz-date", "amz-sdk-invocation-id", "connection", "traceparent"}


class Played:
    """What one SDK reported, what the models were asked, and the spans of it."""

    further = {}  # of the configuration

    def __init__(self, sdk, authority, directory):
        command, env = words(sdk)
        sink = OtlpSink()
        config = exporting(sink.endpoint) | {"tls": {"trust": {"certificates": [str(authority.pem)]}}} | self.further
        with ModelServer(authority) as straight, ModelServer(authority) as through:
            alone = subprocess.Popen(command, env=environment(directory, env | straight.environment()), text=True,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            inherited = {name: value for name, value in through.environment().items() if "PROXY" in name.upper()}
            try:
                self.done = run(directory, command, config, env | inherited, timeout=TIMEOUT)
                self.straight, complaints = alone.communicate(timeout=TIMEOUT)
            finally:
                alone.kill()
            assert alone.returncode == 0 and not straight.faults, (complaints, straight.faults)
            self.calls, self.calls_straight = through.calls, straight.calls
            self.others, self.faults = through.others, through.faults
        assert self.done.returncode == 0, self.done.stderr
        self.spans = sink.wait(1 + len(self.calls), where=lambda span: span["name"] != "CONNECT")
        sink.stop()
        self.reports = {told["scene"]: told["calls"] for told in map(json.loads, self.done.stdout.splitlines())}
        self.first, count = {}, 0  # of the calls of a scene
        for scene, reports in self.reports.items():
            self.first[scene], count = count, count + len(reports)

    def of(self, scene):
        """[(what the SDK said, the call as the model saw it, its spans)] of a scene."""
        for number, said in enumerate(self.reports[scene], self.first[scene]):
            call = self.calls[number]
            yield said, call, [span for span in self.spans if span["span_id"] == call.span_id]


def words(sdk):
    """(command, environment) that plays all the scenes of an SDK."""
    driver, _, _, played = SDKS[sdk]
    # boto3 puts a set into its User-Agent, in the order of hashes.
    env = {"OPENAI_API_KEY": "secret", "OLLAMA_HOST": "http://ollama:11434", "PYTHONHASHSEED": "0"}
    if driver.endswith(".cjs"):
        env["NODE_PATH"] = peers.made("nodesdks/build") + "/node_modules"
        return [peers.made("node"), CALLS / driver, *played], env
    if sdk == "python-google-genai-vertex":
        env["VERTEX_PROJECT"] = "agents"
    if sdk == "python-mistral-agents":
        env["MISTRAL_AGENT"] = "ag:1:planner"
    maker = [sdk.rpartition("-")[2]] if driver == "bedrock_makers_calls.py" else []
    return [f"{peers.made('sdks')}/bin/python", CALLS / driver, *maker, *played], env


@pytest.fixture(scope="module")
def once():
    """{sdk: its Played, or what went wrong}: a run that failed would fail again."""
    return {}


@pytest.fixture
def played(sdk, once, authority, sidespan, tmp_path_factory):
    if sdk not in once:
        try:
            once[sdk] = Played(sdk, authority, tmp_path_factory.mktemp(sdk))
        except (AssertionError, subprocess.TimeoutExpired) as fault:
            once[sdk] = fault
    if isinstance(once[sdk], Exception):
        raise once[sdk]
    return once[sdk]


@pytest.mark.parametrize("sdk", SDKS)
def test_nothing_differs_for_the_sdk(sdk, played):
    """Its reports are the same to the byte with and without sidespan, and so is what the models were sent, but for the
    Via of what goes in clear text to a second proxy."""
    assert played.done.stdout == played.straight
    assert not played.faults and not played.others
    assert len(played.calls) == len(played.calls_straight)
    for call, other in zip(played.calls, played.calls_straight):
        assert call.request.start == other.request.start
        assert call.request.body == other.request.body
        way = [("Via", "1.1 sidespan")] if call.host == "ollama" else []
        assert kept(call.request) == kept(other.request) + way


def kept(request):
    return [(name, value) for name, value in request.headers if name.lower() not in OF_THE_MOMENT]


@pytest.mark.parametrize("sdk,scene", PLAYS)
def test_each_call_is_one_span(played, scene):
    """One CLIENT span, the parent that the model was told of, with what HTTP says of it; a child of a turn of the run,
    or, where nobody converses, of the run."""
    root, = [span for span in played.spans if span["kind"] == "INTERNAL" and not is_turn(span)]
    turns = {span["span_id"] for span in played.spans if is_turn(span) and span["parent_id"] == root["span_id"]}
    for said, call, spans in played.of(scene):
        assert call.scene == scene.partition(":")[0] or scene == "embed"
        span, = spans
        parents = {root["span_id"]} if scene.startswith("embed") else turns
        assert span["kind"] == "CLIENT" and span["parent_id"] in parents
        found = span["attributes"]
        assert found["http.request.method"] == "POST"
        assert found["server.address"] == call.host
        assert found["http.response.status_code"] == call.status
        assert found["sidespan.mode"] == ("forward" if call.host == "ollama" else "intercept")
        assert found["sidespan.end"] == ("origin_closed" if call.scene == "broken" else "complete")


@pytest.mark.parametrize("sdk", SDKS)
def test_there_are_no_other_spans(played):
    """But for the run's own, and tunnels that Node's fetch leaves without a request (see test_sdks.py)."""
    named = [span["name"] for span in played.spans if span["kind"] == "CLIENT" and span["name"] != "CONNECT"]
    assert len(named) == len(played.calls)
    assert len({call.span_id for call in played.calls}) == len(played.calls)


@pytest.mark.parametrize("sdk", SDKS)
def test_the_arithmetic_is_the_models_own(sdk, played):
    """What follows from an SDK's report is what the model counted: the judge itself is judged."""
    api = APIS[SDKS[sdk].api]
    counted = 0
    for scene in played.reports:
        for said, call, _ in played.of(scene):
            if scene != "embed" and said["usage"] and not said["error"]:
                tokens, truth = api.tokens(said["usage"]), call.tokens()
                billed = call.usage.get("billed_units", {"input_tokens": truth.input, "output_tokens": truth.output})
                assert (tokens.input, tokens.output) == (billed["input_tokens"], billed["output_tokens"])
                assert tokens.cache_read in (truth.cache_read, None) and tokens.cache_write in (truth.cache_write, None)
                assert tokens.reasoning in (truth.reasoning, None)
                counted += 1
    assert counted >= 6


@pytest.mark.parametrize("sdk,scene", PLAYS)
def test_a_span_says_what_the_call_meant(sdk, scene, played):
    name = SDKS[sdk].api + ("-embeddings" if scene == "embed" else "")
    for said, call, spans in played.of(scene):
        span, = spans
        found, wanted = span["attributes"], expected(APIS[name], said)
        assert not differences(found, wanted)
        assert span["name"] == " ".join(filter(None, [APIS[name].operation, said["asked"]]))  # an agent has its own
        assert span["status"] == ("UNSET" if said["error"] is None else "ERROR")
        if FIRST_CHUNK in found:
            assert 0 < found[FIRST_CHUNK] <= (span["end"] - span["start"]) / 1e9
        if call.status == 429:
            for name, value in call.headers:
                if name.startswith(LIMITS):
                    assert found.get(f"http.response.header.{name}") == [value]
        assert_no_content(span)


def assert_no_content(span):
    """Nobody asked for content: neither what was said, nor what tools were given, nor an error's text."""
    told = json.dumps([span["attributes"], span["message"], span["events"]])
    for text in (*scenes.SENTENCE[:5], "What is the weather", "Paris", "Rate limit", "21 degrees"):
        assert text not in told, text


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if "boto3" not in sdk])
def test_compressed_answers_were_compressed(played):
    """Else the scenes of that name would say nothing. boto3 takes no compressed answers."""
    assert any("gzip" in (call.request.get("accept-encoding") or "") for call in played.calls if call.scene == "zipped")
