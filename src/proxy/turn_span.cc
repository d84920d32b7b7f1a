#include "turn_span.h"

#include <string>

#include "sidespan/semconv/attributes.h"

namespace sidespan::proxy {
namespace {

namespace attribute = semconv::attribute;
constexpr std::string_view kOperation = "invoke_agent";

}  // namespace

trace::Span make_turn_span(const lineage::ClosedTurn& turn, const Options& options) {
  trace::Span span(options.spans.limits);
  span.context = context_of(turn.span, turn.tracestate);
  span.parent_id = turn.parent_id;
  span.kind = trace::SpanKind::kInternal;
  span.name = kOperation;
  span.start = turn.start;
  span.duration = turn.duration;
  for (const lineage::SpanRef& link : turn.links) {
    span.links.push_back({context_of(link), trace::Attributes()});
  }
  const bool named = !turn.execution_id.empty();
  // That it is within a call of ours needs no evidence.
  const bool untold = !turn.parent_id || (turn.in_call && !named);
  const lineage::Source parent = untold  ? lineage::Source::kRoot
                                 : named ? turn.fixed_by
                                         : lineage::Source::kEnvironment;
  const bool ours =
      turn.in_call || parent == lineage::Source::kListener || parent == lineage::Source::kIngress;
  span.parent_is_remote = turn.parent_id && !ours;
  const std::string own = turn.span.span_id.to_string();
  trace::Attributes& attributes = span.attributes;
  attributes.set(attribute::kGenAiOperationName, kOperation);
  attributes.set(attribute::kInferred, true);
  attributes.set(attribute::kParentSource, lineage::name_of(parent));
  attributes.set(attribute::kTurnId, std::string_view(own));
  attributes.set(attribute::kExecutionId, std::string_view(named ? turn.execution_id : own));
  attributes.set(attribute::kExecutionSource,
                 lineage::name_of(named ? turn.fixed_by : lineage::Source::kRoot));
  for (const auto& [key, value] : turn.baggage) {
    if (!attributes.contains(key)) attributes.set(key, std::string_view(value));
  }
  const lineage::TokenSum& tokens = turn.tokens;
  if (tokens.input) attributes.set(attribute::kGenAiUsageInputTokens, *tokens.input);
  if (tokens.output) attributes.set(attribute::kGenAiUsageOutputTokens, *tokens.output);
  if (tokens.cost_usd) attributes.set(attribute::kCostUsd, *tokens.cost_usd);
  return span;
}

}  // namespace sidespan::proxy
