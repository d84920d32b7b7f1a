#include "sidespan/base/histogram_family.h"

#include <utility>

namespace sidespan::metrics {

Histogram& HistogramFamily::of(std::span<const LabelView> labels) {
  // Only this thread adds, so it may look without the lock.
  if (const auto found = series_.find(labels); found != series_.end()) return found->second;
  if (series_.size() >= options_.series_max) return overflow_;
  std::vector<Label> key;
  key.reserve(labels.size());
  for (const LabelView& label : labels) {
    key.push_back({std::string(label.name), std::string(label.value)});
  }
  const std::scoped_lock lock(mutex_);
  return series_.try_emplace(std::move(key), options_.bounds).first->second;
}

void HistogramFamily::collect(Snapshot& snapshot) const {
  using Series = decltype(series_)::value_type;
  std::vector<const Series*> all;
  {
    // Only to list them: a writer with a new series waits here.
    const std::scoped_lock lock(mutex_);
    all.reserve(series_.size());
    for (const Series& series : series_) all.push_back(&series);
  }
  for (const Series* series : all) merge_into(snapshot, series->first, series->second);
  if (overflow_.snapshot().count > 0) {
    merge_into(snapshot, {{"otel_metric_overflow", "true"}}, overflow_);
  }
}

void HistogramFamily::merge_into(Snapshot& snapshot, const std::vector<Label>& labels,
                                 const Histogram& histogram) const {
  merge(snapshot, options_.name, options_.help, Kind::kHistogram,
        {.labels = labels, .value = 0, .histogram = histogram.snapshot()});
}

}  // namespace sidespan::metrics
