#include "sidespan/trace/rate_limit.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sidespan::trace {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

}  // namespace

RateLimit::RateLimit(double per_second)
    : each_(std::llround(static_cast<double>(kSecond) / per_second)),
      all_(std::max(kSecond, each_)),
      empty_at_(std::numeric_limits<int64_t>::min()) {}

bool RateLimit::take(MonoTime now) {
  const int64_t at = Nanoseconds(now.time_since_epoch()).count();
  int64_t seen = empty_at_.load(std::memory_order_relaxed);
  for (;;) {
    const int64_t emptied = std::max(seen, at - all_) + each_;
    if (emptied > at) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    if (empty_at_.compare_exchange_weak(seen, emptied, std::memory_order_relaxed)) return true;
  }
}

}  // namespace sidespan::trace
