#include "proxy/proxy_metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/worker.h"

namespace sidespan::proxy {
namespace {

// "METHOD HOST LABEL=OUTCOME COUNT" of every series.
std::vector<std::string> series(
    const ProxyMetrics& metrics,
    std::string_view family_name = "http_client_request_duration_seconds") {
  metrics::Snapshot snapshot;
  metrics.collect(snapshot);
  std::vector<std::string> out;
  for (const metrics::Family& family : snapshot) {
    if (family.name != family_name) continue;
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
  metrics.durations_of({"GET", "a", 200}).record(0.1);
  metrics.durations_of({"GET", "a", 200}).record(0.1);
  metrics.durations_of({"POST", "a", 200}).record(0.1);
  metrics.durations_of({"GET", "b", 200}).record(0.1);
  metrics.durations_of({"GET", "a", 404}).record(0.1);
  metrics.durations_of({"GET", "a", 0, "timeout"}).record(0.1);
  metrics.durations_of({"GET", "a", 200}).record(0.1);
  CHECK(series(metrics) ==
        std::vector<std::string>{
            "http_request_method=GET server_address=a error_type=timeout 1",
            "http_request_method=GET server_address=a http_response_status_code=200 3",
            "http_request_method=GET server_address=a http_response_status_code=404 1",
            "http_request_method=GET server_address=b http_response_status_code=200 1",
            "http_request_method=POST server_address=a http_response_status_code=200 1"});
}

TEST_CASE("requests to the agent's server have durations of their own") {
  ProxyMetrics metrics(10);
  metrics.served_durations_of({"GET", "http", 200}).record(0.1);
  metrics.served_durations_of({"GET", "http", 200}).record(0.1);
  metrics.served_durations_of({"GET", "http", 0, "connection_refused"}).record(0.1);
  CHECK(series(metrics, "http_server_request_duration_seconds") ==
        std::vector<std::string>{
            "http_request_method=GET url_scheme=http error_type=connection_refused 1",
            "http_request_method=GET url_scheme=http http_response_status_code=200 2"});
  CHECK(series(metrics).empty());
}

TEST_CASE("series over the limit are one") {
  ProxyMetrics metrics(1);
  metrics.durations_of({"GET", "a", 200}).record(0.1);
  metrics.durations_of({"GET", "b", 200}).record(0.1);
  metrics.durations_of({"GET", "c", 200}).record(0.1);
  metrics.durations_of({"GET", "a", 200}).record(0.1);
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

TEST_CASE("series are read while others are added") {
  constexpr int kSeries = 2000;
  ProxyMetrics counted(kSeries);
  std::thread writer([&] {
    for (int i = 0; i < kSeries; ++i) {
      counted.durations_of({"GET", std::to_string(i), 200}).record(0.1);
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

TEST_CASE("MCP calls with spans of their own are counted by how they ended") {
  ProxyMetrics metrics(1);
  metrics.mcp_calls[static_cast<size_t>(semconv::Ending::kTimeout)].add();
  metrics.mcp_calls_left_out.add();
  metrics::Snapshot snapshot;
  metrics.collect(snapshot);
  const metrics::Family& ends = family(snapshot, "sidespan_mcp_calls");
  REQUIRE(ends.samples.size() == 1);
  REQUIRE(ends.samples[0].labels.size() == 1);
  CHECK(ends.samples[0].labels[0].value == "timeout");
  CHECK(ends.samples[0].value == 1);
  CHECK(family(snapshot, "sidespan_mcp_calls_left_out").samples[0].value == 1);
}

}  // namespace
}  // namespace sidespan::proxy
