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

TEST_CASE("attributes: those of another list are added as they are, as many as there may be") {
  const std::string text(500, 'x');
  for (const size_t count_max : {1U, 2U, 3U, 4U, 5U}) {
    CAPTURE(count_max);
    const AttributeLimits limits{.count_max = count_max};
    Attributes others(limits);
    Attributes one_by_one(limits);
    Attributes attributes(limits);
    for (Attributes* const list : {&one_by_one, &attributes}) list->set("before", true);
    for (Attributes* const list : {&one_by_one, &others}) {
      list->set("text", std::string_view(text));
      list->set("again", std::string_view(text));
    }
    attributes.add(others.pack());
    for (Attributes* const list : {&one_by_one, &attributes}) list->set("behind", int64_t{7});
    CHECK(attributes.encoded() == one_by_one.encoded());
    CHECK(attributes.size() == one_by_one.size());
    CHECK(attributes.dropped() == one_by_one.dropped());
  }
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
  constexpr AttributeName kBool("bool");
  constexpr AttributeName kInt("int");
  constexpr AttributeName kDouble("double");
  constexpr AttributeName kLiteral("literal");
  constexpr AttributeName kMended("mended");
  constexpr AttributeName kJoined("joined");
  constexpr AttributeName kEmpty("empty");
  constexpr AttributeName kOneTooMany("one too many");
  constexpr AttributeName kAnother("another");
  constexpr std::string_view kParts[] = {"a", "", "bcdef"};
  Attributes added(AttributeLimits{.count_max = 7, .value_bytes_max = 5});
  added.add(kBool, true);
  added.add(kInt, int64_t{-7});
  added.add(kDouble, 0.25);
  added.add(kLiteral, "cut off");
  added.add(kMended, std::string_view("\xff"));
  added.add_joined(kJoined, kParts);
  added.add(kEmpty, std::string_view());
  added.add(kOneTooMany, true);
  added.add(kAnother, "text");
  Attributes set(AttributeLimits{.count_max = 7, .value_bytes_max = 5});
  set.set("bool", true);
  set.set("int", int64_t{-7});
  set.set("double", 0.25);
  set.set("literal", "cut off");
  set.set("mended", std::string_view("\xff"));
  set.set("joined", "abcdef");
  set.set("empty", std::string_view());
  set.set("one too many", true);
  set.set("another", "text");
  CHECK(added.encoded() == set.encoded());
  CHECK(added.size() == 7);
  CHECK(added.dropped() == 2);
  CHECK(set.dropped() == 2);
  CHECK(added.text("joined") == "abcde");
}

TEST_CASE("attributes: texts of every length, whole or in parts, plain or not") {
  constexpr AttributeName kName("name");
  constexpr AttributeName kLongName("0123456789012345678901234567890123456789012");
  for (size_t size = 0; size < 300; ++size) {
    CAPTURE(size);
    std::string text;
    for (size_t i = 0; i < size; ++i) text.push_back(static_cast<char>('a' + i % 26));
    const std::array<std::string_view, 3> parts = {std::string_view(text).substr(0, size / 3), "",
                                                   std::string_view(text).substr(size / 3)};
    Attributes attributes;
    attributes.add(kName, text);
    attributes.add_joined(kLongName, parts);
    Attributes expected;
    expected.set(kName, text);
    expected.set(kLongName, text);
    CHECK(attributes.encoded() == expected.encoded());
    CHECK(attributes.text(kName) == text);
    CHECK(attributes.text(kLongName) == text);
    for (size_t bad = 0; bad < size; ++bad) {
      std::string other = text;
      other[bad] = '\xe9';
      Attributes mended;
      mended.add(kName, other);
      if (mended.text(kName) != other.replace(bad, 1, "\xef\xbf\xbd")) FAIL_CHECK(bad);
    }
  }
}

TEST_CASE("attributes: numbers of every length, added or set") {
  constexpr AttributeName kName("name");
  for (unsigned bits = 0; bits < 64; ++bits) {
    CAPTURE(bits);
    for (const uint64_t number : {uint64_t{1} << bits, (uint64_t{1} << bits) - 1}) {
      const auto value = static_cast<int64_t>(number);
      Attributes added;
      added.add(kName, value);
      Attributes set;
      set.set("name", value);
      CHECK(std::get<int64_t>(added.at(0).value) == value);
      CHECK(added.encoded() == set.encoded());
    }
  }
}

inline constexpr AttributeName kShort("s");
inline constexpr AttributeName kLonger("a name of some more bytes");
inline constexpr AttributeName kLongest("0123456789012345678901234567890123456789012");

TEST_CASE("attributes: numbers in a row, wherever they come to stand, as many as there may be") {
  for (const size_t count_max : {0, 1, 2, 3, 4, 128}) {
    CAPTURE(count_max);
    for (size_t before = 0; before < 1000; ++before) {
      Attributes attributes(AttributeLimits{.count_max = count_max});
      attributes.set("text", std::string(before, 'x'));
      Attributes expected = attributes;
      attributes.add_all<kShort, kLonger, kLongest>({0.25, -1.0, 1e300});
      expected.set(kShort, 0.25);
      expected.set(kLonger, -1.0);
      expected.set(kLongest, 1e300);
      if (attributes.encoded() != expected.encoded()) FAIL_CHECK(before);
      if (attributes.size() != expected.size()) FAIL_CHECK(before);
      if (attributes.dropped() != expected.dropped()) FAIL_CHECK(before);
    }
  }
}

TEST_CASE("attributes: a value replaced by a longer and a shorter one leaves the others") {
  Attributes attributes;
  attributes.set("first", int64_t{1});
  attributes.set("middle", "text");
  attributes.set("last", true);
  for (const int64_t number : {0, 127, 128, 16'384, 5}) {
    attributes.set("middle", number);
    CHECK(std::get<int64_t>(attributes.at(1).value) == number);
    CHECK(std::get<bool>(attributes.at(2).value));
  }
  for (const size_t size : {0, 200, 20'000, 3}) {
    attributes.set("middle", std::string(size, 'm'));
    CHECK(attributes.text("middle").size() == size);
    std::string keys;
    for (const Attributes::View& attribute : attributes) keys.append(attribute.key).append(" ");
    CHECK(keys == "first middle last ");
    CHECK(std::get<bool>(attributes.at(2).value));
  }
}

TEST_CASE("attributes: encoded as OTLP has them") {
  constexpr AttributeName kAdded("a");
  Attributes attributes;
  CHECK(attributes.encoded().empty());
  attributes.add(kAdded, "xy");
  attributes.set("b", int64_t{300});
  attributes.set("c", std::array<std::string_view, 2>{"", "z"});
  const std::string_view expected(
      "\x4a\x09\x0a\x01"
      "a\x12\x04\x0a\x02"
      "xy"
      "\x4a\x08\x0a\x01"
      "b\x12\x03\x18\xac\x02"
      "\x4a\x10\x0a\x01"
      "c\x12\x0b\x2a\x09\x0a\x02\x0a\x00\x0a\x03\x0a\x01z",
      39);
  CHECK(attributes.encoded() == expected);
}

TEST_CASE("attributes: a copy, and a list that was moved from, go on alone") {
  Attributes first(AttributeLimits{.count_max = 2});
  first.set("key", std::string(5000, 'x'));
  Attributes copy = first;
  const Attributes moved = std::move(first);
  CHECK(first.size() == 0);
  CHECK(first.encoded().empty());
  first.set("key", "new");
  copy.set("key", "copy");
  CHECK(moved.text("key").size() == 5000);
  CHECK(copy.text("key") == "copy");
  CHECK(first.text("key") == "new");
}

TEST_CASE("attributes: what was packed goes on as it was") {
  for (const size_t bytes : {size_t{10}, size_t{2000}}) {
    CAPTURE(bytes);
    Attributes attributes({.count_max = 3, .value_bytes_max = 4000});
    const std::string text(bytes, 'x');
    attributes.set("text", std::string_view(text));
    attributes.set("int", int64_t{7});
    Attributes again = Attributes::unpack(attributes.pack());
    CHECK(again.encoded() == attributes.encoded());
    again.set("int", int64_t{-1});
    again.set("third", true);
    again.set("fourth", true);
    CHECK(again.text("text") == text);
    CHECK(std::get<int64_t>(again.at(1).value) == -1);
    CHECK(again.size() == 3);
    CHECK(again.dropped() == 1);
  }
}

}  // namespace
}  // namespace sidespan::trace
