"""A pseudo-terminal with a program on it, and a shell with just enough job control to stop and continue one job."""

import os
import pty
import signal
import sys
import termios
import threading
import time

from wire import wait_for

# Runs its arguments as a foreground job of its own, as an interactive shell would: says when the job stops and brings
# it back to the foreground at once.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(pid, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        print("exited", os.waitstatus_to_exitcode(status), flush=True)
        break
    print("stopped", signal.Signals(os.WSTOPSIG(status)).name, flush=True)
    os.tcsetpgrp(0, pid)
    os.killpg(pid, signal.SIGCONT)
"""


def job_control_shell(arguments):
    return [sys.executable, "-c", SHELL, *arguments]


class Terminal:
    """`arguments` as the leader of a session on a terminal of its own."""

    def __init__(self, arguments, environment):
        self._shown = b""
        self._searched = 0
        self._status = None
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.execve(arguments[0], arguments, environment)
        termios.tcsetwinsize(self._master, (40, 100))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._status is None:
            for group in {os.tcgetpgrp(self._master), self.pid} - {0}:  # 0 would be our own
                try:
                    os.killpg(group, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            os.waitpid(self.pid, 0)
        self._reader.join(timeout=5)
        os.close(self._master)

    def output(self):
        return self._shown.decode(errors="replace")

    def type(self, text):
        os.write(self._master, text.encode())

    def expect(self, text, timeout=20.0):
        """Waits until `text` is shown behind what was expected before."""

        def found():
            at = self._shown.find(text.encode(), self._searched)
            return at + len(text) if at >= 0 else None

        try:
            self._searched = wait_for(repr(text), found, timeout)
        except AssertionError as late:
            raise AssertionError(f"{late}; the terminal shows:\n{self.output()}") from None

    def wait(self, timeout=30.0):
        """The exit status of the program, once all it wrote was read."""

        def ended():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return (status,) if pid else None

        [status] = wait_for("end of the program", ended, timeout)
        self._status = os.waitstatus_to_exitcode(status)
        self._reader.join(timeout=5)
        return self._status

    def _read(self):
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # how Linux says that nobody has the terminal open any more
                return
            if not data:
                return
            self._shown += data
            time.sleep(0)
