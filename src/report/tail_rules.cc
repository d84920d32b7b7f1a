#include <cassert>
#include <string_view>

#include "sidespan/base/text.h"
#include "sidespan/report/tail.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/trace/probability.h"

namespace sidespan::report {
namespace {

namespace attribute = semconv::attribute;
using Value = trace::Attributes::Value;

template <class... Cases>
struct Overload : Cases... {
  using Cases::operator()...;
};

int64_t number_of(const Value& value) {
  const int64_t* number = std::get_if<int64_t>(&value);
  return number == nullptr ? 0 : *number;
}

bool one_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(
      patterns, [&](const std::string& pattern) { return text::matches_wildcard(pattern, text); });
}

// Of an array any element; a double by no text of it.
bool matches(const TailAttribute& wanted, const Value& value) {
  if (wanted.values.empty()) return true;
  return std::visit(
      Overload{[&](bool on) { return one_matches(wanted.values, on ? "true" : "false"); },
               [&](int64_t number) { return one_matches(wanted.values, std::to_string(number)); },
               [](double) { return false; },
               [&](std::string_view text) { return one_matches(wanted.values, text); },
               [&](const std::vector<std::string_view>& texts) {
                 return std::ranges::any_of(texts, [&](std::string_view text) {
                   return one_matches(wanted.values, text);
                 });
               }},
      value);
}

bool contains(const TailStatus& status, int64_t code) {
  return std::ranges::any_of(
      status.codes, [&](const auto& range) { return range.first <= code && code <= range.second; });
}

// Whether `condition` is read off one attribute, and is true of this one.
bool is_true(const TailCondition& condition, const trace::Attributes::View& view) {
  if (const auto* wanted = std::get_if<TailAttribute>(&condition)) {
    return wanted->key == view.key && matches(*wanted, view.value);
  }
  if (const auto* status = std::get_if<TailStatus>(&condition)) {
    return view.key == attribute::kHttpResponseStatusCode &&
           contains(*status, number_of(view.value));
  }
  return false;
}

bool needs_attributes(const TailCondition& condition) {
  return !std::holds_alternative<TailError>(condition) &&
         !std::holds_alternative<TailSlower>(condition) &&
         !std::holds_alternative<TailProbability>(condition);
}

bool is_true(const TailCondition& condition, uint64_t bit, const TailFacts& facts) {
  return std::visit(
      Overload{[&](const TailSlower& slower) {
                 return facts.end > facts.begin && facts.end - facts.begin > slower.than.count();
               },
               [&](const TailTokens& tokens) { return facts.tokens >= tokens.least; },
               [&](const TailCost& cost) { return facts.cost >= cost.least; },
               [&](const TailProbability& share) { return facts.randomness >= share.threshold; },
               [&](const auto&) { return (facts.true_ones & bit) != 0; }},
      condition);
}

}  // namespace

TailRules::TailRules(std::vector<TailPolicy> policies) {
  size_t number = 0;
  for (TailPolicy& policy : policies) {
    std::vector<Condition>& own = policies_.emplace_back();
    for (TailCondition& condition : policy) {
      assert(number < kTailConditionsMax);
      reads_attributes_ = reads_attributes_ || needs_attributes(condition);
      own.push_back({std::move(condition), uint64_t{1} << number++});
    }
  }
}

TailSpan TailRules::read(const trace::Span& span) const {
  TailSpan read{.trace_id = span.context.trace_id, .facts = {}};
  TailFacts& facts = read.facts;
  facts.begin = span.start.time_since_epoch().count();
  facts.end = facts.begin + span.duration.count();
  facts.randomness =
      trace::read_probability(span.context.tracestate).randomness_or(span.context.trace_id);
  if (span.status == trace::SpanStatus::kError) {
    for (const auto& policy : policies_) {
      for (const Condition& condition : policy) {
        if (std::holds_alternative<TailError>(condition.what)) facts.true_ones |= condition.bit;
      }
    }
  }
  if (reads_attributes_) read_attributes(span, facts);
  return read;
}

// A turn's tokens are those of its calls, which tell them, too.
void TailRules::read_attributes(const trace::Span& span, TailFacts& facts) const {
  const bool sums = span.kind == trace::SpanKind::kInternal;
  for (const trace::Attributes::View view : span.attributes) {
    if (!sums && (view.key == attribute::kGenAiUsageInputTokens ||
                  view.key == attribute::kGenAiUsageOutputTokens)) {
      facts.tokens += number_of(view.value);
    } else if (!sums && view.key == attribute::kCostUsd) {
      const double* cost = std::get_if<double>(&view.value);
      if (cost != nullptr) facts.cost += *cost;
    }
    for (const auto& policy : policies_) {
      for (const Condition& condition : policy) {
        if (is_true(condition.what, view)) facts.true_ones |= condition.bit;
      }
    }
  }
}

// Of several policies that keep it the one with the lowest threshold counts: that many would have
// been kept. One that asks for nothing random keeps all.
TailVerdict TailRules::judge(const TailFacts& facts) const {
  TailVerdict verdict{.keep = false, .threshold = trace::kNeverThreshold};
  for (const auto& policy : policies_) {
    uint64_t threshold = 0;
    bool all = true;
    for (const Condition& condition : policy) {
      all = all && is_true(condition.what, condition.bit, facts);
      if (const auto* share = std::get_if<TailProbability>(&condition.what)) {
        threshold = std::max(threshold, share->threshold);
      }
    }
    if (!all) continue;
    verdict.keep = true;
    verdict.threshold = std::min(verdict.threshold, threshold);
  }
  return verdict;
}

}  // namespace sidespan::report
