// The queue of encoded spans before the exporter, already parted into batches. Pure. The batch that
// is being exported stays at the front until it is settled, so that what waits and what is in
// flight are one count, and one limit. Pipeline is its only user.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "sidespan/base/clock.h"
#include "sidespan/report/pipeline.h"

namespace sidespan::report {

struct Batch : EncodedSpans {
  size_t count() const { return sizes.size(); }
  // Keeps the first half and gives the second; of an odd number the first keeps less. count() > 1.
  Batch split();
};

class BatchQueue {
 public:
  explicit BatchQueue(BatchOptions options);

  // Adds an encoded span to the last batch. A reason says why it was left out.
  std::optional<DropReason> push(std::string_view span, MonoTime now);

  bool empty() const { return entries_.empty(); }
  size_t spans() const { return spans_; }
  size_t bytes() const { return bytes_; }

  // When the first batch is to go: it is full, was closed, or its first span has waited long
  // enough. Not when empty.
  MonoTime due() const;

  // The first batch, to which nothing is added from now on. Not when empty.
  const Batch& close_first();
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

  Entry& last_open(MonoTime now);
  void close(Entry& entry);

  BatchOptions options_;
  std::deque<Entry> entries_;  // none of them empty
  size_t spans_ = 0;
  size_t bytes_ = 0;
  size_t usual_bytes_ = 0;  // of a batch, so that the next one need not grow
};

}  // namespace sidespan::report
