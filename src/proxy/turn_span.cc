#include "turn_span.h"

#include <array>
#include <string>

#include "sidespan/semconv/attributes.h"

namespace sidespan::proxy {
namespace {

namespace attribute = semconv::attribute;
constexpr std::string_view kOperation = "invoke_agent";

trace::SpanContext context_of(const lineage::SpanRef& ref) {
  return {ref.trace_id, ref.span_id, ref.flags, {}};
}

}  // namespace

trace::Span make_turn_span(const lineage::ClosedTurn& turn, const Options& options) {
  trace::Span span(options.spans.limits);
  span.context = context_of(turn.span);
  if (!turn.tracestate.empty()) {
    const std::string_view state = turn.tracestate;
    span.context.tracestate = trace::TraceState::parse(std::array{state});
  }
  span.parent_id = turn.parent_id;
  span.kind = trace::SpanKind::kInternal;
  span.name = kOperation;
  span.start = turn.start;
  span.duration = turn.duration;
  for (const lineage::SpanRef& link : turn.links) {
    span.links.push_back({context_of(link), trace::Attributes()});
  }
  const lineage::Execution* const run = options.run ? &*options.run : nullptr;
  const bool within = static_cast<bool>(turn.parent_id);
  const lineage::Source parent = !within          ? lineage::Source::kRoot
                                 : run != nullptr ? lineage::Source::kListener
                                                  : lineage::Source::kEnvironment;
  span.parent_is_remote = parent == lineage::Source::kEnvironment;
  const std::string own = turn.span.span_id.to_string();
  trace::Attributes& attributes = span.attributes;
  attributes.set(attribute::kGenAiOperationName, kOperation);
  attributes.set(attribute::kInferred, true);
  attributes.set(attribute::kParentSource, lineage::name_of(parent));
  attributes.set(attribute::kTurnId, std::string_view(own));
  attributes.set(attribute::kExecutionId, std::string_view(run != nullptr ? run->id : own));
  attributes.set(attribute::kExecutionSource,
                 lineage::name_of(run != nullptr ? run->fixed_by : lineage::Source::kRoot));
  return span;
}

}  // namespace sidespan::proxy
