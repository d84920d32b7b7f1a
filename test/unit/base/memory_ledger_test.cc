#include "sidespan/base/memory_ledger.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sidespan/base/buffer.h"

namespace sidespan {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

TEST_CASE("ledger: marks stand at 80, 90 and 95 percent") {
  struct Row {
    const char* name;
    size_t held;
    bool taps_off;
    bool refuse;
    bool reset;
  };
  constexpr size_t kPercent = 100 * kKiB;
  const Row rows[] = {
      {"nothing", 0, false, false, false},
      {"79 %", 79 * kPercent, false, false, false},
      {"80 %", 80 * kPercent, true, false, false},
      {"90 %", 90 * kPercent, true, true, false},
      {"95 %", 95 * kPercent, true, true, true},
      {"more than there may be", 200 * kPercent, true, true, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    MemoryLedger ledger(100 * kPercent);
    MemoryAccount account(ledger, [] {});
    const MemoryCharge charge(row.held);
    account.publish();
    CHECK(ledger.held() == row.held);
    CHECK(ledger.over(MemoryMark::kTapsOff) == row.taps_off);
    CHECK(ledger.over(MemoryMark::kRefuse) == row.refuse);
    CHECK(ledger.over(MemoryMark::kReset) == row.reset);
    CHECK(memory::full() == row.reset);
  }
}

TEST_CASE("ledger: is told in steps, and of everything in the end") {
  MemoryLedger ledger(128 * kMiB);
  MemoryAccount account(ledger, [] {});
  std::optional<MemoryCharge> small(std::in_place, 64 * kKiB);
  CHECK(ledger.held() == 0);
  MemoryCharge more(1);
  CHECK(ledger.held() == 64 * kKiB + 1);
  small.reset();
  CHECK(ledger.held() == 64 * kKiB + 1);
  more.set(0);
  account.publish();
  CHECK(ledger.held() == 0);
}

TEST_CASE("ledger: small limits have small steps") {
  MemoryLedger ledger(kMiB);
  MemoryAccount account(ledger, [] {});
  const MemoryCharge charge(4 * kKiB + 1);
  CHECK(ledger.held() == 4 * kKiB + 1);
}

TEST_CASE("ledger: a block counts from its making to its end, wherever it moves") {
  MemoryLedger ledger(128 * kMiB);
  MemoryAccount account(ledger, [] {});
  const auto held = [&] {
    account.publish();
    return ledger.held();
  };
  Chain chain;
  chain.append(std::string(10'000, 'a'));
  CHECK(held() == 10'000);
  Chain other = std::move(chain);
  other.append(std::string(5'000, 'b'));
  CHECK(held() == 15'000);
  Chain share = other.share();
  CHECK(held() == 15'000);  // a block counts once
  other.consume(9'999);
  CHECK(held() == 15'000);  // and is freed as a whole
  share.clear();
  other.consume(1);
  CHECK(held() == 5'000);
  Chunk chunk = Chunk::copy_of("1234");
  const size_t small = chunk.room() + chunk.size();
  chunk = Chunk::copy_of("123");
  CHECK(held() == 5'000 + small);
  other.clear();
  CHECK(held() == small);
}

TEST_CASE("ledger: over the last mark the account that holds most is asked, once") {
  MemoryLedger ledger(10 * kMiB);
  int asked = 0;
  MemoryAccount account(ledger, [&] { ++asked; });
  MemoryCharge charge(9 * kMiB);
  CHECK(asked == 0);
  charge.set(10 * kMiB);
  CHECK(asked == 1);
  charge.set(11 * kMiB);
  CHECK(asked == 1);  // it has not looked yet
  const size_t mark = 10 * kMiB / 100 * 95;
  CHECK(account.excess() == 11 * kMiB - mark + 1);
  CHECK(asked == 1);
  account.look_again();
  CHECK(asked == 2);
  charge.set(mark - 1);
  CHECK(account.excess() == 0);
  CHECK_FALSE(memory::full());
}

TEST_CASE("ledger: threads add up, and another thread's account may be the one to let go") {
  MemoryLedger ledger(10 * kMiB);
  int asked_here = 0;
  MemoryAccount account(ledger, [&] { ++asked_here; });
  const MemoryCharge charge(7 * kMiB);
  std::thread([&] {
    int asked_there = 0;
    MemoryAccount other(ledger, [&] { ++asked_there; });
    CHECK(ledger.held() == 7 * kMiB);
    const MemoryCharge more(3 * kMiB);
    CHECK(ledger.held() == 10 * kMiB);
    CHECK(memory::full());
    CHECK(asked_there == 0);
  }).join();
  CHECK(asked_here == 1);
  CHECK(ledger.held() == 7 * kMiB);  // what a thread had is gone with it
}

TEST_CASE("ledger: threads that charge and let go all at once leave nothing behind") {
  MemoryLedger ledger(kMiB);
  std::atomic<int> times_asked = 0;
  const auto work = [&] {
    for (int round = 0; round < 50; ++round) {
      std::atomic<bool> asked = false;
      MemoryAccount account(ledger, [&] {
        asked = true;
        ++times_asked;
      });
      MemoryCharge charge;
      for (size_t bytes = 0; bytes < kMiB; bytes += 32 * kKiB) {
        charge.set(bytes);
        if (!asked.exchange(false) || account.excess() == 0) continue;
        charge.set(0);
        account.look_again();
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  CHECK(times_asked > 0);
  CHECK(ledger.held() == 0);
}

TEST_CASE("ledger: a thread without an account counts for nobody") {
  const MemoryLedger ledger(kMiB);
  const Chunk chunk(2 * kMiB);
  CHECK(ledger.held() == 0);
  CHECK_FALSE(memory::full());
}

}  // namespace
}  // namespace sidespan
