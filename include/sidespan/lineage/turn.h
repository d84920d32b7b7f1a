// A turn: what an agent does from a question to the model's last word on it. No request stands
// behind it; its span is synthesized from what is said here, once it is closed. Values only: the
// registry opens and closes turns, whoever asks it to makes the span.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/trace/context.h"

namespace sidespan::lineage {

struct TurnOptions {
  bool on = true;                                // context.turns
  Nanoseconds grace = std::chrono::seconds(2);   // context.turn_grace
  Nanoseconds idle = std::chrono::seconds(120);  // context.turn_idle
  bool in_runs_trace = true;                     // context.trace_per: run
  size_t trace_spans_max = 2000;                 // limits.trace_spans
  Nanoseconds trace_age_max = std::chrono::minutes(15);
};

// An execution in the registry. One that is gone names nothing.
struct ExecutionRef {
  uint32_t value = 0;

  explicit operator bool() const { return value != 0; }
  bool operator==(const ExecutionRef&) const = default;
};

// A span elsewhere, as a parent or a link needs it.
struct SpanRef {
  trace::TraceId trace_id = {};
  trace::SpanId span_id = {};
  uint8_t flags = 0;

  explicit operator bool() const { return trace_id && span_id; }
  bool operator==(const SpanRef&) const = default;
};

inline SpanRef ref_of(const trace::SpanContext& context) {
  return {context.trace_id, context.span_id, context.flags};
}
inline trace::SpanContext context_of(const SpanRef& ref, const std::string& tracestate = {}) {
  trace::SpanContext context{ref.trace_id, ref.span_id, ref.flags, {}};
  if (!tracestate.empty()) context.tracestate = trace::TraceState::parse({tracestate});
  return context;
}

// Entries of baggage that spans tell.
using Told = std::vector<std::pair<std::string, std::string>>;

// What calls of models took. Nothing: none of them told.
struct TokenSum {
  std::optional<int64_t> input = {};
  std::optional<int64_t> output = {};
  std::optional<double> cost_usd = {};

  void add(const TokenSum& other) {
    if (other.input) input = input.value_or(0) + *other.input;
    if (other.output) output = output.value_or(0) + *other.output;
    if (other.cost_usd) cost_usd = cost_usd.value_or(0) + *other.cost_usd;
  }
};

// One that is over: `invoke_agent`, kind INTERNAL, `sidespan.inferred`.
struct ClosedTurn {
  SpanRef span = {};
  std::string tracestate = {};
  trace::SpanId parent_id = {};  // the run's, or that of a call which its calls share; zero: a root
  bool in_call = false;          // the latter
  std::string execution_id = {};  // of the opening call's scope
  Source fixed_by = Source::kRoot;
  WallTime start{};
  Nanoseconds duration{0};  // up to the end of its last call
  uint32_t calls = 0;
  TokenSum tokens = {};             // of its calls
  std::vector<SpanRef> links = {};  // the run, where this has a trace of its own; the turn before
  Told baggage = {};                // of the call that opened it
};

}  // namespace sidespan::lineage
