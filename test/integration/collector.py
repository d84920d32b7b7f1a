"""A running OpenTelemetry Collector: OTLP over HTTP and gRPC in, OTLP JSON lines in a file out, read back as plain dicts."""

import copy
import json
import socket
import subprocess

import peers
import spans as plain
from wire import ask, wait_for

CONFIG = {
    "receivers": {"otlp": {"protocols": {"http": {"endpoint": "${env:OTLP_ADDRESS}"},
                                         "grpc": {"endpoint": "${env:OTLP_GRPC_ADDRESS}"}}}},
    "exporters": {"file": {"path": "${env:OTLP_FILE}", "flush_interval": "100ms"}},
    "service": {
        "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
        "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
    },
}


class Collector:
    def __init__(self, directory, attempts=3, tls=None):
        """`tls`: how its gRPC port speaks it, in the Collector's own words."""
        self.program = peers.made("collector")
        self._read, self._spans = 0, []  # how much of the file, and what was in it
        self.file = directory / "spans.jsonl"
        self.log = directory / "collector.log"
        self.config = directory / "collector.yaml"
        config = copy.deepcopy(CONFIG)
        if tls:
            config["receivers"]["otlp"]["protocols"]["grpc"]["tls"] = tls
        self.tls = tls
        self.config.write_text(json.dumps(config))  # JSON is YAML
        for _ in range(attempts):
            if self._start():
                return
        raise AssertionError(f"the Collector does not start:\n{self.log.read_text()[-2000:]}")

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.address[1]}"

    @property
    def grpc_endpoint(self):
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.grpc_address[1]}"

    def spans(self):
        """All spans written so far. A last line that is still being written is left for the next time."""
        if self.file.exists():
            with self.file.open("rb") as file:
                file.seek(self._read)
                lines = file.read().rpartition(b"\n")[0]
            self._read += len(lines) and len(lines) + 1
            for line in filter(None, lines.split(b"\n")):
                self._spans += plain.from_json(json.loads(line))
        return list(self._spans)

    def wait(self, count, timeout=60.0):
        wait_for(f"{count} spans in the Collector's file", lambda: len(self.spans()) >= count, timeout)
        return self.spans()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the Collector did not end within 20 s of SIGTERM") from None

    def _start(self):
        """A port that was free a moment ago may be taken by now: then the program ends and the next one is tried."""
        with socket.create_server(("127.0.0.1", 0)) as probe, socket.create_server(("127.0.0.1", 0)) as other:
            self.address, self.grpc_address = probe.getsockname(), other.getsockname()
        environment = {"OTLP_ADDRESS": f"127.0.0.1:{self.address[1]}", "OTLP_FILE": str(self.file),
                       "OTLP_GRPC_ADDRESS": f"127.0.0.1:{self.grpc_address[1]}"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self.program, "--config", str(self.config)], env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("answer from the Collector", lambda: self.process.poll() is not None or self._ready(), 60)
        return self.process.poll() is None

    def _ready(self):
        """An empty export is taken once the pipeline stands."""
        try:
            return ask(self.address, "POST", "/v1/traces", [("Content-Type", "application/x-protobuf"),
                       ("Content-Length", "0")], host="localhost").status == 200
        except OSError:
            return False
