// What the proxy counts, whatever the sampling (names in the contract). Written by the worker, read
// by any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "model_metrics.h"
#include "sidespan/base/histogram_family.h"
#include "sidespan/base/metrics.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/proxy/interceptor.h"
#include "sidespan/semconv/http_span.h"
#include "sidespan/semconv/observer.h"

namespace sidespan::proxy {

class ProxyMetrics {
 public:
  explicit ProxyMetrics(size_t series_max);

  // `status` 0: no answer was given.
  void count_request(semconv::Mode mode, int status);
  void count_parent(lineage::Source source) { parents_[static_cast<size_t>(source)].add(); }
  // What one series of durations has in common.
  struct Attempt {
    std::string_view method;
    std::string_view host;
    int status;                    // of the answer
    std::string_view reason = {};  // the name of what came instead; empty: the answer did
  };
  // What attempts of that series are recorded in; stays where it is.
  metrics::Histogram& durations_of(const Attempt& attempt);

  // The same for requests to the agent's server, whose host is one.
  struct Served {
    std::string_view method;
    std::string_view scheme;
    int status;
    std::string_view reason = {};
  };
  metrics::Histogram& served_durations_of(const Served& served);

  // Requests counted so far, of any kind.
  uint64_t requests() const { return requests_ended_.value(); }

  std::array<metrics::Counter, kOpaqueCount> tunnels;  // that nobody looked into, by the reason
  metrics::Counter refused_connections;                // over connections_max
  metrics::Counter parted_connections;                 // that rested, for others
  metrics::Gauge connections;
  ModelMetrics models;
  // What the marks of the memory ledger brought about.
  metrics::Counter memory_taps_off;
  metrics::Counter memory_refused;
  metrics::Counter memory_reset;
  // MCP calls with spans of their own, by how they ended, and those that got none.
  std::array<metrics::Counter, semconv::kEndingCount> mcp_calls;
  metrics::Counter mcp_calls_left_out;
  // WebSockets to models that were not read (to their end), and the calls under way then.
  std::array<metrics::Counter, semconv::kUnreadCount> websockets_unread;
  std::array<metrics::Counter, semconv::kUnreadCount> websocket_calls_lost;
  // How long requests waited for their bodies to tell whose call they are.
  metrics::Histogram lineage_hold{kHoldBounds};
  metrics::Counter lineage_ambiguous;  // calls that several executions explain
  metrics::Counter turns;              // that were closed

  void collect(metrics::Snapshot& snapshot) const;

 private:
  static constexpr std::array<double, 8> kHoldBounds = {0.0001, 0.0005, 0.001, 0.002,
                                                        0.005,  0.01,   0.02,  0.05};
  static constexpr size_t kModes = semconv::kModeCount;
  static constexpr size_t kClasses = 6;  // none, 1xx to 5xx

  std::array<std::array<metrics::Counter, kClasses>, kModes> requests_;
  metrics::Counter requests_ended_;  // the sum of requests_
  std::array<metrics::Counter, lineage::kSourceCount> parents_;
  void collect_mcp(metrics::Snapshot& snapshot) const;
  void collect_websockets(metrics::Snapshot& snapshot) const;
  void collect_lineage(metrics::Snapshot& snapshot) const;

  metrics::HistogramFamily durations_;
  metrics::HistogramFamily served_durations_;
};

}  // namespace sidespan::proxy
