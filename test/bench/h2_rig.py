"""HTTP/2 on both sides of a proxy, for test/bench/h2 and test/bench/budget: Debian's nghttpd as origin, its h2load as
load generator, and nghttpx beside sidespan. All of it is cleartext.

    with H2Rig(build, sidespan, cores) as rig:
        rig.start_proxies()                             # sidespan and nghttpx; or rig.add("sidespan", rig.sidespan())
        rig.load_h2("nghttpx", "json", 1000)

h2load asks for no tunnel, and only in a tunnel does sidespan know without gRPC that an origin speaks HTTP/2. So a
relay (proxy/relay.cc) stands in front of each proxy, on the load's core, and makes the tunnel where one is wanted.
"""

import re
import socket
import subprocess
import time

from rig import LOAD_SECONDS, START_SECONDS, Failed, Program, Rig, settle_in

STREAMS = 100
MESSAGE = b'{"message":"Hello, World!"}'


def _grpc(message):
    return b"\0" + len(message).to_bytes(4, "big") + message


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class H2Rig(Rig):
    PATHS = {"json": "/json", "post": "/answer.bin", "grpc": "/unary.grpc"}

    def __enter__(self):
        super().__enter__()
        root = self.directory / "www"
        root.mkdir()
        (root / "json").write_bytes(MESSAGE)
        for kind in ("post", "grpc"):
            (root / self.PATHS[kind][1:]).write_bytes(_grpc(MESSAGE))
        (self.directory / "types").write_text("application/grpc grpc\napplication/octet-stream bin\n")
        (self.directory / "request").write_bytes(_grpc(b"request"))
        common = ["nghttpd", "--no-tls", "--address=127.0.0.1", "-d", root,
                  f"--mime-types-file={self.directory / 'types'}"]
        plain = self._on_port("nghttpd", lambda port: [*common, port])
        self.origins = {
            "json": plain,
            "post": plain,
            "grpc": self._on_port("nghttpd", lambda port: [*common, "--trailer=grpc-status: 0", port]),
        }
        self.proxies, self._doors = {}, {}
        return self

    def start_proxies(self):
        self.add("nghttpx", self.nghttpx())
        self.add("sidespan", self.sidespan())

    def nghttpx(self):
        backends = [f"--backend=127.0.0.1,{self.origins[kind].port};{path};proto=h2"
                    for kind, path in (("json", "/"), ("grpc", self.PATHS["grpc"]))]
        return self._on_port("nghttpx", lambda port: [
            "nghttpx", "--conf=/dev/null", "--single-process", "--workers=1", "--errorlog-file=/dev/null",
            f"--frontend=127.0.0.1,{port};no-tls", *backends], cores=self.cores.proxy)

    def add(self, name, proxy):
        self.proxies[name] = proxy
        doors = {}
        for kind, origin in self.origins.items():
            tunnel = [f"127.0.0.1:{origin.port}"] if name == "sidespan" else []
            if origin not in doors:
                doors[origin] = self._announced("door", self.bin / "bench_relay", proxy.port, *tunnel)
            self._doors[name, kind] = doors[origin]

    def load_h2(self, name, kind, requests):
        origin = self.origins[kind].port
        sent = {"json": [],
                "post": ["--data", self.directory / "request", "-H", "content-type: application/octet-stream"],
                "grpc": ["--data", self.directory / "request", "-H", "content-type: application/grpc",
                         "-H", "te: trailers"]}
        command = ["h2load", "--clients=1", f"--max-concurrent-streams={STREAMS}", f"--requests={requests}",
                   *sent[kind], f"--connect-to=127.0.0.1:{self._doors[name, kind].port}",
                   f"http://127.0.0.1:{origin}{self.PATHS[kind]}"]
        done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=LOAD_SECONDS,
                              preexec_fn=lambda: settle_in(self.cores.load))
        whole = re.search(rf"status codes: {requests} 2xx", done.stdout)
        if done.returncode or not whole:
            raise Failed(f"load through {name}: {' '.join(map(str, command))}\n{done.stdout}")

    def _on_port(self, name, command, cores=None):
        """A program that has to be told its port, once it listens there."""
        port = _free_port()
        program = Program(name, command(port), cores or self.cores.load)
        self.programs.append(program)
        program.port = port
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return program
            except OSError:
                if program.ended() or time.monotonic() > until:
                    raise Failed(f"{name} did not start") from None
                time.sleep(0.02)
