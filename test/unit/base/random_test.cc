#include "sidespan/base/random.h"

#include <doctest/doctest.h>

#include <array>
#include <set>
#include <vector>

namespace sidespan {
namespace {

// xoshiro256** seeded by splitmix64, worked out by hand from the published algorithms.
TEST_CASE("random: a seed gives its sequence") {
  Random random(42);
  for (const uint64_t expected :
       {0x15780b2e0c2ec716U, 0x6104d9866d113a7eU, 0xae17533239e499a1U, 0xecb8ad4703b360a1U}) {
    CHECK(random.next() == expected);
  }
}

TEST_CASE("random: the system seeds each generator anew") {
  std::set<uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(Random::from_system().next());
  CHECK(seen.size() == 100);
}

TEST_CASE("random: below stays below, and reaches every value alike") {
  Random random(1);
  for (const uint64_t bound : {1ULL, 2ULL, 3ULL, 1000ULL, (1ULL << 63U) + 1, UINT64_MAX + 0ULL}) {
    CAPTURE(bound);
    for (int i = 0; i < 200; ++i) CHECK(random.below(bound) < bound);
  }
  std::array<int, 6> counts{};
  for (int i = 0; i < 60000; ++i) ++counts[random.below(counts.size())];
  for (const int count : counts) {  // six standard deviations around 10000
    CHECK(count > 9450);
    CHECK(count < 10550);
  }
}

TEST_CASE("random: fractions fill [0, 1)") {
  Random random(3);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double fraction = random.fraction();
    REQUIRE(fraction >= 0);
    REQUIRE(fraction < 1);
    sum += fraction;
  }
  CHECK(sum > 4800);
  CHECK(sum < 5200);
}

}  // namespace
}  // namespace sidespan
