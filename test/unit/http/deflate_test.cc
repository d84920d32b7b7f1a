#include "sidespan/http/deflate.h"
#include "sidespan/http/inflate.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sidespan/base/random.h"

namespace sidespan::http {
namespace {

std::string noise(size_t size) {
  Random random(size);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random.below(256));
  return out;
}

// The empty file and "hello\n" as gzip(1) writes them (-n: no name, no time).
constexpr std::string_view kEmpty(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x00",
    20);
constexpr std::string_view kHello(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7"
    "\x02\x00\x20\x30\x3a\x36\x06\x00\x00\x00",
    26);

}  // namespace

TEST_CASE("deflate: there and back") {
  struct Row {
    std::string name;
    std::string plain;
  };
  const std::vector<Row> rows = {
      {"empty", ""},
      {"one byte", "x"},
      {"text", "GET / HTTP/1.1"},
      {"longer than the guess", noise(300)},
      {"nothing to gain", noise(100'000)},
      {"all to gain", std::string(3'000'000, 'a')},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const std::string packed = gzip(row.plain);
    CHECK(packed.substr(0, 3) == "\x1f\x8b\x08");
    CHECK(gunzip(packed, row.plain.size()) == row.plain);
  }
}

TEST_CASE("deflate: parts make one text, wherever they part") {
  std::string plain = noise(3'000);
  for (int i = 0; i < 10'000; ++i) plain += "line " + std::to_string(i % 100);
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    std::vector<std::string_view> parts;
    for (std::string_view rest = plain; !rest.empty();) {
      parts.push_back(rest.substr(0, random.below(round < 100 ? 300 : 100'000)));
      rest.remove_prefix(parts.back().size());
    }
    if (round % 2 == 0) parts.push_back({});
    CHECK(gunzip(gzip(parts), plain.size()) == plain);
  }
}

TEST_CASE("deflate: the limit holds for the plain text, to the byte") {
  for (const size_t size : {1, 100, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 65'536, 1'000'000}) {
    CAPTURE(size);
    const std::string packed = gzip(std::string(size, 'a'));
    CHECK(gunzip(packed, size).has_value());
    CHECK(gunzip(packed, size + 1).has_value());
    CHECK_FALSE(gunzip(packed, size - 1).has_value());
  }
}

TEST_CASE("deflate: what others packed") {
  CHECK(gunzip(kEmpty, 0) == "");
  CHECK(gunzip(kHello, 100) == "hello\n");
  const std::string two = std::string(kHello) + std::string(kHello);
  CHECK(gunzip(two, 100) == "hello\nhello\n");
  CHECK_FALSE(gunzip(two, 11).has_value());
}

TEST_CASE("deflate: what is not gzip, or not all of it") {
  const std::string packed = gzip("some text that is packed");
  for (size_t size = 0; size < packed.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(gunzip(packed.substr(0, size), 1000).has_value());
  }
  CHECK_FALSE(gunzip(packed + "rest", 1000).has_value());
  CHECK_FALSE(gunzip("plain", 1000).has_value());
  CHECK_FALSE(gunzip(std::string_view("\x78\x9c\x03\x00\x00\x00\x00\x01", 8), 1000).has_value());
  for (size_t i = 0; i < packed.size(); ++i) {
    std::string changed = packed;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    const auto plain = gunzip(changed, 1000);
    if (plain) CHECK(plain->size() <= 1000);
  }
}

}  // namespace sidespan::http
