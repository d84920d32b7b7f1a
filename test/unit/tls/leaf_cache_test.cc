#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sidespan/base/memory_ledger.h"
#include "sidespan/tls/authority.h"
#include "verifier.h"

namespace sidespan::tls {
namespace {

std::unique_ptr<Authority> make() {
  Result<std::unique_ptr<Authority>> made =
      Authority::make({.permitted = {.names = {"example"}}}, kNow);
  REQUIRE(made);
  return *std::move(made);
}

const x509_st* certificate(LeafCache& cache, std::string_view host, WallTime now = kNow) {
  const Result<Leaf> leaf = cache.leaf(host, now);
  REQUIRE(leaf);
  return leaf->certificate();
}

}  // namespace

TEST_CASE("leaf cache: a name is minted once, until its leaf is about to end") {
  const auto authority = make();
  LeafCache cache(*authority, 4);
  const Leaf first = *cache.leaf("a.example", kNow);
  CHECK(certificate(cache, "a.example") == first.certificate());
  const WallTime last = first.not_after() - std::chrono::hours(1);
  CHECK(certificate(cache, "a.example", last - std::chrono::seconds(1)) == first.certificate());
  CHECK(cache.minted() == 1);

  CHECK(certificate(cache, "a.example", last) != first.certificate());
  CHECK(cache.minted() == 2);
  const auto later = cache.leaf("a.example", kNow + 8 * kDay);
  REQUIRE(later);
  CHECK(cache.minted() == 2);
  CHECK(verify(later->certificate(), nullptr, authority->certificate_pem(), "a.example",
               kNow + 8 * kDay) == "ok");
  CHECK(cache.size() == 1);
}

TEST_CASE("leaf cache: what was minted before the clock was set back is minted anew") {
  const auto authority = make();
  LeafCache cache(*authority, 4);
  certificate(cache, "a.example", kNow + 3 * kDay);
  const auto now = cache.leaf("a.example", kNow);
  REQUIRE(now);
  CHECK(cache.minted() == 2);
  CHECK(now->not_before() == kNow - kDay);
  CHECK(verify(now->certificate(), nullptr, authority->certificate_pem(), "a.example", kNow) ==
        "ok");
  CHECK(certificate(cache, "a.example") == now->certificate());
  CHECK(certificate(cache, "a.example", now->not_before()) == now->certificate());
  CHECK(cache.size() == 1);
}

TEST_CASE("leaf cache: eight days later all is minted anew") {
  const auto authority = make();
  LeafCache cache(*authority, 4);
  const Leaf first = *cache.leaf("a.example", kNow);
  const Leaf second = *cache.leaf("a.example", kNow + 8 * kDay);
  CHECK(cache.minted() == 2);
  CHECK(second.not_after() == kNow + 15 * kDay);
  CHECK(first.not_after() == kNow + 7 * kDay);
}

TEST_CASE("leaf cache: who was asked for longest ago goes first") {
  const auto authority = make();
  LeafCache cache(*authority, 2);
  certificate(cache, "a.example");
  certificate(cache, "b.example");
  certificate(cache, "a.example");
  certificate(cache, "c.example");
  CHECK(cache.size() == 2);
  CHECK(cache.minted() == 3);
  certificate(cache, "a.example");
  CHECK(cache.minted() == 3);
  certificate(cache, "b.example");
  CHECK(cache.minted() == 4);
}

TEST_CASE("leaf cache: ten thousand names leave it at its bound") {
  const auto authority = make();
  LeafCache cache(*authority, 100);
  std::vector<Nanoseconds> took;
  for (int i = 0; i < 10'000; ++i) {
    const MonoTime began = SystemClock().now().mono;
    certificate(cache, std::to_string(i) + ".example");
    took.push_back(SystemClock().now().mono - began);
  }
  CHECK(cache.size() == 100);
  CHECK(cache.minted() == 10'000);
  std::ranges::sort(took);
  MESSAGE("minted in " << to_seconds(took[5000]) << " s, p99 " << to_seconds(took[9900]) << " s");
}

TEST_CASE("leaf cache: what cannot be minted is not kept") {
  const auto authority = make();
  LeafCache cache(*authority, 2);
  CHECK(cache.leaf("*.example", kNow).error().code == Code::kInvalid);
  CHECK(cache.leaf("a.test", kNow).error().code == Code::kDenied);
  CHECK(cache.leaf("a.example", kNow + 366 * kDay).error().code == Code::kInvalid);
  CHECK(cache.size() == 0);
  CHECK(cache.minted() == 0);
}

TEST_CASE("leaf cache: it keeps to its share of the ledger's limit") {
  constexpr size_t kLimit = size_t{1} << 20;
  const auto authority = make();
  MemoryLedger ledger(kLimit);
  MemoryAccount account(ledger, [] {});
  {
    LeafCache cache(*authority, 1000);
    certificate(cache, "first.example");
    const int64_t before = memory::tally.held;
    for (int i = 0; i < 500; ++i) {
      certificate(cache, std::to_string(i) + ".example");
      certificate(cache, "first.example");
    }
    CHECK(memory::tally.held - before < int64_t{kLimit / 12});
    CHECK(cache.size() == 12);
    // Who is asked for stays.
    CHECK(cache.minted() == 501);
  }
  CHECK(memory::tally.held < int64_t{kLimit / 64});
}

TEST_CASE("leaf cache: with room for none it keeps none") {
  const auto authority = make();
  LeafCache cache(*authority, 0);
  certificate(cache, "a.example");
  certificate(cache, "a.example");
  CHECK(cache.size() == 0);
  CHECK(cache.minted() == 2);
}

}  // namespace sidespan::tls
