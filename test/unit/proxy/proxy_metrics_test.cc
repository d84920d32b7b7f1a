#include "proxy/proxy_metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <thread>

namespace sidespan::proxy {
namespace {

const metrics::Family& family(const metrics::Snapshot& snapshot, std::string_view name) {
  const auto found = std::ranges::find(snapshot, name, &metrics::Family::name);
  REQUIRE(found != snapshot.end());
  return *found;
}

TEST_CASE("requests are counted in sum and by class") {
  ProxyMetrics counted(10);
  CHECK(counted.requests() == 0);
  counted.count_request(semconv::Mode::kForward, 200);
  counted.count_request(semconv::Mode::kForward, 204);
  counted.count_request(semconv::Mode::kTunnel, 0);
  counted.count_request(semconv::Mode::kRoute, 999);
  CHECK(counted.requests() == 4);
  metrics::Snapshot snapshot;
  counted.collect(snapshot);
  double sum = 0;
  for (const auto& sample : family(snapshot, "sidespan_requests").samples) sum += sample.value;
  CHECK(sum == 4);
}

TEST_CASE("series of durations, those beyond the limit in one") {
  ProxyMetrics counted(2);
  for (const char* host : {"a", "b", "a", "c", "d"}) {
    counted.record_duration("GET", host, "200", false, 0.1);
  }
  metrics::Snapshot snapshot;
  counted.collect(snapshot);
  const auto& samples = family(snapshot, "http_client_request_duration_seconds").samples;
  REQUIRE(samples.size() == 3);
  CHECK(samples[0].labels[1].value == "a");
  CHECK(samples[0].histogram.count == 2);
  CHECK(samples[1].histogram.count == 1);
  CHECK(samples[2].labels[0].name == "otel_metric_overflow");
  CHECK(samples[2].histogram.count == 2);
}

TEST_CASE("series are read while others are added") {
  constexpr int kSeries = 2000;
  ProxyMetrics counted(kSeries);
  std::thread writer([&] {
    for (int i = 0; i < kSeries; ++i) {
      counted.record_duration("GET", std::to_string(i), "200", false, 0.1);
    }
  });
  size_t seen = 0;
  while (seen < kSeries) {
    metrics::Snapshot snapshot;
    counted.collect(snapshot);
    const auto durations =
        std::ranges::find(snapshot, "http_client_request_duration_seconds", &metrics::Family::name);
    const size_t now = durations == snapshot.end() ? 0 : durations->samples.size();
    REQUIRE(now >= seen);
    seen = now;
  }
  writer.join();
}

}  // namespace
}  // namespace sidespan::proxy
