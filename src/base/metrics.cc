#include "sidespan/base/metrics.h"

#include <algorithm>

namespace sidespan::metrics {

void DurationHistogram::record(double seconds) {
  const auto bucket = std::ranges::lower_bound(kDurationBounds, seconds) - kDurationBounds.begin();
  buckets_[static_cast<size_t>(bucket)].add();
  sum_.store(sum_.load(std::memory_order_relaxed) + seconds, std::memory_order_relaxed);
}

DurationHistogram::Snapshot DurationHistogram::snapshot() const {
  Snapshot out;
  for (size_t i = 0; i < buckets_.size(); ++i) out.count += out.buckets[i] = buckets_[i].value();
  out.sum = sum_.load(std::memory_order_relaxed);
  return out;
}

void merge(Snapshot& snapshot, std::string_view name, std::string_view help, Kind kind,
           Sample sample) {
  auto family = std::ranges::find(snapshot, name, &Family::name);
  if (family == snapshot.end()) {
    snapshot.push_back({std::string(name), std::string(help), kind, {}});
    family = snapshot.end() - 1;
  }
  const auto same = std::ranges::find_if(family->samples, [&](const Sample& known) {
    return std::ranges::equal(known.labels, sample.labels, [](const Label& a, const Label& b) {
      return a.name == b.name && a.value == b.value;
    });
  });
  if (same == family->samples.end()) {
    family->samples.push_back(std::move(sample));
    return;
  }
  same->value += sample.value;
  same->histogram.sum += sample.histogram.sum;
  same->histogram.count += sample.histogram.count;
  for (size_t i = 0; i < same->histogram.buckets.size(); ++i) {
    same->histogram.buckets[i] += sample.histogram.buckets[i];
  }
}

}  // namespace sidespan::metrics
