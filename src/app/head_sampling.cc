#include "app/head_sampling.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <variant>

namespace sidespan::app {

namespace {

// The tail's share is then one of a known share.
bool has_probability(const std::optional<report::TailOptions>& tail) {
  return tail && std::ranges::any_of(tail->policies, [](const report::TailPolicy& policy) {
           return std::ranges::any_of(policy, [](const report::TailCondition& condition) {
             return std::holds_alternative<report::TailProbability>(condition);
           });
         });
}

}  // namespace

HeadSampling::HeadSampling(const SamplingSettings& settings) {
  static const SystemClock kClock;
  std::shared_ptr<trace::RateLimit> shared;
  if (settings.per_second > 0) shared = std::make_shared<trace::RateLimit>(settings.per_second);
  const bool tells_always = has_probability(settings.tail);
  const auto made = [&](const std::string& name, double ratio) {
    Result<std::unique_ptr<trace::Sampler>> one = trace::make_sampler(name, ratio, tells_always);
    // The settings were checked.
    assert(one);
    return shared ? trace::limit_roots(*std::move(one), shared, kClock) : *std::move(one);
  };
  sampler = made(settings.sampler, settings.ratio);
  for (const SamplerRule& rule : settings.rules) {
    rules.push_back({rule.match, made(rule.sampler, rule.ratio)});
  }
  limit = std::move(shared);
}

}  // namespace sidespan::app
