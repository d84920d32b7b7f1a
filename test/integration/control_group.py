"""A memory control group of a test's own, v2 or v1, whichever this machine lets us make.

    with MemoryGroup(48 << 20) as group:
        Sidecar(directory, config, wrapper=group.wrapper)
        group.peak(), group.kills()
"""

import os
import time
from pathlib import Path

import pytest

import peers

MOUNT = Path("/sys/fs/cgroup")


class MemoryGroup:
    def __init__(self, limit):
        unified = "memory" in _words(MOUNT / "cgroup.controllers")
        parent = MOUNT if unified else MOUNT / "memory" / _own_group()
        if not unified and not (parent / "memory.limit_in_bytes").exists():
            pytest.skip("this machine has no memory control groups")
        if os.geteuid() != 0:
            pytest.skip("only root makes control groups")
        self.unified = unified
        self.path = parent / f"sidespan-test-{os.getpid()}-{time.monotonic_ns()}"
        try:
            if unified and "memory" not in _words(parent / "cgroup.subtree_control"):
                (parent / "cgroup.subtree_control").write_text("+memory")
            self.path.mkdir()
            (self.path / ("memory.max" if unified else "memory.limit_in_bytes")).write_text(str(limit))
        except OSError as fault:
            self.remove()
            peers.missing(f"no control group can be made: {fault}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    @property
    def wrapper(self):
        """The beginning of a command that is to run inside."""
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.path)]

    def peak(self):
        """The most bytes that were charged to it so far; None where the kernel does not say."""
        path = self.path / ("memory.peak" if self.unified else "memory.max_usage_in_bytes")
        return int(path.read_text()) if path.exists() else None

    def kills(self):
        """Processes that the kernel has ended because the group was full."""
        events = (self.path / ("memory.events" if self.unified else "memory.oom_control")).read_text()
        return int(dict(line.split() for line in events.splitlines())["oom_kill"])

    def at_limit(self):
        """How often it was full, so that the kernel had to take something back."""
        if not self.unified:
            return int((self.path / "memory.failcnt").read_text())
        return int(dict(line.split() for line in (self.path / "memory.events").read_text().splitlines())["max"])

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


def _words(path):
    try:
        return path.read_text().split()
    except OSError:
        return []


def _own_group():
    """This process's directory among v1's memory groups, without the leading slash."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return path.lstrip("/")
    return ""
