"""The real programs the tests talk to, made by the scripts of test/peers when they are first asked for.

A peer that cannot be had is a skip that says why; with CI set it is a failure, so that no peer goes missing unseen.
"""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "peers"
# A program that leaves eight processes behind and ends with 7, for first_process(): says who that is, and how many of
# them are still there when all should have ended.
LEAVING = """
import os, sys, time
for _ in range(8):
    between = os.fork()
    if between == 0:
        if os.fork() == 0:
            time.sleep(1)
        os._exit(0)
    os.waitpid(between, 0)
def left():
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) not in (1, os.getpid())]
assert len(left()) == 8
until = time.monotonic() + 10
while left() and time.monotonic() < until:
    time.sleep(0.02)
print(open("/proc/1/comm").read().strip() + ",", len(left()), "left")
sys.exit(7)
"""
BUILD_TIMEOUT = 1800  # a Collector on a cold machine is minutes of compiling


def missing(what):
    """Ends the test: this peer, or what the machine would have to have for it, is not here."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} (CI is set: what is missing is a failure)", pytrace=False)
    pytest.skip(what)


def made(script):
    """The path that a script of test/peers prints, or the end of the test."""
    path, fault = _make(script)
    if fault:
        missing(fault)
    return path


@functools.cache
def _make(script):
    """(path, None) or (None, why not): asked once a run, because a build that failed would fail again."""
    try:
        done = subprocess.run([SCRIPTS / script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, timeout=BUILD_TIMEOUT)
    except subprocess.TimeoutExpired:
        return None, f"test/peers/{script} took longer than {BUILD_TIMEOUT} s"
    if done.returncode:
        return None, f"test/peers/{script} failed: {done.stderr.strip()[-800:]}"
    return done.stdout.strip().splitlines()[-1], None


def installed(program):
    """The path of a program of the machine, or the end of the test."""
    return shutil.which(program) or missing(f"{program} is not installed")


def python():
    """An interpreter that has the Python clients: that of test/peers/python."""
    return os.path.join(made("python"), "bin", "python")


def without_roots():
    """The beginning of a command for which this machine has no root certificates, or the end of the test."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        missing("a system without root certificates (it takes root and mount namespaces)")
    # Debian's other places are links to there.
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"',
            "/etc/ssl/certs"]


def first_process():
    """The beginning of a command that is the first process of a PID namespace, or the end of the test."""
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0 or subprocess.run([*words, "true"], stderr=subprocess.DEVNULL).returncode:
        missing("a PID namespace (it takes root)")
    return words


def full_disk(directory, before="true"):
    """The beginning of a command for which `directory` is a disk without room, or the end of the test. `before` is what
    a shell does there while there is some; "$2" is the command's program."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        missing("a disk that is full (it takes root and mount namespaces)")
    directory.mkdir(parents=True, exist_ok=True)
    script = ('mount -t tmpfs -o size=4m none "$0" && eval "$1" && shift && '
              '{ cat /dev/zero > "$0/rest" 2> /dev/null; exec "$@"; }')
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", script, str(directory), before]
