#include "sidespan/trace/sampler.h"

#include <string>
#include <utility>

#include "sidespan/base/text.h"
#include "sidespan/trace/probability.h"

namespace sidespan::trace {
namespace {

constexpr std::string_view kParentBased = "parentbased_";

ProbabilityState state_of(const SpanContext* parent) {
  if (parent == nullptr || parent->tracestate.empty()) return {};
  return read_probability(parent->tracestate);
}

TraceState tracestate_of(const SpanContext* parent) {
  return parent == nullptr ? TraceState{} : parent->tracestate;
}

class ConstantSampler final : public Sampler {
 public:
  ConstantSampler(bool sampled, bool tells) : sampled_(sampled), tells_(sampled && tells) {}

  // The parent's threshold says nothing about this decision, so it ends here.
  SamplingDecision decide(TraceId /*trace_id*/, const SpanContext* parent) const override {
    SamplingDecision decision{sampled_, tracestate_of(parent)};
    if (tells_) {
      put_threshold(decision.tracestate, threshold_text(0));
    } else if (state_of(parent).has_threshold_key) {
      put_threshold(decision.tracestate, {});
    }
    return decision;
  }

 private:
  bool sampled_;
  bool tells_;
};

// The sampler is not asked: one with a limit would count it.
SamplingDecision dropped(const SpanContext* parent) {
  return ConstantSampler(false, false).decide({}, parent);
}

class RatioSampler final : public Sampler {
 public:
  explicit RatioSampler(double ratio)
      : threshold_(threshold_of(ratio)), threshold_text_(threshold_text(threshold_)) {}

  SamplingDecision decide(TraceId trace_id, const SpanContext* parent) const override {
    const ProbabilityState state = state_of(parent);
    SamplingDecision decision{state.randomness_or(trace_id) >= threshold_, tracestate_of(parent)};
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
    const ProbabilityState state = state_of(parent);
    const bool contradicts = state.threshold && state.randomness_or(trace_id) < *state.threshold;
    if (contradicts || (!decision.sampled && state.has_threshold_key)) {
      put_threshold(decision.tracestate, {});
    }
    return decision;
  }

 private:
  std::unique_ptr<Sampler> root_;
};

class RootLimitSampler final : public Sampler {
 public:
  RootLimitSampler(std::unique_ptr<Sampler> inner, std::shared_ptr<RateLimit> limit,
                   const Clock& clock)
      : inner_(std::move(inner)), limit_(std::move(limit)), clock_(clock) {}

  SamplingDecision decide(TraceId trace_id, const SpanContext* parent) const override {
    SamplingDecision decision = inner_->decide(trace_id, parent);
    if (parent != nullptr || !decision.sampled) return decision;
    decision.sampled = limit_->take(clock_.now().mono);
    // How likely it was depends on how many there were.
    if (!decision.tracestate.empty()) put_threshold(decision.tracestate, {});
    return decision;
  }

 private:
  std::unique_ptr<Sampler> inner_;
  std::shared_ptr<RateLimit> limit_;
  const Clock& clock_;
};

std::unexpected<Error> invalid(std::string what) {
  return fail(Code::kInvalid, Side::kSelf, std::move(what));
}

// `parent`: null for a root.
SamplingDecision decide(const SpanContext& own, const SpanContext* parent, Asked asked,
                        const Sampler& sampler) {
  if (asked == Asked::kDrop) return dropped(parent);
  if (asked == Asked::kUndecided) parent = nullptr;
  if (asked != Asked::kKeep || parent != nullptr) return sampler.decide(own.trace_id, parent);
  // Stands for the sender, who wants a trace recorded and has no span in it.
  const SpanContext keeper{own.trace_id, own.span_id, kSampledFlag, {}};
  return sampler.decide(own.trace_id, &keeper);
}

}  // namespace

Result<std::unique_ptr<Sampler>> make_sampler(std::string_view name, double ratio,
                                              bool tells_always) {
  const std::string wanted = text::lower(name);
  const bool parent_based = wanted.starts_with(kParentBased);
  const std::string_view base =
      std::string_view(wanted).substr(parent_based ? kParentBased.size() : 0);
  std::unique_ptr<Sampler> sampler;
  if (base == "always_on" || base == "always_off") {
    sampler = std::make_unique<ConstantSampler>(base == "always_on", tells_always);
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

std::unique_ptr<Sampler> limit_roots(std::unique_ptr<Sampler> sampler,
                                     std::shared_ptr<RateLimit> limit, const Clock& clock) {
  return std::make_unique<RootLimitSampler>(std::move(sampler), std::move(limit), clock);
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
  return start_span_context(SpanId::make(random), parent, asked, trace, sampler, random);
}

StartedContext start_span_context(SpanId span, const SpanContext* parent, Asked asked,
                                  TraceId trace, const Sampler& sampler, Random& random) {
  const bool root = parent == nullptr || !parent->valid();
  StartedContext started;
  SpanContext& own = started.context;
  own.trace_id = !root ? parent->trace_id : trace ? trace : TraceId::make(random);
  own.span_id = span;
  SamplingDecision decision = decide(own, root ? nullptr : parent, asked, sampler);
  if (asked == Asked::kDebug) {
    if (!decision.sampled) put_threshold(decision.tracestate, {});
    decision.sampled = true;
  }
  const bool made_here = root && !trace;
  const uint8_t random_flag = root ? kRandomFlag : parent->flags & kRandomFlag;
  own.flags = static_cast<uint8_t>((made_here || !root ? random_flag : 0) |
                                   (decision.sampled ? kSampledFlag : 0));
  own.tracestate = std::move(decision.tracestate);
  started.sampled = decision.sampled;
  return started;
}

}  // namespace sidespan::trace
