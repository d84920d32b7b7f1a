// Requests that failed and may be sent again, by a hash of all that they say: the next one that is
// equal is another attempt. Where two failed it is not known whose. Bounded, and forgotten when
// they are old; a mutex held for a lookup or an insert. Used by the registry.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "sidespan/base/clock.h"
#include "sidespan/lineage/turn.h"

namespace sidespan::lineage {

class FailedCalls {
 public:
  static constexpr size_t kCallsMax = 1024;

  explicit FailedCalls(Nanoseconds horizon) : horizon_(horizon) {}

  void add(uint64_t request, const SpanRef& call, MonoTime now) {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(request);
    if (found != calls_.end()) {
      const bool old = now - found->second.since >= horizon_;
      found->second = old ? Failed{call, now} : Failed{{}, found->second.since};
    } else if (calls_.size() < kCallsMax) {
      calls_.emplace(request, Failed{call, now});
    }
    count_.store(calls_.size(), std::memory_order_relaxed);
  }
  // Once: the attempt after that has this one before it.
  std::optional<SpanRef> take(uint64_t request, MonoTime now) {
    if (count_.load(std::memory_order_relaxed) == 0) return std::nullopt;
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(request);
    if (found == calls_.end() || now - found->second.since >= horizon_) return std::nullopt;
    const SpanRef call = found->second.call;
    if (!call) return std::nullopt;
    calls_.erase(found);
    count_.store(calls_.size(), std::memory_order_relaxed);
    return call;
  }
  void sweep(MonoTime now) {
    if (count_.load(std::memory_order_relaxed) == 0) return;
    const std::lock_guard lock(mutex_);
    std::erase_if(calls_, [&](const auto& one) { return now - one.second.since >= horizon_; });
    count_.store(calls_.size(), std::memory_order_relaxed);
  }

 private:
  struct Failed {
    SpanRef call;  // none: several
    MonoTime since;
  };

  const Nanoseconds horizon_;
  std::mutex mutex_;
  std::unordered_map<uint64_t, Failed> calls_;
  std::atomic<size_t> count_{0};
};

}  // namespace sidespan::lineage
