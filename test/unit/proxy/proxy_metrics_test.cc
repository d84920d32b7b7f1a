#include "proxy/proxy_metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "proxy/worker.h"

namespace sidespan::proxy {
namespace {

// "METHOD HOST LABEL=OUTCOME COUNT" of every series.
std::vector<std::string> series(const ProxyMetrics& metrics) {
  metrics::Snapshot snapshot;
  metrics.collect(snapshot);
  std::vector<std::string> out;
  for (const metrics::Family& family : snapshot) {
    if (family.name != "http_client_request_duration_seconds") continue;
    for (const metrics::Sample& sample : family.samples) {
      std::string line;
      for (const auto& [name, value] : sample.labels) line += name + "=" + value + " ";
      out.push_back(line + std::to_string(sample.histogram.count));
    }
  }
  std::ranges::sort(out);
  return out;
}

TEST_CASE("durations are told apart by method, host and outcome") {
  ProxyMetrics metrics(10);
  metrics.record_duration({"GET", "a", "200"}, 0.1);
  metrics.record_duration({"GET", "a", "200"}, 0.1);
  metrics.record_duration({"POST", "a", "200"}, 0.1);
  metrics.record_duration({"GET", "b", "200"}, 0.1);
  metrics.record_duration({"GET", "a", "404"}, 0.1);
  metrics.record_duration({"GET", "a", "timeout", true}, 0.1);
  metrics.record_duration({"GET", "a", "200"}, 0.1);
  CHECK(series(metrics) ==
        std::vector<std::string>{
            "http_request_method=GET server_address=a error_type=timeout 1",
            "http_request_method=GET server_address=a http_response_status_code=200 3",
            "http_request_method=GET server_address=a http_response_status_code=404 1",
            "http_request_method=GET server_address=b http_response_status_code=200 1",
            "http_request_method=POST server_address=a http_response_status_code=200 1"});
}

TEST_CASE("series over the limit are one") {
  ProxyMetrics metrics(1);
  metrics.record_duration({"GET", "a", "200"}, 0.1);
  metrics.record_duration({"GET", "b", "200"}, 0.1);
  metrics.record_duration({"GET", "c", "200"}, 0.1);
  metrics.record_duration({"GET", "a", "200"}, 0.1);
  CHECK(series(metrics) ==
        std::vector<std::string>{
            "http_request_method=GET server_address=a http_response_status_code=200 2",
            "otel_metric_overflow=true 2"});
}

TEST_CASE("a place among the connections of the process is given back once") {
  std::atomic<size_t> taken = 0;
  {
    Place first(taken);
    CHECK(first.others() == 0);
    const Place moved(std::move(first));
    const Place second(taken);
    CHECK(second.others() == 1);
    CHECK(taken == 2);
  }
  CHECK(taken == 0);
}

}  // namespace
}  // namespace sidespan::proxy
