#include "app/config_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/temporary_directory.h"

namespace sidespan::app {
namespace {

using support::TemporaryDirectory;

TEST_CASE("the flag, then the variable, then the default place") {
  const TemporaryDirectory directory;
  const std::string by_flag = directory.write("flag.yaml", "a");
  const std::string by_variable = directory.write("variable.yaml", "b");
  const std::string by_default = directory.write("default.yaml", "c");
  struct Row {
    const char* name;
    std::optional<std::string> flag;
    Environment environment;
    const char* content;
  };
  const Row rows[] = {
      {"flag", by_flag, {{"SIDESPAN_CONFIG", by_variable}}, "a"},
      {"variable", std::nullopt, {{"SIDESPAN_CONFIG", by_variable}}, "b"},
      {"an empty variable", std::nullopt, {{"SIDESPAN_CONFIG", ""}}, "c"},
      {"default", std::nullopt, {}, "c"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto file = find_config(row.flag, row.environment, by_default);
    REQUIRE(file.has_value());
    REQUIRE(file->has_value());
    CHECK((*file)->content == row.content);
  }
}

TEST_CASE("only at the default place a file may be missing") {
  const TemporaryDirectory directory;
  const std::string nothing = directory.path() + "/none.yaml";
  const std::string below_a_file = directory.write("file", "") + "/none.yaml";
  for (const std::string& place : {nothing, below_a_file}) {
    const auto file = find_config(std::nullopt, {}, place);
    REQUIRE(file.has_value());
    CHECK_FALSE(file->has_value());
  }
  const auto flag = find_config(nothing, {}, nothing);
  REQUIRE_FALSE(flag.has_value());
  CHECK(flag.error().what == nothing + ": No such file or directory");
  CHECK_FALSE(find_config(std::nullopt, {{"SIDESPAN_CONFIG", nothing}}, nothing).has_value());
}

TEST_CASE("what is no file is refused, and a long one is cut") {
  const TemporaryDirectory directory;
  const auto folder = find_config(directory.path(), {});
  REQUIRE_FALSE(folder.has_value());
  CHECK(folder.error().what == directory.path() + ": is a directory");

  const std::string pipe = directory.path() + "/pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const auto from_pipe = find_config(pipe, {});  // must not wait for a writer
  REQUIRE(from_pipe.has_value());
  CHECK((*from_pipe)->content.empty());

  const std::string big = directory.write("big.yaml", std::string(3 * kConfigBytesMax, '#'));
  const auto file = find_config(big, {});
  REQUIRE(file.has_value());
  CHECK((*file)->content.size() == kConfigBytesMax + 1);
  ConfigSources sources;
  sources.file = **file;
  CHECK(configure(sources).faults.at(0).what == "it is longer than 1MiB");
}

}  // namespace
}  // namespace sidespan::app
