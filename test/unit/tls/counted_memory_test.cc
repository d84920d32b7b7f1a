#include "tls/counted_memory.h"

#include <doctest/doctest.h>
#include <openssl/crypto.h>

#include <thread>

#include "sidespan/base/memory_ledger.h"

namespace sidespan::tls {
namespace {

constexpr int64_t kKiB = 1024;
// What an allocator may add to a block.
constexpr int64_t kSlack = 8 * kKiB;

TEST_CASE("counted memory: a block of OpenSSL's counts for its thread while it is there") {
  const int64_t before = memory::tally.held;
  const auto grown = [&] { return memory::tally.held - before; };
  void* block = OPENSSL_malloc(static_cast<size_t>(100 * kKiB));
  CHECK(grown() >= 100 * kKiB);
  CHECK(grown() <= 100 * kKiB + kSlack);
  block = OPENSSL_realloc(block, static_cast<size_t>(300 * kKiB));
  CHECK(grown() >= 300 * kKiB);
  CHECK(grown() <= 300 * kKiB + kSlack);
  block = OPENSSL_realloc(block, static_cast<size_t>(10 * kKiB));
  CHECK(grown() >= 10 * kKiB);
  CHECK(grown() <= 10 * kKiB + kSlack);
  OPENSSL_free(block);
  CHECK(grown() == 0);
}

TEST_CASE("counted memory: no bytes are no block") {
  const int64_t before = memory::tally.held;
  CHECK(OPENSSL_malloc(0) == nullptr);
  OPENSSL_free(nullptr);
  void* const block = OPENSSL_realloc(nullptr, 100);
  REQUIRE(block != nullptr);
  CHECK(OPENSSL_realloc(block, 0) == nullptr);
  CHECK(memory::tally.held == before);
}

TEST_CASE("counted memory: a share is what came less what went, in its time alone") {
  int64_t share = 0;
  void* const earlier = OPENSSL_malloc(1000);
  void* kept = nullptr;
  {
    const CountedShare counted(share);
    kept = OPENSSL_malloc(static_cast<size_t>(50 * kKiB));
    OPENSSL_free(OPENSSL_malloc(7000));
  }
  void* const later = OPENSSL_malloc(1000);
  CHECK(share >= 50 * kKiB);
  CHECK(share <= 50 * kKiB + kSlack);
  {
    const CountedShare counted(share);
    OPENSSL_free(kept);
  }
  CHECK(share == 0);
  OPENSSL_free(earlier);
  OPENSSL_free(later);
}

TEST_CASE(
    "counted memory: the ledger is right about a block that one thread made and another freed") {
  MemoryLedger ledger(size_t{1} << 20);
  MemoryAccount account(ledger, [] {});
  void* const block = OPENSSL_malloc(static_cast<size_t>(200 * kKiB));
  CHECK(ledger.held() >= static_cast<size_t>(200 * kKiB));
  std::thread([&] {
    MemoryAccount other(ledger, [] {});
    OPENSSL_free(block);
    CHECK(ledger.held() < static_cast<size_t>(kSlack));
  }).join();
}

}  // namespace
}  // namespace sidespan::tls
