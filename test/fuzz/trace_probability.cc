// Any bytes as tracestate lines: what `ot` says of probability is within 56 bits, and a threshold
// that is written is read again, beside what else stands there. A ratio, as which both numbers are
// taken, is kept as well as four digits can say it, and a greater one keeps no less.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/text.h"
#include "sidespan/trace/probability.h"

using namespace sidespan::trace;

namespace {

void check(const ProbabilityState& state) {
  if (state.threshold && (*state.threshold >= kNeverThreshold || !state.has_threshold_key)) {
    std::abort();
  }
  if (state.randomness && *state.randomness >= kNeverThreshold) std::abort();
}

void check_ratio(double ratio) {
  const uint64_t threshold = threshold_of(ratio);
  if (threshold > kNeverThreshold) std::abort();
  const double kept = std::ldexp(static_cast<double>(kNeverThreshold - threshold), -56);
  if (std::abs(kept - ratio) > std::ldexp(ratio, -12)) std::abort();
  if (threshold_of(ratio / 2) < threshold || threshold_of((1 + ratio) / 2) > threshold) {
    std::abort();
  }
  if (threshold == kNeverThreshold) return;
  const std::string text = threshold_text(threshold);
  if (text.size() > 14) std::abort();
  const ProbabilityState read = read_probability(TraceState::parse({"ot=th:" + text}));
  if (read.threshold != threshold) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string_view> lines;
  std::optional<std::string_view> rest = {{reinterpret_cast<const char*>(data), size}};
  while (rest) lines.push_back(sidespan::text::split_first(rest, '\n'));
  TraceState tracestate = TraceState::parse(lines);
  const ProbabilityState state = read_probability(tracestate);
  check(state);

  const uint64_t wanted = state.threshold.value_or(kNeverThreshold / 2);
  put_threshold(tracestate, threshold_text(wanted));
  const ProbabilityState put = read_probability(tracestate);
  check(put);
  // There may be no room for it beside the others.
  if (put.has_threshold_key && put.threshold != wanted) std::abort();
  if (put.randomness != state.randomness) std::abort();
  if (TraceState::parse({tracestate.to_string()}) != tracestate) std::abort();

  check_ratio(std::ldexp(static_cast<double>(wanted), -56));
  check_ratio(std::ldexp(static_cast<double>(state.randomness.value_or(0)), -56));

  put_threshold(tracestate, "");
  const ProbabilityState taken_out = read_probability(tracestate);
  if (taken_out.has_threshold_key || taken_out.randomness != state.randomness) std::abort();
  return 0;
}
