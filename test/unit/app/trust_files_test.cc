#include "app/trust_files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <set>

#include "app/file.h"
#include "support/temporary_directory.h"

namespace sidespan::app {
namespace {

namespace fs = std::filesystem;

constexpr time_t kDay = 24 * 60 * 60;

struct Trust {
  Trust() {
    fs::create_directory(directory / "trust");
    directory.write("trust/ca.pem", "ours\n");
  }
  // The bundle that a program gets which was to trust `roots`.
  std::string bundle_with(const std::string& roots, const std::string& name = "roots.pem") const {
    const Environment own{{"NODE_EXTRA_CA_CERTS", directory.write(name, roots)}};
    const Result<Pairs> variables = trust_variables(directory / "trust", own);
    REQUIRE(variables);
    for (const auto& [variable, file] : *variables) {
      if (variable == "NODE_EXTRA_CA_CERTS") return file;
    }
    return "";
  }
  // In days.
  static void set_age(const std::string& file, int read, int written) {
    const time_t now = ::time(nullptr);
    const std::array<timespec, 2> times = {timespec{now - read * kDay, 0},
                                           timespec{now - written * kDay, 0}};
    REQUIRE(::utimensat(AT_FDCWD, file.c_str(), times.data(), 0) == 0);
  }

  support::TemporaryDirectory directory;
};

bool is_there(const std::string& file) {
  return fs::exists(file);
}

TEST_CASE("the same roots are the same bundle, wherever they lie") {
  const Trust trust;
  const std::string one = trust.bundle_with("one\n");
  CHECK(read_file(one, 100) == "one\nours\n");
  CHECK(trust.bundle_with("one\n", "elsewhere.pem") == one);
  CHECK(trust.bundle_with("two\n") != one);
  CHECK(read_file(one, 100) == "one\nours\n");
}

TEST_CASE("bundles that nobody used for a month go, but for the newest") {
  const Trust trust;
  const std::string read = trust.bundle_with("read of late");
  const std::string written = trust.bundle_with("written of late");
  const std::string named = trust.bundle_with("named of late");
  const std::string operators = trust.directory.write("trust/bundle-of-the-house.pem", "x");
  std::set<std::string> old;
  for (int i = 0; i < 20; ++i) old.insert(trust.bundle_with("old " + std::to_string(i)));
  REQUIRE(old.size() == 20);
  int age = 40;
  for (const std::string& file : old) {
    Trust::set_age(file, age, age + 1);
    ++age;
  }
  Trust::set_age(read, 29, 100);
  Trust::set_age(written, 100, 29);
  Trust::set_age(named, 100, 100);
  Trust::set_age(operators, 1000, 1000);
  CHECK(trust.bundle_with("named of late") == named);
  CHECK(std::ranges::count_if(old, is_there) == 20);

  const std::string last = trust.bundle_with("one more");
  for (const std::string& file : {read, written, named, operators, last}) {
    CAPTURE(file);
    CHECK(is_there(file));
  }
  // The newest of the old ones fill the sixteen.
  CHECK(std::ranges::count_if(old, is_there) == 12);
  CHECK(is_there(*old.begin()));
  CHECK_FALSE(is_there(*old.rbegin()));
}

TEST_CASE("however many are in use, all stay") {
  const Trust trust;
  std::set<std::string> all;
  for (int i = 0; i < 40; ++i) all.insert(trust.bundle_with(std::to_string(i)));
  CHECK(std::ranges::all_of(all, is_there));
}

}  // namespace
}  // namespace sidespan::app
