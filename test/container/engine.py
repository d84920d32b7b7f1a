"""A podman of the test's own: settings, images and containers apart from the machine's, and a base image made here.

Images stay in the cache between runs, because the base and the compiler's packages are the slow part; containers,
pods, networks and volumes do not.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Chosen to work anywhere root works: without systemd, without cgroup v2, and without ulimits that a container of its
# own would have to raise.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{home}/run/libpod"

[network]
network_config_dir = "{home}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "{driver}"
graphroot = "{home}/{driver}"
runroot = "{home}/run/containers"
"""
BASE = "localhost/sidespan-test/base"


class Missing(Exception):
    """This machine cannot run the test; the message says what it lacks."""


@contextlib.contextmanager
def podman(home):
    """A Podman with the cache directory `home` to itself; when the block ends, nothing of it is running."""
    if os.geteuid() != 0:
        raise Missing("podman with these settings works as root only")
    for program in ("podman", "buildah", "runc", "debootstrap"):
        if not shutil.which(program):
            raise Missing(f"{program} is not installed: packaging/install-deps --containers")
    home.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        home.mkdir(exist_ok=True)
        engine = Podman(home)
        engine.remove_all()  # what a run that was cut off left
        try:
            yield engine
        finally:
            if home.exists():
                engine.remove_all()


class Podman:
    def __init__(self, home):
        self.home = home
        driver = "overlay" if _overlay_mounts(home) else "vfs"
        for name, text in (("containers.conf", CONTAINERS_CONF), ("storage.conf", STORAGE_CONF)):
            (home / name).write_text(text.format(home=home, driver=driver))
        self.environment = os.environ | {
            "CONTAINERS_CONF": str(home / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
            # Health checks by systemd timers: there may be no systemd, and the test asks for itself.
            "DISABLE_HC_SYSTEMD": "true",
            "TMPDIR": str(home / "run/temporary"),
        }

    def __call__(self, *words, check=True, timeout=300):
        """stdout of `podman WORDS`; a failure raises with what podman said."""
        done = subprocess.run(["podman", *map(str, words)], env=self.environment, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if check and done.returncode:
            raise AssertionError(f"podman {' '.join(map(str, words))}: exit {done.returncode}\n{done.stderr.strip()}")
        return done.stdout

    def works(self, *words):
        """Whether `podman WORDS` ends with 0."""
        return subprocess.run(["podman", *map(str, words)], env=self.environment, timeout=60, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def exit_code(self, container, timeout=60):
        """Of a container that ends, or has. `podman wait` waits for the monitor, too, which nobody may reap."""
        end = time.monotonic() + timeout
        while True:
            state, code = self("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", container).split()
            if state in ("stopped", "exited"):  # the first until the monitor is gone, too
                return int(code)
            assert time.monotonic() < end, f"{container} is still {state} after {timeout} s"
            time.sleep(0.2)

    def logs(self, container):
        """What the container wrote to stdout and to stderr."""
        done = subprocess.run(["podman", "logs", container], env=self.environment, text=True, timeout=60, check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.stdout, done.stderr

    def build(self, name, context, *options):
        """Builds an image, quietly unless it fails. Only a build may use the network, for apt."""
        started = time.monotonic()
        with tempfile.TemporaryFile("w+") as log, tempfile.NamedTemporaryFile("r", dir=self.home) as identity:
            failed = subprocess.run(
                ["podman", "build", "--network", "host", "--pull=never", "--format", "docker", "--tag", name,
                 "--iidfile", identity.name, *self._apt_options(), *options, str(context)],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT).returncode
            # A build that is told to end does so with 0 and without an image.
            if failed or not Path(identity.name).read_text():
                log.seek(0)
                raise AssertionError(f"building {name} failed:\n{log.read()[-6000:]}")
        say(f"built {name} in {time.monotonic() - started:.0f} s")

    def make_base(self):
        """An image of this machine's own distribution, made by debootstrap from where this machine gets its packages;
        there may be no registry to take one from."""
        if self.works("image", "exists", BASE):
            return
        started = time.monotonic()
        codename, sources = _apt_sources()
        mirror = next(uri for uri, suite, _ in sources if suite == codename)
        with tempfile.TemporaryDirectory(dir=self.home) as directory:
            root = Path(directory) / "root"
            done = subprocess.run(["debootstrap", "--variant=minbase", codename, root, mirror], text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode:
                raise AssertionError(f"debootstrap failed:\n{done.stdout[-3000:]}")
            # Packages that bring a service must not start it while an image is built.
            policy = root / "usr/sbin/policy-rc.d"
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
            lines = [f"deb {uri} {suite} {component}\n" for uri, suite, component in sources]
            (root / "etc/apt/sources.list").write_text("".join(lines))
            shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
            archive = subprocess.Popen(["tar", "-C", root, "--exclude=./dev/*", "-c", "."], stdout=subprocess.PIPE)
            subprocess.run(["podman", "import", "-", BASE], env=self.environment, stdin=archive.stdout, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            assert archive.wait() == 0, "tar could not read the root"
        say(f"made {BASE} ({codename}) in {time.monotonic() - started:.0f} s")

    def remove_all(self):
        for words in (("pod", "rm", "--all", "--force", "--time", "0"), ("rm", "--all", "--force", "--time", "0"),
                      ("volume", "rm", "--all", "--force")):
            self(*words, check=False)
        # Containers and mounts of a build that was cut off, and layers of sources that are not built any more.
        subprocess.run(["buildah", "rm", "--all"], env=self.environment, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self("image", "prune", "--force", check=False)
        for mounted in reversed(_mounts_below(self.home)):
            subprocess.run(["umount", mounted], check=True)
        shutil.rmtree(self.home / "run", ignore_errors=True)
        (self.home / "run/temporary").mkdir(parents=True, exist_ok=True)

    def _apt_options(self):
        """The way this machine's apt reaches its archives, for the time of a build and in no image."""
        kept = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries")
        text = subprocess.run(["apt-config", "dump"], text=True, stdout=subprocess.PIPE, check=True).stdout
        file = self.home / "apt.conf"
        file.write_text("".join(f"{line}\n" for line in text.splitlines() if line.startswith(kept)))
        return ["--volume", f"{file}:/etc/apt/apt.conf.d/90machine:ro"]


def _overlay_mounts(home):
    """Whether layers can be stacked there, which is many times faster than vfs's whole copies; inside a container
    they often cannot."""
    with tempfile.TemporaryDirectory(dir=home) as directory:
        lower, upper, work, merged = (Path(directory) / name for name in ("lower", "upper", "work", "merged"))
        for part in (lower, upper, work, merged):
            part.mkdir()
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        mounts = subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", merged],
                                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        if mounts:
            subprocess.run(["umount", merged], check=True)
        return mounts


def _mounts_below(directory):
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{directory}/")]


def _apt_sources():
    """(codename, [(uri, suite, component)]) of this machine's distribution, without third parties' archives."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)",
         "Identifier: Packages"], text=True, stdout=subprocess.PIPE, check=True).stdout
    found = [line.split("|") for line in dict.fromkeys(targets.splitlines())]
    sources = [tuple(rest) for origin, *rest in found if origin in ("Debian", "Ubuntu")]
    if not any(suite == codename for _, suite, _ in sources):
        raise Missing("apt knows no Debian or Ubuntu archive here; try apt-get update")
    return codename, sources


def say(text):
    print(text, file=sys.stderr, flush=True)
