// What the proxy counts, whatever the sampling (names in the contract). Written by the worker, read
// by any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "sidespan/base/metrics.h"
#include "sidespan/lineage/resolver.h"
#include "sidespan/semconv/http_span.h"

namespace sidespan::proxy {

class ProxyMetrics {
 public:
  explicit ProxyMetrics(size_t series_max) : series_max_(series_max) {}

  // `status` 0: no answer was given.
  void count_request(semconv::Mode mode, int status);
  void count_parent(lineage::Source source) { parents_[static_cast<size_t>(source)].add(); }
  // One attempt towards an origin; `outcome` is the status as text or an error's name.
  void record_duration(std::string_view method, std::string_view host, std::string_view outcome,
                       bool failed, double seconds);

  // Requests counted so far, of any kind.
  uint64_t requests() const { return requests_ended_.value(); }

  metrics::Counter tunnels;
  metrics::Counter refused_connections;  // over connections_max
  metrics::Gauge connections;

  void collect(metrics::Snapshot& snapshot) const;

 private:
  static constexpr size_t kModes = 3;
  static constexpr size_t kClasses = 6;  // none, 1xx to 5xx
  using Key = std::tuple<std::string, std::string, std::string, bool>;

  metrics::DurationHistogram& series(Key key);
  void collect_durations(metrics::Snapshot& snapshot) const;

  std::array<std::array<metrics::Counter, kClasses>, kModes> requests_;
  metrics::Counter requests_ended_;  // the sum of requests_
  std::array<metrics::Counter, lineage::kSourceCount> parents_;
  const size_t series_max_;
  // Held to add a series and to list them; the one writer looks up without it. Series stay where
  // they are for good.
  mutable std::mutex durations_mutex_;
  std::map<Key, metrics::DurationHistogram> durations_;
  metrics::DurationHistogram overflow_;
};

}  // namespace sidespan::proxy
