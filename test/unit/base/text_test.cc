#include "sidespan/base/text.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace sidespan::text {
namespace {

TEST_CASE("classes of characters, over all 256") {
  const std::string tokens =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (int i = 0; i < 256; ++i) {
    CAPTURE(i);
    const char c = static_cast<char>(i);
    CHECK(is_token_char(c) == (tokens.find(c) != std::string::npos));
    CHECK(is_digit(c) == (i >= '0' && i <= '9'));
    CHECK(is_alpha(c) == ((i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z')));
    CHECK(to_lower(c) == (i >= 'A' && i <= 'Z' ? static_cast<char>(i + 32) : c));
  }
  CHECK(is_token("x-Name"));
  CHECK(!is_token(""));
  CHECK(!is_token("a b"));
}

TEST_CASE("case") {
  struct Row {
    const char* name;
    std::string_view a;
    std::string_view b;
    bool equal;
  };
  const std::vector<Row> rows = {
      {"the same", "Host", "Host", true},
      {"ASCII case", "hOsT", "HoSt", true},
      {"both empty", "", "", true},
      {"a prefix", "Host", "Hos", false},
      {"32 apart and no letters", "@[", "`{", false},
      {"32 apart and no ASCII", "\xc3\x84", "\xe3\xa4", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(equal_ignoring_case(row.a, row.b) == row.equal);
    CHECK(equal_ignoring_case(row.b, row.a) == row.equal);
  }
  CHECK(lower("X-\xc3\x84Z[") == "x-\xc3\x84z[");
}

TEST_CASE("optional white space is blanks and tabs") {
  CHECK(trim(" \t a b\t ") == "a b");
  CHECK(trim("\r\na\n") == "\r\na\n");
  CHECK(trim("\v\f").size() == 2);
  CHECK(trim(" \t ").empty());
  CHECK(trim("").empty());
}

std::vector<std::string_view> parts(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::optional<std::string_view> rest = text; rest;) out.push_back(split_first(rest, ';'));
  return out;
}

TEST_CASE("splitting gives one part more than there are separators") {
  using Parts = std::vector<std::string_view>;
  CHECK(parts("") == Parts{""});
  CHECK(parts("a") == Parts{"a"});
  CHECK(parts("a;b") == Parts{"a", "b"});
  CHECK(parts(";;") == Parts{"", "", ""});
  CHECK(parts("a;") == Parts{"a", ""});
}

TEST_CASE("list members") {
  using Members = std::vector<std::string_view>;
  CHECK(list_members("a, b ,\tc") == Members{"a", "b", "c"});
  CHECK(list_members(" , ,a,, ") == Members{"a"});
  CHECK(list_members("").empty());
  CHECK(list_members("a b") == Members{"a b"});
}

TEST_CASE("decimal numbers") {
  struct Row {
    const char* name;
    std::string_view text;
    std::optional<uint64_t> value;
  };
  const std::vector<Row> rows = {
      {"zero", "0", 0},
      {"leading zeros", "007", 7},
      {"the largest", "18446744073709551615", UINT64_MAX},
      {"one more", "18446744073709551616", std::nullopt},
      {"very long", "99999999999999999999999", std::nullopt},
      {"empty", "", std::nullopt},
      {"a sign", "+1", std::nullopt},
      {"a minus", "-1", std::nullopt},
      {"blank before", " 1", std::nullopt},
      {"blank after", "1 ", std::nullopt},
      {"hex", "0x1", std::nullopt},
      {"a fraction", "1.0", std::nullopt},
      {"an end inside", std::string_view("1\0", 2), std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(parse_unsigned(row.text) == row.value);
  }
  CHECK(parse_unsigned("65535", 65535) == 65535);
  CHECK(!parse_unsigned("65536", 65535));
}

TEST_CASE("hex numbers") {
  CHECK(parse_hex("0") == 0);
  CHECK(parse_hex("00ff") == 255);
  CHECK(parse_hex("ffffffffffffffff") == UINT64_MAX);
  CHECK(!parse_hex("00000000000000001"));
  CHECK(!parse_hex(""));
  CHECK(!parse_hex("FF"));
  CHECK(parse_hex("fF", true) == 255);
  CHECK(!parse_hex("fg", true));
  CHECK(!parse_hex("0x1", true));
  std::string out = "id ";
  append_hex(out, 0x1f);
  CHECK(out == "id 000000000000001f");
  out.clear();
  append_hex(out, 0xabc, 2);
  CHECK(out == "bc");
}

// Table 3-7 of the Unicode standard: each row's bounds, and just outside of them.
TEST_CASE("UTF-8") {
  struct Row {
    const char* name;
    std::string text;
    const char* repaired;  // nullptr: it is valid
  };
  const std::vector<Row> rows = {
      {"ASCII", "a\n~", nullptr},
      {"empty", "", nullptr},
      {"two bytes, bounds", "\xc2\x80\xdf\xbf", nullptr},
      {"three bytes, bounds", "\xe0\xa0\x80\xef\xbf\xbf", nullptr},
      {"around the surrogates", "\xed\x9f\xbf\xee\x80\x80", nullptr},
      {"four bytes, bounds", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", nullptr},
      {"a lone continuation", "a\x80z", "a\uFFFDz"},
      {"overlong slash", "\xc0\xaf", "\uFFFD\uFFFD"},
      {"overlong in three", "\xe0\x9f\xbf", "\uFFFD\uFFFD\uFFFD"},
      {"overlong in four", "\xf0\x8f\xbf\xbf", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"a surrogate", "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
      {"past U+10FFFF", "\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"no such first byte", "\xf5\xff", "\uFFFD\uFFFD"},
      {"cut after the first", "a\xc3", "a\uFFFD"},
      {"cut after the third", "\xf0\x9f\x98", "\uFFFD\uFFFD\uFFFD"},
      {"a wrong one in the middle", "\xe2\x28\xa1", "\uFFFD(\uFFFD"},
      {"valid after broken", "\xff\xc3\xa4", "\uFFFD\xc3\xa4"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(is_valid_utf8(row.text) == (row.repaired == nullptr));
    CHECK(to_valid_utf8(row.text) == (row.repaired == nullptr ? row.text : row.repaired));
  }
}

TEST_CASE("percent-encoding") {
  CHECK(percent_decode("a%20b%2Fc%2f") == "a b/c/");
  CHECK(percent_decode("%00").size() == 1);
  CHECK(percent_decode("%C3%A4") == "\xc3\xa4");
  CHECK(percent_decode("100%") == "100%");
  CHECK(percent_decode("%4") == "%4");
  CHECK(percent_decode("%zz%41") == "%zzA");
  CHECK(percent_decode("%%41") == "%A");
  CHECK(percent_decode("%2541") == "%41");
  CHECK(percent_decode("a+b") == "a+b");
}

TEST_CASE("wildcards") {
  struct Row {
    std::string_view pattern;
    std::string_view text;
    bool matches;
  };
  const std::vector<Row> rows = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "anything", true},
      {"abc", "ABC", true},
      {"abc", "ab", false},
      {"abc", "", false},
      {"abc", "xbc", false},
      {"*.example.com", "api.example.com", true},
      {"*.example.com", "a.b.example.com", true},
      {"*.example.com", "example.com", false},
      {"*.example.com", "api.example.com.evil.org", false},
      {"api-*", "api-", true},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "aXbYbZ", false},
      {"*a*", "bcd", false},
      {"**a**", "a", true},
      {"ab*b", "ab", false},
      {"a*bC", "xbc", false},
      {"a*bC", "axBc", true},
      {"a?c", "abc", false},
      {"a.c", "abc", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.text);
    CHECK(matches_wildcard(row.pattern, row.text) == row.matches);
  }
  // A pattern that a recursive matcher would take for ever on.
  const std::string many(2000, 'a');
  CHECK(!matches_wildcard("*a*a*a*a*a*a*a*a*a*a*b*", many));
}

TEST_CASE("base64, there and back, with its padding or without") {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd", "//79"}};
  for (const auto& [plain, encoded] : rows) {
    CAPTURE(encoded);
    CHECK(base64(plain) == encoded);
    CHECK(from_base64(encoded) == plain);
    CHECK(from_base64(encoded.substr(0, encoded.find('='))) == plain);
  }
  for (const char* wrong : {"Z", "Zg=", "Zm9v=", "Z===", "Zm9*", "Zm 9v", "=", "Zg==Zg=="}) {
    CAPTURE(wrong);
    CHECK(!from_base64(wrong));
  }
}

}  // namespace
}  // namespace sidespan::text
