#include "app/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <string>

#include "support/temporary_directory.h"

namespace sidespan::app {
namespace {

constexpr size_t kBytesMax = 100;

TEST_CASE("what the system refuses is told from what is no such file as is wanted") {
  const support::TemporaryDirectory top;
  const std::string shared = top.write("shared", "x");
  ::chmod(shared.c_str(), 0644);
  const auto code = [](const auto& result) {
    REQUIRE_FALSE(result);
    CHECK(result.error().side == Side::kSelf);
    return result.error().code;
  };
  struct Row {
    const char* name;
    Code code;
    Code expected;
  };
  const Row rows[] = {
      {"nothing is there", code(read_file(top / "none", kBytesMax)), Code::kSystem},
      {"below a file", code(read_file(shared + "/below", kBytesMax)), Code::kSystem},
      {"a directory", code(read_file(top.path(), kBytesMax)), Code::kInvalid},
      {"nowhere to write", code(write_file("/proc/nowhere/file", "x", 0600)), Code::kSystem},
      {"others may read it", code(check_private(shared)), Code::kInvalid},
      {"no key is there", code(check_private(top / "none")), Code::kSystem},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(row.code == row.expected);
  }
}

TEST_CASE("a file is read as far as its limit and a byte more, and takes what it has") {
  const support::TemporaryDirectory top;
  struct Row {
    const char* name;
    size_t bytes;
    size_t bytes_max;
    size_t expected;
  };
  const Row rows[] = {
      {"an empty one", 0, 100, 0},
      {"a byte", 1, 100, 1},
      {"a byte less than the limit", 99, 100, 99},
      {"the limit", 100, 100, 100},
      {"a byte beyond it", 101, 100, 101},
      {"much beyond it", 300'000, 100, 101},
      {"little of much that may be", 5'000, size_t{1} << 20, 5'000},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    std::string content(row.bytes, 'x');
    if (!content.empty()) content.back() = 'y';
    const std::string path = top.write("file", content);
    const Result<std::string> read = read_file(path, row.bytes_max);
    REQUIRE(read);
    CHECK(*read == content.substr(0, row.expected));
    if (row.bytes > 0) CHECK(read->capacity() <= row.expected + 64);  // else it says no size
  }
}

TEST_CASE("what has no size is read to its end or its limit") {
  int ends[2];
  for (const size_t bytes :
       {size_t{0}, size_t{10}, size_t{4'096}, size_t{10'000}, size_t{30'000}}) {
    CAPTURE(bytes);
    REQUIRE(::pipe(ends) == 0);
    const std::string content(bytes, 'x');
    REQUIRE(::write(ends[1], content.data(), bytes) == static_cast<ssize_t>(bytes));
    ::close(ends[1]);
    const Result<std::string> read = read_file("/proc/self/fd/" + std::to_string(ends[0]), 20'000);
    ::close(ends[0]);
    REQUIRE(read);
    CHECK(*read == content.substr(0, 20'001));
  }
}

TEST_CASE("a file whose size is nothing is read all the same") {
  const Result<std::string> read = read_file("/proc/self/stat", 4'000);
  REQUIRE(read);
  CHECK(read->starts_with(std::to_string(::getpid()) + " "));
}

TEST_CASE("a file is replaced as a whole, and what cannot be leaves nothing") {
  const support::TemporaryDirectory top;
  REQUIRE(write_file(top / "file", "one", 0600));
  REQUIRE(write_file(top / "file", "another", 0644));
  CHECK(read_file(top / "file", kBytesMax) == "another");
  std::filesystem::create_directory(top / "directory");
  CHECK_FALSE(write_file(top / "directory", "x", 0600));
  using Entries = std::filesystem::directory_iterator;
  CHECK(std::distance(Entries(top.path()), Entries()) == 2);
}

}  // namespace
}  // namespace sidespan::app
