#include "app/health_command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string_view>
#include <system_error>

#include "sidespan/base/clock.h"
#include "sidespan/base/error.h"
#include "sidespan/base/text.h"
#include "sidespan/net/address.h"

namespace sidespan::app {
namespace {

constexpr Milliseconds kTimeMax{2000};
constexpr size_t kAnswerBytesMax = 4096;

struct Socket {
  ~Socket() {
    if (fd >= 0) ::close(fd);
  }
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

std::optional<Error> connect_to(int fd, const net::Address& address, MonoTime deadline) {
  const std::string where = "nothing answers at " + address.to_string();
  if (::connect(fd, address.get(), address.size()) == 0) return std::nullopt;
  if (errno != EINPROGRESS) return system_fault(where, errno).error();
  if (!wait_for(fd, POLLOUT, deadline)) {
    return Error{Code::kConnectTimeout, Side::kSelf, true, where + " in time"};
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return system_fault(where, error).error();
  return std::nullopt;
}

// The answer as far as kAnswerBytesMax, or what of it came in time.
std::string read_answer(int fd, MonoTime deadline) {
  std::string answer;
  std::array<char, kAnswerBytesMax> buffer;
  while (answer.size() < kAnswerBytesMax && wait_for(fd, POLLIN, deadline)) {
    const ssize_t n = ::read(fd, buffer.data(), kAnswerBytesMax - answer.size());
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

Result<uint64_t> ask(const net::Address& address, MonoTime deadline) {
  const Socket socket{::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (socket.fd < 0) return system_fault("cannot make a socket", errno);
  if (std::optional<Error> error = connect_to(socket.fd, address, deadline)) {
    return std::unexpected(std::move(*error));
  }
  const std::string request =
      "GET /readyz HTTP/1.1\r\nHost: localhost:" + std::to_string(address.port()) +
      "\r\nConnection: close\r\n\r\n";
  if (::send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return system_fault("cannot ask " + address.to_string(), errno);
  }
  const std::optional<uint64_t> status = status_of(read_answer(socket.fd, deadline));
  if (!status) {
    return fail(Code::kMalformed, Side::kSelf,
                address.to_string() + " gave no answer that is HTTP");
  }
  return *status;
}

net::Address reachable(const net::Address& address) {
  if (!address.is_any()) return address;
  const char* loopback = address.family() == AF_INET6 ? "::1" : "127.0.0.1";
  return net::Address::parse(loopback, address.port()).value_or(address);
}

}  // namespace

Result<void> ask_ready(const ListenSettings& listen) {
  const ListenAddress& asked = listen.health ? listen.health : listen.admin;
  if (!asked) {
    return fail(Code::kInvalid, Side::kSelf, "both listen.health and listen.admin are off");
  }
  const MonoTime deadline = SystemClock().now().mono + kTimeMax;
  Result<void> answered = {};
  for (const net::Address& address : asked.addresses) {
    if (address.port() == 0) {
      return fail(Code::kInvalid, Side::kSelf, asked.written + " names no port to ask");
    }
    const Result<uint64_t> status = ask(reachable(address), deadline);
    if (status && *status == 200) return {};
    if (status) {
      return fail(
          Code::kSystem, Side::kSelf,
          "not ready: " + reachable(address).to_string() + " answers " + std::to_string(*status));
    }
    if (answered) answered = std::unexpected(status.error());
  }
  return answered;
}

int health_command(const Settings& settings) {
  const Result<void> ready = ask_ready(settings.listen);
  if (!ready) std::fprintf(stderr, "sidespan: %s\n", ready.error().what.c_str());
  return ready ? 0 : 1;
}

}  // namespace sidespan::app
