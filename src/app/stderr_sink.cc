#include "app/stderr_sink.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace sidespan::app {

void StderrSink::sink_it_(const spdlog::details::log_msg& message) {
  if (put_rest() && untold_ > 0) put(tell_lost_(std::exchange(untold_, 0)));
  if (!rest_.empty()) {
    ++untold_;
    ++lost_;
    return;
  }
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  put({line.data(), line.size()});
}

// A line that is begun is written to its end before the next one.
void StderrSink::put(std::string_view line) {
  line.remove_prefix(written(line));
  rest_ = line;
}

bool StderrSink::put_rest() {
  rest_.erase(0, written(rest_));
  return rest_.empty();
}

// A pipe or a terminal takes what there is room for only if it is opened so; with what it is opened
// by others that cannot be changed without changing it for them.
StderrSink::StderrSink(int descriptor, TellLost tell_lost)
    : descriptor_(descriptor), tell_lost_(std::move(tell_lost)) {
  struct stat file{};
  if (::fstat(descriptor, &file) != 0) return;
  is_socket_ = S_ISSOCK(file.st_mode);
  if (!S_ISFIFO(file.st_mode) && ::isatty(descriptor) != 1) return;
  const std::string name = "/proc/self/fd/" + std::to_string(descriptor);
  own_ = ::open(name.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

StderrSink::~StderrSink() {
  if (own_ >= 0) ::close(own_);
}

ssize_t StderrSink::write_some(std::string_view bytes) const {
  if (is_socket_) {
    return ::send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  if (own_ >= 0) return ::write(own_, bytes.data(), bytes.size());
  // Of a pipe that says so there is room for this much, as long as nobody else writes there.
  pollfd ready{.fd = descriptor_, .events = POLLOUT, .revents = 0};
  if (::poll(&ready, 1, 0) == 1) return ::write(descriptor_, bytes.data(), bytes.size());
  errno = EAGAIN;
  return -1;
}

size_t StderrSink::written(std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = write_some(bytes.substr(done, PIPE_BUF));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return done;
    if (count < 0) {
      // There is no better place to say that the log cannot be written.
      ++lost_;
      return bytes.size();
    }
    done += static_cast<size_t>(count);
  }
  return done;
}

}  // namespace sidespan::app
