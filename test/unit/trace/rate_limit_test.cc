#include "sidespan/trace/rate_limit.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "sidespan/trace/sampler.h"

namespace sidespan::trace {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime kStart{1000s};

int taken(RateLimit& limit, MonoTime now, int tries) {
  int taken = 0;
  for (int i = 0; i < tries; ++i) taken += limit.take(now) ? 1 : 0;
  return taken;
}

TEST_CASE("rate limit: one second's worth at first, then as they come") {
  RateLimit limit(10);
  CHECK(taken(limit, kStart, 15) == 10);
  CHECK(limit.refused() == 5);
  CHECK(taken(limit, kStart + 99ms, 1) == 0);
  CHECK(taken(limit, kStart + 100ms, 2) == 1);
  CHECK(taken(limit, kStart + 350ms, 9) == 2);
  CHECK(taken(limit, kStart + 1h, 100) == 10);
}

TEST_CASE("rate limit: less than one a second") {
  RateLimit limit(0.1);
  CHECK(taken(limit, kStart, 3) == 1);
  CHECK(taken(limit, kStart + 9999ms, 3) == 0);
  CHECK(taken(limit, kStart + 10s, 3) == 1);
  CHECK(taken(limit, kStart + 1h, 3) == 1);
}

TEST_CASE("rate limit: over any time no more than the rate and one bucket") {
  RateLimit limit(3);
  int kept = 0;
  for (int i = 0; i < 60'000; ++i) kept += limit.take(kStart + Milliseconds(i)) ? 1 : 0;
  CHECK(kept >= 3 * 59);
  CHECK(kept <= 3 * 61);
}

TEST_CASE("rate limit: time that goes back gives nothing") {
  RateLimit limit(1);
  CHECK(limit.take(kStart));
  CHECK_FALSE(limit.take(kStart - 10s));
  CHECK_FALSE(limit.take(kStart + 999ms));
  CHECK(limit.take(kStart + 1s));
}

TEST_CASE("rate limit: several threads share it") {
  RateLimit limit(1000);
  std::atomic<int> kept = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { kept += taken(limit, kStart, 2000); });
  for (std::thread& thread : threads) thread.join();
  CHECK(kept == 1000);
  CHECK(limit.refused() == 7000);
}

struct FixedClock final : Clock {
  Moment now() const override { return {kStart, {}}; }
};

struct Limited {
  explicit Limited(std::string_view name, double ratio = 1.0)
      : sampler(limit_roots(*make_sampler(name, ratio, true), limit, clock)) {}

  FixedClock clock;
  std::shared_ptr<RateLimit> limit = std::make_shared<RateLimit>(2);
  std::unique_ptr<Sampler> sampler;
  Random random{1};
};

TEST_CASE("limited roots: so many, and none of them claims a probability") {
  for (const char* name : {"always_on", "parentbased_always_on", "traceidratio"}) {
    INFO(name);
    Limited limited(name);
    for (int i = 0; i < 5; ++i) {
      const auto started = start_span_context(nullptr, *limited.sampler, limited.random);
      CHECK(started.sampled == (i < 2));
      CHECK(started.context.tracestate.empty());
      CHECK(started.context.random());
    }
  }
}

TEST_CASE("limited roots: what the sampler would not keep takes nothing") {
  Limited limited("parentbased_always_off");
  for (int i = 0; i < 5; ++i) {
    CHECK_FALSE(start_span_context(nullptr, *limited.sampler, limited.random).sampled);
  }
  CHECK(limited.limit->refused() == 0);
}

TEST_CASE("limited roots: who has decided already is not limited") {
  Limited limited("parentbased_always_on");
  const SpanContext parent{{1, 2}, {3}, kSampledFlag, TraceState::parse({"ot=th:0"})};
  for (int i = 0; i < 5; ++i) {
    const auto child = start_span_context(&parent, *limited.sampler, limited.random);
    CHECK(child.sampled);
    CHECK(child.context.tracestate.to_string() == "ot=th:0");
    const auto kept =
        start_span_context(nullptr, Asked::kKeep, {}, *limited.sampler, limited.random);
    CHECK(kept.sampled);
    const auto dropped =
        start_span_context(nullptr, Asked::kDrop, {}, *limited.sampler, limited.random);
    CHECK_FALSE(dropped.sampled);
  }
  CHECK(limited.limit->refused() == 0);
  CHECK(start_span_context(nullptr, *limited.sampler, limited.random).sampled);
}

TEST_CASE("limited roots: a parent that left it to us counts as a root") {
  Limited limited("parentbased_always_on");
  const SpanContext parent{{1, 2}, {3}, 0, {}};
  for (int i = 0; i < 5; ++i) {
    const auto child =
        start_span_context(&parent, Asked::kUndecided, {}, *limited.sampler, limited.random);
    CHECK(child.sampled == (i < 2));
    CHECK(child.context.trace_id == parent.trace_id);
  }
}

TEST_CASE("always_on tells 100 % where it is asked to") {
  const auto telling = *make_sampler("parentbased_always_on", 1, true);
  CHECK(telling->decide({1, 2}, nullptr).tracestate.to_string() == "ot=th:0");
  const SpanContext unknown{{1, 2}, {3}, kSampledFlag, TraceState::parse({"a=1"})};
  CHECK(telling->decide({1, 2}, &unknown).tracestate.to_string() == "a=1");
  const auto off = *make_sampler("always_off", 1, true);
  CHECK(off->decide({1, 2}, nullptr).tracestate.empty());
  const auto silent = *make_sampler("always_on");
  CHECK(silent->decide({1, 2}, nullptr).tracestate.empty());
}

}  // namespace
}  // namespace sidespan::trace
