#include "sidespan/trace/sampler.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "sidespan/base/text.h"
#include "trace/split.h"

namespace sidespan::trace {
namespace {

constexpr std::string_view kParentBased = "parentbased_";
constexpr std::string_view kOpenTelemetryKey = "ot";
constexpr size_t kRandomnessDigits = 14;
constexpr uint64_t kThresholds = uint64_t{1} << 56U;  // as a threshold: never
constexpr unsigned kPrecisionDigits = 4;

// The sub-keys `th` and `rv` of `ot=`; others pass unseen. An unreadable one counts as absent.
struct OpenTelemetryState {
  std::optional<uint64_t> threshold;
  std::optional<uint64_t> randomness;
  bool has_threshold_key = false;
};

// 1 to 14 digits, trailing zeros left out.
std::optional<uint64_t> parse_threshold(std::string_view digits) {
  if (digits.size() > kRandomnessDigits) return std::nullopt;
  const std::optional<uint64_t> value = text::parse_hex(digits);
  if (!value) return std::nullopt;
  return *value << (4 * (kRandomnessDigits - digits.size()));
}

OpenTelemetryState parse_state(std::string_view value) {
  OpenTelemetryState state;
  std::string_view field;
  for (Split fields(value, ';'); fields.next(field);) {
    if (field.starts_with("th:")) {
      state.has_threshold_key = true;
      state.threshold = parse_threshold(field.substr(3));
    } else if (field.starts_with("rv:") && field.size() == 3 + kRandomnessDigits) {
      state.randomness = text::parse_hex(field.substr(3));
    }
  }
  return state;
}

// `tracestate` with `th` replaced by `threshold`, or taken out when that is empty. What else `ot`
// holds is kept as it stands; where there is no room left beside it, `th` is what goes.
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
  if (!threshold.empty()) {
    std::string value = "th:" + std::string(threshold);
    if (!others.empty()) value.append(";").append(others);
    if (tracestate.set(kOpenTelemetryKey, value)) return;
  }
  if (others.empty() || !tracestate.set(kOpenTelemetryKey, others)) {
    tracestate.erase(kOpenTelemetryKey);
  }
}

OpenTelemetryState state_of(const SpanContext* parent) {
  if (parent == nullptr || parent->tracestate.empty()) return {};
  const std::optional<std::string_view> value = parent->tracestate.get(kOpenTelemetryKey);
  return value ? parse_state(*value) : OpenTelemetryState{};
}

uint64_t randomness_of(TraceId trace_id, const OpenTelemetryState& state) {
  return state.randomness.value_or(trace_id.low & (kThresholds - 1));
}

TraceState tracestate_of(const SpanContext* parent) {
  return parent == nullptr ? TraceState{} : parent->tracestate;
}

// Rounded so that four digits stay significant: leading digits that are all f (a small ratio) or
// all 0 (a ratio near 1) carry no precision and come on top.
uint64_t threshold_of(double ratio) {
  const uint64_t threshold =
      kThresholds - static_cast<uint64_t>(std::llround(std::ldexp(ratio, 56)));
  if (threshold == 0 || threshold == kThresholds) return threshold;
  const auto digit = [&](unsigned i) { return (threshold >> (4 * (13 - i))) & 0xfU; };
  unsigned digits = 0;
  while (digits < kRandomnessDigits && (digit(0) == 0xf || digit(0) == 0) &&
         digit(digits) == digit(0)) {
    ++digits;
  }
  digits += kPrecisionDigits;
  if (digits >= kRandomnessDigits) return threshold;
  const auto shift = static_cast<unsigned>(4 * (kRandomnessDigits - digits));
  return ((threshold + (uint64_t{1} << (shift - 1))) >> shift) << shift;
}

std::string threshold_text(uint64_t threshold) {
  std::string digits;
  text::append_hex(digits, threshold, kRandomnessDigits);
  digits.erase(digits.find_last_not_of('0') + 1);
  return digits.empty() ? "0" : digits;
}

class ConstantSampler final : public Sampler {
 public:
  explicit ConstantSampler(bool sampled) : sampled_(sampled) {}

  // The parent's threshold says nothing about this decision, so it ends here.
  SamplingDecision decide(TraceId /*trace_id*/, const SpanContext* parent) const override {
    SamplingDecision decision{sampled_, tracestate_of(parent)};
    if (state_of(parent).has_threshold_key) put_threshold(decision.tracestate, {});
    return decision;
  }

 private:
  bool sampled_;
};

class RatioSampler final : public Sampler {
 public:
  explicit RatioSampler(double ratio)
      : threshold_(threshold_of(ratio)), threshold_text_(threshold_text(threshold_)) {}

  SamplingDecision decide(TraceId trace_id, const SpanContext* parent) const override {
    const OpenTelemetryState state = state_of(parent);
    SamplingDecision decision{randomness_of(trace_id, state) >= threshold_, tracestate_of(parent)};
    if (decision.sampled) {
      put_threshold(decision.tracestate, threshold_text_);
    } else if (state.has_threshold_key) {
      put_threshold(decision.tracestate, {});
    }
    return decision;
  }

 private:
  uint64_t threshold_;
  std::string threshold_text_;
};

class ParentBasedSampler final : public Sampler {
 public:
  explicit ParentBasedSampler(std::unique_ptr<Sampler> root) : root_(std::move(root)) {}

  // The parent's decision with the parent's threshold, unless the two contradict each other.
  SamplingDecision decide(TraceId trace_id, const SpanContext* parent) const override {
    if (parent == nullptr) return root_->decide(trace_id, nullptr);
    SamplingDecision decision{parent->sampled(), parent->tracestate};
    const OpenTelemetryState state = state_of(parent);
    const bool contradicts = state.threshold && randomness_of(trace_id, state) < *state.threshold;
    if (contradicts || (!decision.sampled && state.has_threshold_key)) {
      put_threshold(decision.tracestate, {});
    }
    return decision;
  }

 private:
  std::unique_ptr<Sampler> root_;
};

std::unexpected<Error> invalid(std::string what) {
  return fail(Code::kInvalid, Side::kSelf, std::move(what));
}

}  // namespace

Result<std::unique_ptr<Sampler>> make_sampler(std::string_view name, double ratio) {
  const std::string wanted = text::lower(name);
  const bool parent_based = wanted.starts_with(kParentBased);
  const std::string_view base =
      std::string_view(wanted).substr(parent_based ? kParentBased.size() : 0);
  std::unique_ptr<Sampler> sampler;
  if (base == "always_on" || base == "always_off") {
    sampler = std::make_unique<ConstantSampler>(base == "always_on");
  } else if (base == "traceidratio") {
    if (!(ratio >= 0 && ratio <= 1)) return invalid("the sampling ratio must be between 0 and 1");
    sampler = std::make_unique<RatioSampler>(ratio);
  } else if (base == "jaeger_remote" || wanted == "xray") {
    return invalid("the sampler " + wanted +
                   " asks a remote service for its rules, which sidespan does not do; use "
                   "parentbased_traceidratio instead");
  } else {
    return invalid("there is no sampler named \"" + std::string(name) +
                   "\"; known are always_on, always_off, traceidratio, and each of them after "
                   "parentbased_");
  }
  if (parent_based) sampler = std::make_unique<ParentBasedSampler>(std::move(sampler));
  return sampler;
}

StartedContext start_span_context(const SpanContext* parent, const Sampler& sampler, Random& random,
                                  bool trust_incoming) {
  if (parent != nullptr && (!trust_incoming || !parent->valid())) parent = nullptr;
  SpanContext own;
  own.trace_id = parent == nullptr ? TraceId::make(random) : parent->trace_id;
  own.span_id = SpanId::make(random);
  SamplingDecision decision = sampler.decide(own.trace_id, parent);
  const uint8_t inherited = parent == nullptr ? kRandomFlag : parent->flags & kRandomFlag;
  own.flags = static_cast<uint8_t>(inherited | (decision.sampled ? kSampledFlag : 0));
  own.tracestate = std::move(decision.tracestate);
  return {std::move(own), decision.sampled};
}

StartedContext start_span_context(const SpanContext* parent, Asked asked, TraceId trace,
                                  const Sampler& sampler, Random& random) {
  const bool root = parent == nullptr || !parent->valid();
  SpanContext own;
  own.trace_id = !root ? parent->trace_id : trace ? trace : TraceId::make(random);
  own.span_id = SpanId::make(random);
  // Stands for the sender, who wants a trace recorded and has no span in it.
  const SpanContext keeper{own.trace_id, own.span_id, kSampledFlag, {}};
  const SpanContext* judged = root ? nullptr : parent;
  if (root && asked == Asked::kKeep) judged = &keeper;
  if (asked == Asked::kUndecided) judged = nullptr;
  SamplingDecision decision = sampler.decide(own.trace_id, judged);
  if (asked == Asked::kDrop || asked == Asked::kDebug) {
    const bool wanted = asked == Asked::kDebug;
    if (decision.sampled != wanted) put_threshold(decision.tracestate, {});
    decision.sampled = wanted;
  }
  const bool made_here = root && !trace;
  const uint8_t random_flag = root ? kRandomFlag : parent->flags & kRandomFlag;
  own.flags = static_cast<uint8_t>((made_here || !root ? random_flag : 0) |
                                   (decision.sampled ? kSampledFlag : 0));
  own.tracestate = std::move(decision.tracestate);
  return {std::move(own), decision.sampled};
}

}  // namespace sidespan::trace
