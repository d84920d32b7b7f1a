#include <doctest/doctest.h>

#include "sidespan/report/tail.h"
#include "sidespan/semconv/attributes.h"
#include "sidespan/trace/probability.h"

namespace sidespan::report {
namespace {

namespace attribute = semconv::attribute;
using namespace std::chrono_literals;

constexpr uint64_t kHalf = uint64_t{1} << 55U;

trace::Span span_of(Milliseconds begin, Milliseconds duration) {
  trace::Span span;
  span.context = {{1, kHalf}, {7}, trace::kSampledFlag, {}};
  span.start = WallTime(begin);
  span.duration = duration;
  return span;
}

bool keeps(TailPolicy policy, const std::vector<const trace::Span*>& spans) {
  const TailRules rules({std::move(policy)});
  TailFacts facts = rules.read(*spans.front()).facts;
  for (const trace::Span* span : spans) {
    if (span != spans.front()) facts.add(rules.read(*span).facts);
  }
  return rules.judge(facts).keep;
}

TEST_CASE("tail rules: conditions of one span") {
  trace::Span plain = span_of(0ms, 10ms);
  plain.attributes.set(attribute::kHttpResponseStatusCode, int64_t{200});
  trace::Span marked = span_of(0ms, 10ms);
  marked.status = trace::SpanStatus::kError;
  marked.attributes.set(attribute::kHttpResponseStatusCode, int64_t{503});
  marked.attributes.set("model", "gpt-5");
  marked.attributes.set("retries", int64_t{3});
  marked.attributes.set("streamed", true);
  marked.attributes.set("share", 0.5);
  const std::vector<std::string_view> tools = {"search", "fetch"};
  marked.attributes.set("tools", std::span(tools));
  struct Row {
    const char* name;
    TailCondition condition;
    bool keeps;
  };
  const Row rows[] = {
      {"an error", TailError{}, true},
      {"a status", TailStatus{{{429, 429}, {500, 599}}}, true},
      {"another status", TailStatus{{{400, 499}}}, false},
      {"an attribute that is there", TailAttribute{"model", {}}, true},
      {"one that is not", TailAttribute{"mode", {}}, false},
      {"a text", TailAttribute{"model", {"claude-*", "gpt-*"}}, true},
      {"another text", TailAttribute{"model", {"claude-*"}}, false},
      {"a number", TailAttribute{"retries", {"3"}}, true},
      {"a switch", TailAttribute{"streamed", {"true"}}, true},
      {"a fraction is there", TailAttribute{"share", {}}, true},
      {"and has no text", TailAttribute{"share", {"0.5"}}, false},
      {"one of an array", TailAttribute{"tools", {"fetch"}}, true},
      {"none of an array", TailAttribute{"tools", {"get"}}, false},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(keeps({row.condition}, {&plain, &marked}) == row.keeps);
    CHECK(keeps({row.condition}, {&marked, &plain}) == row.keeps);
    CHECK_FALSE(keeps({row.condition}, {&plain}));
  }
}

TEST_CASE("tail rules: a trace is as long as from its first beginning to its last end") {
  const trace::Span first = span_of(1000ms, 100ms);
  const trace::Span last = span_of(1900ms, 200ms);
  CHECK(keeps({TailSlower{1000ms}}, {&last, &first}));
  CHECK_FALSE(keeps({TailSlower{1100ms}}, {&last, &first}));
  CHECK_FALSE(keeps({TailSlower{1000ms}}, {&first}));
}

TEST_CASE("tail rules: tokens and cost add up") {
  trace::Span call = span_of(0ms, 1ms);
  call.attributes.set(attribute::kGenAiUsageInputTokens, int64_t{400});
  call.attributes.set(attribute::kGenAiUsageOutputTokens, int64_t{100});
  call.attributes.set(attribute::kCostUsd, 0.25);
  trace::Span other = span_of(0ms, 1ms);
  other.attributes.set(attribute::kGenAiUsageInputTokens, int64_t{500});
  other.attributes.set(attribute::kCostUsd, 0.25);
  CHECK(keeps({TailTokens{1000}}, {&call, &other}));
  CHECK_FALSE(keeps({TailTokens{1001}}, {&call, &other}));
  CHECK(keeps({TailCost{0.5}}, {&call, &other}));
  CHECK_FALSE(keeps({TailCost{0.51}}, {&call, &other}));
  // A turn says once more what its calls said.
  trace::Span turn = span_of(0ms, 1ms);
  turn.kind = trace::SpanKind::kInternal;
  turn.attributes.set(attribute::kGenAiUsageInputTokens, int64_t{900});
  turn.attributes.set(attribute::kGenAiUsageOutputTokens, int64_t{100});
  turn.attributes.set(attribute::kCostUsd, 0.5);
  CHECK(keeps({TailTokens{1000}}, {&call, &other, &turn}));
  CHECK_FALSE(keeps({TailTokens{1001}}, {&call, &other, &turn}));
  CHECK_FALSE(keeps({TailCost{0.51}}, {&call, &other, &turn}));
}

TEST_CASE("tail rules: a share goes by the trace id, or by rv") {
  const trace::Span span = span_of(0ms, 1ms);
  CHECK(keeps({TailProbability{kHalf}}, {&span}));
  CHECK_FALSE(keeps({TailProbability{kHalf + 1}}, {&span}));
  trace::Span told = span_of(0ms, 1ms);
  told.context.tracestate = trace::TraceState::parse({"ot=rv:fffffffffffffe"});
  CHECK(keeps({TailProbability{0xfffffffffffffeU}}, {&told}));
  CHECK_FALSE(keeps({TailProbability{0xffffffffffffffU}}, {&told}));
}

TEST_CASE("tail rules: all of a policy, any of the policies, and the threshold that counts") {
  struct Row {
    const char* name;
    std::vector<TailPolicy> policies;
    bool keep;
    uint64_t threshold;
  };
  const TailCondition half = TailProbability{kHalf};
  const TailCondition quarter = TailProbability{kHalf + kHalf / 2};
  const TailCondition slow = TailSlower{5ms};
  const Row rows[] = {
      {"an error alone", {{TailError{}}}, true, 0},
      {"both are true", {{TailError{}, slow}}, true, 0},
      {"one is not", {{TailError{}, TailSlower{5000ms}}}, false, 0},
      {"one policy is not", {{TailSlower{5000ms}}, {TailError{}}}, true, 0},
      {"a share alone", {{half}}, true, kHalf},
      {"a share of errors", {{TailError{}, half}}, true, kHalf},
      {"beside all errors the share says nothing", {{half}, {TailError{}}}, true, 0},
      {"of two shares the larger", {{quarter}, {half}}, true, kHalf},
      {"none", {{quarter}}, false, 0},
  };
  trace::Span span = span_of(0ms, 10ms);
  span.status = trace::SpanStatus::kError;
  for (const Row& row : rows) {
    INFO(row.name);
    const TailRules rules(row.policies);
    const TailVerdict verdict = rules.judge(rules.read(span).facts);
    CHECK(verdict.keep == row.keep);
    if (row.keep) CHECK(verdict.threshold == row.threshold);
  }
}

}  // namespace
}  // namespace sidespan::report
