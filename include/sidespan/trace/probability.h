// OpenTelemetry's consistent probability sampling (trace/tracestate-probability-sampling): 56 bits
// of randomness R, the sub-key `rv` of the tracestate member `ot` or else the trace id's last,
// against a threshold T, which `th` tells to later hops; a span is kept where R >= T. Used by the
// samplers here and by report's tail sampler, which must agree. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sidespan/trace/context.h"

namespace sidespan::trace {

inline constexpr uint64_t kNeverThreshold = uint64_t{1} << 56U;  // above every R

// What `ot=` says of both; other sub-keys pass unseen. An unreadable one counts as absent.
struct ProbabilityState {
  std::optional<uint64_t> threshold;
  std::optional<uint64_t> randomness;
  bool has_threshold_key = false;

  uint64_t randomness_or(TraceId trace_id) const {
    return randomness.value_or(trace_id.low & (kNeverThreshold - 1));
  }
};
ProbabilityState read_probability(const TraceState& tracestate);

// Of a ratio from 0 to 1: kNeverThreshold for 0 and what is next to nothing. Four digits stay
// significant.
uint64_t threshold_of(double ratio);
// As `th` has it: 1 to 14 digits, trailing zeros left out. Not of kNeverThreshold.
std::string threshold_text(uint64_t threshold);

// `th` replaced by `threshold`, or taken out when that is empty. What else `ot` holds is kept as it
// stands; where there is no room left beside it, `th` is what goes.
void put_threshold(TraceState& tracestate, std::string_view threshold);

}  // namespace sidespan::trace
