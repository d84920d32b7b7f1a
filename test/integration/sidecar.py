"""sidespan as a program under test: started on free ports, watched, asked for its metrics, stopped.

    sidecar = Sidecar(directory, {"export": {"otlp": {"endpoint": sink.endpoint}}})
    sidecar.egress                         # ("127.0.0.1", PORT), likewise .admin and .health
    sidecar.metrics().total("sidespan_spans_emitted_total")
    sidecar.stop()                         # SIGTERM; a status other than 0 is a failure that shows the log

The binary is the one that SIDESPAN_BIN names. Its environment is bare: what the person at the keyboard has set for
OpenTelemetry or for proxies must not decide a test.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
from collections import namedtuple
from pathlib import Path

import peers
from wire import ask, wait_for

START_TIMEOUT = 20
STOP_TIMEOUT = 40  # above drain.deadline as shipped
BASE = {
    "listen": {"egress": "127.0.0.1:0", "admin": "127.0.0.1:0", "health": "127.0.0.1:0"},
    "service": {"name": "tested"},
    # Soon instead of in bulk: a test waits for its spans.
    "drain": {"quiet": "100ms", "deadline": "10s"},
}


def binary():
    path = os.environ.get("SIDESPAN_BIN")
    if not path:
        peers.missing("SIDESPAN_BIN does not name the sidespan binary")
    if not os.access(path, os.X_OK):
        peers.missing(f"SIDESPAN_BIN names {path}, which is no program")
    return os.path.abspath(path)


def sanitized():
    """Whether the program carries AddressSanitizer or ThreadSanitizer, which use memory and descriptors of their own."""
    with open(binary(), "rb") as program:
        code = program.read()
    return b"__asan_init" in code or b"__tsan_init" in code


def resident(side, code=False):
    """Bytes of memory that it has written; with `code` also what it shares with the files of program and libraries,
    which is there while it runs it. Of a sanitized program 0: there freed memory stays in quarantine, and its size says
    nothing of ours."""
    return 0 if sanitized() else status_bytes(side, "VmRSS" if code else "RssAnon")


def status_bytes(side, name):
    """A size that the kernel tells of the process."""
    with open(f"/proc/{side.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name + ":"))


class Peak:
    """The most memory that it has written at any time since this was made, beyond what it had written then."""

    def __init__(self, side):
        self.side = side
        Path(f"/proc/{side.process.pid}/clear_refs").write_text("5")  # VmHWM begins anew
        self.before, self.code = status_bytes(side, "VmRSS"), status_bytes(side, "RssFile")

    def grown(self):
        """The peak is of all pages; those of the program's file that came meanwhile are none that it has written."""
        if sanitized():
            return 0
        return status_bytes(self.side, "VmHWM") - self.before - (status_bytes(self.side, "RssFile") - self.code)


def open_files(pid):
    """What its descriptors name; those that close meanwhile are not among them."""
    names = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(descriptor))
    return names


def environment(directory, extra=None):
    """Only what a program needs to run, and a state directory of the test's own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "ASAN_OPTIONS",
            "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ}
    return kept | {"SIDESPAN_STATE_DIR": str(directory / "state"), "PYTHONDONTWRITEBYTECODE": "1"} | (extra or {})


def merged(base, extra):
    """`extra` over `base`, maps joined key by key, everything else replaced."""
    result = dict(base)
    for key, value in extra.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def exporting(endpoint, **batch):
    """The configuration of an export that does not make tests wait."""
    return {"export": {"otlp": {"endpoint": endpoint}, "batch": {"delay": "50ms"} | batch}}


def write_config(directory, config):
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "sidespan.yaml"
    path.write_text(json.dumps(config, indent=1) + "\n")  # JSON is YAML
    return path


class Sidecar:
    def __init__(self, directory, config=None, env=None, wrapper=()):
        """`wrapper`: the beginning of a command that ends by becoming the one behind it."""
        self.config = write_config(directory, merged(BASE, config or {}))
        self.lines = []
        self.listeners = {}
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            [*wrapper, binary(), "proxy", "--config", str(self.config)], env=environment(directory, env),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        try:
            wait_for("ready line", lambda: self._ready.is_set() or self.process.poll() is not None, START_TIMEOUT)
            assert self.process.poll() is None, f"sidespan ended at once with {self.process.returncode}"
        except AssertionError as fault:
            self.kill()
            raise AssertionError(f"{fault}\n{self.log()}") from None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        # A failed test has said enough: its sidecar's own exit status would only hide it.
        self.stop() if kind is None else self.kill()

    def address(self, listener):
        assert listener in self.listeners, f"no listener {listener}: {self.listeners}"
        return self.listeners[listener]

    @property
    def egress(self):
        return self.address("egress")

    @property
    def ingress(self):
        return self.address("ingress")

    @property
    def admin(self):
        return self.address("admin")

    @property
    def health(self):
        return self.address("health")

    def log(self, last=60):
        return "".join(self.lines[-last:])

    def metrics(self):
        """One snapshot of the health listener's /metrics."""
        response = ask(self.health, "GET", "/metrics", host="localhost")
        assert response.status == 200, response.raw
        return Metrics(response.body.decode())

    def workers(self):
        """(ran, waited) of each worker thread: seconds on a processor so far, and ready to run without one."""
        times = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == "worker":
                ran, waited = (task / "schedstat").read_text().split()[:2]
                times.append((int(ran) / 1e9, int(waited) / 1e9))
        return times

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """SIGTERM; drains; must end with 0."""
        if self.process.poll() is None:
            self.terminate()
        try:
            status = self.process.wait(timeout=STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"sidespan was still there {STOP_TIMEOUT} s after SIGTERM\n{self.log()}") from None
        self._watcher.join(timeout=5)
        assert status == 0, f"sidespan ended with {status}\n{self.log()}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._watcher.join(timeout=5)

    def _watch(self):
        """Reads stderr to its end, so that the program never waits for a reader."""
        for line in self.process.stderr:
            self.lines.append(line)
            event = _event(line)
            if event.get("event") == "listening":
                host, _, port = event["address"].rpartition(":")
                self.listeners[event["listener"]] = (host.strip("[]"), int(port))
            elif event.get("event") == "ready":
                self._ready.set()


def _event(line):
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


Sample = namedtuple("Sample", "name labels value")


class Metrics:
    """A page of Prometheus text."""

    LINE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)(?: \d+)?$")
    LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                match = self.LINE.match(line)
                assert match, f"not a metric line: {line!r}"
                name, labels, value = match.groups()
                self.samples.append(Sample(name, dict(self.LABEL.findall(labels or "")), float(value)))

    def all(self, name, **labels):
        """The samples of that name that carry these labels."""
        return [sample for sample in self.samples
                if sample.name == name and labels.items() <= sample.labels.items()]

    def total(self, name, **labels):
        return sum(sample.value for sample in self.all(name, **labels))

    def by_exporter(self, name):
        totals = {}
        for sample in self.all(name):
            exporter = sample.labels.get("exporter", "")
            totals[exporter] = totals.get(exporter, 0) + sample.value
        return totals

    def accounts(self):
        """{exporter: (emitted, exported, dropped, queued)}, after checking that every span is accounted for."""
        terms = [self.by_exporter(f"sidespan_spans_{term}")
                 for term in ("emitted_total", "exported_total", "dropped_total", "queued")]
        assert terms[0], "sidespan_spans_emitted_total is not there"
        accounts = {}
        for exporter in sorted(set().union(*terms)):
            emitted, exported, dropped, queued = account = [term.get(exporter, 0) for term in terms]
            assert emitted == exported + dropped + queued, (
                f"exporter {exporter!r}: {emitted:g} emitted, but {exported:g} exported + {dropped:g} dropped + "
                f"{queued:g} queued")
            accounts[exporter] = tuple(account)
        return accounts


def run(directory, command, config=None, env=None, options=(), timeout=60, shown="none", wrapper=()):
    """`sidespan run` around a command, by itself nothing printed; the finished process with its texts."""
    path = write_config(directory, merged({"service": {"name": "tested"}, "drain": BASE["drain"]}, config or {}))
    return subprocess.run(
        [*wrapper, binary(), "run", "--print", shown, "--config", str(path), *options, "--", *map(str, command)],
        env=environment(directory, env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, timeout=timeout)
