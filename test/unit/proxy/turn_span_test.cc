#include <doctest/doctest.h>

#include "proxy/turn_span.h"
#include "sidespan/semconv/attributes.h"

namespace sidespan::proxy {
namespace {

namespace attribute = semconv::attribute;
using lineage::Source;

lineage::ClosedTurn closed() {
  lineage::ClosedTurn turn;
  turn.span = {{1, 2}, {3}, trace::kSampledFlag};
  return turn;
}

template <class T>
std::optional<T> value_of(const trace::Span& span, std::string_view key) {
  for (const trace::Attributes::View view : span.attributes) {
    if (view.key != key) continue;
    const T* const value = std::get_if<T>(&view.value);
    if (value != nullptr) return *value;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("turn span: it says what its calls took, where they told") {
  lineage::ClosedTurn turn = closed();
  const trace::Span silent = make_turn_span(turn, {});
  CHECK(!value_of<int64_t>(silent, attribute::kGenAiUsageInputTokens));
  CHECK(!value_of<int64_t>(silent, attribute::kGenAiUsageOutputTokens));
  CHECK(!value_of<double>(silent, attribute::kCostUsd));
  turn.tokens.add({.input = 20, .output = 5, .cost_usd = 0.25});
  turn.tokens.add({});
  turn.tokens.add({.input = 30, .cost_usd = 0.5});
  const trace::Span span = make_turn_span(turn, {});
  CHECK(span.name == "invoke_agent");
  CHECK(value_of<int64_t>(span, attribute::kGenAiUsageInputTokens) == 50);
  CHECK(value_of<int64_t>(span, attribute::kGenAiUsageOutputTokens) == 5);
  CHECK(value_of<double>(span, attribute::kCostUsd) == 0.75);
}

TEST_CASE("turn span: baggage is told where nothing else has its name") {
  lineage::ClosedTurn turn = closed();
  turn.baggage = {{"tenant", "a"}, {std::string(attribute::kTurnId), "b"}};
  const trace::Span span = make_turn_span(turn, {});
  CHECK(span.attributes.text("tenant") == "a");
  CHECK(span.attributes.text(attribute::kTurnId) == turn.span.span_id.to_string());
}

TEST_CASE("turn span: a parent that is a span of ours is not remote") {
  struct Row {
    const char* name;
    uint64_t parent;
    const char* execution;
    Source fixed_by;
    bool remote;
    std::string_view told;
    bool in_call = false;
  };
  const Row rows[] = {
      {"a root", 0, "", Source::kRoot, false, "root"},
      {"below a request on the ingress", 9, "request", Source::kIngress, false, "ingress"},
      {"below a run", 9, "run", Source::kListener, false, "listener"},
      {"below a run elsewhere", 9, "run", Source::kCredential, true, "credential"},
      {"below who started us", 9, "", Source::kRoot, true, "environment"},
      {"below a WebSocket", 9, "", Source::kRoot, false, "root", true},
      {"below one in a run", 9, "run", Source::kCredential, false, "credential", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    lineage::ClosedTurn turn = closed();
    turn.parent_id = {row.parent};
    turn.execution_id = row.execution;
    turn.fixed_by = row.fixed_by;
    turn.in_call = row.in_call;
    const trace::Span span = make_turn_span(turn, {});
    CHECK(span.parent_is_remote == row.remote);
    CHECK(span.attributes.text(attribute::kParentSource) == row.told);
  }
}

}  // namespace sidespan::proxy
