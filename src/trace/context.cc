#include "sidespan/trace/context.h"

#include "trace/hex.h"

namespace sidespan::trace {
namespace {

constexpr size_t kWordDigits = 16;

uint64_t make_word(Random& random) {
  uint64_t word = random.next();
  while (word == 0) word = random.next();
  return word;
}

}  // namespace

TraceId TraceId::make(Random& random) {
  const uint64_t high = random.next();
  return {high, make_word(random)};
}

std::string TraceId::to_string() const {
  std::string text(2 * kWordDigits, '0');
  encode_hex(high, text.data());
  encode_hex(low, text.data() + kWordDigits);
  return text;
}

std::optional<TraceId> TraceId::parse(std::string_view text) {
  TraceId id;
  if (text.size() != 2 * kWordDigits || !decode_hex(text, 0, kWordDigits, id.high) ||
      !decode_hex(text, kWordDigits, kWordDigits, id.low) || !id) {
    return std::nullopt;
  }
  return id;
}

SpanId SpanId::make(Random& random) {
  return {make_word(random)};
}

std::string SpanId::to_string() const {
  std::string text(kWordDigits, '0');
  encode_hex(value, text.data());
  return text;
}

std::optional<SpanId> SpanId::parse(std::string_view text) {
  SpanId id;
  if (text.size() != kWordDigits || !decode_hex(text, 0, kWordDigits, id.value) || !id) {
    return std::nullopt;
  }
  return id;
}

}  // namespace sidespan::trace
