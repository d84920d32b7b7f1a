#include "sidespan/net/listener.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "loopback.h"

namespace sidespan::net {
namespace {

// A client without a loop: loopback connects into the backlog while nobody accepts.
class Caller {
 public:
  explicit Caller(const Address& to) : fd_(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    connected_ = fd_ >= 0 && ::connect(fd_, to.get(), to.size()) == 0;
  }
  ~Caller() { ::close(fd_); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  bool connected() const { return connected_; }
  // Whether the other side has closed or reset.
  bool is_closed() const {
    char byte = 0;
    const ssize_t n = ::recv(fd_, &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno == ECONNRESET);
  }

 private:
  int fd_;
  bool connected_ = false;
};

// No more descriptors for this process as long as it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    // UBSan opens a pipe when it first meets a class with virtual functions.
    static_cast<void>(SystemClock().now());
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    rlimit tight = before_;
    tight.rlim_cur = static_cast<rlim_t>(lowest_free);
    ::setrlimit(RLIMIT_NOFILE, &tight);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

struct Listening {
  Loop loop;
  std::vector<std::unique_ptr<Stream>> streams;
  std::unique_ptr<Listener> listener;

  explicit Listening(Listener::Options options = {}) {
    auto result = Listener::listen(
        loop, loopback(), options,
        [this](std::unique_ptr<Stream> stream) { streams.push_back(std::move(stream)); });
    REQUIRE(result);
    listener = std::move(*result);
  }
};

TEST_CASE_FIXTURE(Listening, "listener: port 0 becomes a real one, streams know both ends") {
  CHECK(listener->address().port() != 0);
  Caller caller(listener->address());
  CHECK(run_until(loop, [&] { return streams.size() == 1; }));
  CHECK(streams[0]->local() == listener->address());
  CHECK(streams[0]->peer().is_loopback());
  CHECK(streams[0]->peer().port() != listener->address().port());
}

TEST_CASE("listener: IPv6 means IPv6 only") {
  Loop loop;
  // The same port of IPv4 may be another program's by chance, but not each time.
  bool apart = false;
  for (int i = 0; i < 20 && !apart; ++i) {
    const auto six = Listener::listen(loop, *Address::parse("::", 0), {}, [](auto) {});
    if (!six) {
      MESSAGE("no IPv6 on this machine");
      return;
    }
    const auto port = (*six)->address().port();
    const bool answers = Caller(loopback(port)).connected();
    apart = !answers && Listener::listen(loop, loopback(port), {}, [](auto) {}).has_value();
  }
  CHECK(apart);
}

TEST_CASE_FIXTURE(Listening, "listener: an address in use is named") {
  const auto again = Listener::listen(loop, listener->address(), {}, [](auto) {});
  REQUIRE(!again);
  CHECK(again.error().code == Code::kSystem);
  CHECK(again.error().side == Side::kSelf);
  CHECK(again.error().what ==
        "cannot listen on " + listener->address().to_string() + ": another process listens there");
}

TEST_CASE("listener: an address that is not ours, and none at all") {
  Loop loop;
  const auto foreign = Listener::listen(loop, *Address::parse("192.0.2.1", 0), {}, [](auto) {});
  REQUIRE(!foreign);
  CHECK(foreign.error().what.starts_with("cannot listen on 192.0.2.1:0: "));
  CHECK(!Listener::listen(loop, Address(), {}, [](auto) {}));
}

TEST_CASE("listener: several share a port when all ask for it, and only then") {
  Loop loop;
  int accepted = 0;
  const auto count = [&](std::unique_ptr<Stream>) { ++accepted; };
  auto one = Listener::listen(loop, loopback(), {.reuse_port = true}, count);
  REQUIRE(one);
  auto two = Listener::listen(loop, (*one)->address(), {.reuse_port = true}, count);
  REQUIRE(two);
  CHECK(!Listener::listen(loop, (*one)->address(), {.reuse_port = false}, count));
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < 16; ++i) callers.push_back(std::make_unique<Caller>((*one)->address()));
  CHECK(run_until(loop, [&] { return accepted == 16; }));
}

TEST_CASE_FIXTURE(Listening, "listener: the port is free again once it is gone, streams live on") {
  const Address address = listener->address();
  Caller caller(address);
  CHECK(run_until(loop, [&] { return streams.size() == 1; }));
  listener.reset();
  run_briefly(loop);
  CHECK(!Caller(address).connected());
  CHECK(!caller.is_closed());
  CHECK(Listener::listen(loop, address, {}, [](auto) {}));
}

TEST_CASE_FIXTURE(Listening, "listener: paused, callers wait; resumed, they are served") {
  listener->pause();
  Caller first(listener->address());
  Caller second(listener->address());
  CHECK(first.connected());
  run_briefly(loop);
  CHECK(streams.empty());
  listener->resume();
  listener->resume();
  CHECK(run_until(loop, [&] { return streams.size() == 2; }));
}

TEST_CASE("listener: paused or destroyed by what it accepts") {
  Loop loop;
  int accepted = 0;
  std::unique_ptr<Listener> listener;
  bool destroy = false;
  auto result = Listener::listen(loop, loopback(), {}, [&](auto) {
    ++accepted;
    destroy ? listener.reset() : listener->pause();
  });
  listener = std::move(*result);
  Caller one(listener->address());
  Caller two(listener->address());
  Caller three(listener->address());
  run_briefly(loop);
  CHECK(accepted == 1);
  destroy = true;
  listener->resume();
  CHECK(run_until(loop, [&] { return !listener; }));
  run_briefly(loop);
  CHECK(accepted == 2);
}

TEST_CASE_FIXTURE(Listening, "listener: more callers than one turn accepts") {
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < 150; ++i) callers.push_back(std::make_unique<Caller>(listener->address()));
  CHECK(run_until(loop, [&] { return streams.size() == 150; }));
}

TEST_CASE_FIXTURE(Listening,
                  "listener: without descriptors it sheds, does not spin, and recovers") {
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < 100; ++i) callers.push_back(std::make_unique<Caller>(listener->address()));
  {
    const NoDescriptors none;
    CHECK(run_until(loop, [&] { return listener->shed() == 100; }));
    const double before = cpu_seconds();
    Timer rest(loop, [&] { loop.stop(); });
    rest.start(Milliseconds(50));
    loop.run();
    CHECK(cpu_seconds() - before < 0.04);
  }
  CHECK(streams.empty());
  for (const auto& caller : callers) CHECK(caller->is_closed());
  Caller late(listener->address());
  CHECK(run_until(loop, [&] { return streams.size() == 1; }));
  CHECK(listener->shed() == 100);
}

TEST_CASE_FIXTURE(Listening, "listener: when even the spare is lost it waits, and recovers") {
  Caller first(listener->address());
  int taken = -1;
  {
    const NoDescriptors none;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    rlimit tighter = limit;
    // Below every descriptor in use: the one that closing the spare frees is over the limit, too.
    tighter.rlim_cur = 3;
    ::setrlimit(RLIMIT_NOFILE, &tighter);
    const double before = cpu_seconds();
    Timer rest(loop, [&] { loop.stop(); });
    rest.start(Milliseconds(250));
    loop.run();
    CHECK(cpu_seconds() - before < 0.1);
    taken = static_cast<int>(streams.size());
  }
  CHECK(taken == 0);
  CHECK(run_until(loop, [&] { return streams.size() == 1; }));
}

}  // namespace
}  // namespace sidespan::net
