"""What the tables of test/bench/run and test/bench/h2 share."""

import os
import resource
import time
from pathlib import Path


def said(reached, what):
    return f"{what}: {'yes' if reached else 'NO'}"


def print_lines(lines):
    """Rows of texts, the columns' names first."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


class Others:
    """How much of this machine other programs used since this was made."""

    def __init__(self):
        self._busy, self._own, self._began = _machine_busy_seconds(), _own_seconds(), time.monotonic()

    def share(self):
        took = time.monotonic() - self._began
        others = (_machine_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return max(0.0, others) / took / (os.cpu_count() or 1)


def _machine_busy_seconds():
    fields = Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds():
    return sum(usage.ru_utime + usage.ru_stime for usage in
               map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
