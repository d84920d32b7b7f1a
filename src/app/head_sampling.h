// The samplers that `sampling.head` describes, made once for all workers, which share the limit on
// new traces. Used by sidecar, stdio and the root of a run.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "app/settings.h"
#include "app/telemetry.h"
#include "sidespan/base/metrics.h"
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

// What the limit kept out, for /metrics.
class RootLimitWatch final : public Watched {
 public:
  void set(std::shared_ptr<const trace::RateLimit> limit) { limit_ = std::move(limit); }
  MonoTime heartbeat() const override { return MonoTime::max(); }
  void collect(metrics::Snapshot& snapshot) const override;

 private:
  std::shared_ptr<const trace::RateLimit> limit_;  // null: none
};

}  // namespace sidespan::app
