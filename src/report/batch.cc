#include "report/batch.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "sidespan/otlp/encode.h"

namespace sidespan::report {

Batch Batch::split() {
  assert(count() > 1);
  const auto middle = sizes.begin() + static_cast<ptrdiff_t>(count() / 2);
  const size_t bytes = std::accumulate(sizes.begin(), middle, size_t{0});
  Batch second;
  second.spans = spans.substr(bytes);
  second.sizes.assign(middle, sizes.end());
  spans.resize(bytes);
  sizes.erase(middle, sizes.end());
  return second;
}

BatchQueue::BatchQueue(BatchOptions options) : options_(options) {
  options_.spans_max = std::max<size_t>(options_.spans_max, 1);
}

std::optional<DropReason> BatchQueue::push(const trace::Span& span, MonoTime now) {
  if (spans_ >= options_.queue_max) return DropReason::kQueueFull;
  Entry* entry = &last_open(now);
  std::string& spans = entry->batch.spans;
  const size_t begin = spans.size();
  otlp::append_span(spans, span);
  const size_t size = spans.size() - begin;

  if (bytes_ + size > options_.queue_bytes_max) {
    spans.resize(begin);
    if (begin == 0) entries_.pop_back();
    return size > options_.queue_bytes_max ? DropReason::kTooLarge : DropReason::kQueueFull;
  }
  if (begin > 0 && spans.size() > options_.bytes_max) {
    std::string alone = spans.substr(begin);
    spans.resize(begin);
    entry->closed = true;
    entry = &last_open(now);
    entry->batch.spans = std::move(alone);
  }
  Batch& batch = entry->batch;
  batch.sizes.push_back(static_cast<uint32_t>(size));
  entry->closed = batch.count() >= options_.spans_max || batch.spans.size() >= options_.bytes_max;
  ++spans_;
  bytes_ += size;
  return std::nullopt;
}

BatchQueue::Entry& BatchQueue::last_open(MonoTime now) {
  if (entries_.empty() || entries_.back().closed) entries_.push_back({{}, now, false});
  return entries_.back();
}

MonoTime BatchQueue::due() const {
  const Entry& first = entries_.front();
  return first.closed ? MonoTime::min() : first.opened + options_.delay;
}

const Batch& BatchQueue::close_first() {
  entries_.front().closed = true;
  return entries_.front().batch;
}

size_t BatchQueue::pop_first() {
  const Batch& batch = entries_.front().batch;
  const size_t count = batch.count();
  spans_ -= count;
  bytes_ -= batch.spans.size();
  entries_.pop_front();
  return count;
}

void BatchQueue::split_first() {
  Entry& first = entries_.front();
  Entry second{first.batch.split(), first.opened, true};
  entries_.insert(entries_.begin() + 1, std::move(second));
}

}  // namespace sidespan::report
