#include "report/batch.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

namespace sidespan::report {

std::string_view Batch::between(std::string_view head, std::string_view tail) {
  assert(head.size() <= head_room_);
  const size_t begin = head_room_ - head.size();
  head.copy(bytes_.data() + begin, head.size());
  bytes_.resize(end_);
  bytes_.append(tail);
  return std::string_view(bytes_).substr(begin);
}

Batch Batch::split() {
  assert(count() > 1);
  const std::span<const uint32_t> first = std::span(sizes_).first(count() / 2);
  const size_t middle = std::accumulate(first.begin(), first.end(), head_room_);
  Batch second(head_room_);
  second.bytes_.append(bytes_, middle, end_ - middle);
  second.end_ = second.bytes_.size();
  second.sizes_.assign(sizes_.begin() + static_cast<ptrdiff_t>(first.size()), sizes_.end());
  bytes_.resize(middle);
  end_ = middle;
  sizes_.resize(first.size());
  return second;
}

BatchQueue::BatchQueue(BatchOptions options, size_t head_room)
    : options_(options), head_room_(head_room) {
  options_.spans_max = std::max<size_t>(options_.spans_max, 1);
}

BatchQueue::LeftOut BatchQueue::push(std::string_view spans, std::span<const uint32_t> sizes,
                                     MonoTime now) {
  LeftOut left_out;
  Entry* open = entries_.empty() || entries_.back().closed ? nullptr : &entries_.back();
  for (const uint32_t size : sizes) {
    const std::string_view span = spans.substr(0, size);
    spans.remove_prefix(size);
    if (spans_ >= options_.queue_max || bytes_ + size > options_.queue_bytes_max) {
      const bool too_large = spans_ < options_.queue_max && size > options_.queue_bytes_max;
      ++(too_large ? left_out.too_large : left_out.queue_full);
      continue;
    }
    if (open != nullptr && open->batch.bytes() + size > options_.bytes_max) {
      close(*open);
      open = nullptr;
    }
    if (open == nullptr) open = &begin(now);
    Batch& batch = open->batch;
    batch.add(span);
    ++spans_;
    bytes_ += size;
    if (batch.count() >= options_.spans_max || batch.bytes() >= options_.bytes_max) {
      close(*open);
      open = nullptr;
    }
  }
  return left_out;
}

BatchQueue::Entry& BatchQueue::begin(MonoTime now) {
  Entry& entry = entries_.emplace_back(Batch(head_room_), now, false);
  entry.batch.reserve(usual_bytes_);
  return entry;
}

void BatchQueue::close(Entry& entry) {
  if (std::exchange(entry.closed, true)) return;
  const size_t bytes = entry.batch.bytes();
  // One that was closed by time says less of the next than a full one before it.
  usual_bytes_ = std::max(bytes + bytes / 16, usual_bytes_ / 2);
}

MonoTime BatchQueue::due() const {
  const Entry& first = entries_.front();
  return first.closed ? MonoTime::min() : first.opened + options_.delay;
}

Batch& BatchQueue::close_first() {
  close(entries_.front());
  return entries_.front().batch;
}

size_t BatchQueue::pop_first() {
  const Batch& batch = entries_.front().batch;
  const size_t count = batch.count();
  spans_ -= count;
  bytes_ -= batch.bytes();
  entries_.pop_front();
  return count;
}

void BatchQueue::split_first() {
  Entry& first = entries_.front();
  Entry second{first.batch.split(), first.opened, true};
  entries_.insert(entries_.begin() + 1, std::move(second));
}

}  // namespace sidespan::report
