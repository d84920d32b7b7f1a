#include "app/stderr_sink.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <spdlog/logger.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace sidespan::app {
namespace {

// A pipe whose reader reads when it is told to.
struct Rig {
  Rig() {
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    logger.set_pattern("%v");
  }
  ~Rig() {
    for (const int end : ends) ::close(end);
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  void say(const std::string& line) { logger.info("{}", line); }
  std::string read() {
    std::string out;
    std::array<char, 4096> some;
    for (ssize_t size; (size = ::read(ends[0], some.data(), some.size())) > 0;) {
      out.append(some.data(), static_cast<size_t>(size));
    }
    return out;
  }

  static std::array<int, 2> pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    return ends;
  }

  std::array<int, 2> ends = pipe();
  std::shared_ptr<StderrSink> sink = std::make_shared<StderrSink>(
      ends[1], [](uint64_t lines) { return "lost " + std::to_string(lines) + "\n"; });
  spdlog::logger logger{"test", sink};
};

TEST_CASE("stderr: lines pass as they are while somebody reads") {
  Rig rig;
  for (int i = 0; i < 100; ++i) {
    rig.say(std::string(100, 'x') + std::to_string(i));
    CHECK(rig.read() == std::string(100, 'x') + std::to_string(i) + "\n");
  }
  CHECK(rig.sink->lost() == 0);
}

TEST_CASE("stderr: what nobody reads is lost by whole lines, counted and told") {
  Rig rig;
  const std::string line(999, 'x');
  constexpr uint64_t kLines = 200;  // three times what a pipe takes
  for (uint64_t i = 0; i < kLines; ++i) rig.say(line);
  const uint64_t lost = rig.sink->lost();
  CHECK(lost > kLines / 2);
  CHECK(lost < kLines);
  std::string seen = rig.read();
  rig.say("again");
  seen += rig.read();
  std::string expected;
  for (uint64_t i = lost; i < kLines; ++i) expected += line + "\n";
  CHECK(seen == expected + "lost " + std::to_string(lost) + "\nagain\n");
  CHECK(rig.sink->lost() == lost);
}

TEST_CASE("stderr: a line longer than what fits at once is written to its end before the next") {
  Rig rig;
  const std::string line(100'000, 'x');
  rig.say(line);
  std::string seen = rig.read();
  for (int i = 0; i < 10 && rig.sink->lost() < 5; ++i) {
    rig.say("short");
    seen += rig.read();
  }
  CHECK(seen.starts_with(line + "\n"));
  CHECK(seen.ends_with("short\n"));
}

TEST_CASE("stderr: a reader who is gone is no reader to wait for") {
  // As a loop has it.
  std::signal(SIGPIPE, SIG_IGN);
  Rig rig;
  ::close(rig.ends[0]);
  rig.ends[0] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (int i = 0; i < 100; ++i) rig.say(std::string(1000, 'x'));
  CHECK(rig.sink->lost() == 100);
}

}  // namespace
}  // namespace sidespan::app
