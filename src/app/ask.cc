#include "app/ask.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <system_error>

#include "sidespan/base/text.h"

namespace sidespan::app {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

struct Socket {
  explicit Socket(int family)
      : fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (fd >= 0) ::close(fd);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd;
};

std::unexpected<Error> system_fault(const std::string& what, int error) {
  return fail(Code::kSystem, Side::kSelf,
              what + ": " + std::error_code(error, std::generic_category()).message());
}

// Waits until `fd` is ready for `events`; false when the time is up.
bool wait_for(int fd, short events, MonoTime deadline) {
  while (true) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - SystemClock().now().mono).count();
    if (left <= 0) return false;
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Result<void> connect_to(int fd, const net::Address& address, MonoTime deadline) {
  const std::string where = "nothing answers at " + address.to_string();
  if (::connect(fd, address.get(), address.size()) == 0) return {};
  if (errno != EINPROGRESS) return system_fault(where, errno);
  if (!wait_for(fd, POLLOUT, deadline)) {
    return fail(Code::kConnectTimeout, Side::kSelf, where + " in time");
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return system_fault(where, error);
  return {};
}

// The answer as far as `bytes_max`, or what of it came in time.
std::string read_answer(int fd, size_t bytes_max, MonoTime deadline) {
  std::string answer;
  std::array<char, 4096> buffer;
  while (answer.size() < bytes_max && wait_for(fd, POLLIN, deadline)) {
    const size_t room = std::min(buffer.size(), bytes_max - answer.size());
    const ssize_t n = ::read(fd, buffer.data(), room);
    if (n <= 0) break;
    answer.append(buffer.data(), static_cast<size_t>(n));
  }
  return answer;
}

// "HTTP/1.1 503 Service Unavailable": the number.
std::optional<uint64_t> status_of(std::string_view answer) {
  constexpr std::string_view kStart = "HTTP/1.";
  constexpr size_t kStatusAt = 9;
  if (!answer.starts_with(kStart) || answer.size() < kStatusAt + 3) return std::nullopt;
  return text::parse_unsigned(answer.substr(kStatusAt, 3));
}

Result<void> open(const Socket& socket, const net::Address& address, MonoTime deadline) {
  if (socket.fd < 0) return system_fault("cannot make a socket", errno);
  return connect_to(socket.fd, address, deadline);
}

}  // namespace

Result<void> try_to_connect(const net::Address& address, MonoTime deadline) {
  return open(Socket(address.family()), address, deadline);
}

Result<Answered> ask(const net::Address& address, std::string_view path, size_t bytes_max,
                     MonoTime deadline) {
  const Socket socket(address.family());
  if (Result<void> opened = open(socket, address, deadline); !opened) {
    return std::unexpected(opened.error());
  }
  const std::string request = "GET " + std::string(path) +
                              " HTTP/1.1\r\nHost: localhost:" + std::to_string(address.port()) +
                              "\r\nConnection: close\r\n\r\n";
  if (::send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return system_fault("cannot ask " + address.to_string(), errno);
  }
  const std::string answer = read_answer(socket.fd, bytes_max, deadline);
  const std::optional<uint64_t> status = status_of(answer);
  if (!status) {
    return fail(Code::kMalformed, Side::kSelf,
                address.to_string() + " gave no answer that is HTTP");
  }
  const size_t end = answer.find(kHeadEnd);
  return Answered{*status, end == std::string::npos ? "" : answer.substr(end + kHeadEnd.size())};
}

}  // namespace sidespan::app
