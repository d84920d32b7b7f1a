#include "sidespan/trace/sampler.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace sidespan::trace {
namespace {

constexpr uint64_t kLowest = 0xff00000000000000U;  // as the low half of a trace id: R is 0
constexpr uint64_t kHighest = 0x00ffffffffffffffU;

std::unique_ptr<Sampler> sampler(std::string_view name, double ratio = 1.0) {
  auto made = make_sampler(name, ratio);
  REQUIRE(made.has_value());
  return *std::move(made);
}

SpanContext parent_of(uint8_t flags, std::string_view tracestate, uint64_t low = kHighest) {
  return {{1, low}, {7}, flags, TraceState::parse({tracestate})};
}

TEST_CASE("sampler: names") {
  for (const char* name : {"always_on", "always_off", "traceidratio", "parentbased_always_on",
                           "parentbased_always_off", "parentbased_traceidratio", "ALWAYS_ON"}) {
    INFO(name);
    CHECK(make_sampler(name, 0.5).has_value());
  }
  for (const char* name : {"", "always", "parentbased_", "jaeger_remote",
                           "parentbased_jaeger_remote", "xray", "parentbased_xray"}) {
    INFO(name);
    const auto made = make_sampler(name);
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().code == Code::kInvalid);
    CHECK(made.error().side == Side::kSelf);
    CHECK(made.error().what.find(name) != std::string::npos);
  }
  for (const double ratio : {-0.1, 1.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
    CHECK_FALSE(make_sampler("traceidratio", ratio).has_value());
    CHECK_FALSE(make_sampler("parentbased_traceidratio", ratio).has_value());
    CHECK(make_sampler("always_on", ratio).has_value());
  }
}

TEST_CASE("sampler: thresholds of ratios") {
  struct Row {
    const char* name;
    double ratio;
    const char* threshold;
  };
  const Row rows[] = {
      {"all", 1.0, "0"},
      {"half", 0.5, "8"},
      {"a third", 1.0 / 3, "aaab"},
      {"a quarter", 0.25, "c"},
      {"a fifth", 0.2, "cccd"},
      {"a tenth", 0.1, "e666"},
      {"a hundredth", 0.01, "fd70a"},
      {"a thousandth", 0.001, "ffbe77"},
      {"a sixteenth", 1.0 / 16, "f"},
      {"nearly all", 0.999, "004189"},
      {"the smallest", 0x1p-56, "ffffffffffffff"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const auto decision = sampler("traceidratio", row.ratio)->decide({1, kHighest}, nullptr);
    CHECK(decision.sampled);
    CHECK(decision.tracestate.to_string() == std::string("ot=th:") + row.threshold);
  }
}

TEST_CASE("sampler: R against T") {
  struct Row {
    const char* name;
    double ratio;
    uint64_t low;
    bool sampled;
  };
  constexpr uint64_t kHalf = uint64_t{1} << 55U;
  const Row rows[] = {
      {"at the threshold", 0.5, kHalf, true},
      {"just under it", 0.5, kHalf - 1, false},
      {"only the last 56 bits count", 0.5, 0xff00000000000000U, false},
      {"ratio 0, highest R", 0.0, kHighest, false},
      {"ratio 1, lowest R", 1.0, kLowest, true},
      {"smallest ratio, highest R", 0x1p-56, kHighest, true},
      {"smallest ratio, one less", 0x1p-56, kHighest - 1, false},
      {"less than the smallest is 0", 0x1p-58, kHighest, false},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const auto decision = sampler("traceidratio", row.ratio)->decide({1, row.low}, nullptr);
    CHECK(decision.sampled == row.sampled);
    CHECK(decision.tracestate.empty() != row.sampled);
  }
}

TEST_CASE("sampler: a ratio keeps its share, and what a smaller one keeps") {
  Random random(3);
  const auto tenth = sampler("traceidratio", 0.1);
  const auto half = sampler("parentbased_traceidratio", 0.5);
  int kept_tenth = 0;
  int kept_half = 0;
  for (int i = 0; i < 20000; ++i) {
    const TraceId id = TraceId::make(random);
    const bool in_tenth = tenth->decide(id, nullptr).sampled;
    const bool in_half = half->decide(id, nullptr).sampled;
    CHECK((!in_tenth || in_half));
    kept_tenth += in_tenth ? 1 : 0;
    kept_half += in_half ? 1 : 0;
  }
  CHECK(std::abs(kept_tenth - 2000) < 200);
  CHECK(std::abs(kept_half - 10000) < 400);
}

TEST_CASE("sampler: with a parent") {
  struct Row {
    const char* name;
    const char* sampler;
    double ratio;
    uint8_t flags;
    const char* before;
    bool sampled;
    const char* after;
  };
  const Row rows[] = {
      // The parent decides, whatever the root's sampler.
      {"sampled parent", "parentbased_always_off", 1, 1, "a=1", true, "a=1"},
      {"unsampled parent", "parentbased_always_on", 1, 0, "a=1", false, "a=1"},
      {"sampled parent, ratio 0", "parentbased_traceidratio", 0, 3, "", true, ""},
      {"th 100 %", "parentbased_always_on", 1, 1, "ot=th:0", true, "ot=th:0"},
      {"th that holds", "parentbased_always_on", 1, 1, "a=1,ot=th:c", true, "a=1,ot=th:c"},
      {"th that does not", "parentbased_always_on", 1, 1, "a=1,ot=th:c;rv:00000000000001", true,
       "ot=rv:00000000000001,a=1"},
      {"th of 14 digits", "parentbased_always_on", 1, 1, "ot=th:80000000000001;rv:80000000000000",
       true, "ot=rv:80000000000000"},
      {"rv above th", "parentbased_always_on", 1, 1, "ot=rv:80000000000000;th:8", true,
       "ot=rv:80000000000000;th:8"},
      {"th of an unsampled parent", "parentbased_always_on", 1, 0, "ot=th:0,a=1", false, "a=1"},
      {"others stay", "parentbased_always_on", 1, 0, "ot=x:1;th:0;rv:6e6d1a75832a2f;y", false,
       "ot=x:1;rv:6e6d1a75832a2f;y"},
      {"empty sub-keys go with th", "parentbased_always_on", 1, 0, "ot=;x:1;;th:0", false,
       "ot=x:1"},
      {"unreadable th", "parentbased_always_on", 1, 1, "ot=th:C", true, "ot=th:C"},
      {"unreadable rv: the trace id counts", "parentbased_always_on", 1, 1,
       "ot=th:8;rv:0000000000001", true, "ot=th:8;rv:0000000000001"},
      {"th too long", "parentbased_always_on", 1, 1, "ot=th:000000000000001", true,
       "ot=th:000000000000001"},
      {"sub-key that only looks like th", "parentbased_always_on", 1, 0, "ot=xth:1", false,
       "ot=xth:1"},
      // The ratio alone decides.
      {"ratio over an unsampled parent", "traceidratio", 0.5, 0, "a=1", true, "ot=th:8,a=1"},
      {"ratio with rv", "traceidratio", 0.5, 1, "ot=rv:7fffffffffffff", false,
       "ot=rv:7fffffffffffff"},
      {"ratio with rv and old th", "traceidratio", 0.5, 1, "a=1,ot=th:c;rv:80000000000000;x:1",
       true, "ot=th:8;rv:80000000000000;x:1,a=1"},
      {"ratio against, th goes", "traceidratio", 0, 1, "ot=th:c", false, ""},
      {"unreadable th is replaced", "traceidratio", 1, 1, "ot=th:C;th:", true, "ot=th:0"},
      // Constants know no probability.
      {"always_on", "always_on", 1, 0, "a=1", true, "a=1"},
      {"always_on ends a th", "always_on", 1, 1, "a=1,ot=th:c;rv:80000000000000", true,
       "ot=rv:80000000000000,a=1"},
      {"always_off", "always_off", 1, 1, "a=1", false, "a=1"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const SpanContext parent = parent_of(row.flags, row.before);
    const auto decision = sampler(row.sampler, row.ratio)->decide(parent.trace_id, &parent);
    CHECK(decision.sampled == row.sampled);
    CHECK(decision.tracestate.to_string() == row.after);
  }
}

TEST_CASE("sampler: th goes where ot has no room left") {
  const std::string others = "x:" + std::string(253, 'y');  // 255 bytes
  const SpanContext parent = parent_of(1, "ot=" + others + ",a=1");
  const auto decision = sampler("traceidratio", 0.5)->decide(parent.trace_id, &parent);
  CHECK(decision.sampled);
  CHECK(decision.tracestate.to_string() == "ot=" + others + ",a=1");
}

TEST_CASE("start: roots and children") {
  struct Row {
    const char* name;
    const char* sampler;
    int parent_flags;  // -1: none
    bool trust;
    bool child;
    uint8_t flags;
  };
  const Row rows[] = {
      {"root", "parentbased_always_on", -1, true, false, 3},
      {"unsampled root", "parentbased_always_off", -1, true, false, 2},
      {"child", "parentbased_always_on", 1, true, true, 1},
      {"child of a random one", "parentbased_always_on", 3, true, true, 3},
      {"child of an unsampled one", "parentbased_always_on", 2, true, true, 2},
      {"other flags end here", "parentbased_always_on", 0xfd, true, true, 1},
      {"sampled after all", "always_on", 0, true, true, 1},
      {"no longer sampled", "always_off", 3, true, true, 2},
      {"not trusted", "parentbased_always_off", 3, false, false, 2},
  };
  Random random(5);
  for (const Row& row : rows) {
    INFO(row.name);
    const SpanContext parent = parent_of(static_cast<uint8_t>(row.parent_flags), "a=1");
    const auto started = start_span_context(row.parent_flags < 0 ? nullptr : &parent,
                                            *sampler(row.sampler), random, row.trust);
    CHECK(started.context.valid());
    CHECK(started.context.span_id != parent.span_id);
    CHECK((started.context.trace_id == parent.trace_id) == row.child);
    CHECK(started.context.flags == row.flags);
    CHECK(started.sampled == started.context.sampled());
    CHECK(started.context.tracestate.to_string() == (row.child ? "a=1" : ""));
  }
}

TEST_CASE("start: an invalid parent is none") {
  Random random(6);
  SpanContext parent = parent_of(1, "a=1");
  parent.span_id = {};
  const auto started = start_span_context(&parent, *sampler("always_on"), random);
  CHECK(started.context.trace_id != parent.trace_id);
  CHECK(started.context.flags == 3);
  CHECK(started.context.tracestate.empty());
}

TEST_CASE("start: a sampled root tells its threshold") {
  Random random(7);
  const auto ratio = sampler("parentbased_traceidratio", 0.5);
  int sampled = 0;
  for (int i = 0; i < 100; ++i) {
    const auto started = start_span_context(nullptr, *ratio, random);
    CHECK(started.context.tracestate.to_string() == (started.sampled ? "ot=th:8" : ""));
    const auto next = start_span_context(&started.context, *ratio, random);
    CHECK(next.sampled == started.sampled);
    CHECK(next.context.tracestate == started.context.tracestate);
    CHECK(next.context.span_id != started.context.span_id);
    sampled += started.sampled ? 1 : 0;
  }
  CHECK(sampled > 20);
  CHECK(sampled < 80);
}

}  // namespace
}  // namespace sidespan::trace
