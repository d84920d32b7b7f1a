#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace sidespan::bench {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

static_assert(kReadable == EPOLLIN && kWritable == EPOLLOUT);

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void set(int fd, int level, int option) {
  const int on = 1;
  if (setsockopt(fd, level, option, &on, sizeof on) != 0) die("setsockopt");
}

}  // namespace

void die(std::string_view what) {
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(what.size()), what.data(),
               std::strerror(errno));
  std::exit(1);
}

int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

std::array<char, kReadBytes>& read_buffer() {
  static std::array<char, kReadBytes> buffer;
  return buffer;
}

Io read_once(int fd, std::string_view& bytes) {
  auto& buffer = read_buffer();
  const ssize_t n = recv(fd, buffer.data(), buffer.size(), 0);
  bytes = {buffer.data(), static_cast<size_t>(std::max<ssize_t>(n, 0))};
  if (n > 0) return Io::kDone;
  return n < 0 && errno == EAGAIN ? Io::kLater : Io::kGone;
}

Io write_some(int fd, std::string_view& bytes) {
  if (bytes.empty()) return Io::kDone;
  const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN ? Io::kLater : Io::kGone;
  bytes.remove_prefix(static_cast<size_t>(n));
  return bytes.empty() ? Io::kDone : Io::kLater;
}

int listen_on_loopback(uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  sockaddr_in address = loopback(port);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, size) != 0 || listen(fd, SOMAXCONN) != 0) die("listen");
  if (getsockname(fd, generic, &size) != 0) die("getsockname");
  port = ntohs(address.sin_port);
  return fd;
}

int connect_to(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  set(fd, IPPROTO_TCP, TCP_NODELAY);
  const sockaddr_in address = loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    die("connect");
  }
  return fd;
}

int accept_one(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) set(fd, IPPROTO_TCP, TCP_NODELAY);
  if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) die("accept");
  return fd;
}

int make_timer() {
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) die("timerfd_create");
  return fd;
}

void arm_timer(int fd, int64_t moment_ns) {
  itimerspec when{};
  when.it_value = {moment_ns / kSecond, moment_ns % kSecond};
  if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, nullptr) != 0) die("timerfd_settime");
}

void take_timer(int fd) {
  uint64_t expirations = 0;
  if (read(fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN) die("timerfd");
}

void announce(uint16_t port) {
  std::printf("%u\n", port);
  std::fflush(stdout);
}

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
  if (fd_ < 0) die("epoll_create1");
}

void Poller::add(int fd, uint32_t events, Watched& owner) {
  epoll_event event{events, {&owner}};
  if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

void Poller::change(int fd, uint32_t events, Watched& owner) {
  epoll_event event{events, {&owner}};
  if (epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event) != 0) die("epoll_ctl");
}

void Poller::turn(int timeout_ms) {
  std::array<epoll_event, 256> events;
  const int n = epoll_wait(fd_, events.data(), static_cast<int>(events.size()), timeout_ms);
  if (n < 0 && errno != EINTR) die("epoll_wait");
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    static_cast<Watched*>(event.data.ptr)->on_ready(event.events);
  }
  retired_.clear();
}

}  // namespace sidespan::bench
