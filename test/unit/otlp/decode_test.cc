#include "sidespan/otlp/decode.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidespan::otlp {
namespace {

using namespace std::string_literals;

struct Row {
  std::string name;
  std::string bytes;
  bool valid;
  int64_t rejected;
  std::string message;
};

const Row kRows[] = {
    {"empty: full success", "", true, 0, ""},
    {"partial success, empty", "\x0a\x00"s, true, 0, ""},
    {"three rejected", "\x0a\x02\x08\x03"s, true, 3, ""},
    {"three rejected, with a reason", "\x0a\x07\x08\x03\x12\x03old"s, true, 3, "old"},
    {"a warning", "\x0a\x05\x12\x03old"s, true, 0, "old"},
    {"unknown field before", "\x7a\x02zz\x0a\x02\x08\x03"s, true, 3, ""},
    {"unknown fields of every type inside",
     "\x0a\x15\x18\x01\x21"
     "12345678\x2a\x01x\x35"
     "1234\x08\x05"s,
     true, 5, ""},
    {"two partial successes are one", "\x0a\x02\x08\x03\x0a\x03\x12\x01x"s, true, 3, "x"},
    {"negative count", "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, true, 0, ""},
    {"message that is not UTF-8", "\x0a\x03\x12\x01\xff"s, true, 0, "\xef\xbf\xbd"},
    {"count as a text", "\x0a\x03\x0a\x01x"s, true, 0, ""},
    {"message as a number", "\x0a\x02\x10\x07"s, true, 0, ""},
    {"JSON", "{\"partialSuccess\":{}}", false, 0, ""},
    {"HTML", "<html></html>", false, 0, ""},
    {"cut short in the length", "\x0a"s, false, 0, ""},
    {"cut short in the message", "\x0a\x05\x08\x03"s, false, 0, ""},
    {"cut short in a number", "\x0a\x02\x08\xff"s, false, 0, ""},
    {"length of 2^64-1", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, false, 0, ""},
    {"length of 4 GiB - 1", "\x0a\xff\xff\xff\xff\x0f"s, false, 0, ""},
    {"varint of eleven bytes", std::string(11, '\xff'), false, 0, ""},
    {"tag 0", "\x00\x00"s, false, 0, ""},
    {"group", "\x0b\x0c"s, false, 0, ""},
};

}  // namespace

TEST_CASE("decode: replies good and bad") {
  for (const Row& row : kRows) {
    CAPTURE(row.name);
    const auto response = decode_response(row.bytes);
    REQUIRE(response.has_value() == row.valid);
    if (!response) continue;
    CHECK(response->rejected_spans == row.rejected);
    CHECK(response->message == row.message);
  }
}

TEST_CASE("decode: a reply cut anywhere, or with any byte changed, ends in an answer") {
  const std::string whole =
      "\x0a\x0b\x08\x83\x01\x12\x06"
      "reason\x7a\x02zz"s;
  for (size_t size = 0; size <= whole.size(); ++size) decode_response(whole.substr(0, size));
  for (size_t i = 0; i < whole.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = whole;
      changed[i] = static_cast<char>(byte);
      const auto response = decode_response(changed);
      if (response) CHECK(response->rejected_spans >= 0);
    }
  }
}

TEST_CASE("decode: a long message is cut") {
  std::string bytes = "\x0a\x84\x10\x12\x81\x10"s + std::string(2049, 'm');
  const auto response = decode_response(bytes);
  REQUIRE(response);
  CHECK(response->message == std::string(1024, 'm'));
}

TEST_CASE("a status that says when to come again") {
  struct Case {
    const char* name;
    std::string bytes;
    std::optional<int64_t> milliseconds;
  };
  const auto field = [](char number, const std::string& content) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(content.size())} +
           content;
  };
  const auto detail = [&](const std::string& type, const std::string& duration) {
    return field(3, field(1, type) + field(2, field(1, duration)));
  };
  const std::string url = "type.googleapis.com/google.rpc.RetryInfo";
  const std::vector<Case> cases = {
      {"nothing", "", std::nullopt},
      {"a code and a message", "\x08\x0e\x12\x02no", std::nullopt},
      {"three seconds", detail(url, "\x08\x03"s), 3000},
      {"a nanosecond is a millisecond", detail(url, "\x10\x01"s), 1},
      {"no delay", field(3, field(1, url)), 0},
      {"another detail", detail("type.googleapis.com/google.rpc.DebugInfo", "\x08\x03"s),
       std::nullopt},
      {"behind another", detail("x", "\x08\x01"s) + detail(url, "\x08\x02"s), 2000},
      {"less than nothing", detail(url, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s), 0},
      {"for ever", detail(url, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"s), 31'622'400'000},
      {"cut", detail(url, "\x08\x03"s).substr(0, 20), std::nullopt},
  };
  for (const Case& row : cases) {
    CAPTURE(row.name);
    const std::optional<Milliseconds> delay = decode_retry_delay(row.bytes);
    CHECK(delay.has_value() == row.milliseconds.has_value());
    if (delay && row.milliseconds) CHECK(delay->count() == *row.milliseconds);
  }
}

}  // namespace sidespan::otlp
