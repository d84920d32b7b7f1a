"""One run: origins, a collector, the sidecar and agents, a process each; out of it come calls and spans to judge."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from otlp_sink import OtlpSink
from sidecar import Sidecar, exporting

from .scorer import Call, Span

BENCH = Path(__file__).resolve().parents[1]
SECONDS_MAX = 900
# The sidecar must not lose spans because the collector, a Python program, is slow: that is not what is measured.
QUEUE = 131072


class Failed(Exception):
    """It could not be measured."""


class SpanSink(OtlpSink):
    """Keeps of each span only what is judged."""

    def _accept(self, export):
        with self._lock:
            self._spans += [Span.of(span) for span in export.spans]


@dataclass
class Measured:
    calls: list
    spans: list
    tasks: int
    lies: int
    seconds: float
    sidecar_seconds: float  # of processor time
    held: tuple  # how many heads waited for their bodies, and for how many seconds in all


def start(*command):
    return subprocess.Popen([sys.executable, "-m", *command], cwd=BENCH, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True)


def measure(knobs):
    directory = Path(tempfile.mkdtemp(prefix="sidespan-fidelity-"))
    sink, processes = SpanSink(), []
    try:
        return run(knobs, directory, sink, processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        sink.stop()
        shutil.rmtree(directory, ignore_errors=True)


def run(knobs, directory, sink, processes):
    origins = {}
    for role in ("model", "tools"):
        process = start("workload.servers", role, json.dumps(knobs | {"served": str(directory / role)}))
        processes.append(process)
        origins[role] = process, json.loads(process.stdout.readline() or "null")
        if not origins[role][1]:
            raise Failed(f"the origin {role} did not start")
    config = exporting(sink.endpoint, queue=QUEUE, delay="100ms")
    config |= {"workers": knobs["workers"], "service": {"name": "fidelity"}}
    with Sidecar(directory / "sidecar", config, told_settings()) as sidecar:
        began = time.monotonic()
        told = agents_work(knobs, directory, processes, sidecar, origins)
        seconds, busy = time.monotonic() - began, processor_seconds(sidecar.process.pid)
        held = tuple(sidecar.metrics().total(f"sidespan_lineage_hold_seconds_{term}") for term in ("count", "sum"))
    # It has stopped, so everything it had is with the collector.
    for process, _ in origins.values():
        process.communicate(timeout=60)
    if sink.faults:
        raise Failed(f"the collector got what is no OTLP: {sink.faults[:3]}")
    return Measured(join(directory, knobs), sink.spans, *told, seconds, busy, held)


def told_settings():
    """SIDESPAN_ variables are settings of the program: SIDESPAN_CONTEXT_TURNS=off measures without turns."""
    return {name: value for name, value in os.environ.items()
            if name.startswith("SIDESPAN_") and name not in ("SIDESPAN_BIN", "SIDESPAN_STATE_DIR")}


def agents_work(knobs, directory, processes, sidecar, origins):
    count = min(knobs["agents"], knobs["in_flight"])
    agents = []
    for number in range(count):
        # Each has its part of what is in flight and of the tasks.
        own = {key: knobs[key] // count + (number < knobs[key] % count) for key in ("in_flight", "executions")}
        agents.append(start("workload.agent", json.dumps(knobs | own | {
            "process": number, "proxy": sidecar.egress, "model_port": origins["model"][1][0],
            "tool_ports": origins["tools"][1], "truth": str(directory / f"truth{number}")})))
    processes += agents
    told = []
    for agent in agents:
        said, _ = agent.communicate(timeout=SECONDS_MAX)
        if agent.returncode:
            raise Failed(f"an agent ended with {agent.returncode}\n{sidecar.log()}")
        told.append(json.loads(said))
    return [sum(one[what] for one in told) for what in ("tasks", "lies")]


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def join(directory, knobs):
    """The agents' truth and the origins' spans, by the number of the answer."""
    contexts = {}
    for role in ("model", "tools"):
        for line in (directory / role).read_text().splitlines():
            number, _, context = line.partition(" ")
            contexts[int(number)] = context
    calls = []
    for path in sorted(directory.glob("truth*")):
        for line in path.read_text().splitlines():
            number, work, agent, kind, may_be_root, sent, what, asks, run = json.loads(line)
            context = contexts.pop(number).split("-")
            if len(context) != 4:
                raise Failed(f"an origin got no context with a {kind} call of {work}")
            calls.append(Call((context[1], context[2]), work, agent, kind, may_be_root, sent and tuple(sent), what, asks,
                              run and tuple(run)))
    if contexts:
        raise Failed(f"origins got {len(contexts)} requests that no agent sent")
    return calls
