// Numbers that one thread writes and another may read at any time. A Counter is a plain increment
// made visible to readers (relaxed atomics, single writer): no lock, no read-modify-write on the
// request path. report/metrics_text renders them; proxy and report own their sets.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sidespan::metrics {

// Single writer, many readers.
class Counter {
 public:
  void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Single writer, many readers; may go down.
class Gauge {
 public:
  void add(int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(int64_t n) { value_.store(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Upper ends of a histogram's buckets, ascending; static, and at most kBoundsMax.
using Bounds = std::span<const double>;
inline constexpr size_t kBoundsMax = 16;

// The boundaries OpenTelemetry's HTTP conventions advise for durations, in seconds.
inline constexpr std::array<double, 14> kDurationBounds = {
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0};

// Single writer, many readers.
class Histogram {
 public:
  explicit Histogram(Bounds bounds = kDurationBounds) : bounds_(bounds) {}

  void record(double value);

  struct Snapshot {
    Bounds bounds = kDurationBounds;
    std::array<uint64_t, kBoundsMax + 1> buckets{};  // not cumulative; [bounds.size()] is +Inf
    uint64_t count = 0;
    double sum = 0;
  };
  Snapshot snapshot() const;

 private:
  Bounds bounds_;
  std::array<Counter, kBoundsMax + 1> buckets_;
  std::atomic<double> sum_{0};
};

// What a scrape gathers: families of samples, in the order they are added.
enum class Kind : uint8_t { kCounter, kGauge, kHistogram };

struct Label {
  std::string name;
  std::string value;

  bool operator==(const Label&) const = default;
};

struct Sample {
  std::vector<Label> labels;
  double value = 0;               // counters and gauges
  Histogram::Snapshot histogram;  // histograms
};

struct Family {
  std::string name;  // without the `_total` that a counter's text form adds
  std::string help;
  Kind kind = Kind::kCounter;
  std::vector<Sample> samples;
  // merge()'s own: where in `samples` labels of this hash are.
  std::unordered_multimap<size_t, size_t> by_labels = {};
};

using Snapshot = std::vector<Family>;

// Adds `sample` to the family `name`, summing it into a sample with the same labels: several
// workers report one series.
void merge(Snapshot& snapshot, std::string_view name, std::string_view help, Kind kind,
           Sample sample);

}  // namespace sidespan::metrics
