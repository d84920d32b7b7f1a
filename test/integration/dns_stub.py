"""A name server of a test's own, and a sidecar that asks no other.

    with DnsStub() as dns:
        dns.answer("one.test", [A("127.0.0.1")])
        side = sidecar(wrapper=dns.wrapper)

Scripts are used up one a lookup of that name and kind, the last one stays; a name without a script does not exist. The
sidecar gets a mount namespace in which /etc/resolv.conf is ours, which takes root.
"""

import os
import socket
import struct
import subprocess
import tempfile
import threading
import time

from peers import missing

KIND_A, KIND_CNAME, KIND_AAAA = 1, 5, 28
SILENCE, NO_SUCH_NAME = "silence", "no such name"
ADDRESS = "127.0.0.53"


def A(*addresses):
    return [(KIND_A, socket.inet_aton(address)) for address in addresses]


def AAAA(*addresses):
    return [(KIND_AAAA, socket.inet_pton(socket.AF_INET6, address)) for address in addresses]


def CNAME(name):
    return [(KIND_CNAME, encoded(name))]


class DnsStub:
    def __init__(self):
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
            missing("a name server of the test's own (it takes root and mount namespaces)")
        self.asked = []  # (name, kind) of every question, in order
        self._scripts, self._lock = {}, threading.Lock()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((ADDRESS, 53))
        self._tcp = socket.create_server((ADDRESS, 53))
        self._over = False
        for sock in (self._udp, self._tcp):
            sock.settimeout(0.05)  # closing alone wakes nobody
        self._file = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self._file.write(f"nameserver {ADDRESS}\nsearch nowhere.invalid\noptions timeout:1 attempts:1\n")
        self._file.flush()
        self._threads = [threading.Thread(target=serve, daemon=True) for serve in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._over = True
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()
        self._file.close()

    @property
    def wrapper(self):
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"',
                self._file.name]

    def answer(self, name, *scripts, kind=KIND_A):
        with self._lock:
            self._scripts[name, kind] = list(scripts)

    def lookups(self, name, kind=KIND_A):
        return self.asked.count((name, kind))

    def _serve_udp(self):
        while not self._over:
            try:
                question, peer = self._udp.recvfrom(4096)
            except TimeoutError:
                continue
            answer = self._answer(question)
            if answer is not None:
                fits = len(answer) <= 512
                # Over 512 bytes there is only the flag that says: ask by TCP.
                cut = answer if fits else answer[:2] + b"\x83\x80" + answer[4:6] + bytes(6) + question[12:_end(question)]
                self._udp.sendto(cut, peer)

    def _serve_tcp(self):
        while not self._over:
            try:
                sock, _ = self._tcp.accept()
            except TimeoutError:
                continue
            threading.Thread(target=self._serve_one, args=(sock,), daemon=True).start()

    def _serve_one(self, sock):
        with sock:
            while size := sock.recv(2):
                question = sock.recv(struct.unpack("!H", size)[0])
                answer = self._answer(question, again=True)
                if answer is None:
                    time.sleep(5)
                    return
                sock.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, question, again=False):
        """The whole answer, or None where there is to be none. `again`: by TCP, what UDP had no room for; the script of
        such a name has one step."""
        end = _end(question)
        name, kind = _name(question), struct.unpack("!H", question[end - 4:end - 2])[0]
        with self._lock:
            if not again:
                self.asked.append((name, kind))
            scripts = self._scripts.get((name, kind))
            known = any(scripted == name for scripted, _ in self._scripts)
            records = [] if known else NO_SUCH_NAME
            if scripts:
                records = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        if records == SILENCE:
            return None
        if records == NO_SUCH_NAME:
            return question[:2] + b"\x81\x83" + b"\0\1" + bytes(6) + question[12:end]
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", record, 1, 0, len(data)) + data for record, data in records)
        return question[:2] + b"\x81\x80" + b"\0\1" + struct.pack("!HHH", len(records), 0, 0) + question[12:end] + body


def encoded(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _name(question):
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode().lower())
        at += 1 + question[at]
    return ".".join(labels)


def _end(question):
    """Where the first question's kind and class end."""
    return question.index(b"\0", 12) + 5
