#include "app/config_variables.h"

#include <doctest/doctest.h>

namespace sidespan::app {
namespace {

const Environment kEnvironment = {
    {"NAME", "value"}, {"EMPTY", ""}, {"_A1", "x"}, {"NESTED", "${NAME}"}, {"DOLLAR", "$$"}};

TEST_CASE("what variables become") {
  struct Row {
    const char* name;
    const char* text;
    const char* result;
  };
  const Row rows[] = {
      {"nothing to do", "plain", "plain"},
      {"alone", "${NAME}", "value"},
      {"within", "a${NAME}b${_A1}c", "avaluebxc"},
      {"OpenTelemetry's spelling", "${env:NAME}", "value"},
      {"empty", "a${EMPTY}b", "ab"},
      {"a default not needed", "${NAME:-other}", "value"},
      {"a default for what is not set", "${NONE:-other}", "other"},
      {"a default for what is empty", "${EMPTY:-other}", "other"},
      {"an empty default", "${NONE:-}", ""},
      {"a default with anything in it", "${NONE:-http://a:1/:-$}", "http://a:1/:-$"},
      {"a dollar", "a$$b", "a$b"},
      {"no variable but a dollar", "$${NAME}", "${NAME}"},
      {"a dollar before something else", "$NAME $ 5$", "$NAME $ 5$"},
      {"values are not looked at again", "${NESTED}", "${NAME}"},
      {"dollars in values stay", "${DOLLAR}", "$$"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto result = substitute(row.text, kEnvironment);
    REQUIRE(result.has_value());
    CHECK(*result == row.result);
  }
}

TEST_CASE("what is no variable") {
  struct Row {
    const char* name;
    const char* text;
    const char* what;
  };
  const Row rows[] = {
      {"not set", "${NONE}", "the variable NONE is not set; ${NONE:-} would allow that"},
      {"not closed", "a${NAME", "'${' has no '}'"},
      {"no name", "${}", "has a ${...} that names no variable"},
      {"a digit first", "${1A}", "has a ${...} that names no variable"},
      {"a space", "${A B}", "has a ${...} that names no variable"},
      {"another operator", "${NAME:?x}", "has a ${...} that names no variable"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto result = substitute(row.text, kEnvironment);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error() == row.what);
  }
}

TEST_CASE("whole values are gone through, and every fault has its place") {
  Tree tree = parse_yaml("a: ['${NAME}', '${NONE}']\nb: {c: '${ALSO_NONE}', '${NAME}': d}\n");
  size_t bytes_left = kConfigBytesMax;
  std::vector<Complaint> complaints;
  substitute_all(tree.root, kEnvironment, bytes_left, complaints);
  CHECK(tree.root.find("a")->items[0].text == "value");
  CHECK(tree.root.find("b")->find("${NAME}") != nullptr);  // keys stay
  REQUIRE(complaints.size() == 2);
  CHECK(complaints[0].at == ".a[1]");
  CHECK(complaints[1].at == ".b.c");
  CHECK(complaints[1].line == 2);
  CHECK(bytes_left == kConfigBytesMax - 5);
}

TEST_CASE("variables cannot make a configuration grow without end") {
  const Environment big = {{"BIG", std::string(100'000, 'x')}};
  std::string text;
  for (int i = 0; i < 100; ++i) text += "${BIG}";
  CHECK_FALSE(substitute(text, big).has_value());

  Node list;
  list.kind = Node::Kind::kList;
  for (int i = 0; i < 20; ++i) list.items.push_back(Node::of_text("${BIG}"));
  size_t bytes_left = kConfigBytesMax;
  std::vector<Complaint> complaints;
  substitute_all(list, big, bytes_left, complaints);
  CHECK(complaints.size() == 10);
}

}  // namespace
}  // namespace sidespan::app
