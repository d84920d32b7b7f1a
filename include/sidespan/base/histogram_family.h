// The histograms of one name, told apart by their labels and bounded in number: what is beyond
// counts together, as otel_metric_overflow="true" (OpenTelemetry metrics SDK, "Cardinality
// limits"). One thread writes, any may read.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/metrics.h"

namespace sidespan::metrics {

struct LabelView {
  std::string_view name;
  std::string_view value;

  auto operator<=>(const LabelView&) const = default;
};

class HistogramFamily {
 public:
  // `name`, `help` and `bounds` are static.
  struct Options {
    std::string_view name;
    std::string_view help;
    Bounds bounds = kDurationBounds;
    size_t series_max = 1000;
  };
  explicit HistogramFamily(const Options& options) : options_(options), overflow_(options.bounds) {}

  // The writer's alone. What it returns stays where it is, for good.
  Histogram& of(std::span<const LabelView> labels);

  void collect(Snapshot& snapshot) const;

 private:
  // Looks up without making a key.
  struct Less {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return std::lexicographical_compare_three_way(
                 a.begin(), a.end(), b.begin(), b.end(),
                 [](const auto& x, const auto& y) { return view(x) <=> view(y); }) < 0;
    }
  };
  static LabelView view(const Label& label) { return {label.name, label.value}; }
  static LabelView view(const LabelView& label) { return label; }

  void merge_into(Snapshot& snapshot, const std::vector<Label>& labels,
                  const Histogram& histogram) const;

  const Options options_;
  // Held to add a series and to list them; the one writer looks up without it.
  mutable std::mutex mutex_;
  std::map<std::vector<Label>, Histogram, Less> series_;
  Histogram overflow_;
};

}  // namespace sidespan::metrics
