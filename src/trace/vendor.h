// What the formats beside W3C's share: their makers, for the registry, and how they read ids. Each
// format is a file of its own; a bad value is no context, never an error.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/base/text.h"
#include "sidespan/trace/propagator.h"
#include "trace/hex.h"

namespace sidespan::trace {

std::unique_ptr<const Propagator> make_b3();
std::unique_ptr<const Propagator> make_b3_multi();
std::unique_ptr<const Propagator> make_jaeger();
std::unique_ptr<const Propagator> make_datadog();
std::unique_ptr<const Propagator> make_xray();
std::unique_ptr<const Propagator> make_gcp();
std::unique_ptr<const Propagator> make_ottrace();
std::unique_ptr<const Propagator> make_opencensus();

// The field's first line, trimmed; nothing when there is none.
inline std::optional<std::string_view> first_value(const CarrierReader& carrier,
                                                   std::string_view name) {
  std::optional<std::string_view> value;
  carrier.visit(name, [&](std::string_view line) {
    if (!value) value = text::trim(line);
  });
  return value;
}

// 1 to 32 hex digits, padded on the left; zero is none.
inline std::optional<TraceId> parse_trace_id(std::string_view digits, bool any_case) {
  const size_t split = digits.size() > 16 ? digits.size() - 16 : 0;
  std::optional<uint64_t> high = 0;
  if (split > 0) high = text::parse_hex(digits.substr(0, split), any_case);
  const std::optional<uint64_t> low = text::parse_hex(digits.substr(split), any_case);
  if (!high || !low || (*high | *low) == 0) return std::nullopt;
  return TraceId{*high, *low};
}

// 1 to 16 hex digits, padded on the left; zero is none.
inline std::optional<SpanId> parse_span_id(std::string_view digits, bool any_case) {
  const std::optional<uint64_t> value = text::parse_hex(digits, any_case);
  if (value.value_or(0) == 0) return std::nullopt;
  return SpanId{*value};
}

inline bool is_printable(std::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~') return false;
  }
  return true;
}

// Appends them in hex, without an allocation of their own.
inline void append_hex_word(std::string& out, uint64_t value) {
  char digits[16];
  encode_hex(value, digits);
  out.append(digits, sizeof digits);
}
inline void append_id(std::string& out, const TraceId& id) {
  append_hex_word(out, id.high);
  append_hex_word(out, id.low);
}

}  // namespace sidespan::trace
