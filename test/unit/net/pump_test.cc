#include "sidespan/net/pump.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <thread>

#include "support/temporary_directory.h"

namespace sidespan::net {
namespace {

struct Pipe {
  Pipe() {
    // As in the program, where a Loop has seen to it.
    ::signal(SIGPIPE, SIG_IGN);
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  }
  int from() const { return ends[0]; }
  int to() const { return ends[1]; }
  std::array<int, 2> ends{};
};

std::string read_all(int fd) {
  std::string all;
  std::array<char, 4096> buffer{};
  ssize_t n = 0;
  while ((n = ::read(fd, buffer.data(), buffer.size())) > 0) {
    all.append(buffer.data(), static_cast<size_t>(n));
  }
  ::close(fd);
  return all;
}

Pump::Hooks as_it_is(std::atomic<bool>& ended) {
  return {.pass = [](std::string_view read) { return read; },
          .rest = [](Pump::End) { return std::string_view(); },
          .on_end = [&ended] { ended = true; }};
}

TEST_CASE("pump: bytes pass as they are, and the end after them") {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{5000}, size_t{3'000'000}}) {
    CAPTURE(bytes);
    std::string sent;
    for (size_t i = 0; i < bytes; ++i) sent.push_back(static_cast<char>(i * 31 + i / 251));
    const Pipe in;
    const Pipe out;
    std::atomic<bool> ended = false;
    const Pump pump(in.from(), out.to(), as_it_is(ended));
    std::thread writer([&] {
      std::string_view rest = sent;
      while (!rest.empty()) {
        const ssize_t n = ::write(in.to(), rest.data(), rest.size());
        REQUIRE(n > 0);
        rest.remove_prefix(static_cast<size_t>(n));
      }
      ::close(in.to());
    });
    CHECK(read_all(out.from()) == sent);
    writer.join();
  }
}

TEST_CASE("pump: what was kept back comes at the end") {
  const Pipe in;
  const Pipe out;
  std::string kept;
  REQUIRE(::write(in.to(), "abc", 3) == 3);
  ::close(in.to());
  const Pump pump(in.from(), out.to(),
                  {.pass =
                       [&](std::string_view read) {
                         kept.append(read);
                         return std::string_view();
                       },
                   .rest =
                       [&](Pump::End) {
                         kept += "!";
                         return std::string_view(kept);
                       },
                   .on_end = [] {}});
  CHECK(read_all(out.from()) == "abc!");
}

TEST_CASE("pump: a file") {
  const support::TemporaryDirectory directory;
  const int file = ::open(directory.write("input", "one\ntwo\n").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  const Pipe out;
  std::atomic<bool> ended = false;
  const Pump pump(file, out.to(), as_it_is(ended));
  CHECK(read_all(out.from()) == "one\ntwo\n");
}

TEST_CASE("pump: ends where nobody reads, and when it is stopped, reading or writing") {
  std::atomic<bool> ended = false;
  SUBCASE("nobody reads") {
    const Pipe in;
    const Pipe out;
    ::close(out.from());
    {
      const Pump pump(in.from(), out.to(), as_it_is(ended));
      REQUIRE(::write(in.to(), "x", 1) == 1);
      while (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ::close(in.to());
  }
  SUBCASE("stopped while it reads") {
    const Pipe in;
    const Pipe out;
    {
      const Pump pump(in.from(), out.to(), as_it_is(ended));
    }
    CHECK(read_all(out.from()).empty());
    ::close(in.to());
  }
  SUBCASE("stopped while it writes") {
    const Pipe in;
    const Pipe out;
    std::thread writer([&] {
      const std::string much(1'000'000, 'x');
      // The rest is dropped with the pump.
      [[maybe_unused]] const ssize_t n = ::write(in.to(), much.data(), much.size());
      ::close(in.to());
    });
    {
      const Pump pump(in.from(), out.to(), as_it_is(ended));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    writer.join();
    ::close(out.from());
  }
  CHECK(ended);
}

// What a pump says of its end.
struct Told {
  std::optional<Pump::End> why;
  std::atomic<bool> ended = false;

  Pump::Hooks hooks() {
    return {.pass = [](std::string_view read) { return read; },
            .rest =
                [this](Pump::End end) {
                  why = end;
                  return std::string_view();
                },
            .on_end = [this] { ended = true; }};
  }
  void wait() const {
    while (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
};

TEST_CASE("pump: says why it ended") {
  const Pipe in;
  const Pipe out;
  Told told;
  SUBCASE("nothing more comes") {
    const Pump pump(in.from(), out.to(), told.hooks());
    ::close(in.to());
    told.wait();
    CHECK(told.why == Pump::End::kFromEnded);
    ::close(out.from());
  }
  SUBCASE("nobody takes it") {
    ::close(out.from());
    const Pump pump(in.from(), out.to(), told.hooks());
    REQUIRE(::write(in.to(), "x", 1) == 1);
    told.wait();
    CHECK(told.why == Pump::End::kToClosed);
    ::close(in.to());
  }
  SUBCASE("stopped") {
    Pump pump(in.from(), out.to(), told.hooks());
    pump.stop();
    told.wait();
    CHECK(told.why == Pump::End::kStopped);
    ::close(in.to());
    ::close(out.from());
  }
  SUBCASE("stopped, and was to finish before that") {
    Pump pump(in.from(), out.to(), told.hooks());
    pump.finish_when_quiet(std::chrono::hours(1));
    pump.stop();
    told.wait();
    CHECK(told.why == Pump::End::kStopped);
    ::close(in.to());
    ::close(out.from());
  }
}

TEST_CASE("pump: finishes when it is quiet, and not while somebody has yet to take what was read") {
  const Pipe in;
  const Pipe out;
  Told told;
  const std::string much(150'000, 'x');
  Pump pump(in.from(), out.to(), told.hooks());
  std::thread writer([&] {
    std::string_view rest = much;
    while (!rest.empty()) {
      const ssize_t n = ::write(in.to(), rest.data(), rest.size());
      REQUIRE(n > 0);
      rest.remove_prefix(static_cast<size_t>(n));
    }
  });
  pump.finish_when_quiet(std::chrono::milliseconds(10));
  // Longer than is waited for more to read; the other end of `in` stays open all the time.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(!told.ended);
  CHECK(read_all(out.from()) == much);
  writer.join();
  told.wait();
  CHECK(told.why == Pump::End::kFromEnded);
  ::close(in.to());
}

}  // namespace
}  // namespace sidespan::net
