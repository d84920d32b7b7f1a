// The samplers that `sampling.head` describes, made once for all workers, which share the limit on
// new traces. Used by sidecar, stdio and the root of a run.
#pragma once

#include <memory>
#include <vector>

#include "app/settings.h"
#include "sidespan/proxy/sampling_rule.h"
#include "sidespan/trace/rate_limit.h"
#include "sidespan/trace/sampler.h"

namespace sidespan::app {

struct HeadSampling {
  explicit HeadSampling(const SamplingSettings& settings);

  std::shared_ptr<const trace::Sampler> sampler;
  std::vector<proxy::SamplingRule> rules;
  std::shared_ptr<const trace::RateLimit> limit;  // null: none
};

}  // namespace sidespan::app
