// The queue of encoded spans before the exporter, already parted into batches. Pure. The batch that
// is being exported stays at the front until it is settled, so that what waits and what is in
// flight are one count, and one limit. Pipeline is its only user.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/report/pipeline.h"

namespace sidespan::report {

// Encoded spans, one behind the other in one piece with what goes before and behind them in a
// request.
class Batch {
 public:
  // `head_room`: what goes before them takes at most.
  explicit Batch(size_t head_room)
      : head_room_(head_room), end_(head_room), bytes_(head_room, '\0') {}

  void reserve(size_t spans_bytes) { bytes_.reserve(head_room_ + spans_bytes); }
  void add(std::string_view span) {
    bytes_.append(span);
    end_ = bytes_.size();
    sizes_.push_back(static_cast<uint32_t>(span.size()));
  }
  size_t count() const { return sizes_.size(); }
  size_t bytes() const { return end_ - head_room_; }  // of the spans
  std::string_view spans() const { return std::string_view(bytes_).substr(head_room_, bytes()); }
  // The spans between these two. Nothing may be added any more.
  std::string_view between(std::string_view head, std::string_view tail);
  // Keeps the first half and gives the second; of an odd number the first keeps less. count() > 1.
  Batch split();

 private:
  size_t head_room_;
  size_t end_;  // of the spans
  std::string bytes_;
  std::vector<uint32_t> sizes_;
};

class BatchQueue {
 public:
  // `head_room`: what the head of a request takes at most.
  explicit BatchQueue(BatchOptions options, size_t head_room = 0);

  // How many spans were left out.
  struct LeftOut {
    uint64_t queue_full = 0;
    uint64_t too_large = 0;
  };
  // Adds encoded spans, one behind the other, to the last batch, and as it fills up to others.
  LeftOut push(std::string_view spans, std::span<const uint32_t> sizes, MonoTime now);

  bool empty() const { return entries_.empty(); }
  size_t spans() const { return spans_; }
  size_t bytes() const { return bytes_; }

  // When the first batch is to go: it is full, was closed, or its first span has waited long
  // enough. Not when empty.
  MonoTime due() const;

  // The first batch, to which nothing is added from now on. Not when empty.
  Batch& close_first();
  // It is over, one way or another; returns how many spans it had.
  size_t pop_first();
  // It becomes two, which go one after the other.
  void split_first();

 private:
  struct Entry {
    Batch batch;
    MonoTime opened;
    bool closed = false;
  };

  Entry& begin(MonoTime now);
  void close(Entry& entry);

  BatchOptions options_;
  size_t head_room_;
  std::deque<Entry> entries_;  // none of them empty
  size_t spans_ = 0;
  size_t bytes_ = 0;
  size_t usual_bytes_ = 0;  // of a batch, so that the next one need not grow
};

}  // namespace sidespan::report
