#include "report/batch.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

namespace sidespan::report {

Batch Batch::split() {
  assert(count() > 1);
  const auto middle = sizes.begin() + static_cast<ptrdiff_t>(count() / 2);
  const size_t first = std::accumulate(sizes.begin(), middle, size_t{0});
  Batch second;
  second.bytes = bytes.substr(first);
  second.sizes.assign(middle, sizes.end());
  bytes.resize(first);
  sizes.erase(middle, sizes.end());
  return second;
}

BatchQueue::BatchQueue(BatchOptions options) : options_(options) {
  options_.spans_max = std::max<size_t>(options_.spans_max, 1);
}

std::optional<DropReason> BatchQueue::push(std::string_view span, MonoTime now) {
  const size_t size = span.size();
  if (spans_ >= options_.queue_max) return DropReason::kQueueFull;
  if (bytes_ + size > options_.queue_bytes_max) {
    return size > options_.queue_bytes_max ? DropReason::kTooLarge : DropReason::kQueueFull;
  }
  Entry* entry = &last_open(now);
  if (entry->batch.count() > 0 && entry->batch.bytes.size() + size > options_.bytes_max) {
    close(*entry);
    entry = &last_open(now);
  }
  Batch& batch = entry->batch;
  batch.bytes.append(span);
  batch.sizes.push_back(static_cast<uint32_t>(size));
  if (batch.count() >= options_.spans_max || batch.bytes.size() >= options_.bytes_max)
    close(*entry);
  ++spans_;
  bytes_ += size;
  return std::nullopt;
}

BatchQueue::Entry& BatchQueue::last_open(MonoTime now) {
  if (entries_.empty() || entries_.back().closed) {
    entries_.push_back({{}, now, false});
    entries_.back().batch.bytes.reserve(usual_bytes_);
  }
  return entries_.back();
}

void BatchQueue::close(Entry& entry) {
  if (std::exchange(entry.closed, true)) return;
  const size_t bytes = entry.batch.bytes.size();
  usual_bytes_ = bytes + bytes / 16;
}

MonoTime BatchQueue::due() const {
  const Entry& first = entries_.front();
  return first.closed ? MonoTime::min() : first.opened + options_.delay;
}

const Batch& BatchQueue::close_first() {
  close(entries_.front());
  return entries_.front().batch;
}

size_t BatchQueue::pop_first() {
  const Batch& batch = entries_.front().batch;
  const size_t count = batch.count();
  spans_ -= count;
  bytes_ -= batch.bytes.size();
  entries_.pop_front();
  return count;
}

void BatchQueue::split_first() {
  Entry& first = entries_.front();
  Entry second{first.batch.split(), first.opened, true};
  entries_.insert(entries_.begin() + 1, std::move(second));
}

}  // namespace sidespan::report
