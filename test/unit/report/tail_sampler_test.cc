#include "report/tail_sampler.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "sidespan/otlp/edit.h"
#include "sidespan/otlp/encode.h"
#include "sidespan/trace/probability.h"

namespace sidespan::report {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime kStart{5000s};
constexpr uint64_t kHighest = trace::kNeverThreshold - 1;

trace::TraceId id_of(uint64_t number) {
  return {number + 1, number};
}

struct Rig {
  explicit Rig(TailOptions options = {})
      : sampler(
            with_errors(std::move(options)),
            [this](std::string_view span) { kept.emplace_back(span); },
            [this](uint64_t count) { dropped += count; }) {}

  static TailOptions with_errors(TailOptions options) {
    if (options.policies.empty()) options.policies = {{TailError{}}};
    options.wait = 10s;
    options.max_wait = 100s;
    return options;
  }

  void add(const trace::TraceId& id, bool error = false, std::string_view tracestate = {},
           std::string_view name = "GET") {
    trace::Span span;
    span.context = {id, {++spans}, trace::kSampledFlag, trace::TraceState::parse({tracestate})};
    span.name = name;
    if (error) span.status = trace::SpanStatus::kError;
    std::string encoded;
    otlp::append_span(encoded, span);
    last_bytes = encoded.size();
    sampler.add(sampler.rules().read(span), encoded, now);
  }
  void pass(Nanoseconds time) {
    now += time;
    sampler.advance(now);
  }
  uint64_t early(TailSampler::Early why) const {
    return sampler.counts().early[static_cast<size_t>(why)];
  }
  // Every span is somewhere.
  bool adds_up() const { return kept.size() + dropped + sampler.spans() == spans; }

  MonoTime now = kStart;
  uint64_t spans = 0;
  size_t last_bytes = 0;
  std::vector<std::string> kept;
  uint64_t dropped = 0;
  TailSampler sampler;
};

TEST_CASE("tail: a trace is decided when it has been quiet") {
  Rig rig;
  CHECK_FALSE(rig.sampler.due());
  rig.add(id_of(1));
  CHECK(rig.sampler.due() == kStart + 10s);
  rig.pass(9s);
  rig.add(id_of(1), true);
  CHECK(rig.sampler.due() == kStart + 19s);
  rig.pass(9999ms);
  CHECK(rig.kept.empty());
  rig.pass(1ms);
  CHECK(rig.kept.size() == 2);
  CHECK(rig.dropped == 0);
  CHECK(rig.sampler.empty());
  CHECK_FALSE(rig.sampler.due());
  CHECK(rig.sampler.counts().kept == 1);
  rig.add(id_of(2));
  rig.pass(10s);
  CHECK(rig.kept.size() == 2);
  CHECK(rig.dropped == 1);
  CHECK(rig.sampler.counts().dropped == 1);
  CHECK(rig.sampler.bytes() == 0);
}

TEST_CASE("tail: spans go on as they came, in their order") {
  Rig rig;
  trace::Span span;
  span.context = {id_of(1), {1}, 1, {}};
  span.status = trace::SpanStatus::kError;
  std::string all;
  std::string got;
  for (const char* name : {"first", "second", "third"}) {
    span.name = name;
    std::string encoded;
    otlp::append_span(encoded, span);
    all += encoded;
    rig.sampler.add(rig.sampler.rules().read(span), encoded, kStart);
  }
  rig.sampler.flush();
  for (const std::string& one : rig.kept) got += one;
  CHECK(got == all);
}

TEST_CASE("tail: no trace waits longer than max_wait") {
  Rig rig;
  for (int i = 0; i < 12; ++i) {
    rig.add(id_of(1));
    rig.pass(8s);
  }
  rig.add(id_of(1));
  CHECK(rig.dropped == 0);
  CHECK(rig.sampler.due() == kStart + 100s);
  rig.pass(4s);
  CHECK(rig.dropped == 13);
  CHECK(rig.early(TailSampler::Early::kMaxWait) == 1);
}

TEST_CASE("tail: a held trace waits for its release, up to max_wait") {
  Rig rig;
  rig.sampler.hold(id_of(1));
  rig.add(id_of(1));
  rig.add(id_of(2));
  rig.sampler.hold(id_of(2));
  rig.sampler.hold(id_of(2));
  rig.pass(50s);
  CHECK(rig.dropped == 0);
  rig.sampler.release(id_of(1), rig.now);
  rig.sampler.release(id_of(2), rig.now);
  CHECK(rig.sampler.due() == rig.now + 10s);
  rig.pass(10s);
  CHECK(rig.dropped == 1);
  rig.pass(39s);
  CHECK(rig.dropped == 1);
  rig.pass(1s);
  CHECK(rig.dropped == 2);
  CHECK(rig.early(TailSampler::Early::kMaxWait) == 1);
  rig.sampler.release(id_of(2), rig.now);
  rig.sampler.release(id_of(3), rig.now);
  rig.add(id_of(2));
  CHECK(rig.dropped == 3);
}

TEST_CASE("tail: each hold needs its own release, whatever else waits") {
  Rig rig({.traces_max = 1});
  rig.sampler.hold(id_of(1));
  rig.sampler.hold(id_of(2));
  rig.sampler.release(id_of(1), rig.now);
  rig.sampler.hold(id_of(2));
  rig.sampler.release(id_of(2), rig.now);
  rig.add(id_of(2));
  rig.pass(50s);
  CHECK(rig.dropped == 0);
  rig.sampler.release(id_of(2), rig.now);
  rig.pass(10s);
  CHECK(rig.dropped == 1);
}

TEST_CASE("tail: late spans follow the decision") {
  Rig rig;
  rig.add(id_of(1), true);
  rig.add(id_of(2));
  rig.pass(10s);
  rig.add(id_of(1));
  rig.add(id_of(2));
  CHECK(rig.kept.size() == 2);
  CHECK(rig.dropped == 2);
  CHECK(rig.sampler.counts().kept + rig.sampler.counts().dropped == 2);
  CHECK(rig.sampler.counts().partial == 0);
}

TEST_CASE("tail: a late error keeps what is left of its trace") {
  Rig rig;
  rig.add(id_of(1));
  rig.pass(10s);
  rig.add(id_of(1), true);
  rig.add(id_of(1));
  rig.add(id_of(1), true);
  CHECK(rig.dropped == 1);
  CHECK(rig.kept.size() == 3);
  CHECK(rig.sampler.counts().partial == 1);
}

TEST_CASE("tail: for one more trace the quietest is decided") {
  Rig rig({.traces_max = 2});
  rig.add(id_of(1));
  rig.add(id_of(2), true);
  rig.add(id_of(1));
  rig.add(id_of(3));
  CHECK(rig.sampler.traces() == 2);
  CHECK(rig.kept.size() == 1);
  CHECK(rig.early(TailSampler::Early::kTraces) == 1);
  rig.add(id_of(4));
  CHECK(rig.dropped == 2);
  CHECK(rig.early(TailSampler::Early::kTraces) == 2);
}

TEST_CASE("tail: held ones are the last to go for want of room") {
  Rig rig({.traces_max = 2});
  rig.sampler.hold(id_of(1));
  rig.add(id_of(1));
  rig.add(id_of(2));
  rig.add(id_of(3));
  CHECK(rig.sampler.traces() == 2);
  rig.sampler.hold(id_of(3));
  rig.add(id_of(4));
  CHECK(rig.dropped == 2);
  rig.add(id_of(3));  // still there
  CHECK(rig.dropped == 2);
  CHECK(rig.adds_up());
}

TEST_CASE("tail: spans and bytes are bounded, and a trace can be too large alone") {
  Rig rig({.spans_max = 3});
  for (int i = 0; i < 5; ++i) rig.add(id_of(1));
  CHECK(rig.sampler.spans() == 0);  // late ones since the fourth
  CHECK(rig.dropped == 5);
  CHECK(rig.early(TailSampler::Early::kSpans) == 1);

  Rig bytes({.bytes_max = 200});
  bytes.add(id_of(1));
  REQUIRE(bytes.last_bytes * 2 < 200);
  bytes.add(id_of(2), true);
  bytes.add(id_of(3));
  bytes.add(id_of(4));
  CHECK(bytes.sampler.bytes() <= 200);
  CHECK(bytes.early(TailSampler::Early::kBytes) > 0);
  const std::string huge(300, 'x');
  bytes.add(id_of(5), true, {}, huge);
  bytes.add(id_of(6), false, {}, huge);
  CHECK(bytes.sampler.bytes() <= 200);
  CHECK(bytes.kept.size() == 2);
  CHECK(bytes.adds_up());
}

TEST_CASE("tail: a forgotten decision is made anew") {
  TailDecisions decisions(4);
  for (uint64_t i = 0; i < 100; ++i) {
    decisions.put(id_of(i), {.keep = true, .threshold = i});
    CHECK(decisions.size() <= 4);
    REQUIRE(decisions.find(id_of(i)) != nullptr);
    CHECK(decisions.find(id_of(i))->threshold == i);
  }
  CHECK(decisions.find(id_of(1)) == nullptr);
  // What is asked for stays.
  for (uint64_t i = 100; i < 200; ++i) {
    decisions.put(id_of(i), {});
    CHECK(decisions.find(id_of(99)) != nullptr);
  }
}

TEST_CASE("tail: th tells the share that was kept, where it is known") {
  struct Row {
    const char* name;
    const char* before;
    uint64_t randomness;
    const char* after;
  };
  const Row rows[] = {
      {"of all", "ot=th:0,a=1", kHighest, "ot=th:e666,a=1"},
      {"of a share that is larger", "ot=th:8", kHighest, "ot=th:e666"},
      {"of a share that is smaller", "ot=th:fd70a", kHighest, "ot=th:fd70a"},
      {"of nobody knows what", "a=1", kHighest, "a=1"},
      {"no tracestate", "", kHighest, ""},
      {"by rv", "ot=th:0;rv:f0000000000000", 1, "ot=th:e666;rv:f0000000000000"},
      {"another key of ot stays", "b=2,ot=x:1;th:0", kHighest, "ot=th:e666;x:1,b=2"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Rig rig({.policies = {{TailProbability{trace::threshold_of(0.1)}}}});
    rig.add({1, row.randomness}, false, row.before);
    rig.sampler.flush();
    rig.add({1, row.randomness}, false, row.before);  // a late one
    REQUIRE(rig.kept.size() == 2);
    CHECK(otlp::tracestate_of(rig.kept[0]) == row.after);
    CHECK(rig.kept[0].size() == rig.kept[1].size());
  }
}

TEST_CASE("tail: what is kept whatever its randomness keeps its th") {
  Rig rig({.policies = {{TailError{}}, {TailProbability{trace::threshold_of(0.1)}}}});
  rig.add({1, kHighest}, true, "ot=th:8");
  rig.sampler.flush();
  REQUIRE(rig.kept.size() == 1);
  CHECK(otlp::tracestate_of(rig.kept[0]) == "ot=th:8");
}

TEST_CASE("tail: a span whose own rv disagrees loses its th") {
  Rig rig({.policies = {{TailProbability{trace::threshold_of(0.1)}}}});
  rig.add({1, kHighest}, false, "ot=th:0");
  rig.add({1, kHighest}, false, "ot=th:0;rv:00000000000001");
  rig.sampler.flush();
  REQUIRE(rig.kept.size() == 2);
  CHECK(otlp::tracestate_of(rig.kept[0]) == "ot=th:e666");
  CHECK(otlp::tracestate_of(rig.kept[1]) == "ot=rv:00000000000001");
}

TEST_CASE("tail: a tenth of the traces is a tenth, the same one each time") {
  std::vector<std::set<uint64_t>> kept(2);
  for (auto& set : kept) {
    Rig rig({.policies = {{TailProbability{trace::threshold_of(0.1)}}}});
    Random random(11);
    for (uint64_t i = 0; i < 10'000; ++i) {
      const trace::TraceId id = trace::TraceId::make(random);
      const size_t before = rig.kept.size();
      rig.add(id);
      rig.sampler.flush();
      if (rig.kept.size() > before) set.insert(id.low);
    }
  }
  CHECK(kept[0] == kept[1]);
  CHECK(kept[0].size() > 900);
  CHECK(kept[0].size() < 1100);
}

// 20,000 traces whose spans come in any order, under limits that are reached: the books balance at
// every step, and no limit is ever passed.
TEST_CASE("tail: whatever comes, everything is accounted for within the limits") {
  // Each limit by itself.
  const std::vector<TailOptions> tight = {{.traces_max = 44, .decisions_max = 100},
                                          {.spans_max = 48, .decisions_max = 100},
                                          {.bytes_max = 4800, .decisions_max = 100}};
  for (size_t which = 0; which < tight.size(); ++which) {
    CAPTURE(which);
    std::minstd_rand chance(static_cast<unsigned>(which + 1));
    const TailOptions& options = tight[which];
    Rig rig(options);
    for (int i = 0; i < 20'000; ++i) {
      const trace::TraceId id = id_of(chance() % 300);
      switch (chance() % 12) {
        case 0:
          rig.sampler.hold(id);
          break;
        case 1:
          rig.sampler.release(id, rig.now);
          break;
        case 2:
          rig.pass(Milliseconds(chance() % 4000));
          break;
        default:
          rig.add(id, chance() % 50 == 0, {}, std::string(chance() % 60, 'n'));
      }
      REQUIRE(rig.adds_up());
      REQUIRE(rig.sampler.traces() <= options.traces_max);
      REQUIRE(rig.sampler.spans() <= options.spans_max);
      REQUIRE(rig.sampler.bytes() <= options.bytes_max);
      const auto due = rig.sampler.due();
      REQUIRE(due.has_value() == !rig.sampler.empty());
    }
    rig.sampler.flush();
    CHECK(rig.sampler.bytes() == 0);
    CHECK(rig.kept.size() + rig.dropped == rig.spans);
    CHECK(rig.sampler.counts().early[which] > 0);
  }
}

}  // namespace
}  // namespace sidespan::report
