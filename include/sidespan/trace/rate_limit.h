// So many a second, for all threads together: a token bucket that holds one second's worth (at
// least one), full at first. Given the time, no lock: one atomic. `sampling.head.per_second` is
// what it is for.
#pragma once

#include <atomic>
#include <cstdint>

#include "sidespan/base/clock.h"

namespace sidespan::trace {

class RateLimit {
 public:
  // More than 0; what comes to less than a nanosecond each is no limit.
  explicit RateLimit(double per_second);

  // Whether there was a token, which is gone then. Any thread.
  bool take(MonoTime now);
  // How often there was none.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  int64_t each_;  // nanoseconds a token takes to come
  int64_t all_;   // the whole bucket
  // When the bucket was empty, or would have been had it never been full.
  std::atomic<int64_t> empty_at_;
  std::atomic<uint64_t> refused_ = 0;
};

}  // namespace sidespan::trace
