"""A sidecar whose clocks a test sets while it runs, and whose workers it can hold up.

    clocks = Clocks(directory)
    side = sidecar(env=clocks.environment)
    clocks.set(wall=3600)                  # seconds that the wall clock is ahead from now on
    clocks.set(mono=11, stalled=True)      # the monotonic one; a worker that takes a connection stays in that call

A library in front of libc, which reads its orders from a shared file.
"""

import mmap
import struct
import subprocess

import peers

SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
struct orders { int64_t wall_seconds, mono_seconds, stalled, stopped_at, standing; };
static volatile struct orders* orders;
__attribute__((constructor)) static void begin(void) {
  const int fd = open(getenv("CLOCK_ORDERS"), O_RDWR);
  void* at = mmap(0, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at != MAP_FAILED) orders = at;
}
int clock_gettime(clockid_t clock, struct timespec* at) {
  const int status = (int)syscall(SYS_clock_gettime, clock, at);
  if (status != 0 || !orders) return status;
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
    if (orders->stopped_at) *at = (struct timespec){orders->stopped_at, 0};
    at->tv_sec += orders->wall_seconds;
  }
  if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE) at->tv_sec += orders->mono_seconds;
  return 0;
}
int gettimeofday(struct timeval* restrict at, void* restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  *at = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return 0;
}
time_t time(time_t* at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
int accept4(int listener, struct sockaddr* address, socklen_t* size, int flags) {
  char thread[16] = "";
  prctl(PR_GET_NAME, thread);
  while (orders && orders->stalled && strcmp(thread, "worker") == 0) {
    orders->standing = 1;
    usleep(1000);
  }
  return (int)syscall(SYS_accept4, listener, address, size, flags);
}
"""


class Clocks:
    def __init__(self, directory):
        source, library, orders = (directory / name for name in ("clocks.c", "clocks.so", "orders"))
        source.write_text(SHIM)
        subprocess.run([peers.installed("cc"), "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        orders.write_bytes(bytes(40))
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_ORDERS": str(orders)}
        with open(orders, "r+b") as file:
            self._orders = mmap.mmap(file.fileno(), 40)
        self._now = {"wall": 0, "mono": 0, "stalled": 0, "stopped_at": 0}

    def set(self, **orders):
        """wall, mono: seconds ahead. stalled: whether accepting takes for ever. stopped_at: where the wall clock stands."""
        self._now.update(orders)
        self._orders[:32] = struct.pack("=4q", *(int(value) for value in self._now.values()))

    def standing(self):
        """Whether a worker is held up."""
        return self._orders[32] != 0
