#include "app/telemetry.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "app/log.h"

namespace sidespan::app {
namespace {

// What a GET of `path` is answered with, from the status line to the last byte.
std::string ask(const net::Address& address, const std::string& path) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(fd, address.get(), address.size()) == 0);
  const std::string request =
      "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  REQUIRE(::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0);
  std::string answer;
  char buffer[4096];
  for (ssize_t n = 1; n > 0; answer.append(buffer, n > 0 ? static_cast<size_t>(n) : 0)) {
    n = ::read(fd, buffer, sizeof buffer);
  }
  ::close(fd);
  return answer;
}

struct FakeWorker final : Watched {
  MonoTime heartbeat() const override { return beat; }
  pid_t thread() const override { return 0; }
  void collect(metrics::Snapshot& snapshot) const override {
    metrics::merge(snapshot, "test_calls", "Calls.", metrics::Kind::kCounter,
                   {.labels = {}, .value = 2, .histogram = {}});
  }
  std::atomic<MonoTime> beat = SystemClock().now().mono;
};

Settings on_any_port() {
  Settings settings;
  settings.listen.health = {.written = "127.0.0.1:0",
                            .addresses = {*net::Address::parse("127.0.0.1", 0)}};
  return settings;
}

TlsSetup trusting() {
  TlsSetup setup;
  setup.trust = *tls::Trust::load({.system_roots = false});
  return setup;
}

TEST_CASE("health looks at every worker's heart, readiness at what it is told") {
  const Settings settings = on_any_port();
  OperatorLog log = OperatorLog::to_nowhere();
  Telemetry telemetry(settings, memory_shares(), trusting(), log, {});
  const Result<std::vector<net::Address>> bound = telemetry.listen_health();
  REQUIRE(bound);
  const net::Address at = bound->front();
  FakeWorker first;
  FakeWorker second;
  telemetry.watch(first);
  telemetry.watch(second);
  CHECK(ask(at, "/healthz").starts_with("HTTP/1.1 200 "));
  CHECK(ask(at, "/readyz").starts_with("HTTP/1.1 503 "));
  telemetry.set_ready(true);
  CHECK(ask(at, "/readyz").starts_with("HTTP/1.1 200 "));

  second.beat = SystemClock().now().mono - kHeartbeatAgeMax - Milliseconds(1);
  CHECK(ask(at, "/healthz").starts_with("HTTP/1.1 503 "));
  CHECK(ask(at, "/readyz").starts_with("HTTP/1.1 200 "));
  telemetry.forget(second);
  CHECK(ask(at, "/healthz").starts_with("HTTP/1.1 200 "));
  CHECK(ask(at, "/").starts_with("HTTP/1.1 404 "));
}

TEST_CASE("workers that count the same are one series") {
  const Settings settings = on_any_port();
  OperatorLog log = OperatorLog::to_nowhere();
  Telemetry telemetry(settings, memory_shares(), trusting(), log, {});
  const net::Address at = telemetry.listen_health()->front();
  const FakeWorker first;
  const FakeWorker second;
  telemetry.watch(first);
  telemetry.watch(second);
  const std::string page = ask(at, "/metrics");
  CHECK(page.find("\ntest_calls_total 4\n") != std::string::npos);
  CHECK(page.find("\nprocess_open_fds ") != std::string::npos);
  CHECK(page.find("\nsidespan_build_info{version=\"") != std::string::npos);
}

TEST_CASE("a span of the command's own is seen by the tap and counted") {
  const Settings settings;
  OperatorLog log = OperatorLog::to_nowhere();
  std::vector<std::string> seen;
  Telemetry telemetry(settings, memory_shares(), trusting(), log,
                      [&](const trace::Span& span) { seen.push_back(span.name); });
  trace::Span span;
  span.name = "root";
  telemetry.emit(std::move(span));
  const report::Totals totals = telemetry.totals();
  CHECK(seen == std::vector<std::string>{"root"});
  CHECK(totals.emitted == 1);
  CHECK(totals.exported == 0);
}

TEST_CASE("what is off is not opened, and what is taken is an error") {
  Settings settings = on_any_port();
  OperatorLog log = OperatorLog::to_nowhere();
  Telemetry first(settings, memory_shares(), trusting(), log, {});
  CHECK(first.listen_admin()->empty());
  settings.listen.admin = {.written = "taken", .addresses = {first.listen_health()->front()}};
  Telemetry second(settings, memory_shares(), trusting(), log, {});
  const Result<std::vector<net::Address>> refused = second.listen_admin();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.starts_with("taken: cannot listen on 127.0.0.1:"));
}

}  // namespace
}  // namespace sidespan::app
