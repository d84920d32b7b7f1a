#include "app/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <iterator>

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
