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
  if (::pipe2(told_, O_CLOEXEC) != 0) std::abort();
  thread_ = start_without_signals([this] { run(); });
}

Pump::~Pump() {
  stop();
  thread_.join();
  ::close(told_[0]);
}

void Pump::stop() {
  if (told_[1] >= 0) ::close(std::exchange(told_[1], -1));
}

void Pump::finish_when_quiet(Milliseconds quiet) {
  quiet_ = static_cast<int>(quiet.count());
  // It is waiting by the old limit.
  if (told_[1] >= 0 && ::write(told_[1], "", 1) != 1) std::abort();
}

void Pump::run() {
  const End why = move();
  write_all(hooks_.rest(why));
  close_file(from_);
  close_file(to_);
  hooks_.on_end();
}

Pump::End Pump::move() {
  std::string buffer(kReadBytes, '\0');
  while (true) {
    const Wait wait = wait_for(from_, POLLIN);
    if (wait != Wait::kReady) return wait == Wait::kQuiet ? End::kFromEnded : End::kStopped;
    const ssize_t n = ::read(from_, buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return End::kFromEnded;
    const std::string_view read(buffer.data(), static_cast<size_t>(n));
    if (const std::optional<End> end = write_all(hooks_.pass(read))) return *end;
  }
}

// A regular file is always ready.
Pump::Wait Pump::wait_for(int fd, short events) {
  while (true) {
    std::array<pollfd, 2> waiting = {{{told_[0], POLLIN, 0}, {fd, events, 0}}};
    const int ready = ::poll(waiting.data(), waiting.size(), events == POLLIN ? quiet_.load() : -1);
    if (ready == 0) return Wait::kQuiet;
    if (ready < 0) {
      if (errno == EINTR) continue;
      return Wait::kStopped;
    }
    if (waiting[0].revents == 0) return Wait::kReady;
    char told = 0;
    if (::read(told_[0], &told, 1) == 0) return Wait::kStopped;
  }
}

// Why it ends, where not all was taken.
std::optional<Pump::End> Pump::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    if (wait_for(to_, POLLOUT) != Wait::kReady) return End::kStopped;
    // A pipe with room for one page takes that much without waiting (pipe(7)).
    const ssize_t n = ::write(to_, bytes.data(), std::min<size_t>(bytes.size(), PIPE_BUF));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return End::kToClosed;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return std::nullopt;
}

}  // namespace sidespan::net
