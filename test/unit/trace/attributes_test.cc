#include "sidespan/trace/attributes.h"

#include <doctest/doctest.h>

#include <array>

namespace sidespan::trace {
namespace {

using Texts = std::vector<std::string_view>;

TEST_CASE("attributes: every type is read back as it was set") {
  Attributes attributes;
  attributes.set("bool", true);
  attributes.set("int", int64_t{-7});
  attributes.set("double", 0.25);
  attributes.set("text", std::string_view("hello"));
  attributes.set("literal", "world");
  attributes.set("empty", "");
  const Texts texts = {"a", "", "b,c"};
  attributes.set("texts", texts);
  attributes.set("no texts", Texts{});

  REQUIRE(attributes.size() == 8);
  CHECK(attributes.at(0).key == "bool");
  CHECK(std::get<bool>(attributes.at(0).value));
  CHECK(std::get<int64_t>(attributes.at(1).value) == -7);
  CHECK(std::get<double>(attributes.at(2).value) == 0.25);
  CHECK(std::get<std::string_view>(attributes.at(3).value) == "hello");
  CHECK(std::get<std::string_view>(attributes.at(4).value) == "world");
  CHECK(std::get<std::string_view>(attributes.at(5).value).empty());
  CHECK(std::get<Texts>(attributes.at(6).value) == texts);
  CHECK(std::get<Texts>(attributes.at(7).value).empty());
  CHECK(attributes.text("text") == "hello");
  CHECK(attributes.text("int").empty());
  CHECK(attributes.text("absent").empty());
  CHECK(attributes.contains("texts"));
  CHECK_FALSE(attributes.contains("text "));
}

TEST_CASE("attributes: set replaces, also by another type") {
  Attributes attributes;
  attributes.set("a", "text");
  attributes.set("b", int64_t{1});
  attributes.set("a", int64_t{2});
  attributes.set("b", "longer than before");
  attributes.set("b", "short");
  REQUIRE(attributes.size() == 2);
  CHECK(attributes.at(0).key == "a");
  CHECK(std::get<int64_t>(attributes.at(0).value) == 2);
  CHECK(attributes.text("b") == "short");
}

TEST_CASE("attributes: the count limit keeps new keys out, never updates") {
  Attributes attributes(AttributeLimits{.count_max = 2});
  attributes.set("a", true);
  attributes.set("b", true);
  attributes.set("c", true);
  attributes.set("d", "text");
  attributes.set("b", false);
  CHECK(attributes.size() == 2);
  CHECK(attributes.dropped() == 2);
  CHECK_FALSE(std::get<bool>(attributes.at(1).value));
}

TEST_CASE("attributes: keys that cannot be kept") {
  Attributes attributes;
  attributes.set("", true);
  attributes.set(std::string(65536, 'k'), true);
  CHECK(attributes.size() == 0);
  CHECK(attributes.dropped() == 2);
  attributes.set(std::string(65535, 'k'), true);
  CHECK(attributes.size() == 1);
}

TEST_CASE("attributes: texts are mended and cut at a character") {
  struct Row {
    const char* name;
    size_t limit;
    std::string text, kept;
  };
  constexpr size_t kNoLimit = AttributeLimits{}.value_bytes_max;
  const Row rows[] = {
      {"as it is", kNoLimit, "plain text of some length", "plain text of some length"},
      {"valid UTF-8", kNoLimit, "Am\xc3\xa9lie", "Am\xc3\xa9lie"},
      {"a byte that is none", kNoLimit,
       "a\xff"
       "b",
       "a\xef\xbf\xbd"
       "b"},
      {"bad byte beyond a word", kNoLimit, "12345678\x80", "12345678\xef\xbf\xbd"},
      {"at the limit", 4, "abcd", "abcd"},
      {"over the limit", 4, "abcde", "abcd"},
      {"two bytes across the limit", 4, "abc\xc3\xa9", "abc"},
      {"four bytes across the limit", 3, "\xf0\x9f\x8e\x89", ""},
      {"limit zero", 0, "a", ""},
      {"mended, then cut", 4, "\xff\xff", "\xef\xbf\xbd"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Attributes attributes(AttributeLimits{.value_bytes_max = row.limit});
    attributes.set("text", row.text);
    attributes.set("texts", std::array<std::string_view, 2>{row.text, row.text});
    CHECK(attributes.text("text") == row.kept);
    CHECK(std::get<Texts>(attributes.at(1).value) == Texts{row.kept, row.kept});
  }
}

TEST_CASE("attributes: many of them, moved") {
  Attributes attributes;
  for (int i = 0; i < 100; ++i) {
    attributes.set("key" + std::to_string(i), "value" + std::to_string(i));
  }
  const Attributes moved = std::move(attributes);
  REQUIRE(moved.size() == 100);
  for (int i = 0; i < 100; ++i) {
    CHECK(moved.text("key" + std::to_string(i)) == "value" + std::to_string(i));
  }
}

TEST_CASE("attributes: a key that is no UTF-8 is mended like a text") {
  Attributes attributes;
  attributes.set("bad\xff", int64_t{1});
  attributes.set("bad\xff", int64_t{2});
  attributes.set("bad\xfe", "text");
  REQUIRE(attributes.size() == 1);
  CHECK(attributes.at(0).key == "bad\xef\xbf\xbd");
  CHECK(attributes.text("bad\xef\xbf\xbd") == "text");
}

TEST_CASE("attributes: add is set for a new key") {
  Attributes added(AttributeLimits{.count_max = 6, .value_bytes_max = 5});
  Attributes set(AttributeLimits{.count_max = 6, .value_bytes_max = 5});
  const auto fill = [](Attributes& list, auto put) {
    put(list, "bool", true);
    put(list, "int", int64_t{-7});
    put(list, "double", 0.25);
    put(list, "literal", "cut off");
    put(list, "mended", std::string_view("\xff"));
    put(list, "empty", std::string_view());
    put(list, "one too many", true);
    put(list, "another", "text");
  };
  fill(added, [](Attributes& list, std::string_view key, auto value) { list.add(key, value); });
  fill(set, [](Attributes& list, std::string_view key, auto value) { list.set(key, value); });
  REQUIRE(added.size() == set.size());
  for (size_t i = 0; i < set.size(); ++i) {
    CAPTURE(i);
    CHECK(added.at(i).key == set.at(i).key);
    CHECK(added.at(i).value == set.at(i).value);
  }
  CHECK(added.dropped() == 2);
  CHECK(set.dropped() == 2);
}

TEST_CASE("attributes: a copy, and a list that was moved from, go on alone") {
  Attributes first;
  first.set("key", std::string(5000, 'x'));
  Attributes copy = first;
  const Attributes moved = std::move(first);
  first = Attributes();
  first.set("key", "new");
  copy.set("key", "copy");
  CHECK(moved.text("key").size() == 5000);
  CHECK(copy.text("key") == "copy");
  CHECK(first.text("key") == "new");
}

}  // namespace
}  // namespace sidespan::trace
