#include "app/stderr_sink.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace sidespan::app {

void StderrSink::sink_it_(const spdlog::details::log_msg& message) {
  if (!put_rest()) {
    ++untold_;
    ++lost_;
    return;
  }
  if (untold_ > 0) {
    put(tell_lost_(std::exchange(untold_, 0)));
    if (!rest_.empty()) {
      ++untold_;
      ++lost_;
      return;
    }
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

// Where poll() says that it may be written, a pipe takes so much without waiting.
size_t StderrSink::written(std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    pollfd ready{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) != 1) return done;
    const std::string_view piece = bytes.substr(done, PIPE_BUF);
    const ssize_t count = ::write(descriptor_, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return done;
    // There is no better place to say that the log cannot be written.
    if (count < 0) return bytes.size();
    done += static_cast<size_t>(count);
  }
  return done;
}

}  // namespace sidespan::app
