"""What the programs of test/bench share: programs on free ports, what they cost, the collector's count.

    with Rig(build, sidespan, cores) as rig:
        relay, proxy = rig.relay(), rig.sidespan()          # each has .port, .cpu_ns(), .rss_kib(), .stop()
        answers = rig.load(proxy, "--path", "/json", "--seconds", "1")
        rig.collector.spans()                               # all that have arrived so far
"""

import ctypes
import http.client
import json
import os
import re
import resource
import select
import shutil
import subprocess
import tempfile
import time
import zlib
from pathlib import Path
from urllib.request import urlopen

TOP = Path(__file__).resolve().parents[2]
START_SECONDS = 60  # under callgrind everything takes its time
STOP_SECONDS = 60
LOAD_SECONDS = 300
FILES = 20_000
FIRST = -20  # niceness


class Failed(Exception):
    pass


def build(directory, *targets, option="-DSIDESPAN_TESTS=ON"):
    """Configures `directory` (a Release build when it is new) and builds these targets in it."""
    generator = [] if (directory / "CMakeCache.txt").exists() else ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
    for command in (["cmake", "-S", TOP, "-B", directory, *generator, option],
                    ["cmake", "--build", directory, "-j", str(os.cpu_count()), "--target", *targets]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise Failed(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}")


def cmake_cache(directory):
    lines = (directory / "CMakeCache.txt").read_text().splitlines()
    return {line.split(":")[0]: line.partition("=")[2] for line in lines if ":" in line.partition("=")[0]}


class Cores:
    """The proxy's, one a worker, and the last one for everybody else; they overlap where there are too few."""

    def __init__(self, workers=1):
        cores = sorted(os.sched_getaffinity(0))
        self.load = {cores[-1]}
        self.proxy = set(cores[:workers])
        self.shared = bool(self.proxy & self.load)
        self.first = False

    def take(self):
        """For this process and what it starts, as root before whatever else the machine does."""
        os.sched_setaffinity(0, self.load)
        # Not SCHED_FIFO: the proxy's own threads would wait for each other.
        try:
            os.setpriority(os.PRIO_PROCESS, 0, FIRST)
            os.setsid()  # niceness counts within a session; the session's own counts among sessions
            Path("/proc/self/autogroup").write_text(str(FIRST))
            self.first = True
        except OSError:  # not root; a group's leader; a kernel without
            pass

    def __str__(self):
        names = [",".join(map(str, sorted(cores))) for cores in (self.proxy, self.load)]
        shared = "; THEY SHARE A CORE, so requests/s and delays mean little" if self.shared else ""
        others = "before all other programs" if self.first else "AMONG other programs"
        return f"proxies on core {names[0]}, load and origin on core {names[1]}{shared}; {others}"


class Program:
    """A child process pinned to cores. `read_port` finds the port in what it prints."""

    def __init__(self, name, command, cores, env=None, errors=None):
        self.name = name
        self._clock = None
        self._process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=errors or subprocess.DEVNULL, text=True, env=env,
            preexec_fn=lambda: settle_in(cores))

    @property
    def pid(self):
        return self._process.pid

    def read_line(self):
        if not select.select([self._process.stdout], [], [], START_SECONDS)[0]:
            raise Failed(f"{self.name} says nothing")
        return self._process.stdout.readline()

    def ended(self):
        return self._process.poll() is not None

    def cpu_ns(self):
        """User and system time of the whole process, threads that ended included, to the nanosecond."""
        if self._clock is None:
            clock = ctypes.c_int()
            if ctypes.CDLL(None).clock_getcpuclockid(self.pid, ctypes.byref(clock)):
                raise Failed(f"{self.name} has no clock")
            self._clock = clock.value
        return time.clock_gettime_ns(self._clock)

    def rss_kib(self, written=False):
        """Resident; `written`: without what is a part of the program's and the libraries' files."""
        name = "RssAnon:" if written else "VmRSS:"
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
        raise Failed(f"{self.name} has no memory")

    def stop(self):
        if not self.ended():
            self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise Failed(f"{self.name} did not stop") from None
        finally:
            self._process.stdout.close()


def settle_in(cores):
    os.sched_setaffinity(0, cores)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, FILES), hard))


class Collector:
    """Counts the spans in the exports that bench_origin keeps in a file."""

    def __init__(self, path):
        self._path = path
        self._offset = 0
        self._spans = 0

    def spans(self):
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            fresh = file.read()
        at = 0
        while at + 4 <= len(fresh):
            size = int.from_bytes(fresh[at:at + 4], "little")
            if at + 4 + size > len(fresh):
                break
            body = fresh[at + 4:at + 4 + size]
            if body[:2] == b"\x1f\x8b":
                body = zlib.decompress(body, wbits=31)
            self._spans += count_spans(body)
            at += 4 + size
        self._offset += at
        return self._spans

    def wait_for(self, spans, patience=5):
        """Until that many have arrived, or none has for `patience` seconds; how many there are."""
        last, since = self.spans(), time.monotonic()
        while last < spans and time.monotonic() - since < patience:
            time.sleep(0.02)
            now = self.spans()
            if now != last:
                last, since = now, time.monotonic()
        return last


def count_spans(request):
    """The spans of an ExportTraceServiceRequest: its field 1, therein field 2, therein field 2."""
    view = memoryview(request)
    return sum(1 for resource_spans in _field(view, 1) for scope_spans in _field(resource_spans, 2)
               for _ in _field(scope_spans, 2))


def _field(message, wanted):
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 != 2:  # these three messages have no field of another type
            raise Failed(f"an export has a field of type {tag & 7}")
        size, at = _varint(message, at)
        if tag >> 3 == wanted:
            yield message[at:at + size]
        at += size


def _varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


class Rig:
    def __init__(self, build_directory, sidespan, cores, workers=1):
        self.bin = build_directory / "test/bench"
        self.sidespan_binary = sidespan
        self.cores = cores
        self.workers = workers
        self.programs = []
        self.directory = Path(tempfile.mkdtemp(prefix="sidespan-bench-"))

    def __enter__(self):
        exports = self.directory / "exports"
        self.origin = self.another_origin()
        self._sink = self._announced("collector", self.bin / "bench_origin", "--keep", exports)
        self.collector = Collector(exports)
        return self

    def __exit__(self, kind, *_):
        try:
            for program in reversed(self.programs):
                program.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _announced(self, name, *command, cores=None):
        program = Program(name, command, cores or self.cores.load)
        self.programs.append(program)
        program.port = int(program.read_line() or 0)
        return program

    def another_origin(self):
        return self._announced("origin", self.bin / "bench_origin")

    def relay(self):
        return self._announced("relay", self.bin / "bench_relay", self.origin.port, cores=self.cores.proxy)

    def sidespan(self, *wrapper, settings=None):
        """The program as it ships: every call sampled, exported by OTLP/HTTP with gzip. One at a time."""
        config = self.directory / "sidespan.yaml"
        config.write_text(json.dumps({
            "service": {"name": "bench"},
            "listen": {"egress": "127.0.0.1:0", "admin": "127.0.0.1:0"},
            "sampling": {"head": {"sampler": "always_on"}},
            "export": {"otlp": {"endpoint": f"http://127.0.0.1:{self._sink.port}", "compression": "gzip"}},
            "drain": {"quiet": "100ms"},
            "workers": self.workers,
            **(settings or {}),
        }))
        log = self.directory / "sidespan.log"
        environment = {"PATH": os.environ["PATH"], "SIDESPAN_STATE_DIR": str(self.directory / "state")}
        with log.open("w") as errors:
            program = Program("sidespan", [*wrapper, self.sidespan_binary, "proxy", "--config", config],
                              self.cores.proxy, env=environment, errors=errors)
        self.programs.append(program)
        until = time.monotonic() + START_SECONDS
        while '"ready"' not in log.read_text():
            if program.ended() or time.monotonic() > until:
                raise Failed(f"sidespan did not start\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        program.port = _listening(log.read_text(), "egress")
        program.admin = _listening(log.read_text(), "admin")
        return program

    def load_program(self, proxy, *options):
        return [self.bin / "bench_load", "--port", proxy.port, "--origin", self.origin.port, *options]

    def load(self, proxy, *options):
        """One run of the load generator, to its end; what it printed."""
        return self.end_load(self.begin_load(proxy, *options))

    def begin_load(self, proxy, *options):
        return subprocess.Popen([str(part) for part in self.load_program(proxy, *options)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=lambda: settle_in(self.cores.load))

    def end_load(self, load):
        try:
            out, err = load.communicate(timeout=LOAD_SECONDS)
        except subprocess.TimeoutExpired:
            load.kill()
            out, err = load.communicate()
            err += f"it did not end within {LOAD_SECONDS} s\n"
        if load.returncode:
            raise Failed(f"load failed: {' '.join(load.args)}\n{out}{err}")
        return json.loads(out)

    def ask_a_model(self, proxy):
        """From then on an agent is at work, and lineage reads what passes. There is no model, and 404 is an answer, too."""
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=START_SECONDS)
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Where is order QQ-99182 of mine?"}]})
        connection.request("POST", f"http://127.0.0.1:{self.origin.port}/v1/chat/completions", body,
                           {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()
        with urlopen(f"http://127.0.0.1:{proxy.admin}/metrics", timeout=START_SECONDS) as metrics:
            if not re.search(r"^sidespan_lineage_executions 1$", metrics.read().decode(), re.MULTILINE):
                raise Failed("a call of a model, and no turn is open")


def _listening(log, listener):
    for line in log.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "listening" and event["listener"] == listener:
            return int(event["address"].rpartition(":")[2])
    raise Failed(f"sidespan has no listener {listener}\n{log}")
