#include "http/shown.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "sidespan/base/text.h"
#include "support/llhttp_reading.h"

using namespace sidespan;
using namespace sidespan::http;
using namespace std::string_literals;
using script::read_twice;

namespace {

// What llhttp is shown of a head, its pieces between bars; "refused" where a line is not where it
// should be.
std::string pieces(const std::string& head, LineTable lines) {
  std::string out = "|";
  const auto read = [&](std::string_view piece) {
    out.append(piece).append("|");
    return true;
  };
  const auto pass = [&](size_t n) {
    out += std::to_string(n) + "|";
    return true;
  };
  return show_head(head, lines, read, read, pass) ? out : "refused";
}

std::string pieces(const std::string& head) {
  const CodecLimits limits;
  Headers lines;
  HeadGuard guard(HeadGuard::Section::kRequest, Side::kAgent, limits, lines);
  REQUIRE(guard.feed(head).used == head.size());
  return pieces(head, lines.table());
}

// One line of that name and value, wherever.
Headers one_line(Range name, Range value) {
  Headers headers;
  headers.new_line() = {.name = name, .value = value};
  return headers;
}

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::string head(bool request) {
    std::string out =
        request ? one_of({"GET / HTTP/1.1", "POST http://o/a?b HTTP/1.1", "CONNECT o:1 HTTP/1.1",
                          "HEAD * HTTP/1.0", "PRI * HTTP/1.1", "FLUSH rtsp://o/ HTTP/1.1",
                          "NOPE / HTTP/1.1", "GET o HTTP/1.1"})
                : one_of({"HTTP/1.1 200 OK", "HTTP/1.1 204", "HTTP/1.0 304 \xe9", "HTTP/1.1 101 ",
                          "HTTP/1.1 999 a\tb"});
    out += "\r\n";
    for (size_t n = random_() % 6; n > 0; --n) {
      out +=
          name() + ":" + one_of({"", " ", "  ", "\t"}) + value() + one_of({"", "", " "}) + "\r\n";
    }
    return (random_() % 16 == 0 ? "\r\n" : "") + out + "\r\n";
  }

 private:
  std::string one_of(const std::vector<std::string>& choices) {
    return choices[random_() % choices.size()];
  }
  std::string name() {
    std::string out =
        one_of({"connection", "content-length", "proxy-connection", "transfer-encoding", "upgrade",
                "content-type", "content-lengths", "cookie", "trailer", "tran", "host", "upgr", "c",
                "x", "user-agent", "accept", "connections", "pragma", "te"});
    for (char& c : out) {
      if (random_() % 4 == 0) c = static_cast<char>(c & ~0x20);
    }
    // Into what is no such name, or one that is written differently.
    if (random_() % 8 == 0) out[random_() % out.size()] = one_of({"-", "x", "_", "1", "L"})[0];
    if (random_() % 8 == 0) out.resize(1 + random_() % out.size());
    for (char& c : out) {
      if (static_cast<unsigned char>(c) < '!') c = '-';
    }
    return out;
  }
  std::string value() {
    return one_of({"", "5", "0", "18446744073709551616", "close", "keep-alive", "upgrade",
                   "close, upgrade", "chunked", "gzip, chunked", "chunked, gzip", "chunked,",
                   "websocket", "text/plain; charset=utf-8", "a,b", "5 5", "\xe9", "a\tb"});
  }

  std::mt19937 random_;
};

}  // namespace

TEST_CASE("shown: the start line, the lines that llhttp may give a meaning to, and the end") {
  CHECK(pieces("GET / HTTP/1.1\r\nHost: o\r\nAccept: a\r\nCONTENT-Length: 5\r\n"
               "Content-Type: t\r\nConnection:\r\nUpgrade: h\r\nX: y\r\n\r\n") ==
        "|GET / HTTP/1.1\r\n|2|CONTENT-Length: 5\r\n|1|Connection:\r\nUpgrade: h\r\n|1|\r\n|");
  CHECK(pieces("GET / HTTP/1.1\r\nupgrade: h\r\nA:\r\n\r\n") ==
        "|GET / HTTP/1.1\r\n|upgrade: h\r\n|1|\r\n|");
  CHECK(pieces("GET / HTTP/1.1\r\nX: y\r\ncont:\r\n\r\n") ==
        "|GET / HTTP/1.1\r\n|1|cont:\r\n\r\n|");
  CHECK(pieces("GET / HTTP/1.1\r\n\r\n") == "|GET / HTTP/1.1\r\n|\r\n|");
}

TEST_CASE("shown: all of a head that has a control beside its line ends") {
  for (const std::string head :
       {"GET / HTTP/1.1\r\nA: b\tc\r\n\r\n", "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA:\tb\r\n\r\n"}) {
    CHECK(pieces(head) == "|" + head + "|");
  }
  // As it would be if the guard let them through.
  for (const std::string& head :
       {"GET / HTTP/1.1\r\nA: b\nX: y\r\n\r\n"s, "GET / HTTP/1.1\r\nA: b\r\rc\r\n\r\n"s,
        "GET / HTTP/1.1\r\nA: b\0\r\n\r\n"s}) {
    CHECK(pieces(head, one_line({16, 1}, {19, 1}).table()) == "|" + head + "|");
  }
}

TEST_CASE("shown: a line that is not where the guard says") {
  const std::string head = "GET / HTTP/1.1\r\nAbc: d\r\n\r\n";
  CHECK(pieces(head, one_line({16, 3}, {21, 1}).table()) == "|GET / HTTP/1.1\r\n|1|\r\n|");
  CHECK(pieces(head, one_line({17, 3}, {21, 1}).table()) == "refused");
  CHECK(pieces(head, one_line({16, 2}, {21, 1}).table()) == "refused");
  const std::string two = "GET / HTTP/1.1\r\nAbc: d\r\nX: y\r\n\r\n";
  Headers same = one_line({16, 3}, {21, 1});
  same.new_line() = {.name = {16, 3}, .value = {21, 1}};
  CHECK(pieces(two, same.table()) == "refused");
}

TEST_CASE("shown: every name that llhttp knows, in any case") {
  for (const std::string name :
       {"connection", "content-length", "proxy-connection", "transfer-encoding", "upgrade"}) {
    for (size_t i = 0; i < name.size(); ++i) {
      std::string written = name;
      written[i] = static_cast<char>(written[i] & ~(text::is_lower(written[i]) ? 0x20 : 0));
      CHECK(may_mean_something(written + ": x\r\n\r\n"));
    }
  }
  for (const std::string name : {"host", "content-type", "content-encoding", "user-agent", "te",
                                 "cookie", "traceparent", "c", "cache-control", "pragma"}) {
    CHECK(!may_mean_something(name + ":\r\n\r\n"));
  }
}

TEST_CASE("shown: llhttp says the same of it as of all of the head") {
  Generator generator(1);
  size_t passed = 0;
  size_t resumed = 0;
  for (int i = 0; i < 60'000; ++i) {
    const bool request = i % 2 == 0;
    const std::string head = generator.head(request);
    CAPTURE(head);
    const auto read = read_twice(head, request, {});
    if (!read) continue;
    passed += read->passed;
    resumed += read->resumed ? 1 : 0;
    REQUIRE(read->shown == read->all);
  }
  CHECK(passed > 10'000);
  CHECK(resumed > 10'000);
}
