#include "sidespan/json/members.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace sidespan::json {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs(const Members& members) {
  Pairs out;
  for (const Member& member : members.all) out.emplace_back(member.key, member.value);
  return out;
}

TEST_CASE("members: keys and values as they are written") {
  const std::string text =
      " { \"a\" : [1, {\"x\": \"]}\"}] ,\"b\":\"q\\\"\\u00e9\",\n\"c\":-1.5e+3, \"d\":{}, "
      "\"e\":null,\"f\":true,\"g\":false , \"\":0}\r\n";
  const auto members = members_of(text);
  REQUIRE(members);
  CHECK(pairs(*members) == Pairs{{"a", "[1, {\"x\": \"]}\"}]"},
                                 {"b", "\"q\\\"\\u00e9\""},
                                 {"c", "-1.5e+3"},
                                 {"d", "{}"},
                                 {"e", "null"},
                                 {"f", "true"},
                                 {"g", "false"},
                                 {"", "0"}});
  CHECK(members->inside == 2);
  CHECK(members->find("d")->value == "{}");
  CHECK(members->find("x") == nullptr);
  CHECK(members_of("{}")->all.empty());
}

TEST_CASE("members: what is not one well-formed object has none") {
  const std::vector<std::string> rows = {"",
                                         " ",
                                         "1",
                                         "[]",
                                         "{",
                                         "}",
                                         "{}{}",
                                         "{} x",
                                         "{\"a\"}",
                                         "{\"a\":}",
                                         "{\"a\":1,}",
                                         "{,}",
                                         "{a:1}",
                                         "{'a':1}",
                                         "{\"a\":01}",
                                         "{\"a\":1.}",
                                         "{\"a\":-}",
                                         "{\"a\":1e}",
                                         "{\"a\":+1}",
                                         "{\"a\":.5}",
                                         "{\"a\":nul}",
                                         "{\"a\":[1}",
                                         "{\"a\":[1,]",
                                         "{\"a\":[1,]}",
                                         "{\"a\":\"}",
                                         "{\"a\":\"\\x\"}",
                                         "{\"a\":\"\\u12g4\"}",
                                         "{\"a\":\"\n\"}",
                                         "{\"a\":1 \"b\":2}",
                                         "{\"a\":{\"b\"}}",
                                         "{\"a\":tru}",
                                         "{\"a\":\"\\",
                                         "{\"a\":1\0}"};
  for (const std::string& row : rows) {
    CAPTURE(row);
    CHECK(!members_of(row));
  }
}

TEST_CASE("members: keys that are not told apart by their spelling") {
  CHECK(!members_of(R"({"a":1,"b":2,"a":3})"));
  CHECK(!members_of(R"({"\u0061":1})"));
  CHECK(members_of(R"({"a":{"x":1,"x":2}})"));  // its own alone
}

TEST_CASE("members: every beginning of an object is none") {
  const std::string text = R"({"a":[{"b":"c\n"},-0.5e1,true],"d":{"e":null}})";
  REQUIRE(members_of(text));
  for (size_t n = 0; n < text.size(); ++n) CHECK(!members_of(text.substr(0, n)));
}

TEST_CASE("members: depth has a limit") {
  const auto nested = [](size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  CHECK(members_of(nested(63)));
  CHECK(!members_of(nested(64)));
  CHECK(!members_of(nested(100'000)));
  CHECK(members_of(nested(2), 3));
  CHECK(!members_of(nested(3), 3));
}

}  // namespace
TEST_CASE("elements: where they stand, and only in a well-formed array") {
  const std::string text = R"( [1.0e2 , {"a":[1]},"x,]" ,[ ] ,null] )";
  const auto elements = elements_of(text);
  REQUIRE(elements);
  CHECK(*elements ==
        std::vector<std::string_view>{"1.0e2", R"({"a":[1]})", R"("x,]")", "[ ]", "null"});
  for (const std::string_view element : *elements) CHECK(text.find(element) != std::string::npos);
  CHECK(elements_of("[ ]")->empty());
  for (const char* row : {"", "[", "[1,]", "[,1]", "[1 2]", "[1]x", "{}", "1"}) {
    CAPTURE(row);
    CHECK_FALSE(elements_of(row));
  }
  for (size_t n = 0; n + 2 < text.size(); ++n) CHECK_FALSE(elements_of(text.substr(0, n)));
  CHECK(elements_of("[[1]]", 2));
  CHECK_FALSE(elements_of("[[[1]]]", 2));
}

}  // namespace sidespan::json
