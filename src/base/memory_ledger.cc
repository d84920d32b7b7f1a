#include "sidespan/base/memory_ledger.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sidespan {
namespace {

constexpr std::array<int64_t, 3> kPercent = {80, 90, 95};  // by MemoryMark
// How far a thread's count may be from what the ledger knows. A small limit has small steps.
constexpr int64_t kStepMax = int64_t{64} * 1024;
constexpr int64_t kStepMin = int64_t{4} * 1024;
constexpr int64_t kStepsOfLimit = 256;

int64_t mark_of(size_t limit, int64_t percent) {
  return static_cast<int64_t>(limit) / 100 * percent;
}

}  // namespace

namespace memory {

constinit thread_local Tally tally;

}  // namespace memory

MemoryLedger::MemoryLedger(size_t limit_bytes)
    : limit_(limit_bytes),
      marks_{mark_of(limit_bytes, kPercent[0]), mark_of(limit_bytes, kPercent[1]),
             mark_of(limit_bytes, kPercent[2])},
      step_(std::clamp(static_cast<int64_t>(limit_bytes) / kStepsOfLimit, kStepMin, kStepMax)) {}

size_t MemoryLedger::held() const {
  // A thread may have told of a block's end before another told of its beginning.
  return static_cast<size_t>(std::max(held_.load(std::memory_order_relaxed), int64_t{0}));
}

void MemoryLedger::ask_largest() {
  const std::scoped_lock lock(mutex_);
  const auto largest = std::ranges::max_element(accounts_, {}, [](const MemoryAccount* account) {
    return account->published_.load(std::memory_order_relaxed);
  });
  if (largest != accounts_.end() && !(*largest)->asked_.exchange(true)) (*largest)->on_full_();
}

MemoryAccount::MemoryAccount(MemoryLedger& ledger, std::function<void()> on_full)
    : ledger_(ledger), on_full_(std::move(on_full)) {
  assert(memory::tally.account == nullptr && "a thread has one account");
  // What the thread allocated before is nobody's traffic.
  memory::tally = {.held = 0, .low = -ledger_.step_, .high = ledger_.step_, .account = this};
  const std::scoped_lock lock(ledger_.mutex_);
  ledger_.accounts_.push_back(this);
}

MemoryAccount::~MemoryAccount() {
  {
    const std::scoped_lock lock(ledger_.mutex_);
    std::erase(ledger_.accounts_, this);
  }
  ledger_.held_.fetch_sub(published_, std::memory_order_relaxed);
  memory::tally = {};
}

void MemoryAccount::publish() {
  const int64_t held = memory::tally.held;
  const int64_t moved = held - published_.load(std::memory_order_relaxed);
  published_.store(held, std::memory_order_relaxed);
  ledger_.held_.fetch_add(moved, std::memory_order_relaxed);
  memory::tally.low = held - ledger_.step_;
  memory::tally.high = held + ledger_.step_;
  if (moved > 0 && ledger_.over(MemoryMark::kReset)) ledger_.ask_largest();
}

size_t MemoryAccount::excess() {
  asked_ = false;
  publish();
  const int64_t over = ledger_.held_.load(std::memory_order_relaxed) -
                       ledger_.marks_[static_cast<size_t>(MemoryMark::kReset)];
  return over < 0 ? 0 : static_cast<size_t>(over) + 1;
}

}  // namespace sidespan
