#include "sidespan/base/metrics.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

namespace sidespan::metrics {
namespace {

TEST_CASE("counter and gauge") {
  Counter counter;
  counter.add();
  counter.add(41);
  CHECK(counter.value() == 42);
  Gauge gauge;
  gauge.add(2);
  gauge.add(-5);
  CHECK(gauge.value() == -3);
  gauge.set(7);
  CHECK(gauge.value() == 7);
}

TEST_CASE("histogram: a value on a bound is in that bound's bucket") {
  struct Row {
    const char* name;
    double seconds;
    size_t bucket;
  };
  const std::vector<Row> rows = {
      {"nothing", 0, 0},          {"under the first", 0.001, 0},
      {"on the first", 0.005, 0}, {"over the first", 0.0051, 1},
      {"on one inside", 0.1, 5},  {"between two", 0.3, 7},
      {"on the last", 10, 13},    {"over the last", 10.1, 14},
      {"an hour", 3600, 14},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Histogram histogram;
    histogram.record(row.seconds);
    const Histogram::Snapshot snapshot = histogram.snapshot();
    CHECK(snapshot.count == 1);
    CHECK(snapshot.sum == row.seconds);
    for (size_t i = 0; i < snapshot.buckets.size(); ++i)
      CHECK(snapshot.buckets[i] == (i == row.bucket ? 1 : 0));
  }
}

TEST_CASE("histogram: other bounds") {
  static constexpr std::array<double, 2> kBounds = {1, 4};
  Histogram histogram(kBounds);
  for (const double value : {0.0, 1.0, 3.0, 4.5, 1e9}) histogram.record(value);
  const Histogram::Snapshot snapshot = histogram.snapshot();
  CHECK(snapshot.bounds.size() == 2);
  CHECK(snapshot.buckets[0] == 2);
  CHECK(snapshot.buckets[1] == 1);
  CHECK(snapshot.buckets[2] == 2);
  CHECK(snapshot.count == 5);
}

TEST_CASE("histogram: a reader sees counts that only grow, and a count that is its buckets' sum") {
  Histogram histogram;
  constexpr uint64_t kRecords = 20000;
  std::thread writer([&] {
    for (uint64_t i = 0; i < kRecords; ++i) histogram.record(i % 2 == 0 ? 0.001 : 20);
  });
  uint64_t last = 0;
  while (last < kRecords) {
    const Histogram::Snapshot snapshot = histogram.snapshot();
    REQUIRE(snapshot.count >= last);
    REQUIRE(snapshot.count == snapshot.buckets.front() + snapshot.buckets[kDurationBounds.size()]);
    last = snapshot.count;
  }
  writer.join();
  CHECK(histogram.snapshot().sum == doctest::Approx(kRecords / 2 * 20.001));
}

Sample sample(std::vector<Label> labels, double value) {
  return {std::move(labels), value, {}};
}

TEST_CASE("merge: the same labels make one series, others their own, in the order they come") {
  Snapshot snapshot;
  merge(snapshot, "requests", "Requests.", Kind::kCounter, sample({{"mode", "forward"}}, 3));
  merge(snapshot, "spans", "Spans.", Kind::kGauge, sample({}, 1));
  merge(snapshot, "requests", "Requests.", Kind::kCounter, sample({{"mode", "route"}}, 5));
  merge(snapshot, "requests", "Requests.", Kind::kCounter, sample({{"mode", "forward"}}, 4));
  merge(snapshot, "requests", "Requests.", Kind::kCounter,
        sample({{"mode", "forward"}, {"x", ""}}, 1));
  REQUIRE(snapshot.size() == 2);
  CHECK(snapshot[0].name == "requests");
  CHECK(snapshot[0].help == "Requests.");
  CHECK(snapshot[0].kind == Kind::kCounter);
  REQUIRE(snapshot[0].samples.size() == 3);
  CHECK(snapshot[0].samples[0].value == 7);
  CHECK(snapshot[0].samples[1].value == 5);
  CHECK(snapshot[0].samples[2].value == 1);
  CHECK(snapshot[1].name == "spans");
  CHECK(snapshot[1].kind == Kind::kGauge);
}

TEST_CASE("merge: the histograms of two workers are one") {
  Histogram one;
  one.record(0.2);
  one.record(20);
  Histogram two;
  two.record(0.2);
  Snapshot snapshot;
  for (const Histogram* each : {&one, &two}) {
    merge(snapshot, "duration", "Seconds.", Kind::kHistogram,
          {{{"method", "GET"}}, 0, each->snapshot()});
  }
  REQUIRE(snapshot.size() == 1);
  REQUIRE(snapshot[0].samples.size() == 1);
  const Histogram::Snapshot& both = snapshot[0].samples[0].histogram;
  CHECK(both.count == 3);
  CHECK(both.sum == doctest::Approx(20.4));
  CHECK(both.buckets[6] == 2);
  CHECK(both.buckets[14] == 1);
}

TEST_CASE("merge: many series of several workers, each into its own") {
  constexpr int kSeries = 20'000;
  constexpr int kWorkers = 3;
  Snapshot snapshot;
  for (int worker = 0; worker < kWorkers; ++worker) {
    for (int i = 0; i < kSeries; ++i) {
      merge(snapshot, "requests", "", Kind::kCounter,
            sample({{"host", std::to_string(i)}, {"mode", "forward"}}, i));
    }
  }
  REQUIRE(snapshot.size() == 1);
  REQUIRE(snapshot[0].samples.size() == kSeries);
  for (int i = 0; i < kSeries; ++i) {
    const Sample& series = snapshot[0].samples[static_cast<size_t>(i)];
    CHECK(series.labels[0].value == std::to_string(i));
    CHECK(series.value == kWorkers * i);
  }
}

}  // namespace
}  // namespace sidespan::metrics
