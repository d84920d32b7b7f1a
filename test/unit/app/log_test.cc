#include "app/log.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "support/temporary_directory.h"

namespace sidespan::app {
namespace {

const WallTime kAt{std::chrono::milliseconds(1'800'000'000'123)};

struct TemporaryFile {
  std::string path() const { return directory / "a.log"; }
  std::vector<std::string> lines() const {
    std::ifstream file(path());
    std::vector<std::string> out;
    for (std::string line; std::getline(file, line);) out.push_back(line);
    return out;
  }

  support::TemporaryDirectory directory;
};

TEST_CASE("lines") {
  struct Row {
    const char* name;
    LogFormat format;
    LogLevel level;
    std::string_view message;
    LogField field;
    const char* expected;
  };
  const std::vector<Row> rows = {
      {"JSON",
       LogFormat::kJson,
       LogLevel::kInfo,
       "ready",
       {"port", "17001"},
       R"({"time":"2027-01-15T08:00:00.123Z","level":"info","message":"ready","port":"17001"})"},
      {"text",
       LogFormat::kText,
       LogLevel::kWarn,
       "it is slow",
       {"host", "a.example"},
       "2027-01-15T08:00:00.123Z warn  it is slow host=a.example"},
      {"text, a value with a space",
       LogFormat::kText,
       LogLevel::kError,
       "no",
       {"why", "not now"},
       R"(2027-01-15T08:00:00.123Z error no why="not now")"},
      {"text, an empty value",
       LogFormat::kText,
       LogLevel::kDebug,
       "no",
       {"why", ""},
       R"(2027-01-15T08:00:00.123Z debug no why="")"},
      {"text, a value that would end the line",
       LogFormat::kText,
       LogLevel::kInfo,
       "no",
       {"why", "a\nb\x1b[2J"},
       R"(2027-01-15T08:00:00.123Z info  no why="a\nb\u001b[2J")"},
      {"text, a message that would end the line",
       LogFormat::kText,
       LogLevel::kInfo,
       "a\nb",
       {"k", "v"},
       R"(2027-01-15T08:00:00.123Z info  "a\nb" k=v)"},
      {"JSON, bytes that are no UTF-8",
       LogFormat::kJson,
       LogLevel::kInfo,
       "a\xff",
       {"k", "\n"},
       "{\"time\":\"2027-01-15T08:00:00.123Z\",\"level\":\"info\",\"message\":\"a\ufffd\","
       "\"k\":\"\\n\"}"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(log_line(row.format, kAt, row.level, row.message, {row.field}) == row.expected);
  }
}

TEST_CASE("a long value is cut") {
  const std::string value(OperatorLog::kValueBytesMax + 100, 'x');
  const std::string line = log_line(LogFormat::kJson, kAt, LogLevel::kInfo, "m", {{"k", value}});
  CHECK(line.size() < OperatorLog::kValueBytesMax + 100);
  CHECK(line.ends_with("x\"}"));
}

TEST_CASE("a file gets what is of its level, line by line, from every thread") {
  TemporaryFile file;
  LogSettings settings;
  settings.level = LogLevel::kWarn;
  Result<OperatorLog> log = OperatorLog::to_file(settings, file.path());
  REQUIRE(log);
  CHECK_FALSE(log->enabled(LogLevel::kInfo));
  log->write(LogLevel::kInfo, "too quiet", {});
  log->event("listening", {{"listener", "egress"}, {"address", "127.0.0.1:1"}});
  constexpr int kThreads = 4;
  constexpr int kLines = 50;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kLines; ++n) log->write(LogLevel::kError, "loud {} enough", {});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> lines = file.lines();
  REQUIRE(lines.size() == 1 + kThreads * kLines);
  CHECK(lines[0] == R"({"event":"listening","listener":"egress","address":"127.0.0.1:1"})");
  for (size_t i = 1; i < lines.size(); ++i) {
    CHECK(lines[i].ends_with(R"("level":"error","message":"loud {} enough"})"));
  }
}

TEST_CASE("a file that cannot be opened is an error") {
  CHECK_FALSE(OperatorLog::to_file({}, "/proc/nothing/here.log"));
}

}  // namespace
}  // namespace sidespan::app
