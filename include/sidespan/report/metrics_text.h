// A metrics snapshot as text: Prometheus exposition format 0.0.4, or OpenMetrics 1.0 when asked
// for. The admin and health listeners answer /metrics with it; what is counted, and under which
// name, is the business of those who collect.
#pragma once

#include <string>
#include <string_view>

#include "sidespan/base/metrics.h"

namespace sidespan::report {

struct MetricsText {
  std::string content_type;
  std::string body;
};
// `accept` is the request's Accept field; it decides the format.
MetricsText metrics_text(const metrics::Snapshot& snapshot, std::string_view accept);

}  // namespace sidespan::report
