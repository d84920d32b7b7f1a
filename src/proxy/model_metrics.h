// OpenTelemetry's GenAI client metrics (gen-ai/gen-ai-metrics, development): how long calls of
// models take, how many tokens they cost, how long the first piece of an answer takes. Counted
// whatever the sampling. Written by the worker, read by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/base/histogram_family.h"
#include "sidespan/semconv/genai_call.h"

namespace sidespan::proxy {

class ModelMetrics {
 public:
  explicit ModelMetrics(size_t series_max);

  struct Outcome {
    std::string_view host;  // of the origin
    uint16_t port = 0;
    std::string_view error_type;  // empty: none
    Nanoseconds duration{};
  };
  void record(const semconv::genai::Call& call, const Outcome& outcome);

  void collect(metrics::Snapshot& snapshot) const;

 private:
  metrics::HistogramFamily durations_;
  metrics::HistogramFamily tokens_;
  metrics::HistogramFamily first_chunks_;
};

}  // namespace sidespan::proxy
