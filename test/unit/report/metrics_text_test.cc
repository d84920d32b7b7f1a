#include "sidespan/report/metrics_text.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

namespace sidespan::report {
namespace {

using metrics::Kind;
using metrics::Sample;
using metrics::Snapshot;

constexpr std::string_view kOpenMetrics = "application/openmetrics-text";
constexpr std::string_view kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr std::string_view kPlainType = "text/plain; version=0.0.4; charset=utf-8";

Sample sample(std::vector<metrics::Label> labels, double value) {
  Sample out;
  out.labels = std::move(labels);
  out.value = value;
  return out;
}

Snapshot snapshot() {
  Snapshot out;
  metrics::merge(out, "spans_dropped", "Spans lost.", Kind::kCounter,
                 sample({{"exporter", "otlp"}, {"reason", "queue_full"}}, 3));
  metrics::merge(out, "spans_dropped", "Spans lost.", Kind::kCounter,
                 sample({{"exporter", "otlp"}, {"reason", "shutdown"}}, 0));
  metrics::merge(out, "spans_queued", "Spans waiting.", Kind::kGauge, sample({}, 2.5));
  return out;
}

Snapshot histogram() {
  metrics::Histogram durations;
  durations.record(0.005);
  durations.record(0.2);
  durations.record(11);
  Snapshot out;
  Sample timed;
  timed.labels = {{"method", "GET"}};
  timed.histogram = durations.snapshot();
  metrics::merge(out, "request_seconds", "Time.", Kind::kHistogram, std::move(timed));
  return out;
}

}  // namespace

TEST_CASE("metrics text: Prometheus") {
  const MetricsText text = metrics_text(snapshot(), "");
  CHECK(text.content_type == kPlainType);
  CHECK(text.body ==
        "# HELP spans_dropped_total Spans lost.\n"
        "# TYPE spans_dropped_total counter\n"
        "spans_dropped_total{exporter=\"otlp\",reason=\"queue_full\"} 3\n"
        "spans_dropped_total{exporter=\"otlp\",reason=\"shutdown\"} 0\n"
        "# HELP spans_queued Spans waiting.\n"
        "# TYPE spans_queued gauge\n"
        "spans_queued 2.5\n");
}

TEST_CASE("metrics text: OpenMetrics") {
  const MetricsText text = metrics_text(snapshot(), kOpenMetrics);
  CHECK(text.content_type == kOpenMetricsType);
  CHECK(text.body ==
        "# HELP spans_dropped Spans lost.\n"
        "# TYPE spans_dropped counter\n"
        "spans_dropped_total{exporter=\"otlp\",reason=\"queue_full\"} 3\n"
        "spans_dropped_total{exporter=\"otlp\",reason=\"shutdown\"} 0\n"
        "# HELP spans_queued Spans waiting.\n"
        "# TYPE spans_queued gauge\n"
        "spans_queued 2.5\n"
        "# EOF\n");
  CHECK(metrics_text({}, kOpenMetrics).body == "# EOF\n");
}

TEST_CASE("metrics text: a histogram's buckets add up") {
  const std::string plain = metrics_text(histogram(), "").body;
  for (const std::string line : {
           "# TYPE request_seconds histogram\n",
           "request_seconds_bucket{method=\"GET\",le=\"0.005\"} 1\n",
           "request_seconds_bucket{method=\"GET\",le=\"0.1\"} 1\n",
           "request_seconds_bucket{method=\"GET\",le=\"0.25\"} 2\n",
           "request_seconds_bucket{method=\"GET\",le=\"1\"} 2\n",
           "request_seconds_bucket{method=\"GET\",le=\"10\"} 2\n",
           "request_seconds_bucket{method=\"GET\",le=\"+Inf\"} 3\n",
           "request_seconds_sum{method=\"GET\"} 11.205\n",
           "request_seconds_count{method=\"GET\"} 3\n",
       }) {
    CAPTURE(line);
    CHECK(plain.find(line) != std::string::npos);
  }
  const std::string open = metrics_text(histogram(), kOpenMetrics).body;
  CHECK(open.find("le=\"1.0\"} 2\n") != std::string::npos);
  CHECK(open.find("le=\"10.0\"} 2\n") != std::string::npos);
}

TEST_CASE("metrics text: which format") {
  struct Row {
    std::string name, accept;
    bool open_metrics;
  };
  const Row rows[] = {
      {"nothing said", "", false},
      {"anything", "*/*", false},
      {"a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
      {"plain", "text/plain;version=0.0.4", false},
      {"Prometheus 2",
       "application/openmetrics-text;version=1.0.0,application/"
       "openmetrics-text;version=0.0.1;q=0.75,"
       "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
       true},
      {"plain preferred", "application/openmetrics-text;q=0.3, text/plain;q=0.5", false},
      {"equal", "text/plain, application/openmetrics-text", true},
      {"refused", "application/openmetrics-text;q=0", false},
      {"refused with decimals", "application/openmetrics-text;q=0.000", false},
      {"other case", "Application/OpenMetrics-Text; Q=0.1", true},
      {"a weight that is none", "application/openmetrics-text;q=high", false},
      {"a weight over 1", "application/openmetrics-text;q=1.5", false},
      {"a weight too exact", "application/openmetrics-text;q=0.1234", false},
      {"empty parts", ",;,;q=1,application/openmetrics-text;;q=1;,", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK((metrics_text({}, row.accept).content_type == kOpenMetricsType) == row.open_metrics);
  }
}

TEST_CASE("metrics text: what has to be escaped") {
  Snapshot hard;
  metrics::merge(hard, "x", "a \"b\" \\ c\nd", Kind::kGauge,
                 sample({{"l", "a \"b\" \\ c\nd\xff"}}, 1));
  CHECK(metrics_text(hard, "").body ==
        "# HELP x a \"b\" \\\\ c\\nd\n"
        "# TYPE x gauge\n"
        "x{l=\"a \\\"b\\\" \\\\ c\\nd\xef\xbf\xbd\"} 1\n");
  CHECK(metrics_text(hard, kOpenMetrics).body.starts_with("# HELP x a \\\"b\\\" \\\\ c\\nd\n"));
}

TEST_CASE("metrics text: numbers") {
  struct Row {
    double value;
    std::string text;
  };
  const Row rows[] = {
      {0, "0"},
      {12'345'678, "12345678"},
      {9'007'199'254'740'991, "9007199254740991"},
      {0.1, "0.1"},
      {-1.5, "-1.5"},
      {1e300, "1e+300"},
      {std::nan(""), "NaN"},
      {INFINITY, "+Inf"},
      {-INFINITY, "-Inf"},
  };
  for (const Row& row : rows) {
    Snapshot one;
    metrics::merge(one, "x", "x", Kind::kGauge, sample({}, row.value));
    CHECK(metrics_text(one, "").body.ends_with("\nx " + row.text + "\n"));
  }
}

}  // namespace sidespan::report
