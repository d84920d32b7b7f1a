#include "sidespan/json/writer.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace sidespan::json {
namespace {

std::string written(const std::function<void(Writer&)>& write) {
  std::string out;
  Writer writer(out);
  write(writer);
  CHECK(writer.complete());
  return out;
}

TEST_CASE("documents") {
  struct Row {
    const char* name;
    std::function<void(Writer&)> write;
    const char* expected;
  };
  const std::vector<Row> rows = {
      {"an empty object", [](Writer& w) { w.begin_object().end_object(); }, "{}"},
      {"an empty array", [](Writer& w) { w.begin_array().end_array(); }, "[]"},
      {"a lone text", [](Writer& w) { w.value("x"); }, R"("x")"},
      {"a lone null", [](Writer& w) { w.null(); }, "null"},
      {"members are parted by commas",
       [](Writer& w) {
         w.begin_object().member("a", 1).member("b", true).key("c").null().end_object();
       },
       R"({"a":1,"b":true,"c":null})"},
      {"elements are parted by commas",
       [](Writer& w) { w.begin_array().value("a").value(false).value(-3).end_array(); },
       R"(["a",false,-3])"},
      {"siblings after a nested value",
       [](Writer& w) {
         w.begin_object().key("a").begin_array().value(1).begin_object().end_object().end_array();
         w.key("b").begin_object().member("c", "d").end_object().member("e", 2U).end_object();
       },
       R"({"a":[1,{}],"b":{"c":"d"},"e":2})"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(written(row.write) == row.expected);
  }
}

TEST_CASE("texts") {
  struct Row {
    const char* name;
    std::string_view text;
    std::string_view expected;
  };
  const std::vector<Row> rows = {
      {"plain", "abc", R"("abc")"},
      {"empty", "", R"("")"},
      {"quote and backslash", R"(a"b\c)", R"("a\"b\\c")"},
      {"a slash stays", "a/b", R"("a/b")"},
      {"short escapes", "\b\f\n\r\t", R"("\b\f\n\r\t")"},
      {"other controls", std::string_view("\0\x1b\x1f\x7f", 4), R"("\u0000\u001b\u001f\u007f")"},
      {"UTF-8 stays", "\u00e9\u20ac\U0001f600", "\"\u00e9\u20ac\U0001f600\""},
      {"controls of C1", "\u0080\u009b\u009f\u00a0", "\"\\u0080\\u009b\\u009f\u00a0\""},
      {"ends of lines", "\u2027\u2028\u2029", "\"\u2027\\u2028\\u2029\""},
      {"changes of direction", "\u202a\u202e\u202f\u2065\u2066\u2069\u206a",
       "\"\\u202a\\u202e\u202f\u2065\\u2066\\u2069\u206a\""},
      {"a lone continuation byte", "a\x80z", "\"a\ufffdz\""},
      {"an overlong form", "\xc0\xaf", "\"\ufffd\ufffd\""},
      {"a surrogate", "\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""},
      {"cut within a character", "\xe2\x82", "\"\ufffd\ufffd\""},
      {"a bad byte beside a quote", "\xff\"", "\"\ufffd\\\"\""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(quoted(row.text) == row.expected);
  }
  CHECK(written([](Writer& w) { w.begin_object().member("a\n\xff", 1).end_object(); }) ==
        "{\"a\\n\ufffd\":1}");
}

TEST_CASE("numbers") {
  struct Row {
    const char* name;
    std::function<void(Writer&)> write;
    const char* expected;
  };
  const std::vector<Row> rows = {
      {"zero", [](Writer& w) { w.value(0); }, "0"},
      {"the smallest integer", [](Writer& w) { w.value(std::numeric_limits<int64_t>::min()); },
       "-9223372036854775808"},
      {"the largest integer", [](Writer& w) { w.value(std::numeric_limits<uint64_t>::max()); },
       "18446744073709551615"},
      {"a short fraction", [](Writer& w) { w.value(0.1); }, "0.1"},
      {"a whole double", [](Writer& w) { w.value(3.0); }, "3"},
      {"a large double", [](Writer& w) { w.value(1e300); }, "1e+300"},
      {"a small double", [](Writer& w) { w.value(-2.5e-9); }, "-2.5e-09"},
      {"not a number", [](Writer& w) { w.value(std::numeric_limits<double>::quiet_NaN()); },
       "null"},
      {"infinite", [](Writer& w) { w.value(-std::numeric_limits<double>::infinity()); }, "null"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(written(row.write) == row.expected);
  }
}

std::string nested(size_t depth) {
  return written([&](Writer& w) {
    for (size_t i = 0; i < depth; ++i) w.begin_object().member("n", 1).key("in");
    w.value("deep");
    for (size_t i = 0; i < depth; ++i) w.member("after", 2).end_object();
  });
}

TEST_CASE("nesting is bounded, and what is too deep leaves a valid document") {
  std::string inside = R"("deep")";
  std::string expected;
  for (size_t depth = 1; depth <= Writer::kDepthMax; ++depth) {
    expected = R"({"n":1,"in":)" + inside + R"(,"after":2})";
    inside = expected;
  }
  CHECK(nested(Writer::kDepthMax) == expected);

  const std::string over = nested(Writer::kDepthMax + 1);
  CHECK(over.find("deep") == std::string::npos);
  CHECK(over.find(R"("in":null,"after":2})") != std::string::npos);
  CHECK(nested(Writer::kDepthMax + 40) == over);
}

TEST_CASE("incomplete documents say so") {
  std::string out;
  Writer writer(out);
  CHECK_FALSE(writer.complete());
  writer.begin_array();
  CHECK_FALSE(writer.complete());
  writer.end_array();
  CHECK(writer.complete());
}

}  // namespace
}  // namespace sidespan::json
