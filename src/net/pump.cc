#include "sidespan/net/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <utility>

namespace sidespan::net {
namespace {

constexpr size_t kReadBytes = size_t{64} * 1024;

// Signals are for the threads that wait for them.
std::thread start_without_signals(std::move_only_function<void()> work) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(work));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

// The number of a standard stream must not become that of something else.
void close_file(int fd) {
  if (fd > STDERR_FILENO) {
    ::close(fd);
    return;
  }
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere < 0) std::abort();
  ::dup2(nowhere, fd);
  ::close(nowhere);
}

}  // namespace

Pump::Pump(int from, int to, Hooks hooks) : from_(from), to_(to), hooks_(std::move(hooks)) {
  if (::pipe2(stop_, O_CLOEXEC) != 0) std::abort();
  thread_ = start_without_signals([this] { run(); });
}

Pump::~Pump() {
  stop();
  thread_.join();
  ::close(stop_[0]);
}

void Pump::stop() {
  if (stop_[1] >= 0) ::close(std::exchange(stop_[1], -1));
}

void Pump::run() {
  std::string buffer(kReadBytes, '\0');
  while (wait_for(from_, POLLIN)) {
    const ssize_t n = ::read(from_, buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) break;
    if (!write_all(hooks_.pass({buffer.data(), static_cast<size_t>(n)}))) break;
  }
  write_all(hooks_.rest());
  close_file(from_);
  close_file(to_);
  hooks_.on_end();
}

// False: it was stopped. A regular file is always ready.
bool Pump::wait_for(int fd, short events) const {
  std::array<pollfd, 2> waiting = {{{stop_[0], POLLIN, 0}, {fd, events, 0}}};
  while (::poll(waiting.data(), waiting.size(), -1) < 0) {
    if (errno != EINTR) return false;
  }
  return waiting[0].revents == 0;
}

bool Pump::write_all(std::string_view bytes) const {
  while (!bytes.empty()) {
    if (!wait_for(to_, POLLOUT)) return false;
    // A pipe with room for one page takes that much without waiting (pipe(7)).
    const ssize_t n = ::write(to_, bytes.data(), std::min<size_t>(bytes.size(), PIPE_BUF));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace sidespan::net
