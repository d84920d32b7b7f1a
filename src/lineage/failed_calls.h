// Requests that failed and may be sent again, by a hash of all that they say: the next one that is
// equal is another attempt. Where two failed it is not known whose. A table of fixed size: eight
// share a bucket, and where that is full the oldest goes; a mutex held for a lookup or an insert.
// Used by the registry.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "sidespan/base/clock.h"
#include "sidespan/lineage/turn.h"

namespace sidespan::lineage {

class FailedCalls {
 public:
  static constexpr size_t kCallsMax = 1024;
  static constexpr size_t kWays = 8;

  explicit FailedCalls(Nanoseconds horizon) : horizon_(horizon) {}

  // `request` is odd.
  void add(uint64_t request, const SpanRef& call, MonoTime now) {
    const std::lock_guard lock(mutex_);
    if (calls_.empty()) calls_.resize(kCallsMax);
    const std::span<Failed> bucket = bucket_of(request);
    const auto same = std::ranges::find(bucket, request, &Failed::request);
    if (same != bucket.end()) {
      const bool old = now - same->since >= horizon_;
      *same = old ? Failed{request, call, now} : Failed{request, {}, same->since};
      return;
    }
    Failed& oldest = *std::ranges::min_element(bucket, {}, &Failed::since);
    if (oldest.request == 0) count_.fetch_add(1, std::memory_order_relaxed);
    oldest = {request, call, now};
  }
  // Once: the attempt after that has this one before it.
  std::optional<SpanRef> take(uint64_t request, MonoTime now) {
    if (count_.load(std::memory_order_relaxed) == 0) return std::nullopt;
    const std::lock_guard lock(mutex_);
    const std::span<Failed> bucket = bucket_of(request);
    const auto found = std::ranges::find(bucket, request, &Failed::request);
    if (found == bucket.end() || now - found->since >= horizon_ || !found->call) {
      return std::nullopt;
    }
    const SpanRef call = found->call;
    drop(*found);
    return call;
  }
  void sweep(MonoTime now) {
    if (count_.load(std::memory_order_relaxed) == 0) return;
    const std::lock_guard lock(mutex_);
    for (Failed& one : calls_) {
      if (one.request != 0 && now - one.since >= horizon_) drop(one);
    }
  }

 private:
  struct Failed {
    uint64_t request = 0;  // zero: none
    SpanRef call = {};     // none: several
    MonoTime since = MonoTime::min();
  };

  std::span<Failed> bucket_of(uint64_t request) {
    return std::span(calls_).subspan(request / 2 % (kCallsMax / kWays) * kWays, kWays);
  }
  void drop(Failed& one) {
    one = {};
    count_.fetch_sub(1, std::memory_order_relaxed);
  }

  const Nanoseconds horizon_;
  std::mutex mutex_;
  std::vector<Failed> calls_;  // empty until one failed
  std::atomic<size_t> count_{0};
};

}  // namespace sidespan::lineage
