#include "http/head_guard.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "http/chunk_guard.h"
#include "sidespan/base/text.h"
#include "support/http_script.h"

using namespace sidespan;
using namespace sidespan::http;
using namespace std::string_literals;
using script::at_all_cuts;
using script::Cuts;

namespace {

using Section = HeadGuard::Section;

const CodecLimits kLimits;

// "complete 12", "more 12" or the error's code and the byte it is about.
template <class Guard>
std::string verdict(Guard guard, const std::string& bytes, Cuts cuts) {
  size_t used = 0;
  std::string end;
  cuts.cut(bytes, [&](std::string_view piece) {
    if (!end.empty()) return;
    const Guarded guarded = guard.feed(piece);
    used += guarded.used;
    if (guarded.complete) end = "complete ";
    if (guarded.faulty) end = std::string(name_of(guard.error().code)) + " ";
    if (end.empty()) CHECK(guarded.used == piece.size());
  });
  return (end.empty() ? "more " : end) + std::to_string(used);
}

struct Row {
  std::string test;
  std::string bytes;
  std::string verdict;
};

void check(Section section, const std::vector<Row>& rows, const CodecLimits& limits = kLimits) {
  for (const Row& row : rows) {
    CAPTURE(row.test);
    at_all_cuts([&](Cuts cuts) {
      Headers lines;
      const HeadGuard guard(section, Side::kAgent, limits, lines);
      CHECK(verdict(guard, row.bytes, cuts) == row.verdict);
    });
  }
}

}  // namespace

TEST_CASE("head guard: where a section ends, or the byte that is wrong") {
  check(Section::kRequest,
        {
            {"a request", "GET / HTTP/1.1\r\nA: b\r\n\r\n", "complete 24"},
            {"no fields", "GET / HTTP/1.1\r\n\r\n", "complete 18"},
            {"the body is not read", "GET / HTTP/1.1\r\n\r\nGET", "complete 18"},
            {"empty lines first", "\r\n\r\nGET / HTTP/1.0\r\n\r\n", "complete 22"},
            {"a third empty line", "\r\n\r\n\r\n", "malformed 4"},
            {"not whole", "GET / HTTP/1.1\r\nA: b\r\n", "more 22"},
            {"nothing", "", "more 0"},
            {"space first", " GET", "malformed 0"},
            {"two spaces", "GET  /", "malformed 4"},
            {"no version", "GET /\r\n", "malformed 5"},
            {"version 2", "GET / HTTP/2.0\r\n", "malformed 11"},
            {"version 1.2", "GET / HTTP/1.2\r\n", "malformed 13"},
            {"LF", "GET / HTTP/1.1\nA", "malformed 14"},
            {"bare CR", "GET / HTTP/1.1\rA", "malformed 15"},
            {"fold", "GET / HTTP/1.1\r\nA: b\r\n c", "malformed 22"},
            {"empty name", "GET / HTTP/1.1\r\n: b", "malformed 16"},
            {"space before the colon", "GET / HTTP/1.1\r\nA : b", "malformed 17"},
            {"NUL in a value", "GET / HTTP/1.1\r\nA: \0"s, "malformed 19"},
            {"CR and another byte at the end", "GET / HTTP/1.1\r\n\rX", "malformed 17"},
        });
  check(Section::kResponse,
        {
            {"an answer", "HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "complete 25"},
            {"no reason", "HTTP/1.0 200\r\n\r\n", "complete 16"},
            {"empty reason", "HTTP/1.0 200 \r\n\r\n", "complete 17"},
            {"empty line first", "\r\nHTTP/1.1", "malformed 0"},
            {"status 099", "HTTP/1.1 099", "malformed 9"},
            {"four digits", "HTTP/1.1 2000", "malformed 12"},
            {"two digits", "HTTP/1.1 20 ", "malformed 11"},
            {"control character in the reason", "HTTP/1.1 200 \x01", "malformed 13"},
        });
  check(Section::kTrailers, {
                                {"none", "\r\nGET", "complete 2"},
                                {"two", "A: b\r\nC:\r\n\r\n", "complete 12"},
                                {"space first", " A: b\r\n", "malformed 0"},
                                {"LF", "\n", "malformed 0"},
                            });
}

TEST_CASE("head guard: limits are told at the byte that passes them") {
  CodecLimits limits;
  limits.head_bytes_max = 30;
  limits.target_bytes_max = 5;
  limits.fields_max = 2;
  check(Section::kRequest,
        {
            {"as much as may be", "GET /1234 HTTP/1.1\r\nA: 345\r\n\r\n", "complete 30"},
            {"one byte more", "GET /1234 HTTP/1.1\r\nA: 3456\r\n\r\n", "head_too_large 30"},
            {"many more in one value", "GET / HTTP/1.1\r\nA: " + std::string(99, 'a') + "\n",
             "head_too_large 30"},
            {"no end of empty lines", "\r\n\r\n", "more 4"},
            {"a long target", "GET /12345 HTTP/1.1", "target_too_long 9"},
            {"a longer and bad one", "GET /123456\n", "target_too_long 9"},
            {"a bad one", "GET /123\n", "malformed 8"},
            {"three fields", "GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\n", "head_too_large 24"},
        },
        limits);
}

TEST_CASE("head guard: every byte at every place of a value") {
  const std::string before = "GET / HTTP/1.1\r\nA: ";
  for (int byte = 0; byte < 256; ++byte) {
    const bool allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    for (size_t at = 0; at < 20; ++at) {
      std::string value(20, 'v');
      value[at] = static_cast<char>(byte);
      const std::string bytes = before + value + "\r\n\r\n";
      const size_t wrong = before.size() + at + (byte == '\r' ? 1 : 0);
      const std::string expected = allowed ? "complete " + std::to_string(bytes.size())
                                           : "malformed " + std::to_string(wrong);
      Headers lines;
      const HeadGuard guard(Section::kRequest, Side::kAgent, kLimits, lines);
      CHECK(verdict(guard, bytes, Cuts::whole()) == expected);
      CHECK(verdict(guard, bytes, Cuts::random(static_cast<unsigned>(byte))) == expected);
    }
  }
}

TEST_CASE("head guard: every byte at every place of a name, a target and a reason") {
  const auto expect = [](Section section, const std::string& before, size_t size, char end,
                         const std::string& after, auto allowed) {
    for (int byte = 0; byte < 256; ++byte) {
      for (size_t at = 0; at < size; ++at) {
        const char c = static_cast<char>(byte);
        if (c == end || c == '\r') continue;
        std::string text(size, 'v');
        text[at] = c;
        const std::string bytes = before + text + end + after;
        const std::string expected = allowed(c) ? "complete " + std::to_string(bytes.size())
                                                : "malformed " + std::to_string(before.size() + at);
        CAPTURE(byte);
        CAPTURE(at);
        Headers lines;
        const HeadGuard guard(section, Side::kAgent, kLimits, lines);
        CHECK(verdict(guard, bytes, Cuts::whole()) == expected);
        CHECK(verdict(guard, bytes, Cuts::random(static_cast<unsigned>(byte))) == expected);
      }
    }
  };
  const auto in_token = [](char c) { return text::is_token_char(c); };
  const auto in_target = [](char c) { return c > 0x20 && c < 0x7f && c != '#'; };
  const auto in_reason = [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  };
  expect(Section::kRequest, "GET / HTTP/1.1\r\n", 20, ':', "v\r\n\r\n", in_token);
  expect(Section::kRequest, "GET ", 20, ' ', "HTTP/1.1\r\n\r\n", in_target);
  expect(Section::kResponse, "HTTP/1.1 200 ", 20, '\r', "\n\r\n", in_reason);
}

TEST_CASE("head guard: where everything is, at any cuts") {
  struct Row {
    Section section;
    std::string bytes;
    std::string found;  // start line's texts, and each line's
  };
  const std::vector<Row> rows = {
      {Section::kRequest, "\r\nPOST /a?b HTTP/1.0\r\nHost: o\r\n\r\n", "POST|/a?b||0 0|Host=o"},
      {Section::kRequest, "GET * HTTP/1.1\r\n\r\n", "GET|*||0 1"},
      {Section::kResponse, "HTTP/1.1 404 Not Found\r\nA:b\r\n\r\n", "||Not Found|404 1|A=b"},
      {Section::kResponse, "HTTP/1.0 200\r\n\r\n", "|||200 0"},
      {Section::kResponse, "HTTP/1.1 599 \r\n\r\n", "|||599 1"},
      {Section::kTrailers, "A:\r\nB: \t \r\nC: \t c \t d\t \r\nD:d\r\n\r\n",
       "|||0 0|A=|B=|C=c \t d|D=d"},
  };
  for (const Row& row : rows) {
    at_all_cuts([&](Cuts cuts) {
      Headers lines;
      HeadGuard guard(row.section, Side::kAgent, kLimits, lines);
      cuts.cut(row.bytes, [&](std::string_view piece) {
        REQUIRE_FALSE(guard.feed(piece).faulty);
        lines.append_block(piece);
      });
      lines.classify();
      const auto part = [&](Range range) { return row.bytes.substr(range.begin, range.size); };
      const StartLine& start = guard.start_line();
      std::string found = part(start.method) + "|" + part(start.target) + "|" + part(start.reason) +
                          "|" + std::to_string(start.status) + " " +
                          std::to_string(start.minor_version);
      for (size_t i = 0; i < lines.size(); ++i) {
        found.append("|").append(lines.at(i).name).append("=").append(lines.at(i).value);
      }
      CHECK(found == row.found);
    });
  }
}

TEST_CASE("head guard: started") {
  Headers lines;
  HeadGuard guard(Section::kRequest, Side::kAgent, kLimits, lines);
  CHECK_FALSE(guard.started());
  guard.feed("\r\n\r");
  CHECK_FALSE(guard.started());
  guard.feed("\nG");
  CHECK(guard.started());
  HeadGuard answer(Section::kResponse, Side::kOrigin, kLimits, lines);
  CHECK_FALSE(answer.started());
  answer.feed("H");
  CHECK(answer.started());
}

TEST_CASE("chunk guard: where the chunks end, or the byte that is wrong") {
  const std::vector<Row> rows = {
      {"none", "0\r\n\r\n", "complete 3"},
      {"two", "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n", "complete 26"},
      {"extensions", "3;a=b;c=\"d;\\\"\r e\";f\r\nabc", "malformed 13"},
      {"quoted pair", "3;a=\"\\\"\"\r\nabc\r\n0;b\r\n", "complete 20"},
      {"not whole", "3\r\nab", "more 5"},
      {"largest size", "ffffffffffffffff\r\nabc", "more 21"},
      {"seventeen digits", "00000000000000000", "malformed 16"},
      {"no size", "\r\n", "malformed 0"},
      {"no hex", "3g", "malformed 1"},
      {"LF", "3\n", "malformed 1"},
      {"bare CR", "3\r3", "malformed 2"},
      {"junk after the data", "1\r\nabc", "malformed 4"},
      {"LF after the data", "1\r\na\n", "malformed 4"},
      {"bare CR after the data", "1\r\na\rb", "malformed 5"},
      {"extension limit", "1;" + std::string(1025, 'a'), "malformed 1026"},
      {"it is a line's limit",
       "1;" + std::string(1023, 'a') + "\r\na\r\n1;" + std::string(1023, 'a') + "\r\na\r\n0\r\n",
       "complete 2063"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.test);
    at_all_cuts([&](Cuts cuts) {
      CHECK(verdict(ChunkGuard(Side::kAgent), row.bytes, cuts) == row.verdict);
    });
  }
}
