#include "sidespan/trace/baggage.h"

#include <doctest/doctest.h>

namespace sidespan::trace {
namespace {

using Texts = std::vector<std::string>;

Baggage received(const Texts& lines) {
  Baggage baggage;
  for (const std::string& line : lines) baggage.add_line(line);
  return baggage;
}

std::string list_of(size_t members) {
  std::string list;
  for (size_t i = 0; i < members; ++i) {
    if (i > 0) list += ",";
    list += "k" + std::to_string(i) + "=v";
  }
  return list;
}

TEST_CASE("baggage: what goes on, as received or written anew") {
  struct Row {
    const char* name;
    Texts lines;
    bool passes;
    std::string header;
  };
  const Row rows[] = {
      {"nothing", {}, true, ""},
      {"one", {"a=1"}, true, "a=1"},
      {"blanks are legal", {"a = 1 ; p = q , b=2"}, true, "a=1;p=q,b=2"},
      {"two lines", {"a=1", "b=2"}, true, "a=1,b=2"},
      {"empty value and property", {"a=;p;q="}, true, "a=;p;q="},
      {"encoding is kept", {"a=%61%C3%A9"}, true, "a=%61%C3%A9"},
      {"blank line", {" \t", "a=1"}, true, "a=1"},
      {"empty member", {"a=1,,b=2,"}, false, "a=1,b=2"},
      {"empty property", {"a=1;;p;"}, false, "a=1;p"},
      {"bad property", {"a=1;p q;r=\";s"}, false, "a=1;s"},
      {"no equals sign", {"a,b=2"}, false, "b=2"},
      {"bad key", {"a b=1,b=2"}, false, "b=2"},
      {"bad value", {"a=\"1\",b=2"}, false, "b=2"},
      {"control character", {"a=1\x01,b=2"}, false, "b=2"},
      {"carriage return", {"a=1\r,b=2"}, false, "b=2"},
      {"line feed", {"a=1\nEvil: 2"}, true, ""},
      {"not ASCII", {"a=\xc3\xa9,b=2"}, false, "b=2"},
      {"only bad ones", {"a", ";b=1"}, false, ""},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Baggage baggage = received(row.lines);
    CHECK(baggage.passes_as_received() == row.passes);
    CHECK(baggage.to_header() == row.header);
  }
}

TEST_CASE("baggage: decoded") {
  const Baggage baggage = received({"a=x%20y%2C;p=%3B;q, a=%ff", "%41=%zz%4"});
  const std::vector<Baggage::Entry> entries = {
      {"a", "x y,", {{"p", ";"}, {"q", std::nullopt}}},
      {"a", "\xef\xbf\xbd", {}},
      {"%41", "%zz%4", {}},
  };
  CHECK(baggage.entries() == entries);
  CHECK(baggage.get("a") == "\xef\xbf\xbd");
  CHECK(baggage.get("%41") == "%zz%4");
  CHECK_FALSE(baggage.get("A").has_value());
}

TEST_CASE("baggage: encode and parse again") {
  std::string all_bytes;
  for (int c = 0; c < 128; ++c) all_bytes.push_back(static_cast<char>(c));
  const std::vector<Baggage::Entry> entries = {
      {"a", all_bytes, {{"p", all_bytes}, {"q", ""}, {"r", std::nullopt}}},
      {"b", "Am\xc3\xa9lie \xf0\x9f\x8e\x89", {}},
      {"b", "", {}},
  };
  const std::string line = Baggage::encode(entries);
  const Baggage baggage = received({line});
  CHECK(baggage.passes_as_received());
  CHECK(baggage.entries() == entries);
  CHECK(baggage.to_header() == line);
}

TEST_CASE("baggage: limits cost whole members") {
  struct Row {
    const char* name;
    Texts lines;
    bool passes;
    size_t members;
    size_t bytes;
  };
  const std::string big(5000, 'x');
  const std::string half = "=" + std::string(4094, 'x');  // with its key 4096 bytes
  const std::string exact = list_of(Baggage::kMembersMax);
  const Row rows[] = {
      {"64 members", {exact}, true, 64, exact.size()},
      {"64 members in two lines", {"x=1", list_of(63)}, true, 64, list_of(63).size() + 4},
      {"65 members", {list_of(65)}, false, 64, exact.size()},
      {"8192 bytes", {"a=" + std::string(8190, 'x')}, true, 1, 8192},
      {"8193 bytes", {"a=" + std::string(8191, 'x')}, false, 0, 0},
      {"the comma between lines counts", {"a" + half, "b" + half}, false, 1, 4096},
      {"a small one fits behind a big one", {"a=" + big + ",b=" + big + ",c=1"}, false, 2, 5006},
      {"blanks are what is too much", {"a=1" + std::string(9000, ' ')}, false, 1, 3},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Baggage baggage = received(row.lines);
    CHECK(baggage.passes_as_received() == row.passes);
    CHECK(baggage.entries().size() == row.members);
    CHECK(baggage.to_header().size() == row.bytes);
  }
}

TEST_CASE("baggage: received bytes are bounded, at a member's end") {
  Baggage baggage;
  std::string line = "a=1";
  while (line.size() <= Baggage::kReceivedBytesMax) line += ",b=" + std::string(997, 'x');
  baggage.add_line(line);
  REQUIRE(baggage.lines().size() == 1);
  const std::string_view kept = baggage.lines()[0];
  CHECK(kept.size() <= Baggage::kReceivedBytesMax);
  CHECK(kept.size() > Baggage::kReceivedBytesMax - 1001);
  CHECK(kept.ends_with("x"));
  CHECK(line[kept.size()] == ',');
  baggage.add_line("c=" + std::string(1000, 'x'));
  CHECK(baggage.lines().size() == 1);

  Baggage one_member;
  one_member.add_line("a=" + std::string(Baggage::kReceivedBytesMax, 'x'));
  CHECK(one_member.empty());
}

TEST_CASE("baggage: set") {
  struct Row {
    const char* name;
    Texts lines;
    std::string key, value;
    bool done;
    std::string header;
  };
  const Row rows[] = {
      {"into nothing", {}, "a", "1", true, "a=1"},
      {"new stands left", {"b=2;p", "c=3"}, "a", "1", true, "a=1,b=2;p,c=3"},
      {"replaces every one", {"a=1,b=2,a=3"}, "a", "4", true, "a=4,b=2"},
      {"value is encoded", {}, "a", "x y,%\r\n", true, "a=x%20y%2C%25%0D%0A"},
      {"empty value", {}, "a", "", true, "a="},
      {"bad key", {"b=2"}, "a b", "1", false, "b=2"},
      {"empty key", {"b=2"}, "", "1", false, "b=2"},
      {"bad members go", {"b,c=3"}, "a", "1", true, "a=1,c=3"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Baggage baggage = received(row.lines);
    CHECK(baggage.set(row.key, row.value) == row.done);
    CHECK(baggage.to_header() == row.header);
    CHECK(baggage.passes_as_received());
  }
  Baggage full = received({list_of(Baggage::kMembersMax)});
  CHECK(full.set("own", "1"));
  CHECK(full.get("own") == "1");
  CHECK(full.entries().size() == Baggage::kMembersMax);
  CHECK_FALSE(full.get("k63").has_value());
}

TEST_CASE("baggage: erase and allow_only") {
  struct Row {
    const char* name;
    Texts lines, patterns;
    Texts after;
  };
  const Row rows[] = {
      {"all", {"a = 1", "b=2"}, {"*"}, {"a = 1", "b=2"}},
      {"none", {"a=1"}, {}, {}},
      {"by name", {"a=1;p,b=2", "c=3"}, {"c", "a"}, {"a=1;p,c=3"}},
      {"by prefix", {"user.id=1,user.name=2,id=3"}, {"user.*"}, {"user.id=1,user.name=2"}},
      {"case is ignored", {"userId=1,other=2"}, {"USERID"}, {"userId=1"}},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Baggage baggage = received(row.lines);
    baggage.allow_only(row.patterns);
    const auto lines = baggage.lines();
    CHECK(Texts(lines.begin(), lines.end()) == row.after);
    CHECK(baggage.empty() == row.after.empty());
  }
  Baggage baggage = received({"a = 1", "b=2,a=3"});
  baggage.erase("c");
  CHECK(baggage.lines().size() == 2);
  baggage.erase("a");
  CHECK(baggage.to_header() == "b=2");
  baggage.erase("b");
  CHECK(baggage.empty());
}

}  // namespace
}  // namespace sidespan::trace
