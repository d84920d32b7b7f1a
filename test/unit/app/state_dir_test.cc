#include "app/state_dir.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "support/temporary_directory.h"

namespace sidespan::app {
namespace {

namespace fs = std::filesystem;

using support::TemporaryDirectory;

mode_t mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

TEST_CASE("which directories are tried") {
  struct Row {
    const char* name;
    Environment own;
    std::vector<std::string> expected;
  };
  const std::string last = "/var/lib/sidespan";
  const std::vector<Row> rows = {
      {"nothing is set", {}, {last}},
      {"chosen", {{"SIDESPAN_STATE_DIR", "/s"}, {"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}}, {"/s"}},
      {"chosen, relative", {{"SIDESPAN_STATE_DIR", "s"}}, {"s"}},
      {"XDG", {{"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}}, {"/x/sidespan", last}},
      {"relative XDG",
       {{"XDG_STATE_HOME", "x"}, {"HOME", "/h"}},
       {"/h/.local/state/sidespan", last}},
      {"home", {{"SIDESPAN_STATE_DIR", ""}, {"HOME", "/h"}}, {"/h/.local/state/sidespan", last}},
      {"no home", {{"HOME", ""}}, {last}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(state_dir_candidates(row.own) == row.expected);
  }
}

TEST_CASE("it is made for its owner alone, and what is there stays as it is") {
  const TemporaryDirectory top;
  const std::string deep = top / "a/b/c";
  REQUIRE(open_state_dir({{"SIDESPAN_STATE_DIR", deep}}) == deep);
  for (const char* made : {"a", "a/b", "a/b/c"}) CHECK(mode_of(top / made) == 0700);

  const std::string shared = top / "shared";
  fs::create_directory(shared);
  fs::permissions(shared, fs::perms(0755));
  REQUIRE(open_state_dir({{"SIDESPAN_STATE_DIR", shared}}) == shared);
  CHECK(mode_of(shared) == 0755);
}

TEST_CASE("what cannot be written to is an error that names it") {
  const TemporaryDirectory top;
  std::ofstream(top / "file") << "x";
  struct Row {
    const char* name;
    std::string path;
  };
  const std::vector<Row> rows = {
      {"a file", top / "file"},
      {"below a file", top / "file/below"},
      {"where nothing can be made", "/proc/sidespan"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Result<std::string> opened = open_state_dir({{"SIDESPAN_STATE_DIR", row.path}});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().side == Side::kSelf);
    CHECK(opened.error().what.starts_with(row.path + " cannot be written to: "));
  }
}

TEST_CASE("logs of runs: the newest are kept") {
  const TemporaryDirectory top;
  const Result<std::string> first = run_log_path(top.path(), "ab12");
  REQUIRE(first);
  CHECK(*first == top / "run/ab12.log");
  CHECK(mode_of(top / "run") == 0700);

  const auto now = fs::file_time_type::clock::now();
  for (size_t i = 0; i < kRunLogsMax + 5; ++i) {
    const fs::path log = fs::path(top.path()) / "run" / (std::to_string(i) + ".log");
    std::ofstream(log) << "x";
    fs::last_write_time(log, now - std::chrono::hours(i));
  }
  std::ofstream(top / "run/kept.txt") << "x";
  REQUIRE(run_log_path(top.path(), "cd34"));
  CHECK(fs::exists(top / "run/0.log"));
  CHECK(fs::exists(top / "run/kept.txt"));
  CHECK(fs::exists(fs::path(top.path()) / "run" / (std::to_string(kRunLogsMax - 2) + ".log")));
  CHECK_FALSE(
      fs::exists(fs::path(top.path()) / "run" / (std::to_string(kRunLogsMax - 1) + ".log")));
}

}  // namespace
}  // namespace sidespan::app
