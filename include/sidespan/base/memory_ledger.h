// What this process holds of its peers' traffic, against one limit: the blocks of every Chunk, and
// by MemoryCharge what is no Chunk (heads, connections), and TLS. Each worker counts by itself in
// plain numbers and tells the ledger when its count has moved by a step, so that a block costs an
// addition and no atomic. Threads without an account (telemetry: spans have a bound of their own)
// count for nobody. Three marks of the limit say what is due: taps go off, new requests are
// refused, and whoever holds most is reset; above the last one net reads nothing more.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <vector>

namespace sidespan {

enum class MemoryMark : uint8_t {
  kTapsOff,  // 80 % of the limit
  kRefuse,   // 90 %
  kReset,    // 95 %
};

class MemoryAccount;

// One a process. Everything here may be asked by any thread.
class MemoryLedger {
 public:
  explicit MemoryLedger(size_t limit_bytes);

  bool over(MemoryMark mark) const {
    return held_.load(std::memory_order_relaxed) >= marks_[static_cast<size_t>(mark)];
  }
  // Up to one step an account behind.
  size_t held() const;
  size_t limit() const { return limit_; }

 private:
  friend class MemoryAccount;
  // Asks the account that holds most to let go; one that was asked and has not looked yet is not
  // asked again.
  void ask_largest();

  const size_t limit_;
  const std::array<int64_t, 3> marks_;
  const int64_t step_;
  std::atomic<int64_t> held_ = 0;
  std::mutex mutex_;  // over the list; taken when an account comes, goes, or is over the last mark
  std::vector<MemoryAccount*> accounts_;
};

// A thread's part. Made and destroyed on the thread, one at a time; outlives what it counts.
class MemoryAccount {
 public:
  // `on_full` is called, on any thread and in the middle of anything, when this account is the one
  // to let go: it only posts. The thread then asks excess().
  MemoryAccount(MemoryLedger& ledger, std::function<void()> on_full);
  ~MemoryAccount();
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  // On the thread: bytes that all threads together hold over MemoryMark::kReset, now.
  size_t excess();
  // On the thread, and only after something was let go: whether it was enough is looked at once
  // more, by whoever then holds most.
  void look_again() { ledger_.ask_largest(); }

  // Called by the counting below.
  void publish();
  const MemoryLedger& ledger() const { return ledger_; }

 private:
  friend class MemoryLedger;

  MemoryLedger& ledger_;
  const std::function<void()> on_full_;
  std::atomic<int64_t> published_ = 0;
  std::atomic<bool> asked_ = false;
};

namespace memory {

// This thread's count, and between which bounds nobody needs to be told.
struct Tally {
  int64_t held = 0;
  int64_t low = std::numeric_limits<int64_t>::min();
  int64_t high = std::numeric_limits<int64_t>::max();
  MemoryAccount* account = nullptr;
};
extern constinit thread_local Tally tally;

inline void charge(size_t bytes) {
  tally.held += static_cast<int64_t>(bytes);
  if (tally.held > tally.high) [[unlikely]]
    tally.account->publish();
}

inline void release(size_t bytes) {
  tally.held -= static_cast<int64_t>(bytes);
  if (tally.held < tally.low) [[unlikely]]
    tally.account->publish();
}

// Nothing more should be read on this thread for now: somebody is about to be reset.
inline bool full() {
  return tally.account != nullptr && tally.account->ledger().over(MemoryMark::kReset);
}

}  // namespace memory

// Bytes that are in no Chunk, for as long as this lives. Set and destroyed on one thread.
class MemoryCharge {
 public:
  explicit MemoryCharge(size_t bytes = 0) { set(bytes); }
  ~MemoryCharge() { set(0); }
  MemoryCharge(const MemoryCharge&) = delete;
  MemoryCharge& operator=(const MemoryCharge&) = delete;

  void set(size_t bytes) {
    if (bytes > bytes_) memory::charge(bytes - bytes_);
    if (bytes < bytes_) memory::release(bytes_ - bytes);
    bytes_ = bytes;
  }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_ = 0;
};

}  // namespace sidespan
