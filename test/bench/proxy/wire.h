// Sockets and epoll for the programs of the whole-proxy benchmark: one thread each, loopback only,
// level-triggered, no more work for a request than it needs. Whatever the system refuses ends the
// program with a message.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace sidespan::bench {

inline constexpr size_t kReadBytes = size_t{64} * 1024;

[[noreturn]] void die(std::string_view what);
int64_t now_ns();  // CLOCK_MONOTONIC, the same in all these programs

// One read buffer for everything: bytes are used before the next read.
std::array<char, kReadBytes>& read_buffer();

enum class Io : uint8_t { kDone, kLater, kGone };
// As much as there is, once: the bytes read. kLater: nothing yet; kGone: FIN or a broken
// connection.
Io read_once(int fd, std::string_view& bytes);
// Drops what was written from the front of `bytes`. kDone when nothing is left.
Io write_some(int fd, std::string_view& bytes);

int connect_to(uint16_t port);
// Accepted connections, like those made, have TCP_NODELAY. -1: none is waiting.
int accept_one(int listener);

// What an event loop calls when a descriptor of its own is ready.
class Watched {
 public:
  virtual ~Watched() = default;
  virtual void on_ready(uint32_t events) = 0;
};

class Poller {
 public:
  Poller();
  void add(int fd, uint32_t events, Watched& owner);
  void change(int fd, uint32_t events, Watched& owner);
  // One epoll_wait, and what it found.
  void turn(int timeout_ms);
  // Destroys `owner` after this turn: events found before may still name it.
  void retire(std::unique_ptr<Watched> owner) { retired_.push_back(std::move(owner)); }

 private:
  int fd_;
  std::vector<std::unique_ptr<Watched>> retired_;
};

// Listens on a free port of loopback, which `port()` tells; `OnAccept(int fd)` gets the
// connections.
template <class OnAccept>
class Listener final : public Watched {
 public:
  Listener(Poller& poller, OnAccept on_accept);
  uint16_t port() const { return port_; }
  void on_ready(uint32_t) override {
    for (int fd = accept_one(fd_); fd >= 0; fd = accept_one(fd_)) on_accept_(fd);
  }

 private:
  uint16_t port_ = 0;
  int fd_;
  OnAccept on_accept_;
};

// A one-shot timer on CLOCK_MONOTONIC with the kernel's full resolution.
template <class OnTime>
class Timer final : public Watched {
 public:
  Timer(Poller& poller, OnTime on_time);
  void at(int64_t moment_ns);
  void on_ready(uint32_t) override;

 private:
  int fd_;
  OnTime on_time_;
};

int listen_on_loopback(uint16_t& port);
int make_timer();
void arm_timer(int fd, int64_t moment_ns);
void take_timer(int fd);
// The port as the one line that test/bench/run waits for.
void announce(uint16_t port);

inline constexpr uint32_t kReadable = 0x001;  // EPOLLIN
inline constexpr uint32_t kWritable = 0x004;  // EPOLLOUT

template <class OnAccept>
Listener<OnAccept>::Listener(Poller& poller, OnAccept on_accept)
    : fd_(listen_on_loopback(port_)), on_accept_(std::move(on_accept)) {
  poller.add(fd_, kReadable, *this);
}

template <class OnTime>
Timer<OnTime>::Timer(Poller& poller, OnTime on_time)
    : fd_(make_timer()), on_time_(std::move(on_time)) {
  poller.add(fd_, kReadable, *this);
}

template <class OnTime>
void Timer<OnTime>::at(int64_t moment_ns) {
  arm_timer(fd_, moment_ns);
}

template <class OnTime>
void Timer<OnTime>::on_ready(uint32_t) {
  take_timer(fd_);
  on_time_();
}

}  // namespace sidespan::bench
