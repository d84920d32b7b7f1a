"""A control group of a test's own, v2 or v1, whichever this machine lets us make.

    with MemoryGroup(48 << 20) as group:
        Sidecar(directory, config, wrapper=group.wrapper)
        group.peak(), group.kills()

    with CpuGroup() as group:
        Sidecar(directory, config, wrapper=group.wrapper)
        group.limit(1)                         # percent of one processor from now on; None: all there is
        group.throttled()

Where none can be made, that is what a missing peer is.
"""

import os
import time
from pathlib import Path

import peers

MOUNT = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds, in which a share of the processor is counted


class ControlGroup:
    CONTROLLER = LIMIT_OF_V1 = ""

    def __init__(self):
        self.unified = self.CONTROLLER in _words(MOUNT / "cgroup.controllers")
        parent = MOUNT if self.unified else MOUNT / self.CONTROLLER / _own_group(self.CONTROLLER)
        if not self.unified and not (parent / self.LIMIT_OF_V1).exists():
            peers.missing(f"control groups for {self.CONTROLLER}")
        if os.geteuid() != 0:
            peers.missing("a control group (only root makes one)")
        self.path = parent / f"sidespan-test-{os.getpid()}-{time.monotonic_ns()}"
        try:
            if self.unified and self.CONTROLLER not in _words(parent / "cgroup.subtree_control"):
                (parent / "cgroup.subtree_control").write_text(f"+{self.CONTROLLER}")
            self.path.mkdir()
            self.prepare()
        except OSError as fault:
            self.remove()
            peers.missing(f"no control group can be made: {fault}")

    def prepare(self):
        """What is set before anybody is in it."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    @property
    def wrapper(self):
        """The beginning of a command that is to run inside."""
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.path)]

    def words(self, name):
        """A file of lines "key number" as a dict."""
        return {key: int(number) for key, number in
                (line.split() for line in (self.path / name).read_text().splitlines())}

    def remove(self):
        # A process that has ended leaves its group a moment later.
        for _ in range(100):
            try:
                return self.path.rmdir()
            except FileNotFoundError:
                return None
            except OSError:
                time.sleep(0.02)
        return None


class MemoryGroup(ControlGroup):
    CONTROLLER, LIMIT_OF_V1 = "memory", "memory.limit_in_bytes"

    def __init__(self, limit):
        self.limit = limit
        super().__init__()

    def prepare(self):
        (self.path / ("memory.max" if self.unified else self.LIMIT_OF_V1)).write_text(str(self.limit))

    def peak(self):
        """The most bytes that were charged to it so far; None where the kernel does not say."""
        path = self.path / ("memory.peak" if self.unified else "memory.max_usage_in_bytes")
        return int(path.read_text()) if path.exists() else None

    def kills(self):
        """Processes that the kernel has ended because the group was full."""
        return self.words("memory.events" if self.unified else "memory.oom_control")["oom_kill"]

    def at_limit(self):
        """How often it was full, so that the kernel had to take something back."""
        if not self.unified:
            return int((self.path / "memory.failcnt").read_text())
        return self.words("memory.events")["max"]


class CpuGroup(ControlGroup):
    CONTROLLER, LIMIT_OF_V1 = "cpu", "cpu.cfs_quota_us"

    def prepare(self):
        self.limit(None)  # fails where the kernel has no bandwidth control

    def limit(self, percent):
        """Of one processor, for all threads in it together; the kernel knows none below 1."""
        quota = None if percent is None else PERIOD * percent // 100
        if self.unified:
            (self.path / "cpu.max").write_text(f"{quota or 'max'} {PERIOD}")
        else:
            (self.path / "cpu.cfs_period_us").write_text(str(PERIOD))
            (self.path / self.LIMIT_OF_V1).write_text(str(quota or -1))

    def throttled(self):
        """How many periods so far were over for it before they ended."""
        return self.words("cpu.stat")["nr_throttled"]


def _words(path):
    try:
        return path.read_text().split()
    except OSError:
        return []


def _own_group(controller):
    """This process's directory among v1's groups, without the leading slash."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    return ""
