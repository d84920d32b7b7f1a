// What tail sampling asks of a trace, and what of a span that needs (`sampling.tail`). A worker
// reads the facts off a span before it is encoded, so that nobody has to read the encoded one
// again; facts of spans add up to those of their trace, which the policies judge. Immutable, pure,
// any thread. Traces are put together by src/report/tail_sampler.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/trace/context.h"
#include "sidespan/trace/span.h"

namespace sidespan::report {

// Each may be true of a trace. Those of one span are true where they are true of any span.
struct TailError {};
struct TailStatus {
  std::vector<std::pair<int64_t, int64_t>> codes;  // of HTTP, from and to
};
struct TailAttribute {
  std::string key;
  std::vector<std::string> values;  // wildcards; empty: whatever it is
};
// From the first beginning to the last end.
struct TailSlower {
  Nanoseconds than{};
};
// Of all model calls together: input and output; US dollars.
struct TailTokens {
  int64_t least = 0;
};
struct TailCost {
  double least = 0;
};
// The share of traces that trace::threshold_of() gives.
struct TailProbability {
  uint64_t threshold = 0;
};
using TailCondition = std::variant<TailError, TailStatus, TailAttribute, TailSlower, TailTokens,
                                   TailCost, TailProbability>;

// Keeps a trace of which all conditions are true.
using TailPolicy = std::vector<TailCondition>;
inline constexpr size_t kTailConditionsMax = 64;  // of all policies

struct TailOptions {
  Milliseconds wait{10'000};       // after a trace's last span
  Milliseconds max_wait{150'000};  // after its first
  std::vector<TailPolicy> policies = {};
  size_t traces_max = 5000;  // that wait
  size_t spans_max = 20'000;
  size_t bytes_max = size_t{16} * 1024 * 1024;  // of them, encoded
  size_t decisions_max = 50'000;                // that are remembered for late spans
};

// Of one span or of several.
struct TailFacts {
  uint64_t true_ones = 0;                               // conditions of single spans, a bit each
  int64_t begin = std::numeric_limits<int64_t>::max();  // nanoseconds, wall clock
  int64_t end = std::numeric_limits<int64_t>::min();
  int64_t tokens = 0;
  double cost = 0;
  uint64_t randomness = 0;  // of the first

  void add(const TailFacts& other) {
    true_ones |= other.true_ones;
    begin = std::min(begin, other.begin);
    end = std::max(end, other.end);
    tokens += other.tokens;
    cost += other.cost;
  }
};

struct TailSpan {
  trace::TraceId trace_id;
  TailFacts facts;
};

struct TailVerdict {
  bool keep = false;
  // What a trace's randomness had to reach; 0: whatever it was, it would be kept.
  uint64_t threshold = 0;
};

class TailRules {
 public:
  // At most kTailConditionsMax conditions.
  explicit TailRules(std::vector<TailPolicy> policies);

  TailSpan read(const trace::Span& span) const;
  TailVerdict judge(const TailFacts& facts) const;

 private:
  struct Condition {
    TailCondition what;
    uint64_t bit;
  };
  void read_attributes(const trace::Span& span, TailFacts& facts) const;

  std::vector<std::vector<Condition>> policies_;
  bool reads_attributes_ = false;
};

}  // namespace sidespan::report
