#include "app/health_command.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

namespace sidespan::app {
namespace {

// Answers one connection with `answer` and keeps what it was asked.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : answer_(std::move(answer)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const net::Address any = *net::Address::parse("127.0.0.1", 0);
    REQUIRE(::bind(fd_, any.get(), any.size()) == 0);
    REQUIRE(::listen(fd_, 4) == 0);
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size);
    address_ = net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
    thread_ = std::thread([this] { serve(); });
  }
  ~OneAnswer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  ListenAddress listen() const { return {.written = "x", .addresses = {address_}}; }
  const std::string& asked() const { return asked_; }

 private:
  void serve() {
    const int connection = ::accept(fd_, nullptr, nullptr);
    if (connection < 0) return;
    char buffer[1024];
    const ssize_t n = ::read(connection, buffer, sizeof buffer);
    asked_.assign(buffer, n > 0 ? static_cast<size_t>(n) : 0);
    for (const char c : answer_) {
      if (::send(connection, &c, 1, MSG_NOSIGNAL) < 0) break;
    }
    ::close(connection);
  }

  std::string answer_;
  std::string asked_;
  int fd_;
  net::Address address_;
  std::thread thread_;
};

TEST_CASE("what is answered decides") {
  struct Row {
    const char* name;
    const char* answer;
    const char* fault;  // empty: ready
  };
  const std::vector<Row> rows = {
      {"ready", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n", ""},
      {"draining", "HTTP/1.1 503 Service Unavailable\r\n\r\n", "not ready: "},
      {"something else", "SSH-2.0-OpenSSH\r\n", "gave no answer that is HTTP"},
      {"nothing", "", "gave no answer that is HTTP"},
      {"a status cut short", "HTTP/1.1 20", "gave no answer that is HTTP"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const OneAnswer server(row.answer);
    const Result<void> ready =
        ask_ready({.egress = {}, .ingress = {}, .admin = {}, .health = server.listen()});
    CHECK(ready.has_value() == (*row.fault == '\0'));
    if (!ready) CHECK(ready.error().what.find(row.fault) != std::string::npos);
  }
}

TEST_CASE("the health listener is asked before the admin listener, by a name that both take") {
  OneAnswer health("HTTP/1.1 200 OK\r\n\r\n");
  ListenSettings listen;
  listen.health = health.listen();
  listen.admin.addresses = {*net::Address::parse("127.0.0.1", 1)};
  CHECK(ask_ready(listen));
  listen.admin = listen.health;
  listen.health = {};
  CHECK_FALSE(ask_ready({}));
}

TEST_CASE("nobody there") {
  ListenSettings listen;
  listen.admin = {
      .written = "localhost:1",
      .addresses = {*net::Address::parse("127.0.0.1", 1), *net::Address::parse("::1", 1)}};
  const Result<void> ready = ask_ready(listen);
  REQUIRE_FALSE(ready);
  CHECK(ready.error().what.starts_with("nothing answers at 127.0.0.1:1"));
}

TEST_CASE("what cannot be asked") {
  CHECK(ask_ready({}).error().what == "both listen.health and listen.admin are off");
  ListenSettings listen;
  listen.health = {.written = "localhost:0", .addresses = {*net::Address::parse("127.0.0.1", 0)}};
  CHECK(ask_ready(listen).error().what == "localhost:0 names no port to ask");
}

}  // namespace
}  // namespace sidespan::app
