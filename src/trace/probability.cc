#include "sidespan/trace/probability.h"

#include <cmath>

#include "sidespan/base/text.h"
#include "trace/split.h"

namespace sidespan::trace {
namespace {

constexpr std::string_view kOpenTelemetryKey = "ot";
constexpr size_t kDigits = 14;
constexpr unsigned kPrecisionDigits = 4;

std::optional<uint64_t> parse_threshold(std::string_view digits) {
  if (digits.size() > kDigits) return std::nullopt;
  const std::optional<uint64_t> value = text::parse_hex(digits);
  if (!value) return std::nullopt;
  return *value << (4 * (kDigits - digits.size()));
}

}  // namespace

ProbabilityState read_probability(const TraceState& tracestate) {
  ProbabilityState state;
  if (tracestate.empty()) return state;
  const std::optional<std::string_view> value = tracestate.get(kOpenTelemetryKey);
  if (!value) return state;
  std::string_view field;
  for (Split fields(*value, ';'); fields.next(field);) {
    if (field.starts_with("th:")) {
      state.has_threshold_key = true;
      state.threshold = parse_threshold(field.substr(3));
    } else if (field.starts_with("rv:") && field.size() == 3 + kDigits) {
      state.randomness = text::parse_hex(field.substr(3));
    }
  }
  return state;
}

// Leading digits that are all f (a small ratio) or all 0 (a ratio near 1) carry no precision and
// come on top.
uint64_t threshold_of(double ratio) {
  const uint64_t threshold =
      kNeverThreshold - static_cast<uint64_t>(std::llround(std::ldexp(ratio, 56)));
  if (threshold == 0 || threshold == kNeverThreshold) return threshold;
  const auto digit = [&](unsigned i) { return (threshold >> (4 * (13 - i))) & 0xfU; };
  unsigned digits = 0;
  while (digits < kDigits && (digit(0) == 0xf || digit(0) == 0) && digit(digits) == digit(0)) {
    ++digits;
  }
  digits += kPrecisionDigits;
  if (digits >= kDigits) return threshold;
  const auto shift = static_cast<unsigned>(4 * (kDigits - digits));
  return ((threshold + (uint64_t{1} << (shift - 1))) >> shift) << shift;
}

std::string threshold_text(uint64_t threshold) {
  std::string digits;
  text::append_hex(digits, threshold, kDigits);
  digits.erase(digits.find_last_not_of('0') + 1);
  return digits.empty() ? "0" : digits;
}

void put_threshold(TraceState& tracestate, std::string_view threshold) {
  std::string others;
  if (const std::optional<std::string_view> value = tracestate.get(kOpenTelemetryKey)) {
    std::string_view field;
    for (Split fields(*value, ';'); fields.next(field);) {
      if (field.empty() || field.starts_with("th:")) continue;
      if (!others.empty()) others.push_back(';');
      others.append(field);
    }
  }
  // A value that ends with a blank is none, and all would go: only the fields that end so do.
  while (others.ends_with(' ')) {
    const size_t last = others.rfind(';');
    others.resize(last == std::string::npos ? 0 : last);
  }
  if (!threshold.empty()) {
    std::string value = "th:" + std::string(threshold);
    if (!others.empty()) value.append(";").append(others);
    if (tracestate.set(kOpenTelemetryKey, value)) return;
  }
  if (others.empty() || !tracestate.set(kOpenTelemetryKey, others)) {
    tracestate.erase(kOpenTelemetryKey);
  }
}

}  // namespace sidespan::trace
