#include "sidespan/base/metrics.h"

#include <algorithm>
#include <functional>

namespace sidespan::metrics {
namespace {

size_t hash_of(const std::vector<Label>& labels) {
  constexpr size_t kFactor = 0x9e3779b97f4a7c15U;
  const std::hash<std::string_view> hash;
  size_t sum = labels.size();
  for (const Label& label : labels) {
    sum = (sum ^ hash(label.name)) * kFactor;
    sum = (sum ^ hash(label.value)) * kFactor;
  }
  return sum;
}

Sample* find(Family& family, size_t hash, const std::vector<Label>& labels) {
  const auto [first, last] = family.by_labels.equal_range(hash);
  for (auto entry = first; entry != last; ++entry) {
    Sample& sample = family.samples[entry->second];
    if (sample.labels == labels) return &sample;
  }
  return nullptr;
}

}  // namespace

void Histogram::record(double value) {
  // From the least on: most values are small, and to halve so few steps costs more than to take
  // them.
  const auto reaches = [value](double bound) { return value <= bound; };
  const auto bucket = std::ranges::find_if(bounds_, reaches) - bounds_.begin();
  buckets_[static_cast<size_t>(bucket)].add();
  sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot out;
  out.bounds = bounds_;
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
  const size_t hash = hash_of(sample.labels);
  Sample* same = find(*family, hash, sample.labels);
  if (same == nullptr) {
    family->by_labels.emplace(hash, family->samples.size());
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
