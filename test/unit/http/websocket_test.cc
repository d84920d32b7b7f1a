#include "sidespan/http/websocket.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sidespan/base/random.h"

using sidespan::Random;
using sidespan::http::WebSocketReader;

namespace {

constexpr uint8_t kMore = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;
constexpr uint8_t kFinal = 0x80, kCompressed = 0x40;
constexpr char kMask[] = "\x11\x22\x33\x44";

// The header's first two bytes and a length as it is written, whatever is right.
std::string raw(uint8_t first, uint8_t length, const std::string& rest = {}) {
  return std::string{static_cast<char>(first), static_cast<char>(length)} + rest;
}

std::string wide(uint64_t value, size_t bytes) {
  std::string text;
  for (size_t i = bytes; i-- > 0;) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

std::string frame(uint8_t first, const std::string& payload, bool masked = false) {
  const size_t size = payload.size();
  const uint8_t mask_bit = masked ? 0x80 : 0;
  std::string out = size < 126     ? raw(first, static_cast<uint8_t>(size | mask_bit))
                    : size < 65536 ? raw(first, 126 | mask_bit, wide(size, 2))
                                   : raw(first, 127 | mask_bit, wide(size, 8));
  if (masked) out.append(kMask, 4);
  for (size_t i = 0; i < size; ++i) {
    out.push_back(masked ? static_cast<char>(payload[i] ^ kMask[i % 4]) : payload[i]);
  }
  return out;
}

std::string text(const std::string& payload, bool masked = false) {
  return frame(kFinal | kText, payload, masked);
}

std::string close(uint16_t code, const std::string& reason = {}, bool masked = false) {
  return frame(kFinal | kClose, wide(code, 2) + reason, masked);
}

struct Row {
  const char* test;
  std::string stream;
  uint64_t messages;
  int close_code = 0;  // 0: none
  bool closed = false;
  bool lost = false;
};

const std::vector<Row> kRows = {
    {"nothing", "", 0},
    {"a message", text("hello"), 1},
    {"one without a payload", text(""), 1},
    {"two", text("a") + frame(kFinal | kBinary, "b"), 2},
    {"masked", text("hello", true) + text("", true) + text("x", true), 3},
    {"compressed", frame(kFinal | kCompressed | kText, "zzz"), 1},
    {"16 bits of length", text(std::string(126, 'x')) + text(std::string(65535, 'x'), true), 2},
    {"64 bits of length", text(std::string(65536, 'x')) + text("a"), 2},
    {"half a header", text("a") + raw(kFinal | kText, 126, "\x01"), 1},
    {"half a payload", text("a") + raw(kFinal | kText, 5, "hell"), 1},
    {"a payload that never comes", text("a") + raw(kFinal | kText, 127, wide(~uint64_t{0} >> 1, 8)),
     1},
    {"fragments",
     frame(kText, "a") + frame(kMore, "b") + frame(kMore, "") + frame(kFinal | kMore, "c"), 1},
    {"fragments without an end", frame(kText, "a") + frame(kMore, "b"), 0},
    {"control frames", frame(kFinal | kPing, "are you there") + frame(kFinal | kPong, ""), 0},
    {"a ping among fragments",
     frame(kBinary, "a") + frame(kFinal | kPing, "") + frame(kFinal | kMore, "b"), 1},
    {"closed", text("a") + close(1000), 1, 1000, true},
    {"closed, masked, with a reason", close(4002, "enough", true), 0, 4002, true},
    {"closed without a code", text("a") + frame(kFinal | kClose, ""), 1, 0, true},
    {"closed with half a code", frame(kFinal | kClose, "\x03"), 0, 0, true},
    {"nothing counts after it", close(1001) + text("a") + close(1002), 0, 1001, true},
    {"closed among fragments", frame(kText, "a") + close(1001, "", true), 0, 1001, true},
    {"half a close frame", text("a") + raw(kFinal | kClose, 2, "\x03"), 1},
    {"reserved opcode", text("a") + frame(kFinal | 3, "") + text("b"), 1, 0, false, true},
    {"reserved control opcode", text("a") + frame(kFinal | 11, "") + text("b"), 1, 0, false, true},
    {"a fragment of nothing", frame(kFinal | kMore, "") + text("a"), 0, 0, false, true},
    {"a message within a message", frame(kText, "a") + text("b"), 0, 0, false, true},
    {"a fragmented ping", frame(kPing, "") + text("a"), 0, 0, false, true},
    {"a long ping", frame(kFinal | kPing, std::string(126, 'x')) + text("a"), 0, 0, false, true},
    {"a long way to write a length", raw(kFinal | kText, 126, wide(125, 2)) + text("a"), 0, 0,
     false, true},
    {"a longer way", raw(kFinal | kText, 127, wide(65535, 8)) + text("a"), 0, 0, false, true},
    {"the top bit of a length", raw(kFinal | kText, 127, wide(uint64_t{1} << 63, 8)), 0, 0, false,
     true},
    {"HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, 0, false, true},
};

WebSocketReader count_in_pieces(const std::string& stream, Random* cuts, size_t piece) {
  WebSocketReader counter;
  for (size_t i = 0; i < stream.size();) {
    const size_t n = std::min(cuts ? 1 + cuts->below(9) : piece, stream.size() - i);
    counter.feed(std::string_view(stream).substr(i, n));
    i += n;
  }
  return counter;
}

void check(const WebSocketReader& counter, const Row& row) {
  CHECK(counter.messages() == row.messages);
  CHECK(counter.close_code().value_or(0) == row.close_code);
  CHECK(counter.closed() == row.closed);
  CHECK(counter.lost() == row.lost);
}

}  // namespace

TEST_CASE("messages are counted whole, byte by byte and at random cuts") {
  Random random(7);
  for (const Row& row : kRows) {
    CAPTURE(row.test);
    check(count_in_pieces(row.stream, nullptr, row.stream.size()), row);
    check(count_in_pieces(row.stream, nullptr, 1), row);
    for (int i = 0; i < 20; ++i) check(count_in_pieces(row.stream, &random, 0), row);
  }
}

TEST_CASE("a row before changes nothing of what follows") {
  Random random(11);
  std::string all;
  uint64_t messages = 0;
  for (const Row& row : kRows) {
    const WebSocketReader alone = count_in_pieces(row.stream + text("x"), nullptr, 1);
    const bool whole = !row.closed && !row.lost && alone.messages() == row.messages + 1;
    if (!whole || row.stream.ends_with("hell")) continue;
    all += row.stream;
    messages += row.messages;
  }
  CHECK(messages > 10);
  for (int i = 0; i < 20; ++i) CHECK(count_in_pieces(all, &random, 0).messages() == messages);
}

TEST_CASE("a counter keeps little, whatever passes") {
  CHECK(sizeof(WebSocketReader) <= 64);
}
