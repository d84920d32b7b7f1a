#include "sidespan/http/message.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using sidespan::http::BodyLength;
using sidespan::http::Field;
using sidespan::http::Headers;
using sidespan::http::is_idempotent;

namespace {

// "name: value" of each line, joined by "|".
std::string dump(const Headers& headers) {
  std::string out;
  for (size_t i = 0; i < headers.size(); ++i) {
    const Field f = headers.at(i);
    if (!out.empty()) out += "|";
    out.append(f.name).append(": ").append(f.value);
  }
  return out;
}

Headers make(std::initializer_list<std::pair<const char*, const char*>> lines) {
  Headers headers;
  for (const auto& [name, value] : lines) REQUIRE(headers.add(name, value));
  return headers;
}

}  // namespace

TEST_CASE("headers keep case, order and duplicates") {
  const Headers h = make({{"Host", "a"}, {"X-One", "1"}, {"x-one", "2"}, {"Empty", ""}});
  CHECK(dump(h) == "Host: a|X-One: 1|x-one: 2|Empty: ");
  CHECK(h.size() == 4);
  CHECK(h.find("X-ONE") == "1");
  CHECK(h.find("empty") == "");
  CHECK_FALSE(h.find("X-Two").has_value());
  CHECK_FALSE(h.find("").has_value());
  CHECK(h.contains("hOST"));
  CHECK(h.count("x-one") == 2);
  CHECK(h.count("none") == 0);
  CHECK(h.wire_bytes() == std::string("Host: a\r\nX-One: 1\r\nx-one: 2\r\nEmpty: \r\n").size());
}

TEST_CASE("names differ only by letters' case, not by other bits") {
  const Headers h = make({{"a^b", "caret"}});
  CHECK(h.contains("A^B"));
  CHECK_FALSE(h.contains("a~b"));
  CHECK_FALSE(h.contains("\x01^b"));
}

TEST_CASE("add and set refuse what would break a message") {
  struct Row {
    const char* test;
    std::string name;
    std::string value;
    bool good;
  };
  const std::vector<Row> rows = {
      {"plain", "X-A", "b", true},
      {"all token characters", "!#$%&'*+-.^_`|~09azAZ", "b", true},
      {"tab and obs-text in a value", "X-A", "b\tc\xff", true},
      {"white space kept", "X-A", " b ", true},
      {"empty name", "", "b", false},
      {"space in a name", "X A", "b", false},
      {"colon in a name", "X:", "b", false},
      {"CR in a name", "X\r", "b", false},
      {"non-ASCII name", "X\xc3\xa4", "b", false},
      {"CR in a value", "X-A", "b\rc", false},
      {"LF in a value", "X-A", "b\nc", false},
      {"NUL in a value", "X-A", std::string("b\0c", 3), false},
      {"injected line", "X-A", "b\r\nX-B: c", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    Headers h = make({{"Host", "a"}});
    CHECK(h.add(row.name, row.value) == row.good);
    CHECK(h.size() == (row.good ? 2 : 1));
    CHECK(h.set(row.name, row.value) == row.good);
    CHECK(h.size() == (row.good ? 2 : 1));
  }
}

TEST_CASE("set replaces the first line where it stands and removes the others") {
  Headers h = make({{"A", "1"}, {"B", "two"}, {"b", "2"}, {"C", "3"}, {"B", "22"}});
  SUBCASE("shorter") {
    CHECK(h.set("b", "x"));
    CHECK(dump(h) == "A: 1|B: x|C: 3");
  }
  SUBCASE("empty") {
    CHECK(h.set("b", {}));
    CHECK(dump(h) == "A: 1|B: |C: 3");
  }
  SUBCASE("longer") {
    CHECK(h.set("b", std::string(5000, 'x')));
    CHECK(dump(h) == "A: 1|B: " + std::string(5000, 'x') + "|C: 3");
  }
  SUBCASE("absent") {
    CHECK(h.set("D", "4"));
    CHECK(dump(h) == "A: 1|B: two|b: 2|C: 3|B: 22|D: 4");
  }
}

TEST_CASE("arguments may be views of the headers themselves") {
  Headers h = make({{"Alpha", "one"}, {"Beta", "a longer value than that"}, {"beta", "3"}});
  SUBCASE("add grows the arena") {
    for (int i = 0; i < 200; ++i) REQUIRE(h.add(h.at(0).name, *h.find("Beta")));
    CHECK(h.count("alpha") == 201);
    CHECK(h.at(200).value == "a longer value than that");
  }
  SUBCASE("add after a copy, whose arena is full") {
    Headers copy = h;
    REQUIRE(copy.add(copy.at(1).name, copy.at(1).value));
    CHECK(copy.at(3).value == "a longer value than that");
  }
  SUBCASE("set in place") {
    REQUIRE(h.set("Beta", h.find("Beta")->substr(2, 6)));
    CHECK(dump(h) == "Alpha: one|Beta: longer");
  }
  SUBCASE("set by its own name, longer") {
    REQUIRE(h.set(h.at(0).name, *h.find("Beta")));
    CHECK(h.at(0).value == "a longer value than that");
  }
  SUBCASE("remove by its own name") {
    CHECK(h.remove(h.at(1).name) == 2);
    CHECK(dump(h) == "Alpha: one");
  }
  SUBCASE("add what was removed") {
    Headers copy = make({{"A", "1"}});
    const Field f = copy.at(0);
    copy.remove("a");
    REQUIRE(copy.add(f.name, f.value));
    CHECK(dump(copy) == "A: 1");
  }
}

TEST_CASE("remove, remove_if, clear") {
  Headers h = make({{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", ""}});
  CHECK(h.remove("A") == 2);
  CHECK(h.remove("A") == 0);
  CHECK(dump(h) == "B: 2|C: ");
  CHECK(h.remove_if([](const Field& f) { return f.value.empty(); }) == 1);
  CHECK(dump(h) == "B: 2");
  h.clear();
  CHECK(h.empty());
  CHECK(h.wire_bytes() == 0);
  CHECK(h.add("D", "4"));
  CHECK(dump(h) == "D: 4");
}

TEST_CASE("lists finds members of list fields") {
  const Headers h = make({{"Connection", "keep-alive, Upgrade"},
                          {"connection", "\tX-A ;q=1,,close"},
                          {"TE", "trailers;q=0.5"}});
  CHECK(h.lists("Connection", "upgrade"));
  CHECK(h.lists("Connection", "Keep-Alive"));
  CHECK(h.lists("Connection", "x-a"));
  CHECK(h.lists("Connection", "CLOSE"));
  CHECK_FALSE(h.lists("Connection", "keep"));
  CHECK_FALSE(h.lists("Connection", "q=1"));
  CHECK(h.lists("te", "trailers"));
  CHECK_FALSE(h.lists("Upgrade", "websocket"));
}

TEST_CASE("a section that comes in pieces is named line by line afterwards") {
  const std::string section =
      "Host: example.com\r\nX-Empty:\r\nX-Long: " + std::string(3000, 'v') + "\r\n\r\n";
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{10'000}}) {
    CAPTURE(piece);
    Headers h;
    for (size_t i = 0; i < section.size(); i += piece) {
      h.append_block(std::string_view(section).substr(i, piece));
    }
    REQUIRE(h.block() == section);
    CHECK(h.empty());
    h.note_line({0, 4}, {6, 11});
    h.note_line({19, 7}, {27, 0});
    h.note_line({29, 6}, {37, 3000});
    h.classify();
    CHECK(dump(h) == "Host: example.com|X-Empty: |X-Long: " + std::string(3000, 'v'));
    CHECK(h.set("Host", "another.example.com"));
    CHECK(h.find("host") == "another.example.com");
  }
}

TEST_CASE("moved and copied headers stand alone") {
  Headers a = make({{"A", "1"}});
  Headers b = a;
  REQUIRE(b.set("A", "22"));
  CHECK(dump(a) == "A: 1");
  const Headers c = std::move(b);
  CHECK(dump(c) == "A: 22");
}

TEST_CASE("body lengths compare by kind and bytes") {
  CHECK(BodyLength::none() == BodyLength{});
  CHECK(BodyLength::known(0) != BodyLength::none());
  CHECK(BodyLength::known(1) != BodyLength::known(2));
  CHECK(BodyLength::unknown().kind == BodyLength::Kind::kUnknown);
}

TEST_CASE("idempotent methods are those of RFC 9110 section 9.2.2") {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    CAPTURE(method);
    CHECK(is_idempotent(method));
  }
  for (const char* method : {"POST", "PATCH", "CONNECT", "get", "", "PROPFIND"}) {
    CAPTURE(method);
    CHECK_FALSE(is_idempotent(method));
  }
}
