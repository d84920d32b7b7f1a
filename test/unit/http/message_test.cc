#include "sidespan/http/message.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/text.h"

using sidespan::http::BodyLength;
using sidespan::http::Field;
using sidespan::http::field_name;
using sidespan::http::FieldName;
using sidespan::http::Head;
using sidespan::http::Headers;
using sidespan::http::is_idempotent;
using sidespan::http::kFieldNameTexts;
using sidespan::http::Wanted;

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
  SUBCASE("the same, but it is not alone") {
    CHECK(h.set("b", "two"));
    CHECK(dump(h) == "A: 1|B: two|C: 3");
  }
  SUBCASE("the same") {
    CHECK(h.set("a", "1"));
    CHECK(dump(h) == "A: 1|B: two|b: 2|C: 3|B: 22");
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
    h.new_line() = {{0, 4}, {6, 11}};
    h.new_line() = {{19, 7}, {27, 0}};
    h.new_line() = {{29, 6}, {37, 3000}};
    h.classify();
    CHECK(dump(h) == "Host: example.com|X-Empty: |X-Long: " + std::string(3000, 'v'));
    CHECK(h.set("Host", "another.example.com"));
    CHECK(h.find("host") == "another.example.com");
  }
}

TEST_CASE("many lines and long ones: the block grows, and all stays as it was") {
  const std::string long_value(40'000, 'v');
  Headers h;
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "X-" + std::to_string(i);
    const std::string_view value = i % 500 == 7 ? std::string_view(long_value) : "short";
    REQUIRE(h.add(name, value));
    expected += (i == 0 ? "" : "|") + name + ": " + std::string(value);
  }
  CHECK(h.size() == 2000);
  CHECK(dump(h) == expected);
  CHECK(h.find("x-1999") == "short");
  const Headers copy = h;
  CHECK(h.remove_if([](const Field& f) { return f.value == "short"; }) == 1996);
  CHECK(h.size() == 4);
  CHECK(dump(copy) == expected);
  for (int i = 0; i < 100; ++i) REQUIRE(h.set("X-7", std::string(static_cast<size_t>(i), 'w')));
  CHECK(h.find("x-7") == std::string(99, 'w'));
  CHECK(h.at(1).value == long_value);
}

TEST_CASE("names that are asked for are known in any case, and only they") {
  struct Row {
    const char* text;
    FieldName name;
  };
  const std::vector<Row> rows = {
      {"authorization", FieldName::kAuthorization},
      {"baggage", FieldName::kBaggage},
      {"connection", FieldName::kConnection},
      {"content-encoding", FieldName::kContentEncoding},
      {"content-length", FieldName::kContentLength},
      {"content-type", FieldName::kContentType},
      {"expect", FieldName::kExpect},
      {"host", FieldName::kHost},
      {"http2-settings", FieldName::kHttp2Settings},
      {"keep-alive", FieldName::kKeepAlive},
      {"max-forwards", FieldName::kMaxForwards},
      {"proxy-authorization", FieldName::kProxyAuthorization},
      {"proxy-connection", FieldName::kProxyConnection},
      {"te", FieldName::kTe},
      {"traceparent", FieldName::kTraceparent},
      {"tracestate", FieldName::kTracestate},
      {"transfer-encoding", FieldName::kTransferEncoding},
      {"upgrade", FieldName::kUpgrade},
      {"via", FieldName::kVia},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    std::string name = row.text;
    CHECK(field_name(name) == row.name);
    for (size_t i = 0; i < name.size(); ++i) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string other = name;
        other[i] = static_cast<char>(byte);
        const bool same = sidespan::text::equal_ignoring_case(other, name);
        if ((field_name(other) == row.name) != same) CHECK_MESSAGE(false, i, " ", byte);
      }
    }
    CHECK(field_name(name + "x") == FieldName::kOther);
    CHECK(field_name(std::string_view(name).substr(1)) == FieldName::kOther);
    Headers h = make({{"A", "1"}});
    CHECK_FALSE(h.may_have(row.name));
    REQUIRE(h.add(row.text, "v"));
    REQUIRE(h.add("B", "2"));
    REQUIRE(h.add(row.text, "w"));
    CHECK(h.may_have(row.name));
    CHECK(h.find(row.name) == "v");
    CHECK(h.lists(row.name, "w"));
    const Headers copy = h;
    CHECK(h.remove(row.name) == 2);
    CHECK_FALSE(h.may_have(row.name));
    CHECK_FALSE(h.contains(row.text));
    CHECK(dump(h) == "A: 1|B: 2");
    CHECK(copy.contains(row.name));
  }
  CHECK(field_name("") == FieldName::kOther);
}

TEST_CASE("a literal is classified as its text is") {
  for (size_t i = 0; i < kFieldNameTexts.size(); ++i) {
    CAPTURE(kFieldNameTexts[i]);
    CHECK(field_name(kFieldNameTexts[i]) == static_cast<FieldName>(i));
  }
  CHECK(Wanted("Content-Length").known == FieldName::kContentLength);
  CHECK(Wanted("upgrade").known == FieldName::kUpgrade);
  CHECK(Wanted("X-Upgrade").known == FieldName::kOther);
  CHECK(Wanted("X-Upgrade").text == "X-Upgrade");
  CHECK(Wanted("").known == FieldName::kOther);
}

TEST_CASE("a head's start line is in the block of its fields, and outlives what happens to them") {
  Head head;
  CHECK(head.method().empty());
  head.set_method("POST");
  head.set_target("/a/long/target");
  head.set_reason("Fine");
  const auto check = [](const Head& h, std::string_view target) {
    CHECK(h.method() == "POST");
    CHECK(h.target() == target);
    CHECK(h.reason() == "Fine");
  };
  head.headers = make({{"A", "1"}, {"B", "2"}});
  check(head, "/a/long/target");
  CHECK(dump(head.headers) == "A: 1|B: 2");
  head.headers.clear();
  check(head, "/a/long/target");
  for (int i = 0; i < 300; ++i) REQUIRE(head.headers.add("X", std::string(100, 'x')));
  check(head, "/a/long/target");
  head.set_target(head.target().substr(3));
  check(head, "long/target");
  head.set_target("/" + std::string(9000, 't'));
  check(head, "/" + std::string(9000, 't'));
  head.set_target("/");
  Head copy = head;
  Head moved = std::move(head);
  check(copy, "/");
  check(moved, "/");
  // Fields that are taken from a head bring no start line along.
  Head other;
  other.headers = copy.headers;
  CHECK(other.method().empty());
  CHECK(other.headers.size() == 300);
  other = std::move(copy);
  check(other, "/");
  CHECK(other.headers.count("x") == 300);
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

TEST_CASE("a media type is what stands before its parameters") {
  for (const std::string_view value :
       {"text/Event-stream", " text/Event-stream ; charset=utf-8", "text/Event-stream;a=\";\""}) {
    CAPTURE(std::string(value));
    CHECK(sidespan::http::media_type(value) == "text/Event-stream");
  }
  CHECK(sidespan::http::media_type("").empty());
  CHECK(sidespan::http::media_type(" ;charset=utf-8").empty());
  CHECK(sidespan::http::media_type(Headers()).empty());
}

TEST_CASE("a list that is fitted says the same in less memory, and can still change") {
  Head head;
  for (const auto& [name, value] : {std::pair("Host", "a"), std::pair("X-One", "1")}) {
    REQUIRE(head.headers.add(name, value));
  }
  head.set_method("GET");
  head.set_target("/path");
  const std::string before = dump(head.headers);
  head.headers.fit();
  CHECK(head.headers.memory_bytes() < 200);
  CHECK(dump(head.headers) == before);
  CHECK(head.method() == "GET");
  CHECK(head.target() == "/path");
  CHECK(head.headers.find("host") == "a");
  REQUIRE(head.headers.add("X-Two", std::string(3000, '2')));
  head.headers.fit();
  CHECK(head.headers.find("x-two")->size() == 3000);
  CHECK(head.target() == "/path");
  Headers none;
  none.fit();
  CHECK(none.size() == 0);
}
